"""Filters and orders as SQLAlchemy Core, and the search for one page of ids.

All values are bound. Comparisons are two-valued: one on something that an entity lacks is false,
``!=`` and NOT LIKE included, and NOT of it is true. A NaN metric satisfies ``!=``, NOT IN and
IS NOT NULL only. Orders put what is missing last in both directions, NaN just before it, and texts
in the order of their code points.

``search_ids`` stays fast on a million rows by choosing among three statements, without trusting the
planner's statistics:

1. *Candidates*: comparisons that must hold and that an index can answer are counted up to
   ``FEW``. If one finds fewer rows than that, it drives: its rows are joined to the noun and sorted.
2. *In order of a value*: when the first order term is a key, the keyed table drives in the order of
   an index and stops when the page is full; rows that are NaN, and rows without the key, come from
   further statements that run only when the page has room for them.
3. *In order of attributes*: the noun's table drives, an index of it giving the order.

Indexes that make this so, beside the primary keys ``(owner, key)`` of keyed tables:

* number tables, with scope: ``(scope, key, nan, value, owner)``
* text tables: ``(key, substr(value, 1, 64), owner)``, led by the scope column where the table has
  one; on PostgreSQL the expression carries ``COLLATE "C"`` unless the column itself does
* text tables with numeric forms: ``(key, number, owner)``, led by the scope column likewise
* the noun: ``(scope, first column of the default order, ...)`` and one for each indexed attribute
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Join

from heddle.errors import Invalid
from heddle.search import patterns
from heddle.search.fields import (
    Attribute,
    Catalogue,
    Checked,
    Field,
    Keyed,
    KeyField,
    Value,
    check,
    resolve,
)
from heddle.search.grammar import And, Comparison, Node, Not, OrderTerm, failure, parse, parse_order
from heddle.search.patterns import register_sqlite

__all__ = ["FEW", "PREFIX_LENGTH", "Fetch", "order", "register_sqlite", "search_ids", "where"]

Fetch = Callable[[sa.Select[Any]], Sequence[Any]]
Condition = sa.ColumnElement[bool]

PREFIX_LENGTH = 64
"""Characters of a text that are indexed; PostgreSQL's index entries are bounded."""
FEW = 3_000
"""Up to so many candidates are cheaper to sort than to look for in order."""
MAX_ORDER_TERMS = 20


class _Pattern(FunctionElement[bool]):
    """A text column against a pattern: the column, SQLite's form of the pattern, PostgreSQL's."""

    type = sa.Boolean()
    inherit_cache = True
    forms: tuple[str, str]


class _Like(_Pattern):
    name = "heddle_like"
    inherit_cache = True
    forms = ("{0} GLOB {1}", "{0} LIKE {1} ESCAPE ''")


class _Ilike(_Pattern):
    name = "heddle_ilike"
    inherit_cache = True
    forms = ("heddle_lower({0}) GLOB {1}", "{0} COLLATE \"default\" ILIKE {1} ESCAPE ''")


class _Matches(_Pattern):
    name = "heddle_regex"
    inherit_cache = True
    forms = ("heddle_matches({1}, {0})", '{0} COLLATE "default" ~ {1}')


@compiles(_Pattern, "sqlite")
def _pattern_sqlite(element: _Pattern, compiler: Any, **kw: Any) -> str:
    column, pattern, _ = element.clauses
    return f"({element.forms[0].format(compiler.process(column, **kw), compiler.process(pattern, **kw))})"


@compiles(_Pattern, "postgresql")
def _pattern_postgresql(element: _Pattern, compiler: Any, **kw: Any) -> str:
    column, _, pattern = element.clauses
    return f"({element.forms[1].format(compiler.process(column, **kw), compiler.process(pattern, **kw))})"


class _ByCode(FunctionElement[str]):
    """A text in the order of its code points, whatever the database's locale."""

    name = "heddle_by_code"
    type = sa.Text()
    inherit_cache = True


@compiles(_ByCode, "sqlite")
def _by_code_sqlite(element: _ByCode, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(_ByCode, "postgresql")
def _by_code_postgresql(element: _ByCode, compiler: Any, **kw: Any) -> str:
    return f'{compiler.process(element.clauses, **kw)} COLLATE "C"'


class _DrivingJoin(Join):
    """An inner join whose left side SQLite must scan first (its CROSS JOIN is never reordered)."""

    inherit_cache = True


@compiles(_DrivingJoin)
def _driving_join(element: _DrivingJoin, compiler: Any, **kw: Any) -> str:
    word = "CROSS JOIN" if compiler.dialect.name == "sqlite" else "JOIN"
    kw["asfrom"] = True
    left = compiler.process(element.left, from_linter=None, **_without_linter(kw))
    right = compiler.process(element.right, from_linter=None, **_without_linter(kw))
    on = compiler.process(element.onclause, from_linter=None, **_without_linter(kw))
    return f"{left} {word} {right} ON {on}"


def _without_linter(kw: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kw.items() if name != "from_linter"}


def _prefix(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The indexed beginning of a text; written with constants, as indexes have it."""
    length: sa.ColumnClause[int] = sa.literal_column(str(PREFIX_LENGTH))
    return sa.func.substr(column, sa.literal_column("1"), length, type_=sa.Text())


# Filters


def where(text: str, catalogue: Catalogue) -> Condition | None:
    """The condition of a filter on the catalogue's table; None for a blank text.

    Raises ``Invalid`` with a position for whatever is wrong with the text.
    """
    if not text.strip():
        return None
    return _Filter(catalogue, text).condition(parse(text))


class _Filter:
    """Turns the tree of one text into conditions."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.text = text

    def condition(self, node: Node) -> Condition:
        """The condition of a tree, whose depth the grammar bounds."""
        if isinstance(node, Comparison):
            return self.comparison(self.checked(node))
        if isinstance(node, Not):
            return sa.not_(self.condition(node.operand))
        parts = [self.condition(operand) for operand in node.operands]
        return sa.and_(*parts) if isinstance(node, And) else sa.or_(*parts)

    def checked(self, node: Comparison) -> Checked:
        """The comparison checked against the catalogue, its regular expression too."""
        done = check(self.catalogue, node, self.text)
        if done.op in ("MATCHES", "NOT MATCHES"):
            try:
                patterns.check_regex(str(done.values[0]))
            except Invalid as error:
                raise failure(self.text, node.values[0].position, error.message) from None
        return done

    def comparison(self, done: Checked) -> Condition:
        """One comparison as a condition on the noun's table."""
        field = done.field
        if isinstance(field, Attribute):
            return _attribute_condition(field, done)
        if isinstance(field, KeyField):
            probe = _probe(field.keyed)
            conditions = [probe.owner == self.catalogue.id, probe.key == _text(field.key)]
            if done.op == "IS NULL":
                return sa.not_(_exists(probe.table, conditions))
            if done.op != "IS NOT NULL":
                conditions.append(_keyed_condition(probe, done))
            return _exists(probe.table, conditions)
        column = field.related.fields[field.name]
        if done.op == "IS NULL":
            return sa.not_(field.related.exists(column.is_not(None)))
        return field.related.exists(_compare(column, done.op, done.values, numeric=False))


def _exists(table: sa.FromClause, conditions: Sequence[Condition]) -> Condition:
    one: sa.ColumnClause[int] = sa.literal_column("1")
    probe = sa.select(one).select_from(table).where(*conditions)
    return sa.exists(probe.correlate_except(table))


@dataclass(frozen=True, slots=True)
class _Probe:
    """A keyed table under a name of its own, with its columns by their roles."""

    keyed: Keyed
    table: sa.FromClause

    @property
    def owner(self) -> sa.ColumnElement[Any]:
        return self.table.c[self.keyed.owner]

    @property
    def key(self) -> sa.ColumnElement[Any]:
        return self.table.c[self.keyed.key]

    @property
    def value(self) -> sa.ColumnElement[Any]:
        return self.table.c[self.keyed.value]

    @property
    def nan(self) -> sa.ColumnElement[Any] | None:
        return None if self.keyed.nan is None else self.table.c[self.keyed.nan]


def _probe(keyed: Keyed) -> _Probe:
    return _Probe(keyed, keyed.table.alias())


def _keyed_condition(probe: _Probe, done: Checked) -> Condition:
    """What a row of a keyed table must satisfy, its key and its owner apart."""
    op, values = done.op, done.values
    if probe.keyed.kind == "number":
        condition = _compare(probe.value, op, [float(v) for v in values], numeric=True)
        if probe.nan is None:
            return condition
        if op in ("!=", "NOT IN"):
            return sa.or_(probe.nan != sa.literal_column("0"), condition)
        return sa.and_(probe.nan == sa.literal_column("0"), condition)
    if done.numeric:
        column = probe.table.c[str(probe.keyed.number)]
        return _compare(column, op, [float(v) for v in values], numeric=True)
    condition = _compare(probe.value, op, values, numeric=False)
    if op in ("=", "IN"):
        heads = [str(value)[:PREFIX_LENGTH] for value in values]
        return sa.and_(_compare(_prefix(probe.value), op, heads, numeric=False), condition)
    return condition


def _attribute_condition(attribute: Attribute, done: Checked) -> Condition:
    column = attribute.column
    nullable = getattr(column, "nullable", True)
    if done.op == "IS NULL":
        return column.is_(None) if nullable else sa.false()
    if done.op == "IS NOT NULL":
        return column.is_not(None) if nullable else sa.true()
    condition = _compare(column, done.op, done.values, numeric=done.numeric)
    return sa.and_(column.is_not(None), condition) if nullable else condition


def _compare(
    column: sa.ColumnElement[Any], op: str, values: Sequence[Value], *, numeric: bool
) -> Condition:
    """``column op values`` for any operator but IS NULL and IS NOT NULL."""
    if op.startswith("NOT "):
        return sa.not_(_compare(column, op[4:], values, numeric=numeric))
    if op == "IS NOT NULL":
        return column.is_not(None)
    bound = [_number(v) if numeric else _text(str(v)) for v in cast(Sequence[Any], values)]
    if op == "IN":
        if len(bound) == 1:
            return column == bound[0]
        return _among(column, values, numeric=numeric)
    if op == "BETWEEN":
        return sa.and_(column >= bound[0], column <= bound[1])
    if op in ("LIKE", "ILIKE", "MATCHES"):
        return _pattern(column, op, str(values[0]))
    return cast(Condition, column.op(op, is_comparison=True, return_type=sa.Boolean())(bound[0]))


def _among(column: sa.ColumnElement[Any], values: Sequence[Value], *, numeric: bool) -> Condition:
    if not numeric:
        return sa.type_coerce(column, sa.Text()).in_(sorted({str(v) for v in values}))
    if all(isinstance(v, int) for v in values):
        return sa.type_coerce(column, sa.BigInteger()).in_(sorted(set(values)))
    return sa.type_coerce(column, sa.Double()).in_(sorted({float(v) for v in values}))


def _pattern(column: sa.ColumnElement[Any], op: str, pattern: str) -> Condition:
    if op == "LIKE":
        return _Like(column, _text(patterns.glob(pattern)), _text(pattern))
    if op == "ILIKE":
        return _Ilike(column, _text(patterns.glob(patterns.lower(pattern))), _text(pattern))
    return _Matches(column, _text(pattern), _text(patterns.check_regex(pattern)))


def _text(value: str) -> sa.ColumnElement[Any]:
    return sa.literal(value, sa.Text())


def _number(value: float) -> sa.ColumnElement[Any]:
    """A number bound as what it is, so that a fraction is never rounded to a column's integers."""
    return sa.literal(value, sa.BigInteger() if isinstance(value, int) else sa.Double())


# Orders


@dataclass(frozen=True, slots=True)
class _Term:
    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order ready for a select over the catalogue's table."""

    joins: tuple[tuple[sa.FromClause, Condition], ...]
    by: tuple[sa.ColumnElement[Any], ...]

    def source(self, table: sa.FromClause) -> sa.FromClause:
        """``table`` with what the order needs joined to it; one row stays one row."""
        for other, on in self.joins:
            table = table.outerjoin(other, on)
        return table


def order(terms: Sequence[str | OrderTerm], catalogue: Catalogue) -> Ordering:
    """The order of ``terms``, or the default one, with tie-breaks; raises ``Invalid``."""
    return _ordering(_terms(terms, catalogue), catalogue)


def _terms(given: Sequence[str | OrderTerm], catalogue: Catalogue) -> list[_Term]:
    if len(given) > MAX_ORDER_TERMS:
        raise Invalid(f"An order may have {MAX_ORDER_TERMS} terms.")
    named: set[object] = set()
    terms: list[_Term] = []
    for item in given:
        parsed = parse_order(item) if isinstance(item, str) else item
        field = resolve(catalogue, parsed, parsed.text)
        if _identity(field) in named:
            raise failure(parsed.text, parsed.position, "The order names this field twice")
        named.add(_identity(field))
        terms.append(_Term(field, parsed.descending))
    for text in (*(() if terms else catalogue.default_order), *catalogue.tie_break):
        parsed = parse_order(text)
        field = resolve(catalogue, parsed, text)
        if _identity(field) not in named:
            named.add(_identity(field))
            terms.append(_Term(field, parsed.descending))
    return terms


def _identity(field: Field) -> object:
    if isinstance(field, KeyField):
        return (field.keyed.prefixes, field.key)
    return field.name


def _directed(column: sa.ColumnElement[Any], *, descending: bool) -> sa.ColumnElement[Any]:
    return column.desc() if descending else column.asc()


def _ordering(terms: Sequence[_Term], catalogue: Catalogue) -> Ordering:
    joins: list[tuple[sa.FromClause, Condition]] = []
    by: list[sa.ColumnElement[Any]] = []
    for term in terms:
        field = term.field
        if isinstance(field, Attribute):
            by.extend(_by_attribute(field, descending=term.descending))
        elif isinstance(field, KeyField):
            probe = _probe(field.keyed)
            on = sa.and_(probe.owner == catalogue.id, probe.key == _text(field.key))
            joins.append((probe.table, on))
            by.append(probe.owner.is_(None))
            if probe.nan is not None:
                by.append(probe.nan)
            by.extend(_by_value(probe, descending=term.descending))
    return Ordering(tuple(joins), tuple(by))


def _by_attribute(attribute: Attribute, *, descending: bool) -> list[sa.ColumnElement[Any]]:
    column = attribute.column
    value = _ByCode(column) if attribute.kind == "text" else column
    directed = _directed(value, descending=descending)
    if getattr(column, "nullable", True):
        return [column.is_(None), directed]
    return [directed]


def _by_value(probe: _Probe, *, descending: bool) -> list[sa.ColumnElement[Any]]:
    """The order of a keyed table's values; texts by their indexed beginning first."""
    if probe.keyed.kind == "number":
        return [_directed(probe.value, descending=descending)]
    return [
        _directed(_ByCode(value), descending=descending)
        for value in (_prefix(probe.value), probe.value)
    ]


# Pages


def search_ids(
    fetch: Fetch,
    catalogue: Catalogue,
    *,
    scope: Condition,
    filter: str,
    order_by: Sequence[str | OrderTerm],
    limit: int,
    offset: int,
    scope_values: Sequence[int] = (),
) -> list[int]:
    """The ids of one page, in order; raises ``Invalid``.

    ``scope`` is a condition on the catalogue's table that always holds. ``scope_values`` are the
    only values that ``catalogue.scope`` can have under it, where the caller knows them; they let
    indexes of keyed tables be used. ``fetch`` runs a select and gives its rows; it may be called
    several times and should read from one snapshot.
    """
    if limit <= 0:
        return []
    search = _Search(fetch, catalogue, scope, filter, order_by, tuple(scope_values))
    return search.page(limit, offset)


class _Search:
    """One search: its parts, and the choice of the statement that finds the page."""

    def __init__(
        self,
        fetch: Fetch,
        catalogue: Catalogue,
        scope: Condition,
        text: str,
        order_by: Sequence[str | OrderTerm],
        scope_values: tuple[int, ...],
    ) -> None:
        self.fetch = fetch
        self.catalogue = catalogue
        self.scope = scope
        self.scope_values = scope_values
        self.filter = _Filter(catalogue, text)
        self.terms = _terms(order_by, catalogue)
        tree = parse(text) if text.strip() else None
        self.required: list[Checked] = []
        self.conditions = [scope]
        if tree is not None:
            self.conditions.append(self.filter.condition(tree))
            parts = tree.operands if isinstance(tree, And) else (tree,)
            self.required = [
                self.filter.checked(part) for part in parts if isinstance(part, Comparison)
            ]

    def page(self, limit: int, offset: int) -> list[int]:
        """The ids of the page, by the cheapest way."""
        driver = self.candidates()
        first = self.terms[0].field if self.terms else None
        if driver is None and isinstance(first, KeyField) and self.can_drive(first.keyed):
            return self.by_value(first, limit, offset)
        ordering = _ordering(self.terms, self.catalogue)
        source: sa.FromClause = self.catalogue.table
        if driver is not None:
            source = _DrivingJoin(driver, source, driver.c.owner == self.catalogue.id)
        return self.ids(ordering.source(source), self.conditions, ordering.by, limit, offset)

    def ids(
        self,
        source: sa.FromClause,
        conditions: Sequence[Condition],
        by: Sequence[sa.ColumnElement[Any]],
        limit: int,
        offset: int,
    ) -> list[int]:
        """Run one statement for ids."""
        select = sa.select(self.catalogue.id).select_from(source).where(*conditions).order_by(*by)
        return [row[0] for row in self.fetch(select.limit(limit).offset(offset))]

    # Few candidates

    def candidates(self) -> sa.CTE | None:
        """The owners that the most selective required comparison finds, if they are few."""
        best: sa.Select[Any] | None = None
        fewest = FEW
        for done in self.required[:10]:
            found = self.candidate(done)
            if found is None:
                continue
            some = found.limit(fewest).subquery()
            count = self.fetch(sa.select(sa.func.count()).select_from(some))[0][0]
            if count < fewest:
                best, fewest = found, count
        if best is None:
            return None
        return best.cte("candidates").prefix_with("MATERIALIZED")

    def candidate(self, done: Checked) -> sa.Select[Any] | None:
        """The owners that satisfy a comparison, if an index can list them."""
        field = done.field
        if isinstance(field, Attribute):
            if not field.indexed or done.op not in ("=", "IN"):
                return None
            condition = _attribute_condition(field, done)
            return sa.select(self.catalogue.id.label("owner")).where(self.scope, condition)
        indexed = done.op in ("=", "IN") or (
            done.numeric and done.op in ("<", "<=", ">", ">=", "BETWEEN")
        )
        if not isinstance(field, KeyField) or not indexed or not self.can_drive(field.keyed):
            return None
        probe = _probe(field.keyed)
        return sa.select(probe.owner.label("owner")).where(
            *self.within(probe), probe.key == _text(field.key), _keyed_condition(probe, done)
        )

    def can_drive(self, keyed: Keyed) -> bool:
        """Whether an index of the keyed table lists the rows of one key."""
        return keyed.scope is None or bool(self.scope_values)

    def within(self, probe: _Probe) -> list[Condition]:
        """The scope, in terms of a keyed table."""
        if probe.keyed.scope is None:
            return []
        column = probe.table.c[probe.keyed.scope]
        if len(self.scope_values) == 1:
            return [column == sa.literal(self.scope_values[0], sa.BigInteger())]
        return [sa.type_coerce(column, sa.BigInteger()).in_(self.scope_values)]

    # In the order of a value

    def by_value(self, field: KeyField, limit: int, offset: int) -> list[int]:
        """A page ordered by a key first: numbers or texts, then NaN, then rows without the key."""
        page: list[int] = []
        skip = offset
        for source, conditions, by in self.phases(field):
            wanted = limit - len(page)
            found = self.ids(source, conditions, by, wanted, skip)
            page += found
            if len(page) >= limit:
                break
            if found or not skip:
                skip = 0
            else:
                select = sa.select(self.catalogue.id).select_from(source).where(*conditions)
                total = self.fetch(sa.select(sa.func.count()).select_from(select.subquery()))
                skip -= total[0][0]
        return page

    def phases(
        self, field: KeyField
    ) -> list[tuple[sa.FromClause, list[Condition], list[sa.ColumnElement[Any]]]]:
        """Source, conditions and order of each part of the whole order."""
        catalogue, descending = self.catalogue, self.terms[0].descending
        rest = _ordering(self.terms[1:], catalogue)
        probe = _probe(field.keyed)
        having = [*self.within(probe), probe.key == _text(field.key)]
        driven = rest.source(
            _DrivingJoin(probe.table, catalogue.table, probe.owner == catalogue.id)
        )
        phases = []
        for nan in ("0", "1") if probe.nan is not None else ("",):
            conditions = [*having, *self.conditions]
            if probe.nan is not None:
                conditions.append(probe.nan == sa.literal_column(nan))
            by = [] if nan == "1" else _by_value(probe, descending=descending)
            phases.append((driven, conditions, [*by, *rest.by]))
        lack = _probe(field.keyed)
        absent = sa.not_(
            _exists(lack.table, [lack.owner == catalogue.id, lack.key == _text(field.key)])
        )
        phases.append((rest.source(catalogue.table), [*self.conditions, absent], list(rest.by)))
        return phases
