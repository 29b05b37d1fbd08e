"""Environments of models: the libraries that a version was logged with, built once, kept, reused.

An environment is named for everything that goes into it, so equal requirements share one. It is
built by `uv`, outside of the server and before any model is loaded; building runs no code of the
model, and packages are only taken as wheels, which run none of theirs. Of MLflow the skinny package
is taken: the rest of it serves and draws, and is many times the size of what predicts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from heddle.errors import Invalid, Unavailable
from heddle.scoring.signature import ModelInfo

BUILD_S: Final = 3600
LINE_MAX: Final = 500
_WHOLE_MLFLOW: Final = re.compile(r"mlflow(\[[^]]*\])?(?=\s*[=<>!~]|$)")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[\w, .-]+\])?\s*(?:[=<>!~;].*)?")


def requirements_of(info: ModelInfo) -> list[str]:
    """What goes into a model's environment; raises ``Invalid`` for lines that are no packages.

    Options and addresses are refused: they would let a model say where its packages come from.
    """
    found = []
    for line in info.requirements:
        if not _PLAIN.fullmatch(line) or len(line) > LINE_MAX or "@" in line:
            raise Invalid(
                f"The model's requirement '{line[:100]}' is no package by name, so its environment"
                " is not built; predict with --env current where it is installed."
            )
        found.append(_WHOLE_MLFLOW.sub("mlflow-skinny", line))
    names = {re.split(r"[\s\[=<>!~;]", line)[0].lower() for line in found}
    if "mlflow-skinny" not in names:
        version = f"=={info.mlflow_version}" if info.mlflow_version else ""
        found.append(f"mlflow-skinny{version}")
    found += [name for name in ("numpy", "pandas") if name not in names]
    # What carries the batches over has to be the same on both sides.
    if "pyarrow" not in names:
        found.append(f"pyarrow=={metadata.version('pyarrow')}")
    return sorted(found)


def python_of(info: ModelInfo, cache: Path) -> str:
    """The Python that has a model's own requirements, building its environment on first use.

    Safe from several processes at once. Raises ``Invalid`` for requirements that cannot be met,
    ``Unavailable`` where there is no `uv`.
    """
    wanted = requirements_of(info)
    version = ".".join((info.python_version or "").split(".")[:2]) or "{}.{}".format(
        *sys.version_info[:2]
    )
    made_from = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()
    top = cache / "environments"
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = top / made_from[:32]
    with (top / f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The mark is written last, so a build that was cut short does not count.
        if not (place / "built").is_file():
            shutil.rmtree(place, ignore_errors=True)
            _build(place, version, wanted)
            (place / "built").write_text("\n".join(wanted) + "\n")
    return str(place / "bin" / "python")


def _build(place: Path, version: str, wanted: list[str]) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise Unavailable(
            "Environments of models are built by uv, which is not here: pip install uv. Or predict"
            " with the libraries that are: --env current."
        )
    python = sys.executable if version == "{}.{}".format(*sys.version_info[:2]) else version
    for command in (
        [uv, "venv", "--quiet", "--python", python, str(place)],
        # A model's process may not write there, so every start would compile what it imports.
        [uv, "pip", "install", "--quiet", "--no-build", "--compile-bytecode",
         "--python", str(place / "bin" / "python"), *wanted],
    ):  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603 -- uv by its path, packages by checked names
                command,
                env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
                capture_output=True,
                text=True,
                timeout=BUILD_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable("Building the model's environment took more than an hour.") from None
        if done.returncode:
            shutil.rmtree(place, ignore_errors=True)
            raise Invalid(
                f"The model's environment (Python {version}, {', '.join(wanted)}) could not be"
                f" built:\n{done.stderr.strip()[-2000:]}"
            )
