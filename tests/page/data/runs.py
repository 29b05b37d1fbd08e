"""Runs by the stock client: a family that is nested, more runs than a page, images, a model to save."""

from __future__ import annotations

import tempfile
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import infer_signature

from pictures import png

FLAT = 130
CODE = '''
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Constant(PythonModel):
    """Says seven."""

    def predict(self, context, model_input, params=None):
        return model_input["x"] * 0 + 7


set_model(Constant())
'''


def log_family(client: MlflowClient, experiment: str) -> None:
    """A search with trials, one of which has folds of its own; it is older than all others."""
    search = client.create_run(experiment, run_name="search", start_time=1000).info.run_id
    for trial in range(6):
        tags = {"mlflow.parentRunId": search}
        run = client.create_run(
            experiment, run_name=f"trial-{trial}", start_time=2000 + trial, tags=tags
        ).info.run_id
        client.log_batch(run, [Metric("loss", 1 / (trial + 1), 1, 0)], [Param("lr", f"0.{trial}1")])
        client.set_terminated(run)
        for fold in range(3 if trial == 2 else 0):
            tags = {"mlflow.parentRunId": run}
            inner = client.create_run(
                experiment, run_name=f"fold-{fold}", start_time=3000 + fold, tags=tags
            ).info.run_id
            client.log_batch(inner, [Metric("loss", 0.5 + fold, 1, 0)])
            client.set_terminated(inner)
    client.set_terminated(search)


def log_model(place: Path) -> None:
    """A run with curves, images at steps, a data set and a model."""
    code = place / "constant.py"
    code.write_text(CODE)
    example = pd.DataFrame({"x": [1.0, 2.0]})
    with mlflow.start_run(run_name="trained"):
        mlflow.log_params({"depth": 6, "lr": 0.1})
        mlflow.set_tag("team", "stores")
        for step in range(40):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        for step in (0, 10, 20):
            for key in ("input", "mask"):
                # As the client names them, which needs more libraries to write them itself.
                name = f"{key}+step+{step}+timestamp+{1000 + step}+{step}a1b2c3.png"
                (place / name).write_bytes(png(16, 16, bytes([60 + 8 * step] * 3)))
                mlflow.log_artifact(str(place / name), "images")
        mlflow.log_input(mlflow.data.from_pandas(example, name="examples"), context="training")
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            signature=infer_signature(example, pd.Series([7.0, 7.0], name="seven")),
            pip_requirements=[],
        )


def main() -> None:
    """Log an experiment with a family of runs, many single ones, and a trained one."""
    client = MlflowClient()
    experiment = client.create_experiment("study")
    log_family(client, experiment)
    for number in range(FLAT):
        run = client.create_run(experiment, run_name=f"single-{number:03}").info.run_id
        metrics = [Metric("loss", 2 + number, 1, 0)]
        client.log_batch(run, metrics, [Param("lr", str(number))], [RunTag("team", "web")])
        client.set_terminated(run)
    mlflow.set_experiment("study")
    with tempfile.TemporaryDirectory() as place:
        log_model(Path(place))


if __name__ == "__main__":
    main()
