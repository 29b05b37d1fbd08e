"""The engine on one machine: reading, predicting in child processes, writing, all at once.

One thread reads batches, one for each child hands them over and takes predictions back, and the
calling thread puts them in order and writes. How many batches are under way is bounded, so memory
does not grow with the table. Rows keep their order. The verdict comes before the first row; the
output is made in one last step or not at all; parts that a broken job finished are not done again.
A child that was killed from outside is replaced and its batches are predicted again.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa

from heddle.errors import Conflict, HeddleError, Invalid
from heddle.scoring import environments, models, receipt, tables
from heddle.scoring.check import Verdict, check, require
from heddle.scoring.children import Child
from heddle.scoring.confined import ChildDied, ModelFailed
from heddle.scoring.parts import Aside, PartFile, Written
from heddle.scoring.plan import PREDICTIONS, Limits, Part, Plan, split
from heddle.scoring.plan import check as check_plan
from heddle.scoring.predictor import Refused, feed
from heddle.scoring.signature import ARROW, ModelInfo, Signature, read_model
from heddle.scoring.targets import Target

TOLD_EVERY_S: Final = 0.2
REPLACED_MAX: Final = 2
"""How often a child that died under its work is replaced before the job fails."""
POLL_S: Final = 0.1
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;,]+).*")


class Cancelled(Conflict):
    """Somebody asked this work to stop; nothing of it can be seen."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. ``rows`` of ``total`` (-1: nobody knows) are written aside.

    ``left_s`` is the time left in seconds, None while it cannot be said.
    """

    stage: str
    rows: int = 0
    total: int = -1
    rows_per_s: float = 0.0
    left_s: float | None = None


@dataclass(slots=True)
class Prepared:
    """A plan whose model is here and whose input is open: all that is known before the first row."""

    plan: Plan
    model: Any
    folder: Path
    info: ModelInfo
    source: tables.Source
    verdict: Verdict
    title: str
    label: str = ""
    python: str = ""


def prepare(
    plan: Plan,
    *,
    home: models.Home | None = None,
    cache: Path | None = None,
    source: tables.Source | None = None,
) -> Prepared:
    """Check a plan, fetch its model, open its input, compare them; predicts nothing.

    Raises ``Invalid``, ``NotFound``, ``Unavailable``, ``Corrupt``; a table that does not fit is in
    the verdict, so that it can be shown.
    """
    check_plan(plan)
    model, found, folder = models.fetch(home, plan.model, cache)
    info = read_model(folder)
    opened = source or tables.open_source(plan.input, wanted_types(info.signature, plan.mapping))
    verdict = check(
        info.signature, opened.schema, mapping=plan.mapping, casts=plan.casts, params=plan.params
    )
    made = Prepared(plan, model, folder, info, opened, verdict, found.title, found.label)
    if plan.env == "uv" and verdict.is_ok:
        made.python = environments.python_of(info, cache or models.cache_folder())
    return made


def wanted_types(signature: Signature, mapping: Mapping[str, str]) -> dict[str, pa.DataType]:
    """The types that a model wants for a table's columns, for formats that know none."""
    return {
        mapping.get(column.name, column.name): ARROW[column.kind]
        for column in signature.inputs or ()
        if column.kind in ARROW and signature.origin == "signature"
    }


@dataclass(slots=True)
class _Batch:
    """A batch under way: its place in the order, its part, its rows."""

    number: int
    part: int
    rows: pa.RecordBatch
    predicted: pa.RecordBatch | None = None


@dataclass(slots=True)
class _Shared:
    """What the threads share: the first failure stops them all."""

    todo: queue.Queue[_Batch | None]
    done: queue.Queue[_Batch | BaseException]
    room: threading.Semaphore
    stop: threading.Event = field(default_factory=threading.Event)
    ready: list[Child] = field(default_factory=list)


class Stream:
    """Predictions for a stream of batches, in order, from several children.

    ``steps`` make the model's columns of a batch. Iterating gives pairs: the part and batch that was
    read, and its predictions. Used in a ``with``, which ends the children.
    """

    def __init__(
        self,
        folder: Path,
        steps: Sequence[tuple[str, str, str]],
        *,
        count: int,
        params: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
        limits: Limits | None = None,
        python: str = "",
        is_fast: bool = True,
    ) -> None:
        self._folder = folder
        self._steps = steps
        self.count = count
        self._given: dict[str, Any] = {
            "params": dict(params or {}) or None,
            "names": tuple(names),
            "limits": limits or Limits(),
            "threads": max(1, (os.cpu_count() or 1) // count),
            "is_fast": is_fast,
        }
        if python:
            self._given["python"] = python
        waiting = 2 * count + 2
        self._shared = _Shared(
            queue.Queue(), queue.Queue(), threading.Semaphore(waiting + 2 * count)
        )
        self._threads: list[threading.Thread] = []
        self.walls: list[str] = []
        self.libraries: dict[str, str] = {}
        self.path = ""
        self.loaded_ms = 0

    def __enter__(self) -> Self:
        for at in range(self.count):
            self._begin(self._attend, f"heddle-child-{at}")
        return self

    def __exit__(self, *_: object) -> None:
        self._shared.stop.set()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: Callable[..., None], name: str, *given: Any) -> None:
        thread = threading.Thread(target=work, args=given, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def run(
        self, batches: Iterator[tuple[int, pa.RecordBatch]]
    ) -> Iterator[tuple[int, pa.RecordBatch, pa.RecordBatch]]:
        """Part, batch and predictions for each batch, in order; raises what a thread raised."""
        shared = self._shared
        self._begin(self._read, "heddle-reader", batches)
        held: dict[int, _Batch] = {}
        number, ended = 0, 0
        while ended < self.count or number in held:
            if number in held:
                batch = held.pop(number)
                number += 1
                shared.room.release()
                assert batch.predicted is not None  # noqa: S101 -- it came back
                yield batch.part, batch.rows, batch.predicted
                continue
            try:
                came = shared.done.get(timeout=POLL_S)
            except queue.Empty:
                if shared.stop.is_set():
                    return
                continue
            if isinstance(came, _Ended):
                ended += 1
            elif isinstance(came, BaseException):
                raise came
            else:
                held[came.number] = came

    def stop(self) -> None:
        """Have every thread end as soon as it can."""
        self._shared.stop.set()

    def _read(self, batches: Iterator[tuple[int, pa.RecordBatch]]) -> None:
        shared = self._shared
        try:
            for number, (part, rows) in enumerate(batches):
                while not shared.room.acquire(timeout=POLL_S):
                    if shared.stop.is_set():
                        return
                shared.todo.put(_Batch(number, part, rows))
        except BaseException as error:  # noqa: BLE001 -- it is raised where somebody listens
            shared.done.put(error)
        finally:
            for _ in range(self.count):
                shared.todo.put(None)

    def _attend(self) -> None:
        """Hold one child: from its start in this thread to its end."""
        shared = self._shared
        child: Child | None = None
        waiting: list[_Batch] = []
        replaced = 0
        try:
            child = self._child()
            while not shared.stop.is_set():
                try:
                    if not self._step(child, waiting):
                        break
                except ChildDied:
                    replaced += 1
                    if replaced > REPLACED_MAX:
                        raise
                    child.close()
                    child = self._child()
                    for batch in waiting:
                        child.send(feed(batch.rows, self._steps))
            shared.done.put(_Ended())
        except Refused as error:
            shared.done.put(Invalid(str(error)))
        except BaseException as error:  # noqa: BLE001 -- it is raised where somebody listens
            shared.done.put(error)
        finally:
            if child is not None:
                # One that came too late for any batch cannot say which way was taken.
                self.path = child.path or self.path
                child.close()

    def _child(self) -> Child:
        child = Child(self._folder, **self._given)
        self.walls, self.libraries = child.walls, child.libraries
        self.loaded_ms = self.loaded_ms or time.time_ns() // 1_000_000
        return child

    def _step(self, child: Child, waiting: list[_Batch]) -> bool:
        """Hand over a batch or take one back; False when there is no more to do."""
        shared = self._shared
        batch: _Batch | None = None
        if len(waiting) < 2:
            try:
                # With one under way there is something better to do than to wait.
                batch = shared.todo.get(block=not waiting, timeout=POLL_S)
            except queue.Empty:
                if not waiting:
                    return True
            else:
                if batch is None and not waiting:
                    return False
                if batch is None:
                    shared.todo.put(None)
        if batch is not None:
            waiting.append(batch)
            child.send(feed(batch.rows, self._steps))
            return True
        predicted = child.receive()
        first = waiting.pop(0)
        if predicted.num_rows != first.rows.num_rows:
            raise ModelFailed(
                f"The model gave {predicted.num_rows} predictions for {first.rows.num_rows} rows."
            )
        first.predicted = predicted
        shared.done.put(first)
        return True


class _Ended(Exception):
    """A thread has no more to do."""


Batches = Callable[..., Iterator[tuple[int, pa.RecordBatch]]]


@contextmanager
def open_stream(prepared: Prepared, rows: int) -> Iterator[tuple[Stream, Batches]]:
    """Children for a prepared plan, as many as ``rows`` (-1: nobody knows) are worth.

    With them comes what reads the input: a function of the columns to keep and, unless it is all,
    the parts to read.
    """
    plan, source, steps = prepared.plan, prepared.source, prepared.verdict.steps
    fed = [step.column for step in steps]
    held = set(fed) | set(
        source.schema.names if plan.output.columns is None else plan.output.columns
    )
    size = plan.batch_rows or tables.rows_in_batch(
        source.schema, sorted(held & set(source.schema.names))
    )
    count = plan.processes or (os.cpu_count() or 1)
    if 0 <= rows < size * count:
        count = max(1, min(count, -(-rows // size)))

    def batches(
        kept: Sequence[str], parts: Sequence[Part] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        used = list(dict.fromkeys([*kept, *fed]))
        every = [Part(index=0, pieces=source.pieces)] if parts is None else parts
        total = tables.rows_of(source)
        for part in every:
            read = source.read(part.pieces, used, size)
            if total >= 0 and not plan.batch_rows:
                read = tables.tapered(read, tables.rows_before(source, part.pieces), total)
            for batch in read:
                if batch.num_rows:
                    yield part.index, batch

    with Stream(
        prepared.folder,
        [(step.name, step.column, step.cast) for step in steps],
        count=count,
        params=plan.params,
        names=plan.output.predictions,
        limits=plan.limits,
        python=prepared.python,
    ) as stream:
        yield stream, batches


def predicted_fields(prepared: Prepared) -> list[pa.Field]:
    """The columns of predictions as far as they are known without predicting."""
    outputs = prepared.info.signature.outputs
    names = prepared.plan.output.predictions or tuple(
        column.name for column in outputs if column.name
    )
    names = names or (PREDICTIONS,)
    kinds = [ARROW.get(column.kind, pa.float64()) for column in outputs]
    kinds += [pa.float64()] * (len(names) - len(kinds))
    return [pa.field(name, kind) for name, kind in zip(names, kinds, strict=False)]


# ---- a whole plan ----------------------------------------------------------------------------


def new_job() -> str:
    """An id for work that nobody gave one."""
    return uuid.uuid4().hex


def run(
    plan: Plan,
    *,
    job: str = "",
    home: models.Home | None = None,
    cache: Path | None = None,
    staging: Path | None = None,
    tell: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    prepared: Prepared | None = None,
    engine: Engine | None = None,
) -> receipt.Receipt:
    """Run a plan to its end and write its output; the same ``job`` again goes on or does nothing.

    ``tell`` hears of progress a few times a second, from this thread; setting ``cancel`` ends it
    with ``Cancelled``. Parts are kept in ``staging`` (beside the output unless told) when it fails,
    for the job to go on. They are done by ``engine``, children of this process unless told. Raises
    ``SchemaRefused`` before the first row, ``ModelFailed``, ``Invalid``, ``NotFound``,
    ``AlreadyExists``, ``Unavailable``.
    """
    say = tell or _unheard
    job = job or new_job()
    started_ms = time.time_ns() // 1_000_000
    if prepared is None:
        say(Progress("preparing"))
        prepared = prepare(plan, home=home, cache=cache)
    require(prepared.verdict, prepared.title)
    refuse_suspicious(prepared)
    target = Target(plan.output, job, staging)
    made = _Run(prepared, job, target, say, cancel or threading.Event(), engine or Engine())
    made.receipt.started_ms = started_ms
    return made.run()


def _unheard(_: Progress) -> None:
    """Progress that nobody asked for."""


def refuse_suspicious(prepared: Prepared) -> None:
    """Raise ``Invalid`` for a model that a scan found suspicious, unless the plan allows it."""
    refuse_label(prepared.label, prepared.title, prepared.plan)


def refuse_label(label: str, title: str, plan: Plan) -> None:
    """As `refuse_suspicious`, for what a scan has just said."""
    if label == "suspicious" and not plan.allow_suspicious:
        raise Invalid(
            f"{title} holds files that a scan found suspicious, so it is not loaded. Look"
            " at the findings on its page; to load it all the same: --allow-suspicious."
        )


@dataclass(slots=True)
class Applied:
    """What an engine says of the parts that it did."""

    rows: int = 0
    predictions: list[receipt.Summary] = field(default_factory=list)
    inputs: list[receipt.Summary] = field(default_factory=list)
    processes: int = 0
    walls: list[str] = field(default_factory=list)
    libraries: dict[str, str] = field(default_factory=dict)
    path: str = ""
    loaded_ms: int = 0


Heard = Callable[[int], None]
"""What an engine tells how many rows it has done, now and then; raises ``Cancelled``."""


class Engine:
    """Applies a model to parts of a table, each written aside: here, in children of this process."""

    name: str = "local"

    def split(self, source: tables.Source) -> tuple[Part, ...]:
        """The parts of a table; the same for the same table."""
        return split(source.pieces)

    def apply(
        self, prepared: Prepared, aside: Aside, todo: Sequence[Part], heard: Heard
    ) -> Applied:
        """Do these parts; raises what a model or a table fails with, and what ``heard`` raises."""
        rows = -1 if -1 in (each.rows for each in todo) else sum(each.rows for each in todo)
        written = written_of(prepared, aside)
        with open_stream(prepared, rows) as (stream, batches):
            try:
                for part, batch, predicted in stream.run(batches(written.kept, todo)):
                    written.add(part, batch, predicted)
                    heard(written.rows)
                written.finish()
            except BaseException:
                with suppress(Exception):
                    written.drop()
                raise
        return Applied(
            written.rows, written.predictions, written.inputs, stream.count, stream.walls,
            stream.libraries, stream.path, stream.loaded_ms,
        )  # fmt: skip


def written_of(prepared: Prepared, aside: Aside) -> Written:
    """Where rows and predictions of a prepared plan go."""
    kept = kept_columns(prepared.plan, prepared.source.schema)
    return Written(aside, kept, [(step.name, step.column) for step in prepared.verdict.steps])


def go_on(cancel: threading.Event) -> None:
    """Raise ``Cancelled`` if this work shall stop."""
    if cancel.is_set():
        raise Cancelled("This work was cancelled; nothing of it was written.")


class _Run:
    """One run of one plan."""

    def __init__(
        self,
        prepared: Prepared,
        job: str,
        target: Target,
        say: Callable[[Progress], None],
        cancel: threading.Event,
        engine: Engine,
    ) -> None:
        self.prepared = prepared
        self.plan = prepared.plan
        self.source = prepared.source
        self.target = target
        self.say = say
        self.cancel = cancel
        self.engine = engine
        self.applied = Applied()
        verdict = prepared.verdict
        self.receipt = receipt.Receipt(
            job=job,
            key=receipt.key_of(self.plan, prepared.model, self.source.snapshot),
            plan=self.plan,
            model=prepared.model,
            input={
                "address": self.plan.input.address,
                "format": self.source.format,
                "version": self.source.version,
                "snapshot": self.source.snapshot,
                "rows": tables.rows_of(self.source),
            },
            mapping={step.name: step.column for step in verdict.steps},
            casts=verdict.casts,
            extra=list(verdict.extra),
            absent=list(verdict.absent),
            warnings=list(verdict.warnings),
            engine=engine.name,
        )

    def run(self) -> receipt.Receipt:
        """Everything, in order."""
        if not self.target.is_committed():
            aside = self.target.aside
            parts = self.engine.split(self.source)
            if aside.is_one:
                parts = (Part(index=0, pieces=tuple(self.source.pieces)),)
            done = aside.begin(self.receipt.key or f"{self.receipt.job}-unknown")
            if not self.receipt.key and done:
                # Nobody can say whether the input is what it was: nothing is taken over from before.
                aside.discard()
                done = aside.begin(f"{self.receipt.job}-unknown")
            try:
                self._apply([part for part in parts if part.index not in done], parts)
                self.say(Progress("committing", self.receipt.rows, self.receipt.rows))
                go_on(self.cancel)
                self.target.commit()
            except BaseException as error:
                # What a failing model or table left behind would only fail again.
                if aside.is_one or isinstance(error, HeddleError):
                    aside.discard()
                raise
        self._finish_receipt()
        return self.receipt

    def _apply(self, todo: Sequence[Part], parts: Sequence[Part]) -> None:
        total = tables.rows_of(self.source)
        skipped = sum(part.rows for part in parts if part not in todo)
        self.say(Progress("loading the model", 0, total))
        began = told = 0.0

        def heard(rows: int) -> None:
            nonlocal began, told
            go_on(self.cancel)
            now = time.monotonic()
            if rows and not began:
                began = told = now
            elif rows and now - told > TOLD_EVERY_S:
                told = now
                self.say(_progress(skipped, rows, total, now - began))

        if any(part.rows for part in todo):
            self.applied = self.engine.apply(self.prepared, self.target.aside, todo, heard)
        self.receipt.rows = skipped + self.applied.rows
        if not self.receipt.rows:
            self._write_empty()

    def _write_empty(self) -> None:
        """A table without rows still has columns."""
        kept = kept_columns(self.plan, self.source.schema)
        fields = [self.source.schema.field(name) for name in kept]
        schema = pa.schema([*fields, *predicted_fields(self.prepared)])
        PartFile(self.target.aside, 0, schema).finish()

    def _finish_receipt(self) -> None:
        made, applied = self.receipt, self.applied
        made.processes, made.loaded_ms = applied.processes, applied.loaded_ms
        made.walls, made.libraries, made.path = applied.walls, applied.libraries, applied.path
        made.predictions = [summary.done() for summary in applied.predictions]
        made.inputs = [summary.done() for summary in applied.inputs]
        example = receipt.read_example(self.prepared.info.example)
        for summary in applied.inputs:
            found = receipt.drift_of(
                summary.column, example.get(summary.column, ()), summary.sample
            )
            if found is not None:
                made.drift.append(found)
        made.ended_ms = time.time_ns() // 1_000_000


def _progress(skipped: int, rows: int, total: int, seconds: float) -> Progress:
    rate = rows / seconds if seconds > 0 else 0.0
    left = (total - skipped - rows) / rate if rate and total >= 0 else None
    return Progress("predicting", skipped + rows, total, rate, left)


def kept_columns(plan: Plan, table: pa.Schema) -> list[str]:
    """The input's columns that the output keeps; raises ``Invalid`` for one that is not there."""
    wanted = plan.output.columns
    if wanted is None:
        return list(table.names)
    lost = [name for name in (*wanted, *plan.output.key) if name not in table.names]
    if lost:
        raise Invalid(f"The input has no column {', '.join(lost)} to keep.")
    return list(wanted)


def find_done(plan: Plan, known: receipt.Receipt | None) -> receipt.Receipt | None:
    """The receipt of the same work done before, if its output still holds what it wrote."""
    if known is None:
        return None
    with suppress(HeddleError):
        if Target(plan.output, known.job).is_committed():
            return known
    return None


def library_warnings(prepared: Prepared) -> list[str]:
    """Libraries whose versions here are not those that the model was logged with, together.

    Empty for ``env`` uv, which brings the model's own.
    """
    if prepared.plan.env == "uv":
        return []
    found = []
    for line in prepared.info.requirements:
        pin = _PIN.fullmatch(line)
        if pin is None:
            continue
        name, wanted = pin[1], pin[2]
        try:
            here = metadata.version("mlflow-skinny" if name == "mlflow" else name)
        except metadata.PackageNotFoundError:
            found.append(f"{name} {wanted} (not here)")
            continue
        if here != wanted:
            found.append(f"{name} {wanted} (here {here})")
    if not found:
        return []
    return [f"the model was logged with {', '.join(found)}; --env uv predicts with those."]
