"""Owns the mixed workload: writers, readers and searchers at one server at the same time."""

from collections.abc import Mapping

from bench.load import Load, Measure, run_together
from bench.servers import TRACKING
from bench.tracking import filtered_runs, metric_points, single_runs
from bench.work import Maker, Round, Row, Target, Workload, probe

NAME = "mixed"
# Long enough for the slowest searcher to be answered a few times.
FEWEST_SECONDS = 1.0


def workloads() -> list[Workload]:
    """Return the mixed workload: three rows of one run."""
    parts: tuple[tuple[Row, int, Maker], ...] = (
        (_row("write", "log-metric, 8 connections"), 8, metric_points(NAME, 8)),
        (_row("read", "runs/get, 8 connections"), 8, single_runs),
        (_row("search", "filtered search, 2 connections"), 2, filtered_runs()),
    )

    def prepare(target: Target) -> Round:
        def one(number: int) -> Mapping[str, Measure]:
            works = [make(target, number) for _, _, make in parts]
            loads = []
            for work, (_, connections, _) in zip(works, parts, strict=True):
                probe(target, work, connections)
                seconds = max(target.form.seconds, FEWEST_SECONDS)
                loads.append(Load(target.url, work.requests, connections, seconds))
            measures = run_together(loads)
            for work, measure in zip(works, measures, strict=True):
                work.verify(measure.requests)
            return {row.key: one for (row, _, _), one in zip(parts, measures, strict=True)}

        return one

    rows = tuple(row for row, _, _ in parts)
    return [Workload(NAME, rows, TRACKING, prepare, quick=True, postgres=True)]


def _row(part: str, title: str) -> Row:
    return Row(f"{NAME}-{part}", f"{NAME}: {title}", "req/s")
