"""Outlines: long series as they were cut finely once, so that drawing them reads no points.

An outline is up to ``FINE`` buckets of a series that rises by step: a thirtieth of what a hundred
thousand points take. It counts while nothing was written to its series since (``metrics.writes``),
so it never shows less than what was logged. Leaves to ``series`` how a series is cut, and to
``outlining`` when it is.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from heddle.db.schema import metadata, owner_column
from heddle.db.statement import Statement, among, upsert
from heddle.db.tx import Tx
from heddle.tracking.metrics import metrics

LONG = 20_000
"""The points of fewer are read as fast as an outline."""
FINE = 2048
"""Buckets of an outline, 128 KiB: two or more for each bucket of the finest chart."""

outlines = sa.Table(
    "outlines",
    metadata,
    owner_column("metric_id", "metrics.id"),
    sa.Column("writes", sa.BigInteger, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_load = Statement(
    sa.select(outlines.c.metric_id, outlines.c.data)
    .select_from(outlines.join(metrics, metrics.c.id == outlines.c.metric_id))
    .where(among(outlines.c.metric_id, "ids"), outlines.c.writes == metrics.c.writes)
)
_writes = Statement(sa.select(metrics.c.writes).where(metrics.c.id == sa.bindparam("metric_id")))
_insert = upsert(outlines).values(
    {name: sa.bindparam(name) for name in ("metric_id", "writes", "data")}
)
_keep = Statement(
    _insert.on_conflict_do_update(
        index_elements=["metric_id"],
        set_={"writes": _insert.excluded.writes, "data": _insert.excluded.data},
    )
)


KINDS = "qqqqqddd"
"""The columns of an outline: whole numbers and doubles."""


@dataclass(slots=True)
class Outline:
    """Buckets in the order of their series, one column for each thing that is known of them.

    ``last`` is NaN where the last point is; where all points are, ``low`` is infinity and ``high``
    its negative. ``count`` says how many points a bucket holds.
    """

    first_ms: array[int]
    first_step: array[int]
    last_ms: array[int]
    last_step: array[int]
    count: array[int]
    last: array[float]
    low: array[float]
    high: array[float]

    @staticmethod
    def of(rows: Sequence[tuple[Any, ...]]) -> Outline:
        """An outline of buckets, each a tuple in the order of the columns."""
        columns = zip(*rows, strict=True) if rows else ((),) * len(KINDS)
        return Outline(*(array(kind, column) for kind, column in zip(KINDS, columns, strict=True)))

    @staticmethod
    def decode(data: bytes) -> Outline:
        """What ``encode`` made bytes of."""
        size = len(data) // len(KINDS)
        columns: list[array[Any]] = [array(kind) for kind in KINDS]
        for place, column in enumerate(columns):
            column.frombytes(data[place * size : (place + 1) * size])
            _turn(column)
        return Outline(*columns)

    def encode(self) -> bytes:
        """The columns one after the other, eight bytes for each number, the least one first."""
        columns = [column[:] for column in self.columns()]
        for column in columns:
            _turn(column)
        return b"".join(column.tobytes() for column in columns)

    def columns(self) -> list[array[Any]]:
        """All columns, in their order."""
        return [getattr(self, each.name) for each in fields(self)]

    def part(self, start: int, stop: int) -> Outline:
        """A copy of the buckets from one place to before another."""
        return Outline(*(column[start:stop] for column in self.columns()))


def _turn(column: array[Any]) -> None:
    """Between the order of bytes in the database and this machine's."""
    if sys.byteorder == "big":
        column.byteswap()


def load(tx: Tx, metric_ids: Sequence[int]) -> dict[int, Outline]:
    """The outlines that still count, by metric; the caller has found the metrics in its workspace."""
    return {key: Outline.decode(data) for key, data in tx.all(_load, ids=metric_ids)}


def writes_of(tx: Tx, metric_id: int) -> int | None:
    """How often the series was written to, or None for one that is gone."""
    row = tx.one(_writes, metric_id=metric_id)
    return None if row is None else int(row[0])


def keep(tx: Tx, metric_id: int, writes: int, data: bytes) -> None:
    """Keep an encoded outline of a series as it was after so many writes, unless there were more."""
    if writes_of(tx, metric_id) == writes:
        tx.run(_keep, metric_id=metric_id, writes=writes, data=data)
