"""Fills a server with what the screens need: a forecasting study by the stock MLflow client.

Run by an interpreter that has mlflow and scikit-learn, with MLFLOW_TRACKING_URI set, after the
demonstration's training. It imports nothing of Heddle; all models, curves and images are of real
training on a synthetic grocery's weeks.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import make_regression
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

MODEL = "grocery-forecasting"
SEEDS_MODEL = "RandomForestRegressionModel"
WEEKS = 1600
EPOCHS = 120
PIXELS = 48
QUARTERS = ("Q2-2023", "Q3-2023", "Q4-2023")


def weeks() -> pd.DataFrame:
    """Weeks of stores: what was known before, and the demand."""
    draw = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "price": draw.uniform(1.5, 6, WEEKS).round(2),
            "promo": draw.integers(0, 2, WEEKS).astype(float),
            "temperature": draw.normal(14, 8, WEEKS).round(1),
            "holiday": (draw.random(WEEKS) < 0.08).astype(float),
            "stock": draw.integers(20, 400, WEEKS).astype(float),
        }
    )
    table["demand"] = (
        180
        - 22 * table.price
        + 45 * table.promo * (table.price < 4)
        + 1.8 * table.temperature
        + 60 * table.holiday
        + 0.05 * table.stock
        + draw.normal(0, 9, WEEKS)
    ).round(1)
    return table


def scores(truth: Any, guess: Any) -> dict[str, float]:
    """How good a guess is."""
    return {
        "rmse": float(root_mean_squared_error(truth, guess)),
        "mae": float(mean_absolute_error(truth, guess)),
        "r2": float(r2_score(truth, guess)),
    }


def candidates() -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """What the sweeps try: family, run's name, estimator, hyperparameters."""
    for count, depth in product((20, 60, 120), (3, 6, 9)):
        given: dict[str, Any] = {"n_estimators": count, "max_depth": depth, "random_state": 42}
        yield "forest-sweep", f"forest-{count}x{depth}", RandomForestRegressor(**given), given
    for rate, depth in product((0.02, 0.08, 0.3), (2, 4)):
        given = {"learning_rate": rate, "max_depth": depth, "n_estimators": 80, "random_state": 42}
        name = f"boosting-{rate}x{depth}"
        yield "boosting-sweep", name, GradientBoostingRegressor(**given), given


class Study:
    """One split of the weeks, and everything that is logged of it."""

    def __init__(self) -> None:
        table = weeks()
        parts = train_test_split(
            table.drop(columns="demand"), table.demand, test_size=0.25, random_state=1
        )
        self.x, self.x_held_out, self.y, self.truth = parts
        self.source = mlflow.data.from_pandas(table, name="grocery-weeks", targets="demand")
        self.client = MlflowClient()

    def sweep(self) -> None:
        """Two sweeps, each a run with a child for every candidate, each child a version."""
        mlflow.set_experiment("grocery-forecasting-study")
        tried = list(candidates())
        for family in dict.fromkeys(name for name, *_ in tried):
            with mlflow.start_run(run_name=family):
                mlflow.set_tag("mlflow.note.content", "Every combination on the same split.")
                best = min(
                    self.try_one(name, model, given)
                    for of, name, model, given in tried
                    if of == family
                )
                mlflow.log_metric("best_rmse", best)

    def try_one(self, name: str, model: Any, given: dict[str, Any]) -> float:
        """Log one candidate and register it; its error."""
        with mlflow.start_run(run_name=name, nested=True) as run:
            mlflow.log_params(given)
            mlflow.set_tags({"team": "stores-ml", "estimator": type(model).__name__})
            mlflow.log_input(self.source, context="training")
            model.fit(self.x, self.y)
            for step, guess in enumerate(stages(model, self.x_held_out), 1):
                error = float(root_mean_squared_error(self.truth, guess))
                mlflow.log_metric("validation_rmse", error, step=step, synchronous=False)
            found = scores(self.truth, model.predict(self.x_held_out))
            mlflow.log_metrics(found)
            mlflow.log_text(notes(name, found), "notes.md")
            mlflow.log_table(
                pd.DataFrame({"column": self.x.columns, "weight": model.feature_importances_}),
                "importance.json",
            )
            importance = pd.Series(model.feature_importances_, self.x.columns, name="weight")
            mlflow.log_text(importance.rename_axis("column").to_csv(), "importance.csv")
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=infer_signature(self.x, self.y),
                input_example=self.x.head(3),
                pip_requirements=["scikit-learn", "pandas"],
                **trusted(),
            )
        tags = {
            "project_name": MODEL,
            "store_dept": "produce",
            "team": "stores-ml",
            "project_quarter": QUARTERS[run.info.start_time % len(QUARTERS)],
        }
        mlflow.register_model(logged.model_uri, MODEL, tags=tags)
        return found["rmse"]

    def networks(self) -> None:
        """Networks trained epoch by epoch, with what they have learned as images."""
        mlflow.set_experiment("grocery-networks")
        scale = StandardScaler().fit(self.x)
        x, x_held_out = scale.transform(self.x), scale.transform(self.x_held_out)
        for width, rate in ((8, 0.002), (32, 0.002), (64, 0.01)):
            with mlflow.start_run(run_name=f"network-{width}"):
                mlflow.log_params({"width": width, "learning_rate": rate, "epochs": EPOCHS})
                network = MLPRegressor(
                    hidden_layer_sizes=(width, width), learning_rate_init=rate, random_state=1
                )
                for epoch in range(EPOCHS):
                    network.partial_fit(x, self.y)
                    found = {f"train/{k}": v for k, v in scores(self.y, network.predict(x)).items()}
                    held = scores(self.truth, network.predict(x_held_out))
                    found |= {f"held_out/{key}": value for key, value in held.items()}
                    mlflow.log_metrics(found, step=epoch, synchronous=False)
                    if epoch % 20 == 19:
                        for key, image in pictures(network, scale).items():
                            mlflow.log_image(image, key=key, step=epoch)
        mlflow.start_run(run_name="network-128-stopped")
        mlflow.log_params({"width": 128, "learning_rate": 3.0})
        mlflow.log_metric("train/rmse", float("nan"), step=0)
        mlflow.end_run("FAILED")

    def label(self) -> None:
        """Name the best versions as a team would, more than once, so that there is a history."""
        versions = self.client.search_model_versions(f"name = '{MODEL}'")
        errors = {each.version: self.client.get_run(each.run_id).data.metrics["rmse"]
                  for each in versions}  # fmt: skip
        best, second, *_, worst = sorted(errors, key=errors.__getitem__)
        for number in (worst, second, best):
            self.client.set_registered_model_alias(MODEL, "champion", number)
        self.client.set_registered_model_alias(MODEL, "challenger", second)
        self.client.update_registered_model(
            MODEL, "**Weekly demand per store**, for the produce department. Scored every night."
        )
        self.client.update_model_version(
            MODEL, best, "Best on held-out weeks. *Reviewed with the produce team*, see `notes.md`."
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.client.transition_model_version_stage(MODEL, best, "Production")
            self.client.transition_model_version_stage(MODEL, second, "Staging")

    def tables(self, folder: Path) -> None:
        """Tables to apply versions to; one lacks a column."""
        folder.mkdir(parents=True, exist_ok=True)
        table = pd.concat([self.x] * 12, ignore_index=True)
        table.insert(0, "store", [f"store-{n % 40:02d}" for n in range(len(table))])
        table.to_csv(folder / "next-weeks.csv", index=False)
        table.drop(columns="promo").to_csv(folder / "without-promo.csv", index=False)


def stages(model: Any, x: Any) -> Iterator[Any]:
    """What a model says after each of its trees."""
    if hasattr(model, "staged_predict"):
        yield from model.staged_predict(x)
        return
    total = 0.0
    for count, tree in enumerate(model.estimators_, 1):
        total = total + tree.predict(x.to_numpy())
        yield total / count


def notes(name: str, found: dict[str, float]) -> str:
    """What a person would write down."""
    rows = "\n".join(f"| {key} | {value:.3f} |" for key, value in found.items())
    return f"# {name}\n\nHeld-out weeks, never seen in training.\n\n| metric | value |\n|---|---|\n{rows}\n"


def pictures(network: Any, scale: StandardScaler) -> dict[str, Any]:
    """The demand that a network expects over price and temperature, with and without a promotion."""
    price: Any
    temperature: Any
    price, temperature = np.meshgrid(np.linspace(1.5, 6, PIXELS), np.linspace(30, -5, PIXELS))
    made = {}
    for name, promo in (("surface/plain", 0.0), ("surface/promotion", 1.0)):
        flat = np.column_stack(
            [price.ravel(), np.full(price.size, promo), temperature.ravel(),
             np.zeros(price.size), np.full(price.size, 200.0)]
        )  # fmt: skip
        table = pd.DataFrame(flat, columns=scale.feature_names_in_)
        level = np.clip(network.predict(scale.transform(table)).reshape(price.shape) / 250, 0, 1)
        low, high = np.array([24, 42, 60]), np.array([120, 230, 170])
        made[name] = (low + level[..., None] * (high - low)).astype("uint8")
    return made


def seed_document() -> None:
    """The training that documentation of Fabric's ML models shows, word for word in its tags."""
    mlflow.set_experiment("regression-example")
    x, y = make_regression(n_features=4, n_informative=2, random_state=0, shuffle=False)
    params = {"n_estimators": 3, "random_state": 42}
    tags = {
        "project_name": "grocery-forecasting",
        "store_dept": "produce",
        "team": "stores-ml",
        "project_quarter": "Q3-2023",
    }
    with mlflow.start_run():
        model = RandomForestRegressor(**params).fit(x, y)
        mlflow.log_params(params)
        logged = mlflow.sklearn.log_model(
            model,
            name="sklearn-model",
            signature=infer_signature(x, model.predict(x)),
            pip_requirements=["scikit-learn"],
            **trusted(),
        )
    mlflow.register_model(logged.model_uri, SEEDS_MODEL, tags=tags)


def trusted() -> dict[str, Any]:
    """Newer clients store scikit-learn models without pickle and want the types of trees named."""
    return {"serialization_format": "cloudpickle"}


def main() -> None:
    """Train, register, label, write tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="where tables to apply versions to go")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    study = Study()
    study.sweep()
    study.networks()
    mlflow.flush_async_logging()
    study.label()
    study.tables(given.tables)
    seed_document()


if __name__ == "__main__":
    main()
