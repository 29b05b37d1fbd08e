"""Sources: what a client says a version is made from, resolved to files that are kept here.

Nothing that a client names is ever opened. A source is compared, as text, with the places that
this server itself gave out: the files of a run, of a logged model, of another version. What lies in
one of them can be pinned. Addresses in other stores are kept as words; local paths, hosts and
places that belong to something else are refused.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from heddle.artifacts import manifests
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.errors import Invalid, NotFound
from heddle.keys import check_text
from heddle.registry.aliases import get_by_alias
from heddle.registry.models import get_model
from heddle.registry.versions import Version, download_uri, find_version, get_version
from heddle.tracking import logged_models
from heddle.tracking.logged_models import LoggedModel
from heddle.tracking.runs import runs

SOURCE_MAX = 8_000
DECODE_MAX = 10
PROMPT_SOURCES = ("dummy-source", "prompt-template")
HOSTS = frozenset({"http", "https", "ftp", "sftp", "hdfs", "viewfs"})
_PROXIED = re.compile(
    r"(?:mlflow-artifacts://[^/]*/*|mlflow-artifacts:/*"
    r"|https?://[^/]+/(?:[^?#]*/)?(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts/+)(?P<path>[^?#]*)"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
_PLAIN = re.compile(r"(?:[A-Za-z][A-Za-z0-9+-]*:/{0,2})?\w[\w.+=@ -]*(?:/\w[\w.+=@ -]*)*", re.ASCII)
"""Sources that need no closer look: each segment means itself and neither ``.`` nor ``..``."""
_RUN = re.compile(r"runs:/+(?P<uid>[^/]+)(?:/(?P<path>.*))?")
_MODEL = re.compile(r"models:/+(?P<rest>.+)")
_NUMBER = re.compile(r"[0-9]{1,18}")
_VERSION_FILES = re.compile(r"versions/(?P<id>[0-9]{1,18})(?:/(?P<path>.*))?")


class SourceRun(NamedTuple):
    """What registration needs to know of a run."""

    id: int
    uid: str
    name: str
    experiment_id: int
    artifact_uri: str
    manifest_id: int | None


class Origin(NamedTuple):
    """A resolved source.

    ``source`` and ``location`` are as in ``Version``. Files to pin, if any, are those of
    ``manifest_id`` below ``prefix``. ``original`` is the version that the new one copies.
    """

    source: str
    location: str
    run_uid: str = ""
    run: SourceRun | None = None
    logged: LoggedModel | None = None
    original: Version | None = None
    manifest_id: int | None = None
    prefix: str = ""


_find_run = Statement(
    sa.select(*(runs.c[name] for name in SourceRun._fields)).where(
        runs.c.workspace_id == here(), runs.c.uid == sa.bindparam("uid")
    )
)
_made_by_run = Statement(
    sa.select(logged_models.logged_models.c.uid)
    .where(
        logged_models.logged_models.c.workspace_id == here(),
        logged_models.logged_models.c.source_run_uid == sa.bindparam("run_uid"),
        logged_models.logged_models.c.name == sa.bindparam("name"),
        logged_models.logged_models.c.deleted_ms.is_(None),
    )
    .order_by(logged_models.logged_models.c.id.desc())
    .limit(sa.literal(1))
)


def bad_source(source: str, why: str) -> Invalid:
    """The failure for a source that cannot be taken."""
    shown = source if len(source) <= 200 else source[:200] + "..."
    return Invalid(f"Invalid model version source: {shown!a}. {why}")


def resolve(
    tx: Tx, *, source: str, run_uid: str = "", logged_model_uid: str = "", is_prompt: bool = False
) -> Origin:
    """Where a new version's files are; raises ``Invalid``, or ``NotFound`` for what it names."""
    check_text(source, "The source", SOURCE_MAX)
    if is_prompt:
        if source not in PROMPT_SOURCES:
            raise bad_source(source, f"A prompt's source is {' or '.join(PROMPT_SOURCES)}.")
        return Origin(source, source, run_uid)
    _check_segments(source)
    logged = logged_models.get(tx, logged_model_uid) if logged_model_uid else None
    scheme = _scheme(source)
    if scheme == "models":
        return _from_model(tx, source, run_uid, logged)
    if logged is not None and not run_uid:
        run_uid = logged.source_run_uid
    run = find_run(tx, run_uid)
    if scheme == "runs":
        return _from_run(tx, source, run, logged)
    return _from_place(tx, source, scheme, Origin(source, source, run_uid, run, logged))


def _scheme(source: str) -> str:
    """The scheme in lower case; empty for a path, be it one with a drive letter."""
    found = _SCHEME.match(source)
    return "" if found is None else found[1].lower()


def find_run(tx: Tx, uid: str) -> SourceRun | None:
    """The run of that uid, deleted or not."""
    row = tx.one(_find_run, uid=uid) if uid else None
    return None if row is None else SourceRun(*row)


def _check_segments(source: str) -> None:
    """Raise ``Invalid`` for a source that could mean another place than it says."""
    if _PLAIN.fullmatch(source):
        return
    plain = source
    for _ in range(DECODE_MAX):
        decoded = unquote(plain)
        if decoded == plain:
            break
        plain = decoded
    else:
        raise bad_source(source, "It is percent-encoded many times over.")
    if "\0" in plain:
        raise bad_source(source, "It holds a NUL character.")
    try:
        path = re.sub(r"/+", "/", urlsplit(plain).path).rstrip("/")
    except ValueError:
        raise bad_source(source, "It cannot be read as an address.") from None
    # A question mark or a hash may be part of a file's name in the end: every segment counts.
    if ".." in re.split(r"[/\\?#]", plain) or (path and posixpath.normpath(path) != path):
        raise bad_source(source, "Its path must not hold '.' or '..' segments.")


def proxied_path(tx: Tx, place: str) -> str | None:
    """The path of a place among the files that this server keeps; None for any other place."""
    found = _PROXIED.fullmatch(place)
    if found is None:
        return None
    path = found["path"].strip("/")
    if "//" in path:
        path = re.sub(r"/+", "/", path)
    return path.removeprefix(f"workspaces/{tx.workspace}/")


def _below(tx: Tx, source: str, root: str) -> str | None:
    """The rest of ``source`` below ``root``; None if it lies elsewhere."""
    place, own = proxied_path(tx, source), proxied_path(tx, root)
    if place is None or own is None:
        place, own = source.rstrip("/"), root.rstrip("/")
        if own.startswith("/") and place.startswith("file:"):
            place = "/" + place.removeprefix("file:").lstrip("/")
    if not own:
        return None
    if place == own:
        return ""
    return place[len(own) + 1 :] if place.startswith(own + "/") else None


def _from_place(tx: Tx, source: str, scheme: str, origin: Origin) -> Origin:
    """A source that is an address or a path."""
    for owner in (origin.logged, origin.run):
        if owner is None:
            continue
        prefix = _below(tx, source, owner.artifact_uri)
        if prefix is None:
            continue
        prefix = _folder(source, prefix)
        if owner is origin.run and not _has_files(tx, owner.manifest_id, prefix):
            made = _model_of_run(tx, owner.uid, prefix)
            if made is not None:
                return origin._replace(manifest_id=made, prefix="")
        return origin._replace(manifest_id=owner.manifest_id, prefix=prefix)
    path = proxied_path(tx, source)
    if path is not None or scheme == "mlflow-artifacts":
        files = _VERSION_FILES.fullmatch(path or "")
        version = find_version(tx, int(files["id"])) if files else None
        if files is None or version is None:
            raise bad_source(
                source,
                "It must lie among the files of the run or logged model that run_id or model_id"
                " names.",
            )
        return origin._replace(manifest_id=version.manifest_id, prefix=files["path"] or "")
    if scheme in ("", "file"):
        raise bad_source(
            source,
            "A local path must lie in the artifact directory of the run or logged model that run_id"
            " or model_id names.",
        )
    if scheme in HOSTS:
        raise bad_source(source, f"Files on {scheme} hosts are not taken; upload them to a run.")
    if not source[len(scheme) + 1 :].strip("/"):
        raise bad_source(source, "It names a store and no place in it.")
    return origin


def _folder(source: str, path: str) -> str:
    """The one form of a folder among somebody's files; raises ``Invalid`` for what cannot be one."""
    try:
        return manifests.check_path(path, root_ok=True)
    except Invalid as error:
        raise bad_source(source, error.message) from None


def _has_files(tx: Tx, manifest_id: int | None, folder: str) -> bool:
    return manifest_id is not None and manifests.is_folder(tx, manifest_id, folder)


def _model_of_run(tx: Tx, run_uid: str, name: str) -> int | None:
    """The files of the model that a run logged under a name.

    They lie with the logged model, though clients, and samples, name them by the run.
    """
    row = tx.one(_made_by_run, run_uid=run_uid, name=name) if name else None
    return None if row is None else logged_models.get(tx, row[0]).manifest_id


def _from_run(tx: Tx, source: str, run: SourceRun | None, logged: LoggedModel | None) -> Origin:
    """A source ``runs:/<run id>/path``."""
    found = _RUN.fullmatch(source)
    if found is None:
        raise bad_source(source, "Write runs:/<run_id>/<path>.")
    uid, path = found["uid"], _folder(source, (found["path"] or "").strip("/"))
    if run is None:
        if find_run(tx, uid) is None:
            raise NotFound(f"Run with id={uid} not found")
        raise bad_source(source, "Give the same run as run_id.")
    if run.uid != uid:
        raise bad_source(source, f"It names another run than run_id, {run.uid}.")
    origin = Origin(source, source, uid, run, logged)
    if logged is None:
        made = _model_of_run(tx, uid, path)
        if made is not None:
            return origin._replace(manifest_id=made, prefix="")
    elif logged.source_run_uid == uid and logged.name == path:
        return origin._replace(manifest_id=logged.manifest_id, prefix="")
    return origin._replace(manifest_id=run.manifest_id, prefix=path)


def _from_model(tx: Tx, source: str, run_uid: str, logged: LoggedModel | None) -> Origin:
    """A source ``models:/<model id>``, ``models:/name/version`` or ``models:/name@alias``."""
    found = _MODEL.fullmatch(source)
    rest = "" if found is None else found["rest"]
    if rest and "/" not in rest and "@" not in rest:
        if logged is None or logged.uid != rest:
            raise bad_source(source, "Give the same logged model as model_id.")
        run_uid = run_uid or logged.source_run_uid
        return Origin(
            source,
            logged.artifact_uri,
            run_uid,
            find_run(tx, run_uid),
            logged,
            manifest_id=logged.manifest_id,
        )
    original = _original(tx, source, rest)
    uid = "" if logged is None else logged.uid
    for given, own, field in (
        (run_uid, original.run_uid, "run_id"),
        (uid, original.logged_model_uid, "model_id"),
    ):
        if given and given != own:
            raise bad_source(source, f"It comes from another {field} than the one given, {given}.")
    return Origin(
        f"models:/{original.model_name}/{original.number}",
        download_uri(tx, original),
        original.run_uid,
        logged=logged,
        original=original,
        manifest_id=original.manifest_id,
    )


def _original(tx: Tx, source: str, rest: str) -> Version:
    """The version that a copy is made of."""
    if "@" in rest:
        name, _, alias = rest.rpartition("@")
        original = get_by_alias(tx, name, alias)
    else:
        name, _, number = rest.partition("/")
        if not (name and _NUMBER.fullmatch(number)):
            raise bad_source(source, "Write models:/<name>/<version> or models:/<name>@<alias>.")
        original = get_version(tx, name, int(number))
    if get_model(tx, name).is_prompt:
        raise bad_source(source, "It names a prompt, which no model can be made of.")
    return original
