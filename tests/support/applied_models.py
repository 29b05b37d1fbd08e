"""Models that the tests of scoring apply: small, made on the spot, saved as MLflow saves them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import ColSpec
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression

TREES = ["sklearn.tree._tree.Tree"]
ROWS = 600
REQUIREMENTS = ["scikit-learn"]


def inputs(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Four columns of numbers, some of them missing."""
    made = np.random.default_rng(seed)
    frame = pd.DataFrame(made.normal(size=(rows, 4)), columns=["a", "b", "c", "d"])
    frame.loc[frame.index % 37 == 3, "c"] = np.nan
    return frame


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """The same with an id, a text and a time beside them, in another order."""
    frame = inputs(rows, seed)
    frame.insert(0, "id", np.arange(rows))
    frame["place"] = [f"town {index % 5}" for index in range(rows)]
    frame["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    return frame[["place", "d", "id", "a", "b", "at", "c"]]


def _save(folder: Path, model: Any, **given: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model, folder, pip_requirements=REQUIREMENTS, skops_trusted_types=TREES, **given
        )
    return folder


def forest(folder: Path) -> Path:
    """A forest with a signature of doubles and an input example of 200 rows."""
    frame = inputs()
    target = frame["a"] * 2 + frame["b"] ** 2
    model = RandomForestRegressor(5, max_depth=6, random_state=0).fit(frame, target)
    signature = infer_signature(frame, model.predict(frame))
    return _save(folder, model, signature=signature, input_example=frame.head(200))


def classes(folder: Path) -> Path:
    """A model whose predictions are texts."""
    frame = inputs().fillna(0.0)
    labels = np.where(frame["a"] > 0, "high", "low")
    model = LogisticRegression().fit(frame, labels)
    return _save(folder, model, signature=infer_signature(frame, labels))


def unsigned(folder: Path, *, with_example: bool) -> Path:
    """A model without a signature."""
    frame = inputs().fillna(0.0)
    model = RandomForestRegressor(3, max_depth=4, random_state=1).fit(frame, frame["a"])
    given: dict[str, Any] = {"input_example": frame.head(5)} if with_example else {}
    saved = _save(folder, model, **given)
    # MLflow infers a signature from an example; taking it out leaves the example alone.
    path = saved / "MLmodel"
    lines = path.read_text().splitlines(keepends=True)
    kept, is_inside = [], False
    for line in lines:
        is_inside = line.startswith("signature:") or (is_inside and line.startswith(" "))
        if not is_inside:
            kept.append(line)
    path.write_text("".join(kept))
    return saved


def custom(folder: Path, code: str, **given: Any) -> Path:
    """A model from code: ``code`` defines a class ``Model``."""
    source = folder.with_suffix(".py")
    source.write_text(
        "import mlflow, os, sys, time\nimport numpy as np\nimport pandas as pd\n"
        f"{code}\nmlflow.models.set_model(Model())\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            folder, python_model=str(source), pip_requirements=["mlflow-skinny"], **given
        )
    return folder


def columns(*kinds: tuple[str, str], optional: tuple[str, ...] = ()) -> Schema:
    """A schema of columns; MLflow's words for their types."""
    return Schema([ColSpec(kind, name, name not in optional) for name, kind in kinds])


def tensor(dtype: str, *shape: int, name: str | None = None) -> Schema:
    """A schema of one tensor."""
    return Schema([TensorSpec(np.dtype(dtype), (-1, *shape), name)])


def params(**defaults: float) -> ParamSchema:
    """Params with their defaults, all of them doubles."""
    return ParamSchema(
        [ParamSpec(name, DataType.double, value) for name, value in defaults.items()]
    )
