"""MLflow's experiment, run, param, metric, tag and input calls, translated.

Answers about runs are kept as encoded JSON by (uid, revision), so that a run that did not change is
not read and encoded again; the look-up of its revision is always made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from heddle.api.http import Effect, Row, encode_json
from heddle.api.mlflow.wire import Int64, Message, Reply, missing, number_out, rows_for, wrong
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.search import page
from heddle.tracking import experiments, inputs, logged_models, metrics, params, run_search, runs
from heddle.tracking.experiments import Experiment, View
from heddle.tracking.inputs import Dataset, DatasetInput, ModelOutput
from heddle.tracking.run_search import FullRun, Known
from heddle.tracking.runs import Run

VIEWS: dict[str, View] = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}
VIEW_NAMES = ("", "ACTIVE_ONLY", "DELETED_ONLY", "ALL")
STATUS_NAMES = ("", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
SEARCH_MAX = 50_000
BATCH_MAX = {"metrics": 1000, "params": 100, "tags": 100}
BATCH_TOTAL = 1000
BULK_RUNS = 100
BULK_POINTS = 25_000
INTERVAL_POINTS = 2500
CACHE_BYTES = 24 * 1024 * 1024


class Pair(Message):
    """A key and its value."""

    required: ClassVar = ("key",)
    key: str
    value: str = ""


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


class LogMetric(Message):
    required: ClassVar = ("run_id", "key", "value", "timestamp")
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None
    key: str | None = None
    value: float | None = None
    timestamp: Int64 | None = None
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


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


class BatchMetric(Message):
    required: ClassVar = ("key", "value", "timestamp")
    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


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


class GetHistory(Message):
    required: ClassVar = ("run_id", "metric_key")
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None
    metric_key: str | None = None
    max_results: Int64 | None = None
    page_token: str = ""


class BulkHistory(Message):
    required: ClassVar = ("run_id", "metric_key")
    run_id: list[str] = []
    metric_key: str | None = None
    max_results: Int64 = BULK_POINTS


class BulkInterval(Message):
    required: ClassVar = ("run_ids", "metric_key")
    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: Int64 | None = None
    end_step: Int64 | None = None
    max_results: Int64 = INTERVAL_POINTS


class PairOut(msgspec.Struct, gc=False):
    key: str
    value: str


class MetricOut(msgspec.Struct, gc=False):
    key: str
    value: float | str
    timestamp: int
    step: int


class ExperimentOut(Reply):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[PairOut] = []


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


def pairs_of(items: Sequence[Pair]) -> list[tuple[str, str]]:
    """Pairs as operations take them."""
    return [(item.key, item.value) for item in items]


def pairs_out(pairs: Sequence[tuple[str, str]]) -> list[PairOut]:
    """Pairs as MLflow writes them."""
    return [PairOut(key, value) for key, value in pairs]


def experiment_id_in(text: str | None) -> int:
    """An experiment's id from its text; empty means 0. Raises ``Invalid``."""
    text = text or "0"
    if not text.isdecimal() or not text.isascii():
        raise wrong("experiment_id", text, "experiment ids are whole numbers")
    number = int(text)
    if number >= 2**63:
        raise NotFound(f"No Experiment with id={text} exists")
    return number


def experiment_out(experiment: Experiment) -> ExperimentOut:
    """An experiment as MLflow writes it."""
    return ExperimentOut(
        experiment_id=str(experiment.id),
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=stage_out(experiment.deleted_ms),
        last_update_time=experiment.updated_ms,
        creation_time=experiment.created_ms,
        tags=pairs_out(experiment.tags),
    )


def stage_out(deleted_ms: int | None) -> str:
    """MLflow's word for living or deleted."""
    return "active" if deleted_ms is None else "deleted"


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


class EncodedRuns:
    """Encoded answers about runs, by uid and revision, the oldest dropped past a size.

    A look-up under another revision misses, so what is served is always what the database holds.
    Used from several threads: each method is a few dictionary steps, atomic enough under the
    interpreter's lock that the worst case is encoding a run twice.
    """

    def __init__(self, size_max: int = CACHE_BYTES) -> None:
        self.size_max = size_max
        self.size = 0
        self._kept: OrderedDict[tuple[str, int, bool], bytes] = OrderedDict()

    def get_all(self, known: Sequence[Known], kind: bool) -> list[bytes | None]:  # noqa: FBT001
        """The encoded runs, those that are kept."""
        get = self._kept.get
        return [get((uid, revision, kind)) for _, uid, revision in known]

    def put(self, key: tuple[str, int, bool], body: bytes) -> None:
        """Keep an encoded run."""
        if key in self._kept:
            return
        self._kept[key] = body
        self.size += len(body) + 200
        while self.size > self.size_max and self._kept:
            try:
                _, dropped = self._kept.popitem(last=False)
            except KeyError:
                return
            self.size -= len(dropped) + 200


encoded = EncodedRuns()


def encoded_runs(tx: Tx, known: Sequence[Known], *, model_inputs: bool) -> list[bytes]:
    """Each run as JSON, in the given order, reading only those that changed since they were kept."""
    bodies = encoded.get_all(known, model_inputs)
    missing = [run[0] for run, body in zip(known, bodies, strict=True) if body is None]
    if not missing:
        return bodies  # type: ignore[return-value]  # None of them is None.
    fresh: dict[int, bytes] = {}
    for full in run_search.load_full(tx, missing):
        body = encode_json(run_out(full, model_inputs=model_inputs))
        fresh[full.run.id] = body
        encoded.put((full.run.uid, full.run.revision, model_inputs), body)
    return [
        fresh[run[0]] if body is None else body for run, body in zip(known, bodies, strict=True)
    ]


def limit_of(value: int | None, most: int, name: str = "max_results") -> int:
    """A page size within its bounds; raises ``Invalid``."""
    if value is None or not 0 < value <= most:
        raise Invalid(
            f"Invalid value {value} for parameter '{name}' supplied: it must be between 1 and"
            f" {most}."
        )
    return value


def create_experiment(tx: Tx, ask: CreateExperiment) -> dict[str, Any]:
    made = experiments.create_experiment(
        tx, name=ask.name or "", artifact_location=ask.artifact_location, pairs=pairs_of(ask.tags)
    )
    return {"experiment_id": str(made)}


def get_experiment(tx: Tx, ask: ExperimentId) -> dict[str, Any]:
    found = experiments.get_experiment(tx, experiment_id_in(ask.experiment_id))
    return {"experiment": experiment_out(found)}


def get_experiment_by_name(tx: Tx, ask: ExperimentName) -> dict[str, Any]:
    found = experiments.find_experiment(tx, ask.experiment_name or "")
    if found is None:
        raise NotFound(f"Could not find experiment with name '{ask.experiment_name}'")
    return {"experiment": experiment_out(found)}


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
        answer["experiments"] = [experiment_out(item) for item in found[:limit]]
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
    answer = b'{"runs":[' + b",".join(bodies) + b"]"
    if len(found) > limit:
        answer += b',"next_page_token":' + encode_json(page.encode(offset + limit))
    return answer + b"}"


def log_metric(tx: Tx, ask: LogMetric) -> dict[str, Any]:
    assert ask.value is not None and ask.timestamp is not None  # noqa: S101,PT018 -- required fields
    metrics.log_metric(tx, ask.run_id or "", ask.key or "", ask.value, ask.timestamp, ask.step)
    if ask.model_id:
        logged_models.log_metrics(tx, ask.run_id or "", [model_point(ask)])
    return {}


def model_point(item: LogMetric | BatchMetric) -> logged_models.ModelPoint:
    """A point that also belongs to a logged model; raises ``Invalid`` for half a data set."""
    if bool(item.dataset_name) != bool(item.dataset_digest):
        raise Invalid("Both dataset_name and dataset_digest must be provided if one is provided.")
    return logged_models.ModelPoint(
        item.model_id, item.key or "", item.value or 0.0, item.timestamp or 0, item.step,
        item.dataset_name, item.dataset_digest,
    )  # fmt: skip


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
    metrics.write_points(
        tx, run_id, experiment_id, [(m.key, m.value, m.timestamp, m.step) for m in ask.metrics]
    )
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


HISTORY_TAG = "mlflow.log-model.history"


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


def get_history(tx: Tx, ask: GetHistory) -> dict[str, Any]:
    found = runs.find_ids(tx, [ask.run_id or ""])
    if not found:
        raise NotFound(f"Run with id={ask.run_id} not found")
    offset = page.decode(ask.page_token) if ask.page_token else 0
    limit = metrics.STEP_MAX - 1 if ask.max_results is None else limit_of(ask.max_results, 2**31)
    key = ask.metric_key or ""
    rows = metrics.history(tx, found[ask.run_id or ""], key, limit=limit + 1, offset=offset)
    answer: dict[str, Any] = {}
    if rows:
        answer["metrics"] = [
            MetricOut(key, "NaN" if is_nan else value, timestamp_ms, step)
            for value, is_nan, timestamp_ms, step in rows[:limit]
        ]
    if len(rows) > limit:
        answer["next_page_token"] = page.encode(offset + limit)
    return answer


def _known_runs(tx: Tx, uids: Sequence[str]) -> list[tuple[str, int]]:
    if len(uids) > BULK_RUNS:
        raise Invalid(
            f"Provided number of run ids ({len(uids)}) is over the limit of {BULK_RUNS}; ask in"
            " several requests."
        )
    return sorted(runs.find_ids(tx, uids).items())


def _points_out(
    uid: str, key: str, rows: Sequence[tuple[float, int, int, int]], nan: float | str
) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": nan if is_nan else value,
            "timestamp": timestamp_ms,
            "step": step,
            "run_id": uid,
        }
        for value, is_nan, timestamp_ms, step in rows
    ]


def get_history_bulk(tx: Tx, ask: BulkHistory) -> dict[str, Any]:
    key = ask.metric_key or ""
    room = min(limit_of(ask.max_results, 2**31), BULK_POINTS)
    found: list[dict[str, Any]] = []
    for uid, run_id in _known_runs(tx, ask.run_id):
        if room <= len(found):
            break
        rows = metrics.history(tx, run_id, key, limit=room - len(found))
        found += _points_out(uid, key, rows, "NaN")
    return {"metrics": found}


def get_history_bulk_interval(tx: Tx, ask: BulkInterval) -> dict[str, Any]:
    key = ask.metric_key or ""
    count = limit_of(ask.max_results, INTERVAL_POINTS)
    if (ask.start_step is None) != (ask.end_step is None):
        raise Invalid("If either start step or end step are specified, both must be specified.")
    start = -metrics.STEP_MAX if ask.start_step is None else ask.start_step
    end = metrics.STEP_MAX if ask.end_step is None else ask.end_step
    if start > end:
        raise Invalid(
            f"end_step must be greater than start_step. Found start_step={start} and"
            f" end_step={end}."
        )
    found: list[dict[str, Any]] = []
    for uid, run_id in _known_runs(tx, ask.run_ids):
        rows = metrics.sampled(tx, run_id, key, count=count, start=start, end=end)
        found += _points_out(uid, key, rows, "NaN")
    return {"metrics": found} if found else {}


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
    return [row for call in calls for row in rows_for(*call)]


def run_rows() -> list[Row]:
    """The run, param, metric, tag and input calls."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    calls: list[tuple[Any, ...]] = [
        ("POST", "runs/create", "run.create", write, CreateRun, create_run),
        ("POST", "runs/update", "run.write", write, UpdateRun, update_run),
        ("POST", "runs/delete", "run.delete", write, RunId, delete_run),
        ("POST", "runs/restore", "run.delete", write, RunId, restore_run),
        ("POST", "runs/log-metric", "run.write", write, LogMetric, log_metric),
        ("POST", "runs/log-parameter", "run.write", write, LogParam, log_param),
        ("POST", "runs/set-tag", "run.write", write, SetTag, set_tag),
        ("POST", "runs/delete-tag", "run.write", write, DeleteTag, delete_tag),
        ("POST", "runs/log-batch", "run.write", write, LogBatch, log_batch),
        ("POST", "runs/log-inputs", "run.write", write, LogInputs, log_inputs),
        ("POST", "runs/outputs", "run.write", write, LogOutputs, log_outputs),
        ("POST", "runs/log-model", "run.write", write, LogModel, log_model),
        ("GET", "metrics/get-history", "run.read", read, GetHistory, get_history),
    ]  # fmt: skip
    made = [row for call in calls for row in rows_for(*call)]
    made += rows_for(
        "GET",
        "metrics/get-history-bulk",
        "run.read",
        read,
        BulkHistory,
        get_history_bulk,
        only_ajax=True,
    )
    made += rows_for(
        "GET",
        "metrics/get-history-bulk-interval",
        "run.read",
        read,
        BulkInterval,
        get_history_bulk_interval,
    )
    made += rows_for("GET", "runs/get", "run.read", point, RunId, get_run, encode=bytes)
    made += rows_for("POST", "runs/search", "run.read", read, SearchRuns, search_runs, encode=bytes)
    return made
