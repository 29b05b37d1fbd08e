"""Logged models: what a run made with ``log_model``, with params, tags and metrics of its own.

A logged model is made PENDING, filled with files, and finalized READY or UPLOAD_FAILED. Its metrics
are points measured on it, each possibly on a named data set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    Id,
    id_column,
    key_column,
    metadata,
    ms_column,
    new_uid,
    owner_column,
    text_column,
    workspace_column,
)
from heddle.db.statement import Bulk, Insert, Statement, among, here, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import AlreadyExists, Invalid, NotFound
from heddle.keys import check_any_key, check_key, check_text
from heddle.search.fields import Attribute, Catalogue, Keyed
from heddle.search.sql import search_ids, where
from heddle.tags import Pair, Tags
from heddle.tracking.experiments import files_below, living_experiment
from heddle.tracking.metrics import check_point, storable
from heddle.tracking.params import as_number, check_params
from heddle.tracking.run_names import random_name
from heddle.tracking.runs import UID

NAME_MAX = 500
TAG_VALUE_MAX = 100_000
VERSIONS_TAG = "mlflow.modelVersions"
"""The tag in which clients read which versions were registered from a logged model."""
_FORBIDDEN = re.compile(r"[/:.%\"']")
PENDING = "PENDING"
STATUSES = ("PENDING", "READY", "UPLOAD_FAILED")

logged_models = sa.Table(
    "logged_models",
    metadata,
    id_column(),
    workspace_column(),
    sa.Column("experiment_id", Id, sa.ForeignKey("experiments.id"), nullable=False),
    text_column("uid", unique=True),
    text_column("name"),
    text_column("model_type"),
    text_column("status"),
    text_column("status_message"),
    text_column("source_run_uid", index=True),
    text_column("artifact_uri"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    sa.Column("manifest_id", Id, sa.ForeignKey("manifests.id"), nullable=True),
    sa.Index(None, "experiment_id", "created_ms"),
    sqlite_autoincrement=True,
)
logged_model_params = sa.Table(
    "logged_model_params",
    metadata,
    owner_column("model_id", "logged_models.id"),
    key_column(),
    text_column("value"),
    sa.Column("number", sa.Double, nullable=True),
    **CLUSTERED,
)
logged_model_metrics = sa.Table(
    "logged_model_metrics",
    metadata,
    owner_column("model_id", "logged_models.id"),
    key_column(),
    sa.Column("timestamp_ms", sa.BigInteger, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    key_column("run_uid"),
    key_column("dataset_name"),
    key_column("dataset_digest"),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    **CLUSTERED,
)
tags = Tags(
    "logged_model",
    "logged_models.id",
    value_max=TAG_VALUE_MAX,
    keys=check_any_key,
    first_keys=check_any_key,
)


class ModelPoint(NamedTuple):
    """One value measured on a logged model, on a data set where one is named."""

    model_uid: str
    key: str
    value: float
    timestamp_ms: int
    step: int
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model's own row."""

    id: int
    experiment_id: int
    uid: str
    name: str
    model_type: str
    status: str
    status_message: str
    source_run_uid: str
    artifact_uri: str
    created_ms: int
    updated_ms: int
    deleted_ms: int | None
    manifest_id: int | None


class Measured(NamedTuple):
    """One value of a logged model as it is kept; ``value`` may be NaN."""

    key: str
    value: float
    timestamp_ms: int
    step: int
    run_uid: str
    dataset_name: str
    dataset_digest: str


@dataclass(frozen=True, slots=True)
class FullLoggedModel:
    """A logged model with what hangs on it."""

    model: LoggedModel
    params: Sequence[Pair]
    tags: Sequence[Pair]
    metrics: Sequence[Measured]


class DatasetChoice(NamedTuple):
    """A data set that metrics must have been measured on; no digest means any."""

    name: str
    digest: str = ""


class ModelOrder(NamedTuple):
    """One term of an order: a field, its direction, and for a metric the data set it was measured on."""

    field: str
    ascending: bool = True
    dataset: DatasetChoice | None = None


COLUMNS = tuple(logged_models.c[name] for name in LoggedModel.__dataclass_fields__)
_here = logged_models.c.workspace_id == here()
_uid = logged_models.c.uid == sa.bindparam("uid")
_get = Statement(sa.select(*COLUMNS).where(_here, _uid))
_load = Statement(
    sa.select(*COLUMNS).where(
        is_here(logged_models.c.workspace_id), among(logged_models.c.id, "ids")
    )
)
_INSERTED = (
    "workspace_id", "experiment_id", "uid", "name", "model_type", "status", "status_message",
    "source_run_uid", "artifact_uri", "created_ms", "updated_ms",
)  # fmt: skip
_insert = Insert(logged_models, _INSERTED)
_adopt = Statement(
    upsert(logged_models)
    .values({c: sa.bindparam(c) for c in _INSERTED})
    .on_conflict_do_nothing()
    .returning(logged_models.c.id)
)
_update = Statement(
    sa.update(logged_models)
    .where(_here, _uid)
    .values({c: sa.bindparam(c) for c in ("status", "status_message", "updated_ms", "deleted_ms")})
)
_insert_params = Bulk(logged_model_params, ("model_id", "key", "value", "number"))
_load_params = Statement(
    sa.select(
        logged_model_params.c.model_id, logged_model_params.c.key, logged_model_params.c.value
    )
    .where(among(logged_model_params.c.model_id, "ids"))
    .order_by(logged_model_params.c.model_id, logged_model_params.c.key)
)
_m = logged_model_metrics.c
_load_metrics = Statement(
    sa.select(
        _m.model_id, _m.key, _m.value, _m.is_nan, _m.timestamp_ms, _m.step, _m.run_uid,
        _m.dataset_name, _m.dataset_digest,
    )
    .where(among(_m.model_id, "ids"))
    .order_by(_m.model_id, _m.key, _m.timestamp_ms, _m.step)
)  # fmt: skip
_named = sa.select(logged_models.c.uid, logged_models.c.id).where(
    logged_models.c.workspace_id == here(), among(logged_models.c.uid, "uids")
)
_uids = Statement(_named)
_ids = Statement(_named.where(logged_models.c.deleted_ms.is_(None)))
_insert_metrics = Bulk(
    logged_model_metrics,
    (
        "model_id",
        "key",
        "timestamp_ms",
        "step",
        "run_uid",
        "dataset_name",
        "dataset_digest",
        "value",
        "is_nan",
    ),
)


def log_metrics(tx: Tx, run_uid: str, measured: Sequence[ModelPoint]) -> None:
    """Record points measured on logged models; raises ``NotFound`` for a model, ``Invalid``."""
    known: dict[str, int] = dict(tx.all(_ids, uids=sorted({point.model_uid for point in measured})))
    rows = []
    for point in measured:
        check_key(point.key, "metric")
        check_point(point.value, point.timestamp_ms, point.step)
        if point.model_uid not in known:
            raise NotFound(f"Logged model with ID '{point.model_uid}' not found.")
        value, is_nan = storable(point.value)
        rows.append(
            (
                known[point.model_uid], point.key, point.timestamp_ms, point.step, run_uid,
                point.dataset_name, point.dataset_digest, value, is_nan,
            )
        )  # fmt: skip
    tx.insert_many(_insert_metrics, rows)


def create(
    tx: Tx,
    *,
    experiment_id: int,
    name: str = "",
    model_type: str = "",
    source_run_uid: str = "",
    params: Sequence[Pair] = (),
    pairs: Iterable[Pair] = (),
) -> FullLoggedModel:
    """Begin a logged model, PENDING until finalized; without a name it gets a random one.

    Raises ``NotFound`` or ``WrongState`` for the experiment, ``Invalid`` for names, params and tags.
    """
    name = name or random_name()
    check_text(name, "The model name", NAME_MAX)
    if _FORBIDDEN.search(name):
        raise Invalid(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and"
            " cannot"
            " contain the following characters: / : . % \" '"
        )
    check_text(model_type, "The model type", NAME_MAX)
    check_params(params, check_any_key)
    experiment = living_experiment(tx, experiment_id)
    uid = f"m-{new_uid()}"
    location = files_below(experiment.artifact_location, f"models/{uid}")
    model_id = tx.add(
        _insert,
        experiment_id=experiment_id,
        uid=uid,
        name=name,
        model_type=model_type,
        status=PENDING,
        status_message="",
        source_run_uid=source_run_uid,
        artifact_uri=location,
        created_ms=tx.now_ms,
        updated_ms=tx.now_ms,
    )
    _write_params(tx, model_id, params)
    tags.add(tx, model_id, pairs)
    tx.changed("logged_model", uid, "created", str(experiment_id))
    return get_full(tx, uid)


def adopt(
    tx: Tx,
    *,
    uid: str,
    experiment_id: int,
    name: str,
    model_type: str,
    status: str,
    status_message: str,
    source_run_uid: str,
    location: str,
    created_ms: int,
    updated_ms: int,
    params: Sequence[Pair],
    pairs: Iterable[Pair],
) -> int:
    """Take over a logged model of another server as it is there, under its own uid; its id here.

    ``location`` is where its files are addressed. Raises ``Invalid``, and ``AlreadyExists`` for a uid
    that is taken.
    """
    if not UID.fullmatch(uid):
        raise Invalid(f"A logged model cannot be called {uid!r}.")
    if status not in STATUSES:
        raise Invalid(f"Invalid model status {status!r}; use one of {', '.join(STATUSES)}.")
    check_text(name, "The model name", NAME_MAX)
    check_text(model_type, "The model type", NAME_MAX)
    check_params(params, check_any_key)
    row = tx.one(
        _adopt,
        experiment_id=experiment_id,
        uid=uid,
        name=name,
        model_type=model_type,
        status=status,
        status_message=status_message,
        source_run_uid=source_run_uid,
        artifact_uri=location,
        created_ms=created_ms,
        updated_ms=updated_ms,
    )
    if row is None:
        raise AlreadyExists(
            f"There is a logged model with ID '{uid}' already, maybe in another workspace."
        )
    model_id: int = row[0]
    _write_params(tx, model_id, params)
    tags.add(tx, model_id, pairs)
    tx.changed("logged_model", uid, "created", str(experiment_id))
    return model_id


def _write_params(tx: Tx, model_id: int, params: Sequence[Pair]) -> None:
    tx.insert_many(
        _insert_params, [(model_id, key, value, as_number(value)) for key, value in params]
    )


def get(tx: Tx, uid: str, *, deleted: bool = False) -> LoggedModel:
    """The logged model; raises ``NotFound``, also for a deleted one unless ``deleted``."""
    row = tx.one(_get, uid=uid)
    if row is None or (row[-2] is not None and not deleted):
        raise NotFound(f"Logged model with ID '{uid}' not found.")
    return LoggedModel(*row)


def find_ids(tx: Tx, uids: Sequence[str]) -> dict[str, int]:
    """The ids of those logged models that exist here, deleted or not, by uid."""
    return dict(tx.all(_uids, uids=uids))


def get_full(tx: Tx, uid: str, *, deleted: bool = False) -> FullLoggedModel:
    """The logged model with params, tags and metrics; raises as ``get``."""
    return load_full(tx, [get(tx, uid, deleted=deleted).id])[0]


def load_full(tx: Tx, model_ids: Sequence[int]) -> list[FullLoggedModel]:
    """Those of the given logged models that exist here, in the given order."""
    found = {row[0]: LoggedModel(*row) for row in tx.all(_load, ids=model_ids)}
    params_of: dict[int, list[Pair]] = {}
    for model_id, key, value in tx.all(_load_params, ids=model_ids):
        params_of.setdefault(model_id, []).append((key, value))
    metrics_of: dict[int, list[Measured]] = {}
    for model_id, key, value, is_nan, *rest in tx.all(_load_metrics, ids=model_ids):
        number = float("nan") if is_nan else value
        metrics_of.setdefault(model_id, []).append(Measured(key, number, *rest))
    tags_of = tags.load(tx, model_ids)
    return [
        FullLoggedModel(
            found[key], params_of.get(key, ()), tags_of.get(key, ()), metrics_of.get(key, ())
        )
        for key in model_ids
        if key in found
    ]


def _change(tx: Tx, model: LoggedModel, action: str) -> LoggedModel:
    changed = replace(model, updated_ms=tx.now_ms)
    tx.run(
        _update,
        uid=model.uid,
        status=changed.status,
        status_message=changed.status_message,
        updated_ms=changed.updated_ms,
        deleted_ms=changed.deleted_ms,
    )
    tx.changed("logged_model", model.uid, action, str(model.experiment_id))
    return changed


def finalize(tx: Tx, uid: str, status: str) -> FullLoggedModel:
    """Say that the files are there (READY) or that they did not come (UPLOAD_FAILED)."""
    if status not in STATUSES:
        raise Invalid(f"Invalid model status {status!r}; use one of {', '.join(STATUSES)}.")
    _change(tx, replace(get(tx, uid), status=status), "updated")
    return get_full(tx, uid)


def delete(tx: Tx, uid: str) -> None:
    """Mark a logged model deleted, if it is not already; raises ``NotFound`` if there is none."""
    model = get(tx, uid, deleted=True)
    if model.deleted_ms is None:
        _change(tx, replace(model, deleted_ms=tx.now_ms), "deleted")


def log_params(tx: Tx, uid: str, params: Sequence[Pair]) -> None:
    """Add params; raises ``NotFound``, and ``Invalid`` for one that has another value already."""
    check_params(params, check_any_key)
    model = get(tx, uid)
    written = dict(load_full(tx, [model.id])[0].params)
    for key, value in params:
        if written.get(key, value) != value:
            raise Invalid(
                f"Changing param values is not allowed. Param with key='{key}' was already logged"
                " with"
                f" value='{written[key]}' for model ID='{uid}'."
            )
    _write_params(tx, model.id, params)
    tx.changed("logged_model", uid, "updated", str(model.experiment_id))


def set_tags(tx: Tx, uid: str, pairs: Sequence[Pair]) -> None:
    """Set tags; raises ``NotFound``, ``Invalid``."""
    model = get(tx, uid)
    for key, value in pairs:
        tags.set(tx, model.id, key, value)
    tx.changed("logged_model", uid, "tagged", str(model.experiment_id))


def delete_tag(tx: Tx, uid: str, key: str) -> None:
    """Remove a tag; raises ``NotFound`` if it is not there."""
    model = get(tx, uid)
    if not tags.delete(tx, model.id, key):
        raise NotFound(f"No tag with key {key!r} found for model with ID {uid!r}.")
    tx.changed("logged_model", uid, "tagged", str(model.experiment_id))


def note_version(tx: Tx, uid: str, name: str, number: int) -> None:
    """Write into the logged model's tag that this version was registered from it."""
    model = get(tx, uid)
    before = tags.get(tx, model.id, VERSIONS_TAG)
    noted = json.loads(before) if before else []
    noted.append({"name": name, "version": number})
    tags.set(tx, model.id, VERSIONS_TAG, json.dumps(noted))


def _on(choices: Sequence[DatasetChoice]) -> sa.ColumnElement[bool]:
    """Metrics measured on any of these data sets; on anything when none is named."""
    if not choices:
        return sa.true()
    return sa.or_(
        *(
            sa.and_(_m.dataset_name == choice.name, _m.dataset_digest == choice.digest)
            if choice.digest
            else _m.dataset_name == choice.name
            for choice in choices
        )
    )


@cache
def _plain_catalogue(newest: bool) -> Catalogue:  # noqa: FBT001
    return _make_catalogue((), newest=newest)


def catalogue(choices: Sequence[DatasetChoice] = (), *, newest: bool = False) -> Catalogue:
    """What logged models are searched by; made once where no data sets are chosen."""
    return _make_catalogue(choices, newest=newest) if choices else _plain_catalogue(newest)


def _make_catalogue(choices: Sequence[DatasetChoice], *, newest: bool) -> Catalogue:
    """What logged models are searched by, metrics taken from the chosen data sets only.

    A filter holds if any value of a metric satisfies it; an order goes by the ``newest`` value.
    """
    chosen = sa.select(_m.model_id, _m.key, _m.value, _m.is_nan).where(_on(choices))
    if newest:
        rank = (
            sa.func.row_number()
            .over(
                partition_by=(_m.model_id, _m.key),
                order_by=(_m.timestamp_ms.desc(), _m.step.desc()),
            )
            .label("rank")
        )
        ranked = chosen.add_columns(rank).subquery()
        chosen = sa.select(ranked.c.model_id, ranked.c.key, ranked.c.value, ranked.c.is_nan).where(
            ranked.c.rank == 1
        )
    return Catalogue(
        noun="logged models",
        table=logged_models,
        id=logged_models.c.id,
        attributes=(
            Attribute("name", logged_models.c.name, "text"),
            Attribute("model_id", logged_models.c.uid, "text", indexed=True),
            Attribute("model_type", sa.func.nullif(logged_models.c.model_type, ""), "text"),
            Attribute("status", logged_models.c.status, "text"),
            Attribute("source_run_id", sa.func.nullif(logged_models.c.source_run_uid, ""), "text"),
            Attribute(
                "creation_timestamp",
                logged_models.c.created_ms,
                "number",
                aliases=("creation_time", "creation_timestamp_ms"),
            ),
            Attribute(
                "last_updated_timestamp",
                logged_models.c.updated_ms,
                "number",
                aliases=("last_updated_timestamp_ms",),
            ),
        ),
        keyed=(
            Keyed(("metrics",), chosen.subquery(), "number", owner="model_id", nan="is_nan"),
            Keyed(("params",), logged_model_params, "text", owner="model_id", number="number"),
            Keyed(("tags",), tags.table, "text", owner="owner_id"),
        ),
        default_order=("creation_timestamp DESC", "model_id ASC"),
        tie_break=("creation_timestamp DESC", "model_id ASC"),
    )


def search(
    tx: Tx,
    *,
    experiment_ids: Sequence[int],
    filter: str = "",
    datasets: Sequence[DatasetChoice] = (),
    order: Sequence[ModelOrder] = (),
    limit: int,
    offset: int = 0,
) -> list[FullLoggedModel]:
    """One page of logged models; raises ``Invalid`` for a wrong filter or order."""
    scope = [
        _here,
        logged_models.c.deleted_ms.is_(None),
        logged_models.c.experiment_id.in_(experiment_ids),
    ]
    if datasets:
        scope.append(sa.exists().where(_m.model_id == logged_models.c.id, _on(datasets)))
    condition = where(filter, catalogue(datasets))
    if condition is not None:
        scope.append(condition)
    ordered_on = [term.dataset for term in order if term.dataset is not None] or list(datasets)
    found = search_ids(
        tx.fetch,
        catalogue(ordered_on, newest=True),
        scope=sa.and_(*scope),
        filter="",
        order_by=[f"{term.field} {'ASC' if term.ascending else 'DESC'}" for term in order],
        limit=limit,
        offset=offset,
    )
    return load_full(tx, found)
