"""Child processes that hold a model: started confined, fed through shared memory, ended for sure.

Only they open a model's files. Each gets an environment made from nothing (no secret is inherited),
a scratch folder of its own that goes with it, and the walls of `confine`. Batches go over in shared
memory, answers come back in a pipe; what comes back is checked before it is believed. A child that
raises, dies, hangs or eats too much ends in ``ModelFailed``, which says so in words. A child belongs
to the thread that started it and dies with it.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from heddle.scoring import packed, predictor
from heddle.scoring.confined import ChildDied, Confined, ModelFailed
from heddle.scoring.plan import Limits

SLOTS: Final = 2
"""Batches that wait in a child: one is predicted while the next is copied over."""
HEAD_MAX: Final = 256 * 1024
ANSWER_MAX: Final = 256 * 1024**2
"""Of one batch's predictions: 2 KB for each of as many rows as a batch has at most."""
WORDS_MAX: Final = 5000


def _bound(size: int) -> None:
    """Raise ``ModelFailed`` for more bytes of predictions than one batch may have."""
    if size > ANSWER_MAX:
        raise ModelFailed(
            f"The model gave {size / 1e6:,.0f} MB of predictions for one batch, more than the"
            f" {ANSWER_MAX / 1e6:,.0f} MB it may; ask for fewer rows at a time (--batch-rows)."
        )


class _Slot:
    """Shared memory that holds one batch on its way to the child."""

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("heddle-batch")
        else:
            with tempfile.TemporaryFile() as file:
                self.fd = os.dup(file.fileno())
        self._map: mmap.mmap | None = None

    def write(self, batch: pa.RecordBatch) -> int:
        """Write the batch as an Arrow stream; its size in bytes."""
        measure = pa.MockOutputStream()
        self._stream(measure, batch)
        size = int(measure.size())
        if self._map is None or len(self._map) < size:
            room = max(mmap.PAGESIZE, size + size // 4)
            os.ftruncate(self.fd, room)
            self._map = mmap.mmap(self.fd, room)
        self._stream(pa.FixedSizeBufferWriter(pa.py_buffer(self._map)), batch)
        return size

    @staticmethod
    def _stream(sink: Any, batch: pa.RecordBatch) -> None:
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)

    def close(self) -> None:
        """Give the memory back."""
        self._map = None
        os.close(self.fd)


class Child:
    """One process with one model; used by the thread that made it.

    ``walls`` are what `confine` raised around it, ``libraries`` the versions that predict,
    ``path`` the way past pandas that was taken, if any. Its scratch folder is made in ``scratch``, the
    system's place for such unless told. Raises ``ModelFailed`` from every call.
    """

    def __init__(
        self,
        folder: Path,
        *,
        params: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
        limits: Limits,
        python: str = sys.executable,
        threads: int = 1,
        is_fast: bool = True,
        scratch: Path | None = None,
    ) -> None:
        self.limits = limits
        self.walls: list[str] = []
        self.libraries: dict[str, str] = {}
        self.path = ""
        self._slots = [_Slot() for _ in range(SLOTS)]
        self._sent = 0
        self._waiting = 0
        self._began = time.monotonic()
        try:
            self._start(folder, limits=limits, python=python, threads=threads, scratch=scratch)
            self._load(folder, params, names, is_fast=is_fast)
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, **given: Any) -> None:
        asks, self._requests = os.pipe()
        self._answers, tells = os.pipe()
        program = Path(predictor.__file__).absolute()
        try:
            handed = [asks, tells, *(slot.fd for slot in self._slots)]
            self._process: Confined | None = Confined(program, folder, handed, **given)
        finally:
            os.close(asks)
            os.close(tells)

    def _load(
        self, folder: Path, params: Mapping[str, Any] | None, names: Sequence[str], *, is_fast: bool
    ) -> None:
        doing = "loading the model"
        deadline = time.monotonic() + self.limits.load_s
        line = b""
        while not line.endswith(b"\n"):
            line += self._read(1, deadline, doing)
        self.walls = json.loads(line)
        asked = {"folder": str(folder), "params": params, "names": list(names), "fast": is_fast}
        self._request({"do": "load", **asked}, doing)
        answer, _ = self._answer(deadline, doing)
        found = answer.get("libraries")
        if not isinstance(found, dict):
            raise ModelFailed(f"The model's process answered nonsense while {doing}.")
        self.libraries = {str(name): str(version) for name, version in found.items()}

    @property
    def waiting(self) -> int:
        """How many batches were sent and not yet received."""
        return self._waiting

    def send(self, batch: pa.RecordBatch) -> None:
        """Send a batch; at most `SLOTS` may wait."""
        slot = self._sent % SLOTS
        size = self._slots[slot].write(batch)
        if not self._waiting:
            self._began = time.monotonic()
        self._request({"do": "predict", "slot": slot, "bytes": size}, "predicting")
        self._sent += 1
        self._waiting += 1

    def receive(self) -> pa.RecordBatch:
        """The predictions for the oldest batch that was sent."""
        deadline = self._began + self.limits.batch_s
        answer, body = self._answer(deadline, "predicting")
        self._began = time.monotonic()
        self._waiting -= 1
        self.path = answer.get("path", "")
        try:
            # The process that made it ran somebody's code: nothing in it is taken on trust.
            _bound(packed.unpacked_bytes(body))
            with pa.ipc.open_stream(body) as reader:
                batch = reader.read_next_batch()
            batch.validate(full=True)
        except (pa.ArrowException, OSError, StopIteration) as error:
            raise ModelFailed(f"The model's process answered with no table: {error}") from None
        return batch

    def _request(self, request: Mapping[str, Any], doing: str) -> None:
        data = json.dumps(request).encode()
        try:
            os.write(self._requests, predictor.HEADER.pack(len(data)) + data)
        except BrokenPipeError:
            raise self._died(doing) from None

    def _answer(self, deadline: float, doing: str) -> tuple[dict[str, Any], bytes]:
        head = self._read(predictor.HEADER.size, deadline, doing)
        length = predictor.HEADER.unpack(head)[0]
        nonsense = ModelFailed(f"The model's process answered nonsense while {doing}.")
        if length > HEAD_MAX:
            raise nonsense
        # Whatever can write to the pipe may have written this.
        try:
            answer = json.loads(self._read(length, deadline, doing))
            size = int(answer["bytes"])
            is_known = size == 0 or isinstance(answer["path"], str)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise nonsense from None
        if size < 0 or not is_known:
            raise nonsense
        _bound(size)
        body = self._read(size, deadline, doing)
        if "error" in answer:
            raise ModelFailed(f"The model failed while {doing}: {answer['error']}"[:WORDS_MAX])
        return answer, body

    def _read(self, size: int, deadline: float, doing: str) -> bytes:
        parts = []
        while size:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self._answers], [], [], left)[0]
            if not ready:
                self.kill()
                allowed = self.limits.load_s if "load" in doing else self.limits.batch_s
                raise ModelFailed(
                    f"The model was stopped: {doing} took longer than the {allowed:g} s it may."
                )
            block = os.read(self._answers, min(size, 1024 * 1024))
            if not block:
                raise self._died(doing)
            parts.append(block)
            size -= len(block)
        return b"".join(parts)

    def _died(self, doing: str) -> ChildDied:
        """What the end of the process says."""
        assert self._process is not None  # noqa: S101 -- nobody asks after `close`
        return self._process.died(doing)

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process and remove its scratch folder; harmless to repeat."""
        process, self._process = getattr(self, "_process", None), None
        if process is not None:
            process.close()
            os.close(self._requests)
            os.close(self._answers)
        for slot in self._slots:
            slot.close()
        self._slots = []
