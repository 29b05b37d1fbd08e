"""Experiments, in the API's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heddle.api.native.offer import Ask
from heddle.api.native.shapes import items, kinds
from heddle.api.native.workspaces import limit_of, offset_of
from heddle.db.tx import Tx
from heddle.tracking import experiment_table, experiments, runs
from heddle.tracking.experiments import Experiment
from heddle.tracking.run_table import NOTE_TAG


def _out(tx: Tx, found: Sequence[Experiment]) -> list[items.Experiment]:
    held = experiment_table.count_runs(tx, [each.id for each in found])
    return [
        items.Experiment(
            id=str(each.id),
            name=each.name,
            description=dict(each.tags).get(NOTE_TAG, ""),
            artifact_location=each.artifact_location,
            created_ms=each.created_ms,
            updated_ms=each.updated_ms,
            deleted_ms=each.deleted_ms,
            tags=dict(each.tags),
            runs=held.get(each.id, (0, None))[0],
            last_run_ms=held.get(each.id, (0, None))[1],
        )
        for each in found
    ]


def _one(tx: Tx, experiment_id: int) -> items.Experiment:
    return _out(tx, [experiments.get_experiment(tx, experiment_id)])[0]


def list_all(tx: Tx, ask: Ask[items.ExperimentQuery, None]) -> items.Experiments:
    query = ask.query
    found = experiments.search_experiments(
        tx,
        filter=query.filter,
        view=query.view,
        order_by=query.order_by,
        limit=limit_of(query.limit),
        offset=offset_of(query.offset),
    )
    total = experiment_table.count(tx, filter=query.filter, view=query.view)
    return items.Experiments(experiments=_out(tx, found), total=total)


def create(tx: Tx, ask: Ask[None, items.CreateExperiment]) -> items.Experiment:
    body = ask.body
    labels = dict(body.tags)
    if body.description:
        labels[NOTE_TAG] = body.description
    made = experiments.create_experiment(tx, name=body.name, pairs=labels.items())
    return _one(tx, made)


def get(tx: Tx, ask: Ask[None, None]) -> items.Experiment:
    return _one(tx, ask.number("experiment"))


def update(tx: Tx, ask: Ask[None, items.UpdateExperiment]) -> items.Experiment:
    key, body = ask.number("experiment"), ask.body
    if body.name is not None:
        experiments.rename_experiment(tx, key, body.name)
    if body.description is not None:
        experiments.set_experiment_tag(tx, key, NOTE_TAG, body.description)
    return _one(tx, key)


def delete(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    runs.delete_experiment(tx, ask.number("experiment"))
    return kinds.Done()


def restore(tx: Tx, ask: Ask[None, None]) -> items.Experiment:
    runs.restore_experiment(tx, ask.number("experiment"))
    return _one(tx, ask.number("experiment"))


def tag(tx: Tx, ask: Ask[None, kinds.LabelChanges]) -> kinds.Labels:
    key = ask.number("experiment")
    now = dict(experiments.living_experiment(tx, key).tags)
    for name, value in ask.body.set.items():
        experiments.set_experiment_tag(tx, key, name, value)
    for name in ask.body.delete:
        if name in now:
            experiments.delete_experiment_tag(tx, key, name)
    return kinds.Labels(tags=dict(experiments.get_experiment(tx, key).tags))


CALLS: dict[str, Any] = {
    "experiments.list": list_all,
    "experiments.create": create,
    "experiments.get": get,
    "experiments.update": update,
    "experiments.delete": delete,
    "experiments.restore": restore,
    "experiments.tag": tag,
}
