"""GUIDs by which workspaces and models are known where items have GUIDs.

A GUID is made from the row's own number, which is never used twice, and read back without a look-up;
so it is stable through renaming, and the same for everyone. It is a UUID of version 8: a fixed first
part, what kind of thing it names, and the number.
"""

from __future__ import annotations

import uuid
from typing import Literal

import sqlalchemy as sa

from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.errors import NotFound
from heddle.registry.models import Model, load_models, models
from heddle.workspaces import workspaces

Kind = Literal["workspace", "model"]
FIRST = 0x4865_6464_6C65
"""The letters of our name, in the 48 bits before the version."""
KINDS: dict[Kind, int] = {"workspace": 1, "model": 2}
NUMBER_BITS = 62

_living = workspaces.c.deleted_ms.is_(None)
_name = Statement(
    sa.select(workspaces.c.name).where(
        workspaces.c.id == sa.bindparam("id", type_=sa.BigInteger), _living
    )
)
_ids = Statement(sa.select(workspaces.c.name, workspaces.c.id).where(_living))
_is_living = Statement(
    sa.select(models.c.id).where(
        models.c.workspace_id == here(),
        models.c.id == sa.bindparam("id", type_=sa.BigInteger),
        models.c.deleted_ms.is_(None),
        models.c.is_prompt == sa.literal_column("0"),
    )
)


def guid_of(kind: Kind, number: int) -> str:
    """The GUID of a row."""
    return str(
        uuid.UUID(int=(FIRST << 80) | (8 << 76) | (KINDS[kind] << 64) | (2 << NUMBER_BITS) | number)
    )


def number_of(kind: Kind, text: str) -> int | None:
    """The row that a GUID names; None for any other text."""
    try:
        value = uuid.UUID(text).int
    except ValueError:
        return None
    number = value & ((1 << NUMBER_BITS) - 1)
    return number if str(uuid.UUID(int=value)) == guid_of(kind, number) else None


def workspace_named(tx: Tx, guid: str) -> str:
    """The name of the workspace with this GUID; raises ``NotFound``."""
    number = number_of("workspace", guid)
    row = None if number is None else tx.one(_name, id=number)
    if row is None:
        raise NotFound(f"The workspace '{guid}' does not exist.")
    name: str = row[0]
    return name


def workspace_guids(tx: Tx) -> dict[str, str]:
    """The GUIDs of all workspaces, by name."""
    return {name: guid_of("workspace", number) for name, number in tx.all(_ids)}


def model_with(tx: Tx, guid: str) -> Model:
    """The living model of the caller's workspace with this GUID; raises ``NotFound``."""
    number = number_of("model", guid)
    if number is not None and tx.one(_is_living, id=number) is not None:
        return load_models(tx, [number])[number]
    raise NotFound(f"The ML model '{guid}' does not exist in this workspace.")
