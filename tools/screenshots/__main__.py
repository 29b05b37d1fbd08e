"""Makes docs/screenshots: a fresh server, real training by the stock client, every screen shot.

    python tools/screenshots [--data DIR] [--only NAME...] [--png DIR]

``--data`` keeps the filled server, and takes one that is filled already; ``--only`` shoots the
pictures whose names begin or end so; ``--png`` leaves them as they were taken in a folder, for
looking at, and docs/screenshots alone. Needs .venv-demo (``make trainer``), the built page and a Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TRAINER = ROOT / ".venv-demo" / "bin" / "python"
SHOTS = ROOT / "docs" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_S = 30
JOB_S = 120
MODEL = "grocery-forecasting"


def main() -> int:
    """Fill, shoot, press."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--png", type=Path)
    given = parser.parse_args()
    browser = os.environ.get("HEDDLE_BROWSER") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if browser is None:
        print("No Chromium: install one (apt-get install chromium) or name it in HEDDLE_BROWSER.")
        return 1
    with tempfile.TemporaryDirectory() as place:
        data = given.data or Path(place) / "data"
        png = (given.png or Path(place) / "png").resolve()
        png.mkdir(parents=True, exist_ok=True)
        with serving(data) as url:
            if not (data / "filled").exists():
                fill(url, data)
                (data / "filled").touch()
            shoot(url, browser, png, given.only)
        if not given.png:
            subprocess.run([TRAINER, HERE / "press.py", png, SHOTS], check=True)
    return 0


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """A server with a worker on a folder; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "heddle", "serve", "--port", str(port), "--data", str(data)]
    with subprocess.Popen(command) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + START_S
            while not answers(f"{url}/health"):
                if server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("The server did not start.")
                time.sleep(0.05)
            yield url
        finally:
            server.terminate()


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def fill(url: str, data: Path) -> None:
    """The demonstration, the study, workspaces, an empty model, jobs and a schedule."""
    environ = {
        **os.environ,
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "MPLCONFIGDIR": str(data / "matplotlib"),
        "LOGNAME": "ada",
    }
    # Away from this checkout, so that runs name a program and not a place on one machine.
    code = data / "code"
    code.mkdir()
    for program in (ROOT / "src" / "heddle" / "demo" / "training.py", HERE / "fill.py"):
        shutil.copy(program, code)
    stores = data / "tables" / "stores"
    for name, folder in (("training.py", stores.parent), ("fill.py", stores)):
        subprocess.run([TRAINER, name, folder.resolve()], cwd=code, env=environ, check=True)
    # The client that trains need not have Arrow; the server that scores has.
    pq.write_table(pacsv.read_csv(stores / "next-weeks.csv"), stores / "next-weeks.parquet")
    (data / "tables" / "scored").mkdir()
    for name, description in (
        ("stores-ml", "Demand and prices of the stores"),
        ("fraud", "Payments that are not what they seem"),
    ):
        ask(url, "workspaces", {"name": name, "description": description})
    ask(url, "workspaces/default/models",
        {"name": "basket-affinity", "description": "What is bought together."})  # fmt: skip
    weeks = "stores/next-weeks.parquet"
    submit(url, f"{MODEL}@champion", weeks, "scored/next-weeks.parquet")
    submit(url, f"{MODEL}@challenger", weeks, "scored/challenger.parquet")
    submit(url, f"{MODEL}@champion", "stores/without-promo.csv", "scored/without-promo.parquet")
    ask(url, "workspaces/default/schedules",
        {"name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Zurich",
         "plan": plan(f"{MODEL}@champion", weeks, "scored/nightly.parquet")})  # fmt: skip


def plan(model: str, source: str, target: str) -> dict[str, Any]:
    """What a job is asked to do."""
    return {
        "model": model,
        "input": {"address": source},
        "output": {"address": target, "mode": "overwrite"},
    }


def submit(url: str, model: str, source: str, target: str) -> None:
    """A job, waited for until it is done or has failed."""
    job = ask(url, "workspaces/default/jobs", {"plan": plan(model, source, target)})
    until = time.monotonic() + JOB_S
    while job["state"] not in {"done", "failed"} and time.monotonic() < until:
        time.sleep(0.3)
        job = ask(url, f"workspaces/default/jobs/{job['id']}")
    print(f"  job {job['id']}: {job['state']}", flush=True)


def ask(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the native API answers."""
    request = urllib.request.Request(
        f"{url}/api/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{path}: {error.read().decode()}") from error


def shoot(url: str, browser: str, png: Path, only: list[str]) -> None:
    """Let shoot.js take its pictures into a folder."""
    node = shutil.which("node") or str(ROOT / ".venv-node" / "bin" / "node")
    subprocess.run(
        [node, HERE / "shoot.js", url, png, *only],
        cwd=ROOT / "ui",
        env={**os.environ, "HEDDLE_BROWSER": browser},
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
