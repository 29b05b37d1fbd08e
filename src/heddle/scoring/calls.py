"""PREDICT in SQL: where it is called in a statement, with what, and over which tables.

A statement stays as it was written but for its calls of PREDICT, each of which an engine replaces by
a call of a function of its own. To find out what a call is given, the engine asks its database about
a ``probe``: the call's arguments selected from the tables that the call sees. Calls may stand
anywhere that an expression may, also within each other. The dialect is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from heddle.errors import Invalid

NAME: Final = "PREDICT"
MARK: Final = "PR_DICT"
"""Stands for the name while the statement is parsed, as sqlglot takes PREDICT for another's; as long,
so that positions stay."""
_OPEN: Final = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE: Final = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_NAMES: Final = {TokenType.VAR, TokenType.IDENTIFIER}
_SETS: Final = {TokenType.COLON_EQ, TokenType.FARROW}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its text without its name, from ``start`` to before ``stop``.

    ``column`` is the column's name where it is a plain one; ``is_star`` says that it stands for
    several.
    """

    start: int
    stop: int
    name: str = ""
    column: str = ""
    is_star: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call of PREDICT, from ``start`` to before ``stop`` of the statement."""

    model: str
    start: int
    stop: int
    arguments: tuple[Argument, ...]


Probe = Callable[[Sequence[str]], str]
"""Makes the statement that selects expressions from what a call sees."""
Replace = Callable[[Call, Sequence[str], Probe], str]
"""Gives the text that replaces a call, from the call, its arguments' texts and its probe."""


def wrong(words: str, statement: str, position: int) -> Invalid:
    """A failure that says where in the statement it is."""
    before = statement[:position]
    line, column = before.count("\n") + 1, position - before.rfind("\n")
    return Invalid(f"{words} (line {line}, column {column})", position=position)


def rewrite(statement: str, dialect: str, replace: Replace) -> str:
    """The statement with every call of PREDICT replaced; raises ``Invalid`` with the position."""
    calls = find_calls(statement, dialect)
    if not calls:
        return statement
    work = _Work(statement, dialect, calls)
    while work.waiting:
        ready = next((call for call in work.waiting if work.is_ready(call)), None)
        if ready is None:
            raise wrong(
                "These calls of PREDICT wait for each other", statement, work.waiting[0].start
            )
        texts = [work.text(each.start, each.stop) for each in ready.arguments]
        work.settle(ready, replace(ready, texts, work.probe(ready)))
    return work.text(0, len(statement))


def find_calls(statement: str, dialect: str) -> list[Call]:
    """The calls of PREDICT as they are written, in order; raises ``Invalid``."""
    try:
        tokens = sqlglot.tokenize(statement, read=dialect)
    except TokenError as error:
        raise Invalid(f"The statement cannot be read: {error}") from None
    calls = []
    for at, token in enumerate(tokens[:-1]):
        is_name = token.token_type in _NAMES and token.text.upper() == NAME
        is_method = at > 0 and tokens[at - 1].token_type is TokenType.DOT
        if is_name and not is_method and tokens[at + 1].token_type is TokenType.L_PAREN:
            calls.append(_call(statement, tokens, at))
    return calls


def _call(statement: str, tokens: Sequence[Token], at: int) -> Call:
    start = tokens[at].start
    depth, parts = 0, [list[Token]()]
    for token in tokens[at + 1 :]:
        if token.token_type in _OPEN:
            depth += 1
        elif token.token_type in _CLOSE:
            depth -= 1
        if depth == 0:
            break
        if depth == 1 and token.token_type is TokenType.COMMA:
            parts.append([])
        elif not (depth == 1 and not parts[0] and token.token_type is TokenType.L_PAREN):
            parts[-1].append(token)
    else:
        raise wrong("PREDICT( is not closed", statement, start)
    stop = token.end + 1
    if not parts[0] or len(parts[0]) > 1 or parts[0][0].token_type is not TokenType.STRING:
        raise wrong(
            "PREDICT takes the model first, as a text: PREDICT('name/3', *) or"
            " PREDICT('name@alias', column, ...)",
            statement,
            start,
        )
    if len(parts) == 1 or not all(parts):
        raise wrong(
            "PREDICT needs columns after the model: * for all, or their names", statement, start
        )
    return Call(parts[0][0].text, start, stop, tuple(_argument(part) for part in parts[1:]))


def _argument(tokens: Sequence[Token]) -> Argument:
    name = ""
    if len(tokens) > 2 and tokens[0].token_type in _NAMES and tokens[1].token_type in _SETS:
        name, tokens = tokens[0].text, tokens[2:]
    kinds = [token.token_type for token in tokens]
    names_only = all(kind in _NAMES for kind in kinds[::2])
    dots_only = all(kind is TokenType.DOT for kind in kinds[1::2])
    is_plain = len(tokens) % 2 == 1 and names_only and dots_only
    at_star = next((at for at, kind in enumerate(kinds) if kind is TokenType.STAR), -1)
    # A star that multiplies has something other than dots and names before it.
    is_star = at_star >= 0 and at_star % 2 == 0 and names_and_dots(kinds[:at_star])
    is_columns = tokens[0].text.upper() == "COLUMNS" and len(tokens) > 1
    return Argument(
        tokens[0].start,
        tokens[-1].end + 1,
        name,
        tokens[-1].text if is_plain else "",
        is_star or is_columns,
    )


def names_and_dots(kinds: Sequence[TokenType]) -> bool:
    """Whether names and dots take turns, a dot last."""
    return all(
        kind in _NAMES if at % 2 == 0 else kind is TokenType.DOT for at, kind in enumerate(kinds)
    )


@dataclass(slots=True)
class _Work:
    """A statement whose calls are being replaced, as text and as tree."""

    statement: str
    dialect: str
    waiting: list[Call]
    done: list[tuple[Call, str]] = field(default_factory=list)
    tree: Any = None
    nodes: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        marked = self.statement
        for call in self.waiting:
            marked = f"{marked[: call.start]}{MARK}{marked[call.start + len(MARK) :]}"
        self.waiting = list(self.waiting)
        try:
            trees = sqlglot.parse(marked, read=self.dialect)
        except ParseError as error:
            first = error.errors[0]
            lines = self.statement.split("\n")
            position = sum(len(line) + 1 for line in lines[: first["line"] - 1]) + first["col"] - 1
            raise wrong(
                f"The statement cannot be read: {first['description']}", self.statement, position
            ) from None
        if len([tree for tree in trees if tree is not None]) != 1:
            raise Invalid("One statement at a time, please.")
        self.tree = trees[0]
        for node in self.tree.find_all(exp.Anonymous):
            if node.name == MARK:
                self.nodes[node.meta.get("start", -1)] = node
        for call in self.waiting:
            if call.start not in self.nodes:
                raise wrong(
                    "PREDICT cannot stand here; put it into a SELECT", self.statement, call.start
                )

    def text(self, start: int, stop: int) -> str:
        """A stretch of the statement, calls in it replaced as far as they are done."""
        made, at = [], start
        outer = [
            (call, text)
            for call, text in sorted(self.done, key=lambda each: (each[0].start, -each[0].stop))
            if start <= call.start and call.stop <= stop
        ]
        for call, text in outer:
            if call.start >= at:
                made += [self.statement[at : call.start], text]
                at = call.stop
        return "".join([*made, self.statement[at:stop]])

    def is_ready(self, call: Call) -> bool:
        """Whether all that a call sees, and its arguments, hold no call that waits."""
        inner = any(
            other is not call and call.start < other.start and other.stop <= call.stop
            for other in self.waiting
        )
        return not inner and MARK not in self._from(call) + self._with(call)

    def settle(self, call: Call, text: str) -> None:
        """Note what replaces a call."""
        self.done.append((call, text))
        self.waiting.remove(call)
        node = self.nodes[call.start]
        node.replace(sqlglot.parse_one(text, read=self.dialect))

    def probe(self, call: Call) -> Probe:
        """What asks about a call's arguments."""
        rest, first = self._from(call), self._with(call)
        return lambda texts: f"{first} SELECT {', '.join(texts)} {rest}".strip()

    def _select(self, call: Call) -> Any:
        node = self.nodes[call.start]
        found = node.find_ancestor(exp.Select, exp.SetOperation, exp.Update, exp.Delete)
        if not isinstance(found, exp.Select):
            raise wrong(
                "PREDICT cannot be looked through here; give it a name in a SELECT, and use that",
                self.statement,
                call.start,
            )
        return found

    def _from(self, call: Call) -> str:
        """The tables that a call sees, without the conditions that hold calls themselves."""
        select = self._select(call)
        node = self.nodes[call.start]
        parts = []
        for name in ("from_", "joins", "laterals"):
            for part in _listed(select.args.get(name)):
                if node in part.walk():
                    parts.append(_without(part, node).sql(self.dialect))
                else:
                    parts.append(part.sql(self.dialect))
        return " ".join(parts)

    def _with(self, call: Call) -> str:
        """The named queries that a call sees, as far as they can be asked already."""
        node = self.nodes[call.start]
        found: list[str] = []
        is_recursive = False
        above = node.parent
        while above is not None:
            clause = above.args.get("with_")
            if clause is not None:
                is_recursive = is_recursive or bool(clause.args.get("recursive"))
                mine = []
                for query in clause.expressions:
                    if node in query.walk():
                        break
                    mine.append(query.sql(self.dialect))
                found = [*mine, *found]
            above = above.parent
        if not found:
            return ""
        return f"WITH {'RECURSIVE ' if is_recursive else ''}{', '.join(found)}"


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _without(part: Any, node: Any) -> Any:
    """A copy of a join without the condition that a call stands in."""
    copy = part.copy()
    mark = node.meta.get("start")
    for join in [copy, *copy.find_all(exp.Join)]:
        condition = join.args.get("on")
        if condition is not None and any(
            each.meta.get("start") == mark for each in condition.find_all(exp.Anonymous)
        ):
            join.set("on", exp.true())
    return copy
