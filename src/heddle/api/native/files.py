"""Files of runs, logged models and versions: listed as a tree, previewed, sent, zipped."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from heddle.api.files import Outgoing, damaged, disposition, media_type, send_file
from heddle.api.http import GUARD, Request, Services, encode_json, respond
from heddle.api.native import previews
from heddle.api.native.offer import Ask
from heddle.api.native.shapes import files as shapes
from heddle.api.native.trees import ENTRIES_MAX, folder
from heddle.api.native.versions import find_version
from heddle.artifacts import manifests
from heddle.artifacts.blobs import Blobs
from heddle.artifacts.manifests import File, check_path
from heddle.db.tx import Tx
from heddle.errors import Corrupt, Invalid, NotFound
from heddle.tracking import files as owned

ZIPPED_MAX = 100_000
FLUSH_FROM = 256 * 1024
SHOWN = ("image/", "audio/", "video/", "text/plain", "application/json")
"""Types of contents that a browser may show by itself, under the sandbox that all files have."""
Find = Callable[[Tx, Ask[Any, Any]], int | None]


def _of_run(tx: Tx, ask: Ask[Any, Any]) -> int | None:
    return owned.run_place(tx, ask.at["run"])[0].manifest_id


def _of_logged_model(tx: Tx, ask: Ask[Any, Any]) -> int | None:
    return owned.model_place(tx, ask.at["logged_model"])[0].manifest_id


def _of_version(tx: Tx, ask: Ask[Any, Any]) -> int | None:
    return find_version(tx, ask).manifest_id


def _listing(find: Find) -> Callable[..., Any]:
    def list_files(tx: Tx, ask: Ask[shapes.FileQuery, None]) -> shapes.Files:
        path = check_path(ask.query.path, root_ok=True)
        manifest_id = find(tx, ask)
        few = max(0, min(ask.query.limit, ENTRIES_MAX))
        entries, count, size_bytes = folder(
            tx, manifest_id, path, below=ask.query.all, limit=ENTRIES_MAX
        )
        if path and not entries:
            manifests.get_file(tx, manifest_id, path)
            raise Invalid(f"'{path}' is a file, not a folder.")
        total = count if ask.query.all else len(entries)
        return shapes.Files(path=path, entries=entries[:few], total=total, size_bytes=size_bytes)

    return list_files


def _outgoing(find: Find, ask: Ask[Any, Any], path: str) -> Callable[[Tx], Outgoing]:
    def operation(tx: Tx) -> Outgoing:
        return Outgoing(*manifests.read_file(tx, find(tx, ask), check_path(path)))

    return operation


def _previewing(find: Find) -> Callable[..., Any]:
    async def preview(
        request: Request, services: Services, ask: Ask[shapes.PathQuery, None]
    ) -> None:
        operation = _outgoing(find, ask, ask.query.path)
        outgoing: Outgoing = await services.database.read(operation, request.caller)
        blobs: Blobs = services.extra["blobs"]
        head = await blobs.run(_head, blobs, outgoing)
        await respond(request, 200, encode_json(previews.preview(outgoing.file, head)))

    return preview


def _head(blobs: Blobs, outgoing: Outgoing) -> bytes:
    """The beginning of a file, as much as a preview can use."""
    if outgoing.data is not None:
        return outgoing.data[: previews.HEAD_MAX]
    file = outgoing.file
    try:
        return b"".join(blobs.store.blocks(file.digest, 0, min(previews.HEAD_MAX, file.size_bytes)))
    except FileNotFoundError:
        raise damaged(file) from None


def _sending(find: Find) -> Callable[..., Any]:
    async def send(
        request: Request, services: Services, ask: Ask[shapes.ContentQuery, None]
    ) -> None:
        operation = _outgoing(find, ask, ask.at["path"])
        outgoing: Outgoing = await services.database.read(operation, request.caller)
        if ask.query.inline and media_type(outgoing.name).startswith(SHOWN):
            request.send = _shown(request.send)
        await send_file(request, services, outgoing)

    return send


def _shown(send: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Sends a file to be looked at: everything else about the answer stays."""

    async def run(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, value.replace(b"attachment", b"inline", 1))
                if name == b"content-disposition"
                else (name, value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return run


class _Sink:
    """Where a ZIP file is written to: bytes that wait to be sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def write(self, part: bytes) -> int:
        """Take bytes."""
        self.parts.append(bytes(part))
        self.size += len(part)
        return len(part)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """Everything that waits."""
        parts, self.parts, self.size = self.parts, [], 0
        return b"".join(parts)


class _Zipping:
    """One ZIP file on its way out; nothing of it is ever whole."""

    def __init__(
        self, request: Request, services: Services, find: Find, ask: Ask[Any, Any]
    ) -> None:
        self.request = request
        self.services = services
        self.find = find
        self.ask = ask
        self.blobs: Blobs = services.extra["blobs"]
        self.path = check_path(ask.query.path, root_ok=True)
        self.sink = _Sink()

    def _list(self, tx: Tx) -> list[File]:
        manifest_id = self.find(tx, self.ask)
        found = []
        for file in manifests.load(tx, manifest_id, self.path):
            found.append(file)
            if len(found) > ZIPPED_MAX:
                raise Invalid(f"There are more than {ZIPPED_MAX} files; take a folder of them.")
        if not found and self.path:
            found = [manifests.get_file(tx, manifest_id, self.path)]
        if not found:
            raise NotFound("There are no files to put into a ZIP file.")
        return found

    async def run(self) -> None:
        """Send everything."""
        database, caller = self.services.database, self.request.caller
        listed: list[File] = await database.read(self._list, caller)
        name = self.path.rpartition("/")[2] or next(reversed(self.ask.at.values()))
        headers = [
            (b"content-type", b"application/zip"),
            (b"content-disposition", disposition(f"{name}.zip").encode()),
            *GUARD,
        ]
        await self.request.send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.request.method == "HEAD":
            await self._send(more=False)
            return
        # Stored as they are: most models are compressed already, and time counts more than size.
        sink: Any = self.sink
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for file in listed:
                operation = _outgoing(self.find, self.ask, file.path)
                await self._add(archive, await database.read(operation, caller))
        await self._send(more=False)

    async def _add(self, archive: zipfile.ZipFile, outgoing: Outgoing) -> None:
        file = outgoing.file
        start = len(self.path) + 1 if self.path and file.path != self.path else 0
        if file.path == self.path:
            start = file.path.rfind("/") + 1
        made = datetime.fromtimestamp(file.created_ms / 1000, UTC)
        info = zipfile.ZipInfo(file.path[start:], made.timetuple()[:6])
        info.external_attr = 0o644 << 16
        info.file_size = file.size_bytes
        blocks: Iterator[bytes] = (
            self.blobs.store.blocks(file.digest, 0, file.size_bytes)
            if outgoing.data is None
            else iter([outgoing.data])
        )
        sent = 0
        with archive.open(info, "w", force_zip64=True) as entry:
            while block := await self.blobs.run(next, blocks, b""):
                sent += len(block)
                await self.blobs.run(entry.write, block)
                if self.sink.size >= FLUSH_FROM:
                    await self._send(more=True)
        if sent != file.size_bytes:
            raise Corrupt(f"The stored bytes of '{file.path}' are damaged; upload the file again.")

    async def _send(self, *, more: bool) -> None:
        body = self.sink.take()
        await self.request.send({"type": "http.response.body", "body": body, "more_body": more})


def _zipping(find: Find) -> Callable[..., Any]:
    async def send_zip(
        request: Request, services: Services, ask: Ask[shapes.PathQuery, None]
    ) -> None:
        await _Zipping(request, services, find, ask).run()

    return send_zip


OWNERS: Mapping[str, Find] = {
    "runs": _of_run,
    "logged_models": _of_logged_model,
    "versions": _of_version,
}
CALLS: dict[str, Any] = {
    f"{group}.{verb}": make(find)
    for group, find in OWNERS.items()
    for verb, make in (
        ("files", _listing),
        ("preview", _previewing),
        ("content", _sending),
        ("zip", _zipping),
    )
}
