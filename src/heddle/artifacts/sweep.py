"""The sweep: removes contents that no file names, and what was never finished.

A content goes once nothing has named it for the grace period. It goes in three steps (see
``contents``): its row is marked doomed, which is refused while a file names it; its bytes are
removed; its row is removed. A sweep may run beside a server, beside another sweep, and be killed
anywhere: what it leaves doomed, the next one finishes or the next upload revives.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import sqlalchemy as sa

from heddle.artifacts.contents import FRESH_MS, blobs
from heddle.artifacts.manifests import files
from heddle.artifacts.uploads import uploads
from heddle.db.statement import Statement, among, upsert
from heddle.db.tx import LOCAL, Tx, ids

if TYPE_CHECKING:
    from heddle.artifacts.blobs import Store
    from heddle.db.engine import Database

GRACE_MIN_S = 15 * 60
"""Less grace than this would reach into uploads and registrations that are under way."""
UNFINISHED_S = 24 * 3600
"""How long an upload may take at most, whatever the grace period."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """One thing that was removed, or would be.

    ``kind`` is ``content`` (no file names it), ``forgotten`` (bytes in the store that the database
    does not know) or ``unfinished`` (uploads that were never completed, ``count`` pieces of them).
    """

    kind: str
    digest: str
    size_bytes: int
    count: int = 1


_unnamed = sa.and_(
    blobs.c.used_ms < sa.bindparam("before_ms"),
    ~sa.exists().where(files.c.digest == blobs.c.digest),
)
_find = Statement(
    sa.select(blobs.c.digest, blobs.c.size_bytes)
    .where(blobs.c.digest > sa.bindparam("after"), _unnamed)
    .order_by(blobs.c.digest)
    .limit(sa.literal(PAGE))
)
_delete_small = Statement(
    sa.delete(blobs)
    .where(among(blobs.c.digest, "digests"), blobs.c.data.is_not(None), _unnamed)
    .returning(blobs.c.digest)
)
_doom = Statement(
    sa.update(blobs)
    .where(among(blobs.c.digest, "digests"), blobs.c.data.is_(None), _unnamed)
    .values(doomed_ms=sa.bindparam("now_ms"))
    .returning(blobs.c.digest)
)
_doom_forgotten = Statement(
    upsert(blobs)
    .values({n: sa.bindparam(n) for n in ("digest", "size_bytes", "used_ms", "doomed_ms", "data")})
    .on_conflict_do_nothing()
    .returning(blobs.c.digest)
)
_delete_doomed = Statement(
    sa.delete(blobs).where(
        among(blobs.c.digest, "digests"), blobs.c.doomed_ms == sa.bindparam("doomed_ms")
    )
)
_known = Statement(sa.select(blobs.c.digest).where(among(blobs.c.digest, "digests")))
# Uploads of all workspaces alike are given up by age alone.
_delete_uploads = Statement(
    sa.delete(uploads).where(uploads.c.created_ms < sa.bindparam("before_ms")), anywhere=True
)


def sweep(
    database: Database, store: Store, *, grace_s: int, dry_run: bool = False
) -> Iterator[Swept]:
    """Remove, one by one as this is iterated, what nothing has named for ``grace_s`` seconds.

    Less than ``GRACE_MIN_S`` counts as that. With ``dry_run`` nothing is removed. Raises
    ``Unavailable`` if the database or the store refuses.
    """
    now_ms = time.time_ns() // 1_000_000
    before_ms = now_ms - max(grace_s, GRACE_MIN_S) * 1000
    unfinished_ms = now_ms - max(grace_s, UNFINISHED_S) * 1000
    yield from _sweep_contents(database, store, before_ms, dry_run=dry_run)
    yield from _sweep_forgotten(database, store, before_ms, dry_run=dry_run)
    if not dry_run:
        database.write_now(lambda tx: tx.run(_delete_uploads, before_ms=unfinished_ms), LOCAL)
    count, size_bytes = store.clear_incoming(unfinished_ms, dry_run=dry_run)
    if count:
        yield Swept("unfinished", "", size_bytes, count)


def _sweep_contents(
    database: Database, store: Store, before_ms: int, *, dry_run: bool
) -> Iterator[Swept]:
    after = ""
    while True:
        rows = _page(database, after, before_ms)
        if not rows:
            return
        after = rows[-1][0]
        sizes = dict(rows)
        gone = list(sizes) if dry_run else _remove(database, store, list(sizes), before_ms)
        for digest in gone:
            yield Swept("content", digest, sizes[digest])


def _page(database: Database, after: str, before_ms: int) -> list[tuple[str, int]]:
    rows: list[tuple[str, int]] = database.read_now(
        lambda tx: tx.all(_find, after=after, before_ms=before_ms), LOCAL
    )
    return rows


def _remove(database: Database, store: Store, digests: Sequence[str], before_ms: int) -> list[str]:
    """Those of the contents that were removed."""

    def mark(tx: Tx) -> tuple[list[str], list[str], int]:
        small = ids(tx.all(_delete_small, digests=digests, before_ms=before_ms))
        doomed = tx.all(_doom, digests=digests, before_ms=before_ms, now_ms=tx.now_ms)
        return small, ids(doomed), tx.now_ms

    small: list[str]
    small, doomed, doomed_ms = database.write_now(mark, LOCAL)
    return small + _remove_doomed(database, store, doomed, doomed_ms)


def _remove_doomed(
    database: Database, store: Store, digests: Sequence[str], doomed_ms: int
) -> list[str]:
    removed = []
    for digest in digests:
        if time.time_ns() // 1_000_000 > doomed_ms + FRESH_MS:
            # Too slow: an upload may take the mark for one left by a dead sweep.
            break
        store.remove(digest)
        removed.append(digest)
    if removed:
        database.write_now(
            lambda tx: tx.run(_delete_doomed, digests=removed, doomed_ms=doomed_ms), LOCAL
        )
    return removed


def _sweep_forgotten(
    database: Database, store: Store, before_ms: int, *, dry_run: bool
) -> Iterator[Swept]:
    found = iter(store.contents())
    while page := list(islice(found, PAGE)):
        sizes = {digest: size for digest, size, placed_ms in page if placed_ms < before_ms}
        known = _known_of(database, list(sizes))
        strange = [digest for digest in sizes if digest not in known]
        if not dry_run and strange:
            strange = _remove_forgotten(database, store, {key: sizes[key] for key in strange})
        for digest in strange:
            yield Swept("forgotten", digest, sizes[digest])


def _known_of(database: Database, digests: list[str]) -> set[str]:
    return set(database.read_now(lambda tx: ids(tx.all(_known, digests=digests)), LOCAL))


def _remove_forgotten(database: Database, store: Store, sizes: dict[str, int]) -> list[str]:
    def mark(tx: Tx) -> tuple[list[str], int]:
        marked = []
        for digest, size_bytes in sizes.items():
            row = tx.one(
                _doom_forgotten,
                digest=digest,
                size_bytes=size_bytes,
                used_ms=0,
                doomed_ms=tx.now_ms,
                data=None,
            )
            if row is not None:
                marked.append(digest)
        return marked, tx.now_ms

    marked, doomed_ms = database.write_now(mark, LOCAL)
    return _remove_doomed(database, store, marked, doomed_ms)
