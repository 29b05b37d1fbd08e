"""Contents: the one row that every distinct content has, whichever workspaces use it.

Small contents are in their row and so are durable with the commit that names them; larger ones
lie in the store under their digest. A content that no file names is removed by the sweep after a
grace period. What keeps sweeping and storing apart: a row is marked doomed before its bytes go and
removed after; nobody comes to use a doomed row; and whoever stores bytes looks, once the row is
committed, whether they are still there.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import sqlalchemy as sa

from heddle.db.schema import metadata, ms_column
from heddle.db.statement import Statement, upsert
from heddle.db.tx import Tx
from heddle.errors import Conflict

SMALL_MAX = 64 * 1024
"""Contents up to this many bytes are kept in the database."""
FRESH_MS = 5 * 60 * 1000
"""A content used this lately need not be marked used again; sweeping waits three times as long."""
ABANDONED_MS = 2 * FRESH_MS
"""A doomed row this old was left behind by a sweep that died; storing may revive it. So may it one
that far in the future: the clock was set back since."""

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    ms_column("used_ms"),
    ms_column("doomed_ms", nullable=True),
    # Last, so that reading the others does not walk over it.
    sa.Column("data", sa.LargeBinary, nullable=True),
)
"""``used_ms`` is when a file last came to name it, give or take ``FRESH_MS``; ``doomed_ms`` is set
while the sweep removes it."""


class Doomed(Conflict):
    """The content is being swept away at this moment; a little later it can be stored anew."""


class Content(NamedTuple):
    """The row of one content; ``data`` is None where the store holds it."""

    size_bytes: int
    data: bytes | None
    used_ms: int
    doomed_ms: int | None


_digest = blobs.c.digest == sa.bindparam("digest")
_find = Statement(
    sa.select(blobs.c.size_bytes, blobs.c.data, blobs.c.used_ms, blobs.c.doomed_ms).where(_digest)
)
_used = Statement(sa.select(blobs.c.used_ms, blobs.c.doomed_ms).where(_digest))
_insert = upsert(blobs).values(
    {name: sa.bindparam(name) for name in ("digest", "size_bytes", "data", "used_ms")}
)
_keep_new = Statement(_insert.on_conflict_do_nothing())
_keep_again = Statement(
    _insert.on_conflict_do_update(
        index_elements=["digest"],
        set_={
            "data": _insert.excluded.data,
            "used_ms": _insert.excluded.used_ms,
            "doomed_ms": sa.null(),
        },
    )
)
_keep_stored = Statement(
    _insert.on_conflict_do_update(
        index_elements=["digest"],
        set_={"used_ms": _insert.excluded.used_ms, "doomed_ms": sa.null()},
        where=sa.or_(
            blobs.c.doomed_ms.is_(None),
            blobs.c.doomed_ms < sa.bindparam("abandoned_ms"),
            blobs.c.doomed_ms > sa.bindparam("future_ms"),
        ),
    ).returning(blobs.c.digest)
)


def digest_of(data: bytes) -> str:
    """The name of a content: its SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def find_content(tx: Tx, digest: str) -> Content | None:
    """The row of a content, if there is one."""
    row = tx.one(_find, digest=digest)
    return None if row is None else Content(*row)


def is_doomed(tx: Tx, digest: str) -> bool:
    """Whether a sweep is removing that content now."""
    row = tx.one(_used, digest=digest)
    return row is not None and row[1] is not None and abs(row[1] - tx.now_ms) < ABANDONED_MS


def keep_small(tx: Tx, digest: str, data: bytes) -> None:
    """Keep a small content in its row, and mark it used."""
    row = {"digest": digest, "size_bytes": len(data), "data": data, "used_ms": tx.now_ms}
    if tx.count(_keep_new, **row):
        return
    used = tx.one(_used, digest=digest)
    if used is None or used[1] is not None or used[0] < tx.now_ms - FRESH_MS:
        tx.run(_keep_again, **row)


def keep_stored(tx: Tx, digest: str, size_bytes: int) -> None:
    """Note a content that the store holds, and mark it used; raises ``Doomed``."""
    kept = tx.one(
        _keep_stored,
        digest=digest,
        size_bytes=size_bytes,
        data=None,
        used_ms=tx.now_ms,
        abandoned_ms=tx.now_ms - ABANDONED_MS,
        future_ms=tx.now_ms + ABANDONED_MS,
    )
    if kept is None:
        raise Doomed("This content is being removed at this moment; send it again in a minute.")
