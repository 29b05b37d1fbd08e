"""The store on a local disk: one file per content, named by its digest.

A content is received into ``incoming``, flushed to the disk, and only then gets its name, so a
name always stands for a whole content even after a power cut. ``place`` leaves the received file
where it is (a second link), so it can be repeated; ``drop`` removes it. Names are digests and
numbers of our own making; nothing that a client sends becomes part of a path.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from heddle.errors import Unavailable

BLOCK = 1024 * 1024
VECTORS_MAX = 1000
FLUSH_BYTES = 16 * 1024 * 1024
"""How much may wait to be flushed while a content comes in. Measured: 256 MiB come 1.6 times as
fast as with one flush at the end."""
FLUSHERS = 2
_DIGEST = re.compile(r"[0-9a-f]{64}")
P = ParamSpec("P")
R = TypeVar("R")


class DiskIncoming:
    """One content on its way in, or a part of one; used by one thread at a time."""

    def __init__(self, store: DiskStore, part: Path | None = None) -> None:
        self._store = store
        self._part = part
        self._path = store.incoming / uuid.uuid4().hex
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        self._fd = _on_disk(os.open, self._path, flags, 0o640)
        self._flush_at = FLUSH_BYTES
        self._flushing: Future[None] | None = None

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return self._hash.hexdigest()

    def write(self, parts: Sequence[bytes]) -> None:
        """Append the parts; raises ``Unavailable`` if the disk refuses."""
        for start in range(0, len(parts), VECTORS_MAX):
            _write_all(self._fd, parts[start : start + VECTORS_MAX])
        for part in parts:
            self._hash.update(part)
            self.size_bytes += len(part)
        if self.size_bytes >= self._flush_at:
            self._flush_behind()

    def _flush_behind(self) -> None:
        """Let the disk work while more comes in, so that little is left to wait for at the end."""
        if self._flushing is None or self._flushing.done():
            self._check_flushed()
            self._flush_at = self.size_bytes + FLUSH_BYTES
            self._flushing = self._store.flusher.submit(_flush_data, self._fd)

    def _check_flushed(self) -> None:
        """Raise what the last flush met: the system tells of a lost write once only."""
        if self._flushing is not None:
            _on_disk(self._flushing.result)

    def finish(self) -> None:
        """Flush everything to the disk; nothing can be written afterwards."""
        self._check_flushed()
        _on_disk(os.fsync, self._fd)
        _on_disk(self._close)
        if self._part is not None:
            _on_disk(os.rename, self._path, self._part)

    def place(self) -> None:
        """Give the content its name; durable when this returns, and harmless to repeat."""
        target = self._store.path_of(self.digest)
        second = self._path.with_suffix(".named")
        if not target.parent.is_dir():
            _on_disk(os.makedirs, target.parent, exist_ok=True)
            _flush_folder(self._store.root)
        # The sweep takes old files for forgotten ones; this one is of now.
        _on_disk(os.utime, self._path)
        try:
            self._link(second)
            _on_disk(os.rename, second, target)
        except Unavailable:
            with suppress(OSError):
                second.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)

    def _link(self, second: Path) -> None:
        try:
            os.link(self._path, second)
        except OSError:
            # A disk without links: a copy is slower but as good.
            _on_disk(shutil.copyfile, self._path, second)
            _flush_file(second)

    def drop(self) -> None:
        """Remove what was received; the placed content stays.

        What a failing disk does not let go of stays in ``incoming`` for the sweep.
        """
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._flushing is not None:
            wait([self._flushing])
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class DiskStore:
    """The folder that holds contents by digest."""

    is_local = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.flusher = ThreadPoolExecutor(FLUSHERS, thread_name_prefix="heddle-flush")
        _on_disk(os.makedirs, self.incoming, exist_ok=True)

    def path_of(self, digest: str) -> Path:
        """Where a content lies; raises ``ValueError`` for what is not a digest."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not a digest: {digest!r}")
        return self.root / digest[:2] / digest

    def begin(self) -> DiskIncoming:
        """Begin to receive a content; raises ``Unavailable``."""
        return DiskIncoming(self)

    def size_of(self, digest: str) -> int | None:
        """The size of a content, None if it is not here; raises ``Unavailable``."""
        try:
            return _reading(self.path_of(digest).stat).st_size
        except FileNotFoundError:
            return None

    def blocks(self, digest: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``end``; raises ``FileNotFoundError``."""
        return self._blocks(self.path_of(digest), start, end)

    def begin_part(self, upload: str, number: int) -> DiskIncoming:
        """Begin to receive one part of a content that comes in parts."""
        return DiskIncoming(self, self._part(upload, number))

    def part_blocks(self, upload: str, number: int) -> Iterator[bytes]:
        """The bytes of a part that was finished; raises ``FileNotFoundError``."""
        return self._blocks(self._part(upload, number), 0, None)

    def drop_parts(self, upload: str, count: int) -> None:
        """Remove the parts numbered 1 to ``count``, as far as they came."""
        for number in range(1, count + 1):
            self._part(upload, number).unlink(missing_ok=True)

    def _part(self, upload: str, number: int) -> Path:
        return self.incoming / f"{uuid.UUID(upload).hex}.{int(number)}"

    @staticmethod
    def _blocks(path: Path, start: int, end: int | None) -> Iterator[bytes]:
        with _reading(path.open, "rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), start, 0, os.POSIX_FADV_SEQUENTIAL)
            file.seek(start)
            left = None if end is None else end - start
            while left is None or left > 0:
                block = _reading(file.read, BLOCK if left is None else min(BLOCK, left))
                if not block:
                    return
                if left is not None:
                    left -= len(block)
                yield block

    def remove(self, digest: str) -> None:
        """Remove a content; one that is not here is removed already."""
        self.path_of(digest).unlink(missing_ok=True)

    def contents(self) -> Iterator[tuple[str, int, int]]:
        """Every content here: digest, size, when it was placed (in ms)."""
        for number in range(256):
            folder = self.root / f"{number:02x}"
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    if _DIGEST.fullmatch(entry.name):
                        found = entry.stat()
                        yield entry.name, found.st_size, int(found.st_mtime * 1000)

    def clear_incoming(self, older_than_ms: int, *, dry_run: bool) -> tuple[int, int]:
        """Remove what was left in ``incoming`` since before a time: how many, and bytes."""
        count = size_bytes = 0
        with os.scandir(self.incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if found.st_mtime * 1000 >= older_than_ms:
                        continue
                    count += 1
                    size_bytes += found.st_size
                    if not dry_run:
                        Path(entry.path).unlink()
        return count, size_bytes

    def sign(self, digest: str, wait_s: int) -> str | None:  # noqa: ARG002 -- a disk cannot
        """An address that lets anybody read a content for some seconds: a disk has none."""
        return None


def _write_all(fd: int, parts: Sequence[bytes]) -> None:
    rest: list[bytes | memoryview] = list(parts)
    while rest:
        written = _on_disk(os.writev, fd, rest)
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if written:
            rest[0] = memoryview(rest[0])[written:]


def _flush_data(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)


def _flush_folder(folder: Path) -> None:
    fd = _on_disk(os.open, folder, os.O_RDONLY)
    try:
        _on_disk(os.fsync, fd)
    finally:
        os.close(fd)


def _flush_file(path: Path) -> None:
    with path.open("rb") as file:
        _on_disk(os.fsync, file.fileno())


def _reading(call: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """``call`` with a failure of the disk as ours; a missing file stays ``FileNotFoundError``."""
    try:
        return call(*given, **named)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(error) from error


def _on_disk(call: Callable[P, R], *given: P.args, **named: P.kwargs) -> R:
    """``call`` with any failure of the disk as ours."""
    try:
        return call(*given, **named)
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> Unavailable:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Unavailable(
            f"The server may open no more files ({error.strerror}). Raise its limit (ulimit -n), or"
            " try again when fewer clients are connected."
        )
    return Unavailable(
        f"The disk that keeps files refuses ({error.strerror}); nothing was stored."
        " Free some space, or check the folder and its permissions."
    )
