"""Running the application under uvicorn, in one process or several.

Sockets are made here with an explicit TCP protocol number: without it asyncio leaves Nagle's
algorithm on and every answer waits for the peer's delayed acknowledgement (44 ms).
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from heddle.api.connection import Protocol
from heddle.app import create_app
from heddle.beside import worker_beside
from heddle.database import open_database
from heddle.db.engine import sqlite_path
from heddle.errors import Invalid, Unavailable
from heddle.settings import Settings

log = logging.getLogger("heddle")

BACKLOG = 2048
STOP_S = 10
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Of glibc's malloc.h."""
LARGE_BYTES = 256 * 1024
"""What is at least so large is the system's again as soon as it is let go."""


def check(settings: Settings) -> None:
    """Raise ``Invalid`` for settings that must not be served."""
    if not settings.is_loopback:
        raise Invalid(
            f"Heddle has no accounts yet, so everyone who reaches it owns it; it does not listen on"
            f" {settings.host}. Serve on this machine and forward the port to it:"
            f" heddle serve --port {settings.port}, then"
            f" ssh -N -L {settings.port}:127.0.0.1:{settings.port} THIS_MACHINE"
        )
    if settings.workers > 1 and settings.database_url.startswith("sqlite"):
        raise Invalid(
            "SQLite has one writer, so one process serves it. For several workers name a PostgreSQL"
            " database: heddle serve --workers N --database postgresql://user@host/name"
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket for all workers; raises ``Invalid`` if the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Invalid(
            f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port."
        ) from None
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def _config(settings: Settings, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Protocol,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_S,
        workers=settings.workers,
        factory=callable(app) and settings.workers > 1,
    )


class WorkerApp:
    """Makes the application inside a worker process; picklable, as workers are spawned."""

    def __init__(self, settings: Settings, counts: Path) -> None:
        self.settings = settings
        self.counts = counts

    def __call__(self) -> Any:
        """The application of this process."""
        keep_memory_small()
        return create_app(self.settings, self.counts)


def keep_memory_small() -> None:
    """Have this process give memory back, where the C library is glibc.

    All threads allocate from one arena: each would otherwise keep for itself what a large answer
    once took. They take turns under the interpreter's lock anyway. And large pieces never come from
    that arena: glibc, left alone, begins to put them there once it has seen one let go, up to
    32 MB, and the arena then ends where the last of them lay (229 MB instead of 142 after two
    answers with 20,000 runs, measured).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, 16 * LARGE_BYTES)
    except (AttributeError, OSError, TypeError):
        log.debug("this system's allocator has no arenas to share")


@contextmanager
def holding(settings: Settings) -> Iterator[None]:
    """Keep other servers from an SQLite database while this one serves it; raises ``Unavailable``.

    Each process has one writer and caches of its own, so two of them would not know of each other.
    The lock is the system's and goes with the process, however that ends. Commands need none.
    """
    path = sqlite_path(settings.database_url)
    if path is None:
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("a+")
    except OSError as error:
        raise Unavailable(
            f"The database file {path} cannot be used ({error.strerror}). Check the disk and its"
            " permissions."
        ) from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Unavailable(
                f"Another Heddle server (pid {file.read().strip() or 'unknown'}) serves {path}."
                " Use that one, or end it first, or name another folder with --data. Several"
                " servers can share a PostgreSQL database: --database postgresql://user@host/name"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def prepare(settings: Settings) -> None:
    """Bring the database to this release's schema before anybody is told of the server.

    Raises ``Unavailable`` if it cannot be reached, and whatever else is wrong with it.
    """
    open_database(settings.database_url).close()


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until told to stop; the caller holds the database (see ``holding``)."""
    check(settings)
    keep_memory_small()
    with worker_beside(settings):
        if settings.workers > 1:
            with TemporaryDirectory(prefix="heddle-counts-") as counts:
                config = _config(settings, WorkerApp(settings, Path(counts)))
                Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(_config(settings, create_app(settings))).run(sockets=[listener])
