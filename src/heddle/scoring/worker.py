"""The worker: takes jobs out of the database, has each done by a process of its own, says how it went.

Jobs that somebody waits for (listings, previews) are done beside the long ones, scans beside both.
The process that does a job (`job_process`) opens tables and starts the children that hold models;
the worker itself opens neither. Before a job's output appears, its process asks, and the worker says
yes only if the job is still its own in the database: so of two workers that both believe to have a
job, one publishes. A worker that ends in good order gives its jobs back; one that is killed takes
its processes with it, and its jobs are taken up again when their leases have run out.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from heddle.artifacts.blobs import Store
from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Tx
from heddle.errors import HeddleError, Unavailable
from heddle.jobs import claims, records, schedules
from heddle.jobs.claims import Claim, Standing
from heddle.registry import scans
from heddle.scoring.scanning import Scanner, scan_waiting

log = logging.getLogger("heddle.worker")

POLL_S: Final = 0.2
REAP_S: Final = 5.0
BEAT_S: Final = 5.0
REPORT_S: Final = 0.5
LOST_WAIT_S: Final = 2.0
TIDY_S: Final = 5.0
TIDY_WAIT_S: Final = 30.0
TAIL_BYTES: Final = 4000
LONG_KINDS: Final = ("predict",)


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is, as the processes that do jobs are told."""

    database_url: str
    artifacts_url: str
    roots: tuple[str, ...]
    cache: str


@dataclass(frozen=True, slots=True)
class _Due:
    """What there is to do."""

    long: bool
    quick: bool
    scan: bool
    schedule: bool


def _look(tx: Tx) -> _Due:
    return _Due(
        claims.is_any_due(tx, LONG_KINDS),
        claims.is_any_due(tx, records.QUICK_KINDS),
        scans.is_any_due(tx),
        schedules.is_any_due(tx),
    )


class Worker:
    """Does jobs until told to stop; ``long_jobs`` at once, ``quick_jobs`` beside them."""

    def __init__(
        self,
        database: Database,
        store: Store,
        place: Place,
        *,
        long_jobs: int = 1,
        quick_jobs: int = 2,
    ) -> None:
        self.database = database
        self.store = store
        self.place = place
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.limits = {LONG_KINDS: long_jobs, records.QUICK_KINDS: quick_jobs}
        self.stopping = threading.Event()
        self._running: dict[tuple[str, ...], list[Running]] = {kinds: [] for kinds in self.limits}
        self._scanner = Scanner()
        self._scanning: threading.Thread | None = None
        self._next_reap_s = 0.0

    def run(self) -> None:
        """Work until ``stopping`` is set, then give back what is not finished."""
        while not self.stopping.wait(POLL_S):
            try:
                self._turn()
            except HeddleError as error:
                log.warning("the database does not answer: %s", error.message)
                self.stopping.wait(LOST_WAIT_S)
        for running in self._all():
            running.leaving.set()
        for running in self._all():
            running.join()
        self._scanner.close()

    def _all(self) -> list[Running]:
        return [running for lane in self._running.values() for running in lane]

    def _turn(self) -> None:
        if time.monotonic() >= self._next_reap_s:
            self._next_reap_s = time.monotonic() + REAP_S
            self.database.write_now(claims.reap, LOCAL)
            self.database.write_now(records.forget_quick, LOCAL)
        due: _Due = self.database.read_now(_look, LOCAL)
        if due.schedule:
            self.database.write_now(schedules.queue_due, LOCAL)
        for kinds, is_due in ((LONG_KINDS, due.long), (records.QUICK_KINDS, due.quick)):
            lane = self._running[kinds] = [each for each in self._running[kinds] if each.is_alive()]
            while is_due and len(lane) < self.limits[kinds]:
                claim = partial(claims.claim, worker=self.name, kinds=kinds)
                taken: Claim | None = self.database.write_now(claim, LOCAL)
                if taken is None:
                    break
                running = Running(self.database, self.place, taken)
                running.start()
                lane.append(running)
        if due.scan and (self._scanning is None or not self._scanning.is_alive()):
            self._scanning = threading.Thread(target=self._scan, name="heddle-scan", daemon=True)
            self._scanning.start()

    def _scan(self) -> None:
        """Scan whatever waits."""
        with suppress(Unavailable):
            while not self.stopping.is_set() and scan_waiting(
                self.database, self.store, self._scanner
            ):
                pass


class Running(threading.Thread):
    """One job in the hands of this worker: its process, and what is said about it."""

    def __init__(self, database: Database, place: Place, taken: Claim) -> None:
        super().__init__(name=f"heddle-job-{taken.job.id}", daemon=True)
        self.database = database
        self.place = place
        self.taken = taken
        self.leaving = threading.Event()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._progress = ""
        self._said_s = time.monotonic()
        self._is_reported = False
        self._is_publishing = False

    def run(self) -> None:
        """Do the job and note how it ended; a job that is lost meanwhile is let go."""
        try:
            with tempfile.TemporaryFile() as words:
                process = self._start(words)
                try:
                    self._follow(process, words)
                finally:
                    _end(process)
        except HeddleError as error:
            # The database is away: the lease runs out, and the job is taken up again.
            log.warning("job %d is let go: %s", self.taken.job.id, error.message)

    def _start(self, words: IO[bytes], kind: str = "") -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "heddle.scoring.job_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            start_new_session=True,
        )
        job = self.taken.job
        request = {
            "kind": kind or job.kind,
            # Two servers may write to one table, so the number alone is not enough.
            "job": f"{job.id}-{job.submitted_ms:x}",
            "plan": json.loads(job.plan),
            "database": self.place.database_url,
            "artifacts": self.place.artifacts_url,
            "roots": self.place.roots,
            "cache": self.place.cache,
        }
        threading.Thread(target=self._listen, args=[process.stdout], daemon=True).start()
        _tell(process, request)
        return process

    def _listen(self, stream: IO[bytes]) -> None:
        with suppress(ValueError, OSError):
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _follow(self, process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
        """Hear what the process says until it has ended or the job is no longer ours."""
        while True:
            try:
                line = self._lines.get(timeout=REPORT_S)
            except queue.Empty:
                line = b""
            if line is None:
                self._fail(_last_words(process, words), again=True)
                return
            if self.leaving.is_set() and not self._is_publishing:
                self._write(claims.release)
                return
            if line and self._hear(process, json.loads(line)):
                return
            standing = self._keep_up()
            if not standing.is_mine:
                log.warning("job %d is no longer this worker's", self.taken.job.id)
                return
            if standing.cancelling and not self._is_publishing:
                self._cancel(process)
                return

    def _hear(self, process: subprocess.Popen[bytes], said: Mapping[str, Any]) -> bool:
        """Take up one message; whether the job is over with it."""
        if "receipt" in said:
            receipt = json.dumps(said["receipt"])
            version = said.get("version") or None
            self._write(
                partial(claims.finish, receipt=receipt, version=version, progress=self._progress)
            )
            return True
        if "error" in said:
            self._fail(said["error"], again=bool(said.get("again")))
            return True
        if "publish" in said:
            standing = self._ask(claims.beat)
            may = standing.is_mine and not standing.cancelling and not self.leaving.is_set()
            # From here on the output may be there: too late to be cancelled.
            self._is_publishing = may
            _tell(process, {"publish": may})
        if "progress" in said:
            self._progress = json.dumps(said["progress"])
            self._is_reported = False
        return False

    def _keep_up(self) -> Standing:
        """Report or renew the lease when it is time."""
        now_s = time.monotonic()
        if self._progress and not self._is_reported and now_s - self._said_s >= REPORT_S:
            self._said_s, self._is_reported = now_s, True
            return self._ask(partial(claims.report, progress=self._progress))
        if now_s - self._said_s >= BEAT_S:
            self._said_s = now_s
            return self._ask(claims.beat)
        asked = partial(records.is_cancelling, job_id=self.taken.job.id)
        return Standing(is_mine=True, cancelling=self.database.read_now(asked, LOCAL))

    def _cancel(self, process: subprocess.Popen[bytes]) -> None:
        """Let the process tidy up, for a while; then it ends, tidy or not."""
        _tell(process, {"cancel": True})
        until_s = time.monotonic() + TIDY_S
        line: bytes | None = b""
        while line is not None and b'"error"' not in line and time.monotonic() < until_s:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=REPORT_S)
                if line is not None and b'"publish"' in line:
                    _tell(process, {"publish": False})
        _end(process)
        if line is None or b'"error"' not in line:
            self._tidy()
        self._write(claims.stop)

    def _tidy(self) -> None:
        """Have removed what a process left aside that had no time to do so itself."""
        with tempfile.TemporaryFile() as words:
            process = self._start(words, kind="tidy")
            with suppress(subprocess.TimeoutExpired):
                process.wait(TIDY_WAIT_S)
            _end(process)

    def _fail(self, error: str, *, again: bool) -> None:
        log.warning("job %d failed: %s", self.taken.job.id, error)
        self._write(partial(claims.fail, error=error, again=again))

    def _ask(self, operation: Any) -> Standing:
        """One of the calls of `claims` that say how the job stands."""
        standing: Standing = self._write(operation)
        return standing

    def _write(self, operation: Any) -> Any:
        """One of the calls of `claims` on this job."""
        return self.database.write_now(lambda tx: operation(tx, taken=self.taken), LOCAL)


def _tell(process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> None:
    assert process.stdin is not None  # noqa: S101 -- asked for
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started; harmless when it has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()


def _last_words(process: subprocess.Popen[bytes], words: IO[bytes]) -> str:
    """What the end of a process says that had no time to say it."""
    code = process.wait()
    how = f"ended with code {code}"
    if code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - TAIL_BYTES))
    said = words.read().decode(errors="replace").strip()
    return f"The process that did this job {how}." + (f" Its last words: {said}" if said else "")


def cache_of(data: Path) -> str:
    """Where a worker keeps models and environments."""
    return str((data / "cache").absolute())
