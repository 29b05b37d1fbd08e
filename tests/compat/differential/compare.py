"""Decides whether two answers agree, up to what each server is free to choose.

Free are: generated ids (experiments, runs, logged models), page tokens, generated names, and the
clock. Ids must correspond one to one for the whole conversation, and a time that a server took
from its clock must fall into the same step of the conversation on both sides, so a time that
moved when it should not, or did not move when it should, is seen.

Everything else must be equal: status, error code, presence of every field (MLflow omits empty
lists, so absent and empty differ), list order except where items have keys of their own. `1` and
`1.0` are one number. Messages are free prose apart from the beginnings in `PROMISED_MESSAGES`,
which clients look for.
"""

import bisect
import json
import math
import re
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from differential.exchange import Answer

ID_KINDS = {
    "experiment_id": "experiment",
    "run_id": "run",
    "run_uuid": "run",
    "source_run_id": "run",
    "model_id": "model",
    "next_page_token": "token",
}
TIMES = {
    "creation_time",
    "last_update_time",
    "creation_timestamp",
    "last_updated_timestamp",
    "creation_timestamp_ms",
    "last_updated_timestamp_ms",
    "start_time",
    "end_time",
    "timestamp",
}
NAMES = {"run_name", "name", "value"}
GENERATED_NAME = re.compile(r"[a-z]+(-[a-z]+)+-\d+")
EMBEDDED_ID = re.compile(
    r"(?P<model>m-[0-9a-f]{32})|(?P<run>\b[0-9a-f]{32}\b)"
    r"|(?:(?<=mlflow-artifacts:/)|(?<=mlflow-artifacts:/workspaces/u\d{6}-\w/))(?P<experiment>\d+)"
)
# What MLflow adds to failures, and about traces, for its own use.
UNCOMPARED_FIELDS = {"sqlstate", "error_class", "effective_trace_archival_retention"}
# What clients look for in messages: how MLflow's begins, and how ours must then begin; groups agree.
PROMISED_MESSAGES = [
    (re.compile(theirs, re.DOTALL), re.compile(ours, re.DOTALL))
    for theirs, ours in (
        (r"Missing value for required parameter '([^']*)'",) * 2,
        (
            r"Invalid value .* for parameter '([^']*)' supplied:\s+Hint",
            r"Invalid value .* for parameter '([^'\[]*)[^']*' supplied",
        ),
        (r"Changing param values is not allowed",) * 2,
        (r"(Registered Model \(name=.*\) already exists)",) * 2,
        (r"(Registered model alias .* not found\.)",) * 2,
        (r"Invalid model version source",) * 2,
        (r"Invalid path",) * 2,
        (r".*must be in the 'active' state",) * 2,
    )
]
COMPARED_HEADERS = ("content-disposition", "content-range", "x-content-type-options")


@dataclass(frozen=True)
class Mismatch:
    """One place where the answers part; `path` is dotted, list positions as numbers."""

    path: str
    mlflow: object
    heddle: object

    def __str__(self) -> str:
        return f"  {self.path}: MLflow {self.mlflow!r:.600}, Heddle {self.heddle!r:.600}"


@dataclass
class Pairing:
    """Ids of one server matched with ids of the other, one to one for each kind."""

    forward: dict[tuple[str, str], str] = field(default_factory=dict)
    backward: dict[tuple[str, str], str] = field(default_factory=dict)

    def match(self, kind: str, left: str, right: str) -> bool:
        """Whether the two name the same thing; the first meeting of both decides it."""
        known = self.forward.get((kind, left))
        if known is None and (kind, right) not in self.backward:
            self.forward[kind, left] = right
            self.backward[kind, right] = left
            return True
        return known == right


@dataclass
class Steps:
    """When each step of a conversation happened on one server's clock."""

    asked: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Note the span of the next step."""
        self.asked.append(answer.asked_ms)
        self.answered.append(answer.answered_ms)

    def at(self, time_ms: int) -> set[int]:
        """Return the steps during which `time_ms` can have been read; -1 is before the first."""
        if time_ms < self.asked[0]:
            return {-1}
        last = bisect.bisect_right(self.asked, time_ms)
        first = bisect.bisect_left(self.answered, time_ms)
        return set(range(first, last))


class Comparison:
    """The memory of one conversation that comparing its answers needs.

    `own` begins the names of what is the conversation's.
    """

    def __init__(self, own: str) -> None:
        self.own = own
        self.pairing = Pairing()
        self.mlflow_steps = Steps()
        self.heddle_steps = Steps()

    def compare(self, mlflow: Answer, heddle: Answer) -> list[Mismatch]:
        """Return every place where the answers to one step disagree."""
        self.mlflow_steps.add(mlflow)
        self.heddle_steps.add(heddle)
        if mlflow.status != heddle.status:
            return [Mismatch("status", mlflow.brief(), heddle.brief())]
        if mlflow.status >= 400:
            return self._failures(mlflow, heddle)
        found = [
            Mismatch(f"header {name}", mlflow.headers.get(name), heddle.headers.get(name))
            for name in COMPARED_HEADERS
            if _header(mlflow, name) != _header(heddle, name)
        ]
        if {mlflow.body, heddle.body} <= {b"", b"{}"}:
            # Clients read no body as an empty object.
            return found
        if mlflow.media_type != heddle.media_type:
            found.append(Mismatch("media type", mlflow.media_type, heddle.media_type))
        elif mlflow.json is not None and heddle.json is not None:
            found += self._values("", "", mlflow.json, heddle.json)
        elif mlflow.body != heddle.body:
            found.append(Mismatch("body", mlflow.body, heddle.body))
        return found

    def _failures(self, mlflow: Answer, heddle: Answer) -> list[Mismatch]:
        if mlflow.error_code is None:
            # A page. Clients take such a 404 for a route that is not offered, and fall back.
            offered = mlflow.status == 404 and heddle.error_code not in (None, "ENDPOINT_NOT_FOUND")
            return [Mismatch("error_code", "none", heddle.brief())] if offered else []
        if mlflow.error_code != heddle.error_code:
            return [Mismatch("error_code", mlflow.brief(), heddle.brief())]
        theirs, ours = str(mlflow.json.get("message", "")), heddle.json.get("message")
        if not isinstance(ours, str) or not ours.strip():
            return [Mismatch("message", theirs, ours)]
        for promised, kept in PROMISED_MESSAGES:
            if wanted := promised.match(theirs):
                given = kept.match(ours)
                if given is None or given.groups() != wanted.groups():
                    return [Mismatch("message", theirs, ours)]
        return []

    def _values(self, path: str, name: str, left: Any, right: Any) -> list[Mismatch]:
        if isinstance(left, dict) and isinstance(right, dict):
            return self._objects(path, left, right)
        if isinstance(left, list) and isinstance(right, list):
            return self._lists(path, name, left, right)
        if self._scalars(name, left, right):
            return []
        return [Mismatch(path, left, right)]

    def _objects(self, path: str, left: dict[str, Any], right: dict[str, Any]) -> list[Mismatch]:
        found = []
        for name in sorted((left.keys() | right.keys()) - UNCOMPARED_FIELDS):
            place = f"{path}.{name}" if path else name
            if name not in left or name not in right:
                found.append(Mismatch(place, left.get(name, "absent"), right.get(name, "absent")))
            else:
                found += self._values(place, name, left[name], right[name])
        return found

    def _lists(self, path: str, name: str, left: list[Any], right: list[Any]) -> list[Mismatch]:
        if name == "workspaces":
            # Whole servers are listed: other conversations have left theirs there.
            left, right = (
                [w for w in side if w["name"].startswith((self.own, "default"))]
                for side in (left, right)
            )
        if len(left) != len(right):
            return [Mismatch(path, left, right)]
        if name in ("model_inputs", "model_outputs"):
            # In the order of ids that each server made up.
            known = self.pairing.forward
            left = sorted(
                left, key=lambda m: (known.get(("model", m["model_id"]), ""), m.get("step"))
            )
            right = sorted(right, key=lambda m: (m["model_id"], m.get("step")))
        if name == "metrics" and all("model_id" in item for item in [*left, *right]):
            # A logged model's metrics, in no order that is promised.
            left, right = (sorted(side, key=_measured) for side in (left, right))
        if name == "latest_versions":
            # One of each stage, in no order that is promised.
            left, right = (sorted(side, key=lambda v: int(v["version"])) for side in (left, right))
        left, right = _ordered(left), _ordered(right)
        found = []
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            found += self._values(f"{path}.{place}", name, one, other)
        return found

    def _scalars(self, name: str, left: Any, right: Any) -> bool:
        if isinstance(left, bool) or isinstance(right, bool):
            return left is right
        if isinstance(left, str) and isinstance(right, str):
            return self._texts(name, left, right)
        if isinstance(left, int | float) and isinstance(right, int | float):
            if math.isnan(left) and math.isnan(right):
                return True
            return left == right or (name in TIMES and self._times(int(left), int(right)))
        return left is None and right is None

    def _texts(self, name: str, left: str, right: str) -> bool:
        if (kind := ID_KINDS.get(name)) and left and right:
            return self.pairing.match(kind, left, right)
        if left == right and not EMBEDDED_ID.search(left):
            return True
        if (
            EMBEDDED_ID.split(left)[:: EMBEDDED_ID.groups + 1]
            == (EMBEDDED_ID.split(right)[:: EMBEDDED_ID.groups + 1])
        ):
            pairs = zip(EMBEDDED_ID.finditer(left), EMBEDDED_ID.finditer(right), strict=True)
            return all(
                one.lastgroup == other.lastgroup
                and self.pairing.match(str(one.lastgroup), one[0], other[0])
                for one, other in pairs
            )
        generated = name in NAMES and all(map(GENERATED_NAME.fullmatch, (left, right)))
        return bool(generated) and self.pairing.match("name", left, right)

    def _times(self, left: int, right: int) -> bool:
        return bool(self.mlflow_steps.at(left) & self.heddle_steps.at(right))


def _header(answer: Answer, name: str) -> object:
    """Return a header's value; of a disposition, what it means however it is quoted."""
    value = answer.headers.get(name)
    if name != "content-disposition" or value is None:
        return value
    if starred := re.search(r"filename\*=(\S+)", value):
        return value.split(";")[0], starred[1]
    message = Message()
    message[name] = value
    return message.get_content_disposition(), message.get_filename()


def _measured(point: dict[str, Any]) -> str:
    names = ("key", "timestamp", "step", "dataset_name", "dataset_digest")
    return json.dumps([*(point.get(name) for name in names), str(point["value"])])


def _ordered(items: list[Any]) -> list[Any]:
    """Sort items that carry a key of their own (tags, params, latest metrics, aliases).

    Neither server promises an order for those. Points of one metric share their key, so a
    history keeps its order.
    """
    if not all(isinstance(item, dict) for item in items):
        return items
    for names in (("key",), ("alias",)):
        keys = [json.dumps([item.get(name) for name in names]) for item in items]
        if len(set(keys)) == len(keys) and "null" not in "".join(keys):
            return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda p: p[0])]
    return items
