"""A plan's parts, each read, predicted and written aside by one of Spark's tasks.

Spark only says who does which part and brings back what was seen: rows go from file to file without
passing through Java. It takes files that executors see where the driver does: on one machine, on a
shared disk, in an object store. Each task looks first whether that is so, and where it is not
nothing is done; `engine` then has Spark read and write. What a task says is merged by the driver, so
that nothing is read twice.
"""

from __future__ import annotations

import os
import pickle
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from heddle.scoring import receipt
from heddle.scoring.parts import Aside, Written
from heddle.scoring.plan import Part
from heddle.scoring.spark import executor
from heddle.scoring.tables import Source


@dataclass(frozen=True, slots=True)
class Work:
    """What every task is told; ``sample_max`` bounds what it brings back of each column."""

    carried: executor.Carried
    source: Source
    aside: Aside
    kept: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    batch_rows: int
    sample_max: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a task saw of its part; ``who`` is the process that did it."""

    part: int
    rows: int
    schema: pa.Schema | None
    predictions: list[receipt.Summary]
    inputs: list[receipt.Summary]
    who: str
    walls: list[str]
    libraries: dict[str, str]
    path: str


def do(work: Work, parts: Iterable[Part]) -> Iterator[Said | None]:
    """Do parts; None for one whose files are not seen here.

    Raises what `executor.predict` does. A part that is asked to stop says what it did until then.
    """
    for part in parts:
        if not work.aside.is_seen():
            yield None
            continue
        written = Written(work.aside, work.kept, work.steps)
        try:
            yield _do(work, part, written)
        except FileNotFoundError:
            yield None
        finally:
            written.drop()


def _do(work: Work, part: Part, written: Written) -> Said:
    used = list(dict.fromkeys([*work.kept, *(column for _, column in work.steps)]))
    batches = work.source.read(part.pieces, used, work.batch_rows)
    with closing(executor.predict(work.carried, batches)) as predicted:
        for batch, given in predicted:
            written.add(part.index, batch, given)
            if work.aside.shall_stop():
                break
        else:
            written.finish()
    for summary in (*written.predictions, *written.inputs):
        summary.thin(work.sample_max)
    walls, libraries, path = executor.words_of(work.carried)
    return Said(
        part.index, written.rows, written.schema, written.predictions, written.inputs,
        f"{platform.node()} {os.getpid()}", walls, libraries, path,
    )  # fmt: skip


def do_numbered(
    work: Work, parts: Sequence[Part], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """As `do`, for parts by their place in the list; what it says is pickled."""
    for batch in batches:
        for at in batch.column(0).to_pylist():
            said = [pickle.dumps(each) for each in do(work, [parts[at]])]
            yield pa.RecordBatch.from_arrays([pa.array(said, pa.binary())], ["said"])
