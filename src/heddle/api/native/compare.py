"""Runs and versions side by side: items as columns, what is known of them as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.model_files import Reader
from heddle.api.native.offer import Ask
from heddle.api.native.shapes import tables
from heddle.api.native.shapes.kinds import Cell
from heddle.artifacts import manifests
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.registry import version_search
from heddle.registry.model_file import Field, ModelFile
from heddle.registry.version_search import FullVersion
from heddle.tracking import files, run_search, runs
from heddle.tracking.metrics import Latest
from heddle.tracking.run_search import FullRun
from heddle.tracking.run_table import TAG_PROPERTIES

ITEMS_MAX = 1000
FILES_MAX = 5000
"""Files of one item that are compared."""
GROUPS: tuple[tables.ComparedGroup, ...] = get_args(tables.ComparedGroup)
KINDS: Mapping[str, tables.Kind] = {
    "created_ms": "time",
    "start_time": "time",
    "end_time": "time",
    "duration": "duration",
    "aliases": "list",
}


@dataclass(slots=True)
class Side:
    """One item: its column, and its values by group and key."""

    item: tables.ComparedItem
    manifest_id: int | None
    values: dict[str, dict[str, Cell]] = field(default_factory=dict)


async def compare(
    request: Request, services: Services, ask: Ask[None, tables.CompareQuery]
) -> None:
    body = ask.body
    if not 1 <= len(body.items) <= ITEMS_MAX:
        raise Invalid(f"1 to {ITEMS_MAX} items are compared, not {len(body.items)}.")
    reader = Reader(services)
    asked: Sequence[tables.ComparedGroup] = body.groups or GROUPS

    def operation(tx: Tx) -> bytes:
        sides = _sides(tx, body.items)
        for side in sides:
            _read_files(tx, reader, side, asked)
        groups = [
            _group(group, sides, differing=body.differing, limit=body.limit)
            for group in GROUPS
            if group in asked
        ]
        return encode_json(tables.Comparison(items=[side.item for side in sides], groups=groups))

    await respond(request, 200, await services.database.read(operation, request.caller))


def _sides(tx: Tx, refs: Sequence[tables.ItemRef]) -> list[Side]:
    uids = sorted({ref.run for ref in refs if ref.run})
    ids = runs.find_ids(tx, uids)
    full_runs = {full.run.uid: full for full in run_search.load_full(tx, list(ids.values()))}
    sides = []
    for ref in refs:
        if bool(ref.run) == bool(ref.model):
            raise Invalid("An item names a run, or a model and a version.")
        if ref.run:
            full = full_runs.get(ref.run)
            if full is None:
                raise NotFound(f"Run with id={ref.run} not found")
            sides.append(_of_run(tx, full))
        else:
            sides.append(_of_version(tx, version_search.get_full(tx, ref.model, ref.version)))
    return sides


def _of_run(tx: Tx, full: FullRun) -> Side:
    run, labels = full.run, dict(full.tags)
    item = tables.ComparedItem(
        kind="run",
        key=run.uid,
        name=run.name,
        run=run.uid,
        run_name=run.name,
        created_ms=run.start_ms or 0,
    )
    took = None if run.end_ms is None or run.start_ms is None else run.end_ms - run.start_ms
    properties: dict[str, Cell] = {
        "run_name": run.name,
        "status": run.status,
        "user_id": run.user_id or None,
        "start_time": run.start_ms,
        "end_time": run.end_ms,
        "duration": took,
    }
    for name, key in TAG_PROPERTIES.items():
        properties[name] = labels.get(key)
    side = Side(item, files.run_place(tx, run.uid)[0].manifest_id)
    side.values = {
        "properties": properties,
        "metrics": _metrics(full.metrics),
        "params": dict(full.params),
        "tags": {key: value for key, value in labels.items() if not key.startswith("mlflow.")},
    }
    return side


def _of_version(_tx: Tx, full: FullVersion) -> Side:
    version = full.version
    item = tables.ComparedItem(
        kind="version",
        key=f"{version.model_name}/{version.number}",
        name=f"{version.model_name} v{version.number}",
        run=version.run_uid,
        run_name=version.run_name,
        created_ms=version.created_ms,
    )
    side = Side(item, version.manifest_id)
    side.values = {
        "properties": {
            "created_ms": version.created_ms,
            "run_name": version.run_name or None,
            "stage": version.stage,
            "aliases": list(full.aliases) or None,
            "registered_by": version.registered_by or None,
            "description": version.description or None,
            "source": version.source or None,
        },
        "metrics": _metrics(full.metrics),
        "params": dict(full.params),
        "tags": dict(full.tags),
    }
    return side


def _metrics(found: Sequence[Latest]) -> dict[str, Cell]:
    return {each.key: "NaN" if math.isnan(each.value) else each.value for each in found}


def _read_files(tx: Tx, reader: Reader, side: Side, asked: Sequence[tables.ComparedGroup]) -> None:
    if "schema" in asked or "environment" in asked:
        read = reader.model(tx, side.manifest_id)
        side.values["schema"] = _schema(read)
        side.values["environment"] = _environment(
            read, reader.text(tx, side.manifest_id, "requirements.txt")
        )
    if "files" in asked:
        found: dict[str, Cell] = {}
        for file in manifests.load(tx, side.manifest_id):
            found[file.path] = file.digest
            if len(found) >= FILES_MAX:
                break
        side.values["files"] = found


def _schema(read: ModelFile) -> dict[str, Cell]:
    if read.signature is None:
        return {}
    parts: tuple[tuple[str, Sequence[Field]], ...] = (
        ("inputs", read.signature.inputs),
        ("outputs", read.signature.outputs),
        ("params", read.signature.params),
    )
    return {
        f"{part}.{each.name or place}": f"{each.type}{'' if each.required else ' (optional)'}"
        for part, fields in parts
        for place, each in enumerate(fields)
    }


def _environment(read: ModelFile, requirements: str) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    if read.python_version:
        found["python"] = read.python_version
    if read.mlflow_version:
        found["mlflow (writer)"] = read.mlflow_version
    for line in requirements.splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-"):
            name, sign, version = text.partition("==")
            found[name.strip()] = version.strip() if sign else text
    return found


def _group(
    group: tables.ComparedGroup, sides: Sequence[Side], *, differing: bool, limit: int
) -> tables.ComparedRows:
    columns = [side.values.get(group, {}) for side in sides]
    keys = {key: None for column in columns for key in column}

    ordered = list(keys) if group in ("properties", "schema") else sorted(keys)
    rows: list[tables.ComparedRow] = []
    different = 0
    for key in ordered:
        values = [column.get(key) for column in columns]
        differs = any(value != values[0] for value in values[1:])
        different += differs
        if (differs or not differing) and len(rows) < limit:
            rows.append(
                tables.ComparedRow(key=key, kind=_kind(group, key), values=values, differs=differs)
            )
    return tables.ComparedRows(group=group, rows=rows, total=len(keys), differing=different)


def _kind(group: tables.ComparedGroup, key: str) -> tables.Kind:
    if group == "metrics":
        return "number"
    return KINDS.get(key, "text") if group == "properties" else "text"


CALLS: dict[str, Any] = {"compare.search": compare}
