"""MLflow's run, param, tag and input calls, translated.

Answers about runs are kept as encoded JSON by (uid, revision), so that a run that did not change is
not read and encoded again; the look-up of its revision is always made.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, ClassVar

import msgspec

from heddle.api.http import Effect, Row, encode_json
from heddle.api.mlflow.encoded import Encoded
from heddle.api.mlflow.experiments import SEARCH_MAX, VIEW_NAMES, VIEWS, experiment_id_in, stage_out
from heddle.api.mlflow.metrics import BatchMetric, MetricOut, model_point
from heddle.api.mlflow.wire import (
    Int64,
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
)
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.search import page
from heddle.tracking import inputs, logged_models, metrics, params, run_search, runs
from heddle.tracking.inputs import Dataset, DatasetInput, ModelOutput
from heddle.tracking.run_search import FullRun, Known
from heddle.tracking.runs import Run

STATUS_NAMES = ("", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
BATCH_MAX = {"metrics": 1000, "params": 100, "tags": 100}
BATCH_TOTAL = 1000
LOADED_AT_ONCE = 1000
_point = attrgetter("key", "value", "timestamp", "step")
HISTORY_TAG = "mlflow.log-model.history"


class CreateRun(Message):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: Int64 | None = None
    tags: list[Pair] = []


class RunId(Message):
    required: ClassVar = ("run_id",)
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None


class UpdateRun(RunId):
    enums: ClassVar = {"status": STATUS_NAMES}
    status: str | None = None
    end_time: Int64 | None = None
    run_name: str | None = None


class SearchRuns(Message):
    enums: ClassVar = {"run_view_type": VIEW_NAMES}
    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str = "ACTIVE_ONLY"
    max_results: Int64 = 1000
    order_by: list[str] = []
    page_token: str = ""


class LogParam(Message):
    required: ClassVar = ("run_id", "key")
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None
    key: str | None = None
    value: str = ""


class SetTag(LogParam):
    pass


class DeleteTag(Message):
    required: ClassVar = ("run_id", "key")
    run_id: str | None = None
    key: str | None = None


class LogBatch(Message):
    required: ClassVar = ("run_id",)
    run_id: str | None = None
    metrics: list[BatchMetric] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class DatasetIn(Message):
    required: ClassVar = ("name", "digest", "source_type", "source")
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetInputIn(Message):
    required: ClassVar = ("dataset",)
    dataset: DatasetIn
    tags: list[Pair] = []


class ModelInputIn(Message):
    required: ClassVar = ("model_id",)
    model_id: str


class ModelOutputIn(Message):
    required: ClassVar = ("model_id",)
    model_id: str
    step: Int64 = 0


class LogInputs(Message):
    required: ClassVar = ("run_id",)
    run_id: str | None = None
    datasets: list[DatasetInputIn] = []
    models: list[ModelInputIn] = []


class LogOutputs(Message):
    required: ClassVar = ("run_id",)
    run_id: str | None = None
    models: list[ModelOutputIn] | None = None


class LogModel(Message):
    required: ClassVar = ("run_id", "model_json")
    run_id: str | None = None
    model_json: str | None = None


class RunInfoOut(Reply):
    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    artifact_uri: str
    lifecycle_stage: str
    run_id: str
    start_time: int | None = None
    end_time: int | None = None


class RunDataOut(Reply):
    metrics: list[MetricOut] = []
    params: list[PairOut] = []
    tags: list[PairOut] = []


def run_info_out(run: Run) -> RunInfoOut:
    """A run's own row as MLflow writes it."""
    return RunInfoOut(
        run_uuid=run.uid,
        experiment_id=str(run.experiment_id),
        run_name=run.name,
        user_id=run.user_id,
        status=run.status,
        # MLflow's own clients always say when; a run that does not began at 0.
        start_time=run.start_ms or 0,
        end_time=run.end_ms or None,
        artifact_uri=run.artifact_uri,
        lifecycle_stage=stage_out(run.deleted_ms),
        run_id=run.uid,
    )


def dataset_out(item: DatasetInput) -> dict[str, Any]:
    """A data set input as MLflow writes it."""
    dataset = {
        "name": item.dataset.name,
        "digest": item.dataset.digest,
        "source_type": item.dataset.source_type,
        "source": item.dataset.source,
    }
    if item.dataset.schema:
        dataset["schema"] = item.dataset.schema
    if item.dataset.profile:
        dataset["profile"] = item.dataset.profile
    out: dict[str, Any] = {"dataset": dataset}
    if item.tags:
        out["tags"] = pairs_out(item.tags)
    return out


def run_out(full: FullRun, *, model_inputs: bool) -> dict[str, Any]:
    """A run with everything; searches leave model inputs out, as MLflow's do."""
    data = RunDataOut(
        metrics=[
            MetricOut(latest.key, number_out(latest.value), latest.timestamp_ms, latest.step)
            for latest in full.metrics
        ],
        params=pairs_out(full.params),
        tags=pairs_out(full.tags),
    )
    used: dict[str, Any] = {}
    if full.datasets:
        used["dataset_inputs"] = [dataset_out(item) for item in full.datasets]
    if model_inputs and full.model_inputs:
        used["model_inputs"] = [{"model_id": item.model_uid} for item in full.model_inputs]
    out: dict[str, Any] = {"info": run_info_out(full.run), "data": data, "inputs": used}
    made = [{"model_id": item.model_uid, "step": item.step} for item in full.model_outputs]
    out["outputs"] = {"model_outputs": made} if made else {}
    return out


encoded = Encoded()


def encoded_runs(tx: Tx, known: Sequence[Known], *, model_inputs: bool) -> list[bytes]:
    """Each run as JSON, in the given order, reading only those that changed since they were kept."""
    bodies = encoded.get_all(known, model_inputs)
    missing = [run[0] for run, body in zip(known, bodies, strict=True) if body is None]
    if not missing:
        return bodies  # type: ignore[return-value]  # None of them is None.
    fresh: dict[int, bytes] = {}
    # Some at a time: as objects they take ten times what they take as text.
    for start in range(0, len(missing), LOADED_AT_ONCE):
        for full in run_search.load_full(tx, missing[start : start + LOADED_AT_ONCE]):
            body = encode_json(run_out(full, model_inputs=model_inputs))
            fresh[full.run.id] = body
            encoded.put((full.run.uid, full.run.revision, model_inputs), body)
    return [
        fresh[run[0]] if body is None else body for run, body in zip(known, bodies, strict=True)
    ]


def create_run(tx: Tx, ask: CreateRun) -> dict[str, Any]:
    made = runs.create_run(
        tx,
        experiment_id=experiment_id_in(ask.experiment_id),
        name=ask.run_name,
        user_id=ask.user_id,
        start_ms=ask.start_time,
        pairs=pairs_of(ask.tags),
    )
    labels = dict(pairs_of(ask.tags)) | {runs.NAME_TAG: made.name}
    full = FullRun(made, (), (), sorted(labels.items()), (), (), ())
    answer = run_out(full, model_inputs=True)
    # A run that was just made has none yet, and MLflow does not say so.
    del answer["outputs"]
    return {"run": answer}


def get_run(tx: Tx, ask: RunId) -> bytes:
    found = runs.get_run(tx, ask.run_id or "")
    known = (found.id, found.uid, found.revision)
    return b'{"run":' + encoded_runs(tx, [known], model_inputs=True)[0] + b"}"


def update_run(tx: Tx, ask: UpdateRun) -> dict[str, Any]:
    changed = runs.update_run(
        tx, ask.run_id or "", status=ask.status, end_ms=ask.end_time, name=ask.run_name
    )
    return {"run_info": run_info_out(changed)}


def delete_run(tx: Tx, ask: RunId) -> dict[str, Any]:
    runs.delete_run(tx, ask.run_id or "")
    return {}


def restore_run(tx: Tx, ask: RunId) -> dict[str, Any]:
    runs.restore_run(tx, ask.run_id or "")
    return {}


def search_runs(tx: Tx, ask: SearchRuns) -> bytes:
    limit = limit_of(ask.max_results, SEARCH_MAX)
    offset = page.decode(ask.page_token) if ask.page_token else 0
    wanted = [experiment_id_in(text) for text in ask.experiment_ids]
    found = run_search.search_runs(
        tx,
        experiment_ids=wanted,
        filter=ask.filter,
        view=VIEWS[ask.run_view_type],
        order_by=ask.order_by,
        limit=limit + 1,
        offset=offset,
    )
    if not found:
        return b"{}"
    bodies = encoded_runs(tx, found[:limit], model_inputs=False)
    more = len(found) > limit
    token = b',"next_page_token":' + encode_json(page.encode(offset + limit)) if more else b""
    return b"".join((b'{"runs":[', b",".join(bodies), b"]", token, b"}"))


def log_param(tx: Tx, ask: LogParam) -> dict[str, Any]:
    params.log_params(tx, ask.run_id or "", [(ask.key or "", ask.value)])
    return {}


def set_tag(tx: Tx, ask: SetTag) -> dict[str, Any]:
    runs.set_tag(tx, ask.run_id or "", ask.key or "", ask.value)
    return {}


def delete_tag(tx: Tx, ask: DeleteTag) -> dict[str, Any]:
    runs.delete_tag(tx, ask.run_id or "", ask.key or "")
    return {}


def log_batch(tx: Tx, ask: LogBatch) -> dict[str, Any]:
    for name, most in BATCH_MAX.items():
        count = len(getattr(ask, name))
        if count > most:
            raise Invalid(
                f"A batch logging request can contain at most {most} {name}. Got {count} {name}."
                " Send them in several requests."
            )
    total = len(ask.metrics) + len(ask.params) + len(ask.tags)
    if total > BATCH_TOTAL:
        raise Invalid(
            f"A batch logging request can contain at most {BATCH_TOTAL} metrics, params and tags"
            " together."
            f" Got {total}. Send them in several requests."
        )
    given, labels = pairs_of(ask.params), pairs_of(ask.tags)
    params.check_params(given)
    for key, value in labels:
        runs.tags.check(key, value)
    uid = ask.run_id or ""
    run_id, experiment_id = runs.touch(tx, uid)
    params.write_params(tx, run_id, uid, given)
    metrics.write_points(tx, run_id, experiment_id, map(_point, ask.metrics))
    runs.write_tags(tx, run_id, labels)
    measured = [model_point(m) for m in ask.metrics if m.model_id]
    if measured:
        logged_models.log_metrics(tx, uid, measured)
    tx.changed("run", uid, "logged", str(experiment_id))
    return {}


def log_inputs(tx: Tx, ask: LogInputs) -> dict[str, Any]:
    used = [
        DatasetInput(
            Dataset(
                item.dataset.name,
                item.dataset.digest,
                item.dataset.source_type,
                item.dataset.source,
                item.dataset.schema,
                item.dataset.profile,
            ),
            pairs_of(item.tags),
        )
        for item in ask.datasets
    ]
    inputs.log_inputs(tx, ask.run_id or "", used=used, model_uids=[m.model_id for m in ask.models])
    return {}


def log_outputs(tx: Tx, ask: LogOutputs) -> dict[str, Any]:
    if ask.models is None:
        raise missing("models")
    inputs.log_outputs(tx, ask.run_id or "", [ModelOutput(m.model_id, m.step) for m in ask.models])
    return {}


def log_model(tx: Tx, ask: LogModel) -> dict[str, Any]:
    """The older clients' note of a model in a run: appended to a tag that holds a JSON list."""
    try:
        model = msgspec.json.decode(ask.model_json or "")
    except msgspec.DecodeError as error:
        raise Invalid(
            f"Malformed model info. The field model_json is not valid JSON: {error}"
        ) from None
    lacking = {"artifact_path", "flavors", "utc_time_created", "run_id"} - set(
        model if isinstance(model, dict) else ()
    )
    if lacking:
        raise Invalid(f"Model json is missing mandatory fields: {', '.join(sorted(lacking))}")
    uid = ask.run_id or ""
    run_id, experiment_id = runs.touch(tx, uid)
    before = runs.tags.get(tx, run_id, HISTORY_TAG)
    history = msgspec.json.decode(before) if before else []
    runs.write_tags(tx, run_id, [(HISTORY_TAG, encode_json([*history, model]).decode())])
    tx.changed("run", uid, "logged", str(experiment_id))
    return {}


def run_rows() -> list[Row]:
    """The run, param, tag and input calls."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    calls: list[tuple[Any, ...]] = [
        ("POST", "runs/create", "run.create", write, CreateRun, create_run),
        ("POST", "runs/update", "run.write", write, UpdateRun, update_run),
        ("POST", "runs/delete", "run.delete", write, RunId, delete_run),
        ("POST", "runs/restore", "run.delete", write, RunId, restore_run),
        ("POST", "runs/log-parameter", "run.write", write, LogParam, log_param),
        ("POST", "runs/set-tag", "run.write", write, SetTag, set_tag),
        ("POST", "runs/delete-tag", "run.write", write, DeleteTag, delete_tag),
        ("POST", "runs/log-batch", "run.write", write, LogBatch, log_batch),
        ("POST", "runs/log-inputs", "run.write", write, LogInputs, log_inputs),
        ("POST", "runs/outputs", "run.write", write, LogOutputs, log_outputs),
        ("POST", "runs/log-model", "run.write", write, LogModel, log_model),
    ]  # fmt: skip
    made = [row for call in calls for row in rows_for(*call)]
    made += rows_for("GET", "runs/get", "run.read", point, RunId, get_run, encode=bytes)
    made += rows_for("POST", "runs/search", "run.read", read, SearchRuns, search_runs, encode=bytes)
    return made
