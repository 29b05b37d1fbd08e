"""What a receipt says of values, asked of Spark: exact counts, ends and means, the rest by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as spark_functions

from heddle.scoring import receipt
from heddle.scoring.spark import driver, types

_FLOATING = ("float", "double")
_NUMBERS = (*_FLOATING, "byte", "short", "integer", "long")
_SUMMED = (*_NUMBERS, "string", "boolean")


def fill(made: receipt.Receipt, frame: Any, written: Any, ready: driver.Ready) -> None:
    """Note the rows, the values of predictions and inputs, drift, and who predicted."""
    steps = ready.prepared.verdict.steps
    predicted = list(ready.schema.names)
    fed = list(dict.fromkeys(step.column for step in steps))
    # Inputs that the output keeps are read with its predictions, the others from where they are.
    beside = [name for name in fed if name in written.columns]
    apart = [name for name in fed if name not in written.columns]
    made.rows, found = _summed(written, [*predicted, *beside])
    if apart:
        found |= _summed(frame, apart)[1]
    made.predictions = [found[name][0] for name in predicted if name in found]
    made.input["rows"] = made.rows
    example = receipt.read_example(ready.prepared.info.example)
    for step in steps:
        if step.column not in found:
            continue
        values, sample = found[step.column]
        values.column = step.name
        made.inputs.append(values)
        drift = receipt.drift_of(step.name, example.get(step.name, ()), sample)
        if drift is not None:
            made.drift.append(drift)
    said = driver.look(frame.select(*map(driver.quoted, fed)), ready.carried)
    made.walls, made.libraries = said.get("walls", []), said.get("libraries", {})
    made.path = said.get("path", "")


def _summed(
    frame: Any, names: Sequence[str]
) -> tuple[int, dict[str, tuple[receipt.Distribution, Any]]]:
    """How many rows, and each column's values with a sample of them."""
    kinds = {name: frame.schema[name].dataType.typeName() for name in names}
    kept = [name for name in names if kinds[name] in _SUMMED]
    row = frame.agg(*_asked(kept, kinds)).first()
    rows = int(row[0])
    chosen = frame.select(*map(driver.quoted, kept))
    if rows > receipt.SAMPLE_MAX:
        chosen = chosen.sample(receipt.SAMPLE_MAX / rows, seed=0)
    schema = types.table_schema(chosen.schema)
    sample = pa.Table.from_pylist([each.asDict() for each in chosen.collect()], schema=schema)
    found = {}
    for at, name in enumerate(kept):
        present, nans, low, high, total = row[1 + 5 * at : 6 + 5 * at]
        part = receipt.Summary(name)
        for batch in sample.select([name]).to_batches():
            part.add(batch.column(0))
        made = part.done()
        made.rows, made.nulls, made.nans = rows, rows - present, nans or 0
        counted = present - made.nans
        if kinds[name] in _NUMBERS and counted:
            made.low, made.high = float(low), float(high)
            made.mean = float(total) / counted
        found[name] = (made, part.sample)
    return rows, found


def _asked(names: Sequence[str], kinds: dict[str, str]) -> list[Any]:
    """Rows, then for each column: present, not a number, least, greatest, sum."""
    f = spark_functions
    none = f.lit(None)
    asked = [f.count(f.lit(1)).alias("rows")]
    for at, name in enumerate(names):
        column = f.col(driver.quoted(name))
        is_floating = kinds[name] in _FLOATING
        number = f.when(~f.isnan(column), column) if is_floating else column
        is_number = kinds[name] in _NUMBERS
        made = [
            f.count(column),
            f.count_if(f.isnan(column)) if is_floating else f.lit(0),
            f.min(number) if is_number else none,
            f.max(number) if is_number else none,
            f.sum(number.cast("double")) if is_number else none,
        ]
        asked += [each.alias(f"v{at}_{place}") for place, each in enumerate(made)]
    return asked
