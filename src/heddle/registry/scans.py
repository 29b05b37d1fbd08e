"""Scans: what was found in a version's files by looking at them without loading them.

A version with files waits for its scan from the transaction that registers it. A worker looks at
the files (see ``scoring.scan``) and notes what it found; here are only the records. They are no part
of the version, which never changes: a better scanner may come to another conclusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import msgspec
import sqlalchemy as sa

from heddle.db.schema import metadata, ms_column, owner_column, text_column, workspace_column
from heddle.db.statement import Statement, among, here, upsert
from heddle.db.tx import Change, Tx
from heddle.registry.models import models
from heddle.registry.versions import Version, versions
from heddle.workspaces import workspaces

Label = Literal["data-only", "code-bearing", "suspicious"]
LABELS: tuple[str, ...] = get_args(Label)
FINDINGS_MAX = 200
"""Findings kept of one version."""
ATTEMPTS_MAX = 3
LEASE_MS = 10 * 60 * 1000
"""How long a worker may look at one version before another one tries."""

scans = sa.Table(
    "scans",
    metadata,
    owner_column("version_id", "versions.id"),
    workspace_column(),
    text_column("label"),
    text_column("findings"),
    text_column("scanner"),
    text_column("error"),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    # When it may be taken; none once it is done or given up.
    ms_column("due_ms", nullable=True),
    ms_column("scanned_ms", nullable=True),
)
sa.Index(
    "ix_scans_due",
    scans.c.due_ms,
    sqlite_where=scans.c.due_ms.is_not(None),
    postgresql_where=scans.c.due_ms.is_not(None),
)


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found: in which file, how grave, and what it is in words."""

    path: str
    label: Label
    what: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of a version's files; ``label`` is empty until they were looked at."""

    label: str
    findings: Sequence[Finding]
    scanner: str
    error: str
    scanned_ms: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version whose files are to be looked at."""

    version_id: int
    workspace: str
    model: str
    number: int
    manifest_id: int | None
    attempts: int


_of_version = (
    scans.c.workspace_id == here(),
    scans.c.version_id == sa.bindparam("of_version", type_=sa.BigInteger),
)
_find = Statement(
    sa.select(
        scans.c.label, scans.c.findings, scans.c.scanner, scans.c.error, scans.c.scanned_ms
    ).where(*_of_version)
)
_wait = Statement(
    upsert(scans)
    .values(
        version_id=sa.bindparam("version_id"),
        workspace_id=sa.bindparam("workspace_id"),
        label="",
        findings="[]",
        scanner="",
        error="",
        attempts=0,
        due_ms=sa.bindparam("now_ms"),
    )
    .on_conflict_do_update(
        index_elements=["version_id"],
        set_={"attempts": 0, "due_ms": sa.bindparam("now_ms"), "error": ""},
    )
)
_due = scans.c.due_ms <= sa.bindparam("now_ms", type_=sa.BigInteger)
# Workers look after every workspace, so the next statements cross them.
_any_due = Statement(sa.select(scans.c.version_id).where(_due).limit(sa.literal(1)), anywhere=True)
_next = Statement(
    sa.select(
        scans.c.version_id,
        workspaces.c.name,
        models.c.name,
        versions.c.number,
        versions.c.manifest_id,
        scans.c.attempts,
    )
    .select_from(
        scans.join(versions, versions.c.id == scans.c.version_id)
        .join(models, models.c.id == versions.c.model_id)
        .join(workspaces, workspaces.c.id == versions.c.workspace_id)
    )
    .where(_due)
    .order_by(scans.c.due_ms)
    .limit(sa.bindparam("most")),
    anywhere=True,
)
_take = Statement(
    sa.update(scans)
    .where(
        scans.c.version_id.in_(
            sa.select(scans.c.version_id)
            .where(among(scans.c.version_id, "wanted"), _due)
            .with_for_update(skip_locked=True)
        )
    )
    .values(attempts=scans.c.attempts + 1, due_ms=sa.bindparam("again_ms"))
    .returning(scans.c.version_id),
    anywhere=True,
)
# A version that was deleted, or has no files any more, is nothing to look at.
_drop = Statement(
    sa.delete(scans)
    .where(
        among(scans.c.version_id, "taken"),
        scans.c.version_id.in_(
            sa.select(versions.c.id).where(
                among(versions.c.id, "taken"),
                versions.c.deleted_ms.is_not(None) | versions.c.manifest_id.is_(None),
            )
        ),
    )
    .returning(scans.c.version_id),
    anywhere=True,
)
_keep = Statement(
    sa.update(scans)
    .where(scans.c.version_id == sa.bindparam("of_version"))
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in ("label", "findings", "scanner", "error", "due_ms", "scanned_ms")
        }
    ),
    anywhere=True,
)


def label_of(version_id: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    """The label of the version with that id, as part of a search over versions."""
    return (
        sa.select(scans.c.label)
        .where(scans.c.version_id == version_id)
        .correlate(versions)
        .scalar_subquery()
    )


def wait(tx: Tx, version_id: int) -> None:
    """Let a version wait for its scan; one that was scanned keeps its label until then."""
    tx.run(_wait, version_id=version_id, now_ms=tx.now_ms)


def find_scan(tx: Tx, version: Version) -> Scan | None:
    """What was found in a version's files; None if it has no files here."""
    row = tx.one(_find, of_version=version.id)
    if row is None:
        return None
    findings = msgspec.json.decode(row[1], type=list[Finding])
    return Scan(row[0], findings, row[2], row[3], row[4])


def is_any_due(tx: Tx) -> bool:
    """Whether a version waits for its scan, in any workspace."""
    return tx.one(_any_due, now_ms=tx.now_ms) is not None


def waiting(tx: Tx, most: int) -> list[Waiting]:
    """The next versions to be scanned, at most ``most``, of any workspace; takes none of them."""
    return [Waiting(*row) for row in tx.all(_next, now_ms=tx.now_ms, most=most)]


def take(tx: Tx, wanted: Sequence[Waiting]) -> list[Waiting]:
    """Take those that nobody else took meanwhile; they are given again after ``LEASE_MS``."""
    ids = [each.version_id for each in wanted]
    rows = tx.all(_take, wanted=ids, now_ms=tx.now_ms, again_ms=tx.now_ms + LEASE_MS)
    taken = {row[0] for row in rows}
    if taken:
        taken -= {row[0] for row in tx.all(_drop, taken=list(taken))}
    return [
        replace(each, attempts=each.attempts + 1) for each in wanted if each.version_id in taken
    ]


def keep(
    tx: Tx, taken: Sequence[Waiting], *, label: Label, findings: Sequence[Finding], scanner: str
) -> None:
    """Note what was found in the files of each; of more than ``FINDINGS_MAX`` the gravest are kept."""
    gravest = sorted(findings, key=lambda each: -LABELS.index(each.label))[:FINDINGS_MAX]
    words = msgspec.json.encode(gravest).decode()
    for each in taken:
        tx.run(
            _keep,
            of_version=each.version_id,
            new_label=label,
            new_findings=words,
            new_scanner=scanner,
            new_error="",
            new_due_ms=None,
            new_scanned_ms=tx.now_ms,
        )
        _tell(tx, each)


def give_up(tx: Tx, taken: Sequence[Waiting], error: str) -> None:
    """Note that their files could not be looked at; tried again until ``ATTEMPTS_MAX``."""
    for each in taken:
        again = each.attempts < ATTEMPTS_MAX
        tx.run(
            _keep,
            of_version=each.version_id,
            new_label="",
            new_findings="[]",
            new_scanner="",
            new_error=error,
            new_due_ms=tx.now_ms + 10_000 * each.attempts if again else None,
            new_scanned_ms=None,
        )
        _tell(tx, each)


def _tell(tx: Tx, scanned: Waiting) -> None:
    key = f"{scanned.model}/{scanned.number}"
    tx.changes.append(Change(scanned.workspace, "version", key, "scanned", scanned.model))
