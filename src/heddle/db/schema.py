"""What all tables share: one MetaData, names of constraints, column types.

Tables live in the file of their noun. Every time is whole milliseconds since 1970 UTC.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""Integer keys: SQLite numbers rows by itself only for its own INTEGER."""


Words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in the order of its code points on both databases."""


VARIANT_ROOM = (1 << 62) - 1
"""What a UUID's last half leaves free beside the two bits that say whose kind it is."""


def new_uid() -> str:
    """A name that nothing else has: 32 hexadecimal digits, those of a UUID of version 7.

    It begins with the time, so that what is made one after another lies side by side in an index.
    Random ones each change another page of it, which is what most of a shared commit then writes.
    """
    ms, chance = time.time_ns() // 1_000_000, secrets.randbits(74)
    return f"{ms:012x}7{chance >> 62:03x}{1 << 63 | (chance & VARIANT_ROOM):016x}"


def id_column() -> sa.Column[int]:
    """A table's own number, never used twice."""
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


def workspace_column() -> sa.Column[int]:
    """Which workspace a row belongs to; its presence makes a table workspaced."""
    return sa.Column("workspace_id", Id, sa.ForeignKey("workspaces.id"), nullable=False)


def owner_column(name: str, target: str) -> sa.Column[int]:
    """The row that this row hangs on and goes away with; first part of the primary key."""
    return sa.Column(name, Id, sa.ForeignKey(target, ondelete="CASCADE"), primary_key=True)


def text_column(name: str, **options: Any) -> sa.Column[str]:
    """A text that is always there, empty when nothing was said."""
    return sa.Column(name, Words, nullable=False, **options)


def ms_column(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """A point in time, or none where nullable."""
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def key_column(name: str = "key") -> sa.Column[str]:
    """A text that is part of the primary key."""
    return sa.Column(name, Words, primary_key=True)


INDEXED_VALUE = "substr(value, 1, 64)"
"""How much of a value the search index holds (see ``search.sql``): PostgreSQL limits index entries."""

CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}
"""Tables that SQLite keeps in the order of their primary key."""
