"""What the files of a version say of it: the model file and the environment beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heddle.api.http import Services
from heddle.api.native.shapes import models as shapes
from heddle.artifacts import manifests
from heddle.artifacts.manifests import File
from heddle.db.tx import Tx
from heddle.errors import HeddleError
from heddle.registry import model_file
from heddle.registry.model_file import NOTHING, Field, ModelFile

MODEL_FILE = "MLmodel"
TEXT_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads whole small files of manifests, from the database or the store."""

    services: Services

    def text(self, tx: Tx, manifest_id: int | None, path: str) -> str:
        """A file as text; empty if it is not there or too long."""
        data = self._data(tx, manifest_id, path, TEXT_MAX)
        return "" if data is None else data.decode(errors="replace")

    def model(self, tx: Tx, manifest_id: int | None) -> ModelFile:
        """What the model file says; nothing if there is none."""
        found = None if manifest_id is None else manifests.find_file(tx, manifest_id, MODEL_FILE)
        if found is None or found.size_bytes > model_file.SIZE_MAX:
            return NOTHING
        return model_file.read(
            found.digest,
            lambda: self._data(tx, manifest_id, MODEL_FILE, model_file.SIZE_MAX),
        )

    def _data(self, tx: Tx, manifest_id: int | None, path: str, limit: int) -> bytes | None:
        try:
            found, data = manifests.read_file(tx, manifest_id, path)
            if found.size_bytes > limit:
                return None
            return self._stored(found) if data is None else data
        except HeddleError:
            return None

    def _stored(self, found: File) -> bytes | None:
        store = self.services.extra["blobs"].store
        try:
            return b"".join(store.blocks(found.digest, 0, found.size_bytes))
        except FileNotFoundError:
            return None


def signature_out(read: ModelFile) -> shapes.Signature | None:
    """A signature in the API's words."""
    if read.signature is None:
        return None
    return shapes.Signature(
        inputs=_fields(read.signature.inputs),
        outputs=_fields(read.signature.outputs),
        params=_fields(read.signature.params),
    )


def _fields(fields: Sequence[Field]) -> list[shapes.SchemaField]:
    return [
        shapes.SchemaField(
            name=each.name, type=each.type, required=each.required, default=each.default
        )
        for each in fields
    ]


def flavors_out(read: ModelFile) -> list[shapes.Flavor]:
    """Ways to load a model."""
    return [
        shapes.Flavor(name=name, version=_library(name, settings), settings=dict(settings))
        for name, settings in read.flavors.items()
    ]


def _library(name: str, settings: Any) -> str:
    for key in (f"{name}_version", "sklearn_version", "pytorch_version", "version"):
        if isinstance(settings.get(key), str):
            return str(settings[key])
    return next(
        (str(v) for k, v in settings.items() if k.endswith("_version") and isinstance(v, str)), ""
    )


def environment_out(
    tx: Tx, reader: Reader, manifest_id: int | None, read: ModelFile
) -> shapes.Environment:
    """What a model needs around it."""
    lines = reader.text(tx, manifest_id, "requirements.txt").splitlines()
    return shapes.Environment(
        python=read.python_version,
        mlflow=read.mlflow_version,
        requirements=[line.strip() for line in lines if line.strip() and line.strip()[0] != "#"],
        conda=reader.text(tx, manifest_id, "conda.yaml"),
    )
