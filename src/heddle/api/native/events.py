"""The stream of changes of a workspace, as server-sent events."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from heddle.api.events import Hub, Subscriber
from heddle.api.http import GUARD, Request, Services, encode_json
from heddle.api.native.offer import Ask
from heddle.api.native.shapes.items import Event, EventQuery
from heddle.db.tx import Change, Tx
from heddle.errors import Unavailable

HEARTBEAT_S = 15.0
RETRY_MS = 2000
START = uuid.uuid4().hex[:8]
"""Tells events of this process from those of another; none can be asked for again."""


def _present(_tx: Tx) -> None:
    """Nothing; opening the transaction has found the workspace."""


async def stream(request: Request, services: Services, ask: Ask[EventQuery, None]) -> None:
    """Send changes until the client goes."""
    hub: Hub = services.extra["hub"]
    query = ask.query
    await services.database.read(_present, request.caller)
    if request.method == "HEAD":
        await _start(request)
        await request.send({"type": "http.response.body", "body": b""})
        return
    if hub.is_full:
        raise Unavailable("Too many watch this server already; try again later.")
    subscriber = Subscriber(request.caller.workspace, query.kind, query.key, query.parent)
    # What happened since the last event that the client saw is not kept, so it must ask again.
    subscriber.lost = request.header(b"last-event-id") is not None
    hub.subscribe(subscriber)
    sending = asyncio.ensure_future(_send(request, subscriber))
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        hub.unsubscribe(subscriber)
        for task in (sending, gone):
            task.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _start(request: Request) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        *GUARD,
    ]
    await request.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send(request: Request, subscriber: Subscriber) -> None:
    await _start(request)
    await _body(request, f"retry: {RETRY_MS}\n\n".encode())
    number = 0
    if subscriber.lost:
        subscriber.awake.set()
    while True:
        if not await subscriber.wait(HEARTBEAT_S):
            await _body(request, b": still here\n\n")
            continue
        if subscriber.closed:
            await request.send({"type": "http.response.body", "body": b""})
            return
        lost, waiting = subscriber.take()
        number += 1
        parts = [_event("resync", number, b"{}")] if lost else []
        for change, count in waiting:
            number += 1
            parts.append(_event("change", number, encode_json(_out(change, count))))
        await _body(request, b"".join(parts))


def _out(change: Change, count: int) -> Event:
    return Event(
        kind=change.kind,
        key=change.key,
        action=change.action,
        parent=change.parent,
        count=count,
    )


def _event(name: str, number: int, data: bytes) -> bytes:
    return f"id: {START}-{number}\nevent: {name}\ndata: ".encode() + data + b"\n\n"


async def _body(request: Request, body: bytes) -> None:
    await request.send({"type": "http.response.body", "body": body, "more_body": True})


CALLS: dict[str, Any] = {"workspaces.events": stream}
