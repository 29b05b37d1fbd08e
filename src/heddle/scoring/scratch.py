"""Folders for what is of use to one process only, gone with it however it ends.

Always holds: a folder is locked as long as its process lives, and a lock goes with its process. So
what a killed process left behind is known by being unlocked, and the next one that needs a folder
in the same place removes it; a model may leave gigabytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, Self

PREFIX: Final = "heddle-scratch-"
MADE_S: Final = 60.0
"""A folder is locked right after it is made; younger ones are left alone."""


class Scratch:
    """A new folder in ``within``, the system's place for such unless told; removed by ``close``.

    Raises ``OSError`` where it cannot be made.
    """

    def __init__(self, within: Path | None = None) -> None:
        place = Path(within or tempfile.gettempdir())
        _sweep(place)
        self.path: Final = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder; harmless to repeat."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@cache
def _sweep(place: Path) -> None:
    """Remove what processes of this user that ended left in a place; once is enough for a process."""
    with suppress(OSError):
        for folder in place.glob(f"{PREFIX}*"):
            with suppress(OSError):
                _remove_abandoned(folder)


def _remove_abandoned(folder: Path) -> None:
    # In a place for all, others may have put a link under such a name.
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(lock)
        if found.st_uid != os.getuid() or time.time() - found.st_mtime < MADE_S:
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
