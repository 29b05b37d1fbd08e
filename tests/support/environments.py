"""Environments that tests need beside their own, each made once from its pinned requirements.

They live under `.cache/environments` of the checkout, named for their requirements and the hash of
these and their Python, so a changed pin makes a new one and removes the old. Nothing of this
project is installed in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "environments"


class NotBuilt(Exception):
    """An environment could not be made; the message is what the installer said."""


def python_of(
    name: str,
    requirements: Path,
    *,
    newest: tuple[int, int] | None = None,
    built: bool = False,
) -> Path:
    """The Python of the environment ``name`` with exactly these requirements, made on first use.

    ``newest`` is the newest Python on which they can do everything, where that is not any. ``built``
    says that some are published as sources alone; the tools that build them are pinned there too.
    Safe to call from several processes at once. Raises `NotBuilt`.
    """
    python = choose_python(newest)
    made_from = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:12]
    place = CACHE / f"{name}-{made_from}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark is written last, so a build that was cut short does not count.
        if not (place / "built").exists():
            for old in CACHE.glob(f"{name}-*"):
                shutil.rmtree(old)
            build(place, python, requirements, built=built)
            (place / "built").touch()
    return place / "bin" / "python"


def choose_python(newest: tuple[int, int] | None) -> str:
    """The Python to build on: this one, unless an older one is wanted and at hand."""
    if newest is None or sys.version_info[:2] <= newest:
        return sys.executable
    other = shutil.which(f"python{newest[0]}.{newest[1]}")
    # Asked rather than trusted: a name on the PATH may be a shim for what is not there.
    if (
        other
        and subprocess.run([other, "-c", ""], capture_output=True, check=False).returncode == 0
    ):
        return other
    return sys.executable


def build(place: Path, python: str, requirements: Path, *, built: bool) -> None:
    """Make a virtual environment with exactly these requirements, in seconds where uv has them."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise NotBuilt(
            "uv is not installed beside this Python, as requirements/dev.txt would have it"
        )
    made = ["--require-hashes", "--no-deps", "--compile-bytecode", "-r", str(requirements)]
    made += ["--build-constraints", str(requirements)] if built else ["--no-build"]
    environ = dict(os.environ)
    # Where pip was told to look for packages that no index has, uv looks as well.
    if "PIP_FIND_LINKS" in environ:
        environ.setdefault("UV_FIND_LINKS", environ["PIP_FIND_LINKS"])
    for command in (
        [uv, "venv", "--quiet", "--python", python, str(place)],
        [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *made],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        if done.returncode != 0:
            raise NotBuilt(f"{' '.join(command)}\n{done.stderr}")
