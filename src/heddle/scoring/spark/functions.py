"""A ready model as what Spark calls: columns added to a DataFrame, or a function of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as spark_functions

from heddle.errors import Invalid
from heddle.scoring.spark import driver, executor, types


def attached(
    frame: Any,
    ready: driver.Ready,
    kept: Sequence[str] | None = None,
    about: Mapping[str, str] | None = None,
) -> Any:
    """The DataFrame with columns of predictions added; raises ``Invalid`` for a name taken twice.

    ``kept`` are its columns that stay, all unless told; ``about`` goes into the metadata of the new.
    """
    names = list(frame.columns if kept is None else kept)
    both = sorted(set(names) & set(ready.schema.names))
    if both:
        raise Invalid(
            f"The table has columns that are called like predictions: {', '.join(both)}. Name the"
            " predictions otherwise (outputCol=), or drop those columns."
        )
    if any(types.holds_unknown(types.arrow_type(frame.schema[name].dataType)) for name in names):
        return _beside(frame, ready, names, about)
    fed = [column for _, column, _ in ready.carried.steps]
    fields = [frame.schema[name] for name in names]
    given = frame.select(*map(driver.quoted, dict.fromkeys([*names, *fed])))
    made = [*fields, *types.spark_fields(ready.schema, about)]
    return given.mapInArrow(partial(executor.attach, ready.carried, names), types.struct(made))


def _beside(
    frame: Any, ready: driver.Ready, names: Sequence[str], about: Mapping[str, str] | None
) -> Any:
    """The same where a kept column is of a type that Arrow cannot hold, such as ML's vectors."""
    fed = list(dict.fromkeys(column for _, column, _ in ready.carried.steps))
    predicted = function(ready, fed)(*map(driver.quoted, fed))
    aside = "heddle predictions"
    whole = frame.select(*map(driver.quoted, names), predicted.alias(aside))
    made = spark_functions.col(driver.quoted(aside))
    is_one = len(ready.schema) == 1
    shown = [
        (made if is_one else made.getField(name)).alias(name, metadata=dict(about or {}))
        for name in ready.schema.names
    ]
    return whole.select(*map(driver.quoted, names), *shown)


def function(ready: driver.Ready, names: Sequence[str]) -> Any:
    """A function of columns called so, for DataFrames and for SQL."""
    fields = types.spark_fields(ready.schema)
    returned = fields[0].dataType if len(fields) == 1 else types.struct(fields)
    work = partial(executor.columns, ready.carried, list(names))
    if hasattr(spark_functions, "arrow_udf"):  # since 4.1: past pandas both ways
        return spark_functions.arrow_udf(_over_arrow(work), returned)
    return spark_functions.pandas_udf(_over_pandas(work, is_struct=len(fields) > 1), returned)


def _over_arrow(work: Any) -> Any:
    def predict(given: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        # One column comes as itself.
        yield from work([each] if isinstance(each, pa.Array) else each for each in given)

    return _annotated(predict, Iterator[tuple[pa.Array, ...]], Iterator[pa.Array])


def _over_pandas(work: Any, *, is_struct: bool) -> Any:
    def predict(given: Any) -> Any:
        listed = ([each] if isinstance(each, pd.Series) else each for each in given)
        arrays = ([pa.Array.from_pandas(each) for each in batch] for batch in listed)
        for made in work(arrays):
            yield _as_pandas(made, is_struct=is_struct)

    returned: Any = Iterator[pd.DataFrame] if is_struct else Iterator[pd.Series]
    return _annotated(predict, Iterator[tuple[pd.Series, ...]], returned)


def _annotated(work: Any, given: Any, returned: Any) -> Any:
    """Spark reads from annotations what a function takes and gives."""
    work.__annotations__ = {"given": given, "return": returned}
    return work


def _as_pandas(made: pa.Array, *, is_struct: bool) -> Any:
    # As Arrow's own: elsewhere pandas, and Spark after it, take what is no number for missing.
    def series(array: pa.Array) -> pd.Series:
        return pd.Series(pd.arrays.ArrowExtensionArray(array))

    if not is_struct:
        return series(made)
    parts: Iterable[pa.Array] = made.flatten()
    return pd.DataFrame(dict(zip([f.name for f in made.type], map(series, parts), strict=True)))
