"""All settings of a server: one frozen record, read once from the command line and environment.

Only this module reads the environment. Everything below ``app`` gets plain values.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from heddle.errors import Invalid


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
    slow_s: float = 1.0
    gc_grace_s: int = 24 * 3600
    active_endpoints: int = 5
    endpoint_idle_s: float = 300.0
    endpoint_wait_s: float = 60.0

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
        """Where jobs may read and write: ``tables`` under the data folder, and what was named, once."""
        named = (root if "://" in root else str(Path(root).absolute()) for root in self.data_roots)
        return tuple(dict.fromkeys((str((self.data / "tables").absolute()), *named)))

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Option:
    """How one setting is given: its flag, what it means, and how its text is read."""

    name: str
    about: str
    kind: Callable[[str], object] = str
    word: str = ""

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The variable of the environment."""
        return "HEDDLE_" + self.name.upper()

    def read(self, text: str) -> object:
        """The value of a text; raises ``ValueError``."""
        return self.kind(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError(f"one of {', '.join(LEVELS)} is expected")
    return text.lower()


def _truth(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError("yes or no is expected")
    return words[text.lower()]


def _whole(least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text[:20]) <= most):
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise ValueError("a number of seconds is expected, 0 or more")
    return value


LEVELS = ("debug", "info", "warning", "error", "critical")
OPTIONS = (
    Option("host", "address to listen on", word="ADDRESS"),
    Option("port", "port to listen on; 0 for any that is free", _whole(0, 65535)),
    Option("data", "folder for the database and the files", Path, "FOLDER"),
    Option("database", "postgresql://user@host/name, or sqlite:///file", word="URL"),
    Option(
        "artifacts",
        "where file contents live: a folder or an s3://, gs:// or az:// address",
        word="URL",
    ),
    Option("workers", "server processes; more than one need PostgreSQL", _whole(1, 1000), "N"),
    Option("worker", "whether jobs are done beside the server: yes or no", _truth, "YES|NO"),
    Option(
        "data_roots",
        "folders and addresses that jobs may read and write beside tables/ in the data folder,"
        " separated by commas",
        _names,
        "LIST",
    ),
    Option(
        "allowed_hosts",
        "names by which the server may be called beside this machine's own (the Host header),"
        " separated by commas",
        _names,
        "LIST",
    ),
    Option(
        "allowed_origins",
        "pages of other sites that may change things here, as https://name, separated by commas",
        _names,
        "LIST",
    ),
    Option("log_level", "debug, info, warning, error or critical", _level, "LEVEL"),
    Option("slow_s", "calls that take longer, in seconds, are logged", _seconds, "SECONDS"),
    Option(
        "gc_grace_s",
        "how long gc leaves what nothing refers to, in seconds",
        _whole(0),
        "SECONDS",
    ),
    Option(
        "active_endpoints", "versions of one model that may answer requests", _whole(0, 10_000), "N"
    ),
    Option(
        "endpoint_idle_s",
        "how long an endpoint that nobody asks keeps its model loaded, in seconds",
        _seconds,
        "SECONDS",
    ),
    Option(
        "endpoint_wait_s",
        "how long a model may take for one request, in seconds",
        _seconds,
        "SECONDS",
    ),
)
"""Every setting, in the order in which help and the reference tell of them."""


def shown_default(name: str) -> str:
    """A setting's default as people read it; empty for none."""
    said = {"database": "SQLite in the data folder", "artifacts": "blobs/ in the data folder"}
    value = said.get(name, getattr(Settings(), name))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value or "")


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """What is to be said of variables that are nearly, but not quite, those of a setting."""
    names = [option.name.upper() for option in OPTIONS]
    said = []
    for variable in sorted(environ):
        start, mark, name = variable.partition("HEDDLE_")
        if start or not mark or name in names:
            continue
        near = difflib.get_close_matches(name, names, 1, cutoff=0.65)
        if near:
            said.append(f"{variable} is no setting; did you mean HEDDLE_{near[0]}?")
    return said


def from_environment(environ: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Settings from ``HEDDLE_*`` variables, overridden by the given values that are not None.

    Raises ``Invalid`` for a text that cannot be read.
    """
    env = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for option in OPTIONS:
        if text := env.get(option.variable):
            try:
                values[option.name] = option.read(text)
            except ValueError as error:
                raise Invalid(f"{option.variable} cannot be {text!r}: {error}") from None
    values.update({key: value for key, value in given.items() if value is not None})
    return Settings(**values)  # type: ignore[arg-type]
