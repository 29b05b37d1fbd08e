"""Models as things of their own, apart from runs and the registry: clients since 3.0."""

from __future__ import annotations

from typing import Any

import mlflow
import mlflow.entities

from scenario.models import check_predictions, log_linear
from scenario.steps import Scene, equal, refused, step, truth


def status_of(model: Any) -> str:
    """The status as a plain word, an enum in some releases."""
    return str(getattr(model.status, "value", model.status))


@step(since="3.0")
def external_model(scene: Scene) -> None:
    """A model that lives elsewhere is READY from the start, with params and tags."""
    experiment_id = scene.new_experiment("external")
    model = mlflow.create_external_model(
        name="agent", model_type="agent", params={"temperature": "0.1"}, tags={"a": "1"}
    )
    again = mlflow.get_logged_model(model.model_id)
    equal((again.name, again.model_type, status_of(again)), ("agent", "agent", "READY"))
    equal((again.params, again.tags["a"]), ({"temperature": "0.1"}, "1"))
    equal((again.experiment_id, again.source_run_id or None), (experiment_id, None))
    truth(model.model_id.startswith("m-"), "ids start with m-")


@step(since="3.0")
def initialize_and_finalize(scene: Scene) -> None:
    """PENDING until it is said to be READY or FAILED; params, tags and metrics join it."""
    scene.new_experiment("finalize")
    client = scene.client
    with mlflow.start_run() as active:
        model = mlflow.initialize_logged_model(name="net", model_type="net", params={"lr": "0.1"})
        equal(status_of(model), "PENDING")
        equal(model.source_run_id, active.info.run_id)
        client.log_model_params(model.model_id, {"epochs": "3"})
        mlflow.set_logged_model_tags(model.model_id, {"größe": "klein", "gone": "x"})
        mlflow.delete_logged_model_tag(model.model_id, "gone")
        mlflow.log_metric("loss", 0.25, step=2, model_id=model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")
    again = mlflow.get_logged_model(model.model_id)
    equal(status_of(again), "READY")
    equal(again.params, {"lr": "0.1", "epochs": "3"})
    equal((again.tags.get("größe"), "gone" in again.tags), ("klein", False))
    equal([(each.key, each.value, each.step) for each in again.metrics], [("loss", 0.25, 2)])
    equal(mlflow.get_run(active.info.run_id).data.metrics, {"loss": 0.25}, "the run's metrics")
    failed = mlflow.initialize_logged_model(name="broken")
    mlflow.finalize_logged_model(failed.model_id, "FAILED")
    equal(status_of(mlflow.get_logged_model(failed.model_id)), "FAILED")


@step(since="3.0")
def load_by_model_id(scene: Scene) -> None:
    """load_model by models:/m-..., its files, and a version registered from it."""
    scene.new_experiment("by-id")
    name = scene.name("from model")
    run_id, info = log_linear()
    check_predictions(f"models:/{info.model_id}")
    paths = {each.path for each in scene.client.list_logged_model_artifacts(info.model_id)}
    truth("MLmodel" in paths, f"the model lists its files, it lists {sorted(paths)}")
    outputs = scene.client.get_run(run_id).outputs.model_outputs
    equal([each.model_id for each in outputs], [info.model_id], "models the run made")
    version = mlflow.register_model(f"models:/{info.model_id}", name)
    equal((str(version.version), version.run_id), ("1", run_id))
    check_predictions(f"models:/{name}/1")
    registered = mlflow.get_logged_model(info.model_id).tags
    truth(name in registered.get("mlflow.modelVersions", ""), "the model knows of its version")


@step(since="3.0")
def run_uses_a_model(scene: Scene) -> None:
    """A model can be an input of another run, and an output with a step."""
    experiment_id = scene.new_experiment("uses")
    client = scene.client
    model = mlflow.create_external_model(name="shared")
    run_id = client.create_run(experiment_id).info.run_id
    client.log_inputs(run_id, models=[mlflow.entities.LoggedModelInput(model_id=model.model_id)])
    client.log_outputs(
        run_id, models=[mlflow.entities.LoggedModelOutput(model_id=model.model_id, step=4)]
    )
    run = client.get_run(run_id)
    equal([each.model_id for each in run.inputs.model_inputs], [model.model_id], "inputs")
    equal(
        [(each.model_id, each.step) for each in run.outputs.model_outputs],
        [(model.model_id, 4)],
        "outputs",
    )


@step(since="3.0")
def search_logged_models(scene: Scene) -> None:
    """By param, metric, tag and attribute, in order, page by page."""
    experiment_id = scene.new_experiment("search-models")
    client = scene.client
    run_id = client.create_run(experiment_id).info.run_id
    ids = []
    for number in range(4):
        model = mlflow.create_external_model(
            name=f"model-{number}", params={"size": str(number)}, tags={"odd": str(number % 2)}
        )
        client.log_metric(run_id, "acc", number / 10, model_id=model.model_id)
        ids.append(model.model_id)

    def found(condition: str | None, *, metric_order: bool = False) -> list[int]:
        order = "metrics.acc" if metric_order else "creation_timestamp"
        models = mlflow.search_logged_models(
            [experiment_id],
            condition,
            order_by=[{"field_name": order, "ascending": not metric_order}],
            output_format="list",
        )
        return [ids.index(model.model_id) for model in models]

    equal(sorted(found(None)), [0, 1, 2, 3], "all")
    equal(found(None, metric_order=True), [3, 2, 1, 0], "by metric, descending")
    cases = {
        "name = 'model-2'": [2],
        "params.size = '3'": [3],
        "tags.odd = '1' AND metrics.acc > 0.2": [3],
        "metrics.acc <= 0.1": [0, 1],
        "name LIKE 'model-%' AND params.size != '0'": [1, 2, 3],
        f"source_run_id = '{run_id}'": [],
    }
    for condition, expected in cases.items():
        equal(sorted(found(condition)), expected, condition)
    page = client.search_logged_models([experiment_id], max_results=3)
    rest = client.search_logged_models([experiment_id], max_results=3, page_token=page.token)
    equal((len(page), len(rest), rest.token or None), (3, 1, None), "two pages")
    equal({model.model_id for model in [*page, *rest]}, set(ids), "models over the pages")
    table = mlflow.search_logged_models([experiment_id])
    equal(len(table), 4, "rows of the table")
    with refused("INVALID_PARAMETER_VALUE"):
        found("params.size >")


@step(since="3.0")
def delete_logged_model(scene: Scene) -> None:
    """A deleted model is found no more."""
    experiment_id = scene.new_experiment("delete-model")
    model = mlflow.create_external_model(name="gone")
    scene.client.delete_logged_model(model.model_id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        scene.client.get_logged_model(model.model_id)
    equal(mlflow.search_logged_models([experiment_id], output_format="list"), [])
