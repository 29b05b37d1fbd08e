"""Runs, their tables, columns, values and series, in the API's words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heddle.api.native.offer import Ask
from heddle.api.native.shapes import kinds, tables
from heddle.api.native.shapes import runs as shapes
from heddle.api.native.sheets import known_columns, table_out, values_out
from heddle.api.native.trees import folder
from heddle.api.native.workspaces import limit_of, offset_of
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.registry import lineage
from heddle.registry.lineage import Named
from heddle.search.sheet import Cell, Property
from heddle.tracking import (
    experiments,
    files,
    run_files,
    run_search,
    run_table,
    run_tree,
    runs,
)
from heddle.tracking.inputs import DatasetInput
from heddle.tracking.metrics import Latest
from heddle.tracking.run_search import FullRun
from heddle.tracking.runs import Run

RUNS_MAX = 1000
LOGGED_MODELS_MAX = 1000


def _versions_of(tx: Tx, ids: Sequence[int]) -> Mapping[int, Cell]:
    uids = run_table.load_uids(tx, ids)
    found = lineage.versions_of_runs(tx, list(uids.values()))
    return {
        key: [f"{name} v{number}" for name, number in found[uid]]
        for key, uid in uids.items()
        if uid in found
    }


sheet = run_table.make_sheet([Property("versions", "list", _versions_of)])


def experiment_ids(tx: Tx, texts: Sequence[str]) -> list[int]:
    """Experiments as a call names them; all living ones when it names none. Raises ``Invalid``."""
    if not texts:
        return run_table.living_experiments(tx)
    for text in texts:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise Invalid(f"{text!r} is not an experiment's id; ids are whole numbers.")
    wanted = list(dict.fromkeys(map(int, texts)))
    return [each.id for each in experiments.load_experiments(tx, wanted)]


def search(tx: Tx, ask: Ask[None, tables.RunQuery]) -> tables.Table:
    body = ask.body
    columns = sheet.columns(body.columns or run_table.USUAL)
    found, total = run_table.search(
        tx,
        experiment_ids=experiment_ids(tx, body.experiments),
        filter=body.filter,
        view=body.view,
        order_by=body.order_by,
        limit=limit_of(body.limit),
        offset=offset_of(body.offset),
    )
    uids = run_table.load_uids(tx, found)
    return table_out(columns, [uids[key] for key in found], sheet.cells(tx, found, columns), total)


def search_tree(tx: Tx, ask: Ask[None, tables.RunTreeQuery]) -> tables.Tree:
    body = ask.body
    columns = sheet.columns(body.columns or run_table.USUAL)
    found, total = run_tree.search_tree(
        tx,
        experiment_ids=experiment_ids(tx, body.experiments),
        filter=body.filter,
        view=body.view,
        order_by=body.order_by,
        starts_open=body.starts_open,
        toggled=frozenset(body.toggled),
        limit=limit_of(body.limit),
        offset=offset_of(body.offset),
    )
    ids = [each.id for each in found]
    uids = run_table.load_uids(tx, ids)
    table = table_out(columns, [uids[key] for key in ids], sheet.cells(tx, ids, columns), total)
    rows = [
        tables.TreeRow(
            key=row.key,
            cells=row.cells,
            depth=each.depth,
            children=each.children,
            open=each.is_open,
            found=each.is_found,
        )
        for row, each in zip(table.rows, found, strict=True)
    ]
    return tables.Tree(columns=table.columns, rows=rows, total=total)


def columns(tx: Tx, ask: Ask[tables.RunColumnQuery, None]) -> tables.KnownColumns:
    return known_columns(tx, sheet, experiment_ids(tx, ask.query.experiments), ask.query)


def values(tx: Tx, ask: Ask[tables.RunValueQuery, None]) -> tables.Values:
    return values_out(tx, sheet, experiment_ids(tx, ask.query.experiments), ask.query)


def number_out(value: float) -> kinds.Number:
    """A measured value as JSON can hold it."""
    return "NaN" if math.isnan(value) else value


def metric_out(latest: Latest) -> shapes.Metric:
    """A metric's latest value and range."""
    return shapes.Metric(
        key=latest.key,
        value=number_out(latest.value),
        step=latest.step,
        time_ms=latest.timestamp_ms,
        min=latest.min_value,
        max=latest.max_value,
        dataset="",
    )


def dataset_out(used: DatasetInput) -> shapes.Dataset:
    """A data set that a run used."""
    dataset = used.dataset
    labels = dict(used.tags)
    return shapes.Dataset(
        name=dataset.name,
        digest=dataset.digest,
        context=labels.get("mlflow.data.context", ""),
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema or "",
        profile=dataset.profile or "",
        tags=labels,
    )


def code_out(tags: Mapping[str, str]) -> shapes.Code:
    """The code that ran, as the client's tags tell."""
    return shapes.Code(
        name=tags.get("mlflow.source.name", ""),
        kind=tags.get("mlflow.source.type", ""),
        commit=tags.get("mlflow.source.git.commit", ""),
        branch=tags.get("mlflow.source.git.branch", ""),
        repository=tags.get("mlflow.source.git.repoURL", ""),
    )


def refs_out(found: Iterable[Named]) -> list[shapes.VersionRef]:
    """Versions by name."""
    return [shapes.VersionRef(model=name, version=number) for name, number in found]


def run_of(tx: Tx, uid: str) -> FullRun | None:
    """The run that something was made by, deleted or not; None if there is none."""
    key = runs.find_ids(tx, [uid]).get(uid) if uid else None
    return None if key is None else run_search.load_full(tx, [key])[0]


def run_ref(tx: Tx, full: FullRun | None) -> shapes.RunRef | None:
    """A run by name."""
    if full is None:
        return None
    experiment = experiments.get_experiment(tx, full.run.experiment_id)
    return shapes.RunRef(
        id=full.run.uid,
        name=full.run.name,
        experiment=str(experiment.id),
        experiment_name=experiment.name,
        status=full.run.status,
        deleted=full.run.deleted_ms is not None,
    )


def run_out(tx: Tx, full: FullRun) -> shapes.Run:
    """A run with everything that hangs on it."""
    run, labels = full.run, dict(full.tags)
    place, _ = files.run_place(tx, run.uid)
    entries, count, size_bytes = folder(tx, place.manifest_id, "")
    experiment = experiments.get_experiment(tx, run.experiment_id)
    versions = lineage.versions_of_runs(tx, [run.uid]).get(run.uid, [])
    return shapes.Run(
        id=run.uid,
        name=run.name,
        experiment=str(run.experiment_id),
        experiment_name=experiment.name,
        status=run.status,
        user=run.user_id,
        description=labels.get(run_table.NOTE_TAG, ""),
        start_ms=run.start_ms,
        end_ms=run.end_ms,
        deleted_ms=run.deleted_ms,
        artifact_uri=run.artifact_uri,
        parent=labels.get(run_table.PARENT_TAG, ""),
        code=code_out(labels),
        params=dict(full.params),
        metrics=[metric_out(each) for each in full.metrics],
        tags=labels,
        datasets=[dataset_out(each) for each in full.datasets],
        models=_models(tx, run, place.manifest_id, versions),
        versions=refs_out(versions),
        files=entries,
        files_total=count,
        size_bytes=size_bytes,
    )


def _models(
    tx: Tx, run: Run, manifest_id: int | None, versions: Sequence[Named]
) -> list[shapes.RunModel]:
    """Models that can be registered: logged ones, and folders that hold a model file."""
    logged = run_files.logged_by(tx, run.uid, limit=LOGGED_MODELS_MAX)
    registered = lineage.versions_of_logged_models(tx, [uid for uid, _ in logged])
    made = [
        shapes.RunModel(
            path="", logged_model=uid, name=name, versions=refs_out(registered.get(uid, []))
        )
        for uid, name in logged
    ]
    of_logged = {each for found in registered.values() for each in found}
    sources = lineage.sources_of_run(tx, run.uid)
    for path in run_files.model_folders(tx, manifest_id):
        found = [
            each
            for each in versions
            if each not in of_logged and sources.get(each, "").rstrip("/").endswith(f"/{path}")
        ]
        name = path.rpartition("/")[2] or run.name
        made.append(
            shapes.RunModel(path=path, logged_model="", name=name, versions=refs_out(found))
        )
    return made


def _one(tx: Tx, uid: str) -> shapes.Run:
    return run_out(tx, run_search.get_full(tx, uid))


def get(tx: Tx, ask: Ask[None, None]) -> shapes.Run:
    return _one(tx, ask.at["run"])


def update(tx: Tx, ask: Ask[None, shapes.UpdateRun]) -> shapes.Run:
    uid, body = ask.at["run"], ask.body
    if body.name is not None and not body.name.strip():
        raise Invalid("A run needs a name that is not empty.")
    if body.name is not None or body.status is not None:
        ended = tx.now_ms if body.status in runs.ENDED else None
        if ended is not None and runs.get_run(tx, uid).end_ms is not None:
            ended = None
        runs.update_run(tx, uid, name=body.name, status=body.status, end_ms=ended)
    if body.description is not None:
        runs.set_tag(tx, uid, run_table.NOTE_TAG, body.description)
    return _one(tx, uid)


def delete(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    runs.delete_run(tx, ask.at["run"])
    return kinds.Done()


def restore(tx: Tx, ask: Ask[None, None]) -> shapes.Run:
    runs.restore_run(tx, ask.at["run"])
    return _one(tx, ask.at["run"])


def _several(ask: Ask[None, shapes.RunIds]) -> list[str]:
    if len(ask.body.runs) > RUNS_MAX:
        raise Invalid(f"{len(ask.body.runs)} runs are too many at once; at most {RUNS_MAX}.")
    return sorted(set(ask.body.runs))


def delete_many(tx: Tx, ask: Ask[None, shapes.RunIds]) -> kinds.Done:
    uids = _several(ask)
    for uid in uids:
        runs.delete_run(tx, uid)
    return kinds.Done(changed=len(uids))


def restore_many(tx: Tx, ask: Ask[None, shapes.RunIds]) -> kinds.Done:
    uids = _several(ask)
    for uid in uids:
        runs.restore_run(tx, uid)
    return kinds.Done(changed=len(uids))


def tag(tx: Tx, ask: Ask[None, kinds.LabelChanges]) -> kinds.Labels:
    uid = ask.at["run"]
    run_id = runs.get_run(tx, uid).id
    if ask.body.set:
        runs.set_tags(tx, uid, list(ask.body.set.items()))
    for key in ask.body.delete:
        if runs.tags.get(tx, run_id, key) is not None:
            runs.delete_tag(tx, uid, key)
    return kinds.Labels(tags=dict(runs.tags.load(tx, [run_id]).get(run_id, ())))


CALLS: dict[str, Any] = {
    "runs.search": search,
    "runs.tree": search_tree,
    "runs.columns": columns,
    "runs.values": values,
    "runs.delete_many": delete_many,
    "runs.restore_many": restore_many,
    "runs.get": get,
    "runs.update": update,
    "runs.delete": delete,
    "runs.restore": restore,
    "runs.tag": tag,
}
