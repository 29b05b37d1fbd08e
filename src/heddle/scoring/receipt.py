"""Receipts: what was applied to what, and what came out, so that any prediction can be traced.

A receipt names the model by digest and the input by snapshot; the same plan on the same input has
the same key, so doing it again is recognised. Predictions and inputs are summed up while rows pass,
exactly where that is cheap (counts, ends, mean) and from an even sample elsewhere (quantiles,
histogram), in memory that does not grow. Inputs are compared with the model's input example where
it logged one: how many lie outside its range, and with enough rows how far the distributions are
apart (Kolmogorov-Smirnov distance; population stability index over the example's deciles).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from heddle.scoring.plan import Model, Plan

SAMPLE_MAX: Final = 16_384
BINS: Final = 32
CATEGORIES_MAX: Final = 50
KS_ROWS: Final = 20
PSI_ROWS: Final = 100
PSI_FLOOR: Final = 1e-4
QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
Array = np.ndarray[Any, Any]


class Distribution(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One column's values. ``edges`` and ``counts`` are a histogram of ``sampled`` rows.

    Text columns have ``top`` values of the sample instead. ``nans`` are not numbers, ``nulls`` are
    missing.
    """

    column: str
    rows: int = 0
    nulls: int = 0
    nans: int = 0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    quantiles: dict[str, float] = {}
    edges: list[float] = []
    counts: list[int] = []
    top: dict[str, int] = {}
    sampled: int = 0


class Drift(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One input column beside the model's input example, of ``example_rows`` rows.

    ``outside`` is the share of the sample beyond the example's ends (of texts: not in it). ``ks``
    and ``psi`` are given where the example has rows enough to mean something.
    """

    column: str
    example_rows: int
    outside: float
    ks: float | None = None
    psi: float | None = None


class Receipt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Everything that is known of one application of a model. Times are milliseconds since 1970.

    ``loaded_ms`` is when the first process had the model, 0 if none had to.
    """

    job: str
    key: str
    plan: Plan
    model: Model
    input: dict[str, Any]
    mapping: dict[str, str] = {}
    casts: dict[str, str] = {}
    extra: list[str] = []
    absent: list[str] = []
    warnings: list[str] = []
    rows: int = 0
    started_ms: int = 0
    loaded_ms: int = 0
    ended_ms: int = 0
    path: str = ""
    engine: str = "local"
    processes: int = 0
    walls: list[str] = []
    libraries: dict[str, str] = {}
    predictions: list[Distribution] = []
    inputs: list[Distribution] = []
    drift: list[Drift] = []

    @property
    def rows_per_s(self) -> float:
        """Rows a second over the whole, loading the model included."""
        return self.rows * 1000 / max(1, self.ended_ms - self.started_ms)


def key_of(plan: Plan, model: Model, snapshot: str) -> str:
    """The same for the same plan on the same input; empty where nobody can tell about the input."""
    if not snapshot:
        return ""
    return hashlib.sha256(f"{plan.identity}\0{model.digest}\0{snapshot}".encode()).hexdigest()


class Summary:
    """Sums up one column while batches pass."""

    def __init__(self, column: str) -> None:
        self.column = column
        self.rows = self.nulls = self.nans = 0
        self._low, self._high, self._sum, self._counted = math.inf, -math.inf, 0.0, 0
        self._stride = 1
        self._parts: list[pa.Array] = []
        self._sampled = 0

    def add(self, array: pa.Array) -> None:
        """Take a batch's values into account."""
        before = self.rows
        self.rows += len(array)
        self.nulls += array.null_count
        if _is_number(array.type):
            self._measure(array)
        elif not (_is_text(array.type) or pa.types.is_boolean(array.type)):
            return
        # Thinned beforehand, so that no more is taken out of the batch than stays.
        while self._sampled + (len(array) - -before % self._stride) // self._stride > SAMPLE_MAX:
            self._halve()
        start = -before % self._stride
        if start < len(array):
            part = array[start :: self._stride] if self._stride > 1 else array[start:]
            self._parts.append(part)
            self._sampled += len(part)
        self.thin(SAMPLE_MAX)

    def thin(self, sample_max: int) -> None:
        """Keep at most so many of the sample."""
        while self._sampled > sample_max:
            self._halve()

    def _halve(self) -> None:
        """Every other one stays: the sample is even over all rows so far."""
        if self._parts:
            joined = pa.concat_arrays(self._parts)[::2]
            self._parts, self._sampled = [joined], len(joined)
        self._stride *= 2

    def merge(self, other: Summary) -> None:
        """Take in what another saw of the same column, of rows that follow; ``other`` is used up."""
        self.rows += other.rows
        self.nulls += other.nulls
        self.nans += other.nans
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        self._sum += other._sum
        self._counted += other._counted
        while self._stride < other._stride:
            self._halve()
        while other._stride < self._stride:
            other._halve()
        self._parts += other._parts
        self._sampled += other._sampled
        self.thin(SAMPLE_MAX)

    def _measure(self, array: pa.Array) -> None:
        if pa.types.is_float16(array.type):
            array = array.cast(pa.float32())
        if pa.types.is_floating(array.type) and len(array) and not array.null_count:
            values = array.to_numpy()
            total = float(values.sum(dtype=np.float64))
            if math.isfinite(total):
                # Nothing is missing and all are numbers: numpy's ends take a tenth of Arrow's time.
                self._low = min(self._low, float(values.min()))
                self._high = max(self._high, float(values.max()))
                self._sum += total
                self._counted += len(array)
                return
        # Arrow's own sums skip what is missing, and its ends skip what is no number.
        ends = pc.min_max(array).as_py()
        total = pc.sum(array.cast(pa.float64()) if pa.types.is_decimal(array.type) else array)
        counted = len(array) - array.null_count
        value = float(total.as_py() or 0)
        if math.isnan(value):
            odd = int(pc.sum(pc.is_nan(array)).as_py() or 0)
            self.nans += odd
            counted -= odd
            value = float(
                pc.sum(
                    pc.drop_null(array).filter(pc.invert(pc.is_nan(pc.drop_null(array))))
                ).as_py()
                or 0
            )
        if counted and ends["min"] is not None and not math.isnan(ends["min"]):
            self._low = min(self._low, float(ends["min"]))
            self._high = max(self._high, float(ends["max"]))
        self._sum += value
        self._counted += counted

    @property
    def sample(self) -> Array:
        """The sampled values that are there, numbers or texts."""
        if not self._parts:
            return np.empty(0)
        found: Any = pa.concat_arrays(self._parts).drop_null().to_numpy(zero_copy_only=False)
        if found.dtype.kind == "f":
            found = found[np.isfinite(found)]
        sample: Array = found
        return sample

    def done(self) -> Distribution:
        """What the column was like."""
        made = Distribution(column=self.column, rows=self.rows, nulls=self.nulls, nans=self.nans)
        sample = self.sample
        made.sampled = len(sample)
        if self._counted and math.isfinite(self._low):
            made.low, made.high = _plain(self._low), _plain(self._high)
            made.mean = _plain(self._sum / self._counted)
        if not len(sample):
            return made
        if sample.dtype.kind in "iuf":
            counts, edges = np.histogram(sample.astype(np.float64), bins=BINS)
            made.counts, made.edges = counts.tolist(), edges.tolist()
            cuts: list[float] = np.quantile(sample.astype(np.float64), QUANTILES).tolist()
            made.quantiles = dict(zip(map(str, QUANTILES), cuts, strict=True))
        else:
            values, counts = np.unique(sample.astype(str), return_counts=True)
            order = np.argsort(-counts, kind="stable")[:CATEGORIES_MAX]
            made.top = {str(values[at])[:200]: int(counts[at]) for at in order}
        return made


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def read_example(path: Path | None) -> dict[str, list[Any]]:
    """The columns of a saved input example; empty where it has none by name."""
    if path is None:
        return {}
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        return {}
    if isinstance(said, dict) and isinstance(said.get("dataframe_split"), dict):
        said = said["dataframe_split"]
    if not (isinstance(said, dict) and isinstance(said.get("columns"), list)):
        return {}
    rows = [row for row in said.get("data") or () if isinstance(row, list)]
    names = [str(name) for name in said["columns"]]
    return {
        name: [row[at] for row in rows if at < len(row) and row[at] is not None]
        for at, name in enumerate(names)
    }


def drift_of(column: str, example: Sequence[Any], sample: Array) -> Drift | None:
    """How a column's sample lies beside an example's values; None where they cannot be compared."""
    if not example or not len(sample):
        return None
    count = len(example)
    if sample.dtype.kind not in "iuf":
        known = {str(value) for value in example}
        outside = sum(str(value) not in known for value in sample) / len(sample)
        return Drift(column=column, example_rows=count, outside=outside)
    try:
        known_values = np.sort(np.asarray(example, dtype=np.float64))
    except (TypeError, ValueError):
        return None
    values = np.sort(sample.astype(np.float64))
    beyond = (values < known_values[0]) | (values > known_values[-1])
    drift = Drift(column=column, example_rows=count, outside=float(beyond.mean()))
    if count >= KS_ROWS:
        points = np.concatenate([known_values, values])
        below = np.searchsorted(values, points, side="right") / len(values)
        expected = np.searchsorted(known_values, points, side="right") / count
        drift.ks = float(np.abs(below - expected).max())
    if count >= PSI_ROWS:
        edges = np.unique(np.quantile(known_values, np.linspace(0, 1, 11)[1:-1]))
        here = _shares(values, edges)
        there = _shares(known_values, edges)
        drift.psi = float(((here - there) * np.log(here / there)).sum())
    return drift


def _shares(values: Array, edges: Array) -> Array:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    shares: Array = np.maximum(counts / len(values), PSI_FLOOR)
    return shares


def save(receipt: Receipt, folder: Path) -> Path:
    """Keep a receipt where its key is looked for; returns the file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{receipt.key or receipt.job}.json"
    aside = path.with_suffix(f".{receipt.job}")
    aside.write_bytes(msgspec.json.encode(receipt))
    aside.replace(path)
    return path


def find(key: str, folder: Path) -> Receipt | None:
    """The receipt of a key, if it is kept in this folder."""
    path = folder / f"{key}.json"
    if not key or not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Receipt)
    except (msgspec.DecodeError, OSError):
        return None
