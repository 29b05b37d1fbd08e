"""Things that writers change, each read back whole, so that anything half-made is a difference.

A thing is read through the public API into a plain value: equal values mean that everything about it
is as it was said. None is the value of what is not there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from torture.client import MLFLOW, NATIVE, Client, Refused

Value = dict[str, Any] | None


class Thing(Protocol):
    """Anything that can be read back."""

    def read(self, client: Client) -> Value:
        """Everything there is to know of it; raises ``Refused`` if the server contradicts itself."""


def digest_of(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def agree(*, what: str, one: Any, other: Any) -> None:
    """Raise ``Refused`` unless two answers about one thing say the same."""
    if one != other:
        raise Refused(f"{what}: {one!r} in one answer, {other!r} in another")


def find_run(client: Client, name: str) -> str | None:
    """The id of the run of that name; raises ``Refused`` if there are two."""
    answer = client.post(
        "runs/search",
        experiment_ids=["0"],
        filter=f"attributes.run_name = '{name}'",
        run_view_type="ALL",
    )
    if answer.status != 200:
        raise Refused(f"runs/search answered {answer.status}: {answer.body!r}")
    runs = answer.json.get("runs", [])
    if len(runs) > 1:
        raise Refused(f"there are {len(runs)} runs called {name}")
    return runs[0]["info"]["run_id"] if runs else None


def new_run(name: str, tags: dict[str, str]) -> dict[str, Any]:
    """The value of a run that was just created."""
    return {
        "status": "RUNNING",
        "end": None,
        "stage": "active",
        "params": {},
        "tags": {**tags, "mlflow.runName": name},
        "points": {},
    }


@dataclass(frozen=True)
class Run:
    """A run with everything that was logged to it, by its name, which is its own."""

    name: str

    def read(self, client: Client) -> Value:
        """Status, params, tags and every point."""
        uid = find_run(client, self.name)
        if uid is None:
            return None
        run = client.read(f"{MLFLOW}/runs/get?run_id={uid}")["run"]
        info, data = run["info"], run["data"]
        latest = {found["key"]: found for found in data.get("metrics", [])}
        points = {key: _points(client, uid, key) for key in latest}
        for key, found in points.items():
            last = [latest[key]["timestamp"], latest[key].get("step", 0), latest[key]["value"]]
            greatest = max(found, key=lambda point: (point[1], point[0], point[2]))
            agree(what=f"latest {key} of {self.name}", one=last, other=greatest)
        return {
            "status": info["status"],
            "end": info.get("end_time"),
            "stage": info["lifecycle_stage"],
            "params": {found["key"]: found["value"] for found in data.get("params", [])},
            "tags": {found["key"]: found["value"] for found in data.get("tags", [])},
            "points": points,
        }


def _points(client: Client, uid: str, key: str) -> list[list[Any]]:
    query = urlencode({"run_id": uid, "metric_key": key})
    found = client.read(f"{MLFLOW}/metrics/get-history?{query}").get("metrics", [])
    return [[point["timestamp"], point.get("step", 0), point["value"]] for point in found]


@dataclass(frozen=True)
class Folder:
    """The files of a run, each by the digest of the bytes that come when it is asked for."""

    run_name: str

    def read(self, client: Client) -> Value:
        """Every path and what it holds; None while there is no run."""
        uid = find_run(client, self.run_name)
        if uid is None:
            return None
        return dict(self._walk(client, uid, ""))

    def _walk(self, client: Client, uid: str, folder: str) -> list[tuple[str, str]]:
        found = []
        query = urlencode({"run_id": uid, "path": folder})
        for entry in client.read(f"{MLFLOW}/artifacts/list?{query}").get("files", []):
            if entry["is_dir"]:
                found += self._walk(client, uid, entry["path"])
                continue
            ask = urlencode({"run_id": uid, "path": entry["path"]})
            answer = client.send("GET", f"/get-artifact?{ask}")
            if answer.status != 200:
                raise Refused(f"{entry['path']} is listed but answers {answer.status}")
            agree(what=f"size of {entry['path']}", one=entry["file_size"], other=len(answer.body))
            found.append((entry["path"], digest_of(answer.body)))
        return found


def new_model(tags: dict[str, str]) -> dict[str, Any]:
    """The value of a model that was just created."""
    return {
        "description": "",
        "tags": dict(tags),
        "aliases": {},
        "versions": {},
        "moves": [],
    }


@dataclass(frozen=True)
class Model:
    """A model with its versions, aliases and the history of these."""

    name: str

    def read(self, client: Client) -> Value:
        """Labels, versions and every move of an alias, oldest first."""
        path = f"{NATIVE}/models/{quote(self.name, safe='')}"
        found = client.read(path)
        if found is None:
            return None
        changes = list(reversed(client.read(f"{path}/history")["changes"]))
        moves = [[c["key"], c["before"], c["after"]] for c in changes if c["kind"] == "alias"]
        aliases = {alias["name"]: alias["version"] for alias in found["aliases"]}
        agree(what=f"aliases of {self.name}", one=aliases, other=_end_of(moves))
        versions = {str(number): self._version(client, number) for number in self.numbers(client)}
        made = [c["version"] for c in changes if c["kind"] == "created" and c["version"]]
        gone = {c["version"] for c in changes if c["kind"] == "deleted" and c["version"]}
        agree(what=f"numbers of {self.name}", one=made, other=list(range(1, len(made) + 1)))
        living = {str(number) for number in made if number not in gone}
        agree(what=f"versions of {self.name}", one=set(versions), other=living)
        return {
            "description": found["description"],
            "tags": found["tags"],
            "aliases": aliases,
            "versions": versions,
            "moves": moves,
        }

    def numbers(self, client: Client) -> list[int]:
        """The numbers of the living versions."""
        query = urlencode({"filter": f"name = '{self.name}'", "max_results": 200_000})
        found = client.read(f"{MLFLOW}/model-versions/search?{query}").get("model_versions", [])
        return sorted(int(version["version"]) for version in found)

    def _version(self, client: Client, number: int) -> dict[str, Any]:
        path = f"{NATIVE}/models/{quote(self.name, safe='')}/versions/{number}"
        version = client.read(path)
        for file in version["files"]:
            if file["is_folder"]:
                continue
            content = client.send("GET", f"{path}/content/{quote(file['path'])}")
            agree(
                what=f"{file['path']} of {self.name} {number}",
                one=file["digest"],
                other=digest_of(content.body),
            )
        return {
            "description": version["description"],
            "tags": version["tags"],
            "stage": version["stage"],
            "files": {f["path"]: f["digest"] for f in version["files"] if not f["is_folder"]},
        }


def _end_of(moves: list[list[Any]]) -> dict[str, int]:
    """The aliases that a history of moves leads to; raises ``Refused`` for a break in it."""
    standing: dict[str, str] = {}
    for alias, before, after in moves:
        agree(what=f"where {alias} was", one=standing.pop(alias, None), other=before)
        if after is not None:
            standing[alias] = after
    return {alias: int(number) for alias, number in standing.items()}


@dataclass(frozen=True)
class Experiment:
    """An experiment with its labels and its runs."""

    name: str

    def read(self, client: Client) -> Value:
        """Life, tags, and the life of each run."""
        query = urlencode({"experiment_name": self.name})
        found = client.read(f"{MLFLOW}/experiments/get-by-name?{query}")
        if found is None:
            return None
        experiment = found["experiment"]
        answer = client.post(
            "runs/search", experiment_ids=[experiment["experiment_id"]], run_view_type="ALL"
        )
        return {
            "stage": experiment["lifecycle_stage"],
            "tags": {tag["key"]: tag["value"] for tag in experiment.get("tags", [])},
            "runs": {
                run["info"]["run_name"]: run["info"]["lifecycle_stage"]
                for run in answer.json.get("runs", [])
            },
        }
