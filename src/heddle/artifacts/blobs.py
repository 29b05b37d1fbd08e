"""Where the bytes of larger contents lie: a local disk, or an object store through obstore.

Both stores answer the same calls (``Store``), all of them blocking; callers run them in
``Blobs.threads``. A content is received into ``incoming``, finished (from then on it survives a
crash), and placed under its digest. Names are digests and numbers of our own making; nothing that a
client sends becomes part of one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import obstore
import obstore.exceptions
import obstore.store

from heddle.artifacts.disk import DiskStore
from heddle.errors import Invalid, Unavailable

BLOCK = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 4
THREADS = 8
SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_KEY = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})")
P = ParamSpec("P")
R = TypeVar("R")


class Incoming(Protocol):
    """One content, or a part of one, on its way in; used by one thread at a time."""

    size_bytes: int

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""

    def write(self, parts: Sequence[bytes]) -> None:
        """Append the parts; raises ``Unavailable``."""

    def finish(self) -> None:
        """Make everything durable; nothing can be written afterwards. Raises ``Unavailable``."""

    def place(self) -> None:
        """Give the content its name; durable when this returns, and harmless to repeat."""

    def drop(self) -> None:
        """Remove what was received; the placed content, or the finished part, stays."""


class Store(Protocol):
    """What a place for contents can do; every call blocks."""

    is_local: bool
    """Whether looking and placing cost so little that a content's size is looked at before it is sent,
    and a content that seems to be there is placed again, which mends one that was damaged."""

    def begin(self) -> Incoming:
        """Begin to receive a content; raises ``Unavailable``."""

    def size_of(self, digest: str) -> int | None:
        """The size of a content, None if it is not here."""

    def blocks(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``end``; raises ``FileNotFoundError``."""

    def remove(self, digest: str) -> None:
        """Remove a content; one that is not here is removed already."""

    def contents(self) -> Iterator[tuple[str, int, int]]:
        """Every content here: digest, size, when it was placed (in ms)."""

    def begin_part(self, upload: str, number: int) -> Incoming:
        """Begin to receive one part of a content that comes in parts."""

    def part_blocks(self, upload: str, number: int) -> Iterator[bytes]:
        """The bytes of a part that was finished; raises ``FileNotFoundError``."""

    def drop_parts(self, upload: str, count: int) -> None:
        """Remove the parts numbered 1 to ``count``, as far as they came."""

    def clear_incoming(self, older_than_ms: int, *, dry_run: bool) -> tuple[int, int]:
        """Remove what was left in ``incoming`` since before a time: how many, and bytes."""

    def sign(self, digest: str, wait_s: int) -> str | None:
        """An address that lets anybody read a content for some seconds, None if there is none."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """An open store and the threads that work on it."""

    store: Store
    threads: ThreadPoolExecutor

    def run(self, call: Callable[P, R], *given: P.args, **named: P.kwargs) -> asyncio.Future[R]:
        """``call`` in one of the threads."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self.threads, partial(call, *given, **named))

    def close(self) -> None:
        """Finish what the threads are doing."""
        self.threads.shutdown(wait=True)


def open_blobs(url: str) -> Blobs:
    """Open the store at a folder's path or an object store's address.

    Raises ``Invalid`` for an address that cannot be one, ``Unavailable`` if the folder cannot be
    made.
    """
    return Blobs(open_store(url), ThreadPoolExecutor(THREADS, thread_name_prefix="heddle-files"))


def open_store(url: str) -> Store:
    """The store alone, for work outside a server; raises as ``open_blobs``."""
    scheme, colon, rest = url.partition("://")
    is_folder = not re.match(r"[A-Za-z][\w+.-]+:", url)
    if is_folder:
        return DiskStore(Path(url).absolute())
    if scheme == "file" and colon:
        return DiskStore(Path(rest))
    if scheme not in SCHEMES or not colon:
        raise Invalid(
            f"Files cannot be kept at {url!r}; name a folder, or an address that begins with"
            " s3://, gs:// or az://."
        )
    try:
        return CloudStore(obstore.store.from_url(url))
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise Invalid(f"The address {url!r} of the object store is not usable: {error}") from None


class CloudIncoming:
    """One content, or a part of one, on its way into an object store."""

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self._key = key
        self._hash = hashlib.sha256()
        self._open = True
        self._is_part = "." in key
        self.size_bytes = 0
        self._writer = on_store(
            obstore.open_writer,
            store,
            key,
            buffer_size=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
        )

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return self._hash.hexdigest()

    def write(self, parts: Sequence[bytes]) -> None:
        """Append the parts; raises ``Unavailable``."""
        for part in parts:
            self._hash.update(part)
            self.size_bytes += len(part)
        on_store(self._writer.write, b"".join(parts))

    def finish(self) -> None:
        """Complete the upload; raises ``Unavailable``."""
        on_store(self._writer.close)
        self._open = False

    def place(self) -> None:
        """Copy, within the store, to the digest's name."""
        on_store(obstore.copy, self._store, self._key, key_of(self.digest))

    def drop(self) -> None:
        """Remove what was received, unless it is a finished part."""
        if self._open:
            with suppress(Unavailable):
                on_store(self._writer.close)
        elif self._is_part:
            return
        with suppress(Unavailable, FileNotFoundError):
            on_store(obstore.delete, self._store, self._key)


class CloudStore:
    """Contents as objects of an object store."""

    is_local = False

    def __init__(self, store: Any) -> None:
        self._store = store

    def begin(self) -> CloudIncoming:
        """Begin to receive a content; raises ``Unavailable``."""
        return CloudIncoming(self._store, f"incoming/{uuid.uuid4().hex}")

    def size_of(self, digest: str) -> int | None:
        """The size of a content, None if it is not here."""
        try:
            found: int = on_store(obstore.head, self._store, key_of(digest))["size"]
        except FileNotFoundError:
            return None
        return found

    def blocks(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``end``; raises ``FileNotFoundError``."""
        return self._blocks(key_of(digest), start, end)

    def _blocks(self, key: str, start: int, end: int | None) -> Iterator[bytes]:
        options: Any = {}
        if end is not None and start >= end:
            return
        if end is not None:
            options = {"range": (start, end)}
        elif start:
            options = {"range": {"offset": start}}
        answer = on_store(obstore.get, self._store, key, options=options)
        stream = iter(answer.stream(min_chunk_size=BLOCK))
        while (block := on_store(next, stream, None)) is not None:
            yield bytes(block)

    def remove(self, digest: str) -> None:
        """Remove a content; one that is not here is removed already."""
        with suppress(FileNotFoundError):
            on_store(obstore.delete, self._store, key_of(digest))

    def contents(self) -> Iterator[tuple[str, int, int]]:
        """Every content here: digest, size, when it was placed (in ms)."""
        for page in obstore.list(self._store):
            for item in page:
                key = _KEY.fullmatch(item["path"])
                if key:
                    placed_ms = int(item["last_modified"].timestamp() * 1000)
                    yield key[1], item["size"], placed_ms

    def begin_part(self, upload: str, number: int) -> CloudIncoming:
        """Begin to receive one part of a content that comes in parts."""
        return CloudIncoming(self._store, part_key(upload, number))

    def part_blocks(self, upload: str, number: int) -> Iterator[bytes]:
        """The bytes of a part that was finished; raises ``FileNotFoundError``."""
        return self._blocks(part_key(upload, number), 0, None)

    def drop_parts(self, upload: str, count: int) -> None:
        """Remove the parts numbered 1 to ``count``, as far as they came."""
        for number in range(1, count + 1):
            with suppress(FileNotFoundError):
                on_store(obstore.delete, self._store, part_key(upload, number))

    def clear_incoming(self, older_than_ms: int, *, dry_run: bool) -> tuple[int, int]:
        """Remove what was left in ``incoming`` since before a time: how many, and bytes."""
        count = size_bytes = 0
        for page in obstore.list(self._store, "incoming"):
            for item in page:
                if item["last_modified"].timestamp() * 1000 < older_than_ms:
                    count += 1
                    size_bytes += item["size"]
                    if not dry_run:
                        with suppress(FileNotFoundError):
                            on_store(obstore.delete, self._store, item["path"])
        return count, size_bytes

    def sign(self, digest: str, wait_s: int) -> str | None:
        """An address that lets anybody read a content for some seconds."""
        return on_store(obstore.sign, self._store, "GET", key_of(digest), timedelta(seconds=wait_s))


def key_of(digest: str) -> str:
    """The object's name of a content; raises ``ValueError`` for what is not a digest."""
    key = f"{digest[:2]}/{digest}"
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a digest: {digest!r}")
    return key


def part_key(upload: str, number: int) -> str:
    """The object's name of one part of an upload."""
    return f"incoming/{uuid.UUID(upload).hex}.{int(number)}"


def on_store(call: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """``call`` with a failure of the object store as ours; ``FileNotFoundError`` stays."""
    try:
        return call(*given, **named)
    except FileNotFoundError:
        raise
    except obstore.exceptions.NotFoundError as error:
        raise FileNotFoundError(str(error)) from None
    except (obstore.exceptions.BaseError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unavailable(f"The object store that keeps files refuses: {text}") from error
