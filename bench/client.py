"""Owns the one HTTP client of the harness: seeding, probing and checking, never the load itself.

Always holds: a connection is kept alive and belongs to one thread; an answer that is not 2xx
raises; tracking calls speak MLflow's public REST protocol.
"""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

API = "/api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
TIMEOUT_S = 120.0
# Servers close connections that idle for some seconds; ours is opened anew before that.
IDLE_S = 2.0

Json = dict[str, Any]


class WrongAnswer(Exception):
    """A server answered, but not what the work asked for."""


class Client:
    """One kept-alive connection to one server."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self.url = url
        self._used = time.monotonic()
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def raw(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/json"
    ) -> bytes:
        """Send one request and return the body of its answer; raise WrongAnswer unless 2xx."""
        headers = {"Content-Type": kind} if body is not None else {}
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if not 200 <= answer.status < 300:
            text = content[:300].decode(errors="replace")
            raise WrongAnswer(f"{method} {path.partition('?')[0]} answered {answer.status}: {text}")
        return content

    def get(self, call: str, **query: object) -> Json:
        """Call a GET route of the protocol; list values become repeated keys."""
        path = API + call + ("?" + urlencode(query, doseq=True) if query else "")
        return self._decoded(self.raw("GET", path))

    def post(self, call: str, **fields: object) -> Json:
        """Call a POST route of the protocol with `fields` as its JSON body."""
        return self._decoded(self.raw("POST", API + call, json.dumps(fields).encode()))

    @staticmethod
    def _decoded(content: bytes) -> Json:
        decoded = json.loads(content or b"{}")
        if not isinstance(decoded, dict):
            raise WrongAnswer(f"a JSON object was expected, not {content[:80]!r}")
        return decoded


def expect(condition: object, what: str) -> None:
    """Raise WrongAnswer with `what` unless `condition` holds."""
    if not condition:
        raise WrongAnswer(what)
