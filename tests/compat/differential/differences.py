"""The known differences: `../differences.md` says what and why, the predicates here say when.

A predicate looks at one disagreeing turn and answers whether it is the difference that it stands
for. It must be narrow: whatever it does not claim fails the suite. The page is read by machine,
and a test checks that page and predicates name the same ids.
"""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from differential.compare import Mismatch
from differential.exchange import Answer

PAGE = Path(__file__).parent.parent / "differences.md"


@dataclass(frozen=True)
class Turn:
    """One request and both answers; `call` is method and route, `sent` the decoded body if any."""

    call: str
    query: dict[str, list[str]]
    raw: bytes
    sent: Any
    mlflow: Answer
    heddle: Answer
    mismatches: list[Mismatch]


Predicate = Callable[[Turn], bool]
PREDICATES: dict[str, Predicate] = {}


@dataclass(frozen=True)
class Difference:
    """One row of the page. `calls` are patterns of method and route."""

    id: str
    calls: list[str]
    predicate: str
    reason: str

    def claims(self, turn: Turn) -> bool:
        """Whether `turn` is this difference."""
        routes = any(fnmatch.fnmatchcase(turn.call, pattern) for pattern in self.calls)
        return routes and PREDICATES[self.predicate](turn)


def read_page() -> list[Difference]:
    """Read the table of known differences."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("| ") or len(cells) != 4 or cells[0] in ("id", "---"):
            continue
        name, calls, predicate, reason = cells
        patterns = [pattern.strip().strip("`") for pattern in calls.split(",")]
        found.append(Difference(name, patterns, predicate.strip("`"), reason))
    return found


def predicate(function: Predicate) -> Predicate:
    """Make `function` available to the page under its own name."""
    PREDICATES[function.__name__] = function
    return function


@predicate
def mlflow_breaks_we_refuse(turn: Turn) -> bool:
    """MLflow answers 500 to a user's mistake, Heddle says what is wrong with a 4xx."""
    return turn.mlflow.status == 500 and 400 <= turn.heddle.status < 500
