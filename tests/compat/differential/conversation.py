"""A sequence of calls put to both servers, with the ids each gave kept apart by name.

A call is written once with `$name` where an id belongs; what a server answered earlier is filled
in for that server. `${a*300}` stands for a text of 300 letters, on both. Raises `Disagreement`,
with everything said before, where the answers part and no known difference claims it.
"""

import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from differential.compare import Comparison, Mismatch
from differential.differences import Difference, Turn
from differential.exchange import Answer, Request, Side

PLACEHOLDER = re.compile(r"\$(?:\{(?P<text>[^*{}]+)\*(?P<times>\d+)\}|(?P<name>[a-z][a-z0-9_]*))")
ROUTE = re.compile(r"/(?:ajax-)?api/2\.0/mlflow/(.*)")
PATH_SAFE = "/%?&=:@+,;~*'()!$#[]"


class Disagreement(AssertionError):
    """The servers answered otherwise and nothing allows it."""


@dataclass(frozen=True)
class Call:
    """A call before its placeholders are filled; a path without a leading slash is an MLflow route.

    `query` is appended as parameters, a list as repeated ones. `body` is text sent as it stands.
    """

    method: str
    path: str
    query: dict[str, Any] | None = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def filled(self, names: dict[str, str]) -> Request:
        """Return the request for the server whose ids are `names`."""
        path = _fill(self.path, names)
        if not path.startswith("/"):
            path = f"/api/2.0/mlflow/{path}"
        path = urllib.parse.quote(path, safe=PATH_SAFE)
        if self.query is not None:
            query = json.loads(_fill(json.dumps(self.query), names))
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        body = None if self.body is None else _fill(self.body, names).encode("utf-8")
        headers = {name: _fill(value, names) for name, value in self.headers.items()}
        return Request(self.method, path, body, headers)


def call(method: str, path: str, sent: Any = None, workspace: str = "") -> Call:
    """Write the usual call: GET takes `sent` as query parameters, every other method as JSON."""
    headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}
    if method == "GET":
        return Call(method, path, query=sent, headers=headers)
    headers["Content-Type"] = "application/json"
    return Call(method, path, body=json.dumps({} if sent is None else sent), headers=headers)


class Conversation:
    """Puts calls to both servers and compares what they say.

    `$u` is `own`, with which the names begin that this conversation gives.
    """

    def __init__(self, mlflow: Side, heddle: Side, differences: list[Difference], own: str) -> None:
        self._sides = (mlflow, heddle)
        self._differences = differences
        self._comparison = Comparison(own)
        self._names: tuple[dict[str, str], dict[str, str]] = ({"u": own}, {"u": own})
        self._said: list[str] = []
        #: The known differences that the last call showed.
        self.claims: list[str] = []
        #: Set once a known difference has left the servers in different states: stop comparing.
        self.parted = False

    def keep(self, name: str, answers: tuple[Answer, Answer], path: str) -> None:
        """Let `$name` stand for what is found at the dotted `path` of each server's answer."""
        for names, answer in zip(self._names, answers, strict=True):
            names[name] = str(_dig(answer.json, path))

    def say(self, call: Call) -> tuple[Answer, Answer]:
        """Put one call to both; return MLflow's answer and Heddle's."""
        requests = [call.filled(names) for names in self._names]
        mlflow, heddle = (
            side.send(request) for side, request in zip(self._sides, requests, strict=True)
        )
        mismatches = self._comparison.compare(mlflow, heddle)
        self._said.append(_transcript(requests[0], mlflow))
        self.claims = []
        if mismatches:
            turn = _turn(requests[1], mlflow, heddle, mismatches, self._said[:-1])
            # The page goes from the particular to the general: the first that claims it counts.
            self.claims = [known.id for known in self._differences if known.claims(turn)][:1]
            if not self.claims:
                raise Disagreement(self._report(turn, requests[1]))
            self.parted |= call.method != "GET" and mlflow.status != heddle.status
        return mlflow, heddle

    def _report(self, turn: Turn, request: Request) -> str:
        places = "\n".join(map(str, turn.mismatches))
        return (
            f"{turn.call}\n{places}\nsent {_transcript(request, turn.heddle)}\n"
            f"MLflow: {turn.mlflow.brief()}\nHeddle: {turn.heddle.brief()}\nsaid before (MLflow):\n"
            + "\n".join(self._said[-40:-1])
        )


def _fill(text: str, names: dict[str, str]) -> str:
    def replacement(found: re.Match[str]) -> str:
        if found["times"]:
            return found["text"] * int(found["times"])
        return names[found["name"]]

    return PLACEHOLDER.sub(replacement, text)


def _dig(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _transcript(request: Request, answer: Answer) -> str:
    body = (request.body or b"").decode("utf-8", "replace")
    return f"{request.method} {request.path[:600]} {body[:600]} -> {answer.brief()[:300]}"


def _turn(
    request: Request,
    mlflow: Answer,
    heddle: Answer,
    mismatches: list[Mismatch],
    before: list[str],
) -> Turn:
    split = urllib.parse.urlsplit(request.path)
    route = ROUTE.fullmatch(split.path)
    try:
        sent = json.loads(request.body or b"null")
    except ValueError:
        sent = None
    return Turn(
        call=f"{request.method} {route[1] if route else split.path}",
        query=urllib.parse.parse_qs(split.query, keep_blank_values=True),
        raw=request.body or b"",
        sent=sent,
        mlflow=mlflow,
        heddle=heddle,
        mismatches=mismatches,
        before=before,
    )
