"""Makes a model ready for Spark: found, checked, its files sent, what it predicts known.

The driver, or the client of Spark Connect, never loads a model and needs none of its libraries. It
finds the files as every engine does, checks the table before the first row, and has Spark itself
bring them to the executors, which so need neither the server nor a data folder nor anybody's
credentials. Spark must know the types of predictions beforehand: the signature says them, else an
executor predicts a few rows.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from heddle.errors import Invalid
from heddle.scoring import local, models, receipt, tables
from heddle.scoring.check import require
from heddle.scoring.plan import PREDICTIONS, Input, Output, Plan
from heddle.scoring.signature import ARROW, Column, Signature, read_model
from heddle.scoring.spark import bundle, executor, types

FIRST_ROWS: Final = 64
"""Rows that an executor predicts where no signature says what predictions are."""
IN_HAND: Final = "spark"
"""What a plan calls a table that has no address."""
LOOKED: Final = "schema binary, said string"
_sent: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


@dataclass(slots=True)
class Ready:
    """A model that executors can apply; ``prepared`` is as of every engine."""

    prepared: local.Prepared
    carried: executor.Carried

    @property
    def schema(self) -> pa.Schema:
        """The columns of predictions, in types that Spark has."""
        assert self.carried.schema is not None  # noqa: S101 -- settled when it was made ready
        return self.carried.schema


def is_connect(spark: Any) -> bool:
    """Whether a session is a client of Spark Connect."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def ready_for_table(
    spark: Any, plan: Plan, frame: Any, home: models.Home | None, cache: Path | None = None
) -> Ready:
    """Check a plan's model against a DataFrame and send its files.

    Raises ``SchemaRefused`` with everything that does not fit, and what finding a model raises.
    """
    made = _prepare(plan, types.table_schema(frame.schema), home, cache)
    require(made.verdict, made.title)
    return ready(spark, made, cache, lambda: frame)


def ready(spark: Any, made: local.Prepared, cache: Path | None, rows: Callable[[], Any]) -> Ready:
    """Send the files of a model that was checked; ``rows`` gives the table where it must be asked."""
    carried = carried_for_table(spark, made, cache)
    schema = announced(made.info.signature, made.plan.output.predictions)
    if schema is None:
        used = list(dict.fromkeys(column for _, column, _ in carried.steps))
        schema = _seen(rows().select(*map(quoted, used)), carried)
    return Ready(made, _settled(carried, schema, made.title))


def carried_for_table(spark: Any, made: local.Prepared, cache: Path | None) -> executor.Carried:
    """A model that was checked, on its way: its files are sent, what it predicts is not yet known."""
    steps = [(step.name, step.column, step.cast) for step in made.verdict.steps]
    carried = replace(_carried(made), steps=steps)
    send(spark, made, carried, cache)
    return carried


def ready_for_function(
    spark: Any, plan: Plan, home: models.Home | None, cache: Path | None = None
) -> Ready:
    """Send a model's files for a function whose table nobody knows yet.

    Executors check the first batch they see. Raises ``Invalid`` where neither the signature nor an
    input example tells what is predicted, and what finding a model raises.
    """
    _, _, folder = models.fetch(home, plan.model, cache)
    info = read_model(folder)
    made = _prepare(plan, _as_taken(info.signature, plan), home, cache)
    # Of a table nothing is known, so all that can be wrong is what was said of the model.
    said = [each for each in made.verdict.problems if each.kind in ("param", "unknown")]
    require(replace(made.verdict, problems=tuple(said)), made.title)
    carried = replace(
        _carried(made), signature=info.signature, mapping=plan.mapping, casts=plan.casts
    )
    send(spark, made, carried, cache)
    schema = announced(info.signature, plan.output.predictions)
    if schema is None and (example := receipt.read_example(info.example)):
        schema = _seen(spark.createDataFrame(pd.DataFrame(example).head(FIRST_ROWS)), carried)
    return Ready(made, _settled(carried, schema, made.title))


def _as_taken(signature: Signature, plan: Plan) -> pa.Schema:
    """A table as the model would have it: what is checked then are params and mapping alone."""
    inputs = signature.inputs or ()
    return pa.schema(
        [
            pa.field(plan.mapping.get(each.name, each.name), ARROW.get(each.kind, pa.null()))
            for each in inputs
        ]
    )


def check_env(plan: Plan) -> None:
    """Raise ``Invalid`` for a plan that would bring its own libraries."""
    if plan.env != "current":
        raise Invalid(
            "On Spark a model predicts with the executors' libraries; --env uv is for one machine."
        )


def _prepare(
    plan: Plan, schema: pa.Schema, home: models.Home | None, cache: Path | None
) -> local.Prepared:
    check_env(plan)
    source = tables.InMemory(schema, (), -1)
    made = local.prepare(plan, home=home, cache=cache, source=source)
    local.refuse_suspicious(made)
    return made


def _carried(made: local.Prepared) -> executor.Carried:
    plan = made.plan
    return executor.Carried(
        title=made.title,
        digest=made.model.digest,
        params=dict(plan.params),
        names=plan.output.predictions,
        limits=plan.limits,
    )


def warn(made: local.Prepared) -> None:
    """Say what a verdict warns of."""
    for words in made.verdict.warnings:
        warnings.warn(words, stacklevel=4)


def plan_in_hand(model: Any, **given: Any) -> Plan:
    """A plan for a table that has no address."""
    names = given.pop("predictions", ())
    return Plan(
        model=model,
        input=Input(address=IN_HAND),
        output=Output(address=IN_HAND, predictions=tuple(names)),
        engine="spark",
        **given,
    )


def with_mapping(plan: Plan, mapping: Mapping[str, str]) -> Plan:
    """The plan with another mapping."""
    return msgspec.structs.replace(plan, mapping=dict(mapping))


# ---- files -----------------------------------------------------------------------------------


def send(spark: Any, made: local.Prepared, carried: executor.Carried, cache: Path | None) -> None:
    """Have Spark bring a model's files to every executor that will use it; once a session."""
    done = _sent.setdefault(spark, set())
    if carried.digest in done:
        return
    into = (cache or models.cache_folder()) / "bundles"
    packed = bundle.pack(made.folder, carried.digest, into)
    if is_connect(spark):
        spark.addArtifacts(str(packed), file=True)
    else:
        spark.sparkContext.addFile(str(packed))
    done.add(carried.digest)


# ---- what is predicted -----------------------------------------------------------------------


def announced(signature: Signature, names: Sequence[str]) -> pa.Schema | None:
    """The columns of predictions that a signature tells; None where it does not."""
    found: list[tuple[str, pa.DataType]] = []
    for column in signature.outputs:
        kinds = _kinds(column, alone=len(names) == 1)
        if kinds is None:
            return None
        found += [(column.name, kind) for kind in kinds]
    if not found or (names and len(names) != len(found)):
        return None
    if names:
        called = list(names)
    elif len(found) == 1:
        called = [found[0][0] or PREDICTIONS]
    else:
        called = [name or f"{PREDICTIONS}_{at}" for at, (name, _) in enumerate(found)]
    if len(set(called)) < len(called):
        return None
    return pa.schema(list(zip(called, (kind for _, kind in found), strict=True)))


def _kinds(column: Column, *, alone: bool) -> list[pa.DataType] | None:
    """The types of what an output becomes: one column, or one for each number of a row."""
    if column.kind in ARROW:
        return [ARROW[column.kind]]
    if column.kind != "tensor" or len(column.shape) > 1 or column.dtype == "object":
        return None
    try:
        kind = pa.from_numpy_dtype(np.dtype(column.dtype))
    except (TypeError, pa.ArrowException):
        return None
    if not column.shape or column.shape == (1,):
        return [kind]
    if column.shape[0] < 0 or column.name:
        return None
    return [pa.list_(kind)] if alone else [kind] * column.shape[0]


def _seen(frame: Any, carried: executor.Carried) -> pa.Schema | None:
    """The columns of predictions for the first rows, predicted by an executor; None without rows."""
    found = frame.limit(FIRST_ROWS).mapInArrow(partial(executor.look, carried), LOOKED).take(1)
    return pa.ipc.read_schema(pa.py_buffer(bytes(found[0]["schema"]))) if found else None


def look(frame: Any, carried: executor.Carried) -> dict[str, Any]:
    """What an executor says of the walls and libraries around a model; empty without rows."""
    found = frame.limit(1).mapInArrow(partial(executor.look, carried), LOOKED).take(1)
    said: dict[str, Any] = json.loads(found[0]["said"]) if found else {}
    return said


def _settled(carried: executor.Carried, schema: pa.Schema | None, title: str) -> executor.Carried:
    """With the announced columns in types that Spark has."""
    if schema is None:
        raise Invalid(
            f"Nobody can say what {title} predicts before it does, and Spark must know: log it with"
            " signature=infer_signature(inputs, predictions)."
        )
    fields = [pa.field(each.name, types.settled(each.type)) for each in schema]
    return replace(carried, schema=pa.schema(fields))


def quoted(name: str) -> str:
    """A column's name as Spark reads it whatever it holds."""
    return "`" + name.replace("`", "``") + "`"
