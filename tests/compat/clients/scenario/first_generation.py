"""What only 1.x clients have: the list calls, and routes that newer servers dropped."""

from __future__ import annotations

import json

import mlflow
from mlflow.entities import ViewType

from scenario.registry import make_run, make_version
from scenario.steps import Scene, equal, step, truth


@step(before="2.0")
def list_experiments(scene: Scene) -> None:
    """All experiments, page by page, by view."""
    client = scene.client
    made = [client.create_experiment(scene.name("listed")) for _ in range(3)]
    client.delete_experiment(made[2])
    seen: list[str] = []
    token = None
    for _ in range(1000):
        page = client.list_experiments(max_results=2, page_token=token)
        truth(len(page) <= 2, "a page is not longer than asked")
        seen += [each.experiment_id for each in page]
        token = page.token
        if not token:
            break
    equal(len(seen), len(set(seen)), "experiments listed once each")
    truth({"0", *made[:2]} <= set(seen) and made[2] not in seen, "the active ones are listed")
    deleted = {each.experiment_id for each in mlflow.list_experiments(ViewType.DELETED_ONLY)}
    truth(made[2] in deleted and made[0] not in deleted, "the deleted one is listed as deleted")


@step(before="2.0")
def list_run_infos(scene: Scene) -> None:
    """The runs of an experiment without their data."""
    experiment_id = scene.new_experiment("infos")
    run_ids = {scene.client.create_run(experiment_id).info.run_id for _ in range(3)}
    infos = scene.client.list_run_infos(experiment_id)
    equal({info.run_id for info in infos}, run_ids)
    equal(len(mlflow.list_run_infos(experiment_id, max_results=2)), 2, "no more than asked")


@step(before="2.0")
def list_registered_models(scene: Scene) -> None:
    """All models, page by page, with the latest versions of each."""
    client = scene.client
    names = sorted(scene.name("listed") for _ in range(3))
    for name in names:
        client.create_registered_model(name)
    make_version(scene, names[0], make_run(scene))
    seen = []
    token = None
    for _ in range(1000):
        page = client.list_registered_models(max_results=2, page_token=token)
        seen += list(page)
        token = page.token
        if not token:
            break
    mine = [model for model in seen if model.name in names]
    equal([model.name for model in mine], names, "models, by name")
    equal([str(each.version) for each in mine[0].latest_versions], ["1"], "latest versions")


@step(before="2.0")
def preview_routes(scene: Scene) -> None:
    """The older spelling of a route answers like the newer one."""
    experiment_id = scene.new_experiment("preview")
    for prefix in ("/api/2.0/preview/mlflow", "/api/2.0/mlflow"):
        status, body = scene.get(f"{prefix}/experiments/get?experiment_id={experiment_id}")
        equal(status, 200, f"status under {prefix}")
        equal(json.loads(body)["experiment"]["experiment_id"], experiment_id, prefix)
        status, body = scene.get(f"{prefix}/experiments/list")
        equal(status, 200, f"status of list under {prefix}")
        truth(json.loads(body)["experiments"], f"experiments are listed under {prefix}")
        status, _ = scene.get(f"{prefix}/registered-models/list?max_results=5")
        equal(status, 200, f"status of the models' list under {prefix}")
