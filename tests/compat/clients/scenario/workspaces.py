"""Workspaces, for clients since 3.10 and servers that say they have them."""

from __future__ import annotations

import mlflow

from scenario.steps import Scene, equal, refused, step, truth


@step(since="3.10", feature="workspaces")
def workspace_life(scene: Scene) -> None:
    """Create, read, list, describe and delete a workspace."""
    name = scene.name("looms")
    made = mlflow.create_workspace(name, description="all looms")
    equal((made.name, made.description), (name, "all looms"))
    truth({"default", name} <= {each.name for each in mlflow.list_workspaces()}, "both are listed")
    mlflow.update_workspace(name, description="some looms")
    equal(mlflow.get_workspace(name).description, "some looms")
    with refused("RESOURCE_ALREADY_EXISTS"):
        mlflow.create_workspace(name)
    mlflow.delete_workspace(name)
    truth(name not in {each.name for each in mlflow.list_workspaces()}, "it is gone")


@step(since="3.10", feature="workspaces")
def workspaces_are_apart(scene: Scene) -> None:
    """The same names live side by side, and one workspace does not see the other's."""
    first, second = scene.name("north"), scene.name("south")
    shared = scene.name("shared")
    seen = {}
    try:
        for name in (first, second):
            mlflow.create_workspace(name)
            mlflow.set_workspace(name)
            mlflow.set_experiment(shared)
            with mlflow.start_run() as active:
                mlflow.log_param("where", name)
                mlflow.log_text(name, "where.txt")
            scene.client.create_registered_model(shared, description=name)
            seen[name] = active.info.run_id
        for name in (first, second):
            mlflow.set_workspace(name)
            equal(scene.client.get_run(seen[name]).data.params, {"where": name})
            equal(mlflow.artifacts.load_text(f"runs:/{seen[name]}/where.txt"), name)
            equal(scene.client.get_registered_model(shared).description, name)
            other = second if name == first else first
            with refused("RESOURCE_DOES_NOT_EXIST"):
                scene.client.get_run(seen[other])
    finally:
        mlflow.set_workspace(None)
    equal(scene.client.get_experiment_by_name(shared), None, "seen from the default workspace")
    with refused("RESOURCE_DOES_NOT_EXIST"):
        scene.client.get_registered_model(shared)
