"""Finding things by name across a workspace, and listing its items together.

Names are compared in any case. Of runs, the newest ``RUNS_LOOKED_AT`` are looked through by name,
so that the answer stays quick in a workspace of any size; by id every run is found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from heddle import workspaces
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.errors import HeddleError, Invalid
from heddle.registry.aliases import get_by_alias
from heddle.registry.models import models
from heddle.registry.versions import get_version
from heddle.search.keys import LAST
from heddle.tracking.experiments import experiments
from heddle.tracking.runs import runs

RUNS_LOOKED_AT = 50_000
TEXT_MAX = 500
EACH_MAX = 100
CANDIDATES = 1000
"""Names of one kind that are ranked; of more than these, the newest."""
ORDERS = ("name", "created_ms", "updated_ms")


class _Holds(FunctionElement[bool]):
    """Whether a text holds another, which is given in lower case, in any case of its own."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(_Holds, "sqlite")
def _holds_sqlite(element: _Holds, compiler: Any, **kw: Any) -> str:
    whole, part = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(instr(heddle_lower({whole}), {part}) > 0)"


@compiles(_Holds, "postgresql")
def _holds_postgresql(element: _Holds, compiler: Any, **kw: Any) -> str:
    whole, part = (compiler.process(clause, **kw) for clause in element.clauses)
    return f'(strpos(lower({whole} COLLATE "default"), {part}) > 0)'


@dataclass(frozen=True, slots=True)
class Item:
    """A model or an experiment; ``key`` is its name or its id as a path has it."""

    kind: str
    id: int
    key: str
    name: str
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found; ``parent`` and its name are empty where it has none."""

    kind: Literal["model", "version", "experiment", "run"]
    key: str
    name: str
    parent: str
    parent_name: str
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a workspace holds."""

    experiments: int
    models: int


def _part() -> sa.BindParameter[str]:
    return sa.bindparam("part", type_=sa.Text)


_few = sa.bindparam("limit", type_=sa.BigInteger)
_living_models = (
    models.c.workspace_id == here(),
    models.c.deleted_ms.is_(None),
    models.c.is_prompt == sa.literal_column("0"),
)
_living_experiments = (experiments.c.workspace_id == here(), experiments.c.deleted_ms.is_(None))
_all_items = sa.union_all(
    sa.select(
        sa.literal_column("'model'").label("kind"),
        models.c.id.label("id"),
        models.c.name.label("key"),
        models.c.name.label("name"),
        models.c.created_ms.label("created_ms"),
        models.c.updated_ms.label("updated_ms"),
    ).where(*_living_models),
    sa.select(
        sa.literal_column("'experiment'"),
        experiments.c.id,
        sa.cast(experiments.c.id, sa.Text),
        experiments.c.name,
        experiments.c.created_ms,
        experiments.c.updated_ms,
    ).where(*_living_experiments),
).subquery()
_chosen = sa.and_(
    sa.or_(_part() == sa.literal_column("''"), _Holds(_all_items.c.name, _part())),
    _all_items.c.kind.in_(sa.bindparam("kinds", expanding=True)),
)
_find_models = Statement(
    sa.select(models.c.name, models.c.updated_ms)
    .where(*_living_models, _Holds(models.c.name, _part()))
    .order_by(models.c.updated_ms.desc())
    .limit(_few)
)
_find_experiments = Statement(
    sa.select(experiments.c.id, experiments.c.name, experiments.c.updated_ms)
    .where(*_living_experiments, _Holds(experiments.c.name, _part()))
    .order_by(experiments.c.updated_ms.desc())
    .limit(_few)
)
_run_columns = (runs.c.uid, runs.c.name, runs.c.experiment_id, runs.c.start_ms, runs.c.created_ms)
_newest = (
    sa.select(*_run_columns)
    .where(runs.c.workspace_id == here(), runs.c.deleted_ms.is_(None))
    .order_by(runs.c.start_ms.desc())
    .limit(RUNS_LOOKED_AT)
    .subquery()
)
_run_row = (
    _newest.c.uid,
    _newest.c.name,
    experiments.c.id,
    experiments.c.name,
    sa.func.coalesce(_newest.c.start_ms, _newest.c.created_ms),
)
_find_runs = Statement(
    sa.select(*_run_row)
    .select_from(_newest.join(experiments, experiments.c.id == _newest.c.experiment_id))
    .where(experiments.c.workspace_id == here(), _Holds(_newest.c.name, _part()))
    .limit(_few)
)
_find_uids = Statement(
    sa.select(
        runs.c.uid,
        runs.c.name,
        experiments.c.id,
        experiments.c.name,
        sa.func.coalesce(runs.c.start_ms, runs.c.created_ms),
    )
    .select_from(runs.join(experiments, experiments.c.id == runs.c.experiment_id))
    .where(
        runs.c.workspace_id == here(),
        experiments.c.workspace_id == here(),
        runs.c.uid >= sa.bindparam("low"),
        runs.c.uid < sa.bindparam("high"),
        runs.c.deleted_ms.is_(None),
    )
    .limit(_few)
)


def _counted(table: sa.Table) -> sa.ColumnElement[int]:
    where = [table.c.workspace_id == workspaces.workspaces.c.id, table.c.deleted_ms.is_(None)]
    if "is_prompt" in table.c:
        where.append(table.c.is_prompt == sa.literal_column("0"))
    select = sa.select(sa.func.count()).select_from(table).where(*where)
    return select.correlate(workspaces.workspaces).scalar_subquery()


_counts = Statement(
    # The list of all workspaces says how much is in each.
    sa.select(workspaces.workspaces.c.name, _counted(experiments), _counted(models)),
    anywhere=True,
)


def count_items(tx: Tx) -> dict[str, Counts]:
    """How much each workspace holds, by its name."""
    return {name: Counts(*row) for name, *row in tx.all(_counts)}


def list_items(
    tx: Tx, *, text: str = "", kind: str = "", order_by: str, limit: int, offset: int = 0
) -> tuple[list[Item], int]:
    """A window of models and experiments, and how many there are; raises ``Invalid``."""
    name, _, direction = order_by.partition(" ")
    if name not in ORDERS or direction not in ("", "ASC", "DESC"):
        raise Invalid(f"Items are sorted by {', '.join(ORDERS)}, each ASC or DESC.")
    bound = {"part": text[:TEXT_MAX].lower(), "kinds": [kind] if kind else ["model", "experiment"]}
    column = _all_items.c[name]
    order = column.desc() if direction == "DESC" else column.asc()
    select = sa.select(_all_items).where(_chosen)
    rows = tx.fetch(
        select.order_by(order, _all_items.c.kind, _all_items.c.key).limit(limit).offset(offset),
        **bound,
    )
    total = tx.fetch(sa.select(sa.func.count()).select_from(select.subquery()), **bound)[0][0]
    return [Item(*row) for row in rows], total


def find(tx: Tx, text: str, *, limit: int) -> list[Hit]:
    """Things whose name holds ``text``, best first, at most ``limit`` of each kind."""
    text = text.strip()[:TEXT_MAX]
    if not text:
        return []
    few = max(1, min(limit, EACH_MAX))
    part = text.lower()
    found = {"part": part, "limit": CANDIDATES}
    hits = [Hit("model", name, name, "", "", ms) for name, ms in tx.all(_find_models, **found)]
    rows = tx.all(_find_experiments, **found)
    hits += [Hit("experiment", str(key), name, "", "", ms) for key, name, ms in rows]
    for uid, name, parent, parent_name, ms in _runs(tx, part, found):
        hits.append(Hit("run", uid, name, str(parent), parent_name, ms))
    hits.sort(key=lambda hit: (_rank(hit, part), -hit.changed_ms))
    kept: dict[str, list[Hit]] = {}
    for hit in hits:
        of_kind = kept.setdefault(hit.kind, [])
        if len(of_kind) < few:
            of_kind.append(hit)
    chosen = {id(hit) for of_kind in kept.values() for hit in of_kind}
    return [*_version(tx, text), *(hit for hit in hits if id(hit) in chosen)]


def _runs(tx: Tx, part: str, found: dict[str, Any]) -> Sequence[Any]:
    rows = {row[0]: row for row in tx.all(_find_runs, **found)}
    if re.fullmatch(r"[0-9a-z_-]{4,256}", part):
        for row in tx.all(_find_uids, low=part, high=part + LAST, limit=EACH_MAX):
            rows[row[0]] = row
    return list(rows.values())


def _rank(hit: Hit, part: str) -> int:
    name = hit.name.lower()
    if part in (name, hit.key):
        return 0
    if name.startswith(part) or hit.key.startswith(part):
        return 1
    return 2


def _version(tx: Tx, text: str) -> list[Hit]:
    """The version that ``name/3`` or ``name@alias`` names, if there is one."""
    name, slash, number = text.rpartition("/")
    try:
        if slash and re.fullmatch("[0-9]{1,18}", number):
            version = get_version(tx, name, int(number))
        elif "@" in text:
            name, _, alias = text.rpartition("@")
            version = get_by_alias(tx, name, alias)
        else:
            return []
    except HeddleError:
        return []
    shown = f"{name} v{version.number}"
    return [Hit("version", str(version.number), shown, name, name, version.updated_ms)]
