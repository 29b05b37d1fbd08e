"""Tables with columns of the caller's choice, and the catalogue of what may be chosen."""

from __future__ import annotations

from collections.abc import Sequence

from heddle.api.native.shapes import tables
from heddle.api.native.workspaces import offset_of
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.search.sheet import Cell, Column, Sheet, column_id

VALUES_MAX = 200
COLUMNS_MAX = 2000


def column_out(column: Column) -> tables.Column:
    """A chosen column."""
    return tables.Column(
        id=column.id,
        group=column.group,
        key=column.key,
        kind=column.kind,
        sortable=column.sortable,
    )


def table_out(
    columns: Sequence[Column], keys: Sequence[str], cells: list[list[Cell]], total: int
) -> tables.Table:
    """A window of rows; NaN becomes text, since JSON has none."""
    measured = [n for n, column in enumerate(columns) if column.group == "metric"]
    for row in cells:
        for place in measured:
            if row[place] != row[place]:
                row[place] = "NaN"
    rows = [tables.TableRow(key=key, cells=row) for key, row in zip(keys, cells, strict=True)]
    return tables.Table(columns=[column_out(each) for each in columns], rows=rows, total=total)


def known_columns(
    tx: Tx, sheet: Sheet, scopes: Sequence[int], query: tables.ColumnQuery
) -> tables.KnownColumns:
    """A window of everything that rows in these scopes could be shown with."""
    text = query.text.lower()
    found: list[tuple[tables.Group, str]] = [
        ("property", name) for name in sheet.properties if text in name.lower()
    ]
    for family in sheet.listed:
        if query.group in (None, family.group):
            names = family.keys.names(tx, scopes)
            found += [(family.group, name) for name in names if text in name.lower()]
    if query.group is not None:
        found = [each for each in found if each[0] == query.group]
    groups: dict[str, int] = {}
    for group, _ in found:
        groups[group] = groups.get(group, 0) + 1
    start = offset_of(query.offset)
    few = min(query.limit, COLUMNS_MAX)
    window = found[start : start + max(0, few)]
    return tables.KnownColumns(
        columns=[_known(tx, sheet, scopes, *each) for each in window],
        total=len(found),
        groups=groups,
    )


def _known(
    tx: Tx, sheet: Sheet, scopes: Sequence[int], group: tables.Group, key: str
) -> tables.KnownColumn:
    if group == "property":
        kind, identity, count = sheet.properties[key].kind, key, 0
    else:
        family = next(each for each in sheet.listed if each.group == group)
        kind, identity = family.kind, column_id(family.prefix, key)
        count = family.keys.count(tx, scopes, key)
    return tables.KnownColumn(
        id=identity,
        group=group,
        key=key,
        kind=kind,
        count=count,
        sortable=sheet.column(identity).sortable,
        filterable=sheet.can_filter(identity),
    )


def values_out(
    tx: Tx, sheet: Sheet, scopes: Sequence[int], query: tables.ValueQuery
) -> tables.Values:
    """Values of a column, for completing a filter."""
    if not 1 <= query.limit <= VALUES_MAX:
        raise Invalid(f"limit must be 1 to {VALUES_MAX}, not {query.limit}.")
    column = sheet.column(query.column)
    found = sheet.values(tx, scopes, column, prefix=query.text, limit=query.limit)
    return tables.Values(values=found)
