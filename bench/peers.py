"""Owns what has to be installed: the servers' environments, each pinned by hash, and wrk.

Always holds: an environment is named after the digest of its requirement file, so an edit of the
file makes a new one and a finished one is never changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from bench.places import HERE, PEERS, ROOT

INSTALL_TIMEOUT_S = 900
GENERATOR_MISSING = (
    "wrk, which makes the load, is missing, and only the system can install it: apt-get install wrk"
    " (Debian, Ubuntu), dnf install wrk (Fedora), apk add wrk (Alpine), brew install wrk."
)


def environment(name: str) -> Path:
    """Return the environment of `requirements/NAME.txt`, made first where it is missing."""
    requirements = HERE / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    directory = PEERS / f"bench-{name}-{digest}"
    finished = directory / "finished"
    if not finished.exists():
        shutil.rmtree(directory, ignore_errors=True)
        print(f"installing {name} into {directory.relative_to(ROOT)}", flush=True)
        _install(directory, ["--require-hashes", "-r", str(requirements)])
        finished.touch()
    return directory


def heddle_environment() -> Path:
    """Return a fresh environment with the bare server alone, built from the checkout."""
    directory = PEERS / "bench-heddle"
    shutil.rmtree(directory, ignore_errors=True)
    _install(directory, ["--require-hashes", "-r", str(ROOT / "requirements" / "server.txt")])
    _install(directory, ["--no-deps", str(ROOT)])
    return directory


def has_generator() -> bool:
    """Whether wrk is there; root on a Debian gets it installed where it is not."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing wrk", flush=True)
        for command in ("update", "install --yes --no-install-recommends wrk"):
            subprocess.run(
                ["apt-get", "--quiet=2", *command.split()],
                check=False,
                stdout=subprocess.DEVNULL,
                timeout=INSTALL_TIMEOUT_S,
            )
    return shutil.which("wrk") is not None


def _install(directory: Path, arguments: list[str]) -> None:
    """Install into an environment, made first where there is none."""
    uv = _uv()
    python = directory / "bin" / "python"
    if uv:
        if not python.exists():
            _run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)])
        # As pip does by itself: without it every start would compile what it imports.
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        _run([*install, *arguments])
    else:
        if not python.exists():
            venv.create(directory, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *arguments])


def _uv() -> str | None:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(command: list[str]) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT_S, env=environ)


def version_of(directory: Path, distribution: str) -> str:
    """Return the version of `distribution` in an environment, or "?" where it is not there."""
    for found in directory.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = found.name.removesuffix(".dist-info").rpartition("-")
        if name.lower().replace("_", "-") == distribution:
            return version
    return "?"
