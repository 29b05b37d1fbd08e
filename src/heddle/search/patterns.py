r"""Text patterns that mean the same on SQLite and PostgreSQL: LIKE, ILIKE and MATCHES.

LIKE and ILIKE know ``%`` and ``_`` and no escape. ILIKE compares one-to-one lower case forms.
MATCHES searches anywhere in the value with a regular expression of RE2's syntax, where ``.`` also
matches a line break and ``^`` and ``$`` are the ends of the value. What PostgreSQL's engine would read
differently is translated, or refused on both. RE2 never backtracks, it bounds repetition, and
neither engine sees a back-reference, so no pattern takes exponential time. One difference stays: on
PostgreSQL ILIKE and ``(?i)`` follow the locale of the database for letters beyond ASCII.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from typing import Any

import re2

from heddle.errors import Invalid

MAX_REPEAT = 255
"""The largest count in ``{m,n}`` that PostgreSQL takes."""

_options = re2.Options()
_options.log_errors = False
_options.dot_nl = True
_options.never_capture = True
_options.max_mem = 1 << 20

_glob_special = re.compile(r"[*?\[]")
_repeat = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_named_group = re.compile(r"\(\?P?<\w+>")
_hex = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_posix = re.compile(r"\[:([a-z]+):\]")
_classes = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r\\u0020"}
_assertions = {
    "b": "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))",
    "B": "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))",
    "A": "^",
    "z": "$",
}
_controls = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_posix_classes = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\u0001-\\u007F", "blank": "\\t\\u0020",
    "cntrl": "\\u0001-\\u001F\\u007F", "digit": "0-9", "graph": "!-~", "lower": "a-z",
    "print": "\\u0020-~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r\\u0020",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


def glob(pattern: str) -> str:
    """SQLite's GLOB pattern (case-sensitive) for a LIKE pattern."""
    escaped = _glob_special.sub(lambda found: f"[{found.group()}]", pattern)
    return escaped.replace("%", "*").replace("_", "?")


def lower(text: str) -> str:
    """The lower case form that keeps every character one character."""
    if text.isascii():
        return text.lower()
    return "".join([c.lower()[0] for c in text])


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _options)


def matches(pattern: str, value: str | None) -> bool | None:
    """Whether a checked ``pattern`` matches anywhere in ``value``; None for None, as SQL has it."""
    return None if value is None else _compiled(pattern).search(value) is not None


@functools.lru_cache(maxsize=256)
def check_regex(pattern: str) -> str:
    """The same pattern for PostgreSQL; raises ``Invalid`` (no position) for one neither takes."""
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be read"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise Invalid(f"This regular expression is not valid: {text}") from None
    return _Translation(pattern).result()


def forms(op: str, pattern: str) -> tuple[str, str]:
    """What SQLite and PostgreSQL match with for LIKE, ILIKE or MATCHES; raises ``Invalid``."""
    if op == "LIKE":
        return glob(pattern), pattern
    if op == "ILIKE":
        return glob(lower(pattern)), pattern
    return pattern, check_regex(pattern)


def register_sqlite(connection: sqlite3.Connection) -> None:
    """Give a new SQLite connection the functions that compiled searches call."""
    connection.create_function("heddle_lower", 1, _lower_or_none, deterministic=True)
    connection.create_function("heddle_matches", 2, matches, deterministic=True)


def _lower_or_none(value: str | None) -> str | None:
    return None if value is None else lower(value)


class _Translation:
    """A valid RE2 pattern rewritten as an advanced regular expression of PostgreSQL.

    Only whether something matches counts, so groups need not capture and lazy repetition is greedy.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.out: list[str] = []
        self.repeatable = False

    def result(self) -> str:
        """The whole translation."""
        if self.pattern.startswith("(?i)"):
            self.out.append("(?i)")
            self.at = 4
        while self.at < len(self.pattern):
            self.step()
        return "".join(self.out)

    def refuse(self, what: str) -> Invalid:
        return Invalid(f"A regular expression may not use {what} here")

    def emit(self, text: str, *, advance: int, repeatable: bool = True) -> None:
        """Write a piece; ``repeatable`` tells whether a count may follow it."""
        self.out.append(text)
        self.at += advance
        self.repeatable = repeatable

    def step(self) -> None:
        """Translate the piece that stands here."""
        char = self.pattern[self.at]
        count = _repeat.match(self.pattern, self.at) if char == "{" else None
        if char in "*+?" or count:
            self.repetition(count.group() if count else char)
        elif char == "(":
            self.group()
        elif char == "[":
            self.bracket()
        elif char == "\\":
            self.escape()
        elif char in "^$|":
            self.emit(char, advance=1, repeatable=False)
        elif char in ").":
            self.emit(char, advance=1)
        else:
            self.emit(_one(char), advance=1)

    def repetition(self, text: str) -> None:
        """``* + ?`` or ``{m,n}``, with the lazy mark dropped."""
        if not self.repeatable:
            raise self.refuse(f"the repetition {text} after another or after ^ $ \\b")
        if any(int(n) > MAX_REPEAT for n in re.findall("[0-9]+", text)):
            raise self.refuse(f"a count above {MAX_REPEAT}")
        lazy = self.pattern[self.at + len(text) : self.at + len(text) + 1] == "?"
        self.emit(text, advance=len(text) + lazy, repeatable=False)

    def group(self) -> None:
        """The opening of a group."""
        if self.pattern.startswith("(?:", self.at):
            self.emit("(?:", advance=3, repeatable=False)
            return
        named = _named_group.match(self.pattern, self.at)
        if named:
            self.emit("(?:", advance=len(named.group()), repeatable=False)
        elif self.pattern.startswith("(?", self.at):
            raise self.refuse("flags other than a leading (?i)")
        else:
            self.emit("(?:", advance=1, repeatable=False)

    def escape(self) -> None:
        """A backslash outside brackets."""
        letter = self.pattern[self.at + 1]
        if letter in _assertions:
            self.emit(_assertions[letter], advance=2, repeatable=False)
        elif letter in _classes:
            self.emit(f"[{_classes[letter]}]", advance=2)
        elif letter.lower() in _classes:
            self.emit(f"[^{_classes[letter.lower()]}]", advance=2)
        else:
            self.emit(_one(self.escaped_char()), advance=0)

    def escaped_char(self) -> str:
        """The one character that an escape stands for, consumed."""
        letter = self.pattern[self.at + 1]
        found = _hex.match(self.pattern, self.at + 1)
        if found:
            self.at = found.end()
            code = int(found.group(1) or found.group(2), 16)
            if code == 0:
                raise self.refuse("the NUL character")
            return chr(code)
        if letter in _controls:
            self.at += 2
            return _controls[letter]
        if letter.isascii() and letter.isalnum():
            raise self.refuse(f"the escape \\{letter}")
        self.at += 2
        return letter

    def bracket(self) -> None:
        """A bracket expression."""
        pattern = self.pattern
        self.at += 1
        out = ["["]
        if pattern[self.at] == "^":
            self.at += 1
            out.append("^")
        first = True
        while first or pattern[self.at] != "]":
            first = False
            named = _posix.match(pattern, self.at)
            if named:
                out.append(_posix_classes[named.group(1)])
                self.at = named.end()
            elif pattern.startswith("[:", self.at):
                raise self.refuse("a negated class in brackets")
            elif pattern[self.at] == "\\" and pattern[self.at + 1] in _classes:
                out.append(_classes[pattern[self.at + 1]])
                self.at += 2
            else:
                out.append(_member(self.member()))
                if pattern[self.at] == "-" and pattern[self.at + 1] != "]":
                    self.at += 1
                    out.append("-" + _member(self.member()))
        self.emit("".join(out) + "]", advance=1)

    def member(self) -> str:
        """One character inside brackets, consumed."""
        if self.pattern[self.at] == "\\":
            return self.escaped_char()
        self.at += 1
        return self.pattern[self.at - 1]


def _one(char: str) -> str:
    """A character that stands for itself outside brackets."""
    return f"\\{char}" if char.isascii() and not char.isalnum() and not char.isspace() else char


def _member(char: str) -> str:
    """A character that stands for itself inside brackets."""
    return f"\\{char}" if char in "\\]^-[" else char
