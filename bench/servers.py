"""Owns the servers under test: their flavours, commands, start, memory and end.

Always holds: a server is the leader of a session of its own, listens on loopback only, and no
process of that session outlives `stop`.
Leaves to others: environments to `peers`, databases other than SQLite to `postgres`.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Client, WrongAnswer
from bench.machine import cpu_s, rss_bytes, server_pids
from bench.peers import environment, version_of
from bench.places import ROOT

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
# A server is at rest when it used less than this share of a core for so long.
IDLE_SHARE = 0.05
IDLE_WINDOW_S = 0.5
TRACKING = "tracking"
POINTS = "points"
REGISTRY = "registry"
ARTIFACTS = "artifacts"


class DidNotStart(Exception):
    """A server gave no answer in time, or ended before it gave one."""


@dataclass(frozen=True)
class Flavour:
    """One server in one configuration."""

    name: str
    title: str
    family: str
    abilities: frozenset[str]
    options: tuple[str, ...] = ()
    postgres: bool = False


_ALL = frozenset({TRACKING, POINTS, REGISTRY, ARTIFACTS})
FLAVOURS: Mapping[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour("heddle", "Heddle", "heddle", _ALL),
        Flavour("mlflow", "MLflow", "mlflow", _ALL),
        Flavour("mlflow-best", "MLflow, 1 worker", "mlflow", _ALL, ("--workers", "1")),
        Flavour("fasttrackml", "FastTrackML", "fasttrackml", frozenset({TRACKING, POINTS})),
        Flavour("bare", "Bare writer", "bare", frozenset({POINTS})),
        Flavour("heddle-pg", "Heddle on PostgreSQL", "heddle", _ALL, postgres=True),
        Flavour("mlflow-pg", "MLflow on PostgreSQL", "mlflow", _ALL, postgres=True),
        Flavour(
            "mlflow-pg-best",
            "MLflow on PostgreSQL, 1 worker",
            "mlflow",
            _ALL,
            ("--workers", "1"),
            postgres=True,
        ),
    )
}


# What comes with this checkout.
OURS = {"heddle": ROOT / "src", "bare": ROOT}


@dataclass(frozen=True)
class Programs:
    """How each family is started; Heddle's interpreter may be chosen by the caller."""

    heddle_python: str = sys.executable

    def command(
        self, flavour: Flavour, port: int, data: Path, database: str | None = None
    ) -> list[str]:
        """Return the command line of `flavour` on `port`, its files under `data`."""
        make: dict[str, Callable[[], list[str]]] = {
            "heddle": lambda: self._heddle(port, data, database),
            "mlflow": lambda: _mlflow(port, database),
            "fasttrackml": lambda: _fasttrackml(port),
            "bare": lambda: self._bare(port, data),
        }
        return [*make[flavour.family](), *flavour.options]

    def _heddle(self, port: int, data: Path, database: str | None) -> list[str]:
        command = [self.heddle_python, "-m", "heddle", "serve", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--data", str(data)]
        return [*command, "--database", database] if database else command

    def _bare(self, port: int, data: Path) -> list[str]:
        return [self.heddle_python, "-m", "bench.bare", "--port", str(port), "--data", str(data)]

    def version(self, family: str) -> str:
        """Return the version of a family's program in words."""
        if family in OURS:
            return _git("describe", "--always", "--dirty") or "not committed"
        return version_of(environment(family), family)


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _mlflow(port: int, database: str | None) -> list[str]:
    program = environment("mlflow") / "bin" / "mlflow"
    command = [str(program), "server", "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--backend-store-uri", database] if database else command


def _fasttrackml(port: int) -> list[str]:
    program = environment("fasttrackml") / "bin" / "fml"
    return [str(program), "server", "--listen-address", f"127.0.0.1:{port}"]


@dataclass
class Server:
    """A running server; `start_s` is the time from its start to its first answer."""

    flavour: Flavour
    data: Path
    command: Callable[[int], list[str]]
    port: int = 0
    start_s: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address that requests go to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Where the server's own output goes."""
        return self.data.parent / f"{self.data.name}.log"

    def start(self) -> None:
        """Start the server and wait for its first answer; raise DidNotStart without one."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        environ = dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
        if self.flavour.family in OURS:
            environ["PYTHONPATH"] = str(OURS[self.flavour.family])
        else:
            environ.pop("PYTHONPATH", None)
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(self.port),
                cwd=self.data,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_answer(began)
        except BaseException:
            self.stop()
            raise
        self.start_s = time.perf_counter() - began

    def _await_answer(self, began: float) -> None:
        assert self._process is not None
        while time.perf_counter() - began < START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise DidNotStart(f"{self.flavour.name} ended: {self._last_words()}")
            client = Client(self.url, timeout_s=10)
            try:
                client.get("experiments/get", experiment_id="0")
            except (OSError, http.client.HTTPException, ValueError, WrongAnswer):
                time.sleep(0.01)
            else:
                return
            finally:
                client.close()
        raise DidNotStart(f"{self.flavour.name} gave no answer: {self._last_words()}")

    def _last_words(self) -> str:
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-4:])

    def pids(self) -> list[int]:
        """Return all living processes of the server."""
        return server_pids(self._process.pid) if self._process else []

    def memory_bytes(self) -> int:
        """Return the resident memory of all processes of the server."""
        return rss_bytes(self.pids())

    def answering_bytes(self) -> int:
        """Return the resident memory of the process that was started, which answers if it is one."""
        return rss_bytes([self._process.pid]) if self._process else 0

    def settle(self, longest_s: float) -> None:
        """Wait until the server does nothing by itself, but no longer than `longest_s`.

        Some servers answer while processes of theirs are still starting.
        """
        until = time.monotonic() + longest_s
        while time.monotonic() < until:
            before = cpu_s(self.pids())
            time.sleep(IDLE_WINDOW_S)
            if cpu_s(self.pids()) - before < IDLE_SHARE * IDLE_WINDOW_S:
                return

    def stop(self) -> None:
        """End every process of the server: asked first, then made to."""
        if self._process is None:
            return
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self.pids() and time.monotonic() < deadline:
            self._process.poll()
            time.sleep(0.05)
        self._signal_all(signal.SIGKILL)
        self._process.wait(timeout=STOP_TIMEOUT_S)
        self._process = None

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def free_port() -> int:
    """Return a port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
