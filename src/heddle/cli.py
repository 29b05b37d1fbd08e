"""The command line: ``heddle serve`` and what else a person or a script does by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from heddle.errors import HeddleError
from heddle.settings import from_environment


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
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="start a server and train example models against it")
    _place(demo)
    demo.add_argument("--once", action="store_true", help="stop when the models are trained")
    demo.set_defaults(command=_demo)
    migrate = commands.add_parser("migrate", help="bring a database to this release's schema")
    migrate.add_argument("--data", type=Path, help="the data folder (heddle-data)")
    migrate.add_argument("--database", help="the database, if it is not in the data folder")
    migrate.set_defaults(command=_migrate)
    return parser


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (5000)")
    parser.add_argument(
        "--data", type=Path, help="folder for the database and files (heddle-data)"
    )


def _serve(args: argparse.Namespace) -> None:
    from heddle import serve  # noqa: PLC0415 -- other commands need no web server

    settings = from_environment(
        host=args.host,
        port=args.port,
        data=args.data,
        database=args.database,
        artifacts=args.artifacts,
        workers=args.workers,
    )
    serve.check(settings)
    listener = serve.bind(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    print(
        f"Heddle answers at http://{host}:{port}  (data: {settings.data.absolute()})", flush=True
    )
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
