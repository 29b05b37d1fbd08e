"""MLflow's client with the list call that its 1.x had, so that code written for it still runs.

It is the installed `mlflow` or `mlflow-skinny`, any version since 1.30, with one method more;
nothing else is changed. It runs where training code runs, never in the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from mlflow.tracking import MlflowClient as StockClient
except ImportError as error:
    raise ImportError(
        "heddle.MlflowClient needs MLflow's client: pip install mlflow-skinny (or mlflow)",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from mlflow.entities.model_registry import RegisteredModel
    from mlflow.store.entities import PagedList

PAGE_SIZE = 100
"""Models on a page unless told, the number that 1.x had."""


class MlflowClient(StockClient):  # type: ignore[misc, unused-ignore]  # untyped before 2.0
    """The stock client, and `list_registered_models`."""

    def list_registered_models(
        self, max_results: int = PAGE_SIZE, page_token: str | None = None
    ) -> PagedList[RegisteredModel]:
        """One page of all registered models, by name.

        `max_results` models at most; `token` of the answer is the `page_token` of the next page,
        empty on the last. Each model can be turned into a dictionary with `dict(model)`.
        Raises `mlflow.exceptions.MlflowException` when the server refuses.
        """
        return self.search_registered_models(
            max_results=max_results, order_by=["name ASC"], page_token=page_token
        )
