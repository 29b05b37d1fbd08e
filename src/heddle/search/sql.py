"""The search for one page of ids, and filters and orders for other statements.

``search_ids`` stays fast on a million rows by choosing among three statements, without trusting a
planner's statistics:

1. *Candidates*: comparisons that must hold and that an index can answer are counted in turn, as far
   as it matters. The one that finds the fewest rows, if they are at most ``FEW``, drives: its rows
   are joined to the noun and sorted.
2. *In order of a value*: when the first order term is a key, the keyed table drives in the order of
   an index and stops when the page is full; rows that are NaN, and rows without the key, come from
   further statements that run only when the page has room for them.
3. *In order of attributes*: the noun's table drives, an index of it giving the order; rows that lack
   the first attribute come from a statement of their own.

Within several scopes (at most ``MERGED``), 2 and 3 take each scope's first rows and merge them.

Indexes that make this so, beside the primary keys ``(owner, key)`` of keyed tables:

* number tables: ``(scope, key, nan, value, owner)``
* text tables: ``(key, substr(value, 1, 64), owner)``; on PostgreSQL the expression carries
  ``COLLATE "C"`` unless the column does
* text tables with numeric forms: ``(key, number, owner)``
* the noun: ``(scope, first column of an order, ...)`` for the orders that matter, and one for each
  attribute declared ``indexed``

A table without a scope column has an index without it, and the other way round.

Building statements costs more than running them, so they are kept by shape (see ``filters``) and run
with the values of each search.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.visitors import iterate, replacement_traverse

from heddle.search.constructs import DrivingJoin, constant
from heddle.search.fields import Attribute, Catalogue, Keyed, KeyField
from heddle.search.filters import (
    PREFIX_LENGTH,
    Column,
    Condition,
    Filter,
    Leaf,
    Probe,
    attribute_condition,
    keyed_condition,
    named,
    nullable,
    valued,
)
from heddle.search.grammar import OrderTerm
from heddle.search.orders import By, Order, Ordering, by_index
from heddle.search.patterns import register_sqlite

__all__ = ["FEW", "PREFIX_LENGTH", "Fetch", "order", "register_sqlite", "search_ids", "where"]

FEW = 2_000
"""Up to so many candidates are cheaper to sort than to look for in order."""
FEW_ENOUGH = 50
"""With so few candidates it does not pay to look for fewer."""
MERGED = 16
"""Up to so many scopes are searched one by one and merged."""
MAX_TRIED = 10
"""Comparisons of one filter that are tried as candidates."""
KEPT = 256
"""Shapes of searches whose statements are kept."""
MAX_KEPT_COMPARISONS = 30
"""Larger filters are rare, and their statements too large to keep."""
MAX_KEPT_LENGTH = 2_000
"""Longer filters are read again every time."""


class Fetch(Protocol):
    """Runs a select with named parameters and gives its rows."""

    def __call__(self, statement: sa.Select[Any], /, **params: Any) -> Sequence[Any]:
        """All rows, the wanted columns by position."""


def where(text: str, catalogue: Catalogue) -> Condition | None:
    """The condition of a filter on the catalogue's table, values bound; None for a blank text.

    Raises ``Invalid`` with a position for whatever is wrong with the text.
    """
    checked = Filter(catalogue, text)
    return checked.condition(valued(checked.values))


def order(terms: Sequence[str | OrderTerm], catalogue: Catalogue) -> Ordering:
    """The order of ``terms``, or the default one, with tie-breaks; raises ``Invalid``.

    Use it as ``select(...).select_from(ordering.source(table)).order_by(*ordering.by)``.
    """
    checked = Order(catalogue, terms)
    return checked.ordering(valued(checked.values))


def search_ids(fetch: Fetch, catalogue: Catalogue, **asked: Any) -> list[int]:
    """The ids of one page, in order; asked and raises as ``search_rows``."""
    return [row[0] for row in search_rows(fetch, catalogue, **asked)]


def search_rows(
    fetch: Fetch,
    catalogue: Catalogue,
    *,
    scope: Condition | Scope,
    filter: str,
    order_by: Sequence[str | OrderTerm],
    limit: int,
    offset: int,
    scope_values: Sequence[int] = (),
    params: Mapping[str, Any] | None = None,
) -> list[Any]:
    """The ids of one page with the catalogue's ``shown`` columns, in order; raises ``Invalid``.

    ``scope`` is a condition on the catalogue's table that always holds. ``scope_values`` are the
    only values that ``catalogue.scope`` can have under it, where the caller knows them; they let
    indexes of keyed tables be used. ``fetch`` may be called several times and should read from one
    snapshot.

    ``params`` brings the values of named parameters in ``scope`` (names not starting with ``q_``).
    Statements are reused between calls whose scopes differ in bound values only; with a ``Scope``
    that is made once, searches of the same words are not read anew either.
    """
    if limit <= 0:
        return []
    standing = scope if isinstance(scope, Scope) else Scope(scope)
    words = _Words(
        id(catalogue),
        standing,
        filter,
        tuple(order_by),
        tuple(sorted(set(scope_values))),
        catalogue,
    )
    kept = standing is scope and len(filter) <= MAX_KEPT_LENGTH
    statements, values = _read_once(words) if kept else _read(words)
    return _page(fetch, statements, {**values, **(params or {})}, limit, offset)


class Scope:
    """A caller's condition that always holds, taken apart into its shape and the values bound in it."""

    def __init__(self, condition: Condition) -> None:
        self.given = condition
        elements = iterate(condition)
        self.unnamed = [e for e in elements if isinstance(e, sa.BindParameter) and not e.required]
        self.values = {f"q_given{n}": e.effective_value for n, e in enumerate(self.unnamed)}
        structure = condition._generate_cache_key()  # noqa: SLF001 -- what SQLAlchemy caches by
        self.shape: object = id(condition) if structure is None else structure.key

    def condition(self) -> Condition:
        """The condition with names for the values bound in it."""
        names = {
            id(e): sa.bindparam(f"q_given{n}", type_=e.type, expanding=e.expanding)
            for n, e in enumerate(self.unnamed)
        }

        def rename(element: Any, **_: Any) -> Any:
            return names.get(id(element))

        return replacement_traverse(self.given, {}, rename)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a search was asked with. The catalogue is held so that no other takes over its id."""

    catalogue_id: int
    scope: Scope
    filter: str
    order_by: tuple[str | OrderTerm, ...]
    scope_values: tuple[int, ...]
    catalogue: Catalogue = field(compare=False)


def _read(words: _Words) -> tuple[_Statements, Mapping[str, Any]]:
    """The statements of a search and the values bound in them, pages apart; raises ``Invalid``."""
    filtered = Filter(words.catalogue, words.filter)
    ordered = Order(words.catalogue, words.order_by)
    values, standing = words.scope_values, words.scope
    scopes = len(values) if len(values) <= MERGED else MERGED + 1
    same = _same_key(filtered, ordered)
    shape = (words.catalogue_id, standing.shape, filtered.shape, ordered.shape, scopes, tuple(same))
    key = _Key(shape, words.catalogue, standing, filtered, ordered, scopes, same)
    small = len(filtered.leaves) <= MAX_KEPT_COMPARISONS
    statements = _kept(key) if small else _Statements(key)
    bound = {**standing.values, **filtered.values, **ordered.values, "q_scopes": list(values)}
    bound.update((f"q_scope{n}", value) for n, value in enumerate(values[:MERGED]))
    return statements, bound


_read_once = functools.lru_cache(maxsize=KEPT)(_read)


def _same_key(filtered: Filter, ordered: Order) -> list[int]:
    """The numbers of required comparisons of the very key that is ordered by first."""
    first = ordered.terms[0].field if ordered.terms else None
    if not isinstance(first, KeyField):
        return []
    return [
        leaf.number
        for leaf in filtered.required()
        if isinstance(leaf.done.field, KeyField)
        and leaf.done.field.keyed is first.keyed
        and leaf.done.field.key == first.key
    ]


def _page(
    fetch: Fetch, statements: _Statements, bound: dict[str, Any], limit: int, offset: int
) -> list[Any]:
    """Cut the page out of the parts, asking for as few of them as it takes."""
    page: list[Any] = []
    for part in statements.parts(_few(fetch, statements, bound)):
        wanted = limit - len(page)
        limits = {"q_limit": wanted, "q_offset": offset, "q_most": wanted + offset}
        found = fetch(part.select, **bound, **limits)
        page += found
        if len(page) >= limit:
            break
        offset = 0 if found or not offset else offset - fetch(part.count, **bound)[0][0]
    return page


def _few(fetch: Fetch, statements: _Statements, bound: dict[str, Any]) -> int | None:
    """The number of the required comparison that the fewest satisfy, if they are few."""
    fewest, least = None, FEW + 1
    for number, counting in statements.candidates.items():
        found = fetch(counting, **bound, q_few=least)[0][0]
        if found < least:
            fewest, least = number, found
            if least <= FEW_ENOUGH:
                break
    return fewest


@dataclass(frozen=True, slots=True)
class _Key:
    """What statements are made from; keys are equal when their shapes are.

    The catalogue and the scope are held so that no other takes over their ``id``.
    """

    shape: tuple[object, ...]
    catalogue: Catalogue = field(compare=False)
    scope: Scope = field(compare=False)
    filter: Filter = field(compare=False)
    order: Order = field(compare=False)
    scopes: int = field(compare=False)
    same: Sequence[int] = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that follow each other in the whole order: a page of them, and how many there are."""

    select: sa.Select[Any]
    count: sa.Select[Any]


class _Statements:
    """The statements of all searches of one shape, each made when it is first needed."""

    def __init__(self, key: _Key) -> None:
        self.catalogue = key.catalogue
        self.scope = key.scope.condition()
        self.filter = key.filter
        self.order = key.order
        self.scopes = key.scopes
        self.same = [leaf for leaf in key.filter.required() if leaf.number in key.same]
        self.conditions = self.holding()
        self.driving: dict[int, sa.Select[Any]] = {}
        self.candidates: dict[int, sa.Select[Any]] = {}
        for leaf in key.filter.required()[:MAX_TRIED]:
            owners = self.owners(leaf)
            if owners is not None:
                self.driving[leaf.number] = owners
                some = owners.limit(_whole("q_few")).subquery()
                self.candidates[leaf.number] = sa.select(sa.func.count()).select_from(some)
        self.made: dict[int | None, list[_Part]] = {}

    def holding(self, but: Sequence[int] = (), owner: Column | None = None) -> list[Condition]:
        """Scope and filter, without the required comparisons of the numbers ``but``.

        ``owner`` is the driving table's: what a key asks is then asked before the noun's row is
        fetched.
        """
        condition = self.filter.condition(named, but=but, owner=owner)
        return [self.scope] if condition is None else [self.scope, condition]

    def parts(self, candidate: int | None) -> Iterator[_Part]:
        """What pages are cut from, one after the other, when ``candidate`` or none drives."""
        made = self.made.setdefault(candidate, [])
        number = 0
        while True:
            if number == len(made):
                fresh = self.make(candidate, number)
                if fresh is None:
                    return
                made.insert(number, fresh)
            yield made[number]
            number += 1

    def make(self, candidate: int | None, number: int) -> _Part | None:
        """One part, or None past the last."""
        terms = self.order.terms
        first = terms[0].field if terms else None
        if candidate is None and isinstance(first, KeyField) and self.can_drive(first.keyed):
            return self.part_by_value(first, number)
        if candidate is None and isinstance(first, Attribute) and nullable(first.column):
            return self.part_by_nullable(first, number)
        if number:
            return None
        table, ordering = self.catalogue.table, self.order.ordering(named)
        if candidate is None:
            source = ordering.source(table)
            return self.part(source, self.conditions, ordering.columns, self.catalogue.scope)
        driver = self.driving[candidate].cte("candidates").prefix_with("MATERIALIZED")
        joined = DrivingJoin(driver, table, driver.c.owner == self.catalogue.id)
        holding = self.holding([candidate], driver.c.owner)
        return self.part(ordering.source(joined), holding, ordering.columns, None)

    def part_by_value(self, first: KeyField, number: int) -> _Part | None:
        """Ordered by a key first: numbers, texts, NaN, rows without the key; as far as there are such."""
        keyed, term, owner = first.keyed, self.order.terms[0], self.catalogue.id
        rest = self.order.ordering(named, after=1)
        probe = Probe.of(keyed)
        is_key = probe.key == named(term.key, sa.Text())
        phases = ["real", "absent"]
        if probe.nan is not None:
            phases.insert(1, "nan")
        if probe.number is not None:
            phases.insert(0, "number")
        ops = {leaf.done.op for leaf in self.same}
        if "IS NULL" in ops:
            phases = ["absent"]
        elif ops:
            phases.remove("absent")
        if number >= len(phases):
            return None
        if phases[number] == "absent":
            absent = sa.not_(probe.exists(probe.owner == owner, is_key))
            source = rest.source(self.catalogue.table)
            return self.part(source, [*self.conditions, absent], rest.columns, self.catalogue.scope)
        source = rest.source(DrivingJoin(probe.table, self.catalogue.table, probe.owner == owner))
        others = self.holding([leaf.number for leaf in self.same], probe.owner)
        conditions = [*self.within(probe), is_key, *others]
        columns: Sequence[By] = rest.columns
        if probe.nan is not None:
            conditions.append(probe.nan == constant(int(phases[number] == "nan")))
        # The index is entered where the filter on its own key begins to hold.
        conditions += [
            keyed_condition(probe, leaf, named)
            for leaf in self.same
            if leaf.done.op != "IS NOT NULL"
        ]
        numeric, phase = probe.number, phases[number]
        if numeric is not None and phase == "number":
            columns = [By(numeric, term.descending), *columns]
            conditions.append(numeric.is_not(None))
        elif phase == "real":
            columns = [*by_index(probe, descending=term.descending), *columns]
            if numeric is not None:
                conditions.append(numeric.is_(None))
        scope = None if keyed.scope is None else probe.table.c[keyed.scope]
        return self.part(source, conditions, columns, scope)

    def part_by_nullable(self, first: Attribute, number: int) -> _Part | None:
        """Ordered by an attribute first: rows that have it in an index's own order, then the others.

        NULLS LAST in one statement would need an index of its own for each direction.
        """
        column, scope = first.column, self.catalogue.scope
        asked = any(
            leaf.done.field is first and leaf.done.op != "IS NULL"
            for leaf in self.filter.required()
        )
        if number == 0:
            ordering = self.order.ordering(named)
            columns = [replace(ordering.columns[0], nullable=False), *ordering.columns[1:]]
            having = column.is_not(None)
        elif number == 1 and not asked:
            ordering = self.order.ordering(named, after=1)
            columns, having = list(ordering.columns), column.is_(None)
        else:
            return None
        source = ordering.source(self.catalogue.table)
        return self.part(source, [*self.conditions, having], columns, scope)

    def part(
        self,
        source: sa.FromClause,
        conditions: Sequence[Condition],
        by: Sequence[By],
        scope: Column | None,
    ) -> _Part:
        """The statements of a part; ``scope`` is the column to merge several scopes by."""
        count = sa.select(sa.func.count()).select_from(source).where(*conditions)
        if scope is not None and 1 < self.scopes <= MERGED:
            select = self.merged(source, conditions, by, scope)
        else:
            rows = sa.select(self.catalogue.id, *self.catalogue.shown)
            rows = rows.select_from(source).where(*conditions)
            select = rows.order_by(*(each.directed() for each in by))
        return _Part(select.limit(_whole("q_limit")).offset(_whole("q_offset")), count)

    def merged(
        self,
        source: sa.FromClause,
        conditions: Sequence[Condition],
        by: Sequence[By],
        scope: Column,
    ) -> sa.Select[Any]:
        """The first rows of each scope, merged: each scope is read in the order of an index."""
        columns = [each.column.label(f"by_{n}") for n, each in enumerate(by)]
        shown = (self.catalogue.id, *self.catalogue.shown)
        given = [column.label(f"shown_{n}") for n, column in enumerate(shown)]
        firsts = [
            sa.select(*given, *columns)
            .select_from(source)
            .where(scope == _whole(f"q_scope{n}"), *conditions)
            .order_by(*(each.directed() for each in by))
            .limit(_whole("q_most"))
            .subquery()
            for n in range(self.scopes)
        ]
        rows = sa.union_all(*(sa.select(first) for first in firsts)).subquery()
        directed = [each.directed(rows.c[f"by_{n}"]) for n, each in enumerate(by)]
        return sa.select(*(rows.c[column.name] for column in given)).order_by(*directed)

    def owners(self, leaf: Leaf) -> sa.Select[Any] | None:
        """The ids that satisfy a comparison, if an index can list them."""
        place, op = leaf.done.field, leaf.done.op
        if isinstance(place, Attribute):
            if not place.indexed or op not in ("=", "IN"):
                return None
            condition = attribute_condition(place, leaf, named)
            return sa.select(self.catalogue.id.label("owner")).where(self.scope, condition)
        ranged = leaf.done.numeric and op in ("<", "<=", ">", ">=", "BETWEEN")
        if not isinstance(place, KeyField) or not (ranged or op in ("=", "IN")):
            return None
        if not self.can_drive(place.keyed):
            return None
        probe = Probe.of(place.keyed)
        return sa.select(probe.owner.label("owner")).where(
            *self.within(probe),
            probe.key == named(leaf.key, sa.Text()),
            keyed_condition(probe, leaf, named),
        )

    def can_drive(self, keyed: Keyed) -> bool:
        """Whether an index of the keyed table lists the rows of one key."""
        return keyed.scope is None or self.scopes > 0

    def within(self, probe: Probe) -> list[Condition]:
        """The scope, in terms of a keyed table."""
        if probe.keyed.scope is None:
            return []
        column = probe.table.c[probe.keyed.scope]
        if self.scopes == 1:
            return [column == _whole("q_scope0")]
        return [sa.type_coerce(column, sa.BigInteger()).in_(_scopes())]


_kept = functools.lru_cache(maxsize=KEPT)(_Statements)


def _whole(name: str) -> Any:
    return named(name, sa.BigInteger())


def _scopes() -> Any:
    return named("q_scopes", sa.BigInteger(), many=True)
