"""Microsoft Fabric's calls for ML models as items of a workspace, in Fabric's shapes.

Scripts written for them carry over by changing the host. Workspaces and models are named by GUIDs
here; what Fabric has no call for (versions, tags, files) the native API offers.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from heddle import workspaces
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.db.tx import Caller, Tx
from heddle.errors import (
    AlreadyExists,
    Denied,
    HeddleError,
    Invalid,
    NoSuchCall,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from heddle.registry import guids, models, registration
from heddle.registry.guids import guid_of
from heddle.registry.models import Model
from heddle.search import page

PREFIX = "/v1/workspaces"
ITEMS = f"{PREFIX}/{{fabric_workspace}}/mlModels"
ITEM = f"{ITEMS}/{{ml_model}}"
PAGE = 100
Call = Callable[[Tx, Request], Any]


class WorkspaceNotFound(NotFound):
    """No workspace has that GUID."""


CODES: Sequence[tuple[type[HeddleError], str]] = (
    (WorkspaceNotFound, "WorkspaceNotFound"),
    (NotFound, "ItemNotFound"),
    (NoSuchCall, "ItemNotFound"),
    (AlreadyExists, "ItemDisplayNameAlreadyInUse"),
    (Denied, "InsufficientPrivileges"),
    (Unauthenticated, "Unauthorized"),
    (Unavailable, "ServiceUnavailable"),
)
"""Fabric's words for failures, the nearest first; any other is one of the caller or of ours."""


class CreateItem(msgspec.Struct, rename="camel"):
    """A model to be made; what else a client sends is passed over."""

    display_name: str
    description: str = ""


class UpdateItem(msgspec.Struct, rename="camel"):
    """What to change; what is left out stays."""

    display_name: str | None = None
    description: str | None = None


def error_body(error: HeddleError) -> bytes:
    """Fabric's error shape."""
    other = "InvalidInput" if error.status < 500 else "UnknownError"
    code = next((word for kind, word in CODES if isinstance(error, kind)), other)
    return encode_json(
        {
            "requestId": str(uuid.uuid4()),
            "errorCode": code,
            "message": error.message,
            "moreDetails": [],
            "isRetriable": isinstance(error, Unavailable),
        }
    )


def read_body(request: Request, kind: type[Any]) -> Any:
    """The body as a shape; raises ``Invalid``."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The body is wrong: {error}.") from None


def _item(request: Request, model: Model) -> dict[str, str]:
    return {
        "id": guid_of("model", model.id),
        "type": "MLModel",
        "displayName": model.name,
        "description": model.description,
        "workspaceId": request.params["fabric_workspace"].lower(),
    }


def list_items(tx: Tx, request: Request) -> dict[str, Any]:
    """A page of models, with the token of the next."""
    token = request.query().get("continuationToken", [""])[-1]
    offset = page.decode(token)
    found = models.search_models(tx, limit=PAGE + 1, offset=offset)
    loaded = models.load_models(tx, found[:PAGE])
    answer: dict[str, Any] = {"value": [_item(request, loaded[key]) for key in found[:PAGE]]}
    if len(found) > PAGE:
        token = page.encode(offset + PAGE)
        answer["continuationToken"] = token
        answer["continuationUri"] = (
            f"{request.server}{request.path}?continuationToken={quote(token)}"
        )
    return answer


def create_item(tx: Tx, request: Request) -> dict[str, str]:
    """A new model without versions."""
    body: CreateItem = read_body(request, CreateItem)
    made = models.create_model(tx, name=body.display_name, description=body.description)
    return _item(request, made)


def get_item(tx: Tx, request: Request) -> dict[str, str]:
    """One model."""
    return _item(request, guids.model_with(tx, request.params["ml_model"]))


def update_item(tx: Tx, request: Request) -> dict[str, str]:
    """Describe or rename a model."""
    body: UpdateItem = read_body(request, UpdateItem)
    model = guids.model_with(tx, request.params["ml_model"])
    if body.description is not None:
        model = models.describe_model(tx, model.name, body.description)
    if body.display_name is not None and body.display_name != model.name:
        model = registration.rename_model(tx, model.name, body.display_name)
    return _item(request, model)


def delete_item(tx: Tx, request: Request) -> None:
    """Delete a model with its versions."""
    registration.delete_model(tx, guids.model_with(tx, request.params["ml_model"]).name)


def _workspace(found: workspaces.Workspace, guid: str) -> dict[str, str]:
    return {
        "id": guid,
        "displayName": found.name,
        "description": found.description,
        "type": "Workspace",
    }


def list_workspaces(tx: Tx, _request: Request) -> dict[str, Any]:
    """Every workspace with its GUID."""
    known = guids.workspace_guids(tx)
    found = workspaces.list_workspaces(tx)
    return {"value": [_workspace(each, known[each.name]) for each in found if each.name in known]}


def get_workspace(tx: Tx, request: Request) -> dict[str, str]:
    """One workspace."""
    found = workspaces.get_workspace(tx, tx.workspace)
    return _workspace(found, request.params["fabric_workspace"].lower())


async def caller_in(request: Request, services: Services) -> Caller:
    """Who calls, in the workspace that the path names by GUID; raises ``WorkspaceNotFound``."""
    guid = request.params.get("fabric_workspace")
    if guid is None:
        return request.caller
    try:
        name = await services.database.read(
            lambda tx: guids.workspace_named(tx, guid), request.caller
        )
    except NotFound as error:
        raise WorkspaceNotFound(error.message) from None
    return replace(request.caller, workspace=name)


def _serve(call: Call, status: int, *, writes: bool) -> Callable[..., Any]:
    """Runs a call in the workspace that its path names by GUID, and sends what it gives."""

    async def run(request: Request, services: Services) -> None:
        if writes:
            request.body = await request.read_body()
        caller = await caller_in(request, services)
        run_call = services.database.write if writes else services.database.read
        answer = await run_call(lambda tx: call(tx, request), caller)
        await respond(request, status, b"" if answer is None else encode_json(answer))

    return run


def _nothing(_: Any) -> Any:
    """Decoding and encoding are the call's own business."""
    return b""


def fabric_rows() -> list[Row]:
    """Fabric's calls."""
    one = f"{PREFIX}/{{fabric_workspace}}"
    calls: Sequence[tuple[str, str, str, Call, int]] = (
        ("GET", PREFIX, "workspace.list", list_workspaces, 200),
        ("GET", one, "workspace.read", get_workspace, 200),
        ("GET", ITEMS, "model.read", list_items, 200),
        ("POST", ITEMS, "model.create", create_item, 201),
        ("GET", ITEM, "model.read", get_item, 200),
        ("PATCH", ITEM, "model.write", update_item, 200),
        ("DELETE", ITEM, "model.delete", delete_item, 200),
    )
    return [
        Row(
            method,
            path,
            action,
            Effect.STREAM,
            _serve(call, status, writes=method != "GET"),
            _nothing,
            _nothing,
            error_body,
            status,
        )
        for method, path, action, call, status in calls
    ]
