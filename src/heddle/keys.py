"""What may be a key of a param, metric or tag, a name, or an id that a client brings.

MLflow's rules, because its clients rely on them: keys are paths of word characters, ``/ . - : space``
that equal their own normal form, so that a key can be a file name somewhere and means one thing.
"""

from __future__ import annotations

import posixpath
import re

from heddle.errors import Invalid

KEY_MAX = 250
_KEY = re.compile(r"[/\w.\- :]+")
_PLAIN = re.compile(r"\w+(?:[.\-: ]\w+)*")
"""Keys that need no closer look: no slash, no two marks in a row, none at either end."""


def check_key(key: str, what: str) -> None:
    """Raise ``Invalid`` unless ``key`` may name a param, metric or tag (``what`` says which)."""
    if _PLAIN.fullmatch(key) and len(key) <= KEY_MAX:
        return
    if not key:
        raise Invalid(f"A {what} needs a name that is not empty.")
    if len(key) > KEY_MAX:
        raise Invalid(
            f"{what.capitalize()} name '{key[:40]}...' has {len(key)} characters; at most"
            f" {KEY_MAX} are taken."
        )
    if not _KEY.fullmatch(key):
        raise Invalid(
            f"Invalid {what} name: {key!r}. Names may hold letters, digits, underscores, dashes"
            " (-),"
            " periods (.), spaces, colons (:) and slashes (/)."
        )
    if key != posixpath.normpath(key) or key == "." or key.startswith(("../", "/")) or key == "..":
        raise Invalid(
            f"Invalid {what} name: {key!r}. It must equal its own normal path,"
            f" {posixpath.normpath(key)!r}."
        )


def check_any_key(key: str, what: str) -> None:
    """Raise ``Invalid`` unless ``key`` can be kept, whatever it spells.

    For what MLflow takes with a run or a logged model that is being made: there it looks at no key.
    """
    if not key:
        raise Invalid(f"A {what} needs a name that is not empty.")
    check_text(key, f"The {what} name '{key[:40]}...'", KEY_MAX)


def check_text(text: str, what: str, limit: int) -> None:
    """Raise ``Invalid`` if ``text`` is longer than ``limit`` characters or cannot be stored."""
    if len(text) > limit:
        raise Invalid(f"{what} has {len(text)} characters; at most {limit} are taken.")
    check_storable(text, what)


def check_storable(text: str, what: str) -> None:
    """Raise ``Invalid`` for the characters that a database cannot keep: NUL and lone surrogates."""
    if "\0" in text:
        raise Invalid(f"{what} holds a NUL character, which cannot be stored.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Invalid(
                f"{what} holds half of a surrogate pair at character {error.start}, which is not"
                " text."
            ) from None
