"""Experiments, runs and what hangs on them, over MLflow's wire."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from api_client import MLFLOW, Api
from heddle.tracking import metrics


def test_a_run_holds_what_was_logged(api: Api) -> None:
    uid = api.run(run_name="first", tags=[{"key": "team", "value": "a"}])
    assert api.post("runs/log-parameter", run_id=uid, key="lr", value="0.1").body == {}
    for step in (2, 1):
        api.post("runs/log-metric", run_id=uid, key="loss", value=step / 2, timestamp=5, step=step)
    api.post("runs/update", run_id=uid, status="FINISHED", end_time=9)
    run = api.get(f"runs/get?run_id={uid}").body["run"]
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["end_time"] == 9
    assert run["info"]["run_name"] == "first"
    assert run["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    latest = {"key": "loss", "value": 1.0, "timestamp": 5, "step": 2}
    assert run["data"]["metrics"] == [latest], "the greatest step counts, not the last written"
    labels = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert labels == {"mlflow.runName": "first", "team": "a"}


def test_history_is_ordered_and_the_same_point_is_one(api: Api) -> None:
    uid = api.run()
    points = [
        {"key": "m", "value": value, "timestamp": timestamp, "step": step}
        for value, timestamp, step in ((3.0, 2, 0), (1.0, 1, 7), (3.0, 2, 0), (2.0, 2, -1))
    ]
    assert api.post("runs/log-batch", run_id=uid, metrics=points).status == 200
    assert api.post("runs/log-batch", run_id=uid, metrics=points[:1]).status == 200
    found = api.get(f"metrics/get-history?run_id={uid}&metric_key=m").body["metrics"]
    assert [(p["timestamp"], p["step"], p["value"]) for p in found] == [
        (1, 7, 1.0),
        (2, -1, 2.0),
        (2, 0, 3.0),
    ]
    pages: list[Any] = []
    token = ""
    while True:
        page = api.get(
            f"metrics/get-history?run_id={uid}&metric_key=m&max_results=2&page_token={token}"
        ).body
        pages += page["metrics"]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert pages == found


def test_a_call_notes_the_latest_of_many_metrics(api: Api) -> None:
    """They are noted by the hundreds; of each the later counts, whichever call brought it."""
    uid = api.run()
    for step in (1, 2, 0):
        points = [
            {"key": f"m{n}", "value": n + step / 4, "timestamp": 9 - step, "step": step}
            for n in range(499, -1, -1)
        ]
        twice = {"key": "m7", "value": -1.0, "timestamp": 0, "step": step}
        assert api.post("runs/log-batch", run_id=uid, metrics=[*points, twice]).status == 200
    run = api.get(f"runs/get?run_id={uid}").body["run"]
    latest = {point["key"]: (point["value"], point["step"]) for point in run["data"]["metrics"]}
    assert latest == {f"m{n}": (n + 0.5, 2) for n in range(500)}
    seventh = api.get(f"metrics/get-history?run_id={uid}&metric_key=m7").body["metrics"]
    assert [point["step"] for point in seventh] == [0, 1, 2, 2, 1, 0]


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_history_longer_than_a_part(
    api: Api, monkeypatch: pytest.MonkeyPatch, beyond: int
) -> None:
    """Histories are read in parts; no point is lost or told twice where two of them meet."""
    monkeypatch.setattr(metrics, "HISTORY_PART", 100)
    uid = api.run()
    count = 300 + beyond
    points = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(count)]
    api.post("runs/log-batch", run_id=uid, metrics=points)
    where = f"metrics/get-history?run_id={uid}&metric_key=m"
    steps = [point["step"] for point in api.get(where).body["metrics"]]
    assert steps == list(range(count))
    for limit in (99, 100, 101, count - 1, count):
        page = api.get(f"{where}&max_results={limit}").body
        assert [point["step"] for point in page["metrics"]] == list(range(limit))
        rest = page.get("next_page_token")
        assert (rest is None) == (limit == count)
        if rest:
            after = api.get(f"{where}&max_results=2&page_token={rest}").body["metrics"]
            assert [point["step"] for point in after] == list(range(limit, count))[:2]
    assert api.get(f"metrics/get-history?run_id={uid}&metric_key=none").body == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [("NaN", "NaN"), ("Infinity", 1.7976931348623157e308), ("-Infinity", -1.7976931348623157e308)],
)
def test_numbers_that_are_none(api: Api, given: str, kept: float | str) -> None:
    uid = api.run()
    api.post("runs/log-metric", run_id=uid, key="m", value=given, timestamp=1)
    run = api.get(f"runs/get?run_id={uid}").body["run"]
    assert run["data"]["metrics"][0]["value"] == kept


def test_params_are_written_once(api: Api) -> None:
    uid = api.run()
    for _ in range(2):
        assert api.post("runs/log-parameter", run_id=uid, key="p", value="1").status == 200
    refused = api.post("runs/log-parameter", run_id=uid, key="p", value="2")
    assert refused.status == 400
    assert refused.body["message"].startswith("Changing param values is not allowed")
    batch = api.post(
        "runs/log-batch",
        run_id=uid,
        params=[{"key": "p", "value": "2"}],
        tags=[{"key": "t", "value": "x"}],
    )
    assert batch.code == "INVALID_PARAMETER_VALUE"
    labels = [tag["key"] for tag in api.get(f"runs/get?run_id={uid}").body["run"]["data"]["tags"]]
    assert labels == ["mlflow.runName"], "a refused batch leaves nothing"


def test_answers_kept_by_revision_are_never_stale(api: Api) -> None:
    uid = api.run()
    ask = {"experiment_ids": ["0"], "filter": "tags.t = '2'"}
    for value in ("1", "2", "3"):
        api.post("runs/set-tag", run_id=uid, key="t", value=value)
        tags = api.get(f"runs/get?run_id={uid}").body["run"]["data"]["tags"]
        assert {"key": "t", "value": value} in tags
        found = api.post("runs/search", **ask).body
        assert bool(found.get("runs")) == (value == "2")
    api.post("experiments/delete", experiment_id="0")
    info = api.get(f"runs/get?run_id={uid}").body["run"]["info"]
    assert info["lifecycle_stage"] == "deleted"
    api.post("experiments/restore", experiment_id="0")


def test_a_deleted_experiment_does_not_hold_its_name(api: Api) -> None:
    first = api.post("experiments/create", name="study").body["experiment_id"]
    assert api.post("experiments/create", name="study").code == "RESOURCE_ALREADY_EXISTS"
    api.post("experiments/delete", experiment_id=first)
    second = api.post("experiments/create", name="study").body["experiment_id"]
    assert second != first
    refused = api.post("experiments/restore", experiment_id=first)
    assert refused.code == "RESOURCE_ALREADY_EXISTS"
    found = api.get("experiments/get-by-name?experiment_name=study").body["experiment"]
    assert found["experiment_id"] == second


def test_deleted_runs_take_no_changes_until_restored(api: Api) -> None:
    uid = api.run()
    api.post("runs/delete", run_id=uid)
    refused = api.post("runs/set-tag", run_id=uid, key="a", value="b")
    assert refused.status == 400
    assert "must be in the 'active' state" in refused.body["message"]
    api.post("runs/restore", run_id=uid)
    assert api.post("runs/set-tag", run_id=uid, key="a", value="b").status == 200


@pytest.mark.parametrize(
    ("call", "body", "says"),
    [
        ("runs/log-metric", b'{"key":"m","value":1,"timestamp":1}', "parameter 'run_id'"),
        ("runs/log-metric", b"{", "not valid JSON"),
        ("runs/log-metric", b"[1]", "must be a JSON object"),
        ("runs/log-metric", b'{"run_id":"\xff"}', "not valid JSON"),
        ("runs/log-metric", b'{"run_id":31}', "Invalid value 31 for parameter 'run_id'"),
        ("runs/create", b'{"experiment_id":"one"}', "experiment ids are whole numbers"),
        ("runs/create", b'{"experiment_id":"0","experimentId":"0"}', "twice"),
        ("runs/update", b'{"run_id":"x","status":"BOGUS"}', "use one of"),
        ("runs/search", b'{"experiment_ids":["0"],"filter":"metrics.a >"}', "position"),
        ("runs/search", b'{"experiment_ids":["0"],"page_token":"garbage"}', "page token"),
        ("experiments/search", b"{}", "max_results"),
        ("experiments/create", b'{"name":"a\\u0000b"}', "NUL"),
        ("experiments/create", b'{"name":"\\ud800"}', "surrogate"),
    ],
)
def test_mistakes_are_named(api: Api, call: str, body: bytes, says: str) -> None:
    answer = api.send("POST", f"{MLFLOW}/{call}", body)
    assert answer.status == 400, answer.raw
    assert answer.code == "INVALID_PARAMETER_VALUE"
    assert says in answer.body["message"] or says in answer.body


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("runs/search", "Runs have no field 'name'; did you mean run_name?"),
        ("experiments/search", "Experiments have no field 'nam'; did you mean name?"),
        ("logged-models/search", "Logged models have no field 'nam'; did you mean name?"),
        ("registered-models/search", "Models have no field 'nam'; did you mean name?"),
        ("model-versions/search", "Versions have no field 'nam'; did you mean name?"),
    ],
)
def test_a_mistyped_field_is_told_what_was_meant(api: Api, call: str, says: str) -> None:
    mistyped = says.split("'")[1]
    body = {"experiment_ids": ["0"], "max_results": 9, "filter": f"{mistyped} = 'x'"}
    answer = api.post(call, **body)
    assert (answer.status, answer.body["position"]) == (400, 0)
    assert answer.body["message"].startswith(f"{says} (character 1).")


def test_loose_spellings_of_protobuf_json(api: Api) -> None:
    uid = api.run()
    body = {"runUuid": uid, "key": "m", "value": "2.5", "timestamp": "7", "step": "3", "x": None}
    assert api.post("runs/log-metric", **body).status == 200
    run = api.get(f"runs/get?run_uuid={uid}").body["run"]
    assert run["data"]["metrics"] == [{"key": "m", "value": 2.5, "timestamp": 7, "step": 3}]
    assert api.post("runs/update", run_id=uid, status=3).body["run_info"]["status"] == "FINISHED"


def test_workspaces_are_walls(api: Api) -> None:
    made = api.send("POST", "/api/3.0/mlflow/workspaces", b'{"name":"team-a"}')
    assert made.status == 201
    inside = {"x-mlflow-workspace": "team-a"}
    body = msgspec.json.encode({"name": "theirs"})
    theirs = api.send("POST", f"{MLFLOW}/experiments/create", body, inside).body["experiment_id"]
    assert api.get(f"experiments/get?experiment_id={theirs}").status == 404
    path = f"{MLFLOW}/experiments/get?experiment_id={theirs}"
    assert api.send("GET", path, headers=inside).status == 200
    uid = api.run()
    answer = api.send("GET", f"{MLFLOW}/runs/get?run_id={uid}", headers=inside)
    assert answer.code == "RESOURCE_DOES_NOT_EXIST"
    full = api.send("DELETE", "/api/3.0/mlflow/workspaces/team-a")
    forced = api.send("DELETE", "/api/3.0/mlflow/workspaces/team-a?mode=CASCADE")
    for refused in (full, forced):
        assert refused.status == 400
        assert "not empty" in refused.body["message"]
    nowhere = {"x-mlflow-workspace": "nowhere"}
    assert api.send("GET", path, headers=nowhere).status == 404


def test_strangers_are_kept_out(api: Api) -> None:
    path = f"{MLFLOW}/experiments/get?experiment_id=0"
    assert api.send("GET", path, headers={"host": "evil.example"}).status == 403
    body = b'{"name":"x"}'
    origin = {"origin": "http://evil.example"}
    assert api.send("POST", f"{MLFLOW}/experiments/create", body, origin).status == 403
    own = {"origin": "http://localhost", "host": "localhost"}
    assert api.send("POST", f"{MLFLOW}/experiments/create", body, own).status == 200


def test_unknown_calls_say_so(api: Api) -> None:
    answer = api.send("GET", "/api/3.0/mlflow/traces/x")
    assert answer.status == 404
    assert answer.code == "ENDPOINT_NOT_FOUND"
    assert "does not offer" in answer.body["message"]
    assert api.send("GET", f"{MLFLOW}/runs/create").status == 405


def test_many_writers_at_once(api: Api) -> None:
    uid = api.run()

    async def log(step: int) -> int:
        fields = {"run_id": uid, "key": "m", "value": step, "timestamp": step, "step": step}
        if step % 10 == 0:
            fields["key"] = "../bad"
        body = msgspec.json.encode(fields)
        return (await api.send_async("POST", f"{MLFLOW}/runs/log-metric", body)).status

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(log(step) for step in range(100)))

    statuses = asyncio.run(all_of_them())
    assert [step for step in range(100) if statuses[step] != 200] == list(range(0, 100, 10))
    found = api.get(f"metrics/get-history?run_id={uid}&metric_key=m").body["metrics"]
    assert [point["step"] for point in found] == [step for step in range(100) if step % 10]
    info = api.get(f"runs/get?run_id={uid}").body["run"]
    assert info["data"]["metrics"][0]["step"] == 99


def test_logged_models_of_one_shape_of_search(api: Api) -> None:
    """Statements are kept by the shape of a search; each search still has its own values."""
    for name in ("first", "second", "third"):
        experiment = api.post("experiments/create", name=name).body["experiment_id"]
        made = api.post("logged-models", experiment_id=experiment, name=name).body
        for text in (f"name = '{name}'", f"name IN ('{name}', 'x')", f"name LIKE '{name[:3]}%'"):
            ask = {"experiment_ids": [experiment], "filter": text}
            found = api.post("logged-models/search", **ask).body["models"]
            assert [m["info"]["model_id"] for m in found] == [made["model"]["info"]["model_id"]]


def test_logged_models(api: Api) -> None:
    uid = api.run()
    made = api.post(
        "logged-models",
        experiment_id="0",
        name="forest",
        source_run_id=uid,
        params=[{"key": "depth", "value": "3"}],
    ).body["model"]
    model_id = made["info"]["model_id"]
    assert made["info"]["status"] == "LOGGED_MODEL_PENDING"
    for step, value in ((1, 0.5), (2, 0.25)):
        api.post(
            "runs/log-metric",
            run_id=uid,
            key="rmse",
            value=value,
            timestamp=step,
            step=step,
            model_id=model_id,
        )
    body = msgspec.json.encode({"model_id": model_id, "status": "LOGGED_MODEL_READY"})
    ready = api.send("PATCH", f"{MLFLOW}/logged-models/{model_id}", body)
    assert ready.body["model"]["info"]["status"] == "LOGGED_MODEL_READY"
    assert len(ready.body["model"]["data"]["metrics"]) == 2
    ask = {"experiment_ids": ["0"], "order_by": [{"field_name": "metrics.rmse"}]}
    for text, count in (("metrics.rmse < 0.3", 1), ("params.depth = '4'", 0)):
        found = api.post("logged-models/search", **ask, filter=text).body
        assert len(found.get("models", [])) == count
    assert api.send("DELETE", f"{MLFLOW}/logged-models/{model_id}").status == 200
    assert api.get(f"logged-models/{model_id}").status == 404
    assert api.get(f"logged-models/{model_id}?allow_deleted=true").status == 200


def test_data_sets_of_experiments(api: Api) -> None:
    """Each use once, by name, and none of another workspace."""
    search = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    body = msgspec.json.encode({"experiment_ids": ["0"]})
    for name, context in (("b", "train"), ("a", "test"), ("b", "train"), ("b", "")):
        dataset = {"name": name, "digest": "1", "source_type": "local", "source": "s"}
        labels = [{"key": "mlflow.data.context", "value": context}] if context else []
        used = [{"dataset": dataset, "tags": labels}]
        assert api.post("runs/log-inputs", run_id=api.run(), datasets=used).status == 200
    found = api.send("POST", search, body).body["dataset_summaries"]
    assert [(each["name"], each.get("context")) for each in found] == [
        ("a", "test"), ("b", None), ("b", "train"),
    ]  # fmt: skip
    assert api.send("POST", "/api/3.0/mlflow/workspaces", b'{"name":"team-a"}').status == 201
    assert api.send("POST", search, body, {"x-mlflow-workspace": "team-a"}).body == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"default_artifact_root": "s3://bucket/place"},
        {"trace_archival_config": {"location": "s3://bucket/place"}},
        {"trace_archival_config": {"retention": "30d"}},
    ],
)
def test_a_workspace_is_not_promised_what_it_cannot_have(
    api: Api, settings: dict[str, Any]
) -> None:
    path = "/api/3.0/mlflow/workspaces"
    body = msgspec.json.encode({"name": "team-a", **settings})
    refused = api.send("POST", path, body)
    assert (refused.status, refused.code) == (400, "INVALID_PARAMETER_VALUE")
    assert "cannot be set" in refused.body["message"]
    assert api.send("GET", f"{path}/team-a").status == 404
