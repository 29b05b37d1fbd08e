"""The commands ``heddle worker`` and ``heddle jobs``; beside them stands ``heddle sql``."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from heddle.errors import Invalid, NotOffered
from heddle.scoring.sql_command import add_sql
from heddle.settings import Settings, from_environment

if TYPE_CHECKING:
    from heddle.db.tx import Tx

NEEDED: Final = ("pyarrow", "duckdb", "pandas", "mlflow", "picklescan")
LISTED_MAX: Final = 100
CANNOT_WORK: Final = 3
"""The exit code of a worker that lacks what it needs; trying again would not help."""
BESIDE_NICE: Final = 5
"""How much the worker beside a server stands back, with the jobs that it does."""


def add_commands(commands: Any, there: Callable[[argparse.Namespace], Settings]) -> None:
    """Add the parsers; ``there`` gives the settings of what is there already."""
    add_sql(commands)
    worker = commands.add_parser("worker", help="do the jobs that people submit to a server")
    _place(worker)
    worker.add_argument("--jobs", type=int, default=1, help="long jobs at once (1)")
    worker.add_argument(
        "--data-roots", help="folders and addresses that jobs may touch, separated by commas"
    )
    worker.add_argument("--cache", type=Path, help="where models and environments are kept")
    worker.add_argument("--beside", action="store_true", help=argparse.SUPPRESS)
    worker.set_defaults(command=work)
    jobs = commands.add_parser("jobs", help="list jobs, or end one or do one again")
    _place(jobs)
    jobs.add_argument("--workspace", default="default", help="where to look (default)")
    jobs.add_argument("--state", action="append", default=[], help="only in this state")
    jobs.add_argument("--model", help="only of this model")
    jobs.add_argument("--cancel", type=int, metavar="ID", help="let a job end")
    jobs.add_argument("--retry", type=int, metavar="ID", help="do a failed or cancelled job again")
    jobs.add_argument("--receipt", type=int, metavar="ID", help="print a job's receipt")
    jobs.add_argument("--json", action="store_true", help="print JSON")
    jobs.set_defaults(command=lambda args: show_jobs(args, there(args)))


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="the data folder (heddle-data)")
    parser.add_argument("--database", help="the database, if it is not in the data folder")
    parser.add_argument("--artifacts", help="where file contents live, if not in the data folder")


def split_roots(text: str | None) -> tuple[str, ...] | None:
    """Data roots as they are named on a command line; None where none are."""
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())


def check_libraries() -> None:
    """Raise ``NotOffered`` if something that jobs need is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotOffered(
            f"Jobs cannot be done here, as {', '.join(missing)} is not installed."
            " Install what they need: pip install 'heddle-ml[predict]'"
        )


def work(args: argparse.Namespace) -> int:
    """Do jobs until told to stop by SIGTERM or SIGINT, or by the end of the server beside it."""
    try:
        check_libraries()
    except NotOffered as error:
        sys.stderr.write(f"heddle: {error.message}\n")
        return CANNOT_WORK
    settings = from_environment(
        data=args.data,
        database=args.database,
        artifacts=args.artifacts,
        data_roots=split_roots(args.data_roots),
    )
    if args.jobs < 1:
        raise Invalid(f"A worker does at least one job at once, not {args.jobs}.")
    logging.basicConfig(level=settings.log_level.upper(), format="%(name)s: %(message)s")
    _run(settings, jobs=args.jobs, cache=args.cache, is_beside=args.beside)
    return 0


def _run(settings: Settings, *, jobs: int, cache: Path | None, is_beside: bool) -> None:
    from heddle.artifacts.blobs import open_store  # noqa: PLC0415 -- listing needs no store
    from heddle.database import open_database  # noqa: PLC0415 -- slow, and not for the parser
    from heddle.db.notices import Notices  # noqa: PLC0415 -- as above
    from heddle.scoring.worker import Place, Worker, cache_of  # noqa: PLC0415 -- as above

    (settings.data / "tables").mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    notices = None
    if not database.is_embedded:
        notices = Notices(database.url, _nothing, _nothing)
        notices.start()
        database.announce = notices.send
    place = Place(
        settings.database_url,
        settings.artifacts_url,
        settings.roots,
        str(cache.absolute()) if cache else cache_of(settings.data),
    )
    worker = Worker(database, open_store(settings.artifacts_url), place, long_jobs=jobs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    if is_beside:
        # Where both want the processor, a page that somebody waits for goes before a batch.
        os.nice(BESIDE_NICE)
        threading.Thread(target=_until_input_ends, args=[worker.stopping], daemon=True).start()
    try:
        worker.run()
    finally:
        if notices is not None:
            notices.stop()
        database.close()


def _nothing(*_: object) -> None:
    """A worker shows nobody what other processes change."""


def _until_input_ends(stopping: threading.Event) -> None:
    """The server beside it holds the other end: when it is gone, however, the worker goes too."""
    while sys.stdin.buffer.read(1):
        pass
    stopping.set()


def show_jobs(args: argparse.Namespace, settings: Settings) -> None:
    """Print jobs as a table or JSON, after ending one or doing one again where that was asked."""
    from heddle.database import open_database  # noqa: PLC0415 -- only here
    from heddle.db.tx import Caller  # noqa: PLC0415 -- only here
    from heddle.jobs import records  # noqa: PLC0415 -- only here

    database = open_database(settings.database_url)
    caller = Caller(workspace=args.workspace)
    try:
        if args.cancel is not None:
            database.write_now(partial(records.cancel, job_id=args.cancel), caller)
        if args.retry is not None:
            database.write_now(partial(records.retry, job_id=args.retry), caller)
        if args.receipt is not None:
            job = database.read_now(partial(records.get_job, job_id=args.receipt), caller)
            sys.stdout.write((job.receipt or "{}") + "\n")
            return
        rows = database.read_now(partial(_rows, args=args), caller)
    finally:
        database.close()
    from heddle import console  # noqa: PLC0415 -- only here

    console.show(rows, as_json=args.json)


def _rows(tx: Tx, args: argparse.Namespace) -> list[dict[str, Any]]:
    from heddle.console import shown_time  # noqa: PLC0415 -- only here
    from heddle.jobs import records  # noqa: PLC0415 -- only here

    found, _ = records.list_jobs(tx, states=args.state, model=args.model, limit=LISTED_MAX)
    return [
        {
            "job": job.id,
            "status": job.state,
            "model": job.model if job.version is None else f"{job.model}/{job.version}",
            "input": job.input,
            "output": job.output,
            "by": job.submitted_by,
            "submitted": shown_time(job.submitted_ms),
            "started": shown_time(job.started_ms),
            "ended": shown_time(job.ended_ms),
            "error": job.error,
        }
        for job in found
    ]
