"""Experiments: named groups of runs in a workspace.

Names are unique among the living experiments of a workspace; a deleted one does not hold its name.
Deleting an experiment deletes its runs with it and restoring brings them back (see ``runs``).
Experiment 0, "Default", exists in the default workspace from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa

from heddle.db.schema import id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, among, here, is_here, upsert
from heddle.db.tx import DEFAULT_WORKSPACE, Tx, ids
from heddle.errors import AlreadyExists, Invalid, NotFound, WrongState
from heddle.keys import check_text
from heddle.search.fields import Attribute, Catalogue
from heddle.search.sql import Scope, search_ids
from heddle.tags import Pair, Tags

NAME_MAX = 500
LOCATION_MAX = 2048
DEFAULT_ID = 0
View = Literal["active", "deleted", "all"]

experiments = sa.Table(
    "experiments",
    metadata,
    id_column(),
    workspace_column(),
    text_column("name"),
    text_column("artifact_location"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    sqlite_autoincrement=True,
)
sa.Index(
    "uq_experiments_living_name",
    experiments.c.workspace_id,
    experiments.c.name,
    unique=True,
    sqlite_where=experiments.c.deleted_ms.is_(None),
    postgresql_where=experiments.c.deleted_ms.is_(None),
)
tags = Tags("experiment", "experiments.id", value_max=20_000)

catalogue = Catalogue(
    noun="experiments",
    table=experiments,
    id=experiments.c.id,
    attributes=(
        Attribute("name", experiments.c.name, "text"),
        Attribute("experiment_id", sa.cast(experiments.c.id, sa.Text), "text"),
        Attribute("id", experiments.c.id, "number", filterable=False),
        Attribute("creation_time", experiments.c.created_ms, "number", aliases=("created_ms",)),
        Attribute("last_update_time", experiments.c.updated_ms, "number", aliases=("updated_ms",)),
    ),
    keyed=(tags.field,),
    default_order=("creation_time DESC", "id ASC"),
    tie_break=("id DESC",),
)


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment with its tags."""

    id: int
    name: str
    artifact_location: str
    created_ms: int
    updated_ms: int
    deleted_ms: int | None
    tags: Sequence[Pair] = ()


_columns = tuple(
    experiments.c[name]
    for name in ("id", "name", "artifact_location", "created_ms", "updated_ms", "deleted_ms")
)
_in_workspace = experiments.c.workspace_id == here()
_load = Statement(
    sa.select(*_columns).where(is_here(experiments.c.workspace_id), among(experiments.c.id, "ids"))
)
_files = Statement(
    sa.select(experiments.c.artifact_location).where(
        is_here(experiments.c.workspace_id),
        experiments.c.id == sa.bindparam("id", type_=sa.BigInteger),
        experiments.c.deleted_ms.is_(None),
    )
)
_find = Statement(
    sa.select(*_columns).where(
        _in_workspace,
        experiments.c.name == sa.bindparam("name"),
        experiments.c.deleted_ms.is_(None),
    )
)
_find_deleted = Statement(
    sa.select(*_columns)
    .where(
        _in_workspace,
        experiments.c.name == sa.bindparam("name"),
        experiments.c.deleted_ms.is_not(None),
    )
    .order_by(experiments.c.deleted_ms.desc(), experiments.c.id.desc())
    .limit(sa.literal_column("1"))
)
_insert = Statement(
    upsert(experiments)
    .values(
        {
            c: sa.bindparam(c)
            for c in ("workspace_id", "name", "artifact_location", "created_ms", "updated_ms")
        }
    )
    .on_conflict_do_nothing()
    .returning(experiments.c.id)
)
_ADOPTED = (
    "workspace_id", "name", "artifact_location", "created_ms", "updated_ms", "deleted_ms",
)  # fmt: skip
_adopt, _adopt_under_id = (
    Statement(
        upsert(experiments)
        .values({c: sa.bindparam(c) for c in columns})
        .on_conflict_do_nothing()
        .returning(experiments.c.id)
    )
    for columns in (_ADOPTED, ("id", *_ADOPTED))
)
# PostgreSQL's own counter does not see ids that were chosen, and would give them out again.
_count_on = Statement(
    sa.text(
        "SELECT setval('experiments_id_seq', greatest((SELECT max(id) FROM experiments),"
        " (SELECT last_value FROM experiments_id_seq)))"
    ),
    anywhere=True,
)
_locate = Statement(
    sa.update(experiments)
    .where(_in_workspace, experiments.c.id == sa.bindparam("id"))
    .values(artifact_location=sa.bindparam("artifact_location"))
)
_update = Statement(
    sa.update(experiments)
    .where(_in_workspace, experiments.c.id == sa.bindparam("id"))
    .values({c: sa.bindparam(c) for c in ("name", "updated_ms", "deleted_ms")})
)


def default_location(tx: Tx, experiment_id: int) -> str:
    """Where the files of an experiment's runs are addressed when its maker named no place."""
    if tx.workspace == DEFAULT_WORKSPACE:
        return f"mlflow-artifacts:/{experiment_id}"
    return f"mlflow-artifacts:/workspaces/{tx.workspace}/{experiment_id}"


def create_experiment(
    tx: Tx, *, name: str, artifact_location: str = "", pairs: Iterable[Pair] = ()
) -> int:
    """Make an experiment and return its id; raises ``Invalid``, ``AlreadyExists``."""
    check_name(name)
    check_location(artifact_location)
    row = tx.one(
        _insert,
        name=name,
        artifact_location=artifact_location.rstrip("/"),
        created_ms=tx.now_ms,
        updated_ms=tx.now_ms,
    )
    if row is None:
        raise AlreadyExists(f"Experiment '{name}' already exists.")
    experiment_id: int = row[0]
    if not artifact_location:
        tx.run(_locate, id=experiment_id, artifact_location=default_location(tx, experiment_id))
    tags.add(tx, experiment_id, pairs)
    tx.changed("experiment", str(experiment_id), "created")
    return experiment_id


def adopt_experiment(
    tx: Tx,
    *,
    wanted_id: int,
    name: str,
    created_ms: int,
    updated_ms: int,
    deleted_ms: int | None,
    artifact_location: str = "",
    pairs: Iterable[Pair] = (),
) -> tuple[int, bool]:
    """Take over an experiment of another server, under its own id where that is free.

    Returns its id here, and whether it was made.

    One of the same name, deleted if the other is, is the same: it gets the tags that it lacks.
    Raises ``Invalid``, and ``AlreadyExists`` if its name came to be taken meanwhile.
    """
    check_name(name)
    check_location(artifact_location)
    there = find_experiment(tx, name)
    if there is not None and (there.deleted_ms is None) == (deleted_ms is None):
        had = {key for key, _ in there.tags}
        tags.add(tx, there.id, [pair for pair in pairs if pair[0] not in had])
        return there.id, False
    row = {
        "name": name,
        "artifact_location": artifact_location.rstrip("/"),
        "created_ms": created_ms,
        "updated_ms": updated_ms,
        "deleted_ms": deleted_ms,
    }
    made = tx.one(_adopt_under_id, id=wanted_id, **row)
    if made is not None and tx.dialect == "postgresql":
        tx.one(_count_on)
    made = made or tx.one(_adopt, **row)
    if made is None:
        raise AlreadyExists(f"Experiment '{name}' already exists.")
    experiment_id: int = made[0]
    if not artifact_location:
        tx.run(_locate, id=experiment_id, artifact_location=default_location(tx, experiment_id))
    tags.add(tx, experiment_id, pairs)
    tx.changed("experiment", str(experiment_id), "created")
    return experiment_id, True


def check_location(location: str) -> None:
    """Raise ``Invalid`` unless files can be addressed below ``location``."""
    check_text(location, "The artifact location", LOCATION_MAX)
    try:
        parts = urlsplit(location)
    except ValueError as error:
        raise Invalid(f"The artifact location {location!r} is no address: {error}.") from None
    if parts.scheme == "runs":
        raise Invalid(
            f"The artifact location {location!r} names a run; experiments are kept elsewhere."
        )
    if parts.fragment:
        raise Invalid(f"The artifact location {location!r} must not have a fragment (#...).")
    if ".." in parts.query:
        raise Invalid(f"The query of the artifact location {location!r} must not hold '..'.")


def files_below(location: str, below: str) -> str:
    """Where the files of something in an experiment are addressed; a query stays at the end."""
    if "?" not in location and "#" not in location:
        return f"{location}/{below}/artifacts"
    parts = urlsplit(location)
    path = f"{parts.path.rstrip('/')}/{below}/artifacts"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, parts.fragment))


def check_name(name: str) -> None:
    """Raise ``Invalid`` unless ``name`` may name an experiment."""
    if not name.strip():
        raise Invalid("An experiment needs a name that is not empty.")
    check_text(name, "The experiment name", NAME_MAX)


def get_experiment(tx: Tx, experiment_id: int) -> Experiment:
    """The experiment, deleted or not; raises ``NotFound``."""
    found = load_experiments(tx, [experiment_id])
    if not found:
        raise NotFound(f"No Experiment with id={experiment_id} exists")
    return found[0]


def files_of_living(tx: Tx, experiment_id: int) -> str:
    """Where the files of an experiment that takes changes lie; raises as ``living_experiment``."""
    row = tx.one(_files, id=experiment_id)
    if row is None:
        return living_experiment(tx, experiment_id).artifact_location
    location: str = row[0]
    return location


def living_experiment(tx: Tx, experiment_id: int) -> Experiment:
    """The experiment, which takes changes; raises ``NotFound``, or ``WrongState`` if deleted."""
    experiment = get_experiment(tx, experiment_id)
    if experiment.deleted_ms is not None:
        raise WrongState(
            f"The experiment {experiment_id} must be in the 'active' state. Current state is"
            " deleted;"
            " restore it first."
        )
    return experiment


def find_experiment(tx: Tx, name: str) -> Experiment | None:
    """The living experiment of that name; when there is none, the one deleted last."""
    row = tx.one(_find, name=name) or tx.one(_find_deleted, name=name)
    return None if row is None else _with_tags(tx, [row])[0]


def load_experiments(tx: Tx, experiment_ids: Sequence[int]) -> list[Experiment]:
    """Those of the given experiments that exist here, in the given order."""
    rows = {row[0]: row for row in tx.all(_load, ids=experiment_ids)}
    return _with_tags(tx, [rows[key] for key in experiment_ids if key in rows])


def _with_tags(
    tx: Tx, rows: Sequence[tuple[int, str, str, int, int, int | None]]
) -> list[Experiment]:
    found = tags.load(tx, ids(rows))
    return [Experiment(*row, tags=found.get(row[0], ())) for row in rows]


def view_filter(deleted_ms: sa.Column[int], view: View) -> sa.ColumnElement[bool]:
    """Which rows a view type shows."""
    if view == "active":
        return deleted_ms.is_(None)
    if view == "deleted":
        return deleted_ms.is_not(None)
    return sa.true()


_scopes = {
    view: Scope(sa.and_(_in_workspace, view_filter(experiments.c.deleted_ms, view)))
    for view in get_args(View)
}


def search_experiments(
    tx: Tx,
    *,
    filter: str = "",
    view: View = "active",
    order_by: Sequence[str] = (),
    limit: int,
    offset: int = 0,
) -> list[Experiment]:
    """One page of experiments; raises ``Invalid`` for a wrong filter or order."""
    found = search_ids(
        tx.fetch,
        catalogue,
        scope=_scopes[view],
        filter=filter,
        order_by=order_by,
        limit=limit,
        offset=offset,
    )
    return load_experiments(tx, found)


def rename_experiment(tx: Tx, experiment_id: int, new_name: str) -> None:
    """Give a living experiment another name; raises ``NotFound``, ``WrongState``, ``AlreadyExists``."""
    check_name(new_name)
    living_experiment(tx, experiment_id)
    _check_free(tx, new_name, experiment_id)
    tx.run(_update, id=experiment_id, name=new_name, updated_ms=tx.now_ms, deleted_ms=None)
    tx.changed("experiment", str(experiment_id), "updated")


def _check_free(tx: Tx, name: str, experiment_id: int) -> None:
    other = tx.one(_find, name=name)
    if other is not None and other[0] != experiment_id:
        raise AlreadyExists(
            f"Experiment '{name}' already exists; choose another name or rename that one first."
        )


def mark_deleted(tx: Tx, experiment_id: int) -> None:
    """Delete the experiment's own row (``runs.delete_experiment`` takes its runs too)."""
    experiment = get_experiment(tx, experiment_id)
    if experiment.deleted_ms is not None:
        raise NotFound(
            f"No active Experiment with id={experiment_id} exists; it is deleted already."
        )
    tx.run(
        _update, id=experiment_id, name=experiment.name, updated_ms=tx.now_ms, deleted_ms=tx.now_ms
    )
    tx.changed("experiment", str(experiment_id), "deleted")


def mark_restored(tx: Tx, experiment_id: int) -> None:
    """Restore the experiment's own row; raises ``AlreadyExists`` if its name was taken meanwhile."""
    experiment = get_experiment(tx, experiment_id)
    if experiment.deleted_ms is None:
        raise NotFound(f"No deleted Experiment with id={experiment_id} exists; it is active.")
    _check_free(tx, experiment.name, experiment_id)
    tx.run(_update, id=experiment_id, name=experiment.name, updated_ms=tx.now_ms, deleted_ms=None)
    tx.changed("experiment", str(experiment_id), "restored")


def set_experiment_tag(tx: Tx, experiment_id: int, key: str, value: str) -> None:
    """Set a tag of a living experiment."""
    living_experiment(tx, experiment_id)
    tags.set(tx, experiment_id, key, value)
    tx.changed("experiment", str(experiment_id), "tagged")


def delete_experiment_tag(tx: Tx, experiment_id: int, key: str) -> None:
    """Remove a tag of a living experiment; raises ``NotFound`` if it has none such."""
    living_experiment(tx, experiment_id)
    if not tags.delete(tx, experiment_id, key):
        raise NotFound(f"No tag with name: {key} in experiment with id {experiment_id}")
    tx.changed("experiment", str(experiment_id), "tagged")
