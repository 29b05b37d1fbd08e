"""Command line of the scenario: choose the server, run the steps, print the summary."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib
import json
import os
import sys
import tempfile
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from typing import Any

# Read by the client when it is imported. A refusal must show at once instead of after minutes of
# retries, and nothing may be drawn on a screen or be sent anywhere but to the server.
os.environ.update(
    {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "GIT_PYTHON_REFRESH": "quiet",
        "MPLBACKEND": "Agg",
    }
)


# Importing a module declares its steps; they run in this order.
SUBJECTS = (
    "tracking",
    "search",
    "metrics",
    "files",
    "registry",
    "models",
    "logged_models",
    "prompts",
    "samples",
    "first_generation",
    "workspaces",
)


def read_features(uri: str) -> frozenset[str]:
    """What the server says of itself; a server that does not know the question offers nothing."""
    try:
        with urllib.request.urlopen(f"{uri}/api/3.0/mlflow/server-info", timeout=30) as answer:
            info = json.loads(answer.read())
    except urllib.error.HTTPError:
        return frozenset()
    return frozenset({"workspaces"} if info.get("workspaces_enabled") else set())


def main() -> int:
    """Run the scenario; 0 when no step failed."""
    parser = argparse.ArgumentParser(prog="scenario")
    parser.add_argument("--uri", required=True, help="address of the server")
    parser.add_argument("--steps", default="*", help="run only the steps whose name matches")
    parser.add_argument("--summary", type=Path, help="also write the JSON summary to this file")
    choice = parser.parse_args()
    uri = choice.uri.rstrip("/")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    warnings.simplefilter("ignore")

    # Not before the environment is as above.
    for subject in SUBJECTS:
        importlib.import_module(f"scenario.{subject}")
    from scenario.steps import Scene, run_steps, say, summarise

    mlflow: Any = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(uri)
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder, contextlib.chdir(folder):
        scene = Scene(uri, mlflow.__version__, Path(folder), read_features(uri))
        outcomes = run_steps(scene, lambda name: fnmatch.fnmatch(name, choice.steps))
    summary = summarise(scene, outcomes)
    if choice.summary:
        choice.summary.write_text(summary)
    say(summary)
    return 1 if any(outcome.result == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
