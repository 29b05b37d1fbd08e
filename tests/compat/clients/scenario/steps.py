"""How a step is declared, chosen for a client's version, run, and reported.

A step is a function of a `Scene`. It fails by raising; what it learns for the reader it says with
`Scene.note`. A step says the client versions it is for and the server features it needs; a step
that is not for this client or server is reported as skipped with the reason, never silently.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, so that 3.0.0rc1 counts as 3.0.0."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    if not found:
        raise ValueError(f"not a version: {text!r}")
    return tuple(int(part) for part in found.group().split("."))


@dataclass
class Scene:
    """What every step is given: the server, the client's version, and a folder to write in."""

    uri: str
    version: str
    folder: Path
    features: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    @property
    def client(self) -> Any:
        """A fresh client of the server."""
        return MlflowClient()

    def at_least(self, version: str) -> bool:
        """Whether the client is of this version or newer."""
        return parse_version(self.version) >= parse_version(version)

    def name(self, stem: str) -> str:
        """A name that nothing else on the server has."""
        return f"{stem}-{uuid.uuid4().hex[:10]}"

    def note(self, text: str) -> None:
        """Tell the reader something that is not a failure."""
        self.notes.append(text)

    def new_experiment(self, stem: str) -> str:
        """Make an experiment, make it the current one, and return its id."""
        name = self.name(stem)
        experiment_id = self.client.create_experiment(name)
        mlflow.set_experiment(name)
        return str(experiment_id)

    def get(self, path: str) -> tuple[int, str]:
        """GET a path of the server without a client: status and body."""
        try:
            with urllib.request.urlopen(self.uri + path, timeout=30) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST JSON without a client, for what a client would not send: status and answer."""
        request = urllib.request.Request(
            self.uri + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status), json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


class NotHere(Exception):
    """Raised by a step that finds out on the way that it does not apply; the message says why."""


Action = Callable[[Scene], None]


@dataclass(frozen=True)
class Step:
    """One thing done with the client, and which clients can do it."""

    name: str
    action: Action
    since: str | None
    before: str | None
    feature: str | None

    def reason_to_skip(self, scene: Scene) -> str | None:
        """Why this step does not apply here, or None when it does."""
        version = parse_version(scene.version)
        if self.since and version < parse_version(self.since):
            return f"the client has this since {self.since}"
        if self.before and version >= parse_version(self.before):
            return f"the client has this no longer since {self.before}"
        if self.feature and self.feature not in scene.features:
            return f"the server does not offer {self.feature}"
        return None


STEPS: list[Step] = []


def step(
    *, since: str | None = None, before: str | None = None, feature: str | None = None
) -> Callable[[Action], Action]:
    """Declare a function as a step; the order of declaration is the order of running."""

    def declare(action: Action) -> Action:
        subject = action.__module__.rpartition(".")[2]
        STEPS.append(Step(f"{subject}.{action.__name__}", action, since, before, feature))
        return action

    return declare


@dataclass(frozen=True)
class Outcome:
    """How one step ended: `passed`, `failed` or `skipped`, with the traceback or the reason."""

    step: str
    result: str
    seconds: float
    detail: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The outcome as it stands in the summary."""
        return {
            "step": self.step,
            "result": self.result,
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
            "notes": list(self.notes),
        }


def run_step(step: Step, scene: Scene) -> Outcome:
    """Run one step; whatever it raises is its outcome, for the next step must still run."""
    reason = step.reason_to_skip(scene)
    if reason:
        return Outcome(step.name, "skipped", 0.0, reason)
    scene.notes = []
    printed = io.StringIO()
    started = time.monotonic()
    with redirect_stdout(printed):
        try:
            step.action(scene)
        except NotHere as reason:
            return Outcome(step.name, "skipped", time.monotonic() - started, str(reason))
        except Exception:
            detail = traceback.format_exc(limit=-12) + printed.getvalue()
            return Outcome(step.name, "failed", time.monotonic() - started, detail)
        finally:
            leave_runs()
    return Outcome(step.name, "passed", time.monotonic() - started, notes=tuple(scene.notes))


def leave_runs() -> None:
    """End whatever a failed step left open, lest the next one writes into it."""
    while mlflow.active_run() is not None:
        try:
            mlflow.end_run()
        except MlflowException as error:
            say(f"        could not end a run: {error}")
            break


def run_steps(scene: Scene, chosen: Callable[[str], bool]) -> list[Outcome]:
    """Run every chosen step in order, printing a line for each."""
    outcomes = []
    for each in STEPS:
        if not chosen(each.name):
            continue
        outcome = run_step(each, scene)
        say(f"{outcome.result:<8}{outcome.step:<52}{outcome.seconds:7.2f} s")
        for note in outcome.notes:
            say(f"        note: {note}")
        if outcome.result == "skipped":
            say(f"        {outcome.detail}")
        elif outcome.detail:
            say("        " + outcome.detail.rstrip().replace("\n", "\n        "))
        outcomes.append(outcome)
    return outcomes


def say(line: str) -> None:
    """Print a line at once, for somebody may be watching."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def summarise(scene: Scene, outcomes: list[Outcome]) -> str:
    """The one line of JSON that a test reads."""
    return json.dumps(
        {"client": scene.version, "uri": scene.uri, "steps": [o.to_json() for o in outcomes]}
    )


def equal(actual: object, expected: object, what: str = "value") -> None:
    """Fail unless the two are equal, saying both."""
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, expected {expected!r}")


def truth(condition: object, what: str) -> None:
    """Fail, saying what should have held, unless it does."""
    if not condition:
        raise AssertionError(f"not so: {what}")


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """Expect the block to be refused with one of these MLflow error codes."""
    try:
        yield
    except MlflowException as error:
        truth(
            error.error_code in codes,
            f"refused with {' or '.join(codes)}, not {error.error_code}: {error}",
        )
        return
    raise AssertionError(f"accepted, expected a refusal with {' or '.join(codes)}")
