"""Models and versions through the native API: registering, reading, labels, tables, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from native_calls import HERE, call, log, refused, registered, trained

MODEL = f"{HERE}/models/Grocery%20forecast%20%C3%9C"
NAME = "Grocery forecast Ü"


def test_a_version_is_read_whole_in_one_call(api):
    uid = trained(api, "first", 51.5)
    api.post(
        "runs/log-inputs",
        run_id=uid,
        datasets=[
            {
                "dataset": {"name": "sales", "digest": "d1", "source_type": "local", "source": "x"},
                "tags": [{"key": "mlflow.data.context", "value": "training"}],
            }
        ],
    )
    tags = {"project_name": "grocery-forecasting", "team": "stores-ml"}
    made = registered(api, NAME, uid, tags=tags, aliases=["champion"], description="**note**")
    found = call(api, "GET", f"{MODEL}/versions/1")
    assert found == call(api, "GET", f"{MODEL}/versions/@champion")
    assert found == call(api, "GET", f"{MODEL}/versions/latest")
    assert found == made
    assert (found["model"], found["version"], found["status"]) == (NAME, 1, "READY")
    assert found["run"]["name"] == "first"
    assert found["run"]["experiment_name"] == "Default"
    assert found["params"] == {"depth": "6"}
    (metric,) = found["metrics"]
    assert (metric["key"], metric["value"], metric["min"], metric["max"]) == ("rmse", 51.5, 9, 51.5)
    assert found["tags"] == tags
    assert found["aliases"] == ["champion"]
    assert found["description"] == "**note**"
    assert found["signature"]["inputs"] == [
        {"name": "x", "type": "double", "required": True, "default": None},
        {"name": "y", "type": "string", "required": False, "default": None},
    ]
    assert found["signature"]["outputs"][0]["type"] == "tensor(float64, [-1])"
    assert found["signature"]["params"] == [
        {"name": "alpha", "type": "double", "required": False, "default": 0.5}
    ]
    assert {f["name"]: f["version"] for f in found["flavors"]}["sklearn"] == "1.5.2"
    assert found["environment"] == {
        "python": "3.11.9",
        "mlflow": "3.6.0",
        "requirements": ["numpy==1.26.4", "scikit-learn==1.5.2"],
        "conda": "name: env\n",
    }
    assert found["datasets"][0]["context"] == "training"
    assert [entry["name"] for entry in found["files"]] == [
        "data", "MLmodel", "conda.yaml", "requirements.txt",
    ]  # fmt: skip
    assert found["files_total"] == 4
    assert found["size_bytes"] > 100
    assert len(found["digest"]) == 64
    assert found["code"]["commit"] == "c0ffee"
    assert (found["source"]["kind"], found["source"]["path"]) == ("run", "model")
    assert [change["kind"] for change in found["history"]] == ["alias", "created"]


def test_what_a_version_is_made_from_must_be_there(api):
    uid = trained(api, "r", 1.0)
    assert refused(api, "POST", f"{MODEL}/versions", {})["code"] == "invalid"
    body = {"run": uid, "path": "nothing"}
    assert "no files" in refused(api, "POST", f"{MODEL}/versions", body)["message"]
    assert refused(api, "GET", MODEL, status=404)["code"] == "not_found"
    body = {"run": "gone", "path": "model"}
    assert refused(api, "POST", f"{MODEL}/versions", body, 404)["code"] == "not_found"
    no_new_model = {"run": uid, "path": "model", "create_model": False}
    assert refused(api, "POST", f"{MODEL}/versions", no_new_model, 404)["code"] == "not_found"


def test_a_copy_keeps_everything_and_says_where_it_is_from(api):
    uid = trained(api, "r", 1.0)
    first = registered(api, NAME, uid)
    body = {"copy_of": f"{NAME}/1"}
    copy = call(api, "POST", f"{HERE}/models/other/versions", body, 201)
    assert copy["source"]["copied_from"] == {"model": NAME, "version": 1}
    assert copy["digest"] == first["digest"]
    assert copy["metrics"] == first["metrics"]
    now = call(api, "GET", f"{MODEL}/versions/1")
    assert now["copies"] == [{"model": "other", "version": 1}]


def test_labels_and_their_history(api):
    uid = trained(api, "r", 1.0)
    registered(api, NAME, uid, tags={"team": "a"})
    registered(api, NAME, uid)
    call(api, "PUT", f"{MODEL}/aliases/champion", {"version": 1})
    before = call(api, "GET", f"{MODEL}/history")["changes"][0]["time_ms"]
    while call(api, "GET", "/server")["time_ms"] <= before:
        pass
    call(api, "PUT", f"{MODEL}/aliases/champion", {"version": 2})
    call(api, "PATCH", f"{MODEL}/versions/2", {"stage": "Production", "description": "new"})
    labels = call(api, "PATCH", f"{MODEL}/versions/1/tags", {"set": {"x": "1"}, "delete": ["team"]})
    assert labels["tags"] == {"x": "1"}
    changes = call(api, "GET", f"{MODEL}/history?kind=alias&key=champion")["changes"]
    assert [(c["before"], c["after"]) for c in changes] == [("1", "2"), (None, "1")]
    of_first = call(api, "GET", f"{MODEL}/history?version=1&kind=alias")["changes"]
    assert len(of_first) == 2
    then = call(api, "GET", f"{MODEL}/as-of?time_ms={before}")
    assert then["aliases"] == [{"name": "champion", "version": 1}]
    assert then["versions"][0] == {
        "version": 1, "stage": "None", "aliases": ["champion"], "tags": {"team": "a"},
    }  # fmt: skip
    now = call(api, "GET", f"{MODEL}/as-of?time_ms={2**53}")
    assert now["versions"][0]["tags"] == {"x": "1"}
    assert now["versions"][1]["stage"] == "Production"
    call(api, "DELETE", f"{MODEL}/aliases/champion")
    assert refused(api, "DELETE", f"{MODEL}/aliases/champion", status=404)["code"] == "not_found"
    assert refused(api, "GET", f"{MODEL}/versions/@champion", status=404)["code"] == "not_found"


def test_models_are_made_renamed_and_deleted(api):
    made = call(api, "POST", f"{HERE}/models", {"name": NAME, "tags": {"team": "a"}}, 201)
    assert (made["versions"], made["latest_version"]) == (0, None)
    registered(api, NAME, trained(api, "r", 1.0), aliases=["champion"])
    listed = call(api, "GET", f"{HERE}/models?filter=tags.team%20%3D%20'a'")
    assert listed["total"] == 1
    assert listed["models"][0]["versions"] == 1
    assert listed["models"][0]["aliases"] == [{"name": "champion", "version": 1}]
    changed = call(api, "PATCH", MODEL, {"name": "plain", "description": "d"})
    assert (changed["name"], changed["description"]) == ("plain", "d")
    assert call(api, "GET", f"{HERE}/models/plain/versions/1")["model"] == "plain"
    labels = call(api, "PATCH", f"{HERE}/models/plain/tags", {"delete": ["team"]})
    assert labels["tags"] == {}
    call(api, "DELETE", f"{HERE}/models/plain/versions/1")
    assert call(api, "GET", f"{HERE}/models/plain")["versions"] == 0
    call(api, "DELETE", f"{HERE}/models/plain")
    assert refused(api, "GET", f"{HERE}/models/plain", status=404)["code"] == "not_found"


def test_versions_as_a_table(api):
    for number, rmse in enumerate((3.0, 1.0, 2.0), 1):
        uid = trained(api, f"run {number}", rmse, params={"lr": f"0.{number}"})
        if number == 3:
            log(api, uid, metrics={"bad": [float("nan")]})
        registered(api, NAME, uid, tags={"team": f"t{number}"})
    body: dict[str, Any] = {
        "columns": ["version", "run_name", "metrics.rmse", "min.rmse", "params.lr", "tags.team",
                    "metrics.bad", "aliases", "size_bytes"],
        "order_by": ["metrics.rmse ASC"],
    }  # fmt: skip
    call(api, "PUT", f"{MODEL}/aliases/best", {"version": 2})
    table = call(api, "POST", f"{MODEL}/versions/search", body)
    assert [row["key"] for row in table["rows"]] == ["2", "3", "1"]
    assert table["total"] == 3
    assert table["rows"][0]["cells"][:6] == [2, "run 2", 1.0, 1.0, "0.2", "t2"]
    assert table["rows"][0]["cells"][6:8] == [None, ["best"]]
    assert table["rows"][1]["cells"][6] == "NaN"
    assert table["columns"][2]["group"] == "metric"
    body |= {
        "filter": "min.rmse >= 2 AND tags.team IN ('t1', 't3')",
        "order_by": ["params.lr DESC"],
    }
    table = call(api, "POST", f"{MODEL}/versions/search", body | {"limit": 1, "offset": 1})
    assert ([row["key"] for row in table["rows"]], table["total"]) == (["1"], 2)
    usual = call(api, "POST", f"{MODEL}/versions/search", {})
    assert [row["key"] for row in usual["rows"]] == ["3", "2", "1"]
    error = refused(api, "POST", f"{MODEL}/versions/search", {"columns": ["run_nme"]})
    assert "run_name" in error["message"]
    known = call(api, "GET", f"{MODEL}/versions/columns?text=r&group=metric")
    assert [(c["id"], c["count"]) for c in known["columns"]] == [("metrics.rmse", 3)]
    values = call(api, "GET", f"{MODEL}/versions/values?column=tags.team&text=t")
    assert values["values"] == ["t1", "t2", "t3"]
    values = call(api, "GET", f"{MODEL}/versions/values?column=run_name&text=run%20")
    assert values["values"] == ["run 1", "run 2", "run 3"]


def test_params_that_are_numbers_are_ordered_as_numbers(api):
    """Not as texts, where 100 stands before 9; texts follow, then versions without the param."""
    values = ["10", "9", "auto", "1e2", None, "-3"]
    for n, value in enumerate(values):
        uid = trained(api, f"run-{n}", 1.0)
        if value is not None:
            api.post("runs/log-parameter", run_id=uid, key="trees", value=value)
        registered(api, NAME, uid, aliases=["champion"] if n == 3 else [])

    def order(path: str, body: Mapping[str, object], column: str) -> list[object]:
        table = call(api, "POST", path, {"columns": [column], **body})
        return [row["cells"][0] for row in table["rows"]]

    rising = {"order_by": ["params.trees"]}
    second = {"order_by": ["metrics.rmse", "params.trees DESC"]}
    versions, runs = f"{MODEL}/versions/search", f"{HERE}/runs/search"
    for path in (versions, runs):
        assert order(path, rising, "params.trees") == ["-3", "9", "10", "1e2", "auto", None]
        assert order(path, second, "params.trees") == ["1e2", "10", "9", "-3", "auto", None]
        assert order(path, rising | {"offset": 2, "limit": 3}, "params.trees") == [
            "10", "1e2", "auto",
        ]  # fmt: skip
        few = rising | {"filter": "params.trees > 5"}
        assert order(path, few, "params.trees") == ["9", "10", "1e2"]
    assert order(versions, {"filter": "aliases = 'champion'"}, "version") == [4]


def test_the_catalogue_says_what_can_be_sorted_and_filtered_by(api):
    registered(api, NAME, trained(api, "first", 51.5))
    listed = call(api, "GET", f"{MODEL}/versions/columns")["columns"]
    can = {each["id"]: (each["sortable"], each["filterable"]) for each in listed}
    assert can["run_name"] == can["metrics.rmse"] == can["params.depth"] == (True, True)
    assert can["aliases"] == (False, True)
    assert can["size_bytes"] == (False, False)


def test_series_of_versions_are_those_of_their_runs(api):
    one, two = trained(api, "one", 2.0), trained(api, "two", 3.0)
    for uid in (one, two, one):
        registered(api, NAME, uid)
    body = {"versions": [2, 3, 1, 99], "keys": ["rmse", "none"]}
    found = call(api, "POST", f"{MODEL}/series", body)["series"]
    assert [series["run"] for series in found] == [two, one]
    of_runs = call(api, "POST", f"{HERE}/series", {"runs": [two, one], "keys": ["rmse", "none"]})
    assert found == of_runs["series"]
    call(api, "DELETE", f"{MODEL}/versions/2")
    found = call(api, "POST", f"{MODEL}/series", body)["series"]
    assert [series["run"] for series in found] == [one]
    wrong = f"{HERE}/models/missing/series"
    assert refused(api, "POST", wrong, body, 404)["code"] == "not_found"
    assert refused(api, "POST", f"{MODEL}/series", body | {"buckets": 0})["code"] == "invalid"
