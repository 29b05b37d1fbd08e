"""MLflow's uploads in parts: create, one PUT per part, complete or abort.

Parts come to this server whatever the store is. Completing reads them in their order into one
content, hashing on the way, and names it in the transaction that ends the upload; until then nobody
sees anything of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import quote

from heddle.api.files import Pump, keep_incoming, look
from heddle.api.http import Disconnected, Effect, Request, Row, Services, encode_json, respond
from heddle.api.mlflow.artifacts import stream, writable_place
from heddle.api.mlflow.wire import PREFIXES, Message, error_body, reader, wrong
from heddle.artifacts import manifests, uploads
from heddle.errors import Invalid
from heddle.tracking import files

if TYPE_CHECKING:
    from heddle.artifacts.blobs import Blobs, Incoming
    from heddle.db.tx import Tx

PART_PATH = "/api/2.0/mlflow-artifacts/mpu/part"
GIVEN_BACK = {b"authorization": "Authorization", b"x-mlflow-workspace": "X-MLFLOW-WORKSPACE"}
"""Headers of the caller that its parts need too: clients send parts with what they are told."""
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)


class CreateUpload(Message):
    required: ClassVar = ("path",)
    path: str | None = None
    num_parts: int = 1


class Part(Message):
    part_number: int = 0
    etag: str = ""
    url: str = ""


class EndUpload(Message):
    required: ClassVar = ("path", "upload_id")
    path: str | None = None
    upload_id: str | None = None
    parts: list[Part] = []


class Wanted(NamedTuple):
    """An upload that somebody wants to begin."""

    path: str
    part_count: int
    server: str
    headers: dict[str, str]


def target(request: Request, client_path: str) -> str:
    """The checked address of the file: the call's folder and the last name of the client's path."""
    name = _FOLDERS.sub("", client_path)
    if not name:
        raise Invalid(f"Invalid path {client_path[:200]!a}: it names no file.")
    folder = request.params.get("folder", "")
    return manifests.check_path(f"{folder}/{name}" if folder else name)


_read_create = reader(CreateUpload)
_read_end = reader(EndUpload)


def wanted(request: Request) -> Wanted:
    """What a request to create an upload asks for; raises ``Invalid``."""
    ask = _read_create(request)
    given = {
        name: value.decode("latin-1")
        for header, name in GIVEN_BACK.items()
        if (value := request.header(header)) is not None
    }
    return Wanted(target(request, ask.path or ""), ask.num_parts, request.server, given)


def create_upload(tx: Tx, ask: Wanted) -> dict[str, Any]:
    files.check_free(tx, writable_place(tx, ask.path))
    made = uploads.begin_upload(tx, path=ask.path, part_count=ask.part_count)
    return {
        "upload_id": made.id,
        "credentials": [
            {
                "url": f"{ask.server}{PART_PATH}/{quote(made.id)}/{number}",
                "part_number": number,
                "headers": ask.headers,
            }
            for number in range(1, made.part_count + 1)
        ],
    }


async def put_part(request: Request, services: Services) -> None:
    """Store the body as one part; sent again it takes the place of what was sent before."""
    upload = await look(
        request, services, lambda tx: uploads.get_upload(tx, request.params["upload"])
    )
    number = request.params["number"]
    if not (number.isascii() and number.isdecimal() and 0 < int(number[:9]) <= upload.part_count):
        raise wrong("part_number", number, f"the upload has parts 1 to {upload.part_count}")
    blobs: Blobs = services.extra["blobs"]
    pump = await Pump.open(blobs, lambda: blobs.store.begin_part(upload.id, int(number)))
    try:
        more = True
        while more:
            message = await request.receive()
            if message["type"] != "http.request":
                raise Disconnected
            more = message.get("more_body", False)
            await pump.put([message.get("body", b"")])
        part = await pump.finish()
        etag = f'"{part.digest}"'.encode()
    finally:
        await pump.close()
    await respond(request, 200, b"", ((b"etag", etag),))


async def complete_upload(request: Request, services: Services) -> None:
    """Put the parts together under the upload's address."""
    upload = await _ending(request, services)
    blobs: Blobs = services.extra["blobs"]

    def assemble(incoming: Incoming) -> None:
        for number in range(1, upload.part_count + 1):
            try:
                for block in blobs.store.part_blocks(upload.id, number):
                    incoming.write([block])
            except FileNotFoundError:
                raise Invalid(
                    f"Part {number} of {upload.part_count} of this upload has not come; send it"
                    " before completing."
                ) from None
        incoming.finish()

    def commit(tx: Tx, digest: str, size_bytes: int) -> None:
        uploads.end_upload(tx, upload.id)
        place = writable_place(tx, upload.path)
        files.put_file(tx, place, digest=digest, size_bytes=size_bytes)

    incoming = await blobs.run(blobs.store.begin)
    try:
        await blobs.run(assemble, incoming)
        await keep_incoming(request, services, incoming, commit)
    finally:
        await blobs.run(incoming.drop)
    await blobs.run(blobs.store.drop_parts, upload.id, upload.part_count)
    await respond(request, 200, b"{}")


async def abort_upload(request: Request, services: Services) -> None:
    """Forget the upload and its parts."""
    upload = await _ending(request, services)
    await services.database.write(lambda tx: uploads.end_upload(tx, upload.id), request.caller)
    blobs: Blobs = services.extra["blobs"]
    await blobs.run(blobs.store.drop_parts, upload.id, upload.part_count)
    await respond(request, 200, b"{}")


async def _ending(request: Request, services: Services) -> uploads.Upload:
    request.body = await request.read_body()
    ask = _read_end(request)
    path = target(request, ask.path or "")
    upload = await look(request, services, lambda tx: uploads.get_upload(tx, ask.upload_id or ""))
    if upload.path != path:
        raise Invalid(f"Upload '{upload.id}' is one of '{upload.path}', not of '{path}'.")
    return upload


def upload_rows() -> list[Row]:
    """The calls about uploads in parts."""
    made = []
    for prefix in PREFIXES:
        at = f"{prefix}/2.0/mlflow-artifacts/mpu"
        for path in ("", "/{folder:path}"):
            made += [
                Row(
                    "POST", f"{at}/create{path}", "run.write", Effect.WRITE,
                    create_upload, wanted, encode_json, error_body,
                ),
                stream("POST", f"{at}/complete{path}", "run.write", complete_upload),
                stream("POST", f"{at}/abort{path}", "run.write", abort_upload),
            ]  # fmt: skip
        made.append(stream("PUT", f"{at}/part/{{upload}}/{{number}}", "run.write", put_part))
    return made
