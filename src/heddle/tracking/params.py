"""Params: what a run was given, as text, written once.

Writing the same value again is fine; another value is refused. ``number`` is the numeric form of a
value that reads as a number, so that searches can compare it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    INDEXED_VALUE,
    key_column,
    metadata,
    owner_column,
    text_column,
)
from heddle.db.statement import Bulk, Statement, among
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.keys import check_key, check_text
from heddle.search.fields import Keyed
from heddle.tags import KeyRule, Pair
from heddle.tracking.runs import touch

VALUE_MAX = 100_000
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

params = sa.Table(
    "params",
    metadata,
    owner_column("run_id", "runs.id"),
    key_column(),
    text_column("value"),
    sa.Column("number", sa.Double, nullable=True),
    **CLUSTERED,
)
sa.Index(
    "ix_params_key_value",
    params.c.key,
    sa.text(INDEXED_VALUE),
    params.c.run_id,
)
sa.Index("ix_params_key_number", params.c.key, params.c.number, params.c.run_id)
field = Keyed(
    ("params", "param", "parameters", "parameter"), params, "text", owner="run_id", number="number"
)

_bulk = Bulk(params, ("run_id", "key", "value", "number"))
_load = Statement(
    sa.select(params.c.run_id, params.c.key, params.c.value)
    .where(among(params.c.run_id, "ids"))
    .order_by(params.c.run_id, params.c.key)
)
_written = Statement(
    sa.select(params.c.key, params.c.value).where(
        params.c.run_id == sa.bindparam("run_id"), among(params.c.key, "keys")
    )
)


def as_number(text: str) -> float | None:
    """The number that a param's text spells, finite ones only."""
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def check_params(pairs: Sequence[Pair], keys: KeyRule = check_key) -> None:
    """Raise ``Invalid`` unless these may be the params of one call: good keys, none twice."""
    seen: set[str] = set()
    for key, value in pairs:
        keys(key, "parameter")
        check_text(value, f"The value of parameter '{key}'", VALUE_MAX)
        if key in seen:
            raise Invalid(
                f"Duplicate parameter keys have been submitted: '{key}'. Each may be given once."
            )
        seen.add(key)


def log_params(tx: Tx, uid: str, pairs: Sequence[Pair]) -> None:
    """Write params of a run; raises ``Invalid`` if one has another value already, and as ``touch``."""
    check_params(pairs)
    run_id, experiment_id = touch(tx, uid)
    write_params(tx, run_id, uid, pairs)
    tx.changed("run", uid, "logged", str(experiment_id))


def write_params(tx: Tx, run_id: int, uid: str, pairs: Sequence[Pair]) -> None:
    """Write checked params of a run that is taken up already; raises ``Invalid`` on another value."""
    if not pairs:
        return
    tx.insert_many(_bulk, [(run_id, key, value, as_number(value)) for key, value in pairs])
    written = dict(tx.all(_written, run_id=run_id, keys=[key for key, _ in pairs]))
    for key, value in pairs:
        if written[key] != value:
            raise Invalid(
                f"Changing param values is not allowed. Param with key='{key}' was already logged"
                " with"
                f" value='{written[key]}' for run ID='{uid}'. Attempted logging new value"
                f" '{value}'."
            )


def load_params(tx: Tx, run_ids: Sequence[int]) -> dict[int, list[Pair]]:
    """The params of many runs, by key."""
    found: dict[int, list[Pair]] = {}
    for run_id, key, value in tx.all(_load, ids=run_ids):
        found.setdefault(run_id, []).append((key, value))
    return found
