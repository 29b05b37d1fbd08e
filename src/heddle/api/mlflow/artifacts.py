"""MLflow's artifact calls: the proxy, the listings of runs and logged models, downloads by name.

A proxy path is an address only: it is checked, matched with the run, logged model or version that
it belongs to, and never becomes a path of a disk. Files of versions are read, never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from heddle.api.files import (
    Outgoing,
    look,
    query_value,
    receive_file,
    send_file,
)
from heddle.api.http import Effect, Request, Row, Services, encode_json, respond
from heddle.api.mlflow.wire import PREFIXES, Message, error_body, reader, rows_for, wrong
from heddle.artifacts import manifests
from heddle.artifacts.contents import SMALL_MAX
from heddle.errors import Invalid, NotFound, NotOffered, TooLarge
from heddle.registry import versions
from heddle.tracking import files
from heddle.tracking.files import Place

if TYPE_CHECKING:
    from heddle.artifacts.blobs import Blobs
    from heddle.db.tx import Tx

VERSIONS = "versions"
"""The folder of the proxy in which each version's files stand under its id."""
UPLOAD_MAX = 10 * 1024 * 1024
SIGNED_S = 900


class ListArtifacts(Message):
    required: ClassVar = ("run_id",)
    older: ClassVar = {"run_uuid": "run_id"}
    run_id: str | None = None
    path: str = ""
    page_token: str = ""


class ListProxied(Message):
    path: str = ""


class ListModel(Message):
    required: ClassVar = ("model_id",)
    model_id: str | None = None
    artifact_directory_path: str = ""
    page_token: str = ""


class Presign(Message):
    run_id: str = ""
    model_id: str = ""
    path: str = ""


def find_place(tx: Tx, path: str) -> Place:
    """Whose file a checked proxy path names.

    Raises ``Invalid`` for another workspace's prefix, ``NotFound`` for a version that is not here.
    """
    inner = files.within_workspace(tx, path)
    head, _, rest = inner.partition("/")
    if head != VERSIONS:
        return files.find_place(tx, inner)
    number, _, rest = rest.partition("/")
    version = versions.find_version(tx, int(number)) if is_number(number) else None
    if version is None:
        raise NotFound(f"No version of a model has its files at '{path}'.")
    return Place("version", version.id, "", version.manifest_id, rest)


def is_number(text: str) -> bool:
    """Whether a text is a whole number that fits 64 bits."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def writable_place(tx: Tx, path: str) -> Place:
    """Where a checked proxy path may be written; raises ``Invalid`` for a version's files."""
    inner = files.within_workspace(tx, path)
    if inner.split("/", 1)[0] == VERSIONS:
        raise Invalid(
            f"Invalid path '{path}': the files of a registered version never change. Register a"
            " new version instead."
        )
    return files.find_place(tx, inner)


def entries_out(entries: list[manifests.Entry], folder: str = "") -> list[dict[str, Any]]:
    """A folder's entries as MLflow's file infos, their paths below ``folder``."""
    start = f"{folder}/" if folder else ""
    return [
        {"path": start + entry.name, "is_dir": True}
        if entry.is_dir
        else {"path": start + entry.name, "is_dir": False, "file_size": entry.size_bytes}
        for entry in entries
    ]


def _listed(tx: Tx, root_uri: str, place: Place) -> dict[str, Any]:
    entries = manifests.list_folder(tx, place.manifest_id, place.path)
    answer: dict[str, Any] = {"root_uri": root_uri}
    if entries:
        answer["files"] = entries_out(entries, place.path)
    return answer


def list_artifacts(tx: Tx, ask: ListArtifacts) -> dict[str, Any]:
    path = manifests.check_path(ask.path, root_ok=True)
    place, root_uri = files.run_place(tx, ask.run_id or "", path)
    return _listed(tx, root_uri, place)


def list_model(tx: Tx, ask: ListModel) -> dict[str, Any]:
    path = manifests.check_path(ask.artifact_directory_path, root_ok=True)
    place, root_uri = files.model_place(tx, ask.model_id or "", path)
    return _listed(tx, root_uri, place)


def list_proxied(tx: Tx, ask: ListProxied) -> dict[str, Any]:
    place = find_place(tx, manifests.check_path(ask.path, root_ok=True))
    entries = manifests.list_folder(tx, place.manifest_id, place.path)
    return {"files": entries_out(entries)} if entries else {}


def delete_proxied(tx: Tx, path: str) -> dict[str, Any]:
    files.delete_path(tx, writable_place(tx, path))
    return {}


def presign(tx: Tx, ask: Presign) -> dict[str, Any]:
    """Refuse: the roots of runs are addresses of this server, not of a cloud's store."""
    if ask.run_id:
        files.run_place(tx, ask.run_id)
    elif ask.model_id:
        files.model_place(tx, ask.model_id)
    raise NotOffered(
        "Files go through this server's own addresses; presigned addresses for a run's or model's"
        " location are not offered."
    )


def path_of(request: Request) -> str:
    """The checked path at the end of a proxy call's address; raises ``Invalid``."""
    return manifests.check_path(request.params["path"])


def folder_of(request: Request) -> str:
    """The same, where the folder of everything may be meant."""
    return manifests.check_path(request.params["path"], root_ok=True)


async def put_proxied(request: Request, services: Services) -> None:
    """Store the body under a proxy path."""
    path = path_of(request)
    length = request.header(b"content-length") or b""
    if not (length.isdigit() and int(length) <= SMALL_MAX):
        # Much may come: say at once what would be said at the end.
        await look(request, services, lambda tx: files.check_free(tx, writable_place(tx, path)))

    def commit(tx: Tx, digest: str, size_bytes: int) -> None:
        files.put_file(tx, writable_place(tx, path), digest=digest, size_bytes=size_bytes)

    await receive_file(request, services, commit)
    await respond(request, 200, b"{}")


async def get_proxied(request: Request, services: Services) -> None:
    """Send the file at a proxy path."""
    path = path_of(request)

    def find(tx: Tx) -> Outgoing:
        place = find_place(tx, path)
        return Outgoing(*manifests.read_file(tx, place.manifest_id, place.path))

    await send_file(request, services, await look(request, services, find))


async def get_artifact(request: Request, services: Services) -> None:
    """Send a run's file."""
    uid = query_value(request, "run_id", "run_uuid")
    path = manifests.check_path(query_value(request, "path"))

    def find(tx: Tx) -> Outgoing:
        place, _ = files.run_place(tx, uid)
        return Outgoing(*manifests.read_file(tx, place.manifest_id, path))

    await send_file(request, services, await look(request, services, find))


async def get_model_artifact(request: Request, services: Services) -> None:
    """Send a logged model's file."""
    path = manifests.check_path(query_value(request, "artifact_file_path"))

    def find(tx: Tx) -> Outgoing:
        place, _ = files.model_place(tx, request.params["model_id"])
        return Outgoing(*manifests.read_file(tx, place.manifest_id, path))

    await send_file(request, services, await look(request, services, find))


async def get_version_artifact(request: Request, services: Services) -> None:
    """Send a version's file."""
    name = query_value(request, "name")
    number = query_value(request, "version")
    path = manifests.check_path(query_value(request, "path"))
    if not is_number(number):
        raise wrong("version", number, "a whole number is expected")

    def find(tx: Tx) -> Outgoing:
        version = versions.get_version(tx, name, int(number))
        if version.manifest_id is not None:
            return Outgoing(*manifests.read_file(tx, version.manifest_id, path))
        location = files.location_path(tx, version.location)
        if location is None:
            raise NotFound(
                f"The files of version {number} of '{name}' are not kept here but at"
                f" '{version.location}'."
            )
        place = files.find_place(tx, f"{location}/{path}")
        return Outgoing(*manifests.read_file(tx, place.manifest_id, place.path))

    await send_file(request, services, await look(request, services, find))


async def upload_artifact(request: Request, services: Services) -> None:
    """Store the body, at most 10 MB, as a run's file."""
    uid = query_value(request, "run_uuid", "run_id")
    path = manifests.check_path(query_value(request, "path"))
    await look(request, services, lambda tx: files.run_place(tx, uid))

    def commit(tx: Tx, digest: str, size_bytes: int) -> None:
        if not size_bytes:
            raise Invalid("Request must specify data.")
        place, _ = files.run_place(tx, uid, path)
        files.put_file(tx, place, digest=digest, size_bytes=size_bytes)

    try:
        await receive_file(request, services, commit, limit=UPLOAD_MAX)
    except TooLarge as error:
        raise Invalid(f"Artifact size is too large. Max size is 10MB. {error.message}") from None
    await respond(request, 200, b"{}")


async def get_presigned(request: Request, services: Services) -> None:
    """An address at the object store from which a client may read a file by itself."""
    path = path_of(request)
    blobs: Blobs = services.extra["blobs"]

    def find(tx: Tx) -> Outgoing:
        place = find_place(tx, path)
        return Outgoing(*manifests.read_file(tx, place.manifest_id, place.path))

    found: Outgoing = await look(request, services, find)
    here = f"{PREFIXES[0]}/2.0/mlflow-artifacts/artifacts/{quote(path)}"
    url = await blobs.run(blobs.store.sign, found.file.digest, SIGNED_S)
    if url is None:
        raise NotOffered(
            f"This file has no address of its own outside this server; download it from {here}"
        )
    if found.data is None:
        answer = {"url": url, "headers": {}, "file_size": found.file.size_bytes}
    else:
        # Small contents lie in the database. A client that is told no size asks for the file in the
        # ordinary way, by the address under which it knows this server.
        answer = {"url": here, "headers": {}}
    await respond(request, 200, encode_json(answer))


def _as_is(given: Any) -> Any:
    return given


def stream(method: str, path: str, action: str, call: Any) -> Row:
    """A row that answers by itself."""
    return Row(method, path, action, Effect.STREAM, call, _as_is, _as_is, error_body)


def proxy_rows() -> list[Row]:
    """The calls below ``mlflow-artifacts``."""
    made = []
    for prefix in PREFIXES:
        at = f"{prefix}/2.0/mlflow-artifacts"
        file = f"{at}/artifacts/{{path:path}}"
        made += [
            stream("GET", file, "run.read", get_proxied),
            stream("PUT", file, "run.write", put_proxied),
            stream("GET", f"{at}/presigned/{{path:path}}", "run.read", get_presigned),
            Row(
                "DELETE", file, "run.write", Effect.WRITE,
                delete_proxied, folder_of, encode_json, error_body,
            ),
            Row(
                "GET", f"{at}/artifacts", "run.read", Effect.READ,
                list_proxied, reader(ListProxied), encode_json, error_body,
            ),
        ]  # fmt: skip
    return made


def artifact_rows() -> list[Row]:
    """Every call about files."""
    read = Effect.READ
    model_files = "logged-models/{model_id}/artifacts"
    made = [
        *rows_for("GET", "artifacts/list", "run.read", read, ListArtifacts, list_artifacts),
        *rows_for(
            "GET", f"{model_files}/directories", "logged_model.read", read, ListModel, list_model
        ),
        *proxy_rows(),
    ]
    for name in ("presigned-upload-url", "presigned-download-url"):
        made += rows_for("POST", f"artifacts/{name}", "run.read", read, Presign, presign)
    for path, action, call in (
        ("/get-artifact", "run.read", get_artifact),
        ("/model-versions/get-artifact", "model.read", get_version_artifact),
        (f"/ajax-api/2.0/mlflow/{model_files}/files", "logged_model.read", get_model_artifact),
    ):
        made.append(stream("GET", path, action, call))
    made.append(
        stream("POST", "/ajax-api/2.0/mlflow/upload-artifact", "run.write", upload_artifact)
    )
    return made
