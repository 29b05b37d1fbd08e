"""Owns how Heddle bears growth: more runs, versions, points, experiments and keys.

Always holds: every figure is the time of one kept-alive client that asks one thing after another,
each answer checked; sizes of one kind are measured on one and the same server.
Leaves to others: comparison with other servers, which would need days to be filled like this.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any
from urllib.parse import urlencode

from bench import seed
from bench.bulk import add_runs
from bench.client import API, Client, Json, expect
from bench.load import Request, send
from bench.machine import cpu_s
from bench.places import RUNS
from bench.seed import BASE_MS, BATCH, RunData, create_experiment, create_run
from bench.servers import FLAVOURS, Programs, Server
from bench.tracking import FILTER, FILTER_ORDER, PAGE, search_request
from bench.work import FAILURES

ASKED = 40
LONGEST_S = 20.0
VERSIONS = (200, 2_000, 20_000)
POINTS = 1_000_000
BUCKETS = 500
EXPERIMENTS = 1_000
KEYS = 5_000


class Growth:
    """Heddles that are made to grow; `keep` gets every figure, `fail` what could not be measured."""

    def __init__(
        self,
        programs: Programs,
        keep: Callable[[Json], None],
        fail: Callable[[str, BaseException], None],
    ) -> None:
        self._programs = programs
        self._keep = keep
        self._fail = fail

    def run(self, run_counts: Sequence[int]) -> None:
        """Measure every kind of growth, each kind on a server of its own."""
        kinds: dict[str, Callable[[Server], None]] = {
            "versions": self._versions,
            "points": self._points,
            "experiments": self._experiments,
            "keys": self._keys,
            "runs": partial(self._runs, counts=run_counts),
        }
        for name, measure in kinds.items():
            try:
                with self._server(name) as server:
                    measure(server)
            except FAILURES as failure:
                self._fail(name, failure)

    @contextmanager
    def _server(self, name: str) -> Iterator[Server]:
        flavour = FLAVOURS["heddle"]
        data = RUNS / f"heddle-growth-{name}"
        shutil.rmtree(data, ignore_errors=True)
        server = Server(flavour, data, lambda port: self._programs.command(flavour, port, data))
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(data, ignore_errors=True)

    def _ask(
        self,
        server: Server,
        client: Client,
        named: tuple[str, int],
        request: Request,
        check: Callable[[Json], None],
    ) -> None:
        """Ask `request` again and again for a while, and keep its latency and the memory."""
        what, size = named
        check(json.loads(send(client, request, 0)))
        taken: list[float] = []
        used_s = cpu_s(server.pids())
        until = time.perf_counter() + LONGEST_S
        length = 0
        while len(taken) < ASKED and time.perf_counter() < until:
            began = time.perf_counter()
            length = len(send(client, request, 0))
            taken.append((time.perf_counter() - began) * 1000)
        used_s = cpu_s(server.pids()) - used_s
        taken.sort()
        measured = {
            "what": what,
            "size": size,
            "p50_ms": median(taken),
            "p95_ms": taken[len(taken) * 95 // 100],
            "cpu_ms": used_s * 1000 / len(taken),
            "memory_bytes": server.answering_bytes(),
            "note": f"{len(taken)} asked, {length / 1000:,.0f} kB each",
        }
        print(
            f"growth: {what}, {size:,}: {measured['p50_ms']:.2f} ms,"
            f" {measured['cpu_ms']:.2f} ms of processor",
            flush=True,
        )
        self._keep(measured)

    def _runs(self, server: Server, *, counts: Sequence[int]) -> None:
        client = Client(server.url)
        experiment = create_experiment(client, "bench-growth")
        uid = seed.write_run(client, experiment, 0)
        best: list[tuple[float, int]] = []
        reached = 1
        for count in counts:
            client.close()
            server.stop()
            numbers = range(reached, count)
            add_runs(server.data / "heddle.db", uid, numbers)
            best = sorted([*best, *_matching(numbers)])[:PAGE]
            reached = count
            server.start()
            client = Client(server.url)
            self._ask_runs(server, client, experiment, count, [number for _, number in best])

    def _ask_runs(
        self,
        server: Server,
        client: Client,
        experiment: str,
        count: int,
        best: list[int],
    ) -> None:
        def named(numbers: Sequence[int]) -> Callable[[Json], None]:
            def check(answer: Json) -> None:
                names = [run["info"]["run_name"] for run in answer.get("runs", [])]
                expect(names == [f"run-{n}" for n in numbers], f"other runs came: {names[:3]}")

            return check

        filtered = search_request(experiment, PAGE, filter=FILTER, order_by=[FILTER_ORDER])
        what = "runs: filtered and ordered search, first page"
        self._ask(server, client, (what, count), filtered, named(best))
        newest = range(count - 1, count - 1 - PAGE, -1)
        request = search_request(experiment, PAGE)
        self._ask(server, client, ("runs: newest page", count), request, named(newest))

    def _versions(self, server: Server) -> None:
        client = Client(server.url)
        experiment = create_experiment(client, "bench-growth")
        info = create_run(client, experiment, "model")
        client.post("registered-models/create", name="grown")
        write = seed.version_writer("grown", info["run_id"], f"{info['artifact_uri']}/model")
        reached = 0
        for count in VERSIONS:
            seed.Threads(server.url).map(write, range(reached, count))
            reached = count
            query = {
                "filter": "name='grown'",
                "max_results": PAGE,
                "order_by": "version_number DESC",
            }
            request = Request("GET", (f"{API}model-versions/search?{urlencode(query)}",))
            newest = list(range(count, count - PAGE, -1))

            def check(answer: Json, newest: list[int] = newest) -> None:
                numbers = [int(version["version"]) for version in answer["model_versions"]]
                expect(numbers == newest, f"other versions came: {numbers[:3]}")

            self._ask(server, client, ("versions of one model: first page", count), request, check)

    def _points(self, server: Server) -> None:
        client = Client(server.url)
        run_id = create_run(client, create_experiment(client, "bench-growth"), "long")["run_id"]
        spike = POINTS // 3
        for start in range(0, POINTS, BATCH):
            points = [
                {
                    "key": "loss",
                    "value": 99.0 if step == spike else 1 / (1 + step),
                    "timestamp": BASE_MS + step,
                    "step": step,
                }
                for step in range(start, start + BATCH)
            ]
            client.post("runs/log-batch", run_id=run_id, metrics=points)
        body = json.dumps({"runs": [run_id], "keys": ["loss"], "buckets": BUCKETS})
        request = Request("POST", ("/api/v1/workspaces/default/series",), (body,))

        def check(answer: Json) -> None:
            found = answer["series"][0]
            expect(found["count"] == POINTS, f"{found['count']} points lie in the series")
            expect(len(found["max"]) <= BUCKETS, "more buckets came than were asked for")
            expect(max(found["max"]) == 99.0, "the one spike was lost")
            expect(min(found["min"]) == 1 / POINTS, "the least value was lost")

        self._ask(
            server, client, (f"points of one metric: {BUCKETS} buckets", POINTS), request, check
        )

    def _experiments(self, server: Server) -> None:
        client = Client(server.url)
        for number in range(EXPERIMENTS):
            create_experiment(client, f"grown-{number}")
        body = json.dumps({"max_results": EXPERIMENTS + 1})
        request = Request("POST", (f"{API}experiments/search",), (body,))

        def check(answer: Json) -> None:
            names = {experiment["name"] for experiment in answer["experiments"]}
            expect(len(names) == EXPERIMENTS + 1, f"{len(names)} experiments came")

        self._ask(server, client, ("experiments: all in one page", EXPERIMENTS), request, check)

    def _keys(self, server: Server) -> None:
        client = Client(server.url)
        experiment = create_experiment(client, "bench-growth")
        uid = seed.write_run(client, experiment, 0)
        for start in range(0, KEYS, BATCH):
            points: list[dict[str, Any]] = [
                {"key": f"key-{n}", "value": n / KEYS, "timestamp": BASE_MS, "step": 0}
                for n in range(start, start + BATCH)
            ]
            client.post("runs/log-batch", run_id=uid, metrics=points)
        request = Request("GET", (f"{API}runs/get?{urlencode({'run_id': uid})}",))

        def check(answer: Json) -> None:
            held = len(answer["run"]["data"]["metrics"])
            expect(held == KEYS + len(RunData.of(0).metrics), f"{held} metrics came")

        self._ask(server, client, ("metric keys of one run: runs/get", KEYS), request, check)
        filtered = search_request(experiment, PAGE, filter="metrics.`key-4999` > 0.5")

        def check_one(answer: Json) -> None:
            expect(len(answer["runs"]) == 1, "the run was not found by its last key")

        self._ask(
            server,
            client,
            ("metric keys of one run: search by the last", KEYS),
            filtered,
            check_one,
        )


def _matching(numbers: range) -> Iterator[tuple[float, int]]:
    for number in numbers:
        data = RunData.of(number)
        if data.metrics["m0"] > 0.5 and data.params["p1"] == "v3" and data.tags["t2"] == "g1":
            yield -data.metrics["m1"], number
