"""What MLflow's clients ask of the server itself: health, version, features, workspaces."""

from __future__ import annotations

from typing import Any, ClassVar

from heddle import workspaces
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.api.mlflow.artifacts import stream
from heddle.api.mlflow.wire import PREFIXES, Message, rows_for, wrong
from heddle.db.tx import DEFAULT_WORKSPACE, Tx
from heddle.errors import Invalid
from heddle.workspaces import Workspace

MLFLOW_VERSION = "3.17.2"
"""The release of MLflow whose protocol is answered; clients decide by it what they may send."""
DELETION_MODES = ("RESTRICT", "CASCADE", "SET_DEFAULT")
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
FEATURES: dict[str, Any] = {
    "store_type": "SqlStore",
    "workspaces_enabled": True,
    "trace_archival_enabled": False,
    # Parts are taken from whoever sends them, but a client told so would send each file of 500 MB and
    # more in parts, which takes twice as long as in one piece (measured): a content is known by the
    # digest of the whole, so it is read once more when all parts are there.
    "multipart_uploads_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
    "features_enabled": {"gateway": False},
}


class Nothing(Message):
    """A call without fields."""


class WorkspaceName(Message):
    workspace_name: str = ""
    mode: str = "RESTRICT"


class TraceArchival(Message):
    location: str = ""
    retention: str = ""


class CreateWorkspace(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    description: str = ""
    default_artifact_root: str = ""
    trace_archival_config: TraceArchival | None = None


class UpdateWorkspace(Message):
    workspace_name: str = ""
    description: str | None = None
    default_artifact_root: str | None = None
    trace_archival_config: TraceArchival | None = None


def workspace_out(workspace: Workspace) -> dict[str, Any]:
    """A workspace as MLflow writes it."""
    out = {"name": workspace.name}
    if workspace.description:
        out["description"] = workspace.description
    return out


def list_workspaces(tx: Tx, _ask: Nothing) -> dict[str, Any]:
    return {"workspaces": [workspace_out(found) for found in workspaces.list_workspaces(tx)]}


def _name_of(ask: WorkspaceName | UpdateWorkspace) -> str:
    """The workspace that the path names; raises ``Invalid`` for what could not be one."""
    if ask.workspace_name != DEFAULT_WORKSPACE:
        workspaces.check_name(ask.workspace_name)
    return ask.workspace_name


def get_workspace(tx: Tx, ask: WorkspaceName) -> dict[str, Any]:
    return {"workspace": workspace_out(workspaces.get_workspace(tx, _name_of(ask)))}


def _check_settings(ask: CreateWorkspace | UpdateWorkspace) -> None:
    """Raise ``Invalid`` for what a workspace of this server cannot have for itself."""
    if ask.default_artifact_root:
        raise Invalid(
            "default_artifact_root cannot be set: where files live is this server's own setting"
            " (heddle serve --artifacts)."
        )
    archival = ask.trace_archival_config
    if archival is not None and (archival.location or archival.retention):
        raise Invalid("trace_archival_config cannot be set: this server does not keep traces.")


def create_workspace(tx: Tx, ask: CreateWorkspace) -> dict[str, Any]:
    if ask.name == DEFAULT_WORKSPACE:
        raise Invalid("The workspace 'default' is there from the start and cannot be created.")
    _check_settings(ask)
    made = workspaces.create_workspace(tx, name=ask.name or "", description=ask.description)
    return {"workspace": workspace_out(made)}


def update_workspace(tx: Tx, ask: UpdateWorkspace) -> dict[str, Any]:
    name = _name_of(ask)
    _check_settings(ask)
    if (ask.description, ask.default_artifact_root, ask.trace_archival_config) == (None,) * 3:
        raise Invalid("Name at least one field to change: description.")
    changed = workspaces.update_workspace(tx, name, description=ask.description)
    return {"workspace": workspace_out(changed)}


def delete_workspace(tx: Tx, ask: WorkspaceName) -> dict[str, Any]:
    """Delete an empty workspace. What is in one is neither deleted nor moved, in any mode."""
    name = _name_of(ask)
    if ask.mode not in DELETION_MODES:
        raise wrong("mode", ask.mode, f"use one of {', '.join(DELETION_MODES)}")
    workspaces.delete_workspace(tx, name)
    return {}


async def health(request: Request, _services: Services) -> None:
    """Whether the server answers."""
    await respond(request, 200, b"OK", (PLAIN,))


async def server_info(request: Request, services: Services) -> None:
    """What this server offers; files are read from the object store itself where there is one."""
    signs = not services.extra["blobs"].store.is_local
    await respond(request, 200, encode_json({**FEATURES, "multipart_downloads_enabled": signs}))


async def version(request: Request, _services: Services) -> None:
    """The release of MLflow that this server stands in for."""
    await respond(request, 200, MLFLOW_VERSION.encode(), (PLAIN,))


def _nothing(_: Any) -> bytes:
    return b""


def server_rows() -> list[Row]:
    """The calls about the server and its workspaces."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    made = [
        stream("GET", path, "server.read", call)
        for path, call in (("/health", health), ("/version", version))
    ]
    made += [
        stream("GET", f"{prefix}/3.0/mlflow/server-info", "server.read", server_info)
        for prefix in PREFIXES
    ]
    calls: list[tuple[Any, ...]] = [
        ("GET", "workspaces", "workspace.read", read, Nothing, list_workspaces, 200),
        ("POST", "workspaces", "workspace.create", write, CreateWorkspace, create_workspace, 201),
        ("GET", "workspaces/{workspace_name}", "workspace.read", point, WorkspaceName, get_workspace, 200),
        (
            "PATCH", "workspaces/{workspace_name}", "workspace.update", write,
            UpdateWorkspace, update_workspace, 200,
        ),
    ]  # fmt: skip
    for *call, status in calls:
        made += rows_for(*call, version="3.0", status=status)
    made += rows_for(
        "DELETE", "workspaces/{workspace_name}", "workspace.delete", write, WorkspaceName, delete_workspace,
        version="3.0", status=204, encode=_nothing,
    )  # fmt: skip
    return made
