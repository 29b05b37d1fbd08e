"""Previews: what a page can show of a file's beginning, judged by its name and its bytes."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec

from heddle.api.files import media_type
from heddle.api.native.shapes.files import Preview, PreviewTable
from heddle.artifacts.manifests import File

HEAD_MAX = 256 * 1024
ROWS_MAX = 1000
COLUMNS_MAX = 1000
LANGUAGES = {
    **dict.fromkeys(("py", "pyi", "py3"), "python"),
    **dict.fromkeys(("yaml", "yml", "mlmodel", "mlproject"), "yaml"),
    **dict.fromkeys(("json", "ipynb", "geojson"), "json"),
    **dict.fromkeys(("md", "markdown", "rst"), "markdown"),
    **dict.fromkeys(("html", "htm", "xml", "svg"), "xml"),
    **dict.fromkeys(("sh", "bash"), "shell"),
    **dict.fromkeys(("toml", "ini", "cfg", "conf", "properties"), "ini"),
    "sql": "sql",
    "r": "r",
    "js": "javascript",
    "ts": "typescript",
    "css": "css",
}
TABLES = {"csv": ",", "tsv": "\t"}


def preview(file: File, head: bytes) -> Preview:
    """What to show of a file, given its first ``HEAD_MAX`` bytes or all of it."""
    name = file.path.rpartition("/")[2]
    ending = name.rpartition(".")[2].lower()
    kind = media_type(name).partition(";")[0]
    shown = Preview(
        path=file.path,
        size_bytes=file.size_bytes,
        digest=file.digest,
        kind="binary",
        media_type=kind,
        language="",
        text=None,
        truncated=len(head) < file.size_bytes,
        table=None,
    )
    if kind.startswith("image/"):
        shown.kind = "image"
    elif kind.startswith(("audio/", "video/")):
        shown.kind = "media"
    elif (text := _text(head, whole=not shown.truncated)) is not None:
        _show_text(shown, text, ending)
    return shown


def _show_text(shown: Preview, text: str, ending: str) -> None:
    shown.kind = "text"
    shown.text = text
    shown.language = LANGUAGES.get(ending, "")
    if ending in TABLES:
        shown.table = _from_csv(text, TABLES[ending], whole=not shown.truncated)
    elif shown.language == "json" and not shown.truncated:
        try:
            shown.document = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return
        shown.kind = "json"
        shown.table = _from_json(shown.document)
    if shown.table is not None:
        shown.kind = "table"


def _text(head: bytes, *, whole: bool) -> str | None:
    """The bytes as text; None for what is none. A character cut at the end is left out."""
    if b"\0" in head:
        return None
    for cut in range(1 if whole else 4):
        try:
            return head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
    return None


def _from_csv(text: str, delimiter: str, *, whole: bool) -> PreviewTable | None:
    lines = text.splitlines(keepends=True)
    if not whole and lines and not lines[-1].endswith("\n"):
        lines.pop()
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO("".join(lines)), delimiter=delimiter):
            rows.append(row[:COLUMNS_MAX])
            if len(rows) > ROWS_MAX:
                break
    except csv.Error:
        return None
    if not rows:
        return None
    return PreviewTable(columns=rows[0], rows=rows[1:])


def _from_json(document: Any) -> PreviewTable | None:
    """A table in split form (columns and data) or as a list of flat records."""
    if isinstance(document, dict):
        columns, data = document.get("columns"), document.get("data")
        if isinstance(columns, list) and isinstance(data, list) and columns:
            rows = [row for row in data[:ROWS_MAX] if isinstance(row, list)]
            if len(rows) == len(data[:ROWS_MAX]):
                return PreviewTable(
                    columns=[_cell(name) for name in columns[:COLUMNS_MAX]],
                    rows=[[_cell(cell) for cell in row[:COLUMNS_MAX]] for row in rows],
                )
    if isinstance(document, list) and document:
        records = [each for each in document[:ROWS_MAX] if isinstance(each, dict)]
        if len(records) == len(document[:ROWS_MAX]):
            names = list(dict.fromkeys(name for each in records for name in each))[:COLUMNS_MAX]
            rows = [[_cell(each.get(name)) for name in names] for each in records]
            return PreviewTable(columns=names, rows=rows)
    return None


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
