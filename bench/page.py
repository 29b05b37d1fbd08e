"""Owns how the page is measured in a Chromium: its data, the server, and the table of figures.

``python -m bench.page`` fills a database (20,000 versions with 300 metrics, 100 runs of 100,000
points), serves it, lets ``page.js`` open the page on it, and writes ``PAGE.md``. ``--seed-only``
stops when the data are there; ``--versions`` and ``--points`` make it smaller. ``--peer`` fills an
MLflow with the same (its long series ``--peer-points`` long) and opens its page once, too.
Always holds: a written row is a copy of one that the server wrote itself, with other values.
Leaves to others: everything that is measured without a browser (``bench.run``).
"""

import argparse
import json
import math
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import page_peer
from bench.bulk import CACHE_KIB, SETTINGS, Copied
from bench.client import Client
from bench.places import HERE, PAGE, ROOT, WORK
from bench.seed import BASE_MS, create_experiment, create_run
from bench.servers import FLAVOURS, Server

MODEL = "wide"
METRICS = 300
KEYS = [f"group{n % 12}/metric_{n:03d}" for n in range(METRICS - 2)] + ["rmse", "accuracy"]
PARAMS = ("n_estimators", "learning_rate", "kernel", "depth")
LONG_RUNS = 100
CHUNK = 500
OUTLINES_S = 120


def main() -> None:
    """Seed, serve, measure, report."""
    parser = argparse.ArgumentParser(prog="bench.page", description=__doc__)
    parser.add_argument("--versions", type=int, default=20_000)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--data", type=Path, default=WORK / "page")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--peer-points", type=int, default=10_000)
    parser.add_argument("--seed-only", action="store_true")
    given = parser.parse_args()
    seeded = given.data / f"seeded-{given.versions}-{given.points}"
    if not seeded.exists():
        shutil.rmtree(given.data, ignore_errors=True)
        seed(given.data, given.versions, given.points)
        seeded.touch()
    if given.seed_only:
        return
    with closing(_Serving(given.data)) as serving:
        figures = measure(serving.url, given.versions)
    peer: list[dict[str, Any]] = []
    if given.peer:
        peer = _measure_peer(given.data.parent / "page-peer", given.versions, given.peer_points)
    text = report(figures, peer, given)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


class _Serving:
    """Heddle on a data folder, until closed."""

    def __init__(self, data: Path) -> None:
        flavour = FLAVOURS["heddle"]
        program = str(Path(sys.executable).with_name("heddle"))
        self._server = Server(
            flavour,
            data,
            lambda port: [program, "serve", "--port", str(port), "--data", str(data)],
        )
        self._server.start()
        self.url = self._server.url

    def close(self) -> None:
        self._server.stop()


def _measure_peer(data: Path, versions: int, points: int) -> list[dict[str, Any]]:
    """What MLflow's page takes for the same, once; its data are made first where they are missing."""
    kept = data / f"seeded-{versions}-{points}.json"
    if not kept.exists():
        shutil.rmtree(data, ignore_errors=True)
        uids = page_peer.seed(data, MODEL, KEYS, versions, long_runs=LONG_RUNS, points=points)
        kept.write_text(json.dumps(uids), encoding="utf-8")
    uids = json.loads(kept.read_text(encoding="utf-8"))
    with closing(page_peer.Peer(data)) as peer:
        addresses = data / "addresses.json"
        addresses.write_text(
            json.dumps(page_peer.addresses(peer.url, MODEL, uids, LONG_RUNS)), encoding="utf-8"
        )
        return measure(peer.url, versions, addresses)


def seed(data: Path, versions: int, points: int) -> None:
    """Fill a new database: one run and one version through the protocol, the rest as copies."""
    with closing(_Serving(data)) as serving:
        client = Client(serving.url)
        experiment = create_experiment(client, "bench-page")
        run = create_run(client, experiment, "first")
        uid = run["run_id"]
        metrics = [
            {"key": key, "value": 0.5, "timestamp": BASE_MS, "step": 0} for key in [*KEYS, "loss"]
        ]
        params = [{"key": key, "value": "1"} for key in PARAMS]
        client.post("runs/log-batch", run_id=uid, metrics=metrics, params=params)
        client.post("registered-models/create", name=MODEL)
        client.post("model-versions/create", name=MODEL, source=f"runs:/{uid}/", run_id=uid,
                    tags=[{"key": "team", "value": "stores"}])  # fmt: skip
        client.close()
    with closing(sqlite3.connect(data / "heddle.db", isolation_level=None)) as database:
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}")
        uids = _add_long_runs(database, uid, points)
        _add_versions(database, uids, versions)
        database.execute("ANALYZE")
        database.execute("PRAGMA journal_mode = WAL")
    with closing(_Serving(data)) as serving:
        _end_runs(serving.url, data, uids[1:])


def _end_runs(url: str, data: Path, uids: list[str]) -> None:
    """End the long runs as a client does, and wait until the server has drawn their outlines."""
    client = Client(url)
    for uid in uids:
        client.post("runs/update", run_id=uid, status="FINISHED", end_time=BASE_MS)
    client.close()
    deadline = time.monotonic() + OUTLINES_S
    with closing(sqlite3.connect(data / "heddle.db")) as database:
        while database.execute("SELECT count(*) FROM outlines").fetchone()[0] < len(uids):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no outlines of all {len(uids)} runs after {OUTLINES_S} s")
            time.sleep(0.2)


def _add_long_runs(database: sqlite3.Connection, first: str, points: int) -> list[str]:
    """Runs with one metric of many points each; the names of all runs."""
    draw = random.Random(7)
    run = Copied.of(database, "runs", "uid = ?", first)
    run_id = run.row[run.columns["id"]]
    metric = Copied.of(database, "metrics", "run_id = ? AND key = 'loss'", run_id)
    point = Copied.of(database, "points", "metric_id = ?", metric.row[metric.columns["id"]])
    last_run = database.execute("SELECT max(id) FROM runs").fetchone()[0]
    last_metric = database.execute("SELECT max(id) FROM metrics").fetchone()[0]
    uids = [first]
    for number in range(LONG_RUNS):
        uid = f"{draw.getrandbits(128):032x}"
        uids.append(uid)
        ids = {"id": last_run + 1 + number, "uid": uid, "name": f"long-{number:03d}"}
        metric_id = last_metric + 1 + number
        noise, pace = random.Random(number), 1 + number / LONG_RUNS
        values = [math.exp(-step * pace / points * 4) + noise.random() * 0.1
                  for step in range(points)]  # fmt: skip
        values[points // 3] = 3.0
        database.execute("BEGIN")
        uri = str(run.row[run.columns["artifact_uri"]]).replace(first, uid)
        database.execute(run.insert, run.filled(**ids, artifact_uri=uri))
        database.execute(
            metric.insert,
            metric.filled(
                id=metric_id,
                run_id=ids["id"],
                value=values[-1],
                step=points - 1,
                timestamp_ms=BASE_MS + points - 1,
                min_value=min(values),
                max_value=max(values),
                writes=points,
            ),
        )
        database.executemany(
            point.insert,
            (
                point.filled(metric_id=metric_id, step=n, timestamp_ms=BASE_MS + n, value=value)
                for n, value in enumerate(values)
            ),
        )
        database.execute("COMMIT")
    return uids


def _add_versions(database: sqlite3.Connection, uids: list[str], count: int) -> None:
    """Versions 2 to ``count``; the first ones belong to the runs, so that they have series."""
    draw = random.Random(11)
    version = Copied.of(database, "versions", "number = 1")
    version_id = version.row[version.columns["id"]]
    metric = Copied.of(
        database, "version_metrics", "version_id = ? AND key = ?", version_id, KEYS[0]
    )
    param = Copied.of(
        database, "version_params", "version_id = ? AND key = ?", version_id, PARAMS[0]
    )
    tag = Copied.of(database, "version_tags", "owner_id = ?", version_id)
    numeric = "number" if "number" in param.columns else None
    for start in range(2, count + 1, CHUNK):
        rows: dict[str, list[list[Any]]] = {"version": [], "metric": [], "param": [], "tag": []}
        for number in range(start, min(start + CHUNK, count + 1)):
            owner = version_id + number - 1
            uid = uids[(number - 1) % len(uids)]
            rows["version"].append(
                version.filled(
                    id=owner,
                    number=number,
                    uid=f"{draw.getrandbits(128):032x}",
                    guid=f"{draw.getrandbits(128):032x}",
                    created_ms=BASE_MS + number * 60_000,
                    updated_ms=BASE_MS + number * 60_000,
                    run_uid=uid,
                    run_name=f"trial-{number:05d}",
                )
            )
            for key in KEYS:
                value = draw.random()
                rows["metric"].append(
                    metric.filled(
                        version_id=owner, key=key, value=value, min_value=value, max_value=value
                    )
                )
            for key, text in _params(draw).items():
                named: dict[str, object] = {"version_id": owner, "key": key, "value": text}
                if numeric:
                    named[numeric] = None if key == "kernel" else float(text)
                rows["param"].append(param.filled(**named))
            rows["tag"].append(tag.filled(owner_id=owner, value=f"team {draw.randrange(6)}"))
        copies = {"version": version, "metric": metric, "param": param, "tag": tag}
        database.execute("BEGIN")
        for name, copied in copies.items():
            database.executemany(copied.insert, rows[name])
        database.execute("COMMIT")


def _params(draw: random.Random) -> dict[str, str]:
    return {
        "n_estimators": str(draw.randrange(50, 500, 50)),
        "learning_rate": f"{10 ** -draw.uniform(1, 4):.5f}",
        "kernel": draw.choice(("rbf", "poly", "linear")),
        "depth": str(draw.randrange(2, 12)),
    }


def measure(url: str, versions: int, addresses: Path | None = None) -> list[dict[str, Any]]:
    """What ``page.js`` finds: several rounds of each, or MLflow's page at ``addresses`` once."""
    command = ["node", str(HERE / "page.js"), url, str(versions)]
    done = subprocess.run(
        command if addresses is None else [*command, str(addresses)],
        cwd=ROOT / "ui",
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def report(
    figures: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]], given: argparse.Namespace
) -> str:
    """The table, in Markdown."""
    about = (
        f"One model of {given.versions:,} versions with {METRICS} metrics each; {LONG_RUNS} runs of"
        f" {given.points:,} points of one metric, ended through the protocol. Heddle on SQLite, the"
        " built page, headless Chromium without a GPU on the same 2 cores. Medians (worst in"
        " brackets) of rounds without the browser's cache; made by `python -m bench.page --peer`."
        " The server is fresh for the first round; later ones find series that it keeps."
    )
    found = {each["id"]: each for each in peer}
    lines = ["# The page, measured in Chromium", "", about, ""]
    if peer:
        lines += [
            (
                f"MLflow's page stands beside it, opened once, with {page_peer.RUNS:,} runs of"
                f" {METRICS} metrics, as its versions have none of their own, and long series of"
                f" {given.peer_points:,} points. It shows 25 versions a page and no metrics of them;"
                " its comparison is counted once its first chart stands, its lines once all are there."
            ),
            "",
        ]
    lines += ["| Work | Aim | Heddle | first | MLflow |", "|---|---:|---:|---:|---:|"]
    for each in figures:
        beside = found.get(each.get("peer", ""))
        lines.append(
            f"| {each['what']} | {each['aim']} ms | {each['median']} ({each['worst']}) ms"
            f" | {each['first']} ms | {_took(beside)} |"
        )
    return "\n".join([*lines, ""])


def _took(beside: dict[str, Any] | None) -> str:
    if beside is None:
        return "not measured"
    return f"{beside['took']:,} ms" if beside["took"] else f"not in {beside['limit'] // 1000} s"


if __name__ == "__main__":
    main()
