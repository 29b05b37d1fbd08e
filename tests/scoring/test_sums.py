"""What is summed up in pieces is what is summed up at once; how batches are cut."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from heddle.scoring import receipt, tables


def summed(*arrays: pa.Array) -> receipt.Summary:
    made = receipt.Summary("x")
    for array in arrays:
        made.add(array)
    return made


def test_summaries_of_parts_are_that_of_the_whole():
    chance = np.random.default_rng(1)
    arrays = [pa.array(chance.normal(size=size)) for size in (40_000, 10, 0, 90_000)]
    arrays[1] = pa.array([None, float("nan"), *arrays[1].to_pylist()])
    whole = summed(*arrays).done()
    merged = summed(arrays[0])
    merged.thin(500)
    for array in arrays[1:]:
        other = summed(array)
        other.thin(2000)
        merged.merge(other)
    found = merged.done()
    for name in ("rows", "nulls", "nans", "low", "high"):
        assert getattr(found, name) == getattr(whole, name), name
    assert found.mean == pytest.approx(whole.mean)
    # All parts are sampled alike, however many of each were kept.
    assert 300 < found.sampled < 2000
    assert found.quantiles["0.5"] == pytest.approx(whole.quantiles["0.5"], abs=0.15)


def test_few_rows_are_all_in_the_sample():
    merged = summed(pa.array([3, 1]))
    merged.merge(summed())
    merged.merge(summed(pa.array([2])))
    assert merged.sample.tolist() == [3, 1, 2]


def test_batches_grow_smaller_by_their_place_alone(monkeypatch):
    monkeypatch.setattr(tables, "FEWEST_ROWS", 100)
    whole = pa.RecordBatch.from_arrays([pa.array(range(3000))], ["id"])
    read = [whole.slice(at, 1000) for at in range(0, 3000, 1000)]
    every = list(tables.tapered(read, 0, 3000))
    assert pa.Table.from_batches(every)["id"].to_pylist() == list(range(3000))
    sizes = [each.num_rows for each in every]
    assert sizes[0] == 3000 // tables.TAPER
    assert max(sizes[-3:]) <= 100
    # Going on in the middle gives the batches that would have come there.
    again = list(tables.tapered(read[1:], 1000, 3000))
    assert [each.num_rows for each in again] == sizes[-len(again) :]
