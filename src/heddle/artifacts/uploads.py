"""Uploads: files that come in numbered parts, each a request of its own.

An upload is a row that says where the file is to go; its parts wait in the store's ``incoming``
under the upload's id. The row goes in the transaction that names the finished file, so an upload is
completed once. What is never completed is swept away after the grace period.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.schema import metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound

PARTS_MAX = 10_000

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    workspace_column(),
    text_column("path"),
    sa.Column("part_count", sa.Integer, nullable=False),
    ms_column("created_ms"),
)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that is coming in parts; ``path`` is the checked address it will have."""

    id: str
    path: str
    part_count: int


_at = sa.and_(uploads.c.workspace_id == here(), uploads.c.id == sa.bindparam("id"))
_insert = Statement(
    sa.insert(uploads).values({column.name: sa.bindparam(column.name) for column in uploads.c})
)
_get = Statement(sa.select(uploads.c.id, uploads.c.path, uploads.c.part_count).where(_at))
_delete = Statement(sa.delete(uploads).where(_at))


def begin_upload(tx: Tx, *, path: str, part_count: int) -> Upload:
    """Note a file that will come in parts; raises ``Invalid`` for a wrong number of them."""
    if not 0 < part_count <= PARTS_MAX:
        raise Invalid(f"A file comes in 1 to {PARTS_MAX} parts, not in {part_count}.")
    upload = Upload(uuid.uuid4().hex, path, part_count)
    tx.run(_insert, id=upload.id, path=path, part_count=part_count, created_ms=tx.now_ms)
    return upload


def get_upload(tx: Tx, upload_id: str) -> Upload:
    """The upload; raises ``NotFound``."""
    row = tx.one(_get, id=upload_id)
    if row is None:
        raise NotFound(f"There is no upload '{upload_id[:64]}'; it was completed, aborted or late.")
    return Upload(*row)


def end_upload(tx: Tx, upload_id: str) -> None:
    """Forget an upload; raises ``NotFound`` if that was done already."""
    if not tx.count(_delete, id=upload_id):
        raise NotFound(f"There is no upload '{upload_id[:64]}'; it was completed, aborted or late.")
