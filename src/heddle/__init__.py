"""Heddle: a self-hosted home for machine-learning models, spoken to with MLflow's own client.

Importing the package costs next to nothing and needs no other package: `MlflowClient`, which brings
in `mlflow`, and `predict`, which brings in what the extra `predict` names, are fetched when they are
first touched and not before. The server touches neither.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heddle.client import MlflowClient
    from heddle.scoring.frames import predict

__all__ = ["MlflowClient", "predict"]


def __getattr__(name: str) -> object:
    """Bring in what is exported on first use."""
    if name == "MlflowClient":
        from heddle.client import MlflowClient  # noqa: PLC0415  (that it is late is the point)

        return MlflowClient
    if name == "predict":
        from heddle.scoring.frames import predict  # noqa: PLC0415  (as above)

        return predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
