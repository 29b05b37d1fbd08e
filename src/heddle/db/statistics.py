"""The statistics by which SQLite's planner chooses indexes, kept fresh by the writer itself.

SQLite gathers them only when told, and reads what was gathered when a connection opens. Here the
writer counts the rows that it changes; when enough have, it looks at one table after the other,
between two commits, ``ANALYZE`` reading at most ``ROWS_READ`` entries of each index however large
it is. When the round is through, ``generation`` rises and readers open their connections anew.
PostgreSQL does all this by itself (autovacuum).
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

log = logging.getLogger(__name__)

ROWS_READ = 400
"""Entries of each index that are read; SQLite's manual advises 100 to 1000."""
FIRST_CHANGES = 5_000
"""So many changed rows begin a round in a database that was empty when it was opened."""
CHANGES_MAX = 1_000_000
"""Rounds come further and further apart, but never further than this."""


class Statistics:
    """When the planner's statistics are due, and gathering them table by table; one thread's."""

    def __init__(self) -> None:
        self.generation = 0
        self._tables: list[str] = []
        self._seen = 0
        self._every = FIRST_CHANGES

    def open(self, raw: sqlite3.Connection) -> None:
        """Begin on the writer's connection; a database that was never looked at is, at once."""
        raw.execute(f"PRAGMA analysis_limit = {ROWS_READ}")
        self._seen = raw.total_changes
        known = raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone()
        if known is None:
            self._begin(raw)

    def turn(self, raw: sqlite3.Connection) -> bool:
        """Look at one table if it is time; whether there is more to do. Never raises."""
        if not self._tables:
            if raw.total_changes - self._seen < self._every:
                return False
            self._every = min(2 * self._every, CHANGES_MAX)
            self._begin(raw)
        if self._tables:
            self._gather(raw, self._tables.pop())
        return bool(self._tables)

    def close(self, raw: sqlite3.Connection) -> None:
        """Look at everything once more before the database is closed, if much has changed."""
        if raw.total_changes - self._seen >= FIRST_CHANGES:
            self._begin(raw)
        while self._tables:
            self._gather(raw, self._tables.pop())

    def _begin(self, raw: sqlite3.Connection) -> None:
        self._seen = raw.total_changes
        try:
            self._tables = tables_of(raw)
        except sqlite3.Error as error:
            log.warning("planner statistics were not gathered: %s", error)

    def _gather(self, raw: sqlite3.Connection, table: str) -> None:
        try:
            raw.execute(f'ANALYZE "{table}"')
        except sqlite3.Error as error:
            # Another program may hold the database; old statistics make searches slow, not wrong.
            log.warning("planner statistics of %s were not gathered: %s", table, error)
            self._tables.clear()
            return
        if not self._tables:
            self.generation += 1


def tables_of(connection: Any) -> list[str]:
    """The tables that have statistics to gather, by name."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        " ORDER BY name"
    )
    return [row[0] for row in rows]
