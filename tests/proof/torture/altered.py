"""Heddle's program with some of its constants and its clock altered, so that faults show sooner.

``python -m torture.altered '{"heddle.db.engine:BUSY_S": 1}' serve ...`` sets what the JSON names
(``module:name`` or ``module:Class.name``) and runs ``heddle serve ...``. The name ``clock`` takes a
file instead: its content is added to the time of day, in seconds, whenever somebody asks for it.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

CLOCK = "clock"


def alter(name: str, value: object) -> None:
    """Set one constant."""
    module, _, path = name.partition(":")
    *owners, last = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    if not hasattr(owner, last):
        raise AttributeError(f"{name} is not there to be altered")
    setattr(owner, last, value)


def shift_clock(path: Path) -> None:
    """Let the time of day be off by what the file says."""
    true_ns = time.time_ns

    def shifted_ns() -> int:
        return true_ns() + int(float(path.read_text()) * 1e9)

    time.time_ns = shifted_ns
    time.time = lambda: shifted_ns() / 1e9


if __name__ == "__main__":
    for wanted, given in json.loads(sys.argv[1]).items():
        if wanted == CLOCK:
            shift_clock(Path(given))
        else:
            alter(wanted, given)
    from heddle.cli import main

    sys.exit(main(sys.argv[2:]))
