"""Changes between several server processes on one PostgreSQL database.

A thread of its own sums up what this process committed and sends it with NOTIFY at most every
``EVERY_S``, so that no write transaction pays for it, and hears on the same connection what other
processes send. A lost connection is made again, and whoever watches is told that some may be
missing.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from heddle.db.tx import Change

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

CHANNEL = "heddle_changes"
EVERY_S = 0.1
RETRY_S = 2.0
PAYLOAD_MAX = 7000
"""Bytes of one notice; PostgreSQL takes fewer than 8000."""
WAITING_MAX = 20_000


class Notices(threading.Thread):
    """Sends this process's changes to the others, and calls ``hear`` with theirs."""

    def __init__(
        self,
        url: sa.URL,
        hear: Callable[[Sequence[Change]], None],
        lose: Callable[[], None],
    ) -> None:
        super().__init__(name="heddle-notices", daemon=True)
        self.url = url
        self.hear = hear
        self.lose = lose
        self.process = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._waiting: dict[Change, None] = {}
        self._stopping = threading.Event()

    def send(self, changes: Sequence[Change]) -> None:
        """Take changes to be sent soon; never waits."""
        with self._lock:
            if len(self._waiting) < WAITING_MAX:
                self._waiting.update(dict.fromkeys(changes))

    def stop(self) -> None:
        """End the thread, sending what waits."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Send and hear until stopped."""
        import psycopg  # noqa: PLC0415 -- there only where PostgreSQL is used

        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connected = False
        while not self._stopping.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    if connected:
                        self.lose()
                    connected = True
                    self._serve(connection)
            except psycopg.Error as error:
                log.warning("changes of other processes are not heard: %s", error)
                self._stopping.wait(RETRY_S)

    def _serve(self, connection: psycopg.Connection) -> None:
        while True:
            stopping = self._stopping.is_set()
            for payload in self._payloads():
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            if stopping:
                return
            for notice in connection.notifies(timeout=EVERY_S, stop_after=1000):
                self._receive(notice.payload)

    def _payloads(self) -> list[str]:
        """What waits, in notices that are small enough."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        payloads: list[str] = []
        parts: list[str] = []
        size = 0
        for change in waiting:
            part = msgspec.json.encode(
                [change.workspace, change.kind, change.key, change.action, change.parent]
            ).decode()
            if parts and size + len(part.encode()) > PAYLOAD_MAX:
                payloads.append(self._payload(parts))
                parts, size = [], 0
            if len(part.encode()) <= PAYLOAD_MAX:
                parts.append(part)
                size += len(part.encode()) + 1
        if parts:
            payloads.append(self._payload(parts))
        return payloads

    def _payload(self, parts: Sequence[str]) -> str:
        return f'["{self.process}",{",".join(parts)}]'

    def _receive(self, payload: str) -> None:
        try:
            process, *rows = msgspec.json.decode(payload)
            changes = [Change(*row) for row in rows]
        except (msgspec.DecodeError, TypeError, ValueError):
            log.warning("a notice on %s is not one of ours", CHANNEL)
            return
        if process != self.process:
            self.hear(changes)
