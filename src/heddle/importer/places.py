"""Where files lie that an MLflow database names by address.

Files are read only below addresses that whoever imports has named: an address in that database may
be anything that one of its clients once sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heddle.artifacts.elsewhere import Folder, open_folder
from heddle.errors import Invalid

PROXIED = "mlflow-artifacts:"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?://)?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that files are read from, and what addresses of files in it begin with."""

    address: str
    folder: Folder


class Places:
    """The places named, each ``ADDRESS`` or ``ADDRESS=WHERE IT LIES NOW``; raises as ``open_folder``."""

    def __init__(self, named: Sequence[str]) -> None:
        places = []
        for each in named:
            address, moved, where = each.partition("=")
            if not address or (moved and not where):
                raise Invalid(f"{each!r} names no place; write ADDRESS, or ADDRESS=FOLDER.")
            plain = plain_address(address)
            if plain.startswith(PROXIED) and not moved:
                raise Invalid(
                    f"Say where the MLflow server kept the files of {address}: {address}=FOLDER"
                    " (its --artifacts-destination)."
                )
            places.append(Place(plain, open_folder(where or address)))
        self._places = sorted(places, key=lambda place: -len(place.address))

    def find(self, address: str) -> tuple[Folder, str] | None:
        """The folder that an address lies in, and the path there; None outside all places."""
        plain = plain_address(address)
        for place in self._places:
            if plain == place.address or plain.startswith(place.address.rstrip("/") + "/"):
                return place.folder, plain[len(place.address) :].strip("/")
        return None


def plain_address(address: str) -> str:
    """An address in one form: paths absolute, without ``file:``, hosts of proxies left out.

    ``mlflow-artifacts://host:5000/1/ab`` and ``mlflow-artifacts:/1/ab`` are the same.
    """
    found = _SCHEME.fullmatch(address)
    if found is None:
        return str(Path(address).absolute())
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return re.sub(r"/+", "/", f"/{rest}")
    if scheme + ":" == PROXIED:
        if address[len(scheme) + 1 :].startswith("//"):
            rest = rest.partition("/")[2]
        return PROXIED + re.sub(r"/+", "/", f"/{rest}")
    return f"{scheme}://{rest}"


def is_reachable(address: str) -> bool:
    """Whether clients reach an address by themselves, as one of an object store."""
    return not plain_address(address).startswith((PROXIED, "/"))
