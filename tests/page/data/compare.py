"""A model whose versions differ in params, metrics, tags, signature and files: something to compare."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

NAME = "forest"
VERSIONS = 40
STEPS = 25
TEAMS = ("stores", "web", "Vertrieb Süd", "مبيعات 🥕")


def model_file(inputs: list[str]) -> str:
    """An ``MLmodel`` with these input columns."""
    columns = json.dumps([{"type": "double", "name": name, "required": True} for name in inputs])
    output = json.dumps([{"type": "double", "name": "demand", "required": True}])
    return (
        "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
        f"signature:\n  inputs: '{columns}'\n  outputs: '{output}'\n"
    )


def points(number: int) -> list[Metric]:
    """Curves that fall and rise, with a spike that must not be lost; every third lacks ``r2``."""
    made = []
    for step in range(STEPS):
        when = 1_700_000_000_000 + number * 3_600_000 + step * 1000
        spike = 500.0 if (number, step) == (1, 7) else 0.0
        made.append(Metric("rmse", 80 / (1 + step + number / 10) + spike, when, step))
        made.append(Metric("loss.train", 2.0 ** -(step / 4) + number / 100, when, step))
        if number % 3:
            made.append(Metric("r2", 1 - 1 / (1 + step + number), when, step))
    return made


def main() -> None:
    """Log a run for each version and register it."""
    client = MlflowClient()
    experiment = client.create_experiment("forests")
    client.create_registered_model(NAME)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "same.txt").write_text("the same in all\n")
        for number in range(1, VERSIONS + 1):
            run = client.create_run(experiment, run_name=f"forest-{number:02}").info.run_id
            params = {
                "n_estimators": str(10 * number),
                "max_depth": str(3 + number % 4),
                "booster": "gbtree",
            }
            client.log_batch(
                run,
                points(number),
                [Param(key, value) for key, value in params.items()],
                [RunTag("team", TEAMS[number % 4])],
            )
            # Files are of the first versions only: they are compared two at a time.
            if number <= 3:
                (folder / "MLmodel").write_text(model_file(["price", "promo", "week"][:number]))
                lines = [f"line {n}" for n in range(40)]
                lines[20] = f"trees: {10 * number}"
                (folder / "config.yaml").write_text("\n".join(lines))
                client.log_artifacts(run, place, "model")
            client.set_terminated(run)
            client.create_model_version(
                NAME, f"runs:/{run}/model", run, tags={"team": TEAMS[number % 4]}
            )
    client.set_registered_model_alias(NAME, "champion", "3")


if __name__ == "__main__":
    main()
