"""Registration: how versions come into being, what befalls them together, and how they go.

Registering takes the next number of the model, pins the files, and copies params and metrics of
where the version comes from, all in one transaction, so that a version is whole or not there. Of a
logged model's and its run's values for one key the logged model's count. What is deleted keeps its
rows; its number stays used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from heddle.artifacts.manifests import pin
from heddle.db.schema import new_uid
from heddle.db.statement import Insert, Statement, here, upsert
from heddle.db.tx import Tx
from heddle.keys import check_text
from heddle.registry import aliases, history, models, scans, sources, versions
from heddle.registry.models import DESCRIPTION_MAX
from heddle.registry.sources import Origin
from heddle.registry.versions import Version, version_metrics, version_params
from heddle.tags import Pair
from heddle.tracking.logged_models import logged_model_metrics, logged_model_params, note_version
from heddle.tracking.metrics import metrics
from heddle.tracking.params import params

LINK_MAX = 8_000
RUN_UID_MAX = 256

_INSERTED = (
    "workspace_id",
    "uid",
    *(n for n in Version.__dataclass_fields__ if n != "id"),
)
_insert = Insert(versions.versions, _INSERTED)
_new_id = sa.bindparam("new_id", type_=sa.BigInteger)
_new_model_id = sa.bindparam("new_model_id", type_=sa.BigInteger)
_from_id = sa.bindparam("from_id", type_=sa.BigInteger)
_PARAM = ("key", "value", "number")
_METRIC = ("key", "value", "is_nan", "step", "timestamp_ms", "min_value", "max_value")


def _copy_params(table: sa.FromClause, owner: str) -> Statement:
    """Copy the params of one owner to a new version."""
    select = sa.select(_new_id, *(table.c[name] for name in _PARAM)).where(
        table.c[owner] == _from_id
    )
    insert = upsert(version_params).from_select(("version_id", *_PARAM), select)
    return Statement(insert.on_conflict_do_nothing())


def _copy_metrics(table: sa.FromClause, owner: str, *only: sa.ColumnElement[bool]) -> Statement:
    """Copy the latest metrics of one owner to a new version."""
    select = sa.select(_new_id, _new_model_id, *(table.c[name] for name in _METRIC))
    select = select.where(table.c[owner] == _from_id, *only)
    insert = upsert(version_metrics).from_select(("version_id", "model_id", *_METRIC), select)
    return Statement(insert.on_conflict_do_nothing())


def _ranked() -> sa.Subquery:
    """The points of one logged model, the newest of each key ranked 1, with the key's range."""
    point = logged_model_metrics.c
    newest = (point.timestamp_ms.desc(), point.step.desc(), point.value.desc(), point.run_uid)
    number = sa.case((point.is_nan == sa.literal_column("0"), point.value))
    return (
        sa.select(
            logged_model_metrics,
            sa.func.row_number().over(partition_by=point.key, order_by=newest).label("place"),
            sa.func.min(number).over(partition_by=point.key).label("min_value"),
            sa.func.max(number).over(partition_by=point.key).label("max_value"),
        )
        .where(point.model_id == _from_id)
        .subquery()
    )


_newest = _ranked()
_params_of_run = _copy_params(params, "run_id")
_params_of_logged = _copy_params(logged_model_params, "model_id")
_params_of_version = _copy_params(version_params.alias("source"), "version_id")
_metrics_of_run = _copy_metrics(metrics, "run_id")
_metrics_of_logged = _copy_metrics(_newest, "model_id", _newest.c.place == sa.literal_column("1"))
_metrics_of_version = _copy_metrics(version_metrics.alias("source"), "version_id")
_mark_deleted = Statement(
    sa.update(versions.versions)
    .where(
        versions.versions.c.workspace_id == here(),
        versions.versions.c.id == sa.bindparam("version_id"),
    )
    .values(deleted_ms=sa.bindparam("now_ms"), updated_ms=sa.bindparam("now_ms"))
)
_all_of_model = sa.update(versions.versions).where(
    versions.versions.c.workspace_id == here(),
    versions.versions.c.model_id == sa.bindparam("of_model"),
    versions.versions.c.deleted_ms.is_(None),
)
_rename_all = Statement(
    _all_of_model.values(
        model_name=sa.bindparam("new_name"),
        updated_ms=sa.bindparam("now_ms"),
        revision=versions.revised,
    )
)
_mark_all_deleted = Statement(
    _all_of_model.values(deleted_ms=sa.bindparam("now_ms"), updated_ms=sa.bindparam("now_ms"))
)


def create_version(
    tx: Tx,
    *,
    name: str,
    source: str,
    run_uid: str = "",
    logged_model_uid: str = "",
    run_link: str = "",
    description: str = "",
    pairs: Iterable[Pair] = (),
) -> Version:
    """Register a version of a model from a source (see ``sources``).

    Raises ``NotFound`` for the model or for what the source names, ``Invalid`` for anything else.
    """
    labels = dict(pairs)
    for key, value in labels.items():
        versions.tags.check(key, value)
    check_text(description, "The description", DESCRIPTION_MAX)
    check_text(run_link, "The run link", LINK_MAX)
    check_text(run_uid, "The run id", RUN_UID_MAX)
    if source.startswith("models:"):
        # Say that the model is missing before what it would be made of.
        models.get_model(tx, name)
    origin = sources.resolve(
        tx,
        source=source,
        run_uid=run_uid,
        logged_model_uid=logged_model_uid,
        is_prompt=bool(models.is_prompt_label(labels)),
    )
    return register(
        tx,
        name=name,
        origin=origin,
        run_link=run_link,
        description=description,
        pairs=labels.items(),
    )


def register(
    tx: Tx,
    *,
    name: str,
    origin: Origin,
    run_link: str = "",
    description: str = "",
    pairs: Iterable[Pair] = (),
    status: str = versions.READY,
    status_message: str = "",
) -> Version:
    """Register a version from a resolved source, its texts checked; raises ``NotFound``."""
    labels = dict(pairs)
    # Before the number is taken: from then on whoever registers for the same model waits.
    manifest_id = pin(tx, origin.manifest_id, origin.prefix)
    model_id, number = models.next_number(tx, name)
    row = _describe(origin) | {
        "model_id": model_id,
        "model_name": name,
        "number": number,
        "created_ms": tx.now_ms,
        "updated_ms": tx.now_ms,
        "description": description,
        "run_link": run_link,
        "registered_by": tx.actor,
        "stage": "None",
        "status": status,
        "status_message": status_message,
        "manifest_id": manifest_id,
    }
    version_id = tx.add(_insert, uid=new_uid(), **row)
    made = Version(id=version_id, **row)
    _copy_values(tx, origin, made)
    if manifest_id is not None:
        scans.wait(tx, version_id)
    if labels:
        versions.tags.add(tx, version_id, labels.items())
    if origin.logged is not None:
        note_version(tx, origin.logged.uid, name, number)
    history.record(tx, model_id, "created", version=number, after=origin.source)
    versions.announce(tx, made, "created")
    return made


def _describe(origin: Origin) -> dict[str, Any]:
    """What a version says of where it comes from."""
    original, run, logged = origin.original, origin.run, origin.logged
    if original is not None:
        return {
            "source": origin.source,
            "location": origin.location,
            "run_uid": original.run_uid,
            "run_name": original.run_name,
            "logged_model_uid": original.logged_model_uid,
            "experiment_id": original.experiment_id,
            "copied_from": origin.source,
        }
    experiment_id = run.experiment_id if run else logged.experiment_id if logged else None
    return {
        "source": origin.source,
        "location": origin.location,
        "run_uid": origin.run_uid,
        "run_name": run.name if run else "",
        "logged_model_uid": logged.uid if logged else "",
        "experiment_id": experiment_id,
        "copied_from": "",
    }


def _copy_values(tx: Tx, origin: Origin, made: Version) -> None:
    """Copy params and metrics of where the version comes from; the first of a key stays."""
    if origin.original is not None:
        tx.run(_params_of_version, new_id=made.id, from_id=origin.original.id)
        tx.run(
            _metrics_of_version,
            new_id=made.id,
            new_model_id=made.model_id,
            from_id=origin.original.id,
        )
        return
    if origin.logged is not None:
        tx.run(_params_of_logged, new_id=made.id, from_id=origin.logged.id)
        tx.run(
            _metrics_of_logged, new_id=made.id, new_model_id=made.model_id, from_id=origin.logged.id
        )
    if origin.run is not None:
        tx.run(_params_of_run, new_id=made.id, from_id=origin.run.id)
        tx.run(_metrics_of_run, new_id=made.id, new_model_id=made.model_id, from_id=origin.run.id)


def rename_model(tx: Tx, name: str, new_name: str) -> models.Model:
    """Give a model another name, which is a change of each of its versions.

    Raises ``NotFound``, ``Invalid``, ``AlreadyExists``.
    """
    model = models.rename_model(tx, name, new_name)
    tx.run(_rename_all, of_model=model.id, new_name=new_name, now_ms=tx.now_ms)
    return model


def delete_version(tx: Tx, name: str, number: int) -> None:
    """Delete a version and its aliases; raises ``NotFound``."""
    versions.get_version(tx, name, number)
    models.touch_model(tx, name)
    version = versions.take_version(tx, name, number)
    aliases.delete_aliases_of(tx, version)
    tx.run(_mark_deleted, version_id=version.id, now_ms=tx.now_ms)
    history.record(tx, version.model_id, "deleted", version=number, before=version.source)
    versions.announce(tx, version, "deleted")


def delete_model(tx: Tx, name: str) -> None:
    """Delete a model with its versions and aliases, freeing its name; raises ``NotFound``."""
    model = models.take_model(tx, name)
    aliases.delete_all_aliases(tx, model.id, name)
    tx.run(_mark_all_deleted, of_model=model.id, now_ms=tx.now_ms)
    models.mark_deleted(tx, model)
