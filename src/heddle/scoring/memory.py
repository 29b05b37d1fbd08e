"""Where the memory for tables comes from, and how much of it, in processes that only apply models.

Read before pyarrow is loaded, and never in somebody's own Python.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from heddle.errors import Invalid

POOL: Final = "ARROW_DEFAULT_MEMORY_POOL"
SHARE = 0.75
"""How much of the free memory a process may take that reads tables; it needs some hundred MB."""
LEAST = 2 * 1024**3
"""What it may take however little is free, in bytes."""
_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


def choose_pool() -> None:
    """Have Arrow take memory by jemalloc unless somebody chose; harmless once Arrow is loaded.

    Batches are made and let go again and again. What Arrow takes by itself, mimalloc, gives huge
    pages back in between, and the kernel's clearing of new ones costs as much as reading.
    """
    if sys.platform == "linux":
        os.environ.setdefault(POOL, "jemalloc")


@contextmanager
def bounded() -> Iterator[None]:
    """Let this process take a share of the free memory; raises ``Invalid`` where that is too little.

    A few kilobytes of a packed table may stand for gigabytes. Who reads it shall fail, and not the
    machine. Children that are started meanwhile have limits of their own. Linux alone.
    """
    if sys.platform != "linux":
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = max(LEAST, int(_free_bytes() * SHARE))
    if before != resource.RLIM_INFINITY:
        most = min(most, before)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    except MemoryError:
        raise Invalid(
            f"A piece of the input needs more than {most / 1024**3:.1f} GB of memory once it is"
            " unpacked. Write the table with smaller batches or groups of rows, and look whether its"
            " values are what you think."
        ) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def room_bytes() -> int | None:
    """What this process may take, where somebody bounded it: for libraries that make room in time."""
    if sys.platform != "linux":
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if most == resource.RLIM_INFINITY else most


def _free_bytes() -> int:
    """What the machine could still give, or the container that this is; 0 where nobody says."""
    free = 0
    with suppress(OSError, ValueError, StopIteration):
        lines = _MEMINFO.read_text().splitlines()
        free = 1024 * int(
            next(each for each in lines if each.startswith("MemAvailable:")).split()[1]
        )
    with suppress(OSError, ValueError):
        free = min(free, int(_CGROUP.read_text()))
    return free
