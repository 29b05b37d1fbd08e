"""MLflow's calls about the points of metrics, translated: one logged, histories read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from heddle.api.http import Effect, Row, encode_json
from heddle.api.mlflow.wire import Int64, Message, limit_of, rows_for
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.search import page
from heddle.tracking import logged_models, metrics, runs

BULK_RUNS = 100
BULK_POINTS = 25_000
INTERVAL_POINTS = 2500


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


class MetricOut(msgspec.Struct, gc=False):
    key: str
    value: float | str
    timestamp: int
    step: int


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


def get_history(tx: Tx, ask: GetHistory) -> bytes:
    found = runs.find_ids(tx, [ask.run_id or ""])
    if not found:
        raise NotFound(f"Run with id={ask.run_id} not found")
    offset = page.decode(ask.page_token) if ask.page_token else 0
    limit = metrics.STEP_MAX - 1 if ask.max_results is None else limit_of(ask.max_results, 2**31)
    key = ask.metric_key or ""
    # Put together once: each step in between would be the whole answer once more.
    pieces = [b"{"]
    left = limit + 1
    for rows in metrics.history(tx, found[ask.run_id or ""], key, limit=left, offset=offset):
        left -= len(rows)
        points = [
            MetricOut(key, "NaN" if value is None else value, timestamp_ms, step)
            for value, timestamp_ms, step in (rows if left else rows[:-1])
        ]
        if points:
            pieces.append(b"," if len(pieces) > 1 else b'"metrics":[')
            pieces.append(encode_json(points)[1:-1])
    if len(pieces) > 1:
        pieces.append(b"]")
    if not left:
        pieces.append(b',"next_page_token":' + encode_json(page.encode(offset + limit)))
    pieces.append(b"}")
    return b"".join(pieces)


def _known_runs(tx: Tx, uids: Sequence[str]) -> list[tuple[str, int]]:
    if len(uids) > BULK_RUNS:
        raise Invalid(
            f"Provided number of run ids ({len(uids)}) is over the limit of {BULK_RUNS}; ask in"
            " several requests."
        )
    return sorted(runs.find_ids(tx, uids).items())


def _points_out(uid: str, key: str, rows: Sequence[metrics.Plain]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": "NaN" if value is None else value,
            "timestamp": timestamp_ms,
            "step": step,
            "run_id": uid,
        }
        for value, timestamp_ms, step in rows
    ]


def get_history_bulk(tx: Tx, ask: BulkHistory) -> dict[str, Any]:
    key = ask.metric_key or ""
    room = min(limit_of(ask.max_results, 2**31), BULK_POINTS)
    found: list[dict[str, Any]] = []
    for uid, run_id in _known_runs(tx, ask.run_id):
        if room <= len(found):
            break
        for rows in metrics.history(tx, run_id, key, limit=room - len(found)):
            found += _points_out(uid, key, rows)
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
        found += _points_out(uid, key, rows)
    return {"metrics": found} if found else {}


def metric_rows() -> list[Row]:
    """The calls about points."""
    read = Effect.READ
    bulk = "metrics/get-history-bulk"
    return [
        *rows_for("POST", "runs/log-metric", "run.write", Effect.WRITE, LogMetric, log_metric),
        *rows_for(
            "GET", "metrics/get-history", "run.read", read, GetHistory, get_history, encode=bytes
        ),
        *rows_for("GET", bulk, "run.read", read, BulkHistory, get_history_bulk, only_ajax=True),
        *rows_for(
            "GET", f"{bulk}-interval", "run.read", read, BulkInterval, get_history_bulk_interval
        ),
    ]
