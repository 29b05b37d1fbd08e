"""Jobs: what is to be done, in which state it is, and what came of it.

A job belongs to a workspace and to whoever submitted it. Its plan is a JSON document that only the
worker understands; what lists show of it (model, input, output) stands beside it. ``queued`` is
before ``claimed`` (a worker has it), ``running`` (it works), and ``done``, ``failed`` or
``cancelled``. Who may take a job and for how long is in ``claims``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import sqlalchemy as sa

from heddle.db.schema import Id, id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound, WrongState
from heddle.keys import check_text
from heddle.workspaces import workspaces

State = Literal["queued", "claimed", "running", "done", "failed", "cancelled"]
STATES: tuple[str, ...] = get_args(State)
ENDED = ("done", "failed", "cancelled")
Kind = Literal["predict", "preview", "tables", "check"]
QUICK_KINDS = ("preview", "tables", "check")
"""Kinds that somebody waits for: done beside long ones, not listed, forgotten after a while."""
ATTEMPTS_MAX = 3
PLAN_MAX = 256 * 1024
TEXT_MAX = 4000
QUICK_KEPT_MS = 10 * 60 * 1000

jobs = sa.Table(
    "jobs",
    metadata,
    id_column(),
    workspace_column(),
    text_column("kind"),
    text_column("state"),
    text_column("submitted_by"),
    ms_column("submitted_ms"),
    # When it may be taken: at once, or after a failure a little later.
    ms_column("due_ms"),
    ms_column("started_ms", nullable=True),
    ms_column("ended_ms", nullable=True),
    ms_column("updated_ms"),
    text_column("model"),
    sa.Column("version", sa.BigInteger, nullable=True),
    text_column("input"),
    text_column("output"),
    text_column("plan"),
    text_column("plan_digest"),
    sa.Column("schedule_id", Id, nullable=True),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("cancelling", sa.SmallInteger, nullable=False),
    # Who has it: a token that only the claiming worker knows, its name, how long it is believed.
    text_column("token"),
    text_column("worker"),
    ms_column("lease_ms", nullable=True),
    text_column("progress"),
    text_column("error"),
    text_column("receipt"),
    sa.Index(None, "workspace_id", "kind", "id"),
    sa.Index(None, "workspace_id", "model", "version", "id"),
    sa.Index(None, "updated_ms"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_jobs_due",
    jobs.c.state,
    jobs.c.due_ms,
    sqlite_where=jobs.c.ended_ms.is_(None),
    postgresql_where=jobs.c.ended_ms.is_(None),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    ``version`` is the number once it is known, as an alias may be asked for; ``plan``, ``progress``
    and ``receipt`` are JSON, the latter two empty while there is none.
    """

    id: int
    kind: str
    state: str
    submitted_by: str
    submitted_ms: int
    due_ms: int
    started_ms: int | None
    ended_ms: int | None
    updated_ms: int
    model: str
    version: int | None
    input: str
    output: str
    plan: str
    plan_digest: str
    schedule_id: int | None
    attempts: int
    cancelling: int
    worker: str
    progress: str
    error: str
    receipt: str


columns = tuple(jobs.c[name] for name in Job.__dataclass_fields__)
_here = jobs.c.workspace_id == here()
_by_id = (_here, jobs.c.id == sa.bindparam("id", type_=sa.BigInteger))
_get = Statement(sa.select(*columns).where(*_by_id))
_insert = Statement(
    sa.insert(jobs)
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "workspace_id",
                "kind",
                "submitted_by",
                "submitted_ms",
                "due_ms",
                "updated_ms",
                "model",
                "version",
                "input",
                "output",
                "plan",
                "plan_digest",
                "schedule_id",
            )
        }
        | {"state": "queued", "attempts": 0, "cancelling": 0}
        | dict.fromkeys(("token", "worker", "progress", "error", "receipt"), "")
    )
    .returning(jobs.c.id)
)
_open = jobs.c.ended_ms.is_(None)
_cancel_waiting = Statement(
    sa.update(jobs)
    .where(*_by_id, jobs.c.state == "queued")
    .values(
        state="cancelled",
        cancelling=1,
        ended_ms=sa.bindparam("now_ms"),
        updated_ms=sa.bindparam("now_ms"),
    )
)
_cancel_taken = Statement(
    sa.update(jobs).where(*_by_id, _open).values(cancelling=1, updated_ms=sa.bindparam("now_ms"))
)
_again = Statement(
    sa.update(jobs)
    .where(
        *_by_id, jobs.c.state.in_([sa.literal_column("'failed'"), sa.literal_column("'cancelled'")])
    )
    .values(
        state="queued",
        attempts=0,
        cancelling=0,
        token="",
        error="",
        progress="",
        due_ms=sa.bindparam("now_ms"),
        updated_ms=sa.bindparam("now_ms"),
        started_ms=sa.null(),
        ended_ms=sa.null(),
        lease_ms=sa.null(),
    )
)
_listed = jobs.c.kind.not_in([sa.literal_column(f"'{kind}'") for kind in QUICK_KINDS])
_same = Statement(
    sa.select(*columns)
    .where(
        _here,
        jobs.c.kind == sa.bindparam("of_kind"),
        jobs.c.plan_digest == sa.bindparam("digest"),
        jobs.c.state == "done",
    )
    .order_by(jobs.c.id.desc())
    .limit(sa.literal(1))
)
_changed = Statement(
    sa.select(jobs.c.id, jobs.c.updated_ms, jobs.c.state, workspaces.c.name, jobs.c.model)
    .select_from(jobs.join(workspaces, workspaces.c.id == jobs.c.workspace_id))
    .where(jobs.c.updated_ms >= sa.bindparam("since_ms", type_=sa.BigInteger))
    .order_by(jobs.c.updated_ms)
    .limit(sa.literal(1000)),
    # What other processes changed is told to whoever watches, in whichever workspace.
    anywhere=True,
)
_cancelling = Statement(
    sa.select(jobs.c.cancelling).where(jobs.c.id == sa.bindparam("id", type_=sa.BigInteger)),
    # A worker asks about its job, whichever workspace that is in.
    anywhere=True,
)
_forget = Statement(
    sa.delete(jobs).where(
        jobs.c.kind.in_([sa.literal_column(f"'{kind}'") for kind in QUICK_KINDS]),
        jobs.c.updated_ms < sa.bindparam("before_ms", type_=sa.BigInteger),
    ),
    # Answers that nobody waits for any more are rubbish in every workspace.
    anywhere=True,
)


def submit(
    tx: Tx,
    *,
    kind: Kind,
    plan: str,
    plan_digest: str = "",
    model: str = "",
    version: int | None = None,
    input: str = "",
    output: str = "",
    schedule_id: int | None = None,
    actor: str = "",
) -> Job:
    """Queue a job; ``plan`` is JSON, the texts are what lists show. Raises ``Invalid``."""
    check_text(plan, "The plan", PLAN_MAX)
    for what, text in (("model", model), ("input", input), ("output", output)):
        check_text(text, f"The {what}", TEXT_MAX)
    row = tx.one(
        _insert,
        kind=kind,
        submitted_by=actor or tx.actor,
        submitted_ms=tx.now_ms,
        due_ms=tx.now_ms,
        updated_ms=tx.now_ms,
        model=model,
        version=version,
        input=input,
        output=output,
        plan=plan,
        plan_digest=plan_digest,
        schedule_id=schedule_id,
    )
    tx.changed("job", str(row[0]), "queued", model)
    return get_job(tx, row[0])


def get_job(tx: Tx, job_id: int) -> Job:
    """The job; raises ``NotFound``."""
    row = tx.one(_get, id=job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id} here.")
    return Job(*row)


def list_jobs(
    tx: Tx,
    *,
    states: Sequence[str] = (),
    submitted_by: str | None = None,
    model: str | None = None,
    version: int | None = None,
    schedule_id: int | None = None,
    limit: int,
    offset: int = 0,
) -> tuple[list[Job], int]:
    """One window of jobs, newest first, and how many there are; raises ``Invalid``."""
    wrong = [state for state in states if state not in STATES]
    if wrong:
        raise Invalid(f"There is no state {wrong[0]!r}; the states are {', '.join(STATES)}.")
    conditions = [_here, _listed]
    if states:
        conditions.append(jobs.c.state.in_(states))
    for column, wanted in (
        (jobs.c.submitted_by, submitted_by),
        (jobs.c.model, model),
        (jobs.c.version, version),
        (jobs.c.schedule_id, schedule_id),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    newest = sa.select(*columns).where(*conditions).order_by(jobs.c.id.desc())
    found = [Job(*row) for row in tx.fetch(newest.limit(limit).offset(offset))]
    if len(found) < limit and (found or not offset):
        return found, offset + len(found)
    count = sa.select(sa.func.count()).select_from(jobs).where(*conditions)
    return found, tx.fetch(count)[0][0]


def find_same(tx: Tx, kind: Kind, plan_digest: str) -> Job | None:
    """The newest job done with exactly this plan, if any."""
    row = tx.one(_same, of_kind=kind, digest=plan_digest)
    return None if row is None else Job(*row)


def cancel(tx: Tx, job_id: int) -> Job:
    """Let a job end: at once if it waits, else as soon as its worker hears of it.

    Raises ``NotFound``, ``WrongState`` for a job that has ended.
    """
    job = get_job(tx, job_id)
    if job.state in ENDED:
        raise WrongState(f"Job {job_id} is {job.state} already, so it cannot be cancelled.")
    if tx.count(_cancel_waiting, id=job_id, now_ms=tx.now_ms):
        tx.changed("job", str(job_id), "cancelled", job.model)
    elif tx.count(_cancel_taken, id=job_id, now_ms=tx.now_ms):
        tx.changed("job", str(job_id), job.state, job.model)
    return get_job(tx, job_id)


def is_cancelling(tx: Tx, job_id: int) -> bool:
    """Whether a job of any workspace is to end."""
    row = tx.one(_cancelling, id=job_id)
    return row is not None and bool(row[0])


def retry(tx: Tx, job_id: int) -> Job:
    """Queue a failed or cancelled job again; raises ``NotFound``, ``WrongState``."""
    job = get_job(tx, job_id)
    if not tx.count(_again, id=job_id, now_ms=tx.now_ms):
        raise WrongState(
            f"Job {job_id} is {job.state}; only failed and cancelled jobs are done again."
        )
    tx.changed("job", str(job_id), "queued", job.model)
    return get_job(tx, job_id)


def forget_quick(tx: Tx) -> int:
    """Remove quick jobs whose answers nobody waits for any more; how many."""
    return tx.count(_forget, before_ms=tx.now_ms - QUICK_KEPT_MS)


def changed_since(tx: Tx, since_ms: int) -> list[tuple[int, int, str, str, str]]:
    """Jobs of all workspaces changed at or after a time: id, when, state, workspace, model."""
    return [tuple(row) for row in tx.all(_changed, since_ms=since_ms)]
