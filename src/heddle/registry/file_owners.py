"""Whose files they are: the run, logged model, version or workspace that a manifest belongs to.

Crosses workspaces, because contents are shared by all of them; for those who look after the whole
server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from heddle.artifacts.manifests import loose_manifests
from heddle.db.statement import Statement, among
from heddle.db.tx import Tx
from heddle.registry.models import models
from heddle.registry.versions import versions
from heddle.tracking.logged_models import logged_models
from heddle.tracking.runs import runs
from heddle.workspaces import workspaces

_OWNERS: tuple[tuple[str, sa.Column[int], sa.FromClause, tuple[sa.Column[Any], ...]], ...] = (
    ("run {}", runs.c.manifest_id, runs, (runs.c.uid,)),
    ("logged model {}", logged_models.c.manifest_id, logged_models, (logged_models.c.uid,)),
    (
        "version {} of model '{}'",
        versions.c.manifest_id,
        versions.join(models, models.c.id == versions.c.model_id),
        (versions.c.number, models.c.name),
    ),
    (
        "workspace '{}'",
        loose_manifests.c.manifest_id,
        loose_manifests.join(workspaces, workspaces.c.id == loose_manifests.c.workspace_id),
        (workspaces.c.name,),
    ),
)
# Whoever looks after the server's bytes looks into every workspace.
_statements = tuple(
    (
        words,
        Statement(
            sa.select(column, *names).select_from(source).where(among(column, "manifest_ids")),
            anywhere=True,
        ),
    )
    for words, column, source, names in _OWNERS
)


def name_owners(tx: Tx, manifest_ids: Sequence[int]) -> dict[int, str]:
    """Who owns each manifest, in words; those that nobody owns are left out."""
    named: dict[int, str] = {}
    for words, statement in _statements:
        for manifest_id, *parts in tx.all(statement, manifest_ids=manifest_ids):
            named[manifest_id] = words.format(*parts)
    return named
