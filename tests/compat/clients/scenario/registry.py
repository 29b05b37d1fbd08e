"""Registered models and their versions: named, described, staged, aliased, searched, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow

from scenario.steps import Scene, equal, refused, step, truth


def make_run(scene: Scene) -> Any:
    """A run with one small folder that can stand as a version's source."""
    scene.new_experiment("sources")
    with mlflow.start_run() as active:
        mlflow.log_metric("rmse", 0.5)
        mlflow.log_text("flavors: {}\n", "model/MLmodel")
    return mlflow.get_run(active.info.run_id)


def make_version(scene: Scene, name: str, run: Any, **labels: Any) -> Any:
    """A version of a model from the run's folder."""
    source = f"{run.info.artifact_uri}/model"
    return scene.client.create_model_version(name, source, run.info.run_id, **labels)


@step()
def model_life(scene: Scene) -> None:
    """Create, read, describe, tag, rename, delete; names are unique."""
    client = scene.client
    name = scene.name("Käufe pro Laden")
    made = client.create_registered_model(name, tags={"team": "stores"}, description="first")
    equal((made.name, made.description, made.tags), (name, "first", {"team": "stores"}))
    with refused("RESOURCE_ALREADY_EXISTS"):
        client.create_registered_model(name)
    client.set_registered_model_tag(name, "größe", "zehn")
    client.set_registered_model_tag(name, "team", "online")
    client.delete_registered_model_tag(name, "größe")
    client.update_registered_model(name, "second")
    model = client.get_registered_model(name)
    equal((model.description, model.tags), ("second", {"team": "online"}))
    truth(model.last_updated_timestamp >= model.creation_timestamp > 0, "times are in order")
    make_version(scene, name, make_run(scene), tags={"v": "1"})
    renamed = scene.name("renamed")
    client.rename_registered_model(name, renamed)
    equal(client.get_registered_model(renamed).tags, {"team": "online"})
    equal(client.get_model_version(renamed, "1").tags, {"v": "1"}, "tags of the version")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_registered_model(name)
    client.delete_registered_model(renamed)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_registered_model(renamed)


@step()
def version_life(scene: Scene) -> None:
    """Versions count up, carry their own words, and a deleted number is not used again."""
    client, run = scene.client, make_run(scene)
    name = scene.name("versions")
    client.create_registered_model(name)
    first = make_version(scene, name, run, tags={"a": "1"}, description="as made")
    equal((str(first.version), first.run_id, first.status), ("1", run.info.run_id, "READY"))
    equal(first.current_stage, "None")
    equal((first.tags, first.description), ({"a": "1"}, "as made"))
    equal(first.source, f"{run.info.artifact_uri}/model")
    equal(str(make_version(scene, name, run).version), "2")
    client.update_model_version(name, "2", "reworked")
    client.set_model_version_tag(name, "2", "grün", "ja")
    client.set_model_version_tag(name, "2", "tmp", "x")
    client.delete_model_version_tag(name, "2", "tmp")
    second = client.get_model_version(name, "2")
    equal((second.description, second.tags), ("reworked", {"grün": "ja"}))
    # Where a version's files lie is the server's affair; that they are there is the client's.
    place = client.get_model_version_download_uri(name, "2")
    fetched = mlflow.artifacts.download_artifacts(artifact_uri=place)
    equal(Path(fetched, "MLmodel").read_text(), "flavors: {}\n", f"the file at {place}")
    client.delete_model_version(name, "2")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.get_model_version(name, "2")
    equal(str(make_version(scene, name, run).version), "3", "the number after a deleted one")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        make_version(scene, scene.name("nobody"), run)
    truth("Staging" in client.get_model_version_stages(name, "1"), "stages are told")


@step()
def stages(scene: Scene) -> None:
    """Transition, archive the others, and the latest of each stage."""
    client, run = scene.client, make_run(scene)
    name = scene.name("staged")
    client.create_registered_model(name)
    for _ in range(4):
        make_version(scene, name, run)
    equal(client.transition_model_version_stage(name, "1", "Staging").current_stage, "Staging")
    equal(
        client.transition_model_version_stage(name, "2", "production").current_stage, "Production"
    )
    client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)

    def latest(*wanted: str) -> dict[str, str]:
        found = client.get_latest_versions(name, list(wanted) or None)
        return {each.current_stage: str(each.version) for each in found}

    everything = {"None": "4", "Staging": "1", "Production": "3", "Archived": "2"}
    equal(latest(), everything, "latest versions of all stages")
    equal(latest("Production"), {"Production": "3"})
    equal(latest("Staging", "None"), {"Staging": "1", "None": "4"})
    shown = client.get_registered_model(name).latest_versions
    equal({each.current_stage: str(each.version) for each in shown}, everything, "on the model")
    with refused("INVALID_PARAMETER_VALUE"):
        client.transition_model_version_stage(name, "1", "Limbo")


@step(since="2.3")
def aliases(scene: Scene) -> None:
    """An alias points at one version, moves, and goes."""
    client, run = scene.client, make_run(scene)
    name = scene.name("aliased")
    client.create_registered_model(name)
    for _ in range(3):
        make_version(scene, name, run)
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "challenger", "2")
    equal(str(client.get_model_version_by_alias(name, "champion").version), "1")
    client.set_registered_model_alias(name, "champion", "2")
    second = client.get_model_version_by_alias(name, "champion")
    equal((str(second.version), sorted(second.aliases)), ("2", ["challenger", "champion"]))
    shown = client.get_registered_model(name).aliases
    equal({key: str(value) for key, value in shown.items()}, {"champion": "2", "challenger": "2"})
    client.delete_registered_model_alias(name, "challenger")
    with refused("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
        client.get_model_version_by_alias(name, "challenger")
    for wrong in ("latest", "v3", "with space"):
        with refused("INVALID_PARAMETER_VALUE"):
            client.set_registered_model_alias(name, wrong, "1")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        client.set_registered_model_alias(name, "champion", "99")
    client.delete_model_version(name, "2")
    equal(client.get_registered_model(name).aliases, {}, "aliases after the version went")


@step()
def search_models(scene: Scene) -> None:
    """Models by name and tag, in order, page by page."""
    client = scene.client
    stem = scene.name("Shelf")
    names = [f"{stem} {n}" for n in range(5)]
    for number, name in enumerate(names):
        client.create_registered_model(name, tags={"parity": str(number % 2)})

    def found(condition: str, **options: Any) -> list[int]:
        answer = client.search_registered_models(condition, **options)
        return [names.index(each.name) for each in answer]

    equal(found(f"name = '{names[2]}'"), [2], "=")
    equal(found(f"name LIKE '{stem}%'"), [0, 1, 2, 3, 4], "LIKE, by name unless told")
    equal(found(f"name ILIKE '{stem.upper()}%'"), [0, 1, 2, 3, 4], "ILIKE")
    equal(found(f"name LIKE '{stem}%'", order_by=["name DESC"]), [4, 3, 2, 1, 0], "descending")
    if scene.at_least("2.0"):
        equal(found(f"name LIKE '{stem}%' AND tags.parity = '1'"), [1, 3], "by tag")
    page = client.search_registered_models(f"name LIKE '{stem}%'", max_results=3)
    equal(len(page), 3, "first page")
    rest = client.search_registered_models(
        f"name LIKE '{stem}%'", max_results=3, page_token=page.token
    )
    equal(([each.name for each in rest], rest.token or None), (names[3:], None), "second page")
    with refused("INVALID_PARAMETER_VALUE"):
        client.search_registered_models("colour = 'red'")


@step()
def search_versions(scene: Scene) -> None:
    """Versions by model, run and source; newer clients in any order, page by page."""
    client, run, other = scene.client, make_run(scene), make_run(scene)
    name = scene.name("found")
    client.create_registered_model(name)
    for number in range(4):
        make_version(scene, name, run if number < 3 else other, tags={"n": str(number)})

    def found(condition: str, **options: Any) -> list[str]:
        return [str(each.version) for each in client.search_model_versions(condition, **options)]

    equal(sorted(found(f"name = '{name}'")), ["1", "2", "3", "4"], "by name")
    equal(found(f"run_id = '{other.info.run_id}'"), ["4"], "by run")
    equal(found(f"source_path = '{other.info.artifact_uri}/model'"), ["4"], "by source")
    client.delete_model_version(name, "2")
    equal(sorted(found(f"name = '{name}'")), ["1", "3", "4"], "without the deleted one")
    if not scene.at_least("2.0"):
        return
    equal(found(f"name = '{name}'", order_by=["version_number ASC"]), ["1", "3", "4"], "ascending")
    equal(found(f"name = '{name}' AND tags.n = '2'"), ["3"], "by tag")
    equal(
        found(f"name = '{name}' AND version_number > 1", order_by=["version_number DESC"]),
        ["4", "3"],
    )
    page = client.search_model_versions(
        f"name = '{name}'", max_results=2, order_by=["version_number ASC"]
    )
    rest = client.search_model_versions(
        f"name = '{name}'", max_results=2, order_by=["version_number ASC"], page_token=page.token
    )
    equal([str(each.version) for each in [*page, *rest]], ["1", "3", "4"], "over two pages")


@step(since="2.6")
def copy_version(scene: Scene) -> None:
    """A version copied to another model keeps its words and its files."""
    client, run = scene.client, make_run(scene)
    name, target = scene.name("origin"), scene.name("copied")
    client.create_registered_model(name)
    made = make_version(scene, name, run, tags={"a": "1"}, description="the origin")
    copied = client.copy_model_version(f"models:/{name}/{made.version}", target)
    equal((copied.name, str(copied.version)), (target, "1"))
    equal(
        (copied.description, copied.tags, copied.run_id),
        ("the origin", {"a": "1"}, run.info.run_id),
    )
    again = client.copy_model_version(f"models:/{target}/1", target)
    equal(str(again.version), "2", "a copy of the copy")
    for version in ("1", "2"):
        folder = mlflow.artifacts.download_artifacts(f"models:/{target}/{version}")
        equal(Path(folder, "MLmodel").read_text(), "flavors: {}\n", f"file of version {version}")


@step()
def version_outlives_its_run(scene: Scene) -> None:
    """A deleted run leaves its versions readable."""
    client, run = scene.client, make_run(scene)
    name = scene.name("outliving")
    client.create_registered_model(name)
    make_version(scene, name, run)
    client.delete_run(run.info.run_id)
    folder = mlflow.artifacts.download_artifacts(f"models:/{name}/1")
    equal(Path(folder, "MLmodel").read_text(), "flavors: {}\n")
