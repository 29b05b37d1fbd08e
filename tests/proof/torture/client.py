"""One connection to a server, where no whole answer is an event to be counted on."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple, Self

MLFLOW = "/api/2.0/mlflow"
NATIVE = "/api/v1/workspaces/default"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


class Lost(Exception):
    """No whole answer came: whether the call took effect is not known."""


class Refused(Exception):
    """The server answered what it should not have."""


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """MLflow's error code, empty where there is none."""
        try:
            return str(self.json.get("error_code", ""))
        except (ValueError, AttributeError):
            return ""


class Client:
    """One kept connection, made when needed and again when lost."""

    def __init__(self, port: int, timeout_s: float = 30) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call makes a new one."""
        self._connection.close()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One call; raises ``Lost`` if no whole answer comes."""
        try:
            self._connection.request(method, path, body, headers or {})
            answer = self._connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Lost(f"{method} {path}: {error!r}") from error
        return Answer(answer.status, data, answer.headers)

    def json(self, method: str, path: str, body: Any = None) -> Answer:
        """One call with a JSON body."""
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, data, {"Content-Type": "application/json"})

    def post(self, call: str, **fields: Any) -> Answer:
        """One of MLflow's calls."""
        return self.json("POST", f"{MLFLOW}/{call}", fields)

    def read(self, path: str) -> Any:
        """What a reading call answers, None for 404; raises ``Refused`` for anything but success."""
        answer = self.send("GET", path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Refused(f"GET {path} answered {answer.status}: {answer.body[:500]!r}")
        return answer.json
