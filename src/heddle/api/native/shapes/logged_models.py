"""Shapes of logged models."""

from __future__ import annotations

from heddle.api.native.shapes.kinds import Reply
from heddle.api.native.shapes.models import Environment, Flavor, Signature
from heddle.api.native.shapes.runs import Dataset, Metric, RunRef, VersionRef


class LoggedModel(Reply):
    """A model that a run made with ``log_model``."""

    id: str
    """Its id."""
    name: str
    """What people call it."""
    kind: str
    """The client's word for what it is; empty when not said."""
    status: str
    """``PENDING``, ``READY`` or ``UPLOAD_FAILED``."""
    experiment: str
    """Its experiment's id."""
    experiment_name: str
    """Its experiment's name."""
    run: RunRef | None
    """The run that made it; null for none."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it was last changed."""
    params: dict[str, str]
    """By key."""
    metrics: list[Metric]
    """By key and data set."""
    tags: dict[str, str]
    """By key."""
    versions: list[VersionRef]
    """Versions registered from it."""
    artifact_uri: str
    """Where its files are addressed by MLflow's clients."""
    signature: Signature | None
    """What it takes and gives; null when the model says nothing of it."""
    flavors: list[Flavor]
    """Ways to load it."""
    environment: Environment
    """What it needs around it."""
    datasets: list[Dataset]
    """Data sets that its run used."""
    files_total: int
    """How many files it has."""
    size_bytes: int
    """The size of all its files."""
