"""Parts: what a job writes aside, one Parquet file each, until one last step makes the table.

A part gets its name when it is whole and on disk, so that a job that broke off goes on after those
it finished. Several processes, of several machines where the folder is shared, may write parts of
the same job at once, even the same part: each writes to a file of its own, and the last to be named
stays. Everything here is plain data that may travel; `targets` makes the table.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from heddle.errors import Invalid
from heddle.scoring import receipt
from heddle.scoring.plan import Format

GROUP_BYTES: Final = 4 * 1024 * 1024
"""About the least that a group of rows holds."""
SYNCED_BYTES: Final = 64 * 1024 * 1024
"""How much of a part is written before it goes to the disk, while more is being predicted."""
JOB: Final = "heddle.job"
"""The key of a job's id in the metadata of Parquet files and Delta's commits."""


class Writer(Protocol):
    """One file that is being written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""

    def close(self) -> None:
        """Write what is held back and make the file whole."""


class ParquetWriter:
    """Parquet for speed: LZ4, dictionaries for texts alone. ``about`` goes into its metadata."""

    def __init__(self, path: Path, schema: pa.Schema, about: Mapping[str, str]) -> None:
        texts = [field.name for field in schema if _is_text(field.type)]
        self._writer = pq.ParquetWriter(
            path,
            schema.with_metadata({key.encode(): value.encode() for key, value in about.items()}),
            compression="lz4",
            use_dictionary=texts,
            write_statistics=True,
        )
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; small ones that follow each other are one group of rows."""
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held, self._held_bytes = [], 0

    def close(self) -> None:
        """Write what is held and the footer."""
        try:
            self._flush()
        finally:
            self._writer.close()


class _LineWriter:
    """JSON lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a line for each row; times are ISO 8601, NaN is null as JSON has none."""
        for row in batch.to_pylist():
            line = json.dumps(row, default=str, ensure_ascii=False)
            if "NaN" in line or "Infinity" in line:
                finite = {key: _finite(value) for key, value in row.items()}
                line = json.dumps(finite, default=str, ensure_ascii=False)
            self._file.write(line + "\n")

    def close(self) -> None:
        """Flush."""
        self._file.close()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))


def make_writer(path: Path, kind: Format, schema: pa.Schema, about: Mapping[str, str]) -> Writer:
    """A writer of a file in a format; raises ``Invalid`` for columns that the format cannot hold."""
    if kind == "parquet":
        return ParquetWriter(path, schema, about)
    if kind == "jsonl":
        return _LineWriter(path)
    if kind == "csv":
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        if nested:
            raise Invalid(f"CSV cannot hold lists: {', '.join(nested)}. Write Parquet instead.")
        import pyarrow.csv as pacsv  # noqa: PLC0415 -- only for this format

        writer: Writer = pacsv.CSVWriter(str(path), schema)
        return writer
    tagged = schema.with_metadata({key.encode(): value.encode() for key, value in about.items()})
    stream: Writer = pa.ipc.new_file(str(path), tagged)
    return stream


@dataclass(frozen=True, slots=True)
class Aside:
    """The folder that holds a job's parts.

    ``kind`` is the format of what is written; with anything but Parquet part 0 is everything.
    """

    folder: Path
    job: str
    kind: Format = "parquet"
    is_one: bool = False

    @property
    def about(self) -> dict[str, str]:
        """What stands in the metadata of every file."""
        return {JOB: self.job}

    def begin(self, identity: str) -> set[int]:
        """Make the folder; the parts in it that this same work finished before.

        With ``is_one``, where one part is the whole output, nothing is taken over.
        """
        mark = self.folder / "identity"
        if self.folder.is_dir() and not (mark.is_file() and mark.read_text() == identity):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in (self.folder / "stop", *self.folder.glob("writing-*")):
            left.unlink(missing_ok=True)
        mark.write_text(identity)
        return set() if self.is_one else self.done()

    def is_seen(self) -> bool:
        """Whether this process sees the folder that was made for the job."""
        return (self.folder / "identity").is_file()

    def paths(self) -> list[Path]:
        """The finished parts, in order."""
        return sorted(self.folder.glob("part-*.parquet"))

    def done(self) -> set[int]:
        """The indexes of finished parts."""
        return {int(path.stem.rpartition("-")[2]) for path in self.paths()}

    def ask_to_stop(self) -> None:
        """Have those who write parts elsewhere end as soon as they look."""
        (self.folder / "stop").touch()

    def shall_stop(self) -> bool:
        """Whether somebody asked, or the folder itself is gone."""
        return (self.folder / "stop").exists() or not self.folder.is_dir()

    def discard(self) -> None:
        """Remove everything that was written aside."""
        shutil.rmtree(self.folder, ignore_errors=True)


class PartFile:
    """One part that is being written, in a file that nobody else writes to."""

    def __init__(self, aside: Aside, index: int, schema: pa.Schema) -> None:
        self._path = aside.folder / f"writing-{index:06}-{secrets.token_hex(4)}"
        self._named = aside.folder / f"part-{index:06}.parquet"
        self._writer = make_writer(self._path, aside.kind, schema, aside.about)
        self._beside = ThreadPoolExecutor(1, "heddle-sync")
        self._synced: Future[None] | None = None
        self._unsynced_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; what was written so far goes to the disk meanwhile, now and then."""
        self._writer.write(batch)
        self._unsynced_bytes += batch.nbytes
        is_idle = self._synced is None or self._synced.done()
        if is_idle and self._unsynced_bytes >= SYNCED_BYTES:
            self._await_synced()
            self._unsynced_bytes = 0
            self._synced = self._beside.submit(sync, self._path)

    def _await_synced(self) -> None:
        """Wait for the disk; raises what it said, which it says but once."""
        if self._synced is not None:
            self._synced.result()

    def finish(self) -> None:
        """Make the file whole and durable and give it its name, for good."""
        self._writer.close()
        self._await_synced()
        self._beside.shutdown()
        sync(self._path)
        self._path.replace(self._named)

    def drop(self) -> None:
        """Leave it unfinished."""
        self._writer.close()
        self._beside.shutdown()
        self._path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file or a folder's names durable."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


# ---- rows and predictions --------------------------------------------------------------------


class Written:
    """Rows and their predictions on their way into parts, summed up as they pass.

    ``kept`` are the table's columns that stay, ``steps`` the pairs of a model's column and the
    table's that it is made of. The first batch says the columns of all.
    """

    def __init__(self, aside: Aside, kept: Sequence[str], steps: Sequence[tuple[str, str]]) -> None:
        self._aside = aside
        self.kept = list(kept)
        self._columns = [column for _, column in steps]
        self._part: PartFile | None = None
        self._index = -1
        self.schema: pa.Schema | None = None
        self.rows = 0
        self.predictions: list[receipt.Summary] = []
        self.inputs = [receipt.Summary(name) for name, _ in steps]

    def add(self, index: int, batch: pa.RecordBatch, predicted: pa.RecordBatch) -> None:
        """Append to a part, which ends the one before; raises ``Invalid``."""
        if self.schema is None:
            self.schema = self._output_schema(batch.schema, predicted.schema)
            self.predictions = [receipt.Summary(name) for name in predicted.schema.names]
        if index != self._index:
            self.finish()
            self._index = index
            self._part = PartFile(self._aside, index, self.schema)
        for summary, array in zip(self.predictions, predicted.columns, strict=False):
            summary.add(array)
        for summary, column in zip(self.inputs, self._columns, strict=True):
            summary.add(batch.column(column))
        arrays = [*(batch.column(name) for name in self.kept), *predicted.columns]
        assert self._part is not None  # noqa: S101 -- made above
        self._part.write(_as_written(arrays, predicted.schema, self.schema))
        self.rows += batch.num_rows

    def finish(self) -> None:
        """Finish the part that is being written, if one is."""
        if self._part is not None:
            part, self._part = self._part, None
            part.finish()

    def drop(self) -> None:
        """Leave the part that is being written unfinished."""
        if self._part is not None:
            part, self._part = self._part, None
            part.drop()

    def _output_schema(self, given: pa.Schema, predicted: pa.Schema) -> pa.Schema:
        both = sorted(set(self.kept) & set(predicted.names))
        if both:
            raise Invalid(
                f"The input has columns that are called like predictions: {', '.join(both)}. Name"
                " the predictions otherwise (--predictions), or leave those columns out (--columns)."
            )
        untyped = [field.name for field in predicted if pa.types.is_null(field.type)]
        if untyped:
            raise Invalid(
                f"The model gave nothing but missing values for {', '.join(untyped)} in the first"
                " batch, so the column has no type; log the model with a signature for its output."
            )
        return pa.schema([*(given.field(name) for name in self.kept), *predicted])


def _as_written(
    arrays: Sequence[pa.Array], predicted: pa.Schema, schema: pa.Schema
) -> pa.RecordBatch:
    """The batch in the output's types; raises ``Invalid`` if the model changed its mind."""
    start = len(schema) - len(predicted)
    names = [field.name for field in schema][start:]
    if names != predicted.names:
        raise Invalid(
            f"The model first gave the columns {', '.join(names)} and later"
            f" {', '.join(predicted.names)}."
        )
    fitted = []
    for array, wanted in zip(arrays, schema, strict=True):
        made = array
        if array.type != wanted.type:
            try:
                made = array.cast(wanted.type)
            except pa.ArrowException as error:
                raise Invalid(
                    f"The model first gave {wanted.type} for '{wanted.name}' and later {array.type}:"
                    f" {error}"
                ) from None
        fitted.append(made)
    return pa.RecordBatch.from_arrays(fitted, schema=schema)
