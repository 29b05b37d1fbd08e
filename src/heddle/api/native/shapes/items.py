"""Shapes of the server itself, workspaces, experiments, saved views, and finding things."""

from __future__ import annotations

from typing import Any, Literal

from heddle.api.native.shapes.kinds import Body, Page, Query, Reply, View


class Server(Reply):
    """What this server is and can do."""

    version: str
    """Heddle's release."""
    database: str
    """``sqlite`` or ``postgresql``."""
    features: list[str]
    """What this deployment offers, such as ``events``, ``files``, ``fabric``."""
    time_ms: int
    """The server's clock."""
    actor: str
    """Who is asking."""


class Workspace(Reply):
    """One workspace."""

    name: str
    """Its name, part of every path below it."""
    description: str
    """Free text."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it was last renamed or described."""
    experiments: int
    """How many living experiments it holds."""
    models: int
    """How many models it holds."""


class Workspaces(Reply):
    """Every workspace that the caller may see."""

    workspaces: list[Workspace]
    """By name."""


class CreateWorkspace(Body):
    """A workspace to be made."""

    name: str
    """2 to 63 of ``a-z 0-9 -``, starting and ending with a letter or digit."""
    description: str = ""
    """Free text."""


class UpdateWorkspace(Body):
    """What to change; what is left out stays."""

    name: str | None = None
    """Another name; ``default`` keeps its own."""
    description: str | None = None
    """Another description."""


class Experiment(Reply):
    """One experiment."""

    id: str
    """Its id, as MLflow's clients know it."""
    name: str
    """Its name, unique among the living ones of the workspace."""
    description: str
    """Markdown, kept in the tag ``mlflow.note.content``."""
    artifact_location: str
    """Where the files of its runs are addressed."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it was last changed."""
    deleted_ms: int | None
    """When it was deleted; null while it lives."""
    tags: dict[str, str]
    """Tags by key."""
    runs: int
    """How many living runs it holds."""
    last_run_ms: int | None
    """When its newest run began."""


class Experiments(Reply):
    """A window of experiments."""

    experiments: list[Experiment]
    """In the order asked for."""
    total: int
    """How many the filter finds in all."""


class ExperimentQuery(Page):
    """Which experiments."""

    filter: str = ""
    """A filter, such as ``name ILIKE '%churn%' AND tags.team = 'stores'``."""
    order_by: list[str] = []
    """Fields to sort by, such as ``name`` or ``updated_ms DESC``; newest first when left out."""
    view: View = "active"
    """Living ones, deleted ones or both."""


class CreateExperiment(Body):
    """An experiment to be made."""

    name: str
    """Its name."""
    description: str = ""
    """Markdown."""
    tags: dict[str, str] = {}
    """Tags by key."""


class UpdateExperiment(Body):
    """What to change; what is left out stays."""

    name: str | None = None
    """Another name."""
    description: str | None = None
    """Another description."""


class Item(Reply):
    """A model or an experiment as the workspace lists it."""

    kind: Literal["model", "experiment"]
    """What it is."""
    key: str
    """The model's name or the experiment's id: what its path ends in."""
    name: str
    """What people call it."""
    owner: str
    """Who made it; empty when not known, as of experiments."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it was last changed."""
    versions: int
    """How many versions a model has; 0 for an experiment."""
    latest_version: int | None
    """A model's newest version; null where it has none."""
    aliases: dict[str, int]
    """Where each alias of a model points."""
    runs: int
    """How many living runs an experiment holds; 0 for a model."""


class Items(Reply):
    """A window of a workspace's items."""

    items: list[Item]
    """In the order asked for."""
    total: int
    """How many there are in all."""


class ItemQuery(Page):
    """Which items."""

    text: str = ""
    """Part of the name, in any case."""
    kind: Literal["", "model", "experiment"] = ""
    """Only this kind."""
    order_by: Literal[
        "name", "name DESC", "created_ms", "created_ms DESC", "updated_ms", "updated_ms DESC"
    ] = "updated_ms DESC"
    """What to sort by."""


class FindQuery(Query):
    """What to find."""

    text: str
    """Part of a name, in any case; the beginning of a run's id; ``model/3`` or ``model@alias``."""
    limit: int = 20
    """How many of each kind, at most 100."""


class Hit(Reply):
    """One thing found."""

    kind: Literal["model", "version", "experiment", "run"]
    """What it is."""
    key: str
    """The model's name, the version's number, the experiment's id or the run's id."""
    name: str
    """What people call it."""
    parent: str
    """The version's model or the run's experiment id; empty for the others."""
    parent_name: str
    """What people call the parent."""
    changed_ms: int
    """When it was made or last changed."""


class Found(Reply):
    """What was found, best first: whole names, beginnings, parts; newer before older."""

    hits: list[Hit]
    """All kinds together."""


class SavedView(Reply):
    """What a person looked at, kept to be shown again: columns, filter, order, charts."""

    id: str
    """Its id."""
    scope: str
    """Which screen it belongs to, such as ``experiment/12`` or ``model/forest``."""
    name: str
    """What people call it; unique in its scope for its owner."""
    owner: str
    """Who saved it."""
    shared: bool
    """Whether everyone in the workspace sees it."""
    document: dict[str, Any]
    """The page's own state; the server does not look inside."""
    created_ms: int
    """When it was made."""
    updated_ms: int
    """When it was last changed."""


class SavedViews(Reply):
    """The caller's own views and the shared ones."""

    views: list[SavedView]
    """By name."""


class ViewQuery(Query):
    """Which views."""

    scope: str | None = None
    """Only those of this screen."""


class CreateView(Body):
    """A view to be kept."""

    scope: str
    """Which screen it belongs to."""
    name: str
    """What people call it."""
    document: dict[str, Any]
    """At most 64 KiB of JSON."""
    shared: bool = False
    """Whether everyone in the workspace sees it."""


class UpdateView(Body):
    """What to change; what is left out stays."""

    name: str | None = None
    """Another name."""
    document: dict[str, Any] | None = None
    """Another state."""
    shared: bool | None = None
    """Share it or stop sharing it."""


class EventQuery(Query):
    """Which events; all of the workspace when nothing is named."""

    kind: str | None = None
    """Only of this kind: ``run``, ``logged_model``, ``experiment``, ``model``, ``version``, ``alias``,
    ``view``, ``workspace``."""
    key: str | None = None
    """Only of the thing with this key."""
    parent: str | None = None
    """Only of things under this parent: runs of an experiment id, versions of a model."""


class Event(Reply):
    """The ``data`` of a ``change`` event. A ``resync`` event says: some were missed, ask again."""

    kind: str
    """What kind of thing changed."""
    key: str
    """Which one: a run's id, an experiment's id, a model's name, ``model/version``."""
    action: str
    """What happened: ``created``, ``updated``, ``logged``, ``tagged``, ``deleted``,
    ``restored``, ..."""
    parent: str
    """What it belongs to; empty for none."""
    count: int
    """How many changes of this kind to this thing are summed up here."""
