"""Heddle: a self-hosted home for machine-learning models, spoken to with MLflow's own client.

Importing the package costs next to nothing and needs no other package: `MlflowClient`, the only
name it exports, brings in `mlflow` when it is first touched and not before. The server never
touches it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heddle.client import MlflowClient

__all__ = ["MlflowClient"]


def __getattr__(name: str) -> object:
    """Bring in `MlflowClient` on first use."""
    if name == "MlflowClient":
        from heddle.client import MlflowClient  # noqa: PLC0415  (that it is late is the point)

        return MlflowClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
