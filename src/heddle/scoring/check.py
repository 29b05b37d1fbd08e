"""The schema verdict: whether a table can be what a model takes, said whole before the first row.

Everything that is wrong is listed at once: columns that are missing (with the nearest names),
mistyped (with the cast that would lose nothing, if there is one), params and mappings that the
model does not know. What is extra is named too. Nothing is cast that nobody accepted, and nothing
is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

import pyarrow as pa

from heddle.errors import Invalid
from heddle.scoring.plan import ALL
from heddle.scoring.signature import Column, Signature, is_list, is_taken, offered_cast

LISTED_MAX: Final = 50
NEAR: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """How one of the model's columns is made: from which column, cast to what (empty: as it is)."""

    name: str
    column: str
    cast: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``nearest`` are the table's names most like it; ``cast`` is offered.

    ``kind`` ``unknown`` is a mapping or cast for a column that the model does not have.
    """

    kind: Literal["missing", "mistyped", "unmapped", "unknown", "param", "clash"]
    column: str
    words: str
    nearest: tuple[str, ...] = ()
    cast: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: the steps that make the model's columns, or the problems that prevent it."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...] = ()
    extra: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Whether scoring may begin."""
        return not self.problems

    @property
    def casts(self) -> dict[str, str]:
        """The casts that were accepted, by the model's column."""
        return {step.name: step.cast for step in self.steps if step.cast}

    def words(self) -> str:
        """All problems, one a line, and what to do about them."""
        lines = [f"  - {problem.words}" for problem in self.problems[:LISTED_MAX]]
        if len(self.problems) > LISTED_MAX:
            lines.append(f"  - and {len(self.problems) - LISTED_MAX} more")
        offered = [problem.column for problem in self.problems if problem.cast]
        if offered:
            lines.append(
                f"To accept the casts: --cast {' --cast '.join(offered[:8])}, or --cast '*'."
            )
        if any(problem.kind == "missing" for problem in self.problems):
            lines.append(
                "To take a column of another name: --map MODEL_COLUMN=TABLE_COLUMN"
                " (mapping={...} in Python)."
            )
        return "\n".join(lines)


class SchemaRefused(Invalid):
    """The table is not what the model takes; ``verdict`` holds everything that is wrong."""

    def __init__(self, verdict: Verdict, title: str) -> None:
        super().__init__(f"{title} cannot be applied to this table:\n{verdict.words()}")
        self.verdict = verdict


def check(
    signature: Signature,
    table: pa.Schema,
    *,
    mapping: Mapping[str, str],
    casts: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
) -> Verdict:
    """Compare what a model takes with what a table holds; never raises."""
    problems = [*_params(signature, params or {})]
    warnings: list[str] = []
    columns = signature.inputs
    if signature.origin != "signature":
        warnings.append(_unsigned(signature))
    if columns is None:
        columns = _as_they_are(table, mapping)
    elif not signature.is_named:
        columns = _by_position(columns, table, mapping)
    names = [column.name for column in columns]
    for known in (*mapping, *(name for name in casts if name != ALL)):
        if known not in names:
            near = _nearest(known, names)
            words = f"the model has no column '{known}'{_like(near)}"
            problems.append(Problem("unknown", known, words, near))
    steps, absent = [], []
    for column in columns:
        found = _step(column, table, mapping, casts)
        if isinstance(found, Problem):
            problems.append(found)
        elif found is None:
            absent.append(column.name)
        else:
            steps.append(found)
    used = {step.column for step in steps}
    extra = tuple(name for name in table.names if name not in used)
    return Verdict(tuple(steps), tuple(problems), extra, tuple(absent), tuple(warnings))


def require(verdict: Verdict, title: str) -> None:
    """Raise ``SchemaRefused`` unless scoring may begin."""
    if not verdict.is_ok:
        raise SchemaRefused(verdict, title)


def _unsigned(signature: Signature) -> str:
    if signature.inputs is not None:
        names = ", ".join(column.name for column in signature.inputs[:20])
        return (
            "This model has no signature: its columns are those of its input example"
            f" ({names}), and their types are not checked."
        )
    return (
        "This model has neither signature nor input example: it is given all columns of the table"
        " as they are, and nothing is checked. Log it with signature= to have that."
    )


def _as_they_are(table: pa.Schema, mapping: Mapping[str, str]) -> tuple[Column, ...]:
    """Every column of the table under its own name, or the one that it is mapped to."""
    renamed = {column: name for name, column in mapping.items()}
    return tuple(Column(renamed.get(name, name), "any") for name in table.names)


def _by_position(
    columns: tuple[Column, ...], table: pa.Schema, mapping: Mapping[str, str]
) -> tuple[Column, ...]:
    """What an unnamed tensor takes: one column of lists, or a column for each number in a row.

    Columns are named 0, 1, ... and are the table's in its order unless they are mapped.
    """
    tensor = columns[0]
    if tensor.kind != "tensor":
        return columns
    lists = [field for field in table if is_list(field.type) or _is_extension(field.type)]
    wide = tensor.shape[0] if len(tensor.shape) == 1 else 1
    mapped = [name for name in mapping if name.isdigit()]
    if len(mapping) == 1 and mapped == ["0"] and wide != 1:
        return (tensor,)
    if (len(lists) == 1 and len(table) == 1) or len(tensor.shape) != 1:
        return (tensor,)
    if wide == -1:
        wide = len(mapped) or len(table)
    return tuple(Column(str(at), "tensor", True, (), tensor.dtype) for at in range(wide))


def _is_extension(given: pa.DataType) -> bool:
    return isinstance(given, pa.BaseExtensionType)


def _step(
    column: Column, table: pa.Schema, mapping: Mapping[str, str], casts: Sequence[str]
) -> Step | Problem | None:
    """How a column is made, what prevents it, or None for an optional one that is not there."""
    name = mapping.get(column.name, column.name)
    at = table.get_field_index(name)
    if at < 0 and column.kind == "tensor" and column.name.isdigit() and column.name not in mapping:
        at = int(column.name) if int(column.name) < len(table) else -1
    if at < 0:
        if not column.is_required and column.name not in mapping:
            return None
        near = _nearest(name, table.names)
        many = table.names.count(name)
        why = "is there more than once" if many > 1 else "is not there"
        words = f"column '{name}' ({column.words}) {why}{_like(near)}"
        return Problem("missing", column.name, words, near)
    field = table.field(at)
    if column.kind == "tensor":
        return _tensor_step(column, field)
    if is_taken(column.kind, field.type):
        is_coded = pa.types.is_dictionary(field.type) and column.kind != "any"
        # Kept as a dictionary, pandas would make categories of it, which pyfunc does not take.
        return Step(column.name, field.name, str(field.type.value_type) if is_coded else "")
    cast = offered_cast(column.kind, field.type)
    if cast and (ALL in casts or column.name in casts):
        return Step(column.name, field.name, cast)
    words = f"column '{field.name}' is {field.type}, and the model takes {column.words}"
    if cast:
        words += f"; it can be cast to {cast} if no value changes"
    return Problem("mistyped", column.name, words, cast=cast)


def _tensor_step(column: Column, field: pa.Field) -> Step | Problem:
    inner = field.type.storage_type if _is_extension(field.type) else field.type
    while is_list(inner):
        inner = inner.value_type
    is_number = pa.types.is_integer(inner) or pa.types.is_floating(inner)
    fits = is_number or pa.types.is_boolean(inner) or column.dtype in ("str", "object")
    if not fits or (column.shape and not is_list(field.type) and not _is_extension(field.type)):
        if len(column.shape) == 1 and column.shape[0] == 1 and fits:
            return Step(column.name, field.name)
        return Problem(
            "mistyped",
            column.name,
            f"column '{field.name}' is {field.type}, and the model takes {column.words}",
        )
    return Step(column.name, field.name)


def _params(signature: Signature, params: Mapping[str, Any]) -> Iterable[Problem]:
    names = [param.name for param in signature.params]
    for name in params:
        if name not in names:
            near = _nearest(name, names)
            known = f"; it has {', '.join(names)}" if names and not near else _like(near)
            none = "" if names else "; it takes none"
            yield Problem("param", name, f"the model has no param '{name}'{known}{none}", near)


def _nearest(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names most like this one, in any case and with any signs between words."""
    plain: dict[str, str] = {}
    for other in names:
        plain.setdefault(_plain(other), other)
    found = get_close_matches(_plain(name), list(plain), n=NEAR, cutoff=0.6)
    return tuple(plain[each] for each in found)


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _like(near: Sequence[str]) -> str:
    return f" (nearest: {', '.join(near)})" if near else ""
