"""The stream of changes: what is told, to whom, and what happens to those who are slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from api_client import MLFLOW
from heddle.api.events import QUEUE_MAX, Hub, Subscriber
from heddle.app import create_app
from heddle.db.tx import Change
from heddle.settings import Settings

EVENTS = "/api/v1/workspaces/default/events"
PATIENCE_S = 10


class Stream:
    """One open stream and what it has told so far."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.grown = asyncio.Event()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode()
        self.grown.set()

    @property
    def events(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            fields = dict(line.partition(": ")[::2] for line in block.splitlines())
            if "event" in fields:
                found.append((fields["event"], msgspec.json.decode(fields["data"])))
        return found

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not ready():
                self.grown.clear()
                await self.grown.wait()


@asynccontextmanager
async def watching(app, query: str = "", headers: list[tuple[bytes, bytes]] | None = None):
    stream = Stream()
    scope = {
        "type": "http",
        "method": "GET",
        "path": EVENTS,
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), *(headers or [])],
    }
    task = asyncio.ensure_future(app(scope, stream.receive, stream.send))
    await stream.until(lambda: "retry" in stream.text)
    yield stream
    stream.gone.set()
    await task


async def make_run(api, name: str) -> str:
    body = msgspec.json.encode({"experiment_id": "0", "run_name": name})
    answer = await api.send_async("POST", f"{MLFLOW}/runs/create", body)
    return str(answer.body["run"]["info"]["run_id"])


async def log_metric(api, uid: str, value: float) -> None:
    body = {"run_id": uid, "key": "loss", "value": value, "timestamp": 1, "step": int(value)}
    await api.send_async("POST", f"{MLFLOW}/runs/log-metric", msgspec.json.encode(body))


def test_changes_are_told_once_committed(api):
    async def story() -> None:
        async with watching(api.app) as stream, watching(api.app, "kind=experiment") as other:
            uid = await make_run(api, "one")
            await stream.until(lambda: len(stream.events) > 0)
            assert stream.status == 200
            name, event = stream.events[0]
            assert (name, event["kind"], event["key"], event["parent"]) == (
                "change", "run", uid, "0",
            )  # fmt: skip
            assert other.events == []

    asyncio.run(story())


def test_many_changes_of_one_thing_are_summed_up(api):
    async def story() -> None:
        uid = await make_run(api, "one")
        async with watching(api.app, f"kind=run&key={uid}") as stream:
            await asyncio.gather(*(log_metric(api, uid, float(n)) for n in range(60)))

            def counted() -> int:
                # The run's own making may be told after the watching began.
                told = [event for _, event in stream.events if event["action"] == "logged"]
                return sum(event["count"] for event in told)

            await stream.until(lambda: counted() == 60)
            assert len(stream.events) < 30

    asyncio.run(story())


def test_whoever_comes_back_is_told_to_ask_again(api):
    async def story() -> None:
        headers = [(b"last-event-id", b"abc-7")]
        async with watching(api.app, "", headers) as stream:
            await stream.until(lambda: len(stream.events) > 0)
            assert stream.events == [("resync", {})]

    asyncio.run(story())


def test_whoever_is_slow_loses_events_and_hears_of_it():
    async def story() -> None:
        hub, subscriber = Hub(), Subscriber("default")
        hub.subscribe(subscriber)
        changes = [Change("default", "run", str(n), "logged") for n in range(QUEUE_MAX + 1)]
        await asyncio.to_thread(hub.announce, changes)
        assert await subscriber.wait(PATIENCE_S)
        assert subscriber.take() == (True, [])
        await asyncio.to_thread(hub.announce, [*changes[:1] * 3, Change("w", "run", "1", "x")])
        assert await subscriber.wait(PATIENCE_S)
        assert subscriber.take() == (False, [(changes[0], 3)])
        hub.lose()
        assert await subscriber.wait(PATIENCE_S)
        assert subscriber.take() == (True, [])

    asyncio.run(story())


def test_an_unknown_workspace_has_no_stream(api):
    assert api.send("GET", "/api/v1/workspaces/nowhere/events").status == 404


def test_changes_of_another_process_are_heard(api, dialect, database_url, tmp_path):
    """Two servers on one PostgreSQL database; SQLite has one server, whose own changes it hears."""
    second = create_app(Settings(data=tmp_path, database=database_url))

    async def story() -> None:
        async with watching(second if dialect == "postgresql" else api.app) as stream:
            # The second server may still be connecting, so changes are made until one is heard.
            while not stream.events:
                await make_run(api, "elsewhere")
                await asyncio.sleep(0.1)
            assert stream.events[0][1]["kind"] == "run"

    if dialect == "postgresql":
        second.open()
    try:
        asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    finally:
        second.close()
