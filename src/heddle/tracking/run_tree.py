"""Runs as a tree: each under the run that it is nested in, whatever is filtered and sorted.

A run is nested by the tag that MLflow's clients set. Always holds: a run that a filter finds is in
the tree, under all its ancestors that may be shown, found or not; a run whose ancestors cannot be
shown, or that is its own ancestor, stands at the top; brothers and sisters stand in the order asked
for, an ancestor that was not found where its first found descendant would stand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.statement import Statement, among, here
from heddle.db.tx import Tx
from heddle.tracking import run_table
from heddle.tracking.experiments import View, view_filter
from heddle.tracking.run_table import PARENT_TAG, ROWS_MAX
from heddle.tracking.runs import runs, tags


@dataclass(frozen=True, slots=True)
class Branch:
    """One shown run: how deep it stands, what is nested in it, whether the filter found it."""

    id: int
    depth: int
    children: int
    is_open: bool
    is_found: bool


_child, _parent, _tag = runs.alias("child"), runs.alias("parent"), tags.table


def _links_in(view: View) -> Statement:
    """Child and parent of every nesting among shown runs of some experiments."""
    nesting = _tag.join(_child, _child.c.id == _tag.c.owner_id).join(
        _parent, _parent.c.uid == _tag.c.value
    )
    return Statement(
        sa.select(_child.c.id, _parent.c.id, _parent.c.uid)
        .select_from(nesting)
        .where(
            _tag.c.key == sa.literal(PARENT_TAG),
            _child.c.workspace_id == here(),
            _parent.c.workspace_id == here(),
            among(_child.c.experiment_id, "experiments"),
            among(_parent.c.experiment_id, "experiments"),
            view_filter(_child.c.deleted_ms, view),
            view_filter(_parent.c.deleted_ms, view),
        )
    )


_views: tuple[View, ...] = ("active", "deleted", "all")
_links = {view: _links_in(view) for view in _views}


def search_tree(
    tx: Tx,
    *,
    experiment_ids: Sequence[int],
    filter: str,
    view: View,
    order_by: Sequence[str],
    starts_open: bool,
    toggled: Collection[str],
    limit: int,
    offset: int,
) -> tuple[list[Branch], int]:
    """One window of the rows of the tree, and how many rows it has as it is folded now.

    ``toggled`` are the uids of runs that are folded where ``starts_open``, and open where not. Of
    more than ``ROWS_MAX`` found runs the first are looked at. Raises ``Invalid``.
    """
    links = tx.all(_links[view], experiments=list(experiment_ids))
    nested = dict[int, int]()
    turned = set[int]()
    for child, parent, uid in links:
        nested[child] = parent
        if uid in toggled:
            turned.add(parent)

    def find(limit: int, offset: int) -> tuple[list[int], int]:
        return run_table.search(
            tx,
            experiment_ids=experiment_ids,
            filter=filter,
            view=view,
            order_by=order_by,
            limit=limit,
            offset=offset,
        )

    if not nested:
        found, total = find(limit, offset)
        return [Branch(key, 0, 0, is_open=False, is_found=True) for key in found], total
    found, _ = find(ROWS_MAX, 0)
    rows = _rows(found, nested, turned, starts_open=starts_open)
    return rows[offset : offset + limit], len(rows)


def _rows(
    found: Sequence[int], nested: dict[int, int], turned: Collection[int], *, starts_open: bool
) -> list[Branch]:
    """Every row of the tree that found runs and their ancestors make."""
    for key in _circling(nested):
        del nested[key]
    hits = set(found)
    below = _arranged(found, nested, hits)
    rows = []
    waiting = [(key, 0) for key in reversed(below[None])]
    while waiting:
        key, depth = waiting.pop()
        children = below.get(key, ())
        is_open = bool(children) and (key in turned) != starts_open
        rows.append(Branch(key, depth, len(children), is_open, key in hits))
        if is_open:
            waiting += [(child, depth + 1) for child in reversed(children)]
    return rows


def _arranged(
    found: Sequence[int], nested: Mapping[int, int], hits: Collection[int]
) -> dict[int | None, list[int]]:
    """What stands below each run, and at the top, in order."""
    below: dict[int | None, list[int]] = {None: []}
    placed = set[int]()
    for hit in found:
        key: int | None = hit
        while key is not None and key not in placed:
            placed.add(key)
            parent = nested.get(key)
            below.setdefault(parent, []).append(key)
            # A found parent comes by itself, at its own place.
            key = None if parent in hits else parent
    return below


def _circling(nested: Mapping[int, int]) -> list[int]:
    """Runs that are their own ancestors, which only a hand-made tag can say."""
    circling = []
    seen = set[int]()
    for start in nested:
        path: dict[int, None] = {}
        key: int | None = start
        while key is not None and key not in seen:
            seen.add(key)
            path[key] = None
            key = nested.get(key)
        if key in path:
            steps = list(path)
            circling += steps[steps.index(key) :]
    return circling
