"""Writes docs/reference from the program itself: commands, settings, calls and failures.

    python tools/reference.py docs/reference

Nothing here is typed by hand: the command line comes from the parser, settings from their options,
calls from the rows that the server dispatches by, the native API from its OpenAPI document.
`tests/test_docs.py` compares what is checked in with what this gives.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from heddle import errors
from heddle.api import openapi
from heddle.api.connection import Protocol
from heddle.api.http import BODY_MAX
from heddle.api.mlflow import artifacts, experiments, logged_models, registry, runs
from heddle.app import all_rows
from heddle.cli import build_parser
from heddle.keys import KEY_MAX
from heddle.search import grammar
from heddle.settings import OPTIONS, shown_default

MADE = "<!-- Made by `make docs` from the program; change that, not this. -->\n"
WIDTH = 96
DIFFERENCES = """Each call also under `/ajax-api`, as MLflow's own page calls it, and those of `/api/2.0`
under `/api/2.0/preview`. HEAD answers as GET, without the body. What is answered otherwise than
by MLflow's own server, and why: [differences](../../tests/compat/differences.md). All other calls
answer 404 `ENDPOINT_NOT_FOUND`.
"""
STREAMS = """Answers go to standard output, remarks to standard error. A command that was refused says
why in one line and ends with 2; one that found something wrong ends with 1.
"""
MLFLOW = re.compile(r"^/(?P<api>(?:ajax-)?api/\d\.\d)/(?:preview/)?mlflow/(?P<call>.+)$")


def pages() -> dict[str, str]:
    """Every page's file name and text."""
    return {
        "README.md": _contents(),
        "command-line.md": _command_line(),
        "settings.md": _settings(),
        "native-api.md": _native_api(),
        "mlflow-calls.md": _mlflow_calls(),
        "failures.md": _failures(),
    }


def _page(title: str, *parts: str) -> str:
    return "\n".join((f"# {title}\n", MADE, *parts)).rstrip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; a vertical bar in a cell is written so that it does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |\n"
        for line in lines
    )


def _contents() -> str:
    return _page(
        "Reference",
        "- [Command line](command-line.md): every command and option",
        "- [Settings](settings.md): of a server, as flags and variables",
        "- [Native API](native-api.md): calls under `/api/v1`, what they take and answer",
        "- [MLflow's calls](mlflow-calls.md): which are answered, and within which limits",
        "- [Failures](failures.md): statuses and codes",
    )


def _command_line() -> str:
    parser = build_parser()
    [commands] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    about = {choice.dest: choice.help or "" for choice in commands._choices_actions}  # noqa: SLF001
    parts = [
        STREAMS,
        _table(
            ["Command", ""],
            [[f"[`heddle {name}`](#heddle-{name})", about[name]] for name in commands.choices],
        ),
    ]
    for name, command in commands.choices.items():
        command.formatter_class = _Formatter
        parts.append(f"## heddle {name}\n\n```\n{command.format_help().rstrip()}\n```\n")
    return _page("Command line", *parts)


class _Formatter(argparse.HelpFormatter):
    """Help at one width, whatever terminal this is made in."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH)


def _settings() -> str:
    rows = [
        [f"`{o.flag}`", f"`{o.variable}`", _code(shown_default(o.name)), f"{o.about}"]
        for o in OPTIONS
    ]
    return _page(
        "Settings",
        "Flags of `heddle serve`; commands that work on the same data take those that concern them.\n"
        "A flag wins over its variable.\n",
        _table(["Flag", "Variable", "Default", "What it is"], rows),
    )


def _code(text: str) -> str:
    return f"`{text}`" if text and " " not in text else text


def _native_api() -> str:
    document: dict[str, Any] = msgspec.json.decode(openapi.encoded())
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = _call(method.upper(), path, operation)
            groups.setdefault(operation["tags"][0], []).append(text)
    shapes = [_shape(name, shape) for name, shape in document["components"]["schemas"].items()]
    return _page(
        "Native API",
        "JSON over HTTP. The same as a document for programs:"
        " [openapi.json](../../openapi.json), also\nserved at `/api/v1/openapi.json`.\n",
        *(part for name in groups for part in (f"## {name.capitalize()}\n", *groups[name])),
        "## Shapes\n",
        *shapes,
    )


def _call(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [
        f"### {operation['operationId']}\n",
        f"`{method} {path}`\n",
        f"{operation['summary']}.\n",
    ]
    asked = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
    if asked:
        rows = [[f"`{p['name']}`", _kind(p["schema"]), p["description"]] for p in asked]
        lines.append(_table(["Query", "", ""], rows))
    body = operation.get("requestBody")
    if body is not None:
        lines.append(f"Takes {_kind(_content(body))}.\n")
    for status, answer in operation["responses"].items():
        if status != "default":
            kind = _content(answer)
            lines.append(f"Answers {status}" + (f" with {_kind(kind)}.\n" if kind else ".\n"))
    return "\n".join(lines)


def _content(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind, content in holder.get("content", {}).items():
        schema: Mapping[str, Any] = content.get("schema") or {"type": kind}
        return schema if kind == "application/json" else {"type": kind}
    return {}


def _shape(name: str, shape: Mapping[str, Any]) -> str:
    required = set(shape.get("required", ()))
    rows = [
        [f"`{key}`" + ("" if key in required else "?"), _kind(kind), kind.get("description", "")]
        for key, kind in shape.get("properties", {}).items()
    ]
    lines = [f"### {name}\n", f"{shape.get('description', '')}\n"]
    if rows:
        lines.append(_table(["Field", "", ""], rows))
    return "\n".join(lines)


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_kind(option) for option in schema[key]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(kind)


def _mlflow_calls() -> str:
    def plain(starts: set[str]) -> set[str]:
        return {start for start in starts if not start.startswith("ajax")}

    calls: dict[tuple[str, str], set[str]] = {}
    others: list[tuple[str, str]] = []
    for row in all_rows():
        found = MLFLOW.match(row.path)
        if found:
            calls.setdefault((found["call"], row.method), set()).add(found["api"])
        elif not row.path.startswith(("/api/v1", "/v1/", "/ajax-api/")):
            others.append((row.path, row.method))
    rows = [
        # What only the page of MLflow calls stands under its prefix alone.
        [f"`{method} {call}`", ", ".join(f"`/{one}`" for one in sorted(plain(starts) or starts))]
        for (call, method), starts in sorted(calls.items())
    ]
    return _page(
        "MLflow's calls",
        DIFFERENCES,
        _table(["Call", "Under"], rows),
        "## Beside these\n",
        _table(["Call"], [[f"`{method} {path}`"] for path, method in dict.fromkeys(others)]),
        "## Limits\n",
        _table(["What", "At most"], list(_limits())),
    )


def _limits() -> Iterator[list[str]]:
    yield ["a request's body, files apart", f"{BODY_MAX:,} bytes"]
    yield ["a request's line and headers", f"{Protocol.HEAD_MAX:,} bytes"]
    yield ["a key of a param, metric or tag", f"{KEY_MAX:,} characters"]
    for what, most in runs.BATCH_MAX.items():
        yield [f"{what} in one log-batch", f"{most:,}"]
    yield ["runs or experiments on one page", f"{experiments.SEARCH_MAX:,}"]
    yield ["logged models on one page", f"{logged_models.SEARCH_MAX:,}"]
    yield ["registered models on one page", f"{registry.MODELS_MAX:,}"]
    yield ["versions on one page", f"{registry.VERSIONS_MAX:,}"]
    yield ["a file through `upload-artifact`", f"{artifacts.UPLOAD_MAX:,} bytes"]
    yield ["a filter", f"{grammar.MAX_LENGTH:,} characters"]


def _failures() -> str:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.HeddleError)
    ]
    rows = [
        [kind.__name__, str(kind.status), f"`{kind.code}`", (kind.__doc__ or "").partition("\n")[0]]
        for kind in kinds
        if kind is not errors.HeddleError
    ]
    return _page(
        "Failures",
        'MLflow\'s calls answer in MLflow\'s shape, `{"error_code", "message"}`, those under'
        " `/api/v1` in\n[Refusal](native-api.md#refusal). Anything else is a defect and answers 500.\n",
        _table(["Failure", "Status", "MLflow's code", "When"], rows),
    )


def main(folder: Path) -> None:
    """Write every page, and remove what is none any more."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
