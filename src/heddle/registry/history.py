"""History: every change of a model's or a version's labels, in the order it happened.

Events are only ever added, in the transaction of the change itself, so the history and the labels
cannot disagree. From the alias events follows which version an alias stood for at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from heddle.db.schema import Id, id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx

Kind = Literal["created", "deleted", "name", "description", "tag", "alias", "stage"]

events = sa.Table(
    "events",
    metadata,
    id_column(),
    workspace_column(),
    ms_column("at_ms"),
    text_column("actor"),
    sa.Column("model_id", Id, sa.ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=True),
    text_column("kind"),
    text_column("key"),
    sa.Column("before", sa.Text, nullable=True),
    sa.Column("after", sa.Text, nullable=True),
    sa.Index(None, "model_id", "version", "id"),
    sqlite_autoincrement=True,
)
sa.Index(
    "ix_events_alias",
    events.c.model_id,
    events.c.key,
    events.c.id,
    sqlite_where=events.c.kind == "alias",
    postgresql_where=events.c.kind == "alias",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One change: who made it, when, of what, from what to what.

    ``version`` is the number that the change concerns, none for changes of the model itself; for an
    alias it is the version that has it from then on, or the one that lost it. ``before`` and
    ``after`` are absent where there was or is nothing; for an alias they are version numbers.
    """

    id: int
    at_ms: int
    actor: str
    version: int | None
    kind: str
    key: str
    before: str | None
    after: str | None


_columns = tuple(events.c[name] for name in Event.__dataclass_fields__)
_of_model = (
    events.c.workspace_id == here(),
    events.c.model_id == sa.bindparam("model_id", type_=sa.BigInteger),
)
_insert = Statement(
    sa.insert(events).values(
        {
            c: sa.bindparam(c)
            for c in (
                "workspace_id",
                "at_ms",
                "actor",
                "model_id",
                "version",
                "kind",
                "key",
                "before",
                "after",
            )
        }
    )
)
_before_id = events.c.id < sa.bindparam("before_id", type_=sa.BigInteger)
_limit = sa.bindparam("limit", type_=sa.BigInteger)
_list = Statement(
    sa.select(*_columns).where(*_of_model, _before_id).order_by(events.c.id.desc()).limit(_limit)
)
_is_alias = events.c.kind == sa.literal_column("'alias'")
_of_version = Statement(
    sa.union_all(
        sa.select(*_columns).where(
            *_of_model,
            events.c.version == sa.bindparam("version", type_=sa.BigInteger),
            _before_id,
        ),
        sa.select(*_columns).where(
            *_of_model,
            _is_alias,
            events.c.before == sa.bindparam("number", type_=sa.Text),
            events.c.version != sa.bindparam("version", type_=sa.BigInteger),
            _before_id,
        ),
    )
    .order_by(sa.desc("id"))
    .limit(_limit)
)
_as_of = Statement(
    sa.select(events.c.after)
    .where(
        *_of_model,
        _is_alias,
        events.c.key == sa.bindparam("alias"),
        events.c.at_ms <= sa.bindparam("at_ms", type_=sa.BigInteger),
    )
    .order_by(events.c.id.desc())
    .limit(sa.literal(1))
)
ID_MAX = 2**63 - 1


def record(
    tx: Tx,
    model_id: int,
    kind: Kind,
    *,
    version: int | None = None,
    key: str = "",
    before: str | None = None,
    after: str | None = None,
) -> None:
    """Note a change; one that changed nothing is not noted."""
    if before == after and kind not in ("created", "deleted"):
        return
    tx.run(
        _insert,
        at_ms=tx.now_ms,
        actor=tx.actor,
        model_id=model_id,
        version=version,
        kind=kind,
        key=key,
        before=before,
        after=after,
    )


def list_model_events(
    tx: Tx, model_id: int, *, limit: int = 100, before_id: int = ID_MAX
) -> list[Event]:
    """What happened to a model and its versions, newest first; ``before_id`` begins a next page."""
    rows = tx.all(_list, model_id=model_id, limit=limit, before_id=before_id)
    return [Event(*row) for row in rows]


def list_version_events(
    tx: Tx, model_id: int, version: int, *, limit: int = 100, before_id: int = ID_MAX
) -> list[Event]:
    """What happened to one version, newest first, aliases that moved away from it included."""
    rows = tx.all(
        _of_version,
        model_id=model_id,
        version=version,
        number=str(version),
        limit=limit,
        before_id=before_id,
    )
    return [Event(*row) for row in rows]


def as_of(tx: Tx, model_id: int, alias: str, at_ms: int) -> int | None:
    """The number of the version that carried ``alias`` at a time; none if nothing did."""
    row = tx.one(_as_of, model_id=model_id, alias=alias, at_ms=at_ms)
    return None if row is None or row[0] is None else int(row[0])
