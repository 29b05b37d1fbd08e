"""Looking around among tables: what lies in a folder under the data roots, a table's first rows.

Runs in the process that a worker starts for it, never in the server. Values come out as JSON holds
them: whole numbers past 2**53 and everything without a JSON form as text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs

from heddle.errors import Invalid, NotFound
from heddle.scoring import roots, tables
from heddle.scoring.plan import Input, find_format

ENTRIES_MAX: Final = 5000
TEXT_MAX: Final = 1000
EXACT: Final = 2**53
_DELTA: Final = "_delta_log"


def list_folder(folder: str, allowed: Sequence[str]) -> dict[str, Any]:
    """What lies in a folder, or the roots themselves for none: the API's ``TableList``.

    Raises ``NotFound``, ``Invalid``, ``Unavailable``.
    """
    if not folder:
        entries = [_entry(root, root, is_folder=True) for root in allowed if _is_browsable(root)]
        return {"folder": "", "entries": entries}
    place = roots.look(folder, allowed)
    if not _is_browsable(place):
        raise Invalid(f"{place!r} is a database; name a table of it as {place}#schema.table.")
    filesystem, path = tables.place(place)
    selector = pafs.FileSelector(path, allow_not_found=True)
    try:
        found = filesystem.get_file_info(selector)
    except NotADirectoryError:
        raise NotFound(f"{place!r} is no folder.") from None
    entries = []
    for info in islice(sorted(found, key=lambda each: each.base_name), ENTRIES_MAX):
        if info.base_name.startswith((".", "_")):
            continue
        address = f"{place.rstrip('/')}/{info.base_name}"
        if info.type == pafs.FileType.Directory:
            log = filesystem.get_file_info(f"{info.path}/{_DELTA}")
            if log.type == pafs.FileType.Directory:
                entries.append(_entry(info.base_name, address, format="delta", info=info))
            else:
                entries.append(_entry(info.base_name, address, is_folder=True))
        elif kind := find_format(address):
            entries.append(_entry(info.base_name, address, format=kind, info=info))
    entries.sort(key=lambda each: (not each["is_folder"], each["name"]))
    return {"folder": place, "entries": entries}


def _is_browsable(address: str) -> bool:
    return not address.startswith("postgresql:")


def _entry(
    name: str, address: str, *, is_folder: bool = False, format: str = "", info: Any = None
) -> dict[str, Any]:
    modified = None if info is None else info.mtime
    return {
        "name": name,
        "address": address,
        "is_folder": is_folder,
        "format": format,
        "size_bytes": None if info is None or info.size is None or info.size < 0 else info.size,
        "modified_ms": None if modified is None else int(modified.timestamp() * 1000),
    }


def preview(said: Mapping[str, Any], rows: int, allowed: Sequence[str]) -> dict[str, Any]:
    """The first rows of a table: the API's ``TablePreview``; raises as ``list_folder``."""
    table = msgspec.convert(said, Input)
    table = msgspec.structs.replace(table, address=roots.look(table.address, allowed))
    source = tables.open_source(table)
    total = tables.rows_of(source)
    return {
        "columns": [{"name": field.name, "type": str(field.type)} for field in source.schema],
        "rows": list(islice(_rows(source, rows), rows)),
        "total_rows": None if total < 0 else total,
    }


def _rows(source: tables.Source, rows: int) -> Iterator[list[Any]]:
    names = source.schema.names
    for batch in source.read(source.pieces, names, max(rows, 1)):
        columns = [_column(batch.column(number)) for number in range(len(names))]
        yield from (list(row) for row in zip(*columns, strict=True))


def _column(column: pa.Array) -> list[Any]:
    return [plain(value) for value in column.to_pylist()]


def plain(value: Any) -> Any:
    """A value as the API gives it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else str(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value)[:TEXT_MAX]
