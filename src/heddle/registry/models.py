"""Models: named series of versions in a workspace.

Names are unique among the living models of a workspace; deleting a model frees its name, and one
made again under it begins at version 1. ``last_version`` is the greatest number given out so far.
A prompt is a model with the tag ``mlflow.prompt.is_prompt``; ``is_prompt`` follows that tag, and
searches leave prompts out unless asked for them. Deleting with all that hangs on a model is in
``registration``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.schema import id_column, metadata, ms_column, text_column, workspace_column
from heddle.db.statement import Statement, among, here, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import AlreadyExists, Invalid, NotFound
from heddle.keys import check_key, check_text
from heddle.registry import history
from heddle.search.fields import Attribute, Catalogue
from heddle.search.grammar import And, Comparison, Node, Not, Or, parse
from heddle.search.sql import Scope, search_ids
from heddle.tags import Pair, Tags

NAME_MAX = 500
DESCRIPTION_MAX = 200_000
TAG_VALUE_MAX = 100_000
PROMPT_TAG = "mlflow.prompt.is_prompt"

models = sa.Table(
    "models",
    metadata,
    id_column(),
    workspace_column(),
    text_column("name"),
    text_column("description"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    sa.Column("last_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("is_prompt", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Index(None, "workspace_id", "updated_ms"),
    sqlite_autoincrement=True,
)
sa.Index(
    "uq_models_living_name",
    models.c.workspace_id,
    models.c.name,
    unique=True,
    sqlite_where=models.c.deleted_ms.is_(None),
    postgresql_where=models.c.deleted_ms.is_(None),
)
sa.Index(
    "ix_models_prompts",
    models.c.workspace_id,
    sqlite_where=models.c.is_prompt == 1,
    postgresql_where=models.c.is_prompt == 1,
)
tags = Tags("model", "models.id", value_max=TAG_VALUE_MAX)

catalogue = Catalogue(
    noun="models",
    table=models,
    id=models.c.id,
    attributes=(
        Attribute("name", models.c.name, "text", indexed=True),
        Attribute("description", models.c.description, "text", sortable=False),
        Attribute("created_ms", models.c.created_ms, "number"),
        Attribute(
            "updated_ms",
            models.c.updated_ms,
            "number",
            aliases=("timestamp", "last_updated_timestamp"),
        ),
        Attribute("last_version", models.c.last_version, "number"),
        Attribute("is_prompt", models.c.is_prompt, "number", sortable=False),
    ),
    keyed=(tags.field,),
    default_order=("name ASC",),
    tie_break=("name ASC",),
)


in_workspace = models.c.workspace_id == here()
living = models.c.deleted_ms.is_(None)
_all = Scope(sa.and_(in_workspace, living))
_no_prompts = Scope(sa.and_(_all.given, models.c.is_prompt == sa.literal_column("0")))


@dataclass(frozen=True, slots=True)
class Model:
    """A model's own row; ``is_prompt`` is 0 or 1."""

    id: int
    name: str
    description: str
    created_ms: int
    updated_ms: int
    last_version: int
    is_prompt: int


_columns = tuple(models.c[name] for name in Model.__dataclass_fields__)
_named = (in_workspace, models.c.name == sa.bindparam("name"), living)
_by_id = (in_workspace, models.c.id == sa.bindparam("id"))
_find = Statement(sa.select(*_columns).where(*_named))
_take = Statement(sa.select(*_columns).where(*_named).with_for_update())
_load = Statement(
    sa.select(*_columns).where(is_here(models.c.workspace_id), among(models.c.id, "ids"))
)
_find_ids = Statement(
    sa.select(models.c.id, models.c.is_prompt).where(
        in_workspace, among(models.c.name, "names"), living
    )
)
_insert = Statement(
    upsert(models)
    .values(
        {
            c: sa.bindparam(c)
            for c in (
                "workspace_id",
                "name",
                "description",
                "created_ms",
                "updated_ms",
                "is_prompt",
            )
        }
    )
    .on_conflict_do_nothing()
    .returning(models.c.id)
)
_update = Statement(
    sa.update(models)
    .where(*_by_id)
    .values({c: sa.bindparam(c) for c in ("name", "description", "updated_ms")})
)
_touch = Statement(
    sa.update(models)
    .where(*_named)
    .values(updated_ms=sa.bindparam("now_ms"))
    .returning(models.c.id)
)
_mark_prompt = Statement(
    sa.update(models).where(*_by_id).values(is_prompt=sa.bindparam("new_is_prompt"))
)
_mark_deleted = Statement(
    sa.update(models)
    .where(*_by_id)
    .values(deleted_ms=sa.bindparam("now_ms"), updated_ms=sa.bindparam("now_ms"))
)
_next_number = Statement(
    sa.update(models)
    .where(*_named)
    .values(last_version=models.c.last_version + 1, updated_ms=sa.bindparam("now_ms"))
    .returning(models.c.id, models.c.last_version)
)


def check_name(name: str) -> None:
    """Raise ``Invalid`` unless ``name`` may name a model."""
    if not name.strip():
        raise Invalid("Missing value for required parameter 'name': a model's name is not blank.")
    if "/" in name or ":" in name:
        raise Invalid(f"Invalid model name {name!r}. Names cannot contain '/' or ':'.")
    if name in (".", ".."):
        raise Invalid(
            f"Invalid value \"{name}\" for parameter 'name' supplied: it would name a folder."
        )
    check_text(name, "The model name", NAME_MAX)


def create_model(tx: Tx, *, name: str, description: str = "", pairs: Iterable[Pair] = ()) -> Model:
    """Make a model without versions; raises ``Invalid``, ``AlreadyExists``."""
    check_name(name)
    check_text(description, "The description", DESCRIPTION_MAX)
    labels = dict(pairs)
    is_prompt = is_prompt_label(labels)
    row = tx.one(
        _insert,
        name=name,
        description=description,
        created_ms=tx.now_ms,
        updated_ms=tx.now_ms,
        is_prompt=is_prompt,
    )
    if row is None:
        raise _taken(tx, name, is_prompt=is_prompt)
    model_id: int = row[0]
    if labels:
        tags.add(tx, model_id, labels.items())
    history.record(tx, model_id, "created", after=name)
    tx.changed("model", name, "created")
    return Model(model_id, name, description, tx.now_ms, tx.now_ms, 0, is_prompt)


def is_prompt_label(labels: dict[str, str]) -> int:
    """1 if these tags make their owner a prompt, else 0."""
    return int(labels.get(PROMPT_TAG, "").lower() == "true")


def _taken(tx: Tx, name: str, *, is_prompt: int) -> AlreadyExists:
    other = find_model(tx, name)
    if other is not None and other.is_prompt != is_prompt:
        wanted, there = ("Prompt", "registered model") if is_prompt else ("Model", "prompt")
        return AlreadyExists(
            f"Tried to create a {wanted.lower()} with name {name!r}, but the name is already taken"
            f" by a {there}. Models and prompts share their names; choose another."
        )
    kind = "Prompt" if is_prompt else "Registered Model"
    return AlreadyExists(f"{kind} (name={name}) already exists; choose another name.")


def find_model(tx: Tx, name: str) -> Model | None:
    """The living model of that name."""
    row = tx.one(_find, name=name)
    return None if row is None else Model(*row)


def get_model(tx: Tx, name: str) -> Model:
    """The living model of that name; raises ``NotFound``."""
    row = tx.one(_find, name=name)
    if row is None:
        raise missing(name)
    return Model(*row)


def take_model(tx: Tx, name: str) -> Model:
    """The model, held until the transaction ends so that its changes queue; raises ``NotFound``."""
    row = tx.one(_take, name=name)
    if row is None:
        raise missing(name)
    return Model(*row)


def missing(name: str) -> NotFound:
    """The failure for a name that no living model has."""
    return NotFound(f"Registered Model with name={name} not found")


def load_models(tx: Tx, model_ids: Sequence[int]) -> dict[int, Model]:
    """Those of the given models that exist here, by id."""
    return {row[0]: Model(*row) for row in tx.all(_load, ids=model_ids)}


def find_ids(tx: Tx, names: Sequence[str], *, prompts: bool = True) -> list[int]:
    """The ids of those living models, on request without those that are prompts."""
    return [row[0] for row in tx.all(_find_ids, names=names) if prompts or not row[1]]


def next_number(tx: Tx, name: str) -> tuple[int, int]:
    """The model's id and the number of its next version, held until the transaction ends.

    Raises ``NotFound``. Two callers never get one number: the second waits for the first.
    """
    row: tuple[int, int] | None = tx.one(_next_number, name=name, now_ms=tx.now_ms)
    if row is None:
        raise missing(name)
    return row


def touch_model(tx: Tx, name: str) -> int:
    """Note that a model's versions changed, and hold it; its id. Raises ``NotFound``."""
    row = tx.one(_touch, name=name, now_ms=tx.now_ms)
    if row is None:
        raise missing(name)
    model_id: int = row[0]
    return model_id


def rename_model(tx: Tx, name: str, new_name: str) -> Model:
    """Give the model's own row another name (``registration.rename_model`` tells its versions too).

    Raises ``NotFound``, ``Invalid``, ``AlreadyExists``.
    """
    check_name(new_name)
    model = take_model(tx, name)
    if new_name != name and find_model(tx, new_name) is not None:
        raise _taken(tx, new_name, is_prompt=model.is_prompt)
    tx.run(_update, id=model.id, name=new_name, description=model.description, updated_ms=tx.now_ms)
    history.record(tx, model.id, "name", before=name, after=new_name)
    tx.changed("model", new_name, "renamed", name)
    return get_model(tx, new_name)


def describe_model(tx: Tx, name: str, description: str) -> Model:
    """Replace a model's description; raises ``NotFound``, ``Invalid``."""
    check_text(description, "The description", DESCRIPTION_MAX)
    model = take_model(tx, name)
    tx.run(_update, id=model.id, name=name, description=description, updated_ms=tx.now_ms)
    history.record(
        tx, model.id, "description", before=model.description or None, after=description or None
    )
    tx.changed("model", name, "updated")
    return get_model(tx, name)


def mark_deleted(tx: Tx, model: Model) -> None:
    """Delete the model's own row (``registration.delete_model`` takes its versions too)."""
    tx.run(_mark_deleted, id=model.id, now_ms=tx.now_ms)
    history.record(tx, model.id, "deleted", before=model.name)
    tx.changed("model", model.name, "deleted")


def set_model_tag(tx: Tx, name: str, key: str, value: str) -> None:
    """Set a tag; raises ``NotFound``, ``Invalid``."""
    tags.check(key, value)
    model = take_model(tx, name)
    before = tags.get(tx, model.id, key)
    tags.set(tx, model.id, key, value)
    if key == PROMPT_TAG:
        tx.run(_mark_prompt, id=model.id, new_is_prompt=is_prompt_label({key: value}))
    history.record(tx, model.id, "tag", key=key, before=before, after=value)
    tx.changed("model", name, "tagged")


def delete_model_tag(tx: Tx, name: str, key: str) -> bool:
    """Remove a tag; whether it was there. Raises ``NotFound``, ``Invalid``."""
    check_key(key, "tag")
    model = take_model(tx, name)
    before = tags.get(tx, model.id, key)
    if before is None:
        return False
    tags.delete(tx, model.id, key)
    if key == PROMPT_TAG:
        tx.run(_mark_prompt, id=model.id, new_is_prompt=0)
    history.record(tx, model.id, "tag", key=key, before=before)
    tx.changed("model", name, "tagged")
    return True


def search_models(
    tx: Tx,
    *,
    filter: str = "",
    order_by: Sequence[str] = (),
    limit: int,
    offset: int = 0,
) -> list[int]:
    """The ids of one page of living models; raises ``Invalid`` for a wrong filter or order."""
    text, asked = plain_prompts(filter)
    return search_ids(
        tx.fetch,
        catalogue,
        scope=_all if asked else _no_prompts,
        filter=text,
        order_by=order_by,
        limit=limit,
        offset=offset,
    )


def plain_prompts(text: str) -> tuple[str, bool]:
    """A filter with its questions about the prompt tag put as questions about ``is_prompt``.

    What has no such tag is not a prompt, while a comparison with a tag that is not there is never
    true; hence the other question. It takes the place of the first, blanks filling what is left,
    so that positions in the text stay what they were. The second value says whether the filter
    asks for prompts anywhere.
    """
    if PROMPT_TAG not in text:
        return text, False
    asked = False
    for found in _comparisons(parse(text)):
        if found.key != PROMPT_TAG or found.prefix not in tags.field.prefixes:
            continue
        wanted = _wanted(found)
        if wanted is None:
            continue
        asked = asked or wanted
        value = str(found.values[0].value)
        end = found.values[0].position + len(value) + 2
        question = f"is_prompt = {int(wanted)}".ljust(end - found.position)
        text = text[: found.position] + question + text[end:]
    return text, asked


def _wanted(found: Comparison) -> bool | None:
    """Whether a comparison asks for prompts or for what is none; None if for neither."""
    if found.op not in ("=", "!="):
        return None
    value = found.values[0].value
    if value not in ("true", "false"):
        return None
    return (value == "true") == (found.op == "=")


def _comparisons(node: Node) -> Iterable[Comparison]:
    if isinstance(node, Comparison):
        yield node
    elif isinstance(node, Not):
        yield from _comparisons(node.operand)
    elif isinstance(node, And | Or):
        for operand in node.operands:
            yield from _comparisons(operand)
