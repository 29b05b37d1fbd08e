"""Models as a list, and their labels through time.

What the labels were at a moment is read from the history: it is complete, because every change of
one is recorded in the transaction that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.registry import versions
from heddle.registry.history import Event, events
from heddle.registry.models import catalogue, in_workspace, living, models, plain_prompts
from heddle.search.sql import where

_v = versions.versions


class Summary(NamedTuple):
    """How many versions a model has, and its newest one."""

    versions: int
    latest: int | None
    latest_created_ms: int | None


EMPTY = Summary(0, None, None)


@dataclass(slots=True)
class Labels:
    """A model's labels at a moment; of aliases where they pointed, of the others by version."""

    living: set[int] = field(default_factory=set)
    aliases: dict[str, int] = field(default_factory=dict)
    stages: dict[int, str] = field(default_factory=dict)
    tags: dict[int, dict[str, str]] = field(default_factory=dict)


_summaries = Statement(
    sa.select(
        _v.c.model_id, sa.func.count(), sa.func.max(_v.c.number), sa.func.max(_v.c.created_ms)
    )
    .where(_v.c.workspace_id == here(), among(_v.c.model_id, "ids"), _v.c.deleted_ms.is_(None))
    .group_by(_v.c.model_id)
)
_first = (
    sa.select(sa.func.min(events.c.id))
    .where(events.c.workspace_id == here(), among(events.c.model_id, "ids"))
    .group_by(events.c.model_id)
)
_owners = Statement(
    sa.select(events.c.model_id, events.c.actor).where(
        events.c.workspace_id == here(), events.c.id.in_(_first)
    )
)
_columns = tuple(events.c[name] for name in Event.__dataclass_fields__)
_until = Statement(
    sa.select(*_columns)
    .where(
        events.c.workspace_id == here(),
        events.c.model_id == sa.bindparam("model_id", type_=sa.BigInteger),
        events.c.at_ms <= sa.bindparam("time_ms", type_=sa.BigInteger),
        events.c.kind != sa.literal_column("'tag'"),
    )
    .order_by(events.c.id)
)
_tags_since = Statement(
    sa.select(events.c.version, events.c.key, events.c.before)
    .where(
        events.c.workspace_id == here(),
        events.c.model_id == sa.bindparam("model_id", type_=sa.BigInteger),
        events.c.at_ms > sa.bindparam("time_ms", type_=sa.BigInteger),
        events.c.kind == sa.literal_column("'tag'"),
        events.c.version.is_not(None),
    )
    .order_by(events.c.id.desc())
)
_tags_now = Statement(
    sa.select(_v.c.number, versions.tags.table.c.key, versions.tags.table.c.value)
    .select_from(_v.join(versions.tags.table, versions.tags.table.c.owner_id == _v.c.id))
    .where(_v.c.workspace_id == here(), _v.c.model_id == sa.bindparam("model_id"))
)


def summaries(tx: Tx, model_ids: Sequence[int]) -> dict[int, Summary]:
    """How many versions each model has, and its newest; models without have no entry."""
    return {key: Summary(*rest) for key, *rest in tx.all(_summaries, ids=model_ids)}


def owners(tx: Tx, model_ids: Sequence[int]) -> dict[int, str]:
    """Who made each model: whoever made the first change that its history knows."""
    return dict(tx.all(_owners, ids=model_ids))


def count(tx: Tx, filter: str) -> int:
    """How many models a filter finds; raises ``Invalid``."""
    text, asked = plain_prompts(filter)
    scope: list[sa.ColumnElement[bool]] = [in_workspace, living]
    if not asked:
        scope.append(models.c.is_prompt == sa.literal_column("0"))
    condition = where(text, catalogue)
    if condition is not None:
        scope.append(condition)
    found: int = tx.fetch(sa.select(sa.func.count()).select_from(models).where(*scope))[0][0]
    return found


def list_history(
    tx: Tx,
    model_id: int,
    *,
    version: int | None = None,
    kind: str | None = None,
    key: str | None = None,
    before_ms: int | None = None,
    limit: int,
    offset: int = 0,
) -> list[Event]:
    """A window of a model's changes, newest first; a version's include aliases that left it."""
    chosen: list[Any] = [events.c.workspace_id == here(), events.c.model_id == model_id]
    if version is not None:
        left = sa.and_(events.c.kind == "alias", events.c.before == str(version))
        chosen.append(sa.or_(events.c.version == version, left))
    if kind is not None:
        chosen.append(events.c.kind == kind)
    if key is not None:
        chosen.append(events.c.key == key)
    if before_ms is not None:
        chosen.append(events.c.at_ms <= before_ms)
    select = sa.select(*_columns).where(*chosen).order_by(events.c.id.desc())
    return [Event(*row) for row in tx.fetch(select.limit(limit).offset(offset))]


def labels_as_of(tx: Tx, model_id: int, time_ms: int) -> Labels:
    """The labels as they stood after every change up to a time."""
    labels = Labels()
    for row in tx.all(_until, model_id=model_id, time_ms=time_ms):
        _apply(labels, Event(*row))
    # Tags that a version was registered with are no change, so tags are read backwards from now.
    for number, key, value in tx.all(_tags_now, model_id=model_id):
        labels.tags.setdefault(number, {})[key] = value
    for number, key, before in tx.all(_tags_since, model_id=model_id, time_ms=time_ms):
        if before is None:
            labels.tags.get(number, {}).pop(key, None)
        else:
            labels.tags.setdefault(number, {})[key] = before
    return labels


def _apply(labels: Labels, event: Event) -> None:
    number = event.version
    if event.kind == "alias":
        if event.after is None:
            labels.aliases.pop(event.key, None)
        else:
            labels.aliases[event.key] = int(event.after)
        return
    if number is None:
        if event.kind == "deleted":
            labels.living.clear()
        return
    if event.kind == "created":
        labels.living.add(number)
    elif event.kind == "deleted":
        labels.living.discard(number)
    elif event.kind == "stage":
        labels.stages[number] = event.after or "None"
