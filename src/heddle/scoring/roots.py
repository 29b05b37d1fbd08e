"""Data roots: the folders and addresses that jobs of a server may read and write.

Whoever runs the server names them; a job whose input or output lies elsewhere is refused. What is
decided here is decided on text alone, so that the server opens nothing to find out; the process
that runs the job looks again (``look``), where links have been followed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from heddle.errors import Invalid

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_ASKED = re.compile(r"\?([a-z_=&0-9A-Z.-]*)(?=#|$)")
HARMLESS = ("application_name", "connect_timeout", "sslmode", "target_session_attrs")
"""What a database's address may ask for; none of it says where the database is."""
_LOCAL = ("", "file")
_SIGNS = re.compile(r"[*?\[]")
_STATEMENT = re.compile(r"\s*(?:SELECT|FROM|WITH|VALUES)\b|duckdb:", re.IGNORECASE)


def place(address: str, roots: Sequence[str]) -> str:
    """The address in full, if it lies under one of the roots; raises ``Invalid`` otherwise.

    A path that is not absolute counts from the first root. Roots are absolute paths, or addresses
    such as ``s3://bucket/folder`` and ``postgresql://host/database``.
    """
    if _STATEMENT.match(address):
        raise Invalid(
            "A job of the server reads tables by their place, not by a statement or a DuckDB file,"
            " which could read anything; run it by hand: heddle predict."
        )
    if "\x00" in address or not address.strip():
        raise Invalid("The table's address is empty or holds a zero byte.")
    scheme, rest = _parts(address)
    if scheme in _LOCAL:
        return _local(rest, roots, address)
    if scheme == "postgresql":
        _check_asked(rest, address)
        rest = _ASKED.sub("", rest, count=1)
    plain = unquote(rest)
    # What several programs read in several ways must not decide what may be read, and what stands
    # behind a question mark may name another host.
    if "\\" in plain or "?" in plain or ".." in re.split(r"[/#;]", plain):
        raise Invalid(f"The address {_shown(address)!r} must do without '..', '?' and backslashes.")
    if ":" in plain.partition("@")[0] and "@" in plain.partition("/")[0]:
        raise Invalid(
            f"The address {_shown(address)!r} holds a password, which would be kept with the job;"
            " give it to the worker instead (for PostgreSQL in its .pgpass file)."
        )
    if any(_covers(root, scheme, rest) for root in roots):
        return f"{scheme}://{_parts(address)[1]}"
    raise _refused(address, roots)


def _check_asked(rest: str, address: str) -> None:
    """Raise ``Invalid`` if what stands behind the question mark could name another place."""
    asked = _ASKED.search(rest)
    wrong = [
        name
        for name in (each.partition("=")[0] for each in (asked[1].split("&") if asked else ()))
        if name not in HARMLESS
    ]
    if wrong:
        raise Invalid(
            f"The address {_shown(address)!r} may say {', '.join(HARMLESS)} after the question mark,"
            f" not {', '.join(wrong)}; the worker's own settings (PGHOST and the like) can."
        )


def _parts(address: str) -> tuple[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return "", address
    scheme = found[1].lower()
    aliases = {"postgres": "postgresql", "s3a": "s3", "abfss": "abfs", "gcs": "gs"}
    return aliases.get(scheme, scheme), found[2]


def _covers(root: str, scheme: str, rest: str) -> bool:
    """Whether an address on an object store or in a database lies under a root."""
    root_scheme, root_rest = _parts(root)
    if root_scheme != scheme:
        return False
    root_rest = root_rest.rstrip("/")
    if scheme == "postgresql":
        # The root names host and database; the user is each address's own.
        return rest.rpartition("@")[2].partition("#")[0] == root_rest.rpartition("@")[2]
    return bool(root_rest) and (rest == root_rest or rest.startswith(root_rest + "/"))


def _local(path: str, roots: Sequence[str], address: str) -> str:
    folders = [_parts(root)[1] for root in roots if _parts(root)[0] in _LOCAL]
    if not path.startswith("/"):
        if not folders:
            raise _refused(address, roots)
        path = posixpath.join(folders[0], path)
    ending = "/" if path.endswith("/") else ""
    plain = posixpath.normpath(path)
    if _SIGNS.search(path) and ".." in path.split("/"):
        raise Invalid(f"The pattern {address!r} climbs with '..'; write it without.")
    for folder in folders:
        top = posixpath.normpath(folder)
        if plain == top or plain.startswith(top.rstrip("/") + "/"):
            return plain + ending
    raise _refused(address, roots)


def _refused(address: str, roots: Sequence[str]) -> Invalid:
    scheme, rest = _parts(address)
    if scheme in _LOCAL:
        fixed = _SIGNS.split(rest, maxsplit=1)[0]
        folder = posixpath.dirname(fixed) if fixed == rest else posixpath.dirname(fixed + "x")
        wanted = folder or "/data"
    else:
        wanted = f"{scheme}://{'/'.join(rest.split('/')[:2])}"
    allowed = ", ".join(roots) if roots else "none"
    return Invalid(
        f"Jobs of this server may not touch {_shown(address)!r}; they may touch: {allowed}."
        f" Whoever runs it can allow more: heddle serve --data-roots {_shown(wanted)}"
        " (or HEDDLE_DATA_ROOTS, several separated by commas)."
    )


def _shown(address: str) -> str:
    """An address without what stands before the host."""
    return re.sub(r"//[^/@]*@", "//", address)


def look(address: str, roots: Sequence[str]) -> str:
    """``place``, with links followed on this machine; for the process that opens the table.

    Raises ``Invalid`` if the place, or what lies nearest to it, is a link out of the roots.
    """
    full = place(address, roots)
    if _ADDRESS.match(full):
        return full
    fixed = Path(_SIGNS.split(full, maxsplit=1)[0])
    if str(fixed) != full.rstrip("/"):
        fixed = fixed if full[len(str(fixed)) :].startswith("/") else fixed.parent
    real = fixed.resolve()
    folders = [Path(_parts(root)[1]).resolve() for root in roots if _parts(root)[0] in _LOCAL]
    if not any(real == folder or folder in real.parents for folder in folders):
        raise _refused(f"{real}/" if full.endswith("/") else str(real), roots)
    return full
