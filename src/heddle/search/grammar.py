"""The filter and order language: text to a tree with positions.

Owns the syntax and its limits. It knows no field names and no SQL: ``fields`` decides what a key
means and ``sql`` turns the checked tree into statements.

The language is a superset of MLflow's::

    filter     := term (OR term)*                 term := factor (AND factor)*
    factor     := NOT factor | '(' filter ')' | comparison
    comparison := key ( = == != <> < <= > >= ) value
                | key [NOT] LIKE text             | key [NOT] ILIKE text
                | key [NOT] IN '(' value, ... ')' | key [NOT] BETWEEN value AND value
                | key [NOT] MATCHES text          | key ~ text | key !~ text
                | key IS [NOT] NULL
    key        := [prefix '.'] name               order := key [ASC | DESC]
    value      := number | 'text' | "text"

Keywords are read in any case (RLIKE and REGEXP mean MATCHES). A quote inside a text is written
twice; a backslash is a plain character. A name holds word characters of any script and
``. - / : @ # $ % +``; any other name goes in backticks or double quotes (`` metrics.`a b` ``). Only
the first dot separates: ``metrics.val.loss`` is the metric ``val.loss``. Two bare words before an
operator are one name (``run name``).

What always holds: any text gives a tree or ``Invalid`` with ``0 <= position <= len(text)``, in time
linear in the text and without recursion. Trees hold no And in an And, no Or in an Or and no Not in
a Not, and are at most ``MAX_TREE_DEPTH`` deep, so that walking them by recursion is safe.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import NoReturn

from heddle.errors import Invalid

MAX_LENGTH = 100_000
"""Characters of one filter."""
MAX_NESTING = 200
"""Parentheses and NOTs open at once."""
MAX_TREE_DEPTH = 40
"""Changes between AND, OR and NOT on the way to one comparison."""
MAX_COMPARISONS = 500
MAX_VALUES = 10_000
MAX_KEY_LENGTH = 1_000
MAX_PATTERN_LENGTH = 1_000

SYMBOLS = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
    "~": "MATCHES", "!~": "NOT MATCHES",
}  # fmt: skip
WORDS = {"LIKE": "LIKE", "ILIKE": "ILIKE", "IN": "IN", "BETWEEN": "BETWEEN", "MATCHES": "MATCHES",
         "RLIKE": "MATCHES", "REGEXP": "MATCHES"}  # fmt: skip
OPERATOR_HINT = (
    "a comparison: = != < <= > >= LIKE ILIKE IN BETWEEN MATCHES, NOT before a word, IS NULL"
)

_space = re.compile(r"\s*")
_word = re.compile(r"[\w.\-/:@#$%+]+")
_symbol = re.compile(r"==|!=|<>|<=|>=|!~|[=<>~]")
_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_unstorable = re.compile("[\0\ud800-\udfff]")
_largest = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Literal:
    """A text or a number as written at ``position``; whole numbers within 64 bits are ``int``."""

    value: str | int | float
    position: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``prefix.key op values``; ``op`` is one of the normal forms (``=``, ``NOT LIKE``, ...)."""

    prefix: str | None
    key: str
    op: str
    values: tuple[Literal, ...]
    position: int
    op_position: int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    operands: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    operands: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a comparison, an And or an Or."""

    operand: Node
    position: int


Node = And | Or | Not | Comparison


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One term of an order; ``text`` is what was written."""

    prefix: str | None
    key: str
    descending: bool
    position: int
    text: str


def parse(text: str) -> Node:
    """The tree of a filter; raises ``Invalid`` with a position, also for a blank text."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"The filter is longer than {MAX_LENGTH} characters.", position=MAX_LENGTH)
    return _Parser(text).filter()


def parse_order(text: str) -> OrderTerm:
    """The term of an order such as ``metrics.rmse DESC``; raises ``Invalid`` with a position."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"The order is longer than {MAX_LENGTH} characters.", position=MAX_LENGTH)
    return _Parser(text).order()


def quote_key(key: str) -> str:
    """``key`` written so that the grammar reads it back as one name."""
    return key if _word.fullmatch(key) and "%" not in key else "`" + key.replace("`", "``") + "`"


def failure(text: str, position: int, message: str) -> Invalid:
    """An ``Invalid`` that names the character and shows the place with a caret."""
    start = max(0, position - 40)
    line = re.sub(r"[\s\0]", " ", text[start : position + 30])
    before = "…" if start else ""
    after = "…" if position + 30 < len(text) else ""
    caret = " " * (len(before) + position - start) + "^"
    shown = f"{before}{line}{after}".encode("utf-8", "replace").decode()
    return Invalid(
        f"{message} (character {position + 1}).\n  {shown}\n  {caret}", position=position
    )


class _Group:
    """What stands between two parentheses, or the whole filter, while it is being read."""

    __slots__ = ("ands", "nots", "ors", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self.ors: list[tuple[Node, int]] = []
        self.ands: list[tuple[Node, int]] = []
        self.nots: list[int] = []

    def end_and(self) -> None:
        """Close the chain of ANDs at an OR or at the end."""
        self.ors.append(_joined(And, self.ands))
        self.ands = []

    def end(self) -> tuple[Node, int]:
        """The node of the whole group, with its depth."""
        self.end_and()
        return _joined(Or, self.ors)


def _joined(kind: type[And | Or], parts: list[tuple[Node, int]]) -> tuple[Node, int]:
    if len(parts) == 1:
        return parts[0]
    operands: list[Node] = []
    depth = 0
    for node, below in parts:
        if isinstance(node, kind):
            operands.extend(node.operands)
            depth = max(depth, below)
        else:
            operands.append(node)
            depth = max(depth, below + 1)
    return kind(tuple(operands), parts[0][0].position), depth


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.comparisons = 0
        self.values = 0

    # Reading characters

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        raise failure(self.text, self.at if position is None else position, message)

    def expected(self, what: str) -> NoReturn:
        """Say what should have stood here instead of what does."""
        if self.at >= len(self.text):
            self.fail(f"Expected {what}, but the text ends")
        word = _word.match(self.text, self.at)
        found = word.group()[:40] if word else self.text[self.at]
        shown = found.encode("utf-8", "replace").decode().replace("\0", "\\0")
        self.fail(f"Expected {what}, found {shown}")

    def skip(self) -> str:
        """Pass over space; the character that follows, or an empty text at the end."""
        match = _space.match(self.text, self.at)
        assert match is not None  # noqa: S101 -- the pattern matches emptiness
        self.at = match.end()
        return self.text[self.at : self.at + 1]

    def keyword(self) -> str:
        """The bare word that stands here in upper case, not consumed."""
        match = _word.match(self.text, self.at)
        return match.group().upper() if match else ""

    def take_keyword(self, *words: str) -> bool:
        """Consume the next word if it is one of ``words``."""
        self.skip()
        word = self.keyword()
        if word in words:
            self.at += len(word)
            return True
        return False

    def quoted(self, what: str) -> str:
        """A text between the quotation marks of the kind that stands here."""
        start = self.at
        mark = self.text[start]
        parts: list[str] = []
        at = start + 1
        while True:
            end = self.text.find(mark, at)
            if end < 0:
                self.fail(f"This {what} has no closing {mark}", start)
            parts.append(self.text[at:end])
            if self.text[end + 1 : end + 2] != mark:
                break
            parts.append(mark)
            at = end + 2
        self.at = end + 1
        return self.storable("".join(parts), start)

    def storable(self, text: str, position: int) -> str:
        """``text`` unless no database can hold it."""
        if _unstorable.search(text):
            self.fail("A text may hold neither NUL nor half of a surrogate pair", position)
        return text

    # Filters

    def filter(self) -> Node:
        """The whole text as one filter."""
        groups = [_Group(0)]
        open_nots = 0
        while True:
            mark = self.skip()
            group = groups[-1]
            start = self.at
            if mark == "(":
                self.at += 1
                groups.append(_Group(start))
            elif self.keyword() == "NOT":
                self.at += 3
                group.nots.append(start)
                open_nots += 1
            else:
                done: tuple[Node, int] = (self.comparison(), 1)
                while True:
                    open_nots -= len(groups[-1].nots)
                    self.complete(groups[-1], done)
                    if self.skip() != ")" or len(groups) == 1:
                        break
                    self.at += 1
                    done = groups.pop().end()
                if self.end_operand(groups):
                    return groups[0].end()[0]
            if len(groups) - 1 + open_nots > MAX_NESTING:
                self.fail(f"Parentheses and NOTs are nested deeper than {MAX_NESTING}", start)

    def end_operand(self, groups: list[_Group]) -> bool:
        """Read what joins the operand to the next; True at the end of the text."""
        if self.at >= len(self.text):
            if len(groups) > 1:
                self.fail("This parenthesis is not closed", groups[-1].position)
            return True
        word = self.keyword()
        if word == "AND":
            self.at += 3
        elif word == "OR":
            self.at += 2
            groups[-1].end_and()
        elif len(groups) > 1:
            self.expected("AND, OR or )")
        elif self.text[self.at] == ")":
            self.fail("This parenthesis was never opened")
        else:
            self.expected("AND, OR or the end")
        return False

    def complete(self, group: _Group, done: tuple[Node, int]) -> None:
        """Hang an operand, with the NOTs before it, on its group."""
        node, depth = done
        if len(group.nots) % 2:
            if isinstance(node, Not):
                node, depth = node.operand, depth - 1
            else:
                node, depth = Not(node, group.nots[0]), depth + 1
        group.nots.clear()
        # One level each for the AND and the OR that may still come around it.
        if depth > MAX_TREE_DEPTH - 2:
            self.fail(f"AND, OR and NOT alternate deeper than {MAX_TREE_DEPTH}", node.position)
        group.ands.append((node, depth))

    def comparison(self) -> Comparison:
        """``key op values``."""
        start = self.at
        prefix, key = self.key("a field such as metrics.rmse, params.lr or status")
        self.skip()
        op_position = self.at
        op = self.operator()
        values: tuple[Literal, ...] = ()
        if op.endswith("BETWEEN"):
            low = self.value(op)
            if not self.take_keyword("AND"):
                self.expected("AND and the upper end of BETWEEN")
            values = (low, self.value("AND"))
        elif op.endswith(" NULL"):
            pass
        elif op in ("IN", "NOT IN"):
            values = self.listed(op)
        else:
            values = (self.value(op),)
            pattern = values[0].value
            if op.endswith(("LIKE", "MATCHES")):
                if not isinstance(pattern, str):
                    self.fail(f"{op} needs a quoted text", values[0].position)
                if len(pattern) > MAX_PATTERN_LENGTH:
                    self.fail(
                        f"A pattern may have {MAX_PATTERN_LENGTH} characters", values[0].position
                    )
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            self.fail(f"A filter may have {MAX_COMPARISONS} comparisons", start)
        return Comparison(prefix, key, op, values, start, op_position)

    def operator(self) -> str:
        """The normal form of the operator that stands here."""
        symbol = _symbol.match(self.text, self.at)
        if symbol:
            self.at = symbol.end()
            return SYMBOLS[symbol.group()]
        start = self.at
        word = self.keyword()
        if word in WORDS:
            self.at += len(word)
            return WORDS[word]
        if word == "IS":
            self.at += 2
            negated = "NOT " if self.take_keyword("NOT") else ""
            if not self.take_keyword("NULL"):
                self.expected("NULL")
            return f"IS {negated}NULL"
        if word == "NOT":
            self.at += 3
            self.skip()
            word = self.keyword()
            if word in WORDS:
                self.at += len(word)
                return f"NOT {WORDS[word]}"
            self.expected("LIKE, ILIKE, IN, BETWEEN or MATCHES after NOT")
        self.at = start
        self.expected(OPERATOR_HINT)

    def listed(self, op: str) -> tuple[Literal, ...]:
        """``('a', 'b')``, not empty."""
        if self.skip() != "(":
            self.expected(f"( and a list of values after {op}")
        self.at += 1
        values = [self.value("(")]
        while self.skip() == ",":
            self.at += 1
            values.append(self.value(","))
        if self.skip() != ")":
            self.expected(", or ) in the list")
        self.at += 1
        return tuple(values)

    def value(self, after: str) -> Literal:
        """A number or a quoted text."""
        mark = self.skip()
        start = self.at
        self.values += 1
        if self.values > MAX_VALUES:
            self.fail(f"A filter may have {MAX_VALUES} values")
        if mark in ("'", '"') and mark:
            return Literal(self.quoted("text"), start)
        number = _number.match(self.text, start)
        if number:
            if _word.match(self.text, number.end()):
                self.fail("This number goes on with other characters; put a text in quotes")
            self.at = number.end()
            return Literal(_numeric(number.group()), start)
        word = _word.match(self.text, start)
        if word and len(word.group()) <= 40:
            self.fail(
                f"Expected a number or a quoted text after {after}; "
                f"for the text {word.group()} write '{word.group()}'"
            )
        self.expected(f"a number or a quoted text after {after}")

    # Keys and orders

    def key(self, what: str) -> tuple[str | None, str]:
        """``prefix.name`` or ``name``; a name of two bare words is joined by one space."""
        start = self.at
        mark = self.text[start : start + 1]
        if mark in ("`", '"') and mark:
            prefix, dot, name = self.quoted("name").partition(".")
            if not dot and self.text[self.at : self.at + 1] == ".":
                dot = "."
                self.at += 1
                name = self.name_after_dot()
        else:
            word = _word.match(self.text, start)
            if not word or _number.match(word.group()):
                self.expected(what)
            self.at = word.end()
            prefix, dot, name = word.group().partition(".")
            follows = self.text[self.at : self.at + 1]
            if dot and not name and follows in ("`", '"') and follows:
                name = self.quoted("name")
            else:
                end = 0 if dot else self.second_word()
                if end:
                    prefix = re.sub(r"\s+", " ", self.text[start:end])
                    self.at = end
        if dot and not name:
            self.fail(f"Expected a name after {prefix[:40]}.")
        if not dot and not prefix:
            self.fail("A name may not be empty", start)
        if len(prefix) + len(name) > MAX_KEY_LENGTH:
            self.fail(f"A name may have {MAX_KEY_LENGTH} characters", start)
        return (prefix, name) if dot else (None, prefix)

    def name_after_dot(self) -> str:
        """A quoted or bare name that follows a quoted prefix."""
        mark = self.text[self.at : self.at + 1]
        if mark in ("`", '"') and mark:
            return self.quoted("name")
        word = _word.match(self.text, self.at)
        if not word:
            return ""
        self.at = word.end()
        return word.group()

    def second_word(self) -> int:
        """The end of a second bare word that belongs to the name, or 0."""
        after = _space.match(self.text, self.at)
        word = after and _word.match(self.text, after.end())
        if not word or word.group().upper() in {*WORDS, "NOT", "IS", "AND", "OR", "ASC", "DESC"}:
            return 0
        then = _space.match(self.text, word.end())
        at = then.end() if then else word.end()
        following = _word.match(self.text, at)
        if following:
            known = {*WORDS, "NOT", "IS", "ASC", "DESC"}
            return word.end() if following.group().upper() in known else 0
        return word.end() if at == len(self.text) or _symbol.match(self.text, at) else 0

    def order(self) -> OrderTerm:
        """The whole text as one term of an order."""
        self.skip()
        start = self.at
        prefix, key = self.key("a field to order by, such as metrics.rmse DESC")
        descending = self.take_keyword("DESC")
        if not descending:
            self.take_keyword("ASC")
        self.skip()
        if self.at < len(self.text):
            self.expected("ASC, DESC or the end")
        return OrderTerm(prefix, key, descending, start, self.text)


def _numeric(text: str) -> int | float:
    """Whole numbers exact while 64 bits hold them; beyond a double's range its largest value."""
    if len(text) <= 20 and text.lstrip("+-").isdigit() and -(2**63) <= int(text) < 2**63:
        return int(text)
    return max(-_largest, min(_largest, float(text)))
