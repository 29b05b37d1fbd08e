"""Runs with everything that hangs on them: searching, and loading in batches.

The catalogue of what may be searched stands here, above params, metrics and inputs, which bring
their tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import sqlalchemy as sa

from heddle.db.statement import here, is_here
from heddle.db.tx import Tx
from heddle.search.fields import Attribute, Catalogue
from heddle.search.sql import MERGED, Scope, search_rows
from heddle.tags import Pair
from heddle.tracking import inputs, metrics, params
from heddle.tracking.experiments import View, view_filter
from heddle.tracking.inputs import DatasetInput, ModelInput, ModelOutput, load_datasets, load_models
from heddle.tracking.metrics import Latest, load_latest
from heddle.tracking.params import load_params
from heddle.tracking.runs import Run, get_run, load_runs, runs, tags

catalogue = Catalogue(
    noun="runs",
    table=runs,
    id=runs.c.id,
    attributes=(
        Attribute("run_id", runs.c.uid, "text", indexed=True),
        Attribute("run_name", runs.c.name, "text", aliases=("run name", "Run name", "Run Name")),
        Attribute("user_id", runs.c.user_id, "text"),
        Attribute("status", runs.c.status, "text"),
        Attribute("artifact_uri", runs.c.artifact_uri, "text"),
        Attribute("start_time", runs.c.start_ms, "number", aliases=("created", "Created")),
        Attribute("end_time", runs.c.end_ms, "number"),
    ),
    keyed=(metrics.field, params.field, tags.field),
    related=(inputs.field,),
    attribute_prefixes=("attributes", "attribute", "attr", "run"),
    default_order=("start_time DESC", "run_id ASC"),
    tie_break=("start_time DESC", "run_id ASC"),
    scope=runs.c.experiment_id,
    shown=(runs.c.uid, runs.c.revision),
)
Known = tuple[int, str, int]
"""A run's id, uid and revision: what was made from these stays true."""


@dataclass(frozen=True, slots=True)
class FullRun:
    """A run with its params, latest metrics, tags, inputs and outputs."""

    run: Run
    params: Sequence[Pair]
    metrics: Sequence[Latest]
    tags: Sequence[Pair]
    datasets: Sequence[DatasetInput]
    model_inputs: Sequence[ModelInput]
    model_outputs: Sequence[ModelOutput]


def search_runs(
    tx: Tx,
    *,
    experiment_ids: Sequence[int],
    filter: str = "",
    view: View = "active",
    order_by: Sequence[str] = (),
    limit: int,
    offset: int = 0,
) -> list[Known]:
    """One page of runs; raises ``Invalid`` for a wrong filter or order.

    Experiments that do not exist here simply have no runs.
    """
    if not experiment_ids:
        return []
    return search_rows(
        tx.fetch,
        catalogue,
        scope=scope_of(view, len(experiment_ids)),
        filter=filter,
        order_by=order_by,
        limit=limit,
        offset=offset,
        scope_values=experiment_ids,
        params=scope_params(experiment_ids),
    )


def scope_of(view: View, experiments: int) -> Scope:
    """The runs of so many experiments; the same object each time, as searches are kept by it."""
    return _scopes[view, 1 if experiments == 1 else min(max(experiments, 2), MERGED + 1)]


def scope_params(experiment_ids: Sequence[int]) -> dict[str, Any]:
    """What the parameters of ``scope_of`` stand for."""
    if len(experiment_ids) == 1:
        return {"experiment_id": experiment_ids[0]}
    return {"experiment_ids": list(experiment_ids)}


def _make_scope(view: View, experiments: int) -> Scope:
    c = runs.c
    one = c.experiment_id == sa.bindparam("experiment_id", type_=sa.BigInteger)
    several = c.experiment_id.in_(sa.bindparam("experiment_ids", expanding=True))
    # An experiment's runs are found by its own indexes. Those of very many by the workspace's.
    workspace = c.workspace_id == here() if experiments > MERGED else is_here(c.workspace_id)
    shown = view_filter(c.deleted_ms, view)
    return Scope(sa.and_(workspace, one if experiments == 1 else several, shown))


_scopes = {
    (view, count): _make_scope(view, count)
    for view in get_args(View)
    for count in range(1, MERGED + 2)
}


def load_full(tx: Tx, run_ids: Sequence[int]) -> list[FullRun]:
    """Those of the given runs that exist here, in the given order: one look-up per kind of thing."""
    found = load_runs(tx, run_ids)
    params_of = load_params(tx, run_ids)
    latest_of = load_latest(tx, run_ids)
    tags_of = tags.load(tx, run_ids)
    datasets_of = load_datasets(tx, run_ids)
    models_of, outputs_of = load_models(tx, run_ids)
    return [
        FullRun(
            found[key],
            params_of.get(key, ()),
            latest_of.get(key, ()),
            tags_of.get(key, ()),
            datasets_of.get(key, ()),
            models_of.get(key, ()),
            outputs_of.get(key, ()),
        )
        for key in run_ids
        if key in found
    ]


def get_full(tx: Tx, uid: str) -> FullRun:
    """One run with everything; raises ``NotFound``."""
    return load_full(tx, [get_run(tx, uid).id])[0]
