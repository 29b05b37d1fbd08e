"""Series of metrics for drawing: thinned to buckets, each with its least, greatest and last value.

Points lie in the order (time, step), so a bucket that is a stretch of that order is aggregated by
one index range without sorting. For x in steps the cuts between buckets are looked for by seeks
until none spans more than a bucket's share of steps; a series whose steps do not rise with time is
grouped by sorting instead. Either way every point of the asked stretch is in one bucket, so that no
spike is lost. A series no longer than the number of buckets comes whole. Where a long series has an
outline (see ``outlines``), buckets are joined from it instead, without a look at the points.
"""

from __future__ import annotations

import math
import operator
import threading
from bisect import bisect_left, bisect_right
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
from heddle.tracking import outlines
from heddle.tracking.metrics import STEP_MAX, metrics, points
from heddle.tracking.outlines import Outline
from heddle.tracking.runs import runs

X = Literal["step", "time", "relative"]
BUCKETS_MAX = 10_000
SERIES_MAX = 5000
KEPT_MAX = 100_000
"""Buckets of drawn series that are kept, some 20 MB."""
ROUNDS = 24
"""How often cuts are refined; a round splits what is too long, or finds the ends of a pause in it."""
TOGETHER = 25
"""Outlines that are read at once, 3 MiB."""


class Place(NamedTuple):
    """A place in the order of a series."""

    timestamp_ms: int
    step: int


AFTER = Place(STEP_MAX, STEP_MAX)


@dataclass(slots=True)
class Series:
    """One thinned series: lists of one length, one entry per bucket that holds points.

    ``last`` is NaN where the last point is; ``low`` and ``high`` are None where all points are.
    ``is_outlined`` tells that no points were needed.
    """

    uid: str
    key: str
    metric_id: int = 0
    count: int = 0
    whole: bool = False
    is_outlined: bool = False
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
        SELECT n, bucket.*, tip.*
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


def _seeking(*, back: bool) -> dict[str, Statement]:
    """The first point at or after each of many places, or the last one before it."""
    order = "timestamp_ms DESC, step DESC" if back else "timestamp_ms, step"
    at = f"(timestamp_ms, step) {'<' if back else '>='} (a, b) ORDER BY {order} LIMIT 1"
    sqlite = f"""
        WITH cuts (a, b) AS MATERIALIZED (SELECT value ->> 0, value ->> 1 FROM json_each(:cuts))
        SELECT (SELECT json_array(timestamp_ms, step) FROM points
                WHERE metric_id = :metric_id AND {at})
        FROM cuts"""
    postgresql = f"""
        SELECT found.timestamp_ms, found.step
        FROM unnest(CAST(:a AS bigint[]), CAST(:b AS bigint[])) AS cuts (a, b)
        CROSS JOIN LATERAL (SELECT timestamp_ms, step FROM points
                WHERE metric_id = :metric_id AND {at}) AS found"""
    return {"sqlite": Statement(sa.text(sqlite)), "postgresql": Statement(sa.text(postgresql))}


_seeks = {back: _seeking(back=back) for back in (False, True)}


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
    made: list[Series] = []
    missing: list[tuple[Series, int]] = []
    for uid in dict.fromkeys(uids):
        for key in dict.fromkeys(keys):
            if (uid, key) not in found:
                continue
            metric_id, revision = found[uid, key]
            series = _kept.get((uid, key, x, start, end, buckets), revision)
            if series is None:
                series = Series(uid, key, metric_id)
                missing.append((series, revision))
            made.append(series)
    for part in range(0, len(missing), TOGETHER):
        some = missing[part : part + TOGETHER]
        known = outlines.load(tx, [series.metric_id for series, _ in some])
        for series, revision in some:
            outline = known.get(series.metric_id)
            asked = Stretch(series.metric_id, x == "step", *_ends(x, start, end), buckets)
            if x == "relative":
                asked = _since_first(tx, asked, outline)
            _fill(tx, series, asked, outline)
            _kept.put((series.uid, series.key, x, start, end, buckets), revision, series)
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


def _since_first(tx: Tx, asked: Stretch, outline: Outline | None) -> Stretch:
    """A stretch that was given in time since the first point, in time itself."""
    if outline is not None:
        origin = outline.first_ms[0]
    else:
        row = tx.one(_first, **Stretch(asked.metric_id, False, 0, STEP_MAX, 1).bounds)
        origin = row[0] if row else 0
    start, end = (min(origin + edge, STEP_MAX) for edge in (asked.start, asked.end))
    return Stretch(asked.metric_id, False, start, end, asked.buckets)


def _fill(tx: Tx, series: Series, asked: Stretch, outline: Outline | None) -> None:
    if outline is not None and _join(tx, series, asked, outline):
        return
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
    for bucket in _ranges(tx, asked, _to_next(asked, cuts)):
        series.add(*bucket[1:])


def _to_next(asked: Stretch, cuts: Sequence[Place]) -> list[tuple[Place, Place]]:
    """From each cut to the next, and from the last one on."""
    end = AFTER
    if not asked.by_step and asked.end < STEP_MAX:
        end = Place(asked.end + 1, -STEP_MAX)
    return list(pairwise([*cuts, end]))


def outline_of(tx: Tx, metric_id: int) -> Outline | None:
    """A series cut finely; None for one that is too short, or whose steps do not rise with time."""
    asked = Stretch(metric_id, True, *_ends("step", None, None), outlines.FINE)
    first = tx.one(_first, **asked.bounds)
    if first is None or tx.one(_count_some, **asked.bounds, limit=outlines.LONG)[0] < outlines.LONG:
        return None
    last = tx.one(_last, **asked.bounds)
    cuts = _step_cuts(tx, asked, Place(*first[:2]), Place(*last[:2]))
    if cuts is None:
        return None
    rows = []
    for cut, (timestamp_ms, step, value, is_nan), count, low, high in _ranges(
        tx, asked, _to_next(asked, cuts)
    ):
        ends = (math.inf, -math.inf) if low is None or high is None else (low, high)
        last_value = math.nan if is_nan else value
        rows.append((*cut, timestamp_ms, step, count, last_value, *ends))
    outline = Outline.of(rows)
    return outline if _rises(outline.last_step) else None


def _rises(numbers: Sequence[int]) -> bool:
    return all(map(operator.le, numbers, numbers[1:]))


def _join(tx: Tx, series: Series, asked: Stretch, outline: Outline) -> bool:
    """Make a series of its outline's buckets; False where these are too coarse for what is asked."""
    names = ("first_step", "last_step") if asked.by_step else ("first_ms", "last_ms")
    start = bisect_left(getattr(outline, names[1]), asked.start)
    stop = bisect_right(getattr(outline, names[0]), asked.end)
    if stop - start < 2 * asked.buckets:
        return False
    part = outline.part(start, stop)
    firsts, lasts = (getattr(part, name) for name in names)
    width = (min(lasts[-1], asked.end) - max(firsts[0], asked.start) + 1) / asked.buckets
    if max(map(operator.sub, lasts, firsts)) >= width:
        return False
    # The ends may reach beyond the stretch.
    if lasts[-1] > asked.end:
        _shorten(tx, asked, part, len(part.count) - 1)
    if firsts[0] < asked.start:
        _shorten(tx, asked, part, 0)
    series.is_outlined = True
    low, at = max(firsts[0], asked.start), 0
    for n in range(1, asked.buckets + 1):
        end = bisect_left(lasts, low + width * n, at) if n < asked.buckets else len(lasts)
        if end > at:
            _add_joined(series, part, at, end)
        at = end
    return True


def _add_joined(series: Series, part: Outline, start: int, stop: int) -> None:
    """One more bucket, of several of an outline's."""
    series.count += sum(part.count[start:stop])
    series.times.append(part.last_ms[stop - 1])
    series.steps.append(part.last_step[stop - 1])
    series.last.append(part.last[stop - 1])
    low = min(part.low[start:stop])
    series.low.append(None if low == math.inf else low)
    series.high.append(None if low == math.inf else max(part.high[start:stop]))


def _shorten(tx: Tx, asked: Stretch, part: Outline, place: int) -> None:
    """Look again at a bucket of which only some points lie in the stretch; it may go away."""
    low = Place(part.first_ms[place], part.first_step[place])
    high = AFTER
    if place + 1 < len(part.count):
        high = Place(part.first_ms[place + 1], part.first_step[place + 1])
    if not asked.by_step:
        low = max(low, Place(asked.start, -STEP_MAX))
        high = min(high, Place(min(asked.end, STEP_MAX - 1) + 1, -STEP_MAX))
    found = list(_ranges(tx, asked, [(low, high)]))
    for column in part.columns():
        del column[place : place + 1 - len(found)]
    for cut, (timestamp_ms, step, value, is_nan), count, least, greatest in found:
        part.first_ms[place], part.first_step[place] = cut
        part.last_ms[place], part.last_step[place] = timestamp_ms, step
        part.count[place], part.last[place] = count, math.nan if is_nan else value
        part.low[place] = math.inf if least is None else least
        part.high[place] = -math.inf if greatest is None else greatest


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
        known.update(_seek(tx, asked.metric_id, tried))
        known = {place for place in known if first <= place <= last}
        places = set(pairwise(sorted(known)))
        # Everything may lie at the near side of a pause; nothing does if its ends are neighbours.
        whole = [gap for gap in wide if gap in places]
        if whole:
            known.update(_seek(tx, asked.metric_id, [gap[1] for gap in whole], back=True))
            places = set(pairwise(sorted(known)))
            tight.update(gap for gap in whole if gap in places)
        if len(known) > 20 * asked.buckets:
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


def _seek(
    tx: Tx, metric_id: int, places: Sequence[Place], *, back: bool = False
) -> Iterable[Place]:
    """The first point at or after each place, or the last before it; where there is one."""
    statement = _seeks[back][tx.dialect]
    if tx.dialect == "sqlite":
        cuts = msgspec.json.encode(places).decode()
        found = {row[0] for row in tx.all(statement, metric_id=metric_id, cuts=cuts)}
        return [msgspec.json.decode(text, type=Place) for text in found if text is not None]
    times, steps = ([place[n] for place in places] for n in range(2))
    return [Place(*row) for row in tx.all(statement, metric_id=metric_id, a=times, b=steps)]


def _ranges(
    tx: Tx, asked: Stretch, pairs: Sequence[tuple[Place, Place]]
) -> Iterable[tuple[Place, tuple[int, int, float, int], int, float | None, float | None]]:
    """What lies from one place to before another, where anything does.

    The place it begins at, the last point, the count, and the bounds.
    """
    edges = [pair[0] for pair in pairs] + [pairs[-1][1]]
    by_time = len({edge.timestamp_ms for edge in edges}) == len(edges)
    all_steps = (asked.start <= -STEP_MAX and asked.end >= STEP_MAX) or not asked.by_step
    statement = _ranges_of[by_time, all_steps][tx.dialect]
    bounds = {name: asked.bounds[name] for name in ("metric_id", "first_step", "last_step")}
    flat = [(*low, *high) for low, high in pairs]
    if tx.dialect == "postgresql":
        columns = dict(zip("abcd", map(list, zip(*flat, strict=True)), strict=True))
        for n, many, low, high, *point in tx.all(statement, **bounds, **columns):
            yield pairs[n - 1][0], (point[0], point[1], point[2], point[3]), many, low, high
        return
    rows = tx.all(statement, **bounds, cuts=msgspec.json.encode(flat).decode())
    for pair, (bucket, tip) in zip(flat, rows, strict=True):
        if tip is None:
            continue
        many, some_nan, *texts = msgspec.json.decode(bucket)
        timestamp_ms, step, text, is_nan = msgspec.json.decode(tip)
        ends: Sequence[float | None] = [float(text) for text in texts]
        if some_nan:
            ends = tx.one(_bounds_of_numbers, **bounds, **dict(zip("abcd", pair, strict=True)))
        yield Place(*pair[:2]), (timestamp_ms, step, float(text), is_nan), many, ends[0], ends[1]


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
