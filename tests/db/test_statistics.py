"""SQLite's planner statistics are kept fresh by the server while it writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from heddle.database import open_database
from heddle.db.statistics import FIRST_CHANGES
from heddle.db.tx import LOCAL, Tx
from heddle.tracking import runs


def estimates(path: Path) -> dict[str, int]:
    """How many rows each table has, as the statistics say."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT tbl, stat FROM sqlite_stat1").fetchall()
    finally:
        connection.close()
    return {table: int(stat.split()[0]) for table, stat in rows}


def add(tx: Tx, count: int) -> None:
    for _ in range(count):
        runs.create_run(tx, experiment_id=0)


def test_a_database_that_grows_from_empty_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "heddle.db"
    database = open_database(f"sqlite:///{path}")
    try:
        database.write_now(lambda tx: add(tx, 1), LOCAL)
        for _ in range(4):
            database.write_now(lambda tx: add(tx, FIRST_CHANGES // 4), LOCAL)
        # The round follows the commit; the next write comes after its first table.
        for _ in range(50):
            database.write_now(lambda tx: add(tx, 1), LOCAL)
        said = estimates(path)
        assert FIRST_CHANGES / 2 < said["runs"] < FIRST_CHANGES * 2
    finally:
        database.close()


def test_readers_learn_of_it(tmp_path: Path) -> None:
    """A reader's connection is opened anew once there are new statistics."""
    database = open_database(f"sqlite:///{tmp_path / 'heddle.db'}")

    try:
        database.write_now(lambda tx: add(tx, 1), LOCAL)
        before = database._session()
        for _ in range(60):
            database.write_now(lambda tx: add(tx, FIRST_CHANGES // 10), LOCAL)
        assert database._session() is not before
    finally:
        database.close()


def test_closing_looks_at_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "heddle.db"
    database = open_database(f"sqlite:///{path}")
    database.write_now(lambda tx: add(tx, 1), LOCAL)
    database.write_now(lambda tx: add(tx, 3 * FIRST_CHANGES), LOCAL)
    database.close()
    assert estimates(path)["runs"] > FIRST_CHANGES
