"""Pieces of SQL that SQLite and PostgreSQL spell differently.

Each is an expression of SQLAlchemy Core that renders itself for either database, so that whatever
is built from them needs no knowledge of the database it will run on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join


class _Pattern(FunctionElement[bool]):
    """A text column against a pattern: the column, SQLite's form of the pattern, PostgreSQL's."""

    type = sa.Boolean()
    inherit_cache = True
    sqlite: str
    postgresql: str


# COLLATE "default" is the database's locale, which knows letters beyond ASCII; a column may be in
# the order of bytes, which does not.
class _Like(_Pattern):
    inherit_cache = True
    sqlite = "({0} GLOB {1})"
    postgresql = "({0} LIKE {1} ESCAPE '')"


class _Ilike(_Pattern):
    inherit_cache = True
    sqlite = "(heddle_lower({0}) GLOB {1})"
    postgresql = "({0} COLLATE \"default\" ILIKE {1} ESCAPE '')"


class _Matches(_Pattern):
    inherit_cache = True
    sqlite = "heddle_matches({1}, {0})"
    postgresql = '({0} COLLATE "default" ~ {1})'


@compiles(_Pattern, "sqlite")
def _pattern_sqlite(element: _Pattern, compiler: Any, **kw: Any) -> str:
    column, pattern, _ = element.clauses
    return element.sqlite.format(compiler.process(column, **kw), compiler.process(pattern, **kw))


@compiles(_Pattern, "postgresql")
def _pattern_postgresql(element: _Pattern, compiler: Any, **kw: Any) -> str:
    column, _, pattern = element.clauses
    return element.postgresql.format(
        compiler.process(column, **kw), compiler.process(pattern, **kw)
    )


PATTERNS: dict[str, type[FunctionElement[bool]]] = {
    "LIKE": _Like,
    "ILIKE": _Ilike,
    "MATCHES": _Matches,
}
"""By operator; each takes the column and the forms of the pattern that ``patterns.forms`` gives."""


class _ByCode(FunctionElement[str]):
    type = sa.Text()
    inherit_cache = True


@compiles(_ByCode, "sqlite")
def _by_code_sqlite(element: _ByCode, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(_ByCode, "postgresql")
def _by_code_postgresql(element: _ByCode, compiler: Any, **kw: Any) -> str:
    return f'{compiler.process(element.clauses, **kw)} COLLATE "C"'


def by_code(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """A text in the order of its code points, whatever the database's locale."""
    return _ByCode(column)


class _Unseen(FunctionElement[str]):
    type = sa.Text()
    inherit_cache = True


@compiles(_Unseen, "sqlite")
def _unseen_sqlite(element: _Unseen, compiler: Any, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(_Unseen, "postgresql")
def _unseen_postgresql(element: _Unseen, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


def unseen(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """A text column out of sight of SQLite's planner.

    From ``value = ?`` it would conclude that ``substr(value, 1, 64)`` is constant and so lose the
    term that the index on that expression answers.
    """
    return _Unseen(column)


class DrivingJoin(Join):
    """An inner join whose left side SQLite must scan first (its CROSS JOIN is never reordered)."""

    inherit_cache = True


@compiles(DrivingJoin)
def _driving_join(element: DrivingJoin, compiler: Any, **kw: Any) -> str:
    # The linter that looks for joins without a condition cannot know of this one.
    kw["from_linter"] = None
    left = compiler.process(element.left, **kw | {"asfrom": True})
    right = compiler.process(element.right, **kw | {"asfrom": True})
    word = "CROSS JOIN" if compiler.dialect.name == "sqlite" else "JOIN"
    return f"{left} {word} {right} ON {compiler.process(element.onclause, **kw)}"


def constant(value: int) -> sa.ColumnElement[int]:
    """A small number written into the statement, for planners and indexes to see."""
    return sa.literal_column(str(value), sa.Integer())
