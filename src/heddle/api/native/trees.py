"""Folders of a manifest as the API lists them."""

from __future__ import annotations

from heddle.api.native.shapes.files import File
from heddle.artifacts import manifests
from heddle.db.tx import Tx

ENTRIES_MAX = 10_000


def folder(
    tx: Tx, manifest_id: int | None, path: str, *, below: bool = False, limit: int = ENTRIES_MAX
) -> tuple[list[File], int, int]:
    """The entries of a folder, how many files are below it, and their size.

    Folders come first, then names in order; with ``below`` every file below comes, by path.
    """
    start = len(path) + 1 if path else 0
    entries: dict[str, File] = {}
    count = size_bytes = 0
    for found in manifests.load(tx, manifest_id, path):
        count += 1
        size_bytes += found.size_bytes
        name, slash, _ = found.path[start:].partition("/")
        if below:
            leaf = found.path.rpartition("/")[2]
            entries[found.path] = _file(found.path, leaf, found.size_bytes, found.digest)
        elif not slash:
            entries[name] = _file(found.path, name, found.size_bytes, found.digest)
        else:
            held = entries.get(name)
            if held is None:
                place = f"{path}/{name}" if path else name
                held = entries[name] = File(
                    path=place, name=name, is_folder=True, size_bytes=0, files=0, digest=""
                )
            held.size_bytes += found.size_bytes
            held.files += 1
    listed = list(entries.values())
    if not below:
        listed.sort(key=lambda entry: (not entry.is_folder, entry.name))
    return listed[:limit], count, size_bytes


def _file(path: str, name: str, size_bytes: int, digest: str) -> File:
    return File(
        path=path, name=name, is_folder=False, size_bytes=size_bytes, files=1, digest=digest
    )
