"""Owns the measuring of scoring requests: Heddle's endpoint beside `mlflow models serve`.

Always holds: both servers hold the same model, run from one environment, are up side by side and
asked in turn, never at once; the body of each work's answer is compared with `mlflow.pyfunc`'s
predictions before its rate counts, and every answer has that body's size.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from bench.client import Client, Json, WrongAnswer, expect
from bench.load import Load, Measure, Request, run
from bench.machine import tree_pids
from bench.peers import environment
from bench.places import HERE, ROOT, RUNS
from bench.servers import free_port
from bench.work import FAILURES

MODEL = "forest-3"
COLUMNS = [f"x{number}" for number in range(10)]
WORKS = {
    "one-1": ("one row, 1 connection", 1, 1),
    "one-8": ("one row, 8 connections", 1, 8),
    "one-32": ("one row, 32 connections", 1, 32),
    "many-1": ("1000 rows, 1 connection", 1000, 1),
    "many-8": ("1000 rows, 8 connections", 1000, 8),
}
SERVERS = {"models_serve": "`mlflow models serve`", "heddle": "**Heddle's endpoint**"}
ENDPOINT = "/api/v1/workspaces/default/models/m/versions/1/endpoint"
START_S = 180.0
WARM = 50
"""Requests that each server is asked before its first round counts."""


class Online:
    """One measuring of both servers; `keep` gets every figure, `fail` what could not be measured."""

    def __init__(
        self,
        rounds: int,
        seconds: float,
        keep: Callable[[Json], None],
        fail: Callable[[str, BaseException], None],
    ) -> None:
        self._rounds = rounds
        self._seconds = seconds
        self._keep = keep
        self._fail = fail
        self._place = RUNS / "online"
        self._python = environment("scoring") / "bin" / "python"

    def run(self) -> None:
        """Start both servers with one model and ask them in rounds."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(parents=True)
        try:
            self._program("models", str(self._place), MODEL)
            with self._serving() as places:
                self._measure(places)
        except FAILURES as failure:
            self._fail("heddle, endpoints", failure)
        finally:
            shutil.rmtree(self._place, ignore_errors=True)

    @contextmanager
    def _serving(self) -> Iterator[dict[str, tuple[str, str]]]:
        """Start every server; the address and path of each."""
        folder = self._place / MODEL
        options = ["-m", str(folder), "--env-manager", "local", "--host", "127.0.0.1"]
        starts = {
            "models_serve": (["mlflow", "models", "serve", *options], "/ping", "/invocations"),
            "heddle": (
                ["heddle", "serve", "--no-worker", "--data", str(self._place / "data")],
                "/health",
                f"{ENDPOINT}/score",
            ),
        }
        places = {}
        with ExitStack() as stack:
            for server in SERVERS:
                words, health, path = starts[server]
                port = free_port()
                given = ["-m", *words, "--port", str(port)]
                stack.enter_context(self._running(given, port, health))
                places[server] = (f"http://127.0.0.1:{port}", path)
            register(places["heddle"][0], folder)
            yield places

    def _measure(self, places: dict[str, tuple[str, str]]) -> None:
        found: dict[tuple[str, str], list[Measure]] = {}
        counts = {count for _, count, _ in WORKS.values()}
        known = {count: self._known(count) for count in counts}
        for number in range(self._rounds):
            for work, (title, count, connections) in WORKS.items():
                for server, (url, path) in places.items():
                    body, predictions = known[count]
                    load = Load(
                        url, [Request("POST", (path,), (body,))], connections, self._seconds
                    )
                    try:
                        measure = self._asked(load, predictions, warm=not number)
                    except FAILURES as failure:
                        self._fail(f"{server}, {title}", failure)
                        continue
                    rounds = found.setdefault((server, work), [])
                    rounds.append(measure)
                    self._keep(_figures(server, work, rounds))

    def _asked(self, load: Load, predictions: list[float], *, warm: bool) -> Measure:
        """One round of one work, after its answer was compared."""
        request = load.requests[0]
        client = Client(load.url)
        try:
            for _ in range(WARM if warm else 1):
                answer = client.raw("POST", request.path[0], _bytes(request.body[0]), request.kind)
        finally:
            client.close()
        given = json.loads(answer)["predictions"]
        expect(given == predictions, "the predictions are not those of mlflow.pyfunc")
        measure = run(load)
        expect(
            measure.bytes_per_answer > 0.95 * len(answer), "answers are shorter than the right one"
        )
        return measure

    def _known(self, count: int) -> tuple[str, list[float]]:
        """The body of a request for so many rows, and what pyfunc predicts for them."""
        said = self._program("online", str(self._place / MODEL), str(count))
        return json.dumps({"dataframe_split": said["rows"]}), said["predictions"]

    def _program(self, *words: str) -> Json:
        done = subprocess.run(
            [str(self._python), str(HERE / "appliers.py"), *words],
            env=self._environ(),
            cwd=self._place,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise WrongAnswer(f"{words[0]} ended: {done.stderr.strip()[-300:]}")
        found: Json = json.loads(done.stdout.splitlines()[-1])
        return found

    def _environ(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        path = f"{self._python.parent}{os.pathsep}{os.environ['PATH']}"
        return kept | {"PYTHONPATH": str(ROOT / "src"), "PATH": path, "HOME": str(self._place)}

    @contextmanager
    def _running(self, words: Sequence[str], port: int, path: str) -> Iterator[None]:
        log = self._place / f"{port}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [str(self._python), *words],
                env=self._environ(),
                cwd=self._place,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _await(f"http://127.0.0.1:{port}", path, process, log)
                yield
            finally:
                for pid in tree_pids(process.pid) if process.poll() is None else []:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def _await(url: str, path: str, process: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        client = Client(url, timeout_s=10)
        try:
            client.raw("GET", path)
        except (OSError, http.client.HTTPException, WrongAnswer):
            time.sleep(0.1)
        else:
            return
        finally:
            client.close()
        if process.poll() is not None:
            break
    raise WrongAnswer(f"no answer: {log.read_text(errors='replace').strip()[-300:]}")


def register(url: str, folder: Path) -> None:
    """Have a server hold a model's folder as version 1 of ``m``, active and loaded."""
    client = Client(url)
    try:
        made = client.post("runs/create", experiment_id="0", start_time=1)
        run_id = made["run"]["info"]["run_id"]
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = f"0/{run_id}/artifacts/model/{path.relative_to(folder).as_posix()}"
                client.raw(
                    "PUT",
                    f"/api/2.0/mlflow-artifacts/artifacts/{place}",
                    path.read_bytes(),
                    "application/octet-stream",
                )
        client.post("registered-models/create", name="m")
        source = f"{made['run']['info']['artifact_uri']}/model"
        client.post("model-versions/create", name="m", source=source, run_id=run_id)
        client.raw("POST", f"{ENDPOINT}/activate")
        began = time.monotonic()
        state: Json = {}
        while not state.get("is_loaded"):
            time.sleep(0.1)
            state = json.loads(client.raw("GET", ENDPOINT))
            is_late = time.monotonic() - began > START_S
            expect(not is_late and state["state"] != "failed", state["failure"] or "not loaded")
    finally:
        client.close()


def _bytes(part: str | bytes) -> bytes:
    return part.encode() if isinstance(part, str) else part


def _figures(server: str, work: str, rounds: Sequence[Measure]) -> Json:
    return {
        "server": server,
        "work": work,
        "rounds": len(rounds),
        "rate": median(each.rate for each in rounds),
        "p50_ms": median(each.p50_ms for each in rounds),
        "p95_ms": median(each.p95_ms for each in rounds),
        "p99_ms": median(each.p99_ms for each in rounds),
    }
