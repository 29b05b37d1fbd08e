"""Reads the directed cases under `cases/`, plain text made to be read.

A case opens with `## title`; each further line is one call:

    METHOD path [@Header=value ...] [body] [-> name=dotted.path ...] [=> status [ERROR_CODE]] [~ difference]

With GET the body is an object that becomes the query string; `raw:` before a body sends it as the
body as it stands. `@type=` sets the content type (empty: none at all). Indented lines continue
the line above, lines
that start with `#` are remarks. Lines before the first case are run before every case. What follows
`=>` is MLflow's answer (200 where missing), so a case cannot pass because both sides misread it. What
follows `~` is the known difference (of `../differences.md`) that the line shows.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from differential.conversation import Call

LINE = re.compile(
    r"(?P<call>.*?)(?:\s+->\s+(?P<keeps>\S.*?))?(?:\s+=>\s+(?P<status>\d{3})(?: (?P<code>\w+))?)?"
    r"(?:\s+~ (?P<difference>[a-z0-9-]+))?",
    re.DOTALL,
)
CALL = re.compile(
    r"(?P<method>[A-Z]+) (?P<path>\S+)(?P<headers>(?: @\S+)*)(?: (?P<body>.*))?", re.DOTALL
)


@dataclass(frozen=True)
class Line:
    """One call, the names to keep from its answer, how MLflow answers it, and the difference."""

    text: str
    call: Call
    keeps: dict[str, str]
    status: int
    code: str | None
    difference: str | None


@dataclass(frozen=True)
class Case:
    """A titled sequence of calls, the file's opening lines included."""

    file: str
    title: str
    lines: list[Line]


def read_cases(directory: Path) -> list[Case]:
    """Read every case of every `.txt` file of `directory`, in order."""
    return [case for file in sorted(directory.glob("*.txt")) for case in read_file(file)]


def read_file(file: Path) -> list[Case]:
    """Read the cases of one file; ValueError names the line that cannot be read."""
    opening: list[Line] = []
    cases: list[Case] = []
    for text in joined_lines(file.read_text(encoding="utf-8")):
        if text.startswith("## "):
            cases.append(Case(file.stem, text[3:].strip(), list(opening)))
        elif text and not text.startswith("#"):
            (cases[-1].lines if cases else opening).append(parse_line(text))
    return cases


def joined_lines(text: str) -> list[str]:
    """Return the lines with indented ones joined to the line above."""
    joined: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and line.strip():
            joined[-1] += line.strip() if joined[-1].endswith("\\") else " " + line.strip()
        else:
            joined.append(line.rstrip())
    return joined


def parse_line(text: str) -> Line:
    """Read one call; ValueError where it is malformed."""
    whole = LINE.fullmatch(text)
    found = CALL.fullmatch(whole["call"]) if whole else None
    if whole is None or found is None:
        raise ValueError(f"not a call: {text}")
    given = (item[1:].partition("=") for item in found["headers"].split())
    headers = {name: value for name, _, value in given}
    body, query = found["body"], None
    if body is not None and body.startswith("raw:"):
        body = body.removeprefix("raw:")
    elif body is not None and found["method"] == "GET":
        query, body = json.loads(body), None
    kind = headers.pop("type", "application/json" if body is not None else "")
    if kind:
        headers["Content-Type"] = kind
    keeps = dict(pair.split("=", 1) for pair in (whole["keeps"] or "").split())
    return Line(
        text=text,
        call=Call(found["method"], found["path"], query, body, headers),
        keeps=keeps,
        status=int(whole["status"] or 200),
        code=whole["code"],
        difference=whole["difference"],
    )
