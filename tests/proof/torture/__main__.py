"""``make torture``: the siege for as long as one likes, its figures kept in ``bench/TORTURE.md``.

Kills are shared out: most on SQLite, the others on PostgreSQL, where Heddle, PostgreSQL and both are
killed by turns. Every ``RENEW`` kills the siege begins anew on an empty folder, so that the check of
everything at its end stays short.
"""

from __future__ import annotations

import argparse
import math
import shutil
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
KINDS = ("SQLite", "PostgreSQL")
RENEW = 25
POSTGRES_SHARE = 4
"""One kill in so many happens on PostgreSQL."""


def besiege(
    kills: int,
    seed: int,
    postgres: Postgres | None,
    figures: Figures,
    save: Callable[[], None],
    *,
    until_s: float,
) -> Iterator[int]:
    """So many kills on one kind of database, one after another as this is iterated.

    Past ``until_s`` of the monotonic clock none is begun; what was done then is checked and saved.
    """
    while figures.kills < kills and time.monotonic() < until_s:
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
                if siege.figures.problems or time.monotonic() > until_s:
                    break
            figures.add(siege.finish())
            save()
        finally:
            siege.close()
        if figures.problems:
            sys.stderr.write(f"The data is kept in {folder}\n")
            break
        shutil.rmtree(folder)


def row(name: str, held: Figures, took_s: float) -> str:
    """One line of the table."""
    commit = subprocess.run(
        ["git", "describe", "--always"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    times = held.restart_s or [0.0]
    cells = [
        name,
        *(f"{number:,}" for number in (held.kills, held.answered, held.unknown)),
        str(len(held.problems)),
        *(f"{seconds:.2f} s" for seconds in (median(times), max(times))),
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {took_s / 60:.0f} min, {commit}".rstrip(", "),
    ]
    return f"| {' | '.join(cells)} |"


def report(rows: dict[str, str]) -> str:
    """The page; kinds of databases that were not besieged now keep their last line."""
    kept = REPORT.read_text().splitlines() if REPORT.exists() else []
    for line in kept:
        name = line[2:].partition(" |")[0]
        if line.startswith("| ") and name in KINDS:
            rows.setdefault(name, line)
    lines = [
        "# Killed at any moment",
        "",
        "Written by `make torture N=...`; docs/durability.md says what is done and checked.",
        "",
        "| Database | Kills | Writes answered | Cut off | Lost | Back, p50 | longest | Taken |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *(rows[name] for name in KINDS if name in rows),
        "",
        "A cut off call was under way when something was killed: what it asked for is there whole or",
        "not at all. Lost would be anything answered that is not there, or not as it was said. Back is",
        "how long it took from the start of the new process, or from the kill where Heddle went on,",
        "to the first answer.",
    ]
    return "\n".join(lines) + "\n"


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
    parser.add_argument("--minutes", type=float, default=math.inf, help="at most, for each kind")
    parser.add_argument("--on", choices=KINDS, help="one kind of database only")
    given = parser.parse_args()
    share = given.kills // POSTGRES_SHARE
    kills = dict(zip(KINDS, (given.kills - share, share), strict=True))
    if given.on:
        kills = {given.on: given.kills}
    problems = []
    with Progress() as progress, ExitStack() as stack:
        progress.console.print(f"seed {given.seed}")
        for kind, count in kills.items():
            began = time.monotonic()
            figures = Figures()

            def save(kind: str = kind, figures: Figures = figures, began: float = began) -> None:
                REPORT.write_text(report({kind: row(kind, figures, time.monotonic() - began)}))

            task = progress.add_task(kind, total=count)
            postgres = stack.enter_context(killable()) if kind == "PostgreSQL" else None
            until_s = began + given.minutes * 60
            for done in besiege(count, given.seed, postgres, figures, save, until_s=until_s):
                progress.advance(task, done)
            problems += figures.problems
    sys.stdout.write(REPORT.read_text())
    sys.stdout.writelines(f"{problem[:2000]}\n" for problem in problems)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
