"""Owns the workloads of tracking: writing metrics and runs, searching and reading them."""

import json
from collections.abc import Mapping
from functools import cache, partial
from urllib.parse import urlencode

from bench.client import API, Client, Json, expect
from bench.load import Load, Measure, Request, run_script
from bench.seed import BASE_MS, BATCH, HISTORY_KEY, RunData, create_experiment
from bench.servers import POINTS, TRACKING
from bench.work import Maker, Round, Row, Target, Work, Workload, loaded

SCRIPT_METRICS = 20
BATCH_KEYS = 10
FILTER = "metrics.m0 > 0.5 AND params.p1 = 'v3' AND tags.t2 = 'g1'"
FILTER_ORDER = "metrics.m1 DESC"
PAGE = 100


def metric_points(name: str, connections: int) -> Maker:
    """Return the making of single points, written to as many runs as there are connections."""

    def make(target: Target, number: int) -> Work:
        key = f"{name}-r{number}"
        runs = target.seed.writers[:connections]
        requests = [
            Request(
                "POST",
                (f"{API}runs/log-metric",),
                (
                    f'{{"run_id":"{run}","key":"{key}","value":0.',
                    f',"timestamp":{BASE_MS},"step":',
                    "}",
                ),
            )
            for run in runs
        ]

        def verify(answers: int) -> None:
            points = history(target.client, runs[0], key)
            expect_near(len(points), answers / connections, connections + 2, f"points of {key}")
            wrong = [p for p in points if p["value"] != float(f"0.{p.get('step', 0)}")]
            expect(not wrong, f"points came back with other values: {wrong[:1]}")

        return Work(requests, expect_empty, verify)

    return make


def log_metric(connections: int, *, postgres: bool = False) -> Workload:
    """One point per request."""
    name = f"log-metric-{connections}"
    return loaded(
        name,
        f"log-metric, {plural(connections)}",
        POINTS,
        metric_points(name, connections),
        connections=connections,
        quick=True,
        postgres=postgres,
    )


def log_batch(connections: int, *, quick: bool = False, postgres: bool = False) -> Workload:
    """1000 points per request: ten keys, a hundred steps each, every connection its own run."""
    name = f"log-batch-{connections}"

    def make(target: Target, number: int) -> Work:
        keys = [f"{name}-r{number}-k{index}" for index in range(BATCH_KEYS)]
        runs = target.seed.writers[:connections]
        requests = [Request("POST", (f"{API}runs/log-batch",), batch(run, keys)) for run in runs]

        def verify(answers: int) -> None:
            points = history(target.client, runs[0], keys[0])
            steps = BATCH // BATCH_KEYS
            expect_near(
                len(points) / steps, answers / connections, connections + 2, f"batches of {keys[0]}"
            )
            expect(len(points) % steps == 0, "a batch was stored in part")

        return Work(requests, expect_empty, verify)

    return loaded(
        name,
        f"log-batch of {BATCH} points, {plural(connections)}",
        POINTS,
        make,
        connections=connections,
        unit="points/s",
        per_request=lambda _: BATCH,
        quick=quick,
        postgres=postgres,
    )


def batch(run_id: str, keys: list[str]) -> tuple[str, ...]:
    """Return the body of a log-batch; the running number goes before the last digits of steps."""
    parts = [f'{{"run_id":"{run_id}","metrics":[']
    for index in range(BATCH):
        key = keys[index % len(keys)]
        parts[-1] += f'{{"key":"{key}","value":0.{index:03d},"timestamp":{BASE_MS},"step":'
        parts.append(f"{index // len(keys):02d}}},")
    parts[-1] = parts[-1].rstrip(",") + "]}"
    # A number may not begin with a zero, hence the 1 that every step begins with.
    return tuple(part + ("1" if part.endswith('"step":') else "") for part in parts)


def create_run(connections: int, *, quick: bool = False, postgres: bool = False) -> Workload:
    """Create runs as a client does, with a name and the tags that it sends."""
    name = f"create-run-{connections}"

    def make(target: Target, number: int) -> Work:
        experiment = create_experiment(target.client, f"{name}-r{number}")
        tags = {"mlflow.user": "bench", "mlflow.source.name": "train.py"}
        pairs = json.dumps([{"key": key, "value": value} for key, value in tags.items()])
        head = f'{{"experiment_id":"{experiment}","user_id":"bench","start_time":{BASE_MS},'
        body = (f'{head}"tags":{pairs},"run_name":"run-', '"}')

        def check(content: bytes) -> None:
            made = json.loads(content)["run"]
            expect(made["info"]["experiment_id"] == experiment, "the run is in another experiment")
            expect(made["info"]["run_name"] == "run-0", "the run has another name")
            held = {tag["key"]: tag["value"] for tag in made["data"]["tags"]}
            expect(held.items() >= tags.items(), f"the run has other tags: {held}")

        def verify(answers: int) -> None:
            found = search(target.client, experiment, max_results=50000)
            expect_near(len(found), answers, connections + 2, "runs")
            names = {run["info"]["run_name"] for run in found}
            expect(len(names) == len(found), "a run was created twice")

        return Work([Request("POST", (f"{API}runs/create",), body)], check, verify)

    return loaded(
        name,
        f"create-run, {plural(connections)}",
        TRACKING,
        make,
        connections=connections,
        quick=quick,
        postgres=postgres,
    )


def training_script() -> Workload:
    """A training script as it runs: one request after another on one connection."""
    name = "training-script"

    def prepare(target: Target) -> Round:
        def one(number: int) -> Mapping[str, Measure]:
            experiment = create_experiment(target.client, f"{name}-r{number}")
            load = Load(target.url, (), 1, target.form.seconds)
            measure = run_script(load, "training.lua", [experiment, str(SCRIPT_METRICS)])
            expected = measure.requests // (SCRIPT_METRICS + 3)
            done = [
                run
                for run in search(target.client, experiment, max_results=50000)
                if run["info"]["status"] == "FINISHED"
            ]
            expect_near(len(done), expected, 2, "finished runs")
            for run in done[:5]:
                expect(len(run["data"]["params"]) == 10, "a finished run lacks params")
                last = run["data"]["metrics"][0]
                expect(last["step"] == SCRIPT_METRICS - 1, f"the latest point is not last: {last}")
            return {name: measure}

        return one

    title = f"training script (create, params, {SCRIPT_METRICS} x log-metric, finish)"
    row = Row(name, title, "req/s")
    return Workload(name, (row,), TRACKING, prepare, quick=True, postgres=True)


def search_newest(
    name: str, title: str, page: int, *, many: bool = False, postgres: bool = False
) -> Workload:
    """The newest runs of an experiment, as the list of runs asks for them."""

    def make(target: Target, _: int) -> Work:
        total = target.seed.size.many_runs if many else target.seed.size.runs
        newest = range(total - 1, max(total - page, 0) - 1, -1)

        def check(content: bytes) -> None:
            expect_runs(json.loads(content).get("runs", []), list(newest))

        return Work([search_request(experiment_of(target, many=many), page)], check, steady=True)

    return loaded(
        name,
        title,
        TRACKING,
        make,
        connections=4 if page == PAGE else 2,
        quick=not many,
        postgres=postgres,
        many=many,
    )


def filtered_runs(*, many: bool = False) -> Maker:
    """Return the making of the first page of a filtered and ordered search."""

    def make(target: Target, _: int) -> Work:
        total = target.seed.size.many_runs if many else target.seed.size.runs
        request = search_request(
            experiment_of(target, many=many), PAGE, filter=FILTER, order_by=[FILTER_ORDER]
        )

        def check(content: bytes) -> None:
            expect_runs(json.loads(content).get("runs", []), matching(total)[:PAGE])

        return Work([request], check, steady=True)

    return make


def search_filtered(*, many: bool = False, postgres: bool = False) -> Workload:
    """A filter on a metric, a param and a tag, ordered by another metric."""
    return loaded(
        "search-filter-many" if many else "search-filter",
        f"runs/search, filter and order, {'of many' if many else 'of 1000'}",
        TRACKING,
        filtered_runs(many=many),
        connections=4,
        quick=not many,
        postgres=postgres,
        many=many,
    )


def single_runs(target: Target, _: int, *, many: bool = False) -> Work:
    """Make the requests for single runs by their id, all seeded ones in turn."""
    runs = target.seed.many_runs if many else target.seed.runs
    requests = [Request("GET", (f"{API}runs/get?{urlencode({'run_id': run})}",)) for run in runs]

    def check(content: bytes) -> None:
        expect_runs([json.loads(content)["run"]], [0])

    return Work(requests, check, steady=True)


def get_run(*, many: bool = False, postgres: bool = False) -> Workload:
    """Single runs by their id."""
    return loaded(
        "get-run-many" if many else "get-run",
        f"runs/get, each of {'many' if many else '1000'} in turn, 16 connections",
        TRACKING,
        partial(single_runs, many=many),
        connections=16,
        quick=not many,
        postgres=postgres,
        many=many,
    )


def get_history() -> Workload:
    """All points of one long metric."""

    def make(target: Target, _: int) -> Work:
        query = urlencode({"run_id": target.seed.history_run, "metric_key": HISTORY_KEY})
        length = target.seed.size.history

        def check(content: bytes) -> None:
            points = json.loads(content).get("metrics", [])
            steps = [point.get("step", 0) for point in points]
            expect(steps == list(range(length)), f"{len(steps)} of {length} points came, in order")
            expect(points[-1]["value"] == 1 / length, "the last point has another value")

        return Work([Request("GET", (f"{API}metrics/get-history?{query}",))], check, steady=True)

    return loaded(
        "get-history",
        "metrics/get-history",
        TRACKING,
        make,
        connections=1,
        unit="points/s",
        per_request=lambda target: target.seed.size.history,
        quick=True,
        postgres=True,
    )


def experiment_of(target: Target, *, many: bool) -> str:
    """Return the experiment that holds the thousand runs, or the many."""
    return target.seed.many_experiment if many else target.seed.experiment


def search_request(experiment: str, page: int, **fields: object) -> Request:
    """Return a runs/search of one experiment."""
    body = {"experiment_ids": [experiment], "max_results": page, **fields}
    return Request("POST", (f"{API}runs/search",), (json.dumps(body),))


@cache
def matching(total: int) -> list[int]:
    """Return the numbers of the seeded runs that match the filter, in the order asked for."""
    found = [
        data
        for data in map(RunData.of, range(total))
        if data.metrics["m0"] > 0.5 and data.params["p1"] == "v3" and data.tags["t2"] == "g1"
    ]
    return [data.number for data in sorted(found, key=lambda data: -data.metrics["m1"])]


def expect_runs(runs: list[Json], numbers: list[int]) -> None:
    """Raise WrongAnswer unless `runs` are the seeded runs with these numbers, in this order."""
    names = [run["info"]["run_name"] for run in runs]
    expect(names == [f"run-{number}" for number in numbers], f"other runs came: {names[:3]}...")
    for run, number in zip(runs, numbers, strict=True):
        data = RunData.of(number)
        held = run["data"]
        metrics = {metric["key"]: metric["value"] for metric in held["metrics"]}
        expect(metrics == data.metrics, f"run-{number} has other metrics")
        expect(_values(held["params"]) == data.params, f"run-{number} has other params")
        expect(_values(held["tags"]).items() >= data.tags.items(), f"run-{number}: other tags")


def _values(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in pairs}


def history(client: Client, run_id: str, key: str) -> list[Json]:
    """Return all points of a metric."""
    found: list[Json] = client.get("metrics/get-history", run_id=run_id, metric_key=key).get(
        "metrics", []
    )
    return found


def search(client: Client, experiment: str, **fields: object) -> list[Json]:
    """Return the runs of an experiment, one page of them."""
    found: list[Json] = client.post("runs/search", experiment_ids=[experiment], **fields).get(
        "runs", []
    )
    return found


def expect_empty(content: bytes) -> None:
    """Raise WrongAnswer unless the answer is the empty object of a void method."""
    expect(json.loads(content) == {}, f"an empty object was expected: {content[:80]!r}")


def expect_near(found: float, answers: float, slack: float, what: str) -> None:
    """Raise WrongAnswer unless all answered work is there, and little that was not answered."""
    expect(
        answers - slack <= found <= answers + slack,
        f"{found:.0f} {what} are stored, {answers:.0f} were answered",
    )


def plural(connections: int) -> str:
    """Return "1 connection" or "N connections"."""
    return f"{connections} connection" + ("s" if connections > 1 else "")


def workloads() -> list[Workload]:
    """Return the workloads of tracking in the order of the report."""
    return [
        *(log_metric(connections, postgres=connections > 1) for connections in (1, 16, 64)),
        log_batch(1),
        log_batch(4, quick=True, postgres=True),
        create_run(1),
        create_run(16, quick=True, postgres=True),
        create_run(64),
        training_script(),
        search_newest("search-100", "runs/search, newest 100 of 1000", PAGE, postgres=True),
        search_newest("search-1000", "runs/search, 1000 of 1000", 1000, postgres=True),
        search_filtered(postgres=True),
        search_newest("search-100-many", "runs/search, newest 100 of many", PAGE, many=True),
        search_filtered(many=True),
        get_run(postgres=True),
        get_run(many=True),
        get_history(),
    ]
