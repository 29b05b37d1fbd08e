"""``heddle sql "SELECT id, PREDICT('diabetes/3', *) AS y FROM 'patients.parquet'"``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from heddle.errors import Invalid

SHOWN_MAX = 50


def add_sql(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("sql", help="run SQL in which PREDICT applies models")
    parser.add_argument("statement", help="SQL as DuckDB reads it; - reads it from the input")
    parser.add_argument("--output", help="write the rows to this table instead of showing them")
    parser.add_argument("--mode", default="create", choices=("create", "overwrite", "append"),
                        help="what to do with a table that is there (create: refuse)")  # fmt: skip
    parser.add_argument("--limit", type=int, default=SHOWN_MAX, help="rows to show (50)")
    parser.add_argument("--cast", action="append", default=[], metavar="MODEL_COLUMN",
                        help="accept the cast that is offered for a column; '*' for all")  # fmt: skip
    parser.add_argument("--env", default="current", choices=("current", "uv"),
                        help="predict with this Python's libraries, or the model's own")  # fmt: skip
    parser.add_argument("--processes", type=int, default=0, help="child processes (one a core)")
    parser.add_argument("--allow-suspicious", action="store_true",
                        help="load a model whose files a scan found suspicious")  # fmt: skip
    parser.add_argument("--workspace", default="default", help="where the models are (default)")
    parser.add_argument("--server", default="", help="a Heddle server's address (HEDDLE_URL)")
    parser.add_argument("--data", default="", help="a data folder, instead of a server")
    parser.add_argument("--json", action="store_true", help="print rows as JSON, one a line")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; raises what ``sql.query`` raises."""
    try:
        from heddle.scoring import arguments, sql  # noqa: PLC0415 -- heavy, and only here
    except ImportError:
        raise Invalid(
            "SQL with models needs more packages: pip install 'heddle-ml[predict]'."
        ) from None

    statement = sys.stdin.read() if args.statement == "-" else args.statement
    choices = arguments.Choices(
        home=arguments.find_home(statement, "duckdb", args.server, args.data),
        workspace=args.workspace,
        casts=tuple(args.cast),
        env=args.env,
        processes=args.processes,
        allow_suspicious=args.allow_suspicious,
    )
    try:
        with sql.query(statement, choices) as (reader, warnings):
            for words in dict.fromkeys(warnings):
                sys.stderr.write(f"warning: {words}\n")
            if args.output:
                count = sql.write(reader, args.output, args.mode)
                sys.stderr.write(f"{count:,} rows written to {args.output}\n")
            elif args.json:
                _print_json(reader)
            else:
                _print_table(reader, args.limit)
    except Invalid as error:
        raise Invalid(f"{error.message}{_pointed(statement, error.position)}") from None
    return 0


def _pointed(statement: str, position: int | None) -> str:
    """The line of the statement that is wrong, with a mark under the place."""
    if position is None or position > len(statement):
        return ""
    start = statement.rfind("\n", 0, position) + 1
    line = statement[start:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * (position - start)}^"


def _print_json(reader: Any) -> None:
    for batch in reader:
        for row in batch.to_pylist():
            sys.stdout.write(json.dumps(row, default=str, ensure_ascii=False) + "\n")


def _print_table(reader: Any, limit: int) -> None:
    from rich.console import Console  # noqa: PLC0415 -- only where it is shown
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in reader.schema.names:
        table.add_column(name)
    shown = 0
    for batch in reader:
        for row in batch.slice(0, max(0, limit - shown)).to_pylist():
            table.add_row(*("" if value is None else str(value) for value in row.values()))
            shown += 1
        if shown >= limit:
            break
    Console().print(table)
    if shown >= limit:
        sys.stderr.write(f"The first {limit} rows; more with --limit, all with --output.\n")
