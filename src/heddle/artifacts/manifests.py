"""Manifests: which paths an owner has, and which contents they stand for.

A run, a logged model and a version each point to a manifest of their own (made when the first
file comes), a workspace to one for files that belong to none of them. A manifest maps a path to a
digest and a size; contents live once per digest in ``blobs``. A version's manifest never changes.
Paths are checked and brought to one form by ``check_path`` and are never paths of a disk; still a
name is either a file or a folder, as on one. Bytes outside the database are the stores' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

import sqlalchemy as sa

from heddle.artifacts.contents import FRESH_MS, Doomed, blobs
from heddle.db.schema import (
    CLUSTERED,
    Id,
    id_column,
    metadata,
    ms_column,
    owner_column,
    text_column,
    workspace_column,
)
from heddle.db.statement import Insert, Statement, among, here, upsert
from heddle.db.tx import Tx
from heddle.errors import Corrupt, Invalid, NotFound

PATH_MAX = 2000
SEGMENT_MAX = 255
DECODE_MAX = 8
PAGE = 1000
LAST = "\U0010ffff" * (SEGMENT_MAX + 1)
AFTER_SLASH = "0"
"""The character after the slash: everything in folder ``a`` sorts from ``a/`` to before ``a0``."""
_PLAIN = re.compile(r"\w[\w.+=@ -]*(?:/\w[\w.+=@ -]*)*", re.ASCII)
"""Paths that need no closer look: nothing in them means anything but itself."""
_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
_DROPPED = re.compile(r"[\t\r\n]|(?:^|(?<=/))[\x01-\x20]+")
"""What clients leave out of names that they list: line ends, tabs, and blanks before a name."""
_STEP_IMAGE = re.compile(
    r"(?P<key>(?:.*/)?images/[^/]+)%step%(?P<step>-?[0-9]+)%timestamp%(?P<time>[0-9]+)"
    r"%(?P<id>[A-Za-z0-9-]+)(?:%(?P<small>compressed))?(?P<ending>\.[A-Za-z0-9]+)"
)
_REFUSED = (
    (re.compile("\0"), "it holds a NUL character"),
    (re.compile(r"\\"), "use / between folders, not a backslash"),
    (re.compile("#"), "it holds a #"),
    (re.compile("^/"), "it must be relative, without a / in front"),
    (re.compile("^[A-Za-z]:"), "it begins with a drive letter"),
    (re.compile("^file:", re.IGNORECASE), "it is a file address, not a path"),
    (re.compile(r"(^|/)\.\.(/|$)"), "a .. in it climbs out"),
)

BinaryText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that sorts by its bytes on both databases, so that a folder is a range of keys."""

manifests = sa.Table(
    "manifests",
    metadata,
    id_column(),
    workspace_column(),
    sqlite_autoincrement=True,
)
loose_manifests = sa.Table(
    "loose_manifests",
    metadata,
    sa.Column("workspace_id", Id, sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("manifest_id", Id, sa.ForeignKey("manifests.id"), nullable=False),
)
files = sa.Table(
    "files",
    metadata,
    owner_column("manifest_id", "manifests.id"),
    sa.Column("path", BinaryText, primary_key=True),
    text_column("digest"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    ms_column("created_ms"),
    sa.Index(None, "digest"),
    **CLUSTERED,
)


@dataclass(frozen=True, slots=True)
class File:
    """One file of a manifest."""

    path: str
    digest: str
    size_bytes: int
    created_ms: int


class Entry(NamedTuple):
    """One name in a folder; a folder in it has no size."""

    name: str
    is_dir: bool
    size_bytes: int | None


_columns = tuple(files.c[name] for name in File.__dataclass_fields__)
_mine = files.c.manifest_id == sa.bindparam("manifest_id")
_at = files.c.path == sa.bindparam("path")
_range = sa.and_(files.c.path >= sa.bindparam("low"), files.c.path < sa.bindparam("high"))
_make = Insert(manifests, ("workspace_id",))
_loose = Statement(
    sa.select(loose_manifests.c.manifest_id).where(loose_manifests.c.workspace_id == here())
)
_set_loose = Statement(
    upsert(loose_manifests)
    .values({c: sa.bindparam(c) for c in ("workspace_id", "manifest_id")})
    .on_conflict_do_nothing()
)
_find = Statement(sa.select(*_columns).where(_mine, _at))
_read = Statement(
    sa.select(*_columns, blobs.c.size_bytes, blobs.c.data)
    .select_from(files.outerjoin(blobs, blobs.c.digest == files.c.digest))
    .where(_mine, _at)
)
_page = Statement(
    sa.select(*_columns).where(_mine, _range).order_by(files.c.path).limit(sa.literal(PAGE))
)
_any_within = Statement(sa.select(files.c.path).where(_mine, _range).limit(sa.literal(1)))
_clash = Statement(
    sa.union_all(
        sa.select(files.c.path).where(_mine, among(files.c.path, "above")),
        sa.select(files.c.path).where(_mine, _range),
    ).limit(sa.literal(1))
)
_put = upsert(files).values({column.name: sa.bindparam(column.name) for column in files.c})
_put_file = Statement(
    _put.on_conflict_do_update(
        index_elements=["manifest_id", "path"],
        set_={name: _put.excluded[name] for name in ("digest", "size_bytes", "created_ms")},
    )
)
_delete_file = Statement(sa.delete(files).where(_mine, _at))
_delete_within = Statement(sa.delete(files).where(_mine, _range))
_delete_manifest = Statement(
    sa.delete(manifests).where(
        manifests.c.workspace_id == here(), manifests.c.id == sa.bindparam("manifest_id")
    )
)
_copy = Statement(
    sa.insert(files).from_select(
        [column.name for column in files.c],
        sa.select(
            sa.bindparam("new_id", type_=sa.BigInteger),
            sa.func.substr(files.c.path, sa.bindparam("skip", type_=sa.Integer)),
            files.c.digest,
            files.c.size_bytes,
            sa.bindparam("now_ms", type_=sa.BigInteger),
        ).where(_mine, _range),
    )
)
_kept = sa.and_(blobs.c.digest == files.c.digest, blobs.c.doomed_ms.is_(None))
_fresh = sa.and_(_kept, blobs.c.used_ms >= sa.bindparam("stale_ms"))
_copied = Statement(
    sa.select(sa.func.count(), sa.func.count(blobs.c.digest))
    .select_from(files.outerjoin(blobs, _fresh))
    .where(_mine)
)
_use = Statement(
    sa.update(blobs)
    .where(
        blobs.c.digest.in_(sa.select(files.c.digest).where(_mine)),
        blobs.c.doomed_ms.is_(None),
        blobs.c.used_ms < sa.bindparam("stale_ms"),
    )
    .values(used_ms=sa.bindparam("now_ms"))
)
_lost = Statement(
    sa.select(files.c.path).where(_mine, ~sa.exists().where(_kept)).limit(sa.literal(1))
)
_totals = Statement(
    sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(files.c.size_bytes), 0)).where(_mine)
)


def check_path(path: str, *, root_ok: bool = False) -> str:
    """The one form of a file's path; raises ``Invalid`` for what must not be one.

    Percent signs are decoded until nothing changes, empty and ``.`` segments dropped. ``root_ok``
    lets the empty path through, which is the folder that holds everything. MLflow 2.x names images
    ``a%step%23%timestamp%1795485946957...``, where the percent signs stand for themselves; these
    are spelled ``a+step+23+...`` as its later clients do. So that what a client lists it also gets,
    names are read as it reads them: without line ends, tabs and blanks in front, other control
    characters (but NUL) written ``%17``, bytes that are no text replaced.
    """
    if len(path) <= SEGMENT_MAX and _PLAIN.fullmatch(path):
        return path
    plain = _plain_image(path)
    for _ in range(DECODE_MAX):
        before, plain = plain, _DROPPED.sub("", unquote(plain))
        if plain == before:
            break
    else:
        raise _bad(path, "it is percent-encoded many times over")
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise _bad(path, "it is not UTF-8 text") from None
    plain = _CONTROL.sub(lambda found: f"%{ord(found[0]):02x}", plain)
    for wrong, why in _REFUSED:
        if wrong.search(plain):
            raise _bad(path, why)
    segments = [part for part in plain.split("/") if part not in ("", ".")]
    if any(len(part) > SEGMENT_MAX for part in segments):
        raise _bad(path, f"a name in it is longer than {SEGMENT_MAX} characters")
    plain = "/".join(segments)
    if len(plain) > PATH_MAX:
        raise _bad(path, f"it is longer than {PATH_MAX} characters")
    if not plain and not root_ok:
        raise _bad(path, "it names no file")
    return plain


def _plain_image(path: str) -> str:
    """The path without the percent signs of an older client's name for an image of a step."""
    found = _STEP_IMAGE.fullmatch(path)
    if found is None:
        return path
    parts = [found["key"], "step", found["step"], "timestamp", found["time"], found["id"]]
    return "+".join([*parts, found["small"]] if found["small"] else parts) + found["ending"]


def _bad(path: str, why: str) -> Invalid:
    shown = path if len(path) <= 200 else path[:200] + "..."
    return Invalid(f"Invalid path {shown!a}: {why}.")


def _bounds(path: str) -> dict[str, str]:
    """The range of keys within a folder; the root's ends after the last possible path."""
    if not path:
        return {"low": "", "high": LAST}
    return {"low": f"{path}/", "high": path + AFTER_SLASH}


def create_manifest(tx: Tx) -> int:
    """A new empty manifest of the caller's workspace."""
    return tx.add(_make)


def find_loose(tx: Tx) -> int | None:
    """The manifest of the workspace's files that belong to no run, model or version."""
    row = tx.one(_loose)
    return None if row is None else row[0]


def take_loose(tx: Tx) -> int:
    """The same, made if there is none yet."""
    found = find_loose(tx)
    if found is None:
        tx.run(_set_loose, manifest_id=create_manifest(tx))
        found = find_loose(tx)
        if found is None:
            raise RuntimeError("the workspace's manifest of loose files was not kept")
    return found


def find_file(tx: Tx, manifest_id: int, path: str) -> File | None:
    """The file at a checked path, if there is one."""
    row = tx.one(_find, manifest_id=manifest_id, path=path)
    return None if row is None else File(*row)


def get_file(tx: Tx, manifest_id: int | None, path: str) -> File:
    """The file at a checked path; raises ``NotFound``, or ``Invalid`` for a folder."""
    found = None if manifest_id is None else find_file(tx, manifest_id, path)
    if found is not None:
        return found
    if manifest_id is not None and is_folder(tx, manifest_id, path):
        raise Invalid(f"'{path}' is a directory; name a file in it.")
    raise NotFound(f"No such artifact: '{path}'")


def read_file(tx: Tx, manifest_id: int | None, path: str) -> tuple[File, bytes | None]:
    """The file at a checked path and, where the database holds it, its content.

    Raises as ``get_file``, and ``Corrupt`` if the content is unknown.
    """
    row = None if manifest_id is None else tx.one(_read, manifest_id=manifest_id, path=path)
    if row is None:
        return get_file(tx, manifest_id, path), None
    file = File(*row[:4])
    if row[4] != file.size_bytes:
        raise Corrupt(f"The content of '{path}' ({file.digest}) is lost; run: heddle verify")
    return file, row[5]


def is_folder(tx: Tx, manifest_id: int, path: str) -> bool:
    """Whether files stand below a checked path."""
    return tx.one(_any_within, manifest_id=manifest_id, **_bounds(path)) is not None


def check_free(tx: Tx, manifest_id: int, path: str) -> None:
    """Raise ``Invalid`` if a folder has that name or a file stands where a folder is needed."""
    above = [path[:at] for at, letter in enumerate(path) if letter == "/"]
    clash = tx.one(_clash, manifest_id=manifest_id, above=above, **_bounds(path))
    if clash is None:
        return
    if clash[0] in above:
        raise Invalid(f"Invalid path '{path}': '{clash[0]}' is a file, not a directory.")
    raise Invalid(f"Invalid path '{path}': it is a directory; a file needs another name.")


def put_file(tx: Tx, manifest_id: int, path: str, *, digest: str, size_bytes: int) -> None:
    """Let a checked path stand for a content that ``blobs`` holds, in place of what it was.

    Raises ``Invalid`` as ``check_free``.
    """
    check_free(tx, manifest_id, path)
    tx.run(
        _put_file,
        manifest_id=manifest_id,
        path=path,
        digest=digest,
        size_bytes=size_bytes,
        created_ms=tx.now_ms,
    )


def delete_path(tx: Tx, manifest_id: int, path: str) -> int:
    """Remove a file, or a folder with all in it; how many files went."""
    gone = tx.count(_delete_file, manifest_id=manifest_id, path=path) if path else 0
    return gone + tx.count(_delete_within, manifest_id=manifest_id, **_bounds(path))


def delete_manifest(tx: Tx, manifest_id: int) -> None:
    """Remove a manifest that nothing points to any more; its contents go with the next sweep."""
    tx.run(_delete_manifest, manifest_id=manifest_id)


def load(tx: Tx, manifest_id: int | None, prefix: str = "") -> Iterator[File]:
    """Every file below a checked folder, by path (none for no manifest)."""
    if manifest_id is None:
        return
    bounds = _bounds(prefix)
    while True:
        rows = tx.all(_page, manifest_id=manifest_id, **bounds)
        for row in rows:
            yield File(*row)
        if len(rows) < PAGE:
            return
        # The smallest text after a path is the path with the smallest character behind it.
        bounds["low"] = rows[-1][0] + "\x01"


def list_folder(tx: Tx, manifest_id: int | None, path: str = "") -> list[Entry]:
    """The names in a checked folder, by name; a missing folder and a file have none."""
    if manifest_id is None:
        return []
    bounds = _bounds(path)
    start = len(path) + 1 if path else 0
    found: dict[str, Entry] = {}
    while True:
        rows = tx.all(_page, manifest_id=manifest_id, **bounds)
        for full, _, size_bytes, _ in rows:
            name, slash, _ = full[start:].partition("/")
            if slash:
                found.setdefault(name, Entry(name, True, None))
            else:
                found[name] = Entry(name, False, size_bytes)
        if len(rows) < PAGE:
            return sorted(found.values())
        last = rows[-1][0]
        name, slash, _ = last[start:].partition("/")
        # Past the rest of a large folder in one step.
        bounds["low"] = last[:start] + name + AFTER_SLASH if slash else last + "\x01"


def totals(tx: Tx, manifest_id: int | None) -> tuple[int, int]:
    """How many files, and bytes, a manifest has."""
    if manifest_id is None:
        return 0, 0
    count, size_bytes = tx.one(_totals, manifest_id=manifest_id)
    return count, int(size_bytes)


def pin(tx: Tx, manifest_id: int | None, prefix: str = "") -> int | None:
    """A new manifest with what is below ``prefix`` now (or the one file it names), nothing else.

    Paths of the new manifest begin where ``prefix`` ends; a single file keeps its last name. None
    if nothing is there. Raises ``Invalid`` for a path that cannot be one, ``Doomed`` if the files
    are being swept away at this moment.
    """
    if manifest_id is None:
        return None
    path = check_path(prefix, root_ok=True)
    made, stale_ms = create_manifest(tx), tx.now_ms - FRESH_MS
    copied = fresh = 0
    for skip, bounds in _ranges(path):
        tx.run(_copy, manifest_id=manifest_id, new_id=made, skip=skip, now_ms=tx.now_ms, **bounds)
        copied, fresh = tx.one(_copied, manifest_id=made, stale_ms=stale_ms)
        if copied:
            break
    if not copied:
        delete_manifest(tx, made)
        return None
    if fresh < copied:
        _use_again(tx, made, stale_ms)
    return made


def _ranges(path: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Where a path's files may lie, below it or at it, and the letter that their new paths begin at."""
    yield len(path) + 2 if path else 1, _bounds(path)
    if path:
        yield path.rfind("/") + 2, {"low": path, "high": path + "\x01"}


def _use_again(tx: Tx, manifest_id: int, stale_ms: int) -> None:
    """Mark the contents of a manifest as used now; raises ``Doomed`` if one is being swept."""
    tx.run(_use, manifest_id=manifest_id, now_ms=tx.now_ms, stale_ms=stale_ms)
    lost = tx.one(_lost, manifest_id=manifest_id)
    if lost is not None:
        raise Doomed(f"The contents of '{lost[0]}' are being removed; upload the file again.")
