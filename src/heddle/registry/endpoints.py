"""Endpoints: which versions answer scoring requests, as people decided it.

Every version has an address for requests; it answers while it is active. Whether a process holds
the version's model at this moment is the business of `scoring.endpoint`. Only so many versions of
one model may be active at once. The alias ``default`` names the version that a model's own address
means, as Microsoft Fabric's default version does; like every alias it has a history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    Id,
    metadata,
    ms_column,
    owner_column,
    text_column,
    workspace_column,
)
from heddle.db.statement import Statement, among, here, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import WrongState
from heddle.registry.models import take_model
from heddle.registry.versions import Version, versions
from heddle.workspaces import workspaces

DEFAULT = "default"
"""The alias that names a model's default version."""

endpoints = sa.Table(
    "endpoints",
    metadata,
    owner_column("version_id", "versions.id"),
    workspace_column(),
    sa.Column("model_id", Id, sa.ForeignKey("models.id"), nullable=False, index=True),
    sa.Column("is_active", sa.SmallInteger, nullable=False),
    sa.Column("is_always_on", sa.SmallInteger, nullable=False),
    text_column("changed_by"),
    ms_column("changed_ms"),
    **CLUSTERED,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What was decided: whether the version answers requests, and whether its model stays loaded."""

    is_active: bool = False
    is_always_on: bool = False
    changed_by: str = ""
    changed_ms: int | None = None


_NAMES = ("is_active", "is_always_on", "changed_by", "changed_ms")
_COLUMNS = [endpoints.c[name] for name in _NAMES]
_find = Statement(
    sa.select(*_COLUMNS).where(
        endpoints.c.workspace_id == here(),
        endpoints.c.version_id == sa.bindparam("of_version", type_=sa.BigInteger),
    )
)
_load = Statement(
    sa.select(endpoints.c.version_id, *_COLUMNS).where(
        is_here(endpoints.c.workspace_id), among(endpoints.c.version_id, "ids")
    )
)
_active = Statement(
    sa.select(versions.c.number)
    .select_from(endpoints.join(versions, versions.c.id == endpoints.c.version_id))
    .where(
        endpoints.c.workspace_id == here(),
        endpoints.c.model_id == sa.bindparam("of_model", type_=sa.BigInteger),
        endpoints.c.is_active == sa.literal_column("1"),
        versions.c.deleted_ms.is_(None),
    )
    .order_by(versions.c.number)
)
_insert = upsert(endpoints).values(
    {name: sa.bindparam(name) for name in ("version_id", "workspace_id", "model_id", *_NAMES)}
)
_set = Statement(
    _insert.on_conflict_do_update(
        index_elements=["version_id"],
        set_={name: _insert.excluded[name] for name in _NAMES},
    )
)
# A server wakes the endpoints of every workspace when it starts.
_always_on = Statement(
    sa.select(workspaces.c.name, versions.c.model_name, versions.c.number)
    .select_from(
        endpoints.join(versions, versions.c.id == endpoints.c.version_id).join(
            workspaces, workspaces.c.id == endpoints.c.workspace_id
        )
    )
    .where(
        endpoints.c.is_active == sa.literal_column("1"),
        endpoints.c.is_always_on == sa.literal_column("1"),
        versions.c.deleted_ms.is_(None),
        workspaces.c.deleted_ms.is_(None),
    ),
    anywhere=True,
)


def _made(row: Sequence[Any]) -> Endpoint:
    is_active, is_always_on, changed_by, changed_ms = row
    return Endpoint(bool(is_active), bool(is_always_on), changed_by, changed_ms)


def find_endpoint(tx: Tx, version_id: int) -> Endpoint:
    """What was decided of a version; nobody decided anything of an inactive one."""
    row = tx.one(_find, of_version=version_id)
    return Endpoint() if row is None else _made(row)


def load_endpoints(tx: Tx, version_ids: Sequence[int]) -> dict[int, Endpoint]:
    """The same for many versions; those of which nothing was decided are left out."""
    return {row[0]: _made(row[1:]) for row in tx.all(_load, ids=version_ids)}


def list_active(tx: Tx, model_id: int) -> list[int]:
    """The numbers of a model's active versions."""
    return [row[0] for row in tx.all(_active, of_model=model_id)]


def list_always_on(tx: Tx) -> list[tuple[str, str, int]]:
    """Workspace, model and number of every active version whose model stays loaded."""
    return [(row[0], row[1], row[2]) for row in tx.all(_always_on)]


def activate(tx: Tx, version: Version, limit: int) -> Endpoint:
    """Let a version answer requests; raises ``WrongState`` if ``limit`` of its model do already."""
    before = find_endpoint(tx, version.id)
    if before.is_active:
        return before
    # Two that come at once would each see room for one.
    take_model(tx, version.model_name)
    active = list_active(tx, version.model_id)
    if len(active) >= limit:
        numbers = ", ".join(map(str, active))
        raise WrongState(
            f"{len(active)} versions of '{version.model_name}' are active already ({numbers}), and"
            f" {limit} may be. Deactivate one of them, or allow more with --active-endpoints."
        )
    return _write(tx, version, is_active=True, is_always_on=before.is_always_on)


def deactivate(tx: Tx, version: Version) -> Endpoint:
    """Let a version answer no more requests."""
    before = find_endpoint(tx, version.id)
    if not before.is_active:
        return before
    return _write(tx, version, is_active=False, is_always_on=before.is_always_on)


def keep_on(tx: Tx, version: Version, *, is_always_on: bool) -> Endpoint:
    """Say whether a version's model stays loaded while nobody asks."""
    before = find_endpoint(tx, version.id)
    if before.is_always_on == is_always_on:
        return before
    return _write(tx, version, is_active=before.is_active, is_always_on=is_always_on)


def _write(tx: Tx, version: Version, *, is_active: bool, is_always_on: bool) -> Endpoint:
    tx.run(
        _set,
        version_id=version.id,
        model_id=version.model_id,
        is_active=int(is_active),
        is_always_on=int(is_always_on),
        changed_by=tx.actor,
        changed_ms=tx.now_ms,
    )
    tx.changed("version", f"{version.model_name}/{version.number}", "endpoint", version.model_name)
    return Endpoint(is_active, is_always_on, tx.actor, tx.now_ms)
