"""Checked filters as conditions of SQLAlchemy Core.

A ``Filter`` is one text, parsed and checked. Its *shape* is all of it but the literals and the keys,
which are bound: two filters of one shape have the same SQL, so statements can be built once and run
with the ``values`` of each. All comparisons are two-valued, so that NOT is the plain opposite: one
on something that an entity lacks is false.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from heddle.errors import Invalid
from heddle.search import constructs, patterns
from heddle.search.fields import Attribute, Catalogue, Checked, Keyed, KeyField, check
from heddle.search.grammar import And, Comparison, Node, Not, Or, failure, parse

Condition = sa.ColumnElement[bool]
Column = sa.ColumnElement[Any]

PREFIX_LENGTH = 64
"""Characters of a text that are indexed; PostgreSQL's index entries are bounded."""


class Bind(Protocol):
    """Makes the bound parameter of a name; ``many`` for the list of an IN."""

    def __call__(self, name: str, kind: sa.types.TypeEngine[Any], *, many: bool = False) -> Any:
        """The parameter."""


def named(name: str, kind: sa.types.TypeEngine[Any], *, many: bool = False) -> Any:
    """A parameter that gets its value when the statement runs."""
    return sa.bindparam(name, type_=kind, expanding=many)


def valued(values: Mapping[str, Any]) -> Bind:
    """Parameters that carry their values."""

    def bind(name: str, kind: sa.types.TypeEngine[Any], *, many: bool = False) -> Any:
        return sa.bindparam(None, values[name], type_=kind, expanding=many, unique=True)

    return bind


@dataclass(frozen=True, slots=True)
class Probe:
    """A keyed table under a name of its own, with its columns by their roles."""

    keyed: Keyed
    table: sa.FromClause
    owner: Column
    key: Column
    value: Column
    nan: Column | None
    number: Column | None
    """Only where an order has numbers first."""

    @classmethod
    def of(cls, keyed: Keyed) -> Probe:
        """A new name for the table."""
        table = keyed.table.alias()
        c = table.c
        nan = None if keyed.nan is None else c[keyed.nan]
        number = c[keyed.number] if keyed.number and keyed.numbers_first else None
        return cls(keyed, table, c[keyed.owner], c[keyed.key], c[keyed.value], nan, number)

    def exists(self, *conditions: Condition) -> Condition:
        """Whether a row of the table satisfies the conditions."""
        select = sa.select(constructs.constant(1)).select_from(self.table).where(*conditions)
        return sa.exists(select.correlate_except(self.table))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A comparison that fits its field, with the number that its parameters are named by."""

    number: int
    done: Checked
    position: int

    @property
    def key(self) -> str:
        """The name of the parameter that holds the key of a keyed field."""
        return f"q_key{self.number}"

    def name(self, role: str) -> str:
        """The name of one of its parameters."""
        return f"q_{role}{self.number}"

    @property
    def whole(self) -> bool:
        """Whether equality must look past the indexed beginning of a text."""
        return any(len(str(value)) >= PREFIX_LENGTH for value in self.done.values)

    @property
    def exact(self) -> bool:
        """Whether all its numbers are whole, to be compared as such with a whole column."""
        return isinstance(self.done.field, Attribute) and all(
            isinstance(value, int) for value in self.done.values
        )

    def shape(self) -> tuple[object, ...]:
        """All that decides its SQL."""
        field, done = self.done.field, self.done
        if isinstance(field, Attribute):
            where: object = field.name
        elif isinstance(field, KeyField):
            where = field.keyed.prefixes
        else:
            where = (field.related.prefixes, field.name)
        many = len(done.values) > 1
        return (where, done.op, done.numeric, many, done.numeric and self.exact, self.whole)

    def values(self, text: str) -> dict[str, Any]:
        """The values of its parameters; raises ``Invalid`` for a bad regular expression."""
        done = self.done
        found: dict[str, Any] = {}
        if isinstance(done.field, KeyField):
            found[self.key] = done.field.key
        op = done.op.removeprefix("NOT ")
        if op in ("LIKE", "ILIKE", "MATCHES"):
            pattern = str(done.values[0])
            try:
                forms = patterns.forms(op, pattern)
            except Invalid as error:
                raise failure(text, self.position, error.message) from None
            found[self.name("sqlite")], found[self.name("postgresql")] = forms
        elif op == "BETWEEN":
            found[self.name("low")], found[self.name("high")] = self.numbers()
        elif done.values:
            values: Sequence[Any] = self.numbers() if done.numeric else done.values
            heads = [str(value)[:PREFIX_LENGTH] for value in values]
            many = len(values) > 1
            found[self.name("value")] = values if many else values[0]
            found[self.name("head")] = heads if many else heads[0]
        return found

    def numbers(self) -> list[int | float]:
        """The literals as they are bound."""
        return [v if self.exact else float(v) for v in self.done.values]  # type: ignore[misc]

    def kind(self) -> sa.types.TypeEngine[Any]:
        """The type that its literals are bound as, whatever the column's."""
        if not self.done.numeric:
            return sa.Text()
        return sa.BigInteger() if self.exact else sa.Double()


class Filter:
    """One filter of one catalogue; raises ``Invalid`` with a position for whatever is wrong."""

    def __init__(self, catalogue: Catalogue, text: str) -> None:
        self.catalogue = catalogue
        self.leaves: dict[int, Leaf] = {}
        self.values: dict[str, Any] = {}
        self.tree = parse(text) if text.strip() else None
        self.shape = None if self.tree is None else self._take(self.tree, text)

    def _take(self, node: Node, text: str) -> tuple[object, ...]:
        """Check a node and what is under it; its shape. The grammar bounds the depth."""
        if isinstance(node, Comparison):
            position = node.values[0].position if node.values else node.position
            leaf = Leaf(len(self.leaves), check(self.catalogue, node, text), position)
            self.leaves[node.position] = leaf
            self.values.update(leaf.values(text))
            return leaf.shape()
        if isinstance(node, Not):
            return (Not, self._take(node.operand, text))
        return (type(node), *(self._take(operand, text) for operand in node.operands))

    def required(self) -> list[Leaf]:
        """The comparisons that every found entity satisfies, in the order of the text."""
        operands = self.tree.operands if isinstance(self.tree, And) else (self.tree,)
        return [self.leaves[node.position] for node in operands if isinstance(node, Comparison)]

    def condition(
        self, bind: Bind, *, but: Collection[int] = (), owner: Column | None = None
    ) -> Condition | None:
        """The filter as a condition on the catalogue's table; None for a blank text.

        ``but`` numbers required comparisons that hold anyway, which are left out. ``owner`` is a
        column of another table that equals the catalogue's id and is known earlier.
        """
        if self.tree is None:
            return None
        owner = self.catalogue.id if owner is None else owner
        operands = self.tree.operands if isinstance(self.tree, And) else (self.tree,)
        kept = [node for node in operands if not self._is_one_of(node, but)]
        kept.sort(key=self._patience)
        return sa.and_(*(self._condition(node, bind, owner) for node in kept)) if kept else None

    def _is_one_of(self, node: Node, numbers: Collection[int]) -> bool:
        return isinstance(node, Comparison) and self.leaves[node.position].number in numbers

    def _patience(self, node: Node) -> int:
        """What rules out most for the least is asked first: a key's text, then other comparisons."""
        if not isinstance(node, Comparison):
            return 2
        done = self.leaves[node.position].done
        is_text = isinstance(done.field, KeyField) and done.field.keyed.kind == "text"
        return 0 if is_text and done.op in ("=", "IN") else 1

    def _condition(self, node: Node, bind: Bind, owner: Column) -> Condition:
        if isinstance(node, Comparison):
            return self._comparison(self.leaves[node.position], bind, owner)
        if isinstance(node, Not):
            return sa.not_(self._condition(node.operand, bind, owner))
        parts = [self._condition(operand, bind, owner) for operand in node.operands]
        return sa.or_(*parts) if isinstance(node, Or) else sa.and_(*parts)

    def _comparison(self, leaf: Leaf, bind: Bind, owner: Column) -> Condition:
        field, op = leaf.done.field, leaf.done.op
        if isinstance(field, Attribute):
            return attribute_condition(field, leaf, bind)
        if isinstance(field, KeyField):
            probe = Probe.of(field.keyed)
            conditions = [
                probe.owner == owner,
                probe.key == bind(leaf.key, sa.Text()),
            ]
            if op == "IS NULL":
                return sa.not_(probe.exists(*conditions))
            if op != "IS NOT NULL":
                conditions.append(keyed_condition(probe, leaf, bind))
            return probe.exists(*conditions)
        column = field.related.fields[field.name]
        if op == "IS NULL":
            return sa.not_(field.related.exists(column.is_not(None)))
        if op == "IS NOT NULL":
            return field.related.exists(column.is_not(None))
        return field.related.exists(_compare(column, op, leaf, bind))


def attribute_condition(attribute: Attribute, leaf: Leaf, bind: Bind) -> Condition:
    """A comparison of an attribute, false where the column is NULL."""
    column, op = attribute.column, leaf.done.op
    if op == "IS NULL":
        return column.is_(None)
    if op == "IS NOT NULL":
        return column.is_not(None)
    condition = _compare(column, op, leaf, bind)
    return sa.and_(column.is_not(None), condition) if nullable(column) else condition


def nullable(column: Column) -> bool:
    """Whether a column may be NULL; an expression may."""
    return bool(getattr(column, "nullable", True))


def keyed_condition(probe: Probe, leaf: Leaf, bind: Bind) -> Condition:
    """What a row of a keyed table must satisfy, its key and its owner apart."""
    op = leaf.done.op
    if probe.keyed.kind == "number":
        condition = _compare(probe.value, op, leaf, bind)
        if probe.nan is None:
            return condition
        if op in ("!=", "NOT IN"):
            return sa.or_(probe.nan != constructs.constant(0), condition)
        return sa.and_(probe.nan == constructs.constant(0), condition)
    if leaf.done.numeric:
        return _compare(probe.table.c[str(probe.keyed.number)], op, leaf, bind)
    if op not in ("=", "IN"):
        return _compare(probe.value, op, leaf, bind)
    beginning = _compare(head(probe.value), op, leaf, bind, role="head")
    if not leaf.whole:
        return beginning
    return sa.and_(beginning, _compare(constructs.unseen(probe.value), op, leaf, bind))


def head(column: Column) -> Column:
    """The indexed beginning of a text."""
    first, length = constructs.constant(1), constructs.constant(PREFIX_LENGTH)
    return sa.func.substr(column, first, length, type_=sa.Text())


def _compare(column: Column, op: str, leaf: Leaf, bind: Bind, role: str = "value") -> Condition:
    """``column op literals`` for any operator but IS NULL and IS NOT NULL."""
    kind = leaf.kind()
    if op.startswith("NOT "):
        return sa.not_(_compare(column, op[4:], leaf, bind))
    if op in ("LIKE", "ILIKE", "MATCHES"):
        forms: Sequence[Any] = [bind(leaf.name(form), kind) for form in ("sqlite", "postgresql")]
        return constructs.PATTERNS[op](column, *forms)
    if op == "BETWEEN":
        low, high = bind(leaf.name("low"), kind), bind(leaf.name("high"), kind)
        return sa.and_(column >= low, column <= high)
    if op == "IN" and len(leaf.done.values) > 1:
        return sa.type_coerce(column, kind).in_(bind(leaf.name(role), kind, many=True))
    return column.bool_op("=" if op == "IN" else op)(bind(leaf.name(role), kind))
