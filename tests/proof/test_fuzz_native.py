"""The native API with whatever its OpenAPI document allows, and a little that it does not.

Schemathesis makes the requests from the checked-in document; the ids of half of them are changed to
ones that are there, so that they reach what lies behind the look-up.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from api_client import Answer, Api
from heddle.app import create_app
from heddle.settings import Settings
from native_calls import HERE, call, registered, trained

EXAMPLES = int(os.environ.get("HEDDLE_FUZZ_EXAMPLES", "300"))
ANSWER_S = 20
DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi.json").read_bytes())
# The stream of events does not end by itself, tables wait for a worker, and deleting what all
# requests meet would end the test.
LEFT_OUT = re.compile(r"workspaces\.(events|delete)|tables\..*|(models|experiments)\.delete")
FOUND = schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
OPERATIONS = [
    operation
    for operation in (found.ok() for found in FOUND if isinstance(found, Ok))
    if not LEFT_OUT.fullmatch(operation.definition.raw["operationId"])
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Api, dict[str, str]]]:
    """An application with one of everything, and the ids of these."""
    folder = tmp_path_factory.mktemp("native")
    url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.create(request.getfixturevalue("migrated_postgres"))
        url = server.url(name)
    app = create_app(Settings(data=folder, database=url))
    app.open()
    api = Api(app)
    run = trained(api, "r", 1.0)
    registered(api, "m", run, aliases=["champion"])
    logged = api.post("logged-models", experiment_id="0", name="l", source_run_id=run)
    view = {"scope": "s", "name": "n", "document": {}, "shared": True}
    yield (
        api,
        {
            "workspace": "default",
            "experiment": "0",
            "run": run,
            "model": "m",
            "version": "1",
            "alias": "champion",
            "logged_model": logged.body["model"]["info"]["model_id"],
            "view": call(api, "POST", f"{HERE}/views", view, 201)["id"],
            "path": "MLmodel",
        },
    )
    app.close()
    if url:
        server.drop(name)


@cache
def checker(schema: str) -> Draft202012Validator:
    """What checks an answer against a schema of the document, given as JSON."""
    return Draft202012Validator({**json.loads(schema), "components": DOCUMENT["components"]})


def mismatch(case: Any, answer: Answer) -> str:
    """In what an answer is not the one that the document promises; empty if it is."""
    promised = DOCUMENT["paths"][case.operation.path][case.method.lower()]["responses"]
    described = promised.get(str(answer.status))
    if described is None:
        if answer.status < 400:
            return f"status {answer.status} is not promised"
        described = promised["default"]
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or answer.headers.get("content-type") != "application/json":
        return ""
    error = best_match(checker(json.dumps(schema)).iter_errors(answer.body))
    return "" if error is None else f"{error.json_path}: {error.message}"


@st.composite
def requests(draw: st.DrawFn) -> tuple[Any, bool]:
    """A request that the document allows, or, one time in four, one that it does not."""
    operation = draw(st.sampled_from(OPERATIONS))
    modes = [GenerationMode.POSITIVE] * 3 + [GenerationMode.NEGATIVE]
    mode = draw(st.sampled_from(modes))
    return draw(operation.as_strategy(generation_mode=mode)), draw(st.booleans())


def send(api: Api, case: Any, ids: dict[str, str]) -> Answer:
    """The request as a client would send it."""
    values = {**(case.path_parameters or {}), **ids}
    path = case.operation.path
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe="", errors="replace"))
    query = urlencode(dict(case.query or {}), doseq=True, errors="replace")
    body = b""
    if not isinstance(case.body, schemathesis.core.NotSet):
        body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()

    async def bounded() -> Answer:
        at = f"{unquote(path)}?{query}".replace("\ufffd", "x")
        sending = api.send_async(case.method.upper(), at.replace("\0", "x"), body)
        return await asyncio.wait_for(sending, ANSWER_S)

    return asyncio.run(bounded())


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="HEDDLE_FUZZ_EXAMPLES" not in os.environ,
)
@given(request=requests())
def test_anything_the_document_allows(
    world: tuple[Api, dict[str, str]], request: tuple[Any, bool]
) -> None:
    (api, ids), (case, real) = world, request
    answer = send(api, case, ids if real else {"workspace": "default"})
    shown = (case.method, case.operation.path, case.query, case.body)
    assert answer.status < 500, (shown, answer.status, answer.raw[:500])
    assert mismatch(case, answer) == "", shown
    if answer.status >= 400:
        assert answer.body["error"]["code"], shown
        assert answer.body["error"]["message"], shown
