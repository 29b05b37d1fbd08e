"""SQL with PREDICT on Spark: ``sql(spark, "SELECT id, PREDICT('diabetes/3', *) AS y FROM t")``.

Each call becomes a function that the session keeps under a name made from what it does, so that
views and DataFrames of Spark Connect, which are read when they are run, find it again. Nothing else
need be made beforehand.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException

from heddle.errors import Invalid
from heddle.scoring import local
from heddle.scoring.arguments import Choices, NotTaken, Statement, find_home
from heddle.scoring.calls import Probe, rewrite
from heddle.scoring.spark import driver, functions, types


def sql(
    spark: Any,
    statement: str,
    *,
    workspace: str = "default",
    server: str = "",
    data: str = "",
    casts: Sequence[str] = (),
    allow_suspicious: bool = False,
) -> Any:
    """The DataFrame of a statement of Spark's SQL in which PREDICT applies models.

    Args:
        spark: the session whose tables and views the statement names.
        statement: with ``PREDICT('name/3', *)`` anywhere, as for ``heddle sql``.
        workspace: where the models are.
        server: a Heddle server's address; HEDDLE_URL or MLFLOW_TRACKING_URI unless told.
        data: a data folder, instead of a server.
        casts: the model's columns for which an offered cast is accepted; ``["*"]`` for all.
        allow_suspicious: apply versions whose files a scan found suspicious.

    Raises ``Invalid`` with a position for what is wrong in the statement or does not fit a model, and
    what finding a model raises; what Spark itself refuses stays Spark's own exception.
    """
    choices = Choices(
        home=find_home(statement, "spark", server, data),
        workspace=workspace,
        casts=tuple(casts),
        allow_suspicious=allow_suspicious,
    )
    session = _Session(spark, choices, statement)
    text = rewrite(statement, "spark", session.replace)
    for words in dict.fromkeys(session.warnings):
        warnings.warn(words, stacklevel=2)
    return spark.sql(text)


class _Session(Statement):
    """One statement on one session."""

    def __init__(self, spark: Any, choices: Choices, text: str) -> None:
        super().__init__(choices, text)
        self.spark = spark

    def constant(self, text: str) -> Any:
        """As `Statement.constant`."""
        try:
            return self.spark.sql(f"SELECT {text}").first()[0]
        except PySparkException as error:
            raise NotTaken(_first_line(error)) from None

    def schema_of(self, statement: str) -> pa.Schema:
        """As `Statement.schema_of`."""
        try:
            return types.table_schema(self.spark.sql(statement).schema)
        except PySparkException as error:
            raise NotTaken(_first_line(error)) from None

    def quoted(self, name: str) -> str:
        """As `Statement.quoted`."""
        return driver.quoted(name)

    def function(
        self,
        prepared: local.Prepared,
        expressions: Sequence[str],
        used: Sequence[str],
        probe: Probe,
    ) -> str:
        """As `Statement.function`; the session has it from then on."""
        if not used:
            raise Invalid(f"{prepared.title} takes no columns, so SQL cannot call it.")
        asked = [
            f"{text} AS {driver.quoted(name)}" for text, name in zip(expressions, used, strict=True)
        ]
        ready = driver.ready(
            self.spark, prepared, self.choices.cache, lambda: self.spark.sql(probe(asked))
        )
        named = [ready.carried.key, ready.carried.steps, ready.schema, list(used)]
        name = f"heddle_predict_{hashlib.sha256(repr(named).encode()).hexdigest()[:24]}"
        self.spark.udf.register(name, functions.function(ready, used))
        return name


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
