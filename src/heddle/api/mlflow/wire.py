"""MLflow's wire: protobuf-JSON in and out, without protobuf.

A message is a struct; ``required`` lists the fields that must be there (and, at the top, not empty).
Bodies are first decoded strictly and fast; one that does not fit is read again by the loose rules of
protobuf-JSON (camelCase names, 64-bit numbers as strings, "NaN", enums by number, null as absent,
unknown fields ignored), and only if that fails too is the call refused, naming the field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from heddle.api.http import Effect, Request, Row, encode_json
from heddle.errors import HeddleError, Invalid

PREFIXES = ("/api", "/ajax-api")

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number as far as the wire, and the databases, go."""


class Message(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A request, or a part of one. Only fields that are ``required`` may go without a default."""

    required: ClassVar[tuple[str, ...]] = ()
    older: ClassVar[Mapping[str, str]] = {}
    """Older spellings of fields: old name to field."""
    enums: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Fields that are enums: their names in the order of their numbers (None-like first where 0)."""


class Reply(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A response: fields that were not set and empty lists are left out."""


class Pair(Message):
    """A key and its value."""

    required: ClassVar = ("key",)
    key: str
    value: str = ""


class PairOut(msgspec.Struct, gc=False):
    key: str
    value: str


def pairs_of(items: Sequence[Pair]) -> list[tuple[str, str]]:
    """Pairs as operations take them."""
    return [(item.key, item.value) for item in items]


def pairs_out(pairs: Sequence[tuple[str, str]]) -> list[PairOut]:
    """Pairs as MLflow writes them."""
    return [PairOut(key, value) for key, value in pairs]


M = TypeVar("M", bound=Message)


def error_body(error: HeddleError) -> bytes:
    """MLflow's error JSON; what a program may want beside it goes along."""
    return encode_json({"error_code": error.code, "message": error.message, **error.detail})


def reader(kind: type[M]) -> Callable[[Request], M]:
    """A function that reads a message of this kind from a request, raising ``Invalid``."""
    decoder = msgspec.json.Decoder(kind)
    decode = decoder.decode
    enums = kind.enums

    def read(request: Request) -> M:
        if request.params:
            return _from_path(request, kind)
        method = request.method
        body = request.body
        if method in ("GET", "HEAD") and (request.query_string or not body):
            return _complete(_from_query(request.query(), kind), kind)
        if method in ("POST", "PUT"):
            _check_content_type(request.header(b"content-type"))
        if not body:
            return _build({}, kind, "")
        try:
            message = decode(body)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
            # Also where an older or camelCase spelling was used: strict structs know none.
            message = _loosely(body, kind)
        for name, names in enums.items():
            value = getattr(message, name)
            if value is not None and (not value or value not in names):
                raise wrong(name, value, f"use one of {', '.join(filter(None, names))}")
        return _complete(message, kind)

    return read


def _check_content_type(value: bytes | None) -> None:
    kind = (value or b"").split(b";", 1)[0].strip().lower()
    if kind != b"application/json":
        raise Invalid(
            f"Bad Request. Content-Type must be 'application/json', not {kind.decode('latin-1')!r}."
        )


def missing(name: str) -> Invalid:
    """The failure for a required field that is not there."""
    return Invalid(f"Missing value for required parameter '{name}'.")


def wrong(name: str, value: object, hint: str = "") -> Invalid:
    """The failure for a value that does not fit its field."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):
        text = repr(value)
    if len(text) > 200:
        text = text[:200] + "..."
    return Invalid(
        f"Invalid value {text} for parameter '{name}' supplied" + (f": {hint}" if hint else ".")
    )


def limit_of(value: int | None, most: int, name: str = "max_results") -> int:
    """A page size within its bounds; raises ``Invalid``."""
    if value is None:
        raise missing(name)
    if not 0 < value <= most:
        raise Invalid(
            f"Invalid value {value} for parameter '{name}' supplied: it must be between 1 and"
            f" {most}."
        )
    return value


def _complete(message: M, kind: type[M]) -> M:
    for name in kind.required:
        value = getattr(message, name)
        if value is None or value in ("", []):
            raise missing(name)
    return message


def parse_json(body: bytes) -> Any:
    """Any JSON value, bare NaN and Infinity included; raises ``Invalid``."""
    try:
        # As text first: of bytes it would take halves of characters.
        value = json.loads(body.decode(json.detect_encoding(body)))
        if isinstance(value, str):
            # Very old clients sent JSON within a JSON string.
            value = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The request body is not valid JSON: {error}") from None
    return value


def _loosely(body: bytes, kind: type[M]) -> M:
    value = parse_json(body)
    if not isinstance(value, dict):
        raise Invalid(f"The request body must be a JSON object, not {type(value).__name__}.")
    return _build(value, kind, "")


@cache
def _fields(kind: type[Message]) -> dict[str, tuple[str, Any]]:
    """Every accepted spelling: to the field and its type."""
    hints = get_type_hints(kind)
    spelled: dict[str, tuple[str, Any]] = {}
    for name in kind.__struct_fields__:
        for spelling in (name, camel(name)):
            spelled[spelling] = (name, hints[name])
    for old, name in kind.older.items():
        for spelling in (old, camel(old)):
            spelled[spelling] = (name, hints[name])
    return spelled


def camel(name: str) -> str:
    """``run_id`` to ``runId``."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _build(value: Mapping[str, Any], kind: type[M], at: str) -> M:
    spelled = _fields(kind)
    given: dict[str, Any] = {}
    written: dict[str, str] = {}
    for spelling, item in value.items():
        if spelling not in spelled or item is None:
            continue
        name, hint = spelled[spelling]
        if name in written:
            if spelling in kind.older or written[name] in kind.older:
                # Clients send run_id and run_uuid together; the newer spelling counts.
                if spelling in kind.older:
                    continue
            else:
                raise Invalid(
                    f"The request spells the field '{at}{name}' twice: {written[name]} and"
                    f" {spelling}."
                )
        written[name] = spelling
        given[name] = _value(item, hint, f"{at}{name}", kind.enums.get(name))
    for name in kind.required:
        if name not in given:
            raise missing(f"{at}{name}")
    return kind(**given)


def _value(item: Any, hint: Any, name: str, enum: Sequence[str] | None) -> Any:
    """``item`` as the type ``hint``, by protobuf-JSON's rules; raises ``Invalid`` naming the field."""
    if enum is not None:
        return _enum(item, enum, name)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        hint = next(part for part in get_args(hint) if part is not NoneType)
        origin = get_origin(hint)
    if origin is list:
        if not isinstance(item, list):
            raise wrong(name, item, "a list is expected")
        inner = get_args(hint)[0]
        return [_value(part, inner, f"{name}[{index}]", None) for index, part in enumerate(item)]
    if isinstance(hint, type) and issubclass(hint, Message):
        if not isinstance(item, dict):
            raise wrong(name, item, "an object is expected")
        return _build(item, hint, f"{name}.")
    return _scalar(item, hint, name)


def _enum(item: Any, names: Sequence[str], at: str) -> str:
    if item and isinstance(item, str) and item in names:
        return item
    if (
        isinstance(item, int)
        and not isinstance(item, bool)
        and 0 <= item < len(names)
        and names[item]
    ):
        return names[item]
    raise wrong(at, item, f"use one of {', '.join(name for name in names if name)}")


def _scalar(item: Any, hint: Any, name: str) -> Any:
    if hint is str:
        if isinstance(item, str):
            return item
        raise wrong(name, item, "a string is expected")
    if hint is bool:
        if isinstance(item, bool):
            return item
        raise wrong(name, item, "true or false is expected")
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise wrong(name, item, "a number is expected")
    if hint is int:
        return _integer(item, name)
    return _number(item, name)


def _integer(item: float | str, name: str) -> int:
    if isinstance(item, float) and not (math.isfinite(item) and item == int(item)):
        raise wrong(name, item, "a whole number is expected")
    try:
        number = int(item)
    except ValueError:
        raise wrong(name, item, "a whole number is expected") from None
    if not -(2**63) <= number < 2**63:
        raise wrong(name, item, "it does not fit 64 bits")
    return number


def _number(item: float | str, name: str) -> float:
    try:
        return float(item)
    except (ValueError, OverflowError):
        raise wrong(name, item, "a number is expected") from None


def _from_path(request: Request, kind: type[M]) -> M:
    """A message of a call whose path holds some of its fields; the path's values count.

    Clients give the mode in which a workspace is deleted in the query.
    """
    given: dict[str, Any] = {}
    if request.method in ("GET", "HEAD", "DELETE"):
        given = _plain_query(request.query(), kind)
    if request.method not in ("GET", "HEAD") and request.body:
        value = parse_json(request.body)
        if not isinstance(value, dict):
            raise Invalid("The request body must be a JSON object.")
        given |= value
    return _complete(_build({**given, **request.params}, kind, ""), kind)


def _from_query(query: Mapping[str, list[str]], kind: type[M]) -> M:
    return _build(_plain_query(query, kind), kind, "")


def _plain_query(query: Mapping[str, list[str]], kind: type[Message]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    spelled = _fields(kind)
    for spelling, items in query.items():
        found = spelled.get(spelling)
        if found is None:
            continue
        hint = found[1]
        if get_origin(hint) is list:
            value[spelling] = items
            continue
        item: Any = items[0]
        parts = get_args(hint) or (hint,)
        if bool in parts:
            if item.lower() not in ("true", "false"):
                raise wrong(found[0], item, "true or false is expected")
            item = item.lower() == "true"
        value[spelling] = item
    return value


def number_out(value: float) -> float | str:
    """A double as MLflow writes it: NaN as text."""
    return "NaN" if value != value else value  # noqa: PLR0124 -- the question for NaN


def rows_for(
    method: str,
    path: str,
    action: str,
    effect: Effect,
    kind: type[Message],
    call: Callable[..., Any],
    *,
    version: str = "2.0",
    preview: bool = True,
    only_ajax: bool = False,
    encode: Callable[[Any], bytes] = encode_json,
    status: int = 200,
) -> list[Row]:
    """One call of MLflow under all its prefixes."""
    starts = [f"{prefix}/{version}/mlflow" for prefix in (PREFIXES[1:] if only_ajax else PREFIXES)]
    if preview and version == "2.0" and not only_ajax:
        starts += [f"{prefix}/2.0/preview/mlflow" for prefix in PREFIXES]
    read = reader(kind)
    about = {"message": kind}
    return [
        Row(
            method, f"{start}/{path}", action, effect, call, read, encode, error_body, status, about
        )
        for start in starts
    ]
