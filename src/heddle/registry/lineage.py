"""Lineage: which versions come from which runs, logged models and versions."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.registry.models import models
from heddle.registry.versions import joined, living, versions

Named = tuple[str, int]
"""A version by its model's name and its number."""


def _descended(column: sa.Column[str]) -> Statement:
    return Statement(
        sa.select(column, models.c.name, versions.c.number)
        .select_from(joined)
        .where(
            versions.c.workspace_id == here(),
            models.c.workspace_id == here(),
            among(column, "origins"),
            *living,
        )
        .order_by(column, models.c.name, versions.c.number)
    )


_of_runs = _descended(versions.c.run_uid)
_of_logged_models = _descended(versions.c.logged_model_uid)
_copies = _descended(versions.c.copied_from)


def _grouped(tx: Tx, statement: Statement, origins: Sequence[str]) -> dict[str, list[Named]]:
    found: dict[str, list[Named]] = {}
    for origin, name, number in tx.all(statement, origins=origins):
        found.setdefault(origin, []).append((name, number))
    return found


def versions_of_runs(tx: Tx, uids: Sequence[str]) -> dict[str, list[Named]]:
    """Living versions that were registered from these runs, by run."""
    return _grouped(tx, _of_runs, uids)


def versions_of_logged_models(tx: Tx, uids: Sequence[str]) -> dict[str, list[Named]]:
    """Living versions that were registered from these logged models, by logged model."""
    return _grouped(tx, _of_logged_models, uids)


def copies_of(tx: Tx, name: str, number: int) -> list[Named]:
    """Living versions that were copied from this one."""
    source = f"models:/{name}/{number}"
    return _grouped(tx, _copies, [source]).get(source, [])


_sources = Statement(
    sa.select(models.c.name, versions.c.number, versions.c.source)
    .select_from(joined)
    .where(
        versions.c.workspace_id == here(),
        models.c.workspace_id == here(),
        versions.c.run_uid == sa.bindparam("run_uid"),
        *living,
    )
)


def sources_of_run(tx: Tx, uid: str) -> dict[Named, str]:
    """What each living version of a run says that it was made from."""
    return {(name, number): source for name, number, source in tx.all(_sources, run_uid=uid)}
