"""Owns what Heddle aims for: ratios by row of the report, and limits on what it takes up."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """How many times faster than MLflow's better configuration, and than FastTrackML."""

    mlflow: float
    fasttrackml: float | None = None


RATIOS: Mapping[str, Target] = {
    "log-metric-1": Target(10, 1.5),
    "log-metric-16": Target(50, 3),
    "log-metric-64": Target(50, 3),
    "log-batch-1": Target(40, 6),
    "log-batch-4": Target(40, 6),
    "create-run-1": Target(10, 1.5),
    "create-run-16": Target(50, 3),
    "create-run-64": Target(50, 3),
    "training-script": Target(10, 1.5),
    "search-100": Target(50, 4),
    "search-1000": Target(50, 3),
    "search-filter": Target(50, 3),
    "search-100-many": Target(50, 4),
    "search-filter-many": Target(50, 3),
    "get-run": Target(50, 1.5),
    "get-run-many": Target(50, 1.5),
    "get-history": Target(30, 5),
    "create-version-1": Target(10),
    "create-version-16": Target(50),
    "create-version-64": Target(50),
    "search-versions": Target(40),
    "get-alias": Target(50),
    "set-alias": Target(50),
    "artifact-put": Target(2),
    "artifact-get": Target(2),
    "artifact-small": Target(5),
}
# Growth: how many times longer the largest may take than the smallest, and the longest drawing.
GROWTH_RATIOS: Mapping[str, float] = {
    "runs: filtered and ordered search, first page": 3,
    "versions of one model: first page": 1.5,
}
DRAWN_MS = 100.0
MEMORY_BYTES = 150_000_000
START_S = 1.0
INSTALLED_BYTES = 120_000_000
# Applying models: of `predict` alone where the model is the cost; over the plain loop through pyfunc
# where reading and writing are; over spark_udf on Spark; and the memory for tables of any length.
OF_ALONE = 0.9
OVER_LOOP = 2.0
OVER_SPARK_CHEAP = 3.0
OVER_SPARK = 1.0
# Scoring requests: of `mlflow models serve` at 32 connections, and of its median time at one.
ONLINE_RATE = 15.0
ONLINE_P50 = 0.5
APPLYING_BYTES = 1_000_000_000
# Of what a bare writer with the same durability reaches at the same batches, in the same round.
BATCH_SHARE = 0.7
