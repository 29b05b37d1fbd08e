"""Servers as processes of their own, each on a free port and in a folder of its own.

Started as a person would start them, waited for until ``/health`` answers, and ended, with whatever
they started, when the block is left. Only processes started here are ended here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
START_S = 90
STOP_S = 15
OURS = ("HEDDLE_", "MLFLOW_")


@dataclass(frozen=True)
class Running:
    """A server that answers: its address, and its process."""

    uri: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port of the loopback address that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_healthy(uri: str) -> bool:
    """Whether a server answers there."""
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextlib.contextmanager
def heddle_server(folder: Path, *options: str) -> Iterator[Running]:
    """Heddle on this folder's data, with more options of ``heddle serve`` if wanted."""
    port = free_port()
    command = [sys.executable, "-m", "heddle", "serve", "--no-worker", "--port", str(port)]
    command += ["--data", str(folder / "data"), *options]
    host = options[options.index("--host") + 1] if "--host" in options else "127.0.0.1"
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    with running(command, {"PYTHONPATH": path}, folder, port, host) as server:
        yield server


@contextlib.contextmanager
def running(
    command: list[str], extra: dict[str, str], folder: Path, port: int, host: str = "127.0.0.1"
) -> Iterator[Running]:
    """Run a command that serves on this port; raises with its log if it does not come up."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"server-{port}.log"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**kept, **extra},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Running(f"http://{host}:{port}", port, process, log)
    try:
        deadline = time.monotonic() + START_S
        while not is_healthy(server.uri):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{command!r} did not come up:\n{said}")
            time.sleep(0.05)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
