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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from heddle.errors import HeddleError, Invalid
from heddle.scoring import local, models, tables
from heddle.scoring.calls import Argument, Call, Probe, rewrite, wrong
from heddle.scoring.check import SchemaRefused
from heddle.scoring.children import Child, ChildDied
from heddle.scoring.plan import Input, Limits, Model, Output, Plan
from heddle.scoring.predictor import Refused, feed
from heddle.scoring.signature import Signature, read_model
from heddle.scoring.targets import Target

FIRST_ROWS: Final = 256
"""Rows that are predicted to see of which type predictions are."""
BATCH_ROWS: Final = 65_536
IN_SQL: Final = "sql"
Step = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Choices:
    """How models are found and run; as of ``heddle predict``."""

    home: models.Home | None = None
    cache: Path | None = None
    workspace: str = "default"
    casts: tuple[str, ...] = ()
    env: str = "current"
    processes: int = 0
    limits: Limits = field(default_factory=Limits)
    allow_suspicious: bool = False


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


class _Session:
    """One statement on one connection: its models, its functions, the first failure."""

    def __init__(self, connection: Any, choices: Choices, text: str) -> None:
        self.connection = connection
        self.choices = choices
        self.statement = text
        self.count = choices.processes or (os.cpu_count() or 1)
        self.pools: dict[tuple[str, str], Pool] = {}
        self.functions: list[str] = []
        self.warnings: list[str] = []
        self.failure: HeddleError | None = None

    def replace(self, call: Call, texts: Sequence[str], probe: Probe) -> str:
        """Make the function that a call becomes, and the text that calls it."""
        model = Model(uri=call.model, workspace=self.choices.workspace)
        try:
            _, found, folder = models.fetch(self.choices.home, model, self.choices.cache)
            info = read_model(folder)
        except HeddleError as error:
            raise wrong(error.message, self.statement, call.start) from None
        params, given = self._split(call, texts, info.signature)
        schema, columns = self._columns(call, given, info.signature, probe)
        plan = Plan(
            model=model,
            input=Input(address=IN_SQL),
            output=Output(address=IN_SQL),
            params=params,
            casts=(*self.choices.casts, *_decimals(schema)),
            env=self.choices.env,  # type: ignore[arg-type]
            processes=self.choices.processes,
            limits=self.choices.limits,
            allow_suspicious=self.choices.allow_suspicious,
        )
        source = tables.InMemory(schema, (), 0)
        prepared = local.prepare(
            plan, home=self.choices.home, cache=self.choices.cache, source=source
        )
        if not prepared.verdict.is_ok:
            refused = SchemaRefused(prepared.verdict, found.title)
            raise wrong(refused.message, self.statement, call.start)
        local.refuse_suspicious(prepared)
        self.warnings += [*local.library_warnings(prepared), *prepared.verdict.warnings]
        steps = [(step.name, step.column, step.cast) for step in prepared.verdict.steps]
        used = list(dict.fromkeys(column for _, column, _ in steps))
        name = self._function(prepared, steps, [columns[column] for column in used], used, probe)
        return f"{name}({', '.join(columns[column] for column in used)})"

    def _split(
        self, call: Call, texts: Sequence[str], signature: Signature
    ) -> tuple[dict[str, Any], list[tuple[Argument, str]]]:
        """Params by name, and the arguments that are columns."""
        known = {param.name.lower(): param.name for param in signature.params}
        columns = {column.name.lower() for column in signature.inputs or ()}
        params: dict[str, Any] = {}
        given = []
        for argument, text in zip(call.arguments, texts, strict=True):
            name = argument.name.lower()
            if name and name in known and name not in columns:
                params[known[name]] = self._constant(text, argument)
            elif name and name not in columns:
                listed = ", ".join([*known.values(), *sorted(columns)]) or "none"
                raise wrong(
                    f"'{call.model}' has neither a param nor a column '{argument.name}'; it has"
                    f" {listed}",
                    self.statement,
                    argument.start,
                )
            else:
                given.append((argument, text))
        return params, given

    def _constant(self, text: str, argument: Argument) -> Any:
        try:
            row = self.connection.sql(f"SELECT {text}").fetchall()[0]
        except duckdb.Error:
            raise wrong(
                f"The param '{argument.name}' needs a value that does not depend on the rows",
                self.statement,
                argument.start,
            ) from None
        value = row[0]
        is_plain = value is None or isinstance(value, bool | int | float | str | list | dict)
        return value if is_plain else float(str(value))

    def _columns(
        self,
        call: Call,
        given: Sequence[tuple[Argument, str]],
        signature: Signature,
        probe: Probe,
    ) -> tuple[pa.Schema, dict[str, str]]:
        """What the call is given as a table, and the expression behind each of its columns."""
        fields: list[pa.Field] = []
        columns: dict[str, str] = {}
        spelt = {column.name.lower(): column.name for column in signature.inputs or ()}
        plain = [argument for argument, _ in given if not argument.is_star and not argument.name]
        names = _names(plain, signature)
        for argument, text in given:
            found = self._describe(call, argument, text, probe)
            if argument.is_star:
                prefix = text.rpartition("*")[0] if text.rstrip().endswith(".*") else ""
                shown = [(each.name, f"{prefix}{_quoted(each.name)}") for each in found]
            else:
                named = spelt.get(argument.name.lower(), argument.name)
                shown = [(named or names[argument.start], text)]
            for each, (name, expression) in zip(found, shown, strict=True):
                if name not in columns:
                    fields.append(each.with_name(name))
                columns.setdefault(name, expression)
        inputs = signature.inputs if signature.is_named else None
        if any(argument.is_star for argument, _ in given) and inputs is not None:
            fields, columns = _like_model(fields, columns, [column.name for column in inputs])
        return pa.schema(fields), columns

    def _describe(self, call: Call, argument: Argument, text: str, probe: Probe) -> list[pa.Field]:
        try:
            found = self.connection.sql(f"{probe([text])} LIMIT 0").to_arrow_table().schema
        except duckdb.Error as error:
            raise wrong(
                f"PREDICT('{call.model}', ...) cannot be given {text}: {_first_line(error)}",
                self.statement,
                argument.start,
            ) from None
        return list(found)

    def _function(
        self,
        prepared: local.Prepared,
        steps: Sequence[Step],
        expressions: Sequence[str],
        used: Sequence[str],
        probe: Probe,
    ) -> str:
        """A function of DuckDB that predicts; its name."""
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


def _decimals(schema: pa.Schema) -> list[str]:
    """Columns of decimals: that is what SQL makes of 1.5, so they become floats unasked."""
    return [field.name for field in schema if pa.types.is_decimal(field.type)]


def _names(plain: Sequence[Argument], signature: Signature) -> dict[int, str]:
    """The name of each plain argument, by where it starts: its own, or the model's by order."""
    inputs = [column.name for column in signature.inputs or ()]
    known = {name.lower(): name for name in inputs}
    if all(argument.column.lower() in known for argument in plain) or not inputs:
        return {
            each.start: known.get(each.column.lower(), each.column or f"column_{at}")
            for at, each in enumerate(plain)
        }
    ordered = [*inputs, *(f"column_{at}" for at in range(len(inputs), len(plain)))]
    return {each.start: name for each, name in zip(plain, ordered, strict=False)}


def _like_model(
    fields: Sequence[pa.Field], columns: Mapping[str, str], inputs: Sequence[str]
) -> tuple[list[pa.Field], dict[str, str]]:
    """Columns under the model's spelling: SQL does not tell ``Age`` from ``age``, models do."""
    there = set(columns)
    spelt = {name.lower(): name for name in inputs if name not in there}
    renamed = {name: spelt.get(name.lower(), name) for name in columns}
    return (
        [each.with_name(renamed[each.name]) for each in fields],
        {renamed[name]: text for name, text in columns.items()},
    )


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
    home = find_home(statement, server, data)
    choices = Choices(home=home, workspace=workspace, casts=tuple(casts), processes=processes)
    with query(statement, choices, connection) as (reader, _):
        return reader.read_all()


def find_home(statement: str, server: str, data: str) -> models.Home | None:
    """The home of a statement's models; none is looked for where all are folders."""
    from heddle.scoring.calls import find_calls  # noqa: PLC0415 -- beside its only use

    found = [models.parse(call.model) for call in find_calls(statement, "duckdb")]
    if all(named.folder for named in found):
        return None
    return models.find_home(server, data)


def write(reader: pa.RecordBatchReader, address: str, mode: str) -> int:
    """Write rows to a table, all or nothing; how many. Raises as `targets`."""
    output = Output(address=address, mode=mode)  # type: ignore[arg-type]
    target = Target(output, local.new_job())
    rows = 0
    target.begin("sql")
    try:
        writer = target.part(0, reader.schema)
        try:
            for batch in reader:
                writer.write(batch)
                rows += batch.num_rows
        finally:
            writer.close()
        target.finish(0)
        target.commit()
    except BaseException:
        target.discard()
        raise
    return rows
