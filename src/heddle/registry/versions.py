"""Versions: what a model was at one registration, unchangeable apart from its labels.

A version holds its files (a manifest of its own), its source in words, and the params and metrics
of the run or logged model that it came from, copied when it was registered. Description, tags,
stage and aliases are its labels; every change of them is in ``history``. Numbers count up from 1
within a model and are never given out twice. How versions come and go is in ``registration``.

``model_name`` repeats the model's name, for searching and reading without a join; renaming the
model writes it anew. ``revision`` rises with every change of a version and its tags.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    INDEXED_VALUE,
    Id,
    id_column,
    key_column,
    metadata,
    ms_column,
    owner_column,
    text_column,
    workspace_column,
)
from heddle.db.statement import Statement, among, here, is_here
from heddle.db.tx import DEFAULT_WORKSPACE, Tx
from heddle.errors import Invalid, NotFound
from heddle.keys import check_key, check_text
from heddle.registry import history
from heddle.registry.models import DESCRIPTION_MAX, TAG_VALUE_MAX, models, touch_model
from heddle.search.fields import Keyed
from heddle.tags import Pair, Tags
from heddle.tracking.metrics import Latest

READY = "READY"
STAGES = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES = ("Staging", "Production")
NUMBER_MAX = 2**63 - 1

versions = sa.Table(
    "versions",
    metadata,
    id_column(),
    workspace_column(),
    sa.Column("model_id", Id, sa.ForeignKey("models.id"), nullable=False),
    text_column("model_name"),
    sa.Column("number", sa.BigInteger, nullable=False),
    text_column("uid"),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    text_column("description"),
    text_column("source"),
    text_column("location"),
    text_column("run_uid"),
    text_column("run_name"),
    text_column("run_link"),
    text_column("logged_model_uid"),
    sa.Column("experiment_id", Id, nullable=True),
    text_column("registered_by"),
    text_column("stage"),
    text_column("status"),
    text_column("status_message"),
    text_column("copied_from"),
    sa.Column("manifest_id", Id, sa.ForeignKey("manifests.id"), nullable=True),
    sa.Index("uq_versions_model_id_number", "model_id", "number", unique=True),
    sa.Index(None, "model_id", "updated_ms"),
    sa.Index(None, "workspace_id", "updated_ms"),
    sa.Index(None, "workspace_id", "run_uid"),
    sa.Index(None, "workspace_id", "logged_model_uid"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_versions_stage",
    versions.c.model_id,
    versions.c.stage,
    versions.c.number,
    sqlite_where=versions.c.deleted_ms.is_(None),
    postgresql_where=versions.c.deleted_ms.is_(None),
)
tags = Tags("version", "versions.id", value_max=TAG_VALUE_MAX)
version_params = sa.Table(
    "version_params",
    metadata,
    owner_column("version_id", "versions.id"),
    key_column(),
    text_column("value"),
    sa.Column("number", sa.Double, nullable=True),
    **CLUSTERED,
)
sa.Index(
    "ix_version_params_key_value",
    version_params.c.key,
    sa.text(INDEXED_VALUE),
    version_params.c.version_id,
)
sa.Index(
    "ix_version_params_key_number",
    version_params.c.key,
    version_params.c.number,
    version_params.c.version_id,
)
params_field = Keyed(
    ("params", "param", "parameters", "parameter"),
    version_params,
    "text",
    owner="version_id",
    number="number",
)
version_metrics = sa.Table(
    "version_metrics",
    metadata,
    owner_column("version_id", "versions.id"),
    key_column(),
    sa.Column("model_id", Id, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    ms_column("timestamp_ms"),
    sa.Column("min_value", sa.Double, nullable=True),
    sa.Column("max_value", sa.Double, nullable=True),
    sa.Index("ix_version_metrics_order", "model_id", "key", "is_nan", "value", "version_id"),
    **CLUSTERED,
)
metrics_field = Keyed(
    ("metrics", "metric"),
    version_metrics,
    "number",
    owner="version_id",
    nan="is_nan",
    scope="model_id",
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version's own row with its model's name.

    ``source`` is what the registering client named, ``location`` where the files are addressed when
    they are not pinned here (no ``manifest_id``). ``copied_from`` is ``models:/name/number`` for a
    copy, else empty; texts that were not given are empty.
    """

    id: int
    model_id: int
    number: int
    created_ms: int
    updated_ms: int
    description: str
    source: str
    location: str
    run_uid: str
    run_name: str
    run_link: str
    logged_model_uid: str
    experiment_id: int | None
    registered_by: str
    stage: str
    status: str
    status_message: str
    copied_from: str
    manifest_id: int | None
    model_name: str


COLUMNS = tuple(versions.c[name] for name in Version.__dataclass_fields__)
Known = tuple[int, str, int]
"""A version's id, uid and revision: what was made from these stays true."""
KNOWN = (versions.c.id, versions.c.uid, versions.c.revision)
_here = versions.c.workspace_id == here()
living = (models.c.deleted_ms.is_(None), versions.c.deleted_ms.is_(None))
joined = versions.join(models, models.c.id == versions.c.model_id)
_of_named = (
    is_here(versions.c.workspace_id),
    versions.c.model_id
    == sa.select(models.c.id)
    .where(
        models.c.workspace_id == here(),
        models.c.name == sa.bindparam("name"),
        models.c.deleted_ms.is_(None),
    )
    .scalar_subquery(),
    versions.c.deleted_ms.is_(None),
)
_numbered = (*_of_named, versions.c.number == sa.bindparam("number", type_=sa.BigInteger))
_select = sa.select(*COLUMNS)
_living = versions.c.deleted_ms.is_(None)
_get = Statement(_select.where(*_numbered))
_take = Statement(_select.where(*_numbered).with_for_update(of=versions))
_get_by_id = Statement(
    _select.where(_here, versions.c.id == sa.bindparam("id", type_=sa.BigInteger), _living)
)
_load = Statement(
    _select.where(is_here(versions.c.workspace_id), among(versions.c.id, "ids"), _living)
)
_by_id = (_here, versions.c.id == sa.bindparam("id"))
revised = versions.c.revision + 1
_revise = Statement(sa.update(versions).where(*_by_id).values(revision=revised))
_change = sa.update(versions).values(revision=revised, updated_ms=sa.bindparam("now_ms"))
_describe = Statement(_change.where(*_by_id).values(description=sa.bindparam("new_description")))
_set_stage = Statement(_change.where(*_by_id).values(stage=sa.bindparam("new_stage")))
_archive = Statement(
    _change.where(
        _here,
        versions.c.model_id == sa.bindparam("of_model"),
        versions.c.stage == sa.bindparam("old_stage"),
        versions.c.number != sa.bindparam("kept"),
        versions.c.deleted_ms.is_(None),
    )
    .values(stage="Archived")
    .returning(versions.c.number)
)


def _of_stage(stage: str, *, last: bool) -> sa.ColumnElement[int | None]:
    """The id of the last version in a stage of a model, or the number of the first one there."""
    v = versions.alias()
    return (
        sa.select(v.c.id if last else v.c.number)
        .where(
            v.c.model_id == models.c.id,
            v.c.stage == sa.literal_column(f"'{stage}'"),
            v.c.deleted_ms.is_(None),
        )
        .order_by(v.c.number.desc() if last else v.c.number.asc())
        .limit(sa.literal_column("1"))
        .correlate(models)
        .scalar_subquery()
    )


_latest, _first = (
    Statement(
        sa.select(models.c.id, *(_of_stage(stage, last=last) for stage in STAGES)).where(
            is_here(models.c.workspace_id), among(models.c.id, "ids")
        )
    )
    for last in (True, False)
)
_highest = Statement(
    _select.where(*_of_named).order_by(versions.c.number.desc()).limit(sa.literal(1))
)
_load_runs = Statement(
    sa.select(versions.c.number, versions.c.run_uid).where(
        *_of_named, among(versions.c.number, "numbers")
    )
)
_load_params = Statement(
    sa.select(version_params.c.version_id, version_params.c.key, version_params.c.value)
    .where(among(version_params.c.version_id, "ids"))
    .order_by(version_params.c.version_id, version_params.c.key)
)
_load_metrics = Statement(
    sa.select(
        version_metrics.c.version_id,
        version_metrics.c.is_nan,
        *(version_metrics.c[name] for name in Latest._fields),
    )
    .where(among(version_metrics.c.version_id, "ids"))
    .order_by(version_metrics.c.version_id, version_metrics.c.key)
)


def get_version(tx: Tx, name: str, number: int) -> Version:
    """The living version; raises ``NotFound``."""
    return _found(tx.one(_get, name=name, number=number), name, number)


def _found(row: Sequence[Any] | None, name: str, number: int) -> Version:
    if row is None:
        raise NotFound(f"Model Version (name={name}, version={number}) not found")
    return Version(*row)


def take_version(tx: Tx, name: str, number: int) -> Version:
    """The version, held until the transaction ends so that changes of its labels queue.

    Raises ``NotFound``.
    """
    return _found(tx.one(_take, name=name, number=number), name, number)


def find_version(tx: Tx, version_id: int) -> Version | None:
    """The living version of that id."""
    row = tx.one(_get_by_id, id=version_id)
    return None if row is None else Version(*row)


def find_highest(tx: Tx, name: str) -> Version | None:
    """The living version with the greatest number of a model."""
    row = tx.one(_highest, name=name)
    return None if row is None else Version(*row)


def load_versions(tx: Tx, version_ids: Sequence[int]) -> dict[int, Version]:
    """Those of the given versions that exist here, by id."""
    return {row[0]: Version(*row) for row in tx.all(_load, ids=version_ids)}


def load_runs(tx: Tx, name: str, numbers: Sequence[int]) -> list[str]:
    """The ids of the runs that these versions of a model come from, in their order, each once.

    Numbers that are no version's, and versions without a run, are left out.
    """
    found = dict(tx.all(_load_runs, name=name, numbers=numbers))
    return list(dict.fromkeys(found[number] for number in numbers if found.get(number)))


def load_params(tx: Tx, version_ids: Sequence[int]) -> dict[int, list[Pair]]:
    """The params of many versions, by key."""
    found: dict[int, list[Pair]] = {}
    for version_id, key, value in tx.all(_load_params, ids=version_ids):
        found.setdefault(version_id, []).append((key, value))
    return found


def load_metrics(tx: Tx, version_ids: Sequence[int]) -> dict[int, list[Latest]]:
    """The metrics of many versions, by key."""
    found: dict[int, list[Latest]] = {}
    for version_id, is_nan, key, value, *rest in tx.all(_load_metrics, ids=version_ids):
        latest = Latest(key, math.nan if is_nan else value, *rest)
        found.setdefault(version_id, []).append(latest)
    return found


def load_latest(tx: Tx, model_ids: Sequence[int]) -> dict[int, list[Version]]:
    """For each model the latest version in each stage that has one.

    The stages come in the order in which the model's versions show them first.
    """
    rows = tx.all(_latest, ids=model_ids)
    wanted = [version_id for row in rows for version_id in row[1:] if version_id is not None]
    loaded = load_versions(tx, wanted) if wanted else {}
    found = {row[0]: [loaded[key] for key in row[1:] if key in loaded] for row in rows}
    several = [model_id for model_id, latest in found.items() if len(latest) > 1]
    for model_id, *numbers in tx.all(_first, ids=several) if several else ():
        first = dict(zip(STAGES, numbers, strict=True))
        found[model_id].sort(key=lambda version: first[version.stage])
    return found


def check_stage(stage: str) -> str:
    """The canonical form of a stage's name, given in any case; raises ``Invalid``."""
    for known in STAGES:
        if stage.lower() == known.lower():
            return known
    raise Invalid(
        f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(STAGES)}."
    )


def download_uri(tx: Tx, version: Version) -> str:
    """Where a client finds a version's files: here if they are pinned, else where they were."""
    if version.manifest_id is None:
        return version.location
    if tx.workspace == DEFAULT_WORKSPACE:
        return f"mlflow-artifacts:/versions/{version.id}"
    return f"mlflow-artifacts:/workspaces/{tx.workspace}/versions/{version.id}"


def describe_version(tx: Tx, name: str, number: int, description: str) -> Version:
    """Replace a version's description; raises ``NotFound``, ``Invalid``."""
    check_text(description, "The description", DESCRIPTION_MAX)
    version = take_version(tx, name, number)
    tx.run(_describe, id=version.id, new_description=description, now_ms=tx.now_ms)
    history.record(
        tx,
        version.model_id,
        "description",
        version=number,
        before=version.description or None,
        after=description or None,
    )
    announce(tx, version, "updated")
    return get_version(tx, name, number)


def set_version_tag(tx: Tx, name: str, number: int, key: str, value: str) -> None:
    """Set a tag; raises ``NotFound``, ``Invalid``."""
    tags.check(key, value)
    version = take_version(tx, name, number)
    before = tags.get(tx, version.id, key)
    tags.set(tx, version.id, key, value)
    tx.run(_revise, id=version.id)
    history.record(tx, version.model_id, "tag", version=number, key=key, before=before, after=value)
    announce(tx, version, "tagged")


def delete_version_tag(tx: Tx, name: str, number: int, key: str) -> bool:
    """Remove a tag; whether it was there. Raises ``NotFound``, ``Invalid``."""
    check_key(key, "tag")
    version = take_version(tx, name, number)
    before = tags.get(tx, version.id, key)
    if before is None:
        return False
    tags.delete(tx, version.id, key)
    tx.run(_revise, id=version.id)
    history.record(tx, version.model_id, "tag", version=number, key=key, before=before)
    announce(tx, version, "tagged")
    return True


def set_stage(
    tx: Tx, name: str, number: int, stage: str, *, archive_existing: bool = False
) -> Version:
    """Move a version to a stage, on request archiving the others there.

    Raises ``NotFound``, or ``Invalid`` for an unknown stage or for archiving from one that is not
    active.
    """
    stage = check_stage(stage)
    if archive_existing and stage not in ACTIVE_STAGES:
        raise Invalid(
            f"Versions can be archived only when one goes to {' or '.join(ACTIVE_STAGES)}, not to"
            f" {stage}; send archive_existing_versions=false."
        )
    version = get_version(tx, name, number)
    # The model is held before its versions, as everywhere, so that no two changes block each other.
    model_id = touch_model(tx, name)
    version = take_version(tx, name, number)
    tx.run(_set_stage, id=version.id, new_stage=stage, now_ms=tx.now_ms)
    history.record(tx, model_id, "stage", version=number, before=version.stage, after=stage)
    if archive_existing:
        rows = tx.all(_archive, of_model=model_id, old_stage=stage, kept=number, now_ms=tx.now_ms)
        for (other,) in sorted(rows):
            history.record(tx, model_id, "stage", version=other, before=stage, after="Archived")
    announce(tx, version, "staged")
    return get_version(tx, name, number)


def announce(tx: Tx, version: Version, action: str) -> None:
    """Tell those who watch of a change of a version."""
    tx.changed("version", f"{version.model_name}/{version.number}", action, version.model_name)
