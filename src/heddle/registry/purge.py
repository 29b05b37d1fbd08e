"""Purging: what was deleted long ago goes for good, and lets go of its files.

Runs, logged models and experiments lose their rows with all that hangs on them, so they cannot be
restored any more. Deleted versions lose their files alone: their numbers stay used and their history
stays told. What lives is not touched: a run or logged model whose files a version reads without having
them pinned stays until that version is deleted. The contents themselves go with the next sweep.

Each piece is one short transaction, so that a server beside goes on writing, and whatever ends this
in the middle leaves things whole or gone. Crosses workspaces, as the sweep does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from heddle.artifacts.manifests import files, totals
from heddle.db.statement import Statement, among
from heddle.db.tx import LOCAL, Tx
from heddle.registry.models import models
from heddle.registry.versions import versions
from heddle.tracking.experiments import DEFAULT_ID, experiments
from heddle.tracking.inputs import datasets
from heddle.tracking.logged_models import logged_models
from heddle.tracking.metrics import metrics
from heddle.tracking.runs import runs

if TYPE_CHECKING:
    from heddle.db.engine import Database

PAGE = 500
"""Things that are looked at together."""
TOGETHER = 20
POINTS_TOGETHER = 50_000
"""Runs, and points written to them, that go in one transaction."""
_UID = re.compile("[0-9a-f]{32}")
_before_ms = sa.bindparam("before_ms", type_=sa.BigInteger)


@dataclass(frozen=True, slots=True)
class Purged:
    """One thing that went, or would go, with its files: how many, and their bytes.

    ``kind`` is ``run``, ``logged model``, ``experiment``, or ``version`` (whose files alone go).
    """

    kind: str
    name: str
    files: int
    size_bytes: int


def _doomed(table: sa.Table, *columns: sa.ColumnElement[Any]) -> Statement:
    """The next page of what was deleted before a moment, by id. Every workspace is cleaned alike."""
    return Statement(
        sa.select(table.c.id, *columns)
        .where(
            table.c.id > sa.bindparam("after", type_=sa.BigInteger),
            table.c.deleted_ms < _before_ms,
        )
        .order_by(table.c.id)
        .limit(sa.literal(PAGE)),
        anywhere=True,
    )


def _removing(table: sa.Table) -> Statement:
    """Remove rows unless they were restored meanwhile."""
    return Statement(
        sa.delete(table)
        .where(
            among(table.c.id, "ids"),
            table.c.deleted_ms < _before_ms,
        )
        .returning(table.c.id),
        anywhere=True,
    )


_runs = _doomed(runs, runs.c.uid, runs.c.manifest_id)
_points_of = Statement(
    sa.select(metrics.c.run_id, sa.func.sum(metrics.c.writes))
    .where(among(metrics.c.run_id, "ids"))
    .group_by(metrics.c.run_id)
)
_logged = _doomed(logged_models, logged_models.c.uid, logged_models.c.manifest_id)
_experiments = _doomed(experiments, experiments.c.name)
_remove_runs, _remove_logged = _removing(runs), _removing(logged_models)
_remove_experiments = _removing(experiments)
_of = sa.bindparam("experiment_id", type_=sa.BigInteger)
# An experiment that lost its last run may have logged models that nobody deleted one by one.
_logged_of = Statement(
    sa.select(logged_models.c.id, logged_models.c.uid, logged_models.c.manifest_id).where(
        logged_models.c.experiment_id == _of
    ),
    anywhere=True,
)
# Held until the transaction ends: an experiment may be restored at this moment.
_still_doomed = Statement(
    sa.select(experiments.c.id)
    .where(experiments.c.id == _of, experiments.c.deleted_ms < _before_ms)
    .with_for_update(),
    anywhere=True,
)
_lasting = Statement(
    sa.select(runs.c.id)
    .where(
        runs.c.experiment_id == _of,
        sa.or_(
            runs.c.deleted_ms.is_(None),
            runs.c.deleted_ms >= _before_ms,
            among(runs.c.uid, "kept"),
        ),
    )
    .limit(sa.literal(1)),
    anywhere=True,
)
_remove_logged_of = Statement(
    sa.delete(logged_models).where(logged_models.c.experiment_id == _of), anywhere=True
)
_remove_datasets_of = Statement(sa.delete(datasets).where(datasets.c.experiment_id == _of))
_versions = Statement(
    sa.select(versions.c.id, models.c.name, versions.c.number, versions.c.manifest_id)
    .join(models, models.c.id == versions.c.model_id)
    .where(
        versions.c.id > sa.bindparam("after", type_=sa.BigInteger),
        versions.c.deleted_ms < _before_ms,
        versions.c.manifest_id.is_not(None),
    )
    .order_by(versions.c.id)
    .limit(sa.literal(PAGE)),
    anywhere=True,
)
_unpin = Statement(
    sa.update(versions).where(among(versions.c.id, "ids")).values(manifest_id=sa.null()),
    anywhere=True,
)
_unpinned = Statement(
    sa.select(versions.c.run_uid, versions.c.logged_model_uid, versions.c.location).where(
        versions.c.deleted_ms.is_(None), versions.c.manifest_id.is_(None)
    ),
    anywhere=True,
)
# The manifest itself, a number, stays: looking for other owners would cost more than it takes.
_remove_files = Statement(sa.delete(files).where(among(files.c.manifest_id, "manifest_ids")))


def purge(database: Database, *, older_s: int, dry_run: bool = False) -> Iterator[Purged]:
    """Purge, one by one as this is iterated, what was deleted more than ``older_s`` seconds ago.

    With ``dry_run`` nothing goes. Raises ``Unavailable`` if the database refuses.
    """
    before_ms = time.time_ns() // 1_000_000 - older_s * 1000
    kept: set[str] = database.read_now(_read_by_versions, LOCAL)
    turn = _Turn(database, before_ms, kept, dry_run=dry_run)
    yield from turn.purge_runs()
    yield from turn.purge_logged()
    yield from turn.purge_versions()
    yield from turn.purge_experiments()


def _read_by_versions(tx: Tx) -> set[str]:
    """The ids of runs and logged models that living versions read their files from."""
    found: set[str] = set()
    for part in tx.parts(_unpinned, PAGE):
        for row in part:
            found.update(_UID.findall(" ".join(row)))
    return found


class _Turn:
    """One purge: how far back it reaches and what it spares."""

    def __init__(
        self, database: Database, before_ms: int, kept: set[str], *, dry_run: bool
    ) -> None:
        self.database = database
        self.before_ms = before_ms
        self.kept = kept
        self.dry_run = dry_run

    def purge_runs(self) -> Iterator[Purged]:
        for rows in self._pages(_runs):
            some = [row for row in rows if row[1] not in self.kept]
            for part in self._parts(some):
                yield from self._apply(partial(self._remove, "run", _remove_runs, part))

    def _parts(self, rows: Sequence[Any]) -> Iterator[list[Any]]:
        """Runs in such numbers that removing them holds up nobody."""
        counts: dict[int, int] = dict(
            self.database.read_now(
                lambda tx: tx.all(_points_of, ids=[row[0] for row in rows]), LOCAL
            )
        )
        part: list[Any] = []
        points = 0
        for row in rows:
            part.append(row)
            points += int(counts.get(row[0], 0))
            if len(part) == TOGETHER or points > POINTS_TOGETHER:
                yield part
                part, points = [], 0
        if part:
            yield part

    def purge_logged(self) -> Iterator[Purged]:
        for rows in self._pages(_logged):
            some = [row for row in rows if row[1].removeprefix("m-") not in self.kept]
            for at in range(0, len(some), TOGETHER):
                part = some[at : at + TOGETHER]
                yield from self._apply(partial(self._remove, "logged model", _remove_logged, part))

    def purge_versions(self) -> Iterator[Purged]:
        for rows in self._pages(_versions):
            for at in range(0, len(rows), TOGETHER):
                yield from self._apply(partial(self._release, rows[at : at + TOGETHER]))

    def purge_experiments(self) -> Iterator[Purged]:
        for rows in self._pages(_experiments):
            for experiment_id, name in rows:
                if experiment_id != DEFAULT_ID:
                    yield from self._apply(partial(self._remove_experiment, experiment_id, name))

    def _pages(self, statement: Statement) -> Iterator[list[Any]]:
        after = -1
        while True:
            rows: list[Any] = self.database.read_now(
                partial(Tx.all, statement=statement, after=after, before_ms=self.before_ms), LOCAL
            )
            if not rows:
                return
            after = rows[-1][0]
            yield rows

    def _apply(self, operation: Callable[[Tx], list[Purged]]) -> list[Purged]:
        """Run it where it belongs: a dry run writes nothing."""
        if self.dry_run:
            return self.database.read_now(operation, LOCAL)  # type: ignore[no-any-return]
        return self.database.write_now(operation, LOCAL)  # type: ignore[no-any-return]

    def _remove(self, kind: str, removing: Statement, rows: Sequence[Any], tx: Tx) -> list[Purged]:
        ids = [row[0] for row in rows]
        if not self.dry_run:
            gone = tx.all(removing, ids=ids, before_ms=self.before_ms)
            ids = [row[0] for row in gone]
        taken = [row for row in rows if row[0] in set(ids)]
        return [Purged(kind, uid, *self._let_go(tx, manifest_id)) for _, uid, manifest_id in taken]

    def _release(self, rows: Sequence[Any], tx: Tx) -> list[Purged]:
        if not self.dry_run:
            tx.run(_unpin, ids=[row[0] for row in rows])
        return [
            Purged("version", f"{name}/{number}", *self._let_go(tx, manifest_id))
            for _, name, number, manifest_id in rows
        ]

    def _remove_experiment(self, experiment_id: int, name: str, tx: Tx) -> list[Purged]:
        """Remove an experiment of which no run stays, with its data sets and logged models."""
        about = {"experiment_id": experiment_id, "before_ms": self.before_ms}
        if not self.dry_run and tx.one(_still_doomed, **about) is None:
            return []
        if tx.one(_lasting, **about, kept=sorted(self.kept)) is not None:
            return []
        logged = tx.all(_logged_of, experiment_id=experiment_id)
        if any(row[1].removeprefix("m-") in self.kept for row in logged):
            return []
        found = [
            Purged("logged model", uid, *self._let_go(tx, manifest_id))
            for _, uid, manifest_id in logged
        ]
        if not self.dry_run:
            tx.run(_remove_logged_of, experiment_id=experiment_id)
            tx.run(_remove_datasets_of, experiment_id=experiment_id)
            tx.all(_remove_experiments, ids=[experiment_id], before_ms=self.before_ms)
        return [*found, Purged("experiment", name, 0, 0)]

    def _let_go(self, tx: Tx, manifest_id: int | None) -> tuple[int, int]:
        """Remove the files of a manifest; how many they were, and their bytes."""
        found = totals(tx, manifest_id)
        if found[0] and not self.dry_run:
            tx.run(_remove_files, manifest_ids=[manifest_id])
        return found
