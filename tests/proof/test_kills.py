"""Killed at any moment, nothing that was answered is lost and nothing half-made is seen."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from postgres_server import SAFE, Postgres
from torture.client import PROXY, Client, Lost
from torture.crash_points import COMMIT, FILE_CALLS
from torture.server import SOURCES, Server
from torture.siege import Siege, sound
from torture.things import digest_of

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kills processes by what /proc says"
)
SQLITE_KILLS = 25
POSTGRES_KILLS = 8
SEED = 20_260


def siege_of(tmp_path: Path, **more: object) -> Siege:
    siege = Siege(tmp_path / "data", seed=SEED, **more)  # type: ignore[arg-type]
    siege.open()
    return siege


def test_killed_on_sqlite(tmp_path: Path) -> None:
    siege = siege_of(tmp_path)
    try:
        for _ in range(SQLITE_KILLS):
            siege.life(siege.kill_server, 0.3)
            assert siege.figures.problems == []
        figures = siege.finish()
    finally:
        siege.close()
    assert figures.problems == []
    assert figures.answered > 20 * SQLITE_KILLS, "the writers wrote"
    assert figures.unknown > SQLITE_KILLS, "calls were under way"


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that keeps what it commits and can be killed."""
    server = Postgres(Path(tempfile.mkdtemp(prefix="heddle-pg-")), SAFE)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


def test_killed_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    siege = siege_of(tmp_path, postgres=postgres)
    try:
        for number in range(POSTGRES_KILLS):
            kill = (siege.kill_postgres, siege.kill_server, siege.kill_both)[number % 3]
            siege.life(kill, 0.3)
            assert siege.figures.problems == []
        figures = siege.finish()
    finally:
        siege.close()
    assert figures.problems == []
    assert figures.answered > 10 * POSTGRES_KILLS, "the writers wrote"


def put(client: Client, path: str, data: bytes) -> bool:
    """Whether the file was answered to be stored."""
    try:
        return client.send("PUT", f"{PROXY}/{path}", data).status == 200
    except Lost:
        return False


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [*FILE_CALLS, COMMIT])
def test_killed_between_the_steps_of_storing(
    tmp_path: Path, migrated_sqlite: Path, call: str, when: str
) -> None:
    """At each step that makes a file durable, known by its name, and named by the database."""
    server = Server(tmp_path / "data")
    server.folder.mkdir()
    shutil.copyfile(migrated_sqlite, server.folder / "heddle.db")
    files = {f"f{number}": os.urandom(70_000 + number) for number in range(4)}
    # The third file is stored again under another name, which finds the content there.
    server.spawn(module=("torture.crash_points", call, "3", when))
    server.wait()
    answered = {}
    with server.client() as client:
        for path, data in [*files.items(), ("again", files["f2"]), ("small", b"s" * 500)]:
            if not put(client, path, data):
                break
            answered[path] = data
    assert not server.is_running or (server.process and server.process.wait(10) == -9)
    assert len(answered) < len(files) + 2, "the trap was sprung"
    with server, server.client() as client:
        for path, data in answered.items():
            assert client.send("GET", f"{PROXY}/{path}").body == data
        for path, data in files.items():
            found = client.send("GET", f"{PROXY}/{path}")
            assert found.status == 404 or digest_of(found.body) == digest_of(data)
            assert put(client, path, data), "sent again, it comes"
            assert client.send("GET", f"{PROXY}/{path}").body == data
        verified = server.run("verify")
        assert verified.returncode == 0, verified.stdout


def test_killed_while_starting_and_migrating(tmp_path: Path) -> None:
    """From an empty folder, killed at ever later moments of the start, until it came through."""
    server = Server(tmp_path / "data")
    wait_s = 0.15
    kills = 0
    while True:
        server.spawn()
        time.sleep(wait_s)
        with server.client(timeout_s=1) as client, suppress(Lost):
            if client.send("GET", "/health").status == 200:
                break
        server.kill()
        kills += 1
        wait_s *= 1.3
    assert kills > 2
    server.kill()
    with server, server.client() as client:
        assert client.post("runs/create", experiment_id="0", start_time=1).status == 200
    assert sound(server.folder / "heddle.db") == []


def test_killed_while_migrating_between_statements(tmp_path: Path) -> None:
    """The schema comes whole or not at all, wherever between its statements the process ends."""
    script = (
        "import os, signal, sqlalchemy as sa\n"
        "from pathlib import Path\n"
        "from heddle.db import engine, migrate\n"
        "from heddle.database import open_database\n"
        "left = [{left}]\n"
        "@sa.event.listens_for(sa.Engine, 'after_cursor_execute')\n"
        "def stop(*_):\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_database('sqlite:///{path}').close()\n"
    )
    path = tmp_path / "heddle.db"
    ends = []
    for left in (1, 5, 20, 60, 100):
        done = subprocess.run(
            [sys.executable, "-c", script.format(left=left, path=path)],
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            check=False,
        )
        ends.append(done.returncode)
        with closing(sqlite3.connect(path)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        assert tables == 0 or done.returncode == 0, "nothing of a migration that was cut off"
    assert ends.count(-9) >= 3
    with Server(tmp_path) as server, server.client() as client:
        assert client.post("runs/create", experiment_id="0", start_time=1).status == 200


def test_killed_while_sweeping(tmp_path: Path) -> None:
    """Files that are named stay whole; what nothing names goes in the end."""
    server = Server(tmp_path / "data")
    kept = {f"kept/{number}": os.urandom(70_000) for number in range(5)}
    dropped = {f"dropped/{number}": os.urandom(70_000) for number in range(150)}
    with server, server.client() as client:
        for path, data in {**kept, **dropped}.items():
            assert put(client, path, data)
        assert client.send("DELETE", f"{PROXY}/dropped").status == 200
    with closing(sqlite3.connect(server.folder / "heddle.db")) as connection, connection:
        connection.execute("UPDATE blobs SET used_ms = 1")
    server.environ["HEDDLE_GC_GRACE_S"] = "0"
    command = [sys.executable, "-m", "heddle", "gc", "--delete", "--data", str(server.folder)]
    contents = server.folder / "blobs"
    whole = len(list(contents.glob("??/*")))
    kills = 0
    for left in (150, 120, 80, 30):
        process = subprocess.Popen(
            command, env=server.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None and len(list(contents.glob("??/*"))) > left:
            time.sleep(0.0005)
        kills += process.poll() is None
        process.kill()
        process.wait()
        verified = server.run("verify")
        assert verified.returncode == 0, verified.stdout
    assert whole == 155
    assert kills, "it was killed at its work"
    # What a dead sweep marked may be revived for a while yet; then it goes too.
    with closing(sqlite3.connect(server.folder / "heddle.db")) as connection, connection:
        connection.execute("UPDATE blobs SET doomed_ms = 1 WHERE doomed_ms IS NOT NULL")
    assert server.run("gc", "--delete").returncode == 0
    assert len(list(contents.glob("??/*"))) == len(kept)
    with server, server.client() as client:
        for path, data in kept.items():
            assert client.send("GET", f"{PROXY}/{path}").body == data
