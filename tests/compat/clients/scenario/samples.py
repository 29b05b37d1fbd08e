"""The three samples of the document that the project began with, run as they are printed.

The texts are executed as they stand. Where today's MLflow refuses one, the step says so in a note
and runs it again with the one argument that MLflow asks for.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

import heddle
from scenario.models import fit
from scenario.steps import Scene, equal, step, truth

FIRST = """
import mlflow

model_uri = "runs:/{}/model-uri-name".format(run.info.run_id)
mv = mlflow.register_model(model_uri, "model-name")

print("Name: {}".format(mv.name))
print("Version: {}".format(mv.version))
"""

SECOND = """
import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor

# Generate synthetic regression data
X, y = make_regression(n_features=4, n_informative=2, random_state=0, shuffle=False)

# Model parameters
params = {"n_estimators": 3, "random_state": 42}

# Model tags for MLflow
model_tags = {
    "project_name": "grocery-forecasting",
    "store_dept": "produce",
    "team": "stores-ml",
    "project_quarter": "Q3-2023"
}

# Log MLflow entities
with mlflow.start_run() as run:
    # Train the model
    model = RandomForestRegressor(**params).fit(X, y)

    # Infer the model signature
    signature = infer_signature(X, model.predict(X))

    # Log parameters and the model
    mlflow.log_params(params)
    mlflow.sklearn.log_model(model, artifact_path="sklearn-model", signature=signature)

# Register the model with tags
model_uri = f"runs:/{run.info.run_id}/sklearn-model"
model_version = mlflow.register_model(model_uri, "RandomForestRegressionModel", tags=model_tags)

# Output model registration details
print(f"Model Name: {model_version.name}")
print(f"Model Version: {model_version.version}")
"""

THIRD = """
from pprint import pprint

client = MlflowClient()
for rm in client.list_registered_models():
    pprint(dict(rm), indent=4)
"""

TRUSTED = '["numpy.dtype", "sklearn.tree._tree.Tree"]'


def execute(text: str, **given: Any) -> tuple[dict[str, Any], str]:
    """Run a sample as a program: its variables and what it printed."""
    variables: dict[str, Any] = {"__name__": "__main__", **given}
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(text, "<sample>", "exec"), variables)
    return variables, printed.getvalue()


@step()
def first_sample(scene: Scene) -> None:
    """Registering a run's model by its address."""
    model, _ = fit()
    scene.new_experiment("first-sample")
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, artifact_path="model-uri-name", pip_requirements=[])
    variables, printed = execute(FIRST, run=run)
    version = variables["mv"].version
    equal(printed, f"Name: model-name\nVersion: {version}\n")
    equal(scene.client.get_model_version("model-name", version).run_id, run.info.run_id)


@step()
def second_sample(scene: Scene) -> None:
    """A forest trained, logged and registered with tags."""
    scene.new_experiment("second-sample")
    try:
        variables, printed = execute(SECOND)
    except MlflowException as error:
        if "skops_trusted_types" not in str(error):
            raise
        mlflow.end_run()
        scene.note(
            f"MLflow {scene.version} refuses the sample as printed: it saves with skops and wants "
            f"a forest's types named, so skops_trusted_types={TRUSTED} is added to log_model"
        )
        asked = f"signature=signature, skops_trusted_types={TRUSTED})"
        variables, printed = execute(SECOND.replace("signature=signature)", asked))
    version = variables["model_version"].version
    told = f"Model Name: RandomForestRegressionModel\nModel Version: {version}\n"
    truth(printed.endswith(told), f"the sample prints {told!r}, it printed {printed!r}")
    stored = scene.client.get_model_version("RandomForestRegressionModel", version)
    equal(stored.tags, variables["model_tags"])
    run = scene.client.get_run(stored.run_id)
    equal(run.data.params, {"n_estimators": "3", "random_state": "42"})
    loaded = mlflow.pyfunc.load_model(f"models:/RandomForestRegressionModel/{version}")
    features = variables["X"]
    equal(loaded.predict(features).tolist(), variables["model"].predict(features).tolist())


@step()
def third_sample(scene: Scene) -> None:
    """All models listed, after `from heddle import MlflowClient`."""
    name = scene.name("AA listed")
    scene.client.create_registered_model(name, tags={"team": "stores"}, description="shown")
    _, printed = execute("from heddle import MlflowClient\n" + THIRD)
    truth(f"'name': '{name}'" in printed, f"the model is printed, in {printed[:400]}")
    page = heddle.MlflowClient().list_registered_models(max_results=1)
    equal(len(page), 1, "models on a page of one")
    truth(page.token, "a page of one names the next")
    following = heddle.MlflowClient().list_registered_models(max_results=1, page_token=page.token)
    truth(page[0].name < following[0].name, "models come by name")
