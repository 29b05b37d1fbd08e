"""Paths, folders and pinned manifests."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.artifacts import contents, manifests
from heddle.artifacts.manifests import Entry
from heddle.db.tx import Tx
from heddle.errors import HeddleError, Invalid

Do = Callable[..., Any]
TRICKS = (
    "..",
    "../x",
    "a/../b",
    "a/..",
    "%2e%2e/x",
    "%252e%252e/x",
    "%25252e%25252e%25252fx",
    "..%2fx",
    "a%2f..%2f..%2fb",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc/passwd",
    "\\\\server\\share",
    "a\\..\\b",
    "a%5cb",
    "C:/x",
    "c:x",
    "%43:/x",
    "file:///etc/passwd",
    "FILE:x",
    "a#b",
    "a%23b",
    "a\0b",
    "a%00b",
    "a%252500b",
    "\udcff",
    "",
    ".",
    "././/",
    "x" * 256,
    "x/" * 1500,
    "%25" * 3 + "25" * 20,
)
segments = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\#%\ufffd"),
    min_size=1,
    max_size=12,
).filter(lambda part: part not in (".", "..") and part[0] != " ")
trick_parts = st.sampled_from(["..", ".", "%2e", "%2E%2e", "%2f", "%5c", "/", "a", "%25", "#", ":"])


@pytest.mark.parametrize("path", TRICKS)
def test_tricks_are_refused(path: str) -> None:
    with pytest.raises(Invalid, match=r"^Invalid path"):
        manifests.check_path(path)


@given(st.lists(segments, min_size=1, max_size=5).map("/".join))
def test_plain_paths_stay_as_they_are(path: str) -> None:
    if path[1:2] != ":" and not path.lower().startswith("file:"):
        assert manifests.check_path(path) == path
        assert manifests.check_path(quote(path)) == path


common = st.text("ab_.+=@ -", min_size=1, max_size=5).filter(lambda part: part[0] != " ")


@given(st.lists(common, min_size=1, max_size=5).map("/".join))
def test_a_path_of_common_characters_means_what_it_means_spelled_otherwise(path: str) -> None:
    """Such paths are looked at briefly; a dot or a slash more has them looked at closely."""
    outcomes = []
    for spelled in (path, f"./{path}", f"{path}/"):
        try:
            outcomes.append(manifests.check_path(spelled))
        except Invalid:
            outcomes.append("refused")
    assert len(set(outcomes)) == 1


@given(st.one_of(st.text(max_size=30), st.lists(trick_parts, max_size=12).map("".join)))
def test_what_passes_is_its_own_normal_form_and_stays_inside(path: str) -> None:
    try:
        plain = manifests.check_path(path)
    except Invalid:
        return
    assert plain == posixpath.normpath(plain)
    assert not plain.startswith("/")
    assert ".." not in plain.split("/")
    assert manifests.check_path(plain) == plain


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("a//b/./c/", "a/b/c"),
        ("./a", "a"),
        ("a%20b", "a b"),
        ("100%", "100%"),
        ("images/a%step%23%timestamp%1795%g1-2.png", "images/a+step+23+timestamp+1795+g1-2.png"),
        ("a%0ab", "ab"),
        ("a\tb/ c d ", "ab/c d "),
        ("%20a/%2509b", "a/b"),
        ("a%17b", "a%17b"),
        ("img%step%0%timestamp%1795.png", "img%step%0%timestamp%1795.png"),
        ("img%step%92%timestamp%1795.png", "img%step\ufffd%timestamp%1795.png"),
        ("...", "..."),
        ("a..b", "a..b"),
    ],
)
def test_paths_have_one_form(path: str, plain: str) -> None:
    assert manifests.check_path(path) == manifests.check_path(plain) == plain


def fill(tx: Tx, *paths: str) -> int:
    """A manifest with these paths, each holding its own name."""
    made = manifests.create_manifest(tx)
    for path in paths:
        data = path.encode()
        digest = contents.digest_of(data)
        contents.keep_small(tx, digest, data)
        manifests.put_file(tx, made, path, digest=digest, size_bytes=len(data))
    return made


def paths_of(tx: Tx, manifest_id: int | None, prefix: str = "") -> list[str]:
    return [file.path for file in manifests.load(tx, manifest_id, prefix)]


def test_a_folder_lists_its_names_in_order(do: Do) -> None:
    made = do(fill, "b.txt", "model/MLmodel", "model/data/x", "model-b/y", "model.c", "Z", "é/ü")
    names = [entry.name for entry in do(manifests.list_folder, made)]
    assert names == ["Z", "b.txt", "model", "model-b", "model.c", "é"]
    assert do(manifests.list_folder, made, "model") == [
        Entry("MLmodel", False, 13),
        Entry("data", True, None),
    ]
    assert do(manifests.list_folder, made, "model/MLmodel") == []
    assert do(manifests.list_folder, made, "mode") == []
    assert do(manifests.list_folder, None) == []


def test_large_folders_are_stepped_over(do: Do) -> None:
    def rows(tx: Tx) -> int:
        made = fill(tx, "a", "m/x", "z")
        for number in range(2 * manifests.PAGE + 7):
            manifests.put_file(tx, made, f"m/{number:05}/f", digest="0" * 64, size_bytes=1)
        return made

    made = do(rows)
    assert [entry.name for entry in do(manifests.list_folder, made)] == ["a", "m", "z"]
    assert len(do(manifests.list_folder, made, "m")) == 2 * manifests.PAGE + 8
    assert len(do(paths_of, made)) == 2 * manifests.PAGE + 10
    assert do(manifests.totals, made)[0] == 2 * manifests.PAGE + 10


def test_a_name_is_a_file_or_a_folder(do: Do) -> None:
    made = do(fill, "a/b/c")
    for path, words in (("a", "is a directory"), ("a/b", "is a directory"), ("a/b/c/d", "a file")):
        with pytest.raises(Invalid, match=words):
            do(manifests.put_file, made, path, digest="0" * 64, size_bytes=1)
    with pytest.raises(Invalid, match="directory"):
        do(manifests.get_file, made, "a/b")
    assert do(manifests.delete_path, made, "a") == 1
    do(manifests.put_file, made, "a", digest="0" * 64, size_bytes=1)


def test_deleting_a_folder_leaves_its_neighbours(do: Do) -> None:
    made = do(fill, "a/b", "a/c/d", "a-b", "a0", "aa/x")
    assert do(manifests.delete_path, made, "a") == 2
    assert do(paths_of, made) == ["a-b", "a0", "aa/x"]
    assert do(manifests.delete_path, made, "") == 3


@pytest.mark.parametrize(
    ("prefix", "pinned"),
    [
        ("", ["model/MLmodel", "model/data/x", "modelb", "é/ü/1"]),
        ("model", ["MLmodel", "data/x"]),
        ("model/", ["MLmodel", "data/x"]),
        ("model/data/x", ["x"]),
        ("é", ["ü/1"]),
        ("é/ü/1", ["1"]),
        ("mod", None),
        ("nothing/here", None),
    ],
)
def test_pin_takes_what_is_below(do: Do, prefix: str, pinned: list[str] | None) -> None:
    made = do(fill, "model/MLmodel", "model/data/x", "modelb", "é/ü/1")
    copy = do(manifests.pin, made, prefix)
    assert (None if copy is None else do(paths_of, copy)) == pinned


def test_a_pinned_manifest_does_not_change_with_its_source(do: Do) -> None:
    made = do(fill, "m/a")
    copy = do(manifests.pin, made, "m")
    before = do(manifests.get_file, copy, "a")
    do(manifests.put_file, made, "m/a", digest=contents.digest_of(b"m/b"), size_bytes=3)
    do(manifests.delete_path, made, "")
    assert do(manifests.get_file, copy, "a") == before
    assert do(manifests.pin, None) is None
    assert do(manifests.pin, made) is None


def test_pinning_what_is_being_swept_is_refused(do: Do) -> None:
    made = do(fill, "a")

    def doom(tx: Tx) -> None:
        tx.cursor.execute("UPDATE blobs SET doomed_ms = 1, used_ms = 1")

    do(doom)
    with pytest.raises(HeddleError, match="being removed"):
        do(manifests.pin, made)
