"""Owns the writing of very many runs straight into Heddle's SQLite database, server at rest.

Always holds: a written run is a copy, row by row and column by column, of one that the server wrote
itself, with other values; nothing else of the schema is known here but which table holds what.
Leaves to others: everything that the public protocol can bring in within reasonable time.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.seed import BASE_MS, RunData

CHUNK = 5000
CACHE_KIB = 1 << 20
TABLES = ("runs", "params", "metrics", "points", "run_tags")
SETTINGS = ("synchronous = OFF", "journal_mode = MEMORY", "foreign_keys = OFF")


@dataclass(frozen=True)
class Copied:
    """A table's insert statement, and a row of the copied run to fill it from."""

    insert: str
    columns: dict[str, int]
    row: tuple[Any, ...]

    @staticmethod
    def of(database: sqlite3.Connection, table: str, where: str, *values: object) -> "Copied":
        """Read the one row of `table` that `where` finds."""
        cursor = database.execute(f"SELECT * FROM {table} WHERE {where}", values)
        names = [column[0] for column in cursor.description]
        row = cursor.fetchone()
        if row is None:
            raise LookupError(f"the run to copy has nothing in {table}")
        marks = ",".join("?" * len(names))
        insert = f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})"
        return Copied(insert, {name: place for place, name in enumerate(names)}, tuple(row))

    def filled(self, **values: object) -> list[Any]:
        """Return the row with other values in the columns that it has of those named."""
        row = list(self.row)
        for name, value in values.items():
            if name in self.columns:
                row[self.columns[name]] = value
        return row


def add_runs(path: Path, run_uid: str, numbers: range) -> None:
    """Write a run for each number as copies of the run `run_uid`; indexes are built afterwards."""
    draw = random.Random(numbers.start)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}")
        run = Copied.of(database, "runs", "uid = ?", run_uid)
        copies = _children(database, run)
        last_run = database.execute("SELECT max(id) FROM runs").fetchone()[0]
        last_metric = database.execute("SELECT max(id) FROM metrics").fetchone()[0]
        with _without_indexes(database):
            for start in range(numbers.start, numbers.stop, CHUNK):
                chunk = range(start, min(start + CHUNK, numbers.stop))
                ids = (last_run - numbers.start + 1, last_metric)
                last_metric = _add_chunk(database, run, copies, chunk, ids=ids, draw=draw)
        database.execute("PRAGMA journal_mode = WAL")


def _children(database: sqlite3.Connection, run: Copied) -> dict[str, Copied]:
    run_id = run.row[run.columns["id"]]
    metric = Copied.of(database, "metrics", "run_id = ? AND key = 'm0'", run_id)
    return {
        "param": Copied.of(database, "params", "run_id = ? AND key = 'p0'", run_id),
        "tag": Copied.of(database, "run_tags", "owner_id = ? AND key = 't0'", run_id),
        "metric": metric,
        "point": Copied.of(
            database, "points", "metric_id = ?", metric.row[metric.columns["id"]]
        ),
    }  # fmt: skip


def _add_chunk(
    database: sqlite3.Connection,
    run: Copied,
    copies: dict[str, Copied],
    numbers: range,
    *,
    ids: tuple[int, int],
    draw: random.Random,
) -> int:
    """Write one chunk in one transaction and return the last metric's id."""
    run_offset, metric_id = ids
    rows: dict[str, list[list[Any]]] = {name: [] for name in ("run", *copies)}
    for number in numbers:
        data = RunData.of(number)
        run_id = run_offset + number
        uid = f"{draw.getrandbits(128):032x}"
        uri = run.row[run.columns["artifact_uri"]].replace(run.row[run.columns["uid"]], uid)
        at = BASE_MS + number
        rows["run"].append(
            run.filled(id=run_id, uid=uid, name=f"run-{number}", start_ms=at, artifact_uri=uri)
        )
        for key, text in data.params.items():
            rows["param"].append(copies["param"].filled(run_id=run_id, key=key, value=text))
        tags = {**data.tags, "mlflow.runName": f"run-{number}"}
        for key, text in tags.items():
            rows["tag"].append(copies["tag"].filled(owner_id=run_id, key=key, value=text))
        for key, value in data.metrics.items():
            metric_id += 1
            drawn = {"value": value, "min_value": value, "max_value": value, "timestamp_ms": at}
            rows["metric"].append(
                copies["metric"].filled(id=metric_id, run_id=run_id, key=key, **drawn)
            )
            rows["point"].append(
                copies["point"].filled(metric_id=metric_id, value=value, timestamp_ms=at)
            )
    database.execute("BEGIN")
    for name, copied in {"run": run, **copies}.items():
        database.executemany(copied.insert, rows[name])
    database.execute("COMMIT")
    return metric_id


@contextmanager
def _without_indexes(database: sqlite3.Connection) -> Iterator[None]:
    """Drop the indexes of the tables that are filled, and build them again at the end."""
    marks = ",".join("?" * len(TABLES))
    found = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        f" AND tbl_name IN ({marks})",
        TABLES,
    ).fetchall()
    for name, _ in found:
        database.execute(f"DROP INDEX {name}")
    yield
    for _, statement in found:
        database.execute(statement)
