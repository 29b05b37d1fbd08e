"""What can be wrong with a database: its schema, statistics, soundness and clock, each looked at.

Nothing here changes anything but ``mend``, which gathers statistics and makes missing indexes.
Works beside running servers: everything is read on a connection of its own.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from heddle.db import migrate
from heddle.db.statistics import ROWS_READ, tables_of
from heddle.errors import Unavailable

FACTOR = 10
"""Statistics are stale when the rows are so many times more, or fewer, than they say; SQLite's own
``PRAGMA optimize`` takes the same number."""
FEW = 1_000
"""Differences of so few rows do not matter."""
SKEW_MS = 5_000
FUTURE_MS = 60_000
WAL_MAX = 512 * 1024 * 1024
SHOWN = 5


class Level(Enum):
    """How bad a finding is."""

    BAD = "bad"  # something is lost or will be, or calls fail
    POOR = "poor"  # slow, or wasteful, or misleading
    NOTE = "note"  # worth knowing; nothing is wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: what it is, how bad, what to do, and the statement that mends it.

    In ``advice`` the word ``{place}`` stands for the arguments that name this database.
    """

    level: Level
    what: str
    advice: str
    statement: str = ""


def look(connection: sa.Connection, metadata: sa.MetaData, *, whole: bool) -> Iterator[Finding]:
    """Everything that is wrong; with ``whole`` also what takes reading the whole database."""
    behind = list(_revision(connection))
    yield from behind
    if any(finding.level is Level.BAD for finding in behind):
        return
    if connection.dialect.name == "sqlite" and whole:
        unsound = list(_unsound(connection))
        yield from unsound
        if unsound:
            return
    yield from schema_differences(connection, metadata)
    if connection.dialect.name == "sqlite":
        yield from _sqlite_statistics(connection)
        yield from _wal(connection)
        if whole:
            yield from _broken_references(connection)
    else:
        yield from _postgresql_statistics(connection)
        yield from _postgresql_settings(connection)
        yield from _clock(connection)
    yield from _future(connection, metadata)


def mend(connection: sa.Connection, findings: Sequence[Finding]) -> None:
    """Run the statements of the findings that have one; each commits by itself."""
    statements = list(dict.fromkeys(found.statement for found in findings if found.statement))
    for statement in statements:
        if connection.dialect.name == "sqlite" and statement == "ANALYZE":
            _analyze_sqlite(connection)
        else:
            connection.exec_driver_sql(statement)


def _analyze_sqlite(connection: sa.Connection) -> None:
    """Gather statistics so that running servers notice: a table that is made anew does that."""
    run = connection.exec_driver_sql
    run(f"PRAGMA analysis_limit = {ROWS_READ}")
    run("BEGIN IMMEDIATE")
    try:
        run("DROP TABLE IF EXISTS sqlite_stat1")
        run("ANALYZE")
    except BaseException:
        run("ROLLBACK")
        raise
    run("COMMIT")


def _revision(connection: sa.Connection) -> Iterator[Finding]:
    standing = migrate.current(connection)
    if standing == migrate.HEAD:
        return
    if standing is None:
        what = f"the database has no schema; this release needs {migrate.HEAD}"
    else:
        what = f"the schema is at revision {standing}; this release needs {migrate.HEAD}"
    try:
        migrate.check_known(standing)
    except Unavailable:
        yield Finding(Level.BAD, what, "start the newer release of Heddle that made it")
    else:
        yield Finding(Level.BAD, what, "heddle migrate {place}")


# ---- schema ------------------------------------------------------------------------------------


def schema_differences(connection: sa.Connection, metadata: sa.MetaData) -> list[Finding]:
    """Where the database's tables and indexes are not those that are declared."""
    return [*_table_differences(connection, metadata), *_index_differences(connection, metadata)]


def _table_differences(connection: sa.Connection, metadata: sa.MetaData) -> Iterator[Finding]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 -- slow, rarely needed
    from alembic.migration import MigrationContext  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Indexes of expressions cannot be read back; they are compared by name below.
        warnings.simplefilter("ignore")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    for difference in found:
        for verb, *rest in difference if isinstance(difference, list) else [difference]:
            if verb not in ("add_index", "remove_index"):
                yield Finding(
                    Level.BAD,
                    f"the schema is not as declared: {verb.replace('_', ' ')} {_named(rest)}",
                    "restore the database from a backup; nothing of Heddle changes a schema so",
                )


def _named(rest: Sequence[Any]) -> str:
    return " ".join(str(getattr(part, "name", part)) for part in rest if part is not None)


def _index_differences(connection: sa.Connection, metadata: sa.MetaData) -> Iterator[Finding]:
    declared = {str(i.name): (t.name, i) for t in metadata.sorted_tables for i in t.indexes}
    found = _indexes(connection)
    for name in sorted(declared.keys() - found.keys()):
        table, index = declared[name]
        yield Finding(
            Level.POOR,
            f"index {name} of {table} is missing; searches read whole tables",
            "heddle doctor --fix {place}",
            _creation(connection, index),
        )
    for name in sorted(found.keys() - declared.keys()):
        if found[name] in metadata.tables:
            yield Finding(
                Level.NOTE,
                f"index {name} of {found[name]} is none of Heddle's; every write pays for it",
                _by_hand(connection, f'DROP INDEX "{name}"'),
            )


def _indexes(connection: sa.Connection) -> dict[str, str]:
    """The table of each index, leaving out those of keys and constraints."""
    if connection.dialect.name == "sqlite":
        text = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        text = (
            "SELECT i.relname, t.relname FROM pg_index x"
            " JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid"
            " WHERE i.relnamespace = current_schema()::regnamespace AND x.indisvalid"
            " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid"
            " AND c.contype IN ('p', 'u', 'x'))"
        )
    return {str(row[0]): str(row[1]) for row in connection.execute(sa.text(text))}


def _creation(connection: sa.Connection, index: sa.Index) -> str:
    text = str(sa.schema.CreateIndex(index).compile(dialect=connection.dialect))
    if connection.dialect.name == "postgresql":
        # One that was left half-made by a build that failed has to go first, by hand.
        return re.sub(r"^CREATE (UNIQUE )?INDEX", r"CREATE \1INDEX CONCURRENTLY", text)
    return text


def _by_hand(connection: sa.Connection, statement: str) -> str:
    url = connection.engine.url
    if connection.dialect.name == "sqlite":
        return f"sqlite3 {url.database} '{statement}'"
    return f"psql {url.set(drivername='postgresql').render_as_string()} -c '{statement}'"


# ---- statistics --------------------------------------------------------------------------------


def _sqlite_statistics(connection: sa.Connection) -> Iterator[Finding]:
    raw = connection.connection.driver_connection
    known: dict[str, int] = {}
    if sa.inspect(connection).has_table("sqlite_stat1"):
        for table, stat in connection.exec_driver_sql("SELECT tbl, stat FROM sqlite_stat1"):
            number = re.match(r"\d+", stat or "")
            known[table] = max(known.get(table, 0), int(number[0]) if number else 0)
    stale = []
    for table in tables_of(raw):
        said = known.get(table, 0)
        capped = FACTOR * said + FEW + 1
        count = connection.exec_driver_sql(
            f'SELECT count(*) FROM (SELECT 1 FROM "{table}" LIMIT {capped})'
        ).scalar_one()
        if count >= capped or said > FACTOR * count + FEW:
            more = "over " if count >= capped else ""
            stale.append(f"{table} (said {said} rows, has {more}{count})")
    if stale:
        yield _stale(stale)


def _postgresql_statistics(connection: sa.Connection) -> Iterator[Finding]:
    rows = connection.exec_driver_sql(
        "SELECT relname, n_live_tup, n_mod_since_analyze,"
        " coalesce(last_analyze, last_autoanalyze) IS NULL FROM pg_stat_user_tables"
        " WHERE schemaname = current_schema() ORDER BY relname"
    )
    stale = []
    for table, rows_now, changed, never in rows:
        if changed > FEW and (never or changed > rows_now / 2):
            since = "never looked at" if never else "looked at before that"
            stale.append(f"{table} ({changed} of {rows_now} rows changed, {since})")
    if stale:
        yield _stale(stale)


def _stale(tables: Sequence[str]) -> Finding:
    more = f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else ""
    return Finding(
        Level.POOR,
        f"planner statistics are stale: {', '.join(tables[:SHOWN])}{more}; searches may be slow",
        "heddle doctor --fix {place}",
        "ANALYZE",
    )


def _postgresql_settings(connection: sa.Connection) -> Iterator[Finding]:
    for name in ("autovacuum", "track_counts"):
        if connection.exec_driver_sql(f"SHOW {name}").scalar_one() != "on":
            yield Finding(
                Level.POOR,
                f"PostgreSQL's {name} is off: statistics go stale and dead rows stay",
                _by_hand(connection, f"ALTER SYSTEM SET {name} = on")
                + " -c 'SELECT pg_reload_conf()'",
            )
    for table, name in connection.exec_driver_sql(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
    ):
        yield Finding(
            Level.BAD,
            f"foreign key {name} of {table} was never validated",
            _by_hand(connection, f'ALTER TABLE {table} VALIDATE CONSTRAINT "{name}"'),
        )
    for (name,) in connection.exec_driver_sql(
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class i ON i.oid = indexrelid"
        " WHERE NOT indisvalid AND i.relnamespace = current_schema()::regnamespace"
    ):
        yield Finding(
            Level.POOR,
            f"index {name} was left half-made by a build that failed",
            _by_hand(connection, f"DROP INDEX {name}"),
        )


# ---- soundness ---------------------------------------------------------------------------------


def _unsound(connection: sa.Connection) -> Iterator[Finding]:
    try:
        said = [row[0] for row in connection.exec_driver_sql("PRAGMA quick_check(10)")]
    except sa.exc.DatabaseError as error:
        said = [str(error.orig)]
    if said != ["ok"]:
        yield Finding(
            Level.BAD,
            f"the database file is damaged: {'; '.join(said[:SHOWN])}",
            "stop the server and restore the file from a backup, or save what can be read:"
            f" sqlite3 {connection.engine.url.database} .recover",
        )


def _broken_references(connection: sa.Connection) -> Iterator[Finding]:
    counts: dict[tuple[str, str], int] = {}
    for table, _, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        counts[table, parent] = counts.get((table, parent), 0) + 1
    for (table, parent), count in counts.items():
        yield Finding(
            Level.BAD,
            f"{count} rows of {table} belong to rows of {parent} that are not there",
            "something else than Heddle changed the database; restore it from a backup",
        )


def _wal(connection: sa.Connection, largest: int = WAL_MAX) -> Iterator[Finding]:
    wal = Path(f"{connection.engine.url.database}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > largest:
        yield Finding(
            Level.POOR,
            f"the write-ahead log holds {size} bytes: some program has been reading for long",
            "end that program, then " + _by_hand(connection, "PRAGMA wal_checkpoint(TRUNCATE)"),
        )


# ---- clock -------------------------------------------------------------------------------------


def _clock(connection: sa.Connection) -> Iterator[Finding]:
    before_ms = time.time_ns() // 1_000_000
    theirs_ms = connection.exec_driver_sql(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    ).scalar_one()
    after_ms = time.time_ns() // 1_000_000
    skew_ms = max(before_ms - theirs_ms, theirs_ms - after_ms, 0)
    if skew_ms > SKEW_MS:
        yield Finding(
            Level.POOR,
            f"the database's clock and this machine's are {skew_ms / 1000:.1f} s apart",
            "let both take the time from a time server: timedatectl set-ntp true",
        )


def _future(connection: sa.Connection, metadata: sa.MetaData) -> Iterator[Finding]:
    now_ms = time.time_ns() // 1_000_000
    for table in metadata.sorted_tables:
        if "created_ms" not in table.c:
            continue
        newest = connection.execute(sa.select(sa.func.max(table.c.created_ms))).scalar()
        if newest is not None and newest > now_ms + FUTURE_MS:
            yield Finding(
                Level.POOR,
                f"the newest of {table.name} was made {(newest - now_ms) / 1000:.0f} s from now:"
                " a server's clock is or was wrong",
                "let this machine take the time from a time server: timedatectl set-ntp true",
            )
