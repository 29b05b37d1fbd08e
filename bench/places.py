"""Owns where the benchmark keeps things; everything but the report lives in the ignored cache."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
CACHE = ROOT / ".cache"
PEERS = CACHE / "peers"
WORK = Path(os.environ.get("HEDDLE_BENCH_WORK") or CACHE / "bench")
SEEDS = WORK / "seeds"
RUNS = WORK / "servers"
REPORT = HERE / "RESULTS.md"
TORTURE = HERE / "TORTURE.md"
PAGE = HERE / "PAGE.md"
