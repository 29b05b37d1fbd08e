"""What is shown on a real Spark, with one session for all of it; `test_spark.py` runs this.

Run in an environment with pyspark, which pytest's own is not: HEDDLE_TEST_SPARK says whether the
session is classic or a client of Spark Connect, HEDDLE_TEST_SERVER where a Heddle server is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import mlflow
import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from mlflow.models import infer_signature
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 -- as everybody calls it

import applied_models
from heddle.cli import main
from heddle.errors import AlreadyExists, HeddleError, Invalid, NotFound
from heddle.scoring import local as local_engine
from heddle.scoring import models as found_models
from heddle.scoring.check import SchemaRefused
from heddle.scoring.plan import Input, Model, Output, Plan, encode
from heddle.scoring.spark import engine, gather
from heddle.spark import ModelTransformer, sql

KIND = os.environ["HEDDLE_TEST_SPARK"]
IS_CONNECT = KIND == "connect"
IS_OLD = os.environ["HEDDLE_TEST_VERSION"] != "4"
ROWS = 3000
OF_SERVER = "of-server"
"""A model that is registered with the server, twice."""
# What is the same whatever Spark it is, or costs much: shown on one of them.
once = pytest.mark.skipif(IS_CONNECT or IS_OLD, reason="shown on the newest classic one")
MANY = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        by = (params or {}).get("by", 10.0)
        return pd.DataFrame({
            "low": model_input["a"] - by,
            "word": ["none" if v != v else "big" if v > 0 else "small" for v in model_input["a"]],
        })
"""
FAILS = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        raise ValueError("too cold for this model")
"""
SLOW = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import time
        time.sleep(0.5)
        return model_input["a"]
"""
STUCK = SLOW.replace("0.5", "120")
PRISONER = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        import socket
        found = []
        try:
            open(PLACE, "w").write("out")
            found.append("wrote")
        except OSError:
            pass
        try:
            socket.create_connection(("127.0.0.1", PORT), 2)
            found.append("connected")
        except OSError:
            pass
        found += [name for name in os.environ if "SECRET" in name]
        return ["free: " + ", ".join(found) if found else "shut in"] * len(model_input)
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders of models by name, each made when it is first asked for."""
    place = tmp_path_factory.mktemp("models")
    os.environ["HEDDLE_CACHE"] = str(place / "cache")
    made: dict[str, object] = {}
    numbers = applied_models.columns(*((name, "double") for name in "abcd"))
    one = applied_models.columns(("a", "double"))

    def signed(inputs, outputs=None, params=None):
        return mlflow.models.ModelSignature(inputs, outputs, params)

    makers: dict[str, Callable[[Path], object]] = {
        "forest": applied_models.forest,
        "classes": applied_models.classes,
        "bare": partial(applied_models.unsigned, with_example=True),
        "many": partial(
            applied_models.custom,
            code=MANY,
            signature=signed(
                one,
                applied_models.columns(("low", "double"), ("word", "string")),
                applied_models.params(by=10.0),
            ),
        ),
        "vague": partial(applied_models.custom, code=MANY, signature=signed(one)),
        "fails": partial(
            applied_models.custom,
            code=FAILS,
            signature=signed(numbers, applied_models.columns(("y", "double"))),
        ),
        "slow": partial(
            applied_models.custom,
            code=SLOW,
            signature=signed(one, applied_models.columns(("y", "double"))),
        ),
        "stuck": partial(
            applied_models.custom,
            code=STUCK,
            signature=signed(one, applied_models.columns(("y", "double"))),
        ),
        "times": partial(
            applied_models.custom,
            code=TIMES,
            signature=signed(
                applied_models.columns(("at", "datetime")),
                applied_models.columns(("y", "double")),
            ),
        ),
    }

    def get(name):
        if name not in made:
            made[name] = makers[name](place / name)
        return str(made[name])

    return get


TIMES = """
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input["at"].dt.hour.astype("float64")
"""


@pytest.fixture(scope="session")
def spark():
    builder = SparkSession.builder
    builder = builder.remote("local[2]") if IS_CONNECT else builder.master("local[2]")
    made = (
        builder.config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "America/New_York")
        .getOrCreate()
    )
    yield made
    made.stop()


@pytest.fixture(scope="session")
def frame():
    """Rows as pandas has them; ``c`` lacks some values."""
    made = applied_models.table(ROWS).drop(columns="at")
    made["c"] = made["c"].astype(object).where(made["c"].notna(), None)
    return made


@pytest.fixture(scope="session")
def table(spark, frame):
    kinds = "place string, d double, id long, a double, b double, c double"
    # In one part, so that one process of the two that there are loads each model.
    return spark.createDataFrame(frame, kinds).coalesce(1).cache()


def pyfunc(folder, frame, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlflow.pyfunc.load_model(folder).predict(frame, **more)


def numbers(frame):
    return frame[list("abcd")].astype(float)


def by_id(made):
    return made.toPandas().sort_values("id", ignore_index=True)


def test_the_version_that_is_meant():
    assert pyspark.__version__.startswith(os.environ["HEDDLE_TEST_VERSION"])


def test_predictions_are_those_of_pyfunc_bit_for_bit(models, table, frame):
    parts = table.repartition(3, "id")
    found = by_id(ModelTransformer(modelName=models("forest"), outputCol="y").transform(parts))
    assert list(found) == [*frame.columns, "y"]
    known = pyfunc(models("forest"), numbers(frame))
    assert found["y"].to_numpy().tobytes() == known.tobytes()
    pd.testing.assert_frame_equal(found[["id", "place", "a"]], frame[["id", "place", "a"]])


def test_texts_params_and_several_columns(models, table, frame):
    found = by_id(ModelTransformer(modelName=models("classes"), casts=["*"]).transform(
        table.fillna(0.0)))  # fmt: skip
    assert list(found["predictions"]) == list(pyfunc(models("classes"), numbers(frame).fillna(0.0)))
    transformer = ModelTransformer(modelName=models("many"), inputCols=["b"], params={"by": 2.5},
                                   outputCols=["low", "size"])  # fmt: skip
    found = by_id(transformer.transform(table))
    assert list(found.columns[-2:]) == ["low", "size"]
    assert (found["low"] == found["b"] - 2.5).all()
    assert list(found["size"]) == ["big" if value > 0 else "small" for value in found["b"]]


@once
def test_what_no_signature_tells_an_executor_finds_out(models, table, frame):
    with pytest.warns(UserWarning, match="no signature"):
        made = ModelTransformer(modelName=models("bare")).transform(table.fillna(0.0))
    known = pyfunc(models("bare"), numbers(frame).fillna(0.0))
    assert by_id(made)["predictions"].to_numpy().tobytes() == known.tobytes()
    found = ModelTransformer(modelName=models("vague")).transform(table)
    assert [each.dataType.simpleString() for each in found.schema.fields[-2:]] == [
        "double", "string",
    ]  # fmt: skip
    with pytest.raises(Invalid, match="Spark must know"):
        ModelTransformer(modelName=models("vague")).to_udf(table.sparkSession)


def test_functions_of_columns(models, table, frame, spark):
    udf = ModelTransformer(modelName=models("forest"), inputCols=list("abcd")).to_udf(spark)
    found = by_id(table.withColumn("y", udf(*map(F.col, "abcd"))))
    known = pyfunc(models("forest"), numbers(frame))
    assert found["y"].to_numpy().tobytes() == known.tobytes()
    struct = ModelTransformer(modelName=models("many")).to_udf(spark)
    rows = table.select("id", struct("a").alias("m")).select("id", "m.low", "m.word")
    assert (by_id(rows)["low"] == frame["a"] - 10).all()
    wrong = table.select(udf("place", "b", "c", "d").alias("y"))
    with pytest.raises(Exception, match="column 'a' is string, and the model takes double"):
        wrong.collect()


@once
def test_what_does_not_fit_is_said_before_the_first_row(models, table):
    given = table.select("id", F.col("a").cast("string").alias("a"), F.col("b").alias("B_"), "d")
    with pytest.raises(SchemaRefused) as refused:
        ModelTransformer(modelName=models("forest")).transform(given)
    assert [each.column for each in refused.value.verdict.problems] == ["a", "b"]
    assert "nearest: B_" in refused.value.message
    with pytest.raises(Invalid, match="called like predictions: d"):
        ModelTransformer(modelName=models("forest"), outputCol="d").transform(table)
    with pytest.raises(SchemaRefused, match="has no param 'of'"):
        ModelTransformer(modelName=models("many"), params={"of": 1.0}).to_udf(table.sparkSession)
    with pytest.raises(NotFound, match="no folder"):
        ModelTransformer(modelName="/nowhere").transform(table)


def test_a_model_that_fails_says_so_in_its_own_words(models, table):
    made = ModelTransformer(modelName=models("fails")).transform(table)
    with pytest.raises(Exception, match="too cold for this model"):
        made.collect()
    # What was left of it disturbs nobody.
    first = ModelTransformer(modelName=models("forest"), outputCol="y").transform(table)
    assert len(first.limit(5).collect()) == 5
    assert first.agg(F.count("y")).first()[0] == ROWS


@once
def test_models_are_shut_in(table, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        given = f"PLACE, PORT = {str(tmp_path / 'out')!r}, {server.getsockname()[1]}\n"
        folder = applied_models.custom(
            tmp_path / "prisoner",
            given + PRISONER,
            signature=mlflow.models.ModelSignature(
                applied_models.columns(("a", "double")), applied_models.columns(("y", "string"))
            ),
        )
        found = ModelTransformer(modelName=str(folder), outputCol="y").transform(table)
        assert {row[0] for row in found.select("y").distinct().collect()} == {"shut in"}


def test_times_are_the_wall_clock_of_the_session(models, spark):
    rows = spark.sql("SELECT id, timestamp'2026-07-01 00:30:00' + make_interval(0,0,0,0,id) AS at"
                     " FROM range(24)")  # fmt: skip
    found = by_id(ModelTransformer(modelName=models("times"), outputCol="y").transform(rows))
    assert list(found["y"]) == [float(hour) for hour in range(24)]
    assert found["at"].dt.hour.tolist() == list(range(24))


def test_pipelines_and_columns_that_arrow_cannot_hold(models, table, tmp_path):
    first = ModelTransformer(modelName=models("forest"), outputCol="y")
    then = ModelTransformer(modelName=models("many"), inputCols=["y"], outputCols=["low", "word"])
    fitted = Pipeline(stages=[first, then]).fit(table)
    found = by_id(fitted.transform(table))
    assert (found["low"] == found["y"] - 10).all()
    if IS_CONNECT:
        return
    from pyspark.ml.feature import VectorAssembler

    fitted.save(str(tmp_path / "pipeline"))
    again = by_id(PipelineModel.load(str(tmp_path / "pipeline")).transform(table))
    pd.testing.assert_frame_equal(again, found)
    vectors = VectorAssembler(inputCols=["a", "b"], outputCol="v").transform(table)
    beside = by_id(fitted.transform(vectors))
    assert list(beside["low"]) == list(found["low"])
    assert beside["v"][0][0] == found["a"][0]


STATEMENTS = (
    "SELECT sum(PREDICT('forest', *)) FROM rows",
    "SELECT count(*) FROM rows WHERE PREDICT('forest', a, b, c, d) > 1",
    "SELECT max(PREDICT('many', PREDICT('forest', *)).low) FROM rows",
    "WITH s AS (SELECT *, predict('forest', r.*) y FROM rows r) SELECT sum(y) FROM s WHERE id < 100",
    "SELECT sum(PREDICT('many', a => b, by := 2 + 1).low) FROM rows",
)


def put(statement, models):
    for name in ("forest", "many"):
        statement = statement.replace(f"'{name}'", f"'{models(name)}'")
    return statement


def test_sql(models, table, frame, spark):
    table.createOrReplaceTempView("rows")
    y = pyfunc(models("forest"), numbers(frame))
    asked = ", ".join(f"({statement}) AS v{at}" for at, statement in enumerate(STATEMENTS))
    found = sql(spark, put(f"SELECT {asked}", models)).first()
    wanted = [y.sum(), (y > 1).sum(), y.max() - 10, y[:100].sum(), (frame["b"] - 3).sum()]
    assert list(found) == pytest.approx(list(map(float, wanted)), rel=1e-9)
    # A view is run when it is read, and finds its functions then.
    sql(spark, put("CREATE OR REPLACE TEMP VIEW v AS SELECT id, PREDICT('forest', *) y FROM rows",
                   models))  # fmt: skip
    assert by_id(spark.table("v"))["y"].to_numpy().tobytes() == y.tobytes()


WRONG = [
    ("SELECT PREDICT('forest', a) FROM rows", "column 'b'", "PREDICT"),
    ("SELECT PREDICT('forest', nothing) FROM rows", "nothing", "nothing"),
    ("SELECT PREDICT('many', a, by := a) FROM rows", "does not depend on the rows", "a)"),
    ("SELECT PREDICT('/nowhere', *) FROM rows", "no folder", "PREDICT"),
]


@once
@pytest.mark.parametrize(("statement", "words", "at"), WRONG)
def test_sql_that_is_wrong_is_said_with_its_place(models, table, spark, statement, words, at):
    table.createOrReplaceTempView("rows")
    said = put(statement, models)
    with pytest.raises(Invalid) as refused:
        sql(spark, said)
    assert words in refused.value.message
    assert said[refused.value.position :].startswith(at)


@once
def test_models_of_a_server_by_version_alias_and_latest(table, frame):
    server = os.environ["HEDDLE_TEST_SERVER"]
    name = OF_SERVER
    mlflow.set_tracking_uri(server)
    given = numbers(frame).fillna(0.0)
    from sklearn.linear_model import LinearRegression

    for slope in (1.0, 2.0):
        model = LinearRegression().fit(given, given["a"] * slope)
        with mlflow.start_run(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.sklearn.log_model(
                model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"],
                signature=infer_signature(given, model.predict(given)),
            )  # fmt: skip
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", 1)
    filled = table.fillna(0.0)
    for chosen, slope in (
        ({"modelVersion": 2}, 2.0),
        ({"modelVersion": "latest"}, 2.0),
        ({"modelVersion": "@champion"}, 1.0),
        ({"modelAlias": "champion"}, 1.0),
    ):
        found = ModelTransformer(modelName=name, outputCol="y", server=server, **chosen)
        total = found.transform(filled).agg(F.sum("y")).first()[0]
        assert total == pytest.approx(given["a"].sum() * slope), chosen
    if data := os.environ.get("HEDDLE_TEST_DATA"):
        found = sql(table.sparkSession, f"SELECT PREDICT('{name}@champion', 1D, 0D, 0D, 0D)",
                    data=data)  # fmt: skip
        assert found.first()[0] == pytest.approx(1.0)
    with pytest.raises(HeddleError, match="7"):
        ModelTransformer(modelName=name, modelVersion=7, server=server).transform(filled)


@once
def test_a_job_of_a_server_with_spark(source, tmp_path):
    """The process that a worker starts for a job, told to use Spark."""
    data, place = Path(os.environ["HEDDLE_TEST_DATA"]), str(tmp_path)
    plan = plan_of(f"{OF_SERVER}/2", source, tmp_path / "out", mapping={"c": "a"})
    asked = {
        "kind": "apply", "job": "1-a", "plan": json.loads(encode(plan)), "roots": [place],
        "database": f"sqlite:///{data / 'heddle.db'}", "artifacts": str(data / "blobs"),
        "cache": os.environ["HEDDLE_CACHE"],
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "heddle.scoring.job_process"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               start_new_session=True)  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    said = []
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        said.append(json.loads(line))
        if "publish" in said[-1]:
            assert not (tmp_path / "out").exists()
            process.stdin.write(json.dumps({"publish": True}) + "\n")
            process.stdin.flush()
        if "receipt" in said[-1] or "error" in said[-1]:
            break
    process.kill()
    process.wait()
    made = said[-1].get("receipt", said[-1])
    assert (made.get("rows"), made.get("engine")) == (ROWS, f"spark {pyspark.__version__}"), made
    assert pq.read_table(tmp_path / "out").num_rows == ROWS


# ---- whole plans -----------------------------------------------------------------------------


@pytest.fixture
def source(frame, tmp_path):
    """The rows as a folder of two files of Parquet."""
    place = tmp_path / "in"
    place.mkdir()
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(whole.slice(0, 2000), place / "a.parquet")
    pq.write_table(whole.slice(2000), place / "b.parquet")
    return place


def plan_of(model, source, output, **more):
    given = {key: more.pop(key) for key in ("mode", "key", "columns", "predictions") if key in more}
    return Plan(model=Model(uri=model), input=Input(address=str(source)),
                output=Output(address=str(output), **given), engine="spark", **more)  # fmt: skip


def test_a_plan_writes_everything_and_a_receipt(models, spark, frame, source, tmp_path):
    output = tmp_path / "out"
    plan = plan_of(models("forest"), source, output, columns=("id",), predictions=("y",))
    made = engine.run(engine.prepare(plan, spark))
    found = pq.read_table(output).to_pandas().sort_values("id", ignore_index=True)
    known = pyfunc(models("forest"), numbers(frame))
    assert found["y"].to_numpy().tobytes() == known.tobytes()
    assert list(found) == ["id", "y"]
    assert made.rows == ROWS
    assert made.predictions[0].mean == pytest.approx(known.mean())
    assert (made.predictions[0].low, made.predictions[0].high) == (known.min(), known.max())
    local = local_engine.run(plan_of(models("forest"), source, tmp_path / "local.parquet"))
    assert made.model == local.model
    for ours, theirs in zip(made.inputs, local.inputs, strict=True):
        for name in ("column", "rows", "nulls", "nans", "low", "high", "quantiles", "counts"):
            assert getattr(ours, name) == getattr(theirs, name), (ours.column, name)
        assert ours.mean == pytest.approx(theirs.mean)
    assert {each.column: each.outside for each in made.drift} == {
        each.column: each.outside for each in local.drift
    }
    assert made.libraries["scikit-learn"] == local.libraries["scikit-learn"]
    assert "files" in made.walls or made.walls == local.walls
    assert made.key
    assert engine.is_done(plan, spark, made.job)
    assert not engine.is_done(plan, spark, "another")
    again = engine.prepare(plan, spark)
    assert again.key == made.key
    with pytest.raises(AlreadyExists):
        engine.run(again)
    if IS_OLD:
        return
    for mode, rows, key in (("overwrite", 1, ()), ("append", 2, ()), ("overwrite", 1, ()),
                            ("merge", 1, ("id",))):  # fmt: skip
        over = plan_of(models("forest"), source, output, mode=mode, key=key)
        engine.run(engine.prepare(over, spark))
        found = pq.read_table(output)
        assert set(found.column_names) == {*frame.columns, "predictions"}
        assert found.num_rows == rows * ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "local.parquet", "out"]
    # Delta is written by the driver where Spark has none, and read by tasks.
    delta = msgspec.structs.replace(plan.output, address=str(tmp_path / "delta"), format="delta")
    engine.run(engine.prepare(msgspec.structs.replace(plan, output=delta), spark))
    late = plan_of(models("many"), tmp_path / "delta", tmp_path / "late", mapping={"a": "y"})
    made = engine.run(engine.prepare(late, spark))
    assert (made.rows, made.input["format"], made.input["version"]) == (ROWS, "delta", 0)


@pytest.mark.skipif(not IS_CONNECT and not IS_OLD, reason="shown on the others")
def test_where_executors_see_other_files_spark_reads_and_writes(
    models, spark, frame, source, tmp_path, monkeypatch
):
    """The driver's files cannot be seen, as on a cluster without a shared disk."""
    real = gather.Tasks._work

    def elsewhere(self, prepared, aside, count):
        work = real(self, prepared, aside, count)
        return dataclasses.replace(work, aside=dataclasses.replace(aside, folder=Path("/nowhere")))

    monkeypatch.setattr(gather.Tasks, "_work", elsewhere)
    output = tmp_path / "out"
    plan = plan_of(models("forest"), source, output)
    made = engine.run(engine.prepare(plan, spark))
    found = pq.read_table(output).to_pandas().sort_values("id", ignore_index=True)
    known = pyfunc(models("forest"), numbers(frame))
    assert found["predictions"].to_numpy().tobytes() == known.tobytes()
    assert made.predictions[0].mean == pytest.approx(known.mean())
    assert engine.is_done(plan, spark, made.job)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    for mode, key in (("append", ()), ("merge", ("id",))):
        other = plan_of(models("forest"), source, output, mode=mode, key=key)
        with pytest.raises(Invalid, match="see the same files"):
            engine.run(engine.prepare(other, spark))
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def children():
    """The confined processes that this session's executors have started."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            said = (place / "cmdline").read_text()
        except OSError:
            continue
        if "confine.py" in said and os.environ["SPARK_LOCAL_DIRS"] in said:
            found.append(int(place.name))
    return found


@pytest.mark.skipif(IS_OLD, reason="shown on the others")
def test_killed_children_and_cancelling(models, spark, source, tmp_path):
    slow = plan_of(models("slow"), source, tmp_path / "out", batch_rows=200)
    killed = []

    def kill():
        while not (found := children()):
            time.sleep(0.1)
        time.sleep(0.5)
        killed.extend(found)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    work = engine.prepare(slow, spark)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    threading.Thread(target=kill, daemon=True).start()
    made = engine.run(work)
    assert killed
    assert made.rows == ROWS
    assert made.predictions[0].mean == made.inputs[0].mean
    cancel = threading.Event()
    slow = plan_of(models("slow"), source, tmp_path / "never", batch_rows=10)
    work = engine.prepare(slow, spark)
    began = time.monotonic()
    threading.Timer(1.0, cancel.set).start()
    with pytest.raises(local_engine.Cancelled):
        engine.run(work, cancel=cancel)
    # All of its 300 batches would have taken at least two minutes.
    assert time.monotonic() - began < 60
    assert not [path for path in tmp_path.iterdir() if path.name not in ("in", "out")]


def test_cancelling_what_spark_reads_and_writes(models, spark, frame, tmp_path):
    """No task of ours looks whether to stop: Spark itself has to end its tasks."""
    frame.to_csv(tmp_path / "in.csv", index=False)
    plan = plan_of(models("stuck"), tmp_path / "in.csv", tmp_path / "never")
    cancel = threading.Event()
    work = engine.prepare(plan, spark)
    assert work.frame is not None
    began = time.monotonic()
    threading.Timer(3.0, cancel.set).start()
    with pytest.raises(local_engine.Cancelled):
        engine.run(work, cancel=cancel)
    # Its one batch takes two minutes.
    assert time.monotonic() - began < 60
    assert not list((tmp_path / "never").rglob("part-*"))
    assert not list(tmp_path.glob(".heddle-*"))


@once
def test_a_suspicious_model_is_refused(models, spark, table, source, tmp_path, monkeypatch):
    real = found_models.fetch

    def labelled(*given):
        model, found, folder = real(*given)
        return model, dataclasses.replace(found, label="suspicious"), folder

    monkeypatch.setattr(found_models, "fetch", labelled)
    with pytest.raises(Invalid, match="found suspicious, so it is not loaded"):
        engine.prepare(plan_of(models("forest"), source, tmp_path / "out"), spark)
    with pytest.raises(Invalid, match="found suspicious, so it is not loaded"):
        ModelTransformer(modelName=models("forest")).transform(table)


@once
def test_other_formats(models, spark, frame, tmp_path):
    frame.to_csv(tmp_path / "in.csv", index=False)
    plan = plan_of(models("forest"), tmp_path / "in.csv", tmp_path / "out.jsonl")
    made = engine.run(engine.prepare(plan, spark))
    lines = [each for path in (tmp_path / "out.jsonl").glob("*.json") for each in path.open()]
    rows = pd.DataFrame(map(json.loads, lines)).sort_values("id", ignore_index=True)
    known = pyfunc(models("forest"), numbers(frame))
    assert rows["predictions"].to_numpy().tobytes() == known.tobytes()
    assert (made.rows, made.inputs[2].nulls) == (ROWS, frame["c"].isna().sum())


def test_a_plan_that_fails_leaves_nothing(models, spark, frame, source, tmp_path):
    csv = tmp_path / "in.csv"
    frame.head(10).to_csv(csv, index=False)
    with pytest.raises(Invalid, match="too cold for this model"):
        engine.run(engine.prepare(plan_of(models("fails"), source, tmp_path / "out"), spark))
    assert not list(tmp_path.glob("out/*.parquet"))
    for more, words in (
        ({"mode": "append", "source": csv}, "append to a Delta table"),
        ({"mode": "merge", "key": ("id",), "source": csv}, "merges on a key only where"),
        ({"source": tmp_path / "nothing"}, "nothing at"),
        ({"source": tmp_path / "x.arrow"}, "is read by --engine local"),
        ({"output": tmp_path / "x.arrow"}, "is written by --engine local"),
        ({"env": "uv"}, "executors' libraries"),
        ({"mapping": {"a": "place"}}, "place"),
    ):
        given = {"source": source, "output": tmp_path / "out2", **more}
        with pytest.raises(HeddleError, match=words):
            engine.prepare(plan_of(models("forest"), **given), spark)
    delta = plan_of(models("forest"), csv, tmp_path / "delta")
    delta = msgspec.structs.replace(
        delta, output=msgspec.structs.replace(delta.output, format="delta")
    )
    with pytest.raises(Invalid, match="delta"):
        engine.run(engine.prepare(delta, spark))


def test_the_command(models, frame, source, tmp_path, capsys):
    # The last of all: it ends the session, as a command does.
    output = tmp_path / "out"
    given = ["predict", models("forest"), str(source), str(output), "--engine", "spark", "--json"]
    assert main(given) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["rows"], made["engine"]) == (ROWS, f"spark {pyspark.__version__}")
    found = pq.read_table(output).to_pandas().sort_values("id", ignore_index=True)
    known = pyfunc(models("forest"), numbers(frame))
    assert found["predictions"].to_numpy().tobytes() == known.tobytes()
