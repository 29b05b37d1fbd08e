"""Endpoints, in the API's words: activated, asked, put away."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.offer import Ask
from heddle.api.native.shapes import endpoints as shapes
from heddle.api.native.versions import find_version
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.registry import endpoints as decided
from heddle.registry import scans
from heddle.registry.versions import Version
from heddle.scoring.endpoint import CSV_FORM, JSON_FORM, Counts, Endpoint
from heddle.scoring.endpoints import Endpoints, refuse_label

FORMS = {b"application/json": JSON_FORM, b"text/csv": CSV_FORM}


def endpoints_of(services: Services) -> Endpoints:
    """The endpoints of this process."""
    found: Endpoints = services.extra["endpoints"]
    return found


def counts_out(counts: Counts) -> shapes.EndpointCounts:
    """What an endpoint did."""

    def within(part: float) -> float | None:
        found = counts.percentile(part)
        return None if found is None else found * 1000

    mean = counts.seconds / counts.requests * 1000 if counts.requests else None
    return shapes.EndpointCounts(
        requests=counts.requests,
        errors=counts.errors,
        last_ms=counts.last_ms,
        mean_ms=mean,
        p50_ms=within(0.5),
        p95_ms=within(0.95),
        p99_ms=within(0.99),
    )


def endpoint_out(
    version: Version, found: decided.Endpoint, live: Endpoint | None, workspace: str
) -> shapes.Endpoint:
    """An endpoint as it stands."""
    process = None if live is None else live.process
    state: Any = "inactive"
    if live is not None and (found.is_active or live.state == "deactivating"):
        state = live.state
    elif found.is_active:
        state = "active"
    place = f"/api/v1/workspaces/{quote(workspace, safe='')}"
    name = quote(version.model_name, safe="")
    return shapes.Endpoint(
        model=version.model_name,
        version=version.number,
        state=state,
        is_loaded=process is not None,
        is_always_on=found.is_always_on,
        failure=live.failure if live is not None and found.is_active else "",
        path=f"{place}/models/{name}/versions/{version.number}/endpoint/score",
        changed_by=found.changed_by,
        changed_ms=found.changed_ms,
        joins=None if process is None else process.joins,
        walls=[] if process is None else process.walls,
        libraries={} if process is None else process.libraries,
        counts=counts_out(Counts() if live is None else live.counts),
    )


async def _show(
    request: Request, services: Services, version: Version, found: decided.Endpoint
) -> None:
    live = endpoints_of(services).find(version.id)
    out = endpoint_out(version, found, live, request.caller.workspace)
    await respond(request, 200, encode_json(out))


def _look(tx: Tx, ask: Ask[Any, Any]) -> tuple[Version, decided.Endpoint]:
    version = find_version(tx, ask)
    return version, decided.find_endpoint(tx, version.id)


async def get(request: Request, services: Services, ask: Ask[None, None]) -> None:
    version, found = await services.database.read(lambda tx: _look(tx, ask), request.caller)
    await _show(request, services, version, found)


def activate_version(tx: Tx, version: Version, limit: int) -> decided.Endpoint:
    """Let a version answer requests; raises ``WrongState`` for one that may not, as far as known."""
    scan = scans.find_scan(tx, version)
    title = f"Version {version.number} of '{version.model_name}'"
    if version.manifest_id is None:
        raise Invalid(f"{title} has no files here, so it cannot answer requests.")
    refuse_label("" if scan is None else scan.label, title)
    return decided.activate(tx, version, limit)


async def activate(request: Request, services: Services, ask: Ask[None, None]) -> None:
    live = endpoints_of(services)

    def operation(tx: Tx) -> tuple[Version, decided.Endpoint]:
        version = find_version(tx, ask)
        return version, activate_version(tx, version, live.limit)

    version, found = await services.database.write(operation, request.caller)
    live.forget()
    endpoint = live.of(request.caller, version, found)
    if endpoint.process is None:
        endpoint.begin(again=True)
    await _show(request, services, version, found)


async def deactivate(request: Request, services: Services, ask: Ask[None, None]) -> None:
    def operation(tx: Tx) -> tuple[Version, decided.Endpoint]:
        version = find_version(tx, ask)
        return version, decided.deactivate(tx, version)

    version, found = await services.database.write(operation, request.caller)
    await endpoints_of(services).drop(version.id)
    await _show(request, services, version, found)


async def update(
    request: Request, services: Services, ask: Ask[None, shapes.UpdateEndpoint]
) -> None:
    live = endpoints_of(services)

    def operation(tx: Tx) -> tuple[Version, decided.Endpoint]:
        version = find_version(tx, ask)
        if ask.body.is_always_on is None:
            return version, decided.find_endpoint(tx, version.id)
        return version, decided.keep_on(tx, version, is_always_on=ask.body.is_always_on)

    version, found = await services.database.write(operation, request.caller)
    live.forget()
    if found.is_active:
        endpoint = live.of(request.caller, version, found)
        if found.is_always_on and endpoint.process is None:
            endpoint.begin()
    await _show(request, services, version, found)


def form_of(request: Request) -> int:
    """What the body of a scoring request is written in; raises ``Invalid``."""
    request.check_encoding()
    kind = (request.header(b"content-type") or b"").split(b";", 1)[0].strip().lower()
    form = FORMS.get(kind)
    if form is None:
        raise Invalid(
            f"The body must be application/json or text/csv, not {kind.decode('latin-1')!r}."
        )
    return form


async def score(request: Request, services: Services, ask: Ask[None, None]) -> None:
    form = form_of(request)
    body = await request.read_body()
    at = ask.at
    endpoint = await endpoints_of(services).get(
        request.caller, at["model"], at["version"], lambda tx: find_version(tx, ask)
    )
    await respond(request, 200, await endpoint.score(body, form))


CALLS: dict[str, Any] = {
    "endpoints.get": get,
    "endpoints.activate": activate,
    "endpoints.deactivate": deactivate,
    "endpoints.update": update,
    "endpoints.score": score,
}
