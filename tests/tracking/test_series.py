"""Thinned series hold every point of the stretch in one bucket and lose no spike."""

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import LOCAL
from heddle.errors import Invalid
from heddle.tracking.experiments import create_experiment
from heddle.tracking.metrics import Point, log_metric, write_points
from heddle.tracking.runs import create_run
from heddle.tracking.series import Series, load_series

START = 1_700_000_000_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    yield database
    database.close()


def log(database: Database, *runs: list[Point]) -> list[str]:
    def write(tx):
        experiment = create_experiment(tx, name="series")
        made = [create_run(tx, experiment_id=experiment) for _ in runs]
        for run, points in zip(made, runs, strict=True):
            write_points(tx, run.id, experiment, points)
        return [run.uid for run in made]

    return database.write_now(write, LOCAL)


def ask(database: Database, uids: list[str], keys: list[str], **more) -> list[Series]:
    return database.read_now(lambda tx: load_series(tx, uids=uids, keys=keys, **more), LOCAL)


def rising(many: int, *, every_ms: int = 37) -> list[Point]:
    dice = random.Random(7)
    values = [dice.gauss(0, 1) for _ in range(many)]
    values[many // 3] = 1e9
    values[many // 2] = math.nan
    return [Point("loss", v, START + n * every_ms, n) for n, v in enumerate(values)]


def check(series: Series, points: list[Point], buckets: int) -> None:
    """Whatever the buckets are, together they are the points."""
    numbers = [p.value for p in points if not math.isnan(p.value)]
    assert series.count == len(points)
    assert len(series.steps) <= buckets + 1
    assert len(series.steps) == len(series.last) == len(series.low) == len(series.high)
    assert min(low for low in series.low if low is not None) == min(numbers)
    assert max(high for high in series.high if high is not None) == max(numbers)


def test_a_short_series_comes_whole(database):
    points = rising(100)
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=100)
    assert series.whole
    assert series.steps == [p.step for p in points]
    assert series.times == [p.timestamp_ms for p in points]
    assert [repr(v) for v in series.last] == [repr(p.value) for p in points]
    assert series.low[50] is None
    assert series.high[33] == 1e9


@pytest.mark.parametrize("x", ["step", "time", "relative"])
def test_a_long_series_is_cut_evenly(database, x):
    points = rising(5000)
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], x=x, buckets=50)
    assert not series.whole
    check(series, points, 50)
    assert len(series.steps) >= 50
    widths = [b - a for a, b in zip(series.steps, series.steps[1:], strict=False)]
    assert max(widths) <= 200
    assert series.steps == sorted(series.steps)
    by_step = {p.step: p.value for p in points}
    assert [repr(v) for v in series.last] == [repr(by_step[s]) for s in series.steps]


@pytest.mark.parametrize(
    ("x", "start", "end"),
    [("step", 1000, 1999), ("time", START + 37_000, START + 73_963), ("relative", 37_000, 73_963)],
)
@pytest.mark.parametrize("buckets", [20, 2000])
def test_a_stretch_is_cut_by_itself(database, x, start, end, buckets):
    points = rising(5000)
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], x=x, start=start, end=end, buckets=buckets)
    assert series.whole is (buckets == 2000)
    assert series.count == 1000
    assert series.steps[-1] == 1999
    assert max(high for high in series.high if high is not None) == 1e9
    assert len(series.steps) <= 1000 if series.whole else len(series.steps) <= 21


def test_a_pause_does_not_coarsen_steps(database):
    points = [
        Point("loss", float(n), START + n + (10**9 if n >= 2500 else 0), n) for n in range(5000)
    ]
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=50)
    check(series, points, 50)
    assert max(b - a for a, b in pairwise([-1, *series.steps])) <= 200


def test_many_pauses_do_not_coarsen_steps_either(database):
    pauses = [0, *(10**4 * 7**n for n in range(9))]
    points = [Point("loss", float(n), START + n + pauses[n // 500], n) for n in range(5000)]
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=50)
    check(series, points, 50)
    assert max(b - a for a, b in pairwise([-1, *series.steps])) <= 200


def test_one_time_for_all_steps(database):
    points = [Point("loss", float(n), START, n) for n in range(3000)]
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=50)
    check(series, points, 50)
    assert max(b - a for a, b in zip(series.steps, series.steps[1:], strict=False)) <= 180


def test_steps_that_go_back_and_forth(database):
    dice = random.Random(3)
    steps = list(range(2000))
    dice.shuffle(steps)
    points = [Point("loss", float(s % 97), START + n, s) for n, s in enumerate(steps)]
    points[5] = points[5]._replace(value=-5.0)
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=40)
    check(series, points, 40)
    assert series.steps == list(range(49, 2000, 50))


def test_many_runs_and_keys_in_the_order_asked_for(database):
    first = [Point("a", 1.0, START, 0), Point("b", 2.0, START, 0)]
    one, two = log(database, first, [Point("b", 3.0, START, 0)])
    found = ask(database, [two, one, "gone"], ["b", "a", "none"])
    assert [(s.uid, s.key, s.last) for s in found] == [
        (two, "b", [3.0]), (one, "b", [2.0]), (one, "a", [1.0]),
    ]  # fmt: skip


def test_limits_are_said(database):
    with pytest.raises(Invalid, match="buckets must be 1 to 10000"):
        ask(database, [], [], buckets=0)
    with pytest.raises(Invalid, match="too many series"):
        ask(database, ["x"] * 1000, ["y"] * 50)


def test_what_grew_is_read_again(database):
    points = rising(1000)
    (uid,) = log(database, points)
    (series,) = ask(database, [uid], ["loss"], buckets=10)
    assert ask(database, [uid], ["loss"], buckets=10)[0] is series
    more = Point("loss", -7.0, points[-1].timestamp_ms + 1, 1000)
    database.write_now(lambda tx: log_metric(tx, uid, *more), LOCAL)
    (grown,) = ask(database, [uid], ["loss"], buckets=10)
    assert (grown.count, grown.last[-1]) == (1001, -7.0)
