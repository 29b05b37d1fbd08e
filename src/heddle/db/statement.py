"""Statements: SQLAlchemy Core expressions compiled once, run straight on the driver.

A ``Statement`` is written once with Core and works on both databases. It is compiled at first use
for each dialect and from then on costs what the driver costs (measured: 10 us instead of 40 us for
the three statements of a log-metric). A statement that touches a table with a ``workspace_id``
column must compare that column with the bound parameter ``workspace_id``, which ``Tx`` fills in;
one that does not is refused when it is defined, so no row can be reached past its workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import iterate

__all__ = [
    "Bulk",
    "Insert",
    "Statement",
    "among",
    "check_scoped",
    "here",
    "is_here",
    "prepared",
    "upsert",
]

DIALECTS: Mapping[str, sa.Dialect] = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.psycopg.dialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
}
IN_LIST = " IN (SELECT value FROM json_each({}))"
_scoped: WeakSet[sa.ClauseElement] = WeakSet()
"""Statements found to stay in their workspace; searches run the same ones again and again."""


def here() -> sa.BindParameter[int]:
    """The caller's workspace, bound by ``Tx``."""
    return sa.bindparam("workspace_id", type_=sa.BigInteger)


def is_here(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """That a row which its key finds is in the caller's workspace.

    For statements with ``among`` on a key. SQLite takes a list for longer than a workspace and would
    go through all rows of the workspace instead; behind the plus no index is considered.
    """
    plain = sa.UnaryExpression(column, operator=sa.sql.operators.custom_op("+"), type_=column.type)
    return plain == here()


class among(sa.ColumnElement[bool]):  # noqa: N801 -- reads as an operator of the expression language
    """``column IN list`` where the list is one bound parameter of any length.

    SQLite gets it as a JSON array, PostgreSQL as an array; both keep one compiled statement.
    """

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, column: sa.ColumnElement[Any], name: str) -> None:
        self.column = column
        self.bind = sa.bindparam(name, type_=column.type)
        self.name = name

    def get_children(self, **_: object) -> list[sa.ClauseElement]:
        """The parts that a visitor of the expression tree should see."""
        return [self.column]

    def self_group(self, against: object = None) -> among:  # noqa: ARG002
        """Itself: SQLAlchemy would write "= 1" behind it on SQLite, which no index can answer."""
        return self


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    return f"{column}{IN_LIST.format(compiler.process(element.bind, **kw))}"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    bind = compiler.process(sa.bindparam(element.name, type_=sa.types.NullType()), **kw)
    return f"{column} = ANY({bind}::{_array_of(element.column)})"


def _array_of(column: sa.ColumnElement[Any]) -> str:
    """PostgreSQL's type for many values of a column; arrays take no collation of their own."""
    kind: str = column.type.compile(dialect=DIALECTS["postgresql"])
    return kind.partition(" COLLATE ")[0] + "[]"


def check_scoped(core: sa.ClauseElement) -> None:
    """Raise ``AssertionError`` if ``core`` reaches a workspaced table without its workspace."""
    if core in _scoped:
        return
    tables = set()
    bound = False
    for element in iterate(core):
        if isinstance(element, sa.Table) and "workspace_id" in element.c:
            tables.add(element.name)
        elif isinstance(element, sa.BindParameter) and element.key == "workspace_id":
            bound = True
    if isinstance(core, sa.Insert | sa.Update | sa.Delete) and "workspace_id" in core.table.c:
        tables.add(str(core.table))
        values: dict[Any, Any] = getattr(core, "_values", None) or {}
        bound = bound or any(getattr(key, "key", key) == "workspace_id" for key in values)
    if tables and not bound:
        raise AssertionError(f"statement reaches {sorted(tables)} without workspace_id: {core}")
    _scoped.add(core)


def prepared(select: sa.Select[Any]) -> Statement | None:
    """The statement of a select that is run again and again; None at first, and where it cannot be.

    Compiling costs more than SQLAlchemy's own way of running it once, so it is done when the very
    same select comes a second time. A list bound to ``in_`` is written anew for each length.
    """
    if select not in _ready:
        check_scoped(select)
        many = any(isinstance(e, sa.BindParameter) and e.expanding for e in iterate(select))
        _ready[select] = None if many else _SEEN_ONCE
        return None
    statement = _ready[select]
    if statement is _SEEN_ONCE:
        statement = _ready[select] = Statement(select)
    return statement


class Statement:
    """One Core statement, compiled once per dialect.

    ``anywhere=True`` marks the few statements that must cross workspaces (sweeping, statistics,
    deciding which workspace an opaque id belongs to); each use says why.
    """

    __slots__ = ("_compiled", "_lists", "core")

    def __init__(self, core: sa.ClauseElement, *, anywhere: bool = False) -> None:
        if not anywhere:
            check_scoped(core)
        self.core = core
        self._compiled: dict[str, Callable[[Mapping[str, Any]], tuple[str, Any]]] = {}
        self._lists = tuple({e.name: None for e in iterate(core) if isinstance(e, among)})

    def bind(self, dialect: str, params: Mapping[str, Any]) -> tuple[str, Any]:
        """The SQL text and the driver's parameters for one execution."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = self._compile(dialect)
        return compiled(params)

    def _written_for(self, dialect: str) -> sa.ClauseElement:  # noqa: ARG002
        """The statement for a database; both take the same one."""
        return self.core

    def _compile(self, dialect: str) -> Callable[[Mapping[str, Any]], tuple[str, Any]]:
        done: Any = self._written_for(dialect).compile(dialect=DIALECTS[dialect])
        constants = {k: v for k, v in done.params.items() if not done.binds[k].required}
        lists = self._lists
        names: Sequence[str] = done.positiontup or ()
        pick: Callable[[Mapping[str, Any]], Any]
        if not names:
            pick = _nothing
        elif len(names) == 1:
            only = names[0]
            pick = lambda params: (params[only],)  # noqa: E731
        else:
            pick = itemgetter(*names)
        sql = str(done)
        if not lists or dialect == "postgresql":
            return lambda params: (sql, pick({**constants, **params} if constants else params))
        # A list of one needs no list: a third of what a small look-up costs (measured).
        for_one = sql.replace(IN_LIST.format("?"), " = ?")

        def bind(params: Mapping[str, Any]) -> tuple[str, Any]:
            full = {**constants, **params}
            if all(len(full[name]) == 1 for name in lists):
                for name in lists:
                    (full[name],) = full[name]
                return for_one, pick(full)
            for name in lists:
                full[name] = msgspec.json.encode(full[name]).decode()
            return sql, pick(full)

        return bind


def _nothing(_: Mapping[str, Any]) -> tuple[()]:
    return ()


_SEEN_ONCE = Statement(sa.select(sa.literal_column("1")))
_ready: WeakKeyDictionary[sa.Select[Any], Statement | None] = WeakKeyDictionary()


class Insert(Statement):
    """Insert of one row into a table that numbers its rows; ``Tx.add`` says which number it got.

    SQLite tells the number by itself. Asked by RETURNING it would fill a table of its own with the
    answer first (measured: 4.5 us instead of 1.6).
    """

    __slots__ = ("_id",)

    def __init__(self, table: sa.Table, columns: Iterable[str]) -> None:
        super().__init__(sa.insert(table).values({name: sa.bindparam(name) for name in columns}))
        self._id = table.c.id

    def _written_for(self, dialect: str) -> sa.ClauseElement:
        insert: Any = self.core
        return insert if dialect == "sqlite" else insert.returning(self._id)  # type: ignore[no-any-return]


class Bulk:
    """Insert of many rows at once, skipping those whose key is there already.

    ``one``, the insert of one row, may say what else to do with those, and what to return of each
    row (``Tx.add_many``). Rows are tuples in the order of ``columns``. SQLite takes them by the
    hundreds (a thousand points in 0.6 ms instead of 1.1 one by one, and without letting go of the
    interpreter's lock for each), PostgreSQL as one array per column.
    """

    __slots__ = ("_end", "_marks", "_sqlite", "_start", "columns", "postgresql_sql")
    TOGETHER = (200, 50, 8)
    """How many rows go into one statement; fewer than the last have a statement for each number, so
    that few statements are kept prepared."""

    def __init__(
        self, table: sa.Table, columns: Sequence[str], one: sa.ClauseElement | None = None
    ) -> None:
        self.columns = tuple(columns)
        names = ", ".join(self.columns)
        self._marks = f"({', '.join('?' for _ in self.columns)})"
        arrays = ", ".join(
            f"${place}::{_array_of(table.c[name])}" for place, name in enumerate(self.columns, 1)
        )
        insert = f"INSERT INTO {table.name} ({names})"
        self._start = f"{insert} VALUES "
        self._sqlite: dict[int, str] = {}
        self._end = _on_conflict(one, "sqlite")
        end = _on_conflict(one, "postgresql")
        self.postgresql_sql = f"{insert} SELECT * FROM unnest({arrays}){end}"

    def sqlite(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
        """The statements for SQLite that insert all rows, each with its values."""
        start, left = 0, len(rows)
        while left:
            count = next((size for size in self.TOGETHER if size <= left), left)
            sql = self._sqlite.get(count)
            if sql is None:
                marks = ", ".join([self._marks] * count)
                sql = self._sqlite[count] = f"{self._start}{marks}{self._end}"
            yield sql, list(chain.from_iterable(rows[start : start + count]))
            start, left = start + count, left - count


def _on_conflict(one: sa.ClauseElement | None, dialect: str) -> str:
    """What an insert says behind its values, which must hold no values itself."""
    mark = " ON CONFLICT "
    if one is None:
        return f"{mark}DO NOTHING"
    start, found, end = str(one.compile(dialect=DIALECTS[dialect])).partition(mark)
    if not found or "?" in end or "$" in end:
        raise AssertionError(f"an insert of many cannot end so: {start}{found}{end}")
    return mark + end
