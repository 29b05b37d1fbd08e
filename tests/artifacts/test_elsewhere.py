"""Somebody else's files: listed and read from a folder and from an object store, never outside."""

from __future__ import annotations

from pathlib import Path

import obstore
import obstore.store
import pytest

from heddle.artifacts.elsewhere import open_folder
from heddle.errors import NotFound

FILES = {"a.txt": b"one", "model/MLmodel": b"two", "model/deep/weights ü.bin": bytes(3_000_000)}


@pytest.fixture(params=["folder", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the files lie, below ``top``, with others beside it."""
    if request.param == "folder":
        for name, data in FILES.items():
            path = tmp_path / "top" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (tmp_path / "topping.txt").write_bytes(b"not asked for")
        return f"{tmp_path}/top"
    url: str = request.getfixturevalue("s3_url")
    store = obstore.store.from_url(url)
    for name, data in FILES.items():
        obstore.put(store, f"top/{name}", data)
    obstore.put(store, "topping.txt", b"not asked for")
    return f"{url}/top"


def test_files_are_listed_and_read(place: str) -> None:
    folder = open_folder(place)
    assert {found.path: found.size_bytes for found in folder.files("")} == {
        name: len(data) for name, data in FILES.items()
    }
    assert {found.path for found in folder.files("model")} == {"MLmodel", "deep/weights ü.bin"}
    assert list(folder.files("nothing")) == []
    for name, data in FILES.items():
        assert b"".join(folder.blocks(name)) == data
    with pytest.raises(NotFound):
        list(folder.blocks("nothing"))


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("not yours")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("not yours")
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").symlink_to(tmp_path / "secret.txt")
    (top / "folder").symlink_to(tmp_path / "secrets")
    (top / "loop").symlink_to(top)
    (top / "own").write_text("mine")
    (top / "again").symlink_to(top / "own")
    folder = open_folder(str(top))
    assert {found.path for found in folder.files("")} == {"own", "again"}
    assert list(folder.files("..")) == []
    assert list(folder.files("folder")) == []
    for path in ("../secret.txt", "file", "folder/key", "/../secret.txt", "x/../../secret.txt"):
        with pytest.raises(NotFound):
            list(folder.blocks(path))
