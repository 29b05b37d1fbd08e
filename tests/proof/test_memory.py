"""Memory stays flat while much goes up and down beside the logging of metrics."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from torture.client import MLFLOW, PROXY
from torture.server import Server

MIB = 1024 * 1024
TOTAL_MIB = int(os.environ.get("HEDDLE_MEMORY_MIB", "256"))
"""How much goes up, and down again; 2048 for the full measure."""
FILE_MIB = min(256, TOTAL_MIB)
LIMIT = 150 * MIB
BLOCK = os.urandom(MIB)


def blocks(number: int) -> Iterator[bytes]:
    """A file of its own, a block at a time."""
    for at in range(FILE_MIB):
        yield number.to_bytes(8) + at.to_bytes(8) + BLOCK[16:]


def put(server: Server, number: int) -> str:
    """Send one file; its digest."""
    found = hashlib.sha256()

    def hashed() -> Iterator[bytes]:
        for block in blocks(number):
            found.update(block)
            yield block

    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    length = {"Content-Length": str(FILE_MIB * MIB)}
    connection.request("PUT", f"{PROXY}/big/{number}", hashed(), length)
    assert connection.getresponse().status == 200
    connection.close()
    return found.hexdigest()


def get(server: Server, number: int) -> str:
    """Fetch one file; its digest."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", f"{PROXY}/big/{number}")
    answer = connection.getresponse()
    found = hashlib.sha256()
    while block := answer.read(MIB):
        found.update(block)
    connection.close()
    return found.hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.timeout(600)
def test_memory_stays_flat_beside_large_files(tmp_path: Path) -> None:
    stop = threading.Event()
    most: list[int] = [0]
    logged: list[int] = [0]

    def watch(server: Server) -> None:
        while not stop.wait(0.02):
            most[0] = max(most[0], server.resident_bytes())

    def log(server: Server) -> None:
        with server.client() as client:
            made = client.post("runs/create", experiment_id="0", start_time=1)
            uid = made.json["run"]["info"]["run_id"]
            while not stop.is_set():
                step = logged[0]
                answer = client.post(
                    "runs/log-metric", run_id=uid, key=f"m{step % 50}", value=step,
                    timestamp=step, step=step,
                )  # fmt: skip
                assert answer.status == 200
                logged[0] += 1

    with Server(tmp_path / "data") as server:
        threads = [threading.Thread(target=task, args=(server,)) for task in (watch, log, log)]
        for thread in threads:
            thread.start()
        try:
            digests = [put(server, number) for number in range(TOTAL_MIB // FILE_MIB)]
            assert [get(server, number) for number in range(len(digests))] == digests
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert most[0] < LIMIT, f"{most[0] / MIB:.0f} MiB"
    assert logged[0] > 100
    sys.stdout.write(
        f"{TOTAL_MIB} MiB up and down beside {logged[0]} points: {most[0] / 1e6:.0f} MB at most\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_large_answers_leave_nothing_behind(tmp_path: Path) -> None:
    count = 200_000
    with Server(tmp_path / "data") as server, server.client() as client:
        made = client.post("runs/create", experiment_id="0", start_time=1)
        uid = made.json["run"]["info"]["run_id"]
        for start in range(0, count, 1000):
            points = [
                {"key": "m", "value": step / 7, "timestamp": step, "step": step}
                for step in range(start, start + 1000)
            ]
            assert client.post("runs/log-batch", run_id=uid, metrics=points).status == 200
        before = server.resident_bytes()
        for _ in range(3):
            found = client.read(f"{MLFLOW}/metrics/get-history?run_id={uid}&metric_key=m")
            assert len(found["metrics"]) == count
        left = server.resident_bytes() - before
    assert left < 24 * MIB, f"{left / MIB:.0f} MiB stayed"
    sys.stdout.write(f"{left / 1e6:.0f} MB stayed after three histories of {count:,} points\n")
