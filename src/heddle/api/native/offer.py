"""Offers: the rows of the native API, with what their OpenAPI document needs.

An ``Offer`` says what a call takes and gives by naming shapes; ``row`` turns it into a row that
reads the request into an ``Ask``. Failures leave in the API's one shape.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import msgspec.inspect

from heddle.api.http import Effect, Request, Row, Services, encode_json
from heddle.api.native.shapes.kinds import Body, Query
from heddle.errors import HeddleError, Invalid, NotFound

PREFIX = "/api/v1"
Q = TypeVar("Q")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Ask(Generic[Q, B]):
    """What a request asks: names from its path, its query, its body, and who asks."""

    at: dict[str, str]
    query: Q
    body: B

    def number(self, name: str) -> int:
        """A whole number of the path; raises ``NotFound``, since nothing else has such a path."""
        text = self.at[name]
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise NotFound(f"There is no {name} {text!r}; a whole number is expected.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Offer:
    """One call: where it is, what it does, what it takes and gives.

    ``name`` is ``group.verb``, unique, and the document's operation id. ``media`` is what a call
    sends whose answer is not JSON, ``sent`` a body that is passed on as it came. Its function takes
    ``(Tx, Ask)``, that of a stream is ``async (Request, Services, Ask)``.
    """

    method: str
    path: str
    name: str
    action: str
    effect: Effect
    summary: str
    reply: Any = None
    query: type[Query] | None = None
    body: type[Body] | None = None
    sent: type[Body] | None = None
    status: int = 200
    media: str = ""


def code_of(error: HeddleError) -> str:
    """The failure's kind as a word: ``NotFound`` is ``not_found``."""
    kind = type(error)
    if kind is HeddleError:
        return "internal"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def error_body(error: HeddleError) -> bytes:
    """The one shape of every failure; what a program may want to read goes along."""
    body = {**error.detail, "code": code_of(error), "message": error.message}
    return encode_json({"error": body})


def row(offer: Offer, call: Callable[..., Any]) -> Row:
    """The offer as a row that is served by ``call``."""
    read = reader(offer.query, offer.body)
    if offer.effect is Effect.STREAM:
        call = _streaming(call, read, has_body=offer.body is not None)
    about = {
        "name": offer.name,
        "summary": offer.summary,
        "query": offer.query,
        "body": offer.body,
        "reply": offer.reply,
        "media": offer.media,
    }
    return Row(
        offer.method,
        PREFIX + offer.path,
        offer.action,
        offer.effect,
        call,
        read,
        encode_json,
        error_body,
        offer.status,
        about,
    )


def _streaming(
    call: Callable[..., Any], read: Callable[[Request], Ask[Any, Any]], *, has_body: bool
) -> Callable[..., Any]:
    """A call that sends its answer itself and is told what was asked."""

    async def run(request: Request, services: Services) -> None:
        if has_body:
            request.body = await request.read_body()
        await call(request, services, read(request))

    return run


def reader(query: type[Any] | None, body: type[Any] | None) -> Callable[[Request], Ask[Any, Any]]:
    """A function that reads a request as an ``Ask``; it raises ``Invalid`` naming what is wrong."""
    decoder = None if body is None else msgspec.json.Decoder(body)
    lists = () if query is None else _lists(query)

    def read(request: Request) -> Ask[Any, Any]:
        asked = None if query is None else read_query(request, query, lists)
        sent = None if decoder is None else _read_body(request, decoder)
        return Ask(dict(request.params), asked, sent)

    return read


def _lists(query: type[Any]) -> Sequence[str]:
    hints = get_type_hints(query)
    return [name for name, hint in hints.items() if _is_list(hint)]


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(get_origin(part) is list for part in get_args(hint))


def read_query(request: Request, query: type[Q], lists: Sequence[str] = ()) -> Q:
    """The query parameters as a shape; raises ``Invalid`` naming the parameter."""
    given: dict[str, Any] = {}
    for name, values in request.query().items():
        given[name] = values if name in lists else values[-1]
    try:
        return msgspec.convert(given, query, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"The query is wrong: {explained(error, query)}") from None


def explained(error: msgspec.ValidationError, shape: type[Any]) -> str:
    """What is wrong, with what could have stood there where it is one of a few names."""
    said = str(error)
    wrong = re.search(r"(?:unknown field `|enum value ')(.*?)[`'](?: - at `\$(.*)`)?$", said)
    names = [] if wrong is None else _names_at(shape, wrong[2] or "")
    if wrong is None or not names:
        return f"{said}."
    near = difflib.get_close_matches(wrong[1], names, 1)
    return f"{said}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}.")


def _names_at(shape: type[Any], path: str) -> list[str]:
    """The fields of the object, or the values of the choice, to which a path such as ``.a[0].b`` leads."""
    places = [msgspec.inspect.type_info(shape)]
    for name in re.findall(r"\.(\w+)|\[[^]]*\]", path):
        below: list[msgspec.inspect.Type] = []
        for place in _kinds(places):
            if isinstance(place, msgspec.inspect.StructType):
                below += [each.type for each in place.fields if each.encode_name == name]
            elif isinstance(place, msgspec.inspect.ListType) and not name:
                below.append(place.item_type)
        places = below
    found: list[str] = []
    for place in _kinds(places):
        if isinstance(place, msgspec.inspect.StructType):
            found += [each.encode_name for each in place.fields]
        elif isinstance(place, msgspec.inspect.LiteralType):
            found += [str(value) for value in place.values]
    return found


def _kinds(places: Sequence[msgspec.inspect.Type]) -> Iterator[msgspec.inspect.Type]:
    for place in places:
        yield from place.types if isinstance(place, msgspec.inspect.UnionType) else (place,)


def _read_body(request: Request, decoder: msgspec.json.Decoder[Any]) -> Any:
    kind = (request.header(b"content-type") or b"").split(b";", 1)[0].strip().lower()
    if kind != b"application/json":
        raise Invalid(f"The body must be application/json, not {kind.decode('latin-1')!r}.")
    try:
        return decoder.decode(request.body or b"{}")
    except msgspec.ValidationError as error:
        raise Invalid(f"The body is wrong: {explained(error, decoder.type)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"The body is not JSON: {error}.") from None
