"""Metric series of many runs, in the API's words; long ones read point by point are noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.offer import Ask
from heddle.api.native.runs import number_out
from heddle.api.native.shapes import tables
from heddle.db.tx import Tx
from heddle.registry import models, versions
from heddle.tracking import series
from heddle.tracking.outlines import LONG


async def search(request: Request, services: Services, ask: Ask[None, tables.SeriesQuery]) -> None:
    runs = ask.body.runs
    await _answer(request, services, ask.body, lambda _tx: runs)


async def search_versions(
    request: Request, services: Services, ask: Ask[None, tables.VersionSeriesQuery]
) -> None:
    def runs_of(tx: Tx) -> list[str]:
        model = models.get_model(tx, ask.at["model"])
        return versions.load_runs(tx, model.name, ask.body.versions)

    await _answer(request, services, ask.body, runs_of)


async def _answer(
    request: Request, services: Services, cut: tables.Cut, runs_of: Callable[[Tx], Sequence[str]]
) -> None:
    def operation(tx: Tx) -> tuple[bytes, list[int]]:
        found = series.load_series(
            tx,
            uids=runs_of(tx),
            keys=cut.keys,
            x=cut.x,
            start=cut.start,
            end=cut.end,
            buckets=cut.buckets,
        )
        read = [s.metric_id for s in found if s.count >= LONG and not s.is_outlined]
        return encode_json(tables.SeriesReply(series=[_series_out(each) for each in found])), read

    reply, read = await services.database.read(operation, request.caller)
    services.extra["outlining"].want(read)
    await respond(request, 200, reply)


def _series_out(found: series.Series) -> tables.Series:
    return tables.Series(
        run=found.uid,
        key=found.key,
        count=found.count,
        whole=found.whole,
        steps=found.steps,
        times=found.times,
        last=[number_out(value) for value in found.last],
        min=found.low,
        max=found.high,
    )


CALLS: dict[str, Any] = {"series.search": search, "versions.series": search_versions}
