"""A siege: writers of every kind against one server that is killed again and again.

One life: writers write for a random while, something is killed, it is started again, and every thing
that was touched is read back and compared with what was answered. At the end everything that was
ever written is compared once more and ``heddle verify`` reads every byte.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from postgres_server import Postgres
from torture.client import Client, Lost, Refused
from torture.server import Server
from torture.writers import Numbers, Writer, make_writers

LONGEST_S = 0.5
RETRY_S = 0.01
RECOVER_S = 20.0


@dataclass
class Figures:
    """What a siege counted."""

    kills: int = 0
    answered: int = 0
    unknown: int = 0
    restart_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Take in what another counted."""
        self.kills += other.kills
        self.answered += other.answered
        self.unknown += other.unknown
        self.restart_s += other.restart_s
        self.problems += other.problems


class Siege:
    """One server, its writers, and what they know."""

    def __init__(
        self, folder: Path, *, seed: int = 0, postgres: Postgres | None = None, name: str = "w"
    ) -> None:
        self.random = random.Random(seed)
        self.postgres = postgres
        database = "" if postgres is None else postgres.url(postgres.create())
        self.server = Server(folder, database=database)
        self.numbers = Numbers(f"shared-{name}")
        self.writers = make_writers(name, self.numbers)
        self.figures = Figures()

    def open(self) -> None:
        """Start the server for the first time."""
        self.server.start()
        with self.server.client() as client:
            self.numbers.create(client)

    def close(self) -> None:
        """Stop the server."""
        self.server.stop()

    def life(self, kill: Callable[[], None], longest_s: float = LONGEST_S) -> None:
        """Write for a while, kill, start again and check what this life touched."""
        stop = threading.Event()
        for writer in self.writers:
            writer.begin()
        threads = [
            threading.Thread(target=self._write, args=(writer, stop)) for writer in self.writers
        ]
        for thread in threads:
            thread.start()
        time.sleep(self.random.uniform(0.02, longest_s))
        # Calls are under way: whoever waits for an answer does not get it any more.
        began = time.perf_counter()
        kill()
        stop.set()
        self.figures.kills += 1
        for thread in threads:
            thread.join()
        self._come_back(began)
        self.check(everything=False)

    def kill_server(self) -> None:
        """Kill Heddle."""
        self.server.kill()

    def kill_postgres(self) -> None:
        """Kill PostgreSQL and start it again; Heddle goes on by itself."""
        assert self.postgres is not None
        self.postgres.kill()
        self.postgres.start()

    def kill_both(self) -> None:
        """Kill both at once."""
        assert self.postgres is not None
        self.server.kill()
        self.postgres.kill()
        self.postgres.start()

    def _write(self, writer: Writer, stop: threading.Event) -> None:
        with self.server.client() as client:
            while not stop.is_set():
                try:
                    writer.step(client)
                except Lost:
                    return
                except Refused as error:
                    self.figures.problems.append(f"{writer.name}: {error}")
                    return

    def _come_back(self, began: float) -> None:
        """Let it answer and write again."""
        if not self.server.is_running:
            self.figures.restart_s.append(self.server.start())
            return
        with self.server.client() as client:
            while not self._writes(client):
                if time.perf_counter() - began > RECOVER_S:
                    self.figures.problems.append("it did not come back by itself")
                    return
                time.sleep(RETRY_S)
        self.figures.restart_s.append(time.perf_counter() - began)

    @staticmethod
    def _writes(client: Client) -> bool:
        try:
            answer = client.post(
                "experiments/set-experiment-tag", experiment_id="0", key="k", value="v"
            )
        except Lost:
            return False
        return answer.status == 200

    def check(self, *, everything: bool) -> None:
        """Compare what is there with what was answered."""
        with self.server.client() as client:
            for writer in self.writers:
                pending = writer.pending is not None
                found = writer.check(client, set(writer.known) if everything else None)
                self.figures.problems += found
                self.figures.unknown += pending
            self.figures.problems += self.numbers.check(client)

    def finish(self) -> Figures:
        """Compare everything ever written, read every stored byte, and sum up."""
        self.check(everything=True)
        done = self.server.run("verify")
        if done.returncode:
            self.figures.problems.append(f"heddle verify: {done.stdout}{done.stderr}")
        if self.postgres is None:
            self.figures.problems += sound(self.server.folder / "heddle.db")
        self.figures.answered = sum(writer.answered for writer in self.writers)
        return self.figures


def sound(path: Path) -> list[str]:
    """What SQLite itself finds wrong with a file."""
    with closing(sqlite3.connect(path)) as connection:
        checked = connection.execute("PRAGMA integrity_check").fetchall()
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    problems = [] if checked == [("ok",)] else [f"integrity: {checked[:5]}"]
    return problems + [f"a row without its owner: {row}" for row in orphans[:5]]
