"""MLflow's calls with anything in their fields: no failure of ours, no hang, an error in its shape.

The calls and their fields come from the table of rows itself, so a new call is fuzzed from its first
day. Values are those that break things: of other types, at the ends of ranges, ids that are there and
that are not, text that one database or the other does not take.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_client import Answer, Api
from heddle.api.http import Effect, Row
from heddle.api.mlflow.wire import Message
from heddle.app import all_rows, create_app
from heddle.settings import Settings

EXAMPLES = int(os.environ.get("HEDDLE_FUZZ_EXAMPLES", "400"))
"""How many requests each test sends; more for a long search."""
ANSWER_S = 20
ROWS = [
    row
    for row in all_rows()
    if "message" in row.about and row.path.startswith(("/api/2.0/mlflow/", "/api/3.0/mlflow/"))
]
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", " ", "a", "m", "0", "1", "-1", "latest", "champion", "RUNNING", "ALL", "None"),
            *("a'b", 'a"b', "a`b", "%", "%%", "_", "\\", "a/b", "../x", "a//b", ".", "#", "?"),
            *("\0", "a\0b", "\ud800", "\udfff\ud800", "\uffff", "\ufeff", "\U0010ffff", "é", "é"),
            *("💥", "\n", "\r\n", "x" * 251, "x" * 9000, "NaN", "Infinity", "1e400", "0x10"),
            *(
                "9" * 19,
                "9" * 20,
                "9" * 5000,
                "-" + "9" * 19,
                "-0",
                "²",
                "\u0661",
                "1_0",
                " 1",
                "1.0",
            ),
            *("runs:/x/y", "models:/m/1", "mlflow-artifacts:/0/x", "file:///etc/passwd", "s3://"),
            *("metrics.m > 1", "tags.`a b` = 'x' AND", "params.x RLIKE '['", "name LIKE '%'"),
            *("metrics.m DESC", "start_time ASC", "attributes.", "🙂 = 'x'", "a = 'x' " * 500),
        ]
    ),
    st.text(max_size=20),
)
INTEGERS = st.one_of(
    st.sampled_from(
        [0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, -(2**63), 10**30]
    ),
    st.integers(),
)
NUMBERS = st.one_of(st.floats(), INTEGERS, st.sampled_from(["NaN", "Infinity", "-Infinity", "x"]))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


class World:
    """An application with one of everything, whose ids the requests may name."""

    def __init__(self, folder: Path, url: str) -> None:
        self.app = create_app(Settings(data=folder, database=url))
        self.app.open()
        self.api = Api(self.app)
        api = self.api
        self.run = api.run(run_name="r")
        point = {"key": "m", "value": 1.0, "timestamp": 1, "step": 1}
        pair = {"key": "a", "value": "x"}
        api.post("runs/log-batch", run_id=self.run, metrics=[point], params=[pair], tags=[pair])
        api.post("registered-models/create", name="m")
        api.post("model-versions/create", name="m", source="s3://b/m")
        api.post("registered-models/alias", name="m", alias="champion", version="1")
        model = api.post("logged-models", experiment_id="0", name="l").body["model"]
        self.ids = {
            "run_id": self.run,
            "run_uuid": self.run,
            "run_ids": [self.run],
            "model_id": model["info"]["model_id"],
            "experiment_id": "0",
            "experiment_ids": ["0"],
            "name": "m",
            "version": "1",
            "alias": "champion",
            "key": "a",
            "metric_key": "m",
            "workspace_name": "default",
        }

    def send(self, method: str, path: str, body: bytes) -> Answer:
        """One request; raises ``TimeoutError`` if it hangs."""

        async def bounded() -> Answer:
            return await asyncio.wait_for(self.api.send_async(method, path, body), ANSWER_S)

        return asyncio.run(bounded())

    def close(self) -> None:
        self.app.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The same world on each kind of database."""
    folder = tmp_path_factory.mktemp("world")
    if request.param == "sqlite":
        made = World(folder, "")
        yield made
        made.close()
        return
    server = request.getfixturevalue("postgres")
    name = server.create(request.getfixturevalue("migrated_postgres"))
    made = World(folder, server.url(name))
    yield made
    made.close()
    server.drop(name)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, and now and then of any other."""
    origin = get_origin(hint)
    if origin is Union or type(hint).__name__ == "UnionType":
        return st.one_of(*(values(part) for part in get_args(hint)))
    if origin is list:
        return st.lists(values(get_args(hint)[0]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, Message):
        return fields(hint)
    if origin is not None and get_args(hint):
        return values(get_args(hint)[0])
    known = {str: TEXTS, int: INTEGERS, float: NUMBERS, bool: st.booleans(), type(None): st.none()}
    return known.get(hint, ANYTHING)


def fields(kind: type[Message]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of a message's fields."""
    hints = get_type_hints(kind)
    each = {
        name: st.one_of(values(hints[name]), values(hints[name]), ANYTHING)
        for name in kind.__struct_fields__
    }
    return st.fixed_dictionaries({}, optional=each)


KINDS = {row.about["message"]: fields(row.about["message"]) for row in ROWS}


@st.composite
def requests(draw: st.DrawFn) -> tuple[Row, dict[str, Any], frozenset[str]]:
    """A call, its fields, and those of them that get an id that is there."""
    row = draw(st.sampled_from(ROWS))
    given_fields = draw(KINDS[row.about["message"]])
    real = draw(
        st.frozensets(st.sampled_from(sorted(row.about["message"].__struct_fields__) or [""]))
    )
    return row, given_fields, real


def encoded(body: dict[str, Any]) -> bytes:
    """JSON as the worst clients write it: lone surrogates and bare NaN included."""
    import json

    return json.dumps(body).encode()


def plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def check(answer: Answer, shown: object) -> None:
    """Success, or a failure that names itself in MLflow's shape."""
    assert answer.status < 500 or answer.status == 501, (shown, answer.status, answer.raw[:500])
    if answer.status >= 400 and answer.headers.get("content-type") == "application/json":
        assert answer.body["error_code"], shown
        assert answer.body["message"], shown


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="HEDDLE_FUZZ_EXAMPLES" not in os.environ,
)
@given(request=requests())
def test_any_fields(world: World, request: tuple[Row, dict[str, Any], frozenset[str]]) -> None:
    row, body, real = request
    body = {**body, **{name: world.ids[name] for name in real if name in world.ids}}
    path = row.path
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        value = plain(str(body.get(name, world.ids.get(name, "x"))))[:500]
        path = path.replace(f"{{{name}}}", value.replace("?", "").replace("/", "") or "x")
    if row.method == "GET":
        query = [
            (key, plain(str(item)))
            for key, value in body.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        answer = world.send("GET", f"{path}?{urlencode(query)}", b"")
    else:
        answer = world.send(row.method, path, encoded(body))
    check(answer, (row.method, path, body))


BODIES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(
                b"null",
                b"[]",
                b'"x"',
                b'"{}"',
                b"{",
                b"1e999",
                b"{}{}",
                b"\xff\xfe{}",
                b"\xef\xbb\xbf{}",
            ),
            *(b"[" * 100_000, b'{"a":' * 100_000, b'{"run_id":"\\ud800"}', b'{"run_id":1e400}'),
            b'{"metrics":' + b"[" * 50_000,
            b"\x1f\x8b\x08",
        ]
    ),
)


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(row=st.sampled_from([row for row in ROWS if row.effect is not Effect.STREAM]), body=BODIES)
def test_any_body(world: World, row: Row, body: bytes) -> None:
    path = row.path
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", quote(str(world.ids.get(name, "x"))))
    check(world.send(row.method, path, body), (row.method, path, body[:200]))


def test_points_are_thinned_alike(world: World) -> None:
    """Found by the above: more points than are wanted, which only one database could number."""
    points = [{"key": "many", "value": n, "timestamp": n, "step": n} for n in range(50)]
    # In a place of its own: the world's may have been deleted by now.
    made = world.api.post("experiments/create", name="thinned").body["experiment_id"]
    run = world.api.run(experiment_id=made)
    assert world.api.post("runs/log-batch", run_id=run, metrics=points).status == 200
    query = f"run_ids={run}&metric_key=many&max_results=5&start_step=0&end_step=49"
    found = world.api.get(f"metrics/get-history-bulk-interval?{query}")
    assert found.status == 200, found.raw
    steps = [point["step"] for point in found.body["metrics"]]
    assert (steps[0], steps[-1], len(steps)) == (0, 49, 5)


def test_what_was_there_is_there_still(world: World) -> None:
    """After all that the server still serves what it held."""
    run = world.api.get(f"runs/get?run_id={world.run}")
    assert run.status == 200
    assert msgspec.json.encode(run.body)
