"""One client's connection: what it may send, how long it may take, how answers leave.

uvicorn's HTTP protocol, with limits for clients that stop in the middle: a head that never ends, a
body that stops coming, an answer that is never read. Such a client loses its connection; nobody else
waits for it. A client that is merely slow keeps it, since only standing still counts. What is no
HTTP, too long or too late is refused in the shape of the API whose address it began with.

The head and the body of an answer leave in one write: uvicorn writes them one after the other, and
two system calls and two packets are a quarter of what a small call costs (measured).
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from heddle.errors import HeadTooLarge, HeddleError, Malformed, TooSlow

JOIN_MAX = 16 * 1024


class JoinedWrites:
    """A transport whose writes of one turn of the event loop leave together."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold the data until the turn ends; large parts leave at once, so that flow control acts."""
        parts = self._parts
        parts.append(data)
        if len(data) > JOIN_MAX:
            self._flush()
        elif len(parts) == 1:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def close(self) -> None:
        """Send what is held, then close."""
        self._flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol over joined writes, with an end to waiting.

    ``_timer`` runs while a request has begun to come and is not complete, or while an answer waits
    for the client to read; small requests come and go in one piece and never start it.
    """

    HEAD_MAX = 64 * 1024
    """Bytes of a request's line and headers. One piece from the network is always looked at."""
    URL_MAX = 2**16 - 1
    """Bytes of an address that the parser can take apart."""
    HEAD_S = 30.0
    """How long a head may take from its first byte to its last."""
    BODY_S = 60.0
    """How long nothing of a body may come."""
    READ_S = 120.0
    """How long a client may take to read what fills the buffer."""

    url = b""
    _receiving = False
    _in_head = False
    _head_bytes = 0
    _heard_s = 0.0
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has connected; one that says nothing is let go like one that says nothing more."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._unset_timer()
        self._unset_stalled()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def _await_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._receiving = self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._unset_timer()
        # No address that is sent holds a bare #. The parser would drop what follows, and so take
        # the call for one about something else; the calls themselves refuse the sign.
        self.url = self.url.replace(b"#", b"%23")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._receiving = False
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """More of a request, or several."""
        super().data_received(data)
        if not self._receiving:
            if self._timer is not None:
                self._unset_timer()
            cycle: Any = self.cycle
            if self.timeout_keep_alive_task is None and (cycle is None or cycle.response_complete):
                # Nothing but line ends came.
                self._await_request()
            return
        self._heard_s = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.HEAD_MAX:
                self._refuse(self._too_large())
                return
        if self._timer is None:
            wait_s = self.HEAD_S if self._in_head else self.BODY_S
            self._timer = self.loop.call_later(wait_s, self._too_late)

    def _too_late(self) -> None:
        """Give up on the request that is coming in, unless it is we who are slow."""
        self._timer = None
        if self._in_head:
            late = f"The request's headers did not come within {self.HEAD_S:g} seconds."
            self._refuse(TooSlow(late))
            return
        silent_s = self.loop.time() - self._heard_s
        if self.flow.read_paused or silent_s < self.BODY_S:
            rest_s = self.BODY_S if self.flow.read_paused else self.BODY_S - silent_s
            self._timer = self.loop.call_later(rest_s, self._too_late)
            return
        self._refuse(TooSlow(f"Nothing of the body came for {self.BODY_S:g} seconds."))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- as uvicorn calls it
        """Refuse what the parser could not read, in our words instead of uvicorn's."""
        if len(self.url) > self.URL_MAX:
            self._refuse(self._too_large())
        else:
            self._refuse(Malformed("This is not a request of HTTP/1.1 that can be read."))

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(
            f"The request's line and headers are longer than {self.HEAD_MAX} bytes; send long"
            " values in a body, or ask for less at a time."
        )

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: some clients offer HTTP/2 with every request, and are answered as they are."""

    def _refuse(self, error: HeddleError) -> None:
        """Say why, if nothing was said yet, and close."""
        self._unset_timer()
        self._receiving = False
        cycle: Any = self.cycle
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        if not answering and not self.transport.is_closing():
            app: Any = self.app
            body = app.refusal(self.url.decode("latin-1"), error)
            head = (
                f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                "connection: close\r\n\r\n"
            )
            self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write."""
        super().pause_writing()
        self._unset_stalled()
        self._stalled = self.loop.call_later(self.READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        self._unset_stalled()
        super().resume_writing()

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unset_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
