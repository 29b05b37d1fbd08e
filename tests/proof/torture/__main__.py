"""``make torture``: the siege for as long as one likes, its figures kept in ``bench/TORTURE.md``.

Kills are shared out: most on SQLite, the others on PostgreSQL, where Heddle, PostgreSQL and both are
killed by turns. Every ``RENEW`` kills the siege begins anew on an empty folder, so that the check of
everything at its end stays short.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from rich.progress import Progress

from postgres_server import SAFE, Postgres
from torture.siege import Figures, Siege

ROOT = Path(__file__).resolve().parents[3]
REPORT = ROOT / "bench" / "TORTURE.md"
RENEW = 50
POSTGRES_SHARE = 4
"""One kill in so many happens on PostgreSQL."""


def besiege(
    kills: int, seed: int, postgres: Postgres | None, figures: Figures, save: Callable[[], None]
) -> Iterator[int]:
    """So many kills on one kind of database, one after another as this is iterated."""
    while figures.kills < kills:
        folder = Path(tempfile.mkdtemp(prefix="heddle-torture-"))
        siege = Siege(
            folder / "data", seed=seed + figures.kills, postgres=postgres, name=str(figures.kills)
        )
        try:
            siege.open()
            for number in range(min(RENEW, kills - figures.kills)):
                kinds = [siege.kill_server]
                if postgres is not None:
                    kinds += [siege.kill_postgres, siege.kill_both]
                siege.life(kinds[number % len(kinds)])
                yield 1
                if siege.figures.problems:
                    break
            figures.add(siege.finish())
            save()
        finally:
            siege.close()
        if figures.problems:
            sys.stderr.write(f"The data is kept in {folder}\n")
            break
        shutil.rmtree(folder)


def report(figures: dict[str, Figures], took_s: float) -> str:
    """The figures as a page."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    lines = [
        "# Killed at any moment",
        "",
        "Written by `make torture N=...`; docs/durability.md says what is done and checked.",
        "",
        "| Database | Kills | Writes answered | Cut off | Lost | Back after, p50 | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, held in figures.items():
        times = held.restart_s or [0.0]
        lines.append(
            f"| {name} | {held.kills:,} | {held.answered:,} | {held.unknown:,}"
            f" | {len(held.problems)} | {median(times):.2f} s | {max(times):.2f} s |"
        )
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    today = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{platform.system()} {platform.machine()}"
    lines += [
        "",
        "A cut off call was under way when something was killed: what it asked for is there whole or",
        "not at all. Lost would be anything answered that is not there, or not as it was said.",
        "",
        f"{today}, {took_s / 60:.0f} minutes, Heddle {commit}, {versions}, {machine}.",
        "",
    ]
    for held in figures.values():
        lines += [f"- {problem[:2000]}" for problem in held.problems]
    return "\n".join(lines).rstrip() + "\n"


@contextmanager
def killable() -> Iterator[Postgres]:
    """A PostgreSQL that can be killed and started again."""
    postgres = Postgres(Path(tempfile.mkdtemp(prefix="heddle-pg-")), SAFE)
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(postgres.folder, ignore_errors=True)


def main() -> int:
    """Run it; 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="make torture")
    parser.add_argument("kills", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    given = parser.parse_args()
    began = time.monotonic()
    share = given.kills // POSTGRES_SHARE
    figures = {"SQLite": Figures()}
    if share:
        figures["PostgreSQL"] = Figures()

    def save() -> None:
        REPORT.write_text(report(figures, time.monotonic() - began))

    with Progress() as progress, ExitStack() as stack:
        progress.console.print(f"seed {given.seed}")
        for title, held in figures.items():
            on_postgres = title == "PostgreSQL"
            kills = share if on_postgres else given.kills - share
            task = progress.add_task(title, total=kills)
            postgres = stack.enter_context(killable()) if on_postgres else None
            for done in besiege(kills, given.seed, postgres, held, save):
                progress.advance(task, done)
    sys.stdout.write(REPORT.read_text())
    return int(any(held.problems for held in figures.values()))


if __name__ == "__main__":
    sys.exit(main())
