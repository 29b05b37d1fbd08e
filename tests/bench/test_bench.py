"""The benchmark itself works: it seeds, asks, checks what was answered and stored, and reports.

Nothing here is timed; how fast Heddle is, is for ``make bench`` to say.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench.results import Cell, Results
from bench.work import Row

ROOT = Path(__file__).parents[2]
ASKED = ("log-metric-16", "log-batch-4", "create-run-16", "training-script", "search-100",
         "search-filter", "get-run", "get-history", "mixed", "create-version-16", "search-versions",
         "get-alias", "artifact", "artifact-small")  # fmt: skip

MISSING = """
from bench import targets
from bench.session import all_workloads
rows = {row.key for each in all_workloads() for row in each.rows}
print(sorted(set(targets.RATIOS) - rows))
"""


def run(work: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", *options],
        cwd=ROOT,
        env=os.environ | {"HEDDLE_BENCH_WORK": str(work)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk, which makes the load, is missing")
def test_every_kind_of_work_is_asked_checked_and_reported(tmp_path: Path):
    report = tmp_path / "report.md"
    done = run(tmp_path, "--only", ",".join(ASKED), "--output", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    text = report.read_text()
    for title in (
        "log-metric, 16",
        "runs/search, filter",
        "model-versions/create, 16",
        "one large",
    ):
        (line,) = [row for row in text.splitlines() if row.startswith(f"| {title}")][:1]
        assert any(character in line for character in "123456789"), line
    assert "## Failures" not in text
    # What was measured is kept, and a run that goes on leaves it out.
    again = run(tmp_path, "--resume", "--only", ",".join(ASKED), "--output", str(report))
    assert again.returncode == 0, again.stderr
    assert "log-metric" not in again.stdout


def test_growth_and_scoring_stay_until_they_are_measured_again(tmp_path: Path):
    path = tmp_path / "results.json"
    held = Results(path, "full")
    held.record(Row("r", "row", "req/s"), {"heddle": Cell(rate=1.0)}, "others 0%")
    held.grow({"what": "runs", "size": 10, "p50_ms": 1.0})
    held.grow({"what": "runs", "size": 100, "p50_ms": 2.0})
    held.grow({"what": "runs", "size": 10, "p50_ms": 3.0})
    held.scoring["local forest"] = {"rate": 5}
    held.save()
    again = Results.load(path, "full", anew=True)
    assert again.cells == {}
    assert [(one["size"], one["p50_ms"]) for one in again.growth] == [(10, 3.0), (100, 2.0)]
    assert again.scoring == held.scoring
    assert Results.load(path, "full").cells == held.cells


def test_every_row_of_the_targets_is_a_workload():
    done = subprocess.run(
        [sys.executable, "-c", MISSING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
