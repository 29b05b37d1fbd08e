"""Owns the load of large files: one file up, one file down, over a bare socket.

Always holds: bytes leave by `sendfile` and arrive in one buffer, so that the generator stays light;
what was stored is read back once and compared by digest.
"""

import hashlib
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.client import WrongAnswer, expect
from bench.places import WORK

CHUNK = 1 << 20
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class LargeFile:
    """A file on disk that is sent; its first bytes change from round to round."""

    path: Path
    size_bytes: int

    @staticmethod
    def make(size_bytes: int) -> "LargeFile":
        """Write a file of `size_bytes` that does not compress, or take the one that is there."""
        path = WORK / f"large-{size_bytes}"
        if not path.exists() or path.stat().st_size != size_bytes:
            WORK.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for _ in range(size_bytes // CHUNK):
                    file.write(os.urandom(CHUNK))
        return LargeFile(path, size_bytes)

    def renew(self) -> str:
        """Change the first bytes, so that no server has seen this file; return its digest."""
        with self.path.open("r+b") as file:
            file.write(os.urandom(64))
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def put(url: str, path: str, file: LargeFile) -> float:
    """Send `file` and return the seconds until its answer."""
    with _connect(url) as connection, file.path.open("rb") as content:
        head = _head("PUT", url, path) + (
            f"Content-Type: application/octet-stream\r\nContent-Length: {file.size_bytes}\r\n\r\n"
        )
        began = time.perf_counter()
        connection.sendall(head.encode())
        connection.sendfile(content)
        with connection.makefile("rb") as answer:
            _expect_success(answer.readline(), path)
        return time.perf_counter() - began


def get(url: str, path: str, size_bytes: int, digest: str | None = None) -> float:
    """Fetch a file and return the seconds it took; compare its SHA-256 where `digest` is given."""
    hasher = hashlib.sha256()
    buffer = bytearray(CHUNK)
    received = 0
    with _connect(url) as connection:
        began = time.perf_counter()
        connection.sendall((_head("GET", url, path) + "\r\n").encode())
        with connection.makefile("rb", buffering=0) as answer:
            early = _skip_headers(connection, path)
            received += len(early)
            hasher.update(early)
            while received < size_bytes and (count := answer.readinto(buffer)):
                received += count
                if digest:
                    hasher.update(memoryview(buffer)[:count])
        taken = time.perf_counter() - began
    expect(received == size_bytes, f"{received} bytes came instead of {size_bytes}")
    expect(digest in (None, hasher.hexdigest()), "the file that came is not the one that was sent")
    return taken


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _head(method: str, url: str, path: str) -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nConnection: close\r\n"


def _skip_headers(connection: socket.socket, path: str) -> bytes:
    """Read up to the end of the headers and return what came of the body with them."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65536)
        if not more:
            raise WrongAnswer(f"GET {path} ended before its body")
        head += more
    lines, _, early = head.partition(b"\r\n\r\n")
    _expect_success(lines, path)
    expect(b"transfer-encoding: chunked" not in lines.lower(), "the length was not declared")
    return early


def _expect_success(line: bytes, path: str) -> None:
    words = line.split(maxsplit=2)
    expect(len(words) > 1 and words[1].startswith(b"2"), f"{path} answered {line[:80]!r}")
