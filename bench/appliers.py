"""Programs that apply a model to a table, each as somebody would write it without Heddle.

Runs in the environment `scoring` alone, as `python bench/appliers.py NAME ARGUMENT...`, and prints
one line of JSON: what was done, and in how many seconds once everything was loaded. Libraries are
imported where they are used, so that none weighs on a program that does without.
"""
# ruff: noqa: PLC0415

import hashlib
import json
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

COLUMNS = [f"x{number}" for number in range(10)]
PREDICTION = "predictions"
BATCH = 100_000
GROUP = 1_000_000
FLAVORS = {"forest-3": "sklearn", "forest-100": "sklearn", "lightgbm-100": "lightgbm"}


def table(path: str, rows: str, csv: str = "") -> dict[str, Any]:
    """Write a table of ten columns of doubles, and its first rows as CSV where a path is given."""
    schema = pa.schema([(name, pa.float64()) for name in COLUMNS])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, int(rows), GROUP):
            chance = np.random.default_rng(start)
            count = min(GROUP, int(rows) - start)
            arrays = [pa.array(chance.normal(size=count)) for _ in COLUMNS]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=GROUP)
    if csv:
        name, _, count = csv.rpartition(":")
        first = next(pq.ParquetFile(path).iter_batches(batch_size=int(count)))
        first.to_pandas().to_csv(name, index=False)
    return {"rows": int(rows)}


def models(folder: str, *names: str) -> dict[str, Any]:
    """Train the models of these names and save them with their signatures."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.ensemble import RandomForestRegressor

    chance = np.random.default_rng(7)
    inputs = pd.DataFrame(chance.normal(size=(20_000, len(COLUMNS))), columns=COLUMNS)
    target = inputs["x0"] * inputs["x1"] + np.sin(inputs["x2"]) + inputs["x3"] ** 2
    for name in names:
        kind, _, trees = name.partition("-")
        if kind == "forest":
            model: Any = RandomForestRegressor(int(trees), max_depth=8, random_state=0)
        else:
            from lightgbm import LGBMRegressor

            model = LGBMRegressor(n_estimators=int(trees), random_state=0, verbosity=-1)
        model.fit(inputs, target)
        save = getattr(mlflow, FLAVORS[name]).save_model
        signature = infer_signature(inputs, model.predict(inputs))
        given = {"serialization_format": "cloudpickle"} if "forest" in name else {}
        save(
            model,
            f"{folder}/{name}",
            signature=signature,
            pip_requirements=[FLAVORS[name].replace("sklearn", "scikit-learn")],
            **given,
        )
    return {"models": list(names)}


def online(model: str, count: str) -> dict[str, Any]:
    """Make so many rows to be scored by request, and what pyfunc predicts for them."""
    import mlflow

    rows = np.random.default_rng(int(count)).normal(size=(int(count), len(COLUMNS))).tolist()
    frame = pd.DataFrame(rows, columns=COLUMNS)
    predictions = mlflow.pyfunc.load_model(model).predict(frame).tolist()
    return {"rows": {"columns": COLUMNS, "data": rows}, "predictions": predictions}


def _native(model: str) -> Any:
    import mlflow

    return getattr(mlflow, FLAVORS[Path(model).name]).load_model(model)


def alone(model: str, path: str, processes: str, rows: str) -> dict[str, Any]:
    """Predict from memory in several processes at once: no reading, no writing, the limit."""
    count = int(processes)
    share = int(rows) // count
    barrier = multiprocessing.Barrier(count + 1)
    workers = [
        multiprocessing.Process(target=_alone, args=(model, path, share, number, barrier))
        for number in range(count)
    ]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return {"rows": share * count, "seconds": seconds}


def _alone(model: str, path: str, share: int, number: int, barrier: Any) -> None:
    native = _native(model)
    held, left = [], share
    for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH):
        held.append(np.column_stack([column.to_numpy() for column in batch.columns])[:left])
        left -= len(held[-1])
        if not left:
            break
    del number
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        native.predict(held[0][:1000])
        barrier.wait()
        for array in held:
            native.predict(array)
    barrier.wait()


def plain(model: str, path: str, out: str) -> dict[str, Any]:
    """Read a batch, predict with the library itself, write."""
    return _loop(_native(model).predict, path, out)


def pyfunc(model: str, path: str, out: str) -> dict[str, Any]:
    """Read a batch, predict through `mlflow.pyfunc`, write."""
    import mlflow

    return _loop(mlflow.pyfunc.load_model(model).predict, path, out)


def _loop(predict: Callable[[pd.DataFrame], Any], path: str, out: str) -> dict[str, Any]:
    began, rows = time.perf_counter(), 0
    file = pq.ParquetFile(path)
    schema = file.schema_arrow.append(pa.field(PREDICTION, pa.float64()))
    with pq.ParquetWriter(out, schema) as writer:
        for batch in file.iter_batches(batch_size=BATCH):
            predicted = pa.array(predict(batch.to_pandas()))
            arrays = [*batch.columns, predicted]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            rows += batch.num_rows
    return {"rows": rows, "seconds": time.perf_counter() - began}


def spark_udf(model: str, path: str, out: str) -> dict[str, Any]:
    """Spark on two threads of this machine, with MLflow's own function for it."""
    import mlflow
    from pyspark.sql.functions import struct

    spark = _session(out)
    predict = mlflow.pyfunc.spark_udf(spark, model, result_type="double", env_manager="local")
    began = time.perf_counter()
    frame = spark.read.parquet(path)
    rows = pq.ParquetFile(path).metadata.num_rows
    frame.withColumn(PREDICTION, predict(struct(*COLUMNS))).write.parquet(out)
    seconds = time.perf_counter() - began
    spark.stop()
    return {"rows": rows, "seconds": seconds}


def _session(out: str) -> Any:
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": f"{out}-spark",
        "spark.sql.warehouse.dir": f"{out}-spark/warehouse",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def digest(out: str) -> dict[str, Any]:
    """What an output holds: its rows, and a digest of all predictions in the order of the input."""
    if out.endswith(".json"):
        values = np.array(json.loads(Path(out).read_text())["predictions"], dtype=np.float64)
        return {"rows": len(values), "digest": hashlib.sha256(values.tobytes()).hexdigest()}
    total, rows = hashlib.sha256(), 0
    for values in _predictions(out):
        total.update(values.tobytes())
        rows += len(values)
    return {"rows": rows, "digest": total.hexdigest()}


def truth(model: str, path: str) -> dict[str, Any]:
    """As `digest`, of what `mlflow.pyfunc` predicts for a table, or for a CSV as pandas reads it."""
    import mlflow

    predict = mlflow.pyfunc.load_model(model).predict
    total, rows = hashlib.sha256(), 0
    frames = (
        pd.read_csv(path, chunksize=BATCH)
        if path.endswith(".csv")
        else (batch.to_pandas() for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH))
    )
    for frame in frames:
        values = np.asarray(predict(frame), dtype=np.float64)
        total.update(values.tobytes())
        rows += len(values)
    return {"rows": rows, "digest": total.hexdigest()}


def _predictions(out: str) -> Iterator[Any]:
    # Files of a folder are numbered in the order of the input.
    for batch in ds.dataset(out, format="parquet").scanner([PREDICTION]).to_batches():
        yield batch.column(0).to_numpy(zero_copy_only=False)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
