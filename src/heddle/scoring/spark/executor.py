"""What runs on Spark's executors: Arrow batches go to a confined child that holds the model.

Each of an executor's Python processes keeps the children that it last used, for the tasks to come;
the model's files are unpacked once per executor. While a child predicts, the next batch is taken
from Spark and handed over. Predictions come back in the types that the driver announced, which
loses nothing or fails in words.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from heddle.errors import Invalid
from heddle.scoring.check import check, require
from heddle.scoring.children import SLOTS, Child
from heddle.scoring.confined import ChildDied, ModelFailed
from heddle.scoring.plan import Limits
from heddle.scoring.predictor import Refused, feed
from heddle.scoring.signature import Signature
from heddle.scoring.spark import bundle

HELD_MAX: Final = 4
"""Children that one Python process keeps: statements may apply several models to the same rows."""
JOINED_BYTES: Final = 4 * 1024 * 1024
"""Spark's batches are joined up to about this, so that handing them over costs little."""
JOINED_ROWS: Final = 65_536
_held: OrderedDict[str, Child] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Carried:
    """A model on its way to executors, as plain data.

    ``steps`` make the model's columns; where the table is not known
    beforehand there are none, and ``signature``, ``mapping`` and ``casts`` say how the first batch
    is checked. ``schema`` is what predictions are announced to be.
    """

    title: str
    digest: str
    params: Mapping[str, Any]
    names: Sequence[str]
    limits: Limits
    steps: Sequence[tuple[str, str, str]] = ()
    signature: Signature | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    casts: Sequence[str] = ()
    schema: pa.Schema | None = None

    @property
    def key(self) -> str:
        """The same for the same child."""
        return json.dumps([self.digest, self.params, list(self.names), repr(self.limits)],
                          sort_keys=True, default=repr)  # fmt: skip


def _spark_folder() -> Path:
    """Where Spark puts what was sent to this executor; it removes it at the end."""
    from pyspark import SparkFiles  # noqa: PLC0415 -- only inside a task does it know

    return Path(SparkFiles.getRootDirectory())


def _child(carried: Carried) -> Child:
    """The child with this model, started if this process has none."""
    child = _held.pop(carried.key, None)
    if child is None:
        while len(_held) >= HELD_MAX:
            _held.popitem(last=False)[1].close()
        place = _spark_folder()
        packed = place / bundle.name_of(carried.digest)
        folder = bundle.unpack(packed, carried.digest, place)
        child = Child(
            folder, params=dict(carried.params) or None, names=carried.names,
            limits=carried.limits, scratch=place,
        )  # fmt: skip
    _held[carried.key] = child
    return child


def words_of(carried: Carried) -> tuple[list[str], dict[str, str], str]:
    """The walls around this model here, the libraries that predict, the way that was taken."""
    child = _child(carried)
    return child.walls, child.libraries, child.path


def _forget(carried: Carried) -> None:
    """End the child with this model: it died, failed, or holds answers that nobody wants."""
    child = _held.pop(carried.key, None)
    if child is not None:
        child.close()


def predict(
    carried: Carried, batches: Iterable[pa.RecordBatch]
) -> Generator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Each batch and its predictions, in order; raises ``Invalid``, ``ModelFailed``.

    A child that died under its work is replaced once.
    """
    steps = list(carried.steps)
    waiting: deque[tuple[pa.RecordBatch, pa.RecordBatch]] = deque()
    is_whole = False
    try:
        for batch in batches:
            if not batch.num_rows:
                continue
            steps = steps or _steps(carried, batch.schema)
            fed = _fed(batch, steps)
            if len(waiting) == SLOTS:
                yield _received(carried, waiting)
            _send(carried, fed, waiting)
            waiting.append((batch, fed))
        while waiting:
            yield _received(carried, waiting)
        is_whole = True
    finally:
        if not is_whole:
            _forget(carried)


def _send(
    carried: Carried, fed: pa.RecordBatch, waiting: Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]
) -> None:
    try:
        _child(carried).send(fed)
    except ChildDied:
        child = _again(carried, waiting)
        child.send(fed)


def _received(
    carried: Carried, waiting: deque[tuple[pa.RecordBatch, pa.RecordBatch]]
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    try:
        predicted = _child(carried).receive()
    except ChildDied:
        predicted = _again(carried, waiting).receive()
    batch, _ = waiting.popleft()
    if predicted.num_rows != batch.num_rows:
        raise ModelFailed(
            f"The model gave {predicted.num_rows} predictions for {batch.num_rows} rows."
        )
    return batch, predicted if carried.schema is None else fit(predicted, carried.schema)


def _again(carried: Carried, waiting: Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]) -> Child:
    _forget(carried)
    child = _child(carried)
    for _, fed in waiting:
        child.send(fed)
    return child


def _steps(carried: Carried, schema: pa.Schema) -> list[tuple[str, str, str]]:
    """How the model's columns are made of a table that nobody saw before."""
    assert carried.signature is not None  # noqa: S101 -- without steps there is one
    seen = pa.schema([pa.field(each.name, _without_zone(each.type)) for each in schema])
    verdict = check(
        carried.signature, seen, mapping=carried.mapping, casts=carried.casts, params=carried.params
    )
    require(verdict, carried.title)
    return [(step.name, step.column, step.cast) for step in verdict.steps]


def _without_zone(given: pa.DataType) -> pa.DataType:
    return pa.timestamp(given.unit) if pa.types.is_timestamp(given) and given.tz else given


def _fed(batch: pa.RecordBatch, steps: Sequence[tuple[str, str, str]]) -> pa.RecordBatch:
    """The model's own columns; instants as the wall clock of Spark's session, as in pandas."""
    for at, each in enumerate(batch.schema):
        if pa.types.is_timestamp(each.type) and each.type.tz:
            local = pc.local_timestamp(batch.column(at))
            batch = batch.set_column(at, each.name, local)
    try:
        return feed(batch, steps)
    except Refused as error:
        raise Invalid(str(error)) from None


def fit(predicted: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Predictions in the announced types; raises ``Invalid`` where that would change a value."""
    if len(schema) != predicted.num_columns:
        raise Invalid(
            f"The model gives the columns {', '.join(predicted.schema.names)}, and"
            f" {', '.join(schema.names)} were announced."
        )
    arrays = []
    for array, wanted in zip(predicted.columns, schema, strict=True):
        made = array
        if array.type != wanted.type:
            try:
                made = array.cast(wanted.type)
            except pa.ArrowException as error:
                raise _unlike(array.type, wanted, str(error)) from None
            if pa.types.is_float32(wanted.type) and pa.types.is_float64(array.type):
                back = made.cast(array.type)
                if not pc.all(pc.or_kleene(pc.equal(back, array), pc.is_nan(array))).as_py():
                    raise _unlike(array.type, wanted, "values would be rounded")
        arrays.append(made)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _unlike(found: pa.DataType, wanted: pa.Field, why: str) -> Invalid:
    return Invalid(
        f"The model predicts {found} for '{wanted.name}', its signature says {wanted.type}: {why}."
        " Log it again with a signature inferred from its predictions."
    )


def joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches of about `JOINED_BYTES`."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= JOINED_ROWS or size >= JOINED_BYTES:
            yield held[0] if len(held) == 1 else pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield held[0] if len(held) == 1 else pa.concat_batches(held)


def attach(
    carried: Carried, kept: Sequence[str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Kept columns and predictions, as Spark's ``mapInArrow`` takes them."""
    for batch, predicted in predict(carried, joined(batches)):
        arrays = [*(batch.column(name) for name in kept), *predicted.columns]
        yield pa.RecordBatch.from_arrays(arrays, [*kept, *predicted.schema.names])


def columns(
    carried: Carried, names: Sequence[str], given: Iterable[Sequence[pa.Array]]
) -> Iterator[pa.Array]:
    """Predictions for columns that have no names, one array for each batch of them.

    Several columns of predictions are one of structs.
    """
    batches = (pa.RecordBatch.from_arrays(list(arrays), list(names)) for arrays in given)
    for _, predicted in predict(carried, batches):
        yield one(predicted)


def one(predicted: pa.RecordBatch) -> pa.Array:
    """Predictions as one column."""
    if predicted.num_columns == 1:
        return predicted.column(0)
    return pa.StructArray.from_arrays(predicted.columns, fields=list(predicted.schema))


def look(carried: Carried, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What predictions are like, and who makes them, found out on a few rows: one row of JSON."""
    for _, predicted in predict(carried, batches):
        walls, libraries, path = words_of(carried)
        said = {"walls": walls, "libraries": libraries, "path": path}
        yield pa.RecordBatch.from_arrays(
            [pa.array([predicted.schema.serialize().to_pybytes()]), pa.array([json.dumps(said)])],
            ["schema", "said"],
        )
