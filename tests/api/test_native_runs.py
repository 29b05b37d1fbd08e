"""Runs through the native API: tables, columns, one run whole, series, comparison."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from native_calls import HERE, call, log, refused, registered, trained

SEARCH = f"{HERE}/runs/search"
LOGGED = b"""\
flavors: {sklearn: {sklearn_version: 1.5.2}}
signature: {inputs: '[{"type": "double", "name": "x", "required": true}]'}
"""


def test_one_run_whole(api):
    uid = trained(api, "whole", 2.0)
    registered(api, "m", uid)
    run = call(api, "GET", f"{HERE}/runs/{uid}")
    assert (run["name"], run["status"], run["experiment_name"]) == ("whole", "RUNNING", "Default")
    assert run["models"] == [
        {
            "path": "model",
            "logged_model": "",
            "name": "model",
            "versions": [{"model": "m", "version": 1}],
        }
    ]
    assert run["versions"] == [{"model": "m", "version": 1}]
    assert [entry["name"] for entry in run["files"]] == ["model"]
    assert (run["files"][0]["is_folder"], run["files_total"]) == (True, 4)
    changed = call(
        api, "PATCH", f"{HERE}/runs/{uid}", {"name": "n", "description": "d", "status": "KILLED"}
    )
    assert (changed["name"], changed["description"], changed["status"]) == ("n", "d", "KILLED")
    assert changed["end_ms"] > 0
    labels = call(api, "PATCH", f"{HERE}/runs/{uid}/tags", {"set": {"a/b": "1"}, "delete": ["no"]})
    assert labels["tags"]["a/b"] == "1"


def test_logged_models_of_a_run_can_be_registered(api):
    uid = api.run(run_name="logged")
    made = api.post(
        "logged-models", experiment_id="0", name="clf", source_run_id=uid,
        params=[{"key": "depth", "value": "3"}],
    )  # fmt: skip
    model_id = made.body["model"]["info"]["model_id"]
    place = made.body["model"]["info"]["artifact_uri"].partition(":/")[2]
    api.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}/MLmodel", LOGGED)
    found = call(api, "GET", f"{HERE}/logged-models/{model_id}")
    assert (found["name"], found["params"]) == ("clf", {"depth": "3"})
    assert (found["run"]["id"], found["run"]["name"]) == (uid, "logged")
    assert (found["experiment_name"], found["files_total"]) == ("Default", 1)
    assert found["flavors"] == [{"name": "sklearn", "version": "1.5.2", "settings": ANY}]
    assert found["signature"]["inputs"][0]["name"] == "x"
    call(api, "PATCH", f"{HERE}/logged-models/{model_id}/tags", {"set": {"t": "1"}})
    version = call(api, "POST", f"{HERE}/models/m/versions", {"logged_model": model_id}, 201)
    assert (version["source"]["kind"], version["run"]["id"]) == ("logged_model", uid)
    run = call(api, "GET", f"{HERE}/runs/{uid}")
    assert run["models"][0]["logged_model"] == model_id
    assert run["models"][0]["versions"] == [{"model": "m", "version": 1}]
    files = call(api, "GET", f"{HERE}/logged-models/{model_id}/files")
    assert [entry["path"] for entry in files["entries"]] == ["MLmodel"]


def test_runs_as_a_table(api):
    uids = []
    for number in range(4):
        uid = api.run(run_name=f"run {number}", start_time=1000 + number)
        log(
            api,
            uid,
            params={"depth": number, "a b": "x"},
            metrics={"rmse": [9.0, 4.0 - number]} if number else {"val/loss": [float("nan"), 1.0]},
            tags={"team": "ab"[number % 2]},
        )
        uids.append(uid)
    registered_uid = trained(api, "reg", 7.0)
    registered(api, "m", registered_uid)
    body = {
        "columns": ["run_name", "metrics.rmse", "max.rmse", "mean.rmse", "params.depth",
                    "params.`a b`", "tags.team", "metrics.val/loss", "versions", "experiment"],
        "order_by": ["metrics.rmse DESC", "run_name"],
        "filter": "tags.team IN ('a', 'b')",
    }  # fmt: skip
    table = call(api, "POST", SEARCH, body)
    assert [row["key"] for row in table["rows"]] == [uids[1], uids[2], uids[3], uids[0]]
    assert table["rows"][0]["cells"] == [
        "run 1", 3.0, 9.0, 6.0, "1", "x", "b", None, None, "Default",
    ]  # fmt: skip
    assert table["rows"][3]["cells"][7] == 1.0
    assert table["columns"][5]["id"] == "params.`a b`"
    assert [column["sortable"] for column in table["columns"][2:4]] == [True, False]
    by_least = call(api, "POST", SEARCH, {"order_by": ["min.rmse ASC"], "limit": 2, "offset": 1})
    assert [row["key"] for row in by_least["rows"]] == [uids[2], uids[1]]
    assert by_least["total"] == 5
    filtered = call(api, "POST", SEARCH, {"filter": "max.rmse < 9 OR params.depth >= 3"})
    assert filtered["total"] == 2
    named = call(api, "POST", SEARCH, {"filter": "run_name = 'reg'", "columns": ["versions"]})
    assert named["rows"][0]["cells"] == [["m v1"]]
    none = call(api, "POST", SEARCH, {"experiments": ["12345"]})
    assert (none["rows"], none["total"]) == ([], 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"order_by": ["mean.rmse"]}, "mean"),
        ({"columns": ["metric"]}, "no column"),
        ({"experiments": ["x"]}, "not an experiment's id"),
        ({"filter": "metrics.rmse <"}, ""),
        ({"colums": []}, "colums"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(api, body, words):
    error = refused(api, "POST", SEARCH, body)
    assert error["code"] == "invalid"
    assert words in error["message"]


def test_columns_and_values_that_runs_have(api):
    for number in range(3):
        uid = api.run(run_name=f"r{number}")
        log(
            api,
            uid,
            params={"lr": f"0.{number}"},
            metrics={f"m{key:02}": [1.0] for key in range(number * 10, 30)},
            tags={"team": f"t{number}"},
        )
    known = call(api, "GET", f"{HERE}/runs/columns?group=metric&limit=2&offset=9")
    assert (known["total"], known["groups"]) == (30, {"metric": 30})
    assert [(c["id"], c["count"]) for c in known["columns"]] == [
        ("metrics.m09", 1), ("metrics.m10", 2),
    ]  # fmt: skip
    known = call(api, "GET", f"{HERE}/runs/columns?text=LR")
    assert [(c["id"], c["group"], c["count"]) for c in known["columns"]] == [
        ("params.lr", "param", 3)
    ]
    found = call(api, "GET", f"{HERE}/runs/columns?experiments=0&group=tag&text=team")
    assert [c["count"] for c in found["columns"]] == [3]
    values = call(api, "GET", f"{HERE}/runs/values?column=params.lr&text=0.&limit=2")["values"]
    assert values == ["0.0", "0.1"]
    assert call(api, "GET", f"{HERE}/runs/values?column=status")["values"] == ["RUNNING"]
    assert call(api, "GET", f"{HERE}/runs/values?column=metrics.m01")["values"] == []


def test_runs_are_deleted_and_restored_together(api):
    uids = [api.run() for _ in range(3)]
    assert call(api, "POST", f"{HERE}/runs/delete", {"runs": uids[:2]})["changed"] == 2
    assert call(api, "POST", SEARCH, {})["total"] == 1
    assert call(api, "POST", SEARCH, {"view": "deleted"})["total"] == 2
    body = {"runs": [uids[0], "gone"]}
    assert refused(api, "POST", f"{HERE}/runs/restore", body, 404)["code"] == "not_found"
    assert call(api, "POST", SEARCH, {"view": "deleted"})["total"] == 2
    call(api, "POST", f"{HERE}/runs/restore", {"runs": uids[:2]})
    call(api, "DELETE", f"{HERE}/runs/{uids[2]}")
    assert call(api, "POST", f"{HERE}/runs/{uids[2]}/restore")["deleted_ms"] is None


def test_series(api):
    uid = api.run()
    log(api, uid, metrics={"loss": [3.0, float("nan"), 1.0]})
    body = {"runs": [uid, "gone"], "keys": ["loss", "none"]}
    (series,) = call(api, "POST", f"{HERE}/series", body)["series"]
    assert series == {
        "run": uid, "key": "loss", "count": 3, "whole": True, "steps": [0, 1, 2],
        "times": [1000, 1001, 1002], "last": [3.0, "NaN", 1.0],
        "min": [3.0, None, 1.0], "max": [3.0, None, 1.0],
    }  # fmt: skip
    thin = call(api, "POST", f"{HERE}/series", body | {"buckets": 1})["series"][0]
    assert (thin["whole"], thin["count"], thin["min"], thin["max"]) == (False, 3, [1.0], [3.0])
    assert refused(api, "POST", f"{HERE}/series", body | {"buckets": 0})["code"] == "invalid"


def test_comparison(api):
    one = trained(api, "one", 2.0, params={"lr": "0.1"}, data=b"first")
    two = trained(api, "two", 1.0, params={"extra": "yes"}, data=b"second")
    registered(api, "m", one, aliases=["champion"])
    registered(api, "m", two)
    items = [{"model": "m", "version": 1}, {"model": "m", "version": 2}, {"run": one}]
    found = call(api, "POST", f"{HERE}/compare", {"items": items})
    assert [item["name"] for item in found["items"]] == ["m v1", "m v2", "one"]
    assert found["items"][0]["run"] == one
    groups = {group["group"]: group for group in found["groups"]}
    assert list(groups) == [
        "properties", "metrics", "params", "tags", "schema", "environment", "files",
    ]  # fmt: skip
    assert groups["metrics"]["rows"] == [
        {"key": "rmse", "kind": "number", "values": [2.0, 1.0, 2.0], "differs": True}
    ]
    params = {row["key"]: row for row in groups["params"]["rows"]}
    assert (params["depth"]["differs"], params["lr"]["values"]) == (False, ["0.1", None, "0.1"])
    environment = {row["key"]: row["values"][:2] for row in groups["environment"]["rows"]}
    assert environment["numpy"] == ["1.26.4", "1.26.4"]
    schema = {row["key"]: row["values"][0] for row in groups["schema"]["rows"]}
    assert schema["inputs.y"] == "string (optional)"
    body = {"items": items[:2], "groups": ["files", "params"], "differing": True}
    found = call(api, "POST", f"{HERE}/compare", body)
    assert [group["group"] for group in found["groups"]] == ["params", "files"]
    assert [row["key"] for row in found["groups"][1]["rows"]] == ["data/model.pkl"]
    assert (found["groups"][1]["total"], found["groups"][1]["differing"]) == (4, 1)
    body = {"items": [{"model": "m", "version": 9}]}
    assert refused(api, "POST", f"{HERE}/compare", body, 404)["code"] == "not_found"
    assert refused(api, "POST", f"{HERE}/compare", {"items": [{}]})["code"] == "invalid"
