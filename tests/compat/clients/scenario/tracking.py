"""Experiments and runs: made, changed, deleted, restored, and written to."""

from __future__ import annotations

import math
import time
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, RunTag, ViewType

from scenario.steps import Scene, equal, refused, step, truth


@step()
def server_answers(scene: Scene) -> None:
    """Health is the plain word OK."""
    equal(scene.get("/health"), (200, "OK"), "/health")
    status, version = scene.get("/version")
    equal(status, 200, "status of /version")
    truth(version.strip(), "/version says something")


@step()
def default_experiment(scene: Scene) -> None:
    """Experiment 0 is there from the start, and a run without a choice lands in it."""
    equal(scene.client.get_experiment("0").name, "Default")
    run = scene.client.create_run("0")
    equal(scene.client.get_run(run.info.run_id).info.experiment_id, "0")
    scene.client.set_terminated(run.info.run_id)


@step()
def experiment_life(scene: Scene) -> None:
    """Create with tags, read, rename, tag, delete, restore; names are unique."""
    client = scene.client
    name = scene.name("weaving")
    experiment_id = client.create_experiment(name, tags={"team": "stores", "größe": "klein"})
    made = client.get_experiment(experiment_id)
    equal((made.name, made.lifecycle_stage), (name, "active"))
    equal(made.tags, {"team": "stores", "größe": "klein"}, "tags")
    truth(made.artifact_location, "an experiment has a place for files")
    truth(abs(made.creation_time - time.time() * 1000) < 600_000, "creation_time is now, in ms")
    with refused("RESOURCE_ALREADY_EXISTS"):
        client.create_experiment(name)
    equal(client.get_experiment_by_name(name).experiment_id, experiment_id)
    renamed = scene.name("renamed")
    client.rename_experiment(experiment_id, renamed)
    client.set_experiment_tag(experiment_id, "team", "online")
    again = client.get_experiment(experiment_id)
    equal((again.name, again.tags["team"]), (renamed, "online"))
    truth(again.last_update_time >= made.last_update_time, "a rename moves last_update_time")
    equal(client.get_experiment_by_name(name), None, "the old name")
    client.delete_experiment(experiment_id)
    equal(client.get_experiment(experiment_id).lifecycle_stage, "deleted")
    equal(client.get_experiment_by_name(renamed).lifecycle_stage, "deleted")
    with refused("INVALID_PARAMETER_VALUE", "INVALID_STATE"):
        client.create_run(experiment_id)
    client.restore_experiment(experiment_id)
    equal(client.get_experiment(experiment_id).lifecycle_stage, "active")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_experiment("999999999")


@step()
def experiment_delete_takes_runs(scene: Scene) -> None:
    """Runs go with their experiment and come back with it."""
    client = scene.client
    experiment_id = scene.new_experiment("with-runs")
    run_id = client.create_run(experiment_id).info.run_id
    client.delete_experiment(experiment_id)
    equal(client.get_run(run_id).info.lifecycle_stage, "deleted")
    client.restore_experiment(experiment_id)
    equal(client.get_run(run_id).info.lifecycle_stage, "active")
    mlflow.set_experiment(experiment_id="0")


@step()
def set_experiment(scene: Scene) -> None:
    """set_experiment makes what is missing and finds what is there, unicode names too."""
    name = scene.name("Prognose für Käse 春 🧀")
    made = mlflow.set_experiment(name)
    equal(made.name, name)
    equal(mlflow.set_experiment(name).experiment_id, made.experiment_id)
    equal(mlflow.get_experiment_by_name(name).experiment_id, made.experiment_id)
    with mlflow.start_run() as run:
        equal(run.info.experiment_id, made.experiment_id)


@step(since="3.0")
def experiment_tag_deleted(scene: Scene) -> None:
    """A tag of an experiment can be taken away again."""
    client = scene.client
    if not hasattr(client, "delete_experiment_tag"):
        scene.note("this client cannot delete experiment tags")
        return
    experiment_id = scene.new_experiment("tagged")
    client.set_experiment_tag(experiment_id, "a", "1")
    client.delete_experiment_tag(experiment_id, "a")
    truth("a" not in client.get_experiment(experiment_id).tags, "the tag is gone")


@step()
def run_life(scene: Scene) -> None:
    """start_run to end_run: name, status, times, user, place for files."""
    experiment_id = scene.new_experiment("life")
    before_ms = int(time.time() * 1000)
    with mlflow.start_run(run_name="first light") as active:
        run_id = active.info.run_id
        during = scene.client.get_run(run_id)
        equal((during.info.status, during.info.end_time), ("RUNNING", None))
    run = mlflow.get_run(run_id)
    equal(run.info.status, "FINISHED")
    equal(run.info.experiment_id, experiment_id)
    equal(run.info.lifecycle_stage, "active")
    equal(run.data.tags["mlflow.runName"], "first light")
    equal(run.info.run_name, "first light")
    truth(run.data.tags.get("mlflow.user"), "the user is tagged")
    truth(run.data.tags.get("mlflow.source.name"), "the source is tagged")
    truth(before_ms - 1000 <= run.info.start_time <= run.info.end_time, "times are in order")
    truth(run_id in run.info.artifact_uri, "the place for files names the run")
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metric("later", 1.0)
    equal(mlflow.get_run(run_id).data.metrics, {"later": 1.0})


@step()
def run_named_by_server(scene: Scene) -> None:
    """A run without a name gets one, and its tag says the same."""
    run = scene.client.create_run(scene.new_experiment("unnamed"))
    truth(run.info.run_name, "the run has a name")
    equal(run.data.tags["mlflow.runName"], run.info.run_name)


@step()
def run_fails(scene: Scene) -> None:
    """An exception in the block marks the run FAILED; KILLED can be said."""
    experiment_id = scene.new_experiment("failing")
    try:
        with mlflow.start_run() as active:
            raise RuntimeError("the loom broke")  # noqa: TRY301  (the block must fail)
    except RuntimeError:
        equal(mlflow.get_run(active.info.run_id).info.status, "FAILED")
    run_id = scene.client.create_run(experiment_id).info.run_id
    scene.client.set_terminated(run_id, "KILLED", end_time=1_700_000_000_123)
    ended = scene.client.get_run(run_id).info
    equal((ended.status, ended.end_time), ("KILLED", 1_700_000_000_123))


@step()
def run_update(scene: Scene) -> None:
    """Renaming a run renames its tag, setting the tag renames the run; status is left alone."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("update"), run_name="old").info.run_id
    client.update_run(run_id, name="new")
    run = client.get_run(run_id)
    equal((run.info.run_name, run.data.tags["mlflow.runName"]), ("new", "new"))
    equal((run.info.status, run.info.end_time), ("RUNNING", None))
    client.set_tag(run_id, "mlflow.runName", "newest")
    equal(client.get_run(run_id).info.run_name, "newest")
    client.update_run(run_id, status="SCHEDULED")
    equal(client.get_run(run_id).info.status, "SCHEDULED")


@step()
def run_delete_and_restore(scene: Scene) -> None:
    """A deleted run can be read but not written, and comes back whole."""
    client = scene.client
    experiment_id = scene.new_experiment("bin")
    run_id = client.create_run(experiment_id).info.run_id
    client.log_param(run_id, "kept", "yes")
    client.delete_run(run_id)
    equal(client.get_run(run_id).info.lifecycle_stage, "deleted")
    with refused("INVALID_PARAMETER_VALUE", "INVALID_STATE"):
        client.log_metric(run_id, "m", 1.0)
    with refused("INVALID_PARAMETER_VALUE", "INVALID_STATE"):
        client.set_tag(run_id, "t", "1")

    def found(view: int) -> list[str]:
        runs = client.search_runs([experiment_id], run_view_type=view)
        return [run.info.run_id for run in runs]

    equal(found(ViewType.ACTIVE_ONLY), [], "active runs")
    equal(found(ViewType.DELETED_ONLY), [run_id], "deleted runs")
    equal(found(ViewType.ALL), [run_id], "all runs")
    client.delete_run(run_id)
    client.restore_run(run_id)
    client.restore_run(run_id)
    equal(client.get_run(run_id).data.params, {"kept": "yes"})
    equal(found(ViewType.ACTIVE_ONLY), [run_id], "active runs after the restore")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_run("0" * 32)


@step()
def log_single(scene: Scene) -> None:
    """One param, one metric, one tag at a time."""
    scene.new_experiment("single")
    with mlflow.start_run() as active:
        mlflow.log_param("alpha", 0.5)
        mlflow.log_param("empty", "")
        mlflow.log_metric("rmse", 1.25)
        mlflow.set_tag("stage", "draft")
        mlflow.set_tag("stage", "final")
    run = mlflow.get_run(active.info.run_id)
    equal(run.data.params, {"alpha": "0.5", "empty": ""})
    equal(run.data.metrics, {"rmse": 1.25})
    equal(run.data.tags["stage"], "final")


@step()
def log_batch(scene: Scene) -> None:
    """Many at once, through the fluent calls and through log_batch itself."""
    client = scene.client
    scene.new_experiment("batch")
    with mlflow.start_run() as active:
        mlflow.log_params({f"p{n}": n for n in range(150)})
        mlflow.log_metrics({"a": 1.0, "b": 2.0}, step=3)
        mlflow.set_tags({"x": "1", "y": "2"})
    run_id = active.info.run_id
    points = [Metric("loss", 1 / (n + 1), 1000 + n, n) for n in range(900)]
    client.log_batch(run_id, points, [Param("batch", "yes")], [RunTag("z", "3")])
    run = client.get_run(run_id)
    equal(run.data.params, {**{f"p{n}": str(n) for n in range(150)}, "batch": "yes"})
    equal(run.data.metrics, {"a": 1.0, "b": 2.0, "loss": 1 / 900})
    equal([run.data.tags[key] for key in "xyz"], ["1", "2", "3"])
    equal(len(client.get_metric_history(run_id, "loss")), 900, "points of loss")


@step()
def log_batch_limits(scene: Scene) -> None:
    """A batch beyond the limits, which newer clients split by themselves, is refused whole."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("limits")).info.run_id
    points = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(1001)]
    batch = {"run_id": run_id, "metrics": points}
    status, answer = scene.post("/api/2.0/mlflow/runs/log-batch", batch)
    equal((status, answer["error_code"]), (400, "INVALID_PARAMETER_VALUE"))
    equal(client.get_run(run_id).data.metrics, {}, "metrics after the refusal")
    client.log_batch(run_id, metrics=[Metric("m", n, n, n) for n in range(1000)])
    equal(client.get_run(run_id).data.metrics, {"m": 999.0}, "metrics of a full batch")


@step()
def param_is_written_once(scene: Scene) -> None:
    """The same value again is fine, another one is refused and changes nothing."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("once")).info.run_id
    client.log_param(run_id, "depth", "3")
    client.log_param(run_id, "depth", "3")
    with refused("INVALID_PARAMETER_VALUE"):
        client.log_param(run_id, "depth", "4")
    with refused("INVALID_PARAMETER_VALUE"):
        client.log_batch(run_id, params=[Param("depth", "5")])
    equal(client.get_run(run_id).data.params, {"depth": "3"})


@step()
def tag_deleted(scene: Scene) -> None:
    """Deleting a tag removes it; deleting it again says that there is none."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("tags")).info.run_id
    client.set_tag(run_id, "gone", "soon")
    client.delete_tag(run_id, "gone")
    truth("gone" not in client.get_run(run_id).data.tags, "the tag is gone")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.delete_tag(run_id, "gone")


@step()
def unicode_everywhere(scene: Scene) -> None:
    """Keys, values and names in other scripts come back as they went in."""
    client = scene.client
    name = scene.name("naïve-Ωmega")
    run_id = client.create_run(scene.new_experiment("unicode"), run_name=name).info.run_id
    client.log_param(run_id, "größe", "zehn µm ± 十")
    client.log_metric(run_id, "точность", 0.75)
    client.set_tag(run_id, "説明", "タグ 🧵 \"quoted\" 'single' \\ back\nnext line")
    client.set_tag(run_id, "mlflow.note.content", "# Überschrift\n* Punkt")
    run = client.get_run(run_id)
    equal(run.info.run_name, name)
    equal(run.data.params, {"größe": "zehn µm ± 十"})
    equal(run.data.metrics, {"точность": 0.75})
    equal(run.data.tags["説明"], "タグ 🧵 \"quoted\" 'single' \\ back\nnext line")
    equal([point.value for point in client.get_metric_history(run_id, "точность")], [0.75])


@step()
def keys_with_folders(scene: Scene) -> None:
    """Slashes, dots, dashes and spaces are part of keys; paths that climb are not."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("keys")).info.run_id
    for key in ("train/loss", "a.b-c d", "deep/er/still_1"):
        client.log_metric(run_id, key, 1.0)
        client.log_param(run_id, key, "v")
    equal(sorted(client.get_run(run_id).data.metrics), ["a.b-c d", "deep/er/still_1", "train/loss"])
    for key in ("../up", "/root", "a//b", "semi;colon"):
        with refused("INVALID_PARAMETER_VALUE"):
            client.log_metric(run_id, key, 1.0)


@step()
def nested_runs(scene: Scene) -> None:
    """A child names its parent in a tag and can be found by it."""
    client = scene.client
    experiment_id = scene.new_experiment("nested")
    with mlflow.start_run(run_name="parent") as parent:
        children = []
        for number in range(2):
            with mlflow.start_run(run_name=f"child {number}", nested=True) as child:
                mlflow.log_metric("n", number)
                children.append(child.info.run_id)
    found = client.search_runs(
        [experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.n"]
    )
    equal([run.info.run_id for run in found], children, "children of the parent")
    if hasattr(client, "get_parent_run"):
        equal(client.get_parent_run(children[0]).info.run_id, parent.info.run_id)


@step(since="2.8")
def async_logging(scene: Scene) -> None:
    """Calls that return at once are all on the server after the flush."""
    scene.new_experiment("async")
    with mlflow.start_run() as active:
        waiting: list[Any] = [
            mlflow.log_metric("m", n / 2, step=n, synchronous=False) for n in range(50)
        ]
        waiting.append(mlflow.log_params({"p": 1, "q": 2}, synchronous=False))
        waiting.append(mlflow.set_tag("t", "async", synchronous=False))
        for each in waiting:
            each.wait()
    run = mlflow.get_run(active.info.run_id)
    equal(run.data.metrics, {"m": 24.5})
    equal(run.data.params, {"p": "1", "q": "2"})
    equal(run.data.tags["t"], "async")
    points = scene.client.get_metric_history(active.info.run_id, "m")
    equal([point.step for point in points], list(range(50)), "steps")


@step(since="2.4")
def dataset_inputs(scene: Scene) -> None:
    """Datasets of a run, their context, and runs found by them."""
    experiment_id = scene.new_experiment("datasets")
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]})
    with mlflow.start_run() as active:
        table = mlflow.data.from_pandas(frame, source="shelf.csv", name="shelf", targets="b")
        mlflow.log_input(table, context="training")
        mlflow.log_input(table, context="training")
        mlflow.log_input(mlflow.data.from_numpy(np.eye(3), name="eye"), context="validation")
    inputs = mlflow.get_run(active.info.run_id).inputs.dataset_inputs
    found = {each.dataset.name: each for each in inputs}
    equal(sorted(found), ["eye", "shelf"], "datasets")
    equal(found["shelf"].dataset.digest, table.digest)
    truth("num_rows" in found["shelf"].dataset.profile, "the profile is kept")
    equal({tag.key: tag.value for tag in found["shelf"].tags}, {"mlflow.data.context": "training"})
    for condition in ("datasets.name = 'shelf'", "dataset.context = 'validation'"):
        runs = scene.client.search_runs([experiment_id], condition)
        equal([run.info.run_id for run in runs], [active.info.run_id], condition)
    equal(len(scene.client.search_runs([experiment_id], "datasets.name = 'other'")), 0)


@step(since="2.8")
def system_metrics(scene: Scene) -> None:
    """The machine's figures are logged beside the run's own."""
    scene.new_experiment("system")
    mlflow.set_system_metrics_sampling_interval(0.2)
    mlflow.set_system_metrics_samples_before_logging(1)
    try:
        with mlflow.start_run(log_system_metrics=True) as active:
            time.sleep(1.5)
    finally:
        mlflow.set_system_metrics_sampling_interval(None)
        mlflow.set_system_metrics_samples_before_logging(None)
    seen = mlflow.get_run(active.info.run_id).data.metrics
    truth(
        "system/cpu_utilization_percentage" in seen, f"the processor is measured, in {sorted(seen)}"
    )
    truth(all(math.isfinite(value) for value in seen.values()), "figures are finite")
