"""The engine `spark`: the same plan as on one machine, read, applied and written by Spark.

Tables are found and read as the user's own configuration of Spark has it. Folders of files are
written aside by Spark and take their place in one last step; Delta makes its own commits. The id of
the job stands in the metadata of the predicted columns, so that what a job wrote is recognised. What
the receipt says of values is asked of the table that was written.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from heddle.errors import AlreadyExists, HeddleError, Invalid, NotFound
from heddle.scoring import local, models, receipt, tables
from heddle.scoring.check import require
from heddle.scoring.parts import JOB
from heddle.scoring.plan import Input, Plan, find_format
from heddle.scoring.plan import check as check_plan
from heddle.scoring.signature import ModelInfo, read_model
from heddle.scoring.spark import driver, functions, gather, summary, types
from heddle.scoring.targets import Target

try:
    from py4j.protocol import Py4JError
except ImportError:  # a client of Spark Connect alone speaks to no Java
    Py4JError = PySparkException

REFUSED: Final = (PySparkException, Py4JError)
"""What Spark raises; the classic one lets some of Java's exceptions through as they are."""
READ: Final = ("parquet", "delta", "csv", "jsonl")
FORMATS: Final = {"parquet": "parquet", "delta": "delta", "csv": "csv", "jsonl": "json"}
WATCHED_EVERY_S: Final = 0.2
_TABLE: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,2}")
Tell = Callable[[local.Progress], None]


def session(master: str = "", remote: str = "") -> Any:
    """The user's session: of this master, of this Connect server, or as Spark is configured.

    Raises ``Invalid`` if Spark does not start or answer.
    """
    if master and remote:
        raise Invalid("A session has a master or is remote, not both.")
    builder = SparkSession.builder.appName("heddle predict")
    if master:
        builder = builder.master(master)
    if remote:
        builder = builder.remote(remote)
    try:
        return builder.getOrCreate()
    except (*REFUSED, RuntimeError, OSError) as error:
        raise Invalid(
            f"Spark does not start: {_first_line(error)} It needs Java 17 (JAVA_HOME), or a server"
            " of Spark Connect that runs (--spark-remote sc://host:15002)."
        ) from None


@dataclass(slots=True)
class Work:
    """A plan that may be run.

    ``frame`` is its input as Spark reads it, None where tasks read and write files themselves.
    """

    plan: Plan
    spark: Any
    prepared: local.Prepared
    snapshot: str
    format: str
    home: models.Home | None = None
    cache: Path | None = None
    frame: Any = None
    ready: driver.Ready | None = None

    @property
    def key(self) -> str:
        """As `receipt.key_of`."""
        return receipt.key_of(self.plan, self.prepared.model, self.snapshot)


def prepare(
    plan: Plan, spark: Any, *, home: models.Home | None = None, cache: Path | None = None
) -> Work:
    """Check a plan and its model against the input, and look where the output shall be.

    Raises ``SchemaRefused`` with everything that does not fit, ``Invalid``, ``NotFound``, and what
    finding a model raises; predicts nothing but what `driver.ready` must.
    """
    check_plan(plan)
    driver.check_env(plan)
    plan = _into_folder(plan)
    source = _files(plan, spark)
    if source is not None:
        prepared = local.prepare(plan, home=home, cache=cache, source=source)
        require(prepared.verdict, prepared.title)
        local.refuse_suspicious(prepared)
        if not _has_times(prepared):
            return Work(plan, spark, prepared, source.snapshot, source.format, home, cache)
    return _prepare_frame(plan, spark, home, cache)


def _into_folder(plan: Plan) -> Plan:
    """The plan with its output as a folder, which is what Spark writes, unless a file is there."""
    output = plan.output
    kind = output.format or find_format(output.address) or "parquet"
    if kind != "parquet" or Path(output.address).is_file():
        return plan
    address = output.address.rstrip("/") + "/"
    return msgspec.structs.replace(plan, output=msgspec.structs.replace(output, address=address))


def _files(plan: Plan, spark: Any) -> tables.Source | None:
    """The input as files that tasks may read by themselves, None where that is for Spark."""
    given, output = plan.input, plan.output
    named = given.format or find_format(given.address)
    written = output.format or find_format(output.address) or "parquet"
    if named not in ("", "parquet", "delta") or written not in ("parquet", "delta"):
        return None
    with suppress(*REFUSED):
        # Who has configured Delta in Spark means it to be used.
        if "delta" in (named, written) and "delta" in spark.conf.get("spark.sql.extensions", ""):
            return None
        if not named and _is_table(spark, given.address):
            return None
    try:
        source = tables.open_source(given)
    except (HeddleError, ImportError):
        return None  # perhaps Spark sees what this machine does not
    return source if source.format in ("parquet", "delta") else None


def _is_table(spark: Any, address: str) -> bool:
    return bool(_TABLE.fullmatch(address)) and bool(spark.catalog.tableExists(address))


def _has_times(prepared: local.Prepared) -> bool:
    """Whether a column is a moment, of which Spark's session has a view of its own."""
    schema = prepared.source.schema
    used = {
        *local.kept_columns(prepared.plan, schema),
        *(step.column for step in prepared.verdict.steps),
    }
    return any(pa.types.is_timestamp(schema.field(name).type) for name in used)


def _prepare_frame(plan: Plan, spark: Any, home: models.Home | None, cache: Path | None) -> Work:
    """The same where Spark itself must read and write."""
    output = output_format(plan, spark)
    _, _, folder = models.fetch(home, plan.model, cache)
    kind, frame = read(spark, plan, read_model(folder))
    kept = local.kept_columns(plan, types.table_schema(frame.schema))
    if output == "csv":
        nested = [name for name in kept if _is_nested(frame.schema[name].dataType)]
        if nested:
            raise Invalid(f"CSV cannot hold lists: {', '.join(nested)}. Write Parquet instead.")
    ready = driver.ready_for_table(spark, plan, frame, home, cache)
    snapshot = _snapshot(spark, plan.input, kind)
    return Work(plan, spark, ready.prepared, snapshot, kind, home, cache, frame, ready)


def _is_nested(kind: Any) -> bool:
    return kind.typeName() in ("array", "map", "struct")


def output_format(plan: Plan, spark: Any) -> str:
    """The format that the output will have; raises ``Invalid`` for what Spark cannot do whole."""
    output = plan.output
    kind = output.format or find_format(output.address) or "parquet"
    if kind not in FORMATS:
        raise Invalid(
            f"On Spark the output is Parquet, Delta, CSV or JSON lines; {kind} is written by"
            " --engine local."
        )
    if output.mode == "merge":
        raise Invalid(
            "Spark merges on a key only where its executors see the same files as this machine, with"
            " Parquet or Delta in and out; use --engine local, or overwrite."
        )
    if output.mode == "append" and kind != "delta":
        raise Invalid(
            "Spark appends files to a folder all at once only where its executors see the same files"
            " as this machine, with Parquet in and out; append to a Delta table"
            " (--output-format delta), or use --engine local."
        )
    if output.mode == "overwrite" and kind != "delta" and driver.is_connect(spark):
        raise Invalid(
            "Through Spark Connect a folder cannot be put in another's place; write a new one, or a"
            " Delta table (--output-format delta)."
        )
    return kind


# ---- reading ---------------------------------------------------------------------------------


def read(spark: Any, plan: Plan, info: ModelInfo) -> tuple[str, Any]:
    """The input's format and its DataFrame; raises ``Invalid``, ``NotFound``."""
    given = plan.input
    kind = given.format or find_format(given.address)
    if not kind and (Path(given.address) / "_delta_log").is_dir():
        kind = "delta"
    try:
        if not kind and _is_table(spark, given.address):
            return "table", spark.table(given.address)
        kind = kind or "parquet"
        if kind not in READ:
            raise Invalid(
                f"On Spark the input is Parquet, Delta, CSV, JSON lines or a table's name; {kind} is"
                " read by --engine local."
            )
        reader = spark.read.format(FORMATS[kind])
        if given.version is not None:
            reader = reader.option("versionAsOf", given.version)
        if given.at:
            reader = reader.option("timestampAsOf", given.at)
        if kind == "csv":
            return kind, _read_csv(reader, given, local.wanted_types(info.signature, plan.mapping))
        frame = reader.load(given.address)
        frame.schema  # noqa: B018 -- Spark Connect looks only when it is asked
    except REFUSED as error:
        raise _unread(given.address, error) from None
    return kind, frame


def _read_csv(reader: Any, given: Input, wanted: dict[str, Any]) -> Any:
    """CSV in the types that the model wants, in guessed ones elsewhere."""
    reader = reader.option("header", True)
    if given.address.endswith((".tsv", ".tsv.gz")):
        reader = reader.option("sep", "\t")
    schema = reader.option("inferSchema", True).load(given.address).schema
    fields = [
        types.spark_field(each.name, wanted[each.name]) if each.name in wanted else each
        for each in schema.fields
    ]
    # A text that is no number in a column of numbers is an error, never a missing value.
    reader = reader.schema(types.struct(fields)).option("mode", "FAILFAST")
    return reader.load(given.address)


def _unread(address: str, error: Exception) -> Exception:
    words = _first_line(error)
    if "PATH_NOT_FOUND" in words:
        return NotFound(f"There is nothing at '{address}' that Spark sees.")
    if "DATA_SOURCE_NOT_FOUND" in words or "Failed to find data source" in words:
        return Invalid(f"This Spark does not know the format of '{address}': {words}")
    return Invalid(f"Spark cannot read '{address}': {words}")


def _first_line(error: Exception) -> str:
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip(": ")]
    said = [line for line in lines if not line.startswith("An error occurred while calling")]
    return said[0] if said else type(error).__name__


def _snapshot(spark: Any, given: Input, kind: str) -> str:
    """What the input is at this moment; empty where nobody can tell."""
    with suppress(*REFUSED):
        if kind == "delta":
            if given.version is not None:
                return f"delta:{given.version}"
            last = spark.sql(f"DESCRIBE HISTORY delta.{driver.quoted(given.address)} LIMIT 1")
            return "" if given.at else f"delta:{last.first()['version']}"
        if kind != "table":
            listed = spark.read.format("binaryFile").option("recursiveFileLookup", True)
            found = listed.load(given.address).select("path", "modificationTime", "length")
            rows = sorted(tuple(map(str, row)) for row in found.collect())
            return hashlib.sha256(repr(rows).encode()).hexdigest()
    return ""


# ---- running ---------------------------------------------------------------------------------


def is_done(plan: Plan, spark: Any, job: str) -> bool:
    """Whether the output holds what this job wrote."""
    plan = _into_folder(plan)
    with suppress(HeddleError, OSError, ImportError):
        if Target(plan.output, job).is_committed():
            return True
    kind = plan.output.format or find_format(plan.output.address) or "parquet"
    with suppress(*REFUSED):
        schema = spark.read.format(FORMATS[kind]).load(plan.output.address).schema
        return any(each.metadata.get(JOB) == job for each in schema.fields)
    return False


def run(
    work: Work, *, job: str = "", tell: Tell | None = None, cancel: threading.Event | None = None
) -> receipt.Receipt:
    """Apply the model to the whole input and write the output, whole or not at all.

    ``tell`` and ``cancel`` as of `local.run`. Raises ``AlreadyExists``, ``Cancelled``, and ``Invalid``
    with the words of a model or of Spark that failed.
    """
    say = tell or (lambda _: None)
    is_again = bool(job) and work.frame is not None and is_done(work.plan, work.spark, job)
    job = job or local.new_job()
    if is_again:
        # Somebody was ended between the output and the note of it.
        made = _receipt(work, job)
        made.ended_ms = time.time_ns() // 1_000_000
        return made
    cancel = cancel or threading.Event()
    if work.frame is None:
        try:
            return local.run(
                work.plan, job=job, prepared=work.prepared, tell=say, cancel=cancel,
                engine=gather.Tasks(work.spark, work.cache),
            )  # fmt: skip
        except gather.Unseen:
            work = _prepare_frame(work.plan, work.spark, work.home, work.cache)
        except REFUSED as error:
            raise _failed(error) from None
    return _run_frame(work, job, say, cancel)


def _run_frame(work: Work, job: str, say: Tell, cancel: threading.Event) -> receipt.Receipt:
    """The same where Spark itself reads and writes."""
    made = _receipt(work, job)
    plan, spark, ready = work.plan, work.spark, work.ready
    assert ready is not None  # noqa: S101 -- it goes with the frame
    kind = output_format(plan, spark)
    kept = local.kept_columns(plan, types.table_schema(work.frame.schema))
    frame = functions.attached(work.frame, ready, kept, {JOB: job})
    place = Place(spark, plan, kind, job)
    if place.is_direct:
        # There is no other last step than Spark's own.
        say(local.Progress("committing"))
    say(local.Progress("predicting"))
    try:
        with _cancelled_with(spark, job, cancel):
            place.write(frame)
            say(local.Progress("summing up"))
            summary.fill(made, work.frame, place.written(frame.schema), ready)
        say(local.Progress("committing", made.rows, made.rows))
        local.go_on(cancel)
        place.commit()
    except REFUSED as error:
        place.discard()
        local.go_on(cancel)
        raise _failed(error) from None
    except BaseException:
        place.discard()
        raise
    made.ended_ms = time.time_ns() // 1_000_000
    return made


@contextmanager
def _cancelled_with(spark: Any, job: str, cancel: threading.Event) -> Iterator[None]:
    """End what Spark does for this job when ``cancel`` is set."""
    tag, ended = f"heddle-{job}", threading.Event()
    if driver.is_connect(spark):
        add, remove, stop = spark.addTag, spark.removeTag, spark.interruptTag
    else:
        context = spark.sparkContext
        add, remove, stop = context.addJobTag, context.removeJobTag, context.cancelJobsWithTag

    def watch() -> None:
        while not ended.wait(WATCHED_EVERY_S):
            if cancel.is_set():
                stop(tag)

    watching = threading.Thread(target=watch, daemon=True, name="heddle-cancel")
    add(tag)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
        remove(tag)


def _receipt(work: Work, job: str) -> receipt.Receipt:
    verdict, given = work.prepared.verdict, work.plan.input
    is_delta = work.snapshot.startswith("delta:")
    return receipt.Receipt(
        job=job,
        key=work.key,
        plan=work.plan,
        model=work.prepared.model,
        input={
            "address": given.address,
            "format": work.format,
            "version": int(work.snapshot.removeprefix("delta:")) if is_delta else None,
            "snapshot": work.snapshot,
        },
        mapping={step.name: step.column for step in verdict.steps},
        casts=verdict.casts,
        extra=list(verdict.extra),
        absent=list(verdict.absent),
        warnings=list(verdict.warnings),
        started_ms=time.time_ns() // 1_000_000,
        engine=f"spark {work.spark.version}",
    )


_SAID: Final = re.compile(
    r"heddle\.[\w.]+: (.*?)(?=\n\s*(?:at |\tat |JVM stacktrace|\n)|$)", re.DOTALL
)


def _failed(error: Exception) -> Exception:
    """A failed task in the words of what failed in it, where those are ours."""
    text = str(error)
    found = _SAID.search(text)
    if found is not None:
        return Invalid(found[1].strip())
    return Invalid(f"Spark failed: {_first_line(error)}")


# ---- writing ---------------------------------------------------------------------------------


class Place:
    """Where the output goes: aside, then at once where it shall be."""

    def __init__(self, spark: Any, plan: Plan, kind: str, job: str) -> None:
        self.spark = spark
        self.output = plan.output
        self.kind = kind
        self.job = job
        self.address = plan.output.address.rstrip("/")
        self.is_direct = kind == "delta" or driver.is_connect(spark)
        parent, _, _ = self.address.rpartition("/")
        self.aside = f"{parent}/.heddle-{job}" if parent else f".heddle-{job}"
        if plan.output.mode == "create" and self._exists(self.address):
            raise self._there()

    def _there(self) -> Exception:
        return AlreadyExists(f"'{self.address}' is there already; choose --mode overwrite.")

    def _exists(self, address: str) -> bool:
        if not driver.is_connect(self.spark):
            filesystem, path = self._hadoop(address)
            return bool(filesystem.exists(path))
        try:
            # A folder without any file is none; one with files that are no table is there as well.
            self.spark.read.format("binaryFile").load(address).schema  # noqa: B018 -- it looks
        except REFUSED:
            return False
        return True

    def _hadoop(self, address: str) -> tuple[Any, Any]:
        jvm = self.spark._jvm  # noqa: SLF001 -- Spark's own way to Hadoop's file systems
        path = jvm.org.apache.hadoop.fs.Path(address)
        return path.getFileSystem(self.spark._jsc.hadoopConfiguration()), path  # noqa: SLF001

    def write(self, frame: Any) -> None:
        """Have Spark write every row, to where nobody looks if that can be."""
        mode = {"create": "error"}.get(self.output.mode, self.output.mode)
        writer = frame.write.format(FORMATS[self.kind])
        if self.kind == "delta":
            said = msgspec.json.encode({JOB: self.job}).decode()
            writer = writer.option("userMetadata", said)
            writer = writer.option("txnAppId", f"heddle-{self.job}").option("txnVersion", 1)
            if mode == "overwrite":
                writer = writer.option("overwriteSchema", True)
        if self.kind == "csv":
            writer = writer.option("header", True)
        if self.kind == "parquet":
            writer = writer.option("compression", "lz4_raw")
        writer.mode(mode if self.is_direct else "error").save(
            self.address if self.is_direct else self.aside
        )

    def written(self, schema: Any) -> Any:
        """What was written, as a DataFrame."""
        place = self.address if self.is_direct else self.aside
        reader = self.spark.read.format(FORMATS[self.kind])
        if self.kind in ("csv", "jsonl"):
            reader = reader.schema(schema).option("header", True)
        return reader.load(place)

    def commit(self) -> None:
        """Give what was written its place."""
        if self.is_direct:
            return
        filesystem, new = self._hadoop(self.aside)
        _, there = self._hadoop(self.address)
        if not filesystem.exists(there):
            self._rename(filesystem, new, there)
            return
        if self.output.mode == "create":
            raise self._there()
        _, gone = self._hadoop(f"{self.aside}-replaced")
        self._rename(filesystem, there, gone)
        try:
            self._rename(filesystem, new, there)
        except BaseException:
            filesystem.rename(gone, there)
            raise
        filesystem.delete(gone, True)

    def _rename(self, filesystem: Any, what: Any, to: Any) -> None:
        if not filesystem.rename(what, to):
            raise Invalid(f"{what.toString()} could not be moved to {to.toString()}.")

    def discard(self) -> None:
        """Remove what was written aside."""
        if not self.is_direct:
            filesystem, path = self._hadoop(self.aside)
            filesystem.delete(path, True)
