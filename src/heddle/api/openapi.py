"""The OpenAPI 3.1 document of the native API, made from its rows and shapes.

Descriptions of fields are the strings that stand under them in the source of the shapes. Run as a
program it writes ``openapi.json``: ``python -m heddle.api.openapi openapi.json``.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from heddle.api.native.contents import CONTENTS
from heddle.api.native.offer import PREFIX, Offer
from heddle.api.native.shapes.kinds import Refusal

REF = "#/components/schemas/{name}"
ABOUT = """\
Heddle's own API, which its web page uses.

Ids are texts, times are whole milliseconds since 1970 UTC, sizes are bytes. A measured value that
is not a number is the text "NaN"; infinities are the greatest finite numbers. A text that was not said
is empty; anything else that is absent is null. Names in paths are percent-encoded.
Every failure is `{"error": {"code", "message", ...}}`; `position` points at the character of a
filter.
"""
PATH_WORDS = {
    "workspace": "The workspace's name.",
    "experiment": "The experiment's id.",
    "run": "The run's id.",
    "logged_model": "The logged model's id.",
    "model": "The model's name.",
    "version": "The version's number, `@alias`, or `latest`.",
    "alias": "The alias, without `@`.",
    "job": "The job's id.",
    "schedule": "The schedule's id.",
    "view": "The view's id.",
    "path": "The file's path from the top; slashes stay as they are.",
}


def document(offers: Iterable[Offer] = CONTENTS) -> dict[str, Any]:
    """The whole document."""
    offers = tuple(offers)
    shapes: list[Any] = [Refusal]
    for offer in offers:
        shapes += [shape for shape in (offer.reply, offer.body, offer.sent) if shape is not None]
    schemas = _schemas(list(dict.fromkeys(shapes)))
    paths: dict[str, dict[str, Any]] = {}
    for offer in offers:
        path = PREFIX + re.sub(r"\{(\w+):path\}", r"{\1}", offer.path)
        paths.setdefault(path, {})[offer.method.lower()] = _operation(offer)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Heddle", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {"schemas": schemas},
    }


@cache
def encoded() -> bytes:
    """The document as it is served and checked in."""
    raw = msgspec.json.encode(document())
    return msgspec.json.format(raw, indent=1) + b"\n"


def _operation(offer: Offer) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": offer.name,
        "tags": [offer.name.split(".")[0]],
        "summary": offer.summary,
        "x-action": offer.action,
    }
    if parameters := [*_path_parameters(offer), *_query_parameters(offer)]:
        operation["parameters"] = parameters
    if body := offer.body or offer.sent:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    answer: dict[str, Any] = {"description": offer.summary}
    if offer.media:
        schema: dict[str, Any] = {} if offer.reply is None else _reference(offer.reply)
        answer["content"] = {offer.media: {"schema": schema}}
    elif offer.reply is not None:
        answer["content"] = _json(offer.reply)
    refused = {"description": "What went wrong", "content": _json(Refusal)}
    operation["responses"] = {str(offer.status): answer, "default": refused}
    return operation


def _json(shape: type) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(shape)}}


def _reference(shape: type) -> dict[str, Any]:
    return {"$ref": REF.format(name=shape.__name__)}


def _path_parameters(offer: Offer) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_WORDS[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"\{(\w+)(?::path)?\}", offer.path)
    ]


def _query_parameters(offer: Offer) -> list[dict[str, Any]]:
    if offer.query is None:
        return []
    name = offer.query.__name__
    schema = _schemas([offer.query])[name]
    required = schema.get("required", ())
    parameters = []
    for field, kind in schema["properties"].items():
        description = kind.pop("description", "")
        parameters.append(
            {
                "name": field,
                "in": "query",
                "required": field in required,
                "description": description,
                "schema": kind,
            }
        )
    return parameters


def _schemas(shapes: Sequence[type]) -> dict[str, Any]:
    """The schemas of shapes and all they hold, fields described; replies have all their fields."""
    _, schemas = msgspec.json.schema_components(shapes, ref_template=REF)
    for shape in _reachable(shapes):
        schema = schemas[shape.__name__]
        words = field_words(shape)
        for name, kind in schema.get("properties", {}).items():
            if name in words:
                kind["description"] = words[name]
    return dict(sorted(schemas.items()))


def _reachable(shapes: Iterable[type]) -> list[type]:
    found: dict[type, None] = {}

    def visit(kind: Any) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls in found:
                return
            found[kind.cls] = None
            for field in kind.fields:
                visit(field.type)
        for name in ("item_type", "key_type", "value_type"):
            if (inner := getattr(kind, name, None)) is not None:
                visit(inner)
        for inner in getattr(kind, "types", ()):
            visit(inner)

    for shape in shapes:
        visit(msgspec.inspect.type_info(shape))
    return list(found)


@cache
def field_words(shape: type) -> dict[str, str]:
    """The description of each field, inherited ones included: the string that stands under it."""
    words: dict[str, str] = {}
    for kind in reversed(shape.__mro__):
        if not hasattr(kind, "__struct_fields__") or kind.__module__.startswith("msgspec"):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
        body = tree.body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = (
                    ast.get_docstring(ast.Module([text], []))
                    if isinstance(text, ast.Expr)
                    else None
                )
                if said:
                    words[field.target.id] = " ".join(said.split())
    return words


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(encoded())
