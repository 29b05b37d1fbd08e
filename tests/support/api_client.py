"""A client that calls an application in this process over ASGI."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import msgspec

from heddle.app import App

MLFLOW = "/api/2.0/mlflow"


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: Any
    raw: bytes
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """MLflow's error code, empty for success."""
        return str(self.body.get("error_code", "")) if isinstance(self.body, dict) else ""


class Api:
    """Sends requests to an application."""

    def __init__(self, app: App) -> None:
        self.app = app

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request with these bytes."""
        return asyncio.run(self.send_async(method, path, body, headers))

    async def send_async(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """The same, for several at once."""
        path, _, query = path.partition("?")
        given = {"host": "localhost", "content-type": "application/json"} | (headers or {})
        if body:
            given["content-length"] = str(len(body))
        pairs = [(key.encode(), value.encode()) for key, value in given.items() if value]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": pairs,
        }
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        raw = b"".join(message.get("body", b"") for message in sent[1:])
        found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        is_json = found.get("content-type") == "application/json" and raw
        return Answer(sent[0]["status"], msgspec.json.decode(raw) if is_json else None, raw, found)

    def post(self, call: str, **fields: Any) -> Answer:
        """An MLflow call with a JSON body."""
        return self.send("POST", f"{MLFLOW}/{call}", msgspec.json.encode(fields))

    def get(self, call: str) -> Answer:
        """An MLflow call with its fields in the query."""
        return self.send("GET", f"{MLFLOW}/{call}")

    def run(self, **fields: Any) -> str:
        """A new run's id, in experiment 0 unless told otherwise."""
        answer = self.post("runs/create", **({"experiment_id": "0", "start_time": 1} | fields))
        assert answer.status == 200, answer.body
        return str(answer.body["run"]["info"]["run_id"])
