"""The web page in a real browser, against a real server with real runs of the stock client.

Each ``ui/tests/NAME.spec.ts`` is one test with a fresh database, which ``tests/page/data/NAME.py``
(or another, see ``DATA``) fills first if it is there: a program that knows the server by
``MLFLOW_TRACKING_URI`` alone, and where tables for its worker may lie by ``HEDDLE_TABLES``.
Needs a Chromium and the built page, and says what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
UI = ROOT / "ui"
SPECS = sorted(UI.glob("tests/*.spec.ts"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_S = 30
SPEC_S = 200
WITH_WORKER = ("apply",)
"""Specs whose server has a worker beside it."""
DATA = {"list": "compare", "endpoint": "apply"}
"""Specs that share what another's database is filled with."""


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium; the test is skipped where there is none."""
    named = [os.environ.get("HEDDLE_BROWSER"), *map(shutil.which, BROWSERS)]
    found = next((path for path in named if path), None)
    if found is None:
        pytest.skip(
            "no Chromium: install one (apt-get install chromium) or name it in HEDDLE_BROWSER"
        )
    return found


@pytest.fixture(scope="module")
def playwright() -> list[str]:
    """The command that runs specs; the test is skipped where the page was not built."""
    if not (ROOT / "src" / "heddle" / "page" / "index.html").exists():
        pytest.skip("the web page is not built: make page says why")
    program = UI / "node_modules" / "@playwright" / "test" / "cli.js"
    node = shutil.which("node") or str(ROOT / ".venv-node" / "bin" / "node")
    if not program.exists():
        pytest.skip("what the page is tested with is not installed: tools/page setup")
    return [node, str(program)]


@contextmanager
def serving(data: Path, worker: str) -> Iterator[tuple[str, str]]:
    """A server on a fresh database, with a worker if ``yes``: its address, and how it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "heddle", "serve", "--port", str(port), "--data", str(data)]
    command += ["--worker", worker]
    with (
        (data.parent / "server.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{url}/health", server, data.parent / "server.log")
            yield url, json.dumps({"pid": server.pid, "command": command})
        finally:
            server.terminate()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return


@pytest.mark.timeout(SPEC_S + 60)
@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.name.removesuffix(".spec.ts"))
def test_page(spec: Path, browser: str, playwright: list[str], tmp_path: Path):
    name = spec.name.removesuffix(".spec.ts")
    worker = "yes" if name in WITH_WORKER else "no"
    with serving(tmp_path / "data", worker) as (url, server):
        environ = {
            **os.environ,
            "HEDDLE_URL": url,
            "HEDDLE_SERVER": server,
            "HEDDLE_BROWSER": browser,
            "HEDDLE_TABLES": str(tmp_path / "data" / "tables"),
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONPATH": str(ROOT / "tests" / "support"),
            "PWTEST_CACHE_DIR": str(tmp_path / "cache"),
        }
        fill = Path(__file__).parent / "data" / f"{DATA.get(name, name)}.py"
        if fill.exists():
            subprocess.run([sys.executable, str(fill)], env=environ, check=True, timeout=SPEC_S)
        output = f"--output=test-results/{name}"
        ran = subprocess.run(  # noqa: PLW1510 -- what it said is shown when it failed
            [*playwright, "test", output, f"/{spec.name.replace('.', '[.]')}$"],
            cwd=UI,
            env=environ,
            capture_output=True,
            text=True,
            timeout=SPEC_S,
        )
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
