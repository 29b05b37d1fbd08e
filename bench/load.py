"""Owns the load: plans of requests, wrk in a process of its own, what it counted.

Always holds: one wrk process is one thread; every load ends by itself, by time or by count, and is
ended by force if it does not; failed answers never count as work. Answers that take so long that
few fit into a round are counted instead of timed, from threads of this process: the generator's own
cost is nothing beside them.
"""

import json
import math
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from bench.client import Client, WrongAnswer
from bench.places import HERE, WORK

REQUEST_TIMEOUT_S = 60
GRACE_S = REQUEST_TIMEOUT_S + 5
JSON_KIND = "application/json"


class NoAnswer(WrongAnswer):
    """Nothing failed, but no answer came within the time of a load either."""


@dataclass(frozen=True)
class Request:
    """One request; the load's running number is spliced between the parts of path and body."""

    method: str
    path: tuple[str, ...]
    body: tuple[str | bytes, ...] = ()
    kind: str = JSON_KIND


@dataclass(frozen=True)
class Measure:
    """What one round gave: a rate in the workload's unit, latencies in milliseconds."""

    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests: int
    bytes_per_answer: float = 0.0


@dataclass(frozen=True)
class Load:
    """`requests` in turn over `connections`: for `seconds`, or until `limit` answers have come."""

    url: str
    requests: Sequence[Request]
    connections: int
    seconds: float
    limit: int = 0
    per_request: float = 1.0


def run(load: Load) -> Measure:
    """Send the load and return what came of it; raise WrongAnswer where an answer failed."""
    return _run_counted(load) if load.limit else run_together([load])[0]


def run_together(loads: Sequence[Load]) -> list[Measure]:
    """Send several loads at the same time, each from a process of its own."""
    WORK.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        started = []
        for load in loads:
            plan = stack.enter_context(_plan_file(load.requests))
            started.append(_start(stack, load, "load.lua", [plan]))
        return [_finish(process, load) for process, load in zip(started, loads, strict=True)]


def run_script(load: Load, script: str, arguments: Sequence[str]) -> Measure:
    """Send the load that a Lua script of its own makes; `load.requests` is not used."""
    with ExitStack() as stack:
        return _finish(_start(stack, load, script, arguments), load)


def _run_counted(load: Load) -> Measure:
    numbers = iter(range(1, load.limit + 1))
    taken: list[float] = []
    sizes: list[int] = []

    def connection(client: Client) -> None:
        with closing(client):
            for number in numbers:
                began = time.perf_counter()
                request = load.requests[number % len(load.requests)]
                sizes.append(len(send(client, request, number)))
                taken.append(time.perf_counter() - began)

    clients = [Client(load.url, REQUEST_TIMEOUT_S) for _ in range(load.connections)]
    began = time.perf_counter()
    with ThreadPoolExecutor(load.connections) as pool:
        list(pool.map(connection, clients))
    seconds = time.perf_counter() - began
    taken.sort()
    return Measure(
        rate=len(taken) * load.per_request / seconds,
        p50_ms=taken[len(taken) // 2] * 1000,
        p95_ms=taken[len(taken) * 95 // 100] * 1000,
        p99_ms=taken[len(taken) * 99 // 100] * 1000,
        requests=len(taken),
        bytes_per_answer=sum(sizes) / len(sizes),
    )


def send(client: Client, request: Request, number: int) -> bytes:
    """Send one request of a plan, `number` spliced into it, and return its body."""
    spliced = str(number)
    body = spliced.encode().join(
        part.encode() if isinstance(part, str) else part for part in request.body
    )
    has_body = request.method in ("POST", "PUT")
    return client.raw(
        request.method, spliced.join(request.path), body if has_body else None, request.kind
    )


@contextmanager
def _plan_file(requests: Sequence[Request]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua", dir=WORK, encoding="ascii") as file:
        file.write("return {\n")
        for request in requests:
            path = ",".join(_lua(part) for part in request.path)
            body = ",".join(_lua(part) for part in request.body)
            file.write(
                f"{{method={_lua(request.method)},kind={_lua(request.kind)},"
                f"path={{{path}}},body={{{body}}}}},\n"
            )
        file.write("}\n")
        file.flush()
        yield file.name


def _lua(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    plain = b'"\\'
    escaped = (
        chr(byte) if 32 <= byte < 127 and byte not in plain else f"\\{byte:03d}" for byte in content
    )
    return '"' + "".join(escaped) + '"'


def _start(
    stack: ExitStack, load: Load, script: str, arguments: Sequence[str]
) -> subprocess.Popen[str]:
    # wrk counts time in whole seconds, so this is only its bound; _finish interrupts it in time.
    seconds = _bound_s(load)
    command = ["wrk", "-t", "1", "-c", str(load.connections), "-d", f"{seconds}s"]
    command += ["--timeout", f"{REQUEST_TIMEOUT_S}s", "-s", str(HERE / script), load.url, "--"]
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack.callback(process.kill)
    return process


def _bound_s(load: Load) -> int:
    return math.ceil(load.seconds) + 1


def _finish(process: subprocess.Popen[str], load: Load) -> Measure:
    try:
        process.wait(timeout=load.seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=_bound_s(load) + GRACE_S)
    line = next((line for line in reversed(output.splitlines()) if line.startswith("{")), None)
    if process.returncode != 0 or line is None:
        raise WrongAnswer(f"wrk failed: {output.strip()[-300:]}")
    counted = json.loads(line)
    if counted["failed"] or counted["broken"]:
        raise WrongAnswer(
            f"{counted['failed']} answers were errors and {counted['broken']} never came, "
            f"of {counted['requests']}"
        )
    if not counted["requests"]:
        raise NoAnswer(f"no answer within {load.seconds:.1f} s")
    return Measure(
        rate=counted["requests"] * load.per_request / (counted["duration_us"] / 1e6),
        p50_ms=counted["p50_us"] / 1000,
        p95_ms=counted["p95_us"] / 1000,
        p99_ms=counted["p99_us"] / 1000,
        requests=counted["requests"],
        bytes_per_answer=counted["bytes"] / counted["requests"],
    )
