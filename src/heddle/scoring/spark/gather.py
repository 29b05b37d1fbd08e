"""The driver's side of `tasks`: gives a plan's parts to Spark and gathers what was seen of them."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from heddle.errors import Conflict, Invalid
from heddle.scoring import local, receipt, tables
from heddle.scoring.parts import Aside
from heddle.scoring.plan import ROWS_PER_PART, Part, split
from heddle.scoring.spark import driver
from heddle.scoring.spark.tasks import Said, Work, do, do_numbered

FEWEST_ROWS: Final = 250_000
"""Rows of a part, where the table's own groups are not larger: enough to be worth a task."""
MANY_PARTS: Final = 64
FEWEST_SAMPLED: Final = 256
LOOKED_EVERY_S: Final = 0.2


class Unseen(Conflict):
    """An executor does not see the files that the driver does."""


class Tasks(local.Engine):
    """Applies a model to parts of a table in Spark's tasks; raises `Unseen` besides."""

    def __init__(self, spark: Any, cache: Path | None = None) -> None:
        self._spark = spark
        self._cache = cache
        self.name = f"spark {spark.version}"

    def split(self, source: tables.Source) -> tuple[Part, ...]:
        """As of every engine; smaller parts, so that there is one for everybody."""
        rows = max(0, tables.rows_of(source))
        return split(source.pieces, max(FEWEST_ROWS, min(ROWS_PER_PART, rows // MANY_PARTS)))

    def apply(
        self, prepared: local.Prepared, aside: Aside, todo: Sequence[Part], heard: local.Heard
    ) -> local.Applied:
        """As of every engine."""
        running = _Running(self._spark, self._work(prepared, aside, len(todo)), todo)
        try:
            while not running.wait(LOOKED_EVERY_S):
                done = aside.done()
                heard(sum(part.rows for part in todo if part.index in done))
        except BaseException:
            running.stop()
            raise
        said = running.result()
        return local.Applied(
            rows=sum(each.rows for each in said),
            predictions=_merged([each.predictions for each in said]),
            inputs=_merged([each.inputs for each in said]),
            processes=len({each.who for each in said}),
            walls=said[0].walls,
            libraries=said[0].libraries,
            path=said[0].path,
        )

    def _work(self, prepared: local.Prepared, aside: Aside, count: int) -> Work:
        plan, schema, steps = prepared.plan, prepared.source.schema, prepared.verdict.steps
        kept = local.kept_columns(plan, schema)
        used = sorted({*kept, *(step.column for step in steps)})
        return Work(
            carried=driver.carried_for_table(self._spark, prepared, self._cache),
            source=prepared.source,
            aside=aside,
            kept=tuple(kept),
            steps=tuple((step.name, step.column) for step in steps),
            batch_rows=plan.batch_rows or tables.rows_in_batch(schema, used),
            sample_max=max(FEWEST_SAMPLED, 2 * receipt.SAMPLE_MAX // count),
        )


class _Running:
    """Parts that Spark is doing, asked for in a thread of their own."""

    def __init__(self, spark: Any, work: Work, parts: Sequence[Part]) -> None:
        self._spark = spark
        self._ask = self._by_frames if driver.is_connect(spark) else self._by_lists
        self._work = work
        self._parts = parts
        self._said: list[Said | None] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="heddle-spark")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._said = self._ask()
        except BaseException as error:  # noqa: BLE001 -- it is raised where somebody listens
            self._error = error

    def _by_lists(self) -> list[Said | None]:
        """Past Spark's tables, whose planner alone takes longer than many a part."""
        parts = self._spark.sparkContext.parallelize(list(self._parts), len(self._parts))
        said: list[Said | None] = parts.mapPartitions(partial(do, self._work)).collect()
        return said

    def _by_frames(self) -> list[Said | None]:
        """As far as a client of Spark Connect can ask."""
        count = len(self._parts)
        frame = self._spark.range(0, count, 1, count)
        asked = partial(do_numbered, self._work, tuple(self._parts))
        rows = frame.mapInArrow(asked, "said binary").collect()
        return [pickle.loads(row[0]) for row in rows]  # noqa: S301 -- as Spark's own collect

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Have the tasks end, and wait for it."""
        self._work.aside.ask_to_stop()
        self._thread.join()

    def result(self) -> list[Said]:
        """What was said of every part, in order; raises `Unseen`, and what Spark raised."""
        if self._error is not None:
            raise self._error
        said = [each for each in self._said if each is not None]
        if len(said) < len(self._parts):
            raise Unseen("Executors do not see the files of this plan where the driver does.")
        said.sort(key=lambda each: each.part)
        self._check_columns(said)
        return said

    def _check_columns(self, said: Sequence[Said]) -> None:
        """Raise ``Invalid`` if parts differ in their columns."""
        seen = [each for each in said if each.schema is not None]
        for each in seen:
            if each.schema != seen[0].schema:
                raise Invalid(
                    "The model predicts other columns or types in one part of the table than in"
                    f" another: {_words(seen[0].schema)}; {_words(each.schema)}. Log it with a"
                    " signature for its output."
                )


def _words(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def _merged(found: Sequence[Sequence[receipt.Summary]]) -> list[receipt.Summary]:
    """The summaries of all parts, column by column."""
    filled = [each for each in found if each]
    if not filled:
        return []
    whole = list(filled[0])
    for more in filled[1:]:
        for summary, other in zip(whole, more, strict=True):
            summary.merge(other)
    return whole
