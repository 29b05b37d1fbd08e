"""Endpoints over HTTP, the native way and Fabric's, of a server that really loads the models."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
import pandas as pd
import pytest

import applied_models
from running_servers import Running, heddle_server

pytestmark = pytest.mark.filterwarnings("default")
V1 = "/api/v1/workspaces/default/models/forest/versions"
ROW = {"dataframe_split": {"columns": ["a", "b", "c", "d"], "data": [[1.5, 2.25, 0.5, 4.0]]}}


class Caller:
    """Calls a server, and says what it answered."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __call__(
        self, method: str, path: str, body: Any = None, status: int = 200, kind: str = ""
    ) -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.uri}{path}", data, method=method)
        request.add_header("content-type", kind or "application/json")
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                code, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            code, raw = error.code, error.read()
        assert code == status, raw
        return json.loads(raw)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = ["--active-endpoints", "2", "--endpoint-idle-s", "2"]
    with heddle_server(tmp_path_factory.mktemp("endpoints"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def call(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    """A server with three versions of a forest, the last of them one that means harm."""
    called = Caller(server.uri)
    folder = applied_models.forest(tmp_path_factory.mktemp("forest") / "forest")
    client = mlflow.MlflowClient(server.uri)
    client.create_registered_model("forest")
    for number in (1, 2, 3):
        if number == 3:
            (folder / "model.pkl").write_bytes(b"cposix\nsystem\n(S'touch /tmp/x'\ntR.")
        run = client.create_run("0")
        client.log_artifacts(run.info.run_id, str(folder), "model")
        source = f"{run.info.artifact_uri}/model"
        client.create_model_version("forest", source, run.info.run_id)
    return called


def loaded(call: Caller, number: int, state: str = "active") -> Any:
    deadline = time.monotonic() + 60
    while (found := call("GET", f"{V1}/{number}/endpoint"))["state"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_version_is_activated_asked_and_put_away(call, server):
    assert "is not active" in call("POST", f"{V1}/1/endpoint/score", ROW, 400)["error"]["message"]
    assert call("GET", f"{V1}/1/endpoint")["state"] == "inactive"
    made = call("POST", f"{V1}/1/endpoint/activate")
    assert (made["state"], made["path"]) == ("activating", f"{V1}/1/endpoint/score")
    # Whoever asks meanwhile waits.
    first = call("POST", f"{V1}/1/endpoint/score", ROW)
    mlflow.set_tracking_uri(server.uri)
    frame = pd.DataFrame(**ROW["dataframe_split"])
    known = mlflow.pyfunc.load_model("models:/forest/1").predict(frame).tolist()
    assert first == {"predictions": known}
    mlflow.MlflowClient(server.uri).set_registered_model_alias("forest", "champion", "1")
    assert call("POST", f"{V1}/@champion/endpoint/score", ROW) == first
    csv = b"a,b,c,d\n1.5,2.25,0.5,4\n"
    assert call("POST", f"{V1}/1/endpoint/score", csv, kind="text/csv") == first
    refused = call("POST", f"{V1}/1/endpoint/score", {"dataframe_records": [{"a": 1}]}, 400)
    assert "column 'b' (double) is not there" in refused["error"]["message"]
    call("POST", f"{V1}/1/endpoint/score", b"x", 400, kind="text/plain")
    found = call("GET", f"{V1}/1/endpoint")
    assert (found["state"], found["is_loaded"], found["joins"]) == ("active", True, True)
    assert (found["counts"]["requests"], found["counts"]["errors"]) == (4, 1)
    assert found["counts"]["p50_ms"] > 0
    with urllib.request.urlopen(f"{server.uri}/metrics") as answer:
        told = answer.read().decode()
    labels = '{workspace="default",model="forest",version="1"}'
    assert f"heddle_endpoint_requests_total{labels} 4\n" in told
    assert f"heddle_endpoint_errors_total{labels} 1\n" in told
    assert call("POST", f"{V1}/1/endpoint/deactivate")["state"] == "inactive"
    call("POST", f"{V1}/@champion/endpoint/score", ROW, 400)


def test_requests_that_come_together_get_what_each_gets_alone(call):
    call("POST", f"{V1}/2/endpoint/activate")
    rows = applied_models.inputs(64, seed=3).fillna(0.0).to_numpy().tolist()
    alone = call("POST", f"{V1}/2/endpoint/score", {"instances": rows})["predictions"]

    def ask(at: int) -> Any:
        if at % 9 == 8:
            wrong = {"instances": [["x", 1.0, 2.0, 3.0]]}
            return call("POST", f"{V1}/2/endpoint/score", wrong, 400)["error"]["code"]
        return call("POST", f"{V1}/2/endpoint/score", {"instances": [rows[at]]})["predictions"][0]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(ask, range(64)))
    assert found == ["invalid" if at % 9 == 8 else alone[at] for at in range(64)]


def test_only_so_many_are_active_and_none_that_is_suspicious(call):
    call("POST", f"{V1}/2/endpoint/activate")
    # Nobody has looked at its files yet: that is done before they are loaded.
    call("POST", f"{V1}/3/endpoint/activate")
    failed = loaded(call, 3, "failed")
    assert "is suspicious" in failed["failure"]
    assert "is suspicious" in call("POST", f"{V1}/3/endpoint/score", ROW, 503)["error"]["message"]
    refused = call("POST", f"{V1}/1/endpoint/activate", status=400)["error"]["message"]
    assert "2 versions of 'forest' are active already (2, 3), and 2 may be" in refused
    call("POST", f"{V1}/3/endpoint/deactivate")


def test_it_sleeps_unless_it_is_always_on(call):
    call("POST", f"{V1}/2/endpoint/activate")
    call("POST", f"{V1}/2/endpoint/score", ROW)
    call("PATCH", f"{V1}/2/endpoint", {"is_always_on": True})
    time.sleep(3.5)
    assert call("GET", f"{V1}/2/endpoint")["is_loaded"]
    call("PATCH", f"{V1}/2/endpoint", {"is_always_on": False})
    deadline = time.monotonic() + 20
    while (found := call("GET", f"{V1}/2/endpoint"))["is_loaded"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["state"] == "active"
    assert call("POST", f"{V1}/2/endpoint/score", ROW)["predictions"]


def test_fabrics_calls_do_the_same(call):
    workspace = call("GET", "/v1/workspaces")["value"][0]["id"]
    items = call("GET", f"/v1/workspaces/{workspace}/mlModels")["value"]
    item = f"/v1/workspaces/{workspace}/mlmodels/{items[0]['id']}"
    call("POST", f"{item}/endpoint/versions/deactivateAll")
    assert call("GET", f"{item}/endpoint")["defaultVersionName"] is None
    values = {"formatType": "dataframe", "orientation": "values", "inputs": [[1.5, 2.25, 0.5, 4]]}
    assert call("POST", f"{item}/endpoint/score", values, 404)["errorCode"] == "ItemNotFound"
    body = {"defaultVersionName": "2", "defaultVersionAssignmentBehavior": "StaticallyConfigured"}
    assert call("PATCH", f"{item}/endpoint", body) == body
    listed = call("GET", f"{item}/endpoint/versions")["value"]
    assert {each["versionName"]: each["status"] for each in listed} == dict.fromkeys(
        "123", "Inactive"
    )
    found = call("POST", f"{item}/endpoint/versions/2/activate")
    assert (found["status"], found["scaleRule"]) == ("Activating", "AllowScaleToZero")
    assert found["inputSignature"][0] == {"name": "a", "type": "double", "required": True}
    known = call("POST", f"{V1}/2/endpoint/score", ROW)["predictions"]
    answer = {"formatType": "dataframe", "orientation": "values", "predictions": [known]}
    assert call("POST", f"{item}/endpoint/score", values) == answer
    assert call("POST", f"{item}/endpoint/versions/2/score", values) == answer
    wrong = {"orientation": "values", "inputs": [[1]]}
    assert call("POST", f"{item}/endpoint/score", wrong, 400)["errorCode"] == "InvalidInput"
    kept = call("PATCH", f"{item}/endpoint/versions/2", {"scaleRule": "AlwaysOn"})
    assert (kept["scaleRule"], kept["status"]) == ("AlwaysOn", "Active")
    call("PATCH", f"{item}/endpoint/versions/2", {"scaleRule": "AllowScaleToZero"})
    assert call("POST", f"{item}/endpoint/versions/2/deactivate")["status"] == "Inactive"
    body = {"defaultVersionAssignmentBehavior": "NotConfigured"}
    assert call("PATCH", f"{item}/endpoint", body)["defaultVersionName"] is None
    call("GET", f"{item}/endpoint/versions/9", status=404)
