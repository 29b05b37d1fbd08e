"""``heddle predict MODEL INPUT OUTPUT``: applies a model to a table from the command line."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from heddle.errors import Invalid
from heddle.scoring import memory
from heddle.scoring.plan import Input, Limits, Model, Output, Plan

FITS = "The table fits the model."
UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def add_predict(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("predict", help="apply a model to a table")
    parser.add_argument("model", help="name/3, name@alias, name/latest, models:/..., or a folder")
    parser.add_argument("input", help="a file, folder, pattern, address, or DuckDB statement")
    parser.add_argument("output", help="where the table with predictions goes")
    parser.add_argument(
        "--map", action="append", default=[], metavar="MODEL_COLUMN=TABLE_COLUMN",
        help="the table's column for one of the model's; may be repeated",
    )  # fmt: skip
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE",
                        help="a param of the model, as JSON or a text; may be repeated")  # fmt: skip
    parser.add_argument("--cast", action="append", default=[], metavar="MODEL_COLUMN",
                        help="accept the cast that is offered for a column; '*' for all")  # fmt: skip
    parser.add_argument("--mode", default="create",
                        choices=("create", "overwrite", "append", "merge"),
                        help="what to do with a table that is there (create: refuse)")  # fmt: skip
    parser.add_argument("--key", default="", help="columns that merge matches on, with commas")
    parser.add_argument("--columns", help="columns of the input to keep, with commas (all)")
    parser.add_argument("--predictions", default="", help="names of the columns of predictions")
    parser.add_argument("--input-format", default="", help="parquet, delta, csv, jsonl, arrow")
    parser.add_argument("--output-format", default="", help="parquet, delta, csv, jsonl, arrow")
    parser.add_argument("--version", type=int, help="the version of a Delta table to read")
    parser.add_argument("--at", default="", help="the moment of a Delta table to read, ISO 8601")
    parser.add_argument("--env", default="current", choices=("current", "uv"),
                        help="predict with this Python's libraries, or the model's own")  # fmt: skip
    parser.add_argument("--engine", default="local", choices=("local", "spark"),
                        help="this machine, or Apache Spark")  # fmt: skip
    parser.add_argument("--spark-master", default="", metavar="URL",
                        help="Spark's master, as local[4] (as Spark is configured)")  # fmt: skip
    parser.add_argument("--spark-remote", default="", metavar="URL",
                        help="a server of Spark Connect, as sc://host:15002")  # fmt: skip
    parser.add_argument("--processes", type=int, default=0, help="child processes (one a core)")
    parser.add_argument("--batch-rows", type=int, default=0, help="rows at a time (chosen)")
    parser.add_argument("--memory", default="", help="memory of one child, as 4G (3/4 of it all)")
    parser.add_argument("--batch-timeout", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--allow-suspicious", action="store_true",
                        help="load a model whose files a scan found suspicious")  # fmt: skip
    parser.add_argument("--again", action="store_true",
                        help="do it even if the same plan was run on the same input")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="say the verdict, predict nothing")
    parser.add_argument("--workspace", default="default", help="where the model is (default)")
    parser.add_argument("--server", default="", help="a Heddle server's address (HEDDLE_URL)")
    parser.add_argument("--data", default="", help="a data folder, instead of a server")
    parser.add_argument("--json", action="store_true", help="print the receipt as JSON")
    parser.set_defaults(command=predict)


def make_plan(args: argparse.Namespace) -> Plan:
    """The plan that the arguments mean; raises ``Invalid``."""
    return Plan(
        model=Model(uri=args.model, workspace=args.workspace),
        input=Input(address=args.input, format=args.input_format, version=args.version, at=args.at),
        output=Output(
            address=args.output,
            format=args.output_format,
            mode=args.mode,
            key=_names(args.key),
            columns=None if args.columns is None else _names(args.columns),
            predictions=_names(args.predictions),
        ),
        mapping=dict(_pairs(args.map, "--map")),
        params={name: _value(text) for name, text in _pairs(args.param, "--param")},
        casts=tuple(args.cast),
        env=args.env,
        engine=args.engine,
        processes=args.processes,
        batch_rows=args.batch_rows,
        limits=Limits(memory_bytes=_bytes(args.memory), batch_s=args.batch_timeout),
        allow_suspicious=args.allow_suspicious,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _pairs(texts: Iterable[str], option: str) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise Invalid(f"{option} takes NAME=VALUE, not '{text}'.")
        yield name, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _bytes(text: str) -> int:
    if not text:
        return 0
    number, unit = text.rstrip("bBiI"), 1
    if number[-1:].upper() in UNITS:
        number, unit = number[:-1], UNITS[number[-1:].upper()]
    try:
        return int(float(number) * unit)
    except ValueError:
        raise Invalid(f"'{text}' is no amount of memory; write 4G or 500M.") from None


def predict(args: argparse.Namespace) -> int:
    """Run the command; raises what the engine raises."""
    memory.choose_pool()
    try:
        import pyarrow as pa  # noqa: F401, PLC0415 -- asked for before anything is begun
    except ImportError:
        raise Invalid(
            "Applying models needs more packages: pip install 'heddle-ml[predict]'."
        ) from None
    from heddle.scoring import models  # noqa: PLC0415 -- heavy, and only here

    plan = make_plan(args)
    home = None
    if not models.parse(plan.model.uri).folder:
        home = models.find_home(args.server, args.data)
    kept = models.cache_folder() / "receipts"
    if plan.engine == "spark":
        return _predict_on_spark(args, plan, home, kept)
    with memory.bounded():
        return _predict_here(args, plan, home, kept)


def _predict_here(args: argparse.Namespace, plan: Plan, home: Any, kept: Path) -> int:
    """The same on this machine."""
    from heddle.scoring import check, local, receipt  # noqa: PLC0415 -- heavy, and only here

    prepared = local.prepare(plan, home=home)
    for warning in [*local.library_warnings(prepared), *prepared.verdict.warnings]:
        _tell(f"warning: {warning}")
    if args.check:
        check.require(prepared.verdict, prepared.title)
        _tell(FITS)
        return 0
    key = receipt.key_of(plan, prepared.model, prepared.source.snapshot)
    known = None if args.again else local.find_done(plan, receipt.find(key, kept))
    if known is not None:
        return _show_known(known, as_json=args.json)
    made = _watched(partial(local.run, plan, prepared=prepared), quiet=args.json)
    receipt.save(made, kept)
    _show(made, as_json=args.json)
    return 0


def _predict_on_spark(args: argparse.Namespace, plan: Plan, home: Any, kept: Path) -> int:
    """The same on the user's Spark."""
    try:
        from heddle.scoring.spark import engine  # noqa: PLC0415 -- only where Spark is meant
    except ImportError:
        raise Invalid(
            "Spark needs more packages: pip install 'heddle-ml[predict,spark]'."
        ) from None
    from heddle.scoring import receipt  # noqa: PLC0415 -- heavy, and only here

    spark = engine.session(args.spark_master, args.spark_remote)
    try:
        work = engine.prepare(plan, spark, home=home)
        for warning in work.prepared.verdict.warnings:
            _tell(f"warning: {warning}")
        if args.check:
            _tell(FITS)
            return 0
        known = None if args.again else receipt.find(work.key, kept)
        if known is not None and engine.is_done(plan, spark, known.job):
            return _show_known(known, as_json=args.json)
        made = _watched(partial(engine.run, work), quiet=args.json)
    finally:
        spark.stop()
    receipt.save(made, kept)
    _show(made, as_json=args.json)
    return 0


def _show_known(known: Any, *, as_json: bool) -> int:
    _tell("The same was done before; its output is there (--again repeats it).")
    _show(known, as_json=as_json)
    return 0


def _tell(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _watched(run: Callable[..., Any], *, quiet: bool) -> Any:
    """Run a plan while a bar shows how far it is; Ctrl+C cancels it."""
    from rich.console import Console  # noqa: PLC0415 -- only where it is shown
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    from heddle.scoring import local  # noqa: PLC0415

    cancel = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: cancel.set())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
    )
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
            task = bar.add_task("", total=None, shown="")

            def tell(progress: local.Progress) -> None:
                shown = f"{progress.rows:,} rows"
                if progress.rows_per_s:
                    shown += f", {progress.rows_per_s:,.0f} a second"
                if progress.left_s is not None:
                    shown += f", {progress.left_s:.0f} s left"
                total = progress.total if progress.total >= 0 else None
                bar.update(task, description=progress.stage, completed=progress.rows,
                           total=total, shown=shown)  # fmt: skip

            return run(tell=tell, cancel=cancel)
    finally:
        signal.signal(signal.SIGINT, before)


def _show(made: Any, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")
        return
    from rich.console import Console  # noqa: PLC0415 -- only where it is shown
    from rich.table import Table  # noqa: PLC0415

    seconds = (made.ended_ms - made.started_ms) / 1000
    model = made.model.name + (f"/{made.model.version}" if made.model.version else "")
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = [
        ("model", f"{model}  sha256:{made.model.digest[:16]}"),
        ("input", made.input["address"]),
        ("output", made.plan.output.address),
        ("rows", f"{made.rows:,} in {seconds:.1f} s ({made.rows_per_s:,.0f} a second)"),
        ("job", made.job),
    ]
    if made.extra:
        rows.append(("not used", ", ".join(made.extra)))
    for each in made.predictions:
        if each.mean is not None:
            said = f"{each.low:.6g} to {each.high:.6g}, mean {each.mean:.6g}"
            rows.append((each.column, said))
        elif each.top:
            said = ", ".join(f"{name} {count}" for name, count in list(each.top.items())[:8])
            rows.append((each.column, said))
    far = [each for each in made.drift if each.outside > 0.1]
    rows += [
        (f"drift in {each.column}", f"{each.outside:.0%} outside of the example")
        for each in far[:5]
    ]
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
