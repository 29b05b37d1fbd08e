"""A process behind walls: a program started under `confine`, listened to, and ended for sure.

Whoever loads a model does it in one of these (`children` for tables, `endpoint` for requests). It
gets an environment made from nothing (no secret is inherited) and a scratch folder of its own that
goes with it. It belongs to the thread that started it and dies with it. Nothing here needs a
library of tables or models, so the server itself can start one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from heddle.errors import Invalid
from heddle.scoring import confine
from heddle.scoring.plan import Limits
from heddle.scoring.scratch import Scratch

TAIL_BYTES: Final = 8192
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


class Confined:
    """One process that runs ``program`` with the file descriptors ``handed`` as its arguments.

    The second of them is told the walls that were raised, as a line of JSON. The program may read
    what its Python runs from, ``folder`` and itself, and write to its scratch folder, which is made
    in ``scratch`` or where the system has such. ``imports`` are folders that it finds modules in
    after those of its Python.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        handed: Sequence[int],
        *,
        limits: Limits,
        python: str = sys.executable,
        threads: int = 1,
        scratch: Path | None = None,
        imports: Sequence[str] = (),
    ) -> None:
        self._scratch = Scratch(scratch)
        self._tail: deque[bytes] = deque()
        walls = {
            "memory_bytes": _memory_bytes(limits),
            "scratch_bytes": limits.scratch_bytes,
            "tasks": limits.tasks,
            "readable": [*_readable(python), str(folder), str(program), *imports],
            "writable": [str(self._scratch.path)],
            "imports": list(imports),
        }
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program, no shell
                [python, "-I", str(Path(confine.__file__).absolute()), json.dumps(walls),
                 str(program), *map(str, handed)],
                env=self._environment(threads),
                cwd=self._scratch.path,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=handed,
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._scratch.close()
            raise
        threading.Thread(target=self._listen, daemon=True, name="heddle-model-words").start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def _environment(self, threads: int) -> dict[str, str]:
        scratch = str(self._scratch.path)
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
        """Keep the end of what the process says on its error output."""
        stream = self._process.stderr
        assert stream is not None  # noqa: S101 -- asked for above
        held = 0
        with suppress(ValueError, OSError):
            while block := os.read(stream.fileno(), 4096):
                self._tail.append(block)
                held += len(block)
                while held - len(self._tail[0]) > TAIL_BYTES:
                    held -= len(self._tail.popleft())

    def died(self, doing: str) -> ChildDied:
        """What the end of the process says, ended while ``doing`` something."""
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
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and remove its scratch folder; harmless to repeat."""
        self.kill()
        self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._scratch.close()
