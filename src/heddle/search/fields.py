"""Field catalogues: what a noun can be searched by, and the check of a comparison against them.

A noun's file declares one ``Catalogue``. Here a key of the grammar is resolved to a field and the
literals are checked against the field's kind; ``sql`` turns the result into statements. A key or a
literal that does not fit gives ``Invalid`` with the position and the nearest valid names.

Rules: a number field takes bare numbers only, a text field quoted texts only, except that a keyed
text field with a ``number`` column takes bare numbers too and then compares the numeric form.
Texts have no order that two databases share, so ``<`` and BETWEEN are for numbers.

What an entity lacks is NULL in an attribute's column, or no row in a keyed table. A column that
stores emptiness for absence can be given as ``sa.func.nullif(column, '')``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from heddle.errors import Invalid
from heddle.search.grammar import Comparison, OrderTerm, failure

Kind = Literal["text", "number"]
Value = str | int | float

ORDERED = frozenset({"<", "<=", ">", ">=", "BETWEEN", "NOT BETWEEN"})
TEXTUAL = frozenset({"LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "MATCHES", "NOT MATCHES"})


@dataclass(frozen=True)
class Attribute:
    """A column of the noun itself.

    ``aliases`` are other spellings. ``indexed`` says that the noun's table has an index that finds
    rows by this column quickly; equality on it is then tried first when looking for few candidates.
    ``sortable`` and ``filterable`` leave it out of orders or of filters.
    """

    name: str
    column: sa.ColumnElement[Any]
    kind: Kind
    aliases: tuple[str, ...] = ()
    indexed: bool = False
    sortable: bool = True
    filterable: bool = True


@dataclass(frozen=True)
class Keyed:
    """A table of key and value hanging on the noun by its id; one row for each owner and key.

    All columns are named. ``nan`` is the 0/1 column of numbers that are not one; ``number`` is the
    nullable numeric form of a text, by which ``numbers_first`` orders the texts that have one, before
    the others. ``scope`` is a copy of the noun's scope column (see ``Catalogue.scope``) that lets an
    index deliver one scope's rows of a key in the order of values.
    """

    prefixes: tuple[str, ...]
    table: sa.FromClause
    kind: Kind
    owner: str
    key: str = "key"
    value: str = "value"
    nan: str | None = None
    number: str | None = None
    numbers_first: bool = False
    scope: str | None = None


@dataclass(frozen=True)
class Related:
    """Things that hang on the noun, several to one, searched by their text columns.

    What has one column only may be named without it. ``exists`` takes a condition on the columns
    and gives an EXISTS that correlates to the noun's table. Each comparison asks for a related thing
    of its own.
    """

    prefixes: tuple[str, ...]
    fields: Mapping[str, sa.ColumnElement[Any]]
    exists: Callable[[sa.ColumnElement[bool]], sa.ColumnElement[bool]]


@dataclass(frozen=True)
class Catalogue:
    """Everything that a noun is searched by; ``noun`` is its plural, for messages.

    ``id`` is its integer key. ``default_order`` stands in for an empty order; ``tie_break`` follows
    every order, leaving out what is named already, and must end in something unique. ``scope`` is
    the column (such as ``runs.experiment_id``) whose values ``sql.search_ids`` may be told.
    ``shown`` are columns of the table that ``sql.search_rows`` gives beside the id.
    """

    noun: str
    table: sa.Table
    id: sa.Column[Any]
    attributes: tuple[Attribute, ...]
    keyed: tuple[Keyed, ...] = ()
    related: tuple[Related, ...] = ()
    default_order: tuple[str, ...] = ()
    tie_break: tuple[str, ...] = ()
    attribute_prefixes: tuple[str, ...] = ("attributes", "attribute", "attr")
    scope: sa.Column[Any] | None = None
    shown: tuple[sa.Column[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class KeyField:
    """One key of a keyed table."""

    keyed: Keyed
    key: str


@dataclass(frozen=True, slots=True)
class RelatedField:
    """One column of a related thing."""

    related: Related
    name: str


Field = Attribute | KeyField | RelatedField


@dataclass(frozen=True, slots=True)
class Checked:
    """A comparison that fits its field: ``numeric`` tells which form of the field it compares."""

    field: Field
    op: str
    values: tuple[Value, ...]
    numeric: bool


def resolve(catalogue: Catalogue, term: Comparison | OrderTerm, text: str) -> Field:
    """The field that a comparison or a term of an order names; raises ``Invalid``."""
    prefix, key = term.prefix, term.key
    ordering = isinstance(term, OrderTerm)
    if prefix is None or prefix in catalogue.attribute_prefixes:
        offered: list[str] = []
        for attribute in catalogue.attributes:
            if attribute.sortable if ordering else attribute.filterable:
                if key == attribute.name or key in attribute.aliases:
                    return attribute
                offered.append(attribute.name)
        related = None if ordering else related_alone(catalogue, key)
        if related is not None:
            return related
        raise _unknown("field", key, offered, catalogue, term.position, text)
    for keyed in catalogue.keyed:
        if prefix in keyed.prefixes:
            return KeyField(keyed, key)
    for things in catalogue.related:
        if prefix in things.prefixes and not ordering:
            if key in things.fields:
                return RelatedField(things, key)
            raise _unknown(
                f"field of {prefix}", key, list(things.fields), catalogue, term.position, text
            )
    spellings = [keyed.prefixes for keyed in catalogue.keyed]
    if not ordering:
        spellings += [related.prefixes for related in catalogue.related]
    spellings.append(catalogue.attribute_prefixes)
    prefixes = [prefix for each in spellings for prefix in each]
    usual = [each[0] for each in spellings]
    raise _unknown("prefix", prefix, prefixes, catalogue, term.position, text, usual)


def related_alone(catalogue: Catalogue, name: str) -> RelatedField | None:
    """The column of related things that have one only; None for any other name."""
    for related in catalogue.related:
        if name in related.prefixes and len(related.fields) == 1:
            return RelatedField(related, *related.fields)
    return None


def _unknown(
    what: str,
    given: str,
    offered: Sequence[str],
    catalogue: Catalogue,
    position: int,
    text: str,
    usual: Sequence[str] = (),
) -> Invalid:
    return failure(text, position, lacking(catalogue, what, given, offered, usual))


def lacking(
    catalogue: Catalogue, what: str, given: str, offered: Sequence[str], usual: Sequence[str] = ()
) -> str:
    """Says what was not found and what comes nearest, or else all that is ``usual`` or offered."""
    near = difflib.get_close_matches(given[:100].lower(), offered, n=3, cutoff=0.6)
    shown = given if len(given) <= 60 else given[:60] + "…"
    known = f"there are {', '.join(usual or offered)}"
    hint = f"did you mean {' or '.join(near)}?" if near else known
    return f"{catalogue.noun.capitalize()} have no {what} '{shown}'; {hint}"


def check(catalogue: Catalogue, comparison: Comparison, text: str) -> Checked:
    """The comparison with its field, once operator and literals fit it; raises ``Invalid``."""
    field = resolve(catalogue, comparison, text)
    op = comparison.op
    values = tuple(literal.value for literal in comparison.values)
    kind: Kind
    if isinstance(field, Attribute):
        kind = field.kind
    elif isinstance(field, KeyField):
        kind = field.keyed.kind
    else:
        kind = "text"
    name = comparison.key if comparison.prefix is None else f"{comparison.prefix}.{comparison.key}"
    name = name if len(name) <= 60 else name[:60] + "…"
    if kind == "number":
        if op in TEXTUAL:
            raise failure(text, comparison.op_position, f"{name} is a number; {op} is for texts")
        for literal in comparison.values:
            if isinstance(literal.value, str):
                message = f"{name} is a number; write the value without quotes"
                raise failure(text, literal.position, message)
        return Checked(field, op, values, numeric=True)
    also_number = isinstance(field, KeyField) and field.keyed.number is not None
    numeric = also_number and bool(values) and not isinstance(values[0], str)
    for literal in comparison.values:
        if isinstance(literal.value, str) == numeric:
            message = (
                "A list holds numbers or texts, not both"
                if also_number
                else f"{name} is a text; put the value in quotes"
            )
            raise failure(text, literal.position, message)
    if op in ORDERED and not numeric:
        hint = "write the number without quotes" if also_number else "use = != LIKE ILIKE IN"
        raise failure(text, comparison.op_position, f"{op} compares numbers; {hint}")
    return Checked(field, op, values, numeric)
