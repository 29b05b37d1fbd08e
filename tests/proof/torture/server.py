"""A Heddle server as a process of its own, that can be killed.

Always holds: it listens on one loopback port over all its lives and keeps everything in one folder.
Whoever starts it ends it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from torture.client import Client, Lost

SOURCES = Path(__file__).resolve().parents[3] / "src"
HERE = Path(__file__).resolve().parents[1]
START_S = 30.0
STOP_S = 20.0


class DidNotStart(Exception):
    """The server ended, or gave no answer in time; holds its last words."""


def find_port() -> int:
    """A port of the loopback address that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server and its data folder over several lives."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "",
        environ: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        altered: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        self.port = find_port()
        # The worker beside a server has tests of its own; here only the server's own writes count.
        own = {"PYTHONPATH": f"{SOURCES}:{HERE}", "HEDDLE_WORKER": "no"}
        self.environ = {**os.environ, **own, **(environ or {})}
        self.before = list(before)
        """What is put before the command, as a program that sets limits."""
        self.module: Sequence[str] = ("heddle",)
        if altered:
            self.module = ("torture.altered", json.dumps(altered))
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """Where all lives say what they have to say."""
        return self.log_path or self.folder.with_name(f"{self.folder.name}.log")

    def words(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def spawn(self, *, module: Sequence[str] = ()) -> None:
        """Start the process without waiting for it."""
        command = [
            *self.before,
            *(sys.executable, "-m", *(module or self.module)),
            *("serve", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--data", str(self.folder)),
        ]
        if self.database:
            command += ["--database", self.database]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environ,
                start_new_session=True,
            )

    def start(self) -> float:
        """Start and wait for the first answer; how many seconds it took."""
        began = time.perf_counter()
        self.spawn()
        self.wait(began)
        return time.perf_counter() - began

    def wait(self, began: float | None = None) -> None:
        """Wait until it answers; raises ``DidNotStart``."""
        assert self.process is not None
        began = time.perf_counter() if began is None else began
        with self.client() as client:
            while True:
                try:
                    if client.send("GET", "/health").status == 200:
                        return
                except Lost:
                    pass
                if self.process.poll() is not None or time.perf_counter() - began > START_S:
                    raise DidNotStart(self.words())
                time.sleep(0.01)

    def client(self, timeout_s: float = 30) -> Client:
        """A new connection to it."""
        return Client(self.port, timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask it to end, and make it end if it does not."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def resident_bytes(self) -> int:
        """Its resident memory; Linux alone tells."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def run(
        self, *arguments: str | Path, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Another command of Heddle's on the same data, to its end."""
        place = ["--data", str(self.folder)]
        if self.database:
            place += ["--database", self.database]
        return subprocess.run(
            [sys.executable, "-m", "heddle", *map(str, arguments), *place],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
