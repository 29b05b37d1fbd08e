"""Versions with everything that hangs on them: searching, and loading in batches.

The catalogue of what may be searched stands here, above versions and aliases, which bring their
fields. A search that names its models by ``name =`` or ``name IN`` is narrowed to their ids first,
so that it costs what those models' versions cost, however many others there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.statement import here, is_here
from heddle.db.tx import Tx
from heddle.registry import aliases, scans, versions
from heddle.registry.models import find_ids, models, plain_prompts
from heddle.registry.versions import Known, Version
from heddle.search.fields import Attribute, Catalogue
from heddle.search.grammar import And, Comparison, parse
from heddle.search.sql import Scope, search_rows
from heddle.tags import Pair
from heddle.tracking.metrics import Latest

_v = versions.versions.c
ATTRIBUTE_PREFIXES = ("attributes", "attribute", "attr")


def _of_model(column: sa.Column[object]) -> sa.ColumnElement[object]:
    """A column of the version's model."""
    return (
        sa.select(column)
        .where(models.c.id == _v.model_id)
        .correlate(versions.versions)
        .scalar_subquery()
    )


catalogue = Catalogue(
    noun="versions",
    table=versions.versions,
    id=_v.id,
    attributes=(
        Attribute("name", _v.model_name, "text"),
        Attribute("version_number", _v.number, "number", aliases=("version",)),
        Attribute("run_id", _v.run_uid, "text", indexed=True),
        Attribute("run_name", _v.run_name, "text"),
        Attribute("source_path", _v.source, "text", aliases=("source",)),
        Attribute("logged_model_id", _v.logged_model_uid, "text", indexed=True),
        Attribute("experiment_id", _v.experiment_id, "number"),
        Attribute("description", _v.description, "text", sortable=False),
        Attribute("registered_by", _v.registered_by, "text"),
        Attribute("stage", _v.stage, "text"),
        Attribute("status", _v.status, "text"),
        Attribute("created_ms", _v.created_ms, "number"),
        Attribute("updated_ms", _v.updated_ms, "number"),
        Attribute("creation_timestamp", _v.created_ms, "number", filterable=False),
        Attribute("last_updated_timestamp", _v.updated_ms, "number", filterable=False),
        Attribute("scan", scans.label_of(_v.id), "text", sortable=False),
        Attribute("is_prompt", _of_model(models.c.is_prompt), "number", sortable=False),
    ),
    keyed=(versions.metrics_field, versions.params_field, versions.tags.field),
    related=(aliases.field,),
    attribute_prefixes=ATTRIBUTE_PREFIXES,
    default_order=("last_updated_timestamp DESC", "name ASC", "version_number DESC"),
    tie_break=("name ASC", "version_number DESC"),
    scope=_v.model_id,
    shown=versions.KNOWN[1:],
)


_prompts = sa.select(models.c.id).where(
    models.c.workspace_id == here(), models.c.is_prompt == sa.literal_column("1")
)
_living = _v.deleted_ms.is_(None)
_any = Scope(sa.and_(_v.workspace_id == here(), _living))
_no_prompts = Scope(sa.and_(_any.given, _v.model_id.not_in(_prompts)))
_of_one = Scope(
    sa.and_(
        is_here(_v.workspace_id),
        _living,
        _v.model_id == sa.bindparam("model_id", type_=sa.BigInteger),
    )
)
_of_several = Scope(
    sa.and_(
        is_here(_v.workspace_id),
        _living,
        _v.model_id.in_(sa.bindparam("model_ids", expanding=True)),
    )
)
# Made once each, because searches keep their statements by the scope that they were made with.


@dataclass(frozen=True, slots=True)
class FullVersion:
    """A version with its params, metrics, tags and aliases."""

    version: Version
    params: Sequence[Pair]
    metrics: Sequence[Latest]
    tags: Sequence[Pair]
    aliases: Sequence[str]


def search_versions(
    tx: Tx,
    *,
    filter: str = "",
    order_by: Sequence[str] = (),
    model_ids: Sequence[int] | None = None,
    limit: int,
    offset: int = 0,
) -> list[Known]:
    """One page of living versions; raises ``Invalid`` for a wrong filter or order.

    ``model_ids`` narrows the search to versions of these models, prompts among them.
    """
    text, asked = plain_prompts(filter)
    named = _named(text) if model_ids is None else None
    if named is not None:
        model_ids = find_ids(tx, named, prompts=asked)
    params: dict[str, object] = {}
    if model_ids is None:
        scope = _any if asked else _no_prompts
    elif len(model_ids) == 1:
        scope, params = _of_one, {"model_id": model_ids[0]}
    else:
        scope, params = _of_several, {"model_ids": list(model_ids)}
    return search_rows(
        tx.fetch,
        catalogue,
        scope=scope,
        filter=text,
        order_by=order_by,
        limit=limit,
        offset=offset,
        scope_values=model_ids or (),
        params=params,
    )


def _named(text: str) -> list[str] | None:
    """The only names of models that a filter can be true for, where it says so."""
    if not text.strip():
        return None
    tree = parse(text)
    for part in tree.operands if isinstance(tree, And) else (tree,):
        if (
            isinstance(part, Comparison)
            and part.key == "name"
            and (part.prefix is None or part.prefix in ATTRIBUTE_PREFIXES)
            and part.op in ("=", "IN")
        ):
            return [value.value for value in part.values if isinstance(value.value, str)]
    return None


def load_full(tx: Tx, version_ids: Sequence[int]) -> list[FullVersion]:
    """Those of the given versions that exist here, in the given order: one look-up per kind."""
    found = versions.load_versions(tx, version_ids)
    params_of = versions.load_params(tx, version_ids)
    metrics_of = versions.load_metrics(tx, version_ids)
    tags_of = versions.tags.load(tx, version_ids)
    aliases_of = aliases.load_aliases(tx, version_ids)
    return [
        FullVersion(
            found[key],
            params_of.get(key, ()),
            metrics_of.get(key, ()),
            tags_of.get(key, ()),
            aliases_of.get(key, ()),
        )
        for key in version_ids
        if key in found
    ]


def get_full(tx: Tx, name: str, number: int) -> FullVersion:
    """One version with everything; raises ``NotFound``."""
    return load_full(tx, [versions.get_version(tx, name, number).id])[0]
