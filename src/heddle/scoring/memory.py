"""Where the memory for tables comes from, in processes that do nothing but apply models.

Read before pyarrow is loaded, and never in somebody's own Python.
"""

from __future__ import annotations

import os
import sys
from typing import Final

POOL: Final = "ARROW_DEFAULT_MEMORY_POOL"


def choose_pool() -> None:
    """Have Arrow take memory by jemalloc unless somebody chose; harmless once Arrow is loaded.

    Batches are made and let go again and again. What Arrow takes by itself, mimalloc, gives huge
    pages back in between, and the kernel's clearing of new ones costs as much as reading.
    """
    if sys.platform == "linux":
        os.environ.setdefault(POOL, "jemalloc")
