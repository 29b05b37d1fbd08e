"""What MLflow's clients ask of the server itself: health, version, features, workspaces."""

from __future__ import annotations

from typing import Any, ClassVar

from heddle import workspaces
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.api.mlflow.artifacts import stream
from heddle.api.mlflow.wire import PREFIXES, Message, error_body, rows_for
from heddle.db.tx import Tx
from heddle.errors import Invalid, WrongState
from heddle.workspaces import Workspace

MLFLOW_VERSION = "3.17.2"
"""The release of MLflow whose protocol is answered; clients decide by it what they may send."""
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


class CreateWorkspace(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    description: str = ""
    default_artifact_root: str = ""


class UpdateWorkspace(Message):
    workspace_name: str = ""
    name: str | None = None
    description: str | None = None
    default_artifact_root: str | None = None


def workspace_out(workspace: Workspace) -> dict[str, Any]:
    """A workspace as MLflow writes it."""
    out = {"name": workspace.name}
    if workspace.description:
        out["description"] = workspace.description
    return out


def list_workspaces(tx: Tx, _ask: Nothing) -> dict[str, Any]:
    return {"workspaces": [workspace_out(found) for found in workspaces.list_workspaces(tx)]}


def get_workspace(tx: Tx, ask: WorkspaceName) -> dict[str, Any]:
    return {"workspace": workspace_out(workspaces.get_workspace(tx, ask.workspace_name))}


def _check_root(root: str | None) -> None:
    if root:
        raise Invalid(
            "default_artifact_root cannot be set: where files live is this server's own setting"
            " (heddle serve --artifacts)."
        )


def create_workspace(tx: Tx, ask: CreateWorkspace) -> dict[str, Any]:
    _check_root(ask.default_artifact_root)
    made = workspaces.create_workspace(tx, name=ask.name or "", description=ask.description)
    return {"workspace": workspace_out(made)}


def update_workspace(tx: Tx, ask: UpdateWorkspace) -> dict[str, Any]:
    _check_root(ask.default_artifact_root)
    if ask.description is None and ask.default_artifact_root is None:
        raise Invalid("Name at least one field to change: description.")
    changed = workspaces.update_workspace(tx, ask.workspace_name, description=ask.description)
    return {"workspace": workspace_out(changed)}


def delete_workspace(tx: Tx, ask: WorkspaceName) -> dict[str, Any]:
    if ask.mode not in ("", "RESTRICT"):
        raise WrongState(
            f"Workspaces are deleted only when empty (mode RESTRICT), not with mode {ask.mode!r}:"
            " delete"
            " or move what is in it first."
        )
    workspaces.delete_workspace(tx, ask.workspace_name)
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
        Row(method, path, "server.read", Effect.STREAM, call, _nothing, _nothing, error_body)
        for path, call in (("/health", health), ("/version", version))
        for method in ("GET", "HEAD")
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
