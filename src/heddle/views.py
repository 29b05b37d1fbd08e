"""Saved views: what a person looked at, kept as a small document to be shown again.

A view belongs to a screen (its scope) of a workspace and to whoever saved it. A shared one is
seen by everyone there and changed by its owner alone. The document is the page's own business.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.schema import id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, here, upsert
from heddle.db.tx import Tx
from heddle.errors import AlreadyExists, Denied, Invalid, NotFound
from heddle.keys import check_text

NAME_MAX = 200
SCOPE_MAX = 600
DOCUMENT_MAX = 64 * 1024
VIEWS_MAX = 1000
"""Views of one owner in one workspace."""

views = sa.Table(
    "views",
    metadata,
    id_column(),
    workspace_column(),
    text_column("scope"),
    text_column("name"),
    text_column("owner"),
    sa.Column("shared", sa.SmallInteger, nullable=False),
    text_column("document"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    sa.Index(
        "uq_views_workspace_id_owner_scope_name",
        "workspace_id",
        "owner",
        "scope",
        "name",
        unique=True,
    ),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class View:
    """One saved view; ``document`` is JSON, ``shared`` 0 or 1."""

    id: int
    scope: str
    name: str
    owner: str
    shared: int
    document: str
    created_ms: int
    updated_ms: int


_columns = tuple(views.c[name] for name in View.__dataclass_fields__)
_seen = sa.and_(
    views.c.workspace_id == here(),
    sa.or_(views.c.owner == sa.bindparam("actor"), views.c.shared == sa.literal_column("1")),
)
_by_id = views.c.id == sa.bindparam("id", type_=sa.BigInteger)
_list = Statement(sa.select(*_columns).where(_seen).order_by(views.c.name, views.c.id))
_get = Statement(sa.select(*_columns).where(_seen, _by_id))
_count = Statement(
    sa.select(sa.func.count()).where(
        views.c.workspace_id == here(), views.c.owner == sa.bindparam("actor")
    )
)
_insert = Statement(
    upsert(views)
    .values(
        {
            c: sa.bindparam(c)
            for c in ("workspace_id", *(n for n in View.__dataclass_fields__ if n != "id"))
        }
    )
    .on_conflict_do_nothing()
    .returning(views.c.id)
)
_taken = Statement(
    sa.select(views.c.id).where(
        views.c.workspace_id == here(),
        views.c.owner == sa.bindparam("actor"),
        views.c.scope == sa.bindparam("scope"),
        views.c.name == sa.bindparam("name"),
    )
)
_update = Statement(
    sa.update(views)
    .where(views.c.workspace_id == here(), _by_id)
    .values({c: sa.bindparam(f"new_{c}") for c in ("name", "shared", "document", "updated_ms")})
)
_delete = Statement(sa.delete(views).where(views.c.workspace_id == here(), _by_id))


def _check(name: str, document: str) -> None:
    if not name.strip():
        raise Invalid("A view needs a name that is not empty.")
    check_text(name, "The view's name", NAME_MAX)
    check_text(document, "The view's document", DOCUMENT_MAX)


def list_views(tx: Tx, scope: str | None = None) -> list[View]:
    """The actor's own views and the shared ones, by name; of one screen where it is named."""
    found = [View(*row) for row in tx.all(_list, actor=tx.actor)]
    return [view for view in found if scope is None or view.scope == scope]


def get_view(tx: Tx, view_id: int) -> View:
    """The view, if the actor may see it; raises ``NotFound``."""
    row = tx.one(_get, id=view_id, actor=tx.actor)
    if row is None:
        raise NotFound(f"There is no saved view {view_id} here.")
    return View(*row)


def create_view(tx: Tx, *, scope: str, name: str, document: str, shared: bool = False) -> View:
    """Save a view; raises ``Invalid``, ``AlreadyExists`` for a name of one's own on that screen."""
    _check(name, document)
    check_text(scope, "The view's scope", SCOPE_MAX)
    if tx.one(_count, actor=tx.actor)[0] >= VIEWS_MAX:
        raise Invalid(f"You have {VIEWS_MAX} saved views here already; delete some first.")
    row = tx.one(
        _insert,
        scope=scope,
        name=name,
        owner=tx.actor,
        shared=int(shared),
        document=document,
        created_ms=tx.now_ms,
        updated_ms=tx.now_ms,
    )
    if row is None:
        raise AlreadyExists(f"You have a view '{name}' on this screen already.")
    tx.changed("view", str(row[0]), "created", scope)
    return get_view(tx, row[0])


def update_view(
    tx: Tx,
    view_id: int,
    *,
    name: str | None = None,
    document: str | None = None,
    shared: bool | None = None,
) -> View:
    """Change a view of one's own, leaving out what is None.

    Raises ``NotFound``, ``Denied`` for another's, ``Invalid``, ``AlreadyExists``.
    """
    now = _own(tx, view_id)
    new_name = now.name if name is None else name
    new_document = now.document if document is None else document
    _check(new_name, new_document)
    other = tx.one(_taken, actor=tx.actor, scope=now.scope, name=new_name)
    if other is not None and other[0] != view_id:
        raise AlreadyExists(f"You have a view '{new_name}' on this screen already.")
    tx.run(
        _update,
        id=view_id,
        new_name=new_name,
        new_shared=now.shared if shared is None else int(shared),
        new_document=new_document,
        new_updated_ms=tx.now_ms,
    )
    tx.changed("view", str(view_id), "updated", now.scope)
    return get_view(tx, view_id)


def delete_view(tx: Tx, view_id: int) -> None:
    """Delete a view of one's own; raises ``NotFound``, ``Denied``."""
    now = _own(tx, view_id)
    tx.run(_delete, id=view_id)
    tx.changed("view", str(view_id), "deleted", now.scope)


def _own(tx: Tx, view_id: int) -> View:
    view = get_view(tx, view_id)
    if view.owner != tx.actor:
        raise Denied(f"The view '{view.name}' belongs to {view.owner}; save a copy of your own.")
    return view
