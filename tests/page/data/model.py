"""A model with three versions made by the stock client, with files of every kind among them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import mlflow
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient

from pictures import png

NAME = "grocery-forecasting"
INPUTS = [
    {"type": "double", "name": name, "required": name != "promo"} for name in ("price", "promo")
]
MODEL_FILE = f"""\
artifact_path: model
flavors:
  python_function:
    loader_module: mlflow.sklearn
    python_version: 3.11.9
  sklearn:
    pickled_model: model.pkl
    sklearn_version: 1.5.2
mlflow_version: 3.6.0
model_uuid: abc
signature:
  inputs: '{json.dumps(INPUTS)}'
  outputs: '[{{"type": "double", "name": "demand", "required": true}}]'
  params: '[{{"name": "horizon", "type": "long", "default": 7, "shape": null}}]'
utc_time_created: '2025-01-01 00:00:00'
"""


def write(folder: Path) -> None:
    """The model and what else a run may log; some of it hostile."""
    (folder / "MLmodel").write_text(MODEL_FILE)
    (folder / "requirements.txt").write_text("scikit-learn==1.5.2\n")
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    (folder / "plots").mkdir()
    (folder / "plots" / "fit.png").write_bytes(png(40, 30))
    (folder / "plots" / "broken.png").write_bytes(b"no picture")
    (folder / "notes.md").write_text("# Notes\n\n<script>window.hacked = 1</script>\n\n*fine*\n")
    (folder / "page.html").write_text("<script>window.hacked = 2</script>")
    (folder / "evil.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked = 3"><script>'
        "window.hacked = 4</script><rect width='9' height='9'/></svg>"
    )
    (folder / "data.csv").write_text("store,demand\n" + "".join(f"s{n},{n}\n" for n in range(50)))
    pq.write_table(
        pa.table({"town": ["Basel", "Bern"], "demand": [12.5, 7.25]}), folder / "head.parquet"
    )


def main() -> None:
    """Log three runs and register a version from each."""
    client = MlflowClient()
    mlflow.set_experiment("weekly-study")
    client.create_registered_model(NAME, description="*Weekly* demand per store.")
    with tempfile.TemporaryDirectory() as place:
        write(Path(place))
        for number in (1, 2, 3):
            with mlflow.start_run(run_name=f"forest-{number}") as run:
                mlflow.log_params({"n_estimators": 100 * number, "max_depth": 6})
                for step in range(20):
                    mlflow.log_metric("rmse", 60 / (step + number), step=step)
                mlflow.log_artifacts(place, "model")
            uri = f"runs:/{run.info.run_id}/model"
            client.create_model_version(NAME, uri, run.info.run_id, tags={"team": "stores"})
    client.set_registered_model_alias(NAME, "champion", "2")


if __name__ == "__main__":
    main()
