"""The product's contents page: every call of the native API, in the order people meet them.

Paths are below ``/api/v1``. What is found under a workspace's path is reached through that
workspace alone. The functions behind the names stand in the module of their group.
"""

from __future__ import annotations

from typing import Final

from heddle.api.http import Effect
from heddle.api.native.offer import Offer
from heddle.api.native.shapes import (
    endpoints,
    files,
    items,
    jobs,
    kinds,
    logged_models,
    models,
    runs,
    tables,
)

READ: Final = Effect.READ
POINT: Final = Effect.POINT
WRITE: Final = Effect.WRITE
STREAM: Final = Effect.STREAM
W: Final = "/workspaces/{workspace}"
E: Final = f"{W}/experiments/{{experiment}}"
R: Final = f"{W}/runs/{{run}}"
L: Final = f"{W}/logged-models/{{logged_model}}"
M: Final = f"{W}/models/{{model}}"
V: Final = f"{M}/versions/{{version}}"
FOLDERS: Final = (
    (R, "runs", "run", "a run"),
    (L, "logged_models", "logged_model", "a logged model"),
    (V, "versions", "version", "a version"),
)

SERVER = (
    Offer("GET", "/server", "server.get", "server.read", POINT,
          "What this server is and can do", items.Server),
    Offer("GET", "/openapi.json", "server.document", "server.read", STREAM,
          "This document", media="application/json"),
)  # fmt: skip
WORKSPACES = (
    Offer("GET", "/workspaces", "workspaces.list", "workspace.list", READ,
          "All workspaces", items.Workspaces),
    Offer("POST", "/workspaces", "workspaces.create", "workspace.create", WRITE,
          "Make a workspace", items.Workspace, body=items.CreateWorkspace, status=201),
    Offer("GET", W, "workspaces.get", "workspace.read", READ, "One workspace", items.Workspace),
    Offer("PATCH", W, "workspaces.update", "workspace.write", WRITE,
          "Rename or describe a workspace", items.Workspace, body=items.UpdateWorkspace),
    Offer("DELETE", W, "workspaces.delete", "workspace.delete", WRITE,
          "Delete an empty workspace", kinds.Done),
    Offer("GET", f"{W}/items", "workspaces.items", "workspace.read", READ,
          "Models and experiments together, as the workspace lists them", items.Items,
          query=items.ItemQuery),
    Offer("GET", f"{W}/find", "workspaces.find", "workspace.read", READ,
          "Find models, versions, experiments and runs by name", items.Found,
          query=items.FindQuery),
    Offer("GET", f"{W}/events", "workspaces.events", "workspace.read", STREAM,
          "Changes as they are committed, as a stream of server-sent events", items.Event,
          query=items.EventQuery, media="text/event-stream"),
)  # fmt: skip
EXPERIMENTS = (
    Offer("GET", f"{W}/experiments", "experiments.list", "experiment.read", READ,
          "A window of experiments", items.Experiments, query=items.ExperimentQuery),
    Offer("POST", f"{W}/experiments", "experiments.create", "experiment.create", WRITE,
          "Make an experiment", items.Experiment, body=items.CreateExperiment, status=201),
    Offer("GET", E, "experiments.get", "experiment.read", READ, "One experiment", items.Experiment),
    Offer("PATCH", E, "experiments.update", "experiment.write", WRITE,
          "Rename or describe an experiment", items.Experiment, body=items.UpdateExperiment),
    Offer("DELETE", E, "experiments.delete", "experiment.delete", WRITE,
          "Delete an experiment and its runs; it can be restored", kinds.Done),
    Offer("POST", f"{E}/restore", "experiments.restore", "experiment.delete", WRITE,
          "Bring back a deleted experiment and its runs", items.Experiment),
    Offer("PATCH", f"{E}/tags", "experiments.tag", "experiment.write", WRITE,
          "Set and remove tags of an experiment", kinds.Labels, body=kinds.LabelChanges),
)  # fmt: skip
RUNS = (
    Offer("POST", f"{W}/runs/search", "runs.search", "run.read", READ,
          "Runs as a table with columns of your choice", tables.Table, body=tables.RunQuery),
    Offer("POST", f"{W}/runs/tree", "runs.tree", "run.read", READ,
          "Runs as a table in which each stands under the run that it is nested in", tables.Tree,
          body=tables.RunTreeQuery),
    Offer("GET", f"{W}/runs/columns", "runs.columns", "run.read", READ,
          "Columns that runs could be shown with", tables.KnownColumns,
          query=tables.RunColumnQuery),
    Offer("GET", f"{W}/runs/values", "runs.values", "run.read", READ,
          "Values of a column, for completing a filter", tables.Values, query=tables.RunValueQuery),
    Offer("POST", f"{W}/runs/delete", "runs.delete_many", "run.delete", WRITE,
          "Delete runs; they can be restored", kinds.Done, body=runs.RunIds),
    Offer("POST", f"{W}/runs/restore", "runs.restore_many", "run.delete", WRITE,
          "Bring back deleted runs", kinds.Done, body=runs.RunIds),
    Offer("GET", R, "runs.get", "run.read", READ, "One run with everything", runs.Run),
    Offer("PATCH", R, "runs.update", "run.write", WRITE,
          "Rename or describe a run, or set its status", runs.Run, body=runs.UpdateRun),
    Offer("DELETE", R, "runs.delete", "run.delete", WRITE,
          "Delete a run; it can be restored", kinds.Done),
    Offer("POST", f"{R}/restore", "runs.restore", "run.delete", WRITE,
          "Bring back a deleted run", runs.Run),
    Offer("PATCH", f"{R}/tags", "runs.tag", "run.write", WRITE,
          "Set and remove tags of a run", kinds.Labels, body=kinds.LabelChanges),
    Offer("GET", L, "logged_models.get", "logged_model.read", STREAM,
          "One logged model with everything known of it", logged_models.LoggedModel),
    Offer("PATCH", f"{L}/tags", "logged_models.tag", "logged_model.write", WRITE,
          "Set and remove tags of a logged model", kinds.Labels, body=kinds.LabelChanges),
    Offer("POST", f"{W}/series", "series.search", "run.read", STREAM,
          "Metric series of many runs, thinned so that no spike is lost", tables.SeriesReply,
          body=tables.SeriesQuery),
    Offer("POST", f"{W}/compare", "compare.search", "run.read", STREAM,
          "Runs and versions side by side", tables.Comparison, body=tables.CompareQuery),
)  # fmt: skip
MODELS = (
    Offer("GET", f"{W}/models", "models.list", "model.read", READ,
          "A window of models", models.Models, query=models.ModelQuery),
    Offer("POST", f"{W}/models", "models.create", "model.create", WRITE,
          "Make a model without versions", models.Model, body=models.CreateModel, status=201),
    Offer("GET", M, "models.get", "model.read", READ, "One model", models.Model),
    Offer("PATCH", M, "models.update", "model.write", WRITE,
          "Rename or describe a model", models.Model, body=models.UpdateModel),
    Offer("DELETE", M, "models.delete", "model.delete", WRITE,
          "Delete a model and its versions", kinds.Done),
    Offer("PATCH", f"{M}/tags", "models.tag", "model.write", WRITE,
          "Set and remove tags of a model", kinds.Labels, body=kinds.LabelChanges),
    Offer("PUT", f"{M}/aliases/{{alias}}", "models.set_alias", "alias.write", WRITE,
          "Point an alias to a version", models.Alias, body=models.SetAlias),
    Offer("DELETE", f"{M}/aliases/{{alias}}", "models.delete_alias", "alias.write", WRITE,
          "Remove an alias", kinds.Done),
    Offer("GET", f"{M}/history", "models.history", "model.read", READ,
          "Who changed which label when", models.History, query=models.HistoryQuery),
    Offer("GET", f"{M}/as-of", "models.as_of", "model.read", READ,
          "The labels as they stood at a moment", models.ModelAsOf, query=models.AsOfQuery),
)  # fmt: skip
VERSIONS = (
    Offer("POST", f"{M}/versions", "versions.create", "version.create", STREAM,
          "Register a version from a run's folder, a logged model or another version",
          models.Version, body=models.CreateVersion, status=201),
    Offer("POST", f"{M}/versions/search", "versions.search", "version.read", READ,
          "Versions as a table with columns of your choice", tables.Table, body=tables.TableQuery),
    Offer("GET", f"{M}/versions/columns", "versions.columns", "version.read", READ,
          "Columns that versions could be shown with", tables.KnownColumns,
          query=tables.ColumnQuery),
    Offer("GET", f"{M}/versions/values", "versions.values", "version.read", READ,
          "Values of a column, for completing a filter", tables.Values, query=tables.ValueQuery),
    Offer("POST", f"{M}/series", "versions.series", "version.read", STREAM,
          "Metric series of the runs that versions come from, thinned so that no spike is lost",
          tables.SeriesReply, body=tables.VersionSeriesQuery),
    Offer("GET", V, "versions.get", "version.read", STREAM,
          "A version with everything known of it; its number, `@alias` or `latest`",
          models.Version),
    Offer("PATCH", V, "versions.update", "version.write", STREAM,
          "Describe a version or move it to a stage", models.Version, body=models.UpdateVersion),
    Offer("DELETE", V, "versions.delete", "version.delete", WRITE, "Delete a version", kinds.Done),
    Offer("PATCH", f"{V}/tags", "versions.tag", "version.write", WRITE,
          "Set and remove tags of a version", kinds.Labels, body=kinds.LabelChanges),
    Offer("GET", f"{V}/applied", "versions.applied", "version.read", READ,
          "Jobs that applied a version, with their receipts", jobs.Jobs, query=kinds.Page),
    Offer("GET", f"{V}/scan", "versions.scan", "version.read", READ,
          "What was found in a version's files without loading them", jobs.Scan),
    Offer("POST", f"{V}/scan", "versions.scan_again", "version.scan", WRITE,
          "Let a worker look at a version's files again", jobs.Scan),
)  # fmt: skip
ENDPOINTS = (
    Offer("GET", f"{V}/endpoint", "endpoints.get", "endpoint.read", STREAM,
          "A version's endpoint: whether it answers requests, and what it did",
          endpoints.Endpoint),
    Offer("PATCH", f"{V}/endpoint", "endpoints.update", "endpoint.write", STREAM,
          "Say whether an endpoint's model stays in memory while nobody asks",
          endpoints.Endpoint, body=endpoints.UpdateEndpoint),
    Offer("POST", f"{V}/endpoint/activate", "endpoints.activate", "endpoint.write", STREAM,
          "Let a version answer requests; its model is loaded meanwhile", endpoints.Endpoint),
    Offer("POST", f"{V}/endpoint/deactivate", "endpoints.deactivate", "endpoint.write", STREAM,
          "Let a version answer no more requests", endpoints.Endpoint),
    Offer("POST", f"{V}/endpoint/score", "endpoints.score", "endpoint.invoke", STREAM,
          "Predict rows with an active version", endpoints.ScoreReply,
          sent=endpoints.ScoreRequest),
)  # fmt: skip
JOBS = (
    Offer("GET", f"{W}/jobs", "jobs.list", "job.read", READ,
          "A window of jobs, newest first", jobs.Jobs, query=jobs.JobQuery),
    Offer("POST", f"{W}/jobs", "jobs.submit", "job.create", STREAM,
          "Let a worker apply a version to a table", jobs.Job, body=jobs.SubmitJob, status=201),
    Offer("GET", f"{W}/jobs/{{job}}", "jobs.get", "job.read", READ,
          "One job with its progress and receipt", jobs.Job),
    Offer("POST", f"{W}/jobs/{{job}}/cancel", "jobs.cancel", "job.write", WRITE,
          "Let a job end; nothing of its output appears", jobs.Job),
    Offer("POST", f"{W}/jobs/{{job}}/retry", "jobs.retry", "job.write", WRITE,
          "Do a failed or cancelled job again", jobs.Job),
    Offer("GET", f"{W}/schedules", "schedules.list", "schedule.read", READ,
          "Jobs that come again and again", jobs.Schedules),
    Offer("POST", f"{W}/schedules", "schedules.create", "schedule.create", STREAM,
          "Let a job come again and again", jobs.Schedule, body=jobs.CreateSchedule, status=201),
    Offer("DELETE", f"{W}/schedules/{{schedule}}", "schedules.delete", "schedule.delete", WRITE,
          "Let no more jobs of a schedule come", kinds.Done),
    Offer("GET", f"{W}/tables", "tables.list", "table.read", STREAM,
          "Tables and folders under the data roots, as a worker finds them", jobs.TableList,
          query=jobs.TableQuery),
    Offer("POST", f"{W}/tables/preview", "tables.preview", "table.read", STREAM,
          "The first rows of a table, as a worker reads them", jobs.TablePreview,
          body=jobs.WantedTable),
)  # fmt: skip
FILES = tuple(
    offer
    for path, group, noun, words in FOLDERS
    for offer in (
        Offer("GET", f"{path}/files", f"{group}.files", f"{noun}.read", READ,
              f"A folder among the files of {words}", files.Files, query=files.FileQuery),
        Offer("GET", f"{path}/preview", f"{group}.preview", f"{noun}.read", STREAM,
              f"What a page can show of a file of {words}", files.Preview, query=files.PathQuery),
        Offer("GET", f"{path}/zip", f"{group}.zip", f"{noun}.read", STREAM,
              f"A folder of {words}, or all of it, as one ZIP file", query=files.PathQuery,
              media="application/zip"),
        Offer("GET", f"{path}/content/{{path:path}}", f"{group}.content", f"{noun}.read", STREAM,
              f"A file of {words} as it is; ranges are answered", query=files.ContentQuery,
              media="application/octet-stream"),
    )
)  # fmt: skip
VIEWS = (
    Offer("GET", f"{W}/views", "views.list", "view.read", READ,
          "Saved views: your own and the shared ones", items.SavedViews, query=items.ViewQuery),
    Offer("POST", f"{W}/views", "views.create", "view.write", WRITE,
          "Save a view", items.SavedView, body=items.CreateView, status=201),
    Offer("GET", f"{W}/views/{{view}}", "views.get", "view.read", POINT,
          "One saved view", items.SavedView),
    Offer("PATCH", f"{W}/views/{{view}}", "views.update", "view.write", WRITE,
          "Change a view that you saved", items.SavedView, body=items.UpdateView),
    Offer("DELETE", f"{W}/views/{{view}}", "views.delete", "view.write", WRITE,
          "Delete a view that you saved", kinds.Done),
)  # fmt: skip

CONTENTS = (
    *SERVER,
    *WORKSPACES,
    *EXPERIMENTS,
    *RUNS,
    *MODELS,
    *VERSIONS,
    *ENDPOINTS,
    *JOBS,
    *FILES,
    *VIEWS,
)
