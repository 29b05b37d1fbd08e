"""Owns the measuring of models applied to tables: Heddle beside what people do without it.

Always holds: every engine runs as programs of its own in one and the same environment, one at a
time and in turn; its predictions are compared, bit by bit, with those of `mlflow.pyfunc` before its
rate counts; rates begin when the model is loaded, and what comes before stands beside them.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from bench.client import Json, WrongAnswer, expect
from bench.forms import Tables
from bench.machine import cpu_s, pss_bytes, tree_pids
from bench.peers import environment
from bench.places import HERE, ROOT, RUNS
from bench.work import FAILURES

LONGEST_S = 600.0
SAMPLED_S = 0.2
TRUTH = "pyfunc"
MODELS = {
    "forest-3": "forest of 3 trees",
    "forest-100": "forest of 100 trees",
    "lightgbm-100": "LightGBM, 100 trees",
}
ENGINES = {
    "alone": "`predict` alone, in memory, {cores} processes",
    "plain": "plain loop: read, predict with the library, write",
    TRUTH: "the same through `mlflow.pyfunc`",
    "models_predict": "`mlflow models predict` on CSV, {csv_rows:,} rows, start included",
    "spark_udf": "`mlflow.pyfunc.spark_udf` on Spark local[2]",
    "heddle": "**`heddle predict`**, {cores} processes",
    "heddle_spark": "**`heddle predict --engine spark`** on Spark local[2]",
}


class Scoring:
    """One measuring of all engines; `keep` gets every figure, `fail` what could not be measured."""

    def __init__(
        self,
        sizes: Tables,
        keep: Callable[[Json], None],
        fail: Callable[[str, BaseException], None],
    ) -> None:
        self._sizes = sizes
        self._keep = keep
        self._fail = fail
        self._place = RUNS / "scoring"
        self._truth: dict[str, str] = {}
        self._found: dict[tuple[str, str], list[Json]] = {}

    def run(self) -> None:
        """Measure every engine with every model, in rounds, then one long table."""
        began = time.monotonic()
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(parents=True)
        try:
            self._prepare()
            for number in range(self._sizes.rounds):
                if number and time.monotonic() - began > self._sizes.budget_s:
                    break
                for model in MODELS:
                    self._round(model, number)
            self._long()
        finally:
            shutil.rmtree(self._place, ignore_errors=True)

    def _prepare(self) -> None:
        csv = f"{self._place / 'in.csv'}:{self._sizes.csv_rows}"
        self._program("table", str(self._place / "in.parquet"), str(self._sizes.rows), csv)
        self._program("models", str(self._place), *MODELS)

    def _round(self, model: str, number: int) -> None:
        # First what says which bits are right.
        for engine in (TRUTH, *(name for name in ENGINES if name != TRUTH)):
            if engine == "models_predict" and (number or model != "forest-3"):
                continue
            try:
                found = self._measure(engine, model)
            except FAILURES as failure:
                if number == 0:
                    self._fail(f"{engine}, {model}", failure)
                continue
            rounds = self._found.setdefault((engine, model), [])
            rounds.append(found)
            self._keep(
                {
                    "engine": engine,
                    "model": model,
                    "rows": found["rows"],
                    "rounds": len(rounds),
                    "rate": median(each["rate"] for each in rounds),
                    "start_s": median(each["start_s"] for each in rounds),
                    "cpu_s": median(each["cpu_s"] for each in rounds),
                    "memory_bytes": max(each["memory_bytes"] for each in rounds),
                }
            )

    def _measure(self, engine: str, model: str) -> Json:
        """Run one engine once, and check what it wrote."""
        source = self._place / ("in.csv" if engine == "models_predict" else "in.parquet")
        suffix = {"models_predict": ".json", "spark_udf": "", "heddle_spark": "/"}
        out = f"{self._place / 'out'}{suffix.get(engine, '.parquet')}"
        folder = str(self._place / model)
        try:
            found: Json = getattr(self, f"_{engine}")(folder, str(source), out)
            if engine == "models_predict":
                self._compare(out, self._program("truth", folder, str(source)))
            elif engine != "alone":
                self._check(model, out)
        finally:
            for left in self._place.glob("out*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        seconds = found["seconds"]
        rate = found["rows"] / seconds
        print(f"scoring: {engine}, {model}: {rate:,.0f} rows/s", flush=True)
        return found | {"rate": rate, "start_s": found["wall_s"] - seconds}

    def _check(self, model: str, out: str) -> None:
        made = self._program("digest", out)
        expect(made["rows"] == self._sizes.rows, f"{made['rows']} rows were written")
        known = self._truth.setdefault(model, made["digest"])
        expect(made["digest"] == known, "the predictions are not those of mlflow.pyfunc")

    def _compare(self, out: str, known: Json) -> None:
        made = self._program("digest", out)
        expect(made["rows"] == known["rows"], f"{made['rows']} rows were written")
        expect(made["digest"] == known["digest"], "the predictions are not those of mlflow.pyfunc")

    def _alone(self, folder: str, source: str, out: str) -> Json:
        del out
        count = str(os.cpu_count() or 1)
        # As many threads for each process as Heddle leaves it.
        return self._program(
            "alone", folder, source, count, str(self._sizes.rows), OMP_NUM_THREADS="1"
        )

    def _plain(self, folder: str, source: str, out: str) -> Json:
        return self._program("plain", folder, source, out)

    def _pyfunc(self, folder: str, source: str, out: str) -> Json:
        return self._program("pyfunc", folder, source, out)

    def _spark_udf(self, folder: str, source: str, out: str) -> Json:
        return self._program("spark_udf", folder, source, out)

    def _models_predict(self, folder: str, source: str, out: str) -> Json:
        options = ["-m", folder, "-i", source, "-o", out, "-t", "csv", "--env-manager", "local"]
        words = ["-m", "mlflow", "models", "predict", *options]
        _, taken = self._watch(words)
        return taken | {"rows": self._sizes.csv_rows, "seconds": taken["wall_s"]}

    def _heddle(self, folder: str, source: str, out: str) -> Json:
        return self._command(folder, source, out)

    def _heddle_spark(self, folder: str, source: str, out: str) -> Json:
        return self._command(folder, source, out, "--engine", "spark")

    def _command(self, *words: str) -> Json:
        said, taken = self._watch(["-m", "heddle", "predict", "--json", *words])
        receipt = json.loads(said)
        # Spark loads models in its tasks, as it does for spark_udf: that is within the time of both.
        began_ms = receipt["started_ms" if "spark" in words else "loaded_ms"]
        seconds = (receipt["ended_ms"] - began_ms) / 1000
        return taken | {"rows": receipt["rows"], "seconds": seconds}

    def _long(self) -> None:
        """Apply the cheapest model to a table many times as long; memory should not notice."""
        if not self._sizes.long_rows:
            return
        source, out = str(self._place / "long.parquet"), str(self._place / "out.parquet")
        try:
            self._program("table", source, str(self._sizes.long_rows))
            folder = str(self._place / "forest-3")
            found = self._command(folder, source, out)
            self._compare(out, self._program("truth", folder, source))
            expect(found["rows"] == self._sizes.long_rows, f"{found['rows']} rows were scored")
        except FAILURES as failure:
            self._fail("heddle, long table", failure)
            return
        self._keep(
            {
                "engine": "heddle",
                "model": "long",
                "rows": found["rows"],
                "rounds": 1,
                "rate": found["rows"] / found["seconds"],
                "start_s": found["wall_s"] - found["seconds"],
                "cpu_s": found["cpu_s"],
                "memory_bytes": found["memory_bytes"],
            }
        )

    def _program(self, *words: str, **environ: str) -> Json:
        said, taken = self._watch([str(HERE / "appliers.py"), *words], **environ)
        found: Json = json.loads(said.splitlines()[-1])
        return found | taken

    def _watch(self, words: Sequence[str], **environ: str) -> tuple[str, Json]:
        """Run a program to its end: what it said; how long it took, of processors too; its memory."""
        python = environment("scoring") / "bin" / "python"
        began, before_s = time.perf_counter(), _children_s()
        with self._running([str(python), *words], environ) as (process, said, errors):
            most, cpu = 0, 0.0
            while process.poll() is None:
                if time.perf_counter() - began > LONGEST_S:
                    raise WrongAnswer(f"it took more than {LONGEST_S:.0f} s")
                pids = tree_pids(process.pid)
                most, cpu = max(most, pss_bytes(pids)), max(cpu, cpu_s(pids))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLED_S)
            wall_s = time.perf_counter() - began
            if process.returncode:
                words = errors.read_text(errors="replace").strip().splitlines() or ["no words"]
                raise WrongAnswer(f"it ended with {process.returncode}: {' '.join(words[-3:])}")
            # Those that nobody waited for are known by what was seen of them while they lived.
            cpu = max(cpu, _children_s() - before_s)
            return said.read_text(), {"wall_s": wall_s, "cpu_s": cpu, "memory_bytes": most}

    @contextmanager
    def _running(
        self, command: Sequence[str], environ: dict[str, str]
    ) -> Iterator[tuple[subprocess.Popen[bytes], Path, Path]]:
        said, errors = self._place / "said", self._place / "errors"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        given = {
            "PYTHONPATH": str(ROOT / "src"),
            "HEDDLE_CACHE": str(self._place / "cache"),
            "HOME": str(self._place),
            "SPARK_LOCAL_IP": "127.0.0.1",
            # What Spark starts is this environment's Python as well.
            "PYSPARK_PYTHON": command[0],
            "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}",
        }
        with said.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                command,
                env=kept | given | environ,
                cwd=self._place,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                yield process, said, errors
            finally:
                left = tree_pids(process.pid)
                for pid in left if process.poll() is None else []:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def _children_s() -> float:
    """The processor time of all processes that ended and were waited for, in seconds."""
    times = os.times()
    return times.children_user + times.children_system
