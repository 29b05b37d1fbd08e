"""Orders: terms checked against a catalogue, as joins and columns for ORDER BY.

What is missing comes last in both directions, NaN just before it; texts stand in the order of their
code points, where a catalogue says so behind those that are numbers. Like filters, orders have a
shape and the values of their parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.errors import Invalid
from heddle.search import constructs
from heddle.search.fields import Attribute, Catalogue, Field, KeyField, resolve
from heddle.search.filters import Bind, Column, Condition, Probe, head, nullable
from heddle.search.grammar import OrderTerm, failure, parse_order

MAX_ORDER_TERMS = 20


@dataclass(frozen=True, slots=True)
class By:
    """One column of an order; what may be NULL comes last either way."""

    column: Column
    descending: bool = False
    nullable: bool = False

    def directed(self, column: Column | None = None) -> Column:
        """The column, or another in its place, as ORDER BY takes it."""
        chosen = self.column if column is None else column
        directed = chosen.desc() if self.descending else chosen.asc()
        return directed.nulls_last() if self.nullable else directed


@dataclass(frozen=True, slots=True)
class Term:
    """One checked term, with the number that its parameter is named by."""

    number: int
    field: Field
    descending: bool

    @property
    def key(self) -> str:
        """The name of the parameter that holds the key of a keyed field."""
        return f"q_by{self.number}"


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order for a select over the catalogue's table."""

    joins: tuple[tuple[sa.FromClause, Condition], ...]
    columns: tuple[By, ...]

    def source(self, table: sa.FromClause) -> sa.FromClause:
        """``table`` with what the order needs joined to it; one row stays one row."""
        for other, on in self.joins:
            table = table.outerjoin(other, on)
        return table

    @property
    def by(self) -> tuple[Column, ...]:
        """What ORDER BY takes, for a select from ``source``."""
        return tuple(each.directed() for each in self.columns)


class Order:
    """The terms given, or else the default ones, then the tie-breaks not named before.

    Raises ``Invalid`` for a term that cannot be read, is unknown, or names a field again.
    """

    def __init__(self, catalogue: Catalogue, given: Sequence[str | OrderTerm]) -> None:
        if len(given) > MAX_ORDER_TERMS:
            raise Invalid(f"An order may have {MAX_ORDER_TERMS} terms.")
        self.catalogue = catalogue
        self.terms: list[Term] = []
        self._named: set[object] = set()
        for item in given:
            term = parse_order(item) if isinstance(item, str) else item
            if not self._take(term):
                raise failure(term.text, term.position, "The order names this field twice")
        for text in (*(() if given else catalogue.default_order), *catalogue.tie_break):
            self._take(parse_order(text))
        self.shape = tuple((_place(term.field), term.descending) for term in self.terms)
        self.values = {
            term.key: term.field.key for term in self.terms if isinstance(term.field, KeyField)
        }

    def _take(self, term: OrderTerm) -> bool:
        """Add a term unless its field is named already."""
        field = resolve(self.catalogue, term, term.text)
        identity = (_place(field), field.key if isinstance(field, KeyField) else None)
        if identity in self._named:
            return False
        self._named.add(identity)
        self.terms.append(Term(len(self.terms), field, term.descending))
        return True

    def ordering(self, bind: Bind, *, after: int = 0) -> Ordering:
        """The terms after the first ``after`` ones, ready for a statement."""
        joins: list[tuple[sa.FromClause, Condition]] = []
        columns: list[By] = []
        for term in self.terms[after:]:
            field, descending = term.field, term.descending
            if isinstance(field, Attribute):
                column = field.column
                value = constructs.by_code(column) if field.kind == "text" else column
                columns.append(By(value, descending, nullable(column)))
            elif isinstance(field, KeyField):
                probe = Probe.of(field.keyed)
                same = probe.owner == self.catalogue.id
                joins.append((probe.table, sa.and_(same, probe.key == bind(term.key, sa.Text()))))
                if probe.nan is not None:
                    columns.append(By(probe.nan, nullable=True))
                if probe.number is not None:
                    columns.append(By(probe.number, descending, nullable=True))
                value = probe.value
                if field.keyed.kind == "text":
                    value = constructs.by_code(value)
                columns.append(By(value, descending, nullable=True))
        return Ordering(tuple(joins), tuple(columns))


def by_index(probe: Probe, *, descending: bool) -> list[By]:
    """The order of a keyed table's values as its index has it."""
    if probe.keyed.kind == "number":
        return [By(probe.value, descending)]
    values = (head(probe.value), probe.value)
    return [By(constructs.by_code(value), descending) for value in values]


def _place(field: Field) -> object:
    """Where a field stands: the same for two spellings of it, and for all keys of one table."""
    return field.keyed.prefixes if isinstance(field, KeyField) else field.name
