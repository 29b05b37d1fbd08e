"""The worker beside the server: a process of its own that comes and goes with it.

It is started anew when it dies. Where it cannot work, because what jobs need is not installed, it
says so once and the server goes on without. It holds one end of a pipe whose other end is the
server's, so it ends with the server, however that ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from heddle.settings import Settings

CANNOT_WORK = 3
AGAIN_S = (1.0, 5.0, 30.0)
END_S = 8.0


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """A worker while the body runs, unless the settings say that there is none."""
    if not settings.worker:
        yield
        return
    keeper = _Keeper(settings)
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class _Keeper(threading.Thread):
    """Keeps one worker running."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="heddle-worker-keeper", daemon=True)
        self.settings = settings
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Start a worker, and again when it has died."""
        for attempt in range(10**9):
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = self._start()
            code = self._process.wait()
            if code == CANNOT_WORK or self._stopping.is_set():
                return
            wait_s = AGAIN_S[min(attempt, len(AGAIN_S) - 1)]
            sys.stderr.write(f"heddle: the worker ended (code {code}); again in {wait_s:.0f} s\n")
            self._stopping.wait(wait_s)

    def _start(self) -> subprocess.Popen[bytes]:
        settings = self.settings
        # By the environment and not by arguments, which everyone on the machine may read.
        environment = os.environ | {
            "HEDDLE_DATA": str(settings.data.absolute()),
            "HEDDLE_DATABASE": settings.database_url,
            "HEDDLE_ARTIFACTS": settings.artifacts_url,
            "HEDDLE_DATA_ROOTS": ",".join(settings.data_roots),
            "HEDDLE_LOG_LEVEL": settings.log_level,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "heddle", "worker", "--beside"],
            stdin=subprocess.PIPE,
            env=environment,
            # Ctrl+C is for the server, which then ends the worker in order.
            start_new_session=True,
        )

    def stop(self) -> None:
        """End the worker: asked to first, made to if it does not."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None:
            return
        assert process.stdin is not None  # noqa: S101 -- asked for
        with suppress(OSError):
            process.stdin.close()
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.join()
