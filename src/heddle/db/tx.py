"""Tx: what every domain operation works through.

A ``Tx`` is one open transaction on behalf of one caller: the connection, the caller's workspace and
name, and the clock. Rows of workspaced tables are reached only in the caller's workspace, because
every statement binds ``workspace_id`` (see ``statement``) and only ``Tx`` gives it a value.
Operations never commit; whoever opened the transaction does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from heddle.db.statement import Bulk, Insert, Statement, prepared
from heddle.errors import NotFound

DEFAULT_WORKSPACE = "default"
DEFAULT_WORKSPACE_ID = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and in which workspace."""

    actor: str = "local"
    workspace: str = DEFAULT_WORKSPACE


LOCAL = Caller()


@dataclass(frozen=True, slots=True)
class Change:
    """That something changed, for those who watch: what kind of thing, which one, what happened."""

    workspace: str
    kind: str
    key: str
    action: str
    parent: str = ""


class Ran(NamedTuple):
    """A search's statement that was run: with what, and how long it took."""

    statement: Statement
    params: Mapping[str, Any]
    seconds: float


_find_workspace = Statement(
    sa.text("SELECT id FROM workspaces WHERE name = :name AND deleted_ms IS NULL"), anywhere=True
)


class Tx:
    """One transaction of one caller."""

    __slots__ = (
        "_sa",
        "actor",
        "changes",
        "cursor",
        "dialect",
        "now_ms",
        "ran",
        "workspace",
        "workspace_id",
    )

    def __init__(
        self, connection: sa.Connection, cursor: Any, dialect: str, caller: Caller
    ) -> None:
        self._sa = connection
        self.cursor = cursor
        self.dialect = dialect
        self.actor = caller.actor
        self.workspace = caller.workspace
        self.now_ms = time.time_ns() // 1_000_000
        self.changes: list[Change] = []
        self.ran: list[Ran] = []
        if caller.workspace == DEFAULT_WORKSPACE:
            self.workspace_id = DEFAULT_WORKSPACE_ID
        else:
            self.workspace_id = 0
            row = self.one(_find_workspace, name=caller.workspace)
            if row is None:
                raise NotFound(f"Workspace '{caller.workspace}' does not exist.")
            self.workspace_id = row[0]

    def all(self, statement: Statement, **params: Any) -> list[Any]:
        """Every row, as plain tuples."""
        params["workspace_id"] = self.workspace_id
        sql, bound = statement.bind(self.dialect, params)
        rows: list[Any] = self.cursor.execute(sql, bound).fetchall()
        return rows

    def parts(self, statement: Statement, size: int, **params: Any) -> Iterator[list[Any]]:
        """Every row, at most ``size`` at a time; nothing else is run until all have been taken."""
        params["workspace_id"] = self.workspace_id
        sql, bound = statement.bind(self.dialect, params)
        self.cursor.execute(sql, bound)
        while rows := self.cursor.fetchmany(size):
            yield rows

    def one(self, statement: Statement, **params: Any) -> Any:
        """The first row as a plain tuple, or None."""
        params["workspace_id"] = self.workspace_id
        sql, bound = statement.bind(self.dialect, params)
        return self.cursor.execute(sql, bound).fetchone()

    def add(self, insert: Insert, **params: Any) -> int:
        """Insert one row: the number that its table gave it."""
        params["workspace_id"] = self.workspace_id
        sql, bound = insert.bind(self.dialect, params)
        number: int = self.cursor.execute(sql, bound).lastrowid
        return number

    def run(self, statement: Statement, **params: Any) -> None:
        """Run a statement; PostgreSQL tells its failure with the next one, or with the commit."""
        params["workspace_id"] = self.workspace_id
        sql, bound = statement.bind(self.dialect, params)
        self.cursor.post(sql, bound)

    def count(self, statement: Statement, **params: Any) -> int:
        """Run a statement: how many rows it touched."""
        params["workspace_id"] = self.workspace_id
        sql, bound = statement.bind(self.dialect, params)
        count: int = self.cursor.execute(sql, bound).rowcount
        return count

    def insert_many(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, leaving out those that are there already."""
        if not rows:
            return
        if self.dialect == "sqlite":
            for sql, values in bulk.sqlite(rows):
                self.cursor.execute(sql, values)
        else:
            columns = [list(column) for column in zip(*rows, strict=True)]
            self.cursor.post(bulk.postgresql_sql, columns)

    def add_many(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Insert rows: what the statement returns of each, in any order."""
        found: list[Any] = []
        if not rows:
            return found
        if self.dialect == "sqlite":
            for sql, values in bulk.sqlite(rows):
                found += self.cursor.execute(sql, values).fetchall()
        else:
            columns = [list(column) for column in zip(*rows, strict=True)]
            found += self.cursor.execute(bulk.postgresql_sql, columns).fetchall()
        return found

    def fetch(self, select: sa.Select[Any], /, **params: Any) -> list[Any]:
        """Rows of a select that was built for this call or for calls like it (searches).

        It is checked for its workspace when it first comes.
        """
        statement = prepared(select)
        if statement is not None:
            started = time.perf_counter()
            rows = self.all(statement, **params)
            self.ran.append(Ran(statement, params, time.perf_counter() - started))
            return rows
        params["workspace_id"] = self.workspace_id
        self.cursor.leave()
        return list(self._sa.execute(select, params).fetchall())

    def explain(self, ran: Ran) -> list[str]:
        """How the database goes about a statement that was run, line by line."""
        sql, bound = ran.statement.bind(
            self.dialect, {**ran.params, "workspace_id": self.workspace_id}
        )
        verb = "EXPLAIN QUERY PLAN" if self.dialect == "sqlite" else "EXPLAIN"
        return [str(row[-1]) for row in self.cursor.execute(f"{verb} {sql}", bound).fetchall()]

    def beside(self, workspace_id: int, workspace: str) -> Tx:
        """The same transaction in another workspace, for work that goes on in all of them."""
        other: Tx = object.__new__(Tx)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.workspace_id, other.workspace = workspace_id, workspace
        return other

    def at(self, now_ms: int, actor: str) -> Tx:
        """The same transaction at another time and by another hand, for what happened elsewhere."""
        other = self.beside(self.workspace_id, self.workspace)
        other.now_ms, other.actor = now_ms, actor
        return other

    def changed(self, kind: str, key: str, action: str, parent: str = "") -> None:
        """Note a change for those who watch; they hear of it once it is committed."""
        self.changes.append(Change(self.workspace, kind, key, action, parent))


def ids(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The first column of rows."""
    return [row[0] for row in rows]
