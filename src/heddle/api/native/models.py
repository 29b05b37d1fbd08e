"""Models, their aliases and history, in the API's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heddle.api.native.offer import Ask
from heddle.api.native.shapes import kinds
from heddle.api.native.shapes import models as shapes
from heddle.api.native.workspaces import limit_of, offset_of
from heddle.db.tx import Tx
from heddle.errors import NotFound
from heddle.registry import aliases, model_table, models, registration
from heddle.registry.history import Event

HISTORY_MAX = 10_000


def _out(tx: Tx, ids: Sequence[int]) -> list[shapes.Model]:
    found = models.load_models(tx, ids)
    labels = models.tags.load(tx, ids)
    pointing = aliases.load_model_aliases(tx, ids)
    held = model_table.summaries(tx, ids)
    made = []
    for key in ids:
        model = found[key]
        summary = held.get(key, model_table.EMPTY)
        made.append(
            shapes.Model(
                name=model.name,
                description=model.description,
                created_ms=model.created_ms,
                updated_ms=model.updated_ms,
                tags=dict(labels.get(key, ())),
                aliases=[
                    shapes.Alias(name=alias, version=number)
                    for alias, number in pointing.get(key, ())
                ],
                versions=summary.versions,
                latest_version=summary.latest,
                latest_created_ms=summary.latest_created_ms,
            )
        )
    return made


def _one(tx: Tx, name: str) -> shapes.Model:
    return _out(tx, [models.get_model(tx, name).id])[0]


def list_all(tx: Tx, ask: Ask[shapes.ModelQuery, None]) -> shapes.Models:
    query = ask.query
    found = models.search_models(
        tx,
        filter=query.filter,
        order_by=query.order_by,
        limit=limit_of(query.limit),
        offset=offset_of(query.offset),
    )
    return shapes.Models(models=_out(tx, found), total=model_table.count(tx, query.filter))


def create(tx: Tx, ask: Ask[None, shapes.CreateModel]) -> shapes.Model:
    body = ask.body
    models.create_model(tx, name=body.name, description=body.description, pairs=body.tags.items())
    return _one(tx, body.name)


def get(tx: Tx, ask: Ask[None, None]) -> shapes.Model:
    return _one(tx, ask.at["model"])


def update(tx: Tx, ask: Ask[None, shapes.UpdateModel]) -> shapes.Model:
    name, body = ask.at["model"], ask.body
    models.get_model(tx, name)
    if body.description is not None:
        models.describe_model(tx, name, body.description)
    if body.name is not None and body.name != name:
        name = registration.rename_model(tx, name, body.name).name
    return _one(tx, name)


def delete(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    registration.delete_model(tx, ask.at["model"])
    return kinds.Done()


def tag(tx: Tx, ask: Ask[None, kinds.LabelChanges]) -> kinds.Labels:
    name = ask.at["model"]
    model = models.get_model(tx, name)
    for key, value in ask.body.set.items():
        models.set_model_tag(tx, name, key, value)
    for key in ask.body.delete:
        models.delete_model_tag(tx, name, key)
    return kinds.Labels(tags=dict(models.tags.load(tx, [model.id]).get(model.id, ())))


def set_alias(tx: Tx, ask: Ask[None, shapes.SetAlias]) -> shapes.Alias:
    aliases.set_alias(tx, ask.at["model"], ask.at["alias"], ask.body.version)
    return shapes.Alias(name=ask.at["alias"], version=ask.body.version)


def delete_alias(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    if not aliases.delete_alias(tx, ask.at["model"], ask.at["alias"]):
        raise NotFound(f"The model '{ask.at['model']}' has no alias '{ask.at['alias']}'.")
    return kinds.Done()


def change_out(event: Event) -> shapes.LabelChange:
    """One entry of the history."""
    return shapes.LabelChange(
        id=str(event.id),
        time_ms=event.at_ms,
        actor=event.actor,
        version=event.version,
        kind=event.kind,
        key=event.key,
        before=event.before,
        after=event.after,
    )


def list_history(tx: Tx, ask: Ask[shapes.HistoryQuery, None]) -> shapes.History:
    query = ask.query
    model = models.get_model(tx, ask.at["model"])
    found = model_table.list_history(
        tx,
        model.id,
        version=query.version,
        kind=query.kind,
        key=query.key,
        before_ms=query.before_ms,
        limit=min(limit_of(query.limit), HISTORY_MAX),
        offset=offset_of(query.offset),
    )
    return shapes.History(changes=[change_out(each) for each in found])


def as_of(tx: Tx, ask: Ask[shapes.AsOfQuery, None]) -> shapes.ModelAsOf:
    model = models.get_model(tx, ask.at["model"])
    labels = model_table.labels_as_of(tx, model.id, ask.query.time_ms)
    return shapes.ModelAsOf(
        time_ms=ask.query.time_ms,
        aliases=[
            shapes.Alias(name=alias, version=number)
            for alias, number in sorted(labels.aliases.items())
        ],
        versions=[
            shapes.LabelsAsOf(
                version=number,
                stage=labels.stages.get(number, "None"),
                aliases=sorted(a for a, pointed in labels.aliases.items() if pointed == number),
                tags=labels.tags.get(number, {}),
            )
            for number in sorted(labels.living)
        ],
    )


CALLS: dict[str, Any] = {
    "models.list": list_all,
    "models.create": create,
    "models.get": get,
    "models.update": update,
    "models.delete": delete,
    "models.tag": tag,
    "models.set_alias": set_alias,
    "models.delete_alias": delete_alias,
    "models.history": list_history,
    "models.as_of": as_of,
}
