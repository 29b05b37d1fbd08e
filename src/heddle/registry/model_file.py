"""What a model's own file, ``MLmodel``, says: signature, flavors, environment.

The file is YAML from a client: it is read as plain data within limits and never makes an object.
One that cannot be read says nothing. What a content says never changes, so it is kept by its digest.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import yaml

SIZE_MAX = 4 * 1024 * 1024
DEPTH_MAX = 40
NODES_MAX = 200_000
KEPT = 512
TYPE_DEPTH_MAX = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Field:
    """One column, tensor or parameter; ``type`` in words."""

    name: str
    type: str
    required: bool
    default: Any = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives."""

    inputs: Sequence[Field] = ()
    outputs: Sequence[Field] = ()
    params: Sequence[Field] = ()


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Everything read from one model file."""

    signature: Signature | None = None
    flavors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mlflow_version: str = ""
    python_version: str = ""


NOTHING = ModelFile()


class _Kept:
    """What was read of the last contents, by digest."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, ModelFile] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: str, load: Callable[[], bytes | None]) -> ModelFile:
        with self._lock:
            found = self._files.get(digest)
            if found is not None:
                self._files.move_to_end(digest)
                return found
        data = load()
        if data is None:
            return NOTHING
        read = parse(data)
        with self._lock:
            self._files[digest] = read
            while len(self._files) > KEPT:
                self._files.popitem(last=False)
        return read


_kept = _Kept()


def read(digest: str, load: Callable[[], bytes | None]) -> ModelFile:
    """The model file of a content; ``load`` brings the bytes if they were not read before."""
    return _kept.get(digest, load)


def load_yaml(data: bytes) -> Any:
    """YAML as plain data; None for what is not YAML or is beyond the limits."""
    if len(data) > SIZE_MAX:
        return None
    try:
        # Events first: they cost no memory however deep the nesting.
        depth = 0
        for nodes, event in enumerate(yaml.parse(data, Loader=_Loader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > DEPTH_MAX or nodes > NODES_MAX:
                return None
        return yaml.load(data, Loader=_Loader)  # noqa: S506 -- safe, in C where it can be
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def parse(data: bytes) -> ModelFile:
    """What the bytes of a model file say."""
    try:
        # Copied within a budget, since aliases may stand for more than memory holds.
        said = _plain(load_yaml(data), [NODES_MAX])
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(said, dict):
        return NOTHING
    flavors = {
        name: flavor
        for name, flavor in _mapping(said.get("flavors")).items()
        if isinstance(flavor, dict)
    }
    function = flavors.get("python_function", {})
    return ModelFile(
        _signature(said.get("signature")),
        flavors,
        _text(said.get("mlflow_version")),
        _text(function.get("python_version")),
    )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(value: Any, budget: list[int]) -> Any:
    """A value as JSON can hold it: keys are texts, dates are texts. Raises ``ValueError``."""
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError("too much to hold")
    if isinstance(value, dict):
        return {str(key): _plain(item, budget) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, budget) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def _signature(said: Any) -> Signature | None:
    if not isinstance(said, dict):
        return None
    read = Signature(
        _fields(said.get("inputs")), _fields(said.get("outputs")), _fields(said.get("params"))
    )
    return read if read.inputs or read.outputs or read.params else None


def _fields(said: Any) -> list[Field]:
    """The fields of one part of a signature, which is JSON in a text."""
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return []
    if isinstance(said, dict):
        said = [said]
    if not isinstance(said, list):
        return []
    return [_field(each) for each in said if isinstance(each, dict)]


def _field(said: Mapping[str, Any]) -> Field:
    required = said.get("required")
    if required is None:
        required = not said.get("optional", False) and "default" not in said
    shape = said.get("shape")
    kind = type_words(said)
    if isinstance(shape, list | tuple) and "tensor-spec" not in said:
        kind = f"{kind}[{', '.join(map(str, shape))}]"
    return Field(_text(said.get("name")), kind, bool(required), said.get("default"))


def type_words(said: Any, depth: int = 0) -> str:
    """A type in words, such as ``double``, ``tensor(float64, [-1, 4])``, ``object(a: long)``."""
    if isinstance(said, str):
        return said
    if not isinstance(said, dict) or depth > TYPE_DEPTH_MAX:
        return "any"
    kind = _text(said.get("type")) or "any"
    tensor = said.get("tensor-spec")
    if isinstance(tensor, dict):
        shape = ", ".join(map(str, tensor.get("shape") or ()))
        return f"tensor({tensor.get('dtype', 'any')}, [{shape}])"
    if kind in ("array", "list"):
        return f"array({type_words(said.get('items'), depth + 1)})"
    if kind == "map":
        return f"map({type_words(said.get('values'), depth + 1)})"
    if kind == "object":
        inner = ", ".join(
            f"{name}{'' if _mapping(part).get('required', True) else '?'}: "
            + type_words(part, depth + 1)
            for name, part in _mapping(said.get("properties")).items()
        )
        return f"object({inner})"
    return kind
