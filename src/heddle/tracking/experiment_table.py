"""Experiments as a list: how many a filter finds, and what each holds."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.search.sql import where
from heddle.tracking.experiments import View, catalogue, experiments, view_filter
from heddle.tracking.runs import runs

_runs_of = Statement(
    sa.select(runs.c.experiment_id, sa.func.count(), sa.func.max(runs.c.start_ms))
    .where(
        runs.c.workspace_id == here(),
        runs.c.deleted_ms.is_(None),
        among(runs.c.experiment_id, "ids"),
    )
    .group_by(runs.c.experiment_id)
)


def count(tx: Tx, *, filter: str, view: View) -> int:
    """How many experiments a filter finds; raises ``Invalid``."""
    scope = [experiments.c.workspace_id == here(), view_filter(experiments.c.deleted_ms, view)]
    condition = where(filter, catalogue)
    if condition is not None:
        scope.append(condition)
    found: int = tx.fetch(sa.select(sa.func.count()).select_from(experiments).where(*scope))[0][0]
    return found


def count_runs(tx: Tx, experiment_ids: Sequence[int]) -> dict[int, tuple[int, int | None]]:
    """How many living runs each experiment holds, and when the newest of them began."""
    return {key: (many, newest) for key, many, newest in tx.all(_runs_of, ids=experiment_ids)}
