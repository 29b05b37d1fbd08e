"""A model's files as one file that Spark brings to its executors, and as a folder again there.

The same files make the same bundle, byte for byte, named by the digest over them, so that Spark
takes it once however often it is sent. What comes out must have that digest again, and appears
whole or not at all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from heddle.errors import Corrupt
from heddle.scoring.plan import digest_of

BLOCK: Final = 1024 * 1024
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)


def name_of(digest: str) -> str:
    """What the bundle of a model is called."""
    return f"heddle-{digest}.zip"


def pack(folder: Path, digest: str, into: Path) -> Path:
    """Put a model's files together below ``into``, once."""
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = into / name_of(digest)
    if made.is_file():
        return made
    handle, aside = tempfile.mkstemp(dir=into)
    try:
        # Not made smaller: models hardly become so, and this is on its way for a moment.
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as packed:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _LONG_AGO)
                entry.file_size = path.stat().st_size
                with path.open("rb") as read, packed.open(entry, "w") as written:
                    shutil.copyfileobj(read, written, BLOCK)
        Path(aside).replace(made)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return made


def unpack(packed: Path, digest: str, into: Path) -> Path:
    """The folder of a model below ``into``, made once for all processes there.

    Raises ``Corrupt`` if it is not what the driver sent.
    """
    kept = into / f"heddle-{digest}"
    with (into / f"heddle-{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            aside = Path(tempfile.mkdtemp(prefix="heddle-incoming-", dir=into))
            try:
                with zipfile.ZipFile(packed) as opened:
                    here = {name: _bring(opened, name, aside / name) for name in opened.namelist()}
                if digest_of(here) != digest:
                    raise Corrupt(
                        "The model's files did not arrive on this executor as they are kept."
                    )
                aside.rename(kept)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    return kept


def _bring(opened: zipfile.ZipFile, name: str, to: Path) -> str:
    """Write one file; its digest."""
    to.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with opened.open(name) as read, to.open("xb") as written:
        while block := read.read(BLOCK):
            digest.update(block)
            written.write(block)
    return digest.hexdigest()
