"""Shapes of models, versions, aliases and their history."""

from __future__ import annotations

from typing import Any, Literal

from heddle.api.native.shapes.files import File
from heddle.api.native.shapes.jobs import Scan
from heddle.api.native.shapes.kinds import Body, Page, Query, Reply
from heddle.api.native.shapes.runs import Code, Dataset, Metric, RunRef, VersionRef

Stage = Literal["None", "Staging", "Production", "Archived"]


class Alias(Reply):
    """A name that points to one version of a model."""

    name: str
    """The alias, without ``@``."""
    version: int
    """Where it points."""


class Model(Reply):
    """One model: a name with versions."""

    name: str
    """Its name, unique in the workspace."""
    description: str
    """Markdown."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it, or a version of it, was last changed."""
    tags: dict[str, str]
    """Tags by key."""
    aliases: list[Alias]
    """By name."""
    versions: int
    """How many versions it has."""
    latest_version: int | None
    """The newest version; null while it has none."""
    latest_created_ms: int | None
    """When the newest version was made."""


class Models(Reply):
    """A window of models."""

    models: list[Model]
    """In the order asked for."""
    total: int
    """How many the filter finds in all."""


class ModelQuery(Page):
    """Which models."""

    filter: str = ""
    """A filter, such as ``name ILIKE '%forecast%' AND tags.team = 'stores'``."""
    order_by: list[str] = []
    """Fields to sort by, such as ``name`` or ``updated_ms DESC``; by name when left out."""


class CreateModel(Body):
    """A model to be made, without versions."""

    name: str
    """Any text without ``/`` and ``:``."""
    description: str = ""
    """Markdown."""
    tags: dict[str, str] = {}
    """Tags by key."""


class UpdateModel(Body):
    """What to change; what is left out stays."""

    name: str | None = None
    """Another name."""
    description: str | None = None
    """Another description."""


class SetAlias(Body):
    """Where an alias is to point."""

    version: int
    """A version of the model."""


class SchemaField(Reply):
    """One column, tensor or parameter of a signature."""

    name: str
    """Its name; empty where columns have none."""
    type: str
    """Its type in words: ``double``, ``string``, ``tensor(float64, [-1, 28, 28])``,
    ``array(long)``, ..."""
    required: bool
    """Whether a call must bring it."""
    default: Any = None
    """A parameter's value when a call does not bring it."""


class Signature(Reply):
    """What a model takes and gives."""

    inputs: list[SchemaField]
    """Columns or tensors that it takes."""
    outputs: list[SchemaField]
    """Columns or tensors that it gives."""
    params: list[SchemaField]
    """Parameters that it takes."""


class Flavor(Reply):
    """One way to load a model."""

    name: str
    """Such as ``sklearn`` or ``python_function``."""
    version: str
    """The version of its library; empty when not said."""
    settings: dict[str, Any]
    """Everything that the model file says of it."""


class Environment(Reply):
    """What a model needs around it."""

    python: str
    """The version of Python; empty when not said."""
    mlflow: str
    """The version of MLflow that wrote it; empty when not said."""
    requirements: list[str]
    """Lines of ``requirements.txt``."""
    conda: str
    """``conda.yaml`` as it is; empty when there is none."""


class Source(Reply):
    """Where a version came from."""

    kind: Literal["run", "logged_model", "version", "upload", "address"]
    """What it was registered from."""
    uri: str
    """The address that the client gave."""
    path: str
    """The folder among the run's files; empty where it does not apply."""
    logged_model: str
    """The logged model's id; empty where it does not apply."""
    copied_from: VersionRef | None
    """The version that it is a copy of."""


class LabelChange(Reply):
    """One change of an alias, stage, tag or description: an entry of the history."""

    id: str
    """Rises with time."""
    time_ms: int
    """When."""
    actor: str
    """Who."""
    version: int | None
    """Which version; null for the model itself."""
    kind: str
    """What was changed: ``alias``, ``stage``, ``tag``, ``description``, ``name``, or ``created`` or
    ``deleted``."""
    key: str
    """Which alias or tag; empty for others."""
    before: str | None
    """The value before; null for none."""
    after: str | None
    """The value after; null for none."""


class Version(Reply):
    """A version with everything known of it."""

    model: str
    """The model's name."""
    version: int
    """Its number."""
    created_ms: int
    """Time created."""
    updated_ms: int
    """When a label of it last changed."""
    status: str
    """``READY``, ``PENDING_REGISTRATION`` or ``FAILED_REGISTRATION``."""
    status_message: str
    """Why it failed; empty otherwise."""
    registered_by: str
    """Who registered it."""
    description: str
    """Markdown."""
    aliases: list[str]
    """Aliases that point here, by name."""
    stage: str
    """``None``, ``Staging``, ``Production`` or ``Archived``."""
    run: RunRef | None
    """The run that made it; null for none. Its name is the seed's "run name"."""
    source: Source
    """Where it came from."""
    code: Code
    """The code that trained it."""
    params: dict[str, str]
    """Hyperparameters as they were at registration, by key."""
    metrics: list[Metric]
    """Metrics as they were at registration, by key."""
    tags: dict[str, str]
    """Tags by key."""
    signature: Signature | None
    """What it takes and gives; null when the model says nothing of it."""
    flavors: list[Flavor]
    """Ways to load it."""
    environment: Environment
    """What it needs around it."""
    datasets: list[Dataset]
    """Data sets that its run used."""
    files: list[File]
    """The top of its files."""
    files_total: int
    """How many files it pins."""
    size_bytes: int
    """The size of them all."""
    digest: str
    """One digest over all its paths and contents: equal digests are equal models."""
    scan: Scan
    """What was found in its files without loading them."""
    copies: list[VersionRef]
    """Versions that were copied from this one, in this workspace."""
    history: list[LabelChange]
    """Its newest 100 label changes, newest first."""


class CreateVersion(Body):
    """A version to be registered: from a run's folder, a logged model, or another version."""

    run: str = ""
    """A run's id, with ``path``."""
    path: str = ""
    """The folder of the model among the run's files."""
    logged_model: str = ""
    """A logged model's id."""
    copy_of: str = ""
    """Another version of this workspace as ``model/number``."""
    create_model: bool = True
    """Make the model if there is none of that name."""
    description: str = ""
    """Markdown."""
    tags: dict[str, str] = {}
    """Tags by key."""
    aliases: list[str] = []
    """Aliases that will point to the new version."""


class UpdateVersion(Body):
    """What to change; what is left out stays."""

    description: str | None = None
    """Another description."""
    stage: Stage | None = None
    """Another stage."""
    archive_others: bool = False
    """With ``stage``: move the versions that hold it to ``Archived``."""


class HistoryQuery(Page):
    """Which changes."""

    version: int | None = None
    """Only of this version."""
    kind: str | None = None
    """Only changes of this kind."""
    key: str | None = None
    """Only of this alias or tag."""
    before_ms: int | None = None
    """Only changes up to this time."""


class History(Reply):
    """A window of a model's label changes."""

    changes: list[LabelChange]
    """Newest first."""


class AsOfQuery(Query):
    """Which moment."""

    time_ms: int
    """The moment."""


class LabelsAsOf(Reply):
    """A version's labels as they stood."""

    version: int
    """Its number."""
    stage: str
    """Its stage."""
    aliases: list[str]
    """Aliases that pointed to it."""
    tags: dict[str, str]
    """Its tags."""


class ModelAsOf(Reply):
    """What a model's labels were at a moment."""

    time_ms: int
    """The moment."""
    aliases: list[Alias]
    """Where each alias pointed."""
    versions: list[LabelsAsOf]
    """Versions that had a label or a stage then, by number."""
