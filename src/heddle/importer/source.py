"""An MLflow database, opened to be read: its rows as plain tuples, whatever release made it.

Columns and tables that a release did not have yet read as absent. Everything is read as it was at one
moment, whatever a server goes on writing meanwhile: PostgreSQL in one transaction, SQLite from a copy,
since a long reader would keep that server from writing.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from heddle.errors import Invalid, NotFound, Unavailable

ROWS_AT_ONCE = 5_000
LIST_MAX = 500
"""Values of one ``IN`` list; SQLite of old takes no more than 999."""
NEEDED = frozenset({"experiments", "runs", "metrics", "params", "tags"})


class Source:
    """The open database; ``close`` it. Raises ``NotFound``, ``Invalid``, ``Unavailable``."""

    def __init__(self, address: str) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="heddle-import-")
        try:
            self._engine = _engine(address, Path(self._scratch.name))
        except BaseException:
            self._scratch.cleanup()
            raise
        try:
            self._connection = self._engine.connect()
            found = sa.inspect(self._connection)
            self._columns = {
                name: {column["name"] for column in found.get_columns(name)}
                for name in found.get_table_names()
            }
        except sa.exc.DBAPIError as error:
            self._engine.dispose()
            self._scratch.cleanup()
            raise Unavailable(f"{address} cannot be read: {error.orig}") from error
        if not self._columns.keys() >= NEEDED:
            self.close()
            raise Invalid(
                f"{address} is no database of an MLflow server: it has no tables of experiments and"
                " runs. What lies in a folder mlruns goes into one with: mlflow migrate-filestore."
            )

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()
        self._engine.dispose()
        self._scratch.cleanup()

    def has(self, table: str, column: str) -> bool:
        """Whether this release has that column."""
        return column in self._columns.get(table, ())

    def count(self, table: str, **where: Any) -> int:
        """How many rows of a table have these values."""
        if table not in self._columns:
            return 0
        select = sa.select(sa.func.count()).select_from(sa.table(table))
        return int(self._run(self._narrow(select, table, where)).scalar_one())

    def rows(
        self, table: str, *columns: str, order: Sequence[str] = (), **where: Any
    ) -> Iterator[tuple[Any, ...]]:
        """These columns of the rows that have these values; a list means any of its values.

        Rows come as they are read, a few thousand at a time.
        """
        if table not in self._columns:
            return
        for name, value in where.items():
            if isinstance(value, list) and len(value) > LIST_MAX:
                for start in range(0, len(value), LIST_MAX):
                    part = {**where, name: value[start : start + LIST_MAX]}
                    yield from self.rows(table, *columns, order=order, **part)
                return
        there = self._columns[table]
        wanted = [sa.column(name) if name in there else sa.null() for name in columns]
        select = self._narrow(sa.select(*wanted).select_from(sa.table(table)), table, where)
        select = select.order_by(*(sa.column(name) for name in order if name in there))
        # Closed even if not all is taken: PostgreSQL keeps the rest ready otherwise.
        with closing(self._run(select)) as found:
            try:
                for row in found:
                    yield tuple(row)
            except sa.exc.DBAPIError as error:
                raise _unreadable(error) from error

    def _narrow(self, select: Any, table: str, where: dict[str, Any]) -> Any:
        for name, value in where.items():
            if self.has(table, name):
                column: Any = sa.column(name)
                equal = column.in_(value) if isinstance(value, list) else column == value
                select = select.where(equal)
        return select

    def _run(self, select: Any) -> sa.Result[Any]:
        try:
            return self._connection.execute(
                select, execution_options={"yield_per": ROWS_AT_ONCE, "stream_results": True}
            )
        except sa.exc.DBAPIError as error:
            raise _unreadable(error) from error


def _unreadable(error: sa.exc.DBAPIError) -> Unavailable:
    return Unavailable(f"The MLflow database cannot be read: {error.orig}")


def _engine(address: str, scratch: Path) -> sa.Engine:
    """An engine that reads an address, or a file's path."""
    path = address if "://" not in address else None
    try:
        url = sa.make_url(f"sqlite:///{path}" if path else address)
        if url.get_backend_name() == "sqlite":
            copy = _copied(Path(str(url.database)).absolute(), scratch)
            # The thread that writes here reads there.
            return sa.create_engine(f"sqlite:///{copy}", connect_args={"check_same_thread": False})
        if url.get_backend_name() in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        return sa.create_engine(url, isolation_level="REPEATABLE READ")
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise Invalid(
            f"{address!r} cannot be opened ({error}). Name the file of an SQLite database, or an"
            " address such as postgresql://user@host/name; for others install their driver, and name"
            " it: mysql+pymysql://user@host/name."
        ) from None


def _copied(file: Path, scratch: Path) -> Path:
    """A copy of an SQLite database as it is at this moment."""
    if not file.is_file():
        raise NotFound(f"There is no database {file}.")
    copy = scratch / "mlflow.db"
    try:
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as there,
            closing(sqlite3.connect(copy)) as here,
        ):
            there.backup(here)
    except sqlite3.Error as error:
        raise Unavailable(f"{file} cannot be read: {error}.") from error
    return copy
