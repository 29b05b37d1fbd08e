"""The schema that migrations make is the one that the tables declare, on both databases."""

from __future__ import annotations

import sqlalchemy as sa

from heddle.database import metadata, open_database
from heddle.db import migrate
from heddle.db.condition import schema_differences
from heddle.db.engine import normalise


def test_migrations_make_what_is_declared(database_url: str) -> None:
    engine = sa.create_engine(normalise(database_url))
    with engine.connect() as connection:
        assert schema_differences(connection, metadata) == []
    engine.dispose()


def test_head_is_the_newest_file() -> None:
    files = sorted((migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert files[-1].name.split("_")[0] == migrate.HEAD


def test_a_database_that_is_up_to_date_is_left_alone(database_url: str) -> None:
    database = open_database(database_url)
    try:
        assert database.migrate() is False
    finally:
        database.close()
