"""Schedules: jobs that come again at times that a cron expression names.

A schedule holds what its jobs are made from. When its time has come a worker queues a job and
moves the schedule to its next time in the same transaction, so however many workers there are, one
time gives one job. Times missed while no worker ran give one job, not many.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from heddle.db.schema import id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Insert, Statement, here
from heddle.db.tx import Change, Tx
from heddle.errors import Invalid, NotFound
from heddle.jobs import records
from heddle.keys import check_text
from heddle.workspaces import workspaces

NAME_MAX = 200
CRON_MAX = 200
SCHEDULES_MAX = 1000
"""Schedules of one workspace."""

schedules = sa.Table(
    "schedules",
    metadata,
    id_column(),
    workspace_column(),
    text_column("name"),
    text_column("cron"),
    text_column("timezone"),
    text_column("created_by"),
    ms_column("created_ms"),
    # None for a time that never comes, such as 30 February.
    ms_column("next_ms", nullable=True),
    ms_column("last_ms", nullable=True),
    text_column("model"),
    text_column("input"),
    text_column("output"),
    text_column("plan"),
    text_column("plan_digest"),
    sa.Index(None, "workspace_id", "id"),
    sa.Index(None, "next_ms"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule; ``plan`` is JSON, the texts are what lists show of it."""

    id: int
    name: str
    cron: str
    timezone: str
    created_by: str
    created_ms: int
    next_ms: int | None
    last_ms: int | None
    model: str
    input: str
    output: str
    plan: str
    plan_digest: str


_columns = tuple(schedules.c[name] for name in Schedule.__dataclass_fields__)
_here = schedules.c.workspace_id == here()
_by_id = (_here, schedules.c.id == sa.bindparam("id", type_=sa.BigInteger))
_list = Statement(sa.select(*_columns).where(_here).order_by(schedules.c.id))
_get = Statement(sa.select(*_columns).where(*_by_id))
_count = Statement(sa.select(sa.func.count()).select_from(schedules).where(_here))
_insert = Insert(
    schedules,
    (
        "workspace_id",
        *(n for n in Schedule.__dataclass_fields__ if n not in ("id", "last_ms")),
    ),
)
_delete = Statement(sa.delete(schedules).where(*_by_id))
_is_due = schedules.c.next_ms <= sa.bindparam("now_ms", type_=sa.BigInteger)
# A worker looks after the schedules of every workspace.
_any_due = Statement(sa.select(schedules.c.id).where(_is_due).limit(sa.literal(1)), anywhere=True)
_due = Statement(
    sa.select(*_columns, schedules.c.workspace_id, workspaces.c.name)
    .select_from(schedules.join(workspaces, workspaces.c.id == schedules.c.workspace_id))
    .where(_is_due, workspaces.c.deleted_ms.is_(None))
    .order_by(schedules.c.next_ms)
    .limit(sa.literal(100))
    .with_for_update(skip_locked=True, of=schedules),
    anywhere=True,
)
_move = Statement(
    sa.update(schedules)
    .where(schedules.c.id == sa.bindparam("of_id"))
    .values(next_ms=sa.bindparam("new_next_ms"), last_ms=sa.bindparam("new_last_ms")),
    anywhere=True,
)


def next_time(cron: str, timezone: str, after_ms: int) -> int | None:
    """When a cron expression comes next after a time; None for never. Raises ``Invalid``.

    Five fields (minute, hour, day of month, month, day of week) as Debian's cron reads them.
    """
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 -- only where a schedule is made

    check_text(cron, "The cron expression", CRON_MAX)
    try:
        zone = UTC if timezone == "UTC" else zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f"There is no time zone {timezone!r}; use a name such as 'Europe/Zurich' or 'UTC'."
        ) from None
    if len(cron.split()) != 5:
        raise Invalid(
            f"The cron expression {cron!r} needs five fields: minute, hour, day of month, month,"
            " day of week; such as '0 6 * * MON-FRI'."
        )
    try:
        found = next(CronSim(cron, datetime.fromtimestamp(after_ms / 1000, zone)), None)
    except CronSimError as error:
        raise Invalid(
            f"The cron expression {cron!r} cannot be read: {str(error).lower()}."
        ) from None
    return None if found is None else int(found.timestamp() * 1000)


def create_schedule(
    tx: Tx,
    *,
    name: str,
    cron: str,
    timezone: str,
    plan: str,
    plan_digest: str,
    model: str,
    input: str,
    output: str,
) -> Schedule:
    """Let jobs of a plan come again and again; raises ``Invalid``."""
    check_text(name, "The schedule's name", NAME_MAX)
    check_text(plan, "The plan", records.PLAN_MAX)
    for what, text in (("model", model), ("input", input), ("output", output)):
        check_text(text, f"The {what}", records.TEXT_MAX)
    next_ms = next_time(cron, timezone, tx.now_ms)
    if next_ms is None:
        raise Invalid(f"The cron expression {cron!r} names no time that ever comes.")
    if tx.one(_count)[0] >= SCHEDULES_MAX:
        raise Invalid(f"There are {SCHEDULES_MAX} schedules here already; delete some first.")
    schedule_id = tx.add(
        _insert,
        name=name,
        cron=cron,
        timezone=timezone,
        created_by=tx.actor,
        created_ms=tx.now_ms,
        next_ms=next_ms,
        model=model,
        input=input,
        output=output,
        plan=plan,
        plan_digest=plan_digest,
    )
    tx.changed("schedule", str(schedule_id), "created", model)
    return get_schedule(tx, schedule_id)


def list_schedules(tx: Tx) -> Sequence[Schedule]:
    """The schedules of the workspace, in the order they were made."""
    return [Schedule(*row) for row in tx.all(_list)]


def get_schedule(tx: Tx, schedule_id: int) -> Schedule:
    """The schedule; raises ``NotFound``."""
    row = tx.one(_get, id=schedule_id)
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id} here.")
    return Schedule(*row)


def delete_schedule(tx: Tx, schedule_id: int) -> None:
    """Let no more jobs come; those that are queued stay. Raises ``NotFound``."""
    found = get_schedule(tx, schedule_id)
    tx.run(_delete, id=schedule_id)
    tx.changed("schedule", str(schedule_id), "deleted", found.model)


def is_any_due(tx: Tx) -> bool:
    """Whether the time of a schedule has come, in any workspace."""
    return tx.one(_any_due, now_ms=tx.now_ms) is not None


def queue_due(tx: Tx) -> int:
    """Queue a job of every schedule whose time has come; how many."""
    rows = tx.all(_due, now_ms=tx.now_ms)
    for row in rows:
        found, workspace_id, workspace = Schedule(*row[:-2]), row[-2], row[-1]
        records.submit(
            tx.beside(workspace_id, workspace),
            kind="predict",
            plan=found.plan,
            plan_digest=found.plan_digest,
            model=found.model,
            input=found.input,
            output=found.output,
            schedule_id=found.id,
            actor=found.created_by,
        )
        tx.run(
            _move,
            of_id=found.id,
            new_next_ms=next_time(found.cron, found.timezone, tx.now_ms),
            new_last_ms=tx.now_ms,
        )
        tx.changes.append(Change(workspace, "schedule", str(found.id), "queued", found.model))
    return len(rows)
