"""Metrics: numbers that a run measured, each a series of points.

``metrics`` holds one row per run and key: the latest value, the least and greatest seen, how many
points were sent (``writes``; the same one twice counts twice, so it tells that something came). ``points``
holds every point, clustered by series in the order of history (time, step, value). A point is what
it says: logging the very same one again changes nothing. The latest value is the greatest by (step,
time, value), whatever came in last. NaN is kept as value 0 with ``is_nan`` 1, since SQLite has no NaN;
infinities are kept as the greatest finite numbers, as MLflow's clients expect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    Id,
    id_column,
    metadata,
    ms_column,
    owner_column,
    text_column,
)
from heddle.db.statement import Bulk, Statement, among, upsert
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.keys import check_key
from heddle.search.fields import Keyed
from heddle.tracking.runs import touch

GREATEST = 1.7976931348623157e308
STEP_MAX = 2**63 - 1
HISTORY_PART = 2_500

metrics = sa.Table(
    "metrics",
    metadata,
    id_column(),
    sa.Column("run_id", Id, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("experiment_id", Id, nullable=False),
    text_column("key"),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    ms_column("timestamp_ms"),
    sa.Column("min_value", sa.Double, nullable=True),
    sa.Column("max_value", sa.Double, nullable=True),
    sa.Column("writes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("uq_metrics_run_id_key", "run_id", "key", unique=True),
    sa.Index("ix_metrics_order", "experiment_id", "key", "is_nan", "value", "run_id"),
    sqlite_autoincrement=True,
)
field = Keyed(
    ("metrics", "metric"), metrics, "number", owner="run_id", nan="is_nan", scope="experiment_id"
)
points = sa.Table(
    "points",
    metadata,
    owner_column("metric_id", "metrics.id"),
    sa.Column("timestamp_ms", sa.BigInteger, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    sa.Column("value", sa.Double, primary_key=True),
    sa.Column("is_nan", sa.SmallInteger, primary_key=True),
    **CLUSTERED,
)


class Point(NamedTuple):
    """One value of a metric; ``value`` may be NaN or infinite."""

    key: str
    value: float
    timestamp_ms: int
    step: int


Plain = tuple[float | None, int, int]
"""A point of a series without its name: value (None for NaN), time in milliseconds, step."""


class Latest(NamedTuple):
    """The latest value of one metric of a run, and its range so far (None while all are NaN)."""

    key: str
    value: float
    timestamp_ms: int
    step: int
    min_value: float | None
    max_value: float | None


_NOTED = (
    "run_id", "experiment_id", "key", "value", "is_nan", "step", "timestamp_ms", "min_value",
    "max_value", "writes",
)  # fmt: skip


def _latest_upsert() -> Any:
    insert = upsert(metrics).values({name: sa.bindparam(name) for name in _NOTED})
    new, old = insert.excluded, metrics.c
    newer = sa.tuple_(new.step, new.timestamp_ms, new.value) > sa.tuple_(
        old.step, old.timestamp_ms, old.value
    )
    kept = {
        name: sa.case((newer, new[name]), else_=old[name])
        for name in ("value", "is_nan", "step", "timestamp_ms")
    }

    def bound(name: str, beats: sa.ColumnElement[bool]) -> sa.ColumnElement[float]:
        first = sa.or_(old[name].is_(None), beats)
        return sa.case((sa.and_(new[name].is_not(None), first), new[name]), else_=old[name])

    return insert.on_conflict_do_update(
        index_elements=["run_id", "key"],
        set_={
            **kept,
            "min_value": bound("min_value", new.min_value < old.min_value),
            "max_value": bound("max_value", new.max_value > old.max_value),
            "writes": old.writes + new.writes,
        },
    )


_note = Statement(_latest_upsert().returning(metrics.c.id))
_note_many = Bulk(metrics, _NOTED, _latest_upsert().returning(metrics.c.id, metrics.c.key))
_insert_points = Bulk(points, ("metric_id", "timestamp_ms", "step", "value", "is_nan"))
_insert_point = Statement(
    upsert(points)
    .values({c: sa.bindparam(c) for c in ("metric_id", "timestamp_ms", "step", "value", "is_nan")})
    .on_conflict_do_nothing()
)
_load = Statement(
    sa.select(
        metrics.c.run_id, metrics.c.key, metrics.c.value, metrics.c.is_nan,
        metrics.c.timestamp_ms, metrics.c.step,
        metrics.c.min_value, metrics.c.max_value,
    )
    .where(among(metrics.c.run_id, "ids"))
    .order_by(metrics.c.run_id, metrics.c.key)
)  # fmt: skip
_find = Statement(
    sa.select(metrics.c.id).where(
        metrics.c.run_id == sa.bindparam("run_id"), metrics.c.key == sa.bindparam("key")
    )
)
_number = sa.case((points.c.is_nan == sa.literal_column("0"), points.c.value)).label("number")
"""A point's value, none for NaN: a column more in a row costs more than telling them apart."""
_history = Statement(
    sa.select(_number, points.c.timestamp_ms, points.c.step)
    .where(points.c.metric_id == sa.bindparam("metric_id"))
    .order_by(points.c.timestamp_ms, points.c.step, points.c.value, points.c.is_nan)
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
    .offset(sa.bindparam("offset", type_=sa.BigInteger))
)


_numbered = sa.select(
    _number, points.c.timestamp_ms, points.c.step,
    (
        sa.type_coerce(
            sa.func.row_number().over(
                order_by=(points.c.step, points.c.timestamp_ms, points.c.value, points.c.is_nan)
            ),
            sa.BigInteger,
        )
        - 1
    ).label("place"),
).where(
    points.c.metric_id == sa.bindparam("metric_id"),
    points.c.step.between(
        sa.bindparam("start", type_=sa.BigInteger), sa.bindparam("end", type_=sa.BigInteger)
    ),
).subquery()  # fmt: skip
_at_places = Statement(
    sa.select(_numbered.c.number, _numbered.c.timestamp_ms, _numbered.c.step)
    .where(among(_numbered.c.place, "places"))
    .order_by(_numbered.c.place)
)
_count = Statement(
    sa.select(sa.func.count()).where(
        points.c.metric_id == sa.bindparam("metric_id"),
        points.c.step.between(
            sa.bindparam("start", type_=sa.BigInteger), sa.bindparam("end", type_=sa.BigInteger)
        ),
    )
)


def check_point(value: float, timestamp_ms: int, step: int) -> None:
    """Raise ``Invalid`` unless time and step can be kept."""
    if timestamp_ms < 0 or timestamp_ms > STEP_MAX:
        raise Invalid(
            f"Got invalid timestamp {timestamp_ms} for a metric (value {value}): it must be 0 or"
            " more milliseconds."
        )
    if not -STEP_MAX <= step <= STEP_MAX:
        raise Invalid(f"Got invalid step {step} for a metric: it must fit 64 bits.")


def log_metric(tx: Tx, uid: str, key: str, value: float, timestamp_ms: int, step: int) -> None:
    """Log one point; raises ``Invalid`` and as ``touch``."""
    check_key(key, "metric")
    check_point(value, timestamp_ms, step)
    run_id, experiment_id = touch(tx, uid)
    stored, is_nan = storable(value)
    bound = None if is_nan else stored
    row = tx.one(
        _note,
        run_id=run_id,
        experiment_id=experiment_id,
        key=key,
        value=stored,
        is_nan=is_nan,
        step=step,
        timestamp_ms=timestamp_ms,
        min_value=bound,
        max_value=bound,
        writes=1,
    )
    tx.run(
        _insert_point,
        metric_id=row[0],
        timestamp_ms=timestamp_ms,
        step=step,
        value=stored,
        is_nan=is_nan,
    )
    tx.changed("run", uid, "logged", str(experiment_id))


def storable(value: float) -> tuple[float, int]:
    """A value as it is kept: (number, whether it is NaN)."""
    if value != value:  # noqa: PLR0124 -- the fastest question for NaN
        return 0.0, 1
    if math.isinf(value):
        return math.copysign(GREATEST, value), 0
    return value, 0


def write_points(
    tx: Tx, run_id: int, experiment_id: int, batch: Iterable[Point | tuple[str, float, int, int]]
) -> None:
    """Write points of a run that is taken up already; raises ``Invalid`` for a bad key, time or step.

    One bulk upsert for all keys, one bulk insert for all points.
    """
    series: dict[str, list[tuple[int, int, float, int]]] = {}
    for key, value, timestamp_ms, step in batch:
        # One comparison chain covers the usual case; the slow path finds out what is wrong.
        if not (0 <= timestamp_ms <= STEP_MAX and -STEP_MAX <= step <= STEP_MAX):
            check_point(value, timestamp_ms, step)
        rows = series.get(key)
        if rows is None:
            check_key(key, "metric")
            rows = series[key] = []
        if -GREATEST <= value <= GREATEST:
            rows.append((step, timestamp_ms, value, 0))
        else:
            rows.append((step, timestamp_ms, *storable(value)))
    latest: list[tuple[Any, ...]] = []
    # In one order everywhere, so that no two batches hold up each other on PostgreSQL.
    for key in sorted(series):
        rows = series[key]
        step, timestamp_ms, value, is_nan = max(rows)
        numbers = [row[2] for row in rows if not row[3]]
        low, high = min(numbers, default=None), max(numbers, default=None)
        latest.append(
            (run_id, experiment_id, key, value, is_nan, step, timestamp_ms, low, high, len(rows))
        )
    inserted: list[tuple[int, int, int, float, int]] = []
    for metric_id, key in tx.add_many(_note_many, latest):
        inserted += [(metric_id, t, s, v, n) for s, t, v, n in series[key]]
    tx.insert_many(_insert_points, inserted)


def load_latest(tx: Tx, run_ids: Sequence[int]) -> dict[int, list[Latest]]:
    """The latest values of many runs, by key."""
    found: dict[int, list[Latest]] = {}
    for run_id, key, value, is_nan, timestamp_ms, step, low, high in tx.all(_load, ids=run_ids):
        latest = Latest(key, math.nan if is_nan else value, timestamp_ms, step, low, high)
        found.setdefault(run_id, []).append(latest)
    return found


def history(
    tx: Tx, run_id: int, key: str, *, limit: int = STEP_MAX, offset: int = 0
) -> Iterator[list[Plain]]:
    """Points in the order of history; an unknown key has none.

    They come in parts: as objects, a million at once would take some 200 MB.
    """
    row = tx.one(_find, run_id=run_id, key=key)
    if row is not None:
        yield from tx.parts(_history, HISTORY_PART, metric_id=row[0], limit=limit, offset=offset)


def sampled(
    tx: Tx, run_id: int, key: str, *, count: int, start: int = -STEP_MAX, end: int = STEP_MAX
) -> list[Plain]:
    """At most ``count`` points of a range of steps, in the order of steps.

    Evenly spread by place in that order, the first and the last among them.
    """
    row = tx.one(_find, run_id=run_id, key=key)
    if row is None:
        return []
    there: int = tx.one(_count, metric_id=row[0], start=start, end=end)[0]
    if there <= count:
        places = list(range(there))
    elif count == 1:
        places = [there - 1]
    else:
        places = [round(i * (there - 1) / (count - 1)) for i in range(count)]
    found: list[Plain] = tx.all(_at_places, metric_id=row[0], start=start, end=end, places=places)
    return found
