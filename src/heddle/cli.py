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
    serve.add_argument("--host", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on (5000)")
    serve.add_argument("--data", type=Path, help="folder for the database and files (heddle-data)")
    serve.add_argument("--database", help="postgresql://user@host/name, or sqlite:///file")
    serve.add_argument(
        "--artifacts", help="where file contents live: a folder or s3://, gs://, az:// address"
    )
    serve.add_argument("--workers", type=int, help="server processes, PostgreSQL only (1)")
    serve.set_defaults(command=_serve)
    return parser


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
    print(f"Heddle answers at http://{host}:{port}  (data: {settings.data.absolute()})", flush=True)
    serve.serve(settings, listener)
