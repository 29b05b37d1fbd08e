"""Claims: which worker has a job, for how long it is believed, and how the job ends.

A worker claims a job with a token of its own and a lease that each heartbeat renews. Everything it
says of the job afterwards counts only while the job still bears that token: a worker that was away
too long, its job given to another, learns so and stops. The lease of a dead worker runs out; then
``reap`` queues the job again, or fails it when it was tried often enough. Workers look after every
workspace, so these statements cross them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from heddle.db.statement import Statement, among
from heddle.db.tx import Change, Tx
from heddle.jobs.records import ATTEMPTS_MAX, Job, columns, jobs
from heddle.workspaces import workspaces

LEASE_MS = 30_000
BACKOFF_MS = 5_000
"""Wait before the second attempt; each further one waits four times as long."""
ERROR_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in the hands of this worker."""

    job: Job
    workspace: str
    token: str


_now = sa.bindparam("now_ms", type_=sa.BigInteger)
_due = (jobs.c.state == sa.literal_column("'queued'"), jobs.c.due_ms <= _now)
_waiting = sa.select(jobs.c.id).where(*_due, among(jobs.c.kind, "kinds"))
_any_due = Statement(_waiting.limit(sa.literal(1)), anywhere=True)
_next = (
    _waiting.order_by(jobs.c.due_ms, jobs.c.id)
    .limit(sa.literal(1))
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_claim = Statement(
    sa.update(jobs)
    .where(jobs.c.id == _next, *_due)
    .values(
        state="claimed",
        token=sa.bindparam("new_token"),
        worker=sa.bindparam("new_worker"),
        lease_ms=sa.bindparam("new_lease_ms"),
        attempts=jobs.c.attempts + 1,
        started_ms=sa.func.coalesce(jobs.c.started_ms, _now),
        updated_ms=_now,
        progress="",
        error="",
    )
    .returning(*columns, jobs.c.workspace_id),
    anywhere=True,
)
_workspace = Statement(
    sa.select(workspaces.c.name).where(workspaces.c.id == sa.bindparam("of", type_=sa.BigInteger)),
    anywhere=True,
)
_mine = (
    jobs.c.id == sa.bindparam("of_id", type_=sa.BigInteger),
    jobs.c.token == sa.bindparam("of_token"),
    jobs.c.ended_ms.is_(None),
)
_beat = Statement(
    sa.update(jobs)
    .where(*_mine)
    .values(lease_ms=sa.bindparam("new_lease_ms"))
    .returning(jobs.c.cancelling),
    anywhere=True,
)
_report = Statement(
    sa.update(jobs)
    .where(*_mine)
    .values(
        state="running",
        progress=sa.bindparam("new_progress"),
        lease_ms=sa.bindparam("new_lease_ms"),
        updated_ms=_now,
    )
    .returning(jobs.c.cancelling),
    anywhere=True,
)
_settle = Statement(
    sa.update(jobs)
    .where(*_mine)
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("state", "error", "receipt", "due_ms", "ended_ms", "version", "progress")
        }
        | {"updated_ms": _now, "lease_ms": sa.null(), "token": ""}
    ),
    anywhere=True,
)
_lost = Statement(
    sa.select(*columns, jobs.c.token, workspaces.c.name)
    .select_from(jobs.join(workspaces, workspaces.c.id == jobs.c.workspace_id))
    .where(jobs.c.ended_ms.is_(None), jobs.c.lease_ms < _now)
    .limit(sa.literal(100)),
    anywhere=True,
)


def is_any_due(tx: Tx, kinds: Sequence[str]) -> bool:
    """Whether a job of these kinds waits for a worker."""
    return tx.one(_any_due, now_ms=tx.now_ms, kinds=list(kinds)) is not None


def claim(tx: Tx, *, worker: str, kinds: Sequence[str]) -> Claim | None:
    """Take the job that has waited longest, of any workspace; None if none waits."""
    token = uuid.uuid4().hex
    row = tx.one(
        _claim,
        now_ms=tx.now_ms,
        kinds=list(kinds),
        new_token=token,
        new_worker=worker,
        new_lease_ms=tx.now_ms + LEASE_MS,
    )
    if row is None:
        return None
    taken = Claim(Job(*row[:-1]), tx.one(_workspace, of=row[-1])[0], token)
    _tell(tx, taken, "claimed")
    return taken


@dataclass(frozen=True, slots=True)
class Standing:
    """What a worker learns at a heartbeat: whether the job is still its own, whether to stop."""

    is_mine: bool
    cancelling: bool


def beat(tx: Tx, taken: Claim) -> Standing:
    """Renew the lease."""
    row = tx.one(_beat, of_id=taken.job.id, of_token=taken.token, new_lease_ms=tx.now_ms + LEASE_MS)
    return Standing(row is not None, row is not None and bool(row[0]))


def report(tx: Tx, taken: Claim, progress: str) -> Standing:
    """Say how far the job is (JSON), which makes it ``running`` and renews the lease."""
    row = tx.one(
        _report,
        of_id=taken.job.id,
        of_token=taken.token,
        new_progress=progress,
        new_lease_ms=tx.now_ms + LEASE_MS,
        now_ms=tx.now_ms,
    )
    if row is None:
        return Standing(is_mine=False, cancelling=False)
    _tell(tx, taken, "running")
    return Standing(is_mine=True, cancelling=bool(row[0]))


def finish(
    tx: Tx, taken: Claim, *, receipt: str, version: int | None = None, progress: str = ""
) -> bool:
    """The job is done; False if it is no longer this worker's, and then nothing is noted."""
    return _end(tx, taken, "done", receipt=receipt, version=version, progress=progress)


def fail(tx: Tx, taken: Claim, error: str, *, again: bool) -> bool:
    """The job failed: queued again after a wait if ``again`` and attempts are left."""
    if again and taken.job.attempts < ATTEMPTS_MAX:
        wait_ms: int = BACKOFF_MS * 4 ** (taken.job.attempts - 1)
        return _end(tx, taken, "queued", error=error, due_ms=tx.now_ms + wait_ms)
    return _end(tx, taken, "failed", error=error)


def stop(tx: Tx, taken: Claim) -> bool:
    """The job was cancelled and its work is undone."""
    return _end(tx, taken, "cancelled")


def release(tx: Tx, taken: Claim) -> bool:
    """The worker goes away in good order: the job is queued for another, as if not tried."""
    return _end(tx, taken, "queued", due_ms=tx.now_ms)


def reap(tx: Tx) -> int:
    """Queue the jobs of workers that are gone, or end them; how many there were."""
    rows = tx.all(_lost, now_ms=tx.now_ms)
    for row in rows:
        taken = Claim(Job(*row[:-2]), row[-1], row[-2])
        gone = f"The worker {taken.job.worker} went away while it had this job."
        if taken.job.cancelling:
            stop(tx, taken)
        else:
            # Not the job's fault as a rule, so it does not wait; a job that ends its workers stops.
            tried = taken.job.attempts >= ATTEMPTS_MAX
            _end(tx, taken, "failed" if tried else "queued", error=gone, due_ms=tx.now_ms)
    return len(rows)


def _end(
    tx: Tx,
    taken: Claim,
    state: str,
    *,
    error: str = "",
    receipt: str = "",
    version: int | None = None,
    progress: str = "",
    due_ms: int | None = None,
) -> bool:
    values: dict[str, Any] = {
        "new_state": state,
        "new_error": error[:ERROR_MAX],
        "new_receipt": receipt,
        "new_version": taken.job.version if version is None else version,
        "new_due_ms": taken.job.due_ms if due_ms is None else due_ms,
        "new_ended_ms": None if state == "queued" else tx.now_ms,
        "new_progress": progress,
    }
    count = tx.count(_settle, of_id=taken.job.id, of_token=taken.token, now_ms=tx.now_ms, **values)
    if count:
        _tell(tx, taken, state)
    return bool(count)


def _tell(tx: Tx, taken: Claim, state: str) -> None:
    tx.changes.append(Change(taken.workspace, "job", str(taken.job.id), state, taken.job.model))
