"""Tables that are written: all or nothing, by modes, each with the id of the job that wrote it.

Parts are written aside as Parquet files, each given its name when it is whole, so that a job that
broke off goes on after its last finished part. One last step makes the table: a rename, an exchange
of two folders, a commit of Delta, a transaction of PostgreSQL. Before it nothing is seen; after it
everything. What was committed under a job's id is recognised, so that no job writes twice. A single
file that is made anew is written straight to its end; nothing of it is kept when a job breaks off.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from heddle.errors import AlreadyExists, Invalid, NotFound, Unavailable
from heddle.scoring.parts import JOB, Aside, make_writer, sync
from heddle.scoring.plan import Format, Output, find_format
from heddle.scoring.tables import list_files, place, postgres_parts

COMMITS: Final = "heddle_commits"
RENAME_EXCHANGE: Final = 2
AT_FDCWD: Final = -100
Row_batches = Iterator[pa.RecordBatch]


class Target:
    """Where a job's rows go; ``aside`` holds its parts until `commit`.

    Raises ``AlreadyExists`` when the mode is
    create and something is there, ``NotFound`` when merge has nothing to merge into.
    """

    def __init__(self, output: Output, job: str, staging: Path | None = None) -> None:
        self.output = output
        self.job = job
        self.is_remote = False
        named = output.format or find_format(output.address)
        self.kind: Format = named or "parquet"
        self.is_database = self.kind == "postgres"
        base = staging or Path(tempfile.gettempdir())
        if not self.is_database:
            self.filesystem, where = place(output.address)
            self.is_remote = not isinstance(self.filesystem, pafs.LocalFileSystem)
            self.path = Path(where)
            self.is_folder = not named or output.address.endswith("/") or self.path.is_dir()
            if not output.format and (self.path / "_delta_log").is_dir():
                self.kind = "delta"
            if not self.is_remote:
                # Beside the table, so that a rename is enough.
                base = staging or self.path.parent
        kind = self.kind if self.is_direct else "parquet"
        self.aside = Aside(base / f".heddle-{job}", job, kind, is_one=self.is_direct)
        self._check()

    def _check(self) -> None:
        if self.is_database or self.is_committed():
            return
        if self.is_remote and self.kind == "parquet" and self.is_folder:
            raise Invalid(
                "A folder of files in an object store cannot appear all at once; write one file"
                " (.parquet) or a Delta table there."
            )
        exists = self.exists()
        if self.output.mode == "create" and exists:
            raise AlreadyExists(
                f"'{self.output.address}' is there already; choose --mode overwrite, append or merge."
            )
        if self.output.mode == "merge" and not exists:
            raise NotFound(f"There is nothing at '{self.output.address}' to merge into.")
        if not self.is_remote and not self.path.parent.is_dir():
            raise NotFound(f"There is no folder {self.path.parent} to write into.")

    def exists(self) -> bool:
        """Whether there is something that is no empty folder."""
        if self.is_remote:
            found: Any = self.filesystem.get_file_info(str(self.path)).type
            return bool(found != pafs.FileType.NotFound)
        return self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()))

    @property
    def is_direct(self) -> bool:
        """Whether rows go into one file from the first to the last, without parts."""
        anew = self.output.mode in ("create", "overwrite")
        return anew and not self.is_database and self.kind != "delta" and not self.is_folder

    # ---- the last step -----------------------------------------------------------------------

    def commit(self) -> None:
        """Make the table what it shall be, at once; what was aside is gone afterwards."""
        if self.is_committed():
            self.aside.discard()
            return
        if self.is_database:
            _to_postgres(self)
        elif self.kind == "delta":
            _to_delta(self)
        elif self.is_folder:
            self._to_folder()
        else:
            self._to_file()
        self.aside.discard()

    def _to_file(self) -> None:
        mode = self.output.mode
        whole = self.aside.folder / "part-000000.parquet"
        if mode in ("append", "merge") and self.exists():
            whole = self.aside.folder / "whole"
            self._write_whole(whole, [str(self.path)] if not self.is_remote else None)
        elif not self.is_direct:
            whole = self.aside.folder / "whole"
            self._write_whole(whole, [])
        if self.is_remote:
            self.filesystem.create_dir(str(self.path.parent), recursive=True)
            pafs.copy_files(str(whole), str(self.path), destination_filesystem=self.filesystem)
            return
        if mode == "create":
            try:
                os.link(whole, self.path)
            except FileExistsError:
                raise AlreadyExists(f"'{self.path}' has come to be meanwhile.") from None
        else:
            whole.replace(self.path)
        sync(self.path.parent)

    def _to_folder(self) -> None:
        mode = self.output.mode
        if mode == "append" and self.exists():
            # One file for all parts: a rename is the only thing that happens at once.
            whole = self.aside.folder / "whole"
            self._write_whole(whole, [], "parquet")
            whole.rename(self.path / f"part-{self.job}.parquet")
            sync(self.path)
            return
        made = self.aside.folder / "table"
        made.mkdir(exist_ok=True)
        if mode == "merge":
            self._write_whole(
                made / "part-000000.parquet", list_files(str(self.path))[1], "parquet"
            )
        else:
            for path in self.aside.paths():
                path.rename(made / path.name)
        if self.kind != "parquet":
            raise Invalid("A folder is written as Parquet or Delta; name one file for others.")
        sync(made)
        if self.path.is_dir() and any(self.path.iterdir()):
            if mode == "create":
                raise AlreadyExists(f"'{self.path}' has come to be meanwhile.")
            _exchange(made, self.path)
        else:
            with suppress(FileNotFoundError):
                self.path.rmdir()
            made.rename(self.path)
        sync(self.path.parent)

    def _write_whole(self, path: Path, old: Sequence[str] | None, kind: Format = "") -> None:
        """One file of the rows that were there and those that are new."""
        if old is None:
            raise Invalid("Append and merge into a file of an object store are not offered.")
        key = self.output.key if self.output.mode == "merge" else ()
        schema, batches = _united(old, kind or self.kind, [str(p) for p in self.aside.paths()], key)
        writer = make_writer(path, kind or self.kind, schema, self.aside.about)
        try:
            for batch in batches:
                writer.write(batch)
        finally:
            writer.close()
        sync(path)

    def is_committed(self) -> bool:
        """Whether the table already holds what this job wrote."""
        if self.is_database:
            return _postgres_has(self)
        if self.is_remote and self.kind != "delta":
            return False
        if self.kind == "delta":
            return _delta_has(self)
        if self.is_folder:
            appended = self.path / f"part-{self.job}.parquet"
            first = self.path / "part-000000.parquet"
            return appended.is_file() or _job_of(first) == self.job
        return _job_of(self.path) == self.job


def _job_of(path: Path) -> str:
    """The job that wrote a Parquet or Arrow file; empty where none says so."""
    if not path.is_file():
        return ""
    with suppress(pa.ArrowException, OSError):
        if path.suffix in (".arrow", ".feather", ".ipc"):
            with pa.memory_map(str(path)) as file:
                metadata = pa.ipc.open_file(file).schema.metadata
        else:
            metadata = pq.read_schema(path).metadata
        return str((metadata or {}).get(JOB.encode(), b"").decode())
    return ""


def _exchange(new: Path, old: Path) -> None:
    """Put one folder in another's place at once, where the system can; the old one is at ``new``."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(libc, "renameat2"):
        given = (AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(old), RENAME_EXCHANGE)
        if libc.renameat2(*given) == 0:
            return
    gone = new.with_name("replaced")
    old.rename(gone)
    try:
        new.rename(old)
    except BaseException:
        gone.rename(old)
        raise


# ---- rows that were there and rows that are new ----------------------------------------------


def _scan(files: Sequence[str], kind: Format) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    readers = {"parquet": "read_parquet", "csv": "read_csv", "jsonl": "read_json"}
    if kind not in readers:
        raise Invalid(f"Append and merge are not offered for files of {kind}; write Parquet.")
    return f"{readers[kind]}([{listed}])"


def _united(
    old: Sequence[str], kind: Format, new: Sequence[str], key: Sequence[str]
) -> tuple[pa.Schema, Row_batches]:
    """Old rows, then new ones; with a key, old rows that a new one replaces are left out."""
    import duckdb  # noqa: PLC0415 -- only where tables are joined

    connection = duckdb.connect(":memory:", config={"memory_limit": "512MB", "threads": 2})
    fresh = _scan(new, "parquet")
    if key:
        _check_keys(connection, fresh, key)
    statement = f"FROM {fresh}"
    if old:
        match = " AND ".join(f"o.{name} = n.{name}" for name in map(_quoted, key))
        kept = f"SELECT o.* FROM {_scan(old, kind)} o"
        if key:
            kept += f" ANTI JOIN {fresh} n ON {match}"
        statement = f"{kept} UNION ALL BY NAME FROM {fresh}"
        was = connection.sql(f"FROM {_scan(old, kind)}").columns
        now = connection.sql(f"FROM {fresh}").columns
        if set(was) != set(now):
            odd = ", ".join(sorted(set(was) ^ set(now)))
            raise Invalid(f"The table there has other columns than the new rows: {odd}.")
    try:
        reader: Any = connection.sql(statement).to_arrow_reader(65_536)
    except duckdb.Error as error:
        raise Invalid(f"The new rows do not fit the table there: {error}") from None
    return reader.schema, iter(reader)


def _check_keys(connection: Any, fresh: str, key: Sequence[str]) -> None:
    """Raise ``Invalid`` if new rows share a key or lack one."""
    names = ", ".join(map(_quoted, key))
    twice = f"SELECT {names} FROM {fresh} GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
    if row := connection.execute(twice).fetchone():
        raise Invalid(f"Several new rows have the key ({names}) = {row}; merge needs one for each.")
    empty = " OR ".join(f"{_quoted(name)} IS NULL" for name in key)
    if connection.execute(f"SELECT 1 FROM {fresh} WHERE {empty} LIMIT 1").fetchone():
        raise Invalid(f"A new row has no value in its key ({names}).")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _new_rows(target: Target) -> pa.RecordBatchReader:
    """The parts that were written aside, as one stream."""
    import pyarrow.dataset as ds  # noqa: PLC0415 -- only where a format takes a stream

    parts = [str(path) for path in target.aside.paths()]
    return ds.dataset(parts, format="parquet").scanner(batch_readahead=2).to_reader()


# ---- Delta -----------------------------------------------------------------------------------


def _open_delta(target: Target) -> Any:
    """The Delta table that is there, None if there is none."""
    import deltalake  # noqa: PLC0415 -- heavy, and only for this format
    from deltalake.exceptions import TableNotFoundError  # noqa: PLC0415

    with suppress(TableNotFoundError):
        return deltalake.DeltaTable(target.output.address)
    return None


def _delta_has(target: Target) -> bool:
    table = _open_delta(target)
    return table is not None and table.transaction_version(f"heddle-{target.job}") is not None


def _to_delta(target: Target) -> None:
    """One commit that carries the job's id; Delta itself keeps two from being written."""
    import deltalake  # noqa: PLC0415
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    properties = deltalake.CommitProperties(
        custom_metadata=target.aside.about,
        app_transactions=[deltalake.Transaction(f"heddle-{target.job}", 1)],
    )
    output = target.output
    try:
        if output.mode == "merge":
            fresh = _scan([str(path) for path in target.aside.paths()], "parquet")
            import duckdb  # noqa: PLC0415

            _check_keys(duckdb.connect(":memory:"), fresh, output.key)
            match = " AND ".join(f"o.`{name}` = n.`{name}`" for name in output.key)
            merging = _open_delta(target).merge(
                _new_rows(target), match, source_alias="n", target_alias="o",
                commit_properties=properties,
            )  # fmt: skip
            merging.when_matched_update_all().when_not_matched_insert_all().execute()
            return
        deltalake.write_deltalake(
            output.address,
            _new_rows(target),
            mode="error" if output.mode == "create" else output.mode,
            schema_mode="overwrite" if output.mode == "overwrite" else None,
            commit_properties=properties,
        )
    except DeltaError as error:
        raise Invalid(f"The Delta table '{output.address}' was not written: {error}") from None


# ---- PostgreSQL ------------------------------------------------------------------------------


def _connected(target: Target) -> tuple[Any, str]:
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415 -- only for this format

    uri, table = postgres_parts(target.output.address)
    try:
        return adbc.connect(uri), table
    except adbc.OperationalError as error:
        raise Unavailable(f"PostgreSQL does not answer: {error}") from None


def _one(cursor: Any, statement: str, given: Sequence[Any] = ()) -> Any:
    cursor.execute(statement, list(given) or None)
    row = cursor.fetchone()
    return None if row is None else row[0]


def _postgres_has(target: Target) -> bool:
    connection, _ = _connected(target)
    with connection, connection.cursor() as cursor:
        if _one(cursor, "SELECT to_regclass($1)::text", [COMMITS]) is None:
            return False
        found = _one(cursor, f"SELECT job FROM {COMMITS} WHERE job = $1", [target.job])
        return found is not None


def _to_postgres(target: Target) -> None:
    """One transaction: rows into a table aside, then into the table, and the job's id with them."""
    import adbc_driver_postgresql.dbapi as adbc  # noqa: PLC0415

    connection, table = _connected(target)
    mode, key = target.output.mode, target.output.key
    with connection, connection.cursor() as cursor:
        run = cursor.execute
        try:
            run(f"CREATE TABLE IF NOT EXISTS {COMMITS} (job text PRIMARY KEY)")
            run(f"INSERT INTO {COMMITS} VALUES ($1)", [target.job])
            is_there = _one(cursor, "SELECT to_regclass($1)::text", [table]) is not None
            _check_there(mode, table, is_there=is_there)
            rows = _new_rows(target)
            names = ", ".join(map(_quoted, rows.schema.names))
            cursor.adbc_ingest("heddle_new", rows, mode="create", temporary=True)
            if not is_there:
                run(f"CREATE TABLE {table} AS SELECT {names} FROM heddle_new")
            else:
                if mode == "overwrite":
                    run(f"DELETE FROM {table}")
                if mode == "merge":
                    _check_keys_there(cursor, key)
                    match = " AND ".join(f"o.{k} = n.{k}" for k in map(_quoted, key))
                    run(f"DELETE FROM {table} o USING heddle_new n WHERE {match}")
                run(f"INSERT INTO {table} ({names}) SELECT {names} FROM heddle_new")
            run("DROP TABLE heddle_new")
            connection.commit()
        except adbc.Error as error:
            connection.rollback()
            raise Invalid(f"The table {table} was not written: {error}") from None
        except BaseException:
            connection.rollback()
            raise


def _check_there(mode: str, table: str, *, is_there: bool) -> None:
    if mode == "create" and is_there:
        raise AlreadyExists(f"The table {table} is there already; choose another mode.")
    if mode == "merge" and not is_there:
        raise NotFound(f"There is no table {table} to merge into.")


def _check_keys_there(cursor: Any, key: Sequence[str]) -> None:
    names = ", ".join(map(_quoted, key))
    twice = f"SELECT 1 FROM heddle_new GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
    if _one(cursor, twice) is not None:
        raise Invalid(f"Several new rows have the same key ({names}); merge needs one for each.")
