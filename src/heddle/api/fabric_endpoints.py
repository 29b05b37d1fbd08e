"""Microsoft Fabric's calls for the endpoints of ML models, in Fabric's shapes.

A model's own endpoint answers with its default version, which is the one that the alias
``default`` names. Versions are named by their numbers. Where Fabric's docs write the path both
ways, both are answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec

from heddle.api.fabric import ITEM, PAGE, caller_in, error_body, read_body
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.api.native.endpoints import activate_version, endpoints_of
from heddle.api.native.model_files import Reader, signature_out
from heddle.db.tx import Caller, Tx
from heddle.errors import Invalid, NotFound
from heddle.registry import aliases, endpoints, guids, version_table, versions
from heddle.registry.models import Model
from heddle.registry.versions import Version
from heddle.scoring.endpoint import FABRIC_FORM
from heddle.scoring.endpoints import Endpoints
from heddle.search import page

SPELLINGS = (ITEM, ITEM.replace("mlModels", "mlmodels"))
Behavior = Literal["StaticallyConfigured", "NotConfigured"]
ScaleRule = Literal["AlwaysOn", "AllowScaleToZero"]
Serve = Callable[[Request, Services, Caller], Awaitable[Any]]


class UpdateEndpoint(msgspec.Struct, rename="camel"):
    """Which version a model's own endpoint answers with."""

    default_version_name: str | None = None
    default_version_assignment_behavior: Behavior | None = None


class UpdateVersion(msgspec.Struct, rename="camel"):
    """Whether a version's model stays in memory."""

    scale_rule: ScaleRule


def _model(tx: Tx, request: Request) -> Model:
    return guids.model_with(tx, request.params["ml_model"])


def _numbered(tx: Tx, model: Model, text: str) -> Version:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound(f"There is no version '{text}'; versions are named by their numbers.")
    return versions.get_version(tx, model.name, int(text))


def _version(tx: Tx, request: Request) -> Version:
    return _numbered(tx, _model(tx, request), request.params["endpoint_version"])


def _default(tx: Tx, model: Model) -> Version:
    found = aliases.find_by_alias(tx, model.name, endpoints.DEFAULT)
    if found is None:
        raise NotFound(
            f"The model '{model.name}' has no default version. Set one with PATCH .../endpoint, or"
            f" point the alias '{endpoints.DEFAULT}' to a version."
        )
    return aliases.get_by_alias(tx, model.name, endpoints.DEFAULT)


def _endpoint_out(tx: Tx, model: Model) -> dict[str, Any]:
    named = dict(aliases.load_model_aliases(tx, [model.id]).get(model.id, ()))
    number = named.get(endpoints.DEFAULT)
    return {
        "defaultVersionName": None if number is None else str(number),
        "defaultVersionAssignmentBehavior": (
            "NotConfigured" if number is None else "StaticallyConfigured"
        ),
    }


def _version_out(tx: Tx, reader: Reader, live: Endpoints, version: Version) -> dict[str, Any]:
    """A version's endpoint as Fabric tells of it."""
    decided = endpoints.find_endpoint(tx, version.id)
    held = live.find(version.id)
    state, failure = "inactive", ""
    if decided.is_active:
        state = "active" if held is None else held.state
        failure = "" if held is None else held.failure
    elif held is not None and held.state == "deactivating":
        state = held.state
    signature = signature_out(reader.model(tx, version.manifest_id))
    return {
        "versionName": str(version.number),
        "status": state.capitalize(),
        "scaleRule": "AlwaysOn" if decided.is_always_on else "AllowScaleToZero",
        "inputSignature": [] if signature is None else _fields(signature.inputs),
        "outputSignature": [] if signature is None else _fields(signature.outputs),
        "failureDetails": {"errorCode": "ModelFailed", "message": failure} if failure else None,
    }


def _fields(fields: Sequence[Any]) -> list[dict[str, Any]]:
    return [{"name": each.name, "type": each.type, "required": each.required} for each in fields]


# ---- the calls ---------------------------------------------------------------------------------


async def get_endpoint(request: Request, services: Services, caller: Caller) -> Any:
    """A model's own endpoint: its default version."""
    return await services.database.read(lambda tx: _endpoint_out(tx, _model(tx, request)), caller)


async def update_endpoint(request: Request, services: Services, caller: Caller) -> Any:
    """Choose the default version, or none."""
    body: UpdateEndpoint = read_body(request, UpdateEndpoint)

    def operation(tx: Tx) -> dict[str, Any]:
        model = _model(tx, request)
        if body.default_version_assignment_behavior == "NotConfigured":
            aliases.delete_alias(tx, model.name, endpoints.DEFAULT)
        elif body.default_version_name is not None:
            version = _numbered(tx, model, body.default_version_name)
            aliases.set_alias(tx, model.name, endpoints.DEFAULT, version.number)
        else:
            raise Invalid("Name the version in defaultVersionName.")
        return _endpoint_out(tx, model)

    return await services.database.write(operation, caller)


async def list_versions(request: Request, services: Services, caller: Caller) -> Any:
    """A page of the versions' endpoints."""
    reader, live = Reader(services), endpoints_of(services)
    offset = page.decode(request.query().get("continuationToken", [""])[-1])

    def operation(tx: Tx) -> dict[str, Any]:
        model = _model(tx, request)
        ids, total = version_table.search(
            tx, model_id=model.id, filter="", order_by=[], limit=PAGE, offset=offset
        )
        found = versions.load_versions(tx, ids)
        answer: dict[str, Any] = {
            "value": [_version_out(tx, reader, live, found[each]) for each in ids]
        }
        if total > offset + PAGE:
            answer["continuationToken"] = page.encode(offset + PAGE)
        return answer

    return await services.database.read(operation, caller)


async def get_version(request: Request, services: Services, caller: Caller) -> Any:
    """The endpoint of one version."""
    reader, live = Reader(services), endpoints_of(services)
    return await services.database.read(
        lambda tx: _version_out(tx, reader, live, _version(tx, request)), caller
    )


async def update_version(request: Request, services: Services, caller: Caller) -> Any:
    """Say whether a version's model stays in memory."""
    body: UpdateVersion = read_body(request, UpdateVersion)
    live = endpoints_of(services)

    def operation(tx: Tx) -> tuple[Version, endpoints.Endpoint]:
        version = _version(tx, request)
        return version, endpoints.keep_on(tx, version, is_always_on=body.scale_rule == "AlwaysOn")

    version, decided = await services.database.write(operation, caller)
    if decided.is_active:
        live.of(caller, version, decided)
    return await get_version(request, services, caller)


async def activate(request: Request, services: Services, caller: Caller) -> Any:
    """Let a version answer requests."""
    live = endpoints_of(services)

    def operation(tx: Tx) -> tuple[Version, endpoints.Endpoint]:
        version = _version(tx, request)
        return version, activate_version(tx, version, live.limit)

    version, decided = await services.database.write(operation, caller)
    live.forget()
    endpoint = live.of(caller, version, decided)
    if endpoint.process is None:
        endpoint.begin(again=True)
    return await get_version(request, services, caller)


async def deactivate(request: Request, services: Services, caller: Caller) -> Any:
    """Let a version answer no more requests."""

    def operation(tx: Tx) -> int:
        version = _version(tx, request)
        endpoints.deactivate(tx, version)
        return version.id

    await endpoints_of(services).drop(await services.database.write(operation, caller))
    return await get_version(request, services, caller)


async def deactivate_all(request: Request, services: Services, caller: Caller) -> Any:
    """Let no version of a model answer requests."""

    def operation(tx: Tx) -> list[int]:
        model = _model(tx, request)
        found = [
            versions.get_version(tx, model.name, number)
            for number in endpoints.list_active(tx, model.id)
        ]
        for version in found:
            endpoints.deactivate(tx, version)
        return [version.id for version in found]

    for version_id in await services.database.write(operation, caller):
        await endpoints_of(services).drop(version_id)
    return {}


async def score_version(request: Request, services: Services, caller: Caller) -> Any:
    """Predict with one version."""
    return await _score(request, services, caller, lambda tx: _version(tx, request))


async def score_default(request: Request, services: Services, caller: Caller) -> Any:
    """Predict with the model's default version."""
    return await _score(request, services, caller, lambda tx: _default(tx, _model(tx, request)))


async def _score(
    request: Request, services: Services, caller: Caller, find: Callable[[Tx], Version]
) -> Any:
    request.check_encoding()
    named = request.params.get("endpoint_version", "")
    place = f"{request.params['ml_model']}\0fabric"
    endpoint = await endpoints_of(services).get(caller, place, named, find)
    return msgspec.Raw(await endpoint.score(request.body, FABRIC_FORM))


def _row(method: str, path: str, action: str, serve: Serve) -> Row:
    async def run(request: Request, services: Services) -> None:
        if method != "GET":
            request.body = await request.read_body()
        caller = await caller_in(request, services)
        await respond(request, 200, encode_json(await serve(request, services, caller)))

    return Row(method, path, action, Effect.STREAM, run, _nothing, _nothing, error_body)


def _nothing(_: Any) -> Any:
    """Decoding and encoding are the call's own business."""
    return b""


def endpoint_rows() -> list[Row]:
    """Fabric's calls for endpoints."""
    version = "/endpoint/versions/{endpoint_version}"
    calls: Sequence[tuple[str, str, str, Serve]] = (
        ("GET", "/endpoint", "endpoint.read", get_endpoint),
        ("PATCH", "/endpoint", "alias.write", update_endpoint),
        ("POST", "/endpoint/score", "endpoint.invoke", score_default),
        ("GET", "/endpoint/versions", "endpoint.read", list_versions),
        ("POST", "/endpoint/versions/deactivateAll", "endpoint.write", deactivate_all),
        ("GET", version, "endpoint.read", get_version),
        ("PATCH", version, "endpoint.write", update_version),
        ("POST", f"{version}/activate", "endpoint.write", activate),
        ("POST", f"{version}/deactivate", "endpoint.write", deactivate),
        ("POST", f"{version}/score", "endpoint.invoke", score_version),
    )
    return [
        _row(method, item + path, action, serve)
        for item in SPELLINGS
        for method, path, action, serve in calls
    ]
