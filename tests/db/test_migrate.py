"""The schema that migrations make is the one that the tables declare, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from heddle.database import metadata, open_database
from heddle.db import migrate
from heddle.db.engine import normalise


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_migrations_make_what_is_declared(database_url: str) -> None:
    engine = sa.create_engine(normalise(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
        made = sa.inspect(connection)
        indexes = {
            str(name)
            for table in metadata.tables
            for name in (index["name"] for index in made.get_indexes(table))
        }
    engine.dispose()
    assert [d for d in differences if "remove_index" not in str(d[0])] == []
    if engine.dialect.name == "postgresql":
        declared = {str(i.name) for table in metadata.sorted_tables for i in table.indexes}
        assert declared <= indexes


def test_head_is_the_newest_file() -> None:
    files = sorted((migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert files[-1].name.split("_")[0] == migrate.HEAD


def test_a_database_that_is_up_to_date_is_left_alone(database_url: str) -> None:
    database = open_database(database_url)
    try:
        assert database.migrate() is False
    finally:
        database.close()
