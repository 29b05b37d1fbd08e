"""Trains models on scikit-learn's bundled data and logs them with the stock MLflow client.

Run as a script by an interpreter that has mlflow and scikit-learn, with MLFLOW_TRACKING_URI set; it
imports nothing of Heddle, so it shows what any training code does. The rows that it holds out are
written to the folder that it is given, as tables to apply the models to.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

EPOCHS = 40
SEED = 7


@dataclass(frozen=True)
class Task:
    """One data set, split, and what its model is called."""

    model: str
    team: str
    data: Any
    is_regression: bool

    @property
    def parts(self) -> list[Any]:
        """Inputs and targets: for training, then held out."""
        return list(
            train_test_split(self.data.data, self.data.target, test_size=0.25, random_state=SEED)
        )


def candidates(task: Task) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """What is tried: a run's name, an estimator, its hyperparameters."""
    forests = RandomForestRegressor if task.is_regression else RandomForestClassifier
    boosting = GradientBoostingRegressor if task.is_regression else GradientBoostingClassifier
    if task.is_regression:
        yield "ridge", make_pipeline(StandardScaler(), Ridge(alpha=1.0)), {"alpha": 1.0}
    else:
        linear = LogisticRegression(C=0.5, max_iter=500)
        yield "logistic", make_pipeline(StandardScaler(), linear), {"C": 0.5, "max_iter": 500}
    for count, depth in ((60, 3), (200, 6)):
        given: dict[str, Any] = {"n_estimators": count, "max_depth": depth, "random_state": SEED}
        yield f"forest-{count}", forests(**given), given
    given = {
        "n_estimators": EPOCHS * 3,
        "learning_rate": 0.05,
        "max_depth": 2,
        "random_state": SEED,
    }
    yield "boosting", boosting(**given), given


def scores(task: Task, model: Any, inputs: Any, truth: Any) -> dict[str, float]:
    """How well the model does on held-out rows."""
    guess = model.predict(inputs)
    if task.is_regression:
        return {
            "rmse": root_mean_squared_error(truth, guess),
            "mae": mean_absolute_error(truth, guess),
            "r2": r2_score(truth, guess),
        }
    return {
        "accuracy": accuracy_score(truth, guess),
        "f1_macro": f1_score(truth, guess, average="macro"),
        "log_loss": log_loss(truth, model.predict_proba(inputs)),
    }


def log_stages(task: Task, model: Any, inputs: Any, truth: Any) -> None:
    """The loss after each boosting stage, as a curve."""
    if task.is_regression:
        losses = [root_mean_squared_error(truth, guess) for guess in model.staged_predict(inputs)]
    else:
        losses = [log_loss(truth, guess) for guess in model.staged_predict_proba(inputs)]
    for step, loss in enumerate(losses):
        mlflow.log_metric("validation_loss", float(loss), step=step)


def log_epochs(task: Task) -> None:
    """A linear model trained epoch by epoch, its metrics logged as it goes."""
    inputs, held_out, target, truth = task.parts
    scaler = StandardScaler().fit(inputs)
    x, x_held_out = scaler.transform(inputs), scaler.transform(held_out)
    with mlflow.start_run(run_name="sgd-epochs"):
        mlflow.log_params({"epochs": EPOCHS, "eta0": 0.01, "random_state": SEED})
        kind = SGDRegressor if task.is_regression else SGDClassifier
        extra = {} if task.is_regression else {"loss": "log_loss"}
        model = kind(eta0=0.01, learning_rate="invscaling", random_state=SEED, **extra)
        classes = {} if task.is_regression else {"classes": np.unique(target)}
        for epoch in range(EPOCHS):
            model.partial_fit(x, target, **classes)
            found = {f"train_{k}": v for k, v in scores(task, model, x, target).items()}
            mlflow.log_metrics(found | scores(task, model, x_held_out, truth), step=epoch)


def figure(task: Task, model: Any, inputs: Any, truth: Any) -> Any:
    """Predictions against the truth, or a confusion matrix."""
    drawn, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    if task.is_regression:
        guess = model.predict(inputs)
        axes.scatter(truth, guess, s=12)
        ends = [min(truth), max(truth)]
        axes.plot(ends, ends, linewidth=1)
        axes.set(xlabel="measured", ylabel="predicted", title=task.model)
    else:
        ConfusionMatrixDisplay.from_estimator(model, inputs, truth, ax=axes)
    return drawn


def train(task: Task) -> dict[int, float]:
    """Log and register every candidate; the first score of each version."""
    mlflow.set_experiment(f"{task.model}-study")
    log_epochs(task)
    inputs, held_out, target, truth = task.parts
    source = mlflow.data.from_pandas(
        pd.concat([inputs, target], axis=1), name=task.model, targets=target.name
    )
    by_version: dict[int, float] = {}
    for name, model, given in candidates(task):
        with mlflow.start_run(run_name=name) as run:
            model.fit(inputs, target)
            found = scores(task, model, held_out, truth)
            mlflow.log_params(given)
            mlflow.log_metrics(found)
            mlflow.log_input(source, context="training")
            mlflow.set_tag("estimator", type(model).__name__)
            if name == "boosting":
                log_stages(task, model, held_out, truth)
            drawn = figure(task, model, held_out, truth)
            mlflow.log_figure(drawn, "figures/held_out.png")
            plt.close(drawn)
            mlflow.log_dict({"rows": len(inputs), "held_out": len(held_out)}, "data.json")
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                signature=infer_signature(inputs, model.predict(inputs)),
                input_example=inputs.head(3),
                **trusted(),
            )
            version = mlflow.register_model(
                logged.model_uri,
                task.model,
                tags={"team": task.team, "estimator": type(model).__name__, "run": name},
            )
        by_version[int(version.version)] = next(iter(found.values()))
        print(f"  {task.model} version {version.version}: {name}, {run.info.run_id}", flush=True)
    return by_version


def trusted() -> dict[str, Any]:
    """Newer clients store scikit-learn models without pickle and want the types of trees named."""
    major, minor = (int(part) for part in mlflow.__version__.split(".")[:2])
    return {"serialization_format": "cloudpickle"} if (major, minor) >= (3, 0) else {}


def hold_out(task: Task, folder: Path) -> None:
    """Write the rows that no model has seen, with what was measured, as a table."""
    _, inputs, _, truth = task.parts
    folder.mkdir(parents=True, exist_ok=True)
    inputs.assign(measured=truth).to_parquet(folder / f"{task.model}.parquet", index=False)


def main(tables: Path) -> None:
    """Train both tasks, name the champions, leave held-out rows in the folder ``tables``."""
    warnings.simplefilter("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    client = MlflowClient()
    tasks = [
        Task("diabetes-progression", "clinic", load_diabetes(as_frame=True), is_regression=True),
        Task("wine-cultivar", "cellar", load_wine(as_frame=True), is_regression=False),
    ]
    for task in tasks:
        print(f"Training {task.model} on {len(task.data.target)} rows", flush=True)
        hold_out(task, tables)
        found = train(task)
        order = sorted(found, key=found.__getitem__, reverse=not task.is_regression)
        client.set_registered_model_alias(task.model, "champion", str(order[0]))
        client.set_registered_model_alias(task.model, "challenger", str(order[1]))
        client.update_registered_model(
            task.model, f"Trained on scikit-learn's bundled data set by the {task.team} team."
        )
        client.update_model_version(task.model, str(order[0]), "The best on held-out rows so far.")
        client.set_model_version_tag(task.model, str(order[0]), "reviewed", "yes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
