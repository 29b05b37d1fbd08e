"""Series of metrics for drawing: thinned to buckets, each with its least, greatest and last value.

Points lie in the order (time, step), so a bucket that is a stretch of that order is aggregated by
one index range without sorting. For x in steps the cuts between buckets are looked for by seeks
until none spans more than a bucket's share of steps; a series whose steps do not rise with time is
grouped by sorting instead. Either way every point of the asked stretch is in one bucket, so that no
spike is lost. A series no longer than the number of buckets comes whole.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.tracking.metrics import STEP_MAX, metrics, points
from heddle.tracking.runs import runs

X = Literal["step", "time", "relative"]
BUCKETS_MAX = 10_000
SERIES_MAX = 5000
KEPT_MAX = 100_000
"""Buckets of drawn series that are kept, some 20 MB."""
ROUNDS = 8
"""How often cuts are refined; each round splits what is too long."""


class Place(NamedTuple):
    """A place in the order of a series."""

    timestamp_ms: int
    step: int


AFTER = Place(STEP_MAX, STEP_MAX)


@dataclass(slots=True)
class Series:
    """One thinned series: lists of one length, one entry per bucket that holds points.

    ``last`` is NaN where the last point is; ``low`` and ``high`` are None where all points are.
    """

    uid: str
    key: str
    count: int = 0
    whole: bool = False
    steps: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)

    def add(
        self,
        point: tuple[int, int, float, int],
        count: int,
        low: float | None,
        high: float | None,
    ) -> None:
        """One more bucket; ``point`` is its last (timestamp_ms, step, value, is_nan)."""
        timestamp_ms, step, value, is_nan = point
        self.count += count
        self.times.append(timestamp_ms)
        self.steps.append(step)
        self.last.append(math.nan if is_nan else value)
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What part of one series is asked for, and how finely."""

    metric_id: int
    by_step: bool
    start: int
    end: int
    buckets: int

    @property
    def bounds(self) -> dict[str, int]:
        """The stretch as parameters of every statement below."""
        return {
            "metric_id": self.metric_id,
            "first_ms": 0 if self.by_step else self.start,
            "last_ms": STEP_MAX if self.by_step else self.end,
            "first_step": self.start if self.by_step else -STEP_MAX,
            "last_step": self.end if self.by_step else STEP_MAX,
        }


_wanted = Statement(
    sa.select(runs.c.uid, metrics.c.key, metrics.c.id, runs.c.revision)
    .select_from(runs.join(metrics, metrics.c.run_id == runs.c.id))
    .where(runs.c.workspace_id == here(), among(runs.c.uid, "uids"), among(metrics.c.key, "keys"))
)


def _bind(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


_row = (points.c.timestamp_ms, points.c.step, points.c.value, points.c.is_nan)
_ascending = (points.c.timestamp_ms, points.c.step, points.c.value, points.c.is_nan)
_descending = tuple(column.desc() for column in _ascending)
_within = (
    points.c.metric_id == _bind("metric_id"),
    points.c.timestamp_ms >= _bind("first_ms"),
    points.c.timestamp_ms <= _bind("last_ms"),
    points.c.step >= _bind("first_step"),
    points.c.step <= _bind("last_step"),
)
_stretch = sa.select(*_row).where(*_within)
_first = Statement(_stretch.order_by(*_ascending).limit(sa.literal_column("1")))
_last = Statement(_stretch.order_by(*_descending).limit(sa.literal_column("1")))
_some = Statement(_stretch.order_by(*_ascending).limit(_bind("limit")))
_count_some = Statement(
    sa.select(sa.func.count()).select_from(
        sa.select(sa.literal_column("1")).where(*_within).limit(_bind("limit")).subquery()
    )
)

_LAST_FIRST = "ORDER BY timestamp_ms DESC, step DESC, value DESC, is_nan DESC LIMIT 1"


def _ranges_statements(*, by_time: bool, all_steps: bool) -> dict[str, Statement]:
    """What lies from (a, b) to before (c, d), for many of them: one scan of an index range each.

    Where cuts differ in time already, steps need not be compared with them.
    """
    within = "FROM points WHERE metric_id = :metric_id"
    if by_time:
        within += " AND timestamp_ms >= a AND timestamp_ms < c"
    else:
        within += " AND (timestamp_ms, step) >= (a, b) AND (timestamp_ms, step) < (c, d)"
    if not all_steps:
        within += " AND step >= :first_step AND step <= :last_step"
    # Numbers as text of 17 digits, since json_array itself would round them. NaN counts as 0 here;
    # whoever reads looks again at a bucket that holds some.
    sqlite = f"""
        WITH cuts (n, a, b, c, d) AS MATERIALIZED (
            SELECT key, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(:cuts))
        SELECT (SELECT json_array(count(*), max(is_nan), printf('%!.17g', min(value)),
                                  printf('%!.17g', max(value))) {within}),
               (SELECT json_array(timestamp_ms, step, printf('%!.17g', value), is_nan)
                {within} {_LAST_FIRST})
        FROM cuts ORDER BY n"""
    number = "CASE is_nan WHEN 0 THEN value END"
    postgresql = f"""
        SELECT bucket.*, tip.*
        FROM unnest(CAST(:a AS bigint[]), CAST(:b AS bigint[]), CAST(:c AS bigint[]),
                    CAST(:d AS bigint[])) WITH ORDINALITY AS cuts (a, b, c, d, n)
        CROSS JOIN LATERAL (
            SELECT count(*), min({number}) AS low, max({number}) AS high {within}) AS bucket
        CROSS JOIN LATERAL (
            SELECT timestamp_ms, step, value, is_nan {within} {_LAST_FIRST}) AS tip
        ORDER BY n"""
    return {"sqlite": Statement(sa.text(sqlite)), "postgresql": Statement(sa.text(postgresql))}


_ranges_of = {
    (by_time, all_steps): _ranges_statements(by_time=by_time, all_steps=all_steps)
    for by_time in (True, False)
    for all_steps in (True, False)
}
_bounds_of_numbers = Statement(
    sa.select(sa.func.min(points.c.value), sa.func.max(points.c.value)).where(
        points.c.metric_id == _bind("metric_id"),
        points.c.step >= _bind("first_step"),
        points.c.step <= _bind("last_step"),
        sa.tuple_(points.c.timestamp_ms, points.c.step) >= sa.tuple_(_bind("a"), _bind("b")),
        sa.tuple_(points.c.timestamp_ms, points.c.step) < sa.tuple_(_bind("c"), _bind("d")),
        points.c.is_nan == sa.literal_column("0"),
    )
)
_AT = "metric_id = :metric_id AND (timestamp_ms, step) >= ({0}, {1})"
_at_sqlite = _AT.format("a", "b")
_seek_sqlite = Statement(
    sa.text(f"""
    WITH cuts (a, b) AS MATERIALIZED (SELECT value ->> 0, value ->> 1 FROM json_each(:cuts))
    SELECT (SELECT json_array(timestamp_ms, step) FROM points
            WHERE {_at_sqlite} ORDER BY timestamp_ms, step LIMIT 1)
    FROM cuts""")
)
_seek_postgresql = Statement(
    sa.text(f"""
    SELECT found.timestamp_ms, found.step
    FROM unnest(CAST(:a AS bigint[]), CAST(:b AS bigint[])) AS cuts (a, b)
    CROSS JOIN LATERAL (SELECT timestamp_ms, step FROM points WHERE {_AT.format("cuts.a", "cuts.b")}
            ORDER BY timestamp_ms, step LIMIT 1) AS found""")
)


def _by_sorting() -> Statement:
    # Divided as it is multiplied, in whole numbers, on both databases.
    bucket = sa.cast(
        sa.func.floor((points.c.step - _bind("origin")) / sa.bindparam("width", type_=sa.Double)),
        sa.BigInteger,
    ).label("bucket")
    value = sa.case((points.c.is_nan == sa.literal_column("0"), points.c.value))
    newest = (points.c.step.desc(), points.c.timestamp_ms.desc(), points.c.value.desc())
    whole = sa.select(bucket, *_row, value.label("number")).where(*_within).subquery()
    order = [whole.c[column.element.name].desc() for column in newest]
    window: dict[str, Any] = {"partition_by": whole.c.bucket}
    ranked = sa.select(
        whole.c.bucket,
        *(whole.c[column.name] for column in _row),
        sa.func.count().over(**window).label("many"),
        sa.func.min(whole.c.number).over(**window).label("low"),
        sa.func.max(whole.c.number).over(**window).label("high"),
        sa.func.row_number().over(order_by=order, **window).label("place"),
    ).subquery()
    return Statement(
        sa.select(
            *(ranked.c[column.name] for column in _row), ranked.c.many, ranked.c.low, ranked.c.high
        )
        .where(ranked.c.place == sa.literal_column("1"))
        .order_by(ranked.c.bucket)
    )


_sorted_buckets = _by_sorting()


def load_series(
    tx: Tx,
    *,
    uids: Sequence[str],
    keys: Sequence[str],
    x: X = "step",
    start: int | None = None,
    end: int | None = None,
    buckets: int = 500,
) -> list[Series]:
    """The series that exist among runs and keys, in their order; raises ``Invalid``.

    ``start`` and ``end`` (included) bound steps, milliseconds, or milliseconds since the first
    point, as ``x`` says.
    """
    if not 1 <= buckets <= BUCKETS_MAX:
        raise Invalid(f"buckets must be 1 to {BUCKETS_MAX}, not {buckets}.")
    if len(uids) * len(keys) > SERIES_MAX:
        raise Invalid(
            f"{len(uids)} runs times {len(keys)} metrics are too many series at once; at most"
            f" {SERIES_MAX} are drawn."
        )
    found = {(uid, key): rest for uid, key, *rest in tx.all(_wanted, uids=uids, keys=keys)}
    made = []
    for uid in dict.fromkeys(uids):
        for key in dict.fromkeys(keys):
            if (uid, key) not in found:
                continue
            metric_id, revision = found[uid, key]
            name = (uid, key, x, start, end, buckets)
            series = _kept.get(name, revision)
            if series is None:
                asked = Stretch(metric_id, x == "step", *_ends(x, start, end), buckets)
                series = Series(uid, key)
                _fill(tx, series, _since_first(tx, asked) if x == "relative" else asked)
                _kept.put(name, revision, series)
            made.append(series)
    return made


class _Kept:
    """Series as they were drawn last, good while their run's revision is the same.

    A comparison of many runs is asked for again whenever one of them has grown; the others need
    not be read again.
    """

    def __init__(self) -> None:
        self._series: OrderedDict[tuple[object, ...], tuple[int, Series]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, name: tuple[object, ...], revision: int) -> Series | None:
        with self._lock:
            found = self._series.get(name)
            if found is None or found[0] != revision:
                return None
            self._series.move_to_end(name)
            return found[1]

    def put(self, name: tuple[object, ...], revision: int, series: Series) -> None:
        with self._lock:
            before = self._series.pop(name, None)
            if before is not None:
                self._size -= len(before[1].steps)
            self._series[name] = (revision, series)
            self._size += len(series.steps)
            while self._size > KEPT_MAX:
                _, (_, gone) = self._series.popitem(last=False)
                self._size -= len(gone.steps)


_kept = _Kept()


def _ends(x: X, start: int | None, end: int | None) -> tuple[int, int]:
    least = -STEP_MAX if x == "step" else 0
    low = least if start is None else max(least, min(start, STEP_MAX))
    return low, STEP_MAX if end is None else max(least, min(end, STEP_MAX))


def _since_first(tx: Tx, asked: Stretch) -> Stretch:
    """A stretch that was given in time since the first point, in time itself."""
    row = tx.one(_first, **Stretch(asked.metric_id, False, 0, STEP_MAX, 1).bounds)
    origin = row[0] if row else 0
    start, end = (min(origin + edge, STEP_MAX) for edge in (asked.start, asked.end))
    return Stretch(asked.metric_id, False, start, end, asked.buckets)


def _fill(tx: Tx, series: Series, asked: Stretch) -> None:
    many = tx.one(_count_some, **asked.bounds, limit=asked.buckets + 1)[0]
    if many <= asked.buckets:
        series.whole = True
        for row in tx.all(_some, **asked.bounds, limit=asked.buckets):
            number = None if row[3] else row[2]
            series.add(row, 1, number, number)
        return
    first = tx.one(_first, **asked.bounds)
    last = tx.one(_last, **asked.bounds)
    if not asked.by_step:
        cuts = _even_cuts(first[0], last[0], asked.buckets)
    else:
        found = _step_cuts(tx, asked, Place(*first[:2]), Place(*last[:2]))
        if found is None:
            _sort(tx, series, asked)
            return
        cuts = found
    for point, count, low, high in _ranges(tx, asked, cuts):
        series.add(point, count, low, high)


def _even_cuts(first_ms: int, last_ms: int, buckets: int) -> list[Place]:
    """Cuts at even distances in time."""
    width = (last_ms - first_ms + 1) / buckets
    times = {first_ms + math.floor(width * n) for n in range(buckets)}
    return [Place(time, -STEP_MAX) for time in sorted(times)]


def _step_cuts(tx: Tx, asked: Stretch, first: Place, last: Place) -> list[Place] | None:
    """Cuts at even distances in steps; None if steps do not rise with time."""
    width = (last.step - first.step + 1) / asked.buckets
    if width <= 0:
        return None
    known = {first, last}
    tight: set[tuple[Place, Place]] = set()
    for _ in range(ROUNDS):
        wide = [
            gap
            for gap in pairwise(sorted(known))
            if gap[1].step - gap[0].step > width and gap not in tight
        ]
        tried = [place for gap in wide for place in _between(*gap, width, asked.buckets)]
        if not tried:
            break
        before = len(known)
        known.update(_seek(tx, asked.metric_id, tried))
        known = {place for place in known if first <= place <= last}
        places = set(pairwise(sorted(known)))
        tight.update(gap for gap in wide if gap in places)
        if len(known) == before or len(known) > 20 * asked.buckets:
            break
    ordered = sorted(known)
    if any(b.step < a.step for a, b in pairwise(ordered)):
        return None
    cuts: dict[int, Place] = {}
    for place in ordered:
        cuts.setdefault(math.floor((place.step - first.step) / width), place)
    return list(cuts.values())


def _between(low: Place, high: Place, width: float, buckets: int) -> list[Place]:
    """Places to try between two, evenly in time, or in steps where the time is the same."""
    # A few more than there are buckets: points that come at an even pace then need one round.
    parts = min(math.ceil(1.1 * (high.step - low.step) / width) + 1, 4 * buckets)
    if high.timestamp_ms - low.timestamp_ms > 1:
        span = high.timestamp_ms - low.timestamp_ms
        return [Place(low.timestamp_ms + span * n // parts, -STEP_MAX) for n in range(1, parts)]
    if high.timestamp_ms > low.timestamp_ms:
        return [
            *(
                Place(low.timestamp_ms, low.step + math.ceil(width / 2 * n))
                for n in range(1, parts)
            ),
            Place(high.timestamp_ms, -STEP_MAX),
            *(
                Place(high.timestamp_ms, high.step - math.ceil(width / 2 * n))
                for n in range(1, parts)
            ),
        ]
    span = high.step - low.step
    return [Place(low.timestamp_ms, low.step + span * n // parts) for n in range(1, parts)]


def _seek(tx: Tx, metric_id: int, places: Sequence[Place]) -> Iterable[Place]:
    """The first point at or after each place, where there is one."""
    if tx.dialect == "sqlite":
        cuts = msgspec.json.encode(places).decode()
        found = {row[0] for row in tx.all(_seek_sqlite, metric_id=metric_id, cuts=cuts)}
        return [msgspec.json.decode(text, type=Place) for text in found if text is not None]
    times, steps = ([place[n] for place in places] for n in range(2))
    rows = tx.all(_seek_postgresql, metric_id=metric_id, a=times, b=steps)
    return [Place(*row) for row in rows if row[0] is not None]


def _ranges(
    tx: Tx, asked: Stretch, cuts: Sequence[Place]
) -> Iterable[tuple[tuple[int, int, float, int], int, float | None, float | None]]:
    """What lies from each cut to the next, where anything does: last point, count, bounds."""
    edges = [*cuts, AFTER]
    if not asked.by_step and asked.end < STEP_MAX:
        edges[-1] = Place(asked.end + 1, -STEP_MAX)
    pairs = [(*low, *high) for low, high in pairwise(edges)]
    by_time = len({edge.timestamp_ms for edge in edges}) == len(edges)
    all_steps = (asked.start <= -STEP_MAX and asked.end >= STEP_MAX) or not asked.by_step
    statement = _ranges_of[by_time, all_steps][tx.dialect]
    bounds = {name: asked.bounds[name] for name in ("metric_id", "first_step", "last_step")}
    if tx.dialect == "postgresql":
        columns = dict(zip("abcd", map(list, zip(*pairs, strict=True)), strict=True))
        for many, low, high, *point in tx.all(statement, **bounds, **columns):
            yield (point[0], point[1], point[2], point[3]), many, low, high
        return
    rows = tx.all(statement, **bounds, cuts=msgspec.json.encode(pairs).decode())
    for pair, (bucket, tip) in zip(pairs, rows, strict=True):
        if tip is None:
            continue
        many, some_nan, *texts = msgspec.json.decode(bucket)
        timestamp_ms, step, text, is_nan = msgspec.json.decode(tip)
        ends: Sequence[float | None] = [float(text) for text in texts]
        if some_nan:
            ends = tx.one(_bounds_of_numbers, **bounds, **dict(zip("abcd", pair, strict=True)))
        yield (timestamp_ms, step, float(text), is_nan), many, ends[0], ends[1]


def _sort(tx: Tx, series: Series, asked: Stretch) -> None:
    """Buckets of a series whose steps go back and forth."""
    low, high = tx.one(_step_bounds, **asked.bounds)
    width = (high - low + 1) / asked.buckets
    rows: list[Any] = tx.all(_sorted_buckets, **asked.bounds, origin=low, width=width)
    for *point, count, least, greatest in rows:
        series.add((point[0], point[1], point[2], point[3]), count, least, greatest)


_step_bounds = Statement(
    sa.select(sa.func.min(points.c.step), sa.func.max(points.c.step)).where(*_within)
)
