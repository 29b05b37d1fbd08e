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
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from heddle.errors import Invalid
from heddle.scoring import confine, predictor
from heddle.scoring.plan import Limits

SLOTS: Final = 2
"""Batches that wait in a child: one is predicted while the next is copied over."""
TAIL_BYTES: Final = 8192
HEAD_MAX: Final = 256 * 1024
ANSWER_MAX: Final = 256 * 1024**2
"""Of one batch's predictions: 2 KB for each of as many rows as a batch has at most."""
WORDS_MAX: Final = 5000
END_S: Final = 5.0
KEPT_VARIABLES: Final = (
    "CUDA_VISIBLE_DEVICES", "KERAS_BACKEND", "LANG", "LC_ALL", "LD_LIBRARY_PATH",
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "TZ",
)  # fmt: skip
"""What of the environment reaches a model: how libraries compute, and nothing else."""
THREAD_VARIABLES: Final = (
    "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
_PLACES: Final = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"


class ModelFailed(Invalid):
    """The model could not be loaded, raised, broke a limit or died; the message says which."""


class ChildDied(ModelFailed):
    """The process ended under its work: perhaps killed from outside, so that trying again may do."""


@cache
def _readable(python: str) -> tuple[str, ...]:
    """The folders that this Python runs from."""
    if python == sys.executable:
        asked = json.dumps([sys.prefix, sys.base_prefix, *sys.path])
    else:
        asked = subprocess.run(  # noqa: S603 -- the interpreter that was built or is running
            [python, "-I", "-c", _PLACES], check=True, capture_output=True, text=True
        ).stdout
    # The current folder is not among what Python runs from, even if it is on the path.
    here = {str(Path.cwd()), ""}
    return tuple(dict.fromkeys(place for place in json.loads(asked) if place not in here))


def _memory_bytes(limits: Limits) -> int:
    """The memory that one child may have."""
    if limits.memory_bytes:
        return limits.memory_bytes
    with suppress(ValueError, OSError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    return 0


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
        self._scratch = Path(tempfile.mkdtemp(prefix="heddle-model-", dir=scratch))
        self._slots = [_Slot() for _ in range(SLOTS)]
        self._sent = 0
        self._waiting = 0
        self._tail: deque[bytes] = deque()
        self._began = time.monotonic()
        try:
            self._start(folder, python, threads)
            self._load(folder, params, names, is_fast=is_fast)
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, python: str, threads: int) -> None:
        asks, self._requests = os.pipe()
        self._answers, tells = os.pipe()
        slots = [slot.fd for slot in self._slots]
        program = str(Path(predictor.__file__).absolute())
        walls = {
            "memory_bytes": _memory_bytes(self.limits),
            "scratch_bytes": self.limits.scratch_bytes,
            "tasks": self.limits.tasks,
            "readable": [*_readable(python), str(folder), program],
            "writable": [str(self._scratch)],
        }
        handed = [asks, tells, *slots]
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program, no shell
                [python, "-I", str(Path(confine.__file__).absolute()), json.dumps(walls), program,
                 *map(str, handed)],
                env=self._environment(threads),
                cwd=self._scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=handed,
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(asks)
            os.close(tells)
        threading.Thread(target=self._listen, daemon=True, name="heddle-model-words").start()

    def _environment(self, threads: int) -> dict[str, str]:
        scratch = str(self._scratch)
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            **dict.fromkeys(THREAD_VARIABLES, str(threads)),
            "HOME": scratch,
            "TMPDIR": scratch,
            "MPLCONFIGDIR": scratch,
            "XDG_CACHE_HOME": scratch,
            "DO_NOT_TRACK": "1",
            "JAVA_TOOL_OPTIONS": f"-Djava.io.tmpdir={scratch} -Duser.home={scratch}",
            "SPARK_LOCAL_DIRS": scratch,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }

    def _listen(self) -> None:
        """Keep the end of what the child says on its error output."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 -- asked for above
        held = 0
        with suppress(ValueError, OSError):
            while block := os.read(stream.fileno(), 4096):
                self._tail.append(block)
                held += len(block)
                while held - len(self._tail[0]) > TAIL_BYTES:
                    held -= len(self._tail.popleft())

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
            with pa.ipc.open_stream(body) as reader:
                batch = reader.read_next_batch()
            # The process that made it ran somebody's code: nothing in it is taken on trust.
            batch.validate(full=True)
        except (pa.ArrowException, StopIteration) as error:
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
        if size > ANSWER_MAX:
            raise ModelFailed(
                f"The model gave {size / 1e6:,.0f} MB of predictions for one batch, more than the"
                f" {ANSWER_MAX / 1e6:,.0f} MB it may; ask for fewer rows at a time (--batch-rows)."
            )
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
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        said = b"".join(self._tail)[-TAIL_BYTES:].decode(errors="replace").strip()
        if code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
            if -code == signal.SIGKILL:
                how += " (killed from outside, or out of memory)"
        else:
            how = f"ended with code {code}"
        last = f" Its last words: {said[-1000:]}" if said else ""
        return ChildDied(f"The model's process {how} while {doing}.{last}")

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and remove its scratch folder; harmless to repeat."""
        process = getattr(self, "_process", None)
        if process is not None:
            self.kill()
            process.wait()
            process.stderr.close()
            self._process = None  # type: ignore[assignment]
            os.close(self._requests)
            os.close(self._answers)
        for slot in self._slots:
            slot.close()
        self._slots = []
        shutil.rmtree(self._scratch, ignore_errors=True)
