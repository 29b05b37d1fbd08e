"""Loads one model and predicts: an Arrow batch in, an Arrow batch out.

The only module that opens a model's files. It runs where models may run and nowhere else: in a
confined child process, or in an executor of Spark, possibly in an environment that holds no Heddle,
so it imports nothing of ours. Predictions are those of `mlflow.pyfunc`, bit for bit: `fast` paths
past pandas are taken only where the first batch gave the same bits both ways. Names, casts and
checks of the input come before (`feed` applies what was decided); rows are neither added, dropped
nor moved.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import json
import mmap
import os
import pathlib
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

PREDICTIONS = "predictions"
CHECKED_ROWS = 2048
"""Rows of the first batch on which a fast path has to agree with pyfunc, bit for bit."""
WORDS_MAX = 4000
SCHEMA_MAX = 64 * 1024**2
"""Of what a file of skops says about itself, in bytes; more is left to skops."""
DISTRIBUTIONS = {
    "mlflow": ("mlflow", "mlflow-skinny"),
    "sklearn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "yaml": ("pyyaml",),
}
"""Where modules come from whose distributions are named otherwise."""
HEADER = struct.Struct("<Q")
NO_ESTIMATORS = {"conftest", "estimator_checks", "experimental", "externals", "setup", "tests"}
"""Parts of scikit-learn that its list of estimators leaves out (sklearn.utils.discovery)."""
Array = np.ndarray[Any, Any]


class Refused(Exception):
    """The model cannot be loaded or gave something that is no column; the message says what."""


# ---- the input -------------------------------------------------------------------------------


def feed(batch: pa.RecordBatch, steps: Sequence[Sequence[str]]) -> pa.RecordBatch:
    """The model's own columns out of a table's batch.

    Each step is the model's column, the table's column, and the Arrow type to cast to as text,
    empty for none. Casts are safe: raises ``Refused`` where a value would change.
    """
    arrays, names = [], []
    for name, column, cast in steps:
        array = batch.column(column)
        if cast:
            try:
                array = array.cast(arrow_type(cast))
            except pa.ArrowInvalid as error:
                raise Refused(f"Column '{column}' cannot become {cast}: {error}") from None
        arrays.append(array)
        names.append(name)
    return pa.RecordBatch.from_arrays(arrays, names=names)


def arrow_type(text: str) -> pa.DataType:
    """An Arrow type from its text, such as ``double``, ``timestamp[ns]`` or ``list<double>``."""
    if text.startswith("list<"):
        return pa.list_(arrow_type(text[5:-1]))
    if text.startswith("timestamp["):
        return pa.timestamp(text[10:-1])
    return pa.type_for_alias(text)


def _frame(batch: pa.RecordBatch) -> pd.DataFrame:
    # Without the schema's metadata, in which pandas would hide some columns in an index.
    frame: pd.DataFrame = pa.Table.from_batches([batch]).replace_schema_metadata(None).to_pandas()
    return frame


def _tensor(column: pa.Array, spec: Any) -> Array:
    """A column of lists as one array of the tensor's shape; raises ``Refused``."""
    shape = tuple(int(size) for size in spec.shape)
    flat = column
    while pa.types.is_nested(flat.type):
        flat = flat.flatten() if not isinstance(flat, pa.ExtensionArray) else flat.storage
    values = flat.to_numpy(zero_copy_only=False).astype(spec.type, copy=False)
    inner = [len(column) if size == -1 and not index else size for index, size in enumerate(shape)]
    try:
        shaped: Array = values.reshape(inner)
    except ValueError:
        raise Refused(
            f"{len(column)} rows of column values, {len(values)} numbers in all, do not fill"
            f" tensors of shape {shape}."
        ) from None
    return shaped


def tensors(batch: pa.RecordBatch, schema: Any) -> Any:
    """What a model with tensors takes: an array, or arrays by name."""
    if not schema.has_input_names():
        spec = schema.inputs[0]
        if batch.num_columns == 1 and pa.types.is_nested(_storage(batch.column(0)).type):
            return _tensor(batch.column(0), spec)
        values = np.column_stack(
            [column.to_numpy(zero_copy_only=False) for column in batch.columns]
        )
        shape = [batch.num_rows, *(int(size) for size in spec.shape[1:])]
        filled: Array = values.astype(spec.type, copy=False).reshape(shape)
        return filled
    return {spec.name: _tensor(batch.column(spec.name), spec) for spec in schema.inputs}


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column, pa.ExtensionArray) else column


# ---- the output ------------------------------------------------------------------------------


def as_columns(given: Any, names: Sequence[str], rows: int) -> pa.RecordBatch:
    """Predictions of any kind that pyfunc gives, as columns.

    ``names`` are asked for: one for each column, or one for a column of lists; empty for the
    model's own names. Raises ``Refused`` for what has no row for each row of input.
    """
    columns = _columns(given, names)
    if names and len(names) != len(columns):
        raise Refused(
            f"The model gives {len(columns)} columns ({', '.join(columns)}), and"
            f" {len(names)} names were given."
        )
    arrays = []
    for name, values in columns.items():
        array = _array(values, name)
        if len(array) != rows:
            raise Refused(f"The model gave {len(array)} predictions for {rows} rows.")
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, names=list(names or columns))


def _columns(given: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(given, pd.DataFrame):
        given = {_named(name, index): given.iloc[:, index] for index, name in enumerate(given)}
    if isinstance(given, Mapping):
        return {str(name): values for name, values in given.items()}
    if isinstance(given, tuple):
        return {f"{PREDICTIONS}_{index}": values for index, values in enumerate(given)}
    if hasattr(given, "toarray"):  # a sparse matrix of SciPy
        given = given.toarray()
    if hasattr(given, "detach"):  # a tensor of PyTorch
        given = given.detach().cpu().numpy()
    if isinstance(given, np.ndarray) and given.ndim == 2:
        wide = given.shape[1]
        if wide == 1:
            return {PREDICTIONS: given[:, 0]}
        if len(names) != 1:
            return {f"{PREDICTIONS}_{index}": given[:, index] for index in range(wide)}
    if isinstance(given, np.ndarray | pd.Series | pd.Index | list | pa.Array | pa.ChunkedArray):
        return {PREDICTIONS: given}
    raise Refused(
        f"The model gave {type(given).__name__}, which has no rows; a model gives an array, a"
        " list, a Series, a DataFrame or a dictionary of them."
    )


def _named(name: Any, index: int) -> str:
    return name if isinstance(name, str) else f"{PREDICTIONS}_{index}"


def _array(values: Any, name: str) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks()
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, pd.Series) and not isinstance(values.dtype, np.dtype):
        return _whole(pa.array(values))
    data = values.to_numpy() if isinstance(values, pd.Series | pd.Index) else values
    if hasattr(data, "toarray"):
        data = data.toarray()
    if not isinstance(data, np.ndarray):
        data = list(data)
        if data and isinstance(data[0], np.ndarray):
            data = np.asarray(data) if len({item.shape for item in data}) == 1 else data
    if isinstance(data, np.ndarray) and data.ndim > 1 and data.dtype != object:
        array = pa.array(np.ascontiguousarray(data).reshape(-1))
        for size in reversed(data.shape[1:]):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        return array
    try:
        # A NaN that a model computed stays one: it is not a missing value.
        return _whole(pa.array(data, from_pandas=False))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            return _whole(pa.array(data, from_pandas=True))
        raise Refused(f"The values of '{name}' are no column of one type: {error}") from None


def _whole(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array, without pandas' large strings, which Parquet and Delta would not tell apart."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array


def is_same(one: pa.RecordBatch, other: pa.RecordBatch) -> bool:
    """Whether two batches of predictions have the same types and bits, NaN for NaN."""
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return False
    for left, right in zip(one.columns, other.columns, strict=True):
        if pa.types.is_floating(left.type):
            if left.null_count or right.null_count:
                return False
            a, b = (side.to_numpy(zero_copy_only=False) for side in (left, right))
            if a.tobytes() != b.tobytes():
                return False
        elif not left.equals(right):
            return False
    return True


# ---- the model -------------------------------------------------------------------------------


class Predictor:
    """A loaded model and how it is asked.

    ``folder`` holds its ``MLmodel``; ``params`` are given with every batch; ``names`` as for
    `as_columns`. Raises ``Refused``, or whatever loading the model raises.
    """

    def __init__(
        self,
        folder: str,
        *,
        params: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
        is_fast: bool = True,
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = _opened(folder)
        self.params = dict(params) if params else None
        self.names = list(names)
        self.path = "pyfunc"
        schema = self.model.metadata.get_input_schema()
        self._schema = schema
        self._is_tensor = bool(schema is not None and schema.is_tensor_spec())
        self._own = self._own_names()
        fast = find_fast(self.model) if is_fast and not self.params else None
        self._fast: Callable[[pa.RecordBatch], Any] | None = fast
        self._is_proved = False

    def _own_names(self) -> list[str]:
        """Names that the signature gives to what is predicted; empty where it gives none."""
        schema = self.model.metadata.get_output_schema()
        if schema is None or not schema.has_input_names():
            return []
        return [str(name) for name in schema.input_names()]

    def predict(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Predictions for a batch that holds the model's columns; raises as the model does."""
        return self._shaped(self.ask(batch), batch.num_rows)

    def ask(self, batch: pa.RecordBatch, params: Mapping[str, Any] | None = None) -> Any:
        """What the model gives for a batch, in whatever kind it gives; raises as the model does.

        ``params`` are for this batch, in place of those that go with every one.
        """
        if self._fast is None or batch.num_rows == 0 or params:
            return self._plainly(batch, params)
        if not self._is_proved:
            return self._proving(batch)
        try:
            return self._fast(batch)
        except NotPlain:
            return self._plainly(batch)

    def prove(self, batch: pa.RecordBatch) -> None:
        """Find out on made-up rows whether the way past pandas gives the same bits."""
        if self._fast is not None and not self._is_proved:
            # A model may refuse what was made up; then the first real rows decide.
            with contextlib.suppress(Exception):
                self._proving(batch)

    def _plainly(self, batch: pa.RecordBatch, params: Mapping[str, Any] | None = None) -> Any:
        data = tensors(batch, self._schema) if self._is_tensor else _frame(batch)
        return self.model.predict(data, params=dict(params) if params else self.params)

    def _shaped(self, given: Any, rows: int) -> pa.RecordBatch:
        names = self.names
        if not names and self._own and not isinstance(given, pd.DataFrame | Mapping):
            columns = _columns(given, ())
            if len(columns) == len(self._own):
                names = self._own
        return as_columns(given, names, rows)

    def _proving(self, batch: pa.RecordBatch) -> Any:
        """The first batch goes both ways; the fast one is dropped if a single bit differs."""
        fast = self._fast
        assert fast is not None  # noqa: S101 -- the caller looked
        few = batch.slice(0, CHECKED_ROWS)
        known = self._plainly(few)
        try:
            found = fast(few)
            is_equal = type(known) is type(found) and is_same(
                self._shaped(known, few.num_rows), self._shaped(found, few.num_rows)
            )
        except NotPlain:
            return self._plainly(batch)
        except Exception:  # noqa: BLE001 -- whatever a library raises, pyfunc's way stays
            is_equal = False
        if not is_equal:
            self._fast = None
            return self._plainly(batch)
        self._is_proved = True
        self.path = "array"
        return fast(batch)


# ---- past skops' list ------------------------------------------------------------------------


def _opened(folder: str) -> Any:
    """A model as `mlflow.pyfunc` loads it; raises as that does.

    Where it is a file of skops, skops is told beforehand of this model's estimators alone: to list
    all that it trusts it imports every module of scikit-learn, and looks for each of SciPy's
    functions in every module that is loaded, fewest before MLflow is. That takes longer than all
    else. If the model cannot be loaded like this, for whatever reason, skops lists them all.
    """
    names = set() if "skops" in sys.modules else _estimator_names(folder)
    is_spared = bool(names) and _acquaint(names)
    # Loading is where a library that is missing is found out, so it comes late.
    from mlflow import pyfunc  # noqa: PLC0415

    try:
        # Which versions differ from the model's own is told before, by the engine: MLflow's warning
        # reads every installed distribution.
        return pyfunc.load_model(folder, suppress_warnings=True)
    except Exception:
        if not is_spared:
            raise
    # What is wrong with it is for skops as it is to say.
    for name in [name for name in sys.modules if name.partition(".")[0] == "skops"]:
        del sys.modules[name]
    return pyfunc.load_model(folder, suppress_warnings=True)


def _estimator_names(folder: str) -> set[tuple[str, str]]:
    """Modules and classes of scikit-learn that a model's files of skops name."""
    found: set[tuple[str, str]] = set()
    for place in pathlib.Path(folder).rglob("*.skops"):
        with contextlib.suppress(OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile):
            with zipfile.ZipFile(place) as packed:
                if packed.getinfo("schema.json").file_size > SCHEMA_MAX:
                    return set()
                said = packed.read("schema.json").decode()
            found |= {
                (str(node["__module__"]), str(node["__class__"]))
                for node in _nodes(json.loads(said))
                if str(node["__module__"]).startswith("sklearn.")
            }
    return found


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema of skops that says of which class it is."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            if "__module__" in node and "__class__" in node:
                yield node
            left += node.values()
        elif isinstance(node, list):
            left += node


def _acquaint(names: set[tuple[str, str]]) -> bool:
    """Import skops so that it knows these estimators alone; whether that could be done.

    What is told is part of what scikit-learn itself would tell: its public estimators.
    """
    try:
        from sklearn import base, utils  # noqa: PLC0415 -- only a model that needs it

        every = utils.all_estimators
    except (ImportError, AttributeError):
        return False
    told: list[tuple[str, type]] = []
    for module, name in sorted(names):
        parts = module.split(".")
        public = list(itertools.takewhile(lambda part: not part.startswith("_"), parts))
        kind = None
        if not NO_ESTIMATORS & set(parts) and name.isidentifier() and not name.startswith("_"):
            with contextlib.suppress(ImportError):
                kind = getattr(importlib.import_module(".".join(public)), name, None)
        is_estimator = isinstance(kind, type) and issubclass(kind, base.BaseEstimator)
        if kind is not None and is_estimator and not inspect.isabstract(kind):
            told.append((name, kind))
    utils.all_estimators = lambda: told
    try:
        import skops.io  # noqa: F401, PLC0415
    except ImportError:
        return False
    finally:
        utils.all_estimators = every
    return True


# ---- past pandas -----------------------------------------------------------------------------


class NotPlain(Exception):
    """This batch is not plain numbers of one type; pandas knows what to make of it."""


_TREES = ("sklearn.ensemble._forest", "sklearn.tree._classes")
_SUMMED = (
    "sklearn.ensemble._forest.ExtraTreesRegressor", "sklearn.ensemble._forest.RandomForestRegressor",
)  # fmt: skip
_PLAIN_SKLEARN = (
    "sklearn.ensemble.", "sklearn.linear_model.", "sklearn.tree.", "sklearn.svm.",
    "sklearn.neighbors.", "sklearn.naive_bayes", "sklearn.neural_network.", "sklearn.cluster.",
    "sklearn.discriminant_analysis",
)  # fmt: skip
_OF_TRAINING = {
    "bagging_fraction", "bagging_freq", "deterministic", "feature_fraction", "force_col_wise",
    "force_row_wise", "lambda_l1", "lambda_l2", "max_bin", "metric", "min_data_in_leaf", "seed",
    "verbose", "verbosity",
}  # fmt: skip
"""What LightGBM's estimators may be given besides their own params without predicting otherwise."""
_PLAIN_STEPS = ("sklearn.preprocessing._data", "sklearn.decomposition.", "sklearn.impute._base")


def find_fast(model: Any) -> Callable[[pa.RecordBatch], Any] | None:
    """A way past pandas for this model, None where there is none.

    Only for signatures whose columns are all numbers of one floating type, in which case pyfunc
    changes neither values nor order. An optional column that is absent makes the first batch fail
    this way, which leaves pyfunc's.
    """
    schema = model.metadata.get_input_schema()
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return None
    kinds = {str(kind) for kind in schema.input_types()}
    if kinds not in ({"DataType.double"}, {"DataType.float"}):
        return None
    dtype = np.dtype(np.float64 if kinds == {"DataType.double"} else np.float32)
    names = [str(name) for name in schema.input_names()]
    flavor = model.metadata.flavors.get("python_function", {}).get("loader_module", "")
    makers = {"mlflow.sklearn": _sklearn, "mlflow.xgboost": _xgboost, "mlflow.lightgbm": _lightgbm}
    maker = makers.get(flavor)
    return None if maker is None else maker(model.get_raw_model(), names, dtype, model)


def stack(
    batch: pa.RecordBatch,
    names: Sequence[str],
    dtype: np.dtype[Any],
    into: np.dtype[Any],
    order: str,
) -> Array:
    """The columns as one array of ``into``, rounded as numpy rounds; missing values are NaN.

    Raises ``NotPlain`` for a column that is not of ``dtype``.
    """
    kind = pa.from_numpy_dtype(dtype)
    shape = (batch.num_rows, len(names))
    array: Array = np.empty(shape, dtype=into, order="C" if order == "C" else "F")
    for index, name in enumerate(names):
        column = batch.column(name)
        if column.type != kind:
            raise NotPlain
        array[:, index] = column.to_numpy(zero_copy_only=False)
    return array


def _sklearn(
    estimator: Any, names: list[str], dtype: np.dtype[Any], model: Any
) -> Callable[[pa.RecordBatch], Any] | None:
    # MLflow's wrapper calls the function that the flavor names, `predict` unless told.
    wrapper = getattr(getattr(model, "_model_impl", None), "predict_fn", "predict")
    seen = list(getattr(estimator, "feature_names_in_", names))
    if wrapper != "predict" or sorted(seen) != sorted(names) or not _is_plain(estimator):
        return None
    if seen != names:
        return None
    is_tree = type(estimator).__module__ in _TREES
    # Trees round to float32 in rows before they look: done here, it is one copy less.
    into, order = (np.dtype(np.float32), "C") if is_tree else (dtype, "F")
    is_summed = _is_summed(estimator)

    def predict(batch: pa.RecordBatch) -> Any:
        array = stack(batch, names, dtype, into, order)
        if is_summed and np.isfinite(array).all():
            return _sum_of_trees(estimator, array)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return estimator.predict(array)

    return predict


def _is_summed(estimator: Any) -> bool:
    """Whether a model is a forest whose one prediction is the mean of its trees', one after another.

    With several threads scikit-learn adds in the order in which they end, and no order is right.
    """
    return (
        f"{type(estimator).__module__}.{type(estimator).__name__}" in _SUMMED
        and estimator.n_outputs_ == 1
        and estimator.n_jobs in (None, 1)
    )


def _sum_of_trees(forest: Any, array: Array) -> Array:
    """What a forest predicts for finite numbers: its own additions in its own order.

    Left out is what it does for every tree of every batch besides, a seventh of all in small batches.
    """
    total: Array = np.zeros(len(array))
    for tree in forest.estimators_:
        total += tree.tree_.predict(array)[:, 0]
    total /= len(forest.estimators_)
    return total


def _is_plain(estimator: Any) -> bool:
    """Whether an estimator is scikit-learn's own and sees numbers, never names."""
    steps = getattr(estimator, "steps", None)
    module = type(estimator).__module__
    if module == "sklearn.pipeline" and steps:
        first = all(type(step).__module__.startswith(_PLAIN_STEPS) for _, step in steps[:-1])
        return first and _is_plain(steps[-1][1])
    return module.startswith(_PLAIN_SKLEARN)


def _xgboost(
    booster: Any, names: list[str], dtype: np.dtype[Any], model: Any
) -> Callable[[pa.RecordBatch], Any] | None:
    import xgboost  # noqa: PLC0415 -- there, since the model was loaded

    del model
    if isinstance(booster, xgboost.Booster):
        if booster.feature_names != names or set(booster.feature_types or ()) - {"float"}:
            return None
        return lambda batch: booster.predict(
            xgboost.DMatrix(
                stack(batch, names, dtype, np.dtype(np.float32), "C"),
                feature_names=booster.feature_names,
                feature_types=booster.feature_types,
            )
        )
    if list(getattr(booster, "feature_names_in_", ())) != names:
        return None
    return lambda batch: booster.predict(stack(batch, names, dtype, np.dtype(np.float32), "C"))


def _lightgbm(
    booster: Any, names: list[str], dtype: np.dtype[Any], model: Any
) -> Callable[[pa.RecordBatch], Any] | None:
    del model
    inner = getattr(booster, "booster_", booster)
    if inner.feature_name() != names or getattr(inner, "pandas_categorical", None):
        return None
    # Around its booster an estimator takes 7 ms for every batch, and a thread for each core of the
    # machine, which then wait for each other: a process has its share of cores, and rows are
    # predicted each by itself.
    asked = inner if _is_bare(booster) else booster
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    given = {"num_threads": threads} if threads else {}

    def predict(batch: pa.RecordBatch) -> Any:
        array = stack(batch, names, dtype, dtype, "C")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            return asked.predict(array, **given)

    return predict


def _is_bare(model: Any) -> bool:
    """Whether LightGBM's estimator predicts what its booster does: no classes, no odd params."""
    if f"{type(model).__module__}.{type(model).__name__}" != "lightgbm.sklearn.LGBMRegressor":
        return False
    besides = model.get_params().keys() - type(model)().get_params().keys()
    return bool(besides <= _OF_TRAINING)


# ---- a child process -------------------------------------------------------------------------


def libraries() -> dict[str, str]:
    """Versions of what predicts here: Python, and the distributions of the modules loaded."""
    import platform  # noqa: PLC0415 -- once, after the model
    from importlib import metadata  # noqa: PLC0415

    found = {"python": platform.python_version()}
    loaded = {name.partition(".")[0] for name in sys.modules}
    for module in loaded - sys.stdlib_module_names:
        # Asking which distribution each module is from reads them all; names are mostly the same.
        for name in DISTRIBUTIONS.get(module, (module,)):
            with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
                found[name] = metadata.version(name)
    return dict(sorted(found.items()))


class Child:
    """Answers requests on a pair of pipes; batches come in shared memory.

    A request is a length and JSON; an answer the same, followed by as many bytes of an Arrow
    stream as it says. Whatever fails is an answer too.
    """

    def __init__(self, requests: BinaryIO, answers: BinaryIO, slots: Sequence[int]) -> None:
        self.requests = requests
        self.answers = answers
        self.slots = slots
        self.maps: dict[int, mmap.mmap] = {}
        self.predictor: Predictor | None = None

    def run(self) -> None:
        """Answer until the other side closes."""
        for request in self._requests():
            try:
                answer, body = self._answer(request)
            except BaseException as error:  # noqa: BLE001 -- models raise what they like
                answer, body = {"error": explain(error), "kind": type(error).__name__}, None
            self._send(answer, body)

    def _requests(self) -> Iterator[dict[str, Any]]:
        while len(head := self.requests.read(HEADER.size)) == HEADER.size:
            yield json.loads(self.requests.read(HEADER.unpack(head)[0]))

    def _send(self, answer: dict[str, Any], body: pa.Buffer | None) -> None:
        answer["bytes"] = 0 if body is None else body.size
        head = json.dumps(answer).encode()
        self.answers.write(HEADER.pack(len(head)) + head)
        if body is not None:
            self.answers.write(body)
        self.answers.flush()

    def _answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], pa.Buffer | None]:
        if request["do"] == "load":
            self.predictor = Predictor(
                request["folder"],
                params=request["params"],
                names=request["names"],
                is_fast=request["fast"],
            )
            return {"libraries": libraries()}, None
        assert self.predictor is not None  # noqa: S101 -- loading comes first
        batch = self._batch(request["slot"], request["bytes"])
        predicted = self.predictor.predict(batch)
        return {"path": self.predictor.path}, written(predicted)

    def _batch(self, slot: int, size: int) -> pa.RecordBatch:
        mapped = self.maps.get(slot)
        if mapped is None or len(mapped) < size:
            # The old map is dropped, not closed: arrays of a former batch may still look at it.
            mapped = self.maps[slot] = mmap.mmap(self.slots[slot], 0)
        with pa.ipc.open_stream(pa.py_buffer(mapped).slice(0, size)) as reader:
            return reader.read_next_batch()


def written(batch: pa.RecordBatch) -> pa.Buffer:
    """The batch as an Arrow stream in memory."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def explain(error: BaseException) -> str:
    """What a failure says, bounded, with its kind where its words alone would not tell."""
    words = str(error).strip()
    if isinstance(error, Refused):
        return words[:WORDS_MAX]
    if isinstance(error, MemoryError):
        return f"The model ran out of the memory that it may use. {words}"[:WORDS_MAX].strip()
    return f"{type(error).__name__}: {words}"[:WORDS_MAX]


def main(arguments: Sequence[str]) -> int:
    """Serve the parent: file descriptors of requests, answers and slots are the arguments."""
    ins, outs, *slots = (int(number) for number in arguments)
    # What a model prints goes where its errors go, never among the answers.
    os.dup2(2, 1)
    with os.fdopen(ins, "rb") as requests, os.fdopen(outs, "wb") as answers:
        Child(requests, answers, slots).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
