"""The sweep takes what nothing names and nothing that is used; verify finds what is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heddle.artifacts import contents, manifests, uploads
from heddle.artifacts.blobs import Store
from heddle.artifacts.contents import Doomed
from heddle.artifacts.disk import DiskStore
from heddle.artifacts.sweep import Swept, sweep
from heddle.artifacts.verify import count, verify
from heddle.db.engine import Database
from heddle.db.tx import Tx
from heddle.registry.file_owners import name_owners

Do = Callable[..., Any]
LARGE = b"large" * 20_000


def keep(tx: Tx, store: Store, path: str, data: bytes) -> str:
    """Store a content as an upload does, and name it in the workspace's manifest."""
    digest = contents.digest_of(data)
    if len(data) > contents.SMALL_MAX:
        incoming = store.begin()
        incoming.write([data])
        incoming.finish()
        incoming.place()
        incoming.drop()
        contents.keep_stored(tx, digest, len(data))
    else:
        contents.keep_small(tx, digest, data)
    manifests.put_file(tx, manifests.take_loose(tx), path, digest=digest, size_bytes=len(data))
    return digest


def forget(tx: Tx, path: str) -> None:
    manifests.delete_path(tx, manifests.take_loose(tx), path)


def age(tx: Tx) -> None:
    """As if a long time had passed."""
    tx.cursor.execute("UPDATE blobs SET used_ms = 1")
    tx.cursor.execute("UPDATE uploads SET created_ms = 1")


def kinds(found: Iterator[Swept]) -> list[tuple[str, str]]:
    return sorted((item.kind, item.digest) for item in found)


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_unnamed_contents_go_after_the_grace(
    database: Database, store: Store, do: Do, data: bytes
) -> None:
    digest = do(keep, store, "a", data)
    other = do(keep, store, "b", data + b"!")
    do(age)
    assert kinds(sweep(database, store, grace_s=0)) == [], "both are named"
    do(forget, "a")
    assert kinds(sweep(database, store, grace_s=0, dry_run=True)) == [("content", digest)]
    assert do(contents.find_content, digest) is not None
    assert kinds(sweep(database, store, grace_s=0)) == [("content", digest)]
    assert do(contents.find_content, digest) is None
    assert store.size_of(digest) is None
    assert do(contents.find_content, other) is not None
    assert kinds(sweep(database, store, grace_s=0)) == []
    assert not [item for item in verify(database, store) if item.problem]


def test_what_was_used_lately_stays(database: Database, disk: Store, do: Do) -> None:
    do(keep, disk, "a", LARGE)
    do(forget, "a")
    assert kinds(sweep(database, disk, grace_s=0)) == [], "an upload may be about to name it"
    do(age)
    digest = do(keep, disk, "b", LARGE)
    do(forget, "b")
    assert kinds(sweep(database, disk, grace_s=0)) == [], "stored again, used again"
    assert disk.size_of(digest) == len(LARGE)


def test_a_pinned_content_is_used(database: Database, disk: Store, do: Do) -> None:
    do(keep, disk, "m/a", LARGE)
    do(age)
    pinned = do(lambda tx: manifests.pin(tx, manifests.find_loose(tx), "m"))
    do(forget, "m")
    assert kinds(sweep(database, disk, grace_s=0)) == []
    do(manifests.delete_manifest, pinned)
    do(age)
    assert len(kinds(sweep(database, disk, grace_s=0))) == 1


def test_nobody_comes_to_use_what_is_doomed(database: Database, disk: Store, do: Do) -> None:
    """An upload of a content that a sweep is removing is told to try again, then stores it anew."""
    digest = do(keep, disk, "a", LARGE)
    do(forget, "a")
    do(age)
    tried = []

    class Watched(DiskStore):
        def remove(self, digest: str) -> None:
            with pytest.raises(Doomed):
                do(contents.keep_stored, digest, len(LARGE))
            tried.append(digest)
            super().remove(digest)

    assert isinstance(disk, DiskStore)
    assert kinds(sweep(database, Watched(disk.root), grace_s=0)) == [("content", digest)]
    assert tried == [digest]
    assert do(keep, disk, "b", LARGE) == digest
    assert disk.size_of(digest) == len(LARGE)


def test_what_a_dead_sweep_left_is_finished_or_revived(
    database: Database, disk: Store, do: Do
) -> None:
    digest = do(keep, disk, "a", LARGE)
    do(forget, "a")

    def doom(tx: Tx) -> None:
        tx.cursor.execute("UPDATE blobs SET used_ms = 1, doomed_ms = 2")

    do(doom)
    assert do(keep, disk, "b", LARGE) == digest
    row = do(contents.find_content, digest)
    assert row.doomed_ms is None
    do(forget, "b")
    do(doom)
    assert kinds(sweep(database, disk, grace_s=0)) == [("content", digest)]
    assert do(contents.find_content, digest) is None


def test_forgotten_bytes_and_unfinished_uploads_go(
    database: Database, disk: DiskStore, do: Do
) -> None:
    for name, data in (("a", LARGE), ("b", LARGE + b"!")):
        do(keep, disk, name, data)
    strange = disk.path_of("ab" * 32)
    strange.parent.mkdir(exist_ok=True)
    strange.write_bytes(b"who knows")
    left = disk.incoming / "left"
    left.write_bytes(b"half")
    upload = do(uploads.begin_upload, path="x", part_count=2)
    assert kinds(sweep(database, disk, grace_s=0)) == [], "all of it is of now"
    for path in (strange, left):
        os.utime(path, (1, 1))
    do(age)
    expected = [("forgotten", "ab" * 32), ("unfinished", "")]
    assert kinds(sweep(database, disk, grace_s=0, dry_run=True)) == expected
    assert strange.exists()
    assert kinds(sweep(database, disk, grace_s=0)) == expected
    assert not strange.exists()
    assert not left.exists()
    assert do(lambda tx: tx.cursor.execute("SELECT * FROM uploads").fetchall()) == []
    assert upload.part_count == 2
    assert count(database) == (2, 2 * len(LARGE) + 1)


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_verify_finds_what_was_altered(
    database: Database, disk: DiskStore, do: Do, data: bytes
) -> None:
    digest = do(keep, disk, "models/one.bin", data)
    do(keep, disk, "two.bin", b"untouched" + data)
    assert [item.problem for item in verify(database, disk)] == ["", ""]
    altered = b"X" + data[1:]
    if len(data) > contents.SMALL_MAX:
        disk.path_of(digest).write_bytes(altered)
    else:
        sql = f"UPDATE blobs SET data = {'?' if database.is_embedded else '$1'} WHERE digest = '{digest}'"
        do(lambda tx: tx.cursor.execute(sql, (altered,)) and None)
    found = [item for item in verify(database, disk) if item.problem]
    assert [(item.digest, "altered" in item.problem) for item in found] == [(digest, True)]
    [(manifest_id, path)] = found[0].files
    assert path == "models/one.bin"
    assert do(name_owners, [manifest_id]) == {manifest_id: "workspace 'default'"}


def test_verify_finds_what_is_short_or_missing(database: Database, disk: DiskStore, do: Do) -> None:
    short = do(keep, disk, "short", LARGE)
    gone = do(keep, disk, "gone", LARGE + b"!")
    lost = do(keep, disk, "lost", b"lost")
    disk.path_of(short).write_bytes(LARGE[:-5])
    disk.path_of(gone).unlink()
    do(lambda tx: tx.cursor.execute(f"DELETE FROM blobs WHERE digest = '{lost}'") and None)
    problems = {item.digest: item.problem for item in verify(database, disk) if item.problem}
    assert set(problems) == {short, gone, lost}
    assert "instead of" in problems[short]
    assert "missing" in problems[gone]
    assert "nothing is known" in problems[lost]
