"""Fabric's calls for ML models, as a script written for Fabric makes them."""

from __future__ import annotations

import uuid
from urllib.parse import unquote

import msgspec

from native_calls import HERE, call, registered, trained

WORKSPACES = "/v1/workspaces"


def ask(api, method, path, body=None, status=200):
    data = b"" if body is None else msgspec.json.encode(body)
    answer = api.send(method, path, data)
    assert answer.status == status, answer.raw
    return answer.body


def items_of(api, name: str) -> str:
    found = ask(api, "GET", WORKSPACES)["value"]
    guid = next(each["id"] for each in found if each["displayName"] == name)
    assert str(uuid.UUID(guid)) == guid
    return f"{WORKSPACES}/{guid}/mlModels"


def test_an_item_is_made_read_changed_and_deleted(api):
    items = items_of(api, "default")
    body = {"displayName": "Sales forecast", "description": "d", "definition": {}}
    made = ask(api, "POST", items, body, 201)
    assert (made["type"], made["displayName"], made["description"]) == (
        "MLModel", "Sales forecast", "d",
    )  # fmt: skip
    assert made["workspaceId"] in items
    path = f"{items}/{made['id']}"
    assert ask(api, "GET", path) == made
    assert ask(api, "GET", items) == {"value": [made]}
    registered(api, "Sales forecast", trained(api, "r", 1.0))
    changed = ask(api, "PATCH", path, {"description": "new", "displayName": "Other"})
    assert changed == made | {"description": "new", "displayName": "Other"}
    assert call(api, "GET", f"{HERE}/models/Other/versions/1")["model"] == "Other"
    error = ask(api, "POST", items, {"displayName": "Other"}, 400)
    assert (error["errorCode"], bool(error["requestId"])) == ("ItemDisplayNameAlreadyInUse", True)
    ask(api, "DELETE", path)
    assert ask(api, "GET", path, status=404)["errorCode"] == "ItemNotFound"
    assert ask(api, "GET", items) == {"value": []}


def test_long_lists_come_in_pages(api):
    items = items_of(api, "default")
    for number in range(101):
        ask(api, "POST", items, {"displayName": f"m{number:03}"}, 201)
    first = ask(api, "GET", items)
    assert len(first["value"]) == 100
    second = ask(api, "GET", f"{items}?continuationToken={first['continuationToken']}")
    assert [each["displayName"] for each in second["value"]] == ["m100"]
    assert not {"continuationToken", "continuationUri"} & set(second)
    server, _, path = first["continuationUri"].partition("/v1/")
    assert server == "http://localhost"
    assert ask(api, "GET", f"/v1/{unquote(path)}") == second
    assert (
        ask(api, "GET", f"{items}?continuationToken=x", status=400)["errorCode"] == "InvalidInput"
    )


def test_items_of_another_workspace_are_not_found(api):
    call(api, "POST", "/workspaces", {"name": "other"}, 201)
    made = ask(api, "POST", items_of(api, "default"), {"displayName": "m"}, 201)
    other = items_of(api, "other")
    error = ask(api, "GET", f"{other}/{made['id']}", status=404)
    assert error["errorCode"] == "ItemNotFound"
    for guid in (made["id"], str(uuid.uuid4()), "default"):
        error = ask(api, "GET", f"{WORKSPACES}/{guid}/mlModels", status=404)
        assert error["errorCode"] == "WorkspaceNotFound"
    assert ask(api, "GET", other.rpartition("/")[0])["displayName"] == "other"


def test_what_is_not_understood_is_said(api):
    error = ask(api, "POST", items_of(api, "default"), {"name": "x"}, 400)
    assert error["errorCode"] == "InvalidInput"
    assert "displayName" in error["message"]
