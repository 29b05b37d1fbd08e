"""Owns the three forms of the benchmark: how long, how often, how large, whom."""

from dataclasses import dataclass, replace

from bench.seed import Size

MIB = 1 << 20


@dataclass(frozen=True)
class Tables:
    """How many rows models are applied to, how often, and how long it may take in all.

    ``long_rows`` are for the one run that shows that memory does not grow. A round is begun only
    while less than ``budget_s`` has passed.
    """

    rows: int
    csv_rows: int
    long_rows: int
    rounds: int
    budget_s: float

    def changed(self, rows: int | None, rounds: int | None) -> "Tables":
        """Return these with tables of so many rows and so many rounds, where wanted."""
        few = rows or self.rows
        return replace(
            self,
            rows=few,
            csv_rows=min(self.csv_rows, few),
            long_rows=self.long_rows if rows is None else rows * 12 * bool(self.long_rows),
            rounds=rounds or self.rounds,
        )


@dataclass(frozen=True)
class Form:
    """How long and how large the measuring is.

    `budget_s` ends it early. A server that has spent `patience_s` on one workload is asked no
    further rounds of it. Neither bounds anything where it is 0.
    """

    name: str
    peers: tuple[str, ...]
    rounds: int
    seconds: float
    large_bytes: int
    size: Size
    postgres_size: Size
    starts: int
    scoring: Tables
    run_counts: tuple[int, ...] = ()
    budget_s: float = 0.0
    patience_s: float = 0.0

    def changed(
        self,
        *,
        rounds: int | None,
        seconds: float | None,
        many_runs: int | None,
        grown_runs: int | None,
        rows: int | None,
    ) -> "Form":
        """Return this form with what the caller wants otherwise."""
        size = self.size if many_runs is None else replace(self.size, many_runs=many_runs)
        counts = tuple(n for n in self.run_counts if grown_runs is None or n <= grown_runs)
        return replace(
            self,
            rounds=rounds or self.rounds,
            seconds=seconds or self.seconds,
            size=size,
            run_counts=counts,
            scoring=self.scoring.changed(rows, rounds),
        )


QUICK = Form(
    name="quick",
    peers=("heddle", "mlflow-best", "fasttrackml", "bare"),
    rounds=3,
    seconds=0.5,
    large_bytes=64 * MIB,
    size=Size(runs=1000, many_runs=0, history=10_000, versions=200),
    postgres_size=Size(runs=1000, many_runs=0, history=10_000, versions=200),
    starts=0,
    scoring=Tables(rows=1_000_000, csv_rows=65_536, long_rows=0, rounds=1, budget_s=90.0),
    # Leaves time to end the servers and to write the report within three minutes.
    budget_s=160.0,
    patience_s=1.0,
)
TINY = Form(
    name="tiny",
    peers=("heddle", "bare"),
    rounds=1,
    seconds=0.2,
    large_bytes=4 * MIB,
    size=Size(runs=60, many_runs=0, history=1000, versions=110),
    postgres_size=Size(runs=60, many_runs=0, history=1000, versions=110),
    starts=0,
    scoring=Tables(rows=20_000, csv_rows=2_000, long_rows=40_000, rounds=1, budget_s=60.0),
)
FULL = Form(
    name="full",
    peers=(
        "heddle",
        "mlflow",
        "mlflow-best",
        "fasttrackml",
        "bare",
        "heddle-pg",
        "mlflow-pg",
        "mlflow-pg-best",
    ),
    rounds=3,
    seconds=3.0,
    large_bytes=256 * MIB,
    size=Size(runs=1000, many_runs=20_000, history=100_000, versions=1000),
    postgres_size=Size(runs=1000, many_runs=0, history=10_000, versions=200),
    starts=3,
    scoring=Tables(
        rows=4_000_000, csv_rows=262_144, long_rows=50_000_000, rounds=3, budget_s=1_200.0
    ),
    run_counts=(10_000, 100_000, 1_000_000),
)
