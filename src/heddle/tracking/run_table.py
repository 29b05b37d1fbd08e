"""Runs as a table: what may be shown, sorted and filtered beyond what MLflow's search knows.

Adds to the runs' catalogue how long a run took, and the least and greatest value of each metric
(``min.loss``, ``max.loss``); shows means too, which are reckoned for the rows shown alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here, is_here
from heddle.db.tx import Tx
from heddle.search.fields import Attribute, Keyed
from heddle.search.keys import Keys
from heddle.search.sheet import Cell, Family, Property, Sheet
from heddle.search.sql import search_ids, where
from heddle.tracking import inputs, metrics, params, run_search
from heddle.tracking.experiments import View, experiments
from heddle.tracking.metrics import points
from heddle.tracking.runs import runs, tags

ROWS_MAX = 100_000
NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
TAG_PROPERTIES = {
    "source": "mlflow.source.name",
    "source_type": "mlflow.source.type",
    "commit": "mlflow.source.git.commit",
    "description": NOTE_TAG,
    "parent": PARENT_TAG,
}
USUAL = ("run_name", "status", "start_time", "duration", "user_id", "experiment", "source")
"""Columns that are shown when none are chosen."""


def _bound(name: str, prefix: str) -> Keyed:
    """The least or greatest values as a keyed table; where all are NaN there is none."""
    column = metrics.metrics.c[name]
    table = (
        sa.select(
            metrics.metrics.c.run_id,
            metrics.metrics.c.experiment_id,
            metrics.metrics.c.key,
            column.label("value"),
        )
        .where(column.is_not(None))
        .subquery()
    )
    return Keyed((prefix,), table, "number", owner="run_id", scope="experiment_id")


_least = _bound("min_value", "min")
_greatest = _bound("max_value", "max")
_params = replace(params.field, numbers_first=True)
_took = runs.c.end_ms - runs.c.start_ms
catalogue = replace(
    run_search.catalogue,
    attributes=(*run_search.catalogue.attributes, Attribute("duration", _took, "number")),
    keyed=(
        *(each for each in run_search.catalogue.keyed if each is not params.field),
        _params,
        _least,
        _greatest,
    ),
)


def _keys(keyed: Keyed) -> Keys:
    return Keys(keyed, runs, runs.c.experiment_id)


metric_keys = _keys(metrics.field)
tag_keys = _keys(tags.field)
_means = Statement(
    sa.select(metrics.metrics.c.run_id, metrics.metrics.c.key, sa.func.avg(points.c.value))
    .select_from(metrics.metrics.join(points, points.c.metric_id == metrics.metrics.c.id))
    .where(
        among(metrics.metrics.c.run_id, "ids"),
        among(metrics.metrics.c.key, "keys"),
        points.c.is_nan == sa.literal_column("0"),
    )
    .group_by(metrics.metrics.c.run_id, metrics.metrics.c.key)
)
_experiments_of = Statement(
    sa.select(runs.c.id, experiments.c.name)
    .select_from(runs.join(experiments, experiments.c.id == runs.c.experiment_id))
    .where(
        is_here(runs.c.workspace_id),
        is_here(experiments.c.workspace_id),
        among(runs.c.id, "ids"),
    )
)
_uids = Statement(
    sa.select(runs.c.id, runs.c.uid).where(is_here(runs.c.workspace_id), among(runs.c.id, "ids"))
)
_living = Statement(
    sa.select(experiments.c.id).where(
        experiments.c.workspace_id == here(), experiments.c.deleted_ms.is_(None)
    )
)


def load_means(tx: Tx, ids: Sequence[int], keys: Sequence[str]) -> Iterable[tuple[int, str, float]]:
    """The mean of all points of these metrics of these runs, NaN left out."""
    return tx.all(_means, ids=ids, keys=keys)


def load_uids(tx: Tx, ids: Sequence[int]) -> dict[int, str]:
    """The uids of those of the given runs that exist here, by id."""
    return dict(tx.all(_uids, ids=ids))


def _experiment_names(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    return dict(tx.all(_experiments_of, ids=ids))


def _datasets(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    used = inputs.load_datasets(tx, ids)
    return {key: [item.dataset.name for item in items] for key, items in used.items()}


def _tag(name: str, key: str) -> Property:
    def load(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
        return {owner: value for owner, _, value in tag_keys.pick(tx, ids, [key])}

    return Property(name, "text", load)


PROPERTIES = (
    Property("run_name", "text"),
    Property("status", "text"),
    Property("start_time", "time"),
    Property("end_time", "time"),
    Property("duration", "duration"),
    Property("user_id", "text"),
    Property("experiment", "text", _experiment_names),
    Property("run_id", "text"),
    *(_tag(name, key) for name, key in TAG_PROPERTIES.items()),
    Property("datasets", "list", _datasets),
    Property("artifact_uri", "text"),
)
FAMILIES = (
    Family("metrics", "metric", "number", metric_keys),
    Family("min", "metric", "number", _keys(_least)),
    Family("max", "metric", "number", _keys(_greatest)),
    Family("mean", "metric", "number", metric_keys, load_means),
    Family("params", "param", "text", _keys(_params)),
    Family("tags", "tag", "text", tag_keys),
)


def make_sheet(more: Sequence[Property] = ()) -> Sheet:
    """The sheet of runs, with properties that other nouns know of them."""
    return Sheet(catalogue, (*PROPERTIES, *more), FAMILIES)


def living_experiments(tx: Tx) -> list[int]:
    """The ids of every living experiment here."""
    return [key for (key,) in tx.all(_living)]


def search(
    tx: Tx,
    *,
    experiment_ids: Sequence[int],
    filter: str,
    view: View,
    order_by: Sequence[str],
    limit: int,
    offset: int,
) -> tuple[list[int], int]:
    """The ids of one window of runs, and how many the filter finds in all; raises ``Invalid``."""
    scope = run_search.scope_of(view, len(experiment_ids))
    chosen = run_search.scope_params(experiment_ids)
    found: list[int] = search_ids(
        tx.fetch,
        catalogue,
        scope=scope,
        filter=filter,
        order_by=order_by,
        limit=limit,
        offset=offset,
        scope_values=experiment_ids,
        params=chosen,
    )
    if len(found) < limit and (found or not offset):
        return found, offset + len(found)
    condition = where(filter, catalogue)
    count = sa.select(sa.func.count()).select_from(runs).where(scope.given)
    if condition is not None:
        count = count.where(condition)
    return found, tx.fetch(count, **chosen)[0][0]
