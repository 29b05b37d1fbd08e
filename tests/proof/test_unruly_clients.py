"""Clients that misbehave: each loses its own connection or gets a named refusal; nobody else notices."""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from torture.client import MLFLOW, PROXY, Client
from torture.server import Server

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
PATIENCE_S = 1.0
HURRIED = {
    f"heddle.api.connection:Protocol.{name}": PATIENCE_S for name in ("HEAD_S", "BODY_S", "READ_S")
}
LARGE = os.urandom(24 * 1024 * 1024)
GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second where it would wait a minute."""
    with Server(tmp_path_factory.mktemp("clients") / "data", altered=HURRIED) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client that behaves."""
    with server.client() as made:
        yield made


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def eventually(check: object, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def works(client: Client) -> float:
    """A write and a read, and how long they took."""
    began = time.monotonic()
    answer = client.post("runs/create", experiment_id="0", start_time=1)
    assert answer.status == 200, answer.body
    assert client.send("GET", "/health").status == 200
    return time.monotonic() - began


def open_files(server: Server) -> list[str]:
    assert server.process is not None
    found = []
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return found


@pytest.mark.parametrize("sent", [0, 10, 100_000, 5_000_000])
def test_a_body_that_stops(server: Server, client: Client, sent: int) -> None:
    """After a while it is told so; what came is nowhere to be seen."""
    incoming = server.folder / "blobs" / "incoming"
    with connect(server) as stopped:
        head = f"PUT {PROXY}/stopped-{sent} HTTP/1.1\r\nHost: localhost\r\n"
        stopped.sendall(f"{head}Content-Length: {len(LARGE)}\r\n\r\n".encode() + LARGE[:sent])
        began = time.monotonic()
        assert works(client) < 1
        assert b" 408 " in rest(stopped).split(b"\r\n", 1)[0]
        assert time.monotonic() - began > PATIENCE_S / 2
    eventually(lambda: not any(incoming.iterdir()))
    assert client.send("GET", f"{PROXY}/stopped-{sent}").status == 404


def test_a_slow_body_is_taken(server: Server, client: Client) -> None:
    """Slow is not stopped: it takes longer than anything may stand still, and comes whole."""
    data = LARGE[:400_000]
    with connect(server) as slow:
        head = (
            f"PUT {PROXY}/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        slow.sendall(head.encode())
        for at in range(0, len(data), 100_000):
            slow.sendall(data[at : at + 100_000])
            time.sleep(PATIENCE_S * 0.6)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
    assert client.send("GET", f"{PROXY}/slow").body == data


@linux
def test_an_answer_that_is_never_read(server: Server, client: Client) -> None:
    assert client.send("PUT", f"{PROXY}/unread", LARGE).status == 200
    store = str(server.folder / "blobs")
    with ExitStack() as stack:
        for _ in range(20):
            lazy = stack.enter_context(connect(server))
            lazy.sendall(f"GET {PROXY}/unread HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        eventually(lambda: any(path.startswith(store) for path in open_files(server)))
        assert works(client) < 2
        assert client.send("GET", f"{PROXY}/unread").body == LARGE
        eventually(lambda: not any(path.startswith(store) for path in open_files(server)))
        assert works(client) < 2


def test_heads_that_never_end(server: Server, client: Client) -> None:
    """A hundred clients that send a header now and then each keep a connection for a moment only."""
    with ExitStack() as stack:
        dripping = [stack.enter_context(connect(server)) for _ in range(100)]
        for one in dripping:
            one.sendall(GET_HEALTH)
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S * 1.5:
            for number, one in enumerate(dripping):
                with suppress(ConnectionError):
                    one.sendall(f"X-{number}: y\r\n".encode())
            assert works(client) < 1
        for one in dripping:
            assert b" 408 " in rest(one).split(b"\r\n", 1)[0]


def test_a_giant_head(server: Server, client: Client) -> None:
    with connect(server) as giant:
        with suppress(ConnectionError):
            giant.sendall(GET_HEALTH)
            for number in range(5000):
                giant.sendall(f"X-{number}: {'y' * 1000}\r\n".encode())
        rest(giant)
    with connect(server) as giant:
        with suppress(ConnectionError):
            giant.sendall(b"GET /")
            for _ in range(200):
                giant.sendall(b"a" * 10_000)
        rest(giant)
    assert works(client) < 1


@linux
def test_five_hundred_idle_connections(server: Server, client: Client) -> None:
    """Others are served as if they were not there, and each of them still is when it asks."""
    before = server.resident_bytes()
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(500)]
        for one in idle[:250]:
            one.sendall(GET_HEALTH + b"\r\n")
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        took = sorted(works(client) for _ in range(50))
        assert took[25] < 0.2
        assert took[-1] < 2
        for one in idle:
            one.sendall(GET_HEALTH + b"\r\n")
        assert all(one.recv(4096).startswith(b"HTTP/1.1 200") for one in idle)
        assert server.resident_bytes() - before < 30 * 1024 * 1024


@linux
def test_too_many_open_files(tmp_path: Path) -> None:
    """Few files may be open: some clients are turned away, and all is well when others have gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ["/bin/sh", "-c", 'ulimit -n 80; exec "$@"', "limited"]
    assert hard == resource.RLIM_INFINITY or hard >= 80 or soft
    with Server(tmp_path / "data", before=limit) as server, server.client() as client:
        assert works(client) < 2
        assert client.send("PUT", f"{PROXY}/f", LARGE[:2_000_000]).status == 200
        with ExitStack() as stack:
            for _ in range(150):
                with suppress(OSError):
                    stack.enter_context(connect(server))
            for _ in range(20):
                answer = client.send("GET", f"{PROXY}/f")
                assert answer.status in (200, 503), answer.body
                if answer.status == 503:
                    assert "more files" in answer.json["message"]
                written = client.send("PUT", f"{PROXY}/g", LARGE[:2_000_000])
                assert written.status in (200, 503), written.body
            assert server.is_running

        def is_well() -> bool:
            with server.client(timeout_s=5) as new, suppress(Exception):
                return works(new) < 2 and new.send("PUT", f"{PROXY}/h", LARGE).status == 200
            return False

        eventually(is_well)
        assert client.send("GET", f"{PROXY}/f").body == LARGE[:2_000_000]
        assert server.run("verify").returncode == 0


def test_requests_in_a_row_without_waiting(server: Server) -> None:
    """Pipelined requests are answered in their order, writes before the reads behind them."""
    body = json.dumps({"experiment_id": "0", "key": "row", "value": "1"}).encode()
    write = (
        f"POST {MLFLOW}/experiments/set-experiment-tag HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    read = f"GET {MLFLOW}/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: localhost\r\n".encode()
    with connect(server) as row:
        row.sendall((write + read + b"\r\n") * 20 + read + b"Connection: close\r\n\r\n")
        answers = rest(row)
    assert answers.count(b"HTTP/1.1 200") == 41
    assert answers.count(b'"row"') == 21


HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
CREATE = b"POST /api/2.0/mlflow/runs/create" + HOST
TWO_LENGTHS = CREATE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456"
LENGTH_AND_CHUNKS = CREATE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
UPGRADE = (
    GET_HEALTH + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health" + HOST + b"Host: evil.example\r\n\r\n", 400),
        (b"GET /health HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET http://localhost/health" + HOST + b"\r\n", 200),
        (b"OPTIONS *" + HOST + b"\r\n", 404),
        (b"GET /h\xc3\xa4" + HOST + b"\r\n", 400),
        (b"GET /%ff%fe" + HOST + b"\r\n", 400),
        (f"PUT {PROXY}/%ff".encode() + HOST + b"Content-Length: 0\r\n\r\n", 400),
        (f"PUT {PROXY}/%ef%bf%bd".encode() + HOST + b"Content-Length: 0\r\n\r\n", 200),
        (f"DELETE {PROXY}/a#b".encode() + HOST + b"\r\n", 400),
        (b"BREW /health" + HOST + b"\r\n", 400),
        (b"GET /api/v1/workspaces/*/models/**" + HOST + b"\r\n", 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (LENGTH_AND_CHUNKS, 400),
        (TWO_LENGTHS, 400),
        (CREATE + b"Content-Length: -5\r\n\r\n", 400),
        (UPGRADE, 200),
    ],
)
def test_unusual_requests(
    server: Server, client: Client, request_bytes: bytes, status: int
) -> None:
    with connect(server) as odd:
        odd.sendall(request_bytes)
        assert odd.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())
    assert works(client) < 2


NO_HOST = b" HTTP/1.1\r\nConnection: close\r\n\r\n"
UNREADABLE = b" HTTP/9.9" + HOST + b"\r\n"
LONG_ADDRESS = b"?a=" + b"a" * 70_000 + HOST + b"\r\n"
"""The parser takes such a head apart but for its address."""
LONG_HEAD = HOST + b"a: b\r\n" * 12_000


@pytest.mark.parametrize(
    ("start", "shape", "word"),
    [
        (b"/api/2.0/mlflow/runs/get", "error_code", "BAD_REQUEST"),
        (b"/api/v1/workspaces", "error", None),
        (b"/v1/workspaces", "errorCode", "InvalidInput"),
    ],
)
@pytest.mark.parametrize(
    ("rest_of_it", "status", "said"),
    [
        (NO_HOST, 400, "no Host header"),
        (UNREADABLE, 400, "not a request of HTTP/1.1"),
        (LONG_ADDRESS, 431, "longer than 65536 bytes"),
        (LONG_HEAD, 431, "longer than 65536 bytes"),
    ],
    ids=["host", "unreadable", "address", "head"],
)
def test_what_is_no_request_is_refused_in_the_shape_of_its_api(
    server: Server,
    start: bytes,
    shape: str,
    word: str | None,
    rest_of_it: bytes,
    status: int,
    said: str,
) -> None:
    with connect(server) as odd:
        with suppress(ConnectionError):
            odd.sendall(b"GET " + start + rest_of_it)
        head, _, body = rest(odd).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    told = json.loads(body)
    assert word in (None, told[shape])
    assert said in (told["error"] if shape == "error" else told)["message"]


def test_a_compressed_body_is_refused_by_name(client: Client) -> None:
    """No client of MLflow sends one; taken as it is, it would be stored or read as something else."""
    body = gzip.compress(b'{"experiment_id": "0"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = client.send("POST", f"{MLFLOW}/runs/create", body, headers)
    assert (answer.status, "Content-Encoding" in answer.json["message"]) == (400, True)
    answer = client.send("PUT", f"{PROXY}/zipped", body, {"Content-Encoding": "gzip"})
    assert (answer.status, "Content-Encoding" in answer.json["message"]) == (400, True)
    plain = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    answer = client.send("POST", f"{MLFLOW}/runs/create", b'{"experiment_id": "0"}', plain)
    assert answer.status == 200
