"""The open database: connections, threads, and where each transaction runs.

SQLite: one writer thread takes whatever writes are waiting, runs each under a savepoint in one
transaction, and answers all of them after the one commit (group commit), so an answered write is on
disk and many writers share one fsync. Reads run on read-only connections, one per thread.
PostgreSQL: every write is a transaction of its own on one of the pool's threads; the server groups
commits itself. Serialisation failures and deadlocks are run again.

Operations are plain functions of a ``Tx``. They may run twice (when a shared transaction was lost),
so they touch nothing but their ``Tx``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from heddle.db import migrate
from heddle.db.failures import Interrupted, translate
from heddle.db.session import Session
from heddle.db.threads import Threads
from heddle.db.tx import LOCAL, Caller, Change, Ran, Tx
from heddle.db.writer import BUSY_S, Job, Writer
from heddle.errors import HeddleError, Invalid, Unavailable

log = logging.getLogger(__name__)

BEGIN_READING = {
    "sqlite": "BEGIN",
    # What a page holds and what is then read of it belong together.
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
READER_CACHE_KIB = 2_000
"""SQLite's own cache of each reader thread; what it lacks is in the system's."""
BUSY_MS = int(BUSY_S * 1000)
SOON_S = 0.05
WORK_S = 0.0015
"""How long a read may hold up everybody else before it is left to a thread: waiting for the disk
or for a processor, and working."""
SLOW_FOR_S = 0.25
LATE_STEPS = 500
"""SQLite asks after so many of its steps, a few dozen rows, whether it should stop."""
ATTEMPTS = 5
RETRY_STATES = frozenset({"40001", "40P01"})
"""PostgreSQL's serialization_failure and deadlock_detected."""


class Work(NamedTuple):
    """What a database did: writes, commits shared by up to 1, 2, 4, ... writes, and who waits."""

    writes: int
    groups: list[int]
    waiting: int


class Database:
    """An open database.

    ``url`` is an SQLAlchemy URL: ``sqlite:///path`` or ``postgresql://...``. ``announce`` hears the
    changes of every committed transaction, in the thread that committed. ``prepare_sqlite`` registers
    the functions that searches use on each new SQLite connection. Nothing is written before ``start``.
    """

    def __init__(
        self, url: str, *, prepare_sqlite: Callable[[sqlite3.Connection], None], threads: int = 8
    ) -> None:
        self.url = normalise(url)
        self.dialect = self.url.get_backend_name()
        self._begin_reading = BEGIN_READING[self.dialect]
        self.announce: Callable[[list[Change]], None] = _unheard
        self._engine = _make_engine(self.url, prepare_sqlite)
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._threads = Threads(threads, "heddle-db")
        self._count_lock = threading.Lock()
        self._committed = 0
        self._writer: Writer | None = None
        self._slow_until_s: dict[str, float] = {}
        """Kinds of reads that lately took too long to be tried where they are asked for."""

    def migrate(self) -> bool:
        """Bring the schema up to date; whether anything was done. Raises ``Unavailable``."""
        try:
            return migrate.upgrade(self._engine)
        except sa.exc.DBAPIError as error:
            raise translate(error) from error

    def start(self) -> None:
        """Begin to take writes."""
        if self.dialect == "sqlite":
            # Read when called: it is set later.
            path = Path(str(self.url.database))
            self._writer = Writer(self._engine, path, lambda changes: self.announce(changes))  # noqa: PLW0108
            self._writer.start()

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file of this process (SQLite)."""
        return self.dialect == "sqlite"

    @property
    def work(self) -> Work:
        """What was written since the database was opened, and what waits."""
        if self._writer is None:
            return Work(self._committed, [self._committed], 0)
        return Work(self._writer.written, list(self._writer.groups), self._writer.jobs.qsize())

    def size_bytes(self) -> int:
        """What the database takes on its disk; raises ``Unavailable``."""
        if self.is_embedded:
            path = str(self.url.database)
            files = (Path(path + end) for end in ("", "-wal"))
            return sum(file.stat().st_size for file in files if file.exists())
        ask = "SELECT pg_database_size(current_database())"
        return int(self.read_now(lambda tx: tx.cursor.execute(ask).fetchone()[0], LOCAL))

    def read_now(self, operation: Callable[[Tx], Any], caller: Caller) -> Any:
        """Run a reading operation in this thread, in one consistent snapshot."""
        for attempt in range(2):
            session = self._session()
            try:
                with session.transaction(caller, reading=self._begin_reading) as tx:
                    return operation(tx)
            except HeddleError:
                raise
            except Exception as error:
                if attempt == 0 and self._drop_if_broken(session, error):
                    continue
                raise translate(error) from error
        raise Unavailable("The database connection was lost twice; try again.")

    async def read(self, operation: Callable[[Tx], Any], caller: Caller, kind: str = "") -> Any:
        """Run a reading operation in a reader thread.

        With a ``kind`` it is first tried in this thread, where the database is embedded: a page that
        an index gives takes less than handing it over. One that is not done ``SOON_S`` later is
        stopped and goes to a thread after all, and so do those of its kind for a while.
        """
        if kind and self.is_embedded and self._slow_until_s.get(kind, 0.0) < time.monotonic():
            session = self._session()
            session.stop_after(SOON_S, WORK_S)
            try:
                return self.read_now(operation, caller)
            except Interrupted:
                self._slow_until_s[kind] = time.monotonic() + SLOW_FOR_S
            finally:
                session.stop_after(math.inf, math.inf)
        return await self._threads.run(self.read_now, operation, caller)

    async def plan(self, ran: Ran, caller: Caller) -> list[str]:
        """How the database goes about a statement that was run, line by line."""
        lines: list[str] = await self.read(lambda tx: tx.explain(ran), caller)
        return lines

    def write_now(self, operation: Callable[[Tx], Any], caller: Caller) -> Any:
        """Run a writing operation and return once it is durable."""
        if self._writer is None:
            return self._write_alone(operation, caller)
        future: Future[Any] = Future()
        self._writer.jobs.put(Job(operation, caller, future, None))
        return future.result()

    def write(self, operation: Callable[[Tx], Any], caller: Caller) -> asyncio.Future[Any]:
        """Run a writing operation; the future is done once it is durable."""
        if self._writer is None:
            return self._threads.run(self._write_alone, operation, caller)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._writer.jobs.put(Job(operation, caller, future, loop))
        return future

    def _write_alone(self, operation: Callable[[Tx], Any], caller: Caller) -> Any:
        reconnected = False
        for attempt in range(ATTEMPTS):
            session = self._session()
            try:
                with session.transaction(caller) as tx:
                    result = operation(tx)
            except HeddleError:
                raise
            except Exception as error:
                if self._drop_if_broken(session, error):
                    if session.committing:
                        raise Unavailable(
                            "PostgreSQL went away while this change was being committed; whether"
                            " it was made is not known. Look, or send it again."
                        ) from error
                    if not reconnected:
                        # Nothing was committed; the connection may only have been an old one.
                        reconnected = True
                        continue
                    raise translate(error) from error
                again = getattr(error, "sqlstate", None) in RETRY_STATES
                if again and attempt < ATTEMPTS - 1:
                    time.sleep(0.005 * 2**attempt)
                    continue
                raise translate(error) from error
            with self._count_lock:
                self._committed += 1
            if tx.changes:
                self.announce(tx.changes)
            return result
        raise Unavailable("The database was too busy to order this write; try again.")

    def _session(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if (
            session is not None
            and self._writer
            and session.known != self._writer.statistics.generation
        ):
            # The planner reads what was gathered only when a connection opens.
            self._sessions.remove(session)
            session.close()
            session = None
        if session is None:
            known = self._writer.statistics.generation if self._writer else 0
            try:
                session = Session(self._engine, "BEGIN")
                if self.is_embedded:
                    session.cursor.execute("PRAGMA query_only = ON")
                    session.raw.set_progress_handler(session.is_late, LATE_STEPS)
                    session.cursor.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
                    session.known = known
            except Exception as error:
                raise translate(error) from error
            self._local.session = session
            self._sessions.append(session)
        return session

    def _drop_if_broken(self, session: Session, error: Exception) -> bool:
        """Forget a connection that the server closed, so that the next call opens a new one."""
        if self.is_embedded or not getattr(session.raw, "broken", False):
            return False
        log.warning("database connection lost: %s", error)
        self._local.session = None
        if session in self._sessions:
            self._sessions.remove(session)
        session.connection.invalidate()
        return True

    def close(self) -> None:
        """Finish waiting writes and close every connection."""
        if self._writer is not None:
            self._writer.jobs.put(None)
            self._writer.join()
            self._writer = None
        self._threads.close()
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        self._engine.dispose()


def _unheard(_: list[Change]) -> None:
    """Nobody watches."""


def normalise(url: str) -> sa.URL:
    """The URL with the driver that we use; raises ``Invalid`` for any other database."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise Invalid(
            f"Cannot read the database address {url!r}; use sqlite:///path or postgresql://user@host/name."
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise Invalid("An SQLite database needs a file: sqlite:///path/to/heddle.db.")
        return parsed.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise Invalid(f"Databases of kind {backend!r} are not offered; use SQLite or PostgreSQL.")


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite database, None for others; raises ``Invalid`` as ``normalise``."""
    parsed = normalise(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def _make_engine(url: sa.URL, prepare_sqlite: Callable[[sqlite3.Connection], None]) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            connect_args={"check_same_thread": False, "cached_statements": 512},
        )
        sa.event.listen(engine, "connect", _set_pragmas)
        sa.event.listen(engine, "connect", lambda connection, _: prepare_sqlite(connection))
        return engine
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args={"client_encoding": "utf8"})


def _set_pragmas(connection: sqlite3.Connection, _: object) -> None:
    """WAL for readers beside the writer; FULL so that an answered write survives a power cut."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        # Four times the default: a page that many commits change goes into the file once.
        "wal_autocheckpoint = 4000",
        "foreign_keys = ON",
        "cache_size = -16000",
        "temp_store = MEMORY",
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")
