"""Heddle's program with a trap: the process kills itself at one chosen step of storing.

``python -m torture.crash_points CALL NUMBER WHEN serve ...`` runs ``heddle serve ...`` and sends
itself SIGKILL right before or after the NUMBER-th time that CALL (``os.rename``, ``COMMIT``) is
used. Random moments seldom fall between two steps that follow each other closely; these do.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

FILE_CALLS = ("os.fsync", "os.link", "os.rename", "os.utime")
COMMIT = "COMMIT"


def trap(call: Callable[..., Any], number: int, when: str) -> Callable[..., Any]:
    """``call``, deadly at one of its uses."""
    uses = itertools.count(1)

    def trapped(*given: Any, **named: Any) -> Any:
        now = next(uses) == number
        if now and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*given, **named)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return trapped


class TrappedCursor:
    """A cursor whose COMMIT is deadly at one of its uses."""

    def __init__(self, cursor: Any, commit: Callable[..., Any]) -> None:
        self._cursor = cursor
        self._commit = commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, text: str, *given: Any) -> Any:
        """As the cursor's own."""
        return (self._commit if text == COMMIT else self._cursor.execute)(text, *given)


def arm(call: str, number: int, when: str) -> None:
    """Set the trap."""
    if call != COMMIT:
        name = call.removeprefix("os.")
        setattr(os, name, trap(getattr(os, name), number, when))
        return
    from heddle.db.session import Session

    made = Session.__init__

    def init(self: Any, engine: Any, begin: str) -> None:
        made(self, engine, begin)
        if begin == "BEGIN IMMEDIATE":
            self.cursor = TrappedCursor(self.cursor, trap(self.cursor.execute, number, when))

    Session.__init__ = init  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    from heddle.cli import main

    sys.exit(main(sys.argv[4:]))
