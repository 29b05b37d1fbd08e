"""Environments of models: a version predicts with the libraries that it was logged with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import applied_models

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]
CODE = """
import six

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return pd.Series([f"{six.__version__} {x}" for x in model_input["x"]])
"""
OTHER = "1.16.0"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that says which release of a library it predicts with, logged with another one."""
    folder = applied_models.custom(tmp_path / "m", CODE)
    pins = [f"{name}=={metadata.version(name)}" for name in ("numpy", "pandas", "mlflow-skinny")]
    (folder / "requirements.txt").write_text("\n".join([f"six=={OTHER}", *pins]) + "\n")
    return folder


def predict(folder: Path, model: Path, out: str, *options: str) -> tuple[dict, str, pd.DataFrame]:
    """The receipt, what was said, and the table."""
    done = subprocess.run(
        [sys.executable, "-m", "heddle", "predict", model, folder / "in.parquet", folder / out,
         "--json", *options],
        env=os.environ | {"HEDDLE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr, pd.read_parquet(folder / out)


def test_a_version_predicts_with_its_own_libraries_built_once(model, tmp_path):
    assert metadata.version("six") != OTHER
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "in.parquet", index=False)
    receipt, said, made = predict(tmp_path, model, "own.parquet", "--env", "uv")
    assert made["predictions"].tolist() == [f"{OTHER} 1", f"{OTHER} 2"]
    assert receipt["libraries"]["six"] == OTHER
    assert receipt["libraries"]["numpy"] == np.__version__
    assert "was logged with" not in said
    (place,) = (tmp_path / "cache" / "environments").glob("*/built")
    built = place.stat().st_mtime_ns
    receipt, _, again = predict(
        tmp_path, model, "again.parquet", "--env", "uv", "--predictions", "y"
    )
    assert again["y"].tolist() == made["predictions"].tolist()
    assert place.stat().st_mtime_ns == built, "it was built a second time"
    # With what is here, what differs is said before anything is predicted.
    receipt, said, made = predict(tmp_path, model, "here.parquet")
    here = metadata.version("six")
    assert made["predictions"].tolist() == [f"{here} 1", f"{here} 2"]
    assert receipt["libraries"]["six"] == here
    assert f"six {OTHER} (here {here})" in said


def test_requirements_that_are_no_packages_by_name_are_not_built(model, tmp_path):
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "in.parquet", index=False)
    for line in ("--index-url file:///tmp", "six @ file:///tmp/six.whl", "no-such-thing==1.2.3.4"):
        (model / "requirements.txt").write_text(f"{line}\n")
        done = subprocess.run(
            [sys.executable, "-m", "heddle", "predict", model, tmp_path / "in.parquet",
             tmp_path / "o.parquet", "--env", "uv"],
            env=os.environ | {"HEDDLE_CACHE": str(tmp_path / "cache"), "UV_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "no package by name" in done.stderr or "could not be" in done.stderr
    assert not (tmp_path / "o.parquet").exists()
