"""Spark's types and Arrow's, each as the other, as far as tables for models need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import types as spark

from heddle.errors import Invalid

_SAME: Final[Mapping[type, pa.DataType]] = {
    spark.BooleanType: pa.bool_(),
    spark.ByteType: pa.int8(),
    spark.ShortType: pa.int16(),
    spark.IntegerType: pa.int32(),
    spark.LongType: pa.int64(),
    spark.FloatType: pa.float32(),
    spark.DoubleType: pa.float64(),
    spark.StringType: pa.string(),
    spark.BinaryType: pa.binary(),
    spark.DateType: pa.date32(),
    # Executors see the session's wall clock: what Spark keeps as an instant loses its zone there.
    spark.TimestampType: pa.timestamp("us"),
    spark.TimestampNTZType: pa.timestamp("us"),
}
_BACK: Final = {
    kind: made
    for made, kind in _SAME.items()
    if made not in (spark.TimestampType, spark.TimestampNTZType)
}
_WIDER: Final[Mapping[pa.DataType, pa.DataType]] = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
    pa.float16(): pa.float32(),
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
}
"""What Spark lacks, as the type that it has for the same values."""


def table_schema(given: Any) -> pa.Schema:
    """A DataFrame's schema as Arrow's; what Arrow cannot hold is null, which no model takes."""
    return pa.schema([pa.field(each.name, arrow_type(each.dataType)) for each in given.fields])


def arrow_type(given: Any) -> pa.DataType:
    """The Arrow type in which a type's values arrive; null for those that cannot."""
    if isinstance(given, spark.DecimalType):
        return pa.decimal128(given.precision, given.scale)
    if isinstance(given, spark.ArrayType):
        return pa.list_(arrow_type(given.elementType))
    if isinstance(given, spark.MapType):
        return pa.map_(arrow_type(given.keyType), arrow_type(given.valueType))
    if isinstance(given, spark.StructType):
        return pa.struct(list(table_schema(given)))
    return _SAME.get(type(given), pa.null())


def holds_unknown(given: pa.DataType) -> bool:
    """Whether something in a type has no Arrow type."""
    if pa.types.is_null(given):
        return True
    return any(holds_unknown(given.field(at).type) for at in range(given.num_fields))


def settled(given: pa.DataType) -> pa.DataType:
    """The Arrow type that Spark has for these values; raises ``Invalid`` if it has none."""
    types = pa.types
    if types.is_list(given) or types.is_large_list(given) or types.is_fixed_size_list(given):
        return pa.list_(settled(given.value_type))
    if types.is_struct(given):
        parts = [given.field(at) for at in range(given.num_fields)]
        return pa.struct([pa.field(part.name, settled(part.type)) for part in parts])
    if types.is_timestamp(given):
        return pa.timestamp("us", given.tz)
    made = _WIDER.get(given, given)
    if made not in _BACK and not types.is_decimal128(made):
        raise Invalid(f"The model predicts {given}, for which Spark has no type.")
    return made


def spark_type(given: pa.DataType) -> Any:
    """Spark's type for a settled one of Arrow's."""
    types = pa.types
    if types.is_list(given):
        return spark.ArrayType(spark_type(given.value_type))
    if types.is_struct(given):
        parts = [given.field(at) for at in range(given.num_fields)]
        return spark.StructType([spark.StructField(p.name, spark_type(p.type)) for p in parts])
    if types.is_decimal128(given):
        return spark.DecimalType(given.precision, given.scale)
    if types.is_timestamp(given):
        return spark.TimestampType() if given.tz else spark.TimestampNTZType()
    return _BACK[given]()


def spark_field(name: str, kind: pa.DataType, about: Mapping[str, str] | None = None) -> Any:
    """A column of one of Arrow's types as Spark's, with metadata."""
    return spark.StructField(name, spark_type(settled(kind)), metadata=dict(about or {}))


def spark_fields(schema: pa.Schema, about: Mapping[str, str] | None = None) -> list[Any]:
    """Columns of predictions as Spark's."""
    return [spark_field(each.name, each.type, about) for each in schema]


def struct(fields: Sequence[Any]) -> Any:
    """A row of these columns."""
    return spark.StructType(list(fields))
