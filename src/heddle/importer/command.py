"""What ``heddle import`` does and prints."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from heddle.artifacts.blobs import open_store
from heddle.database import open_database
from heddle.errors import Invalid
from heddle.importer.copying import Copier, Report, beginning, workspaces_of
from heddle.importer.places import Places, is_reachable
from heddle.importer.source import Source

TAKEN = "are taken"
KEPT = "stay there, where clients reach them"
BEHIND = "stay behind: name the address with --files"
SHOWN = 20
"""So many of the things that could not be taken are named; --json names all."""
KINDS = ("experiments", "logged models", "runs", "files", "models", "versions")
TABLES = {
    "experiments": "experiments",
    "runs": "runs",
    "points": "metrics",
    "logged models": "logged_models",
    "models": "registered_models",
    "versions": "model_versions",
}


def take_over(
    address: str,
    *,
    named: Sequence[str],
    workspace: str | None,
    leave_files: bool,
    dry_run: bool,
    as_json: bool,
    database_url: str,
    artifacts_url: str,
) -> int:
    """Import what the MLflow database at ``address`` holds, or say what there is.

    ``named`` are places as in ``Places``. Returns 1 if something could not be taken, else 0. Raises
    ``Invalid`` if files would stay behind where no client reaches them, unless ``leave_files``;
    ``NotFound``, ``Invalid`` or ``Unavailable`` if it cannot begin or go on; what came stays.
    """
    places = Places(named)
    source = Source(address)
    try:
        if dry_run:
            return _foretell(source, places, as_json=as_json)
        if not leave_files:
            _check_named(source, places)
        database = open_database(database_url)
        try:
            copier = Copier(source, database, open_store(artifacts_url), places, _tell)
            report = copier.copy(workspace)
        finally:
            database.close()
    finally:
        source.close()
    if as_json:
        _print_json(_as_json(report))
    else:
        _say(report)
    return 1 if report.refused else 0


def _owners(source: Source, places: Places) -> Counter[tuple[str, str]]:
    """How many runs and logged models have files below an address, and what becomes of them."""
    owners: Counter[tuple[str, str]] = Counter()
    for table, column in (("runs", "artifact_uri"), ("logged_models", "artifact_location")):
        for (address,) in source.rows(table, column):
            if not address:
                continue
            if places.find(address) is not None:
                owners[beginning(address), TAKEN] += 1
            else:
                owners[beginning(address), KEPT if is_reachable(address) else BEHIND] += 1
    return owners


def _check_named(source: Source, places: Places) -> None:
    """Raise ``Invalid`` if files would stay behind where no client of this server reaches them."""
    behind = [
        f"{where} ({many:,} runs and logged models)"
        for (where, what), many in sorted(_owners(source, places).items())
        if what == BEHIND
    ]
    if behind:
        raise Invalid(
            f"Files would stay behind: {'; '.join(behind[:SHOWN])}. Name each of these addresses, and"
            " where its files lie now: --files ADDRESS=FOLDER. To do without them: --leave-files."
        )


def _foretell(source: Source, places: Places, *, as_json: bool) -> int:
    """Say how much there is, and below which addresses files lie."""
    held = {what: source.count(table) for what, table in TABLES.items()}
    owners = sorted(_owners(source, places).items())
    if as_json:
        files = [
            {"address": where, "runs_and_logged_models": many, "files": what}
            for (where, what), many in owners
        ]
        _print_json({"workspaces": workspaces_of(source), "holds": held, "files": files})
        return 0
    for what, many in held.items():
        print(f"{many:>12,} {what}")
    for (where, what), many in owners:
        print(f"Files of {many:,} runs and logged models below {where} {what}.")
    return 0


def _say(report: Report) -> None:
    for what in KINDS:
        came, there = report.came[what], report.there[what]
        if came or there:
            print(f"{came:>12,} {what}" + (f", {there:,} were there already" if there else ""))
    for theirs, ours in report.renumbered.items():
        print(f"Experiment {theirs} is experiment {ours} here.")
    for where, many in report.unread.items():
        print(f"Files of {many:,} runs and logged models stay below {where}.")
    for line in report.refused[:SHOWN]:
        print(f"Not taken: {line}", file=sys.stderr)
    if len(report.refused) > SHOWN:
        print(f"... and {len(report.refused) - SHOWN:,} more; --json names all.", file=sys.stderr)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "came": dict(report.came),
        "there": dict(report.there),
        "files_not_read": dict(report.unread),
        "renumbered": report.renumbered,
        "refused": report.refused,
    }


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
