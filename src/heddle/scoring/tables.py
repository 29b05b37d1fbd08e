"""Tables that are read: anything that an input's address can name, in Arrow batches and in order.

A source says its schema, its pieces (what can be read by itself, so that work can be split and
resumed), how many rows there are where that is known, and its snapshot: a digest that changes when
the table does, empty where nobody can tell. Reading never holds more than a few batches. Local
files, and object stores through Arrow's file systems.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from heddle.errors import Invalid, NotFound, Unavailable
from heddle.scoring import memory
from heddle.scoring.plan import Format, Input, Piece, find_format

EDGE_BYTES: Final = 64 * 1024
"""How much of the beginning and end of a file goes into its snapshot."""
BATCH_BYTES: Final = 8 * 1024 * 1024
"""About how much a batch of inputs holds: enough to make its handling cheap, little to hold."""
BATCH_ROWS: Final = (1024, 131_072)
FEWEST_ROWS: Final = 16_384
TAPER: Final = 8
"""No batch is larger than this share of the rows that are left, or than `FEWEST_ROWS`."""
CELL_BYTES: Final = 24
"""What a value without fixed width is taken to need until one knows."""
BLOCK_BYTES: Final = 4 * 1024 * 1024
BUFFER_BYTES: Final = 256 * 1024
"""Of a column's bytes on their way from a local file, instead of all that a group of rows has."""
DUCKDB_SHARE: Final = 0.25
"""Of what this process may take; the rest is for what DuckDB does not count, and for everything else."""
_PATTERN: Final = re.compile(r"[*?\[]")
_HIDDEN: Final = ("_", ".")


class Source(Protocol):
    """A table that can be read."""

    schema: pa.Schema
    pieces: tuple[Piece, ...]
    snapshot: str
    format: Format
    version: int | None

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """These columns of some pieces, in order, in batches of at most that many rows."""


def rows_of(source: Source) -> int:
    """How many rows a source holds, -1 where nobody knows."""
    counts = [piece.rows for piece in source.pieces]
    return -1 if -1 in counts else sum(counts)


def rows_before(source: Source, pieces: Sequence[Piece]) -> int:
    """How many rows lie before the first of some pieces, of a source whose rows are known."""
    at = source.pieces.index(pieces[0]) if pieces else 0
    return sum(piece.rows for piece in source.pieces[:at])


def rows_in_batch(schema: pa.Schema, columns: Sequence[str]) -> int:
    """How many rows make a batch of about `BATCH_BYTES`, within bounds."""
    width = 0
    for name in columns:
        try:
            width += schema.field(name).type.bit_width // 8 or 1
        except ValueError:
            width += CELL_BYTES
    low, high = BATCH_ROWS
    return max(low, min(high, BATCH_BYTES // max(1, width)))


def open_source(table: Input, wanted: Mapping[str, pa.DataType] | None = None) -> Source:
    """Open the table of a plan.

    ``wanted`` are types for columns of formats that know none (CSV, JSON lines). Raises ``NotFound``
    for what is not there, ``Invalid`` for what cannot be read as what it should be, ``Unavailable``
    for a database that does not answer.
    """
    kind = table.format or find_format(table.address)
    try:
        if kind == "postgres":
            return _Postgres(table.address)
        if kind == "duckdb":
            return _DuckDB(table.address)
        if not kind:
            kind = look(table.address)
        if table.version is not None or table.at:
            kind = "delta"
        if kind == "delta":
            return _Parquet.of_delta(table)
        return _of_files(table.address, kind, wanted or {})
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise Invalid(f"'{table.address}' cannot be read as {kind}: {error}") from None
    except FileNotFoundError:
        raise NotFound(f"There is no table at '{table.address}'.") from None
    except OSError as error:
        raise Unavailable(f"'{table.address}' cannot be read: {error}") from None


def place(address: str) -> tuple[pafs.FileSystem, str]:
    """The file system and path that an address means; a path of this machine or an address."""
    if re.match(r"[a-z][a-z0-9+.-]+://", address):
        filesystem, path = pafs.FileSystem.from_uri(address)
        return filesystem, path
    return pafs.LocalFileSystem(), str(Path(address).expanduser().absolute())


def look(address: str) -> Format:
    """The format of a file or folder without a telling name."""
    if _PATTERN.search(address):
        return _by_suffix(list_files(address)[1][0])
    filesystem, path = place(address)
    kind = filesystem.get_file_info(path).type
    if kind == pafs.FileType.NotFound:
        raise NotFound(f"There is no table at '{address}'.")
    if kind == pafs.FileType.Directory:
        log = filesystem.get_file_info(f"{path}/_delta_log").type
        if log == pafs.FileType.Directory:
            return "delta"
        return _by_suffix(list_files(address)[1][0])
    with filesystem.open_input_file(path) as file:
        head = file.read(6)
    return "parquet" if head[:4] == b"PAR1" else "arrow" if head == b"ARROW1" else "csv"


def _by_suffix(path: str) -> Format:
    return find_format(path) or "parquet"


def list_files(address: str) -> tuple[pafs.FileSystem, list[str]]:
    """The files that an address means: one, those below a folder, or those of a pattern, by name."""
    pattern = _PATTERN.search(address)
    top = address[: address.rfind("/", 0, pattern.start()) + 1] if pattern else address
    filesystem, path = place(top or ".")
    path = path.rstrip("/")
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise NotFound(f"There is no table at '{address}'.")
    if info.type == pafs.FileType.File:
        return filesystem, [path]
    found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    files = [each.path for each in found if each.type == pafs.FileType.File]
    if pattern:
        wanted = f"{path}/{address[len(top) :]}"
        files = [file for file in files if _fits(file, wanted)]
    else:
        files = [file for file in files if not _is_hidden(file[len(path) + 1 :])]
    if not files:
        raise NotFound(f"There are no files at '{address}'.")
    return filesystem, sorted(files)


def _fits(path: str, pattern: str) -> bool:
    """Whether a path fits a pattern, in which ``**`` alone stands for several folders."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*"))
    ours, theirs = path.split("/"), pattern.split("/")
    return len(ours) == len(theirs) and all(map(fnmatchcase, ours, theirs))


def _is_hidden(path: str) -> bool:
    return any(part.startswith(_HIDDEN) and "=" not in part for part in path.split("/"))


def _of_files(address: str, kind: Format, wanted: Mapping[str, pa.DataType]) -> Source:
    filesystem, files = list_files(address)
    if kind == "parquet":
        top = place(address)[1] if not _PATTERN.search(address) else ""
        return _Parquet(filesystem, [(file, _partition(file, top)) for file in files])
    return _Streamed(filesystem, files, kind, wanted)


def _partition(path: str, top: str) -> dict[str, Any]:
    """The values that folders named ``column=value`` give to every row of a file."""
    values: dict[str, Any] = {}
    for part in path[len(top) :].split("/")[:-1]:
        name, sign, value = part.partition("=")
        if sign:
            values[name] = None if value == "__HIVE_DEFAULT_PARTITION__" else value
    return values


def _snapshot(filesystem: pafs.FileSystem, files: Iterable[str]) -> str:
    """A digest over names, sizes, times of change and both ends of files."""
    total = hashlib.sha256()
    for path in files:
        info = filesystem.get_file_info(path)
        with filesystem.open_input_file(path) as file:
            total.update(f"{path}\0{info.size}\0{info.mtime_ns}\n".encode())
            total.update(file.read(EDGE_BYTES))
            file.seek(max(0, info.size - EDGE_BYTES))
            total.update(file.read(EDGE_BYTES))
    return total.hexdigest()


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Raises ``Invalid`` and ``Unavailable`` for what goes wrong in the middle of a file."""
    try:
        yield
    except (pa.ArrowInvalid, KeyError) as error:
        words = str(error)
        if "straddling" in words:
            words = f"a line of it is longer than {BLOCK_BYTES // 1024**2} MiB"
        raise Invalid(f"'{path}' cannot be read further: {words}") from None
    except OSError as error:
        # Arrow says so of damaged files as well as of disks and networks.
        raise Unavailable(f"'{path}' cannot be read further: {error}") from None


class _Parquet:
    """Parquet files, with columns from their folders' names or from a Delta table."""

    def __init__(
        self,
        filesystem: pafs.FileSystem,
        files: Sequence[tuple[str, dict[str, Any]]],
        *,
        schema: pa.Schema | None = None,
        snapshot: str = "",
        version: int | None = None,
    ) -> None:
        self._filesystem = filesystem
        self._constants = dict(files)
        self.version = version
        self.format: Format = "parquet" if version is None else "delta"
        pieces: list[Piece] = []
        for path, values in files:
            with self._open(path) as file:
                meta = file.metadata
                if schema is None:
                    schema = _with_partition(file.schema_arrow, files, values)
            counts = [meta.row_group(at).num_rows for at in range(meta.num_row_groups)]
            pieces += [
                Piece(source=path, start=at, stop=at + 1, rows=rows)
                for at, rows in enumerate(counts)
            ]
        if schema is None:
            raise Invalid("The table has no files and says no schema; there is nothing to read.")
        self.schema = schema.remove_metadata()
        self.pieces = tuple(pieces)
        self.snapshot = snapshot or _snapshot(filesystem, self._constants)

    @classmethod
    def of_delta(cls, table: Input) -> _Parquet:
        """A Delta table at a version or time, the newest unless told."""
        import deltalake  # noqa: PLC0415 -- heavy, and only for this format
        from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415

        try:
            opened = deltalake.DeltaTable(table.address, version=table.version)
            if table.at:
                opened.load_as_version(table.at)
            data = opened.to_pyarrow_dataset()
        except TableNotFoundError:
            raise NotFound(f"There is no Delta table at '{table.address}'.") from None
        except (DeltaError, ValueError) as error:
            raise Invalid(f"The Delta table '{table.address}' cannot be read: {error}") from None
        import pyarrow.dataset as ds  # noqa: PLC0415 -- only for this format

        files = [
            (part.path, ds.get_partition_keys(part.partition_expression))
            for part in data.get_fragments()
        ]
        identity = f"{opened.metadata().id}\0{opened.version()}".encode()
        return cls(
            data.filesystem,
            files,
            schema=pa.schema(opened.schema().to_arrow()),
            snapshot=hashlib.sha256(identity).hexdigest(),
            version=opened.version(),
        )

    def _open(self, path: str) -> pq.ParquetFile:
        opened = self._filesystem.open_input_file(path)
        if self._is_local:
            return pq.ParquetFile(opened, pre_buffer=False, buffer_size=BUFFER_BYTES)
        return pq.ParquetFile(opened, pre_buffer=True)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._filesystem, pafs.LocalFileSystem)

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """As `Source.read`; in the calling thread, since others are better busy with predicting."""
        target = pa.schema([self.schema.field(name) for name in columns])
        for path, groups in _runs(pieces):
            constants = self._constants.get(path, {})
            with _reading(path), self._open(path) as file:
                inside = [name for name in columns if name in file.schema_arrow.names]
                for batch in file.iter_batches(
                    batch_size=batch_rows, row_groups=groups, columns=inside, use_threads=False
                ):
                    yield _fitted(batch, target, constants, path)


def _with_partition(
    schema: pa.Schema, files: Sequence[tuple[str, dict[str, Any]]], first: Mapping[str, Any]
) -> pa.Schema:
    """A file's schema and the columns of its folders: whole numbers where all of them are."""
    for name in first:
        texts = [values.get(name) for _, values in files]
        is_whole = all(text is None or re.fullmatch(r"-?\d{1,18}", text) for text in texts)
        if name not in schema.names:
            schema = schema.append(pa.field(name, pa.int64() if is_whole else pa.string()))
    return schema


def _runs(pieces: Sequence[Piece]) -> Iterator[tuple[str, list[int]]]:
    """Groups of the same file that follow each other, together."""
    held: list[int] = []
    for piece, after in pairwise((*pieces, None)):
        assert piece is not None  # noqa: S101 -- None only comes last
        held += range(piece.start, piece.stop or piece.start + 1)
        if after is None or after.source != piece.source:
            yield piece.source, held
            held = []


def _fitted(
    batch: pa.RecordBatch, target: pa.Schema, constants: Mapping[str, Any], path: str
) -> pa.RecordBatch:
    """A file's batch in the table's schema; raises ``Invalid`` where it does not fit."""
    if batch.schema.equals(target):
        return batch
    arrays = []
    for field in target:
        if field.name in batch.schema.names:
            array = batch.column(field.name)
            if array.type != field.type:
                try:
                    array = array.cast(field.type)
                except pa.ArrowException as error:
                    raise Invalid(
                        f"Column '{field.name}' of {path} is {array.type}, of the table"
                        f" {field.type}: {error}"
                    ) from None
        else:
            scalar = pa.scalar(constants.get(field.name)).cast(field.type)
            array = pa.repeat(scalar, batch.num_rows)
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=target)


class _Streamed:
    """CSV, JSON lines and Arrow files: read from the front, a piece for each file."""

    version: int | None = None

    def __init__(
        self,
        filesystem: pafs.FileSystem,
        files: Sequence[str],
        kind: Format,
        wanted: Mapping[str, pa.DataType],
    ) -> None:
        self._filesystem = filesystem
        self.format = kind
        self._wanted = dict(wanted)
        # How the first file begins says the columns of all, and their types where none was wanted.
        with closing(self._reader(files[0])) as reader:
            self.schema = reader.schema.remove_metadata()
        self._wanted = {field.name: field.type for field in self.schema}
        self.pieces = tuple(Piece(source=path) for path in files)
        self.snapshot = _snapshot(filesystem, files)

    def _reader(self, path: str) -> Any:
        if self.format == "arrow":
            return _ArrowFile(self._filesystem.open_input_file(path))
        stream = self._filesystem.open_input_stream(path, compression="detect")
        if self.format == "csv":
            import pyarrow.csv as pacsv  # noqa: PLC0415 -- only for this format

            tabs = ".tsv" in path.rpartition("/")[2]
            return pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(block_size=BLOCK_BYTES),
                parse_options=pacsv.ParseOptions(delimiter="\t" if tabs else ","),
                convert_options=pacsv.ConvertOptions(column_types=self._wanted),
            )
        import pyarrow.json as pajson  # noqa: PLC0415 -- only for this format

        explicit = pa.schema(list(self._wanted.items())) if self._wanted else None
        return pajson.open_json(
            stream,
            read_options=pajson.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pajson.ParseOptions(explicit_schema=explicit),
        )

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """As `Source.read`."""
        target = pa.schema([self.schema.field(name) for name in columns])
        for piece in pieces:
            with _reading(piece.source), closing(self._reader(piece.source)) as reader:
                batches = (_fitted(batch.select(columns), target, {}, "") for batch in reader)
                yield from rebatch(batches, batch_rows)


class _ArrowFile:
    """An Arrow file or stream, whichever it is, batch by batch."""

    def __init__(self, file: Any) -> None:
        self._file = file
        head = file.read(6)
        file.seek(0)
        self._is_file = head == b"ARROW1"
        self._reader = pa.ipc.open_file(file) if self._is_file else pa.ipc.open_stream(file)
        self.schema: pa.Schema = self._reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if self._is_file:
            for at in range(self._reader.num_record_batches):
                yield self._reader.get_batch(at)
        else:
            yield from self._reader

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


class _DuckDB:
    """What DuckDB gives for a statement, or a table of a file of its own."""

    version: int | None = None
    format: Format = "duckdb"
    snapshot = ""

    def __init__(self, address: str) -> None:
        import duckdb  # noqa: PLC0415 -- heavy, and only for this format

        # It puts aside on disk what does not fit, if it knows how much may be in memory.
        room = memory.room_bytes()
        config: dict[str, Any] = (
            {} if room is None else {"memory_limit": f"{int(room * DUCKDB_SHARE)}B"}
        )
        self._make = partial(duckdb.connect, ":memory:", config=config)
        self._statement = address
        if address.lower().startswith("duckdb:"):
            file, _, table = address[7:].partition("#")
            name = '"."'.join(part.replace('"', '""') for part in table.split("."))
            self._statement = f'FROM "{name}"'
            self._make = partial(duckdb.connect, file, read_only=True, config=config)
        try:
            with self._make() as connection:
                empty = connection.sql(self._statement).limit(0)
                self.schema = pa.schema(empty.to_arrow_table().schema)
        except duckdb.Error as error:
            raise Invalid(f"DuckDB cannot read the input: {error}") from None
        self.pieces: tuple[Piece, ...] = (Piece(source=address),)

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """As `Source.read`."""
        import duckdb  # noqa: PLC0415 -- as above

        del pieces
        try:
            with self._make() as connection:
                reader: Any = connection.sql(self._statement).to_arrow_reader(batch_rows)
                yield from rebatch((batch.select(columns) for batch in reader), batch_rows)
        except (duckdb.Error, pa.ArrowInvalid) as error:
            # What fails under way comes through Arrow's stream.
            raise Invalid(f"DuckDB cannot read the input: {error}") from None


def postgres_parts(address: str) -> tuple[str, str]:
    """The address of a database without the table, and the table's quoted name."""
    uri, _, table = address.partition("#")
    if not table:
        raise Invalid(
            "A table of PostgreSQL is named after a '#': postgresql://.../db#schema.table"
        )
    return uri, ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))


class _Postgres:
    """A table of PostgreSQL, streamed by binary COPY in one transaction."""

    version: int | None = None
    format: Format = "postgres"
    snapshot = ""

    def __init__(self, address: str) -> None:
        import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415 -- only for this format

        self._uri, self._table = postgres_parts(address)
        self._connect = partial(adbc.connect, self._uri)
        try:
            with self._connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {self._table} LIMIT 0")
                self.schema = pa.schema(cursor.fetch_arrow_table().schema).remove_metadata()
        except adbc.OperationalError as error:
            raise Unavailable(f"PostgreSQL does not answer: {error}") from None
        except adbc.Error as error:
            raise Invalid(f"The table {self._table} cannot be read: {error}") from None
        self.pieces: tuple[Piece, ...] = (Piece(source=address),)

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """As `Source.read`."""
        del pieces
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {self._table}")
            reader = cursor.fetch_record_batch()
            yield from rebatch(reader, batch_rows)


class InMemory:
    """A table that is here already: a reader or batches of Arrow's, of one schema."""

    version: int | None = None
    format: Format = ""
    snapshot = ""

    def __init__(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], rows: int) -> None:
        self.schema = schema.remove_metadata()
        self._batches = batches
        self.pieces: tuple[Piece, ...] = (Piece(source="", rows=rows),)

    def read(
        self, pieces: Sequence[Piece], columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """As `Source.read`, once if the batches come from a reader."""
        del pieces
        yield from rebatch((batch.select(list(columns)) for batch in self._batches), batch_rows)


def tapered(batches: Iterable[pa.RecordBatch], before: int, total: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that grow smaller towards the end, so that all end together.

    ``before`` rows were read or left out before, of ``total``: the sizes depend on nothing but where
    in the table a batch lies, so that models which look at a whole batch give the same each time.
    """
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            most = max(FEWEST_ROWS, (total - before) // TAPER)
            part = batch.slice(start, most)
            start += part.num_rows
            before += part.num_rows
            yield part


def rebatch(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at most ``rows``; small ones that follow each other are joined."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - count)
            start += part.num_rows
            held.append(part)
            count += part.num_rows
            if count == rows:
                yield _joined(held)
                held, count = [], 0
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
