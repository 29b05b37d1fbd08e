"""Jobs, schedules, tables and scans, in the API's words.

The server opens none of the tables: it checks on text alone that a plan stays under the data roots,
and asks a worker for whatever needs looking.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.offer import Ask
from heddle.api.native.shapes import jobs as shapes
from heddle.api.native.shapes import kinds
from heddle.api.native.versions import find_version, scan_out
from heddle.api.native.workspaces import limit_of, offset_of
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound, Unavailable, WrongState
from heddle.jobs import records, schedules
from heddle.registry import scans
from heddle.registry.versions import Version
from heddle.scoring import plan as plans
from heddle.scoring import registered, roots

TAKEN_S = 10.0
"""How long a worker may need to take up what somebody waits for."""
ANSWER_S = 60.0
LOOK_S = (0.03, 0.05, 0.1, 0.2)
ROWS_MAX = 1000


def _plan_of(body: shapes.JobPlan, workspace: str, allowed: tuple[str, ...]) -> plans.Plan:
    """The plan that a body means, its places in full and checked; raises ``Invalid``."""
    said = msgspec.to_builtins(body)
    said["model"] = {"uri": body.model, "workspace": workspace}
    said["input"]["address"] = roots.place(body.input.address, allowed)
    said["output"]["address"] = roots.place(body.output.address, allowed)
    return plans.decode(msgspec.json.encode(said))


def _body_of(text: str) -> shapes.JobPlan:
    """What a kept plan says, in the API's shape."""
    said = msgspec.json.decode(text)
    known = {
        name: value for name, value in said.items() if name in shapes.JobPlan.__struct_fields__
    }
    return msgspec.convert(known | {"model": said["model"]["uri"]}, shapes.JobPlan)


def job_out(job: records.Job, *, whole: bool) -> shapes.Job:
    """A job; with its receipt if ``whole``."""
    progress = msgspec.json.decode(job.progress, type=shapes.Progress) if job.progress else None
    return shapes.Job(
        id=str(job.id),
        state=job.state,  # type: ignore[arg-type]
        submitted_by=job.submitted_by,
        submitted_ms=job.submitted_ms,
        started_ms=job.started_ms,
        ended_ms=job.ended_ms,
        model=job.model,
        version=job.version,
        input=job.input,
        output=job.output,
        attempts=job.attempts,
        cancelling=bool(job.cancelling) and job.ended_ms is None,
        schedule=None if job.schedule_id is None else str(job.schedule_id),
        worker=job.worker,
        progress=progress,
        error=job.error,
        plan=_body_of(job.plan),
        receipt=msgspec.json.decode(job.receipt) if whole and job.receipt else None,
    )


def _allowed(services: Services) -> tuple[str, ...]:
    allowed: tuple[str, ...] = services.extra["data_roots"]
    return allowed


async def submit(request: Request, services: Services, ask: Ask[None, shapes.SubmitJob]) -> None:
    plan = _plan_of(ask.body.plan, request.caller.workspace, _allowed(services))

    def operation(tx: Tx) -> bytes:
        version = _check_model(tx, plan)
        _, number, _ = registered.split_name(plan.model.uri)
        job = records.submit(
            tx,
            kind="predict",
            plan=plans.encode(plan).decode(),
            plan_digest=plan.identity,
            model=version.model_name,
            version=None if number is None else version.number,
            input=plan.input.address,
            output=plan.output.address,
        )
        return encode_json(job_out(job, whole=True))

    await respond(request, 201, await services.database.write(operation, request.caller))


def _check_model(tx: Tx, plan: plans.Plan) -> Version:
    """The version that the plan means now; raises what the worker would come to say later."""
    version = registered.find_version(tx, plan.model.uri)
    scan = scans.find_scan(tx, version)
    if scan is not None and scan.label == "suspicious" and not plan.allow_suspicious:
        gravest = scan.findings[0] if scan.findings else None
        why = "" if gravest is None else f": {gravest.path} {gravest.what}"
        raise WrongState(
            f"Version {version.number} of '{version.model_name}' is suspicious{why}. It is not"
            " loaded unless the plan says allow_suspicious."
        )
    return version


def list_jobs(tx: Tx, ask: Ask[shapes.JobQuery, None]) -> shapes.Jobs:
    query = ask.query
    found, total = records.list_jobs(
        tx,
        states=query.state,
        submitted_by=query.submitted_by,
        model=query.model,
        version=query.version,
        schedule_id=query.schedule,
        limit=limit_of(query.limit),
        offset=offset_of(query.offset),
    )
    return shapes.Jobs(jobs=[job_out(job, whole=False) for job in found], total=total)


def _job_id(tx: Tx, ask: Ask[None, None]) -> int:
    """The job asked for; what a worker merely looks up for somebody is none, as in lists."""
    job = records.get_job(tx, ask.number("job"))
    if job.kind in records.QUICK_KINDS:
        raise NotFound(f"There is no job {job.id} here.")
    return job.id


def get(tx: Tx, ask: Ask[None, None]) -> shapes.Job:
    return job_out(records.get_job(tx, _job_id(tx, ask)), whole=True)


def cancel(tx: Tx, ask: Ask[None, None]) -> shapes.Job:
    return job_out(records.cancel(tx, _job_id(tx, ask)), whole=True)


def retry(tx: Tx, ask: Ask[None, None]) -> shapes.Job:
    return job_out(records.retry(tx, _job_id(tx, ask)), whole=True)


def applied(tx: Tx, ask: Ask[kinds.Page, None]) -> shapes.Jobs:
    version = find_version(tx, ask)
    found, total = records.list_jobs(
        tx,
        states=["done"],
        model=version.model_name,
        version=version.number,
        limit=limit_of(ask.query.limit),
        offset=offset_of(ask.query.offset),
    )
    return shapes.Jobs(jobs=[job_out(job, whole=True) for job in found], total=total)


# ---- schedules -------------------------------------------------------------------------------


def _schedule_out(found: schedules.Schedule) -> shapes.Schedule:
    return shapes.Schedule(
        id=str(found.id),
        name=found.name,
        cron=found.cron,
        timezone=found.timezone,
        created_by=found.created_by,
        created_ms=found.created_ms,
        next_ms=found.next_ms,
        last_ms=found.last_ms,
        model=found.model,
        input=found.input,
        output=found.output,
        plan=_body_of(found.plan),
    )


async def create_schedule(
    request: Request, services: Services, ask: Ask[None, shapes.CreateSchedule]
) -> None:
    body = ask.body
    plan = _plan_of(body.plan, request.caller.workspace, _allowed(services))
    if plan.output.mode == "create":
        raise Invalid(
            "A schedule writes its output again and again: choose overwrite, append or merge, as"
            " create refuses a table that is there."
        )

    def operation(tx: Tx) -> bytes:
        version = _check_model(tx, plan)
        made = schedules.create_schedule(
            tx,
            name=body.name,
            cron=body.cron,
            timezone=body.timezone,
            plan=plans.encode(plan).decode(),
            plan_digest=plan.identity,
            model=version.model_name,
            input=plan.input.address,
            output=plan.output.address,
        )
        return encode_json(_schedule_out(made))

    await respond(request, 201, await services.database.write(operation, request.caller))


def list_schedules(tx: Tx, _ask: Ask[None, None]) -> shapes.Schedules:
    return shapes.Schedules(
        schedules=[_schedule_out(each) for each in schedules.list_schedules(tx)]
    )


def delete_schedule(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    schedules.delete_schedule(tx, ask.number("schedule"))
    return kinds.Done()


# ---- tables ----------------------------------------------------------------------------------


async def list_tables(
    request: Request, services: Services, ask: Ask[shapes.TableQuery, None]
) -> None:
    folder, allowed = ask.query.folder, _allowed(services)
    place = roots.place(folder, allowed) if folder else ""
    answer = await _by_worker(request, services, "tables", {"folder": place})
    await respond(request, 200, encode_json(msgspec.convert(answer, shapes.TableList)))


async def preview(request: Request, services: Services, ask: Ask[None, shapes.WantedTable]) -> None:
    said = msgspec.to_builtins(ask.body.input)
    said["address"] = roots.place(ask.body.input.address, _allowed(services))
    if not 1 <= ask.body.rows <= ROWS_MAX:
        raise Invalid(f"A preview shows 1 to {ROWS_MAX} rows, not {ask.body.rows}.")
    answer = await _by_worker(request, services, "preview", {"input": said, "rows": ask.body.rows})
    await respond(request, 200, encode_json(msgspec.convert(answer, shapes.TablePreview)))


async def _by_worker(
    request: Request, services: Services, kind: records.Kind, what: dict[str, Any]
) -> Any:
    """What a worker answers; raises ``Unavailable`` if none does, and what it refuses as ``Invalid``."""
    database, caller = services.database, request.caller
    plan = encode_json(what).decode()
    made = await database.write(lambda tx: records.submit(tx, kind=kind, plan=plan), caller)
    begun_s = time.monotonic()
    looks = 0
    while True:
        await asyncio.sleep(LOOK_S[min(looks, len(LOOK_S) - 1)])
        looks += 1
        job = await database.read(lambda tx: records.get_job(tx, made.id), caller)
        if job.state == "done":
            return msgspec.json.decode(job.receipt)
        if job.state in records.ENDED:
            raise Invalid(job.error or "The worker was told to stop.")
        waited_s = time.monotonic() - begun_s
        if waited_s > (TAKEN_S if job.state == "queued" else ANSWER_S):
            await database.write(lambda tx: _give_up(tx, made.id), caller)
            raise Unavailable(
                "No worker answers. heddle serve starts one unless it is told --no-worker; it needs"
                " the extra predict: pip install 'heddle-ml[predict]'. Others: heddle worker."
            )


def _give_up(tx: Tx, job_id: int) -> None:
    if records.get_job(tx, job_id).state not in records.ENDED:
        records.cancel(tx, job_id)


# ---- scans -----------------------------------------------------------------------------------


def get_scan(tx: Tx, ask: Ask[None, None]) -> shapes.Scan:
    return scan_out(tx, find_version(tx, ask))


def scan_again(tx: Tx, ask: Ask[None, None]) -> shapes.Scan:
    version = find_version(tx, ask)
    if version.manifest_id is None:
        raise WrongState("This version has no files here, so there is nothing to scan.")
    scans.wait(tx, version.id)
    return scan_out(tx, version)


CALLS: dict[str, Any] = {
    "jobs.submit": submit,
    "jobs.list": list_jobs,
    "jobs.get": get,
    "jobs.cancel": cancel,
    "jobs.retry": retry,
    "schedules.list": list_schedules,
    "schedules.create": create_schedule,
    "schedules.delete": delete_schedule,
    "tables.list": list_tables,
    "tables.preview": preview,
    "versions.applied": applied,
    "versions.scan": get_scan,
    "versions.scan_again": scan_again,
}
