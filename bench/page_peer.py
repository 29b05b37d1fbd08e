"""Owns the same data in MLflow's own database, so that its page can be measured beside ours.

Always holds: as in ``page``, a written row is a copy of one that the server wrote itself. MLflow
keeps no metrics with its versions; they are those of the runs, a thousand of them, that the versions
belong to. Leaves to others: serving, and what is done in the browser.
"""

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode

from bench.bulk import CACHE_KIB, Copied
from bench.client import Client
from bench.seed import BASE_MS, create_experiment, create_run
from bench.servers import FLAVOURS, Programs, Server

FLAVOUR = FLAVOURS["mlflow-best"]
RUNS = 1000
SETTINGS = ("synchronous = OFF", "journal_mode = MEMORY")
COPIED = ("runs", "metrics", "latest_metrics", "params", "tags")


class Peer:
    """MLflow on a data folder, until closed."""

    def __init__(self, data: Path) -> None:
        self._server = Server(FLAVOUR, data, lambda port: Programs().command(FLAVOUR, port, data))
        self._server.start()
        self.url = self._server.url

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()


def seed(
    data: Path, model: str, keys: Sequence[str], versions: int, *, long_runs: int, points: int
) -> list[str]:
    """Fill a new database; the ids of the runs, those with long series of ``loss`` first."""
    with closing(Peer(data)) as peer:
        client = Client(peer.url)
        uid = create_run(client, create_experiment(client, "bench-page"), "first")["run_id"]
        measured = {"key": "loss", "value": 0.5, "timestamp": BASE_MS, "step": 0}
        client.post(
            "runs/log-batch",
            run_id=uid,
            metrics=[measured],
            params=[{"key": "depth", "value": "1"}],
        )
        client.post("registered-models/create", name=model)
        client.post("model-versions/create", name=model, source=f"runs:/{uid}/", run_id=uid,
                    tags=[{"key": "team", "value": "stores"}])  # fmt: skip
        client.close()
    with closing(sqlite3.connect(data / "mlflow.db", isolation_level=None)) as database:
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}")
        database.execute("BEGIN")
        uids = _add_runs(database, uid, keys, long_runs, points)
        _add_versions(database, uids, versions)
        database.execute("COMMIT")
        database.execute("ANALYZE")
    return uids


def _add_runs(
    database: sqlite3.Connection, first: str, keys: Sequence[str], long_runs: int, points: int
) -> list[str]:
    draw = random.Random(7)
    of = {name: Copied.of(database, name, "run_uuid = ?", first) for name in COPIED}
    uids = [f"{draw.getrandbits(128):032x}" for _ in range(RUNS)]
    for number, uid in enumerate(uids):
        uri = str(of["runs"].row[of["runs"].columns["artifact_uri"]]).replace(first, uid)
        rows = {
            "runs": of["runs"].filled(
                run_uuid=uid, name=f"trial-{number:05d}", artifact_uri=uri, status="FINISHED"
            ),
            "params": of["params"].filled(run_uuid=uid, value=str(draw.randrange(2, 12))),
            "tags": of["tags"].filled(run_uuid=uid, value=f"trial-{number:05d}"),
        }
        for name, row in rows.items():
            database.execute(of[name].insert, row)
        values = [(key, draw.random()) for key in keys]
        for name in ("metrics", "latest_metrics"):
            copied = of[name]
            database.executemany(
                copied.insert,
                (copied.filled(run_uuid=uid, key=key, value=value) for key, value in values),
            )
        if number < long_runs:
            noise = random.Random(number)
            copied = of["metrics"]
            database.executemany(
                copied.insert,
                (
                    copied.filled(
                        run_uuid=uid, step=step, timestamp=BASE_MS + step, value=noise.random()
                    )
                    for step in range(points)
                ),
            )
            copied = of["latest_metrics"]
            database.execute(copied.insert, copied.filled(run_uuid=uid, step=points - 1))
    return uids


def _add_versions(database: sqlite3.Connection, uids: Sequence[str], count: int) -> None:
    version = Copied.of(database, "model_versions", "version = 1")
    tag = Copied.of(database, "model_version_tags", "version = 1")
    numbers = range(2, count + 1)
    database.executemany(
        version.insert,
        (
            version.filled(
                version=number,
                creation_time=BASE_MS + number * 60_000,
                last_updated_time=BASE_MS + number * 60_000,
                run_id=uids[number % len(uids)],
            )
            for number in numbers
        ),
    )
    database.executemany(tag.insert, (tag.filled(version=number) for number in numbers))


def addresses(url: str, model: str, uids: Sequence[str], long_runs: int) -> dict[str, str]:
    """Where MLflow's page shows what ours is measured with."""
    experiment = quote('["1"]')
    runs = quote(json.dumps(list(uids), separators=(",", ":")))
    long = quote(json.dumps(list(uids[:long_runs]), separators=(",", ":")))
    plot = urlencode(
        {
            "metric": '"loss"',
            "plot_metric_keys": '["loss"]',
            "plot_layout": '{"autosize":true,"xaxis":{},"yaxis":{}}',
            "x_axis": "step",
            "y_axis_scale": "linear",
            "line_smoothness": "1",
            "show_point": "false",
            "deselected_curves": "[]",
            "last_linear_y_axis_range": "[]",
        },
        quote_via=quote,
    )
    return {
        "versions": f"{url}/#/models/{model}",
        "compared": f"{url}/#/compare-runs?runs={runs}&experiments={experiment}",
        "lines": f"{url}/#/metric?runs={long}&experiments={experiment}&{plot}",
    }
