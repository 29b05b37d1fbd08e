"""The command line: ``heddle serve`` and what else a person or a script does by hand."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from heddle import job_commands
from heddle.answering import add_answer
from heddle.errors import HeddleError, NotFound
from heddle.scoring.command import add_predict
from heddle.settings import OPTIONS, Option, Settings, from_environment, misspelt, shown_default


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return int(args.command(args) or 0)
    except HeddleError as error:
        print(f"heddle: {error.message}", file=sys.stderr)
        return 2


class Parser(argparse.ArgumentParser):
    """A parser that says what was probably meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse does; an option that is nearly one of this command's is named here."""
        found, rest = super().parse_known_args(args, namespace)
        for word in rest:
            given = word.partition("=")[0]
            near = difflib.get_close_matches(given, self._option_string_actions, 1)
            if word.startswith("--") and near:
                self.error(f"there is no {given}; did you mean {near[0]}?")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        said, _, choices = message.partition(" (choose from ")
        given = re.search(r"invalid choice: '(.*)'", said)
        known = re.findall(r"[\w-]+", choices)
        if given and (near := difflib.get_close_matches(given[1], known, 1)):
            message = f"there is no '{given[1]}'; did you mean '{near[0]}'?"
        super().error(message)


class _Version(argparse.Action):
    """Prints the release; it is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 -- slow, and only here

        print(f"heddle {version('heddle-ml')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; the reference is made from it too."""
    parser = Parser(prog="heddle", description="A home for machine-learning models.")
    parser.set_defaults(command=None)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the release")
    commands = parser.add_subparsers(metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="start the server",
        description="Start the server. Ctrl+C or SIGTERM ends it once what is under way is answered.",
        epilog="Each option may also be given as a variable: HEDDLE_PORT=8080 heddle serve.",
    )
    _settings(serve, [option.name for option in OPTIONS])
    serve.add_argument(
        "--no-worker", dest="worker", action="store_false", default=None, help="as --worker no"
    )
    serve.set_defaults(command=_serve)
    demo = commands.add_parser("demo", help="start a server and train example models against it")
    _settings(demo, ["host", "port", "data"])
    demo.add_argument("--once", action="store_true", help="stop when the models are trained")
    demo.set_defaults(command=_demo)
    migrate = commands.add_parser("migrate", help="bring a database to this release's schema")
    _settings(migrate, ["data", "database"])
    migrate.set_defaults(command=_migrate)
    job_commands.add_commands(commands, _there)
    _add_import(commands)
    _add_keeping(commands)
    _add_reading(commands)
    add_predict(commands)
    add_answer(commands)
    return parser


def _add_import(commands: Any) -> None:
    importing = commands.add_parser(
        "import",
        help="take over what an MLflow server holds",
        description="Take over experiments, runs, models and files of an MLflow server. What is here"
        " already stays as it is, so it can be done again. Heddle's own server may run meanwhile.",
        epilog="heddle import mlflow.db --files mlflow-artifacts:/=./mlartifacts",
    )
    importing.add_argument(
        "source",
        metavar="MLFLOW_DATABASE",
        help="the file of its SQLite database, or postgresql://user@host/name",
    )
    importing.add_argument(
        "--files",
        action="append",
        default=[],
        metavar="ADDRESS[=PLACE]",
        help="take files whose address begins so, from the folder or object store where they lie"
        " now; may be repeated. No other files are read",
    )
    importing.add_argument(
        "--leave-files", action="store_true", help="go on though files elsewhere stay behind"
    )
    importing.add_argument(
        "--workspace", help="the workspace that takes everything (that of the same name)"
    )
    importing.add_argument(
        "--dry-run", action="store_true", help="say what there is, and where its files lie"
    )
    _store(importing)
    importing.set_defaults(command=_import)


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
    _settings(doctor, ["gc_grace_s"])
    doctor.set_defaults(command=_doctor)
    collect = commands.add_parser("gc", help="remove contents that nothing refers to any more")
    _store(collect)
    collect.add_argument(
        "--delete", action="store_true", help="do it; without, only say what would go"
    )
    collect.add_argument(
        "--purge-days",
        type=_days,
        metavar="DAYS",
        help="also purge runs, logged models and experiments that were deleted longer ago, and the"
        " files of such versions; they cannot be restored then",
    )
    _settings(collect, ["gc_grace_s"])
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
    _settings(parser, ["data", "database", "artifacts"])
    parser.add_argument("--json", action="store_true", help="print JSON")


def _settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """The options of these settings, each with its default."""
    options = {option.name: option for option in OPTIONS}
    for name in names:
        option = options[name]
        default = shown_default(name)
        parser.add_argument(
            option.flag,
            dest=name,
            type=_kind(option),
            metavar=option.word or None,
            help=f"{option.about} ({default})" if default else option.about,
        )


def _kind(option: Option) -> Callable[[str], object]:
    """How argparse reads an option: a wrong value is refused in the option's own words."""

    def read(text: str) -> object:
        try:
            return option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} cannot be: {error}") from None

    return read


def _days(text: str) -> float:
    """A number of days, as argparse reads it."""
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be: it must be a number of days from 0")
    return days


def _serve(args: argparse.Namespace) -> None:
    from heddle import serve  # noqa: PLC0415 -- other commands need no web server

    given = {option.name: getattr(args, option.name) for option in OPTIONS}
    for said in misspelt(os.environ):
        print(f"heddle: {said}", file=sys.stderr)
    settings = from_environment(**given)
    serve.check(settings)
    with serve.holding(settings):
        serve.prepare(settings)
        listener = serve.bind(settings.host, settings.port)
        host, port = listener.getsockname()[:2]
        where = settings.data.absolute()
        print(f"Heddle answers at http://{host}:{port}  (data: {where})", flush=True)
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


def _import(args: argparse.Namespace) -> int:
    from heddle.importer import command  # noqa: PLC0415 -- only here

    settings = from_environment(data=args.data, database=args.database, artifacts=args.artifacts)
    return command.take_over(
        args.source,
        named=args.files,
        workspace=args.workspace,
        leave_files=args.leave_files,
        dry_run=args.dry_run,
        as_json=args.json,
        database_url=settings.database_url,
        artifacts_url=settings.artifacts_url,
    )


def _there(args: argparse.Namespace) -> Settings:
    """The settings of a command on what is there already; raises ``NotFound`` if nothing is."""
    given = {option.name: getattr(args, option.name, None) for option in OPTIONS}
    settings = from_environment(**given)
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

    purged, swept = console.collect(
        _there(args), dry_run=not args.delete, purge_days=args.purge_days
    )
    console.show([*purged, *swept], as_json=args.json)
    size = sum(row["bytes"] for row in swept)
    hint = "" if args.delete or not (purged or swept) else " Add --delete to do it."
    what = "removed" if args.delete else "would go"
    if purged:
        told = sum(row["bytes"] for row in purged)
        names = "purged" if args.delete else "would be purged"
        print(f"{len(purged)} {names}, with files of {told} bytes.", file=sys.stderr)
    print(f"{len(swept)} things, {size} bytes {what}.{hint}", file=sys.stderr)


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
