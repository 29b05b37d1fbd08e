"""An open database for the registry's tests, and ways to run an operation on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import Caller


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database, closed afterwards."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def do(database: Database) -> Callable[..., Any]:
    """Runs an operation of the registry in a write transaction of its own."""

    def run(operation: Callable[..., Any], *args: Any, by: str = "ada", **kwargs: Any) -> Any:
        return database.write_now(lambda tx: operation(tx, *args, **kwargs), Caller(by))

    return run
