"""Owns where the benchmark keeps things; everything but the report lives in the ignored cache."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
CACHE = ROOT / ".cache"
PEERS = CACHE / "peers"
WORK = CACHE / "bench"
SEEDS = WORK / "seeds"
RUNS = WORK / "servers"
REPORT = HERE / "RESULTS.md"
