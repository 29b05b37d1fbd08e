"""MLflow's experiment calls, translated."""

from __future__ import annotations

from typing import Any, ClassVar

from heddle.api.http import Effect, Row
from heddle.api.mlflow.wire import (
    Int64,
    Message,
    Pair,
    PairOut,
    Reply,
    limit_of,
    pairs_of,
    pairs_out,
    rows_for,
    wrong,
)
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.search import page
from heddle.tracking import experiments, inputs, runs
from heddle.tracking.experiments import Experiment, View

VIEWS: dict[str, View] = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}
VIEW_NAMES = ("", "ACTIVE_ONLY", "DELETED_ONLY", "ALL")
SEARCH_MAX = 50_000
SEARCHED_MAX = 20
"""Experiments in which data sets are searched at once."""
DATASETS_MAX = 1000


class CreateExperiment(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    artifact_location: str = ""
    tags: list[Pair] = []


class ExperimentId(Message):
    required: ClassVar = ("experiment_id",)
    experiment_id: str | None = None


class ExperimentName(Message):
    required: ClassVar = ("experiment_name",)
    experiment_name: str | None = None


class SearchExperiments(Message):
    enums: ClassVar = {"view_type": VIEW_NAMES}
    max_results: Int64 | None = None
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str = "ACTIVE_ONLY"


class UpdateExperiment(Message):
    required: ClassVar = ("experiment_id",)
    experiment_id: str | None = None
    new_name: str | None = None


class ExperimentTag(Message):
    required: ClassVar = ("experiment_id", "key")
    experiment_id: str | None = None
    key: str | None = None
    value: str = ""


class SearchDatasets(Message):
    experiment_ids: list[str] = []


class DatasetOut(Reply):
    experiment_id: str
    name: str
    digest: str
    context: str = ""


class ExperimentOut(Reply):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    workspace: str
    tags: list[PairOut] = []


def experiment_id_in(text: str | None) -> int:
    """An experiment's id from its text; empty means 0. Raises ``Invalid``."""
    text = text or "0"
    if not text.isdecimal() or not text.isascii():
        raise wrong("experiment_id", text, "experiment ids are whole numbers")
    number = int(text)
    if number >= 2**63:
        raise NotFound(f"No Experiment with id={text} exists")
    return number


def stage_out(deleted_ms: int | None) -> str:
    """MLflow's word for living or deleted."""
    return "active" if deleted_ms is None else "deleted"


def experiment_out(tx: Tx, experiment: Experiment) -> ExperimentOut:
    """An experiment as MLflow writes it."""
    return ExperimentOut(
        experiment_id=str(experiment.id),
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=stage_out(experiment.deleted_ms),
        last_update_time=experiment.updated_ms,
        creation_time=experiment.created_ms,
        workspace=tx.workspace,
        tags=pairs_out(experiment.tags),
    )


def create_experiment(tx: Tx, ask: CreateExperiment) -> dict[str, Any]:
    made = experiments.create_experiment(
        tx, name=ask.name or "", artifact_location=ask.artifact_location, pairs=pairs_of(ask.tags)
    )
    return {"experiment_id": str(made)}


def get_experiment(tx: Tx, ask: ExperimentId) -> dict[str, Any]:
    found = experiments.get_experiment(tx, experiment_id_in(ask.experiment_id))
    return {"experiment": experiment_out(tx, found)}


def get_experiment_by_name(tx: Tx, ask: ExperimentName) -> dict[str, Any]:
    found = experiments.find_experiment(tx, ask.experiment_name or "")
    if found is None:
        raise NotFound(f"Could not find experiment with name '{ask.experiment_name}'")
    return {"experiment": experiment_out(tx, found)}


def search_experiments(tx: Tx, ask: SearchExperiments) -> dict[str, Any]:
    limit = limit_of(ask.max_results, SEARCH_MAX)
    offset = page.decode(ask.page_token) if ask.page_token else 0
    found = experiments.search_experiments(
        tx,
        filter=ask.filter,
        view=VIEWS[ask.view_type],
        order_by=ask.order_by,
        limit=limit + 1,
        offset=offset,
    )
    answer: dict[str, Any] = {}
    if found:
        answer["experiments"] = [experiment_out(tx, item) for item in found[:limit]]
    if len(found) > limit:
        answer["next_page_token"] = page.encode(offset + limit)
    return answer


def update_experiment(tx: Tx, ask: UpdateExperiment) -> dict[str, Any]:
    if not ask.new_name:
        raise Invalid("Missing value for required parameter 'new_name'.")
    experiments.rename_experiment(tx, experiment_id_in(ask.experiment_id), ask.new_name)
    return {}


def delete_experiment(tx: Tx, ask: ExperimentId) -> dict[str, Any]:
    runs.delete_experiment(tx, experiment_id_in(ask.experiment_id))
    return {}


def restore_experiment(tx: Tx, ask: ExperimentId) -> dict[str, Any]:
    runs.restore_experiment(tx, experiment_id_in(ask.experiment_id))
    return {}


def set_experiment_tag(tx: Tx, ask: ExperimentTag) -> dict[str, Any]:
    experiments.set_experiment_tag(
        tx, experiment_id_in(ask.experiment_id), ask.key or "", ask.value
    )
    return {}


def delete_experiment_tag(tx: Tx, ask: ExperimentTag) -> dict[str, Any]:
    experiments.delete_experiment_tag(tx, experiment_id_in(ask.experiment_id), ask.key or "")
    return {}


def search_datasets(tx: Tx, ask: SearchDatasets) -> dict[str, Any]:
    count = len(ask.experiment_ids)
    if not 0 < count <= SEARCHED_MAX:
        raise Invalid(
            f"Data sets are searched in 1 to {SEARCHED_MAX} experiments, not in {count}:"
            " name them in experiment_ids."
        )
    wanted = [experiment_id_in(text) for text in ask.experiment_ids]
    found = inputs.find_uses(tx, wanted, limit=DATASETS_MAX)
    out = [
        DatasetOut(
            experiment_id=str(each.experiment_id),
            name=each.name,
            digest=each.digest,
            context=each.context,
        )
        for each in found
    ]
    return {"dataset_summaries": out} if out else {}


def experiment_rows() -> list[Row]:
    """The experiment calls."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    calls: list[tuple[Any, ...]] = [
        ("POST", "experiments/create", "experiment.create", write, CreateExperiment, create_experiment),
        ("GET", "experiments/get", "experiment.read", point, ExperimentId, get_experiment),
        ("GET", "experiments/get-by-name", "experiment.read", point, ExperimentName, get_experiment_by_name),
        ("POST", "experiments/search", "experiment.read", read, SearchExperiments, search_experiments),
        ("GET", "experiments/search", "experiment.read", read, SearchExperiments, search_experiments),
        ("POST", "experiments/update", "experiment.update", write, UpdateExperiment, update_experiment),
        ("POST", "experiments/delete", "experiment.delete", write, ExperimentId, delete_experiment),
        ("POST", "experiments/restore", "experiment.delete", write, ExperimentId, restore_experiment),
        (
            "POST", "experiments/set-experiment-tag", "experiment.update", write,
            ExperimentTag, set_experiment_tag,
        ),
        (
            "POST", "experiments/delete-experiment-tag", "experiment.update", write,
            ExperimentTag, delete_experiment_tag,
        ),
    ]  # fmt: skip
    made = [row for call in calls for row in rows_for(*call)]
    made += rows_for(
        "POST", "experiments/search-datasets", "experiment.read", read,
        SearchDatasets, search_datasets, only_ajax=True,
    )  # fmt: skip
    return made
