"""MLflow's registered-model, model-version, alias and stage calls, translated.

Versions are texts on the wire in both directions. What hangs on the models or versions of one
answer is looked up in batches, one look-up per kind of thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from heddle.api.http import Effect, Row, encode_json
from heddle.api.mlflow.encoded import Encoded
from heddle.api.mlflow.wire import (
    Message,
    Pair,
    PairOut,
    Reply,
    limit_of,
    pairs_of,
    pairs_out,
    rows_for,
    wrong,
)
from heddle.db.tx import Tx
from heddle.errors import NotFound
from heddle.registry import aliases, models, registration, version_search, versions
from heddle.registry.models import Model
from heddle.registry.versions import Known, Version
from heddle.search import page

MODELS_MAX = 1000
VERSIONS_MAX = 200_000
encoded = Encoded(8 * 1024 * 1024)
_WHOLE = re.compile(r"[+-]?[0-9]+")


class CreateModel(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    tags: list[Pair] = []
    description: str = ""


class ModelName(Message):
    required: ClassVar = ("name",)
    name: str | None = None


class RenameModel(Message):
    required: ClassVar = ("name", "new_name")
    name: str | None = None
    new_name: str | None = None


class UpdateModel(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    description: str = ""


class SearchModels(Message):
    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


class LatestVersions(Message):
    required: ClassVar = ("name",)
    name: str | None = None
    stages: list[str] = []


class ModelTag(Message):
    required: ClassVar = ("name", "key")
    name: str | None = None
    key: str | None = None
    value: str = ""


class CreateVersion(Message):
    required: ClassVar = ("name", "source")
    name: str | None = None
    source: str | None = None
    run_id: str = ""
    tags: list[Pair] = []
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class VersionId(Message):
    required: ClassVar[tuple[str, ...]] = ("name", "version")
    name: str | None = None
    version: str | None = None


class UpdateVersion(VersionId):
    description: str = ""


class SetStage(VersionId):
    required: ClassVar = ("name", "version", "stage")
    stage: str | None = None
    archive_existing_versions: bool = False


class VersionTag(VersionId):
    required: ClassVar = ("name", "version", "key")
    key: str | None = None
    value: str = ""


class SearchVersions(Message):
    filter: str = ""
    max_results: int = VERSIONS_MAX
    order_by: list[str] = []
    page_token: str = ""


class SetAlias(VersionId):
    required: ClassVar = ("name", "alias", "version")
    alias: str | None = None


class AliasName(Message):
    required: ClassVar = ("name", "alias")
    name: str | None = None
    alias: str | None = None


class VersionOut(Reply):
    """A version: texts that were never given are there and empty, empty lists are left out."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str
    description: str
    source: str
    run_id: str
    status: str
    run_link: str
    tags: list[PairOut] = []
    aliases: list[str] = []


class AliasOut(Reply):
    alias: str
    version: str


class ModelOut(Reply):
    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    latest_versions: list[VersionOut] = []
    tags: list[PairOut] = []
    aliases: list[AliasOut] = []


def number_in(text: str | None) -> int:
    """A version's number from its text; raises ``Invalid``, or ``NotFound`` past all numbers."""
    text = text or ""
    if not _WHOLE.fullmatch(text):
        raise wrong("version", text, "a version is a whole number, written as a text")
    if len(text) > 18:
        raise NotFound(f"Model Version (version={text}) not found")
    return int(text)


def version_out(
    version: Version, labels: Sequence[tuple[str, str]] = (), named: Sequence[str] = ()
) -> VersionOut:
    """A version as MLflow writes it."""
    return VersionOut(
        name=version.model_name,
        version=str(version.number),
        creation_timestamp=version.created_ms,
        last_updated_timestamp=version.updated_ms,
        current_stage=version.stage,
        description=version.description,
        source=version.source,
        run_id=version.run_uid,
        status=version.status,
        run_link=version.run_link,
        tags=pairs_out(labels),
        aliases=list(named),
    )


def versions_out(
    tx: Tx, found: Sequence[Version], *, with_aliases: bool = True
) -> list[VersionOut]:
    """Versions with their labels."""
    ids = [version.id for version in found]
    labels = versions.tags.load(tx, ids) if ids else {}
    named = aliases.load_aliases(tx, ids) if ids and with_aliases else {}
    return [
        version_out(version, labels.get(version.id, ()), named.get(version.id, ()))
        for version in found
    ]


def one_version(tx: Tx, version: Version) -> dict[str, Any]:
    """The answer about one version."""
    return {"model_version": versions_out(tx, [version])[0]}


def models_out(tx: Tx, found: Sequence[Model]) -> list[ModelOut]:
    """Models with their latest versions, tags and aliases."""
    ids = [model.id for model in found]
    if not ids:
        return []
    latest = versions.load_latest(tx, ids)
    flat = [version for model_id in ids for version in latest.get(model_id, ())]
    shown: dict[int, list[VersionOut]] = {}
    for version, out in zip(flat, versions_out(tx, flat, with_aliases=False), strict=True):
        shown.setdefault(version.model_id, []).append(out)
    labels = models.tags.load(tx, ids)
    named = aliases.load_model_aliases(tx, ids)
    return [
        ModelOut(
            name=model.name,
            creation_timestamp=model.created_ms,
            last_updated_timestamp=model.updated_ms,
            description=model.description,
            latest_versions=shown.get(model.id, []),
            tags=pairs_out(labels.get(model.id, ())),
            aliases=[
                AliasOut(alias=alias, version=str(number))
                for alias, number in named.get(model.id, ())
            ],
        )
        for model in found
    ]


def one_model(tx: Tx, model: Model) -> dict[str, Any]:
    """The answer about one model."""
    return {"registered_model": models_out(tx, [model])[0]}


def create_model(tx: Tx, ask: CreateModel) -> dict[str, Any]:
    made = models.create_model(
        tx, name=ask.name or "", description=ask.description, pairs=pairs_of(ask.tags)
    )
    return one_model(tx, made)


def get_model(tx: Tx, ask: ModelName) -> dict[str, Any]:
    return one_model(tx, models.get_model(tx, ask.name or ""))


def rename_model(tx: Tx, ask: RenameModel) -> dict[str, Any]:
    return one_model(tx, registration.rename_model(tx, ask.name or "", ask.new_name or ""))


def update_model(tx: Tx, ask: UpdateModel) -> dict[str, Any]:
    return one_model(tx, models.describe_model(tx, ask.name or "", ask.description))


def delete_model(tx: Tx, ask: ModelName) -> dict[str, Any]:
    registration.delete_model(tx, ask.name or "")
    return {}


def search_models(tx: Tx, ask: SearchModels) -> dict[str, Any]:
    limit = limit_of(ask.max_results, MODELS_MAX)
    offset = page.decode(ask.page_token) if ask.page_token else 0
    found = models.search_models(
        tx, filter=ask.filter, order_by=ask.order_by, limit=limit + 1, offset=offset
    )
    loaded = models.load_models(tx, found[:limit]) if found else {}
    answer: dict[str, Any] = {}
    if found:
        answer["registered_models"] = models_out(tx, [loaded[key] for key in found[:limit]])
    if len(found) > limit:
        answer["next_page_token"] = page.encode(offset + limit)
    return answer


def get_latest_versions(tx: Tx, ask: LatestVersions) -> dict[str, Any]:
    model = models.get_model(tx, ask.name or "")
    stages = {versions.check_stage(stage) for stage in ask.stages}
    latest = versions.load_latest(tx, [model.id]).get(model.id, [])
    wanted = [version for version in latest if not stages or version.stage in stages]
    return {"model_versions": versions_out(tx, wanted)} if wanted else {}


def set_model_tag(tx: Tx, ask: ModelTag) -> dict[str, Any]:
    models.set_model_tag(tx, ask.name or "", ask.key or "", ask.value)
    return {}


def delete_model_tag(tx: Tx, ask: ModelTag) -> dict[str, Any]:
    models.delete_model_tag(tx, ask.name or "", ask.key or "")
    return {}


def set_alias(tx: Tx, ask: SetAlias) -> dict[str, Any]:
    aliases.set_alias(tx, ask.name or "", ask.alias or "", number_in(ask.version))
    return {}


def get_by_alias(tx: Tx, ask: AliasName) -> bytes:
    known = aliases.find_by_alias(tx, ask.name or "", ask.alias or "")
    if known is None:
        version = aliases.get_by_alias(tx, ask.name or "", ask.alias or "")
        return encode_json(one_version(tx, version))
    named = aliases.load_aliases(tx, [known[0]]).get(known[0], [])
    (body,) = encoded_versions(tx, [known])
    # Aliases come and go without a version's revision, so they are not part of what is kept.
    return b'{"model_version":' + body[:-1] + b',"aliases":' + encode_json(named) + b"}}"


def delete_alias(tx: Tx, ask: AliasName) -> dict[str, Any]:
    aliases.delete_alias(tx, ask.name or "", ask.alias or "")
    return {}


def create_version(tx: Tx, ask: CreateVersion) -> dict[str, Any]:
    labels = dict(pairs_of(ask.tags))
    made = registration.create_version(
        tx,
        name=ask.name or "",
        source=ask.source or "",
        run_uid=ask.run_id,
        logged_model_uid=ask.model_id,
        run_link=ask.run_link,
        description=ask.description,
        pairs=labels.items(),
    )
    return {"model_version": version_out(made, sorted(labels.items()))}


def get_version(tx: Tx, ask: VersionId) -> dict[str, Any]:
    return one_version(tx, versions.get_version(tx, ask.name or "", number_in(ask.version)))


def get_download_uri(tx: Tx, ask: VersionId) -> dict[str, Any]:
    version = versions.get_version(tx, ask.name or "", number_in(ask.version))
    return {"artifact_uri": versions.download_uri(tx, version)}


def update_version(tx: Tx, ask: UpdateVersion) -> dict[str, Any]:
    number = number_in(ask.version)
    return one_version(tx, versions.describe_version(tx, ask.name or "", number, ask.description))


def delete_version(tx: Tx, ask: VersionId) -> dict[str, Any]:
    registration.delete_version(tx, ask.name or "", number_in(ask.version))
    return {}


def search_versions(tx: Tx, ask: SearchVersions) -> bytes:
    limit = limit_of(ask.max_results, VERSIONS_MAX)
    offset = page.decode(ask.page_token) if ask.page_token else 0
    found = version_search.search_versions(
        tx, filter=ask.filter, order_by=ask.order_by, limit=limit + 1, offset=offset
    )
    if not found:
        return b"{}"
    answer = b'{"model_versions":[' + b",".join(encoded_versions(tx, found[:limit])) + b"]"
    if len(found) > limit:
        answer += b',"next_page_token":' + encode_json(page.encode(offset + limit))
    return answer + b"}"


def encoded_versions(tx: Tx, known: Sequence[Known]) -> list[bytes]:
    """Each version as JSON without aliases, reading only those that changed since last kept."""
    bodies = encoded.get_all(known, False)
    missing = [place for place, body in enumerate(bodies) if body is None]
    if missing:
        loaded = versions.load_versions(tx, [known[place][0] for place in missing])
        found = [loaded[known[place][0]] for place in missing]
        for place, out in zip(missing, versions_out(tx, found, with_aliases=False), strict=True):
            bodies[place] = body = encode_json(out)
            encoded.put((*known[place][1:], False), body)
    return bodies  # type: ignore[return-value]  # None of them is None.


def set_stage(tx: Tx, ask: SetStage) -> dict[str, Any]:
    moved = versions.set_stage(
        tx,
        ask.name or "",
        number_in(ask.version),
        ask.stage or "",
        archive_existing=ask.archive_existing_versions,
    )
    return one_version(tx, moved)


def set_version_tag(tx: Tx, ask: VersionTag) -> dict[str, Any]:
    versions.set_version_tag(tx, ask.name or "", number_in(ask.version), ask.key or "", ask.value)
    return {}


def delete_version_tag(tx: Tx, ask: VersionTag) -> dict[str, Any]:
    versions.delete_version_tag(tx, ask.name or "", number_in(ask.version), ask.key or "")
    return {}


def registry_rows() -> list[Row]:
    """The registered-model, model-version, alias and stage calls."""
    point, read, write = Effect.POINT, Effect.READ, Effect.WRITE
    see, change, remove = "model.read", "model.update", "model.delete"
    of_models, of_versions = "registered-models", "model-versions"
    latest, untag = f"{of_models}/get-latest-versions", f"{of_versions}/delete-tag"
    calls: list[tuple[str, str, str, Effect, type[Message], Callable[..., Any]]] = [
        ("POST", f"{of_models}/create", "model.create", write, CreateModel, create_model),
        ("GET", f"{of_models}/get", see, point, ModelName, get_model),
        ("POST", f"{of_models}/rename", change, write, RenameModel, rename_model),
        ("PATCH", f"{of_models}/update", change, write, UpdateModel, update_model),
        ("DELETE", f"{of_models}/delete", remove, write, ModelName, delete_model),
        ("GET", f"{of_models}/search", see, read, SearchModels, search_models),
        ("POST", f"{of_models}/search", see, read, SearchModels, search_models),
        ("GET", latest, see, point, LatestVersions, get_latest_versions),
        ("POST", latest, see, point, LatestVersions, get_latest_versions),
        ("POST", f"{of_models}/set-tag", change, write, ModelTag, set_model_tag),
        ("DELETE", f"{of_models}/delete-tag", change, write, ModelTag, delete_model_tag),
        ("POST", f"{of_models}/alias", change, write, SetAlias, set_alias),
        ("DELETE", f"{of_models}/alias", change, write, AliasName, delete_alias),
        ("POST", f"{of_versions}/create", "version.create", write, CreateVersion, create_version),
        ("GET", f"{of_versions}/get", see, point, VersionId, get_version),
        ("GET", f"{of_versions}/get-download-uri", see, point, VersionId, get_download_uri),
        ("PATCH", f"{of_versions}/update", "version.update", write, UpdateVersion, update_version),
        ("DELETE", f"{of_versions}/delete", "version.delete", write, VersionId, delete_version),
        ("POST", f"{of_versions}/transition-stage", "version.update", write, SetStage, set_stage),
        ("POST", f"{of_versions}/set-tag", "version.update", write, VersionTag, set_version_tag),
        ("DELETE", untag, "version.update", write, VersionTag, delete_version_tag),
    ]  # fmt: skip
    made = [row for call in calls for row in rows_for(*call)]
    made += rows_for("GET", f"{of_models}/alias", see, point, AliasName, get_by_alias, encode=bytes)
    search = (f"{of_versions}/search", see, read, SearchVersions, search_versions)
    for method in ("GET", "POST"):
        made += rows_for(method, *search, encode=bytes)
    return made
