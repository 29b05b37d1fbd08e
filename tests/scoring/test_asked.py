"""Scoring requests in every shape, and what a model beside them makes of it, joined or alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import applied_models
from heddle.scoring import asked, online
from heddle.scoring.asked import Asked, Wrong
from heddle.scoring.endpoint import CSV_FORM, FABRIC_FORM, JSON_FORM

pytestmark = pytest.mark.filterwarnings("default")
ROWS = [[1.0, 2.0, 3.0, 4.0], [0.5, -1.0, 2.5, 8.0]]
NAMES = ("a", "b", "c", "d")
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
TURNED = [dict(reversed(record.items())) for record in RECORDS]
COLUMNS = {name: [row[at] for row in ROWS] for at, name in enumerate(NAMES)}
SHAPES: list[tuple[Any, int]] = [
    ({"dataframe_split": {"columns": list(NAMES), "data": ROWS}}, JSON_FORM),
    ({"dataframe_split": {"columns": list("dcba"), "index": [7, 8],
                          "data": [row[::-1] for row in ROWS]}}, JSON_FORM),
    ({"dataframe_split": {"data": ROWS}}, JSON_FORM),
    ({"dataframe_records": RECORDS}, JSON_FORM),
    ({"dataframe_records": TURNED}, JSON_FORM),
    ({"instances": ROWS}, JSON_FORM),
    ({"instances": RECORDS}, JSON_FORM),
    ({"inputs": COLUMNS}, JSON_FORM),
    ({"inputs": ROWS, "params": {}}, JSON_FORM),
    ("a,b,c,d\n1,2,3.0,4\n0.5,-1,2.5,8\n", CSV_FORM),
    ({"formatType": "dataframe", "orientation": "values", "inputs": ROWS}, FABRIC_FORM),
    ({"orientation": "split", "inputs": {"columns": list(NAMES), "data": ROWS}}, FABRIC_FORM),
    ({"orientation": "record", "inputs": RECORDS}, FABRIC_FORM),
    ({"orientation": "index", "inputs": {"0": RECORDS[0], "1": TURNED[1]}}, FABRIC_FORM),
    ({"orientation": "table", "inputs": {"schema": {}, "data": RECORDS}}, FABRIC_FORM),
]  # fmt: skip
WRONG: list[tuple[Any, int, str]] = [
    (b"{", JSON_FORM, "not JSON"),
    ([1], JSON_FORM, "must be a JSON object with one of dataframe_split"),
    ({}, JSON_FORM, "exactly one of .*; it holds nothing"),
    ({"data": []}, JSON_FORM, "it holds data"),
    ({"instances": [], "inputs": []}, JSON_FORM, "it holds instances, inputs"),
    ({"instances": [[1], 2]}, JSON_FORM, "rows are all of one kind"),
    ({"instances": 3}, JSON_FORM, "instances must be a list"),
    ({"instances": [], "params": 3}, JSON_FORM, "params must be an object"),
    ({"dataframe_split": []}, JSON_FORM, "dataframe_split must be an object"),
    ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, JSON_FORM, "a more than once"),
    ({"dataframe_split": {"columns": ["a"], "data": [[1], [1, 2]]}}, JSON_FORM,
     r"data\[1\] is 2 values, and there are 1 columns"),
    ({"dataframe_records": [1]}, JSON_FORM, "list of objects"),
    ({"inputs": {"a": [1], "b": [1, 2]}}, JSON_FORM, r"not of one length \(a: 1, b: 2\)"),
    ({"inputs": {"a": 1}}, JSON_FORM, "each column a list"),
    (b"\xff", CSV_FORM, "not CSV"),
    ({"instances": [0] * 100_001}, JSON_FORM, "holds 100,001 rows, and 100,000 may be asked"),
    (b"", CSV_FORM, "empty"),
    ({"orientation": "cols", "inputs": []}, FABRIC_FORM, "there are values, split"),
    ({"formatType": "tensor", "inputs": []}, FABRIC_FORM, "must be 'dataframe'"),
]  # fmt: skip


def body(said: Any) -> bytes:
    if isinstance(said, bytes):
        return said
    return said.encode() if isinstance(said, str) else json.dumps(said).encode()


@pytest.fixture(scope="module")
def loaded(forest: Path) -> online.Model:
    return online.Model(str(forest))


@pytest.fixture(scope="module")
def truth(forest: Path) -> Any:
    return mlflow.pyfunc.load_model(str(forest))


@pytest.mark.parametrize(("said", "form"), SHAPES)
def test_every_shape_means_the_same_rows(loaded, truth, said, form):
    request = asked.read(body(said), form)
    given = loaded.ask(request)
    known = truth.predict(pd.DataFrame(ROWS, columns=NAMES))
    assert given.tobytes() == known.tobytes()
    answer = json.loads(asked.answer(given, request))
    if form == FABRIC_FORM and request.orientation == "values":
        assert answer == {
            "formatType": "dataframe", "orientation": "values",
            "predictions": [[value] for value in known.tolist()],
        }  # fmt: skip
    elif form != FABRIC_FORM:
        assert answer == {"predictions": known.tolist()}


@pytest.mark.parametrize(("said", "form", "words"), WRONG)
def test_what_cannot_be_read_is_said(said, form, words):
    with pytest.raises(Wrong, match=words):
        asked.read(body(said), form)


def test_everything_that_does_not_fit_is_listed(loaded):
    with pytest.raises(Wrong) as refused:
        loaded.ask(asked.read(body({"dataframe_records": [{"a": "x", "B": 1, "c": 2}]}), 0))
    words = str(refused.value)
    assert "column 'a' is string, and the model takes double" in words
    assert "column 'b' (double) is not there (nearest: B)" in words
    assert "column 'd' (double) is not there" in words
    assert "cast" not in words
    with pytest.raises(Wrong, match="the model has no param 'beta'; it takes none"):
        loaded.ask(asked.read(body({"instances": ROWS, "params": {"beta": 1}}), 0))
    with pytest.raises(Wrong, match="rows hold 2 values, and the model takes 4 columns"):
        loaded.ask(asked.read(body({"instances": [[1, 2]]}), 0))
    # A column that fitted before does not make another fit.
    with pytest.raises(Wrong, match="column 'c' is bool"):
        loaded.ask(asked.read(body({"instances": [[1, 2, True, 4]]}), 0))


def test_missing_values_and_extra_columns_are_taken(loaded, truth):
    said = b'{"dataframe_records": [{"a": 1, "b": NaN, "c": null, "d": 4, "z": "town"}]}'
    given = loaded.ask(asked.read(said, JSON_FORM))
    frame = pd.DataFrame([[1.0, math.nan, math.nan, 4.0]], columns=NAMES)
    assert given.tobytes() == truth.predict(frame).tobytes()


number = st.none() | st.floats(-1e30, 1e30) | st.integers(-(2**40), 2**40)
requests = st.lists(
    st.lists(st.lists(number, min_size=4, max_size=4), min_size=1, max_size=4),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=25)
@given(requests)
def test_joined_requests_get_the_bits_that_each_gets_alone(loaded, truth, made):
    assert loaded.joins
    each = [Asked(NAMES, rows) for rows in made]
    ((*group,),) = online.grouped(list(enumerate(each)), joins=True)
    answers = loaded.ask_together([request for _, request in group])
    assert answers is not None
    for request, answer in zip(each, answers, strict=True):
        frame = pd.DataFrame(request.rows, columns=NAMES, dtype="float64")
        assert json.loads(answer)["predictions"] == truth.predict(frame).tolist()


def test_what_is_joined_is_bounded_and_of_one_kind():
    many = [(at, Asked(NAMES, [[0.0]] * 1500)) for at in range(4)]
    sizes = [[key for key, _ in group] for group in online.grouped(many, joins=True)]
    assert sizes == [[0, 1], [2, 3]]
    mixed = [
        (0, Asked(NAMES, ROWS)), (1, Asked(None, ROWS)), (2, Asked(NAMES, ROWS, {"p": 1})),
        (3, Asked(NAMES, ROWS)), (4, Asked(NAMES, [])),
    ]  # fmt: skip
    found = [[key for key, _ in group] for group in online.grouped(mixed, joins=True)]
    assert sorted(found) == [[0, 3], [1], [2], [4]]
    assert [len(group) for group in online.grouped(mixed, joins=False)] == [1] * 5


def test_one_that_does_not_fit_leaves_its_neighbours_to_be_asked_alone(loaded):
    bad = Asked(NAMES, [["x", 1.0, 2.0, 3.0]])
    assert loaded.ask_together([Asked(NAMES, ROWS), bad]) is None


TYPED = applied_models.columns(
    ("n", "long"), ("i", "integer"), ("f", "float"), ("s", "string"), ("b", "boolean"),
    ("t", "datetime"), ("y", "binary"), ("o", "double"), optional=("o",),
)  # fmt: skip
SHOW = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [f"{kind} {value!r}" for name, kind in model_input.dtypes.items()
                for value in model_input[name]] if len(model_input) == 1 else model_input
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> online.Model:
    from mlflow.models import ModelSignature

    folder = tmp_path_factory.mktemp("typed") / "model"
    applied_models.custom(folder, SHOW, signature=ModelSignature(inputs=TYPED))
    return online.Model(str(folder))


def test_types_of_a_signature_are_made_of_what_json_has(typed):
    row = {"n": 2**53 + 1, "i": 3, "f": 0.1, "s": "1", "b": True, "t": "2026-01-02T03:04:05",
           "y": "aGk="}  # fmt: skip
    shown = typed.ask(Asked(tuple(row), [list(row.values())]))
    assert f"int64 {2**53 + 1}" in shown[0]
    assert shown[1].startswith("int32")
    assert shown[2].startswith("float32")
    assert "2026-01-02 03:04:05" in shown[5]
    assert "b'hi'" in shown[6]
    assert not typed.joins  # people's own models may look at all rows at once
    for name, wrong in (("n", 1.5), ("i", 2**31), ("f", "x"), ("s", 1), ("b", 1), ("t", "soon"),
                        ("y", "?"), ("n", "1")):  # fmt: skip
        spoilt = row | {name: wrong}
        with pytest.raises(Wrong, match="not what the model takes"):
            typed.ask(Asked(tuple(spoilt), [list(spoilt.values())]))
    whole = row | {"n": 4.0}
    assert "int64 4" in typed.ask(Asked(tuple(whole), [list(whole.values())]))[0]


def test_frames_are_answered_as_records(typed):
    row = [1, 2, 0.5, "x", False, "2026-01-02", "aGk="]
    names = ("n", "i", "f", "s", "b", "t", "y")
    request = Asked(names, [row, row])
    answer = json.loads(asked.answer(typed.ask(request), request))
    assert len(answer["predictions"]) == 2
    assert answer["predictions"][0] | {"y": ""} == {
        "n": 1, "i": 2, "f": 0.5, "s": "x", "b": False, "t": "2026-01-02T00:00:00", "y": "",
    }  # fmt: skip


TENSORS = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input.sum(axis=(1, 2))
"""


def test_tensors_are_taken_whole(tmp_path):
    from mlflow.models import ModelSignature

    signature = ModelSignature(inputs=applied_models.tensor("float32", 2, 2))
    applied_models.custom(tmp_path / "model", TENSORS, signature=signature)
    model = online.Model(str(tmp_path / "model"))
    given = model.ask(asked.read(b'{"inputs": [[[1, 2], [3, 4]], [[0, 0], [0, 1]]]}', JSON_FORM))
    assert given.tolist() == [10.0, 1.0]
    assert given.dtype == np.float32
    for wrong in (b'{"inputs": [[1, 2, 3, 4]]}', b'{"inputs": [[["x", 2], [3, 4]]]}'):
        with pytest.raises(Wrong, match=r"no tensor\(float32, \[-1, 2, 2\]\)"):
            model.ask(asked.read(wrong, JSON_FORM))
