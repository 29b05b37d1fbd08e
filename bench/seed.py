"""Owns the data that every server holds before it is measured, and how it gets there.

Always holds: everything goes in through the public protocol; all servers get the same values, drawn
from the run's number, so that the right answer to a search is known beforehand.
Leaves to others: data too large for that way, which `growth` writes.
"""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from threading import local
from typing import Any, TypeVar

from bench.client import PROXY, Client, Json, expect
from bench.servers import ARTIFACTS, REGISTRY, TRACKING, Flavour

SEEDERS = 12
PORTION = 5000
# Raised when what is seeded changes, so that a seed kept from before is not taken for it.
LAYOUT = 2
BASE_MS = 1_795_000_000_000
WRITERS = 64
HISTORY_KEY = "loss"
BATCH = 1000
Made = TypeVar("Made")
MODEL_FILES = {"MLmodel": 400, "model.bin": 4096, "requirements.txt": 80}


@dataclass(frozen=True)
class Size:
    """How much is seeded."""

    runs: int
    many_runs: int
    history: int
    versions: int


@dataclass(frozen=True)
class Seed:
    """What was seeded, as the server named it."""

    size: Size
    experiment: str
    runs: list[str]
    many_experiment: str
    many_runs: list[str]
    writers: list[str]
    writers_experiment: str
    history_run: str
    model: str
    model_run: str
    model_source: str
    artifacts: str

    def to_json(self) -> Json:
        """Return the seed as JSON, for `from_json`."""
        return asdict(self)

    @staticmethod
    def from_json(fields: Json) -> "Seed":
        """Return the seed that `to_json` described."""
        return Seed(**{**fields, "size": Size(**fields["size"])})


@dataclass(frozen=True)
class RunData:
    """The values of one seeded run."""

    number: int
    metrics: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]

    @staticmethod
    def of(number: int) -> "RunData":
        """Draw the values of run `number`; the same for every server."""
        draw = random.Random(number)
        return RunData(
            number,
            metrics={f"m{index}": draw.random() for index in range(10)},
            params={f"p{index}": f"v{draw.randrange(5)}" for index in range(10)},
            tags={f"t{index}": f"g{draw.randrange(4)}" for index in range(5)},
        )


def fill(url: str, flavour: Flavour, size: Size) -> Seed:
    """Seed a server through its public protocol and return what it now holds."""
    if TRACKING not in flavour.abilities:
        # It is asked to write alone.
        size = replace(size, runs=0, many_runs=0, history=0)
    client = Client(url)
    threads = Threads(url)
    experiment = create_experiment(client, "bench-runs")
    runs = threads.map(run_writer(experiment), range(size.runs))
    many = create_experiment(client, "bench-many") if size.many_runs else ""
    many_runs: list[str] = []
    for start in range(0, size.many_runs, PORTION):
        portion = range(start, min(start + PORTION, size.many_runs))
        many_runs += threads.map(run_writer(many), portion)
        print(f"  {portion.stop:,} of {size.many_runs:,} runs", flush=True)
    writing = create_experiment(client, "bench-writers")
    writers = [create_run(client, writing, f"writer-{index}")["run_id"] for index in range(WRITERS)]
    history = create_run(client, writing, "history")["run_id"]
    for start in range(0, size.history, BATCH):
        client.post("runs/log-batch", run_id=history, metrics=_points(start))
    info = create_run(client, writing, "model")
    root = info["artifact_uri"]
    model = "bench-model"
    if ARTIFACTS in flavour.abilities:
        for name, length in MODEL_FILES.items():
            body = random.Random(name).randbytes(length)
            client.raw("PUT", f"{proxied(root)}/model/{name}", body, "application/octet-stream")
    if REGISTRY in flavour.abilities:
        client.post("registered-models/create", name=model)
        write = version_writer(model, info["run_id"], f"{root}/model")
        threads.map(write, range(size.versions))
        client.post("registered-models/alias", name=model, alias="champion", version="1")
    client.close()
    return Seed(
        size=size,
        experiment=experiment,
        runs=runs,
        many_experiment=many,
        many_runs=many_runs,
        writers=writers,
        writers_experiment=writing,
        history_run=history,
        model=model,
        model_run=info["run_id"],
        model_source=f"{root}/model",
        artifacts=root,
    )


def create_experiment(client: Client, name: str) -> str:
    """Create an experiment and return its id."""
    return str(client.post("experiments/create", name=name)["experiment_id"])


def create_run(client: Client, experiment: str, name: str) -> Json:
    """Create a run and return its info."""
    made = client.post(
        "runs/create", experiment_id=experiment, run_name=name, start_time=BASE_MS, tags=[]
    )
    info: Json = made["run"]["info"]
    return info


def proxied(root: str) -> str:
    """Return the path under which the server passes on the files of an artifact root."""
    expect(root.startswith("mlflow-artifacts:/"), f"{root} is not passed on by the server")
    return f"{PROXY}/{root.removeprefix('mlflow-artifacts:').strip('/')}"


def write_run(client: Client, experiment: str, number: int) -> str:
    """Create run `number` with all its values and return its id."""
    data = RunData.of(number)
    made = client.post(
        "runs/create",
        experiment_id=experiment,
        run_name=f"run-{number}",
        start_time=BASE_MS + number,
        tags=_pairs(data.tags),
    )
    run_id: str = made["run"]["info"]["run_id"]
    metrics: list[dict[str, Any]] = [
        {"key": key, "value": value, "timestamp": BASE_MS + number, "step": 0}
        for key, value in data.metrics.items()
    ]
    client.post("runs/log-batch", run_id=run_id, metrics=metrics, params=_pairs(data.params))
    return run_id


def run_writer(experiment: str) -> Callable[[Client, int], str]:
    """Return what makes one run of `experiment` for each number."""
    return lambda client, number: write_run(client, experiment, number)


def version_writer(model: str, run_id: str, source: str) -> Callable[[Client, int], None]:
    """Return what makes one version of `model` for each number."""

    def write(client: Client, number: int) -> None:
        client.post(
            "model-versions/create",
            name=model,
            source=source,
            run_id=run_id,
            tags=[{"key": "number", "value": str(number)}],
        )

    return write


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _points(start: int) -> list[dict[str, Any]]:
    return [
        {"key": HISTORY_KEY, "value": 1 / (1 + step), "timestamp": BASE_MS + step, "step": step}
        for step in range(start, start + BATCH)
    ]


class Threads:
    """Runs one piece of work per number, each thread over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._own = local()

    def map(self, work: Callable[[Client, int], Made], numbers: Iterable[int]) -> list[Made]:
        """Do `work` for each number and return what it made, in the numbers' order."""

        def one(number: int) -> Made:
            if not hasattr(self._own, "client"):
                self._own.client = Client(self._url)
            return work(self._own.client, number)

        with ThreadPoolExecutor(SEEDERS) as pool:
            return list(pool.map(one, numbers))
