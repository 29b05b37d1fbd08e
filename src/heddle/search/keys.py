"""Keys of a keyed table: which there are in some scopes, how many have them, what values they hold.

A table with a scope column answers by stepping through its index from key to key, which costs what
the distinct keys cost however many rows there are. One without steps through all keys and keeps
those that a row of the scopes has; where the scopes hold few rows it looks at these instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.search.constructs import DrivingJoin
from heddle.search.fields import Keyed
from heddle.search.sql import PREFIX_LENGTH

COUNTED_MAX = 1000
"""Rows that have a key are counted up to here."""
FEW_OWNERS = 1000
LOOKED_AT = 20_000
"""Rows among which values are looked for."""
LAST = "\U0010ffff"
Cell = float | str | None


def _limit(number: int) -> sa.ColumnClause[int]:
    return sa.literal_column(str(number))


class Keys:
    """The keys of one keyed table whose owners are the living rows of ``noun``.

    ``scope`` is the noun's column whose values every call is given; they must have been found in
    the caller's workspace.
    """

    def __init__(self, keyed: Keyed, noun: sa.Table, scope: sa.Column[int]) -> None:
        self.keyed = keyed
        self.table = table = keyed.table
        self.owner, self.key = table.c[keyed.owner], table.c[keyed.key]
        self.value = table.c[keyed.value]
        self.nan = None if keyed.nan is None else table.c[keyed.nan]
        in_scope = sa.and_(
            noun.c.workspace_id == here(), noun.c.deleted_ms.is_(None), among(scope, "scopes")
        )
        owned = DrivingJoin(table, noun, noun.c.id == self.owner)
        is_key = self.key == sa.bindparam("key", type_=sa.Text)
        one: sa.ColumnClause[int] = sa.literal_column("1")
        self._few = Statement(
            sa.select(sa.func.count()).select_from(
                sa.select(one).where(in_scope).limit(_limit(FEW_OWNERS + 1)).subquery()
            )
        )
        self._of_few = Statement(
            sa.select(self.key)
            .distinct()
            .select_from(DrivingJoin(noun, table, noun.c.id == self.owner))
            .where(in_scope)
        )
        self._has = Statement(
            sa.select(one).select_from(owned).where(is_key, in_scope).limit(_limit(1))
        )
        having = sa.select(one).select_from(owned).where(is_key, in_scope)
        if keyed.scope is not None:
            # The index of scope and key counts without looking at any owner, deleted or not.
            having = sa.select(one).where(is_key, among(table.c[keyed.scope], "scopes"))
        few = having.limit(_limit(COUNTED_MAX)).subquery()
        self._count = Statement(sa.select(sa.func.count()).select_from(few))
        self._walk = Statement(self._walked())
        self._values = Statement(self._some_values(owned, is_key, in_scope))
        picked = [self.owner, self.key, self.value]
        if self.nan is not None:
            picked.append(self.nan)
        self._pick = Statement(
            sa.select(*picked).where(among(self.owner, "ids"), among(self.key, "keys"))
        )

    def _walked(self) -> sa.Select[tuple[str]]:
        """All keys of one scope, or of the whole table, each found from the one before it."""
        table, keyed = self.table, self.keyed
        conditions = []
        if keyed.scope is not None:
            conditions = [table.c[keyed.scope] == sa.bindparam("scope", type_=sa.BigInteger)]
        first = sa.select(sa.func.min(self.key).label("key")).where(*conditions)
        walk = first.cte("walk", recursive=True)
        following = (
            sa.select(sa.func.min(self.key))
            .where(*conditions, self.key > walk.c.key)
            .correlate(walk)
            .scalar_subquery()
        )
        walk = walk.union_all(sa.select(following).where(walk.c.key.is_not(None)))
        return sa.select(walk.c.key).where(walk.c.key.is_not(None))

    def _some_values(
        self, owned: sa.FromClause, is_key: sa.ColumnElement[bool], in_scope: sa.ColumnElement[bool]
    ) -> sa.Select[tuple[str]]:
        head: sa.ColumnElement[str] = sa.func.substr(
            self.value, _limit(1), _limit(PREFIX_LENGTH), type_=sa.Text()
        )
        some = (
            sa.select(head.label("head"))
            .select_from(owned)
            .where(is_key, in_scope, head >= sa.bindparam("low"), head < sa.bindparam("high"))
            .limit(_limit(LOOKED_AT))
            .subquery()
        )
        few = sa.bindparam("limit", type_=sa.BigInteger)
        return sa.select(some.c.head).distinct().order_by(some.c.head).limit(few)

    def names(self, tx: Tx, scopes: Sequence[int]) -> list[str]:
        """Every key that something in these scopes has, by code point."""
        if self.keyed.scope is not None:
            found: set[str] = set()
            for scope in scopes:
                found.update(key for (key,) in tx.all(self._walk, scope=scope))
            return sorted(found)
        if tx.one(self._few, scopes=scopes)[0] <= FEW_OWNERS:
            return sorted(key for (key,) in tx.all(self._of_few, scopes=scopes))
        walked = [key for (key,) in tx.all(self._walk)]
        return sorted(key for key in walked if tx.one(self._has, key=key, scopes=scopes))

    def count(self, tx: Tx, scopes: Sequence[int], key: str) -> int:
        """How many in these scopes have a key, up to ``COUNTED_MAX``."""
        count: int = tx.one(self._count, key=key, scopes=scopes)[0]
        return count

    def values(
        self, tx: Tx, scopes: Sequence[int], key: str, *, prefix: str, limit: int
    ) -> list[str]:
        """Beginnings of values of a text key that start with ``prefix``, each once."""
        prefix = prefix[:PREFIX_LENGTH]
        rows = tx.all(
            self._values, scopes=scopes, key=key, low=prefix, high=prefix + LAST, limit=limit
        )
        return [head for (head,) in rows]

    def pick(
        self, tx: Tx, ids: Sequence[int], keys: Sequence[str]
    ) -> Iterator[tuple[int, str, Cell]]:
        """Owner, key and value of these keys of these rows; NaN is NaN."""
        for owner, key, value, *nan in tx.all(self._pick, ids=ids, keys=keys):
            yield owner, key, math.nan if nan and nan[0] else value
