"""Owns the report: figures, ratios against the targets, latencies, what the servers take up.

Always holds: every number in it was measured and is in the results; a missing one shows why.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench import targets
from bench.online import SERVERS, WORKS
from bench.places import PAGE, TORTURE
from bench.results import Cell, Results
from bench.scoring import ENGINES, MODELS
from bench.servers import FLAVOURS, Flavour

PG = "@pg"
MB = 1e6


HEADER = (
    "Written by `python -m bench --{form}`; do not edit. Rates are medians of the rounds of one "
    "run, all servers up side by side and asked in turn, one at a time, over kept-alive loopback "
    "connections. Only ratios within a row mean anything elsewhere. Heddle keeps runs that it has "
    "encoded in memory, by their revision, and every reading row asks repeatedly for the same data: "
    "searches and single runs are answered partly from that memory, after the database has named "
    "the runs and their revisions. Beside the latencies stands when a row was taken, of which state "
    "of Heddle, and how much of the machine programs took that have nothing to do with it. The bare "
    "writer (`bench/bare.py`) is no product: it shows what one Python process, uvicorn, msgspec and "
    "SQLite reach with the same durability and nothing else to do."
)

NO_TARGETS = (
    "No targets are set here: those above are against servers with their embedded databases."
)


def render(results: Results) -> str:
    """Return the whole report as Markdown."""
    plain = [row for row in results.cells if not row.endswith(PG)]
    postgres = [row for row in results.cells if row.endswith(PG)]
    lines = [
        "# Benchmark results",
        "",
        HEADER.format(form=results.form),
        "",
        *_machine(results),
        *_figures(results, plain, postgres=False),
        *_latencies(results, plain),
        *_resources(results),
        *_growth(results),
        *_scoring(results),
        *_online(results),
        *_drawn(),
        *_killed(),
    ]
    if postgres:
        lines += [
            "## On PostgreSQL",
            "",
            NO_TARGETS,
            "",
            *_figures(results, postgres, postgres=True),
        ]
        lines += _latencies(results, postgres)
    lines += _failures(results)
    return "\n".join(lines).rstrip() + "\n"


def _machine(results: Results) -> Iterator[str]:
    for name, value in results.facts.items():
        yield f"- {name}: {value}"
    for name, value in results.versions.items():
        yield f"- {name} {value}"
    for name, size in results.seeds.items():
        held = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in size.items())
        yield f"- seeded, {name}: {held}"
    cells = [cell for row in results.cells.values() for cell in row.values() if cell.rounds]
    most = max((cell.rounds for cell in cells), default=0)
    fewer = sum(cell.rounds < most for cell in cells)
    if fewer:
        yield f"- of {len(cells)} figures {fewer} have fewer than {most} rounds, the server being slow"
    for note in results.notes:
        yield f"- {note}"
    yield ""


def _asked(results: Results, rows: Sequence[str]) -> list[Flavour]:
    named = {server for row in rows for server in results.cells[row]}
    return [flavour for name, flavour in FLAVOURS.items() if name in named]


def _figures(results: Results, rows: Sequence[str], *, postgres: bool) -> Iterator[str]:
    if not rows:
        return
    asked = _asked(results, rows)
    if not postgres:
        yield from ("## Rates", "")
    head = ["Work", "Unit", *(flavour.title for flavour in asked), "vs MLflow's best"]
    yield from _table_head(head if postgres else [*head, "vs FastTrackML", "Targets"], left=2)
    for row in rows:
        title, unit = results.titles[row]
        cells = results.cells[row]
        figures = [_rate(cells.get(flavour.name)) for flavour in asked]
        if postgres:
            ratios = [_times(_to_mlflow(cells.get("heddle-pg", Cell()), cells))]
        else:
            ratios = _ratios(row, cells)
        yield _line([title, unit, *figures, *ratios])
    yield ""


def _to_mlflow(ours: Cell, cells: dict[str, Cell]) -> float:
    """Return the ratio to MLflow's better configuration."""
    best = max((cell.rate for name, cell in cells.items() if name.startswith("mlflow")), default=0)
    return ours.rate / best if best else 0


def _ratios(row: str, cells: dict[str, Cell]) -> list[str]:
    """Return the ratio to MLflow's better configuration, to FastTrackML, and the verdict."""
    ours = cells.get("heddle", Cell())
    fasttrackml = cells.get("fasttrackml", Cell()).rate
    to_mlflow = _to_mlflow(ours, cells)
    to_fasttrackml = ours.rate / fasttrackml if fasttrackml else 0
    target = targets.RATIOS.get(row)
    verdicts = []
    if target and to_mlflow:
        verdicts.append(f"{target.mlflow:g}x {_met(to_mlflow >= target.mlflow)}")
    if target and target.fasttrackml and to_fasttrackml:
        verdicts.append(f"{target.fasttrackml:g}x {_met(to_fasttrackml >= target.fasttrackml)}")
    bare = cells.get("bare", Cell()).rate
    if row.startswith("log-batch") and bare:
        share = ours.rate / bare
        wanted = f"{targets.BATCH_SHARE:.0%} of the bare writer"
        verdicts.append(f"{wanted} {_met(share >= targets.BATCH_SHARE)} ({share:.0%})")
    return [_times(to_mlflow), _times(to_fasttrackml), "; ".join(verdicts)]


def _met(reached: object) -> str:
    return "met" if reached else "**missed**"


def _times(ratio: float) -> str:
    if not ratio:
        return ""
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


def _rate(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.failure:
        return "failed"
    return f"{cell.rate:,.0f}" if cell.rate >= 100 else f"{cell.rate:.1f}"


def _latencies(results: Results, rows: Sequence[str]) -> Iterator[str]:
    asked = _asked(results, rows)
    if not rows:
        return
    yield from ("### Latencies, p50 / p95 / p99 in milliseconds", "")
    yield from _table_head(["Work", *(flavour.title for flavour in asked), "Taken"], left=1)
    for row in rows:
        cells = results.cells[row]
        figures = [_latency(cells.get(flavour.name)) for flavour in asked]
        yield _line([results.titles[row][0], *figures, results.taken[row]])
    yield ""


def _latency(cell: Cell | None) -> str:
    if cell is None or cell.failure:
        return ""
    return " / ".join(f"{value:.3g}" for value in (cell.p50_ms, cell.p95_ms, cell.p99_ms))


def _resources(results: Results) -> Iterator[str]:
    if not results.resources:
        return
    yield from ("## What the servers take up", "")
    yield from (
        "Memory of all processes of a server, and in brackets of the one that was started, which for",
        "Heddle is the one that answers (a worker that applies and checks models runs beside it).",
        "",
    )
    head = ["Server", "memory idle, MB", "memory after the work, MB", "processes"]
    yield from _table_head([*head, "start to first answer, s", "installed, MB"], left=1)
    for name, held in results.resources.items():
        yield _line(
            [
                FLAVOURS[name].title,
                *(_memory(held, when) for when in ("idle", "worked")),
                _number(held.get("processes"), 1),
                f"{held['start_s']:.2f}" if "start_s" in held else "",
                _number(held.get("installed_bytes"), MB),
            ]
        )
    ours = results.resources.get("heddle", {})
    limits = (
        ("memory after the work under 150 MB", "worked_answering_bytes", targets.MEMORY_BYTES),
        ("start to first answer under 1 s", "start_s", targets.START_S),
        ("installed size under 120 MB", "installed_bytes", targets.INSTALLED_BYTES),
    )
    verdicts = [f"{what}: {_met(ours[key] < limit)}" for what, key, limit in limits if key in ours]
    yield from ("", "Targets for Heddle: " + "; ".join(verdicts) + "." if verdicts else "", "")


def _memory(held: Mapping[str, float], when: str) -> str:
    """The memory of all processes at a time, in brackets that of the answering one if others are."""
    whole, answering = held.get(f"{when}_bytes"), held.get(f"{when}_answering_bytes")
    if whole == answering or answering is None:
        return _number(whole, MB)
    return f"{_number(whole, MB)} ({_number(answering, MB)})"


def _number(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:,.0f}"


def _growth(results: Results) -> Iterator[str]:
    if not results.growth:
        return
    yield from ("## Growth of Heddle", "")
    yield from _table_head(
        [
            "What grows",
            "Size",
            "p50, ms",
            "p95, ms",
            "processor, ms",
            "memory, MB",
            "Asked",
            "Taken",
        ],
        left=1,
    )
    for held in results.growth:
        yield _line(
            [
                held["what"],
                f"{held['size']:,}",
                f"{held['p50_ms']:.2f}",
                f"{held['p95_ms']:.2f}",
                f"{held['cpu_ms']:.2f}" if "cpu_ms" in held else "",
                f"{held['memory_bytes'] / MB:,.0f}",
                held["note"],
                held.get("taken", ""),
            ]
        )
    yield ""
    for verdict in _growth_verdicts(results):
        yield f"- {verdict}"
    yield ""


def _drawn() -> Iterator[str]:
    """Yield what `python -m bench.page` measured in a browser, kept in a page of its own."""
    if not PAGE.exists():
        return
    yield from ("## The page in a browser", "", "From `PAGE.md`, which says what is counted.", "")
    yield from (line for line in PAGE.read_text().splitlines() if line.startswith("|"))
    yield ""


def _killed() -> Iterator[str]:
    """Yield the figures of `make torture`, which keeps them in a page of its own."""
    if not TORTURE.exists():
        return
    yield from ("## Killed at any moment", "", "From `TORTURE.md`, which says what they mean.", "")
    yield from (line for line in TORTURE.read_text().splitlines() if line.startswith("|"))
    yield ""


def _growth_verdicts(results: Results) -> Iterator[str]:
    for what, most in targets.GROWTH_RATIOS.items():
        found = [held for held in results.growth if held["what"] == what]
        if len(found) > 1:
            times = found[-1]["p50_ms"] / found[0]["p50_ms"]
            yield (
                f"{what}, {found[-1]['size']:,} against {found[0]['size']:,}: {times:.1f}x as "
                f"long, at most {most:g}x wanted: {_met(times <= most)}"
            )
    for held in results.growth:
        if held["what"].startswith("points"):
            reached = held["p50_ms"] < targets.DRAWN_MS
            yield f"a metric drawn in under {targets.DRAWN_MS:.0f} ms: {_met(reached)}"


def _scoring(results: Results) -> Iterator[str]:
    held = results.scoring
    if not held:
        return
    yield from ("## Scoring", "")
    yield (
        "Parquet to Parquet, ten columns of doubles and a prediction; rows a second once the model"
        " is loaded, medians of the rounds. In brackets the seconds before that, the processor's"
        " seconds for a million rows (starting included), and the most memory of all processes"
        " together, in MB. Every output was compared with that of mlflow.pyfunc,"
        " bit for bit, before its rate counted."
    )
    yield ""
    yield from _table_head(["Engine", *MODELS.values(), "Rows", "Rounds", "Taken"], left=1)
    for engine, title in ENGINES.items():
        found = [held.get(f"{engine} {model}") for model in MODELS]
        any_of = next(filter(None, found), None)
        if any_of is None:
            continue
        names = {"cores": results.facts.get("cores", "?"), "csv_rows": any_of["rows"]}
        rounds = str(min(each["rounds"] for each in found if each))
        yield _line(
            [
                title.format(**names),
                *(_applied(each) for each in found),
                f"{any_of['rows']:,}",
                rounds,
                any_of["taken"],
            ]
        )
    yield ""
    for verdict in _scoring_verdicts(results):
        yield f"- {verdict}"
    yield ""


def _applied(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    cpu_s = found["cpu_s"] / found["rows"] * 1e6
    rest = f"{found['start_s']:.1f} s, {cpu_s:.1f} s, {found['memory_bytes'] / MB:,.0f} MB"
    return f"{found['rate']:,.0f} ({rest})"


def _scoring_verdicts(results: Results) -> Iterator[str]:
    held = results.scoring
    cheap, *costly = MODELS
    wanted = [("heddle", "alone", model, targets.OF_ALONE) for model in costly]
    wanted += [("heddle", "pyfunc", cheap, targets.OVER_LOOP)]
    wanted += [("heddle_spark", "spark_udf", cheap, targets.OVER_SPARK_CHEAP)]
    wanted += [("heddle_spark", "spark_udf", model, targets.OVER_SPARK) for model in costly]
    for ours, theirs, model, least in wanted:
        one, other = held.get(f"{ours} {model}"), held.get(f"{theirs} {model}")
        if one and other:
            ratio = one["rate"] / other["rate"]
            title = ENGINES[theirs].partition(":")[0].partition(",")[0]
            name = "Heddle" if ours == "heddle" else "Heddle on Spark"
            yield (
                f"{name}, {MODELS[model]}: {ratio:.2f} of {title}, at least {least:g} wanted:"
                f" {_met(ratio >= least)}"
            )
    long = held.get("heddle long")
    if long:
        short = held.get(f"heddle {cheap}", long)
        most = max(long["memory_bytes"], short["memory_bytes"])
        yield (
            f"memory, all processes: {short['memory_bytes'] / MB:,.0f} MB for {short['rows']:,} rows,"
            f" {long['memory_bytes'] / MB:,.0f} MB for {long['rows']:,} ({long['rate']:,.0f} rows/s),"
            f" under {targets.APPLYING_BYTES / MB:,.0f} wanted:"
            f" {_met(most < targets.APPLYING_BYTES)}"
        )


def _online(results: Results) -> Iterator[str]:
    held = results.online
    if not held:
        return
    yield from ("## Scoring requests", "")
    yield (
        "A forest of 3 trees over ten columns of doubles, `dataframe_split`; requests a second and, in"
        " brackets, p50 and p99 in milliseconds, medians of the rounds. Both servers are up side by"
        " side and run from one environment; the model's process and the load share the machine. Each"
        " body was compared with what mlflow.pyfunc predicts before its rate counted."
    )
    yield ""
    yield from _table_head(["Work", *SERVERS.values(), "Ratio", "Rounds", "Taken"], left=1)
    for work, (title, _, _) in WORKS.items():
        theirs, ours = (held.get(f"{server} {work}") for server in SERVERS)
        if ours is None:
            continue
        ratio = f"{ours['rate'] / theirs['rate']:.1f}" if theirs else ""
        cells = [_requests(theirs), _requests(ours), ratio, str(ours["rounds"]), ours["taken"]]
        yield _line([title, *cells])
    yield ""
    theirs, ours = (held.get(f"{server} one-32") for server in SERVERS)
    if theirs and ours:
        ratio_32 = ours["rate"] / theirs["rate"]
        reached = _met(ratio_32 >= targets.ONLINE_RATE)
        yield f"- 32 connections: {ratio_32:.1f}x, at least {targets.ONLINE_RATE:g} wanted: {reached}"
    theirs, ours = (held.get(f"{server} one-1") for server in SERVERS)
    if theirs and ours:
        share = ours["p50_ms"] / theirs["p50_ms"]
        reached = _met(share <= targets.ONLINE_P50)
        yield f"- p50 at 1 connection: {share:.2f} of it, {targets.ONLINE_P50:g} wanted: {reached}"
    yield ""


def _requests(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    return f"{found['rate']:,.0f} ({found['p50_ms']:.2f}, {found['p99_ms']:.2f})"


def _failures(results: Results) -> Iterator[str]:
    failed = [
        f"- {FLAVOURS[server].title}, {results.titles[row][0]}: {cell.failure}"
        for row, cells in results.cells.items()
        for server, cell in cells.items()
        if cell.failure
    ]
    if failed:
        yield from ("## Failures", "", *failed)


def _table_head(names: Iterable[str], left: int) -> Iterator[str]:
    names = list(names)
    yield _line(names)
    yield _line(["---" if place < left else "---:" for place in range(len(names))])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
