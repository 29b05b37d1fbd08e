"""A live Heddle server for tests that speak to it over HTTP, as a process of its own.

One server for all tests of a worker: names must be the test's own. It is started as a team would
start it, on a free port and a folder that goes away, and ended with the tests.
`HEDDLE_COMPAT_URI` names another server to speak to instead, MLflow's own for one, which shows
whether a test expects the right thing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
START_S = 60
STOP_S = 15


def find_port() -> int:
    """A port of the loopback address that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_healthy(uri: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def run_server(folder: Path) -> Iterator[str]:
    """Run Heddle on this folder and give its address; raises with its log if it does not start."""
    port = find_port()
    uri = f"http://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if "HEDDLE_" not in key}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "heddle",
                "serve",
                "--port",
                str(port),
                "--data",
                folder / "data",
                "--no-worker",
            ],
            env={**environment, "PYTHONPATH": str(SOURCE)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while not is_healthy(uri):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-4000:]}")
            time.sleep(0.05)
        yield uri
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def live_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a live server."""
    if named := os.environ.get("HEDDLE_COMPAT_URI"):
        yield named.rstrip("/")
        return
    with run_server(tmp_path_factory.mktemp("live")) as uri:
        yield uri
