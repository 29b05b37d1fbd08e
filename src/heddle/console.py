"""What the reading and the keeping commands do and print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from heddle.artifacts.blobs import open_store
from heddle.artifacts.sweep import sweep
from heddle.artifacts.verify import verify
from heddle.database import open_database
from heddle.db.tx import Caller, ids
from heddle.registry import aliases, models, version_search
from heddle.registry.file_owners import name_owners
from heddle.registry.purge import purge
from heddle.tracking import experiments, run_search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heddle.artifacts.verify import Verified
    from heddle.db.engine import Database
    from heddle.db.tx import Tx
    from heddle.settings import Settings

LIMIT = 1000
DAY_S = 24 * 3600
Row = dict[str, Any]


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = open_database(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def _read(settings: Settings, workspace: str, operation: Callable[[Tx], Any]) -> Any:
    with _opened(settings) as database:
        return database.read_now(operation, Caller(workspace=workspace))


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows as a table, or as one JSON list."""
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for name in rows[0] if rows else ():
        fixed = name in ("created", "updated", "started", "version", "status", "run", "bytes")
        table.add_column(name, overflow="fold", no_wrap=fixed)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console().print(table if rows else "Nothing there.")


def tell(findings: Sequence[Row], *, as_json: bool) -> None:
    """Print what the doctor found: each with the command that helps on a line of its own."""
    if as_json:
        show(findings, as_json=True)
        return
    for row in findings:
        sys.stdout.write(f"{row['level']:<5} {row['what']}\n      {row['do']}\n")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_cell(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else str(value)


def shown_time(at_ms: int | None) -> str | None:
    """A point in time as ISO 8601, UTC, to the second."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def list_models(settings: Settings, workspace: str, text: str) -> list[Row]:
    """The models that a filter finds; raises ``Invalid``, ``NotFound``."""

    def operation(tx: Tx) -> list[Row]:
        found = models.search_models(tx, filter=text, limit=LIMIT)
        names = models.load_models(tx, found)
        labels = aliases.load_model_aliases(tx, found)
        return [
            {
                "name": names[key].name,
                "aliases": dict(labels.get(key, ())),
                "updated": shown_time(names[key].updated_ms),
                "description": names[key].description,
            }
            for key in found
        ]

    rows: list[Row] = _read(settings, workspace, operation)
    return rows


def list_versions(settings: Settings, workspace: str, name: str, text: str) -> list[Row]:
    """The versions of a model, newest first; raises ``Invalid``, ``NotFound``."""

    def operation(tx: Tx) -> list[Row]:
        model = models.get_model(tx, name)
        found = version_search.search_versions(
            tx, filter=text, order_by=["version_number DESC"], model_ids=[model.id], limit=LIMIT
        )
        return [
            {
                "version": full.version.number,
                "aliases": list(full.aliases),
                "created": shown_time(full.version.created_ms),
                "run": full.version.run_name,
                "metrics": {latest.key: latest.value for latest in full.metrics},
                "params": dict(full.params),
                "tags": dict(full.tags),
            }
            for full in version_search.load_full(tx, ids(found))
        ]

    rows: list[Row] = _read(settings, workspace, operation)
    return rows


def list_runs(settings: Settings, workspace: str, text: str, order: Sequence[str]) -> list[Row]:
    """The living runs of all experiments that a filter finds; raises ``Invalid``."""

    def operation(tx: Tx) -> list[Row]:
        groups = experiments.search_experiments(tx, limit=50_000)
        names = {group.id: group.name for group in groups}
        found = run_search.search_runs(
            tx, experiment_ids=list(names), filter=text, order_by=order, limit=LIMIT
        )
        return [
            {
                "run": full.run.uid,
                "name": full.run.name,
                "experiment": names[full.run.experiment_id],
                "status": full.run.status,
                "started": shown_time(full.run.start_ms),
                "metrics": {latest.key: latest.value for latest in full.metrics},
                "params": dict(full.params),
            }
            for full in run_search.load_full(tx, ids(found))
        ]

    rows: list[Row] = _read(settings, workspace, operation)
    return rows


def collect(
    settings: Settings, *, dry_run: bool, purge_days: float | None
) -> tuple[list[Row], list[Row]]:
    """Remove contents that nothing has named for the grace period; what went, or would go.

    Before that, what was deleted more than ``purge_days`` ago is purged, unless that is None: the
    first list, whose bytes are those of files that name contents, shared or not.
    """
    store = open_store(settings.artifacts_url)
    with _opened(settings) as database:
        older_s = None if purge_days is None else int(purge_days * DAY_S)
        purged = () if older_s is None else purge(database, older_s=older_s, dry_run=dry_run)
        first = [_removed(item.kind, item.name, item.size_bytes, item.files) for item in purged]
        gone = sweep(database, store, grace_s=settings.gc_grace_s, dry_run=dry_run)
        return first, [
            _removed(item.kind, item.digest, item.size_bytes, item.count) for item in gone
        ]


def _removed(kind: str, name: str, size_bytes: int, count: int) -> Row:
    return {"what": kind, "content": name, "bytes": size_bytes, "count": count}


def check_contents(settings: Settings) -> tuple[int, list[Row]]:
    """Read every content and compare it with its digest: how many, and the problems."""
    store = open_store(settings.artifacts_url)
    with _opened(settings) as database:
        return _problems(database, verify(database, store))


def _problems(database: Database, checked: Iterable[Verified]) -> tuple[int, list[Row]]:
    count = 0
    problems: list[Row] = []
    for item in checked:
        count += 1
        if item.problem:
            ids = [manifest_id for manifest_id, _ in item.files]
            owners = database.read_now(partial(name_owners, manifest_ids=ids), Caller())
            used = [f"{path} of {owners.get(key, 'nobody')}" for key, path in item.files]
            problems.append({"content": item.digest, "problem": item.problem, "files": used})
    return count, problems
