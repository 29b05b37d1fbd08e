"""Runs as a tree: nesting survives filters, orders, paging and folding, whatever tags say."""

from __future__ import annotations

import pytest

from native_calls import HERE, call, log, refused

TREE = f"{HERE}/runs/tree"
PARENT = "mlflow.parentRunId"


@pytest.fixture
def family(api):
    """Two parents of three children, one grandchild each, and a run that is alone; by name."""
    uids = {}

    def make(name, parent, score, start):
        uids[name] = api.run(run_name=name, start_time=start)
        tags = {PARENT: uids[parent]} if parent else {"top": "yes"}
        log(api, uids[name], metrics={"score": [score]}, tags=tags)

    start = 0
    for parent, lead in (("a", 10.0), ("b", 20.0)):
        make(parent, "", lead, start := start + 1)
        for n in range(3):
            make(f"{parent}{n}", parent, lead + n, start := start + 1)
        make(f"{parent}1x", f"{parent}1", lead + 9, start := start + 1)
    make("alone", "", 0.0, 100)
    return uids


def tree(api, family, **body):
    names = {uid: name for name, uid in family.items()}
    found = call(api, "POST", TREE, {"columns": ["run_name"], **body})
    shown = [
        "." * row["depth"] + names[row["key"]] + ("" if row["found"] else "?")
        for row in found["rows"]
    ]
    assert [row["cells"] for row in found["rows"]] == [[names[r["key"]]] for r in found["rows"]]
    return shown, found["total"]


def test_runs_begin_folded_and_open_when_told(api, family):
    assert tree(api, family) == (["alone", "b", "a"], 3)
    opened = {"toggled": [family["b"], family["b1"]], "order_by": ["start_time ASC"]}
    assert tree(api, family, **opened) == (["a", "b", ".b0", ".b1", "..b1x", ".b2", "alone"], 7)
    rows = call(api, "POST", TREE, {"toggled": [family["a"]], "order_by": ["run_name"]})["rows"]
    assert [(row["children"], row["open"]) for row in rows] == [
        (3, True), (0, False), (1, False), (0, False), (0, False), (3, False),
    ]  # fmt: skip


def test_windows_of_an_open_tree_join_to_the_whole(api, family):
    whole, total = tree(api, family, starts_open=True, order_by=["metrics.score DESC"])
    assert whole == [
        "b", ".b2", ".b1", "..b1x", ".b0", "a", ".a2", ".a1", "..a1x", ".a0", "alone",
    ]  # fmt: skip
    assert total == 11
    paged = []
    for offset in range(0, 12, 4):
        body = {"starts_open": True, "order_by": ["metrics.score DESC"]}
        window, count = tree(api, family, offset=offset, limit=4, **body)
        assert count == 11
        paged += window
    assert paged == whole


def test_what_is_found_stands_under_parents_that_are_not(api, family):
    body = {"starts_open": True, "filter": "run_name LIKE '%1x'", "order_by": ["run_name"]}
    assert tree(api, family, **body)[0] == ["a?", ".a1?", "..a1x", "b?", ".b1?", "..b1x"]
    folded = {**body, "toggled": [family["a1"]]}
    assert tree(api, family, **folded)[0] == ["a?", ".a1?", "b?", ".b1?", "..b1x"]
    both = {"starts_open": True, "filter": "metrics.score >= 20", "order_by": ["run_name DESC"]}
    assert tree(api, family, **both)[0] == ["b", ".b2", ".b1", "..b1x", ".b0"]


def test_children_of_deleted_parents_stand_at_the_top(api, family):
    call(api, "DELETE", f"{HERE}/runs/{family['a']}")
    body = {"starts_open": True, "filter": "run_name LIKE 'a%'", "order_by": ["run_name"]}
    assert tree(api, family, **body)[0] == ["a0", "a1", ".a1x", "a2", "alone"]
    assert tree(api, family, view="deleted")[0] == ["a"]
    assert tree(api, family, **{**body, "view": "all"})[0] == [
        "a", ".a0", ".a1", "..a1x", ".a2", "alone",
    ]  # fmt: skip


def test_children_in_another_experiment(api, family):
    other = call(api, "POST", f"{HERE}/experiments", {"name": "other"}, 201)["id"]
    uid = api.run(run_name="far", experiment_id=other)
    log(api, uid, tags={PARENT: family["alone"]})
    more = {**family, "far": uid}
    assert tree(api, more, experiments=[other])[0] == ["far"]
    shown, _ = tree(api, more, starts_open=True, filter="run_name = 'far'")
    assert shown == ["alone?", ".far"]


def test_circles_and_parents_that_are_not_there(api, family):
    log(api, family["a"], tags={PARENT: family["a1x"]})
    log(api, family["b"], tags={PARENT: family["b"]})
    log(api, family["alone"], tags={PARENT: "no such run"})
    shown, total = tree(api, family, starts_open=True, order_by=["run_name"])
    assert sorted(each.lstrip(".") for each in shown) == sorted(family)
    assert total == 11
    assert shown == ["a", ".a0", ".a2", "a1", "a1x", "alone", "b", ".b0", ".b1", "..b1x", ".b2"]


def test_a_deep_nest(api, family):
    above = family["alone"]
    for n in range(200):
        uid = api.run(run_name=f"deep {n}")
        log(api, uid, tags={PARENT: above})
        family[f"deep {n}"] = above = uid
    shown, total = tree(api, family, starts_open=True, filter="run_name = 'deep 199'")
    assert (total, shown[-1]) == (201, "." * 200 + "deep 199")


def test_what_is_wrong_is_said(api):
    assert "no column" in refused(api, "POST", TREE, {"columns": ["nothing"]})["message"]
    assert refused(api, "POST", TREE, {"filter": "metrics.x <"})["position"] is not None
