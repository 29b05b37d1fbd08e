"""Which registered version a plan means, found in the database.

Jobs of a server apply registered versions of their own workspace and nothing else: ``name/3``,
``name@alias``, ``name/latest``, each with or without ``models:/`` in front.
"""

from __future__ import annotations

from urllib.parse import unquote

from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.registry import aliases, versions
from heddle.registry.versions import Version

PREFIX = "models:/"


def find_version(tx: Tx, uri: str) -> Version:
    """The living version that a name stands for now; raises ``Invalid``, ``NotFound``."""
    name, number, alias = split_name(uri)
    found = (
        aliases.get_by_alias(tx, name, alias)
        if number is None
        else versions.get_version(tx, name, number)
    )
    if found.manifest_id is None:
        raise NotFound(
            f"Version {found.number} of '{name}' has no files here, so it cannot predict."
        )
    return found


def split_name(uri: str) -> tuple[str, int | None, str]:
    """Model, number and alias of a version's name; the number is None where an alias is said."""
    text = uri.strip()
    if text.startswith(PREFIX):
        text = unquote(text.removeprefix(PREFIX).lstrip("/"))
    if "@" in text and "/" not in text.rpartition("@")[2]:
        name, _, alias = text.rpartition("@")
        if name and alias:
            return name, None, alias
    name, slash, last = text.rpartition("/")
    if slash and name and "/" not in name and ":" not in name:
        if last.isascii() and last.isdigit() and len(last) < 19:
            return name, int(last), ""
        if last.lower() == aliases.LATEST:
            return name, None, aliases.LATEST
    raise Invalid(
        f"{uri!r} names no registered version; write 'name/3', 'name@alias' or 'name/latest'."
    )
