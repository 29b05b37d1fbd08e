"""Files over HTTP: receiving a body into the store, sending a content with ranges.

Nothing is ever held whole, save contents small enough for the database. What is received is hashed
and written in threads while more comes in, a few blocks ahead at most; what is sent is read one
block ahead and checked against its digest, and the last block leaves only when the digest is right.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from heddle.api.http import GUARD, Disconnected, Request, Services, respond
from heddle.artifacts import contents
from heddle.artifacts.blobs import Blobs, Incoming
from heddle.artifacts.contents import SMALL_MAX, Doomed
from heddle.db.tx import Tx
from heddle.errors import Corrupt, Invalid, TooLarge, Unavailable

if TYPE_CHECKING:
    from heddle.artifacts.manifests import File

T = TypeVar("T")
log = logging.getLogger(__name__)

BLOCK = 1024 * 1024
AHEAD = 2
STORE_ATTEMPTS = 100
DOOMED_WAIT_S = 0.1
PLAIN = frozenset(
    [
        *("MLmodel", "MLproject", "cf", "cfg", "cnf", "conf", "csv", "err", "hocon", "ini"),
        *("ipynb", "js", "json", "log", "md", "prop", "properties", "py", "py3", "rst", "toml"),
        *("tsv", "txt", "xml", "yaml", "yml"),
    ]
)
"""Endings (or whole names) that are shown as text whatever else they may be."""
# The same types on every machine, and no file to be opened in the middle of an answer.
mimetypes.init(files=())
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")

Commit = Callable[[Tx, str, int], Any]
"""What names a content: called in a write transaction with its digest and size."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file to be sent; ``data`` is its content where the database holds it."""

    file: File
    data: bytes | None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.file.path.rpartition("/")[2]


async def receive_file(
    request: Request, services: Services, commit: Commit, *, limit: int | None = None
) -> Any:
    """Take the body as one content, durable when this returns, and let ``commit`` name it.

    Raises ``TooLarge`` past ``limit`` bytes, ``Invalid`` for a compressed body, ``Disconnected`` if
    the body stays incomplete, ``Unavailable`` if the store refuses, and what ``commit`` raises.
    Whatever is raised, nobody sees anything of the body; a content that ``commit`` refused lies
    unnamed until the next sweep.
    """
    request.check_encoding()
    length = request.header(b"content-length")
    if limit is not None and length is not None and length.isdigit() and int(length) > limit:
        raise TooLarge(f"The file is larger than {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= SMALL_MAX:
        part, more = await _part(request)
        parts.append(part)
        size += len(part)
        _check_limit(size, limit)
    if size <= SMALL_MAX:
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        return await keep_small(request, services, data, commit)
    blobs: Blobs = services.extra["blobs"]
    pump = await Pump.open(blobs)
    try:
        await pump.put(parts)
        while more:
            part, more = await _part(request)
            size += len(part)
            _check_limit(size, limit)
            await pump.put([part])
        incoming = await pump.finish()
        return await keep_incoming(request, services, incoming, commit)
    finally:
        await pump.close()


async def _part(request: Request) -> tuple[bytes, bool]:
    message = await request.receive()
    if message["type"] != "http.request":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


def _check_limit(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise TooLarge(f"The file is larger than {limit} bytes.")


class Pump:
    """Moves parts into an incoming content in threads, never more than ``AHEAD`` blocks behind."""

    def __init__(self, blobs: Blobs, incoming: Incoming) -> None:
        self._blobs = blobs
        self._incoming = incoming
        self._parts: list[bytes] = []
        self._size = 0
        self._writing: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, blobs: Blobs, begin: Callable[[], Incoming] | None = None) -> Pump:
        """A pump into a new content of the store, or into what ``begin`` makes."""
        incoming = await blobs.run(begin or blobs.store.begin)
        return cls(blobs, incoming)

    async def put(self, parts: list[bytes]) -> None:
        """Take parts; waits while too much is on its way."""
        self._parts += parts
        self._size += sum(map(len, parts))
        if self._size < BLOCK:
            return
        if self._writing is not None and not self._writing.done() and self._size < AHEAD * BLOCK:
            return
        await self._flush()

    async def _flush(self) -> None:
        if self._writing is not None:
            await self._writing
        parts, self._parts, self._size = self._parts, [], 0
        self._writing = self._blobs.run(self._incoming.write, parts)

    async def finish(self) -> Incoming:
        """Everything written and durable."""
        await self._flush()
        if self._writing is not None:
            await self._writing
        await self._blobs.run(self._incoming.finish)
        return self._incoming

    async def close(self) -> None:
        """Remove what is left in ``incoming``, after whatever still writes to it."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
            if self._writing.exception() is not None:
                log.debug("receiving ended in %r", self._writing.exception())
        await self._blobs.run(self._incoming.drop)


async def keep_small(request: Request, services: Services, data: bytes, commit: Commit) -> Any:
    """Keep a small content in the database in the transaction that names it."""
    digest = contents.digest_of(data)

    def operation(tx: Tx) -> Any:
        contents.keep_small(tx, digest, data)
        return commit(tx, digest, len(data))

    return await services.database.write(operation, request.caller)


async def keep_incoming(
    request: Request, services: Services, incoming: Incoming, commit: Commit
) -> Any:
    """Place a finished content and let ``commit`` name it.

    After the commit the store is asked once more: a sweep that was removing the same content may
    have taken what was placed, and then it is placed again.
    """
    blobs: Blobs = services.extra["blobs"]
    digest, size = incoming.digest, incoming.size_bytes

    def operation(tx: Tx) -> Any:
        contents.keep_stored(tx, digest, size)
        return commit(tx, digest, size)

    def place_if_missing(*, mend: bool) -> None:
        if mend or blobs.store.size_of(digest) != size:
            incoming.place()

    for attempt in range(STORE_ATTEMPTS):
        await blobs.run(place_if_missing, mend=blobs.store.is_local and not attempt)
        try:
            result = await services.database.write(operation, request.caller)
        except Doomed:
            await asyncio.sleep(DOOMED_WAIT_S)
            continue
        await blobs.run(place_if_missing, mend=False)
        return result
    raise Unavailable("The same content is being removed all the time; try again in a minute.")


def media_type(name: str) -> str:
    """The MIME type that a file's name alone tells."""
    if name.rpartition(".")[2].lower() in PLAIN or name in PLAIN:
        return "text/plain; charset=utf-8"
    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def disposition(name: str) -> str:
    """The header that makes a browser save the file under its name."""
    plain = _UNSAFE.sub("_", name)
    if plain == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def file_headers(name: str, digest: str) -> list[tuple[bytes, bytes]]:
    """The headers of any answer that holds a file's bytes."""
    return [
        (b"content-type", media_type(name).encode()),
        (b"content-disposition", disposition(name).encode()),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{digest}"'.encode()),
        (b"cache-control", b"private, no-cache"),
        *GUARD,
    ]


async def send_file(request: Request, services: Services, outgoing: Outgoing) -> None:
    """Answer with a file, or with the range of it that was asked for.

    Raises ``Corrupt`` if the stored bytes are not what was stored: before anything is sent where
    that is known in time, else the connection is cut short of the end.
    """
    digest, size = outgoing.file.digest, outgoing.file.size_bytes
    headers = file_headers(outgoing.name, digest)
    etag = f'"{digest}"'
    wanted = (request.header(b"if-none-match") or b"").decode("latin-1")
    if wanted and (wanted.strip() == "*" or etag in (tag.strip() for tag in wanted.split(","))):
        await _start(request, 304, headers)
        await _body(request, b"", more=False)
        return
    try:
        chosen = choose_range(request, size, etag)
    except Unsatisfiable:
        headers.append((b"content-range", f"bytes */{size}".encode()))
        await respond(request, 416, b"", headers[2:])
        return
    start, end = chosen or (0, size)
    if chosen is not None:
        headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
    headers.append((b"content-length", str(end - start).encode()))
    status = 200 if chosen is None else 206
    if request.method == "HEAD":
        await _start(request, status, headers)
        await _body(request, b"", more=False)
    elif outgoing.data is not None:
        if chosen is None and contents.digest_of(outgoing.data) != digest:
            raise damaged(outgoing.file)
        await _start(request, status, headers)
        await _body(request, outgoing.data[start:end], more=False)
    else:
        await _Sending(request, services, outgoing.file, start, end).run(status, headers)


class Unsatisfiable(Exception):
    """The range that was asked for lies outside the file."""


def choose_range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """The bytes to send, from and to before; None for all of them.

    Several ranges and units other than bytes are passed over, as HTTP lets a server do. Raises
    ``Unsatisfiable``.
    """
    header = request.header(b"range")
    if header is None:
        return None
    condition = request.header(b"if-range")
    if condition is not None and condition.decode("latin-1").strip() != etag:
        return None
    text = header.decode("latin-1")
    if "," in text or not text.strip().lower().startswith("bytes"):
        return None
    found = _RANGE.fullmatch(text)
    if found is None or found[1] == found[2] == "":
        raise Unsatisfiable
    if not found[1]:
        start, end = max(0, size - _offset(found[2])), size
    else:
        start = _offset(found[1])
        end = min(_offset(found[2]) + 1, size) if found[2] else size
    if start >= end:
        raise Unsatisfiable
    return start, end


def _offset(digits: str) -> int:
    return int(digits[:20])


def damaged(file: File) -> Corrupt:
    """The failure for bytes that are not what was stored, also written to the log."""
    log.error("stored bytes of %r are damaged: content %s", file.path, file.digest)
    return Corrupt(
        f"The stored bytes of '{file.path}' are damaged: content {file.digest} of"
        f" {file.size_bytes} bytes is not what was uploaded. Upload the file again."
    )


async def _start(request: Request, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await request.send({"type": "http.response.start", "status": status, "headers": headers})


async def _body(request: Request, body: bytes, *, more: bool) -> None:
    await request.send({"type": "http.response.body", "body": body, "more_body": more})


class _Sending:
    """One content on its way out, read and checked one block ahead of the sending."""

    def __init__(
        self, request: Request, services: Services, file: File, start: int, end: int
    ) -> None:
        self._request = request
        self._blobs: Blobs = services.extra["blobs"]
        self._file = file
        self._size = end - start
        self._blocks: Iterator[bytes] = self._blobs.store.blocks(file.digest, start, end)
        whole = start == 0 and end == file.size_bytes
        self._hash = hashlib.sha256() if whole else None
        self._read = 0

    def _next(self) -> tuple[bytes, bool]:
        """The next block and whether it is the last; raises ``Corrupt``."""
        if self._read == 0:
            self._look()
        try:
            block = next(self._blocks, b"")
        except FileNotFoundError:
            raise damaged(self._file) from None
        self._read += len(block)
        if self._hash is not None:
            self._hash.update(block)
        last = self._read >= self._size
        if not block and not last:
            raise damaged(self._file)
        if last and self._hash is not None and self._hash.hexdigest() != self._file.digest:
            raise damaged(self._file)
        return block, last

    def _look(self) -> None:
        """Raise ``Corrupt`` before anything is sent if that can be known at once."""
        store = self._blobs.store
        if store.is_local and store.size_of(self._file.digest) != self._file.size_bytes:
            raise damaged(self._file)

    async def run(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send everything, or as much as the client stays for."""
        reading = self._blobs.run(self._next)
        block, last = await reading
        gone = asyncio.ensure_future(self._until_gone())
        try:
            await _start(self._request, status, headers)
            while not last and not gone.done():
                reading = self._blobs.run(self._next)
                await _body(self._request, block, more=True)
                block, last = await reading
            if not gone.done():
                await _body(self._request, block, more=False)
        finally:
            gone.cancel()
            if not reading.done():
                await asyncio.wait([reading])
            self._blocks.close()  # type: ignore[attr-defined]

    async def _until_gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def look(request: Request, services: Services, operation: Callable[[Tx], T]) -> T:
    """What a short reading operation finds."""
    database = services.database
    if database.is_embedded:
        # A few rows from the page cache cost less than handing the work to another thread.
        found: T = database.read_now(operation, request.caller)
    else:
        found = await database.read(operation, request.caller)
    return found


def query_value(request: Request, *names: str) -> str:
    """The first of the named query parameters that is there; raises ``Invalid``."""
    query = request.query()
    for name in names:
        if query.get(name, [""])[-1]:
            return query[name][-1]
    raise Invalid(f"Missing value for required parameter '{names[0]}'.")
