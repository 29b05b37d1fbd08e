"""When outlines are drawn: beside the server's work, of series that nobody is writing any more.

A thread of the server hears which runs were changed and which series were read point by point. Every
now and then it draws the outlines of those that are long and settled: their run has ended, or has
said nothing for a while. Writing a point costs nothing for it, and a series that is not outlined
(yet) is drawn from its points.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial

import sqlalchemy as sa

from heddle.db.engine import Database
from heddle.db.statement import Statement, among
from heddle.db.tx import LOCAL, Change, Tx
from heddle.errors import HeddleError
from heddle.tracking import outlines, series
from heddle.tracking.metrics import metrics
from heddle.tracking.outlines import LONG
from heddle.tracking.runs import ENDED, runs

log = logging.getLogger(__name__)

EVERY_S = 1.0
QUIET_MS = 10 * 60 * 1000
"""A run whose series has had no point for so long is taken for one that has ended."""

_drawn = outlines.outlines
_unoutlined = (
    sa.select(metrics.c.id)
    .select_from(
        metrics.join(runs, runs.c.id == metrics.c.run_id).outerjoin(
            _drawn, sa.and_(_drawn.c.metric_id == metrics.c.id, _drawn.c.writes == metrics.c.writes)
        )
    )
    .where(_drawn.c.metric_id.is_(None))
)
# In all workspaces: nobody is told of what is drawn here.
_of_runs = Statement(
    _unoutlined.where(
        among(runs.c.uid, "uids"), among(runs.c.status, "ended"), metrics.c.writes >= LONG
    ),
    anywhere=True,
)
_of_series = Statement(
    _unoutlined.where(
        among(metrics.c.id, "ids"),
        sa.or_(
            among(runs.c.status, "ended"),
            metrics.c.timestamp_ms < sa.bindparam("quiet_ms", type_=sa.BigInteger),
        ),
    ),
    anywhere=True,
)


class Outlining(threading.Thread):
    """Draws outlines of series that were asked for, and of runs that have ended."""

    def __init__(self, database: Database) -> None:
        super().__init__(name="heddle-outlines", daemon=True)
        self.database = database
        self._lock = threading.Lock()
        self._runs: set[str] = set()
        self._series: set[int] = set()
        self._stopping = threading.Event()

    def hear(self, changes: Iterable[Change]) -> None:
        """Take note of runs that may have ended; never waits."""
        updated = [each.key for each in changes if each.kind == "run" and each.action == "updated"]
        if updated:
            with self._lock:
                self._runs.update(updated)

    def want(self, metric_ids: Iterable[int]) -> None:
        """Take note of series that were read point by point; never waits."""
        with self._lock:
            self._series.update(metric_ids)

    def stop(self) -> None:
        """End the thread once the outline in hand is drawn."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Draw what is noted until stopped."""
        while not self._stopping.wait(EVERY_S):
            if self._runs or self._series:
                try:
                    self.draw()
                except HeddleError as error:
                    log.warning("outlines of long series were not drawn: %s", error.message)

    def draw(self) -> None:
        """Draw what is noted, long, settled and not outlined yet; raises as the database."""
        with self._lock:
            uids, self._runs = sorted(self._runs), set()
            ids, self._series = sorted(self._series), set()
        for metric_id in self.database.read_now(lambda tx: _due(tx, uids, ids), LOCAL):
            if self._stopping.is_set():
                return
            found = self.database.read_now(partial(_outlined, metric_id=metric_id), LOCAL)
            if found is not None:
                keep = partial(outlines.keep, metric_id=metric_id, writes=found[0], data=found[1])
                self.database.write_now(keep, LOCAL)


def _due(tx: Tx, uids: Sequence[str], ids: Sequence[int]) -> list[int]:
    quiet_ms = time.time_ns() // 1_000_000 - QUIET_MS
    ended = sorted(ENDED)
    rows = [
        *(tx.all(_of_runs, uids=uids, ended=ended) if uids else ()),
        *(tx.all(_of_series, ids=ids, ended=ended, quiet_ms=quiet_ms) if ids else ()),
    ]
    return sorted({row[0] for row in rows})


def _outlined(tx: Tx, metric_id: int) -> tuple[int, bytes] | None:
    """How often the series was written to, and its outline as it is kept; None for one without."""
    writes = outlines.writes_of(tx, metric_id)
    outline = None if writes is None else series.outline_of(tx, metric_id)
    return None if writes is None or outline is None else (writes, outline.encode())
