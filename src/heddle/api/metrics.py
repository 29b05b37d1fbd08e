"""What the server tells of itself: ``/metrics`` in Prometheus' text format, and slow calls in its log.

Counts lie in an array of doubles, one stretch for each call (all spellings of a path are one), so
that noting a request costs well under a microsecond. With several worker processes the arrays are
files that all of them map, and whichever is asked adds them up; counts of a worker that died stay.
Calls that stream contents or events have no duration that says anything and are not slow ones.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import re
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.api.http import Effect, Request, Row, Services, respond
from heddle.api.mlflow.wire import error_body
from heddle.errors import HeddleError

if TYPE_CHECKING:
    from heddle.db.engine import Database
    from heddle.db.tx import Ran
    from heddle.scoring.endpoint import Endpoint
    from heddle.scoring.endpoints import Endpoints

log = logging.getLogger("heddle.slow")

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the histogram's buckets, in seconds."""
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
WIDTH = len(BOUNDS) + 1 + 1 + len(CLASSES)
"""Doubles of one call: buckets, the sum of seconds, counts by class of status."""
PLAN_EVERY_S = 30.0
"""Plans are gathered no more often than this: a server in trouble needs no more work."""
PLAN_WAIT_S = 5.0
MEDIA = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_PREFIX = re.compile(r"/(?:ajax-)?api/[23]\.0/(?:preview/)?(?=mlflow)")


def name_of(row: Row) -> str:
    """The call's name: that of the native API, or method and path without the spellings' prefixes."""
    named = row.about.get("name")
    return str(named) if named else f"{row.method} {_PREFIX.sub('', row.path)}"


class Meter:
    """Counts requests by call; called in one thread, read in any."""

    def __init__(self, rows: Iterable[Row], folder: Path | None = None) -> None:
        rows = tuple(rows)
        self.names = list(dict.fromkeys(map(name_of, rows)))
        places = {name: 1 + place * WIDTH for place, name in enumerate(self.names)}
        self._places = {id(row): places[name_of(row)] for row in rows}
        self._folder = folder
        size = 1 + len(self.names) * WIDTH
        self._counts: Any = array("d", bytes(8 * size)) if folder is None else _mapped(folder, size)

    def enter(self) -> None:
        """A request came in."""
        self._counts[0] += 1

    def leave(self, row: Row | None, seconds: float, status: int) -> None:
        """A request was answered."""
        counts = self._counts
        counts[0] -= 1
        if row is None:
            return
        place = self._places[id(row)]
        counts[place + bisect_left(BOUNDS, seconds)] += 1
        counts[place + len(BOUNDS) + 1] += seconds
        counts[place + len(BOUNDS) + 1 + status // 100] += 1

    def total(self) -> tuple[float, Sequence[float]]:
        """Requests in flight, and the counts of all processes together."""
        if self._folder is None:
            return self._counts[0], self._counts
        flying, total = 0.0, [0.0] * len(self._counts)
        for path in self._folder.glob("*.counts"):
            with path.open("rb") as file:
                counts = array("d", file.read())
            if _lives(int(path.stem)):
                flying += counts[0]
            total = [ours + theirs for ours, theirs in zip(total, counts, strict=True)]
        return flying, total


def _mapped(folder: Path, size: int) -> Any:
    path = folder / f"{os.getpid()}.begun"
    with path.open("w+b") as file:
        file.truncate(8 * size)
        counts = memoryview(mmap.mmap(file.fileno(), 8 * size)).cast("d")
    # Whoever adds up finds files of full length only.
    path.rename(path.with_suffix(".counts"))
    return counts


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class SlowCalls:
    """Writes calls that took long to the log, with the plan of their slowest search."""

    def __init__(self, database: Database, threshold_s: float) -> None:
        self.database = database
        self.threshold_s = threshold_s
        self.count = 0
        self._next_plan_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, request: Request, row: Row, seconds: float) -> None:
        """Log a call that took too long; the plan follows later, out of everybody's way."""
        if row.effect is Effect.STREAM and (row.about.get("media") or not row.about.get("reply")):
            return
        self.count += 1
        log.warning(
            "slow call: %s in workspace %s took %.2f s",
            name_of(row), request.caller.workspace, seconds,
        )  # fmt: skip
        if not request.ran or time.monotonic() < self._next_plan_s:
            return
        self._next_plan_s = time.monotonic() + PLAN_EVERY_S
        slowest = max(request.ran, key=lambda ran: ran.seconds)
        task = asyncio.get_running_loop().create_task(self._tell(request, row, slowest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, request: Request, row: Row, ran: Ran) -> None:
        try:
            plan = await asyncio.wait_for(self.database.plan(ran, request.caller), PLAN_WAIT_S)
        except (HeddleError, TimeoutError) as error:
            log.warning("the plan of %s could not be had: %s", name_of(row), error)
            return
        log.warning("plan of %s, %.2f s of it:\n  %s", name_of(row), ran.seconds, "\n  ".join(plan))


class Metrics:
    """Everything that is told, put together."""

    def __init__(self, meter: Meter, slow: SlowCalls, version: str, endpoints: Endpoints) -> None:
        self.meter = meter
        self.slow = slow
        self.version = version
        self.endpoints = endpoints

    def observe(self, request: Request, row: Row | None, seconds: float, status: int) -> None:
        """Note one answered request."""
        self.meter.leave(row, seconds, status)
        if seconds > self.slow.threshold_s and row is not None:
            self.slow.note(request, row, seconds)

    def exposition(self, database: Database) -> Iterator[str]:
        """The lines of the answer; asks the database its size, so not in the event loop."""
        yield from _sample(
            "heddle_info", "gauge", "The release.", 1, f'{{version="{self.version}"}}'
        )
        yield from self._requests()
        work = database.work
        yield from _sample("heddle_writes_total", "counter", "Writes committed.", work.writes)
        yield "# HELP heddle_commit_writes Writes that shared one commit."
        yield "# TYPE heddle_commit_writes histogram"
        yield from _buckets(
            "heddle_commit_writes", "", [2**power for power in range(len(work.groups))],
            [*work.groups, 0], work.writes,
        )  # fmt: skip
        yield from _sample("heddle_writes_waiting", "gauge", "Writes in the queue.", work.waiting)
        yield from _sample("heddle_slow_calls_total", "counter", "Slow calls.", self.slow.count)
        size = database.size_bytes()
        yield from _sample("heddle_database_bytes", "gauge", "Size of the database.", size)
        yield from self._endpoints()
        yield from _process()

    def _endpoints(self) -> Iterator[str]:
        """What the endpoints of this process did, each under its workspace, model and version."""
        found = self.endpoints.all()
        for name, kind, about, value in ENDPOINT_SAMPLES if found else ():
            yield f"# HELP heddle_endpoint_{name} {about}"
            yield f"# TYPE heddle_endpoint_{name} {kind}"
            for each in found:
                labels = ",".join(f'{label}="{_label(text)}"' for label, text in (
                    ("workspace", each.key.workspace), ("model", each.key.model),
                    ("version", str(each.key.number)),
                ))  # fmt: skip
                yield f"heddle_endpoint_{name}{{{labels}}} {value(each)}"

    def _requests(self) -> Iterator[str]:
        flying, counts = self.meter.total()
        name = "heddle_requests_in_flight"
        yield from _sample(name, "gauge", "Requests not yet answered.", int(flying))
        used = []
        for number, call in enumerate(self.meter.names):
            place = 1 + number * WIDTH
            cells = counts[place : place + WIDTH]
            if any(cells[: len(BOUNDS) + 1]):
                used.append((call, cells))
        yield "# HELP heddle_request_seconds How long calls took."
        yield "# TYPE heddle_request_seconds histogram"
        end = len(BOUNDS) + 1
        for call, cells in used:
            yield from _buckets(
                "heddle_request_seconds", f'call="{call}",', BOUNDS, cells[:end], cells[end]
            )
        yield "# HELP heddle_requests_total Answered requests by call and class of status."
        yield "# TYPE heddle_requests_total counter"
        for call, cells in used:
            for kind, count in zip(CLASSES, cells[end + 1 :], strict=False):
                if count:
                    yield f'heddle_requests_total{{call="{call}",status="{kind}"}} {int(count)}'


ENDPOINT_SAMPLES: Sequence[tuple[str, str, str, Callable[[Endpoint], float]]] = (
    ("requests_total", "counter", "Scoring requests.", lambda each: each.counts.requests),
    ("errors_total", "counter", "Scoring requests that failed.", lambda each: each.counts.errors),
    (
        "seconds_total",
        "counter",
        "Time until they were answered.",
        lambda each: each.counts.seconds,
    ),
    ("loaded", "gauge", "Whether the model is loaded.", lambda each: int(each.process is not None)),
)


def _label(text: str) -> str:
    """A label's value as Prometheus writes it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _sample(
    name: str, kind: str, about: str, value: float, labels: str = ""
) -> tuple[str, str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}", f"{name}{labels} {value}"


def _buckets(
    name: str, labels: str, bounds: Sequence[float], counts: Sequence[float], total: float
) -> Iterator[str]:
    so_far = 0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        so_far += int(count)
        yield f'{name}_bucket{{{labels}le="{bound}"}} {so_far}'
    plain = f"{{{labels.rstrip(',')}}}" if labels else ""
    yield f"{name}_sum{plain} {total}"
    yield f"{name}_count{plain} {so_far}"


def _process() -> Iterator[str]:
    """What this process uses, under the names that every Prometheus client gives."""
    yield from _sample("heddle_process_id", "gauge", "Which process answers.", os.getpid())
    times = os.times()
    used = times.user + times.system
    yield from _sample("process_cpu_seconds_total", "counter", "Processor time used.", used)
    status = Path("/proc/self/statm")
    if status.exists():  # Linux alone tells these without asking a library
        pages = int(status.read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        name = "process_resident_memory_bytes"
        yield from _sample(name, "gauge", "Memory in use.", size)
        count = sum(1 for _ in Path("/proc/self/fd").iterdir())
        yield from _sample("process_open_fds", "gauge", "Open files and connections.", count)


async def _answer(request: Request, services: Services) -> None:
    metrics: Metrics = services.extra["metrics"]

    def text() -> bytes:
        return ("\n".join(metrics.exposition(services.database)) + "\n").encode()

    body = await asyncio.to_thread(text)
    await respond(request, 200, body, (MEDIA,))


def telling_rows() -> list[Row]:
    """The one call of this page."""
    return [
        Row(
            "GET",
            "/metrics",
            "server.metrics",
            Effect.STREAM,
            _answer,
            _unread,
            _unsaid,
            error_body,
        )
    ]


def _unread(_request: Request) -> None:
    """Nothing is asked."""


def _unsaid(_: Any) -> bytes:
    return b""
