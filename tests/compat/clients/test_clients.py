"""Stock clients of three generations do everything the scenario tells against a live server.

Each runs it in an environment of its own, knowing nothing of Heddle but its address. To run one
by hand: `PYTHONPATH=../../../src PYTHON -m scenario --uri URI --steps 'registry.*'` in this folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from environments import python_of

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src"
RUN_S = 400
GENERATIONS = ("1.30", "2.22", "3.17")
BEST_PYTHON = {"1.30": (3, 11)}
"""The newest Python on which a generation can do everything, where that is not any."""
EXPECTED_REASONS: tuple[str, ...] = (
    "the client has this",
    "the client's autologging needs an older scikit-learn",
)
if "HEDDLE_COMPAT_URI" in os.environ:
    EXPECTED_REASONS += ("the server does not offer",)
# Most of each generation's time is importing scikit-learn and reading its own requirements; the
# first run also makes the environment, which may have to fetch it.
pytestmark = pytest.mark.timeout(900)


def client_python(generation: str) -> Path:
    """The Python that has this generation's client."""
    requirements = HERE / f"requirements-{generation}.txt"
    newest = BEST_PYTHON.get(generation)
    return python_of(f"client-{generation}", requirements, newest=newest)


def run_scenario(generation: str, uri: str, folder: Path) -> dict[str, Any]:
    """Run the scenario with this generation's client: the summary it wrote."""
    summary = folder / "summary.json"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [client_python(generation), "-m", "scenario", "--uri", uri, "--summary", summary],
        cwd=HERE,
        env={**kept, "PYTHONPATH": str(SOURCE), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert summary.exists(), (
        f"the scenario broke off:\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    )
    answer: dict[str, Any] = json.loads(summary.read_text())
    return answer


@pytest.mark.parametrize(
    "generation",
    [
        *(pytest.param(each, marks=pytest.mark.matrix) for each in GENERATIONS[:-1]),
        GENERATIONS[-1],
    ],
)
def test_a_stock_client_does_everything(generation: str, live_uri: str, tmp_path: Path) -> None:
    summary = run_scenario(generation, live_uri, tmp_path)
    assert summary["client"].startswith(f"{generation}.")
    steps = summary["steps"]
    for step in steps:
        for note in step["notes"]:
            print(f"{step['step']}: {note}")
    failed = [step for step in steps if step["result"] == "failed"]
    names = "\n".join(f"  {step['step']}" for step in failed)
    details = "\n\n".join(f"{step['step']}\n{step['detail']}" for step in failed)
    if failed:
        report = f"{len(failed)} of {len(steps)} steps failed:\n{names}\n\n{details}"
        pytest.fail(report, pytrace=False)
    # Nothing is left out but what this client never had, or cannot have with its Python.
    reasons = {step["detail"] for step in steps if step["result"] == "skipped"}
    assert not [reason for reason in reasons if not reason.startswith(EXPECTED_REASONS)]
    assert sum(step["result"] == "passed" for step in steps) >= 50


def test_importing_heddle_brings_in_no_client() -> None:
    program = "import heddle, sys; sys.exit('mlflow' in sys.modules or len(sys.modules) > 200)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(SOURCE)}, check=False
    )
    assert done.returncode == 0


def test_heddle_exports_nothing_else() -> None:
    import heddle

    with pytest.raises(AttributeError, match="no attribute 'MlflowClients'"):
        _ = heddle.MlflowClients
