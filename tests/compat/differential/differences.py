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
    """One request and both answers; `call` is method and route, `sent` the decoded body if any,
    `before` what was said
    earlier, to MLflow."""

    call: str
    query: dict[str, list[str]]
    raw: bytes
    sent: Any
    mlflow: Answer
    heddle: Answer
    mismatches: list[Mismatch]
    before: list[str]


FILTER_FAULTS = r"filter|order|entity type|key|attributes|quoted string|comparator|IS NULL"
OWN_ABILITIES = {
    "features_enabled.gateway",
    "multipart_downloads_enabled",
    "multipart_uploads_enabled",
    "presigned_upload_model_id_supported",
    "presigned_upload_run_id_supported",
    "workspaces_enabled",
}
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
    taken = turn.mlflow.status in (200, 404) and turn.heddle.status == 400
    return taken and any(text in _said(turn.heddle) for text in ("NUL character", "surrogate pair"))


@predicate
def beyond_limit(turn: Turn) -> bool:
    """Text beyond a limit that MLflow leaves to its database."""
    return _refused(turn, "are taken")


@predicate
def filter_understood(turn: Turn) -> bool:
    """A filter or order that MLflow refuses and Heddle understands."""
    refused = turn.mlflow.error_code == "INVALID_PARAMETER_VALUE" and turn.heddle.status == 200
    return refused and bool(re.search(FILTER_FAULTS, _said(turn.mlflow)))


@predicate
def filter_half_read(turn: Turn) -> bool:
    """A filter of which MLflow reads a part."""
    return _refused(turn, "^")


@predicate
def same_refusal(turn: Turn) -> bool:
    """Both refuse alike; only the words that clients know are others."""
    blank = "Missing value" in _said(turn.mlflow) and isinstance(turn.sent, dict)
    return _paths(turn) == {"message"} and (blank or "NUL character" in _said(turn.heddle))


@predicate
def broken_json(turn: Turn) -> bool:
    """A body that is no JSON object."""
    answered = turn.mlflow.status != 500 and turn.heddle.status == 400
    return answered and turn.raw != b"" and not isinstance(turn.sent, dict)


@predicate
def number_kept(turn: Turn) -> bool:
    """A number that is not finite, or beyond doubles, where MLflow stored zeros."""
    return bool(turn.mismatches) and all(
        mismatch.mlflow in (0, 0.0) and mismatch.heddle in ("NaN", 1.7976931348623157e308)
        for mismatch in turn.mismatches
    )


@predicate
def offered_too(turn: Turn) -> bool:
    """A route that MLflow no longer has, or not with this method."""
    page = turn.mlflow.status in (404, 405) and turn.mlflow.error_code is None
    return page and turn.heddle.status < 500


@predicate
def spelled_in_camel_case(turn: Turn) -> bool:
    """A field in lowerCamelCase where MLflow knows it only in snake_case."""
    spelled = [*turn.query, *(turn.sent if isinstance(turn.sent, dict) else ())]
    missed = "Missing value" in _said(turn.mlflow) and turn.heddle.status == 200
    return missed and any(name != name.lower() for name in spelled)


@predicate
def own_abilities(turn: Turn) -> bool:
    """What each server says that it can do."""
    return _paths(turn) <= OWN_ABILITIES


@predicate
def noted_as_sent(turn: Turn) -> bool:
    """The older clients' note of a model, as JSON in a tag."""
    return all(
        mismatch.path.endswith(".value") and "utc_time_created" in str(mismatch.heddle)
        for mismatch in turn.mismatches
    )


@predicate
def name_was_freed(turn: Turn) -> bool:
    """The name of an experiment that was deleted earlier."""
    taken = turn.mlflow.error_code == "RESOURCE_ALREADY_EXISTS" and turn.heddle.status == 200
    return taken and any("/experiments/delete " in line for line in turn.before)


@predicate
def name_of_blanks(turn: Turn) -> bool:
    """A name that shows nothing."""
    return _refused(turn, "needs a name that is not empty")


@predicate
def trailing_slash(turn: Turn) -> bool:
    """A location with and without the slash at its end."""
    return all(
        mismatch.path.endswith("artifact_location")
        and str(mismatch.mlflow).rstrip("/") == mismatch.heddle
        for mismatch in turn.mismatches
    )


@predicate
def content_type_in_capitals(turn: Turn) -> bool:
    """JSON by another spelling of its media type."""
    return "Content-Type must be one of" in _said(turn.mlflow) and turn.heddle.status == 200


@predicate
def path_names_the_model(turn: Turn) -> bool:
    """The model's id is in the path and not in the body."""
    missed = "Missing value for required parameter 'model_id'" in _said(turn.mlflow)
    return missed and turn.heddle.status in (200, 404)


@predicate
def model_was_deleted(turn: Turn) -> bool:
    """A change of a logged model that was deleted earlier."""
    gone = turn.mlflow.status == 200 and turn.heddle.status == 404
    return gone and any(re.match("DELETE .*/logged-models/", line) for line in turn.before)


@predicate
def found_by_status_or_data_set(turn: Turn) -> bool:
    """Logged models asked for by status, or by a data set's name alone."""
    asked = turn.sent if isinstance(turn.sent, dict) else {}
    nameless = any("dataset_digest" not in item for item in asked.get("datasets", ()))
    return "status" in asked.get("filter", "") or nameless


@predicate
def run_is_unknown(turn: Turn) -> bool:
    """The metric history of a run that does not exist."""
    return turn.mlflow.body.strip() == b"{}" and turn.heddle.error_code == "RESOURCE_DOES_NOT_EXIST"


@predicate
def nan_in_quotes(turn: Turn) -> bool:
    """NaN as a bare word, which is no JSON, and as a text."""
    return all(
        str(mismatch.mlflow) == "nan" and mismatch.heddle == "NaN" for mismatch in turn.mismatches
    )


@predicate
def sampled_otherwise(turn: Turn) -> bool:
    """As many points, the same first and last, others between."""
    theirs, ours = (answer.json.get("metrics", []) for answer in (turn.mlflow, turn.heddle))
    ends = [[(p["step"], p["value"]) for p in (side[0], side[-1])] for side in (theirs, ours)]
    return len(theirs) == len(ours) and ends[0] == ends[1]


@predicate
def run_is_not_named(turn: Turn) -> bool:
    """A call about a run without saying which, or by a name that the call does not take."""
    unnamed = _said(turn.mlflow) in ("Run with id= not found", "Run with id=None not found")
    return unnamed and turn.heddle.status == 400


@predicate
def cleared_description(turn: Turn) -> bool:
    """No description against an empty one."""
    return all(
        mismatch.path.endswith("description")
        and (mismatch.mlflow, mismatch.heddle) == ("absent", "")
        for mismatch in turn.mismatches
    )


@predicate
def backslash(turn: Turn) -> bool:
    """A path that means another on another system."""
    return _refused(turn, "Invalid path") and "%5C" in turn.call


@predicate
def parameter_is_named(turn: Turn) -> bool:
    """A missing parameter by its usual code."""
    asked = turn.mlflow.error_code == "BAD_REQUEST" and "must include" in _said(turn.mlflow)
    return asked and _said(turn.heddle).startswith("Missing value for required parameter")


@predicate
def no_such_folder(turn: Turn) -> bool:
    """A source within a run by a path that files cannot have."""
    return _refused(turn, "Invalid path")


@predicate
def heads(turn: Turn) -> bool:
    """A HEAD that is refused for what its query says."""
    return (turn.mlflow.status, turn.heddle.status) == (400, 200)


@predicate
def transfers(turn: Turn) -> bool:
    """What each server offers for large files."""
    return 501 in (turn.mlflow.status, turn.heddle.status)


@predicate
def empty_file(turn: Turn) -> bool:
    """The size of a file without content."""
    return all(
        mismatch.path.endswith(".file_size") and (mismatch.mlflow, mismatch.heddle) == ("absent", 0)
        for mismatch in turn.mismatches
    )


@predicate
def alias_that_cannot_be(turn: Turn) -> bool:
    """Taking away an alias that no version can have."""
    refused = re.search("[Aa]lias name", _said(turn.mlflow)) and turn.mlflow.status == 400
    return bool(refused) and turn.heddle.status == 200


@predicate
def image_of_step(turn: Turn) -> bool:
    """An image of a step by the name that older clients give it."""
    if turn.heddle.status == 200 == turn.mlflow.status:
        return all("%step%" in str(m.mlflow) and "+step+" in str(m.heddle) for m in turn.mismatches)
    return "%25step%25" in turn.call and turn.heddle.status == 200


@predicate
def workspace_description(turn: Turn) -> bool:
    """A description that is empty, or the one that MLflow gives to `default`."""
    return all(
        mismatch.path.endswith("description")
        and mismatch.heddle == "absent"
        and mismatch.mlflow in ("", "Default workspace for legacy resources")
        for mismatch in turn.mismatches
    )


@predicate
def workspace_null(turn: Turn) -> bool:
    """A field of a workspace that is null."""
    return "Invalid value null" in _said(turn.mlflow) and turn.heddle.status < 300


@predicate
def workspace_settings(turn: Turn) -> bool:
    """A store, or a place for traces, of a workspace's own."""
    return _refused(turn, "cannot be set")


@predicate
def workspace_not_empty(turn: Turn) -> bool:
    """A workspace with something in it, to be deleted all the same."""
    forced = turn.query.get("mode", [""])[0] in ("CASCADE", "SET_DEFAULT")
    refused = (turn.mlflow.status, turn.heddle.status) == (204, 400)
    return forced and refused and "is not empty" in _said(turn.heddle)


@predicate
def probed_in_any(turn: Turn) -> bool:
    """A probe with an unknown workspace."""
    return (turn.mlflow.status, turn.heddle.status) == (404, 200)


@predicate
def no_such_call(turn: Turn) -> bool:
    """A route that neither has, in a workspace that is not there."""
    codes = turn.mlflow.error_code, turn.heddle.error_code
    return codes == ("RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND")


@predicate
def place_of_default(turn: Turn) -> bool:
    """A location with and without the workspace's prefix."""
    return all(
        mismatch.path.endswith("artifact_location")
        and str(mismatch.mlflow).startswith("mlflow-artifacts:/workspaces/default/")
        for mismatch in turn.mismatches
    )


@predicate
def own_location(turn: Turn) -> bool:
    """An artifact location given while MLflow's workspaces are on."""
    refused = "artifact_location cannot be specified when workspaces" in _said(turn.mlflow)
    return refused and turn.heddle.status == 200


@predicate
def two_mistakes(turn: Turn) -> bool:
    """A call that is wrong in itself and does not fit what is there: either may be said."""
    codes = {turn.mlflow.error_code, turn.heddle.error_code}
    unfitting = {"RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"}
    return "INVALID_PARAMETER_VALUE" in codes and bool(codes & unfitting) and None not in codes
