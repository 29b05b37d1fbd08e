"""Files that lie in somebody else's folder or object store, only to be read.

Whoever opens a ``Folder`` names its top; nothing outside it is read, whatever a path or a link in it
says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import obstore
import obstore.exceptions
import obstore.store

from heddle.artifacts.blobs import BLOCK, SCHEMES, on_store
from heddle.errors import Invalid, NotFound


class Found(NamedTuple):
    """One file: its path below the place that was listed, and its size."""

    path: str
    size_bytes: int


class Folder(Protocol):
    """A place whose files can be listed and read; every call blocks."""

    def files(self, path: str) -> Iterator[Found]:
        """Every file below ``path``, at any depth; nothing there gives none.

        Raises ``Invalid`` for what may not be read, ``Unavailable`` if the place does not answer.
        """

    def blocks(self, path: str) -> Iterator[bytes]:
        """A file's bytes; raises ``NotFound``, and as ``files``."""


def open_folder(place: str) -> Folder:
    """The folder at a path, a ``file:`` address, or an object store's address.

    Raises ``NotFound`` for a folder that is not there, ``Invalid`` for any other address.
    """
    scheme, colon, rest = place.partition(":")
    if not colon or scheme == "file":
        return LocalFolder(Path("/" + rest.lstrip("/") if colon else place))
    if scheme not in SCHEMES:
        raise Invalid(
            f"Files cannot be read at {place!r}; name a folder, or an address that begins with"
            " s3://, gs:// or az://."
        )
    try:
        return CloudFolder(obstore.store.from_url(place))
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise Invalid(f"The address {place!r} of the object store is not usable: {error}") from None


class LocalFolder:
    """A folder of this machine; links that lead out of it are as if they were not there."""

    def __init__(self, top: Path) -> None:
        self._top = top.resolve()
        if not self._top.is_dir():
            raise NotFound(f"There is no folder {top}.")

    def files(self, path: str) -> Iterator[Found]:
        """Every file below ``path``; raises ``Invalid`` for what may not be looked into."""
        start = self._inside(path)
        if start is None or not start.is_dir():
            return
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in sorted(entries, key=lambda each: each.name):
                        inside = self._inside(os.path.relpath(entry.path, self._top))
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(Path(entry.path))
                        elif inside is not None and inside.is_file():
                            name = Path(entry.path).relative_to(start).as_posix()
                            yield Found(name, inside.stat().st_size)
            except OSError as error:
                raise Invalid(f"{folder} cannot be read: {error.strerror}.") from error

    def blocks(self, path: str) -> Iterator[bytes]:
        """A file's bytes; raises ``NotFound``, ``Invalid``."""
        place = self._inside(path)
        if place is None or not place.is_file():
            raise NotFound(f"There is no file {path} in {self._top}.")
        try:
            with place.open("rb") as file:
                while block := file.read(BLOCK):
                    yield block
        except OSError as error:
            raise Invalid(f"{place} cannot be read: {error.strerror}.") from error

    def _inside(self, path: str) -> Path | None:
        """Where a path leads, None if out of the folder."""
        place = Path(os.path.realpath(self._top / path.lstrip("/")))
        return place if place.is_relative_to(self._top) else None


class CloudFolder:
    """What lies below an address of an object store."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def files(self, path: str) -> Iterator[Found]:
        """Every file below ``path``; raises ``Unavailable``."""
        top = path.strip("/")
        pages = iter(on_store(obstore.list, self._store, top or None))
        while (page := on_store(next, pages, None)) is not None:
            for item in page:
                name = item["path"].removeprefix(top).lstrip("/")
                if name:
                    yield Found(name, item["size"])

    def blocks(self, path: str) -> Iterator[bytes]:
        """A file's bytes; raises ``NotFound``, ``Unavailable``."""
        try:
            answer = on_store(obstore.get, self._store, path.strip("/"))
        except FileNotFoundError:
            raise NotFound(f"There is no object {path}.") from None
        stream = iter(answer.stream(min_chunk_size=BLOCK))
        while (block := on_store(next, stream, None)) is not None:
            yield bytes(block)
