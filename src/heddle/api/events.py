"""The event hub: tells whoever watches what was committed, never holding up a write.

Changes arrive in the threads that commit and are handed to the event loop once per burst. There
they are summed up, at most ``PER_SECOND`` times a second, and put into each subscriber's own
bounded queue. A subscriber that does not keep up loses its queue and is told to ask again
(``resync``).
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from heddle.db.tx import Change

Handler = Callable[[int, FrameType | None], Any]
PER_SECOND = 10
QUEUE_MAX = 500
WAITING_MAX = 50_000
"""Changes that may wait for the loop; more than these and everyone is told to ask again."""
SUBSCRIBERS_MAX = 2000


@dataclass(slots=True, eq=False)
class Subscriber:
    """Someone who watches a workspace, or a part of it; ``lost`` says that events were dropped."""

    workspace: str
    kind: str | None = None
    key: str | None = None
    parent: str | None = None
    queue: deque[tuple[Change, int]] = field(default_factory=deque)
    lost: bool = False
    closed: bool = False
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, change: Change) -> bool:
        """Whether a change concerns this subscriber."""
        return (
            change.workspace == self.workspace
            and self.kind in (None, change.kind)
            and self.key in (None, change.key)
            and self.parent in (None, change.parent)
        )

    def put(self, change: Change, count: int) -> None:
        """Queue a change, or drop everything if too many wait."""
        if self.lost:
            return
        if len(self.queue) >= QUEUE_MAX:
            self.drop()
            return
        self.queue.append((change, count))
        self.awake.set()

    def drop(self) -> None:
        """Forget what waits; the subscriber is told that it missed some."""
        self.queue.clear()
        self.lost = True
        self.awake.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for something to tell; whether there is."""
        try:
            await asyncio.wait_for(self.awake.wait(), timeout_s)
        except TimeoutError:
            return False
        self.awake.clear()
        return True

    def take(self) -> tuple[bool, list[tuple[Change, int]]]:
        """Whether some were lost, and what waits."""
        lost, self.lost = self.lost, False
        waiting = list(self.queue)
        self.queue.clear()
        return lost, waiting


def close_on_signals(hub: Hub) -> None:
    """Let open streams end when the server is told to stop, which waits for its connections.

    Called in the event loop; does nothing outside the main thread, where no signals arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _closing(hub, loop, before))


def _closing(hub: Hub, loop: asyncio.AbstractEventLoop, before: Handler) -> Handler:
    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(hub.close)
        before(number, frame)

    return handle


class Hub:
    """Where changes come in from committing threads and go out to subscribers."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._waiting: dict[Change, int] = {}
        self._scheduled = False
        self._overflow = False
        self._next_s = 0.0

    def subscribe(self, subscriber: Subscriber) -> None:
        """Begin to tell a subscriber; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._subscribers.add(subscriber)

    def close(self) -> None:
        """End every stream, in the event loop: nothing more will come."""
        for subscriber in self._subscribers:
            subscriber.closed = True
            subscriber.awake.set()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop telling a subscriber."""
        self._subscribers.discard(subscriber)

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._subscribers)

    @property
    def is_full(self) -> bool:
        """Whether nobody more can watch."""
        return len(self._subscribers) >= SUBSCRIBERS_MAX

    def announce(self, changes: Sequence[Change]) -> None:
        """Take changes of a committed transaction, in any thread."""
        loop = self._loop
        if not self._subscribers or loop is None:
            return
        with self._lock:
            for change in changes:
                self._waiting[change] = self._waiting.get(change, 0) + 1
            if len(self._waiting) > WAITING_MAX:
                self._waiting.clear()
                self._overflow = True
            if self._scheduled:
                return
            self._scheduled = True
        self._call(loop)

    def lose(self) -> None:
        """Tell everyone that changes may have been missed, in any thread."""
        loop = self._loop
        with self._lock:
            self._overflow = True
            if self._scheduled or loop is None:
                return
            self._scheduled = True
        self._call(loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._arrange, loop)
        except RuntimeError:
            # The loop is closed, so nobody watches any more.
            self._subscribers.clear()

    def _arrange(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send now, or when the last sending is long enough ago."""
        loop.call_at(max(loop.time(), self._next_s), self._send, loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next_s = loop.time() + 1 / PER_SECOND
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            overflow, self._overflow = self._overflow, False
            self._scheduled = False
        for subscriber in self._subscribers:
            if overflow:
                subscriber.drop()
                continue
            for change, count in waiting.items():
                if subscriber.wants(change):
                    subscriber.put(change, count)
