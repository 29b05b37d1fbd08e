"""Every call names its action, and a stranger to a workspace finds nothing behind any of them."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import msgspec
import pytest

from api_client import Api
from heddle.api.http import Effect, Row
from heddle.api.native import jobs
from heddle.app import all_rows, create_app
from heddle.settings import Settings
from native_calls import HERE, call, registered, trained

ROWS = all_rows()
NATIVE = [row for row in ROWS if "{workspace}" in row.path and not row.path.startswith("/v1/")]
PLAN = {"model": "m/1", "input": {"address": "in.parquet"}, "output": {"address": "out.parquet"}}
AGAIN = PLAN | {"output": {"address": "out.parquet", "mode": "overwrite"}}
BODIES = {
    "jobs.submit": {"plan": PLAN},
    "schedules.create": {"cron": "0 3 * * *", "plan": AGAIN},
    "tables.preview": {"input": {"address": "in.parquet"}},
    "workspaces.update": {},
    "experiments.create": {"name": "x"},
    "experiments.update": {"name": "x"},
    "runs.delete_many": {"runs": ["RUN"]},
    "runs.restore_many": {"runs": ["RUN"]},
    "runs.update": {"name": "x"},
    "models.create": {"name": "x"},
    "models.update": {"description": "x"},
    "models.set_alias": {"version": 1},
    "versions.create": {"run": "RUN", "path": "model"},
    "versions.update": {"description": "x"},
    "series.search": {"runs": ["RUN"], "keys": ["rmse"]},
    "versions.series": {"versions": [1], "keys": ["rmse"]},
    "compare.search": {"items": [{"run": "RUN"}]},
    "views.create": {"scope": "s", "name": "x", "document": {}},
    "views.update": {"name": "x"},
}
QUERIES = {
    "workspaces.find": "text=x",
    "runs.values": "column=status",
    "versions.values": "column=stage",
    "models.as_of": "time_ms=1",
}
# Calls that make something, or list what is there: in another workspace they succeed, and show or
# touch nothing of this one.
OPEN = {
    "workspaces.get", "workspaces.update", "workspaces.items", "workspaces.find",
    "experiments.list", "experiments.create", "runs.search", "runs.tree", "runs.columns", "runs.values",
    "jobs.list", "schedules.list", "series.search", "models.list", "models.create",
    "views.list", "views.create",
}  # fmt: skip


# MLflow's searches, which find nothing instead.
SEARCHES = {
    "experiments/list", "experiments/search", "logged-models/search", "model-versions/search",
    "metrics/get-history-bulk-interval", "registered-models/list", "registered-models/search",
    "runs/search",
}  # fmt: skip


# Calls that a worker answers; here there is none.
ASKED = ("tables.list", "tables.preview")


@pytest.fixture
def api(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "TAKEN_S", 0.0)
    app = create_app(Settings(data=tmp_path))
    app.open()
    yield Api(app)
    app.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
def test_every_call_names_what_it_does(row: Row):
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", row.action)
    assert isinstance(row.effect, Effect)


def request_of(row: Row, workspace: str, values: dict[str, str]) -> tuple[str, bytes]:
    """A path and a body that mean something that is there in the default workspace."""
    path = re.sub(
        r"\{(\w+)(?::path)?\}", lambda found: values.get(found[1], "x"),
        row.path.replace("{workspace}", workspace),
    )  # fmt: skip
    name = str(row.about["name"])
    if query := QUERIES.get(name):
        path += f"?{query}"
    body = BODIES.get(name, {})
    data = msgspec.json.encode(body).replace(b"RUN", values["run"].encode())
    return path, data if row.method in ("POST", "PUT", "PATCH") else b""


def things(api: Api) -> dict[str, str]:
    """One of everything in the default workspace."""
    uid = trained(api, "r", 1.0)
    registered(api, "m", uid, aliases=["champion"])
    made = api.post("logged-models", experiment_id="0", name="clf", source_run_id=uid)
    view = {"scope": "s", "name": "n", "document": {}, "shared": True}
    return {
        "experiment": "0",
        "run": uid,
        "logged_model": made.body["model"]["info"]["model_id"],
        "model": "m",
        "version": "1",
        "alias": "champion",
        "job": call(api, "POST", f"{HERE}/jobs", BODIES["jobs.submit"], 201)["id"],
        "schedule": call(api, "POST", f"{HERE}/schedules", BODIES["schedules.create"], 201)["id"],
        "view": call(api, "POST", f"{HERE}/views", view, 201)["id"],
        "path": "MLmodel",
    }


def test_a_stranger_finds_nothing(api):
    """Nothing of a workspace is reached by a path through another one, or through none."""
    values = things(api)
    call(api, "POST", "/workspaces", {"name": "other"}, 201)
    shown = {}
    for row in NATIVE:
        name = str(row.about["name"])
        path, body = request_of(row, "nowhere", values)
        answer = api.send(row.method, path, body)
        assert answer.status == 404, (name, answer.raw)
        assert answer.body["error"]["code"] == "not_found", name
        if name in ("workspaces.events", "workspaces.delete"):
            continue
        path, body = request_of(row, "other", values)
        answer = api.send(row.method, path, body)
        wanted = (200, 201) if name in OPEN else (503,) if name in ASKED else (404,)
        assert answer.status in wanted, (name, answer.status, answer.raw)
        shown[name] = answer.raw
    for name in (
        "workspaces.items",
        "workspaces.find",
        "runs.search",
        "runs.tree",
        "series.search",
    ):
        assert values["run"].encode() not in shown[name]
    assert call(api, "GET", f"{HERE}/models/m")["versions"] == 1
    assert call(api, "GET", f"{HERE}/runs/{values['run']}")["deleted_ms"] is None


# All but those that make something of their own where they are called.
MAKING = ("registered-models/create", "experiments/create")
MLFLOW_ROWS = [
    row
    for row in ROWS
    if "message" in row.about
    and row.path.startswith("/api/2.0/mlflow/")
    and not row.path.endswith(MAKING)
]


def test_mlflow_calls_find_nothing_of_another_workspace(api):
    """Every call with the ids of what is in ``default``, made in another workspace: nothing is told
    and nothing changes. The same calls in ``default`` tell of it, so that this says something."""
    values = things(api)
    call(api, "POST", "/workspaces", {"name": "other"}, 201)
    point = {"key": "rmse", "value": 9.0, "timestamp": 9, "step": 9}
    pair = {"key": "t", "value": "v"}
    run, model = values["run"], values["logged_model"]
    known = {
        **dict.fromkeys(("run_id", "run_uuid", "source_run_id"), run),
        "run_ids": [run], "experiment_id": "0", "experiment_ids": ["0"], "experiment_name": "Default",
        "name": "m", "version": "1", "alias": "champion", "model_id": model, "new_name": "taken",
        "metric_key": "rmse", "key": "rmse", "value": 9.0, "timestamp": 9, "max_results": 100,
        "source": f"runs:/{run}/model", "stage": "Production", "description": "d", "path": "",
        "metrics": [point], "params": [pair], "tags": [pair], "status": "FINISHED",
        "model_json": '{"artifact_path":"a","flavors":{},"utc_time_created":"","run_id":""}',
    }  # fmt: skip

    def ask(row: Row, workspace: str):
        body = {key: known[key] for key in row.about["message"].__struct_fields__ if key in known}
        if "models" in row.about["message"].__struct_fields__:
            body["models"] = [{"model_id": model, "step": 1}]
        if row.path.endswith(("log-parameter", "tag")):
            body["value"] = "v"
        if "logged-models" in row.path:
            body["status"] = "LOGGED_MODEL_READY"
        path = re.sub(r"\{\w+\}", lambda found: str(known.get(found[0][1:-1], "t")), row.path)
        data = msgspec.json.encode(body)
        if row.method == "GET":
            path, data = f"{path}?{urlencode(body, doseq=True)}", b""
        return api.send(row.method, path, data, {"x-mlflow-workspace": workspace})

    def shown() -> list[bytes]:
        reading = [row for row in MLFLOW_ROWS if row.effect is not Effect.WRITE]
        return [ask(row, "default").raw for row in reading]

    before = shown()
    secrets = (run.encode(), model.encode(), b"champion", b"trained")
    told = set()
    for row in MLFLOW_ROWS:
        answer = ask(row, "other")
        assert answer.status in (200, 400, 404), (row.path, answer.raw)
        if answer.status == 200:
            told.add(row.path.partition("mlflow/")[2])
            assert not any(secret in answer.raw for secret in secrets), (row.path, answer.raw)
        if answer.status == 400:
            assert answer.code == "INVALID_PARAMETER_VALUE", (row.path, answer.raw)
    assert told <= SEARCHES, "whatever names a thing finds none"
    assert shown() == before
    assert sum(run.encode() in answer for answer in before) > 10


def test_everything_is_there_for_whoever_belongs(api):
    """The same requests in the right workspace do find things, so that the test above says something."""
    values = things(api)
    for row in NATIVE:
        name = str(row.about["name"])
        if row.method not in ("GET", "POST") or name == "workspaces.events":
            continue
        path, body = request_of(row, "default", values)
        answer = api.send(row.method, path, body)
        expected = {
            "runs.content": 404, "logged_models.content": 404, "runs.preview": 400,
            "logged_models.preview": 400, "versions.preview": 400, "logged_models.zip": 404,
            "experiments.restore": 404, "tables.list": 503,
            "tables.preview": 503, "endpoints.score": 400,
        }.get(name)  # fmt: skip
        assert answer.status == expected if expected else answer.status in (200, 201), (
            name, answer.raw,
        )  # fmt: skip


def test_names_with_anything_in_them_are_found(api):
    for name in ("a b", "ü-é", "100%", "x=1&y", "semi;colon", "plus+", "a#b", "😀 model"):
        made = call(api, "POST", f"{HERE}/models", {"name": name}, 201)
        found = call(api, "GET", f"{HERE}/models/{quote(made['name'], safe='')}")
        assert found["name"] == name


def test_a_path_that_is_nowhere_and_a_method_that_is_not_offered(api):
    nothing = api.send("GET", "/api/v1/nothing")
    assert (nothing.status, nothing.body["error"]["code"]) == (404, "no_such_call")
    assert api.send("GET", "/v1/workspaces/x/y").body["errorCode"] == "ItemNotFound"
    for path in ("/api/2.0/mlflow/traces", "/v1/traces", "/graphql"):
        answer = api.send("POST", path)
        assert (answer.status, answer.code) == (404, "ENDPOINT_NOT_FOUND")
        assert "does not offer" in answer.body["message"]
    for path, allowed, code in (
        ("/api/v1/workspaces", "GET, HEAD, POST", ("error", "code", "wrong_method")),
        ("/v1/workspaces", "GET, HEAD", ("errorCode", "InvalidInput")),
        ("/api/2.0/mlflow/runs/get", "GET, HEAD", ("error_code", "ENDPOINT_NOT_FOUND")),
    ):
        answer = api.send("PUT", path)
        assert (answer.status, answer.headers["allow"]) == (405, allowed)
        found = answer.body
        for step in code[:-1]:
            found = found[step]
        assert found == code[-1]
