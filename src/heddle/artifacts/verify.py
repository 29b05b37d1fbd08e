"""Verifying: every content is there, of its size, and hashes to its name; every file has one.

Reads every byte once. Problems name the files that are hit, as manifest and path; whose manifest
that is, the layers above know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from heddle.artifacts.contents import blobs
from heddle.artifacts.manifests import files
from heddle.db.statement import Statement
from heddle.db.tx import LOCAL, Tx

if TYPE_CHECKING:
    from heddle.artifacts.blobs import Store
    from heddle.db.engine import Database

PAGE = 200


@dataclass(frozen=True, slots=True)
class Verified:
    """One content that was looked at; ``problem`` is empty if it is as it should be.

    ``files`` are the (manifest id, path) pairs that name it, given only where there is a problem.
    """

    digest: str
    size_bytes: int
    problem: str = ""
    files: tuple[tuple[int, str], ...] = ()


_after = sa.bindparam("after", type_=sa.Text)
_page = Statement(
    sa.select(blobs.c.digest, blobs.c.size_bytes, blobs.c.data)
    .where(blobs.c.digest > _after, blobs.c.doomed_ms.is_(None))
    .order_by(blobs.c.digest)
    .limit(sa.literal(PAGE))
)
_stored = Statement(
    sa.select(blobs.c.digest, blobs.c.size_bytes)
    .where(blobs.c.digest > _after, blobs.c.doomed_ms.is_(None), blobs.c.data.is_(None))
    .order_by(blobs.c.digest)
    .limit(sa.literal(PAGE))
)
_still_there = Statement(
    sa.select(blobs.c.digest).where(
        blobs.c.digest == sa.bindparam("digest"), blobs.c.doomed_ms.is_(None)
    )
)
_unknown = Statement(
    sa.select(files.c.digest)
    .where(files.c.digest > _after)
    .where(~sa.exists().where(blobs.c.digest == files.c.digest, blobs.c.doomed_ms.is_(None)))
    .group_by(files.c.digest)
    .order_by(files.c.digest)
    .limit(sa.literal(PAGE))
)
_wrong_size = Statement(
    sa.select(files.c.manifest_id, files.c.path)
    .join(blobs, blobs.c.digest == files.c.digest)
    .where(files.c.digest == sa.bindparam("digest"), files.c.size_bytes != blobs.c.size_bytes)
    .limit(sa.literal(1))
)
_users = Statement(
    sa.select(files.c.manifest_id, files.c.path)
    .where(files.c.digest == sa.bindparam("digest"))
    .order_by(files.c.manifest_id, files.c.path)
)


def count(database: Database) -> tuple[int, int]:
    """How many contents there are, and bytes, for showing progress."""
    row = database.read_now(lambda tx: tx.one(_count), LOCAL)
    return row[0], int(row[1])


_count = Statement(sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(blobs.c.size_bytes), 0)))


def verify(database: Database, store: Store) -> Iterator[Verified]:
    """Look at every content; raises ``Unavailable`` if the database or the store refuses."""
    for digest, size_bytes, data in _paged(database, _page):
        problem = _problem(store, digest, size_bytes, data)
        if problem and not _is_there(database, digest):
            # Swept away since the page was read.
            continue
        if not problem and _has_wrong_size(database, digest):
            problem = "a file that names it has another size"
        yield _verified(database, digest, size_bytes, problem)
    for (digest,) in _paged(database, _unknown):
        yield _verified(database, digest, 0, "nothing is known of it but its name")


def missing(database: Database, store: Store) -> Iterator[tuple[str, int]]:
    """Digest and size of each content that the store should hold and does not, or in another size.

    Reads no content: the store is listed once. Raises ``Unavailable``.
    """
    sizes = {digest: size for digest, size, _ in store.contents()}
    for digest, size_bytes in _paged(database, _stored):
        if sizes.get(digest) == size_bytes or store.size_of(digest) == size_bytes:
            continue
        if _is_there(database, digest):  # not swept away since the page was read
            yield digest, size_bytes


def _paged(database: Database, statement: Statement) -> Iterator[Any]:
    """Every row of a statement that goes on after a digest, page by page."""
    after = ""

    def page(tx: Tx) -> list[Any]:
        return tx.all(statement, after=after)

    while rows := database.read_now(page, LOCAL):
        yield from rows
        after = rows[-1][0]


def _problem(store: Store, digest: str, size_bytes: int, data: bytes | None) -> str:
    """What is wrong with a content's bytes, empty if nothing."""
    found = hashlib.sha256()
    size = 0
    try:
        for block in store.blocks(digest) if data is None else (data,):
            found.update(block)
            size += len(block)
    except FileNotFoundError:
        return "its bytes are missing from the store"
    if size != size_bytes:
        return f"it has {size} bytes instead of {size_bytes}"
    if found.hexdigest() != digest:
        return f"its bytes are altered (they hash to {found.hexdigest()})"
    return ""


def _is_there(database: Database, digest: str) -> bool:
    return database.read_now(lambda tx: tx.one(_still_there, digest=digest), LOCAL) is not None


def _has_wrong_size(database: Database, digest: str) -> bool:
    return database.read_now(lambda tx: tx.one(_wrong_size, digest=digest), LOCAL) is not None


def _verified(database: Database, digest: str, size_bytes: int, problem: str) -> Verified:
    if not problem:
        return Verified(digest, size_bytes)
    users = database.read_now(lambda tx: tx.all(_users, digest=digest), LOCAL)
    return Verified(digest, size_bytes, problem, tuple((row[0], row[1]) for row in users))
