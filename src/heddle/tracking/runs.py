"""Runs: one execution of training code each, their life and status.

``revision`` rises by one with every change of a run or of what hangs on it, so that an answer made
of (uid, revision) can be kept. Every write to a run goes through ``touch``, which in one statement
finds the run in the caller's workspace, refuses deleted ones, and raises the revision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.schema import (
    Id,
    id_column,
    metadata,
    ms_column,
    new_uid,
    text_column,
    workspace_column,
)
from heddle.db.statement import Insert, Statement, among, here, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import AlreadyExists, Invalid, NotFound, WrongState
from heddle.keys import check_any_key, check_text
from heddle.tags import Pair, Tags
from heddle.tracking.experiments import (
    files_below,
    files_of_living,
    mark_deleted,
    mark_restored,
)
from heddle.tracking.run_names import random_name

RUNNING = "RUNNING"
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
NAME_TAG = "mlflow.runName"
"""The tag that is the run's name: setting either sets both."""
TAG_VALUE_MAX = 100_000
NAME_MAX = 8000
USER_MAX = 256
UID = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""What a run or a logged model may be called."""

runs = sa.Table(
    "runs",
    metadata,
    id_column(),
    workspace_column(),
    sa.Column("experiment_id", Id, sa.ForeignKey("experiments.id"), nullable=False),
    text_column("uid", unique=True),
    text_column("name"),
    text_column("user_id"),
    text_column("status"),
    ms_column("start_ms", nullable=True),
    ms_column("end_ms", nullable=True),
    text_column("artifact_uri"),
    ms_column("created_ms"),
    ms_column("deleted_ms", nullable=True),
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("manifest_id", Id, sa.ForeignKey("manifests.id", use_alter=False), nullable=True),
    sa.Index(None, "experiment_id", "start_ms", "uid"),
    sa.Index(None, "workspace_id", "start_ms"),
    sqlite_autoincrement=True,
)
tags = Tags("run", "runs.id", value_max=TAG_VALUE_MAX, first_keys=check_any_key)


@dataclass(frozen=True, slots=True)
class Run:
    """A run's own row."""

    id: int
    experiment_id: int
    uid: str
    name: str
    user_id: str
    status: str
    start_ms: int | None
    end_ms: int | None
    artifact_uri: str
    deleted_ms: int | None
    revision: int


COLUMNS = tuple(runs.c[name] for name in Run.__dataclass_fields__)
_here = runs.c.workspace_id == here()
_uid = runs.c.uid == sa.bindparam("uid")
_get = Statement(sa.select(*COLUMNS).where(_here, _uid))
_load = Statement(sa.select(*COLUMNS).where(is_here(runs.c.workspace_id), among(runs.c.id, "ids")))
_uids = Statement(sa.select(runs.c.uid, runs.c.id).where(_here, among(runs.c.uid, "uids")))
_touch = Statement(
    sa.update(runs)
    .where(_here, _uid, runs.c.deleted_ms.is_(None))
    .values(revision=runs.c.revision + 1)
    .returning(runs.c.id, runs.c.experiment_id)
)
_INSERTED = (
    "workspace_id", "experiment_id", "uid", "name", "user_id", "status", "start_ms",
    "artifact_uri", "created_ms",
)  # fmt: skip
_insert = Insert(runs, _INSERTED)
_adopt = Statement(
    upsert(runs)
    .values({c: sa.bindparam(c) for c in (*_INSERTED, "end_ms", "deleted_ms")})
    .on_conflict_do_nothing()
    .returning(runs.c.id)
)
_update = Statement(
    sa.update(runs)
    .where(_here, runs.c.id == sa.bindparam("id"))
    .values({c: sa.bindparam(c) for c in ("status", "end_ms", "name")})
)
_set_deleted = Statement(
    sa.update(runs)
    .where(_here, _uid)
    .values(deleted_ms=sa.bindparam("deleted_ms"), revision=runs.c.revision + 1)
)
_delete_all = Statement(
    sa.update(runs)
    .where(
        _here, runs.c.experiment_id == sa.bindparam("experiment_id"), runs.c.deleted_ms.is_(None)
    )
    .values(deleted_ms=sa.bindparam("deleted_ms"), revision=runs.c.revision + 1)
)
_restore_all = Statement(
    sa.update(runs)
    .where(
        _here, runs.c.experiment_id == sa.bindparam("experiment_id"), runs.c.deleted_ms.is_not(None)
    )
    .values(deleted_ms=sa.null(), revision=runs.c.revision + 1)
)


def create_run(
    tx: Tx,
    *,
    experiment_id: int,
    name: str = "",
    user_id: str = "",
    start_ms: int | None = None,
    pairs: Iterable[Pair] = (),
) -> Run:
    """Begin a run; without a name it gets a random one, and its name is also its name tag.

    Raises ``NotFound`` or ``WrongState`` for the experiment, ``Invalid`` for names and tags.
    """
    labels = dict(pairs)
    tagged = labels.get(NAME_TAG, "")
    if name and tagged and name != tagged:
        raise Invalid(
            f"Both 'run_name' argument and '{NAME_TAG}' tag are specified, but with different"
            " values:"
            f" run_name='{name}' and {NAME_TAG}='{tagged}'. Give one of them."
        )
    name = name or tagged or random_name()
    check_text(name, "The run name", NAME_MAX)
    check_text(user_id, "The user id", USER_MAX)
    labels[NAME_TAG] = name
    uid = new_uid()
    location = files_below(files_of_living(tx, experiment_id), uid)
    run_id = tx.add(
        _insert,
        experiment_id=experiment_id,
        uid=uid,
        name=name,
        user_id=user_id,
        status=RUNNING,
        start_ms=start_ms,
        artifact_uri=location,
        created_ms=tx.now_ms,
    )
    tags.add(tx, run_id, labels.items())
    tx.changed("run", uid, "created", str(experiment_id))
    return Run(
        run_id, experiment_id, uid, name, user_id, RUNNING, start_ms, None, location, None, 1
    )


def adopt_run(
    tx: Tx,
    *,
    uid: str,
    experiment_id: int,
    name: str,
    user_id: str,
    status: str,
    start_ms: int | None,
    end_ms: int | None,
    deleted_ms: int | None,
    location: str,
    pairs: Iterable[Pair],
) -> int:
    """Take over a run of another server as it is there, under its own uid; its id here.

    ``location`` is where its files are addressed. Raises ``Invalid``, and ``AlreadyExists`` for a uid
    that is taken.
    """
    if not UID.fullmatch(uid):
        raise Invalid(f"A run cannot be called {uid!r}.")
    if status not in STATUSES:
        raise Invalid(f"Invalid run status {status!r}; use one of {', '.join(STATUSES)}.")
    check_text(name, "The run name", NAME_MAX)
    check_text(user_id, "The user id", USER_MAX)
    row = tx.one(
        _adopt,
        experiment_id=experiment_id,
        uid=uid,
        name=name,
        user_id=user_id,
        status=status,
        start_ms=start_ms,
        end_ms=end_ms,
        deleted_ms=deleted_ms,
        artifact_uri=location,
        created_ms=tx.now_ms if start_ms is None else start_ms,
    )
    if row is None:
        raise AlreadyExists(f"There is a run with id={uid} already, maybe in another workspace.")
    run_id: int = row[0]
    tags.add(tx, run_id, {**dict(pairs), NAME_TAG: name}.items())
    tx.changed("run", uid, "created", str(experiment_id))
    return run_id


def get_run(tx: Tx, uid: str) -> Run:
    """The run, deleted or not; raises ``NotFound``."""
    row = tx.one(_get, uid=uid)
    if row is None:
        raise NotFound(f"Run with id={uid} not found")
    return Run(*row)


def load_runs(tx: Tx, run_ids: Sequence[int]) -> dict[int, Run]:
    """Those of the given runs that exist here, by id."""
    return {row[0]: Run(*row) for row in tx.all(_load, ids=run_ids)}


def find_ids(tx: Tx, uids: Sequence[str]) -> dict[str, int]:
    """The ids of those runs that exist here, by uid."""
    return dict(tx.all(_uids, uids=uids))


def touch(tx: Tx, uid: str) -> tuple[int, int]:
    """Take a run up for a change: its id and experiment id.

    Raises ``NotFound``, or ``WrongState`` for a deleted run.
    """
    row: tuple[int, int] | None = tx.one(_touch, uid=uid)
    if row is None:
        get_run(tx, uid)
        raise WrongState(
            f"The run {uid} must be in the 'active' state. Current state is deleted; restore it"
            " first."
        )
    return row


def update_run(
    tx: Tx,
    uid: str,
    *,
    status: str | None = None,
    end_ms: int | None = None,
    name: str | None = None,
) -> Run:
    """Change status, end time or name, leaving out what is None; raises as ``touch``, ``Invalid``."""
    if status is not None and status not in STATUSES:
        raise Invalid(f"Invalid run status {status!r}; use one of {', '.join(STATUSES)}.")
    run_id, _ = touch(tx, uid)
    now = get_run(tx, uid)
    if name:
        check_text(name, "The run name", NAME_MAX)
        tags.set(tx, run_id, NAME_TAG, name)
    tx.run(
        _update,
        id=run_id,
        status=status or now.status,
        end_ms=now.end_ms if end_ms is None else end_ms,
        name=name or now.name,
    )
    tx.changed("run", uid, "updated", str(now.experiment_id))
    return get_run(tx, uid)


def delete_run(tx: Tx, uid: str) -> None:
    """Mark a run deleted; deleting it again changes nothing. Raises ``NotFound``."""
    run = get_run(tx, uid)
    if run.deleted_ms is None:
        tx.run(_set_deleted, uid=uid, deleted_ms=tx.now_ms)
        tx.changed("run", uid, "deleted", str(run.experiment_id))


def restore_run(tx: Tx, uid: str) -> None:
    """Bring a deleted run back; a living one stays as it is. Raises ``NotFound``."""
    run = get_run(tx, uid)
    if run.deleted_ms is not None:
        tx.run(_set_deleted, uid=uid, deleted_ms=None)
        tx.changed("run", uid, "restored", str(run.experiment_id))


def delete_experiment(tx: Tx, experiment_id: int) -> None:
    """Delete an experiment and its runs; raises ``NotFound`` if it is gone already."""
    mark_deleted(tx, experiment_id)
    tx.run(_delete_all, experiment_id=experiment_id, deleted_ms=tx.now_ms)


def restore_experiment(tx: Tx, experiment_id: int) -> None:
    """Restore an experiment and all its runs; raises ``NotFound``, ``AlreadyExists``."""
    mark_restored(tx, experiment_id)
    tx.run(_restore_all, experiment_id=experiment_id)


def set_tag(tx: Tx, uid: str, key: str, value: str) -> None:
    """Set a run's tag; the name tag renames the run. Raises as ``touch``, ``Invalid``."""
    set_tags(tx, uid, [(key, value)])


def set_tags(tx: Tx, uid: str, pairs: Sequence[Pair]) -> None:
    """Set several tags of a run; of a key given twice the last counts."""
    for key, value in pairs:
        tags.check(key, value)
    run_id, experiment_id = touch(tx, uid)
    write_tags(tx, run_id, pairs)
    tx.changed("run", uid, "tagged", str(experiment_id))


def write_tags(tx: Tx, run_id: int, pairs: Iterable[Pair]) -> None:
    """Write checked tags of a run that is taken up already."""
    for key, value in dict(pairs).items():
        if key == NAME_TAG and not value:
            # A run is never without a name.
            continue
        tags.set(tx, run_id, key, value)
        if key == NAME_TAG:
            tx.run(_rename, id=run_id, name=value)


_rename = Statement(
    sa.update(runs).where(_here, runs.c.id == sa.bindparam("id")).values(name=sa.bindparam("name"))
)


def delete_tag(tx: Tx, uid: str, key: str) -> None:
    """Remove a run's tag; raises ``NotFound`` if it has none such."""
    run_id, experiment_id = touch(tx, uid)
    if not tags.delete(tx, run_id, key):
        raise NotFound(f"No tag with name: {key} in run with id {uid}")
    tx.changed("run", uid, "tagged", str(experiment_id))
