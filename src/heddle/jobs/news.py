"""News of jobs on SQLite: what other processes changed is told to those who watch this one.

PostgreSQL tells its processes by itself (see ``db.notices``). A file tells nobody, so while somebody
watches, a thread looks every now and then which jobs have changed; that is one look at an index.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Change
from heddle.errors import HeddleError
from heddle.jobs import records

log = logging.getLogger(__name__)

EVERY_S = 0.4
LATE_MS = 15_000
"""A change bears the time at which its transaction began, which may be this long ago."""


class News(threading.Thread):
    """Calls ``hear`` with changes of jobs while ``is_wanted`` says that somebody watches."""

    def __init__(
        self,
        database: Database,
        hear: Callable[[list[Change]], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        super().__init__(name="heddle-news", daemon=True)
        self.database = database
        self.hear = hear
        self.is_wanted = is_wanted
        self._told: dict[tuple[int, int, str], None] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Look and tell until stopped."""
        while not self._stopping.wait(EVERY_S):
            if not self.is_wanted():
                continue
            try:
                self.hear(self.look())
            except HeddleError as error:
                log.warning("jobs that other processes changed are not seen: %s", error.message)

    def look(self) -> list[Change]:
        """What changed since the last look; the first one tells of the last seconds."""
        since_ms = time.time_ns() // 1_000_000 - LATE_MS
        rows = self.database.read_now(lambda tx: records.changed_since(tx, since_ms), LOCAL)
        now = {(key, at_ms, state): None for key, at_ms, state, *_ in rows}
        fresh = [
            Change(workspace, "job", str(key), state, model)
            for key, at_ms, state, workspace, model in rows
            if (key, at_ms, state) not in self._told
        ]
        self._told = now
        return fresh
