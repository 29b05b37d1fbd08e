"""The doctor finds what is broken for real, on both databases, and mends what it may."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from heddle import doctor
from heddle.artifacts.blobs import open_store
from heddle.artifacts.contents import keep_stored
from heddle.cli import main
from heddle.database import open_database
from heddle.db import condition
from heddle.db.engine import normalise
from heddle.db.tx import LOCAL, Tx
from heddle.settings import Settings
from heddle.tracking import runs

INDEX = "ix_runs_workspace_id_start_ms"
# The tests' own PostgreSQL runs with autovacuum off, which the doctor rightly tells of.
ALWAYS = "autovacuum is off"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A sound database with one large content, and statistics."""
    settings = Settings(data=tmp_path, database=database_url)
    database = open_database(database_url)
    incoming = open_store(settings.artifacts_url).begin()
    incoming.write([b"x" * 100_000])
    incoming.finish()
    incoming.place()
    database.write_now(lambda tx: keep_stored(tx, incoming.digest, 100_000), LOCAL)
    incoming.drop()
    database.close()
    return settings


@pytest.fixture
def run(settings: Settings) -> Iterator[Callable[..., Any]]:
    """Runs statements on the database past Heddle."""
    engine = sa.create_engine(normalise(settings.database), poolclass=sa.NullPool)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield lambda text: connection.execute(sa.text(text))
    engine.dispose()


def found(settings: Settings, *, quick: bool = False) -> list[str]:
    """What the doctor says, each with how bad it is."""
    said = [f"{one.level.value}: {one.what}" for one in doctor.examine(settings, quick=quick)]
    return [line for line in said if ALWAYS not in line]


def grown(settings: Settings, count: int) -> None:
    database = open_database(settings.database)

    def add(tx: Tx) -> None:
        for _ in range(count):
            runs.create_run(tx, experiment_id=0)

    database.write_now(add, LOCAL)
    database.close()


def test_nothing_is_wrong(settings: Settings) -> None:
    assert found(settings) == []


def test_a_missing_index_is_made(settings: Settings, run: Callable[..., Any]) -> None:
    run(f"DROP INDEX {INDEX}")
    assert found(settings) == [
        f"poor: index {INDEX} of runs is missing; searches read whole tables"
    ]
    assert doctor.mend(settings, doctor.examine(settings)) >= 1
    assert found(settings) == []


def test_an_index_too_many_is_told(settings: Settings, run: Callable[..., Any]) -> None:
    run("CREATE INDEX mine ON runs (user_id)")
    (said,) = [one for one in doctor.examine(settings) if "mine" in one.what]
    assert said.level is condition.Level.NOTE
    assert 'DROP INDEX "mine"' in said.advice


def test_a_table_that_was_altered_is_told(settings: Settings, run: Callable[..., Any]) -> None:
    run("ALTER TABLE runs ADD COLUMN mine TEXT")
    assert any("remove column runs mine" in line for line in found(settings))


def test_stale_statistics_are_gathered(
    settings: Settings, run: Callable[..., Any], dialect: str
) -> None:
    grown(settings, 3_000)
    if dialect == "sqlite":
        run("UPDATE sqlite_stat1 SET stat = '2 1 1 1 1 1' WHERE tbl = 'runs'")
    (said,) = [line for line in found(settings) if "statistics" in line]
    assert "runs (" in said
    doctor.mend(settings, doctor.examine(settings))
    assert found(settings) == []


def test_a_schema_behind_or_ahead_is_told(settings: Settings, run: Callable[..., Any]) -> None:
    run("UPDATE alembic_version SET version_num = '9999'")
    (said,) = [one for one in doctor.examine(settings) if "9999" in one.what]
    assert said.level is condition.Level.BAD
    assert "newer release" in said.advice
    run("DELETE FROM alembic_version")
    (said,) = [one for one in doctor.examine(settings) if "no schema" in one.what]
    assert said.advice == "heddle migrate {place}"


def contents(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.artifacts_url).rglob("*") if len(path.name) == 64]


def test_a_missing_content_is_told(settings: Settings) -> None:
    (path,) = contents(settings)
    path.unlink()
    (said,) = found(settings)
    assert said.startswith("bad: 1 contents are missing from the store")
    assert path.name[:12] in said
    assert found(settings, quick=True) == []


def test_an_orphan_content_is_told(settings: Settings) -> None:
    incoming = open_store(settings.artifacts_url).begin()
    incoming.write([b"y" * 70_000])
    incoming.finish()
    incoming.place()
    incoming.drop()
    old = time.time() - 3 * 24 * 3600
    (orphan,) = [path for path in contents(settings) if path.name == incoming.digest]
    os.utime(orphan, (old, old))
    assert found(settings) == [
        "poor: 1 orphan contents in the store that the database does not know (70000 bytes)"
    ]


def test_the_rest_of_an_upload_is_told(settings: Settings) -> None:
    rest = Path(settings.artifacts_url) / "incoming" / ("0" * 32)
    rest.write_bytes(b"half")
    old = time.time() - 3 * 24 * 3600
    os.utime(rest, (old, old))
    assert found(settings) == ["poor: 1 rests of uploads that were never completed (4 bytes)"]


def test_a_row_from_the_future_is_told(settings: Settings, run: Callable[..., Any]) -> None:
    run(f"UPDATE experiments SET created_ms = {(time.time_ns() // 10**6) + 3_600_000}")
    (said,) = found(settings)
    assert "the newest of experiments was made 3" in said


def test_a_full_disk_is_told(settings: Settings) -> None:
    (said,) = doctor.disk(settings, scarce=2**62)
    assert "MiB left" in said.what
    assert list(doctor.disk(settings, scarce=0)) == []


def test_clocks_that_differ_are_told(
    settings: Settings, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dialect == "sqlite":
        pytest.skip("an embedded database has this machine's clock")
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 60 * 10**9)
    (said,) = [line for line in found(settings) if "clock" in line]
    assert "are 60.0 s apart" in said


class TestSQLiteFile:
    """What can befall a file."""

    @pytest.fixture
    def dialect(self) -> str:
        return "sqlite"

    def test_damage_is_told(self, settings: Settings) -> None:
        grown(settings, 2_000)
        path = Path(settings.database.removeprefix("sqlite:///"))
        data = bytearray(path.read_bytes())
        middle = len(data) // 2 // 4096 * 4096
        data[middle : middle + 4096] = b"\xff" * 4096
        path.write_bytes(data)
        said = found(settings)
        assert said[0].startswith("bad: the database file is damaged")

    def test_rows_without_their_owner_are_told(
        self, settings: Settings, run: Callable[..., Any]
    ) -> None:
        run("PRAGMA foreign_keys = OFF")
        run("INSERT INTO run_tags VALUES (12345, 'k', 'v')")
        assert found(settings) == [
            "bad: 1 rows of run_tags belong to rows of runs that are not there"
        ]

    def test_a_log_that_cannot_be_written_back_is_told(self, settings: Settings) -> None:
        path = settings.database.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchone()
            grown(settings, 2_000)
            engine = sa.create_engine(settings.database, poolclass=sa.NullPool)
            with engine.connect() as connection:
                (said,) = condition._wal(connection, largest=100_000)
            engine.dispose()
        assert "some program has been reading for long" in said.what


def test_the_command(
    settings: Settings, run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["doctor", "--data", str(settings.data), "--database", settings.database, "--json"]
    run(f"DROP INDEX {INDEX}")
    assert main(command) == 1
    rows = json.loads(capsys.readouterr().out)
    (row,) = [row for row in rows if INDEX in row["what"]]
    assert row["level"] == "poor"
    assert row["do"].startswith("heddle doctor --fix --data ")
    main([*command, "--fix"])
    assert INDEX not in capsys.readouterr().out


def test_it_works_beside_a_running_server(settings: Settings, run: Callable[..., Any]) -> None:
    run(f"DROP INDEX {INDEX}")
    server = open_database(settings.database)
    try:
        server.write_now(lambda tx: runs.create_run(tx, experiment_id=0), LOCAL)
        doctor.mend(settings, doctor.examine(settings))
        server.write_now(lambda tx: runs.create_run(tx, experiment_id=0), LOCAL)
        assert found(settings) == []
    finally:
        server.close()
