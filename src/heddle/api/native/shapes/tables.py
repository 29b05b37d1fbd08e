"""Shapes of tables with columns of the caller's choice, of comparison, and of metric series."""

from __future__ import annotations

from typing import Literal

from heddle.api.native.shapes.kinds import Body, Cell, Number, Query, Reply, View

Group = Literal["property", "metric", "param", "tag"]
Kind = Literal["number", "text", "time", "duration", "list"]


class Column(Reply):
    """One column of a table."""

    id: str
    """What names it in ``columns``, ``order_by`` and filters: ``status``, ``metrics.rmse`` (the
    latest value), ``min.rmse``, ``max.rmse``, ``mean.rmse``, ``params.depth``, ``tags.team``. A key
    that is not plain stands in backticks: ``metrics.`val loss` ``."""
    group: Group
    """Which part of the column chooser it stands in."""
    key: str
    """The metric's, param's or tag's own name, or the property's."""
    kind: Kind
    """What its cells hold."""
    sortable: bool
    """Whether ``order_by`` and filters may name it (``mean`` may not)."""


class TableRow(Reply):
    """One run or one version."""

    key: str
    """The run's id or the version's number."""
    cells: list[Cell]
    """One for each column, in their order; null where it has none."""


class Table(Reply):
    """A window of rows."""

    columns: list[Column]
    """The columns, as asked for."""
    rows: list[TableRow]
    """In the order asked for."""
    total: int
    """How many rows the filter finds in all."""


class TableQuery(Body):
    """Which rows and columns."""

    columns: list[str] = []
    """Column ids, at most 1000; the usual properties when left out."""
    filter: str = ""
    """A filter, such as ``metrics.rmse < 60 AND params.depth = 6 OR tags.team IN ('a', 'b')``."""
    order_by: list[str] = []
    """Column ids, each with ``ASC`` or ``DESC``; newest first when left out. What is missing
    comes last."""
    offset: int = 0
    """How many rows to skip."""
    limit: int | None = None
    """How many rows to give; all of them when left out or null, at most 100,000."""


class RunQuery(TableQuery):
    """Which runs and columns."""

    experiments: list[str] = []
    """Experiment ids; all living experiments of the workspace when empty."""
    view: View = "active"
    """Living runs, deleted ones or both."""


class RunTreeQuery(RunQuery):
    """Which runs and columns, and what is open."""

    starts_open: bool = False
    """Whether runs show what is nested in them unless they are in ``toggled``."""
    toggled: list[str] = []
    """Ids of runs that are folded where ``starts_open``, and open where not."""


class TreeRow(TableRow):
    """One run of a tree."""

    depth: int
    """How many runs it is nested in; 0 at the top."""
    children: int
    """How many runs stand directly below it when it is open."""
    open: bool
    """Whether they are shown, as the rows that follow."""
    found: bool
    """Whether the filter finds it; if not, it is there for what is nested in it."""


class Tree(Reply):
    """A window of the rows of a tree as it is folded now."""

    columns: list[Column]
    """The columns, as asked for."""
    rows: list[TreeRow]
    """A run, then what is nested in it if that is shown, then its next sibling."""
    total: int
    """How many rows there are in all, those of folded runs left out."""


class ColumnQuery(Query):
    """Which columns of the catalogue."""

    offset: int = 0
    """How many to skip."""
    limit: int = 200
    """How many to give, at most 2000."""
    text: str = ""
    """Part of the key, in any case."""
    group: Group | None = None
    """Only this group."""


class RunColumnQuery(ColumnQuery):
    """Which columns of runs."""

    experiments: list[str] = []
    """Experiment ids; all living experiments of the workspace when empty."""


class KnownColumn(Reply):
    """One column that could be shown."""

    id: str
    """As in ``Column``."""
    group: Group
    """Which part of the column chooser it stands in."""
    key: str
    """The metric's, param's or tag's own name, or the property's."""
    kind: Kind
    """What its cells hold."""
    count: int
    """How many runs or versions have it (deleted ones may count), up to 1000; 0 for properties."""
    sortable: bool
    """Whether rows can be ordered by it."""
    filterable: bool
    """Whether a filter can name it."""


class KnownColumns(Reply):
    """A window of the column catalogue: properties, then metrics, params and tags by key."""

    columns: list[KnownColumn]
    """The window."""
    total: int
    """How many there are in all."""
    groups: dict[str, int]
    """How many there are in each group."""


class ValueQuery(Query):
    """Which values, for completing a filter."""

    column: str
    """A column id of a param, a tag or a text property."""
    text: str = ""
    """The beginning of the value."""
    limit: int = 20
    """How many, at most 200."""


class RunValueQuery(ValueQuery):
    """Which values that runs have."""

    experiments: list[str] = []
    """Experiment ids; all living experiments of the workspace when empty."""


class Values(Reply):
    """Values that stand in this column."""

    values: list[str]
    """By code point, each once, cut to 64 characters."""


class ItemRef(Body):
    """One thing to compare: a run, or a version of a model."""

    run: str = ""
    """A run's id."""
    model: str = ""
    """A model's name, with ``version``."""
    version: int = 0
    """A version's number, with ``model``."""


ComparedGroup = Literal["properties", "metrics", "params", "tags", "schema", "environment", "files"]


class CompareQuery(Body):
    """What to compare."""

    items: list[ItemRef]
    """1 to 1000 runs or versions, in the order of the columns."""
    groups: list[ComparedGroup] = []
    """Only these groups; all when empty."""
    differing: bool = False
    """Leave out rows whose values are all equal."""
    limit: int = 5000
    """Rows of one group at most."""


class ComparedItem(Reply):
    """One column of a comparison."""

    kind: Literal["run", "version"]
    """What it is."""
    key: str
    """The run's id, or ``model/version``."""
    name: str
    """What people call it: the run's name, or ``model v3``."""
    run: str
    """The run's id (a version's run too), for its series; empty for none."""
    run_name: str
    """The run's name."""
    created_ms: int
    """When it was made."""


class ComparedRow(Reply):
    """One row of a comparison."""

    key: str
    """The metric, param, tag, column of the schema, package or path."""
    kind: Kind
    """What its values are; ``number`` rows can be charted and have deltas."""
    values: list[Cell]
    """One for each item; null where it has none. Of a file the digest."""
    differs: bool
    """Whether any two values differ, absence included."""


class ComparedRows(Reply):
    """One group of rows."""

    group: ComparedGroup
    """Which."""
    rows: list[ComparedRow]
    """By key."""
    total: int
    """How many rows the group has, equal ones included."""
    differing: int
    """How many of them differ."""


class Comparison(Reply):
    """Items side by side."""

    items: list[ComparedItem]
    """The columns."""
    groups: list[ComparedRows]
    """The rows."""


class Cut(Body):
    """Which metrics' series, how finely, and of which stretch."""

    keys: list[str]
    """Metric names, at most 50; runs times keys at most 5000."""
    x: Literal["step", "time", "relative"] = "step"
    """What buckets are cut by; ``relative`` is time since the run's first point of that metric."""
    start: int | None = None
    """First step, or first millisecond; from the beginning when left out."""
    end: int | None = None
    """Last step, or last millisecond, included; to the end when left out."""
    buckets: int = 500
    """How many buckets a series is cut into at most, 1 to 10,000; a shorter series comes whole."""


class SeriesQuery(Cut, kw_only=True):
    """Series of these runs."""

    runs: list[str]
    """Run ids, at most 1000."""


class VersionSeriesQuery(Cut, kw_only=True):
    """Series of the runs that these versions come from."""

    versions: list[int]
    """Numbers of versions, at most 1000; those of one run count once."""


class Series(Reply):
    """One metric of one run, as arrays of one length: an entry is a bucket that holds points."""

    run: str
    """The run's id."""
    key: str
    """The metric."""
    count: int
    """How many points lie in the stretch."""
    whole: bool
    """Whether every bucket is one point, so that nothing was left out."""
    steps: list[int]
    """The step of the bucket's last point."""
    times: list[int]
    """The time of the bucket's last point."""
    last: list[Number]
    """The value of the bucket's last point."""
    min: list[float | None]
    """The least value in the bucket; null if all are NaN."""
    max: list[float | None]
    """The greatest value in the bucket; null if all are NaN."""


class SeriesReply(Reply):
    """The series that exist, by run and key in the order asked for."""

    series: list[Series]
    """A run that did not log a metric has no entry."""
