"""Runs the demonstration: serve, train against the server with another interpreter, say where to look."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from heddle.errors import Invalid, Unavailable
from heddle.serve import bind

PYTHON_VARIABLE = "HEDDLE_DEMO_PYTHON"
"""Names the interpreter that has mlflow and scikit-learn; the server's own need not."""
TRAINING = Path(__file__).with_name("training.py")
START_S = 20.0


def demo(*, host: str, port: int, data: Path, once: bool) -> int:
    """Serve on ``data``, train, and go on serving until interrupted (or stop there, if ``once``).

    ``port`` 0 is any that is free. Raises ``Invalid`` if no interpreter with mlflow is at hand or
    the port is taken, ``Unavailable`` if the server does not come up.
    """
    python = os.environ.get(PYTHON_VARIABLE, sys.executable)
    missing = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('mlflow', 'sklearn'))))"
    if subprocess.run([python, "-c", missing], check=False).returncode:
        raise Invalid(
            f"The demo trains with the stock MLflow client, which {python} does not have. Run"
            " `make demo`,"
            f" or name an interpreter with mlflow and scikit-learn in {PYTHON_VARIABLE}."
        )
    with bind(host, port) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "heddle", "serve"]
    command += ["--host", host, "--port", str(port), "--data", str(data)]
    address = f"http://{host}:{port}"
    with subprocess.Popen(command) as server:
        try:
            _await(address, server)
            environment = os.environ | {
                "MLFLOW_TRACKING_URI": address,
                "GIT_PYTHON_REFRESH": "quiet",
            }
            failed = subprocess.run(
                [python, str(TRAINING)], env=environment, check=False
            ).returncode
            if failed:
                return failed
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


def _where(address: str, data: Path) -> str:
    return f"""
Two models with their versions are there now:

  the page      {address}
  your code     import mlflow; mlflow.set_tracking_uri("{address}")
  a model       mlflow.pyfunc.load_model("models:/diabetes-progression@champion")
  the runs      mlflow.search_runs(experiment_names=["diabetes-progression-study"])
  over HTTP     curl "{address}/api/2.0/mlflow/registered-models/search"

Everything is under {data.absolute()}. Ctrl+C stops the server.
"""
