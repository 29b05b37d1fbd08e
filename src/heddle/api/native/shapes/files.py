"""Shapes of files: listing as a tree, and previews. Contents travel as they are, not as JSON."""

from __future__ import annotations

from typing import Any, Literal

from heddle.api.native.shapes.kinds import Query, Reply


class File(Reply):
    """One file or folder."""

    path: str
    """Where it is, from the top."""
    name: str
    """The last part of its path."""
    is_folder: bool
    """Whether it holds others."""
    size_bytes: int
    """Its size; of a folder the sum of what it holds."""
    files: int
    """How many files it is or holds."""
    digest: str
    """SHA-256 of its contents in hexadecimal; empty for a folder."""


class Files(Reply):
    """What lies in a folder."""

    path: str
    """The folder; empty for the top."""
    entries: list[File]
    """Folders first, then by name; by path when asked for all below."""
    total: int
    """How many entries there are."""
    size_bytes: int
    """The size of everything below."""


class FileQuery(Query):
    """Which folder."""

    path: str = ""
    """The folder; the top when left out."""
    all: bool = False
    """Every file below it instead of one level."""
    limit: int = 10_000
    """Entries at most."""


class PathQuery(Query):
    """Which file or folder."""

    path: str = ""
    """From the top."""


class ContentQuery(Query):
    """How a file is sent."""

    inline: bool = False
    """Show it (images, text and PDF only, in a sandbox) instead of offering to save it."""


class PreviewTable(Reply):
    """The head of a table file."""

    columns: list[str]
    """Names of the columns."""
    rows: list[list[str]]
    """The first rows, as text."""


class Preview(Reply):
    """What a page can show of a file without fetching it whole."""

    path: str
    """Which file."""
    size_bytes: int
    """Its whole size."""
    digest: str
    """SHA-256 of its contents in hexadecimal."""
    kind: Literal["text", "json", "table", "image", "media", "binary"]
    """How to show it; for ``image`` and ``media`` fetch the content inline."""
    media_type: str
    """What its name says it is."""
    language: str
    """For colouring text: ``python``, ``yaml``, ``json``, ``markdown``, ... or empty."""
    text: str | None
    """The first 256 KiB of a text; null for others."""
    truncated: bool
    """Whether more follows."""
    table: PreviewTable | None
    """The first 1000 rows of a CSV or TSV, or of JSON in split or record form."""
    document: Any = None
    """A JSON file of at most 256 KiB, read; null for others."""
