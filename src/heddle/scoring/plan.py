"""Plans: which model is applied to which table, how, and where the result goes.

A plan is plain data: it is made by the command, by Python, by SQL or by a page, kept with a job as
JSON, and run by any engine. It is frozen; what is wrong with one is said together, before anything
is opened. Its identity is a digest over everything that the result depends on, so that the same
plan is recognised; how it is run (processes, limits) is no part of that. This module needs no
table or model library, so a server can check plans; opening what they name is the engines' work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import msgspec

from heddle.errors import Invalid

Format = Literal["", "parquet", "delta", "csv", "jsonl", "arrow", "duckdb", "postgres"]
Mode = Literal["create", "overwrite", "append", "merge"]
Param = None | bool | int | float | str | list[Any] | dict[str, Any]
ALL: Final = "*"
"""In ``casts``: every cast that the check offers is accepted."""
PREDICTIONS: Final = "predictions"
"""What the column of predictions is called unless told, as in Fabric."""
ROWS_PER_PART: Final = 1_000_000
ADDRESS_MAX: Final = 8_000
_SUFFIXES: Final[dict[str, Format]] = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "jsonl", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
_PACKED: Final = (".gz", ".zst", ".bz2")
_STATEMENT: Final = re.compile(r"\s*(?:SELECT|FROM|WITH|VALUES)\b", re.IGNORECASE)
_POSTGRES: Final = re.compile(r"postgres(?:ql)?://")
_DUCKDB: Final = re.compile(r"duckdb:", re.IGNORECASE)


class _Frozen(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A part of a plan: unknown fields are refused, since they may be misspelt ones."""


class Model(_Frozen, frozen=True):
    """The model: as somebody named it, and what that name meant when it was resolved.

    ``uri`` is ``name/3``, ``name@alias``, ``name/latest``, ``models:/...``, ``runs:/...`` or a
    local folder. ``name``, ``version`` and ``digest`` are empty until resolved; ``digest`` is over
    all paths and contents, as a version's is.
    """

    uri: str
    workspace: str = "default"
    name: str = ""
    version: int = 0
    digest: str = ""


class Input(_Frozen, frozen=True):
    """The table that is read.

    ``address`` is a file, folder, pattern or object-store address, a table of PostgreSQL as
    ``postgresql://user@host/database#schema.table``, or for DuckDB a statement or
    ``duckdb:file#table``. An empty ``format`` is found out by looking. ``version`` or ``at`` (ISO
    8601) choose a moment of a Delta table.
    """

    address: str
    format: Format = ""
    version: int | None = None
    at: str = ""


class Output(_Frozen, frozen=True):
    """The table that is written.

    ``mode`` create refuses what exists. ``columns`` are the input's columns to keep, None for all.
    ``predictions`` names the columns of predictions; empty for the model's own names, or
    ``predictions`` where it has none. ``key`` are the columns that merge matches rows on.
    """

    address: str
    format: Format = ""
    mode: Mode = "create"
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    predictions: tuple[str, ...] = ()


class Limits(_Frozen, frozen=True):
    """What a child process that holds the model may use; none of it changes a prediction.

    ``memory_bytes`` 0 is three quarters of this machine's. ``load_s`` is for loading the model,
    ``batch_s`` for one batch, both in seconds of wall time.
    """

    memory_bytes: int = 0
    load_s: float = 600.0
    batch_s: float = 600.0
    scratch_bytes: int = 2 * 1024**3
    tasks: int = 512


class Plan(_Frozen, frozen=True):
    """One application of a model to a table.

    ``mapping`` gives the table's column for a model's column where their names differ. ``casts``
    are the model's columns for which a cast that the check offers is accepted, or ``("*",)``.
    ``env`` is whose libraries predict: ``current`` those of the running Python, ``uv`` the model's
    own requirements. ``processes`` 0 is one for each core. ``allow_suspicious`` lets a version be
    loaded whose files were found suspicious.
    """

    model: Model
    input: Input
    output: Output
    mapping: dict[str, str] = {}
    params: dict[str, Param] = {}
    casts: tuple[str, ...] = ()
    env: Literal["current", "uv"] = "current"
    engine: Literal["local", "spark"] = "local"
    processes: int = 0
    batch_rows: int = 0
    limits: Limits = Limits()
    allow_suspicious: bool = False

    @property
    def identity(self) -> str:
        """SHA-256, in hexadecimal, over all that the result depends on.

        The model counts by its digest once it is resolved, by its name before. The input counts by
        its address and version; what lay there is the receipt's business.
        """
        named = [self.model.workspace, self.model.uri]
        depends = [
            self.model.digest or named,
            self.input,
            self.output,
            self.mapping,
            self.params,
            sorted(self.casts),
            self.env,
        ]
        return hashlib.sha256(msgspec.json.encode(depends, order="deterministic")).hexdigest()


class Piece(_Frozen, frozen=True):
    """A stretch of the input that can be read by itself.

    Groups ``start`` to before ``stop`` of a file, or all of it where ``stop`` is None. ``rows`` is
    -1 where nobody knows without reading.
    """

    source: str
    start: int = 0
    stop: int | None = None
    rows: int = -1


class Part(_Frozen, frozen=True):
    """What is finished, or redone, as one: pieces that follow each other in the input."""

    index: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """How many rows, -1 where nobody knows."""
        counts = [piece.rows for piece in self.pieces]
        return -1 if -1 in counts else sum(counts)


def digest_of(files: Mapping[str, str]) -> str:
    """One digest over all paths and contents, as the server makes it for a version."""
    total = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        total.update(f"{path}\0{files[path]}\n".encode())
    return total.hexdigest()


def encode(plan: Plan) -> bytes:
    """The plan as JSON; what has its default is left out."""
    return msgspec.json.encode(plan, order="deterministic")


def decode(data: bytes | str) -> Plan:
    """A plan from its JSON, checked; raises ``Invalid`` that says where it is wrong."""
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"This is not a plan: {error}") from None
    check(plan)
    return plan


def find_format(address: str) -> Format:
    """The format that an address names by itself; empty if one has to look.

    An address that ends in ``/`` or has no known suffix is a folder, a Delta table or a file
    without a suffix: only looking tells which.
    """
    if _POSTGRES.match(address):
        return "postgres"
    if _DUCKDB.match(address) or _STATEMENT.match(address):
        return "duckdb"
    path = PurePosixPath(address.rstrip("/").lower())
    suffix = path.suffix
    if suffix in _PACKED:
        suffix = PurePosixPath(path.stem).suffix
    return _SUFFIXES.get(suffix, "")


def check(plan: Plan) -> None:
    """Raise ``Invalid`` naming everything about a plan that cannot be meant."""
    wrong = [*_check_input(plan.input), *_check_output(plan.output)]
    if not plan.model.uri.strip():
        wrong.append("no model is named; name one as 'name/3', 'name@alias' or 'models:/name/3'")
    if plan.processes < 0 or plan.batch_rows < 0:
        wrong.append("processes and batch_rows are 0 (chosen here) or more")
    limits = plan.limits
    if min(limits.load_s, limits.batch_s) <= 0 or limits.memory_bytes < 0 or limits.tasks < 1:
        wrong.append("limits on time and tasks are above 0; memory_bytes is 0 (chosen) or more")
    if not all(name and column for name, column in plan.mapping.items()):
        wrong.append("the mapping holds an empty name")
    if wrong:
        raise Invalid(f"This plan cannot be run: {'; '.join(wrong)}.")


def _check_input(table: Input) -> Iterable[str]:
    if not table.address.strip():
        yield "no input is named"
    if len(table.address) > ADDRESS_MAX:
        yield f"the input's address is longer than {ADDRESS_MAX} characters"
    if table.version is not None and table.at:
        yield "a Delta table is read at a version or at a time, not both"
    travels = table.version is not None or bool(table.at)
    if travels and (table.format or find_format(table.address)) not in ("", "delta"):
        yield "only a Delta table has versions to go back to"


def _check_output(table: Output) -> Iterable[str]:
    if not table.address.strip():
        yield "no output is named"
    if len(table.address) > ADDRESS_MAX:
        yield f"the output's address is longer than {ADDRESS_MAX} characters"
    kind = table.format or find_format(table.address)
    if kind == "duckdb":
        yield "DuckDB reads; write Parquet, Delta, CSV, JSON lines, Arrow or PostgreSQL"
    if any(sign in table.address for sign in "*?[") and kind != "postgres":
        yield "an output is one place, not a pattern"
    if table.mode == "merge" and not table.key:
        yield "merge needs the key columns that rows are matched on (key)"
    if table.mode != "merge" and table.key:
        yield f"a key is for merge, and the mode is {table.mode}"
    for what, names in (
        ("columns", table.columns or ()),
        ("predictions", table.predictions),
        ("key", table.key),
    ):
        if len(set(names)) < len(names):
            yield f"{what} names a column twice"
    both = sorted(set(table.columns or ()) & set(table.predictions))
    if both:
        yield f"{', '.join(both)} would be both a kept column and a prediction"
    if table.columns is not None and table.mode == "merge":
        lost = sorted(set(table.key) - set(table.columns))
        if lost:
            yield f"the key columns {', '.join(lost)} are not among the columns kept"


def split(pieces: Sequence[Piece], rows_per_part: int = ROWS_PER_PART) -> tuple[Part, ...]:
    """Gather pieces into parts of about that many rows, in order.

    The same pieces give the same parts. A piece whose rows nobody knows is a part of its own.
    """
    parts: list[Part] = []
    held: list[Piece] = []
    rows = 0
    for piece in pieces:
        if held and (piece.rows < 0 or rows < 0 or rows + piece.rows > rows_per_part):
            parts.append(Part(index=len(parts), pieces=tuple(held)))
            held, rows = [], 0
        held.append(piece)
        rows = -1 if piece.rows < 0 else rows + piece.rows
    if held:
        parts.append(Part(index=len(parts), pieces=tuple(held)))
    return tuple(parts)
