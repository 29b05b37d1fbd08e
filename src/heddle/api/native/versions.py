"""Versions, in the API's words: everything known of one, their table, and their labels."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.model_files import Reader, environment_out, flavors_out, signature_out
from heddle.api.native.models import change_out
from heddle.api.native.offer import Ask
from heddle.api.native.runs import (
    code_out,
    dataset_out,
    metric_out,
    refs_out,
    run_of,
    run_ref,
)
from heddle.api.native.shapes import kinds, tables
from heddle.api.native.shapes import models as shapes
from heddle.api.native.shapes import runs as run_shapes
from heddle.api.native.shapes.jobs import Finding, Scan
from heddle.api.native.sheets import known_columns, table_out, values_out
from heddle.api.native.trees import folder
from heddle.api.native.workspaces import limit_of, offset_of
from heddle.artifacts import manifests
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.registry import (
    aliases,
    history,
    lineage,
    models,
    registration,
    scans,
    version_search,
    version_table,
    versions,
)
from heddle.registry.versions import Version
from heddle.tracking import logged_models

HISTORY_SHOWN = 100
_COPY = re.compile(r"models:/(?P<name>.+)/(?P<number>[0-9]+)")


def find_version(tx: Tx, ask: Ask[Any, Any]) -> Version:
    """The version that a path names by number, ``@alias`` or ``latest``; raises ``NotFound``."""
    name, text = ask.at["model"], ask.at["version"]
    if text.isascii() and text.isdigit() and len(text) < 19:
        return versions.get_version(tx, name, int(text))
    alias = text.removeprefix("@")
    if alias == text and text != aliases.LATEST:
        raise NotFound(f"There is no version {text!r}; use a number, '@alias' or 'latest'.")
    try:
        return aliases.get_by_alias(tx, name, alias)
    except Invalid as error:
        raise NotFound(error.message) from None


def version_out(tx: Tx, reader: Reader, version: Version) -> shapes.Version:
    """A version with everything known of it."""
    full = version_search.load_full(tx, [version.id])[0]
    run = run_of(tx, version.run_uid)
    read = reader.model(tx, version.manifest_id)
    entries, count, size_bytes = folder(tx, version.manifest_id, "")
    events = history.list_version_events(tx, version.model_id, version.number, limit=HISTORY_SHOWN)
    copies = lineage.copies_of(tx, version.model_name, version.number)
    return shapes.Version(
        model=version.model_name,
        version=version.number,
        created_ms=version.created_ms,
        updated_ms=version.updated_ms,
        status=version.status,
        status_message=version.status_message,
        registered_by=version.registered_by,
        description=version.description,
        aliases=list(full.aliases),
        stage=version.stage,
        run=run_ref(tx, run),
        source=_source(version),
        code=code_out({} if run is None else dict(run.tags)),
        params=dict(full.params),
        metrics=[metric_out(each) for each in full.metrics],
        tags=dict(full.tags),
        signature=signature_out(read),
        flavors=flavors_out(read),
        environment=environment_out(tx, reader, version.manifest_id, read),
        datasets=[] if run is None else [dataset_out(each) for each in run.datasets],
        files=entries,
        files_total=count,
        size_bytes=size_bytes,
        digest=digest_of(tx, version),
        scan=scan_out(tx, version),
        copies=refs_out(copies),
        history=[change_out(each) for each in events],
    )


def scan_out(tx: Tx, version: Version) -> Scan:
    """What is known of a version's files without loading them."""
    found = scans.find_scan(tx, version)
    if found is None:
        return Scan(state="none", label="", findings=[], scanner="", scanned_ms=None, error="")
    ended: Any = "failed" if found.error else "waiting"
    return Scan(
        state="done" if found.label else ended,
        label=found.label,
        findings=[
            Finding(path=each.path, label=each.label, what=each.what) for each in found.findings
        ],
        scanner=found.scanner,
        scanned_ms=found.scanned_ms,
        error=found.error,
    )


def digest_of(tx: Tx, version: Version) -> str:
    """One digest over all paths and contents of a version; empty if it pins none."""
    if version.manifest_id is None:
        return ""
    total = hashlib.sha256()
    for found in manifests.load(tx, version.manifest_id):
        total.update(f"{found.path}\0{found.digest}\n".encode())
    return total.hexdigest()


def _source(version: Version) -> shapes.Source:
    copy = _COPY.fullmatch(version.copied_from)
    path = ""
    if copy is not None:
        kind: Any = "version"
    elif version.logged_model_uid:
        kind = "logged_model"
    elif version.run_uid:
        kind = "run"
        _, found, rest = version.source.partition(f"/{version.run_uid}/")
        path = rest.removeprefix("artifacts").strip("/") if found else ""
    else:
        kind = "upload" if version.manifest_id is not None else "address"
    original = (
        None
        if copy is None
        else run_shapes.VersionRef(model=copy["name"], version=int(copy["number"]))
    )
    return shapes.Source(
        kind=kind,
        uri=version.source,
        path=path,
        logged_model=version.logged_model_uid,
        copied_from=original,
    )


async def get(request: Request, services: Services, ask: Ask[None, None]) -> None:
    reader = Reader(services)

    def operation(tx: Tx) -> bytes:
        return encode_json(version_out(tx, reader, find_version(tx, ask)))

    await respond(request, 200, await services.database.read(operation, request.caller))


async def create(
    request: Request, services: Services, ask: Ask[None, shapes.CreateVersion]
) -> None:
    reader, name, body = Reader(services), ask.at["model"], ask.body

    def operation(tx: Tx) -> bytes:
        source, run_uid = _source_of(tx, body)
        if body.create_model and models.find_model(tx, name) is None:
            models.create_model(tx, name=name)
        made = registration.create_version(
            tx,
            name=name,
            source=source,
            run_uid=run_uid,
            logged_model_uid=body.logged_model,
            description=body.description,
            pairs=body.tags.items(),
        )
        if made.manifest_id is None:
            raise Invalid(f"There are no files at {source!r}, so there is nothing to register.")
        for alias in body.aliases:
            aliases.set_alias(tx, name, alias, made.number)
        return encode_json(version_out(tx, reader, made))

    await respond(request, 201, await services.database.write(operation, request.caller))


def _source_of(tx: Tx, body: shapes.CreateVersion) -> tuple[str, str]:
    """What a version is to be made from, as registration takes it, and its run."""
    given = [bool(body.run), bool(body.logged_model), bool(body.copy_of)]
    if sum(given) != 1:
        raise Invalid("Give one of run (with path), logged_model and copy_of.")
    if body.run:
        return f"runs:/{body.run}/{body.path.strip('/')}".rstrip("/"), body.run
    if body.logged_model:
        return f"models:/{body.logged_model}", logged_models.get(
            tx, body.logged_model
        ).source_run_uid
    return f"models:/{body.copy_of}", ""


def search(tx: Tx, ask: Ask[None, tables.TableQuery]) -> tables.Table:
    body, sheet = ask.body, version_table.sheet
    columns = sheet.columns(body.columns or version_table.USUAL)
    found, total = version_table.search(
        tx,
        model_id=models.get_model(tx, ask.at["model"]).id,
        filter=body.filter,
        order_by=body.order_by,
        limit=limit_of(body.limit),
        offset=offset_of(body.offset),
    )
    numbers = version_table.load_numbers(tx, found)
    keys = [str(numbers[key]) for key in found]
    return table_out(columns, keys, sheet.cells(tx, found, columns), total)


def columns(tx: Tx, ask: Ask[tables.ColumnQuery, None]) -> tables.KnownColumns:
    model = models.get_model(tx, ask.at["model"])
    return known_columns(tx, version_table.sheet, [model.id], ask.query)


def values(tx: Tx, ask: Ask[tables.ValueQuery, None]) -> tables.Values:
    model = models.get_model(tx, ask.at["model"])
    return values_out(tx, version_table.sheet, [model.id], ask.query)


async def update(
    request: Request, services: Services, ask: Ask[None, shapes.UpdateVersion]
) -> None:
    reader, body = Reader(services), ask.body

    def operation(tx: Tx) -> bytes:
        version = find_version(tx, ask)
        name, number = version.model_name, version.number
        if body.description is not None:
            versions.describe_version(tx, name, number, body.description)
        if body.stage is not None:
            versions.set_stage(tx, name, number, body.stage, archive_existing=body.archive_others)
        return encode_json(version_out(tx, reader, versions.get_version(tx, name, number)))

    await respond(request, 200, await services.database.write(operation, request.caller))


def delete(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    version = find_version(tx, ask)
    registration.delete_version(tx, version.model_name, version.number)
    return kinds.Done()


def tag(tx: Tx, ask: Ask[None, kinds.LabelChanges]) -> kinds.Labels:
    version = find_version(tx, ask)
    for key, value in ask.body.set.items():
        versions.set_version_tag(tx, version.model_name, version.number, key, value)
    for key in ask.body.delete:
        versions.delete_version_tag(tx, version.model_name, version.number, key)
    return kinds.Labels(tags=dict(versions.tags.load(tx, [version.id]).get(version.id, ())))


CALLS: dict[str, Any] = {
    "versions.create": create,
    "versions.search": search,
    "versions.columns": columns,
    "versions.values": values,
    "versions.get": get,
    "versions.update": update,
    "versions.delete": delete,
    "versions.tag": tag,
}
