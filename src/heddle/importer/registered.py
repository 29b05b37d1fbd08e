"""Registered models of an MLflow database with their versions, labels and aliases.

A version's files are pinned where the run or logged model that it was made from has them here; the
words of any other source are kept. Numbers that were deleted stay used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from heddle.db.tx import Tx
from heddle.errors import HeddleError, Invalid
from heddle.importer.places import plain_address
from heddle.importer.source import Source
from heddle.registry import aliases, models, registration, sources, versions
from heddle.registry.sources import Origin
from heddle.tags import Pair

DELETED_STAGE = "Deleted_Internal"
ACTOR = "import"
_LOGGED = re.compile(r"models:/(m-[0-9a-zA-Z_-]+)|.*/models/(m-[0-9a-zA-Z_-]+)/artifacts/?")


class VersionRow(NamedTuple):
    """A version's own row; what a release does not know yet is None."""

    version: int
    creation_time: int | None
    last_updated_time: int | None
    description: str | None
    user_id: str | None
    current_stage: str | None
    source: str | None
    storage_location: str | None
    run_id: str | None
    run_link: str | None
    status: str | None
    status_message: str | None


@dataclass
class Adopted:
    """How many versions came with a model, and what is missing of them, in words."""

    versions: int = 0
    notes: list[str] = field(default_factory=list)


def adopt_model(tx: Tx, source: Source, workspace: str, name: str) -> Adopted:
    """Take over one model whole; raises ``Invalid``, ``AlreadyExists``."""
    mine = {"name": name, "workspace": workspace}
    (created, updated, description), *_ = source.rows(
        "registered_models", "creation_time", "last_updated_time", "description", **mine
    )
    created = created or tx.now_ms
    updated = updated or created
    labels = _pairs(source, "registered_model_tags", **mine)
    models.create_model(
        tx.at(created, ACTOR), name=name, description=description or "", pairs=labels
    )
    adopted = Adopted()
    given_out = 0
    living = set()
    for row in source.rows("model_versions", *VersionRow._fields, order=["version"], **mine):
        version = VersionRow(*row)
        while given_out < version.version - 1:
            given_out = models.next_number(tx, name)[1]
        if version.current_stage == DELETED_STAGE:
            given_out = models.next_number(tx, name)[1]
            continue
        tagged = _pairs(source, "model_version_tags", version=version.version, **mine)
        made = _adopt_version(tx, source, name, version, tagged)
        given_out = made.number
        living.add(made.number)
        adopted.versions += 1
        is_prompt = models.is_prompt_label(dict(tagged))
        if made.manifest_id is None and not is_prompt:
            where = version.storage_location or version.source
            adopted.notes.append(
                f"model '{name}', version {made.number}: its files are not here; it names {where}"
            )
    last = tx.at(updated, ACTOR)
    for alias, number in source.rows("registered_model_aliases", "alias", "version", **mine):
        if number not in living:
            continue
        try:
            aliases.set_alias(last, name, alias, number)
        except Invalid as error:
            adopted.notes.append(f"model '{name}': {error.message}")
    models.touch_model(last, name)
    return adopted


def _adopt_version(
    tx: Tx, source: Source, name: str, row: VersionRow, tagged: list[Pair]
) -> versions.Version:
    created = row.creation_time or tx.now_ms
    origin = _origin(tx, source, row, is_prompt=bool(models.is_prompt_label(dict(tagged))))
    made = registration.register(
        tx.at(created, row.user_id or ACTOR),
        name=name,
        origin=origin,
        run_link=row.run_link or "",
        description=row.description or "",
        pairs=tagged,
        status=row.status or versions.READY,
        status_message=row.status_message or "",
    )
    stage = row.current_stage or "None"
    if stage != "None":
        moved = tx.at(row.last_updated_time or created, ACTOR)
        versions.set_stage(moved, name, made.number, stage)
    return made


def _origin(tx: Tx, source: Source, row: VersionRow, *, is_prompt: bool) -> Origin:
    """What a version is made from, here: the first of the readings of its row that holds."""
    words = row.source or row.storage_location or ""
    run_uid = row.run_id or ""
    readings: list[dict[str, Any]] = []
    if is_prompt:
        readings.append({"source": words, "run_uid": run_uid, "is_prompt": True})
    for address in (row.source or "", row.storage_location or ""):
        logged = _LOGGED.fullmatch(address)
        if logged:
            uid = logged[1] or logged[2]
            readings.append({"source": f"models:/{uid}", "logged_model_uid": uid})
        if address.startswith("models:/") and not logged:
            readings.append({"source": address, "run_uid": run_uid})
        below = _below_run(source, run_uid, address)
        if below is not None:
            readings.append({"source": f"runs:/{run_uid}/{below}", "run_uid": run_uid})
    for reading in readings:
        try:
            origin = sources.resolve(tx, **reading)
        except HeddleError:
            continue
        # A copy says what it copies; anything else what its client named.
        return origin if origin.original else origin._replace(source=words)
    run = sources.find_run(tx, run_uid)
    return Origin(words, row.storage_location or words, run_uid, run)


def _below_run(source: Source, run_uid: str, address: str) -> str | None:
    """The folder of a run's files that an address means; None if it lies elsewhere."""
    if not run_uid or not address:
        return None
    if address.startswith(f"runs:/{run_uid}/"):
        return address.removeprefix(f"runs:/{run_uid}/")
    for (own,) in source.rows("runs", "artifact_uri", run_uuid=run_uid):
        top, place = plain_address(own or "").rstrip("/"), plain_address(address)
        if own and place.startswith(top + "/"):
            return place[len(top) + 1 :].strip("/")
    return None


def _pairs(source: Source, table: str, **where: Any) -> list[Pair]:
    return [(key, value or "") for key, value in source.rows(table, "key", "value", **where)]
