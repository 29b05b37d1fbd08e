"""MLflow's registry calls over the wire, on both databases: shapes, codes, twins, quirks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.app import create_app
from heddle.settings import Settings

INVALID = (400, "INVALID_PARAMETER_VALUE")
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}


@pytest.fixture
def ask(database_url: str, tmp_path: Any) -> Iterator[Callable[..., Any]]:
    """Sends one call to a server in this process; gives its body, or a failure's (status, code)."""
    app = create_app(Settings(data=tmp_path / "data", database=database_url))
    with asyncio.Runner() as runner:
        app.open()
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast("Any", app)), base_url="http://127.0.0.1:5000"
        )

        def send(call: str, body: Any = None, *, prefix: str = "/api/2.0/mlflow/") -> Any:
            method, path = call.split(" ", 1)
            content = {"params": body} if method == "GET" else {"json": body}
            answer = runner.run(client.request(method, prefix + path, **content))
            told = answer.json()
            return told if answer.status_code == 200 else (answer.status_code, told["error_code"])

        yield send
        runner.run(client.aclose())
        app.close()


@pytest.fixture
def staged(ask: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with a model ``m`` of two versions."""
    ask("POST registered-models/create", {"name": "m"})
    for _ in range(2):
        ask("POST model-versions/create", {"name": "m", "source": "s3://b/a"})
    return ask


def test_a_model_and_a_version_as_they_are_written(ask):
    made = ask("POST registered-models/create", {"name": "m", "tags": [{"key": "a", "value": "1"}]})
    model = made["registered_model"]
    assert set(model) == {"name", "creation_timestamp", "last_updated_timestamp", "tags"}
    made = ask("POST model-versions/create", {"name": "m", "source": "s3://b/a"})
    version = made["model_version"]
    assert version | {"creation_timestamp": 0, "last_updated_timestamp": 0} == {
        "name": "m", "version": "1", "creation_timestamp": 0, "last_updated_timestamp": 0,
        "current_stage": "None", "description": "", "source": "s3://b/a", "run_id": "",
        "status": "READY", "run_link": "",
    }  # fmt: skip
    assert ask("GET model-versions/get", {"name": "m", "version": "1"}) == made
    seen = ask("GET registered-models/get", {"name": "m"})["registered_model"]
    assert seen["latest_versions"] == [version]


@pytest.mark.parametrize(
    ("call", "body", "failure"),
    [
        ("POST registered-models/create", {"name": "m"}, (400, "RESOURCE_ALREADY_EXISTS")),
        ("POST registered-models/create", {}, INVALID),
        ("GET registered-models/get", {"name": "x"}, MISSING),
        ("POST registered-models/rename", {"name": "m"}, INVALID),
        ("PATCH registered-models/update", {"name": "x"}, MISSING),
        ("POST model-versions/create", {"name": "x", "source": "s3://b/a"}, MISSING),
        ("POST model-versions/create", {"name": "m"}, INVALID),
        ("PATCH model-versions/update", {"name": "m", "version": 1}, INVALID),
        ("GET model-versions/get", {"name": "m", "version": "1.0"}, INVALID),
        ("GET model-versions/get", {"name": "m", "version": "-1"}, MISSING),
        ("GET model-versions/get", {"name": "m", "version": "9" * 30}, MISSING),
        ("DELETE registered-models/delete?name=m", {}, INVALID),
        ("GET registered-models/alias", {"name": "m", "alias": "none"}, INVALID),
        ("POST registered-models/alias", {"name": "m", "alias": "a", "version": "9"}, MISSING),
        ("GET registered-models/search", {"filter": "colour = 'a'"}, INVALID),
        ("GET registered-models/search", {"order_by": "creation_timestamp"}, INVALID),
        ("GET model-versions/search", {"filter": "current_stage = 'None'"}, INVALID),
        ("GET model-versions/search", {"max_results": "200001"}, INVALID),
        ("GET model-versions/search", {"page_token": "garbage"}, INVALID),
        ("POST registered-models/get-latest-versions", {"name": "m", "stages": ["No"]}, INVALID),
    ],
)
def test_mistakes_get_mlflows_codes(staged, call, body, failure):
    assert staged(call, body) == failure


@pytest.mark.parametrize(
    "source",
    [
        "/etc", "file:///etc/passwd", "file://host/etc/passwd", "relative/path", "s3://b/../a",
        "s3://b/%2e%2e/a", "s3://b/%252e%252e/a", "s3://b/a\0", "http://host/a", "ftp://host/a",
        "hdfs://host/a", "runs:/0123/model", "mlflow-artifacts:/other/place", "models:/m/9",
        "models:/m@none", "models:/m/latest", "models:/m", "models:/m-0123", "dummy-source",
        "mlflow-artifacts:/versions/1/x",
    ],
)  # fmt: skip
def test_sources_that_are_refused(staged, source):
    told = staged("POST model-versions/create", {"name": "m", "source": source})
    if source == "mlflow-artifacts:/versions/1/x":
        # A version's own files may be named; there are none here, so nothing is pinned.
        assert told["model_version"]["source"] == source
    else:
        assert told in (INVALID, MISSING)
    expected = 3 if isinstance(told, dict) else 2
    assert len(staged("GET model-versions/search")["model_versions"]) == expected


parts = ["a", "b.c", ".", "..", ".d", "%2e", "%252e", "%2f", "\\", "/", "//", "?", "#", " ", "-"]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(parts), min_size=1, max_size=8).map("".join))
def test_a_source_is_taken_unless_a_segment_of_it_leads_elsewhere(staged, path):
    source, plain = f"s3://b/k{path}", path
    while unquote(plain) != plain:
        plain = unquote(plain)
    segments = re.split(r"[/\\?#]", f"k{plain}")
    place = re.split("[?#]", f"k{plain}")[0].split("/")
    told = staged("POST model-versions/create", {"name": "m", "source": source})
    if ".." in segments or "." in place:
        assert told == INVALID
    else:
        assert told["model_version"]["source"] == source


def test_a_source_of_another_run_is_refused(staged):
    uids = [
        staged("POST runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
        for _ in range(2)
    ]
    for source in (
        f"runs:/{uids[0]}/model",
        f"runs:/{uids[1]}/../{uids[0]}/model",
        f"mlflow-artifacts:/0/{uids[0]}/artifacts/model",
        f"http://h/api/2.0/mlflow-artifacts/artifacts/0/{uids[0]}/artifacts/model",
        f"mlflow-artifacts:/0/{uids[1]}/artifacts-not/model",
    ):
        for run_id in ({}, {"run_id": uids[1]}):
            body = {"name": "m", "source": source} | run_id
            assert staged("POST model-versions/create", body) == INVALID


def test_update_without_a_description_clears_it(staged):
    for kind, key in (("registered-models", {}), ("model-versions", {"version": "1"})):
        staged(f"PATCH {kind}/update", {"name": "m", "description": "words"} | key)
        told = staged(f"PATCH {kind}/update", {"name": "m"} | key)
        assert not next(iter(told.values())).get("description")


def test_aliases_show_on_get_but_not_on_search(staged):
    staged("POST registered-models/alias", {"name": "m", "alias": "best", "version": "1"})
    got = staged("GET registered-models/alias", {"name": "m", "alias": "best"})
    assert got["model_version"]["aliases"] == ["best"]
    model = staged("GET registered-models/get", {"name": "m"})["registered_model"]
    assert model["aliases"] == [{"alias": "best", "version": "1"}]
    found = staged("GET model-versions/search", {"filter": "name = 'm'"})["model_versions"]
    assert [v.get("aliases") for v in found] == [None, None]
    assert staged("DELETE registered-models/alias", {"name": "m", "alias": "best"}) == {}
    assert staged("DELETE registered-models/alias", {"name": "m", "alias": "best"}) == {}


def test_latest_versions_by_get_and_post(staged):
    body = {"name": "m", "version": "1", "stage": "production", "archive_existing_versions": True}
    staged("POST model-versions/transition-stage", body)
    for method in ("GET", "POST"):
        told = staged(f"{method} registered-models/get-latest-versions", {"name": "m"})
        assert {v["current_stage"]: v["version"] for v in told["model_versions"]} == {
            "Production": "1", "None": "2",
        }  # fmt: skip
        one = {"name": "m", "stages": ["Production"]}
        told = staged(f"{method} registered-models/get-latest-versions", one)
        assert [v["version"] for v in told["model_versions"]] == ["1"]


def test_prompts_are_hidden_unless_asked_for(staged):
    staged("POST registered-models/create", {"name": "p", "tags": [PROMPT]})
    body = {"name": "p", "source": "dummy-source", "tags": [PROMPT]}
    staged("POST model-versions/create", body)
    tag = "tags.`mlflow.prompt.is_prompt`"
    for kind, found in (
        ("registered-models", "registered_models"),
        ("model-versions", "model_versions"),
    ):
        for condition, names in (
            ("", {"m"}),
            ("name = 'p'", set()),
            (f"{tag} = 'true'", {"p"}),
            (f"{tag} != 'false'", {"p"}),
            (f"{tag} != 'true'", {"m"}),
            (f"{tag}='false' AND name LIKE '%'", {"m"}),
            (f"name LIKE '%' AND {tag} = 'true'", {"p"}),
        ):
            told = staged(f"GET {kind}/search", {"filter": condition}).get(found, [])
            assert {item["name"] for item in told} == names, (kind, condition)
    assert staged("POST registered-models/create", {"name": "p"}) == (
        400,
        "RESOURCE_ALREADY_EXISTS",
    )
    wrong = {"name": "p", "source": "s3://b/a", "tags": [PROMPT]}
    assert staged("POST model-versions/create", wrong) == INVALID
    untag = {"name": "p", "key": PROMPT["key"]}
    staged("DELETE registered-models/delete-tag", untag)
    told = staged("GET registered-models/search")["registered_models"]
    assert [item["name"] for item in told] == ["m", "p"]


def test_versions_are_found_ordered_and_paged(staged):
    staged("POST registered-models/create", {"name": "n"})
    tags = [{"key": "k", "value": "x"}]
    staged("POST model-versions/create", {"name": "n", "source": "s3://b/n", "tags": tags})

    def found(condition, **more):
        told = staged("GET model-versions/search", {"filter": condition, **more})
        return [v["name"] + v["version"] for v in told.get("model_versions", [])]

    order = {"order_by": ["name ASC", "version_number ASC"]}
    assert found("", **order) == ["m1", "m2", "n1"]
    assert found("name = 'm'", order_by="version_number DESC") == ["m2", "m1"]
    assert found("name IN ('m', 'n')", **order) == ["m1", "m2", "n1"]
    assert found("name IN ('n', 'none')") == ["n1"]
    assert found("name = 'none'") == []
    assert found("name LIKE 'm%' AND version_number > 1") == ["m2"]
    assert found("source_path = 's3://b/n'") == ["n1"]
    assert found("tags.k = 'x'") == ["n1"]
    page = staged("GET model-versions/search", {"max_results": 2, **order})
    rest = {"max_results": 2, "page_token": page["next_page_token"], **order}
    told = staged("GET model-versions/search", rest)
    assert [v["name"] for v in told["model_versions"]] == ["n"]
    assert "next_page_token" not in told
    assert staged("POST model-versions/search", {"filter": "name = 'm'"})["model_versions"]


def test_calls_of_the_first_generation(staged):
    preview = "/api/2.0/preview/mlflow/"
    told = staged("GET registered-models/list", {"max_results": 10}, prefix=preview)
    assert [model["name"] for model in told["registered_models"]] == ["m"]
    told = staged("GET experiments/list", {"view_type": "ALL"})
    assert [item["experiment_id"] for item in told["experiments"]] == ["0"]
    assert staged("GET model-versions/get", {"name": "m", "version": "2"}, prefix=preview)


def test_a_search_shows_every_change_at_once(staged):
    def shown():
        told = staged("GET model-versions/search", {"filter": "version_number = 1"})
        return told["model_versions"][0]

    one = {"name": "m", "version": "1"}
    assert "tags" not in shown()
    staged("POST model-versions/set-tag", one | {"key": "k", "value": "x"})
    assert shown()["tags"] == [{"key": "k", "value": "x"}]
    staged("DELETE model-versions/delete-tag", one | {"key": "k"})
    assert "tags" not in shown()
    staged("PATCH model-versions/update", one | {"description": "words"})
    assert shown()["description"] == "words"
    staged("POST model-versions/transition-stage", one | {"stage": "Staging"})
    assert shown()["current_stage"] == "Staging"
    other = {"name": "m", "version": "2", "stage": "Staging", "archive_existing_versions": True}
    staged("POST model-versions/transition-stage", other)
    assert shown()["current_stage"] == "Archived"
    staged("POST registered-models/rename", {"name": "m", "new_name": "n"})
    assert shown()["name"] == "n"
