"""One HTTP request to one server and what came back, down to the byte.

Requests are written by hand on a kept connection, so that odd ones (no content type, broken JSON,
a body with GET) reach the server as they are. Leaves judging answers to `compare`.
"""

import http.client
import json
import socket
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

TIMEOUT_S = 60.0
IDLE_S = 2.0


@dataclass(frozen=True)
class Request:
    """A request as it goes out; `path` carries the query string."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A response with the wall clock around it, in milliseconds since the epoch."""

    status: int
    headers: dict[str, str]
    body: bytes
    asked_ms: int
    answered_ms: int

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @cached_property
    def is_json(self) -> bool:
        """Whether the answer calls itself JSON."""
        return self.media_type == "application/json"

    @cached_property
    def json(self) -> Any:
        """The decoded body, or None where it is not JSON."""
        if not self.is_json:
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def error_code(self) -> str | None:
        """MLflow's name for the failure, if the body carries one."""
        return self.json.get("error_code") if isinstance(self.json, dict) else None

    def brief(self) -> str:
        """Status and the start of the body, for people."""
        text = self.body.decode("utf-8", "replace")
        if self.is_json:
            text = json.dumps(self.json)
        return f"{self.status} {self.media_type} {text[:1500]}"


class Side:
    """A server under comparison, reached over one kept connection."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self._connection: http.client.HTTPConnection | None = None
        self._used_s = 0.0

    def send(self, request: Request) -> Answer:
        """Send `request` once and read the whole answer."""
        asked = time.time_ns() // 1_000_000
        try:
            connection = self._connected()
            connection.putrequest(request.method, request.path, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(request.body or b"")))
            connection.endheaders(request.body)
            response = connection.getresponse()
            body = response.read()
        except BaseException:
            self.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        # After a breakdown a server may drop the connection without saying so.
        if response.will_close or response.status >= 500:
            self.close()
        self._used_s = time.monotonic()
        return Answer(response.status, headers, body, asked, time.time_ns() // 1_000_000)

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        # Servers drop idle connections; renewing first means that no request is ever sent twice.
        if self._connection is not None and time.monotonic() - self._used_s > IDLE_S:
            self.close()
        if self._connection is not None:
            return self._connection
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection
