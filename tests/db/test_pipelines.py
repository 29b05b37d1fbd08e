"""PostgreSQL through its protocol's pipelines: what was sent without waiting fails in time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.database import open_database
from heddle.db import postgres
from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Tx
from heddle.errors import Invalid


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open PostgreSQL database with a table to write to."""
    database = open_database(database_url)
    try:
        if database.is_embedded:
            pytest.skip("SQLite has no pipelines")
        database.write_now(lambda tx: tx.cursor.post("CREATE TABLE things (n integer)"), LOCAL)
        yield database
    finally:
        database.close()


def things(database: Database) -> list[int]:
    def operation(tx: Tx) -> list[int]:
        return [row[0] for row in tx.cursor.execute("SELECT n FROM things ORDER BY n").fetchall()]

    found: list[int] = database.read_now(operation, LOCAL)
    return found


def ask(database: Database, sql: str, values: list[Any]) -> Any:
    """The first row of a statement."""
    return database.read_now(lambda tx: tx.cursor.execute(sql, values).fetchone(), LOCAL)


def test_a_write_that_nobody_waited_for_fails_with_the_commit(database: Database):
    reached: list[bool] = []

    def operation(tx: Tx) -> None:
        tx.cursor.post("INSERT INTO things VALUES (1)")
        tx.cursor.post("INSERT INTO things VALUES (1 / $1::integer)", [0])
        tx.cursor.post("INSERT INTO things VALUES (2)")
        reached.append(True)

    with pytest.raises(Invalid, match="division by zero"):
        database.write_now(operation, LOCAL)
    assert reached == [True]
    assert things(database) == []
    database.write_now(lambda tx: tx.cursor.post("INSERT INTO things VALUES (3)"), LOCAL)
    assert things(database) == [3]


def test_a_statement_that_failed_may_be_sent_again(database: Database):
    sql = "INSERT INTO things VALUES (10 / $1::integer)"

    def insert(divisor: int, tx: Tx) -> None:
        tx.cursor.execute(sql, [divisor])

    with pytest.raises(Invalid, match="division by zero"):
        database.write_now(partial(insert, 0), LOCAL)
    for divisor in (1, 2, 5):
        database.write_now(partial(insert, divisor), LOCAL)
    assert things(database) == [2, 5, 10]


def test_more_statements_than_are_kept_prepared(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgres, "PREPARED_MAX", 3)

    def operation(tx: Tx) -> list[int]:
        asked = [f"SELECT {number} + $1::integer" for number in range(10)] * 2
        return [tx.cursor.execute(sql, [1]).fetchone()[0] for sql in asked]

    assert database.read_now(operation, LOCAL) == [*range(1, 11)] * 2
    assert database.write_now(operation, LOCAL) == [*range(1, 11)] * 2


def test_values_come_back_as_they_went(database: Database):
    values = [2**62, -1.5e-300, "ä\\ '\"", b"\x00\xff\\", None, [3, None, 5], ["a,b", '"', "{}"]]
    kinds = ["bigint", "float8", "text", "bytea", "text", "bigint[]", "text[]"]
    sql = "SELECT " + ", ".join(f"${place}::{kind}" for place, kind in enumerate(kinds, 1))
    assert list(ask(database, sql, values)) == values
    for kind, broken in (("text", "a\0b"), ("text[]", ["a\0b"])):
        with pytest.raises(Invalid, match="NUL"):
            ask(database, f"SELECT $1::{kind}", [broken])


words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
lists = st.one_of(
    st.tuples(st.just("bigint[]"), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just("float8[]"), st.lists(st.none() | st.floats(allow_nan=False))),
    st.tuples(st.just("text[]"), st.lists(st.none() | words | st.sampled_from(["NULL", "null"]))),
    st.tuples(st.just("bytea[]"), st.lists(st.binary(max_size=4))),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lists)
def test_lists_come_back_as_they_went(database: Database, sent: tuple[str, list[Any]]):
    kind, values = sent
    assert ask(database, f"SELECT $1::{kind}", [values]) == (values,)
