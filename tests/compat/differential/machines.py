"""Machines that make up sequences of calls as a user could send them, and put them to both servers.

Each example works in experiments and under names of its own. Every answer is compared as it comes,
so a rule only chooses what to ask. When a known difference has left the servers in different
states the rest of the example is passed over.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from differential import strategies as made
from differential.conversation import Conversation, call

ALIASES = st.sampled_from(["best", "Best", "a-1_b", "latest", "v1", "a b", ""])
STAGES = st.sampled_from(["None", "staging", "Production", "ARCHIVED", "Testing"])
PAGES = 4


class Machine(RuleBasedStateMachine):
    """A conversation and the ids it has met."""

    def __init__(self, converse: Callable[[], Conversation]) -> None:
        super().__init__()
        self.talk = converse()
        self.met = 0

    def ask(self, method: str, path: str, sent: Any = None, workspace: str = "") -> None:
        """Put one call to both."""
        if not self.talk.parted:
            self.talk.say(call(method, path, sent, workspace))

    def make(self, path: str, sent: Any, found: str, workspace: str = "") -> Any:
        """Create something; return the name of its id, or nothing for the bundle."""
        if self.talk.parted:
            return multiple()
        answers = self.talk.say(call("POST", path, sent, workspace))
        if any(answer.status != 200 for answer in answers):
            return multiple()
        self.met += 1
        name = f"id{self.met}"
        self.talk.keep(name, answers, found)
        return f"${name}"

    def pages(self, method: str, path: str, sent: dict[str, Any]) -> None:
        """Read page after page, as far as four."""
        for _ in range(PAGES):
            if self.talk.parted:
                return
            answers = self.talk.say(call(method, path, sent))
            if not all(isinstance(a.json, dict) and "next_page_token" in a.json for a in answers):
                return
            self.talk.keep("token", answers, "next_page_token")
            sent = {**sent, "page_token": "$token"}


class Tracking(Machine):
    """Experiments, runs, what they log, and how they are found again."""

    experiments = Bundle("experiments")
    runs = Bundle("runs")

    @initialize(target=experiments)
    def first_experiment(self) -> Any:
        return self.make("experiments/create", {"name": "$u"}, "experiment_id")

    @initialize(target=runs, experiment=experiments)
    def first_run(self, experiment: str) -> Any:
        sent = {"experiment_id": experiment, "run_name": "first", "start_time": 1}
        return self.make("runs/create", sent, "run.info.run_id")

    @rule(
        target=experiments,
        name=st.sampled_from(["x", "y"]),
        tags=st.lists(made.pairs(), max_size=2),
    )
    def create_experiment(self, name: str, tags: list[Any]) -> Any:
        return self.make(
            "experiments/create", {"name": f"$u-{name}", "tags": tags}, "experiment_id"
        )

    @rule(
        target=runs,
        experiment=experiments,
        name=st.sampled_from(["one", "Two", ""]),
        start=st.integers(0, 3),
        tags=st.lists(made.pairs(), max_size=2, unique_by=lambda tag: tag["key"]),
    )
    def create_run(self, experiment: str, name: str, start: int, tags: list[Any]) -> Any:
        # Runs that started together are ordered by their ids, which each server makes up: avoid it.
        start = start * 1000 + self.met
        sent = {"experiment_id": experiment, "run_name": name, "start_time": start, "tags": tags}
        return self.make("runs/create", sent, "run.info.run_id")

    @rule(run=runs, point=made.points())
    def log_metric(self, run: str, point: dict[str, Any]) -> None:
        self.ask("POST", "runs/log-metric", {"run_id": run, **point})

    @rule(run=runs, param=made.pairs())
    def log_param(self, run: str, param: dict[str, Any]) -> None:
        self.ask("POST", "runs/log-parameter", {"run_id": run, **param})

    @rule(
        run=runs,
        metrics=st.lists(made.points(), max_size=5),
        params=st.lists(made.pairs(), max_size=3),
        tags=st.lists(made.pairs(), max_size=3),
    )
    def log_batch(self, run: str, **sent: Any) -> None:
        self.ask("POST", "runs/log-batch", {"run_id": run, **sent})

    @rule(run=runs, tag=made.pairs(st.one_of(made.keys, st.just("mlflow.runName"))))
    def set_tag(self, run: str, tag: dict[str, Any]) -> None:
        self.ask("POST", "runs/set-tag", {"run_id": run, **tag})

    @rule(run=runs, key=made.keys)
    def delete_tag(self, run: str, key: str) -> None:
        self.ask("POST", "runs/delete-tag", {"run_id": run, "key": key})

    @rule(
        run=runs,
        sent=st.fixed_dictionaries(
            {},
            optional={
                "status": st.sampled_from(["RUNNING", "FINISHED", "FAILED", 5]),
                "end_time": st.integers(1, 5),
                "run_name": st.sampled_from(["one", "three", ""]),
            },
        ),
    )
    def update_run(self, run: str, sent: dict[str, Any]) -> None:
        self.ask("POST", "runs/update", {"run_id": run, **sent})

    @rule(run=runs, verb=st.sampled_from(["delete", "restore"]))
    def delete_or_restore_run(self, run: str, verb: str) -> None:
        self.ask("POST", f"runs/{verb}", {"run_id": run})

    @rule(experiment=experiments, verb=st.sampled_from(["delete", "restore"]))
    def delete_or_restore_experiment(self, experiment: str, verb: str) -> None:
        self.ask("POST", f"experiments/{verb}", {"experiment_id": experiment})

    @rule(experiment=experiments, tag=made.pairs())
    def tag_experiment(self, experiment: str, tag: dict[str, Any]) -> None:
        self.ask("POST", "experiments/set-experiment-tag", {"experiment_id": experiment, **tag})

    @rule(experiment=experiments, key=made.keys)
    def untag_experiment(self, experiment: str, key: str) -> None:
        sent = {"experiment_id": experiment, "key": key}
        self.ask("POST", "experiments/delete-experiment-tag", sent)

    @rule(run=runs, datasets=st.lists(made.datasets, max_size=3))
    def log_inputs(self, run: str, datasets: list[Any]) -> None:
        self.ask("POST", "runs/log-inputs", {"run_id": run, "datasets": datasets})

    @rule(run=runs)
    def get_run(self, run: str) -> None:
        self.ask("GET", "runs/get", {"run_id": run})

    @rule(experiment=experiments)
    def get_experiment(self, experiment: str) -> None:
        self.ask("GET", "experiments/get", {"experiment_id": experiment})

    @rule(run=runs, key=made.good_keys)
    def whole_history(self, run: str, key: str) -> None:
        self.ask("GET", "metrics/get-history", {"run_id": run, "metric_key": key})

    @rule(run=runs, key=made.good_keys, size=made.page_sizes)
    def paged_history(self, run: str, key: str, size: int) -> None:
        sent = {"run_id": run, "metric_key": key, "max_results": size}
        self.pages("GET", "metrics/get-history", sent)

    @rule(run=runs, key=made.good_keys)
    def bulk_history(self, run: str, key: str) -> None:
        sent = {"run_id": [run], "metric_key": key}
        self.ask("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", sent)

    @rule(run=runs, key=made.good_keys, size=st.integers(1, 5), span=st.none() | st.integers(0, 3))
    def history_interval(self, run: str, key: str, size: int, span: int | None) -> None:
        sent: dict[str, Any] = {"run_ids": [run], "metric_key": key, "max_results": size}
        if span is not None:
            sent |= {"start_step": 0, "end_step": span}
        self.ask("GET", "metrics/get-history-bulk-interval", sent)

    @rule(
        experiments=st.lists(experiments, min_size=1, max_size=2),
        filter=made.run_filters,
        order_by=made.run_orders,
        view=made.view_types,
        size=made.page_sizes,
    )
    def search_runs(
        self, experiments: list[str], filter: str, order_by: list[str], view: Any, size: int
    ) -> None:
        sent = {
            "experiment_ids": experiments,
            "filter": filter,
            "order_by": order_by,
            "run_view_type": view,
            "max_results": size,
        }
        self.pages("POST", "runs/search", sent)

    @rule(
        tail=st.sampled_from(
            ["", " AND tags.a = '1'", " AND tags.b LIKE '%'", " AND name ILIKE '%X'"]
        ),
        order_by=st.sampled_from([[], ["name"], ["name DESC"], ["last_update_time", "name"]]),
        view=made.view_types,
        size=made.page_sizes,
    )
    def search_experiments(self, tail: str, order_by: list[str], view: Any, size: int) -> None:
        sent = {
            "filter": f"name LIKE '$u%'{tail}",
            "order_by": order_by,
            "view_type": view,
            "max_results": size,
        }
        self.pages("POST", "experiments/search", sent)


class LoggedModels(Machine):
    """Logged models and the metrics that runs record on them."""

    models = Bundle("models")
    deleted = Bundle("deleted")

    @initialize()
    def start(self) -> None:
        answers = self.talk.say(call("POST", "experiments/create", {"name": "$u"}))
        self.talk.keep("exp", answers, "experiment_id")
        sent = {"experiment_id": "$exp", "run_name": "r", "start_time": 1}
        self.talk.keep("run", self.talk.say(call("POST", "runs/create", sent)), "run.info.run_id")

    @rule(
        target=models,
        sent=st.fixed_dictionaries(
            {"name": st.sampled_from(["one", "Two", "x", "a/b", "a b"])},  # type: ignore[dict-item]
            optional={
                "model_type": st.sampled_from(["", "sk"]),
                "source_run_id": st.just("$run"),
                "params": st.lists(
                    made.pairs(made.good_keys),
                    max_size=2,
                    unique_by=lambda p: p["key"],  # type: ignore[index]
                ),
                "tags": st.lists(
                    made.pairs(made.good_keys),
                    max_size=2,
                    unique_by=lambda p: p["key"],  # type: ignore[index]
                ),
            },
        ),
    )
    def create(self, sent: dict[str, Any]) -> Any:
        return self.make("logged-models", {"experiment_id": "$exp", **sent}, "model.info.model_id")

    @rule(model=models)
    def get(self, model: str) -> None:
        self.ask("GET", f"logged-models/{model}")

    @rule(model=st.one_of(models, deleted))
    def get_even_deleted(self, model: str) -> None:
        self.ask("GET", f"logged-models/{model}", {"allow_deleted": "true"})

    @rule(
        model=models, status=st.sampled_from(["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"])
    )
    def finalize(self, model: str, status: str) -> None:
        self.ask("PATCH", f"logged-models/{model}", {"model_id": model, "status": status})

    @rule(
        model=models,
        tags=st.lists(
            made.pairs(made.good_keys), min_size=1, max_size=2, unique_by=lambda p: p["key"]
        ),
    )
    def set_tags(self, model: str, tags: list[Any]) -> None:
        self.ask("PATCH", f"logged-models/{model}/tags", {"model_id": model, "tags": tags})

    @rule(model=models, key=st.sampled_from(["a", "b", "x.y-z"]))
    def delete_tag(self, model: str, key: str) -> None:
        self.ask("DELETE", f"logged-models/{model}/tags/{key}")

    @rule(target=deleted, model=consumes(models))
    def delete(self, model: str) -> str:
        self.ask("DELETE", f"logged-models/{model}")
        return model

    @rule(
        model=models,
        point=made.points(made.good_keys, made.true_numbers),
        dataset=st.none() | st.sampled_from(["d", "e"]),
    )
    def log_metric(self, model: str, point: dict[str, Any], dataset: str | None) -> None:
        about = {"dataset_name": dataset, "dataset_digest": "1"} if dataset else {}
        self.ask("POST", "runs/log-metric", {"run_id": "$run", "model_id": model, **about, **point})

    @rule(model=models, step=st.integers(0, 3))
    def record_output(self, model: str, step: int) -> None:
        sent = {"run_id": "$run", "models": [{"model_id": model, "step": step}]}
        self.ask("POST", "runs/outputs", sent)

    @rule()
    def get_run(self) -> None:
        self.ask("GET", "runs/get", {"run_id": "$run"})

    @rule(
        filter=made.model_filters,
        order_by=made.model_orders,
        size=made.page_sizes,
        datasets=st.sampled_from([[], [{"dataset_name": "d", "dataset_digest": "1"}]]),
    )
    def search(self, filter: str, order_by: list[Any], size: int, datasets: list[Any]) -> None:
        sent = {
            "experiment_ids": ["$exp"],
            "filter": filter,
            "order_by": order_by,
            "max_results": size,
            "datasets": datasets,
        }
        self.pages("POST", "logged-models/search", sent)


class Registry(Machine):
    """Registered models, versions, aliases, stages."""

    names = st.sampled_from(["$u-a", "$u-b", "$u-C"])
    numbers = st.sampled_from(["1", "2", "3", "1", "2", "9"])
    few_tags = st.lists(made.pairs(), max_size=2, unique_by=lambda tag: tag["key"])

    @initialize()
    def start(self) -> None:
        self.ask("POST", "registered-models/create", {"name": "$u-a"})
        self.ask("POST", "model-versions/create", {"name": "$u-a", "source": "s3://b/a"})

    @rule(name=names, tags=few_tags, description=st.sampled_from([None, "", "about"]))
    def create_model(self, name: str, tags: list[Any], description: str | None) -> None:
        sent = {"name": name, "tags": tags, "description": description}
        self.ask("POST", "registered-models/create", sent)

    @rule(
        name=names,
        source=st.sampled_from(["s3://b/a", "s3://b/c", "models:/$u-a/1"]),
        tags=few_tags,
    )
    def create_version(self, name: str, source: str, tags: list[Any]) -> None:
        self.ask("POST", "model-versions/create", {"name": name, "source": source, "tags": tags})

    @rule(name=names, new_name=names)
    def rename(self, name: str, new_name: str) -> None:
        self.ask("POST", "registered-models/rename", {"name": name, "new_name": new_name})

    @rule(name=names, description=st.sampled_from(["", "other"]))
    def describe_model(self, name: str, description: str) -> None:
        self.ask("PATCH", "registered-models/update", {"name": name, "description": description})

    @rule(name=names, version=numbers, description=st.sampled_from(["", "other"]))
    def describe_version(self, name: str, version: str, description: str) -> None:
        sent = {"name": name, "version": version, "description": description}
        self.ask("PATCH", "model-versions/update", sent)

    @rule(name=names)
    def delete_model(self, name: str) -> None:
        self.ask("DELETE", "registered-models/delete", {"name": name})

    @rule(name=names, version=numbers)
    def delete_version(self, name: str, version: str) -> None:
        self.ask("DELETE", "model-versions/delete", {"name": name, "version": version})

    @rule(name=names, tag=made.pairs())
    def tag_model(self, name: str, tag: dict[str, Any]) -> None:
        self.ask("POST", "registered-models/set-tag", {"name": name, **tag})

    @rule(name=names, version=numbers, tag=made.pairs())
    def tag_version(self, name: str, version: str, tag: dict[str, Any]) -> None:
        self.ask("POST", "model-versions/set-tag", {"name": name, "version": version, **tag})

    @rule(name=names, key=made.good_keys)
    def untag_model(self, name: str, key: str) -> None:
        self.ask("DELETE", "registered-models/delete-tag", {"name": name, "key": key})

    @rule(name=names, version=numbers, key=made.good_keys)
    def untag_version(self, name: str, version: str, key: str) -> None:
        sent = {"name": name, "version": version, "key": key}
        self.ask("DELETE", "model-versions/delete-tag", sent)

    @rule(name=names, alias=ALIASES, version=numbers)
    def set_alias(self, name: str, alias: str, version: str) -> None:
        sent = {"name": name, "alias": alias, "version": version}
        self.ask("POST", "registered-models/alias", sent)

    @rule(name=names, alias=ALIASES)
    def get_alias(self, name: str, alias: str) -> None:
        self.ask("GET", "registered-models/alias", {"name": name, "alias": alias})

    @rule(name=names, alias=ALIASES)
    def delete_alias(self, name: str, alias: str) -> None:
        self.ask("DELETE", "registered-models/alias", {"name": name, "alias": alias})

    @rule(name=names, version=numbers, stage=STAGES, archive=st.booleans())
    def move_to_stage(self, name: str, version: str, stage: str, *, archive: bool) -> None:
        sent = {
            "name": name,
            "version": version,
            "stage": stage,
            "archive_existing_versions": archive and stage.lower() in ("staging", "production"),
        }
        self.ask("POST", "model-versions/transition-stage", sent)

    @rule(name=names)
    def get_model(self, name: str) -> None:
        self.ask("GET", "registered-models/get", {"name": name})

    @rule(name=names, version=numbers)
    def get_version(self, name: str, version: str) -> None:
        self.ask("GET", "model-versions/get", {"name": name, "version": version})

    @rule(name=names, version=numbers)
    def download_uri(self, name: str, version: str) -> None:
        self.ask("GET", "model-versions/get-download-uri", {"name": name, "version": version})

    @rule(
        name=names,
        stages=st.lists(STAGES, max_size=2, unique=True),
        verb=st.sampled_from(["GET", "POST"]),
    )
    def latest_versions(self, name: str, stages: list[str], verb: str) -> None:
        self.ask(verb, "registered-models/get-latest-versions", {"name": name, "stages": stages})

    @rule(
        noun=st.sampled_from(["registered-models", "model-versions"]),
        tail=st.sampled_from(
            [
                "",
                " AND tags.a = '1'",
                " AND tags.b != 'x'",
                " AND name ILIKE '%c'",
                " AND tags.`a/b` LIKE '%'",
            ]
        ),
        order_by=st.sampled_from([[], ["name"], ["name DESC"], ["last_updated_timestamp DESC"]]),
        size=made.page_sizes,
    )
    def search(self, noun: str, tail: str, order_by: list[str], size: int) -> None:
        sent = {"filter": f"name LIKE '$u%'{tail}", "order_by": order_by, "max_results": size}
        self.pages("GET", f"{noun}/search", sent)


SPACES = "/api/3.0/mlflow/workspaces"
SPACE_NAMES = st.sampled_from(["$u-a", "$u-a", "$u-b", "$u-b", "$u-c", "$u-C", "$u-", "api"])


class Workspaces(Machine):
    """Workspaces, and whether what is in one is seen from another."""

    experiments = Bundle("experiments")
    runs = Bundle("runs")

    @initialize(target=experiments, described=st.booleans())
    def first_workspaces(self, *, described: bool) -> Any:
        for name in ("$u-a", "$u-b"):
            self.ask("POST", SPACES, {"name": name, **({"description": "d"} if described else {})})
        return self.make("experiments/create", {"name": "$u"}, "experiment_id", "$u-a")

    @rule(name=SPACE_NAMES, description=st.sampled_from([None, "", "one", "two \u00e9"]))
    def create(self, name: str, description: str | None) -> None:
        sent = {} if description is None else {"description": description}
        self.ask("POST", SPACES, {"name": name, **sent})

    @rule(name=SPACE_NAMES)
    def get(self, name: str) -> None:
        self.ask("GET", f"{SPACES}/{name}")

    @rule()
    def list(self) -> None:
        self.ask("GET", SPACES)

    @rule(name=SPACE_NAMES, description=st.sampled_from([None, "", "three"]))
    def describe(self, name: str, description: str | None) -> None:
        sent = {} if description is None else {"description": description}
        self.ask("PATCH", f"{SPACES}/{name}", sent)

    @rule(name=SPACE_NAMES, mode=st.sampled_from(["", "?mode=RESTRICT", "?mode=SET_DEFAULT"]))
    def delete(self, name: str, mode: str) -> None:
        self.ask("DELETE", f"{SPACES}/{name}{mode}")

    @rule(target=experiments, inside=SPACE_NAMES, name=st.sampled_from(["$u-x", "$u-y"]))
    def create_experiment(self, inside: str, name: str) -> Any:
        return self.make("experiments/create", {"name": name}, "experiment_id", inside)

    @rule(target=runs, inside=SPACE_NAMES, experiment=experiments)
    def create_run(self, inside: str, experiment: str) -> Any:
        sent = {"experiment_id": experiment, "run_name": "r", "start_time": self.met}
        return self.make("runs/create", sent, "run.info.run_id", inside)

    @rule(inside=SPACE_NAMES, experiment=experiments)
    def look_at_experiment(self, inside: str, experiment: str) -> None:
        self.ask("GET", "experiments/get", {"experiment_id": experiment}, inside)
        self.ask("POST", "runs/search", {"experiment_ids": [experiment]}, inside)

    @rule(inside=SPACE_NAMES)
    def search(self, inside: str) -> None:
        self.ask("GET", "experiments/search", {"max_results": 10, "view_type": "ALL"}, inside)
        self.ask("GET", "registered-models/search", None, inside)

    @rule(inside=SPACE_NAMES, run=runs, value=st.integers(0, 2))
    def log(self, inside: str, run: str, value: int) -> None:
        sent = {"run_id": run, "key": "m", "value": value, "timestamp": 1}
        self.ask("POST", "runs/log-metric", sent, inside)
        self.ask("GET", "runs/get", {"run_id": run}, inside)

    @rule(inside=SPACE_NAMES, name=st.sampled_from(["$u-m", "$u-n"]))
    def register(self, inside: str, name: str) -> None:
        self.ask("POST", "registered-models/create", {"name": name}, inside)
        sent = {"name": name, "source": "s3://bucket/model"}
        self.ask("POST", "model-versions/create", sent, inside)

    @rule(inside=SPACE_NAMES, name=st.sampled_from(["$u-m", "$u-n"]))
    def delete_model(self, inside: str, name: str) -> None:
        self.ask("DELETE", "registered-models/delete", {"name": name}, inside)
