"""What a model takes: MLflow's signature, read from its file as plain data, in Arrow's types.

The signature's columns and tensors are described here by what a table must hold for them: which
Arrow types MLflow takes as they are (it widens some by itself), and to which one a column of
another type could be cast without changing a value. A model without a signature is described by
the columns of its input example; pyfunc then checks nothing, and neither names nor types are
enforced. Nothing is loaded: the file is YAML within limits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa

from heddle.errors import Invalid
from heddle.registry.model_file import load_yaml, type_words

EXAMPLE_MAX: Final = 64 * 1024 * 1024
ARROW: Final[Mapping[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "datetime": pa.timestamp("ns"),
}
"""MLflow's column types, https://mlflow.org/docs/latest/ml/model/signatures, as Arrow's."""
_INT32_DOWN: Final = (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16())
_SMALL_INTS: Final = (*_INT32_DOWN, pa.uint32())
TAKEN: Final[Mapping[str, tuple[pa.DataType, ...]]] = {
    "boolean": (pa.bool_(),),
    "integer": _INT32_DOWN,
    "long": (*_SMALL_INTS, pa.int64()),
    "float": (pa.float16(), pa.float32(), *_SMALL_INTS),
    "double": (pa.float16(), pa.float32(), pa.float64(), *_SMALL_INTS),
    "string": (pa.string(), pa.large_string(), pa.string_view()),
    "binary": (pa.binary(), pa.large_binary()),
}
"""What pyfunc takes for each type, by its rules for widening. It takes no int64 for a double."""


@dataclass(frozen=True, slots=True)
class Column:
    """One input: ``kind`` is a type of MLflow's, ``tensor``, ``any``, or a nested type in words.

    ``shape`` and ``dtype`` are a tensor's, without its first dimension, the rows.
    """

    name: str
    kind: str
    is_required: bool = True
    shape: tuple[int, ...] = ()
    dtype: str = ""

    @property
    def words(self) -> str:
        """The type as people read it."""
        if self.kind != "tensor":
            return self.kind
        return f"tensor({self.dtype}, [{', '.join(map(str, (-1, *self.shape)))}])"


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of prediction and its default."""

    name: str
    kind: str
    default: Any = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives; ``origin`` says how that is known.

    ``inputs`` is None where nobody knows. ``is_named`` is false for one tensor without a name,
    which takes columns by position.
    """

    origin: Literal["signature", "example", "none"]
    inputs: tuple[Column, ...] | None = None
    outputs: tuple[Column, ...] = ()
    params: tuple[Param, ...] = ()
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model's own file, as far as scoring reads it."""

    signature: Signature
    flavors: tuple[str, ...]
    mlflow_version: str
    python_version: str
    requirements: tuple[str, ...]
    example: Path | None = None


def read_model(folder: Path) -> ModelInfo:
    """What the files of a model say about it; raises ``Invalid`` if they say nothing."""
    said = load_yaml((folder / "MLmodel").read_bytes())
    if not isinstance(said, dict) or not isinstance(said.get("flavors"), dict):
        raise Invalid("The model's file MLmodel cannot be read.")
    flavors = said["flavors"]
    function = flavors.get("python_function")
    if not isinstance(function, dict):
        raise Invalid(
            f"The model has the flavors {', '.join(map(str, flavors))} and not python_function, so"
            " MLflow cannot apply it to tables; log it with a flavor that has it."
        )
    example = _example_path(folder, said.get("saved_input_example_info"))
    listed = folder / "requirements.txt"
    lines = listed.read_text(errors="replace").splitlines() if listed.is_file() else []
    return ModelInfo(
        _signature(said.get("signature"), example, said.get("saved_input_example_info")),
        tuple(str(name) for name in flavors if name != "python_function"),
        str(said.get("mlflow_version") or ""),
        str(function.get("python_version") or ""),
        tuple(line.strip() for line in lines if line.strip() and not line.startswith("#")),
        example,
    )


def _example_path(folder: Path, info: Any) -> Path | None:
    if not isinstance(info, dict):
        return None
    path = folder / str(info.get("artifact_path") or "")
    is_inside = path.resolve().is_relative_to(folder.resolve())
    return path if is_inside and path.is_file() and path.stat().st_size <= EXAMPLE_MAX else None


def _signature(said: Any, example: Path | None, info: Any) -> Signature:
    if isinstance(said, dict) and (inputs := _loaded(said.get("inputs"))):
        columns = tuple(_column(each, str(at)) for at, each in enumerate(inputs))
        is_named = any("name" in each for each in inputs)
        return Signature("signature", columns, _outputs(said), _params(said), is_named)
    rest = said if isinstance(said, dict) else {}
    unsigned = Signature("none", None, _outputs(rest), _params(rest))
    if example is not None and isinstance(info, dict) and (names := _example_names(example)):
        columns = tuple(Column(name, "any") for name in names)
        return replace(unsigned, origin="example", inputs=columns)
    return unsigned


def _loaded(said: Any) -> list[Mapping[str, Any]]:
    """A part of a signature, which is JSON in a text."""
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return []
    if isinstance(said, dict):
        said = [said]
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []


def _outputs(said: Mapping[str, Any]) -> tuple[Column, ...]:
    return tuple(_column(each, "") for each in _loaded(said.get("outputs")))


def _params(said: Mapping[str, Any]) -> tuple[Param, ...]:
    return tuple(
        Param(str(each.get("name")), type_words(each), each.get("default"))
        for each in _loaded(said.get("params"))
    )


def _column(said: Mapping[str, Any], otherwise: str) -> Column:
    name = said.get("name")
    required = said.get("required")
    if required is None:
        required = not said.get("optional", False)
    tensor = said.get("tensor-spec")
    if isinstance(tensor, dict):
        shape = tuple(int(size) for size in (tensor.get("shape") or ())[1:])
        return Column(str(name or otherwise), "tensor", True, shape, str(tensor.get("dtype")))
    # A signature without names is one column after the other: pyfunc knows them by position.
    return Column(str(name if name is not None else otherwise), type_words(said), bool(required))


def _example_names(path: Path) -> Sequence[str]:
    """The columns of a saved input example, in any of the forms that MLflow writes."""
    try:
        said = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return ()
    if isinstance(said, dict) and isinstance(said.get("dataframe_split"), dict):
        said = said["dataframe_split"]
    if isinstance(said, dict) and isinstance(said.get("columns"), list):
        return [str(name) for name in said["columns"]]
    records = said.get("dataframe_records") if isinstance(said, dict) else said
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return [str(name) for name in records[0]]
    return ()


# ---- types -----------------------------------------------------------------------------------


def is_taken(kind: str, given: pa.DataType) -> bool:
    """Whether pyfunc takes a column of this Arrow type for a column of that kind as it is."""
    if pa.types.is_dictionary(given):
        return kind == "any" or is_taken(kind, given.value_type)
    if kind == "datetime":
        return bool(pa.types.is_timestamp(given))
    if kind in TAKEN:
        return given in TAKEN[kind]
    if kind.startswith("array("):
        return is_list(given) and is_taken(kind[6:-1], given.value_type)
    if kind.startswith("object("):
        return bool(pa.types.is_struct(given))
    if kind.startswith("map("):
        return bool(pa.types.is_map(given) or pa.types.is_struct(given))
    return True


def is_list(given: pa.DataType) -> bool:
    """Whether a type is a list of any kind."""
    types = pa.types
    return bool(
        types.is_list(given) or types.is_large_list(given) or types.is_fixed_size_list(given)
    )


def offered_cast(kind: str, given: pa.DataType) -> str:
    """The Arrow type, as text, that a column could be cast to value by value; empty for none.

    Every value is looked at: a cast that would change one fails. Only a decimal is rounded, to the
    nearest double.
    """
    types = pa.types
    if pa.types.is_dictionary(given):
        given = given.value_type
    is_text = types.is_string(given) or types.is_large_string(given)
    is_number = types.is_integer(given) or types.is_floating(given)
    if kind in ("integer", "long"):
        fits = is_number or is_text or types.is_boolean(given)
    elif kind == "double":
        fits = is_number or is_text or types.is_boolean(given) or types.is_decimal(given)
    elif kind == "float":
        fits = types.is_integer(given) or is_text
    elif kind == "string":
        fits = types.is_integer(given) or types.is_boolean(given)
    elif kind == "boolean":
        fits = is_text
    elif kind == "datetime":
        fits = is_text or types.is_date(given)
    else:
        fits = False
    return str(ARROW[kind]) if fits else ""
