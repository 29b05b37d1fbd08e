"""Every field of every call with values of wrong types, put to both servers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from differential.conversation import Conversation, Disagreement, call

WRONG: list[Any] = [None, True, 0, -1, 1.5, "", "x", "7", [], ["x"], [None], {}, {"a": 1}]
SETUP = [
    ("experiments/create", {"name": "$u"}, "exp", "experiment_id"),
    (
        "runs/create",
        {"experiment_id": "$exp", "run_name": "r", "start_time": 1},
        "run",
        "run.info.run_id",
    ),
    ("logged-models", {"experiment_id": "$exp", "name": "m"}, "model", "model.info.model_id"),
    ("registered-models/create", {"name": "$u"}, "", ""),
    ("model-versions/create", {"name": "$u", "source": "s3://b/a"}, "", ""),
]
PAIR = {"key": "k", "value": "v"}
DATA_SET = {"name": "d", "digest": "1", "source_type": "local", "source": "x"}
VERSION = {"name": "$u", "version": "1"}
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "experiments/create", {"name": "$u-x", "artifact_location": "s3://b", "tags": [PAIR]}),
    (
        "POST",
        "experiments/search",
        {"max_results": 1, "filter": "name = 'x'", "order_by": ["experiment_id"]},
    ),
    ("POST", "experiments/update", {"experiment_id": "$exp", "new_name": "$u-y"}),
    ("POST", "experiments/set-experiment-tag", {"experiment_id": "$exp", **PAIR}),
    ("POST", "experiments/delete", {"experiment_id": "98765432"}),
    (
        "POST",
        "runs/create",
        {
            "experiment_id": "$exp",
            "run_name": "r",
            "user_id": "u",
            "start_time": 1,
            "tags": [PAIR],
        },
    ),
    (
        "POST",
        "runs/update",
        {"run_id": "$run", "status": "RUNNING", "end_time": 5, "run_name": "s"},
    ),
    (
        "POST",
        "runs/search",
        {
            "experiment_ids": ["$exp"],
            "filter": "",
            "run_view_type": "ALL",
            "max_results": 5,
            "order_by": ["run_name"],
            "page_token": "",
        },
    ),
    (
        "POST",
        "runs/log-metric",
        {"run_id": "$run", "key": "m", "value": 1, "timestamp": 1, "step": 1},
    ),
    ("POST", "runs/log-parameter", {"run_id": "$run", **PAIR}),
    ("POST", "runs/set-tag", {"run_id": "$run", **PAIR}),
    ("POST", "runs/delete-tag", {"run_id": "$run", "key": "nope"}),
    ("POST", "runs/log-batch", {"run_id": "$run", "metrics": [], "params": [], "tags": [PAIR]}),
    ("POST", "runs/log-inputs", {"run_id": "$run", "datasets": [{"dataset": DATA_SET}]}),
    (
        "POST",
        "logged-models",
        {"experiment_id": "$exp", "name": "n", "model_type": "t", "tags": []},
    ),
    ("POST", "logged-models/search", {"experiment_ids": ["$exp"], "filter": "", "max_results": 5}),
    ("POST", "registered-models/create", {"name": "$u-x", "description": "d", "tags": [PAIR]}),
    ("POST", "registered-models/rename", {"name": "$u-nope", "new_name": "$u-z"}),
    ("PATCH", "registered-models/update", {"name": "$u", "description": "d"}),
    ("POST", "registered-models/set-tag", {"name": "$u", **PAIR}),
    ("POST", "registered-models/alias", {**VERSION, "alias": "best"}),
    ("POST", "registered-models/get-latest-versions", {"name": "$u", "stages": ["None"]}),
    ("POST", "model-versions/create", {"name": "$u", "source": "s3://b/a", "tags": [PAIR]}),
    ("PATCH", "model-versions/update", {**VERSION, "description": "d"}),
    ("POST", "model-versions/set-tag", {**VERSION, **PAIR}),
    (
        "POST",
        "model-versions/transition-stage",
        {**VERSION, "stage": "Staging", "archive_existing_versions": False},
    ),
]


@pytest.mark.parametrize(("method", "path", "right"), CALLS, ids=[path for _, path, _ in CALLS])
def test_wrong_types_are_answered_alike(
    method: str, path: str, right: dict[str, Any], converse: Callable[[], Conversation]
) -> None:
    conversation = converse()
    for setting, sent, name, found in SETUP:
        answers = conversation.say(call("POST", setting, sent))
        if name:
            conversation.keep(name, answers, found)
    differing = []
    for field in right:
        for value in WRONG:
            try:
                conversation.say(call(method, path, {**right, field: value}))
            except Disagreement as disagreement:
                differing.append(f"{field} = {json.dumps(value)}: {disagreement}"[:900])
    assert not differing, "\n\n".join(differing)
