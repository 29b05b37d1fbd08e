"""Environments of the three client generations, each made once from its pinned requirements.

They live under `.cache/clients` of the checkout, named for the generation and the hash of its
requirements and Python, so a changed pin makes a new one and removes the old. Nothing of this
project is installed in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "clients"
GENERATIONS = ("1.30", "2.22", "3.17")
BEST_PYTHON = {"1.30": (3, 11)}
"""The newest Python on which a generation can do everything, where that is not any."""


class NotBuilt(Exception):
    """An environment could not be made; the message is what the installer said."""


def client_python(generation: str) -> Path:
    """The Python that has this generation's client, making its environment on first use.

    Safe to call from several processes at once. Raises `NotBuilt`.
    """
    requirements = HERE / f"requirements-{generation}.txt"
    python = choose_python(generation)
    made_from = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:12]
    place = CACHE / f"{generation}-{made_from}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{generation}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark is written last, so a build that was cut short does not count.
        if not (place / "built").exists():
            for old in CACHE.glob(f"{generation}-*"):
                shutil.rmtree(old)
            build(place, python, requirements)
            (place / "built").touch()
    return place / "bin" / "python"


def choose_python(generation: str) -> str:
    """The Python to build on: this one, unless the generation does better on another at hand."""
    best = BEST_PYTHON.get(generation)
    if best is None or sys.version_info[:2] <= best:
        return sys.executable
    other = shutil.which(f"python{best[0]}.{best[1]}")
    # Asked rather than trusted: a name on the PATH may be a shim for what is not there.
    if (
        other
        and subprocess.run([other, "-c", ""], capture_output=True, check=False).returncode == 0
    ):
        return other
    return sys.executable


def build(place: Path, python: str, requirements: Path) -> None:
    """Make a virtual environment with exactly these requirements, in seconds where uv has them."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise NotBuilt(
            "uv is not installed beside this Python, as requirements/dev.txt would have it"
        )
    made = ["--require-hashes", "--no-deps", "--no-build", "-r", str(requirements)]
    for command in (
        [uv, "venv", "--quiet", "--python", python, str(place)],
        [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *made],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotBuilt(f"{' '.join(command)}\n{done.stderr}")
