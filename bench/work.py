"""Owns what a workload is, and how one round of it runs: probe, check, load, verify.

Always holds: no figure without a checked body first and a checked outcome after; a workload that
is too slow to time is counted instead, so that a round always ends.
"""

import http.client
import math
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.client import Client, WrongAnswer, expect
from bench.forms import Form
from bench.load import Load, Measure, NoAnswer, Request, run, send
from bench.seed import Seed
from bench.servers import DidNotStart, Flavour

# With fewer answers than this in a round, a round is counted instead of timed.
FEWEST_TIMED = 8
# How many times its length a round may grow to, for a server that is slow with many connections.
LONGEST = 5
# How long a server that gave no answer at all under load is waited for.
STALLED_S = 15.0
# What a server's wrong, late or missing answer can raise here; anything else is our own mistake.
FAILURES = (
    WrongAnswer,
    DidNotStart,
    OSError,
    http.client.HTTPException,
    subprocess.TimeoutExpired,
    LookupError,
    ValueError,
    TypeError,
)


@dataclass(frozen=True)
class Target:
    """A running, seeded server that work is asked of."""

    flavour: Flavour
    url: str
    seed: Seed
    client: Client
    form: Form


Round = Callable[[int], Mapping[str, Measure]]


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    key: str
    title: str
    unit: str


@dataclass(frozen=True)
class Workload:
    """Work that servers with `ability` can be asked; `prepare` returns what runs one round."""

    name: str
    rows: tuple[Row, ...]
    ability: str
    prepare: Callable[[Target], Round]
    quick: bool = False
    postgres: bool = False
    many: bool = False


def nothing_to_verify(answers: int) -> None:
    """Stand for work that leaves nothing behind."""


@dataclass(frozen=True)
class Work:
    """The requests of one round, the check of one body, and of what the server holds after it.

    `verify` receives the number of counted answers; the server may hold a few more, namely those
    that were under way when the time was up. `steady` says that all answers are of one size.
    """

    requests: Sequence[Request]
    check: Callable[[bytes], None]
    verify: Callable[[int], None] = field(default=nothing_to_verify)
    steady: bool = False


Maker = Callable[[Target, int], Work]


def loaded(
    name: str,
    title: str,
    ability: str,
    make: Maker,
    *,
    connections: int,
    unit: str = "req/s",
    per_request: Callable[[Target], float] = lambda _: 1.0,
    quick: bool = False,
    postgres: bool = False,
    many: bool = False,
) -> Workload:
    """Return the workload that sends the requests of `make` over so many connections."""

    def prepare(target: Target) -> Round:
        def one(number: int) -> Mapping[str, Measure]:
            work = make(target, number)
            told = probe(target, work, connections)
            load = Load(
                target.url,
                work.requests,
                connections,
                told.seconds,
                limit=told.limit,
                per_request=per_request(target),
            )
            try:
                measure = run(load)
            except NoAnswer:
                # It stalls under so many connections: given time, it is slow, not dead.
                measure = run(replace(load, seconds=max(LONGEST * told.seconds, STALLED_S)))
            if work.steady:
                expect(
                    measure.bytes_per_answer > 0.95 * told.length,
                    f"answers of {measure.bytes_per_answer:.0f} bytes instead of {told.length}",
                )
            work.verify(measure.requests)
            return {name: measure}

        return one

    row = Row(name, title, unit)
    return Workload(name, (row,), ability, prepare, quick=quick, postgres=postgres, many=many)


@dataclass(frozen=True)
class Probe:
    """What one request told: its body's length, and how long or how far the load has to go."""

    length: int
    seconds: float
    limit: int


def probe(target: Target, work: Work, connections: int) -> Probe:
    """Send one request, check its body, and fit the load to the time that it took."""
    began = time.perf_counter()
    content = send(target.client, work.requests[0], 0)
    taken = time.perf_counter() - began
    work.check(content)
    seconds = target.form.seconds
    if taken * FEWEST_TIMED >= seconds * connections:
        return Probe(len(content), seconds, max(connections, math.ceil(seconds / taken)))
    # A server that does one thing at a time has to get round to every connection twice.
    patient = min(2 * taken * connections, LONGEST * seconds)
    return Probe(len(content), max(seconds, patient), 0)
