"""Tags: key and value labels on experiments, runs, logged models, models and versions.

One ``Tags`` per tagged noun owns that noun's tag table and the statements on it. Setting overwrites.
``keys`` and ``first_keys`` are what may be a key: of a tag set later, and of one that comes with a new row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    INDEXED_VALUE,
    key_column,
    metadata,
    owner_column,
    text_column,
)
from heddle.db.statement import Bulk, Statement, among, upsert
from heddle.db.tx import Tx
from heddle.keys import check_key, check_text
from heddle.search.fields import Keyed

Pair = tuple[str, str]
KeyRule = Callable[[str, str], None]
"""What may be a key: given it and the word for what it names, raises ``Invalid``."""


class Tags:
    """The tags of one noun, kept in the table ``<noun>_tags``."""

    def __init__(
        self,
        noun: str,
        owner: str,
        *,
        value_max: int,
        keys: KeyRule = check_key,
        first_keys: KeyRule = check_key,
    ) -> None:
        self.noun = noun
        self.value_max = value_max
        self.keys, self.first_keys = keys, first_keys
        self.table = table = sa.Table(
            f"{noun}_tags",
            metadata,
            owner_column("owner_id", owner),
            key_column(),
            text_column("value"),
            **CLUSTERED,
        )
        sa.Index(
            f"ix_{noun}_tags_key_value",
            table.c.key,
            sa.text(INDEXED_VALUE),
            table.c.owner_id,
        )
        self.field = Keyed(("tags", "tag"), table, "text", owner="owner_id")
        insert = upsert(table).values({c: sa.bindparam(c) for c in ("owner_id", "key", "value")})
        self._set = Statement(
            insert.on_conflict_do_update(
                index_elements=["owner_id", "key"], set_={"value": insert.excluded.value}
            )
        )
        self._bulk = Bulk(table, ("owner_id", "key", "value"))
        at = (table.c.owner_id == sa.bindparam("owner_id"), table.c.key == sa.bindparam("key"))
        self._get = Statement(sa.select(table.c.value).where(*at))
        self._delete = Statement(sa.delete(table).where(*at))
        self._load = Statement(
            sa.select(table.c.owner_id, table.c.key, table.c.value)
            .where(among(table.c.owner_id, "ids"))
            .order_by(table.c.owner_id, table.c.key)
        )

    def check(self, key: str, value: str) -> None:
        """Raise ``Invalid`` unless this may be a tag here."""
        self.keys(key, "tag")
        check_text(value, f"The value of tag '{key}'", self.value_max)

    def set(self, tx: Tx, owner_id: int, key: str, value: str) -> None:
        """Set one tag; raises ``Invalid``."""
        self.check(key, value)
        tx.run(self._set, owner_id=owner_id, key=key, value=value)

    def add(self, tx: Tx, owner_id: int, pairs: Iterable[Pair]) -> None:
        """Set the tags of a row that was just made; of a key given twice the last counts."""
        last = dict(pairs)
        for key, value in last.items():
            self.first_keys(key, "tag")
            check_text(value, f"The value of tag '{key}'", self.value_max)
        tx.insert_many(self._bulk, [(owner_id, key, value) for key, value in last.items()])

    def get(self, tx: Tx, owner_id: int, key: str) -> str | None:
        """The value of one tag."""
        row = tx.one(self._get, owner_id=owner_id, key=key)
        return None if row is None else row[0]

    def delete(self, tx: Tx, owner_id: int, key: str) -> bool:
        """Remove one tag; whether it was there."""
        return tx.count(self._delete, owner_id=owner_id, key=key) > 0

    def load(self, tx: Tx, ids: Sequence[int]) -> dict[int, list[Pair]]:
        """The tags of many rows, by key; rows without tags have no entry."""
        found: dict[int, list[Pair]] = {}
        for owner_id, key, value in tx.all(self._load, ids=ids):
            found.setdefault(owner_id, []).append((key, value))
        return found
