"""All settings of a server: one frozen record, read once from the command line and environment.

Only this module reads the environment. Everything below ``app`` gets plain values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from heddle.errors import Invalid

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with.

    ``database`` is an SQLAlchemy URL, ``artifacts`` an object-store URL or a local folder; both
    default to places under ``data``, so one folder holds everything. ``worker`` says whether jobs
    are done beside the server, ``data_roots`` where they may read and write (see ``roots``).
    """

    data: Path = Path("heddle-data")
    host: str = "127.0.0.1"
    port: int = 5000
    database: str = ""
    artifacts: str = ""
    workers: int = 1
    worker: bool = True
    data_roots: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    log_level: str = "warning"
    gc_grace_s: int = 24 * 3600

    @property
    def database_url(self) -> str:
        """The database to open, SQLite under the data folder when none was named."""
        return self.database or f"sqlite:///{(self.data / 'heddle.db').absolute()}"

    @property
    def artifacts_url(self) -> str:
        """Where file contents live, a folder under the data folder when none was named."""
        return self.artifacts or str((self.data / "blobs").absolute())

    @property
    def roots(self) -> tuple[str, ...]:
        """Where jobs may read and write: ``tables`` under the data folder, and what was named."""
        named = (root if "://" in root else str(Path(root).absolute()) for root in self.data_roots)
        return (str((self.data / "tables").absolute()), *named)

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach the server."""
        return self.host in LOOPBACK


def from_environment(environ: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Settings from ``HEDDLE_*`` variables, overridden by the given values that are not None.

    Raises ``Invalid`` for a number that is none.
    """
    env = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for name in ("host", "database", "artifacts", "log_level"):
        if text := env.get(f"HEDDLE_{name.upper()}"):
            values[name] = text
    for name in ("port", "workers", "gc_grace_s"):
        if text := env.get(f"HEDDLE_{name.upper()}"):
            try:
                values[name] = int(text)
            except ValueError:
                raise Invalid(
                    f"HEDDLE_{name.upper()} must be a whole number, not {text!r}"
                ) from None
    for name in ("allowed_hosts", "allowed_origins", "data_roots"):
        if text := env.get(f"HEDDLE_{name.upper()}"):
            values[name] = tuple(part.strip() for part in text.split(",") if part.strip())
    if text := env.get("HEDDLE_WORKER"):
        values["worker"] = text.lower() not in ("0", "false", "no")
    if text := env.get("HEDDLE_DATA"):
        values["data"] = Path(text)
    values.update({key: value for key, value in given.items() if value is not None})
    return Settings(**values)  # type: ignore[arg-type]
