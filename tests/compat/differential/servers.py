"""Starts the two servers that are compared, each on a port and in a directory of its own.

MLflow lives in a virtual environment built once from `mlflow-requirements.txt` and kept under
`.cache/peers` of the checkout, named for that file's hash, so a changed pin makes a new one.
Holds always: only processes started here are ended here. Leaves talking to them to `exchange`.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
REQUIREMENTS = HERE / "mlflow-requirements.txt"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0


def mlflow_environment() -> Path:
    """Return the environment with MLflow installed, building it on first use."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = CHECKOUT / ".cache" / "peers" / f"mlflow-{digest}"
    built = place / ".built"
    if built.exists():
        return place
    # A directory without the mark is a build that was cut short: start over.
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = str(place / "bin" / "python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    installer = (
        [uv, "pip", "install", "--quiet", "--python", python]
        if uv
        else [python, "-m", "pip", "install", "--quiet"]
    )
    subprocess.run([*installer, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
    built.touch()
    return place


def free_port() -> int:
    """Return a loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def mlflow_server(directory: Path) -> Iterator[int]:
    """Run MLflow on SQLite with proxied artifacts below `directory`; give its port."""
    environment = mlflow_environment()
    port = free_port()
    command = [
        str(environment / "bin" / "mlflow"),
        "server",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{directory / 'mlflow.sqlite'}"),
        *("--artifacts-destination", str(directory / "artifacts")),
        *("--default-artifact-root", "mlflow-artifacts:/"),
    ]
    extra = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "true",
    }
    with _running(command, extra, directory, port):
        yield port


@contextlib.contextmanager
def heddle_server(directory: Path) -> Iterator[int]:
    """Run Heddle on SQLite below `directory`; give its port."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "heddle", "serve"),
        *("--port", str(port), "--data", str(directory / "data")),
    ]
    path = os.pathsep.join([str(CHECKOUT / "src"), os.environ.get("PYTHONPATH", "")])
    with _running(command, {"PYTHONPATH": path}, directory, port):
        yield port


@contextlib.contextmanager
def _running(
    command: list[str], extra: dict[str, str], directory: Path, port: int
) -> Iterator[None]:
    """Start `command`, wait until its `/health` answers, and end its process group at exit."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "server.log"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**kept, **extra},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, port, log)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        address = f"http://127.0.0.1:{port}/health"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{process.args!r} did not become healthy:\n{tail}")
