"""Every flavor for real: trained, logged with MLflow's own client, registered, applied, compared.

The libraries are in environments of their own, made from their pins on first use; where one cannot
be made, its tests are skipped with what the installer said. What is done with a flavor is told in
`cases`, which runs in such an environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from environments import NotBuilt, python_of
from running_servers import heddle_server

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src"
FLAVORS = {
    "tables": [
        "sklearn_numbers", "sklearn_coded", "sklearn_unsigned", "sklearn_unknown", "xgboost",
        "xgboost_booster", "lightgbm", "lightgbm_categories", "catboost", "onnx", "statsmodels",
        "prophet", "custom", "tensors_by_name",
    ],
    "tensors": ["pytorch", "keras"],
    "spark": ["spark_ml"],
}  # fmt: skip
JOINED = {"sklearn_numbers", "xgboost", "xgboost_booster", "lightgbm"}
"""Those whose requests are predicted together."""
HINTS = {
    "tensors": "PyTorch's build for processors (+cpu) is on no index that pip asks by itself; say"
    " where it lies with PIP_FIND_LINKS.",
}
# Spark is the one that the tests of it have.
SPARK = HERE.parents[1] / "spark" / "requirements-4.txt"
# The first run makes the environments, which may have to fetch them.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(
    "libraries",
    [
        "tables",
        pytest.param("tensors", marks=pytest.mark.matrix),
        pytest.param("spark", marks=pytest.mark.matrix),
    ],
)
def test_a_version_of_every_flavor_predicts_what_pyfunc_does(libraries: str, tmp_path: Path):
    requirements = HERE / f"requirements-{libraries}.txt"
    name = f"flavors-{libraries}"
    if libraries == "spark":
        name, requirements = "spark-4", SPARK
        if not requirements.exists() or shutil.which("java") is None:
            pytest.skip("Spark needs its environment's pins and Java 17 on the PATH")
    try:
        python = python_of(name, requirements, built=libraries == "spark")
    except NotBuilt as failure:
        hint = HINTS.get(libraries, "")
        pytest.skip(f"{libraries} could not be installed. {hint} {str(failure)[-600:]}")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with heddle_server(tmp_path / "server") as server:
        done = subprocess.run(
            [python, "-m", "cases", server.uri, tmp_path, *FLAVORS[libraries]],
            env={
                **kept,
                "PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE}",
                "HEDDLE_CACHE": str(tmp_path / "cache"),
                "HEDDLE_URL": server.uri,
                "HOME": str(tmp_path),
                "KERAS_BACKEND": "torch",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == FLAVORS[libraries]
    assert {name: said["problem"] for name, said in told.items() if said["problem"]} == {}
    assert {name for name, said in told.items() if said["joins"]} == JOINED & set(told)
    assert all(said["rows"] == 230 and "memory" in said["walls"] for said in told.values())
