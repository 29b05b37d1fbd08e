"""Rows and how they are served: the one path from an HTTP request to an operation and back.

A ``Row`` names a method, a path, the action it performs, and three functions: decode (request to
argument), call (operation on a ``Tx``), encode (result to bytes). Rows without parameters in their
path are found by one dictionary look-up, the others by a tree of path segments. Every row names its
action; a table with a row that does not, or with two rows for one call, cannot be built, so the
server does not start.
"""

from __future__ import annotations

import errno
import gzip
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qs, unquote_to_bytes

import msgspec

from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Caller, Ran, Tx
from heddle.errors import HeddleError, Invalid, NoSuchCall, TooLarge, Unavailable, WrongMethod

log = logging.getLogger("heddle.http")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

BODY_MAX = 32 * 1024 * 1024
COMPRESS_FROM = 64 * 1024
JSON = (b"content-type", b"application/json")
GUARD = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"SAMEORIGIN"))
SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT})
"""Failures of the system that are the machine's, not ours: what it ran out of."""
ANY, REST = "/", "//"
"""One segment of a path, and all that follow, in the tree of rows: no segment is ever called so."""
REPLACED = "\ufffd"
"""Stands in decoded texts where bytes were none; it may also have been meant."""
PLAIN_JSON = (JSON,)
SMALL_JSON = (JSON, *GUARD)
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
WORKSPACE_HEADER = b"x-mlflow-workspace"


class Effect(Enum):
    """Where an operation runs: POINT reads answer from a few rows, STREAM rows send by themselves."""

    POINT = "point"
    READ = "read"
    WRITE = "write"
    STREAM = "stream"


@dataclass(slots=True)
class Request:
    """One request as operations' decoders see it."""

    method: str
    path: str
    query_string: bytes
    headers: Sequence[tuple[bytes, bytes]]
    receive: Receive
    send: Send
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    caller: Caller = LOCAL
    ran: Sequence[Ran] = ()
    scope: Scope = field(default_factory=dict)

    def header(self, name: bytes) -> bytes | None:
        """The first header of that lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def server(self) -> str:
        """The address by which the caller knows this server, without a slash at its end.

        It goes back to this caller alone, so the word of whatever forwards its calls is enough.
        """
        host = (self.header(b"host") or b"").decode("latin-1")
        forwarded = self.header(b"x-forwarded-proto") == b"https"
        scheme = "https" if forwarded else self.scope.get("scheme", "http")
        below = (self.header(b"x-forwarded-prefix") or b"").decode("latin-1").strip("/")
        return f"{scheme}://{host}/{below}".rstrip("/")

    def query(self) -> dict[str, list[str]]:
        """The query parameters; raises ``Invalid`` for bytes that are not UTF-8."""
        try:
            return parse_qs(
                self.query_string.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=10_000,
            )
        except ValueError as error:
            raise Invalid(f"The query string cannot be read: {error}") from None

    async def read_body(self, limit: int = BODY_MAX) -> bytes:
        """The whole JSON body; raises ``TooLarge``, ``Invalid`` (see ``check_text``), ``Disconnected``."""
        message = await self.receive()
        if message["type"] != "http.request":
            raise Disconnected
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            self._check_size(len(body), limit)
            check_text(body)
            return body
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            self._check_size(size, limit)
            message = await self.receive()
            if message["type"] != "http.request":
                raise Disconnected
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        self._check_size(size, limit)
        body = b"".join(parts)
        check_text(body)
        return body

    def check_encoding(self) -> None:
        """Raise ``Invalid`` for a compressed body: none is taken, so it would be misread."""
        encoding = self.header(b"content-encoding")
        if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
            raise Invalid(
                f"A body with Content-Encoding {encoding.decode('latin-1')!r} is not taken;"
                " send it as it is."
            )

    @staticmethod
    def _check_size(size: int, limit: int) -> None:
        if size > limit:
            raise TooLarge(
                f"The request body is larger than {limit} bytes; send it in smaller parts."
            )


def check_text(body: bytes) -> None:
    """Raise ``Invalid`` for JSON that spells characters which are none: U+0000, halves of pairs.

    Neither could be kept on both databases, nor sent to every client.
    """
    if b"\\u" not in body:
        return
    high = 0
    for found in _ESCAPE.finditer(body):
        number = int(found[1], 16) if found[1] else -1
        is_low = 0xDC00 <= number < 0xE000
        if number == 0 or is_low != (high == found.start()) or (high and high != found.start()):
            break
        high = found.end() if 0xD800 <= number < 0xDC00 else 0
    else:
        if not high:
            return
    what = (
        "a NUL character (\\u0000)" if number == 0 else "half of a surrogate pair (\\ud800-\\udfff)"
    )
    raise Invalid(f"The request body spells {what}, which cannot be stored; send text.")


def check_path(raw: bytes) -> None:
    """Raise ``Invalid`` for an address whose bytes are no text; the server below has replaced them."""
    try:
        unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Invalid("The path of the address is not UTF-8 text.") from None


class Disconnected(Exception):
    """The client went away before its request was complete; nobody hears an answer."""


ErrorBody = Callable[[HeddleError], bytes]


@dataclass(frozen=True, slots=True)
class Row:
    """One call of the API.

    ``path`` may hold ``{name}`` segments and end in ``{name:path}``. For ``STREAM`` rows ``call`` is
    ``async (Request, Services)`` and sends its answer itself; otherwise it is ``(Tx, argument)``.
    """

    method: str
    path: str
    action: str
    effect: Effect
    call: Callable[..., Any]
    decode: Callable[[Request], Any]
    encode: Callable[[Any], bytes]
    error_body: ErrorBody
    status: int = 200
    about: Mapping[str, Any] = field(default_factory=dict)


def check_rows(rows: Iterable[Row]) -> None:
    """Raise ``RuntimeError`` for a row without an action or for two rows of one call."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if not row.action:
            raise RuntimeError(
                f"{row.method} {row.path} names no action; every call must name what it does"
            )
        if (row.method, row.path) in seen:
            raise RuntimeError(f"{row.method} {row.path} stands twice in the table")
        seen.add((row.method, row.path))


class Table:
    """All rows, found by method and path."""

    def __init__(self, rows: Sequence[Row]) -> None:
        check_rows(rows)
        self.rows = tuple(rows)
        self._exact: dict[str, dict[str, Row]] = {}
        self._root: dict[str, Any] = {}
        for row in rows:
            if "{" in row.path:
                self._plant(row)
            else:
                self._exact.setdefault(row.path, {})[row.method] = row

    def _plant(self, row: Row) -> None:
        node = self._root
        names: list[str] = []
        for segment in row.path.strip("/").split("/"):
            if segment.startswith("{"):
                name, _, kind = segment[1:-1].partition(":")
                names.append(name)
                segment = REST if kind == "path" else ANY  # noqa: PLW2901
            node = node.setdefault(segment, {})
        node.setdefault("", {})[row.method] = (row, tuple(names))

    def find(self, method: str, path: str) -> tuple[Row | None, Mapping[str, str], Sequence[str]]:
        """The row, its path parameters, and the methods that the path knows (none: no such path).

        HEAD finds the row of GET, whose answer is sent without its body.
        """
        if method == "HEAD":
            method = "GET"
        methods = self._exact.get(path)
        if methods is not None:
            row = methods.get(method)
            if row is not None:
                return row, {}, ()
            return None, {}, tuple(methods)
        found = self._walk(self._root, path.lstrip("/").split("/"), [])
        if found is None:
            return None, {}, ()
        leaf, values = found
        if method not in leaf:
            return None, {}, tuple(leaf)
        row, names = leaf[method]
        return row, dict(zip(names, values, strict=True)), ()

    def _walk(
        self, node: dict[str, Any], segments: list[str], values: list[str]
    ) -> tuple[dict[str, Any], list[str]] | None:
        if not segments:
            return (node[""], values) if "" in node else None
        head, rest = segments[0], segments[1:]
        if head and head in node:
            found = self._walk(node[head], rest, values)
            if found is not None:
                return found
        if head and ANY in node:
            found = self._walk(node[ANY], rest, [*values, head])
            if found is not None:
                return found
        if REST in node and "" in node[REST]:
            return node[REST][""], [*values, "/".join(segments)]
        return None


@dataclass(slots=True)
class Services:
    """What rows need beside the database; ``extra`` holds the blob store, the event hub and so on."""

    database: Database
    extra: dict[str, Any] = field(default_factory=dict)


Admit = Callable[[Request, Row], Caller]


class Dispatcher:
    """Serves rows: finds, admits, decodes, runs, encodes, and turns failures into answers."""

    def __init__(
        self, table: Table, services: Services, admit: Admit, plain_errors: ErrorBody
    ) -> None:
        self.table = table
        self.services = services
        self.admit = admit
        self.plain_errors = plain_errors
        self.error_shapes: Mapping[str, ErrorBody] = {}
        """By the beginning of a path: how failures look where no row was found."""
        self.lead_back: Callable[[Request], Awaitable[bool]] = _no_way_back
        """Answers somebody who opens an address that leads nowhere in a browser; whether it did."""
        self.enter: Callable[[], None] = _unnoticed
        self.observe: Callable[[Request, Row | None, float, int], None] = _unobserved

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"],
            scope["headers"],
            receive,
            send,
            scope=scope,
        )
        started = time.perf_counter()
        self.enter()
        row: Row | None = None
        status = 500
        try:
            if REPLACED in request.path:
                check_path(scope["raw_path"])
            row, params, known = self.table.find(request.method, request.path)
            if row is None:
                status = await self._unknown(request, known)
                return
            request.params = params
            request.caller = self.admit(request, row)
            status = row.status
            if row.effect is Effect.STREAM:
                await row.call(request, self.services)
                return
            body = await self._run(row, request)
            await respond(request, status, body)
        except Disconnected:
            status = 499
        except HeddleError as error:
            status = error.status
            await self._fail(request, row, error)
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            failure = _failure(error)
            status = failure.status
            await self._fail(request, row, failure)
        finally:
            self.observe(request, row, time.perf_counter() - started, status)

    async def _run(self, row: Row, request: Request) -> bytes:
        length = request.header(b"content-length")
        if length is not None or request.method != "GET":
            if length is not None and length.isdigit() and int(length) > BODY_MAX:
                raise TooLarge(
                    f"The request body is larger than {BODY_MAX} bytes; send it in smaller parts."
                )
            request.body = await request.read_body()
            if request.body[:1] != b"{":
                # Most bodies are plainly JSON; only then is it worth to look further.
                request.check_encoding()
        argument = row.decode(request)
        call, encode = row.call, row.encode

        def operation(tx: Tx) -> bytes:
            request.ran = tx.ran
            return encode(call(tx, argument))

        database = self.services.database
        body: bytes
        if row.effect is Effect.WRITE:
            body = await database.write(operation, request.caller)
        elif row.effect is Effect.POINT and database.is_embedded:
            # A few rows from the page cache cost less than handing the work to another thread.
            body = database.read_now(operation, request.caller)
        else:
            body = await database.read(operation, request.caller, row.path)
        return body

    async def _unknown(self, request: Request, known: Sequence[str]) -> int:
        headers = [JSON]
        error: HeddleError
        if known:
            methods = sorted({*known, "HEAD"} if "GET" in known else known)
            error = WrongMethod(
                f"{request.method} is not allowed here; use {' or '.join(methods)}."
            )
            headers.append((b"allow", ", ".join(methods).encode()))
        elif await self.lead_back(request):
            return NoSuchCall.status
        else:
            error = NoSuchCall(f"This server does not offer {request.method} {request.path}.")
        await respond(request, error.status, self.refusal(request.path, error), headers)
        return error.status

    def refusal(self, path: str, error: HeddleError) -> bytes:
        """What a failure looks like where no row was found: as the API does to which the path leads."""
        for start, shape in self.error_shapes.items():
            if path.startswith(start):
                return shape(error)
        return self.plain_errors(error)

    async def _fail(self, request: Request, row: Row | None, error: HeddleError) -> None:
        body = self.refusal(request.path, error) if row is None else row.error_body(error)
        headers = [JSON]
        if error.status == 401:
            headers.append((b"www-authenticate", b'Basic realm="heddle"'))
        try:
            await respond(request, error.status, body, headers)
        except RuntimeError:
            log.debug("the answer to %s had begun when it failed", request.path)


def _failure(error: Exception) -> HeddleError:
    """What a client is told of a failure that nobody named."""
    if isinstance(error, OSError) and error.errno in SCARCE:
        return Unavailable(f"The server's machine refuses ({error.strerror}). Try again.")
    return HeddleError(f"Heddle failed on this call ({type(error).__name__}); its log says more.")


async def _no_way_back(_request: Request) -> bool:
    """There is no page to lead to."""
    return False


def _unnoticed() -> None:
    """Nobody counts."""


def _unobserved(_request: Request, _row: Row | None, _seconds: float, _status: int) -> None:
    """Nobody measures."""


async def respond(
    request: Request, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = PLAIN_JSON
) -> None:
    """Send a whole answer, compressed when it is large and the client takes it."""
    if headers is PLAIN_JSON and len(body) < COMPRESS_FROM and request.method != "HEAD":
        length = (b"content-length", str(len(body)).encode())
        await request.send(
            {"type": "http.response.start", "status": status, "headers": (*SMALL_JSON, length)}
        )
        await request.send({"type": "http.response.body", "body": body})
        return
    fields = [*headers, *GUARD]
    if len(body) >= COMPRESS_FROM and b"gzip" in (request.header(b"accept-encoding") or b""):
        body = gzip.compress(body, compresslevel=1, mtime=0)
        fields += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    fields.append((b"content-length", str(len(body)).encode()))
    await request.send({"type": "http.response.start", "status": status, "headers": fields})
    await request.send(
        {"type": "http.response.body", "body": body if request.method != "HEAD" else b""}
    )


encode_json = msgspec.json.Encoder().encode
