"""SQL with PREDICT on DuckDB: ``SELECT id, PREDICT('diabetes/3', *) AS y FROM 'patients.parquet'``.

Each call becomes a function that DuckDB calls with Arrow batches while it runs the statement; the
batches go to child processes that hold the model, so nothing is gathered first and calls may stand
anywhere: in conditions, joins, aggregates, within each other. Columns are given by name where they
are named as the model's are, else in the model's order; ``name := value`` sets a param or names a
column. What does not fit is refused before the first row, with its position.
"""

from __future__ import annotations

import inspect
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from heddle.errors import HeddleError, Invalid
from heddle.scoring import local
from heddle.scoring.arguments import Choices, NotTaken, Statement, Step, find_home
from heddle.scoring.calls import Probe, rewrite
from heddle.scoring.children import Child
from heddle.scoring.confined import ChildDied
from heddle.scoring.parts import PartFile
from heddle.scoring.plan import Output
from heddle.scoring.predictor import Refused, feed
from heddle.scoring.targets import Target

FIRST_ROWS: Final = 256
"""Rows that are predicted to see of which type predictions are."""
BATCH_ROWS: Final = 65_536


class Pool:
    """Child processes with one model, each held by a thread of its own; any thread may ask."""

    def __init__(self, prepared: local.Prepared, count: int) -> None:
        self._prepared = prepared
        self._asked: queue.SimpleQueue[tuple[pa.RecordBatch, Future[Any]] | None]
        self._asked = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._hold, name=f"heddle-sql-{at}", daemon=True)
            for at in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def predict(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predictions for a batch of the model's own columns; raises ``ModelFailed``."""
        future: Future[pa.RecordBatch] = Future()
        self._asked.put((batch, future))
        return future.result()

    def _child(self) -> Child:
        prepared = self._prepared
        return Child(
            prepared.folder,
            params=dict(prepared.plan.params) or None,
            limits=prepared.plan.limits,
            python=prepared.python or sys.executable,
        )

    def _hold(self) -> None:
        child: Child | None = None
        while (asked := self._asked.get()) is not None:
            batch, future = asked
            for attempt in range(2):
                try:
                    child = child or self._child()
                    child.send(batch)
                    future.set_result(child.receive())
                except ChildDied as error:
                    if child is not None:
                        child.close()
                        child = None
                    if attempt:
                        future.set_exception(error)
                    continue
                except Exception as error:  # noqa: BLE001 -- it is raised where the answer is awaited
                    future.set_exception(error)
                break
        if child is not None:
            child.close()

    def close(self) -> None:
        """End the children."""
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()


class _Session(Statement):
    """One statement on one connection: its models, its functions, the first failure."""

    def __init__(self, connection: Any, choices: Choices, text: str) -> None:
        super().__init__(choices, text)
        self.connection = connection
        self.count = choices.processes or (os.cpu_count() or 1)
        self.pools: dict[tuple[str, str], Pool] = {}
        self.functions: list[str] = []
        self.failure: HeddleError | None = None

    def constant(self, text: str) -> Any:
        """As `Statement.constant`."""
        try:
            return self.connection.sql(f"SELECT {text}").fetchall()[0][0]
        except duckdb.Error as error:
            raise NotTaken(_first_line(error)) from None

    def schema_of(self, statement: str) -> pa.Schema:
        """As `Statement.schema_of`."""
        try:
            return self.connection.sql(statement).to_arrow_table().schema
        except duckdb.Error as error:
            raise NotTaken(_first_line(error)) from None

    def quoted(self, name: str) -> str:
        """As `Statement.quoted`."""
        return _quoted(name)

    def function(
        self,
        prepared: local.Prepared,
        expressions: Sequence[str],
        used: Sequence[str],
        probe: Probe,
    ) -> str:
        """As `Statement.function`; DuckDB calls it with Arrow's arrays."""
        steps = [(step.name, step.column, step.cast) for step in prepared.verdict.steps]
        key = (prepared.model.digest, repr(sorted(prepared.plan.params.items())))
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = Pool(prepared, self.count)
        asked = [f"{text} AS {_quoted(name)}" for text, name in zip(expressions, used, strict=True)]
        first = self.connection.sql(f"{probe(asked)} LIMIT {FIRST_ROWS}").to_arrow_table()
        types = [_type_of(self.connection, kind) for kind in first.schema.types]
        if first.num_rows:
            batch = first.combine_chunks().to_batches()[0]
            returned = _one(_predict(pool, batch, steps)).type
        else:
            returned = _one_type(local.predicted_fields(prepared))
        name = f"heddle_predict_{len(self.functions) + 1}"

        def predict(*arrays: Any) -> Any:
            try:
                if not len(arrays[0]):
                    return pa.array([], returned)
                made = [a.combine_chunks() if isinstance(a, pa.ChunkedArray) else a for a in arrays]
                flat = [a.chunk(0) if isinstance(a, pa.ChunkedArray) else a for a in made]
                found = _one(_predict(pool, pa.RecordBatch.from_arrays(flat, list(used)), steps))
                return found if found.type == returned else found.cast(returned)
            except HeddleError as error:
                self.failure = self.failure or error
                raise

        # DuckDB counts the parameters of the function.
        kind = inspect.Parameter.POSITIONAL_ONLY
        counted = [inspect.Parameter(f"a{at}", kind) for at in range(len(used))]
        predict.__signature__ = inspect.Signature(counted)  # type: ignore[attr-defined]
        self.connection.create_function(
            name, predict, types, _type_of(self.connection, returned),
            type="arrow", null_handling="special",
        )  # fmt: skip
        self.functions.append(name)
        return name

    def close(self) -> None:
        """End the children and forget the functions."""
        for pool in self.pools.values():
            pool.close()
        for name in self.functions:
            # Rows that nobody read keep a connection busy; it may be gone a moment later.
            with suppress(duckdb.Error):
                self.connection.remove_function(name)


def _predict(pool: Pool, batch: pa.RecordBatch, steps: Sequence[Step]) -> pa.RecordBatch:
    try:
        return pool.predict(feed(batch, steps))
    except Refused as error:
        raise Invalid(str(error)) from None


def _one(predicted: pa.RecordBatch) -> pa.Array:
    """Predictions as one column: a struct where the model gives several."""
    if predicted.num_columns == 1:
        return predicted.column(0)
    return pa.StructArray.from_arrays(predicted.columns, names=predicted.schema.names)


def _one_type(fields: Sequence[pa.Field]) -> pa.DataType:
    return fields[0].type if len(fields) == 1 else pa.struct(fields)


def _type_of(connection: Any, kind: pa.DataType) -> Any:
    return connection.from_arrow(pa.table({"x": pa.array([], kind)})).types[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@contextmanager
def query(
    statement: str,
    choices: Choices | None = None,
    connection: Any = None,
) -> Iterator[tuple[pa.RecordBatchReader, list[str]]]:
    """Run a statement: its rows as a stream, and warnings about its models.

    Without a connection it runs on a new DuckDB in memory. Raises ``Invalid`` with a position for
    what is wrong in the statement or does not fit a model, ``ModelFailed`` and what finding a model
    raises; rows that were read until then are right.
    """
    with ExitStack() as stack:
        if connection is None:
            connection = stack.enter_context(duckdb.connect(":memory:"))
        session = _Session(connection, choices or Choices(), statement)
        stack.callback(session.close)
        try:
            text = rewrite(statement, "duckdb", session.replace)
            relation = connection.sql(text)
            if relation is None:  # a statement that gives no rows is done
                relation = connection.sql("SELECT 1 AS done LIMIT 0")
            reader = relation.to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise session.failure or Invalid(f"DuckDB refuses: {error}") from None
        yield (
            pa.RecordBatchReader.from_batches(reader.schema, _told(reader, session)),
            (session.warnings),
        )


def _told(reader: Any, session: _Session) -> Iterator[pa.RecordBatch]:
    """The batches of a reader; what a model failed with is raised as it was."""
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise session.failure or Invalid(f"DuckDB refuses: {error}") from None


def sql(
    statement: str,
    connection: Any = None,
    *,
    workspace: str = "default",
    server: str = "",
    data: str = "",
    casts: Sequence[str] = (),
    processes: int = 0,
) -> pa.Table:
    """The rows of a statement with PREDICT, as an Arrow table; raises as ``query``.

    Args:
        statement: SQL as DuckDB reads it, with ``PREDICT('name/3', *)`` anywhere.
        connection: a DuckDB connection whose tables the statement may name.
        workspace: where the models are.
        server: a Heddle server's address; HEDDLE_URL or MLFLOW_TRACKING_URI unless told.
        data: a data folder, instead of a server.
        casts: the model's columns for which an offered cast is accepted; ``["*"]`` for all.
        processes: child processes of each model; one for each core unless told.
    """
    home = find_home(statement, "duckdb", server, data)
    choices = Choices(home=home, workspace=workspace, casts=tuple(casts), processes=processes)
    with query(statement, choices, connection) as (reader, _):
        return reader.read_all()


def write(reader: pa.RecordBatchReader, address: str, mode: str) -> int:
    """Write rows to a table, all or nothing; how many. Raises as `targets`."""
    output = Output(address=address, mode=mode)  # type: ignore[arg-type]
    target = Target(output, local.new_job())
    rows = 0
    target.aside.begin("sql")
    try:
        part = PartFile(target.aside, 0, reader.schema)
        try:
            for batch in reader:
                part.write(batch)
                rows += batch.num_rows
        except BaseException:
            part.drop()
            raise
        part.finish()
        target.commit()
    except BaseException:
        target.aside.discard()
        raise
    return rows
