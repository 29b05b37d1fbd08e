"""Writers: each changes things of its own, one call at a time, and remembers what was answered.

A writer knows the value that each of its things must have, and of the one call that may be under
way what it would make of the thing. After a kill each thing must be exactly what was answered or
exactly what the unanswered call would have made of it: nothing lost, nothing half-made.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, ClassVar

from torture.client import MLFLOW, NATIVE, PROXY, Answer, Client, Lost, Refused
from torture.things import (
    Experiment,
    Folder,
    Model,
    Run,
    Thing,
    Value,
    digest_of,
    new_model,
    new_run,
)

Change = Callable[[Any], object]
PARTS = "/api/2.0/mlflow-artifacts/mpu"
SMALL = (0, 1, 900, 64 * 1024)
LARGE = (64 * 1024 + 1, 200_000, 1_500_000)
WAIT_STATUS = 503


class Writer:
    """Does one call after another; ``answered`` counts the answers, ``unknown`` the calls without one."""

    kind: ClassVar[str]

    def __init__(self, name: str) -> None:
        self.name = f"{self.kind}-{name}"
        self.random = random.Random(self.name)
        self.known: dict[Thing, Value] = {}
        self.pending: tuple[Thing, Value] | None = None
        self.touched: set[Thing] = set()
        self.answered = 0
        self.unknown = 0
        self._count = 0

    def begin(self) -> None:
        """A new life of the server begins."""
        self.touched.clear()

    def step(self, client: Client) -> None:
        """Do one call; raises ``Lost``, ``Refused``."""
        raise NotImplementedError

    def fresh(self) -> str:
        """A name that was never used."""
        self._count += 1
        return f"{self.name}-{self._count}"

    def make(self, thing: Thing, after: Value, call: Callable[[], Answer]) -> Answer:
        """A call that lets ``thing`` become ``after``."""
        self.pending = (thing, after)
        self.touched.add(thing)
        answer = call()
        if answer.status == WAIT_STATUS:
            raise Lost(f"{thing}: {answer.body[:300]!r}")
        if answer.status not in (200, 201):
            raise Refused(f"{thing} answered {answer.status}: {answer.body[:500]!r}")
        self.known[thing] = after
        self.pending = None
        self.answered += 1
        return answer

    def change(self, thing: Thing, change: Change, call: Callable[[], Answer]) -> Answer:
        """A call that does to ``thing`` what ``change`` does to its value."""
        after = copy.deepcopy(self.known[thing])
        change(after)
        return self.make(thing, after, call)

    def check(self, client: Client, things: set[Thing] | None = None) -> list[str]:
        """What is not as it must be, among the things touched in this life (or those named)."""
        problems = []
        for thing in self.touched if things is None else things:
            allowed = [self.known.get(thing)]
            if self.pending is not None and self.pending[0] == thing:
                allowed.append(self.pending[1])
            try:
                found = thing.read(client)
            except Refused as error:
                problems.append(f"{self.name}: {error}")
                continue
            if found not in allowed:
                problems.append(
                    f"{self.name}: {thing} is {_shown(found)} but must be"
                    f" {' or '.join(_shown(value) for value in allowed)}"
                )
            self.known[thing] = found
        if self.pending is not None:
            self.unknown += 1
            self.settle(client, self.known.get(self.pending[0]) == self.pending[1])
            self.pending = None
        return problems

    def settle(self, client: Client, happened: bool) -> None:  # noqa: FBT001
        """The call that was under way turns out to have happened, or not."""


def _shown(value: Value) -> str:
    text = repr(value)
    return text if len(text) < 4000 else text[:4000] + "..."


class RunWriter(Writer):
    """Creates runs and takes them through their life."""

    kind = "runs"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.run: Run | None = None
        self.uid = ""

    def begin(self) -> None:
        """Begin with a new run."""
        super().begin()
        self.run = None

    def new(self, client: Client) -> Run:
        """Create a run, with a tag, in one call."""
        run = Run(self.fresh())
        tags = {"first": run.name}
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        answer = self.make(
            run,
            new_run(run.name, tags),
            lambda: client.post(
                "runs/create", experiment_id="0", run_name=run.name, start_time=1, tags=pairs
            ),
        )
        self.uid = answer.json["run"]["info"]["run_id"]
        return run

    def step(self, client: Client) -> None:
        """Create, tag, log a param, end, delete and restore, in any order that makes sense."""
        if self.run is None or len(self.known[self.run]["tags"]) > 12:  # type: ignore[index]
            self.run = self.new(client)
            return
        self.random.choice([self.tag, self.param, self.end, self.turn])(client, self.run)

    def tag(self, client: Client, run: Run) -> None:
        """Set a tag, perhaps again."""
        key, value = f"t{self.random.randrange(12)}", self.fresh()
        self._alive(client, run)
        self.change(
            run,
            lambda v: v["tags"].update({key: value}),
            lambda: client.post("runs/set-tag", run_id=self.uid, key=key, value=value),
        )

    def param(self, client: Client, run: Run) -> None:
        """Log a param of its own."""
        key = self.fresh()
        self._alive(client, run)
        self.change(
            run,
            lambda v: v["params"].update({key: key}),
            lambda: client.post("runs/log-parameter", run_id=self.uid, key=key, value=key),
        )

    def end(self, client: Client, run: Run) -> None:
        """Set status and end together."""
        status, end = self.random.choice(["FINISHED", "FAILED"]), self.random.randrange(10**12)
        self._alive(client, run)
        self.change(
            run,
            lambda v: v.update(status=status, end=end),
            lambda: client.post("runs/update", run_id=self.uid, status=status, end_time=end),
        )

    def turn(self, client: Client, run: Run) -> None:
        """Delete or restore."""
        active = self.known[run]["stage"] == "active"  # type: ignore[index]
        call = "runs/delete" if active else "runs/restore"
        self.change(
            run,
            lambda v: v.update(stage="deleted" if active else "active"),
            lambda: client.post(call, run_id=self.uid),
        )

    def _alive(self, client: Client, run: Run) -> None:
        if self.known[run]["stage"] != "active":  # type: ignore[index]
            self.turn(client, run)


class MetricWriter(RunWriter):
    """Logs one point after another."""

    kind = "metrics"

    def step(self, client: Client) -> None:
        """The next point of one of three metrics."""
        if self.run is None or self._count % 150 == 0:
            self.run = self.new(client)
            return
        key, value = f"m{self._count % 3}", self.random.random()
        self._count += 1
        at = self._count
        self.change(
            self.run,
            lambda v: v["points"].setdefault(key, []).append([at, at, value]),
            lambda: client.post(
                "runs/log-metric", run_id=self.uid, key=key, value=value, timestamp=at, step=at
            ),
        )


class BatchWriter(RunWriter):
    """Logs batches of points, params and tags, each of which must be there whole or not at all."""

    kind = "batches"

    def step(self, client: Client) -> None:
        """One batch."""
        if self.run is None or self._count % 8 == 0:
            self.run = self.new(client)
            return
        label = self.fresh()
        size = self.random.choice([1, 30, 300])
        points = {f"m{number % 40}": [] for number in range(size)}  # type: dict[str, list[Any]]
        for number in range(size):
            points[f"m{number % 40}"].append([self._count, number, self.random.random()])
        pairs = [{"key": f"{label}-{number}", "value": label} for number in range(min(size, 40))]

        def change(value: Any) -> None:
            for key, more in points.items():
                value["points"].setdefault(key, []).extend(more)
            for pair in pairs:
                value["params"][pair["key"]] = value["tags"][pair["key"]] = label

        metrics = [
            {"key": key, "timestamp": at, "step": step, "value": value}
            for key, more in points.items()
            for at, step, value in more
        ]
        self.change(
            self.run,
            change,
            lambda: client.post(
                "runs/log-batch", run_id=self.uid, metrics=metrics, params=pairs, tags=pairs
            ),
        )


class FileWriter(RunWriter):
    """Puts, replaces and removes a run's files; small ones go to the database."""

    kind = "small-files"
    sizes: ClassVar[tuple[int, ...]] = SMALL

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.folder: Folder | None = None

    def begin(self) -> None:
        """Begin with a new run."""
        super().begin()
        self.folder = None

    def step(self, client: Client) -> None:
        """Put a file, or remove one or a whole folder."""
        if self.run is None or self.folder is None or len(self.known[self.folder] or ()) > 10:
            self.run = self.new(client)
            self.folder = Folder(self.run.name)
            self.known[self.folder] = {}
            return
        if self.random.random() < 0.15:
            self._remove(client, self.folder)
            return
        path = f"d{self.random.randrange(3)}/f{self.random.randrange(5)}"
        data = self.random.randbytes(self.random.choice(self.sizes))
        if self.random.random() < 0.3:
            # The same content again and again, so that what is stored is found there already.
            data = self.kind.encode() * (len(data) // 8)
        self.change(
            self.folder,
            lambda v: v.update({path: digest_of(data)}),
            lambda: client.send("PUT", f"{PROXY}/0/{self.uid}/artifacts/{path}", data),
        )

    def _remove(self, client: Client, folder: Folder) -> None:
        name = f"d{self.random.randrange(3)}"

        def change(value: Any) -> None:
            for path in [path for path in value if path.startswith(f"{name}/")]:
                del value[path]

        self.change(
            folder,
            change,
            lambda: client.send("DELETE", f"{PROXY}/0/{self.uid}/artifacts/{name}"),
        )


class LargeFileWriter(FileWriter):
    """The same with files that lie in the store."""

    kind = "large-files"
    sizes: ClassVar[tuple[int, ...]] = LARGE


class PartsWriter(FileWriter):
    """Sends files in parts, and goes on after a kill with what was answered before it."""

    kind = "parts"
    count: ClassVar = 3

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.upload: dict[str, Any] | None = None

    def begin(self) -> None:
        """Keep what was begun."""
        if self.upload is None:
            super().begin()
        else:
            Writer.begin(self)
            assert self.folder is not None
            self.touched.add(self.folder)

    def step(self, client: Client) -> None:
        """Begin an upload, send its next part, or complete it."""
        if self.upload is None:
            if self.folder is None or len(self.known[self.folder] or ()) > 4:
                self.run = self.new(client)
                self.folder = Folder(self.run.name)
                self.known[self.folder] = {}
            self._begin_upload(client)
        elif len(self.upload["sent"]) < self.count:
            data = self.random.randbytes(self.random.choice((1000, 100_000, 700_000)))
            part = self.upload["urls"][len(self.upload["sent"])]
            answer = client.send("PUT", part, data)
            if answer.status == WAIT_STATUS:
                raise Lost("a part")
            if answer.status != 200:
                raise Refused(f"a part answered {answer.status}: {answer.body!r}")
            self.answered += 1
            self.upload["sent"].append(data)
        else:
            self._complete(client)

    def _begin_upload(self, client: Client) -> None:
        place = f"0/{self.uid}/artifacts"
        name = self.fresh()
        ask = {"path": name, "num_parts": self.count}
        answer = client.json("POST", f"{PARTS}/create/{place}", ask)
        if answer.status == WAIT_STATUS:
            raise Lost("an upload")
        if answer.status != 200:
            raise Refused(f"an upload answered {answer.status}: {answer.body!r}")
        self.answered += 1
        urls = ["/" + c["url"].split("/", 3)[3] for c in answer.json["credentials"]]
        begun = {"id": answer.json["upload_id"], "urls": urls, "name": name}
        self.upload = {**begun, "place": place, "sent": []}

    def _complete(self, client: Client) -> None:
        assert self.upload is not None
        assert self.folder is not None
        upload = self.upload
        name, whole = upload["name"], b"".join(upload["sent"])
        ask = {"path": name, "upload_id": upload["id"], "parts": []}
        self.change(
            self.folder,
            lambda v: v.update({name: digest_of(whole)}),
            lambda: client.json("POST", f"{PARTS}/complete/{upload['place']}", ask),
        )
        self.upload = None

    def settle(self, client: Client, happened: bool) -> None:  # noqa: ARG002, FBT001
        """An upload is completed once: if that happened it is over."""
        if happened and self.pending is not None and self.pending[0] == self.folder:
            self.upload = None


class ModelWriter(Writer):
    """Creates models with versions, moves their aliases, changes their labels, removes versions."""

    kind = "models"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.model: Model | None = None
        self.made = 0

    def begin(self) -> None:
        """Begin with a new model."""
        super().begin()
        self.model = None

    def step(self, client: Client) -> None:
        """One change of the model."""
        if self.model is None or self._value["moves"][30:]:
            self.model = None
            model = Model(self.fresh())
            self.made = 0
            tags = {"first": model.name}
            self.make(
                model,
                new_model(tags),
                lambda: client.json("POST", f"{NATIVE}/models", {"name": model.name, "tags": tags}),
            )
            self.model = model
            return
        if self.made < 3:
            self._register(client, self.model)
            return
        steps = [self._move, self._move, self._move, self._describe, self._tag, self._stage]
        self.random.choice([*steps, self._register, self._drop])(client, self.model)

    @property
    def _value(self) -> dict[str, Any]:
        assert self.model is not None
        value = self.known[self.model]
        assert value is not None
        return value

    def _living(self) -> str | None:
        return self.random.choice(sorted(self._value["versions"]) or [None])

    def _register(self, client: Client, model: Model) -> None:
        number, label = self.made + 1, self.fresh()
        version = {"description": label, "tags": {"k": label}, "stage": "None", "files": {}}
        self.change(
            model,
            lambda v: v["versions"].update({str(number): version}),
            lambda: client.post(
                "model-versions/create",
                name=model.name,
                source="s3://bucket/model",
                description=label,
                tags=[{"key": "k", "value": label}],
            ),
        )
        self.made = number

    def settle(self, client: Client, happened: bool) -> None:  # noqa: ARG002, FBT001
        """A version that was made has used its number."""
        if self.model is not None and self.known.get(self.model) is not None:
            numbers = [int(number) for number in self._value["versions"]]
            self.made = max([self.made, *numbers])

    def _move(self, client: Client, model: Model) -> None:
        alias, number = self.random.choice(["champion", "challenger"]), self._living()
        before = self._value["aliases"].get(alias)
        shown = None if before is None else str(before)
        path = f"{NATIVE}/models/{model.name}/aliases/{alias}"
        if number is None or (before is not None and self.random.random() < 0.1):
            if before is not None:
                self.change(
                    model,
                    lambda v: (v["aliases"].pop(alias), v["moves"].append([alias, shown, None])),
                    lambda: client.send("DELETE", path),
                )
            return

        def change(value: Any) -> None:
            value["aliases"][alias] = int(number)
            if shown != number:
                value["moves"].append([alias, shown, number])

        self.change(model, change, lambda: client.json("PUT", path, {"version": int(number)}))

    def _describe(self, client: Client, model: Model) -> None:
        text = self.fresh()
        self.change(
            model,
            lambda v: v.update(description=text),
            lambda: client.json(
                "PATCH",
                f"{MLFLOW}/registered-models/update",
                {"name": model.name, "description": text},
            ),
        )

    def _tag(self, client: Client, model: Model) -> None:
        text, number = self.fresh(), self._living()
        if number is None or self.random.random() < 0.5:
            self.change(
                model,
                lambda v: v["tags"].update(t=text),
                lambda: client.post(
                    "registered-models/set-tag", name=model.name, key="t", value=text
                ),
            )
            return
        self.change(
            model,
            lambda v: v["versions"][number]["tags"].update(t=text),
            lambda: client.post(
                "model-versions/set-tag", name=model.name, version=number, key="t", value=text
            ),
        )

    def _stage(self, client: Client, model: Model) -> None:
        number, stage = self._living(), self.random.choice(["Staging", "Production"])
        if number is None:
            return

        def change(value: Any) -> None:
            for version in value["versions"].values():
                if version["stage"] == stage:
                    version["stage"] = "Archived"
            value["versions"][number]["stage"] = stage

        self.change(
            model,
            change,
            lambda: client.post(
                "model-versions/transition-stage",
                name=model.name,
                version=number,
                stage=stage,
                archive_existing_versions=True,
            ),
        )

    def _drop(self, client: Client, model: Model) -> None:
        number = self._living()
        if number is None or len(self._value["versions"]) < 3:
            return

        def change(value: Any) -> None:
            del value["versions"][number]
            for alias, pointed in sorted(value["aliases"].items()):
                if str(pointed) == number:
                    del value["aliases"][alias]
                    value["moves"].append([alias, number, None])

        self.change(
            model,
            change,
            lambda: client.send("DELETE", f"{NATIVE}/models/{model.name}/versions/{number}"),
        )


class ExperimentWriter(Writer):
    """Creates experiments with runs, deletes and restores them with all that is in them."""

    kind = "experiments"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.experiment: Experiment | None = None
        self.id = ""

    def begin(self) -> None:
        """Begin with a new experiment."""
        super().begin()
        self.experiment = None

    def step(self, client: Client) -> None:
        """One change of the experiment."""
        if self.experiment is None:
            made = Experiment(self.fresh())
            tags = [{"key": "first", "value": made.name}]
            value = {"stage": "active", "tags": {"first": made.name}, "runs": {}}
            answer = self.make(
                made,
                value,
                lambda: client.post("experiments/create", name=made.name, tags=tags),
            )
            self.id = answer.json["experiment_id"]
            self.experiment = made
            return
        value = self.known[self.experiment] or {}
        if value["stage"] != "active" or len(value["runs"]) > 8:
            self._turn(client, self.experiment)
        else:
            steps = [self._run, self._run, self._tag, self._turn]
            self.random.choice(steps)(client, self.experiment)

    def _run(self, client: Client, experiment: Experiment) -> None:
        name = self.fresh()
        self.change(
            experiment,
            lambda v: v["runs"].update({name: "active"}),
            lambda: client.post("runs/create", experiment_id=self.id, run_name=name, start_time=1),
        )

    def _tag(self, client: Client, experiment: Experiment) -> None:
        text = self.fresh()
        self.change(
            experiment,
            lambda v: v["tags"].update(t=text),
            lambda: client.post(
                "experiments/set-experiment-tag", experiment_id=self.id, key="t", value=text
            ),
        )

    def _turn(self, client: Client, experiment: Experiment) -> None:
        active = (self.known[experiment] or {})["stage"] == "active"
        stage = "deleted" if active else "active"

        def change(value: Any) -> None:
            value["stage"] = stage
            value["runs"] = dict.fromkeys(value["runs"], stage)

        call = "experiments/delete" if active else "experiments/restore"
        self.change(experiment, change, lambda: client.post(call, experiment_id=self.id))
        if not active and len(self.known[experiment]["runs"]) > 8:  # type: ignore[index]
            self.experiment = None


class VersionWriter(Writer):
    """Registers versions of a model that others register versions of at the same time.

    Numbers are given by the server, so what must hold is checked over all writers: see ``Numbers``.
    """

    kind = "versions"

    def __init__(self, name: str, numbers: Numbers) -> None:
        super().__init__(name)
        self.numbers = numbers
        self.uid = ""

    def begin(self) -> None:
        """Begin with a new run whose files are registered."""
        super().begin()
        self.uid = ""

    def step(self, client: Client) -> None:
        """Register one version from a run's folder."""
        if not self.uid:
            run = Run(self.fresh())
            answer = self.make(
                run,
                new_run(run.name, {}),
                lambda: client.post(
                    "runs/create", experiment_id="0", run_name=run.name, start_time=1
                ),
            )
            uid = answer.json["run"]["info"]["run_id"]
            folder = Folder(run.name)
            self.known[folder] = {}
            self.change(
                folder,
                lambda v: v.update({"model/MLmodel": digest_of(run.name.encode())}),
                lambda: client.send(
                    "PUT", f"{PROXY}/0/{uid}/artifacts/model/MLmodel", run.name.encode()
                ),
            )
            self.uid = uid
            self.numbers.files[run.name] = {"MLmodel": digest_of(run.name.encode())}
            self.token = run.name
            return
        token = self.fresh()
        self.numbers.wanted[token] = self.token
        answer = client.post(
            "model-versions/create",
            name=self.numbers.model,
            source=f"mlflow-artifacts:/0/{self.uid}/artifacts/model",
            run_id=self.uid,
            description=token,
            tags=[{"key": "token", "value": token}],
        )
        if answer.status == WAIT_STATUS:
            raise Lost(token)
        if answer.status != 200:
            raise Refused(f"a version answered {answer.status}: {answer.body!r}")
        self.answered += 1
        number = answer.json["model_version"]["version"]
        if number in self.numbers.answered:
            raise Refused(f"number {number} was given twice")
        self.numbers.answered[number] = token


class Numbers:
    """What was answered of one model's versions, over all writers."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.wanted: dict[str, str] = {}
        self.answered: dict[str, str] = {}
        self.files: dict[str, dict[str, str]] = {}
        self._seen = 0
        self._tokens: set[str] = set()

    def create(self, client: Client) -> None:
        """Make the model."""
        client.post("registered-models/create", name=self.model)

    def check(self, client: Client) -> list[str]:
        """What is wrong: numbers from 1 without gaps, each answered one there, each one whole."""
        numbers = Model(self.model).numbers(client)
        problems = []
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"the numbers of {self.model} have gaps or duplicates: {numbers}")
        lost = set(self.answered) - {str(number) for number in numbers}
        if lost:
            problems.append(f"answered versions of {self.model} are lost: {sorted(lost)}")
        tokens = self._tokens
        for number in numbers[self._seen :]:
            path = f"{NATIVE}/models/{self.model}/versions/{number}"
            version = client.read(path)
            token = version["tags"].get("token", "")
            wanted = self.answered.get(str(number), token)
            files = {f["path"]: f["digest"] for f in version["files"]}
            if token in tokens or token != wanted or version["description"] != token:
                problems.append(f"version {number} is not as it was registered: {version}")
            elif files != self.files[self.wanted[token]]:
                problems.append(f"version {number} holds {files}")
            tokens.add(token)
        self._seen = len(numbers)
        return problems


def make_writers(name: str, numbers: Numbers) -> list[Writer]:
    """One writer of each kind, two of those that meet others of their kind."""
    kinds = (
        *(RunWriter, MetricWriter, BatchWriter, FileWriter, LargeFileWriter, PartsWriter),
        *(ModelWriter, ExperimentWriter),
    )
    made: list[Writer] = [kind(name) for kind in kinds]
    return [*made, *(VersionWriter(f"{name}-{number}", numbers) for number in range(2))]
