"""The engine: the same bits as pyfunc, order kept, output whole or absent, resumed, never twice."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import applied_models
from heddle.errors import AlreadyExists, Invalid
from heddle.scoring import local, parts
from heddle.scoring.children import Child
from heddle.scoring.plan import Input, Model, Output, Plan

pytestmark = [
    pytest.mark.usefixtures("cache"),
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(240),
]


def make_plan(model: Path, source: Any, output: Any, **given: Any) -> Plan:
    out = {
        name: given.pop(name) for name in ("mode", "key", "columns", "predictions") if name in given
    }
    return Plan(
        model=Model(uri=str(model)),
        input=Input(address=str(source)),
        output=Output(address=str(output), **out),
        **given,
    )


def expected(model: Path, frame: pd.DataFrame) -> np.ndarray:
    import mlflow

    found: np.ndarray = mlflow.pyfunc.load_model(str(model)).predict(frame)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.parquet"
    made = pa.Table.from_pandas(applied_models.table(), preserve_index=False)
    pq.write_table(made, path, row_group_size=100)
    return path


def test_parquet_to_parquet_is_pyfunc_bit_for_bit(forest, source, tmp_path):
    out = tmp_path / "out.parquet"
    heard: list[local.Progress] = []
    plan = make_plan(forest, source, out, batch_rows=64, processes=2)
    receipt = local.run(plan, job="j1", tell=heard.append)
    made = pq.read_table(out)
    frame = applied_models.table()
    want = expected(forest, frame[["a", "b", "c", "d"]])
    assert made.column("predictions").to_numpy().tobytes() == want.tobytes()
    assert made.drop(["predictions"]).equals(pq.read_table(source).cast(made.schema.remove(7)))
    assert made.schema.metadata[b"heddle.job"] == b"j1"
    assert receipt.rows == applied_models.ROWS
    assert receipt.path == "array"
    assert receipt.extra == ["place", "id", "at"]
    assert receipt.libraries["scikit-learn"]
    assert [each.stage for each in heard][:1] == ["preparing"]
    assert heard[-1].stage == "committing"
    one = receipt.predictions[0]
    assert (one.rows, one.sampled) == (600, 600)
    assert one.low == pytest.approx(want.min())
    assert one.mean == pytest.approx(want.mean())
    drift = {each.column: each for each in receipt.drift}
    assert drift["a"].psi is not None
    assert drift["a"].psi < 0.25
    assert not list(tmp_path.glob(".heddle-*"))
    # The same job again finds its work done; another plan on the same place is refused.
    assert local.run(plan, job="j1").rows == 0
    with pytest.raises(AlreadyExists, match="--mode"):
        local.run(plan, job="j2")


FORMATS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "arrow": None,
    "delta": lambda frame, path: deltalake.write_deltalake(str(path), pa.Table.from_pandas(frame)),
    "parquet-folder": lambda frame, path: frame.assign(part=frame["id"] % 2).to_parquet(
        path, partition_cols=["part"], index=False
    ),
}


def write_arrow(frame: pd.DataFrame, path: Path) -> None:
    made = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_file(str(path), made.schema) as writer:
        writer.write_table(made, 100)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_and_written(kind, forest, tmp_path):
    frame = applied_models.table(120)[["id", "a", "b", "c", "d"]]
    # Whole numbers in a text file are still the doubles that the model takes.
    frame["a"] = frame["a"].round()
    path, out = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    (FORMATS[kind] or write_arrow)(frame, path)
    fmt: Any = "delta" if kind == "delta" else ""
    plan = make_plan(forest, path, out, columns=("id",), predictions=("y",))
    plan = type(plan)(
        model=plan.model,
        input=plan.input,
        output=Output(address=str(out), columns=("id",), predictions=("y",), format=fmt),
    )
    local.run(plan, job="j")
    read = {
        "csv": lambda: pacsv.read_csv(out).to_pandas(),
        "jsonl": lambda: pd.read_json(out, lines=True),
        "arrow": lambda: pa.ipc.open_file(str(out)).read_all().to_pandas(),
        "delta": lambda: deltalake.DeltaTable(str(out)).to_pyarrow_table().to_pandas(),
        "parquet-folder": lambda: pd.read_parquet(out),
    }[kind]()
    want = pd.Series(expected(forest, frame[["a", "b", "c", "d"]]), index=frame["id"])
    got = read.set_index("id")["y"]
    assert len(got) == len(want)
    if kind == "jsonl":
        np.testing.assert_allclose(got, want[got.index], rtol=1e-12)
    else:
        assert got.to_numpy().tobytes() == want[got.index].to_numpy().tobytes()
    if kind == "delta":
        assert deltalake.DeltaTable(str(out)).history(1)[0]["heddle.job"] == "j"


def test_delta_travels_in_time(forest, tmp_path):
    for rows in (10, 30):
        frame = applied_models.table(rows)
        deltalake.write_deltalake(
            str(tmp_path / "t"), pa.Table.from_pandas(frame), mode="overwrite"
        )
    plan = make_plan(forest, tmp_path / "t", tmp_path / "o.parquet")
    old = Plan(
        model=plan.model, input=Input(address=str(tmp_path / "t"), version=0), output=plan.output
    )
    receipt = local.run(old)
    assert receipt.rows == 10
    assert receipt.input["version"] == 0
    assert receipt.key


@pytest.mark.parametrize("kind", ["o.parquet", "folder/", "delta"])
def test_modes_overwrite_append_merge(kind, forest, tmp_path):
    out = tmp_path / kind

    def write(rows: int, mode: Any, job: str, seed: int = 0, **given: Any) -> None:
        frame = applied_models.table(rows, seed)[["id", "a", "b", "c", "d"]]
        frame.to_parquet(tmp_path / "in.parquet", index=False)
        plan = make_plan(forest, tmp_path / "in.parquet", str(out) + "/" * kind.endswith("/"))
        output = Output(
            address=plan.output.address,
            format="delta" if kind == "delta" else "",
            mode=mode,
            columns=("id", "a"),
            **given,
        )
        local.run(Plan(model=plan.model, input=plan.input, output=output), job=job)

    def read() -> pd.DataFrame:
        if kind == "delta":
            return deltalake.DeltaTable(str(out)).to_pyarrow_table().to_pandas()
        return pd.read_parquet(out)

    write(20, "create", "j1")
    write(10, "append", "j2")
    assert len(read()) == 30
    write(10, "append", "j2")
    assert len(read()) == 30, "the same job appended twice"
    write(12, "overwrite", "j3")
    assert len(read()) == 12
    write(15, "merge", "j4", seed=5, key=("id",))
    merged = read().sort_values("id")
    assert list(merged["id"]) == list(range(15))
    assert merged["a"].tolist() == applied_models.table(15, 5)["a"].tolist()
    assert not list(tmp_path.glob(".heddle-*"))


def test_postgres_in_and_out(forest, tmp_path, postgres):
    import adbc_driver_postgresql.dbapi as adbc

    uri = postgres.url(postgres.create())
    frame = applied_models.table(50)[["id", "a", "b", "c", "d"]]
    with adbc.connect(uri) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("patients", pa.Table.from_pandas(frame, preserve_index=False))
        connection.commit()
    for mode, job, key in (
        ("create", "j1", ()), ("create", "j1", ()), ("append", "j2", ()), ("overwrite", "j3", ()),
        ("merge", "j4", ("id",)),
    ):  # fmt: skip
        as_mode: Any = mode
        output = Output(address=f"{uri}#public.scored", mode=as_mode, key=key, columns=("id",))
        plan = Plan(
            model=Model(uri=str(forest)), input=Input(address=f"{uri}#patients"), output=output
        )
        local.run(plan, job=job, staging=tmp_path)
        with adbc.connect(uri) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, predictions FROM scored ORDER BY id")
            got = cursor.fetch_arrow_table()
        assert got.num_rows == (100 if mode == "append" else 50)
    want = expected(forest, frame[["a", "b", "c", "d"]])
    assert got.column("predictions").to_numpy().tobytes() == want.tobytes()


def test_nothing_is_seen_of_a_cancelled_or_failed_job(forest, source, tmp_path):
    cancel = threading.Event()
    out = tmp_path / "out/"
    plan = make_plan(forest, source, f"{out}/", batch_rows=50)

    def tell(progress: local.Progress) -> None:
        if progress.stage == "committing":
            cancel.set()

    with pytest.raises(local.Cancelled):
        local.run(plan, job="j", tell=tell, cancel=cancel)
    assert not out.exists()
    assert not list(tmp_path.glob(".heddle-*"))


def test_a_broken_job_goes_on_after_its_last_finished_part(forest, source, tmp_path, monkeypatch):
    plan = make_plan(forest, source, f"{tmp_path}/out/", batch_rows=100)
    monkeypatch.setattr(local, "split", lambda pieces: plans_split(pieces, 200))
    real = parts.PartFile.finish
    finished: list[int] = []

    def finish(self: parts.PartFile) -> None:
        real(self)
        finished.append(len(finished))
        if len(finished) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(parts.PartFile, "finish", finish)
    with pytest.raises(KeyboardInterrupt):
        local.run(plan, job="j")
    assert not (tmp_path / "out").exists()
    assert finished == [0, 1]
    receipt = local.run(plan, job="j")
    assert finished == [0, 1, 2]
    assert receipt.rows == applied_models.ROWS
    made = pd.read_parquet(tmp_path / "out")
    want = expected(forest, applied_models.table()[["a", "b", "c", "d"]])
    assert made["predictions"].to_numpy().tobytes() == want.tobytes()


def plans_split(pieces: Any, rows: int) -> Any:
    from heddle.scoring.plan import split

    return split(pieces, rows)


def test_a_killed_child_is_replaced(forest, source, tmp_path, monkeypatch):
    real = Child.send
    killed: list[int] = []

    def send(self: Child, batch: pa.RecordBatch) -> None:
        real(self, batch)
        if len(killed) < 2:
            assert self._process is not None
            killed.append(self._process.pid)
            os.killpg(self._process.pid, signal.SIGKILL)

    monkeypatch.setattr(Child, "send", send)
    plan = make_plan(forest, source, tmp_path / "o.parquet", batch_rows=50, processes=1)
    local.run(plan)
    made = pd.read_parquet(tmp_path / "o.parquet")
    want = expected(forest, applied_models.table()[["a", "b", "c", "d"]])
    assert len(killed) == 2
    assert made["predictions"].to_numpy().tobytes() == want.tobytes()
    # Killed again and again, it is said how it ended.
    monkeypatch.setattr(local, "REPLACED_MAX", 0)
    killed.clear()
    with pytest.raises(Invalid, match="SIGKILL"):
        local.run(make_plan(forest, source, tmp_path / "p.parquet", processes=1))
    assert not (tmp_path / "p.parquet").exists()


def test_an_empty_table_gives_an_empty_one(forest, tmp_path):
    applied_models.table(0).astype({"place": "str"}).to_parquet(tmp_path / "in.parquet")
    plan = make_plan(forest, tmp_path / "in.parquet", tmp_path / "o.parquet", columns=("id",))
    assert local.run(plan).rows == 0
    assert pd.read_parquet(tmp_path / "o.parquet").columns.tolist() == ["id", "predictions"]
