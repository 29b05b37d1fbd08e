"""The known differences: `../differences.md` says what and why, the predicates here say when.

A predicate looks at one disagreeing turn and answers whether it is the difference that it stands
for. It must be narrow: whatever it does not claim fails the suite. The page is read by machine,
and a test checks that page and predicates name the same ids.
"""

import fnmatch
import re
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


def _refused(turn: Turn, *texts: str) -> bool:
    """Whether MLflow took the call and Heddle refused it with one of `texts` in the message."""
    refused = turn.mlflow.status == 200 and turn.heddle.status == 400
    return refused and any(text in _said(turn.heddle) for text in texts)


def _said(answer: Answer) -> str:
    return str(answer.json.get("message", "")) if isinstance(answer.json, dict) else ""


def _paths(turn: Turn) -> set[str]:
    return {mismatch.path for mismatch in turn.mismatches}


@predicate
def breaks(turn: Turn) -> bool:
    """MLflow answers 500, Heddle does not."""
    return turn.mlflow.status == 500 and turn.heddle.status < 500


@predicate
def shows_sql(turn: Turn) -> bool:
    """A constraint of MLflow's database answers for it."""
    said = _said(turn.mlflow)
    taken_name = turn.mlflow.error_code == "RESOURCE_ALREADY_EXISTS" and "experiments.name" in said
    return "sqlite3.IntegrityError" in said and not taken_name and turn.heddle.status < 500


@predicate
def unreadable_value(turn: Turn) -> bool:
    """A value that its field cannot hold."""
    return _refused(turn, "Invalid value") and "for parameter" in _said(turn.heddle)


@predicate
def missing_in_list(turn: Turn) -> bool:
    """A field that is missing inside a list, which MLflow stores as empty text."""
    return _refused(turn, "Missing value for required parameter") and "[" in _said(turn.heddle)


@predicate
def cannot_be_stored(turn: Turn) -> bool:
    """NUL and halves of surrogate pairs."""
    return _refused(turn, "NUL character", "surrogate pair")


@predicate
def beyond_limit(turn: Turn) -> bool:
    """Text beyond a limit that MLflow leaves to its database."""
    return _refused(turn, "are taken")


@predicate
def filter_understood(turn: Turn) -> bool:
    """A filter or order that MLflow refuses and Heddle understands."""
    refused = turn.mlflow.error_code == "INVALID_PARAMETER_VALUE" and turn.heddle.status == 200
    return refused and bool(re.search(r"filter|order|entity type|key|attributes", _said(turn.mlflow)))


@predicate
def filter_half_read(turn: Turn) -> bool:
    """A filter of which MLflow reads a part."""
    return _refused(turn, "^")


@predicate
def blank_counts_as_missing(turn: Turn) -> bool:
    """Both refuse a blank; MLflow calls it missing."""
    return _paths(turn) == {"message"} and "Missing value" in _said(turn.mlflow) and (
        isinstance(turn.sent, dict)
    )


@predicate
def broken_json(turn: Turn) -> bool:
    """A body that is no JSON object."""
    return turn.raw != b"" and not isinstance(turn.sent, dict) and turn.heddle.status == 400


@predicate
def newer_number(turn: Turn) -> bool:
    """A number that is not finite, or beyond doubles, where MLflow stored zeros."""
    return bool(turn.mismatches) and all(
        mismatch.mlflow in (0, 0.0) and mismatch.heddle in ("NaN", 1.7976931348623157e308, 7)
        for mismatch in turn.mismatches
    )
