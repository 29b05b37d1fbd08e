"""Workspaces: the places that items belong to.

``default`` always exists, cannot be renamed or deleted, and is used whenever a caller names none.
A workspace is deleted only when nothing living is in it; its name is free again then.
Names are what MLflow's header carries:
2 to 63 of ``a-z 0-9 -``, starting and ending with a letter or digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from heddle.db.schema import id_column, metadata, ms_column, text_column
from heddle.db.statement import Statement, upsert
from heddle.db.tx import DEFAULT_WORKSPACE, Tx
from heddle.errors import AlreadyExists, Invalid, NotFound, WrongState
from heddle.keys import check_text

DESCRIPTION_MAX = 20_000
RESERVED = frozenset({"workspaces", "api", "ajax-api", "static-files"})
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])")

workspaces = sa.Table(
    "workspaces",
    metadata,
    id_column(),
    text_column("name"),
    text_column("description", server_default=""),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    sqlite_autoincrement=True,
)


sa.Index(
    "uq_workspaces_living_name",
    workspaces.c.name,
    unique=True,
    sqlite_where=workspaces.c.deleted_ms.is_(None),
    postgresql_where=workspaces.c.deleted_ms.is_(None),
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace."""

    name: str
    description: str
    created_ms: int
    updated_ms: int


_columns = (
    workspaces.c.name,
    workspaces.c.description,
    workspaces.c.created_ms,
    workspaces.c.updated_ms,
)
_living = workspaces.c.deleted_ms.is_(None)
_list = Statement(sa.select(*_columns).where(_living).order_by(workspaces.c.name))
_get = Statement(sa.select(*_columns).where(_living, workspaces.c.name == sa.bindparam("name")))
_insert = Statement(
    upsert(workspaces)
    .values({c: sa.bindparam(c) for c in ("name", "description", "created_ms", "updated_ms")})
    .on_conflict_do_nothing()
)
_update = Statement(
    sa.update(workspaces)
    .where(_living, workspaces.c.name == sa.bindparam("old_name"))
    .values({c: sa.bindparam(c) for c in ("name", "description", "updated_ms")})
)
_delete = Statement(
    sa.update(workspaces)
    .where(_living, workspaces.c.name == sa.bindparam("name"))
    .values(deleted_ms=sa.bindparam("deleted_ms"))
)


def check_name(name: str) -> None:
    """Raise ``Invalid`` unless ``name`` may name a workspace."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"Workspace name {name!r} must be 2 to 63 lower-case letters, digits and dashes,"
            " starting"
            " and ending with a letter or digit."
        )
    if name in RESERVED:
        raise Invalid(f"Workspace name {name!r} is reserved; choose another.")


def list_workspaces(tx: Tx) -> list[Workspace]:
    """All workspaces, by name."""
    return [Workspace(*row) for row in tx.all(_list)]


def get_workspace(tx: Tx, name: str) -> Workspace:
    """The workspace of that name; raises ``NotFound``."""
    row = tx.one(_get, name=name)
    if row is None:
        raise NotFound(f"Workspace '{name}' does not exist.")
    return Workspace(*row)


def create_workspace(tx: Tx, *, name: str, description: str = "") -> Workspace:
    """Make an empty workspace; raises ``Invalid`` for a bad name, ``AlreadyExists`` for a taken one."""
    check_name(name)
    check_text(description, "The description", DESCRIPTION_MAX)
    made = tx.count(
        _insert, name=name, description=description, created_ms=tx.now_ms, updated_ms=tx.now_ms
    )
    if not made:
        raise AlreadyExists(f"Workspace '{name}' already exists.")
    tx.changed("workspace", name, "created")
    return get_workspace(tx, name)


def update_workspace(
    tx: Tx, name: str, *, new_name: str | None = None, description: str | None = None
) -> Workspace:
    """Rename or describe; raises ``NotFound``, ``Invalid``, ``AlreadyExists``."""
    now = get_workspace(tx, name)
    if new_name is not None and new_name != name:
        if name == DEFAULT_WORKSPACE:
            raise Invalid(
                "The workspace 'default' cannot be renamed: clients that name none rely on it."
            )
        check_name(new_name)
        if tx.one(_get, name=new_name) is not None:
            raise AlreadyExists(f"Workspace '{new_name}' already exists.")
    if description is not None:
        check_text(description, "The description", DESCRIPTION_MAX)
    tx.run(
        _update,
        old_name=name,
        name=new_name or name,
        description=now.description if description is None else description,
        updated_ms=tx.now_ms,
    )
    tx.changed("workspace", new_name or name, "updated")
    return get_workspace(tx, new_name or name)


def delete_workspace(tx: Tx, name: str) -> None:
    """Delete an empty workspace; raises ``Invalid`` for ``default``, ``NotFound``, ``WrongState``."""
    if name == DEFAULT_WORKSPACE:
        raise Invalid(
            "The workspace 'default' cannot be deleted: clients that name none rely on it."
        )
    get_workspace(tx, name)
    for table in metadata.sorted_tables:
        if "workspace_id" in table.c and "deleted_ms" in table.c:
            kind = table.name.replace("_", " ")
            if tx.one(_first_living(table.name), name=name) is not None:
                raise WrongState(
                    f"Workspace '{name}' is not empty: it has {kind}. Delete or move them first."
                )
    tx.run(_delete, name=name, deleted_ms=tx.now_ms)
    tx.changed("workspace", name, "deleted")


@cache
def _first_living(table_name: str) -> Statement:
    """One living row of a table in a named workspace, which need not be the caller's own."""
    table = metadata.tables[table_name]
    join = table.join(workspaces, workspaces.c.id == table.c.workspace_id)
    return Statement(
        sa.select(table.c.id)
        .select_from(join)
        .where(_living, workspaces.c.name == sa.bindparam("name"), table.c.deleted_ms.is_(None))
        .limit(1),
        anywhere=True,
    )
