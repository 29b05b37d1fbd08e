"""Anything at all: bytes at the HTTP parser, paths of files, uploads in parts, in any order.

No failure of ours, no hang, nothing in the data folder but what the server itself names, and what was
stored is what comes back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from api_client import Api
from heddle.app import create_app
from heddle.settings import Settings
from torture.client import PROXY
from torture.server import Server

EXAMPLES = int(os.environ.get("HEDDLE_FUZZ_EXAMPLES", "150"))
PARTS = "/api/2.0/mlflow-artifacts/mpu"
OURS = re.compile(
    r"heddle\.db(-wal|-shm|-journal)?|.*\.lock|blobs/[0-9a-f]{2}/[0-9a-f]{64}"
    r"|blobs/incoming/[0-9a-f]{32}(\.[0-9a-z]+)?"
)
HURRIED = {f"heddle.api.connection:Protocol.{name}": 0.5 for name in ("HEAD_S", "BODY_S", "READ_S")}


def strange_files(folder: Path) -> list[str]:
    """Files of a data folder that the server does not name."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return [name for name in names if not OURS.fullmatch(name)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives up quickly on those who say nothing more."""
    with Server(tmp_path_factory.mktemp("bytes") / "data", altered=HURRIED) as started:
        yield started


GIANT = b"X: giant\r\n"
PIECES = [
    *(b"GET ", b"POST ", b"PUT ", b"HEAD ", b"/health", b"/", b"*", b"?a=%", b" HTTP/1.1\r\n"),
    *(
        b" HTTP/1.0\r\n",
        b" HTTP/9.9\r\n",
        b"Host: localhost\r\n",
        b"Host: \xff\r\n",
        b"\r\n",
        b"\n",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: x\r\n", b"Content-Length: 99999999999999999\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"fffffffffffffffff\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Connection: upgrade\r\n"),
    *(b"Upgrade: h2c\r\n", GIANT, b": \r\n", b"\0", b"\r", b" ", b"\t"),
    *(b"Content-Type: application/json\r\n", b'{"experiment_id": "0"}', b"Range: bytes=9-1,-\r\n"),
    *(b"/api/2.0/mlflow/runs/create", f"{PROXY}/f".encode(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=30)), max_size=14))
def test_any_bytes_at_the_parser(server: Server, pieces: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with suppress(ConnectionError):
            whole = b"".join(pieces)
            connection.sendall(whole.replace(GIANT, b"X: " + b"y" * 70_000 + b"\r\n"))
        with suppress(OSError):  # it may have been closed on us already
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                answer += part
    assert not re.search(rb"HTTP/1\.1 5", answer), (pieces, answer[:300])
    with server.client() as client:
        assert client.send("GET", "/health").status == 200
    assert strange_files(server.folder) == []


def test_memory_after_all_those_bytes(server: Server) -> None:
    assert server.resident_bytes() < 150 * 1024 * 1024


NAMES = st.one_of(
    st.sampled_from(
        [
            *(
                "a",
                "a/b",
                "a/b/c",
                "b",
                "..",
                "../a",
                "a/../b",
                "./a",
                "a//b",
                "/a",
                "a/",
                "%2e%2e/x",
            ),
            *("a%2fb", "%252e%252e/x", "C:x", "a\\b", "#", "a?b", "é", "versions/1/x", "x" * 300),
            *("workspaces/other/x", "models/m-1/artifacts/f", "\udcff", "a\x00b", " ", "%"),
        ]
    ),
    st.text(max_size=8),
)
CONTENTS = st.sampled_from([b"", b"x", b"y" * 65_536, b"z" * 65_537, b"w" * 300_000])


class Files(RuleBasedStateMachine):
    """Puts, gets, deletes and uploads in parts, in any order."""

    api: Api
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[dict[str, Any]] = []

    @initialize()
    def new_run(self) -> None:
        self.uid = self.api.run()

    def address(self, name: str) -> str:
        """A file's address as an ASGI server hands it on: decoded once."""
        plain = name.encode("utf-8", "replace").decode()
        return f"{PROXY}/0/{self.uid}/artifacts/{plain}".replace("?", "_")

    def send(self, method: str, path: str, body: bytes = b"") -> Any:
        answer = self.api.send(method, path, body)
        assert answer.status < 500, (method, path, answer.raw)
        return answer

    @rule(name=NAMES, data=CONTENTS)
    def put(self, name: str, data: bytes) -> None:
        if self.send("PUT", self.address(name), data).status == 200:
            found = self.send("GET", self.address(name))
            assert found.raw == data, "what was accepted comes back"
            assert found.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.send("DELETE", self.address(name))

    @rule(name=NAMES, count=st.sampled_from([-1, 0, 1, 2, 10_001, 2**70, "x", None]))
    def begin(self, name: str, count: object) -> None:
        ask = {"path": name.encode("utf-8", "replace").decode(), "num_parts": count}
        answer = self.send(
            "POST", f"{PARTS}/create/0/{self.uid}/artifacts", json.dumps(ask).encode()
        )
        if answer.status == 200:
            self.uploads.append({**answer.body, "ask": ask, "uid": self.uid})

    @rule(
        data=st.data(),
        number=st.sampled_from(["0", "1", "2", "x", "-1", "99999999999999999999", "1.5", "²"]),
        body=CONTENTS,
    )
    def part(self, data: st.DataObject, number: str, body: bytes) -> None:
        known = [upload["upload_id"] for upload in self.uploads]
        upload = data.draw(st.sampled_from([*known, "nothing", "..", "0" * 32]))
        self.send("PUT", f"{PARTS}/part/{upload}/{number}", body)

    @rule(data=st.data(), call=st.sampled_from(["complete", "abort"]))
    def end(self, data: st.DataObject, call: str) -> None:
        if not self.uploads:
            return
        upload = data.draw(st.sampled_from(self.uploads))
        ask = {"path": upload["ask"]["path"], "upload_id": upload["upload_id"], "parts": [{}]}
        at = f"{PARTS}/{call}/0/{upload['uid']}/artifacts"
        self.send("POST", at, json.dumps(ask).encode())

    @invariant()
    def only_ours(self) -> None:
        assert strange_files(self.folder) == []


def test_files_in_any_order(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path))
    app.open()
    Files.api, Files.folder = Api(app), tmp_path
    try:
        run_state_machine_as_test(
            Files,
            settings=settings(
                max_examples=max(10, EXAMPLES // 10),
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        app.close()
