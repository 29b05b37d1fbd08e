"""Shapes of runs."""

from __future__ import annotations

from heddle.api.native.shapes.files import File
from heddle.api.native.shapes.kinds import Body, Number, Reply


class Metric(Reply):
    """The latest value of a metric, and its range."""

    key: str
    """Its name."""
    value: Number
    """The value at the greatest step."""
    step: int
    """That step."""
    time_ms: int
    """When it was measured."""
    min: float | None
    """The least value ever logged; null if all are NaN or only one value is known."""
    max: float | None
    """The greatest value ever logged; likewise."""
    dataset: str
    """The data set it was measured on, where it was said; else empty."""


class Dataset(Reply):
    """A data set that was used."""

    name: str
    """Its name."""
    digest: str
    """What tells one state of it from another."""
    context: str
    """What it was used for, such as ``training``; empty when not said."""
    source_type: str
    """What kind of place it came from."""
    source: str
    """Where it came from, as the client described it."""
    schema: str
    """Its columns as the client described them; empty when not said."""
    profile: str
    """Its sizes as the client described them; empty when not said."""
    tags: dict[str, str]
    """Tags of this use."""


class VersionRef(Reply):
    """A version, by name."""

    model: str
    """The model's name."""
    version: int
    """The version's number."""


class RunRef(Reply):
    """A run, by name."""

    id: str
    """Its id."""
    name: str
    """What people call it."""
    experiment: str
    """Its experiment's id."""
    experiment_name: str
    """Its experiment's name."""
    status: str
    """``RUNNING``, ``SCHEDULED``, ``FINISHED``, ``FAILED`` or ``KILLED``."""
    deleted: bool
    """Whether it was deleted since."""


class Code(Reply):
    """The code that ran, as the client described it; empty texts where it did not."""

    name: str
    """The script or notebook."""
    kind: str
    """``LOCAL``, ``NOTEBOOK``, ``PROJECT``, ``JOB``, ..."""
    commit: str
    """The Git commit."""
    branch: str
    """The Git branch."""
    repository: str
    """The address of the repository."""


class RunModel(Reply):
    """A model among a run's files, that can be registered."""

    path: str
    """Its folder among the run's files; empty for a logged model, which has files of its own."""
    logged_model: str
    """The logged model's id; empty for a folder."""
    name: str
    """What people call it."""
    versions: list[VersionRef]
    """Versions that were registered from it."""


class Run(Reply):
    """A run with everything that hangs on it."""

    id: str
    """Its id."""
    name: str
    """What people call it."""
    experiment: str
    """Its experiment's id."""
    experiment_name: str
    """Its experiment's name."""
    status: str
    """``RUNNING``, ``SCHEDULED``, ``FINISHED``, ``FAILED`` or ``KILLED``."""
    user: str
    """Who ran it, as the client said."""
    description: str
    """Markdown, kept in the tag ``mlflow.note.content``."""
    start_ms: int | None
    """When it began."""
    end_ms: int | None
    """When it ended; null while it runs."""
    deleted_ms: int | None
    """When it was deleted; null while it lives."""
    artifact_uri: str
    """Where its files are addressed by MLflow's clients."""
    parent: str
    """The id of the run that it is nested in; empty for none."""
    code: Code
    """The code that ran."""
    params: dict[str, str]
    """Hyperparameters by key."""
    metrics: list[Metric]
    """By key."""
    tags: dict[str, str]
    """Tags by key, those of the client's own (``mlflow.``) included."""
    datasets: list[Dataset]
    """Data sets that it used."""
    models: list[RunModel]
    """Models that it made, and the versions made from them."""
    versions: list[VersionRef]
    """Every version registered from this run."""
    files: list[File]
    """The top of its files."""
    files_total: int
    """How many files it has."""
    size_bytes: int
    """The size of all its files."""


class UpdateRun(Body):
    """What to change; what is left out stays."""

    name: str | None = None
    """Another name."""
    description: str | None = None
    """Another description."""
    status: str | None = None
    """Another status, such as ``KILLED`` for a run that died."""


class RunIds(Body):
    """Several runs."""

    runs: list[str]
    """Run ids, at most 1000; one that does not exist fails the whole call."""
