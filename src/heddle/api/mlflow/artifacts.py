"""MLflow's file calls: listing, the two plain downloads, and the proxy under ``mlflow-artifacts``.

A proxy path names a run's file, a logged model's, a version's (``versions/<id>/...``, read only) or
one of the workspace itself; ``tracking.files`` tells which. Paths are checked before anything else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from heddle.api.files import Outgoing, query_value, receive_file, send_file
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.api.mlflow.wire import PREFIXES, Message, error_body, reader, rows_for
from heddle.artifacts import manifests
from heddle.artifacts.manifests import Entry, check_path
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound, NotOffered
from heddle.registry import versions
from heddle.tracking import files
from heddle.tracking.files import Place

PROXY = "mlflow-artifacts/artifacts"
UPLOAD_MAX = 10 * 1024 * 1024
VERSIONS = "versions"


class ListFiles(Message):
    """The files of a run below a folder."""

    required: ClassVar = ("run_id",)
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None
    path: str = ""
    page_token: str = ""


class ListModelFiles(Message):
    """The files of a logged model below a folder."""

    model_id: str = ""
    artifact_directory_path: str = ""
    page_token: str = ""


class ListProxy(Message):
    """The names below a proxy path."""

    path: str = ""


class AnyBody(Message):
    """A call that is refused whatever it says."""

    path: str = ""
    upload_path: str = ""


def entry_out(entry: Entry, folder: str = "") -> dict[str, Any]:
    """A name in a folder as MLflow writes it, with the folder in front where there is one."""
    path = f"{folder}/{entry.name}" if folder else entry.name
    if entry.size_bytes is None:
        return {"path": path, "is_dir": True}
    return {"path": path, "is_dir": False, "file_size": entry.size_bytes}


def _listing(root: str, tx: Tx, place: Place) -> dict[str, Any]:
    answer: dict[str, Any] = {"root_uri": root}
    found = manifests.list_folder(tx, place.manifest_id, place.path)
    if found:
        answer["files"] = [entry_out(entry, place.path) for entry in found]
    return answer


def list_run_files(tx: Tx, ask: ListFiles) -> dict[str, Any]:
    path = check_path(ask.path, root_ok=True)
    place, root = files.run_place(tx, ask.run_id or "", path)
    return _listing(root, tx, place)


def list_model_files(tx: Tx, ask: ListModelFiles) -> dict[str, Any]:
    path = check_path(ask.artifact_directory_path, root_ok=True)
    place, root = files.model_place(tx, ask.model_id, path)
    return _listing(root, tx, place)


def list_proxy(tx: Tx, ask: ListProxy) -> dict[str, Any]:
    path = files.within_workspace(tx, check_path(ask.path, root_ok=True))
    place = _find(tx, path)
    found = manifests.list_folder(tx, place.manifest_id, place.path)
    return {"files": [entry_out(entry) for entry in found]} if found else {}


def _find(tx: Tx, path: str) -> Place:
    """Whose file a proxy path (without workspace) names; raises ``NotFound`` for a version."""
    head, _, rest = path.partition("/")
    if head != VERSIONS:
        return files.find_place(tx, path)
    number, _, inner = rest.partition("/")
    found = versions.find_version(tx, int(number)) if _is_id(number) else None
    if found is None:
        raise NotFound(f"No version of a model has its files at '{path}'.")
    return Place("version", found.id, "", found.manifest_id, inner)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004 -- fits 64 bits


def _find_writable(tx: Tx, path: str) -> Place:
    if path.split("/", 1)[0] == VERSIONS:
        raise Invalid(
            f"Invalid path '{path}': the files of a registered version never change. Register a new"
            " version instead."
        )
    return files.find_place(tx, path)


def _proxy_path(request: Request) -> str:
    """The checked path of a proxy call, from the bytes that were sent where they are known."""
    raw = request.scope.get("raw_path")
    if not raw:
        return check_path(request.params["path"])
    _, _, tail = raw.split(b"?", 1)[0].partition(b"/artifacts/")
    try:
        return check_path(unquote_to_bytes(tail).decode())
    except UnicodeDecodeError:
        raise Invalid("Invalid path: it is not UTF-8 text.") from None


async def _send(request: Request, services: Services, find: Any) -> None:
    def operation(tx: Tx) -> Outgoing:
        place: Place = find(tx)
        return Outgoing(*manifests.read_file(tx, place.manifest_id, place.path))

    outgoing = await services.database.read(operation, request.caller)
    await send_file(request, services, outgoing)


async def download(request: Request, services: Services) -> None:
    """A file at a proxy path."""
    path = _proxy_path(request)
    await _send(request, services, lambda tx: _find(tx, files.within_workspace(tx, path)))


async def upload(request: Request, services: Services) -> None:
    """Store the body at a proxy path."""
    path = _proxy_path(request)

    def check(tx: Tx) -> None:
        _find_writable(tx, files.within_workspace(tx, path))

    await services.database.read(check, request.caller)

    def commit(tx: Tx, digest: str, size_bytes: int) -> None:
        place = _find_writable(tx, files.within_workspace(tx, path))
        files.put_file(tx, place, digest=digest, size_bytes=size_bytes)

    await receive_file(request, services, commit)
    await respond(request, 200, b"{}")


async def remove(request: Request, services: Services) -> None:
    """Remove a file or a folder at a proxy path; what is not there is removed already."""
    path = _proxy_path(request)

    def operation(tx: Tx) -> None:
        files.delete_path(tx, _find_writable(tx, files.within_workspace(tx, path)))

    await services.database.write(operation, request.caller)
    await respond(request, 200, b"{}")


async def get_artifact(request: Request, services: Services) -> None:
    """A run's file by run and path."""
    uid = query_value(request, "run_id", "run_uuid")
    path = check_path(query_value(request, "path"))
    await _send(request, services, lambda tx: files.run_place(tx, uid, path)[0])


async def get_model_file(request: Request, services: Services) -> None:
    """A logged model's file by model and path."""
    uid = request.params["model_id"]
    path = check_path(query_value(request, "artifact_file_path"))
    await _send(request, services, lambda tx: files.model_place(tx, uid, path)[0])


async def get_version_artifact(request: Request, services: Services) -> None:
    """A version's file by model, version and path."""
    name, number = query_value(request, "name"), query_value(request, "version")
    path = check_path(query_value(request, "path"))
    if not _is_id(number):
        raise Invalid(f"Invalid value {number!r} for parameter 'version' supplied: a whole number is expected.")

    def find(tx: Tx) -> Place:
        found = versions.get_version(tx, name, int(number))
        if found.manifest_id is None:
            place = files.find_place(tx, files.location_path(tx, found.location) or "")
            return replace(place, path="/".join(filter(None, (place.path, path))))
        return Place("version", found.id, "", found.manifest_id, path)

    await _send(request, services, find)


async def upload_run_file(request: Request, services: Services) -> None:
    """Store the body as a run's file; small ones only, as MLflow's page sends them."""
    uid = query_value(request, "run_uuid", "run_id")
    path = check_path(query_value(request, "path"))

    def commit(tx: Tx, digest: str, size_bytes: int) -> None:
        place = files.run_place(tx, uid, path)[0]
        files.put_file(tx, place, digest=digest, size_bytes=size_bytes)

    await receive_file(request, services, commit, limit=UPLOAD_MAX)
    await respond(request, 200, encode_json({}))


def no_parts(_tx: Tx, _ask: AnyBody) -> None:
    """Uploads in parts and presigned addresses: clients then send or fetch the file whole."""
    raise NotOffered(
        "This server takes and gives files whole, in one streamed request; send a plain PUT or GET."
    )


def _nothing(_: Any) -> bytes:
    return b""


def artifact_rows() -> list[Row]:
    """The file calls."""
    point, read = Effect.POINT, Effect.READ
    made = rows_for("GET", "artifacts/list", "run.read", read, ListFiles, list_run_files)
    folder = "logged-models/{model_id}/artifacts/directories"
    made += rows_for(
        "GET", folder, "logged_model.read", read, ListModelFiles, list_model_files, preview=False
    )
    streams = [
        ("GET", "/get-artifact", "run.read", get_artifact),
        ("GET", "/model-versions/get-artifact", "model.read", get_version_artifact),
        ("POST", "/ajax-api/2.0/mlflow/upload-artifact", "run.write", upload_run_file),
        (
            "GET",
            "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
            "logged_model.read",
            get_model_file,
        ),
    ]
    for prefix in PREFIXES:
        at = f"{prefix}/2.0/{PROXY}"
        made += [_plain("GET", at, "run.read", read, ListProxy, list_proxy)]
        streams += [
            ("GET", f"{at}/{{path:path}}", "run.read", download),
            ("HEAD", f"{at}/{{path:path}}", "run.read", download),
            ("PUT", f"{at}/{{path:path}}", "run.write", upload),
            ("DELETE", f"{at}/{{path:path}}", "run.write", remove),
        ]
        base = f"{prefix}/2.0/mlflow-artifacts"
        made += [
            _plain("POST", f"{base}/mpu/{step}/{{path:path}}", "run.write", point, AnyBody, no_parts)
            for step in ("create", "complete", "abort")
        ]
        made.append(
            _plain("GET", f"{base}/presigned/{{path:path}}", "run.read", point, AnyBody, no_parts)
        )
    for call in ("presigned-upload-url", "presigned-download-url"):
        made += rows_for("POST", f"artifacts/{call}", "run.write", point, AnyBody, no_parts)
    made += [
        Row(method, path, action, Effect.STREAM, call, _nothing, _nothing, error_body)
        for method, path, action, call in streams
    ]
    return made


def _plain(
    method: str, path: str, action: str, effect: Effect, kind: type[Message], call: Any
) -> Row:
    """A row of a path that has no twins."""
    return Row(method, path, action, effect, call, reader(kind), encode_json, error_body)
