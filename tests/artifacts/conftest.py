"""An open database and open stores of each kind, for the tests of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heddle.artifacts.blobs import Store, open_store
from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import LOCAL


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database, closed afterwards."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def do(database: Database) -> Callable[..., Any]:
    """Runs an operation in a write transaction of its own."""

    def run(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return database.write_now(lambda tx: operation(tx, *args, **kwargs), LOCAL)

    return run


@pytest.fixture
def disk(tmp_path: Path) -> Store:
    """An empty store on disk."""
    return open_store(str(tmp_path / "blobs"))


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store: on disk, and in a bucket that is asked over HTTP."""
    if request.param == "disk":
        return open_store(str(tmp_path / "blobs"))
    return open_store(request.getfixturevalue("s3_url"))
