"""Workspaces, experiments, items, finding and saved views through the native API."""

from __future__ import annotations

import pytest

from api_client import Api
from native_calls import HERE, call, refused, registered, trained


def test_the_server_says_what_it_is(api):
    server = call(api, "GET", "/server")
    assert server["database"] in ("sqlite", "postgresql")
    assert "files" in server["features"]


def test_workspaces_come_and_go(api):
    made = call(api, "POST", "/workspaces", {"name": "team-a", "description": "A"}, 201)
    assert (made["name"], made["experiments"], made["models"]) == ("team-a", 0, 0)
    error = refused(api, "POST", "/workspaces", {"name": "team-a"})
    assert error["code"] == "already_exists"
    changed = call(api, "PATCH", "/workspaces/team-a", {"name": "team-b"})
    assert (changed["name"], changed["description"]) == ("team-b", "A")
    assert refused(api, "GET", "/workspaces/team-a", status=404)["code"] == "not_found"
    call(api, "POST", "/workspaces/team-b/experiments", {"name": "one"}, 201)
    assert refused(api, "DELETE", "/workspaces/team-b")["code"] == "wrong_state"
    named = {each["name"]: each for each in call(api, "GET", "/workspaces")["workspaces"]}
    assert named["team-b"]["experiments"] == 1
    call(api, "DELETE", "/workspaces/team-b/experiments/" + first_experiment(api, "team-b"))
    call(api, "DELETE", "/workspaces/team-b")
    assert refused(api, "GET", "/workspaces/team-b/items", status=404)["code"] == "not_found"


def first_experiment(api: Api, workspace: str) -> str:
    found = call(api, "GET", f"/workspaces/{workspace}/experiments")
    return str(found["experiments"][0]["id"])


def test_what_is_in_one_workspace_is_not_in_another(api):
    call(api, "POST", "/workspaces", {"name": "team-a"}, 201)
    made = call(api, "POST", "/workspaces/team-a/experiments", {"name": "mine"}, 201)
    path = f"/experiments/{made['id']}"
    assert call(api, "GET", f"/workspaces/team-a{path}")["name"] == "mine"
    assert refused(api, "GET", f"/workspaces/default{path}", status=404)["code"] == "not_found"
    call(api, "POST", "/workspaces/team-a/models", {"name": "m"}, 201)
    assert refused(api, "GET", "/workspaces/default/models/m", status=404)["code"] == "not_found"


def test_experiments(api):
    base = "/workspaces/default/experiments"
    made = call(api, "POST", base, {"name": "Ü ∂", "description": "why", "tags": {"a": "1"}}, 201)
    assert made["description"] == "why"
    assert made["tags"] == {"a": "1", "mlflow.note.content": "why"}
    path = f"{base}/{made['id']}"
    assert call(api, "PATCH", path, {"name": "other"})["name"] == "other"
    labels = call(api, "PATCH", f"{path}/tags", {"set": {"b/c": "2"}, "delete": ["a", "gone"]})
    assert labels["tags"] == {"b/c": "2", "mlflow.note.content": "why"}
    api.run(experiment_id=made["id"])
    now = call(api, "GET", path)
    assert (now["runs"], now["last_run_ms"]) == (1, 1)
    found = call(api, "GET", f"{base}?filter=name%20ILIKE%20'%25OTH%25'&limit=1")
    assert (found["total"], len(found["experiments"])) == (1, 1)
    call(api, "DELETE", path)
    assert call(api, "GET", f"{base}?view=deleted")["total"] == 1
    assert call(api, "POST", f"{path}/restore")["deleted_ms"] is None
    assert refused(api, "GET", f"{base}/nine", status=404)["code"] == "not_found"


def test_a_wrong_filter_says_where(api):
    error = refused(api, "GET", "/workspaces/default/experiments?filter=name%20%3D%20")
    assert error["code"] == "invalid"
    assert error["position"] == 7


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "/workspaces", {"nme": "x"}, "unknown field `nme`"),
        ("POST", "/workspaces", {"name": 3}, "Expected `str`"),
        ("GET", "/workspaces/default/items?limit=few", None, "limit"),
        ("GET", "/workspaces/default/items?limit=-1", None, "use 0 or more"),
        ("GET", "/workspaces/default/models?offset=-1", None, "use 0 or more"),
        ("GET", "/workspaces/default/items?limits=1", None, "limits"),
    ],
)
def test_what_is_not_understood_is_named(api, method, path, body, words):
    error = refused(api, method, path, body)
    assert error["code"] == "invalid"
    assert words in error["message"]


def test_items_and_finding(api):
    base = "/workspaces/default"
    call(api, "POST", f"{base}/models", {"name": "Forest fires"}, 201)
    made = call(api, "POST", f"{base}/experiments", {"name": "forest"}, 201)
    uid = api.run(experiment_id=made["id"], run_name="deep Forest")
    listed = call(api, "GET", f"{base}/items?text=FOR&order_by=name")
    assert [(i["kind"], i["name"]) for i in listed["items"]] == [
        ("model", "Forest fires"), ("experiment", "forest"),
    ]  # fmt: skip
    assert call(api, "GET", f"{base}/items?kind=model&text=for")["total"] == 1
    model, experiment = listed["items"]
    assert (model["versions"], model["latest_version"], model["owner"]) == (0, None, "local")
    assert (experiment["runs"], experiment["owner"]) == (1, "")
    registered(api, "Forest fires", trained(api, "r", 1.0), aliases=["champion"])
    model = call(api, "GET", f"{base}/items?kind=model")["items"][0]
    assert (model["versions"], model["latest_version"]) == (1, 1)
    assert model["aliases"] == {"champion": 1}
    hits = call(api, "GET", f"{base}/find?text=forest")["hits"]
    assert [hit["kind"] for hit in hits] == ["experiment", "model", "run"]
    assert hits[2]["parent_name"] == "forest"
    hits = call(api, "GET", f"{base}/find?text={uid[:20]}")["hits"]
    assert [(hit["kind"], hit["key"]) for hit in hits] == [("run", uid)]
    assert call(api, "GET", f"{base}/find?text=%25_%27")["hits"] == []


def test_saved_views(api):
    base = "/workspaces/default/views"
    body = {"scope": "model/m", "name": "mine", "document": {"columns": ["metrics.rmse"]}}
    made = call(api, "POST", base, body, 201)
    assert made["document"] == body["document"]
    assert refused(api, "POST", base, body)["code"] == "already_exists"
    path = f"{base}/{made['id']}"
    changed = call(api, "PATCH", path, {"name": "ours", "shared": True})
    assert (changed["name"], changed["shared"], changed["document"]) == (
        "ours", True, body["document"],
    )  # fmt: skip
    assert call(api, "GET", f"{base}?scope=other")["views"] == []
    assert len(call(api, "GET", f"{base}?scope=model/m")["views"]) == 1
    call(api, "DELETE", path)
    assert refused(api, "GET", path, status=404)["code"] == "not_found"
    large = {"scope": "s", "name": "n", "document": {"x": "y" * 70_000}}
    assert refused(api, "POST", base, large)["code"] == "invalid"


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/workspaces", {"name": "x", "descripton": "y"}, "did you mean description?"),
        ("POST", "/workspaces", {"name": "x", "zz": 1}, "there are name, description."),
        ("GET", f"{HERE}/items?kind=modle", None, "did you mean model?"),
        ("GET", f"{HERE}/items?oder_by=name", None, "did you mean order_by?"),
        (
            "PATCH",
            f"{HERE}/models/m/versions/1",
            {"stage": "x"},
            "there are Archived, None, Production, Staging.",
        ),
        ("POST", f"{HERE}/compare", {"items": [{"rn": "x"}]}, "did you mean run?"),
    ],
)
def test_what_was_mistyped_is_told_what_was_meant(
    api: Api, method: str, path: str, body: object, says: str
) -> None:
    assert says in refused(api, method, path, body)["message"]
