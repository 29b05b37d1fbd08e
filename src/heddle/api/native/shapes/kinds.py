"""What all shapes share: strict bodies, loose-free queries, numbers that may be NaN.

Ids are texts, times whole milliseconds since 1970 UTC, sizes bytes. A text that was not said is
empty, anything else that is absent is null. A string under a field is its documentation: it goes
into the OpenAPI document.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Number = float | Literal["NaN"]
"""A measured value: infinities are the greatest finite numbers, NaN is the text ``"NaN"``."""
Cell = float | str | list[str] | None
"""One cell of a table: a number (or ``"NaN"``), a text, several texts, or nothing."""
View = Literal["active", "deleted", "all"]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a call takes as JSON; a field that is not known is refused."""


class Query(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a call takes after the question mark."""


class Reply(msgspec.Struct, kw_only=True, gc=False):
    """What a call answers; every field is always there."""


class Page(Query):
    """A window of a longer list."""

    offset: int = 0
    """How many to skip."""
    limit: int | None = None
    """How many to give at most; all when left out."""


class Done(Reply):
    """The change is made and durable."""

    changed: int = 1
    """How many things it touched."""


class LabelChanges(Body):
    """Tags to set and tags to remove, in one step."""

    set: dict[str, str] = {}
    """Tags that get these values."""
    delete: list[str] = []
    """Tags that go; naming one that is not there is no failure."""


class Labels(Reply):
    """All tags after the change."""

    tags: dict[str, str]
    """Tags by key."""


class Failure(msgspec.Struct, kw_only=True):
    """What went wrong. More fields may tell a program more."""

    code: str
    """One of ``invalid``, ``not_found``, ``no_such_call``, ``already_exists``, ``conflict``,
    ``wrong_state``, ``unauthenticated``, ``denied``, ``too_large``, ``not_offered``, ``corrupt``,
    ``unavailable``, ``internal``."""
    message: str
    """What is wrong, where, and what to do; fit to be shown to people."""
    position: int | None = None
    """The character of the filter or order at which it is wrong."""


class Refusal(msgspec.Struct, kw_only=True):
    """The one shape of every failure."""

    error: Failure
    """What went wrong."""
