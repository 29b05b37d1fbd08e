"""Finding a model's files by what people call it, and having them here: fetched once, verified.

A home of models is a Heddle server or a data folder; both answer the same two questions: which
files a name means now (`Home.find`), and what is in one of them (`Home.read`). Files are kept in a
cache folder under the digest over all of them, appear there whole or not at all, and are compared
with their digests whenever they are used. Nothing here loads a model.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

from heddle.artifacts import manifests
from heddle.artifacts.blobs import Store, open_store
from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import Caller, Tx
from heddle.errors import Corrupt, Denied, Invalid, NotFound, Unavailable
from heddle.registry import aliases, models, scans, versions
from heddle.scoring.plan import Model, digest_of
from heddle.tracking import files as owned

BLOCK: Final = 1024 * 1024
TIMEOUT_S: Final = 60
LOADED_BY: Final = "MLmodel"
STAGES: Final = {"staging": "Staging", "production": "Production", "archived": "Archived"}
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_LOGGED: Final = re.compile(r"m-[0-9a-zA-Z]+")
_PATH_LIKE: Final = re.compile(r"(?:file:|[/~]|\.{1,2}/|\.{1,2}$)")
_SAFE: Final = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\\\0]+")


@dataclass(frozen=True, slots=True)
class Named:
    """What a model's address says: one of a version, a run's folder, a logged model, a folder.

    ``version`` is a number, ``@alias``, ``latest`` or a stage.
    """

    name: str = ""
    version: str = ""
    run: str = ""
    logged: str = ""
    path: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model; ``path`` is below the model's folder, ``digest`` its SHA-256."""

    path: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """A model whose files are known: ``digest`` is over all of them. ``label`` is what a scan
    said of them, empty where nobody scanned."""  # noqa: D205, D209

    named: Named
    name: str
    version: int
    files: tuple[ModelFile, ...]
    digest: str
    run: str = ""
    label: str = ""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.name}/{self.version}" if self.version else self.name


class Home(Protocol):
    """Where models are kept."""

    def find(self, named: Named, workspace: str) -> Found:
        """Which files a name means now; raises ``NotFound``, ``Invalid``, ``Unavailable``."""

    def read(self, found: Found, file: ModelFile, workspace: str) -> Iterator[bytes]:
        """The bytes of a file."""


def parse(uri: str) -> Named:
    """What a model's address means; raises ``Invalid`` that shows the forms there are."""
    text = uri.strip()
    if text.startswith("runs:/"):
        run, _, path = text[6:].strip("/").partition("/")
        if run and path:
            return Named(run=run, path=path)
    elif text.startswith("models:/"):
        rest = text[8:].strip("/")
        if _LOGGED.fullmatch(rest):
            return Named(logged=rest)
        if named := _version(unquote(rest), with_stages=True):
            return named
    elif _PATH_LIKE.match(text):
        place = unquote(urlsplit(text).path) if text.startswith("file:") else text
        return Named(folder=str(Path(place).expanduser()))
    elif "://" not in text:
        if named := _version(text, with_stages=False):
            return named
        if (Path(text) / LOADED_BY).is_file():
            return Named(folder=text)
    raise Invalid(
        f"'{uri}' does not name a model. Name a version as 'diabetes/3', 'diabetes@champion' or"
        " 'diabetes/latest', or use models:/name/3, models:/m-ID, runs:/RUN/path or a folder that"
        f" holds {LOADED_BY}, as ./folder."
    )


def _version(text: str, *, with_stages: bool) -> Named | None:
    name, slash, version = text.rpartition("/")
    if slash and name and (_NUMBER.fullmatch(version) or version == "latest"):
        return Named(name=name, version=version)
    if slash and with_stages and version.lower() in STAGES:
        return Named(name=name, version=version)
    name, at, alias = text.rpartition("@")
    if at and name and alias:
        return Named(name=name, version=f"@{alias}")
    return None


def _found(named: Named, name: str, version: int, files: list[ModelFile], **more: str) -> Found:
    digest = digest_of({file.path: file.digest for file in files})
    found = Found(named, name, version, tuple(files), digest, **more)
    if not any(file.path == LOADED_BY for file in files):
        raise NotFound(
            f"{found.title} has no file {LOADED_BY} among its {len(files)} files, so it is no model"
            " that MLflow can load."
        )
    odd = [file.path for file in files if not _SAFE.fullmatch(file.path)]
    if odd:
        raise Invalid(f"{found.title} has files with names that are no paths: {odd[:3]}.")
    return found


# ---- a server --------------------------------------------------------------------------------


class Server:
    """Models of a Heddle server, over its native API.

    ``token`` goes with every request where given.
    """

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address.rstrip("/")
        self.token = token

    def _open(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- checked when the home was made
            f"{self.address}{path}", None if body is None else json.dumps(body).encode()
        )
        if body is not None:
            request.add_header("content-type", "application/json")
        if self.token:
            request.add_header("authorization", self.token)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
        except urllib.error.HTTPError as error:
            raise _failure(self.address, error) from None
        except OSError as error:
            raise Unavailable(
                f"No Heddle server answers at {self.address} ({error}). Start one with"
                " 'heddle serve', or name another with --server, HEDDLE_URL or"
                " MLFLOW_TRACKING_URI."
            ) from None

    def _get(self, path: str, body: Any = None) -> Any:
        with self._open(path, body) as answer:
            return json.load(answer)

    def _base(self, named: Named, workspace: str) -> str:
        place = f"/api/v1/workspaces/{quote(workspace, safe='')}"
        if named.run:
            return f"{place}/runs/{quote(named.run, safe='')}"
        if named.logged:
            return f"{place}/logged-models/{quote(named.logged, safe='')}"
        version = quote(named.version, safe="@")
        return f"{place}/models/{quote(named.name, safe='')}/versions/{version}"

    def find(self, named: Named, workspace: str) -> Found:
        """As `Home.find`."""
        if named.version.lower() in STAGES:
            named = replace(named, version=self._in_stage(named))
        name, version, more = named.name or named.logged or f"{named.run}/{named.path}", 0, {}
        if named.name:
            known = self._get(self._base(named, workspace))
            version = int(known["version"])
            more = {"run": (known.get("run") or {}).get("id") or ""}
            more["label"] = (known.get("scan") or {}).get("label") or ""
            # From here on the number: an alias may move while files are read.
            named = replace(named, version=str(version))
        path = f"{self._base(named, workspace)}/files?all=true&path={quote(named.path)}"
        listed = self._get(path)
        start = len(named.path) + 1 if named.path else 0
        files = [
            ModelFile(entry["path"][start:], entry["digest"], entry["size_bytes"])
            for entry in listed["entries"]
        ]
        return _found(named, name, version, files, **more)

    def _in_stage(self, named: Named) -> str:
        stage = STAGES[named.version.lower()]
        asked = {"name": named.name, "stages": [stage]}
        known = self._get("/api/2.0/mlflow/registered-models/get-latest-versions", asked)
        for version in known.get("model_versions", ()):
            return str(version["version"])
        raise NotFound(f"No version of {named.name} is in stage {stage}.")

    def read(self, found: Found, file: ModelFile, workspace: str) -> Iterator[bytes]:
        """As `Home.read`."""
        path = f"{found.named.path}/{file.path}" if found.named.path else file.path
        with self._open(f"{self._base(found.named, workspace)}/content/{quote(path)}") as answer:
            while block := answer.read(BLOCK):
                yield block


def _failure(address: str, error: urllib.error.HTTPError) -> Exception:
    """A server's refusal in its own words."""
    try:
        said = json.load(error)
        words = said.get("message") or (said.get("error") or {}).get("message") or ""
    except (ValueError, AttributeError):
        words = ""
    words = words or f"{address} answered {error.code} {error.reason}; is it a Heddle server?"
    if error.code in (401, 403):
        return Denied(words)
    if error.code == 404:
        return NotFound(words)
    return Unavailable(words) if error.code >= 500 else Invalid(words)


# ---- a data folder ---------------------------------------------------------------------------


class Opened:
    """Models of a database and a store that are open."""

    def __init__(self, database: Database, store: Callable[[], Store]) -> None:
        self.database = database
        self._store = store

    def _read(self, workspace: str, operation: Callable[[Tx], Any]) -> Any:
        return self.database.read_now(operation, Caller(workspace=workspace))

    def find(self, named: Named, workspace: str) -> Found:
        """As `Home.find`."""
        found: Found = self._read(workspace, partial(find_here, named=named))
        return found

    def read(self, found: Found, file: ModelFile, workspace: str) -> Iterator[bytes]:
        """As `Home.read`."""

        def operation(tx: Tx) -> bytes | None:
            manifest_id, prefix = _manifest(tx, found.named)
            path = f"{prefix}/{file.path}" if prefix else file.path
            return manifests.read_file(tx, manifest_id, path)[1]

        small = self._read(workspace, operation)
        if small is not None:
            yield small
            return
        try:
            yield from self._store().blocks(file.digest, 0, file.size_bytes)
        except FileNotFoundError:
            raise Corrupt(f"The stored bytes of '{file.path}' are gone.") from None


class DataFolder:
    """Models of a database and store that are opened here, without a server."""

    def __init__(self, database_url: str, artifacts_url: str) -> None:
        self.database_url = database_url
        self.artifacts_url = artifacts_url

    @contextmanager
    def _opened(self) -> Iterator[Opened]:
        database = open_database(self.database_url)
        try:
            yield Opened(database, partial(open_store, self.artifacts_url))
        finally:
            database.close()

    def find(self, named: Named, workspace: str) -> Found:
        """As `Home.find`."""
        with self._opened() as home:
            return home.find(named, workspace)

    def read(self, found: Found, file: ModelFile, workspace: str) -> Iterator[bytes]:
        """As `Home.read`."""
        with self._opened() as home:
            yield from home.read(found, file, workspace)


def find_here(tx: Tx, named: Named) -> Found:
    """Which files a name means in this transaction; raises ``NotFound``, ``Invalid``."""
    number, run, label = 0, "", ""
    name = named.name or named.logged or f"{named.run}/{named.path}"
    if named.name:
        version = _find_version(tx, named)
        number, run = version.number, version.run_uid
        scan = scans.find_scan(tx, version)
        label = "" if scan is None else scan.label
        named = replace(named, version=str(number))
    manifest_id, prefix = _manifest(tx, named)
    start = len(prefix) + 1 if prefix else 0
    files = [
        ModelFile(file.path[start:], file.digest, file.size_bytes)
        for file in manifests.load(tx, manifest_id, prefix)
    ]
    return _found(named, name, number, files, run=run, label=label)


def _find_version(tx: Tx, named: Named) -> versions.Version:
    text = named.version
    if _NUMBER.fullmatch(text):
        return versions.get_version(tx, named.name, int(text))
    if text.lower() in STAGES:
        model = models.get_model(tx, named.name)
        for version in versions.load_latest(tx, [model.id]).get(model.id, ()):
            if version.stage == STAGES[text.lower()]:
                return version
        raise NotFound(f"No version of {named.name} is in stage {STAGES[text.lower()]}.")
    return aliases.get_by_alias(tx, named.name, text.removeprefix("@"))


def _manifest(tx: Tx, named: Named) -> tuple[int | None, str]:
    """The manifest that holds a model's files, and the folder in it."""
    if named.run:
        return owned.run_place(tx, named.run)[0].manifest_id, manifests.check_path(named.path)
    if named.logged:
        return owned.model_place(tx, named.logged)[0].manifest_id, ""
    return _find_version(tx, named).manifest_id, ""


# ---- a local folder --------------------------------------------------------------------------


class LocalFolder:
    """A model in a folder of this machine; it is copied like any other, so that it cannot change
    while it is used."""  # noqa: D205, D209

    def find(self, named: Named, workspace: str) -> Found:
        """As `Home.find`; links and what they lead to are no part of a model."""
        del workspace
        top = Path(named.folder)
        if not top.is_dir():
            raise NotFound(f"There is no folder {top}.")
        files = []
        for place, _, names in os.walk(top):
            for name in names:
                path = Path(place, name)
                if not path.is_symlink() and path.is_file():
                    with path.open("rb") as file:
                        digest = hashlib.file_digest(file, "sha256").hexdigest()
                    shown = path.relative_to(top).as_posix()
                    files.append(ModelFile(shown, digest, path.stat().st_size))
        return _found(named, str(top), 0, sorted(files, key=lambda file: file.path))

    def read(self, found: Found, file: ModelFile, workspace: str) -> Iterator[bytes]:
        """As `Home.read`."""
        del workspace
        with Path(found.named.folder, file.path).open("rb") as opened:
            while block := opened.read(BLOCK):
                yield block


# ---- homes and the cache ---------------------------------------------------------------------


def find_home(server: str = "", data: str = "", environ: Mapping[str, str] | None = None) -> Home:
    """The home that was named, or that the environment names, or else the usual data folder.

    ``server`` is a Heddle server's address; ``data`` a data folder. The environment's HEDDLE_URL
    comes before MLFLOW_TRACKING_URI. Credentials are taken from HEDDLE_TOKEN,
    MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD. Raises ``Invalid``.
    """
    env = os.environ if environ is None else environ
    if not server and not data:
        server = env.get("HEDDLE_URL") or env.get("MLFLOW_TRACKING_URI") or ""
    if server:
        if urlsplit(server).scheme not in ("http", "https"):
            raise Invalid(
                f"'{server}' is no Heddle server's address; it begins with http:// or https://."
                " A data folder is named with --data."
            )
        return Server(server, _credentials(env))
    folder = Path(data or env.get("HEDDLE_DATA") or "heddle-data").absolute()
    database = env.get("HEDDLE_DATABASE") if not data else None
    if not database and not (folder / "heddle.db").is_file():
        raise NotFound(
            f"There is no Heddle server named and no database in {folder}. Name a server with"
            " --server, HEDDLE_URL or MLFLOW_TRACKING_URI, or a data folder with --data."
        )
    store = (env.get("HEDDLE_ARTIFACTS") if not data else None) or str(folder / "blobs")
    return DataFolder(database or f"sqlite:///{folder / 'heddle.db'}", store)


def _credentials(env: Mapping[str, str]) -> str:
    if token := env.get("HEDDLE_TOKEN") or env.get("MLFLOW_TRACKING_TOKEN"):
        return f"Bearer {token}"
    if name := env.get("MLFLOW_TRACKING_USERNAME"):
        both = f"{name}:{env.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return "Basic " + b64encode(both.encode()).decode()
    return ""


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where fetched models and built environments are kept: HEDDLE_CACHE, or the user's cache."""
    env = os.environ if environ is None else environ
    if place := env.get("HEDDLE_CACHE"):
        return Path(place).absolute()
    base = env.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "heddle"


def fetch(home: Home | None, model: Model, cache: Path | None = None) -> tuple[Model, Found, Path]:
    """Resolve a model and have its files here: the resolved model, what was found, its folder.

    ``home`` is looked for where none is given and one is needed. A model that was resolved before
    must still have the digest it had. Raises ``NotFound``, ``Invalid``, ``Unavailable``, ``Corrupt``.
    """
    named = parse(model.uri)
    place = LocalFolder() if named.folder else home or find_home()
    if model.version:
        named = replace(named, name=model.name, version=str(model.version))
    found = place.find(named, model.workspace)
    if model.digest and model.digest != found.digest:
        raise Corrupt(
            f"The files of {found.title} are not those that this plan was made for"
            f" ({model.digest[:12]} then, {found.digest[:12]} now)."
        )
    top = (cache or cache_folder()) / "models"
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = top / found.digest
    with (top / f"{found.digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.is_dir() and not is_whole(kept, found):
            shutil.rmtree(kept)
        if not kept.is_dir():
            _bring(place, found, model.workspace, kept)
    resolved = Model(
        uri=model.uri,
        workspace=model.workspace,
        name=found.name,
        version=found.version,
        digest=found.digest,
    )
    return resolved, found, kept


def _bring(home: Home, found: Found, workspace: str, kept: Path) -> None:
    """Write all files aside, compare each with its digest, then give the folder its name."""
    aside = Path(tempfile.mkdtemp(prefix="incoming-", dir=kept.parent))
    try:
        for file in found.files:
            path = aside / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with path.open("xb") as written:
                for block in home.read(found, file, workspace):
                    digest.update(block)
                    written.write(block)
            if digest.hexdigest() != file.digest:
                raise Corrupt(f"'{file.path}' of {found.title} did not arrive as it is kept.")
        aside.rename(kept)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_whole(folder: Path, found: Found) -> bool:
    """Whether a folder holds exactly these files, byte for byte."""
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if here != {file.path for file in found.files}:
        return False
    for file in found.files:
        with (folder / file.path).open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != file.digest:
                return False
    return True
