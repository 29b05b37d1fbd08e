"""Long series are outlined once they are settled, and drawn from that as from their points."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import LOCAL
from heddle.tracking import outlines
from heddle.tracking.experiments import create_experiment
from heddle.tracking.metrics import Point, log_metric, write_points
from heddle.tracking.outlines import LONG, Outline
from heddle.tracking.outlining import Outlining
from heddle.tracking.runs import create_run, update_run
from heddle.tracking.series import Series, load_series

START = 1_700_000_000_000
BUCKETS = 100


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


def wave(many: int, *, every_ms: int = 10) -> list[Point]:
    """A rising series with one spike, one NaN, and a stretch that is nothing but NaN."""
    dice = random.Random(5)
    values = [dice.gauss(0, 1) for _ in range(many)]
    values[many // 3] = 1e9
    values[many // 5] = math.nan
    values[many // 2 : many // 2 + many // 20] = [math.nan] * (many // 20)
    return [Point("loss", v, START + n * every_ms, n) for n, v in enumerate(values)]


def log(database: Database, points: list[Point]) -> str:
    def write(tx):
        experiment = create_experiment(tx, name=f"outlines of {len(points)}")
        run = create_run(tx, experiment_id=experiment)
        write_points(tx, run.id, experiment, points)
        return run.uid

    return database.write_now(write, LOCAL)


def ended(database: Database, uid: str) -> Outlining:
    """The run ends, and everything that waits for that is drawn."""
    outlining = Outlining(database)
    database.announce = outlining.hear
    database.write_now(lambda tx: update_run(tx, uid, status="FINISHED"), LOCAL)
    outlining.draw()
    return outlining


def ask(database: Database, uid: str, **more) -> Series:
    more = {"buckets": BUCKETS, **more}
    (found,) = database.read_now(
        lambda tx: load_series(tx, uids=[uid], keys=["loss"], **more), LOCAL
    )
    return found


def lowest(found: Series) -> float:
    return min(low for low in found.low if low is not None)


def check(found: Series, points: list[Point]) -> None:
    """Each bucket holds what lies after the one before, and all of them all points, in order."""
    assert found.count == len(points)
    assert len(found.steps) <= BUCKETS
    at = 0
    for step, last, low, high in zip(found.steps, found.last, found.low, found.high, strict=True):
        start = at
        while at < len(points) and points[at].step <= step:
            at += 1
        numbers = [p.value for p in points[start:at] if not math.isnan(p.value)]
        assert (low, high) == (min(numbers, default=None), max(numbers, default=None))
        assert repr(last) == repr(points[at - 1].value)
    assert at == len(points)


@pytest.fixture
def points() -> list[Point]:
    return wave(LONG + 77)


@pytest.mark.parametrize("x", ["step", "time", "relative"])
def test_a_run_that_ended_is_drawn_from_outlines(database, points, x):
    uid = log(database, points)
    assert not ask(database, uid, x=x).is_outlined
    ended(database, uid)
    found = ask(database, uid, x=x)
    assert found.is_outlined
    check(found, points)
    widths = [b - a for a, b in pairwise([-1, *found.steps])]
    assert max(widths) <= 1.1 * len(points) / BUCKETS


@pytest.mark.parametrize("x", ["step", "time", "relative"])
def test_a_stretch_holds_its_points_and_no_others(database, points, x):
    uid = log(database, points)
    ended(database, uid)
    first, last = 3_333, 15_554
    ends = {
        "step": (first, last),
        "time": (points[first].timestamp_ms, points[last].timestamp_ms + 3),
        "relative": (first * 10 - 3, last * 10),
    }[x]
    found = ask(database, uid, x=x, start=ends[0], end=ends[1])
    assert found.is_outlined
    check(found, points[first : last + 1])
    narrow = ask(database, uid, x=x, start=ends[0], end=ends[0] + 700)
    assert not narrow.is_outlined


def test_what_comes_late_is_shown_and_outlined_again(database, points):
    uid = log(database, points)
    outlining = ended(database, uid)
    late = Point("loss", -7e9, points[777].timestamp_ms + 1, 777)
    database.write_now(lambda tx: log_metric(tx, uid, *late), LOCAL)
    found = ask(database, uid)
    assert (found.is_outlined, found.count, lowest(found)) == (False, len(points) + 1, -7e9)
    outlining.want([found.metric_id])
    outlining.draw()
    again = ask(database, uid, buckets=BUCKETS - 1)
    assert (again.is_outlined, again.count, lowest(again)) == (True, len(points) + 1, -7e9)


def test_a_series_that_still_grows_is_left_alone(database):
    now = wave(LONG)
    uid = log(database, [*now, Point("loss", 1.0, 2**50, LONG)])
    outlining = Outlining(database)
    outlining.want([ask(database, uid).metric_id])
    outlining.draw()
    assert not ask(database, uid, buckets=50).is_outlined


def test_a_series_that_fell_silent_is_outlined_when_it_was_read(database, points):
    uid = log(database, points)
    outlining = Outlining(database)
    outlining.want([ask(database, uid).metric_id])
    outlining.draw()
    check(ask(database, uid, buckets=99), points)
    assert ask(database, uid, buckets=99).is_outlined


def test_what_has_no_outline_is_drawn_from_its_points(database, points):
    short = points[: LONG - 1]
    again_and_again = [p._replace(step=p.step % 6000) for p in points]
    for logged in (short, again_and_again):
        uid = log(database, logged)
        ended(database, uid)
        found = ask(database, uid)
        assert not found.is_outlined
        assert found.count == len(logged)


def test_a_pause_in_time_is_drawn_from_points_where_the_outline_is_too_coarse(database):
    points = [
        p._replace(timestamp_ms=p.timestamp_ms + (10**9 if n >= 10_005 else 0))
        for n, p in enumerate(wave(LONG))
    ]
    uid = log(database, points)
    ended(database, uid)
    assert ask(database, uid).is_outlined
    check(ask(database, uid, x="time"), points)


def test_a_series_that_is_gone_while_it_is_outlined_is_left_out(database, points):
    uid = log(database, points)
    metric_id = ask(database, uid).metric_id
    database.write_now(lambda tx: outlines.keep(tx, metric_id + 1, 1, b""), LOCAL)
    database.write_now(lambda tx: outlines.keep(tx, metric_id, 1, b""), LOCAL)
    assert database.read_now(lambda tx: outlines.load(tx, [metric_id, metric_id + 1]), LOCAL) == {}


def test_an_outline_is_the_same_once_it_was_kept():
    row = (1, -2, 3, 4, 5, math.nan, math.inf, -math.inf)
    made = Outline.of([row, (6, 7, 8, 9, 1, 0.1, -0.5, 2.0**70)])
    assert repr(Outline.decode(made.encode())) == repr(made)
    assert Outline.decode(Outline.of([]).encode()).columns() == [*Outline.of([]).columns()]
