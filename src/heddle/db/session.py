"""One connection and the transactions on it."""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from heddle.db.tx import Caller, Tx

log = logging.getLogger(__name__)


class SqliteCursor(sqlite3.Cursor):
    """SQLite's own cursor, with the words that PostgreSQL's has beside (see ``postgres``)."""

    post = sqlite3.Cursor.execute
    finish = sqlite3.Cursor.execute

    def leave(self) -> None:
        """Nothing is ever under way."""


class Session:
    """One connection that belongs to one thread, and the transactions on it."""

    def __init__(self, engine: sa.Engine, begin: str) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        raw: Any = self.connection.connection.driver_connection
        self.raw = raw
        self.cursor: Any = self._cursor(raw)
        self.begin = begin
        self.stop_after(math.inf, math.inf)
        self.known = 0
        """The generation of planner statistics that this connection has read."""
        self.committing = False
        """Whether COMMIT was sent: if the connection breaks then, nobody knows what became of it."""

    def _cursor(self, raw: Any) -> Any:
        if self.dialect == "sqlite":
            return raw.cursor(SqliteCursor)
        # psycopg comes with an extra that a server on SQLite goes without.
        from heddle.db.postgres import Cursor  # noqa: PLC0415 -- see above

        return Cursor(raw)

    @contextmanager
    def transaction(self, caller: Caller, *, reading: str = "") -> Iterator[Tx]:
        """One transaction, committed on leaving, rolled back on any exception.

        ``reading`` begins one that does not write, whose end nobody has to wait for.
        """
        self.committing = False
        self.cursor.post(reading or self.begin)
        try:
            yield Tx(self.connection, self.cursor, self.dialect, caller)
            if reading:
                self.cursor.finish("COMMIT")
            else:
                self.committing = True
                self.cursor.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def stop_after(self, seconds: float, work_s: float) -> None:
        """Have what runs here from now on stopped after a time, and after a time on a processor."""
        self._stop_at_s = time.perf_counter() + seconds
        self._stop_at_work_s = time.thread_time() + work_s

    def is_late(self) -> bool:
        """Whether what runs here is to be stopped now."""
        return time.thread_time() > self._stop_at_work_s or time.perf_counter() > self._stop_at_s

    def rollback(self) -> None:
        """Undo whatever is open; a connection that is gone has nothing open."""
        # Or the undoing is stopped as well, and the transaction stays open for ever.
        self.stop_after(math.inf, math.inf)
        try:
            if self.dialect != "sqlite" or self.raw.in_transaction:
                self.cursor.execute("ROLLBACK")
        except Exception as error:  # noqa: BLE001 -- the failure that led here matters more
            log.debug("rollback failed: %s", error)

    def close(self) -> None:
        """Close the connection."""
        try:
            self.cursor.leave()
        except Exception as error:  # noqa: BLE001 -- it is closed all the same
            log.debug("a connection ended badly: %s", error)
        self.connection.close()
