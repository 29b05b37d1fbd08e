"""Ways past pandas: the same bits as pyfunc for every batch, and its words where it refuses one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import applied_models
from heddle.scoring.predictor import Predictor, is_same

pytestmark = pytest.mark.filterwarnings("default")


def test_a_forest_gives_the_bits_of_pyfunc_for_any_batch(forest: Path):
    fast, plain = (Predictor(str(forest), is_fast=is_fast) for is_fast in (True, False))
    names = [str(column) for column in applied_models.inputs()]
    chance = np.random.default_rng(3)

    def batch(rows: int, *odd: float) -> pa.RecordBatch:
        columns = [chance.normal(size=rows) for _ in names]
        columns[0][: len(odd)] = odd
        return pa.RecordBatch.from_arrays([pa.array(each) for each in columns], names=names)

    for given in (batch(3000), batch(1), batch(5000, float("nan"), 1e-310, -0.0)):
        assert is_same(fast.predict(given), plain.predict(given))
    assert (fast.path, plain.path) == ("array", "pyfunc")
    # Beyond what a tree's numbers hold: refused, as scikit-learn refuses it.
    for one in (float("inf"), 1e300):
        for predictor in (fast, plain):
            with pytest.raises(ValueError, match="infinity"):
                predictor.predict(batch(10, one))
