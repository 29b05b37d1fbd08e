"""MLflow 3's logged-model calls, translated."""

from __future__ import annotations

from typing import Any, ClassVar

from heddle.api.http import Effect, Row
from heddle.api.mlflow.experiments import experiment_id_in
from heddle.api.mlflow.wire import (
    Message,
    Pair,
    PairOut,
    Reply,
    limit_of,
    missing,
    number_out,
    pairs_of,
    pairs_out,
    rows_for,
    wrong,
)
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.search import page
from heddle.tracking import logged_models
from heddle.tracking.logged_models import DatasetChoice, FullLoggedModel, ModelOrder

STATUS = {
    "PENDING": "LOGGED_MODEL_PENDING",
    "READY": "LOGGED_MODEL_READY",
    "UPLOAD_FAILED": "LOGGED_MODEL_UPLOAD_FAILED",
}
STATUS_NAMES = ("LOGGED_MODEL_STATUS_UNSPECIFIED", *STATUS.values())
STATUS_IN = {name: status for status, name in STATUS.items()}
SEARCH_DEFAULT = 50
SEARCH_MAX = 50_000


class CreateModel(Message):
    required: ClassVar = ("experiment_id",)
    experiment_id: str | None = None
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[Pair] = []
    tags: list[Pair] = []


class ModelId(Message):
    model_id: str = ""
    allow_deleted: bool = False


class FinalizeModel(Message):
    required: ClassVar = ("model_id", "status")
    enums: ClassVar = {"status": STATUS_NAMES}
    model_id: str | None = None
    status: str | None = None


class ModelParams(Message):
    model_id: str = ""
    params: list[Pair] = []


class ModelTags(Message):
    model_id: str = ""
    tags: list[Pair] = []


class ModelTag(Message):
    model_id: str = ""
    tag_key: str = ""


class DatasetIn(Message):
    required: ClassVar = ("dataset_name",)
    dataset_name: str
    dataset_digest: str = ""


class OrderIn(Message):
    required: ClassVar = ("field_name",)
    field_name: str
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchModels(Message):
    experiment_ids: list[str] | None = None
    filter: str = ""
    datasets: list[DatasetIn] = []
    max_results: int = SEARCH_DEFAULT
    order_by: list[OrderIn] = []
    page_token: str = ""


class InfoOut(Reply):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str
    source_run_id: str
    status_message: str | None = None
    tags: list[PairOut] = []


class MetricOut(Reply):
    key: str
    value: float | str
    timestamp: int
    step: int
    model_id: str
    run_id: str
    dataset_name: str | None = None
    dataset_digest: str | None = None


class DataOut(Reply):
    params: list[PairOut] = []
    metrics: list[MetricOut] = []


def model_out(full: FullLoggedModel) -> dict[str, Any]:
    """A logged model as MLflow writes it."""
    model = full.model
    info = InfoOut(
        model_id=model.uid,
        experiment_id=str(model.experiment_id),
        name=model.name,
        creation_timestamp_ms=model.created_ms,
        last_updated_timestamp_ms=model.updated_ms,
        artifact_uri=model.artifact_uri,
        status=STATUS[model.status],
        model_type=model.model_type,
        source_run_id=model.source_run_uid,
        status_message=model.status_message or None,
        tags=pairs_out(full.tags),
    )
    measured = [
        MetricOut(
            key=item.key,
            value=number_out(item.value),
            timestamp=item.timestamp_ms,
            step=item.step,
            model_id=model.uid,
            run_id=item.run_uid,
            dataset_name=item.dataset_name or None,
            dataset_digest=item.dataset_digest or None,
        )
        for item in full.metrics
    ]
    return {"info": info, "data": DataOut(params=pairs_out(full.params), metrics=measured)}


def create_model(tx: Tx, ask: CreateModel) -> dict[str, Any]:
    made = logged_models.create(
        tx,
        experiment_id=experiment_id_in(ask.experiment_id),
        name=ask.name,
        model_type=ask.model_type,
        source_run_uid=ask.source_run_id,
        params=pairs_of(ask.params),
        pairs=pairs_of(ask.tags),
    )
    return {"model": model_out(made)}


def get_model(tx: Tx, ask: ModelId) -> dict[str, Any]:
    return {"model": model_out(logged_models.get_full(tx, ask.model_id, deleted=ask.allow_deleted))}


def finalize_model(tx: Tx, ask: FinalizeModel) -> dict[str, Any]:
    status = STATUS_IN.get(ask.status or "")
    if status is None:
        raise wrong("status", ask.status, f"use one of {', '.join(STATUS_IN)}")
    return {"model": model_out(logged_models.finalize(tx, ask.model_id or "", status))}


def delete_model(tx: Tx, ask: ModelId) -> dict[str, Any]:
    logged_models.delete(tx, ask.model_id)
    return {}


def log_params(tx: Tx, ask: ModelParams) -> dict[str, Any]:
    logged_models.log_params(tx, ask.model_id, pairs_of(ask.params))
    return {}


def set_tags(tx: Tx, ask: ModelTags) -> dict[str, Any]:
    logged_models.set_tags(tx, ask.model_id, pairs_of(ask.tags))
    return {}


def delete_tag(tx: Tx, ask: ModelTag) -> dict[str, Any]:
    logged_models.delete_tag(tx, ask.model_id, ask.tag_key)
    return {}


def search_models(tx: Tx, ask: SearchModels) -> dict[str, Any]:
    if ask.experiment_ids is None:
        raise missing("experiment_ids")
    limit = limit_of(ask.max_results, SEARCH_MAX)
    order = [
        ModelOrder(
            item.field_name,
            item.ascending,
            DatasetChoice(item.dataset_name, item.dataset_digest) if item.dataset_name else None,
        )
        for item in ask.order_by
    ]
    mark = page.fingerprint(ask.experiment_ids, ask.filter, [list(term) for term in order])
    offset = page.decode(ask.page_token, mark)
    if any(item.dataset_digest and not item.dataset_name for item in ask.datasets):
        raise Invalid("`dataset_name` in the `datasets` clause must be specified.")
    found = logged_models.search(
        tx,
        experiment_ids=[experiment_id_in(text) for text in ask.experiment_ids],
        filter=ask.filter,
        datasets=[DatasetChoice(item.dataset_name, item.dataset_digest) for item in ask.datasets],
        order=order,
        limit=limit + 1,
        offset=offset,
    )
    answer: dict[str, Any] = {}
    if found:
        answer["models"] = [model_out(item) for item in found[:limit]]
    if len(found) > limit:
        answer["next_page_token"] = page.encode(offset + limit, mark)
    return answer


def logged_model_rows() -> list[Row]:
    """The logged-model calls."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    one = "logged-models/{model_id}"
    calls: list[tuple[Any, ...]] = [
        ("POST", "logged-models", "logged_model.write", write, CreateModel, create_model),
        ("POST", "logged-models/search", "logged_model.read", read, SearchModels, search_models),
        ("GET", one, "logged_model.read", point, ModelId, get_model),
        ("PATCH", one, "logged_model.write", write, FinalizeModel, finalize_model),
        ("DELETE", one, "logged_model.delete", write, ModelId, delete_model),
        ("POST", f"{one}/params", "logged_model.write", write, ModelParams, log_params),
        ("PATCH", f"{one}/tags", "logged_model.write", write, ModelTags, set_tags),
        ("DELETE", f"{one}/tags/{{tag_key}}", "logged_model.write", write, ModelTag, delete_tag),
    ]  # fmt: skip
    return [row for call in calls for row in rows_for(*call, preview=False)]
