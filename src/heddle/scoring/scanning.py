"""The worker's scanning: versions that wait for it are looked at, those with the same files as one.

Their files are copied out of the store into a folder that goes again, and looked at by a child
process of its own with limits (`scan`), which serves many versions and is started anew when it
dies. Nothing else is asked of it, so a file that breaks it breaks nothing else.
"""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from heddle.artifacts import manifests
from heddle.artifacts.blobs import Store
from heddle.artifacts.manifests import File
from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Caller, Tx
from heddle.errors import HeddleError
from heddle.registry import scans
from heddle.scoring.scan import Scanned
from heddle.scoring.scratch import Scratch

log = logging.getLogger(__name__)

WAIT_S: Final = 300.0
"""How long the files of one version may be looked at."""
SERVED_MAX: Final = 500
"""How often one child looks at files before a new one takes over."""
ALIKE_MAX: Final = 256
"""How many versions that wait are compared at once."""


class Unscannable(Exception):
    """The child gave no answer; the message says why."""


class Scanner:
    """The child process; used by one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0

    def scan(self, folder: Path) -> Scanned:
        """What lies in the folder; raises ``Unscannable``."""
        if self._process is None or self._served >= SERVED_MAX:
            self._start()
        process = self._process
        assert process is not None  # noqa: S101 -- started above
        assert process.stdin is not None  # noqa: S101 -- asked for
        self._served += 1
        try:
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
            answer = msgspec.json.decode(_line(process), type=Scanned | str)
        except (OSError, msgspec.DecodeError, Unscannable) as error:
            self.close()
            raise Unscannable(str(error)) from None
        if isinstance(answer, str):
            raise Unscannable(answer)
        return answer

    def _start(self) -> None:
        self.close()
        self._served = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "heddle.scoring.scan"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": _python_path()},
        )

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    """The child's answer; raises ``Unscannable`` where there is none in time."""
    assert process.stdout is not None  # noqa: S101 -- asked for
    line = b""
    deadline = time.monotonic() + WAIT_S
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise Unscannable(f"Looking at the files took longer than {WAIT_S:.0f} s.")
        block = os.read(process.stdout.fileno(), 1024 * 1024)
        if not block:
            raise Unscannable(f"The scan ended with code {process.wait()}.")
        line += block
    return line


def _python_path() -> str:
    """Where this Heddle is imported from, for a child that gets no environment."""
    return str(Path(__file__).parents[2])


def scan_waiting(database: Database, store: Store, scanner: Scanner) -> bool:
    """Look at the versions that wait, some at a time; whether any did.

    Versions whose files are the same, as those of one run are, are looked at once, for all.
    """
    alike = database.read_now(_next, LOCAL)
    for files, wanted in alike.values():
        taken = database.write_now(partial(scans.take, wanted=wanted), LOCAL)
        if taken:
            _scan(database, store, scanner, taken, files)
    return bool(alike)


def _next(tx: Tx) -> dict[bytes, tuple[list[File], list[scans.Waiting]]]:
    """Files that wait for their scan, each time with the versions that have just these."""
    alike: dict[bytes, tuple[list[File], list[scans.Waiting]]] = {}
    for each in scans.waiting(tx, ALIKE_MAX):
        files = list(manifests.load(tx, each.manifest_id))
        alike.setdefault(_contents(files), (files, []))[1].append(each)
    return alike


def _contents(files: Sequence[File]) -> bytes:
    """The same for the same paths with the same bytes, and for nothing else."""
    return sha256("".join(f"{file.path}\0{file.digest}\n" for file in files).encode()).digest()


def _scan(
    database: Database,
    store: Store,
    scanner: Scanner,
    taken: Sequence[scans.Waiting],
    files: Sequence[File],
) -> None:
    """Look at the files that all of these versions have, and note for each what was found."""
    first = taken[0]
    try:
        with Scratch() as scratch:
            _copy(database, store, first, files, scratch.path)
            found = scanner.scan(scratch.path)
    except (Unscannable, OSError, HeddleError) as error:
        log.warning("%s/%s cannot be scanned: %s", first.model, first.number, error)
        database.write_now(partial(scans.give_up, taken=taken, error=str(error)), LOCAL)
        return
    keep = partial(
        scans.keep,
        taken=taken,
        label=found.label,
        findings=found.findings,
        scanner=found.scanner,
    )
    database.write_now(keep, LOCAL)


def _copy(
    database: Database,
    store: Store,
    first: scans.Waiting,
    files: Sequence[File],
    folder: Path,
) -> None:
    """Write a version's files below a folder, one at a time."""
    caller = Caller(workspace=first.workspace)
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        small = database.read_now(partial(_small, manifest_id=first.manifest_id, file=file), caller)
        with path.open("xb") as written:
            if small is not None:
                written.write(small)
                continue
            for block in store.blocks(file.digest):
                written.write(block)


def _small(tx: Tx, manifest_id: int | None, file: File) -> bytes | None:
    return manifests.read_file(tx, manifest_id, file.path)[1]
