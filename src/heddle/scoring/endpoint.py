"""Endpoints at work: a version's model in a confined process, asked by the server's event loop.

The first request, or activating, has the version's files brought here, looked at if no scan has
done so yet, and loaded by a process of its own (`online`); after a time without requests it goes to
sleep, and the next request wakes it. Requests are handed over as they come and answered as the
process answers; what it predicts together is its own business. A process that dies takes with it the
requests that it had, and the next request starts another. One that does not answer in time is
ended. This runs in the event loop; nothing here opens a model's file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any, Final, Literal

import msgspec

from heddle.errors import Conflict, HeddleError, Invalid, Unavailable
from heddle.scoring.confined import Confined
from heddle.scoring.plan import Limits

log = logging.getLogger("heddle.endpoints")

JSON_FORM, CSV_FORM, FABRIC_FORM, LOAD = 0, 1, 2, 255
"""What a request is written in: MLflow's JSON, CSV, Fabric's JSON; or that a model is to be loaded."""
REQUEST: Final = Struct("<IBI")
"""Before a request: its number, its form, its length."""
ANSWER: Final = Struct("<IHI")
"""Before an answer: the request's number, a status of HTTP's, its length."""
State = Literal["inactive", "activating", "active", "deactivating", "failed"]
PROGRAM: Final = Path(__file__).with_name("online.py")
IMPORTS: Final = str(Path(__file__).parents[2])
WAITING_MAX: Final = 10_000
WAITING_BYTES: Final = 128 * 1024**2
ANSWER_MAX: Final = 256 * 1024**2
AGAIN_S: Final = 5.0
"""How long requests are told why loading failed before it is tried again."""
LEAVE_S: Final = 5.0
"""How long requests under way may take when an endpoint is deactivated."""
REMEMBERED: Final = 1024
"""Requests whose times are kept, for percentiles."""


@dataclass(slots=True)
class Counts:
    """What an endpoint did since the server started: requests, errors among them, seconds in all."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    last_ms: int | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def note(self, seconds: float, *, is_error: bool) -> None:
        """Note one request that was answered."""
        self.requests += 1
        self.errors += is_error
        self.seconds += seconds
        self.recent.append(seconds)
        self.last_ms = time.time_ns() // 1_000_000

    def percentile(self, part: float) -> float | None:
        """The time in seconds within which that part of the recent requests was answered."""
        if not self.recent:
            return None
        ordered = sorted(self.recent)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclass(slots=True)
class _Asked:
    """A request that waits for its answer."""

    future: asyncio.Future[bytes]
    size_bytes: int


class _Process(asyncio.Protocol):
    """One confined process and the requests that it has; lives in the event loop's thread."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.limits = limits
        self.walls: list[str] = []
        self.libraries: dict[str, str] = {}
        self.joins = False
        self.path = ""
        self.is_over = False
        self.is_loaded = False
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._waiting: dict[int, _Asked] = {}
        self._waiting_bytes = 0
        self._number = 0
        self._out: list[bytes] = []
        self._since_s = 0.0
        self._allowed_s = limits.load_s
        self._why: str = ""
        self._watch: asyncio.TimerHandle | None = None
        self._transport: Any = None
        self._ours, theirs = socket.socketpair()
        self._ended = self._loop.create_future()
        try:
            # The process gets the end twice, as requests and as answers.
            with theirs, theirs.dup() as again:
                handed = [theirs.fileno(), again.fileno()]
                self._process = Confined(PROGRAM, folder, handed, limits=limits, imports=[IMPORTS])
        except BaseException:
            self._ours.close()
            raise

    async def load(self, folder: Path) -> None:
        """Have the model loaded; raises ``Invalid`` with what it says if it cannot be."""
        self._ours.setblocking(False)
        self._transport, _ = await self._loop.create_unix_connection(lambda: self, sock=self._ours)
        body = await self.ask(json.dumps({"folder": str(folder)}).encode(), LOAD)
        try:
            said = msgspec.json.decode(body, type=dict[str, Any])
            self.libraries = {str(name): str(each) for name, each in said["libraries"].items()}
            self.joins, self.path = bool(said["joins"]), str(said["path"])
        except (msgspec.DecodeError, KeyError, AttributeError):
            raise Invalid("The model's process answered nonsense when it was loaded.") from None
        self._allowed_s = self.limits.batch_s
        self.is_loaded = True

    # ---- asking ----------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many requests have no answer yet."""
        return len(self._waiting)

    async def finish(self, wait_s: float) -> None:
        """Wait for what is under way, for so long at most."""
        if self._waiting:
            await asyncio.wait([each.future for each in self._waiting.values()], timeout=wait_s)

    def ask(self, body: bytes, form: int) -> asyncio.Future[bytes]:
        """Hand over a request; the answer comes with the future."""
        if self.waiting >= WAITING_MAX or self._waiting_bytes + len(body) > WAITING_BYTES:
            raise Unavailable(
                f"{self.waiting} requests wait for this endpoint already. Try again later, or score"
                " large tables by a job."
            )
        future: asyncio.Future[bytes] = self._loop.create_future()
        number = self._number = (self._number + 1) & 0xFFFFFFFF
        if not self._waiting:
            self._since_s = self._loop.time()
            self._look_again()
        self._waiting[number] = _Asked(future, len(body))
        self._waiting_bytes += len(body)
        if not self._out:
            # What arrives in one turn of the loop goes over together.
            self._loop.call_soon(self._flush)
        self._out += [REQUEST.pack(number, form, len(body)), body]
        return future

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _look_again(self) -> None:
        if self._watch is None:
            self._watch = self._loop.call_later(min(self._allowed_s, 1.0), self._look)

    def _look(self) -> None:
        """End the process if it has been at the same work for too long."""
        self._watch = None
        if not self._waiting:
            return
        if self._loop.time() - self._since_s > self._allowed_s:
            allowed = f"took longer than the {self._allowed_s:g} s it may"
            self.end(f"The model was stopped: {self._doing} {allowed}.")
            return
        self._look_again()

    # ---- answers ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take up what the process answers; nothing in it is taken on trust."""
        self._held += data
        held, start = self._held, 0
        if not self.walls:
            # The first line says which walls were raised.
            end = held.find(b"\n")
            if end < 0:
                return
            with suppress(ValueError):
                self.walls = [str(wall) for wall in json.loads(bytes(held[:end]))] or ["none"]
            start = end + 1
        while len(held) - start >= ANSWER.size:
            number, status, length = ANSWER.unpack_from(held, start)
            if length > ANSWER_MAX or number not in self._waiting:
                too_large = f"The model gave {length / 1e6:,.0f} MB of predictions for one request."
                self.end(too_large if length > ANSWER_MAX else "The model's process spoke unasked.")
                return
            stop = start + ANSWER.size + length
            if len(held) < stop:
                break
            self._settle(number, status, bytes(held[start + ANSWER.size : stop]))
            start = stop
        del held[:start]

    def _settle(self, number: int, status: int, body: bytes) -> None:
        asked = self._waiting.pop(number)
        self._waiting_bytes -= asked.size_bytes
        self._since_s = self._loop.time()
        if asked.future.done():
            return  # nobody waits any more
        if status == 200:
            asked.future.set_result(body)
        else:
            asked.future.set_exception(Invalid(body.decode(errors="replace")))

    # ---- the end ---------------------------------------------------------------------------

    def end(self, why: str = "") -> None:
        """End the process at once; what waits is told why."""
        self._why = self._why or why
        self.is_over = True
        self._process.kill()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._ours.close()
            self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone: tell those who wait."""
        del exc
        self.is_over = True
        self._loop.run_in_executor(None, self._bury)

    @property
    def _doing(self) -> str:
        return "predicting" if self.is_loaded else "loading the model"

    def _bury(self) -> None:
        """In a thread, as the process may take a moment to end: why it did, then its leavings."""
        died = Unavailable(self._why or self._process.died(self._doing).message)
        self._process.close()
        with suppress(RuntimeError):  # the loop may have ended as well
            self._loop.call_soon_threadsafe(self._mourn, died)

    def _mourn(self, died: Unavailable) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for asked in self._waiting.values():
            if not asked.future.done():
                asked.future.set_exception(died)
        self._waiting.clear()
        if not self._ended.done():
            self._ended.set_result(died.message)

    @property
    def ended(self) -> asyncio.Future[str]:
        """Done, with the reason, when the process has gone."""
        return self._ended

    def close_now(self) -> None:
        """End the process from outside the loop, when the server goes."""
        self.is_over = True
        self._process.close()


@dataclass(frozen=True, slots=True)
class Key:
    """Which version an endpoint is of."""

    workspace: str
    model: str
    number: int


class Endpoint:
    """One active version: its process while it is awake, and what it did so far."""

    def __init__(self, key: Key, bring: Callable[[Key], Awaitable[Path]], limits: Limits) -> None:
        self.key = key
        self.counts = Counts()
        self.failure = ""
        self.is_always_on = False
        self.process: _Process | None = None
        self.used_s = time.monotonic()
        self._bring = bring
        self._limits = limits
        self._waking: asyncio.Task[_Process] | None = None
        self._stopping = False
        self._failed_s = -AGAIN_S
        self._died_s = -AGAIN_S

    @property
    def state(self) -> State:
        """How it stands in this process; `inactive` is what nobody activated."""
        if self._stopping:
            return "deactivating"
        if self._waking is not None:
            return "activating"
        return "failed" if self.failure and self.process is None else "active"

    async def score(self, body: bytes, form: int) -> bytes:
        """The answer to a request; waits for the model to be loaded.

        Raises ``Invalid`` for what the model or its signature refuses, ``Unavailable`` where the
        model cannot be loaded, died, took too long or has too much to do.
        """
        began_s = time.perf_counter()
        is_error = True
        try:
            process = self.process
            if process is None or process.is_over:
                process = await self.wake()
                # Loading is told apart: it would hide how long requests take.
                began_s = time.perf_counter()
            answer = await process.ask(body, form)
            is_error = False
        finally:
            self.used_s = time.monotonic()
            self.counts.note(time.perf_counter() - began_s, is_error=is_error)
        return answer

    async def wake(self) -> _Process:
        """Have the model loaded, once for all who ask; raises as `score`."""
        return await asyncio.shield(self.begin())

    def begin(self, *, again: bool = False) -> asyncio.Task[_Process]:
        """Begin to load the model, unless that goes on; ``again`` even if it has just failed."""
        if self._stopping:
            raise Conflict("This endpoint is being deactivated.")
        if self._waking is None:
            if not again and self.failure and time.monotonic() - self._failed_s < AGAIN_S:
                raise Unavailable(self.failure)
            self._waking = asyncio.get_running_loop().create_task(self._load())
            self._waking.add_done_callback(self._woken)
        return self._waking

    async def _load(self) -> _Process:
        folder = await self._bring(self.key)
        process = _Process(folder, self._limits)
        try:
            await process.load(folder)
        except BaseException:
            process.end()
            await process.ended
            raise
        return process

    def _woken(self, task: asyncio.Task[_Process]) -> None:
        self._waking = None
        self.used_s = time.monotonic()
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.failure, self.process = "", task.result()
            self.process.ended.add_done_callback(self._ended)
            return
        self._failed_s = time.monotonic()
        self.failure = (
            error.message
            if isinstance(error, HeddleError)
            else (f"The model could not be loaded: {type(error).__name__}: {error}")
        )
        log.warning("%s/%d could not be loaded: %s", self.key.model, self.key.number, self.failure)

    def _ended(self, ended: asyncio.Future[str]) -> None:
        """The process is gone; unless it was sent to sleep, another takes its place."""
        process, self.process = self.process, None
        if process is None or self._stopping or ended.cancelled():
            return
        self.failure = ended.result()
        log.warning("%s/%d died: %s", self.key.model, self.key.number, self.failure)
        # One that dies again and again is started by requests alone.
        if time.monotonic() - self._died_s > AGAIN_S:
            self.begin(again=True)
        self._died_s = time.monotonic()

    def sleep(self) -> None:
        """Let the process go; the next request starts another."""
        process, self.process = self.process, None
        if process is not None:
            process.end("The endpoint went to sleep.")

    async def stop(self) -> None:
        """Deactivate: what is under way may end, for a while."""
        self._stopping = True
        if self.process is not None:
            await self.process.finish(LEAVE_S)
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.wait([self._waking])
        process, self.process = self.process, None
        if process is not None:
            process.end("The endpoint was deactivated.")
            await process.ended

    def close_now(self) -> None:
        """End the process when the server goes, from any thread."""
        if self.process is not None:
            self.process.close_now()
