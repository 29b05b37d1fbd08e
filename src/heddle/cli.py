"""The command line: ``heddle serve`` and what else a person or a script does by hand."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heddle import job_commands
from heddle.errors import HeddleError, NotFound
from heddle.scoring.command import add_predict
from heddle.settings import Settings, from_environment


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    args = _parser().parse_args(argv)
    try:
        return int(args.command(args) or 0)
    except HeddleError as error:
        print(f"heddle: {error.message}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heddle", description="A home for machine-learning models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="start the server")
    _place(serve)
    serve.add_argument("--database", help="postgresql://user@host/name, or sqlite:///file")
    serve.add_argument(
        "--artifacts", help="where file contents live: a folder or an s3://, gs:// or az:// address"
    )
    serve.add_argument("--workers", type=int, help="server processes, PostgreSQL only (1)")
    serve.add_argument("--no-worker", action="store_true", help="leave jobs to heddle worker")
    serve.add_argument(
        "--data-roots", help="folders and addresses that jobs may touch, separated by commas"
    )
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="start a server and train example models against it")
    _place(demo)
    demo.add_argument("--once", action="store_true", help="stop when the models are trained")
    demo.set_defaults(command=_demo)
    migrate = commands.add_parser("migrate", help="bring a database to this release's schema")
    migrate.add_argument("--data", type=Path, help="the data folder (heddle-data)")
    migrate.add_argument("--database", help="the database, if it is not in the data folder")
    migrate.set_defaults(command=_migrate)
    job_commands.add_commands(commands, _there)
    _add_keeping(commands)
    _add_reading(commands)
    add_predict(commands)
    return parser


def _add_keeping(commands: Any) -> None:
    verify = commands.add_parser("verify", help="compare every stored content with its digest")
    _store(verify)
    verify.set_defaults(command=_verify)
    doctor = commands.add_parser("doctor", help="say what is wrong with database and files")
    _store(doctor)
    doctor.add_argument(
        "--fix", action="store_true", help="gather statistics and make missing indexes"
    )
    doctor.add_argument(
        "--quick", action="store_true", help="leave out what reads all of the database and store"
    )
    doctor.set_defaults(command=_doctor)
    collect = commands.add_parser("gc", help="remove contents that nothing refers to any more")
    _store(collect)
    collect.add_argument(
        "--delete", action="store_true", help="do it; without, only say what would go"
    )
    collect.set_defaults(command=_gc)


def _add_reading(commands: Any) -> None:
    for name, about in (
        ("models", "list the models of a workspace"),
        ("versions", "list the versions of a model"),
        ("runs", "list the runs of a workspace"),
    ):
        reading = commands.add_parser(name, help=about)
        if name == "versions":
            reading.add_argument("model", help="the model's name")
        if name == "runs":
            reading.add_argument("--order", action="append", default=[], help="metrics.rmse DESC")
        reading.add_argument("--filter", default="", help="as in docs/filters.md")
        reading.add_argument("--workspace", default="default", help="where to look (default)")
        _store(reading)
        reading.set_defaults(command=_list, what=name)


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="the data folder (heddle-data)")
    parser.add_argument("--database", help="the database, if it is not in the data folder")
    parser.add_argument("--artifacts", help="where file contents live, if not in the data folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (5000)")
    parser.add_argument("--data", type=Path, help="folder for the database and files (heddle-data)")


def _serve(args: argparse.Namespace) -> None:
    from heddle import serve  # noqa: PLC0415 -- other commands need no web server

    settings = from_environment(
        host=args.host,
        port=args.port,
        data=args.data,
        database=args.database,
        artifacts=args.artifacts,
        workers=args.workers,
        worker=False if args.no_worker else None,
        data_roots=job_commands.split_roots(args.data_roots),
    )
    serve.check(settings)
    listener = serve.bind(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    print(f"Heddle answers at http://{host}:{port}  (data: {settings.data.absolute()})", flush=True)
    serve.serve(settings, listener)


def _demo(args: argparse.Namespace) -> int:
    from heddle.demo.run import demo  # noqa: PLC0415 -- only here

    settings = from_environment(host=args.host, port=args.port, data=args.data)
    return demo(host=settings.host, port=settings.port, data=settings.data, once=args.once)


def _migrate(args: argparse.Namespace) -> None:
    from heddle.database import open_database  # noqa: PLC0415 -- only here

    settings = from_environment(data=args.data, database=args.database)
    database = open_database(settings.database_url, migrate=False)
    try:
        print("Schema brought up to date." if database.migrate() else "Nothing to do.")
    finally:
        database.close()


def _there(args: argparse.Namespace) -> Settings:
    """The settings of a command on what is there already; raises ``NotFound`` if nothing is."""
    settings = from_environment(data=args.data, database=args.database, artifacts=args.artifacts)
    if not settings.database and not (settings.data / "heddle.db").exists():
        raise NotFound(
            f"There is no Heddle database in {settings.data.absolute()};"
            " name the folder with --data."
        )
    return settings


def _verify(args: argparse.Namespace) -> int:
    from heddle import console  # noqa: PLC0415 -- only here

    count, problems = console.check_contents(_there(args))
    if problems or args.json:
        console.show(problems, as_json=args.json)
    print(f"{count} contents checked, {len(problems)} damaged.", file=sys.stderr)
    return 1 if problems else 0


def _doctor(args: argparse.Namespace) -> int:
    from heddle import console, doctor  # noqa: PLC0415 -- only here

    settings = _there(args)
    found = doctor.examine(settings, quick=args.quick)
    mended = doctor.mend(settings, found) if args.fix else 0
    if mended:
        print(f"{mended} mended; looking again.", file=sys.stderr)
        found = doctor.examine(settings, quick=args.quick)
    place = _place_words(args)
    rows = [
        {"level": one.level.value, "what": one.what, "do": one.advice.replace("{place}", place)}
        for one in found
    ]
    console.tell(rows, as_json=args.json)
    wrong = sum(1 for row in rows if row["level"] != "note")
    print(f"{wrong} things are wrong." if wrong else "Nothing is wrong.", file=sys.stderr)
    return 1 if wrong else 0


def _place_words(args: argparse.Namespace) -> str:
    """The arguments that name the same database and files again, for a shell."""
    given = [("--data", args.data), ("--database", args.database), ("--artifacts", args.artifacts)]
    return shlex.join(word for name, value in given if value for word in (name, str(value)))


def _gc(args: argparse.Namespace) -> None:
    from heddle import console  # noqa: PLC0415 -- only here

    rows = console.collect(_there(args), dry_run=not args.delete)
    console.show(rows, as_json=args.json)
    size = sum(row["bytes"] for row in rows)
    hint = "" if args.delete or not rows else " Add --delete to do it."
    print(
        f"{len(rows)} things, {size} bytes {'removed' if args.delete else 'would go'}.{hint}",
        file=sys.stderr,
    )


def _list(args: argparse.Namespace) -> None:
    from heddle import console  # noqa: PLC0415 -- only here

    settings = _there(args)
    if args.what == "models":
        rows = console.list_models(settings, args.workspace, args.filter)
    elif args.what == "versions":
        rows = console.list_versions(settings, args.workspace, args.model, args.filter)
    else:
        rows = console.list_runs(settings, args.workspace, args.filter, args.order)
    console.show(rows, as_json=args.json)
