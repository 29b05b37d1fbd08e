"""SQLite's one writer, and the jobs that wait for a commit they share.

The thread takes whatever writes are waiting, runs each in one transaction, and answers all of them
after the one commit (group commit), so an answered write is on disk and many share one fsync.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from heddle.db.failures import is_held, translate
from heddle.db.session import Session
from heddle.db.statistics import Statistics
from heddle.db.tx import Caller, Change, Tx
from heddle.errors import HeddleError, Unavailable

log = logging.getLogger(__name__)

Operation = Callable[[Tx], Any]
BATCH_MAX = 512
BATCH_S = 0.02
CAREFUL_S = 1.0
"""How long jobs run under savepoints after one failed that had written something."""
BUSY_S = 10.0
BUSY_STEP_MS = 500
"""How long the writer waits for a held file before it looks which jobs have waited too long."""


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
            # Before anyone hears of it: who asks after an answer finds that write counted.
            self._count(done)
            self._answer(done)
            if session is not None:
                self._tend(session)
        if session is not None:
            self.statistics.close(session.raw)
            session.close()

    def _count(self, done: list[Job]) -> None:
        committed = sum(job.error is None for job in done)
        if committed:
            self.groups[(committed - 1).bit_length()] += 1
            self.written += committed

    def _tend(self, session: Session) -> None:
        """Between two commits: look at one table's statistics, at all if nobody waits."""
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


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at a path; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
