"""Calls that MLflow's clients made before 2.0 and its servers no longer answer: the plain lists.

They are searches without a filter; with the preview spelling of the other calls they are all that
clients of 1.x miss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from heddle.api.http import Effect, Row
from heddle.api.mlflow import experiments, registry
from heddle.api.mlflow.wire import Message, rows_for
from heddle.db.tx import Tx

LIST_MAX = 50_000


class ListExperiments(Message):
    enums: ClassVar = {"view_type": experiments.VIEW_NAMES}
    view_type: str = "ACTIVE_ONLY"
    max_results: int = LIST_MAX
    page_token: str = ""


class ListModels(Message):
    max_results: int = registry.MODELS_MAX
    page_token: str = ""


def list_experiments(tx: Tx, ask: ListExperiments) -> dict[str, Any]:
    return experiments.search_experiments(
        tx,
        experiments.SearchExperiments(
            max_results=ask.max_results,
            page_token=ask.page_token,
            view_type=ask.view_type,
            order_by=["experiment_id ASC"],
        ),
    )


def list_models(tx: Tx, ask: ListModels) -> dict[str, Any]:
    return registry.search_models(
        tx, registry.SearchModels(max_results=ask.max_results, page_token=ask.page_token)
    )


def older_rows() -> list[Row]:
    """The lists of before 2.0."""
    read = Effect.READ
    calls: list[tuple[str, str, str, Effect, type[Message], Callable[..., Any]]] = [
        ("GET", "experiments/list", "experiment.read", read, ListExperiments, list_experiments),
        ("GET", "registered-models/list", "model.read", read, ListModels, list_models),
    ]
    return [row for call in calls for row in rows_for(*call)]
