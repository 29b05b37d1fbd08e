"""Threads that run calls for an event loop.

The standard executor makes two futures and several locks of each call; here it is one queue in and
one wake-up out, which is half of what handing over a small read costs (measured).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Task = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """At most ``most`` threads, each started when a call finds no other free."""

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self.name = name
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._free: list[None] = []

    def run(self, call: Callable[..., Any], *values: Any) -> asyncio.Future[Any]:
        """Have a call made in some thread; the future is done when it has returned or raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if len(self._free) <= self._tasks.qsize() and len(self._threads) < self.most:
            number = len(self._threads)
            thread = threading.Thread(target=self._work, name=f"{self.name}-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put((loop, future, call, values))
        return future

    def close(self) -> None:
        """End the threads once they have done what waits."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        take, free = self._tasks.get, self._free
        while True:
            free.append(None)
            task = take()
            free.pop()
            if task is None:
                return
            loop, future, call, values = task
            result: Any = None
            failure: BaseException | None = None
            try:
                result = call(*values)
            except BaseException as error:  # noqa: BLE001 -- it is the answer to this call
                failure = error
            # A loop that is closed has nobody who waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, future, result, failure)
            # Not to be held while waiting for the next: it may be a large answer.
            del task, loop, future, call, values, result, failure


def _settle(future: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
