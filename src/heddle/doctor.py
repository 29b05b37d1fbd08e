"""The doctor: looks at a database and its files and says what is wrong and what to do about it.

It changes nothing, and works beside a running server; ``mend`` gathers statistics and makes missing
indexes, nothing else. What can be wrong with a database is in ``db.condition``, with contents in
``artifacts``; here are the data folder, the files, and how all of it is put together.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from heddle.artifacts.blobs import open_store
from heddle.artifacts.sweep import sweep
from heddle.artifacts.verify import missing
from heddle.database import metadata, open_database
from heddle.db import condition
from heddle.db.condition import Finding, Level
from heddle.db.engine import BUSY_MS, normalise
from heddle.db.failures import translate

if TYPE_CHECKING:
    from heddle.settings import Settings

SCARCE = 2 * 1024**3
"""Bytes free on the disk of the data folder below which it is time to act."""
SPENT = 200 * 1024**2
SHOWN = 3


def examine(settings: Settings, *, quick: bool = False) -> list[Finding]:
    """All findings, worst first; ``quick`` leaves out what reads the whole database and the store.

    Raises ``Unavailable`` if the database cannot be reached.
    """
    with _connected(settings) as connection:
        found = list(condition.look(connection, metadata, whole=not quick))
    found += disk(settings)
    if not quick and not any(finding.level is Level.BAD for finding in found):
        found += files(settings)
    order = list(Level)
    return sorted(found, key=lambda finding: order.index(finding.level))


def mend(settings: Settings, findings: list[Finding]) -> int:
    """Gather statistics and make indexes as the findings say; how many were mended.

    Raises ``Unavailable`` if the database refuses.
    """
    with _connected(settings) as connection:
        condition.mend(connection, findings)
    return sum(1 for finding in findings if finding.statement)


def disk(settings: Settings, scarce: int = SCARCE) -> Iterator[Finding]:
    """Whether the disk of the data folder has room; there is none where all is elsewhere."""
    if settings.data.exists():
        free = shutil.disk_usage(settings.data).free
        if free < scarce:
            yield Finding(
                Level.BAD if free < SPENT else Level.POOR,
                f"the disk of {settings.data.absolute()} has {free // 1024**2} MiB left",
                "heddle gc --delete {place}, or give it a larger disk",
            )


def files(settings: Settings) -> Iterator[Finding]:
    """Contents that nobody names, contents that are missing, and rests of uploads."""
    database = open_database(settings.database_url, migrate=False)
    try:
        store = open_store(settings.artifacts_url)
        counts: dict[str, tuple[int, int]] = {}
        for item in sweep(database, store, grace_s=settings.gc_grace_s, dry_run=True):
            count, size = counts.get(item.kind, (0, 0))
            counts[item.kind] = count + item.count, size + item.size_bytes
        for kind, (count, size) in counts.items():
            yield Finding(
                Level.NOTE if kind == "content" else Level.POOR,
                f"{count} {_KINDS[kind]} ({size} bytes)",
                "heddle gc --delete {place}",
            )
        gone = list(missing(database, store))
        if gone:
            names = ", ".join(digest[:12] for digest, _ in gone[:SHOWN])
            yield Finding(
                Level.BAD,
                f"{len(gone)} contents are missing from the store or have another size: {names}",
                "heddle verify {place} names the files; restore the store from a backup",
            )
    finally:
        database.close()


_KINDS = {
    "content": "contents that nothing refers to any more",
    "forgotten": "orphan contents in the store that the database does not know",
    "unfinished": "rests of uploads that were never completed",
}


@contextmanager
def _connected(settings: Settings) -> Iterator[sa.Connection]:
    """A connection of our own, on which each statement commits by itself."""
    engine = sa.create_engine(normalise(settings.database_url), poolclass=sa.NullPool)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {BUSY_MS}")
            yield connection
    except sa.exc.DBAPIError as error:
        raise translate(error) from error
    finally:
        engine.dispose()
