"""What the fixtures for databases promise to the tests."""

from __future__ import annotations

import sqlalchemy as sa

from heddle.database import metadata, open_database
from heddle.db.engine import normalise


def _tables(url: str) -> set[str]:
    engine = sa.create_engine(normalise(url), poolclass=sa.NullPool)
    return set(sa.inspect(engine).get_table_names())


def test_database_has_every_table(database_url: str):
    assert set(metadata.tables) <= _tables(database_url)


def test_blank_database_is_brought_up_to_date(blank_database_url: str):
    assert _tables(blank_database_url) == set()
    open_database(blank_database_url).close()
    assert set(metadata.tables) <= _tables(blank_database_url)
