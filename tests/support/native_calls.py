"""Calls of the native API and what tests put into a server first."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from api_client import Answer, Api

BASE = "/api/v1"
HERE = "/workspaces/default"
MODEL_FILE = """\
artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    python_version: 3.11.9
  sklearn:
    pickled_model: model.pkl
    sklearn_version: 1.5.2
mlflow_version: 3.6.0
model_uuid: abc
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "string", "name": "y",
    "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: '[{"name": "alpha", "type": "double", "default": 0.5, "shape": null}]'
utc_time_created: '2025-01-01 00:00:00'
"""


def call(api: Api, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """One call's answer, with the status that it must have."""
    data = b"" if body is None else msgspec.json.encode(body)
    place, mark, query = path.partition("?")
    # As an ASGI server does: the path decoded, the query as it came.
    answer: Answer = api.send(method, BASE + unquote(place) + mark + query, data)
    assert answer.status == status, answer.raw
    return answer.body


def refused(api: Api, method: str, path: str, body: Any = None, status: int = 400) -> Any:
    """One call's failure."""
    return call(api, method, path, body, status)["error"]


def upload(api: Api, uid: str, path: str, data: bytes, experiment: str = "0") -> None:
    """A file of a run."""
    place = quote(f"{experiment}/{uid}/artifacts/{path}")
    answer = api.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}", data)
    assert answer.status == 200, answer.raw


def log(api: Api, uid: str, **more: Any) -> None:
    """Params, metrics and tags of a run."""
    params = [{"key": k, "value": str(v)} for k, v in more.get("params", {}).items()]
    metrics = [
        {"key": k, "value": "NaN" if math.isnan(v) else v, "timestamp": 1000 + step, "step": step}
        for k, values in more.get("metrics", {}).items()
        for step, v in enumerate(values)
    ]
    tags = [{"key": k, "value": v} for k, v in more.get("tags", {}).items()]
    answer = api.post("runs/log-batch", run_id=uid, params=params, metrics=metrics, tags=tags)
    assert answer.status == 200, answer.raw


def trained(api: Api, name: str, rmse: float, **more: Any) -> str:
    """A run with a model among its files."""
    uid = api.run(run_name=name)
    tags = {"mlflow.source.name": "train.py", "mlflow.source.git.commit": "c0ffee"}
    params = {"depth": "6", **more.get("params", {})}
    log(api, uid, params=params, metrics={"rmse": [9.0, rmse]}, tags=tags)
    upload(api, uid, "model/MLmodel", MODEL_FILE.encode())
    upload(api, uid, "model/requirements.txt", b"numpy==1.26.4\nscikit-learn==1.5.2\n")
    upload(api, uid, "model/conda.yaml", b"name: env\n")
    upload(api, uid, "model/data/model.pkl", more.get("data", b"pickled"))
    return uid


def registered(api: Api, model: str, uid: str, status: int = 201, **more: Any) -> Any:
    """A version made from a run's model."""
    body = {"run": uid, "path": "model", **more}
    return call(api, "POST", f"{HERE}/models/{quote(model, safe='')}/versions", body, status)
