"""Shapes of jobs, their schedules, and the tables that they read and write."""

from __future__ import annotations

from typing import Any, Literal

from heddle.api.native.shapes.kinds import Body, Page, Query, Reply

JobState = Literal["queued", "claimed", "running", "done", "failed", "cancelled"]
Format = Literal["", "parquet", "delta", "csv", "jsonl", "arrow", "duckdb", "postgres"]


class JobInput(Body):
    """The table that a job reads."""

    address: str
    """A file, folder or pattern under the server's data roots (not absolute: under the first), or
    an allowed object store's or PostgreSQL address."""
    format: Format = ""
    """Found out by looking when empty."""
    version: int | None = None
    """A version of a Delta table."""
    at: str = ""
    """A moment of a Delta table, as ISO 8601."""


class JobOutput(Body):
    """The table that a job writes."""

    address: str
    """As of the input."""
    format: Format = ""
    """By the address's suffix when empty."""
    mode: Literal["create", "overwrite", "append", "merge"] = "create"
    """``create`` refuses a table that is there already."""
    key: list[str] = []
    """Columns on which ``merge`` matches rows."""
    columns: list[str] | None = None
    """Columns of the input to keep; all when null."""
    predictions: list[str] = []
    """Names of the prediction columns; the model's own, or ``predictions``, when empty."""


class JobPlan(Body):
    """One application of a version to a table."""

    model: str
    """``name/3``, ``name@alias`` or ``name/latest``."""
    input: JobInput
    """What is read."""
    output: JobOutput
    """What is written."""
    mapping: dict[str, str] = {}
    """The table's column for each model's column that has another name there."""
    params: dict[str, Any] = {}
    """Parameters of the model."""
    casts: list[str] = []
    """Model's columns whose offered cast is accepted; ``*`` for every one."""
    env: Literal["current", "uv"] = "current"
    """Whose libraries predict: the worker's own, or the version's requirements."""
    engine: Literal["local", "spark"] = "local"
    """Who predicts: the worker's machine, or the Apache Spark that the worker is configured for."""
    processes: int = 0
    """Processes that predict; one for each core when 0."""
    batch_rows: int = 0
    """Rows predicted at once; chosen when 0."""
    allow_suspicious: bool = False
    """Load a version even if its files were found suspicious."""


class SubmitJob(Body):
    """A job to be done as soon as a worker is free."""

    plan: JobPlan
    """What is to be done."""


class Progress(Reply):
    """How far a job is."""

    rows: int = 0
    """Rows that are done."""
    total_rows: int | None = None
    """Rows in all; null while nobody knows."""
    rows_per_s: float | None = None
    """How fast; null before the first batch."""
    left_s: float | None = None
    """Seconds that it will still take; null while nobody knows."""
    phase: str = ""
    """What is being done, such as ``loading`` or ``predicting``."""


class Job(Reply):
    """One job."""

    id: str
    """Rises with time; the output carries it."""
    state: JobState
    """``queued``, ``claimed`` by a worker, ``running``, then ``done``, ``failed`` or
    ``cancelled``."""
    submitted_by: str
    """Who."""
    submitted_ms: int
    """When it was submitted."""
    started_ms: int | None
    """When a worker first took it; null while it waits."""
    ended_ms: int | None
    """When it ended; null until then."""
    model: str
    """The model's name."""
    version: int | None
    """The version's number; null while an alias was not looked up yet."""
    input: str
    """The address of the table that is read."""
    output: str
    """The address of the table that is written."""
    attempts: int
    """How often it was begun."""
    cancelling: bool
    """Whether it is to end as soon as its worker hears of it."""
    schedule: str | None
    """The schedule that it comes from."""
    worker: str
    """Who has or had it; empty while it waits."""
    progress: Progress | None
    """How far it is; null before it runs."""
    error: str
    """Why it failed, or why it is tried again; empty otherwise."""
    plan: JobPlan
    """What is to be done."""
    receipt: dict[str, Any] | None
    """What was done, to what, with which result; null until it is done."""


class Jobs(Reply):
    """A window of jobs."""

    jobs: list[Job]
    """Newest first, without their receipts."""
    total: int
    """How many there are in all."""


class JobQuery(Page):
    """Which jobs."""

    state: list[JobState] = []
    """Only in these states."""
    submitted_by: str | None = None
    """Only of this person."""
    model: str | None = None
    """Only of this model."""
    version: int | None = None
    """Only of this version, with ``model``."""
    schedule: int | None = None
    """Only of this schedule."""


class CreateSchedule(Body):
    """Jobs that come again and again."""

    cron: str
    """Minute, hour, day of month, month, day of week: ``0 6 * * MON-FRI``."""
    plan: JobPlan
    """What each job does; an alias is looked up each time."""
    name: str = ""
    """What it is called in lists."""
    timezone: str = "UTC"
    """The time zone of ``cron``, such as ``Europe/Zurich``."""


class Schedule(Reply):
    """One schedule."""

    id: str
    """Its id."""
    name: str
    """What it is called."""
    cron: str
    """When its jobs come."""
    timezone: str
    """The time zone of ``cron``."""
    created_by: str
    """Who made it; its jobs are submitted in that name."""
    created_ms: int
    """When it was made."""
    next_ms: int | None
    """When the next job comes; null for never."""
    last_ms: int | None
    """When the last job came; null before the first."""
    model: str
    """The model's name."""
    input: str
    """The address of the table that is read."""
    output: str
    """The address of the table that is written."""
    plan: JobPlan
    """What each job does."""


class Schedules(Reply):
    """The schedules of a workspace."""

    schedules: list[Schedule]
    """In the order they were made."""


class TableQuery(Query):
    """Which folder."""

    folder: str = ""
    """A folder under the data roots; the roots themselves when empty."""


class TableEntry(Reply):
    """A table or folder."""

    name: str
    """Its name."""
    address: str
    """What a plan calls it."""
    is_folder: bool
    """Whether it holds others; a Delta table is no folder."""
    format: str
    """Such as ``parquet``; empty for a folder."""
    size_bytes: int | None
    """Its size; null for folders."""
    modified_ms: int | None
    """When it was last written; null where nobody knows."""


class TableList(Reply):
    """What lies in a folder of tables."""

    folder: str
    """The folder; empty for the roots."""
    entries: list[TableEntry]
    """Folders first, then by name."""


class WantedTable(Body):
    """Which table, and how much of it."""

    input: JobInput
    """The table."""
    rows: int = 50
    """Rows at most, up to 1000."""


class TableColumn(Reply):
    """A column of a table."""

    name: str
    """Its name."""
    type: str
    """Its Arrow type, such as ``double`` or ``timestamp[us]``."""


class TablePreview(Reply):
    """The first rows of a table."""

    columns: list[TableColumn]
    """In the table's order."""
    rows: list[list[Any]]
    """Numbers, texts, booleans and nulls; other values as text, NaN as ``"NaN"``."""
    total_rows: int | None
    """Rows of the whole table; null where only reading all would tell."""


class Finding(Reply):
    """One thing that a scan found."""

    path: str
    """The file; ``!`` stands before what lies in an archive."""
    label: str
    """How grave it is: ``code-bearing`` or ``suspicious``."""
    what: str
    """What it is, in words."""


class Scan(Reply):
    """What is known of a version's files without loading them."""

    state: Literal["waiting", "done", "failed", "none"]
    """``waiting`` for a worker; ``none`` if there are no files here."""
    label: str
    """``data-only``, ``code-bearing`` or ``suspicious``; empty until scanned."""
    findings: list[Finding]
    """The gravest first; 200 at most."""
    scanner: str
    """Which scanner found that."""
    scanned_ms: int | None
    """When."""
    error: str
    """Why it could not be scanned; empty otherwise."""
