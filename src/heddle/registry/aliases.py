"""Aliases: names of a model's own that stand for one of its versions each, such as ``champion``.

An alias is case-sensitive and points at a living version; it goes when its version goes. ``latest``
is always the version with the greatest number and, like ``v`` and digits, cannot be set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from heddle.db.schema import CLUSTERED, Id, key_column, metadata, owner_column
from heddle.db.statement import Statement, among, here, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.registry import history
from heddle.registry.models import get_model, models, take_model
from heddle.registry.versions import (
    COLUMNS,
    KNOWN,
    Known,
    Version,
    find_highest,
    get_version,
    joined,
    living,
    versions,
)
from heddle.search.fields import Related

ALIAS_MAX = 255
LATEST = "latest"
_ALIAS = re.compile(r"[\w\-]+")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)

aliases = sa.Table(
    "aliases",
    metadata,
    owner_column("model_id", "models.id"),
    key_column("alias"),
    sa.Column(
        "version_id",
        Id,
        sa.ForeignKey("versions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    **CLUSTERED,
)


def _exists(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    own = aliases.c.version_id == versions.c.id
    return sa.exists(sa.select(sa.literal(1)).where(own, condition).correlate(versions))


field = Related(("aliases", "alias"), {"name": aliases.c.alias}, _exists)

_with_alias = joined.join(aliases, aliases.c.version_id == versions.c.id)
_named = (
    models.c.workspace_id == here(),
    versions.c.workspace_id == here(),
    models.c.name == sa.bindparam("name"),
    aliases.c.model_id == models.c.id,
    aliases.c.alias == sa.bindparam("alias"),
    *living,
)
_get = Statement(sa.select(*COLUMNS).select_from(_with_alias).where(*_named))
_get_known = Statement(sa.select(*KNOWN).select_from(_with_alias).where(*_named))
_at = (aliases.c.model_id == sa.bindparam("model_id"), aliases.c.alias == sa.bindparam("alias"))
_number = Statement(
    sa.select(versions.c.number)
    .select_from(aliases.join(versions, versions.c.id == aliases.c.version_id))
    .where(versions.c.workspace_id == here(), *_at)
)
_insert = upsert(aliases).values({c: sa.bindparam(c) for c in ("model_id", "alias", "version_id")})
_set = Statement(
    _insert.on_conflict_do_update(
        index_elements=["model_id", "alias"], set_={"version_id": _insert.excluded.version_id}
    )
)
_delete = Statement(sa.delete(aliases).where(*_at))
_load = Statement(
    sa.select(aliases.c.version_id, aliases.c.alias)
    .where(among(aliases.c.version_id, "ids"))
    .order_by(aliases.c.version_id, aliases.c.alias)
)
_load_of_models = Statement(
    sa.select(aliases.c.model_id, aliases.c.alias, versions.c.number)
    .select_from(aliases.join(versions, versions.c.id == aliases.c.version_id))
    .where(is_here(versions.c.workspace_id), among(aliases.c.model_id, "ids"))
    .order_by(aliases.c.model_id, aliases.c.alias)
)


def check_alias(alias: str) -> None:
    """Raise ``Invalid`` unless ``alias`` may be set."""
    if not alias:
        raise Invalid("Registered model alias name cannot be empty.")
    if len(alias) > ALIAS_MAX:
        raise Invalid(
            f"The alias '{alias[:40]}...' has {len(alias)} characters; {ALIAS_MAX} are allowed."
        )
    if not _ALIAS.fullmatch(alias):
        raise Invalid(
            f"Invalid alias name: {alias!r}. It may hold letters, digits, underscores and dashes."
        )
    if _RESERVED.fullmatch(alias):
        raise Invalid(
            f"The alias name {alias!r} is reserved: 'latest' is the newest version, and 'v' with"
            " digits reads as a version number. Choose another."
        )


def set_alias(tx: Tx, name: str, alias: str, number: int) -> None:
    """Point an alias of a model at one of its versions, from wherever it points now.

    Raises ``Invalid`` for the alias, ``NotFound`` for model or version.
    """
    check_alias(alias)
    model = take_model(tx, name)
    version = get_version(tx, name, number)
    before = tx.one(_number, model_id=model.id, alias=alias)
    tx.run(_set, model_id=model.id, alias=alias, version_id=version.id)
    history.record(
        tx,
        model.id,
        "alias",
        version=number,
        key=alias,
        before=None if before is None else str(before[0]),
        after=str(number),
    )
    tx.changed("alias", alias, "set", name)


def delete_alias(tx: Tx, name: str, alias: str) -> bool:
    """Remove an alias of a model; whether it was there. Raises ``NotFound`` for the model."""
    model = take_model(tx, name)
    before = tx.one(_number, model_id=model.id, alias=alias)
    if before is None:
        return False
    _remove(tx, model.id, name, alias, before[0])
    return True


def _remove(tx: Tx, model_id: int, name: str, alias: str, number: int) -> None:
    tx.run(_delete, model_id=model_id, alias=alias)
    history.record(tx, model_id, "alias", version=number, key=alias, before=str(number))
    tx.changed("alias", alias, "deleted", name)


def delete_aliases_of(tx: Tx, version: Version) -> None:
    """Remove every alias that stands for a version."""
    for alias in load_aliases(tx, [version.id]).get(version.id, ()):
        _remove(tx, version.model_id, version.model_name, alias, version.number)


def delete_all_aliases(tx: Tx, model_id: int, name: str) -> None:
    """Remove every alias of a model."""
    for alias, number in load_model_aliases(tx, [model_id]).get(model_id, ()):
        _remove(tx, model_id, name, alias, number)


def get_by_alias(tx: Tx, name: str, alias: str) -> Version:
    """The version that an alias stands for; ``latest`` is the one with the greatest number.

    Raises ``NotFound`` for the model (or if it has no version at all), ``Invalid`` for an alias
    that it does not have.
    """
    row = tx.one(_get, name=name, alias=alias)
    if row is not None:
        return Version(*row)
    get_model(tx, name)
    if alias.lower() != LATEST:
        raise Invalid(f"Registered model alias {alias} not found.")
    newest = find_highest(tx, name)
    if newest is None:
        raise NotFound(f"Registered Model with name={name} has no versions yet.")
    return newest


def find_by_alias(tx: Tx, name: str, alias: str) -> Known | None:
    """The version that a set alias stands for, if there is one; quicker than ``get_by_alias``."""
    row: Known | None = tx.one(_get_known, name=name, alias=alias)
    return row


def load_aliases(tx: Tx, version_ids: Sequence[int]) -> dict[int, list[str]]:
    """The aliases of many versions, by name."""
    found: dict[int, list[str]] = {}
    for version_id, alias in tx.all(_load, ids=version_ids):
        found.setdefault(version_id, []).append(alias)
    return found


def load_model_aliases(tx: Tx, model_ids: Sequence[int]) -> dict[int, list[tuple[str, int]]]:
    """The aliases of many models with the numbers of the versions they stand for, by name."""
    found: dict[int, list[tuple[str, int]]] = {}
    for model_id, alias, number in tx.all(_load_of_models, ids=model_ids):
        found.setdefault(model_id, []).append((alias, number))
    return found
