"""What a call of PREDICT is given: its model, columns and params, checked before the first row.

The same for every engine that runs statements. Columns are given by name where they are named as the
model's are, else in the model's order; ``name := value`` sets a param or names a column. An engine
says what its database makes of expressions and how it calls a model; the rest is here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from heddle.errors import HeddleError
from heddle.scoring import local, models, tables
from heddle.scoring.calls import Argument, Call, Probe, find_calls, wrong
from heddle.scoring.check import SchemaRefused
from heddle.scoring.plan import Input, Limits, Model, Output, Plan
from heddle.scoring.signature import Signature, read_model

IN_SQL: Final = "sql"
Step = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Choices:
    """How models are found and run; as of ``heddle predict``."""

    home: models.Home | None = None
    cache: Path | None = None
    workspace: str = "default"
    casts: tuple[str, ...] = ()
    env: str = "current"
    processes: int = 0
    limits: Limits = field(default_factory=Limits)
    allow_suspicious: bool = False


class NotTaken(Exception):
    """The database refuses an expression; the message is its own."""


class Statement(ABC):
    """A statement whose calls of PREDICT are replaced, on an engine's database."""

    def __init__(self, choices: Choices, text: str) -> None:
        self.choices = choices
        self.statement = text
        self.warnings: list[str] = []

    @abstractmethod
    def constant(self, text: str) -> Any:
        """The value of an expression that sees no rows; raises ``NotTaken``."""

    @abstractmethod
    def schema_of(self, statement: str) -> pa.Schema:
        """The columns of a statement, without running it; raises ``NotTaken``."""

    @abstractmethod
    def quoted(self, name: str) -> str:
        """A column's name as the database reads it."""

    @abstractmethod
    def function(
        self,
        prepared: local.Prepared,
        expressions: Sequence[str],
        used: Sequence[str],
        probe: Probe,
    ) -> str:
        """The name of a function that predicts from columns called ``used``."""

    def replace(self, call: Call, texts: Sequence[str], probe: Probe) -> str:
        """Make the function that a call becomes, and the text that calls it."""
        model = Model(uri=call.model, workspace=self.choices.workspace)
        try:
            _, found, folder = models.fetch(self.choices.home, model, self.choices.cache)
            info = read_model(folder)
        except HeddleError as error:
            raise wrong(error.message, self.statement, call.start) from None
        params, given = self._split(call, texts, info.signature)
        schema, columns = self._columns(call, given, info.signature, probe)
        plan = Plan(
            model=model,
            input=Input(address=IN_SQL),
            output=Output(address=IN_SQL),
            params=params,
            casts=(*self.choices.casts, *_decimals(schema)),
            env=self.choices.env,  # type: ignore[arg-type]
            processes=self.choices.processes,
            limits=self.choices.limits,
            allow_suspicious=self.choices.allow_suspicious,
        )
        source = tables.InMemory(schema, (), 0)
        prepared = local.prepare(
            plan, home=self.choices.home, cache=self.choices.cache, source=source
        )
        if not prepared.verdict.is_ok:
            refused = SchemaRefused(prepared.verdict, found.title)
            raise wrong(refused.message, self.statement, call.start)
        local.refuse_suspicious(prepared)
        self.warnings += [*local.library_warnings(prepared), *prepared.verdict.warnings]
        used = list(dict.fromkeys(step.column for step in prepared.verdict.steps))
        name = self.function(prepared, [columns[column] for column in used], used, probe)
        return f"{name}({', '.join(columns[column] for column in used)})"

    def _split(
        self, call: Call, texts: Sequence[str], signature: Signature
    ) -> tuple[dict[str, Any], list[tuple[Argument, str]]]:
        """Params by name, and the arguments that are columns."""
        known = {param.name.lower(): param.name for param in signature.params}
        columns = {column.name.lower() for column in signature.inputs or ()}
        params: dict[str, Any] = {}
        given = []
        for argument, text in zip(call.arguments, texts, strict=True):
            name = argument.name.lower()
            if name and name in known and name not in columns:
                params[known[name]] = self._constant(text, argument)
            elif name and name not in columns:
                listed = ", ".join([*known.values(), *sorted(columns)]) or "none"
                raise wrong(
                    f"'{call.model}' has neither a param nor a column '{argument.name}'; it has"
                    f" {listed}",
                    self.statement,
                    argument.start,
                )
            else:
                given.append((argument, text))
        return params, given

    def _constant(self, text: str, argument: Argument) -> Any:
        try:
            value = self.constant(text)
        except NotTaken:
            raise wrong(
                f"The param '{argument.name}' needs a value that does not depend on the rows",
                self.statement,
                argument.start,
            ) from None
        is_plain = value is None or isinstance(value, bool | int | float | str | list | dict)
        return value if is_plain else float(str(value))

    def _columns(
        self,
        call: Call,
        given: Sequence[tuple[Argument, str]],
        signature: Signature,
        probe: Probe,
    ) -> tuple[pa.Schema, dict[str, str]]:
        """What the call is given as a table, and the expression behind each of its columns."""
        fields: list[pa.Field] = []
        columns: dict[str, str] = {}
        spelt = {column.name.lower(): column.name for column in signature.inputs or ()}
        plain = [argument for argument, _ in given if not argument.is_star and not argument.name]
        names = _names(plain, signature)
        for argument, text in given:
            found = self._describe(call, argument, text, probe)
            if argument.is_star:
                prefix = text.rpartition("*")[0] if text.rstrip().endswith(".*") else ""
                shown = [(each.name, f"{prefix}{self.quoted(each.name)}") for each in found]
            else:
                named = spelt.get(argument.name.lower(), argument.name)
                shown = [(named or names[argument.start], text)]
            for each, (name, expression) in zip(found, shown, strict=True):
                if name not in columns:
                    fields.append(each.with_name(name))
                columns.setdefault(name, expression)
        inputs = signature.inputs if signature.is_named else None
        if any(argument.is_star for argument, _ in given) and inputs is not None:
            fields, columns = _like_model(fields, columns, [column.name for column in inputs])
        return pa.schema(fields), columns

    def _describe(self, call: Call, argument: Argument, text: str, probe: Probe) -> list[pa.Field]:
        try:
            found = self.schema_of(f"{probe([text])} LIMIT 0")
        except NotTaken as error:
            raise wrong(
                f"PREDICT('{call.model}', ...) cannot be given {text}: {error}",
                self.statement,
                argument.start,
            ) from None
        return list(found)


def _decimals(schema: pa.Schema) -> list[str]:
    """Columns of decimals: that is what SQL makes of 1.5, so they become floats unasked."""
    return [field.name for field in schema if pa.types.is_decimal(field.type)]


def _names(plain: Sequence[Argument], signature: Signature) -> dict[int, str]:
    """The name of each plain argument, by where it starts: its own, or the model's by order."""
    inputs = [column.name for column in signature.inputs or ()]
    known = {name.lower(): name for name in inputs}
    if all(argument.column.lower() in known for argument in plain) or not inputs:
        return {
            each.start: known.get(each.column.lower(), each.column or f"column_{at}")
            for at, each in enumerate(plain)
        }
    ordered = [*inputs, *(f"column_{at}" for at in range(len(inputs), len(plain)))]
    return {each.start: name for each, name in zip(plain, ordered, strict=False)}


def _like_model(
    fields: Sequence[pa.Field], columns: Mapping[str, str], inputs: Sequence[str]
) -> tuple[list[pa.Field], dict[str, str]]:
    """Columns under the model's spelling: SQL does not tell ``Age`` from ``age``, models do."""
    there = set(columns)
    spelt = {name.lower(): name for name in inputs if name not in there}
    renamed = {name: spelt.get(name.lower(), name) for name in columns}
    return (
        [each.with_name(renamed[each.name]) for each in fields],
        {renamed[name]: text for name, text in columns.items()},
    )


def find_home(statement: str, dialect: str, server: str, data: str) -> models.Home | None:
    """The home of a statement's models; none is looked for where all are folders."""
    found = [models.parse(call.model) for call in find_calls(statement, dialect)]
    if all(named.folder for named in found):
        return None
    return models.find_home(server, data)
