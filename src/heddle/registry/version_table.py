"""Versions of a model as a table: what may be shown, sorted and filtered on the model list.

Adds to the versions' catalogue the least and greatest value of each metric. Sizes are sums over the
files that a version pins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from heddle.artifacts.manifests import files
from heddle.db.statement import Statement, among, here, is_here
from heddle.db.tx import Tx
from heddle.registry import aliases, version_search, versions
from heddle.search.fields import Attribute, Keyed
from heddle.search.keys import Keys
from heddle.search.sheet import Cell, Family, Property, Sheet
from heddle.search.sql import Scope, search_ids, where
from heddle.tracking.experiments import experiments

USUAL = ("version", "created_ms", "run_name", "aliases", "stage", "registered_by")
"""Columns that are shown when none are chosen."""
_v = versions.versions
_m = versions.version_metrics


def _bound(name: str, prefix: str) -> Keyed:
    table = (
        sa.select(_m.c.version_id, _m.c.model_id, _m.c.key, _m.c[name].label("value"))
        .where(_m.c[name].is_not(None))
        .subquery()
    )
    return Keyed((prefix,), table, "number", owner="version_id", scope="model_id")


def _keys(keyed: Keyed) -> Keys:
    return Keys(keyed, _v, _v.c.model_id)


_least = _bound("min_value", "min")
_greatest = _bound("max_value", "max")
_params = replace(versions.params_field, numbers_first=True)
catalogue = replace(
    version_search.catalogue,
    attributes=(
        *(a for a in version_search.catalogue.attributes if a.name != "version_number"),
        Attribute("version_number", _v.c.number, "number"),
        Attribute("version", _v.c.number, "number"),
    ),
    keyed=(
        *(each for each in version_search.catalogue.keyed if each is not versions.params_field),
        _params,
        _least,
        _greatest,
    ),
    default_order=("version DESC",),
    tie_break=("version DESC",),
)
_experiments_of = Statement(
    sa.select(_v.c.id, experiments.c.name)
    .select_from(_v.join(experiments, experiments.c.id == _v.c.experiment_id))
    .where(_v.c.workspace_id == here(), experiments.c.workspace_id == here(), among(_v.c.id, "ids"))
)
_sizes = Statement(
    sa.select(_v.c.id, sa.func.sum(files.c.size_bytes))
    .select_from(_v.join(files, files.c.manifest_id == _v.c.manifest_id))
    .where(_v.c.workspace_id == here(), among(_v.c.id, "ids"))
    .group_by(_v.c.id)
)


def _aliases(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    return {key: list(names) for key, names in aliases.load_aliases(tx, ids).items()}


def _experiment_names(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    return dict(tx.all(_experiments_of, ids=ids))


def _size_bytes(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    return {key: int(size) for key, size in tx.all(_sizes, ids=ids)}


sheet = Sheet(
    catalogue,
    (
        Property("version", "number"),
        Property("created_ms", "time"),
        Property("run_name", "text"),
        Property("aliases", "list", _aliases),
        Property("stage", "text"),
        Property("registered_by", "text"),
        Property("updated_ms", "time"),
        Property("description", "text"),
        Property("status", "text"),
        Property("scan", "text"),
        Property("run_id", "text"),
        Property("experiment", "text", _experiment_names),
        Property("source", "text"),
        Property("logged_model_id", "text"),
        Property("size_bytes", "number", _size_bytes),
    ),
    (
        Family("metrics", "metric", "number", _keys(versions.metrics_field)),
        Family("min", "metric", "number", _keys(_least)),
        Family("max", "metric", "number", _keys(_greatest)),
        Family("params", "param", "text", _keys(_params)),
        Family("tags", "tag", "text", _keys(versions.tags.field)),
    ),
)
_scope = Scope(
    sa.and_(
        is_here(_v.c.workspace_id),
        _v.c.deleted_ms.is_(None),
        _v.c.model_id == sa.bindparam("of_model", type_=sa.BigInteger),
    )
)
_numbers = Statement(
    sa.select(_v.c.id, _v.c.number).where(is_here(_v.c.workspace_id), among(_v.c.id, "ids"))
)


def load_numbers(tx: Tx, ids: Sequence[int]) -> dict[int, int]:
    """The numbers of those of the given versions that exist here, by id."""
    return dict(tx.all(_numbers, ids=ids))


def search(
    tx: Tx,
    *,
    model_id: int,
    filter: str,
    order_by: Sequence[str],
    limit: int,
    offset: int,
) -> tuple[list[int], int]:
    """The ids of one window of a model's versions, and how many there are; raises ``Invalid``."""
    found: list[int] = search_ids(
        tx.fetch,
        catalogue,
        scope=_scope,
        filter=filter,
        order_by=order_by,
        limit=limit,
        offset=offset,
        scope_values=[model_id],
        params={"of_model": model_id},
    )
    if len(found) < limit and (found or not offset):
        return found, offset + len(found)
    condition = where(filter, catalogue)
    count = sa.select(sa.func.count()).select_from(_v).where(_scope.given)
    if condition is not None:
        count = count.where(condition)
    return found, tx.fetch(count, of_model=model_id)[0][0]
