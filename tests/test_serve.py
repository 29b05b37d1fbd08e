"""Several server processes on one PostgreSQL database act as one; an SQLite database has one server.

Both ways to have several are shown: ``--workers 2``, and two servers of their own.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mlflow
import pytest

from heddle.artifacts.blobs import open_store
from heddle.artifacts.contents import digest_of
from heddle.cli import main
from postgres_server import Postgres
from running_servers import Running, heddle_server

CLIENTS = 64
EACH = 2
WAIT_S = 30.0


def ask(uri: str, path: str, body: Any = None, method: str | None = None) -> Any:
    """One call of MLflow's API, on a connection of its own; raises for any status but 200."""
    request = urllib.request.Request(
        f"{uri}/api/2.0/mlflow/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.fixture(params=["workers", "servers"])
def uris(
    request: pytest.FixtureRequest, postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> Iterator[list[str]]:
    """Addresses behind which two processes serve one PostgreSQL database."""
    name = postgres.create(migrated_postgres)
    options = ["--database", postgres.url(name), "--artifacts", str(tmp_path / "blobs")]
    with ExitStack() as stack:
        if request.param == "workers":
            server = stack.enter_context(heddle_server(tmp_path, *options, "--workers", "2"))
            until(lambda: len(workers_of(server)) == 2 and len(pids(server, 60)) == 2)
            yield [server.uri]
        else:
            yield [
                stack.enter_context(heddle_server(tmp_path / str(n), *options)).uri
                for n in range(2)
            ]
    postgres.drop(name)


def until(holds: Any) -> None:
    """Wait until something holds; fails if it never does."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def workers_of(server: Running) -> set[int]:
    """The worker processes of a server."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    found = {int(pid) for pid in children.read_text().split()}
    return {pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def pids(server: Running, asks: int) -> set[str]:
    """Which processes answer."""
    found = set()
    for _ in range(asks):
        with urllib.request.urlopen(f"{server.uri}/metrics", timeout=10) as answer:
            found.update(
                re.findall(r"^heddle_process_id (\d+)", answer.read().decode(), re.MULTILINE)
            )
    return found


def test_versions_are_numbered_without_gaps(uris: list[str]) -> None:
    ask(uris[0], "registered-models/create", {"name": "m"})

    def register(client: int) -> list[int]:
        uri = uris[client % len(uris)]
        body = {"name": "m", "source": "s3://bucket/model"}
        return [
            int(ask(uri, "model-versions/create", body)["model_version"]["version"])
            for _ in range(EACH)
        ]

    with ThreadPoolExecutor(CLIENTS) as threads:
        numbers = [number for found in threads.map(register, range(CLIENTS)) for number in found]
    assert sorted(numbers) == list(range(1, CLIENTS * EACH + 1))


def test_what_one_process_wrote_the_other_reads(uris: list[str]) -> None:
    """Ten rounds over fresh connections: whichever process answers knows of the last write."""
    first, last = uris[0], uris[-1]
    run = ask(first, "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    ask(first, "registered-models/create", {"name": "m"})
    for number in range(1, 11):
        ask(first, "model-versions/create", {"name": "m", "source": "s3://bucket/model"})
        ask(last, "registered-models/alias", {"name": "m", "alias": "best", "version": str(number)})
        ask(first, "runs/log-metric", {"run_id": run, "key": "a", "value": number, "timestamp": 1})
        ask(last, "runs/set-tag", {"run_id": run, "key": "t", "value": str(number)})
        ask(first, "runs/update", {"run_id": run, "run_name": f"name {number}"})
        for uri in (first, last) * 3:
            found = ask(uri, "registered-models/alias?name=m&alias=best")["model_version"]
            assert found["version"] == str(number)
            read = ask(uri, f"runs/get?run_id={run}")["run"]
            assert read["info"]["run_name"] == f"name {number}"
            assert read["data"]["metrics"][0]["value"] == number
            assert {"key": "t", "value": str(number)} in read["data"]["tags"]
            (found,) = ask(uri, "runs/search", {"experiment_ids": ["0"]})["runs"]
            assert found["info"]["run_name"] == f"name {number}"


def test_changes_are_heard_in_the_other_process(uris: list[str]) -> None:
    heard: list[str] = []
    stop = threading.Event()
    address = f"{uris[-1]}/api/v1/workspaces/default/events"
    streams = [urllib.request.urlopen(address, timeout=60) for _ in range(4)]

    def listen(stream: Any) -> None:
        while not stop.is_set():
            line = stream.readline().decode()
            if line.startswith("data:") and "told" in line:
                heard.append(line)
                return

    threads = [threading.Thread(target=listen, args=[stream]) for stream in streams]
    for thread in threads:
        thread.start()
    ask(uris[0], "registered-models/create", {"name": "told"})
    until(lambda: len(heard) == len(streams))
    for thread in threads:
        thread.join()
    for stream in streams:
        stream.close()


def test_workers_come_and_go(postgres: Postgres, migrated_postgres: str, tmp_path: Path) -> None:
    """A killed worker is replaced; SIGTERM ends all; counts are those of all workers."""
    name = postgres.create(migrated_postgres)
    options = ["--database", postgres.url(name), "--workers", "2"]
    with heddle_server(tmp_path, *options) as server:
        until(lambda: len(workers_of(server)) == 2)
        before = workers_of(server)
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(workers_of(server) - {min(before)}) == 2)
        until(lambda: len(pids(server, 60)) == 2)
        for _ in range(20):
            ask(server.uri, "experiments/search", {"max_results": 1})
        with urllib.request.urlopen(f"{server.uri}/metrics") as answer:
            told = answer.read().decode()
        assert (
            'heddle_requests_total{call="POST mlflow/experiments/search",status="2xx"} 20' in told
        )
        workers = workers_of(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(WAIT_S) in (0, -signal.SIGTERM)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    postgres.drop(name)


def test_answers_leave_at_once(uris: list[str]) -> None:
    """Where Nagle's algorithm is on, each answer waits 40 ms for the peer's acknowledgement."""
    connection = http.client.HTTPConnection(uris[0].removeprefix("http://"), timeout=30)
    times = []
    for _ in range(40):
        started = time.perf_counter()
        connection.request("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0")
        assert connection.getresponse().read()
        times.append(time.perf_counter() - started)
    connection.close()
    assert sorted(times)[20] < 0.03


def test_an_sqlite_database_has_one_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with heddle_server(tmp_path) as server:
        data = str(tmp_path / "data")
        assert main(["serve", "--no-worker", "--port", "0", "--data", data]) == 2
        said = capsys.readouterr().err
        assert f"Another Heddle server (pid {server.process.pid}) serves" in said
        assert main(["runs", "--data", data]) == 0
        server.process.kill()
        server.process.wait()
    with heddle_server(tmp_path):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="has more than one loopback address there")
def test_a_server_is_where_it_was_told_to_be(tmp_path: Path) -> None:
    """Its address, its data and its files; the database and the workers are shown above."""
    blobs = tmp_path / "blobs"
    options = ["--host", "127.0.0.2", "--artifacts", str(blobs)]
    with heddle_server(tmp_path, *options) as server:
        assert server.uri == f"http://127.0.0.2:{server.port}"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 10)
        client = mlflow.MlflowClient(server.uri)
        run = client.create_run("0")
        client.log_text(run.info.run_id, "x" * 1_000_000, "large.txt")
    assert (tmp_path / "data" / "heddle.db").exists()
    assert [path.stat().st_size for path in blobs.rglob("*") if path.is_file()] == [1_000_000]
    assert not (tmp_path / "data" / "blobs").exists()


def test_files_are_kept_in_an_object_store(
    tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stock client puts a file through the server and takes it, in parts, from the store."""
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(6 * 1024 * 1024))
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE", "1")
    large = tmp_path / "weights.bin"
    large.write_bytes(os.urandom(20 * 1024 * 1024 + 3))
    options = ["--artifacts", s3_url]
    with heddle_server(tmp_path, *options) as server:
        client = mlflow.MlflowClient(server.uri)
        run = client.create_run(client.create_experiment("weights"))
        client.log_artifact(run.info.run_id, str(large), "model")
        client.log_text(run.info.run_id, "small", "model/note.txt")
    with heddle_server(tmp_path, *options) as server:
        client = mlflow.MlflowClient(server.uri)
        kept = Path(client.download_artifacts(run.info.run_id, "model", str(tmp_path)))
        assert (kept / "weights.bin").read_bytes() == large.read_bytes()
        assert (kept / "note.txt").read_text() == "small"
    data = ["--data", str(tmp_path / "data"), *options]
    assert main(["verify", *data]) == 0
    assert main(["gc", *data, "--delete", "--gc-grace-s", "0"]) == 0
    store = open_store(s3_url)
    assert [size for _, size, _ in store.contents()] == [large.stat().st_size]
    store.remove(digest_of(large.read_bytes()))
    capsys.readouterr()
    assert main(["verify", *data]) == 1
    assert "model/weights.bin" in capsys.readouterr().out


DEMO = """
import sys
from pathlib import Path
from heddle.demo import run
run.TRAINS, run.TRAINING = (), Path(sys.argv[1])
run.demo(host="127.0.0.1", port=0, data=Path(sys.argv[2]), once=False)
"""


def test_a_demonstration_that_is_ended_leaves_no_server(tmp_path: Path) -> None:
    training = tmp_path / "training.py"
    training.write_text(
        "import os, time\n"
        "print(os.environ['MLFLOW_TRACKING_URI'], os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", DEMO, str(training), str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        lines = iter(demo.stdout.readline, "")
        uri, trainer = next(line for line in lines if line.startswith("http")).split()
        assert ask(uri, "experiments/search?max_results=1")["experiments"]
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(WAIT_S) == 0
    with pytest.raises(OSError, match="refused"):
        ask(uri, "experiments/search?max_results=1")
    with pytest.raises(ProcessLookupError):
        os.kill(int(trainer), 0)
