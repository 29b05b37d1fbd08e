"""Runs the demonstration: serve, train against the server, apply what was trained, say where to look."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from heddle.errors import Invalid, Unavailable
from heddle.serve import bind

TRAINING = Path(__file__).with_name("training.py")
MODELS = ("diabetes-progression", "wine-cultivar")
TRAINS = ("mlflow", "sklearn", "matplotlib")
APPLIES = ("pyarrow", "duckdb")
START_S = 20.0
JOB_S = 120.0


def demo(*, host: str, port: int, data: Path, once: bool) -> int:
    """Serve on ``data``, train, apply the champions to rows that no model has seen, go on serving.

    ``once`` stops there; else an interrupt or SIGTERM does. ``port`` 0 is any that is free. Raises
    ``Invalid`` if this interpreter lacks what trains or the port is taken, ``Unavailable`` if the
    server does not come up.
    """
    missing = [name for name in TRAINS if find_spec(name) is None]
    if missing:
        raise Invalid(
            f"The demo trains with the stock MLflow client, and {sys.executable} has no"
            f" {' and no '.join(missing)}. Run `make demo` in a checkout, which brings all of it."
        )
    with bind(host, port) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "heddle", "serve"]
    command += ["--host", host, "--port", str(port), "--data", str(data)]
    address = f"http://{host}:{port}"
    # Otherwise it would end at once, and leave the server and the training behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with subprocess.Popen(command) as server:
        try:
            _await(address, server)
            tables = data.absolute() / "tables"
            environment = os.environ | {
                "MLFLOW_TRACKING_URI": address,
                "GIT_PYTHON_REFRESH": "quiet",
            }
            failed = subprocess.run(
                [sys.executable, str(TRAINING), str(tables)], env=environment, check=False
            ).returncode
            if failed:
                return failed
            if all(find_spec(name) for name in APPLIES):
                _apply(address)
            print(_where(address, data), flush=True)
            if not once:
                server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()
    return 0


def _await(address: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if server.poll() is not None:
            raise Unavailable("The server stopped at once; its message above says why.")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise Unavailable(f"The server did not answer at {address} within {START_S:.0f} s.")


def _apply(address: str) -> None:
    """Have the champions' predictions written beside the tables of held-out rows, by two jobs."""
    jobs = f"{address}/api/v1/workspaces/default/jobs"
    for model in MODELS:
        plan = {
            "model": f"{model}@champion",
            "input": {"address": f"{model}.parquet"},
            "output": {"address": f"{model}-scored.parquet", "mode": "overwrite"},
        }
        job = _ask(jobs, {"plan": plan})
        until = time.monotonic() + JOB_S
        while job["state"] not in ("done", "failed") and time.monotonic() < until:
            time.sleep(0.2)
            job = _ask(f"{jobs}/{job['id']}")
        receipt = job["receipt"]
        how = f"{receipt['rows']} rows" if receipt else f"{job['state']} {job['error']}".rstrip()
        print(f"  {model}@champion applied to {model}.parquet: {how}", flush=True)


def _ask(address: str, body: Any = None) -> Any:
    """What the native API answers."""
    request = urllib.request.Request(
        address,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def _where(address: str, data: Path) -> str:
    return f"""
Two models with their versions are there now:

  the page      {address}
  your code     import mlflow; mlflow.set_tracking_uri("{address}")
  a model       mlflow.pyfunc.load_model("models:/diabetes-progression@champion")
  the runs      mlflow.search_runs(experiment_names=["diabetes-progression-study"])
  over HTTP     curl "{address}/api/2.0/mlflow/registered-models/search"
  apply one     "Apply this version" on its page; {data.absolute() / "tables"} has held-out rows

Everything is under {data.absolute()}. Ctrl+C stops the server.
"""
