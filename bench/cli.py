"""Owns the command line: the words a run is started with, and how it ends.

Always holds: the report is written even when the run is broken off; no process is left behind.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bench.forms import FULL, QUICK, TINY
from bench.peers import GENERATOR_MISSING, has_generator
from bench.places import REPORT, WORK
from bench.servers import FLAVOURS
from bench.session import Session, all_workloads


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 1 where Heddle failed at some work."""
    options = _options(arguments)
    if options.list:
        print(
            *(workload.name for workload in all_workloads()),
            "growth",
            "installed",
            "online",
            "scoring",
            "start",
        )
        return 0
    if not has_generator():
        print(GENERATOR_MISSING, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    form = QUICK if options.quick else TINY if options.tiny else FULL
    session = Session(
        form=form.changed(
            rounds=options.rounds,
            seconds=options.seconds,
            many_runs=options.many_runs,
            grown_runs=options.grown_runs,
            rows=options.rows,
        ),
        only=_words(options.only),
        peers=_words(options.peers) or form.peers,
        resume=options.resume,
        heddle_python=options.heddle_python,
        report=options.output or (REPORT if form is FULL else WORK / f"RESULTS-{form.name}.md"),
    )
    try:
        session.run()
    except KeyboardInterrupt:
        print("broken off; what was measured is kept, --resume goes on", file=sys.stderr)
        return 130
    finally:
        session.write()
    return 1 if session.heddle_failed() else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure Heddle beside MLflow and FastTrackML."
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="short rounds, under three minutes")
    form.add_argument(
        "--tiny", action="store_true", help="Heddle alone, in seconds: whether the benchmark works"
    )
    form.add_argument("--full", action="store_true", help="everything (the default)")
    parser.add_argument("--only", default="", metavar="NAMES", help="workloads, comma between")
    parser.add_argument(
        "--peers", default="", metavar="NAMES", help=f"servers to ask, of {', '.join(FLAVOURS)}"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what is measured already")
    parser.add_argument("--rounds", type=int, help="rounds per workload and server")
    parser.add_argument("--seconds", type=float, help="length of a round")
    parser.add_argument("--many-runs", type=int, help="runs seeded for searching among many")
    parser.add_argument("--grown-runs", type=int, help="most runs that Heddle is grown to")
    parser.add_argument("--rows", type=int, help="rows of the table that models are applied to")
    parser.add_argument("--heddle-python", default=sys.executable, help="interpreter for Heddle")
    parser.add_argument("--output", type=Path, help="where the report goes")
    parser.add_argument("--list", action="store_true", help="name all workloads and end")
    return parser.parse_args(arguments)
