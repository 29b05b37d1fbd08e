"""Filters and orders as SQLAlchemy Core, and the search for one page of ids.

All values are bound. Comparisons are two-valued: one on something that an entity lacks is false,
``!=`` and NOT LIKE included, and NOT of it is true. A NaN metric satisfies ``!=``, NOT IN and
IS NOT NULL only. Orders put what is missing last in both directions, NaN just before it, and texts
in the order of their code points.

``search_ids`` stays fast on a million rows by choosing among three statements, without trusting a
planner's statistics:

1. *Candidates*: comparisons that must hold and that an index can answer are counted up to ``FEW``.
   If one finds fewer rows than that, it drives: its rows are joined to the noun and sorted.
2. *In order of a value*: when the first order term is a key, the keyed table drives in the order of
   an index and stops when the page is full; rows that are NaN, and rows without the key, come from
   further statements that run only when the page has room for them.
3. *In order of attributes*: the noun's table drives, an index of it giving the order.

Within several scopes (at most ``MERGED``), 2 and 3 take each scope's first rows and merge them.

Indexes that make this so, beside the primary keys ``(owner, key)`` of keyed tables:

* number tables: ``(scope, key, nan, value, owner)``
* text tables: ``(key, substr(value, 1, 64), owner)``; on PostgreSQL the expression carries
  ``COLLATE "C"`` unless the column does
* text tables with numeric forms: ``(key, number, owner)``
* the noun: ``(scope, first column of an order, ...)`` for the orders that matter, and one for each
  attribute declared ``indexed``; on PostgreSQL nullable columns ``DESC NULLS LAST``

A table without a scope column has an index without it, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from heddle.errors import Invalid
from heddle.search import constructs
from heddle.search.constructs import DrivingJoin
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

Condition = sa.ColumnElement[bool]
Fetch = Callable[[sa.Select[Any]], Sequence[Any]]

PREFIX_LENGTH = 64
"""Characters of a text that are indexed; PostgreSQL's index entries are bounded."""
FEW = 3_000
"""Up to so many candidates are cheaper to sort than to look for in order."""
MERGED = 16
"""Up to so many scopes are searched one by one and merged."""
MAX_COUNTED = 10
"""Comparisons of one filter that are tried as candidates."""
MAX_ORDER_TERMS = 20


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
            return self.comparison(node)
        if isinstance(node, Not):
            return sa.not_(self.condition(node.operand))
        parts = [self.condition(operand) for operand in node.operands]
        return sa.and_(*parts) if isinstance(node, And) else sa.or_(*parts)

    def comparison(self, node: Comparison) -> Condition:
        """One comparison as a condition on the noun's table."""
        done = check(self.catalogue, node, self.text)
        try:
            return self.checked(done)
        except Invalid as error:  # a regular expression that is refused
            raise failure(self.text, node.values[0].position, error.message) from None

    def checked(self, done: Checked) -> Condition:
        """As ``comparison``, of one that fits its field."""
        field = done.field
        if isinstance(field, Attribute):
            return _attribute_condition(field, done)
        if isinstance(field, KeyField):
            probe = _Probe.of(field.keyed)
            conditions = [probe.owner == self.catalogue.id, probe.key == constructs.text(field.key)]
            if done.op == "IS NULL":
                return sa.not_(_exists(probe.table, conditions))
            if done.op != "IS NOT NULL":
                conditions.append(_keyed_condition(probe, done))
            return _exists(probe.table, conditions)
        column = field.related.fields[field.name]
        if done.op == "IS NULL":
            return sa.not_(field.related.exists(column.is_not(None)))
        if done.op == "IS NOT NULL":
            return field.related.exists(column.is_not(None))
        return field.related.exists(_compare(column, done.op, done.values, numeric=False))


@dataclass(frozen=True, slots=True)
class _Probe:
    """A keyed table under a name of its own, with its columns by their roles."""

    keyed: Keyed
    table: sa.FromClause
    owner: sa.ColumnElement[Any]
    key: sa.ColumnElement[Any]
    value: sa.ColumnElement[Any]
    nan: sa.ColumnElement[Any] | None

    @classmethod
    def of(cls, keyed: Keyed) -> _Probe:
        """A new name for the table."""
        table = keyed.table.alias()
        c = table.c
        nan = None if keyed.nan is None else c[keyed.nan]
        return cls(keyed, table, c[keyed.owner], c[keyed.key], c[keyed.value], nan)


def _exists(table: sa.FromClause, conditions: Sequence[Condition]) -> Condition:
    probe = sa.select(constructs.constant(1)).select_from(table).where(*conditions)
    return sa.exists(probe.correlate_except(table))


def _keyed_condition(probe: _Probe, done: Checked) -> Condition:
    """What a row of a keyed table must satisfy, its key and its owner apart."""
    op, values = done.op, done.values
    if probe.keyed.kind == "number":
        condition = _compare(probe.value, op, [float(v) for v in values], numeric=True)
        if probe.nan is None:
            return condition
        if op in ("!=", "NOT IN"):
            return sa.or_(probe.nan != constructs.constant(0), condition)
        return sa.and_(probe.nan == constructs.constant(0), condition)
    if done.numeric:
        column = probe.table.c[str(probe.keyed.number)]
        return _compare(column, op, [float(v) for v in values], numeric=True)
    if op in ("=", "IN"):
        return _equal_text(probe.value, [str(value) for value in values])
    return _compare(probe.value, op, values, numeric=False)


def _equal_text(column: sa.ColumnElement[Any], values: Sequence[str]) -> Condition:
    """Equality in a form that the index on the beginning of a text answers."""
    heads = [value[:PREFIX_LENGTH] for value in values]
    condition = _compare(_head(column), "IN", heads, numeric=False)
    if all(len(value) < PREFIX_LENGTH for value in values):
        return condition
    whole = _compare(constructs.unseen(column), "IN", values, numeric=False)
    return sa.and_(condition, whole)


def _head(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The indexed beginning of a text."""
    first, length = constructs.constant(1), constructs.constant(PREFIX_LENGTH)
    return sa.func.substr(column, first, length, type_=sa.Text())


def _attribute_condition(attribute: Attribute, done: Checked) -> Condition:
    column = attribute.column
    if done.op == "IS NULL":
        return column.is_(None)
    if done.op == "IS NOT NULL":
        return column.is_not(None)
    condition = _compare(column, done.op, done.values, numeric=done.numeric)
    return sa.and_(column.is_not(None), condition) if _nullable(column) else condition


def _nullable(column: sa.ColumnElement[Any]) -> bool:
    return bool(getattr(column, "nullable", True))


def _compare(
    column: sa.ColumnElement[Any], op: str, values: Sequence[Value], *, numeric: bool
) -> Condition:
    """``column op values`` for any operator but IS NULL and IS NOT NULL."""
    if op.startswith("NOT "):
        return sa.not_(_compare(column, op[4:], values, numeric=numeric))
    if op == "LIKE":
        return constructs.like(column, str(values[0]))
    if op == "ILIKE":
        return constructs.ilike(column, str(values[0]))
    if op == "MATCHES":
        return constructs.matches(column, str(values[0]))
    if op == "IN" and len(values) > 1:
        return _among(column, values, numeric=numeric)
    bound = [
        constructs.number(cast(float, v)) if numeric else constructs.text(str(v)) for v in values
    ]
    if op == "BETWEEN":
        return sa.and_(column >= bound[0], column <= bound[1])
    symbol = "=" if op == "IN" else op
    return cast(Condition, column.bool_op(symbol)(bound[0]))


def _among(column: sa.ColumnElement[Any], values: Sequence[Value], *, numeric: bool) -> Condition:
    if not numeric:
        return sa.type_coerce(column, sa.Text()).in_(sorted({str(v) for v in values}))
    if all(isinstance(v, int) for v in values):
        return sa.type_coerce(column, sa.BigInteger()).in_(sorted({int(v) for v in values}))
    return sa.type_coerce(column, sa.Double()).in_(sorted({float(v) for v in values}))


# Orders


@dataclass(frozen=True, slots=True)
class _By:
    """One column of an order; what may be NULL comes last either way."""

    column: sa.ColumnElement[Any]
    descending: bool = False
    nullable: bool = False

    def directed(self, column: sa.ColumnElement[Any] | None = None) -> sa.ColumnElement[Any]:
        """The column, or another in its place, as ORDER BY takes it."""
        chosen = self.column if column is None else column
        directed = chosen.desc() if self.descending else chosen.asc()
        return directed.nulls_last() if self.nullable else directed


@dataclass(frozen=True, slots=True)
class _Term:
    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order for a select over the catalogue's table."""

    joins: tuple[tuple[sa.FromClause, Condition], ...]
    columns: tuple[_By, ...]

    def source(self, table: sa.FromClause) -> sa.FromClause:
        """``table`` with what the order needs joined to it; one row stays one row."""
        for other, on in self.joins:
            table = table.outerjoin(other, on)
        return table

    @property
    def by(self) -> tuple[sa.ColumnElement[Any], ...]:
        """What ORDER BY takes, for a select from ``source``."""
        return tuple(each.directed() for each in self.columns)


def order(terms: Sequence[str | OrderTerm], catalogue: Catalogue) -> Ordering:
    """The order of ``terms``, or the default one, with tie-breaks; raises ``Invalid``.

    Use it as ``select(...).select_from(ordering.source(table)).order_by(*ordering.by)``.
    """
    return _ordering(_terms(terms, catalogue), catalogue)


def _terms(given: Sequence[str | OrderTerm], catalogue: Catalogue) -> list[_Term]:
    """The terms as given, or else the default ones, then the tie-breaks not named before."""
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
    """What is the same for two spellings of one field."""
    if isinstance(field, KeyField):
        return (field.keyed.prefixes, field.key)
    return field.name


def _ordering(terms: Sequence[_Term], catalogue: Catalogue) -> Ordering:
    joins: list[tuple[sa.FromClause, Condition]] = []
    columns: list[_By] = []
    for term in terms:
        field, descending = term.field, term.descending
        if isinstance(field, Attribute):
            value = constructs.by_code(field.column) if field.kind == "text" else field.column
            columns.append(_By(value, descending, _nullable(field.column)))
        elif isinstance(field, KeyField):
            probe = _Probe.of(field.keyed)
            on = sa.and_(probe.owner == catalogue.id, probe.key == constructs.text(field.key))
            joins.append((probe.table, on))
            if probe.nan is not None:
                columns.append(_By(probe.nan, nullable=True))
            value = probe.value
            if field.keyed.kind == "text":
                value = constructs.by_code(value)
            columns.append(_By(value, descending, nullable=True))
    return Ordering(tuple(joins), tuple(columns))


def _by_index(probe: _Probe, *, descending: bool) -> list[_By]:
    """The order of a keyed table's values as its index has it."""
    if probe.keyed.kind == "number":
        return [_By(probe.value, descending)]
    values = (_head(probe.value), probe.value)
    return [_By(constructs.by_code(value), descending) for value in values]


# Pages


def search_ids(
    fetch: Fetch,
    catalogue: Catalogue,
    *,
    scope: Condition,
    filter: str,  # noqa: A002 -- the word that every caller and user knows it by
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
    search = _Search(fetch, catalogue, scope, tuple(sorted(set(scope_values))))
    search.read(filter, order_by)
    return search.page(limit, offset)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that follow each other in the whole order; ``scope`` is a column to merge scopes by."""

    source: sa.FromClause
    conditions: Sequence[Condition]
    by: Sequence[_By]
    scope: sa.ColumnElement[Any] | None = None


class _Search:
    """One search: its parts, and the choice of the statement that finds the page."""

    def __init__(
        self, fetch: Fetch, catalogue: Catalogue, scope: Condition, scope_values: tuple[int, ...]
    ) -> None:
        self.fetch = fetch
        self.catalogue = catalogue
        self.scope = scope
        self.scope_values = scope_values
        self.required: list[Checked] = []
        self.conditions = [scope]
        self.terms: list[_Term] = []

    def read(self, text: str, order_by: Sequence[str | OrderTerm]) -> None:
        """Take in filter and order; raises ``Invalid``."""
        self.terms = _terms(order_by, self.catalogue)
        if not text.strip():
            return
        tree = parse(text)
        self.conditions.append(_Filter(self.catalogue, text).condition(tree))
        operands = tree.operands if isinstance(tree, And) else (tree,)
        self.required = [
            check(self.catalogue, node, text) for node in operands if isinstance(node, Comparison)
        ]

    def page(self, limit: int, offset: int) -> list[int]:
        """The ids of the page, by the cheapest way."""
        page: list[int] = []
        for part in self.parts():
            found = self.ids(part, limit - len(page), offset)
            page += found
            if len(page) >= limit:
                break
            offset = 0 if found or not offset else offset - self.count(part)
        return page

    def parts(self) -> Iterator[_Part]:
        """What the pages are cut from, one after the other."""
        table, key = self.catalogue.table, self.catalogue.id
        driver = self.candidates()
        if driver is not None:
            ordering = _ordering(self.terms, self.catalogue)
            source = ordering.source(DrivingJoin(driver, table, driver.c.owner == key))
            yield _Part(source, self.conditions, ordering.columns)
            return
        first = self.terms[0].field if self.terms else None
        if isinstance(first, KeyField) and self.can_drive(first.keyed):
            yield from self.parts_by_value(first)
            return
        ordering = _ordering(self.terms, self.catalogue)
        source = ordering.source(table)
        yield _Part(source, self.conditions, ordering.columns, self.catalogue.scope)

    def parts_by_value(self, field: KeyField) -> Iterator[_Part]:
        """Ordered by a key first: numbers or texts, then NaN, then rows without the key."""
        table, key = self.catalogue.table, self.catalogue.id
        rest = _ordering(self.terms[1:], self.catalogue)
        probe = _Probe.of(field.keyed)
        source = rest.source(DrivingJoin(probe.table, table, probe.owner == key))
        having = [*self.within(probe), probe.key == constructs.text(field.key), *self.conditions]
        values = [*_by_index(probe, descending=self.terms[0].descending), *rest.columns]
        scope = None if field.keyed.scope is None else probe.table.c[field.keyed.scope]
        if probe.nan is None:
            yield _Part(source, having, values, scope)
        else:
            real, nan = (probe.nan == constructs.constant(flag) for flag in (0, 1))
            yield _Part(source, [*having, real], values, scope)
            yield _Part(source, [*having, nan], rest.columns, scope)
        lack = _Probe.of(field.keyed)
        lacking = [lack.owner == key, lack.key == constructs.text(field.key)]
        absent = sa.not_(_exists(lack.table, lacking))
        source = rest.source(table)
        yield _Part(source, [*self.conditions, absent], rest.columns, self.catalogue.scope)

    # Statements

    def ids(self, part: _Part, limit: int, offset: int) -> list[int]:
        """Run one statement for ids."""
        if part.scope is not None and 1 < len(self.scope_values) <= MERGED:
            select = self.merged(part, part.scope, limit + offset)
        else:
            select = (
                sa.select(self.catalogue.id)
                .select_from(part.source)
                .where(*part.conditions)
                .order_by(*(each.directed() for each in part.by))
            )
        return [row[0] for row in self.fetch(select.limit(limit).offset(offset))]

    def merged(self, part: _Part, scope: sa.ColumnElement[Any], most: int) -> sa.Select[Any]:
        """The first rows of each scope, merged: each scope is read in the order of an index."""
        columns = [each.column.label(f"by_{n}") for n, each in enumerate(part.by)]
        each_scope = [
            sa.select(
                sa.select(self.catalogue.id.label("id"), *columns)
                .select_from(part.source)
                .where(scope == constructs.number(value), *part.conditions)
                .order_by(*(each.directed() for each in part.by))
                .limit(most)
                .subquery()
            )
            for value in self.scope_values
        ]
        rows = sa.union_all(*each_scope).subquery()
        by = [each.directed(rows.c[f"by_{n}"]) for n, each in enumerate(part.by)]
        return sa.select(rows.c.id).order_by(*by)

    def count(self, part: _Part) -> int:
        """How many rows a part has."""
        select = sa.select(sa.func.count()).select_from(part.source).where(*part.conditions)
        return int(self.fetch(select)[0][0])

    # Few candidates

    def candidates(self) -> sa.CTE | None:
        """The owners that the most selective required comparison finds, if they are few."""
        best: sa.Select[Any] | None = None
        fewest = FEW
        for done in self.required[:MAX_COUNTED]:
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
        field, op = done.field, done.op
        if isinstance(field, Attribute):
            if not field.indexed or op not in ("=", "IN"):
                return None
            condition = _attribute_condition(field, done)
            return sa.select(self.catalogue.id.label("owner")).where(self.scope, condition)
        ranged = done.numeric and op in ("<", "<=", ">", ">=", "BETWEEN")
        if not isinstance(field, KeyField) or not (ranged or op in ("=", "IN")):
            return None
        if not self.can_drive(field.keyed):
            return None
        probe = _Probe.of(field.keyed)
        condition = _keyed_condition(probe, done)
        return sa.select(probe.owner.label("owner")).where(
            *self.within(probe), probe.key == constructs.text(field.key), condition
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
            return [column == constructs.number(self.scope_values[0])]
        return [sa.type_coerce(column, sa.BigInteger()).in_(self.scope_values)]
