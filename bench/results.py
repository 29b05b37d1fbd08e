"""Owns what was measured: kept as JSON after every workload, so that a run can be taken up again.

Always holds: a cell holds all rounds of one server at one row; a row's cells come from one run.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import Measure
from bench.work import Row


@dataclass(frozen=True)
class Cell:
    """The medians of one server at one row, or why there are none."""

    rate: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    rounds: int = 0
    failure: str = ""

    @staticmethod
    def of(measures: Sequence[Measure]) -> "Cell":
        """Return the medians of some rounds."""
        rates = [measure.rate for measure in measures]
        return Cell(
            rate=median(rates),
            lowest=min(rates),
            highest=max(rates),
            p50_ms=median(measure.p50_ms for measure in measures),
            p95_ms=median(measure.p95_ms for measure in measures),
            p99_ms=median(measure.p99_ms for measure in measures),
            rounds=len(measures),
        )


@dataclass
class Results:
    """All figures of one form, and what they were taken on."""

    path: Path
    form: str
    facts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, dict[str, int]] = field(default_factory=dict)
    titles: dict[str, tuple[str, str]] = field(default_factory=dict)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    resources: dict[str, dict[str, float]] = field(default_factory=dict)
    growth: list[dict[str, Any]] = field(default_factory=list)
    scoring: dict[str, dict[str, Any]] = field(default_factory=dict)
    online: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def load(path: Path, form: str, *, anew: bool = False) -> "Results":
        """Return what was kept at `path`, or empty results.

        A run that begins `anew` forgets the rows; growth, scoring and online, parts of their own, stay
        until they are measured again.
        """
        if not path.exists():
            return Results(path, form)
        kept = json.loads(path.read_text())
        if anew:
            parts = {name: kept[name] for name in ("growth", "scoring", "online") if name in kept}
            return Results(path, form, **parts)
        kept["cells"] = {
            row: {server: Cell(**cell) for server, cell in cells.items()}
            for row, cells in kept["cells"].items()
        }
        return Results(path, form, **kept)

    def grow(self, measured: dict[str, Any]) -> None:
        """Keep a figure of growth in the place of the last one of the same size."""
        name = (measured["what"], measured["size"])
        for place, held in enumerate(self.growth):
            if (held["what"], held["size"]) == name:
                self.growth[place] = measured
                return
        self.growth.append(measured)

    def save(self) -> None:
        """Keep everything measured so far."""
        kept = asdict(self)
        del kept["path"], kept["form"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(kept, indent=1))
        partial.replace(self.path)

    def record(self, row: Row, cells: Mapping[str, Cell], circumstances: str) -> None:
        """Set the cells of a row anew; `circumstances` say what else the machine was doing."""
        self.titles[row.key] = (row.title, row.unit)
        self.cells[row.key] = dict(cells)
        at = time.strftime("%m-%d %H:%M", time.gmtime())
        self.taken[row.key] = f"{at}, {self.versions.get('Heddle', '?')}, {circumstances}"

    def has(self, row: str, servers: Sequence[str]) -> bool:
        """Whether a row already holds figures, all of them from some of `servers`, none failed."""
        cells = self.cells.get(row, {})
        return bool(cells) and all(
            server in servers and not cell.failure for server, cell in cells.items()
        )
