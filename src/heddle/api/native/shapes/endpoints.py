"""Shapes of endpoints: how a version that answers scoring requests stands, and what it is asked."""

from __future__ import annotations

from typing import Any, Literal

from heddle.api.native.shapes.kinds import Body, Reply

EndpointState = Literal["inactive", "activating", "active", "deactivating", "failed"]


class EndpointCounts(Reply):
    """What an endpoint did since this server process started."""

    requests: int
    """Requests that were answered, those that failed among them."""
    errors: int
    """Requests that failed."""
    last_ms: int | None
    """When the last one was answered."""
    mean_ms: float | None
    """How long they took on average, in milliseconds, waiting included."""
    p50_ms: float | None
    """The time within which half of the last 1024 were answered, in milliseconds."""
    p95_ms: float | None
    """The same for 95 of a hundred."""
    p99_ms: float | None
    """The same for 99 of a hundred."""


class Endpoint(Reply):
    """A version's endpoint, as this server process sees it."""

    model: str
    """The model's name."""
    version: int
    """The version's number."""
    state: EndpointState
    """``activating`` while its model is being loaded; ``failed`` if that did not succeed."""
    is_loaded: bool
    """Whether its model is in memory; the next request loads it if not."""
    is_always_on: bool
    """Whether the model stays in memory while nobody asks."""
    failure: str
    """Why it failed; also why its process last ended by itself."""
    path: str
    """Where it is asked, on this server: ``.../score``."""
    changed_by: str
    """Who activated or deactivated it last."""
    changed_ms: int | None
    """When that was."""
    joins: bool | None
    """Whether requests that come together are predicted together; unknown while not loaded."""
    walls: list[str]
    """What keeps the model in: memory, network, processes, files; empty while not loaded."""
    libraries: dict[str, str]
    """Versions of the libraries that predict; empty while not loaded."""
    counts: EndpointCounts
    """What it did."""


class UpdateEndpoint(Body):
    """How an endpoint is kept; what is left out stays."""

    is_always_on: bool | None = None
    """Whether the model stays in memory while nobody asks."""


class ScoreRequest(Body):
    """Rows to predict, as MLflow's servers take them: one of the first four. Also taken as text/csv."""

    dataframe_split: dict[str, Any] | None = None
    """Columns once, rows as lists: ``{"columns": ["x"], "data": [[1.0]]}``."""
    dataframe_records: list[dict[str, Any]] | None = None
    """Rows as objects."""
    instances: list[Any] | None = None
    """Rows as lists in the signature's order, as objects, or tensors."""
    inputs: Any = None
    """Columns by name, or as ``instances``."""
    params: dict[str, Any] | None = None
    """Parameters of the model."""


class ScoreReply(Reply):
    """What the model predicted."""

    predictions: Any
    """One for each row; a frame as objects. A prediction that is not a number is null."""
