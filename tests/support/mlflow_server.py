"""MLflow's own server, which Heddle is compared with and takes over from.

MLflow lives in a virtual environment built once from `mlflow-requirements.txt` and kept under
`.cache/peers` of the checkout, named for that file's hash, so a changed pin makes a new one.
Leaves starting and ending it to `running_servers`.
"""

import contextlib
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from running_servers import free_port, running

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
REQUIREMENTS = HERE / "mlflow-requirements.txt"


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


@contextlib.contextmanager
def mlflow_server(directory: Path, *options: str) -> Iterator[int]:
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
        *options,
    ]
    extra = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "true",
    }
    with running(command, extra, directory, port):
        yield port
