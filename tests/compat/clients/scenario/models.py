"""Models logged, registered, and loaded by every kind of address; autologging."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from scenario.steps import NotHere, Scene, equal, parse_version, step, truth


def fit() -> tuple[Any, Any]:
    """A linear model that skops and pickle both take without asking, and its data."""
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "z": [1.0, 0.0, 1.0, 0.0]})
    return LinearRegression().fit(table, 3 * table["x"] + 1), table


def log_linear(**options: Any) -> tuple[str, Any]:
    """Log the linear model at `model` in a new run: the run's id and what log_model answers."""
    model, table = fit()
    signature = infer_signature(table, model.predict(table))
    with mlflow.start_run() as active:
        info = mlflow.sklearn.log_model(
            model, artifact_path="model", signature=signature, pip_requirements=[], **options
        )
    return active.info.run_id, info


def check_predictions(uri: str) -> None:
    """The model at this address says what it was fitted to."""
    _, table = fit()
    predicted = mlflow.pyfunc.load_model(uri).predict(table)
    equal([round(float(value), 6) for value in predicted], [1.0, 4.0, 7.0, 10.0], uri)


@step()
def load_by_run(scene: Scene) -> None:
    """log_model, then load_model by runs:/, natively and as a plain function."""
    scene.new_experiment("by-run")
    run_id, info = log_linear()
    check_predictions(f"runs:/{run_id}/model")
    check_predictions(info.model_uri)
    model, table = fit()
    again = mlflow.sklearn.load_model(f"runs:/{run_id}/model")
    equal(again.predict(table).tolist(), model.predict(table).tolist())
    told = mlflow.models.get_model_info(f"runs:/{run_id}/model")
    equal(told.signature.inputs.input_names(), ["x", "z"], "columns of the signature")
    equal(told.run_id, run_id)


@step()
def load_by_version(scene: Scene) -> None:
    """register_model, then load_model by number, by latest and by stage."""
    scene.new_experiment("by-version")
    name = scene.name("linear")
    run_id, _ = log_linear()
    first = mlflow.register_model(f"runs:/{run_id}/model", name, tags={"who": "me"})
    equal((first.name, str(first.version), first.run_id), (name, "1", run_id))
    equal(scene.client.get_model_version(name, "1").tags, {"who": "me"})
    second_run, _ = log_linear(registered_model_name=name)
    second = scene.client.get_model_version(name, "2")
    equal((second.run_id, second.status), (second_run, "READY"))
    check_predictions(f"models:/{name}/1")
    check_predictions(f"models:/{name}/2")
    check_predictions(f"models:/{name}/latest")
    scene.client.transition_model_version_stage(name, "1", "Production")
    check_predictions(f"models:/{name}/Production")


@step(since="2.3")
def load_by_alias(scene: Scene) -> None:
    """load_model by models:/name@alias."""
    scene.new_experiment("by-alias")
    name = scene.name("aliased linear")
    log_linear(registered_model_name=name)
    scene.client.set_registered_model_alias(name, "champion", "1")
    check_predictions(f"models:/{name}@champion")


@step(since="2.6")
def load_copied_version(scene: Scene) -> None:
    """A copy loads, and still loads when the run it came from is deleted."""
    scene.new_experiment("by-copy")
    name, target = scene.name("here"), scene.name("there")
    run_id, _ = log_linear(registered_model_name=name)
    scene.client.copy_model_version(f"models:/{name}/1", target)
    scene.client.delete_run(run_id)
    check_predictions(f"models:/{target}/1")


@step()
def model_files(scene: Scene) -> None:
    """The run tells of its model: listed files, and before 3.0 the history tag."""
    scene.new_experiment("model-files")
    run_id, _ = log_linear()
    client = scene.client
    if not scene.at_least("3.0"):
        history = json.loads(client.get_run(run_id).data.tags["mlflow.log-model.history"])
        equal([(each["artifact_path"], each["run_id"]) for each in history], [("model", run_id)])
    names = {each.path for each in client.list_artifacts(run_id, "model")}
    truth("model/MLmodel" in names, f"the run lists the model's files, it lists {sorted(names)}")


class Doubler(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # untyped in some generations
    """A model of one's own: doubles every number."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Twice the input."""
        return model_input * 2


@step()
def python_model(scene: Scene) -> None:
    """A model written by hand, with a file of its own, registered and applied."""
    scene.new_experiment("python-model")
    beside = scene.folder / "factors.json"
    beside.write_text("[2]")
    name = scene.name("doubler")
    with mlflow.start_run() as active:
        mlflow.pyfunc.log_model(
            artifact_path="double",
            python_model=Doubler(),
            artifacts={"factors": str(beside)},
            registered_model_name=name,
            pip_requirements=[],
        )
    for uri in (f"runs:/{active.info.run_id}/double", f"models:/{name}/1"):
        answer = mlflow.pyfunc.load_model(uri).predict(pd.DataFrame({"a": [1, 2]}))
        equal(answer["a"].tolist(), [2, 4], uri)


@step()
def input_example(scene: Scene) -> None:
    """An example given with the model is stored and read back."""
    scene.new_experiment("example")
    model, table = fit()
    with mlflow.start_run() as active:
        mlflow.sklearn.log_model(
            model, artifact_path="model", input_example=table.head(2), pip_requirements=[]
        )
    loaded = mlflow.pyfunc.load_model(f"runs:/{active.info.run_id}/model")
    truth(loaded.metadata.saved_input_example_info, "the model says that it has an example")
    example = loaded.metadata.load_input_example(
        mlflow.artifacts.download_artifacts(f"runs:/{active.info.run_id}/model")
    )
    equal(example["x"].tolist(), [0.0, 1.0])


def require_autolog(scene: Scene) -> None:
    """Leave the step when this client cannot autolog the scikit-learn that its Python can have."""
    if not scene.at_least("2.0") and parse_version(sklearn.__version__) >= (1, 3):
        raise NotHere(
            f"the client's autologging needs an older scikit-learn than {sklearn.__version__}"
        )


@step()
def autolog(scene: Scene) -> None:
    """Fitting under autolog logs params, metrics and the model by itself."""
    require_autolog(scene)
    _, table = fit()
    experiment_id = scene.new_experiment("autolog")
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    try:
        LogisticRegression(C=0.5, max_iter=50).fit(table, [0, 0, 1, 1])
    finally:
        mlflow.sklearn.autolog(disable=True, silent=True)
    (run,) = scene.client.search_runs([experiment_id])
    equal((run.info.status, run.data.params["C"]), ("FINISHED", "0.5"))
    truth("training_accuracy_score" in run.data.metrics, f"a score, in {run.data.metrics}")
    equal(run.data.tags["estimator_name"], "LogisticRegression")
    names = {each.path for each in scene.client.list_artifacts(run.info.run_id)}
    truth("training_confusion_matrix.png" in names, f"the plot is there, in {sorted(names)}")
    predicted = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model").predict(table)
    equal(len(predicted), 4, "predictions of the logged model")
    if scene.at_least("2.4"):
        truth(scene.client.get_run(run.info.run_id).inputs.dataset_inputs, "the data is logged")


@step()
def autolog_search(scene: Scene) -> None:
    """A parameter search under autolog makes a run with children."""
    require_autolog(scene)
    _, table = fit()
    experiment_id = scene.new_experiment("grid")
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=2, silent=True)
    try:
        GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2).fit(table, [1.0, 2.0, 3.0, 4.0])
    finally:
        mlflow.sklearn.autolog(disable=True, silent=True)
    runs = scene.client.search_runs([experiment_id])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    equal((len(runs), len(children)), (3, 2), "runs and children")
    equal(sorted(run.data.params["alpha"] for run in children), ["0.1", "1.0"])
