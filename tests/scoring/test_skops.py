"""Files of skops are opened with less than skops would import, and trusted exactly as it trusts."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import mlflow
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import applied_models
from heddle.scoring import predictor

# As a child starts: nothing of MLflow or skops is loaded. Says what was predicted or refused, and
# whether all of scikit-learn is there.
OPENED = """
import json, runpy, sys
import pandas as pd, pyarrow as pa
sys.path.insert(0, sys.argv[1])
import predictor
frame = pd.read_json(sys.argv[3], orient="split")
try:
    made = predictor.Predictor(sys.argv[2]).predict(pa.RecordBatch.from_pandas(frame, preserve_index=False))
    told = {"predicted": made.column(0).to_pylist()}
except Exception as error:
    told = {"refused": f"{type(error).__name__}: {error}"}
print(json.dumps(told | {"is_whole": "sklearn.cross_decomposition" in sys.modules}))
"""


def save(folder: Path, model: Any) -> Path:
    """A model as MLflow writes it, with nothing trusted that skops does not trust by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trusted = applied_models.TREES
        mlflow.sklearn.save_model(
            model, folder, pip_requirements=[], serialization_format="skops",
            skops_trusted_types=[*trusted, "sklearn._loss._loss.CyHalfSquaredError"],
        )  # fmt: skip
    return folder


def opened(folder: Path, rows: Path) -> dict[str, Any]:
    place = Path(predictor.__file__).parent
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPENED, place, folder, rows],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_only_the_estimators_of_a_model_are_imported(tmp_path):
    frame = applied_models.inputs(50).fillna(0)
    frame.to_json(tmp_path / "rows.json", orient="split")
    target = frame.iloc[:, 0] > 0
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
    folder = save(tmp_path / "model", model)
    told = opened(folder, tmp_path / "rows.json")
    assert told == {"predicted": model.predict(frame).tolist(), "is_whole": False}


def test_what_skops_refuses_is_refused_in_its_words(tmp_path):
    frame = applied_models.inputs(50).fillna(0)
    frame.to_json(tmp_path / "rows.json", orient="split")
    model = GradientBoostingRegressor(n_estimators=2).fit(frame, frame.iloc[:, 0])
    folder = save(tmp_path / "model", model)
    known = opened(folder, tmp_path / "rows.json")
    assert known["predicted"] == model.predict(frame).tolist()
    described = folder / "MLmodel"
    # As if nobody had said that its trees may be trusted.
    kept = [line for line in described.read_text().splitlines() if "_tree.Tree" not in line]
    described.write_text("\n".join(kept))
    told = opened(folder, tmp_path / "rows.json")
    assert told["refused"].startswith("UntrustedTypesFoundException")
    assert "sklearn.tree._tree.Tree" in told["refused"]
    assert "GradientBoostingRegressor" not in told["refused"].split(":")[1]
    assert told["is_whole"]
