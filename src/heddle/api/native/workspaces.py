"""The server itself, workspaces, their items, finding, and saved views, in the API's words."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from heddle import views, workspaces
from heddle.api import openapi
from heddle.api.http import Request, Services, respond
from heddle.api.native.offer import Ask
from heddle.api.native.shapes import items, kinds
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.registry import aliases, finding, model_table
from heddle.registry.finding import Counts
from heddle.tracking import experiment_table
from heddle.views import View
from heddle.workspaces import Workspace

FEATURES = ["compare", "events", "fabric", "files", "finding", "history", "jobs", "series", "views"]
ROWS_MAX = 100_000
NOTHING = Counts(0, 0)


def release() -> str:
    """Heddle's release; ``source`` when it runs uninstalled."""
    try:
        return version("heddle-ml")
    except PackageNotFoundError:
        return "source"


def get_server(tx: Tx, _ask: Ask[None, None]) -> items.Server:
    return items.Server(
        version=release(),
        database=tx.dialect,
        features=FEATURES,
        time_ms=tx.now_ms,
        actor=tx.actor,
    )


async def send_document(request: Request, _services: Services, _ask: Ask[None, None]) -> None:
    await respond(request, 200, openapi.encoded())


def _workspace(found: Workspace, counts: dict[str, Counts]) -> items.Workspace:
    held = counts.get(found.name, NOTHING)
    return items.Workspace(
        name=found.name,
        description=found.description,
        created_ms=found.created_ms,
        updated_ms=found.updated_ms,
        experiments=held.experiments,
        models=held.models,
    )


def list_workspaces(tx: Tx, _ask: Ask[None, None]) -> items.Workspaces:
    counts = finding.count_items(tx)
    found = workspaces.list_workspaces(tx)
    return items.Workspaces(workspaces=[_workspace(each, counts) for each in found])


def create_workspace(tx: Tx, ask: Ask[None, items.CreateWorkspace]) -> items.Workspace:
    made = workspaces.create_workspace(tx, name=ask.body.name, description=ask.body.description)
    return _workspace(made, {})


def get_workspace(tx: Tx, ask: Ask[None, None]) -> items.Workspace:
    return _workspace(workspaces.get_workspace(tx, ask.at["workspace"]), finding.count_items(tx))


def update_workspace(tx: Tx, ask: Ask[None, items.UpdateWorkspace]) -> items.Workspace:
    changed = workspaces.update_workspace(
        tx, ask.at["workspace"], new_name=ask.body.name, description=ask.body.description
    )
    return _workspace(changed, finding.count_items(tx))


def delete_workspace(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    workspaces.delete_workspace(tx, ask.at["workspace"])
    return kinds.Done()


def list_items(tx: Tx, ask: Ask[items.ItemQuery, None]) -> items.Items:
    query = ask.query
    found, total = finding.list_items(
        tx,
        text=query.text,
        kind=query.kind,
        order_by=query.order_by,
        limit=limit_of(query.limit),
        offset=offset_of(query.offset),
    )
    return items.Items(items=_items(tx, found), total=total)


def _items(tx: Tx, found: list[finding.Item]) -> list[items.Item]:
    model_ids = [each.id for each in found if each.kind == "model"]
    held = model_table.summaries(tx, model_ids)
    owners = model_table.owners(tx, model_ids)
    pointing = aliases.load_model_aliases(tx, model_ids)
    runs = experiment_table.count_runs(tx, [each.id for each in found if each.kind != "model"])
    made = []
    for each in found:
        item = items.Item(
            kind="model" if each.kind == "model" else "experiment",
            key=each.key,
            name=each.name,
            owner="",
            created_ms=each.created_ms,
            updated_ms=each.updated_ms,
            versions=0,
            latest_version=None,
            aliases={},
            runs=0,
        )
        if item.kind == "model":
            summary = held.get(each.id, model_table.EMPTY)
            item.owner = owners.get(each.id, "")
            item.versions, item.latest_version = summary.versions, summary.latest
            item.aliases = dict(pointing.get(each.id, ()))
        else:
            item.runs = runs.get(each.id, (0, None))[0]
        made.append(item)
    return made


def find(tx: Tx, ask: Ask[items.FindQuery, None]) -> items.Found:
    found = finding.find(tx, ask.query.text, limit=ask.query.limit)
    return items.Found(
        hits=[
            items.Hit(
                kind=hit.kind,
                key=hit.key,
                name=hit.name,
                parent=hit.parent,
                parent_name=hit.parent_name,
                changed_ms=hit.changed_ms,
            )
            for hit in found
        ]
    )


def limit_of(limit: int | None) -> int:
    """How many rows a window may hold; raises ``Invalid``."""
    if limit is None:
        return ROWS_MAX
    if limit < 0:
        raise Invalid(f"A limit of {limit} rows cannot be; use 0 or more.")
    return min(limit, ROWS_MAX)


def offset_of(offset: int) -> int:
    """How many rows come before a window; raises ``Invalid``."""
    if offset < 0:
        raise Invalid(f"An offset of {offset} rows cannot be; use 0 or more.")
    return min(offset, 2**53)


def _view(view: View) -> items.SavedView:
    return items.SavedView(
        id=str(view.id),
        scope=view.scope,
        name=view.name,
        owner=view.owner,
        shared=bool(view.shared),
        document=msgspec.json.decode(view.document),
        created_ms=view.created_ms,
        updated_ms=view.updated_ms,
    )


def list_views(tx: Tx, ask: Ask[items.ViewQuery, None]) -> items.SavedViews:
    found = views.list_views(tx, ask.query.scope)
    return items.SavedViews(views=[_view(each) for each in found])


def _document(given: dict[str, Any] | None) -> str | None:
    return None if given is None else msgspec.json.encode(given).decode()


def create_view(tx: Tx, ask: Ask[None, items.CreateView]) -> items.SavedView:
    body = ask.body
    document = _document(body.document) or "{}"
    made = views.create_view(
        tx, scope=body.scope, name=body.name, document=document, shared=body.shared
    )
    return _view(made)


def get_view(tx: Tx, ask: Ask[None, None]) -> items.SavedView:
    return _view(views.get_view(tx, ask.number("view")))


def update_view(tx: Tx, ask: Ask[None, items.UpdateView]) -> items.SavedView:
    body = ask.body
    changed = views.update_view(
        tx,
        ask.number("view"),
        name=body.name,
        document=_document(body.document),
        shared=body.shared,
    )
    return _view(changed)


def delete_view(tx: Tx, ask: Ask[None, None]) -> kinds.Done:
    views.delete_view(tx, ask.number("view"))
    return kinds.Done()


CALLS: dict[str, Any] = {
    "server.get": get_server,
    "server.document": send_document,
    "workspaces.list": list_workspaces,
    "workspaces.create": create_workspace,
    "workspaces.get": get_workspace,
    "workspaces.update": update_workspace,
    "workspaces.delete": delete_workspace,
    "workspaces.items": list_items,
    "workspaces.find": find,
    "views.list": list_views,
    "views.create": create_view,
    "views.get": get_view,
    "views.update": update_view,
    "views.delete": delete_view,
}
