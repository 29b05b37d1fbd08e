"""What a scoring request asks and what it is answered, in every shape in which people write them.

MLflow's shapes (`dataframe_split`, `dataframe_records`, `instances`, `inputs`, each with `params`, and
CSV) and Fabric's (`orientation` with `inputs`) are read into rows, and rows into the model's own
columns, checked as a table is checked before a job. JSON knows fewer types than a signature: a
whole number is taken for a double, and a number for a float, as MLflow takes them; a text is never
taken for a number. It runs beside the model, in the confined process, and never in the server.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from heddle.scoring.check import check
from heddle.scoring.endpoint import CSV_FORM, FABRIC_FORM
from heddle.scoring.signature import ARROW, Signature

MLFLOW: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
ORIENTATIONS: Final = ("values", "split", "record", "records", "index", "table")
PREDICTIONS: Final = "predictions"
ROWS_MAX: Final = 100_000
PLANS_MAX: Final = 1000
"""Orders of columns that are remembered."""


class Wrong(Exception):
    """The request cannot be scored; the message says why and what would do."""


@dataclass(slots=True)
class Asked:
    """Rows of one request. ``names`` is None where they come by position."""

    names: tuple[str, ...] | None
    rows: Sequence[Any]
    params: dict[str, Any] = field(default_factory=dict)
    orientation: str = ""


def read(body: bytes, form: int) -> Asked:
    """A request's body as rows, at most ``ROWS_MAX``; raises ``Wrong``."""
    made = _read(body, form)
    if len(made.rows) > ROWS_MAX:
        raise Wrong(
            f"The request holds {len(made.rows):,} rows, and {ROWS_MAX:,} may be asked at once."
            " Ask in parts, or let a job apply the version to a table."
        )
    return made


def _read(body: bytes, form: int) -> Asked:
    if form == CSV_FORM:
        return _read_csv(body)
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _read_loosely(body)
    if not isinstance(said, dict):
        raise Wrong(f"The body must be a JSON object with one of {', '.join(MLFLOW)}.")
    if form == FABRIC_FORM:
        return _read_fabric(said)
    params = said.get("params") or {}
    if not isinstance(params, dict):
        raise Wrong("params must be an object that gives each param by name.")
    given = [name for name in MLFLOW if name in said]
    if len(given) != 1:
        raise Wrong(
            f"The body must hold exactly one of {', '.join(MLFLOW)};"
            f" it holds {', '.join(given) or ', '.join(map(str, said)) or 'nothing'}."
        )
    value = said[given[0]]
    if given[0] == "dataframe_split":
        names, rows = _split(value, given[0])
    elif given[0] == "dataframe_records":
        names, rows = _records(value, given[0])
    else:
        names, rows = _tensors(value, given[0])
    return Asked(names, rows, params)


def _read_loosely(body: bytes) -> Any:
    """JSON with NaN and Infinity, which MLflow takes as well."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"The body is not JSON: {error}.") from None


def _read_csv(body: bytes) -> Asked:
    """A head of names, then rows; an empty field is a missing value."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Wrong(f"The body is not CSV: {error}.") from None
    if not lines:
        raise Wrong("The body is empty; CSV begins with a line of column names.")
    rows = [[_from_text(text) for text in line] for line in lines[1:] if line]
    return Asked(_names(lines[0], "The first line"), rows)


def _from_text(text: str) -> Any:
    """A field of CSV as JSON would have it."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"": None, "true": True, "false": False}.get(text.lower(), text)


def _names(said: Any, where: str) -> tuple[str, ...]:
    if not isinstance(said, list):
        raise Wrong(f"{where} must be a list of column names.")
    names = tuple(map(str, said))
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Wrong(f"{where} names {', '.join(twice)} more than once.")
    return names


def _split(said: Any, where: str) -> tuple[tuple[str, ...] | None, Sequence[Any]]:
    if not isinstance(said, dict) or not isinstance(said.get("data"), list):
        raise Wrong(f'{where} must be an object {{"columns": [...], "data": [[...], ...]}}.')
    rows = said["data"]
    if said.get("columns") is None:
        return None, _by_position(rows, f"{where}.data")
    names = _names(said["columns"], f"{where}.columns")
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            found = f"{len(row)} values" if isinstance(row, list) else "no list"
            raise Wrong(f"{where}.data[{at}] is {found}, and there are {len(names)} columns.")
    return names, rows


def _records(said: Any, where: str) -> tuple[tuple[str, ...], Sequence[Any]]:
    if not isinstance(said, list) or not all(isinstance(row, dict) for row in said):
        raise Wrong(f'{where} must be a list of objects, as [{{"column": value, ...}}, ...].')
    names = tuple(said[0]) if said else ()
    if all(tuple(row) == names for row in said):
        return names, [list(row.values()) for row in said]
    # What a row leaves out is missing in it.
    names = tuple(dict.fromkeys(name for row in said for name in row))
    return names, [[row.get(name) for name in names] for row in said]


def _tensors(said: Any, where: str) -> tuple[tuple[str, ...] | None, Sequence[Any]]:
    """TensorFlow Serving's shapes: rows, or (in ``inputs``) columns by name."""
    if isinstance(said, dict) and where == "inputs":
        if not all(isinstance(values, list) for values in said.values()):
            raise Wrong("inputs must give each column a list of values.")
        if len({len(values) for values in said.values()}) > 1:
            sizes = ", ".join(f"{name}: {len(values)}" for name, values in said.items())
            raise Wrong(f"The columns of inputs are not of one length ({sizes}).")
        return tuple(said), [list(row) for row in zip(*said.values(), strict=True)]
    if isinstance(said, list) and said and isinstance(said[0], dict):
        return _records(said, where)
    if not isinstance(said, list):
        raise Wrong(f"{where} must be a list of rows.")
    return None, _by_position(said, where)


def _by_position(rows: list[Any], where: str) -> Sequence[Any]:
    is_list = bool(rows) and isinstance(rows[0], list)
    if not all(isinstance(row, list) == is_list for row in rows):
        raise Wrong(f"{where} holds lists and single values; rows are all of one kind.")
    return rows if is_list or not rows else [[value] for value in rows]


def _read_fabric(said: dict[str, Any]) -> Asked:
    """Fabric's score request; orientations are those of pandas."""
    kind = said.get("formatType", "dataframe")
    orientation, inputs = said.get("orientation", "values"), said.get("inputs")
    if kind != "dataframe":
        raise Wrong(f"formatType is {kind!r}; it must be 'dataframe'.")
    if orientation not in ORIENTATIONS:
        raise Wrong(f"orientation is {orientation!r}; there are {', '.join(ORIENTATIONS)}.")
    names: tuple[str, ...] | None = None
    rows: Sequence[Any]
    if orientation == "split":
        names, rows = _split(inputs, "inputs")
    elif orientation in ("record", "records"):
        names, rows = _records(inputs, "inputs")
    elif orientation == "index":
        if not isinstance(inputs, dict):
            raise Wrong('inputs must be an object {"row": {"column": value, ...}, ...}.')
        names, rows = _records(list(inputs.values()), "inputs")
    elif orientation == "table":
        if not isinstance(inputs, dict):
            raise Wrong('inputs must be an object {"schema": ..., "data": [{...}, ...]}.')
        names, rows = _records(inputs.get("data"), "inputs.data")
    else:
        if not isinstance(inputs, list):
            raise Wrong("inputs must be a list of rows, each a list of values.")
        rows = _by_position(inputs, "inputs")
    params = said.get("params") or {}
    if not isinstance(params, dict):
        raise Wrong("params must be an object that gives each param by name.")
    return Asked(names, rows, params, orientation)


# ---- rows as the model's columns -------------------------------------------------------------


class Unfit(Exception):
    """Values that are not of a column's type."""


class Columns:
    """Makes the model's own columns out of rows, by its signature."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        inputs = signature.inputs or ()
        self._kinds = {column.name: column.kind for column in inputs}
        self._specs = {column.name: column for column in inputs}
        self._is_tensor = bool(inputs) and inputs[0].kind == "tensor"
        self._plans: dict[tuple[str, ...], tuple[tuple[str, int], ...]] = {}

    def batch(self, asked: Asked) -> pa.RecordBatch:
        """The model's columns; raises ``Wrong`` that lists everything that does not fit."""
        if asked.params:
            self._check_params(asked.params)
        if self._is_tensor and not self.signature.is_named:
            name, spec = next(iter(self._specs.items()))
            rows = asked.rows
            # A row is the tensor, whatever its columns are called; or one column holds it.
            if not spec.shape or (asked.names is not None and len(asked.names) == 1):
                rows = [row[0] for row in rows]
            return pa.RecordBatch.from_arrays([self._tensor(rows, name)], names=["0"])
        names = self._names(asked)
        columns = self._turned(names, asked.rows)
        try:
            plan = self._plans.get(names) or self._plan(names, columns)
            made = [self._fit(name, columns[at]) for name, at in plan]
        except Unfit:
            raise self._refusal(names, columns) from None
        return pa.RecordBatch.from_arrays(made, names=[name for name, _ in plan])

    def _names(self, asked: Asked) -> tuple[str, ...]:
        if asked.names is not None:
            return asked.names
        wide = len(asked.rows[0]) if asked.rows else len(self._kinds)
        known = tuple(self._kinds)
        if not known:
            return tuple(map(str, range(wide)))
        if wide != len(known):
            raise Wrong(
                f"The rows hold {wide} values, and the model takes {len(known)} columns:"
                f" {', '.join(known[:50])}."
            )
        return known

    @staticmethod
    def _turned(names: tuple[str, ...], rows: Sequence[Any]) -> list[Sequence[Any]]:
        """Rows as columns."""
        try:
            columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        except ValueError:
            raise Wrong("The rows are not of one length.") from None
        if rows and len(columns) != len(names):
            raise Wrong(f"The rows hold {len(columns)} values, and there are {len(names)} columns.")
        return columns if rows else [() for _ in names]

    def _plan(
        self, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
    ) -> tuple[tuple[str, int], ...]:
        """Which of the given columns makes which of the model's; raises ``Wrong``, ``Unfit``."""
        schema = self._schema(names, columns)
        verdict = check(self.signature, schema, mapping={})
        if verdict.problems:
            raise Unfit
        plan = tuple((step.name, names.index(step.column)) for step in verdict.steps)
        if len(self._plans) < PLANS_MAX:
            self._plans[names] = plan
        return plan

    def _schema(self, names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> pa.Schema:
        """What a table of these columns would say of itself."""
        fields = []
        for name, values in zip(names, columns, strict=True):
            try:
                kind = self._fit(name, values).type
            except Unfit:
                kind = _inferred_type(values)
            fields.append(pa.field(name, kind))
        return pa.schema(fields)

    def _fit(self, name: str, values: Sequence[Any]) -> pa.Array:
        """Values as a column of the model's type for it; raises ``Unfit``."""
        kind = self._kinds.get(name, "any")
        if kind == "tensor":
            return self._tensor(values, name)
        try:
            return fit(values, kind)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            raise Unfit from None

    def _tensor(self, values: Sequence[Any], name: str) -> pa.Array:
        spec = self._specs[name]
        try:
            made = np.asarray(values, dtype=spec.dtype)
            sizes = zip(spec.shape, made.shape[1:], strict=True)
            fits = not made.size or all(size in (-1, found) for size, found in sizes)
        except (ValueError, TypeError, OverflowError):
            fits = False
        if not fits:
            raise Wrong(f"The rows are no {spec.words}, which the model takes.")
        if made.dtype == object or made.dtype.kind == "U":
            return pa.array(made.tolist())
        array = pa.array(np.ascontiguousarray(made).reshape(-1))
        for size in reversed(made.shape[1:]):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        return array

    def _check_params(self, params: Mapping[str, Any]) -> None:
        verdict = check(self.signature, pa.schema([]), mapping={}, params=params)
        problems = [each.words for each in verdict.problems if each.kind == "param"]
        if problems:
            raise Wrong(_listed(problems))

    def _refusal(self, names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> Wrong:
        verdict = check(self.signature, self._schema(names, columns), mapping={})
        problems = [each.words.partition("; it can be cast")[0] for each in verdict.problems]
        return Wrong(_listed(problems or ["a value is not of its column's type"]))


def _listed(problems: Sequence[str]) -> str:
    return "The rows are not what the model takes:\n" + "\n".join(
        f"  - {words}" for words in problems[:50]
    )


def _inferred_type(values: Sequence[Any]) -> pa.DataType:
    try:
        return pa.array(values).type
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        # Of several kinds, which no column is; a map of nothing stands for it in the message.
        return pa.string() if any(isinstance(each, str) for each in values) else pa.null()


def fit(values: Sequence[Any], kind: str) -> pa.Array:
    """JSON's values as an Arrow array of the type that MLflow's ``kind`` has; never changes a value.

    A double is rounded to a float where that is the kind. Raises ``ValueError`` or what Arrow
    raises for values of another kind.
    """
    made = pa.array(values)
    assert isinstance(made, pa.Array)  # noqa: S101 -- only gigabytes of text come in chunks
    target = ARROW.get(kind)
    if kind.startswith("array("):
        inner = [None if each is None else fit(each, kind[6:-1]) for each in values]
        return pa.array([None if each is None else each.to_pylist() for each in inner],
                        pa.list_(_arrow_type(kind[6:-1], made.type)))  # fmt: skip
    if target is None or made.type == target:
        return made
    types = pa.types
    if types.is_null(made.type):
        return made.cast(target)
    if kind in ("double", "float"):
        if types.is_integer(made.type):
            return pa.array([None if each is None else float(each) for each in values], target)
        if types.is_floating(made.type):
            return made.cast(target)
    if kind in ("integer", "long") and types.is_integer(made.type):
        return made.cast(target)
    if kind in ("integer", "long") and types.is_floating(made.type):
        return made.cast(target)
    if kind == "datetime" and types.is_string(made.type):
        times = pd.to_datetime(pd.Series(list(values)), format="ISO8601")
        return pa.array(times.dt.tz_localize(None), target)
    if kind == "binary" and types.is_string(made.type):
        return pa.array(
            [None if each is None else base64.b64decode(each, validate=True) for each in values],
            target,
        )
    raise ValueError(kind)


def _arrow_type(kind: str, given: pa.DataType) -> pa.DataType:
    if kind.startswith("array("):
        return pa.list_(_arrow_type(kind[6:-1], given))
    return ARROW.get(kind) or given.value_type


# ---- answers ---------------------------------------------------------------------------------


def answer(given: Any, asked: Asked) -> bytes:
    """Predictions as the JSON that the request's shape expects; NaN is null."""
    if not asked.orientation:
        return _encode({PREDICTIONS: plain(given)})
    return _encode(
        {
            "formatType": "dataframe",
            "orientation": asked.orientation,
            PREDICTIONS: oriented(given, asked.orientation),
        }
    )


def answer_numbers(values: list[Any]) -> bytes:
    """The same for one column of plain numbers or texts, already a list."""
    return _encode({PREDICTIONS: values})


def plain(given: Any) -> Any:
    """Predictions as MLflow's server shows them: frames as records, arrays as lists."""
    if isinstance(given, pd.Series):
        given = pd.DataFrame(given)
    if isinstance(given, pd.DataFrame):
        return given.to_dict(orient="records")
    return _unwrapped(given)


def _unwrapped(given: Any) -> Any:
    if isinstance(given, np.ndarray | np.generic):
        return given.tolist()
    if hasattr(given, "toarray"):  # a sparse matrix of SciPy
        return given.toarray().tolist()
    if hasattr(given, "detach"):  # a tensor of PyTorch
        return given.detach().cpu().numpy().tolist()
    if isinstance(given, Mapping):
        return {str(name): _unwrapped(values) for name, values in given.items()}
    if isinstance(given, list | tuple):
        return [_unwrapped(each) for each in given]
    return given


def oriented(given: Any, orientation: str) -> Any:
    """Predictions as a data frame in one of pandas' orientations, as Fabric answers."""
    if not isinstance(given, pd.DataFrame):
        made = _unwrapped(given)
        named = isinstance(made, dict)
        given = pd.DataFrame(made) if named else pd.DataFrame({PREDICTIONS: made})
        if not named and isinstance(made, list) and made and isinstance(made[0], list):
            given = pd.DataFrame(made)
    if orientation == "values":
        return given.to_numpy().tolist()
    if orientation == "table":
        return json.loads(given.to_json(orient="table", index=False))
    found: Any = given.to_dict(orient="records" if orientation == "record" else orientation)
    return {str(key): value for key, value in found.items()} if orientation == "index" else found


def _encode(said: Any) -> bytes:
    return msgspec.json.encode(said, enc_hook=_other)


def _other(value: Any) -> Any:
    """A value that JSON does not know."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return value.isoformat()
    if value is pd.NA or value is pd.NaT:
        return None
    return str(value)
