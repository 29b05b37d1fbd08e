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
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from heddle.db import migrate
from heddle.db.failures import is_held, translate
from heddle.db.statistics import Statistics
from heddle.db.tx import LOCAL, Caller, Change, Ran, Tx
from heddle.errors import HeddleError, Invalid, Unavailable

log = logging.getLogger(__name__)

Operation = Callable[[Tx], Any]
BATCH_MAX = 512
BATCH_S = 0.02
BEGIN_READING = {
    "sqlite": "BEGIN",
    # What a page holds and what is then read of it belong together.
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
READER_CACHE_KIB = 2_000
"""SQLite's own cache of each reader thread; what it lacks is in the system's."""
CAREFUL_S = 1.0
"""How long jobs run under savepoints after one failed that had written something."""
BUSY_MS = 10_000
BUSY_S = BUSY_MS / 1000
BUSY_STEP_MS = 500
"""How long the writer waits for a held file before it looks which jobs have waited too long."""
ATTEMPTS = 5
RETRY_STATES = frozenset({"40001", "40P01"})
"""PostgreSQL's serialization_failure and deadlock_detected."""


class Session:
    """One connection that belongs to one thread, and the transactions on it."""

    def __init__(self, engine: sa.Engine, begin: str) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        raw: Any = self.connection.connection.driver_connection
        self.raw = raw
        self.cursor: Any = raw.cursor()
        self.begin = begin
        self.known = 0
        """The generation of planner statistics that this connection has read."""
        self.committing = False
        """Whether COMMIT was sent: if the connection breaks then, nobody knows what became of it."""

    @contextmanager
    def transaction(self, caller: Caller, begin: str = "") -> Iterator[Tx]:
        """One transaction, committed on leaving, rolled back on any exception."""
        execute = self.cursor.execute
        self.committing = False
        execute(begin or self.begin)
        try:
            yield Tx(self.connection, self.cursor, self.dialect, caller)
            self.committing = True
            execute("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Undo whatever is open; a connection that is gone has nothing open."""
        try:
            if self.dialect != "sqlite" or self.raw.in_transaction:
                self.cursor.execute("ROLLBACK")
        except Exception as error:  # noqa: BLE001 -- the failure that led here matters more
            log.debug("rollback failed: %s", error)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Job:
    """One write that waits for the shared commit."""

    __slots__ = ("asked_s", "caller", "changes", "error", "future", "loop", "operation", "result")

    def __init__(
        self,
        operation: Operation,
        caller: Caller,
        future: Any,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.operation = operation
        self.caller = caller
        self.future = future
        self.loop = loop
        self.result: Any = None
        self.error: BaseException | None = None
        self.changes: list[Change] = []
        self.asked_s = time.monotonic()

    def settle(self) -> None:
        """Give the waiting side its result; runs where the future lives."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()


class Writer(threading.Thread):
    """The one thread that writes to an SQLite database.

    While another program holds the file, or its disk refuses, jobs wait here for up to ``BUSY_S``
    each and then fail; the thread itself goes on whatever happens.
    """

    def __init__(
        self, engine: sa.Engine, path: Path, announce: Callable[[list[Change]], None]
    ) -> None:
        super().__init__(name="heddle-writer", daemon=True)
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.engine = engine
        self.path = path
        self.announce = announce
        self.statistics = Statistics()
        self.groups = [0] * (BATCH_MAX.bit_length() + 1)
        """How many commits were shared by up to 1, 2, 4, ... writes."""
        self.written = 0
        self._held: deque[Job] = deque()
        self._stopping = False
        self._identity: tuple[int, int] | None = None
        self._careful_until_s = 0.0

    def run(self) -> None:
        """Take jobs until told to stop, and until those that wait are answered."""
        session: Session | None = None
        while (job := self._next()) is not None:
            done: list[Job] = [job]
            try:
                if session is None:
                    session = self._open()
                if not self._begin(session, job):
                    continue
                self._shared(session, job, done)
            except Exception as error:  # noqa: BLE001 -- whatever it is, the other jobs are done again
                if session is None:
                    job.error = translate(error)
                else:
                    session.rollback()
                    self._alone(session, done, error)
            self._answer(done)
            if session is not None:
                self._tend(session, len(done))
        if session is not None:
            self.statistics.close(session.raw)
            session.close()

    def _tend(self, session: Session, count: int) -> None:
        """Between two commits: count, and look at one table's statistics, at all if nobody waits."""
        self.groups[(count - 1).bit_length()] += 1
        self.written += count
        while self.statistics.turn(session.raw) and not self._held and self.jobs.empty():
            pass

    def _next(self) -> Job | None:
        """The next job, waiting for one; None when there will be no more."""
        if self._held:
            return self._held.popleft()
        if self._stopping:
            return None
        job = self.jobs.get()
        self._stopping = job is None
        return job

    def _next_now(self) -> Job | None:
        """The next job if one waits."""
        if self._held:
            return self._held.popleft()
        try:
            job = self.jobs.get_nowait()
        except queue.Empty:
            return None
        self._stopping = self._stopping or job is None
        return job

    def _open(self) -> Session:
        session = Session(self.engine, "BEGIN IMMEDIATE")
        session.cursor.execute(f"PRAGMA busy_timeout = {BUSY_STEP_MS}")
        self.statistics.open(session.raw)
        self._identity = _identity(self.path)
        return session

    def _begin(self, session: Session, job: Job) -> bool:
        """Begin the shared transaction; if the file is held, hold the jobs and give up late ones."""
        if _identity(self.path) != self._identity:
            raise Unavailable(
                f"The database file {self.path} was moved, removed or replaced under the running"
                " server; nothing was written. Put it back, or restart the server to open what is"
                " there now."
            )
        try:
            session.cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_held(error):
                raise
            self._held.appendleft(job)
            while (more := self._take()) is not None:
                self._held.append(more)
            self._give_up(translate(error))
            return False
        return True

    def _take(self) -> Job | None:
        """The next job of the queue if there is one, leaving the held ones."""
        try:
            job = self.jobs.get_nowait()
        except queue.Empty:
            return None
        self._stopping = self._stopping or job is None
        return job

    def _give_up(self, error: Exception) -> None:
        late: list[Job] = []
        before = time.monotonic() - BUSY_S
        while self._held and self._held[0].asked_s < before:
            late.append(self._held.popleft())
        for job in late:
            job.error = error
        self._answer(late)

    def _shared(self, session: Session, job: Job, done: list[Job]) -> None:
        """Run waiting jobs in the open transaction; ``done`` gets each as it is taken up.

        Most jobs succeed, or fail before they have written anything, and a savepoint for each costs
        up to half of a small job (measured). So they go without, until one fails that has written:
        then all are undone and run again with savepoints, and so are others for a while.
        """
        until = time.monotonic() + BATCH_S
        careful = until < self._careful_until_s
        while True:
            if not self._run_job(session, job, careful=careful):
                self._careful_until_s = time.monotonic() + CAREFUL_S
                session.rollback()
                session.cursor.execute("BEGIN IMMEDIATE")
                careful = True
                for again in done:
                    again.result, again.error, again.changes = None, None, []
                    self._run_job(session, again, careful=True)
            if len(done) >= BATCH_MAX or time.monotonic() > until:
                break
            following = self._next_now()
            if following is None:
                break
            job = following
            done.append(job)
        session.cursor.execute("COMMIT")

    @staticmethod
    def _run_job(session: Session, job: Job, *, careful: bool) -> bool:
        """Run a job; False when it has failed and left something behind that must be undone."""
        execute, raw = session.cursor.execute, session.raw
        if careful:
            execute("SAVEPOINT job")
        written = raw.total_changes
        try:
            tx = Tx(session.connection, session.cursor, session.dialect, job.caller)
            job.result = job.operation(tx)
            job.changes = tx.changes
        except Exception as error:
            if not raw.in_transaction:
                raise
            if careful:
                execute("ROLLBACK TO job")
            elif raw.total_changes != written:
                return False
            job.error = error if isinstance(error, HeddleError) else translate(error)
        if careful:
            execute("RELEASE job")
        return True

    def _alone(self, session: Session, done: list[Job], cause: Exception) -> None:
        """The shared transaction was lost: each job again in its own, so one cannot harm others."""
        for job in done:
            job.result, job.error, job.changes = None, None, []
            if len(done) == 1 or isinstance(cause, HeddleError):
                job.error = translate(cause)
                continue
            try:
                with session.transaction(job.caller) as tx:
                    job.result = job.operation(tx)
                job.changes = tx.changes
            except Exception as error:  # noqa: BLE001 -- it is the answer to this job
                job.error = translate(error)

    def _answer(self, done: list[Job]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        changes: list[Change] = []
        for job in done:
            if job.error is None:
                changes.extend(job.changes)
            if job.loop is None:
                job.settle()
            else:
                loops.setdefault(job.loop, []).append(job)
        for loop, jobs in loops.items():
            try:
                loop.call_soon_threadsafe(_settle_all, jobs)
            except RuntimeError:
                log.debug(
                    "the event loop is closed; %d answers have nobody to hear them", len(jobs)
                )
        if changes:
            try:
                self.announce(changes)
            except Exception:
                log.exception("changes could not be announced")


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
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="heddle-db")
        self._count_lock = threading.Lock()
        self._committed = 0
        self._writer: Writer | None = None

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
                with session.transaction(caller, self._begin_reading) as tx:
                    return operation(tx)
            except HeddleError:
                raise
            except Exception as error:
                if attempt == 0 and self._drop_if_broken(session, error):
                    continue
                raise translate(error) from error
        raise Unavailable("The database connection was lost twice; try again.")

    async def read(self, operation: Callable[[Tx], Any], caller: Caller) -> Any:
        """Run a reading operation in a reader thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.read_now, operation, caller)

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
        loop = asyncio.get_running_loop()
        if self._writer is None:
            return loop.run_in_executor(self._threads, self._write_alone, operation, caller)
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
        self._threads.shutdown(wait=True)
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
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args={"prepare_threshold": 3})


def _set_pragmas(connection: sqlite3.Connection, _: object) -> None:
    """WAL for readers beside the writer; FULL so that an answered write survives a power cut."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -16000",
        "temp_store = MEMORY",
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
