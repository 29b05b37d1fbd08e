"""Whose files an address means: those of a run, of a logged model, or of neither.

Addresses are those that clients are given as artifact locations: of a run
``<location>/<run uid>/artifacts``, of a logged model ``<location>/models/<model uid>/artifacts``.
Runs and logged models get their manifest with their first file. Files anywhere else belong to the
workspace itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa

from heddle.artifacts import manifests
from heddle.db.statement import Statement, here
from heddle.db.tx import DEFAULT_WORKSPACE, Tx
from heddle.errors import Invalid, NotFound
from heddle.tracking.logged_models import logged_models
from heddle.tracking.runs import UID, runs

_TABLES = {"run": runs, "model": logged_models}
_find = {
    kind: Statement(
        sa.select(table.c.id, table.c.artifact_uri, table.c.manifest_id).where(
            table.c.workspace_id == here(), table.c.uid == sa.bindparam("uid")
        )
    )
    for kind, table in _TABLES.items()
}
_give = {
    kind: Statement(
        sa.update(table)
        .where(table.c.workspace_id == here(), table.c.id == sa.bindparam("id"))
        .where(table.c.manifest_id.is_(None))
        .values(manifest_id=sa.bindparam("manifest_id"))
    )
    for kind, table in _TABLES.items()
}
_taken = {
    kind: Statement(
        sa.select(table.c.manifest_id).where(
            table.c.workspace_id == here(), table.c.id == sa.bindparam("id")
        )
    )
    for kind, table in _TABLES.items()
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: the owner, its manifest if it has one yet, and the path within it.

    ``kind`` is ``run``, ``model`` or ``loose``; ``id`` and ``uid`` are the run's or logged model's.
    """

    kind: str
    id: int
    uid: str
    manifest_id: int | None
    path: str


def within_workspace(tx: Tx, path: str) -> str:
    """A checked path without the prefix of the caller's workspace.

    Raises ``Invalid`` if the prefix names another workspace, or none where this one needs it.
    """
    parts = path.split("/")
    if parts[0] != "workspaces":
        return path
    if len(parts) == 1:
        if tx.workspace == DEFAULT_WORKSPACE:
            return path
        raise Invalid("Invalid path 'workspaces': the name of a workspace must follow.")
    if parts[1] != tx.workspace:
        raise Invalid(
            f"Invalid path '{path}': it belongs to workspace '{parts[1]}', this call to"
            f" '{tx.workspace}'."
        )
    return "/".join(parts[2:])


def location_path(tx: Tx, uri: str) -> str | None:
    """The path that an artifact location has at this server, None if it is somewhere else."""
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts":
        return None
    path = parts.path.strip("/")
    prefix = f"workspaces/{tx.workspace}/"
    if tx.workspace != DEFAULT_WORKSPACE and path.startswith(prefix):
        return path[len(prefix) :]
    return path


def find_place(tx: Tx, path: str) -> Place:
    """Whose file a checked path (without workspace) names; never fails."""
    parts = path.split("/")
    for at in range(1, len(parts)):
        if parts[at] != "artifacts" or not UID.fullmatch(parts[at - 1]):
            continue
        kind = "model" if at > 1 and parts[at - 2] == "models" else "run"
        row = tx.one(_find[kind], uid=parts[at - 1])
        if row is not None and location_path(tx, row[1]) == "/".join(parts[: at + 1]):
            return Place(kind, row[0], parts[at - 1], row[2], "/".join(parts[at + 1 :]))
    return Place("loose", 0, "", manifests.find_loose(tx), path)


def run_place(tx: Tx, uid: str, path: str = "") -> tuple[Place, str]:
    """A checked path among a run's files, and the run's artifact location; raises ``NotFound``."""
    row = tx.one(_find["run"], uid=uid)
    if row is None:
        raise NotFound(f"Run with id={uid} not found")
    return Place("run", row[0], uid, row[2], path), row[1]


def model_place(tx: Tx, uid: str, path: str = "") -> tuple[Place, str]:
    """The same for a logged model; raises ``NotFound``."""
    row = tx.one(_find["model"], uid=uid)
    if row is None:
        raise NotFound(f"Logged model with ID '{uid}' not found.")
    return Place("model", row[0], uid, row[2], path), row[1]


def take_manifest(tx: Tx, place: Place) -> int:
    """The manifest of a place, made if its owner has none yet."""
    if place.manifest_id is not None:
        return place.manifest_id
    if place.kind == "loose":
        return manifests.take_loose(tx)
    made = manifests.create_manifest(tx)
    if tx.count(_give[place.kind], id=place.id, manifest_id=made):
        return made
    # Another file of the same owner came first, on another connection.
    manifests.delete_manifest(tx, made)
    taken: int = tx.one(_taken[place.kind], id=place.id)[0]
    return taken


def check_free(tx: Tx, place: Place) -> None:
    """Raise ``Invalid`` if no file can stand at that place."""
    if not place.path:
        raise Invalid("Invalid path: it names a directory, not a file.")
    if place.manifest_id is not None:
        manifests.check_free(tx, place.manifest_id, place.path)


def put_file(tx: Tx, place: Place, *, digest: str, size_bytes: int) -> None:
    """Let a path stand for a content that is kept; raises ``Invalid`` as ``check_free``."""
    if not place.path:
        raise Invalid("Invalid path: it names a directory, not a file.")
    manifests.put_file(
        tx, take_manifest(tx, place), place.path, digest=digest, size_bytes=size_bytes
    )
    announce(tx, place)


def delete_path(tx: Tx, place: Place) -> int:
    """Remove a file or a folder; how many files went, none if there were none."""
    if place.manifest_id is None:
        return 0
    gone = manifests.delete_path(tx, place.manifest_id, place.path)
    if gone:
        announce(tx, place)
    return gone


def announce(tx: Tx, place: Place) -> None:
    """Tell those who watch that files of a run or logged model changed."""
    if place.kind != "loose":
        tx.changed("run" if place.kind == "run" else "logged_model", place.uid, "files")
