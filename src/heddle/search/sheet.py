"""Sheets: a noun's rows as a table with columns of the caller's choice.

A column is named as in filters and orders: a property by its bare name, a key by its prefix
(``metrics.rmse``, ``min.rmse``, ``params.depth``, ``tags.team``). Only the values that the chosen
columns show are read, in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here, is_here
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.search.fields import Catalogue, lacking, related_alone
from heddle.search.filters import PREFIX_LENGTH
from heddle.search.grammar import failure, parse_order, quote_key
from heddle.search.keys import LAST, LOOKED_AT, Keys

Group = Literal["property", "metric", "param", "tag"]
Kind = Literal["number", "text", "time", "duration", "list"]
Cell = float | str | list[str] | None
Load = Callable[[Tx, Sequence[int]], Mapping[int, Cell]]
BATCH = 5000
COLUMNS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Property:
    """A column that every row has: an attribute of the catalogue, or what ``load`` finds."""

    name: str
    kind: Kind
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One chosen column; ``prefix`` tells which keys it reads, empty for a property."""

    id: str
    group: Group
    prefix: str
    key: str
    kind: Kind
    sortable: bool


@dataclass(frozen=True, slots=True)
class Family:
    """All columns of one prefix; ``load`` stands in for keys that no table holds (means)."""

    prefix: str
    group: Group
    kind: Kind
    keys: Keys
    load: Callable[[Tx, Sequence[int], Sequence[str]], Iterable[tuple[int, str, Cell]]] | None = (
        None
    )


class Sheet:
    """One noun's properties and families of keys."""

    def __init__(
        self, catalogue: Catalogue, properties: Sequence[Property], families: Sequence[Family]
    ) -> None:
        self.catalogue = catalogue
        self.properties = {each.name: each for each in properties}
        self.families = {each.prefix: each for each in families}
        self._attributes = {
            name: each for each in catalogue.attributes for name in (each.name, *each.aliases)
        }
        self._loaders: dict[tuple[str, ...], Statement] = {}

    @cached_property
    def listed(self) -> Sequence[Family]:
        """The first family of each group: what the column chooser lists."""
        first: dict[Group, Family] = {}
        for family in self.families.values():
            first.setdefault(family.group, family)
        return tuple(first.values())

    def column(self, text: str) -> Column:
        """The column that a text names; raises ``Invalid``."""
        term = parse_order(text)
        if term.prefix is None or term.prefix in self.catalogue.attribute_prefixes:
            found = self.properties.get(term.key)
            if found is None:
                names = list(self.properties)
                what = lacking(self.catalogue, "column", term.key, names)
                raise failure(text, term.position, what)
            attribute = self._attributes.get(found.name)
            sortable = attribute is not None and attribute.sortable
            return Column(found.name, "property", "", found.name, found.kind, sortable)
        for family in self.families.values():
            if term.prefix == family.prefix or term.prefix in family.keys.keyed.prefixes:
                identity = column_id(family.prefix, term.key)
                return Column(
                    identity,
                    family.group,
                    family.prefix,
                    term.key,
                    family.kind,
                    family.load is None,
                )
        groups = list(self.families)
        what = lacking(self.catalogue, "columns under", term.prefix, groups)
        raise failure(text, term.position, what)

    def can_filter(self, text: str) -> bool:
        """Whether a filter can name the column of this name; raises ``Invalid`` if there is none."""
        column = self.column(text)
        if column.group != "property":
            return self.families[column.prefix].load is None
        attribute = self._attributes.get(column.key)
        if attribute is None:
            return related_alone(self.catalogue, column.key) is not None
        return attribute.filterable

    def columns(self, texts: Sequence[str]) -> list[Column]:
        """The columns that texts name; raises ``Invalid``."""
        if len(texts) > COLUMNS_MAX:
            raise Invalid(f"{len(texts)} columns are too many; at most {COLUMNS_MAX} are shown.")
        return [self.column(text) for text in texts]

    def cells(self, tx: Tx, ids: Sequence[int], columns: Sequence[Column]) -> list[list[Cell]]:
        """The rows of a table: for each id a cell for each column."""
        rows: list[list[Cell]] = []
        for start in range(0, len(ids), BATCH):
            rows += self._batch(tx, ids[start : start + BATCH], columns)
        return rows

    def _batch(self, tx: Tx, ids: Sequence[int], columns: Sequence[Column]) -> list[list[Cell]]:
        places: dict[tuple[str, str], list[int]] = {}
        for place, column in enumerate(columns):
            places.setdefault((column.prefix, column.key), []).append(place)
        filled: dict[int, list[Cell]] = {key: [None] * len(columns) for key in ids}
        for owner, prefix, key, value in self._read(tx, ids, places):
            for place in places[prefix, key]:
                filled[owner][place] = value
        return [filled[key] for key in ids]

    def _read(
        self, tx: Tx, ids: Sequence[int], wanted: Iterable[tuple[str, str]]
    ) -> Iterable[tuple[int, str, str, Cell]]:
        """Owner, prefix, key and value of everything wanted."""
        keys: dict[str, list[str]] = {}
        for prefix, key in wanted:
            keys.setdefault(prefix, []).append(key)
        properties = [self.properties[name] for name in keys.pop("", ())]
        names = tuple(sorted(each.name for each in properties if each.load is None))
        if names:
            for owner, *values in tx.all(self._loader(names), ids=ids):
                for name, value in zip(names, values, strict=True):
                    yield owner, "", name, value
        for each in properties:
            if each.load is not None:
                for owner, value in each.load(tx, ids).items():
                    yield owner, "", each.name, value
        for prefix, chosen in keys.items():
            family = self.families[prefix]
            pick = family.load or family.keys.pick
            for owner, key, value in pick(tx, ids, chosen):
                yield owner, prefix, key, value

    def _loader(self, names: tuple[str, ...]) -> Statement:
        found = self._loaders.get(names)
        if found is None:
            columns = [self._attributes[name].column for name in names]
            select = sa.select(self.catalogue.id, *columns).where(
                is_here(self.catalogue.table.c.workspace_id), among(self.catalogue.id, "ids")
            )
            found = self._loaders[names] = Statement(select)
        return found

    def values(
        self, tx: Tx, scopes: Sequence[int], column: Column, *, prefix: str, limit: int
    ) -> list[str]:
        """Values of a text column that begin with ``prefix``; other columns have none."""
        if column.prefix:
            if column.kind != "text":
                return []
            keys = self.families[column.prefix].keys
            return keys.values(tx, scopes, column.key, prefix=prefix, limit=limit)
        attribute = self._attributes.get(column.key)
        if attribute is None or attribute.kind != "text" or self.catalogue.scope is None:
            return []
        table = self.catalogue.table
        head: sa.ColumnElement[Any] = sa.func.substr(attribute.column, 1, PREFIX_LENGTH)
        some = (
            sa.select(head.label("head"))
            .where(
                table.c.workspace_id == here(),
                self.catalogue.scope.in_(scopes),
                table.c.deleted_ms.is_(None),
                head >= prefix,
                head < prefix + LAST,
            )
            .limit(LOOKED_AT)
            .subquery()
        )
        rows = tx.fetch(sa.select(some.c.head).distinct().order_by(some.c.head).limit(limit))
        return [head for (head,) in rows if head]


def column_id(prefix: str, key: str) -> str:
    """How a key's column is written."""
    return f"{prefix}.{quote_key(key)}"
