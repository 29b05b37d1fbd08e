"""Running the application under uvicorn, in one process or several.

Sockets are made here with an explicit TCP protocol number: without it asyncio leaves Nagle's
algorithm on and every answer waits for the peer's delayed acknowledgement (44 ms).
"""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from heddle.api.connection import Protocol
from heddle.app import create_app
from heddle.beside import worker_beside
from heddle.errors import Invalid
from heddle.settings import Settings

BACKLOG = 2048
STOP_S = 10


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

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self) -> Any:
        """The application of this process."""
        return create_app(self.settings)


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until told to stop."""
    check(settings)
    with worker_beside(settings):
        if settings.workers > 1:
            config = _config(settings, WorkerApp(settings))
            Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(_config(settings, create_app(settings))).run(sockets=[listener])
