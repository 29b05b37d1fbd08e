"""The bare writer: as little as can take metrics over HTTP and answer once they are on disk.

What Heddle's own rate is held against: one process, uvicorn with uvloop and httptools, raw ASGI,
msgspec, one thread that writes to SQLite (`WAL`, `synchronous=FULL`) and commits once for all that
wait. It stores what a server of metrics has to: every point once, clustered by metric, and the
latest value of each metric. It checks no more than the shape of a body, knows no workspaces, no
limits, no failures of single requests, and nobody should use it for anything else.
"""

import argparse
import asyncio
import queue
import sqlite3
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import uvicorn

PREFIX = "/api/2.0/mlflow/"
BATCH_MAX = 512
SCHEMA = """
CREATE TABLE IF NOT EXISTS experiments (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, uid TEXT UNIQUE, experiment_id INTEGER);
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, run_id INTEGER, key TEXT, value REAL, step INTEGER, timestamp INTEGER,
    UNIQUE (run_id, key));
CREATE TABLE IF NOT EXISTS points (
    metric_id INTEGER, timestamp INTEGER, step INTEGER, value REAL,
    PRIMARY KEY (metric_id, timestamp, step, value)) WITHOUT ROWID;
"""
FIND_RUN = "SELECT id FROM runs WHERE uid = ?"
LATEST = """
INSERT INTO metrics (run_id, key, value, step, timestamp) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, key) DO UPDATE SET
    value = excluded.value, step = excluded.step, timestamp = excluded.timestamp
    WHERE (excluded.step, excluded.timestamp, excluded.value) >= (step, timestamp, value)
RETURNING id
"""
FIND_METRIC = "SELECT id FROM metrics WHERE run_id = ? AND key = ?"
POINT = "INSERT INTO points VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
HISTORY = """
SELECT p.value, p.timestamp, p.step FROM points p JOIN metrics m ON m.id = p.metric_id
JOIN runs r ON r.id = m.run_id WHERE r.uid = ? AND m.key = ? ORDER BY p.timestamp, p.step
"""


class Point(msgspec.Struct, gc=False):
    """One value of a metric."""

    key: str
    value: float
    timestamp: int
    step: int = 0


class OnePoint(Point, gc=False):
    """One value of a metric, and its run."""

    run_id: str = msgspec.field(default="")


class Batch(msgspec.Struct, gc=False):
    """Values of metrics of one run; params and tags are not kept."""

    run_id: str
    metrics: list[Point] = []


class Named(msgspec.Struct, gc=False):
    """What is made with a name."""

    name: str = ""
    experiment_id: str = "0"


one_point = msgspec.json.Decoder(OnePoint).decode
a_batch = msgspec.json.Decoder(Batch).decode
named = msgspec.json.Decoder(Named).decode
encode = msgspec.json.Encoder().encode
Job = tuple[Callable[[sqlite3.Cursor], bytes], "asyncio.Future[bytes]", asyncio.AbstractEventLoop]


def connect(path: Path) -> sqlite3.Connection:
    """Open the database as durably as Heddle does."""
    opened = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA synchronous = FULL")
    opened.execute("PRAGMA cache_size = -16000")
    return opened


def write_points(cursor: sqlite3.Cursor, uid: str, points: list[Point]) -> bytes:
    """Store points of one run, and the latest value of each of their metrics."""
    (run_id,) = cursor.execute(FIND_RUN, (uid,)).fetchone()
    series: dict[str, list[tuple[int, int, float]]] = {}
    for point in points:
        series.setdefault(point.key, []).append((point.step, point.timestamp, point.value))
    rows: list[tuple[int, int, int, float]] = []
    for key, values in series.items():
        step, timestamp, value = max(values)
        found = cursor.execute(LATEST, (run_id, key, value, step, timestamp)).fetchone()
        found = found or cursor.execute(FIND_METRIC, (run_id, key)).fetchone()
        rows += [(found[0], timestamp, step, value) for step, timestamp, value in values]
    cursor.executemany(POINT, rows)
    return b"{}"


def write_run(cursor: sqlite3.Cursor, ask: Named) -> bytes:
    """Make a run."""
    uid = uuid.uuid4().hex
    cursor.execute("INSERT INTO runs (uid, experiment_id) VALUES (?, ?)", (uid, ask.experiment_id))
    return encode({"run": {"info": {"run_id": uid, "artifact_uri": f"mlflow-artifacts:/{uid}"}}})


def write_experiment(cursor: sqlite3.Cursor, ask: Named) -> bytes:
    """Make an experiment."""
    cursor.execute("INSERT INTO experiments (name) VALUES (?)", (ask.name,))
    return encode({"experiment_id": str(cursor.lastrowid)})


def operation(call: str, body: bytes) -> Callable[[sqlite3.Cursor], bytes]:
    """What a call writes."""
    if call == "runs/log-metric":
        point = one_point(body)
        return lambda cursor: write_points(cursor, point.run_id, [point])
    if call == "runs/log-batch":
        batch = a_batch(body)
        return lambda cursor: write_points(cursor, batch.run_id, batch.metrics)
    ask = named(body)
    if call == "runs/create":
        return lambda cursor: write_run(cursor, ask)
    return lambda cursor: write_experiment(cursor, ask)


class Bare:
    """The ASGI application and its writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.reader = connect(path)
        self.reader.executescript(SCHEMA)
        threading.Thread(target=self.write, daemon=True).start()

    def write(self) -> None:
        """Run what waits in one transaction, commit, and only then answer."""
        opened = connect(self.path)
        cursor = opened.cursor()
        while True:
            done = [self.jobs.get()]
            cursor.execute("BEGIN IMMEDIATE")
            answers = [done[0][0](cursor)]
            while len(done) < BATCH_MAX and not self.jobs.empty():
                done.append(self.jobs.get())
                answers.append(done[-1][0](cursor))
            cursor.execute("COMMIT")
            done[0][2].call_soon_threadsafe(settle, done, answers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        call = scope["path"].removeprefix(PREFIX)
        if scope["method"] == "GET":
            answer = self.read(call, parse_qs(scope["query_string"].decode()))
        else:
            message = await receive()
            body = message["body"]
            while message.get("more_body"):
                message = await receive()
                body += message["body"]
            loop = asyncio.get_running_loop()
            future: asyncio.Future[bytes] = loop.create_future()
            self.jobs.put((operation(call, body), future, loop))
            answer = await future
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def read(self, call: str, query: dict[str, list[str]]) -> bytes:
        """The points of a metric, for the check of what was stored."""
        if call != "metrics/get-history":
            return b"{}"
        found = self.reader.execute(HISTORY, (query["run_id"][0], query["metric_key"][0]))
        names = ("value", "timestamp", "step")
        return encode({"metrics": [dict(zip(names, row, strict=True)) for row in found]})


def settle(done: list[Job], answers: list[bytes]) -> None:
    """Answer all requests of one commit."""
    for (_, future, _), answer in zip(done, answers, strict=True):
        if not future.done():
            future.set_result(answer)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="bench.bare")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    asked = parser.parse_args()
    asked.data.mkdir(parents=True, exist_ok=True)
    uvicorn.run(
        Bare(asked.data / "bare.db"),
        host="127.0.0.1",
        port=asked.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        lifespan="off",
        log_level="warning",
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
