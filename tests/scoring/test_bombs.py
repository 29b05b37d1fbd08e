"""Small files that stand for gigabytes: who reads them fails with a word about it, and nothing else."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MOST = 600 * 1024**2
LARGE = 2 * 1024**3
# The process of a job, as the worker starts it, on a machine with little memory.
PROGRAM = f"""
from heddle.scoring import job_process, memory
memory.SHARE, memory.LEAST = 0.0, {MOST}
job_process.main()
"""


def previewed(address, top):
    """What the process of a job answers that is to show a table's first rows."""
    request = {
        "kind": "preview",
        "plan": {"input": {"address": str(address)}, "rows": 5000},
        "roots": [str(top)],
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())


def applied(model, address, output, most=MOST):
    """What the command says of a table, on a machine with little memory, and its exit code."""
    program = (
        "import sys; from heddle.scoring import memory; from heddle.cli import main;"
        f" memory.SHARE, memory.LEAST = 0.0, {most};"
        " sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", model, address, output, "--processes", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def one_large_batch(path):
    """Zeros of one batch, packed: two gigabytes in some kilobytes."""
    batch = pa.record_batch({"x": pa.array(np.zeros(LARGE // 8))})
    with pa.ipc.new_file(
        path, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_batch(batch)


def one_large_value(path):
    """A megabyte that a dictionary holds once and thousands of rows repeat."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3000, "int32")), ["x" * 1024**2])
    pq.write_table(pa.table({"x": column}), path, store_schema=False)


@pytest.mark.parametrize(
    ("name", "write"), [("t.arrow", one_large_batch), ("t.parquet", one_large_value)]
)
def test_what_unpacks_to_gigabytes_is_refused(tmp_path, name, write):
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 2 * 1024**2
    said = previewed(tmp_path / name, tmp_path)
    assert "needs more than 0.6 GB of memory once it is unpacked" in said["error"]
    # It would be no different the next time.
    assert said["again"] is False


@pytest.mark.usefixtures("cache")
def test_what_unpacks_to_gigabytes_is_not_applied(tmp_path, forest):
    batch = pa.record_batch({name: pa.array(np.zeros(LARGE // 32)) for name in "abcd"})
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(tmp_path / "t.arrow", batch.schema, options=packed) as writer:
        writer.write_batch(batch)
    code, words = applied(forest, tmp_path / "t.arrow", tmp_path / "out.parquet")
    assert code != 0
    assert "needs more than 0.6 GB of memory once it is unpacked" in words
    assert "Traceback" not in words
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.usefixtures("cache")
def test_what_fails_within_duckdb_is_said_in_its_words(tmp_path, forest):
    columns = "i::DOUBLE AS a, 1e0 AS b, 2e0 AS c, 3e0 AS d"
    statement = f"SELECT {columns} FROM range(100000) r(i) WHERE error('row ' || i) IS NULL"
    code, words = applied(forest, statement, tmp_path / "out.parquet")
    assert code != 0
    assert "DuckDB cannot read the input" in words
    assert "row 0" in words
    assert "Traceback" not in words


@pytest.mark.usefixtures("cache")
def test_what_duckdb_sorts_is_put_aside_where_it_does_not_fit(tmp_path, forest):
    """A gigabyte of texts and numbers in another order, in a process that may take no more."""
    wide = "repeat(md5(i::VARCHAR), 10) AS words"
    rows = f"SELECT i::DOUBLE AS a, 1e0 AS b, 2e0 AS c, 3e0 AS d, {wide} FROM range(3000000) r(i)"
    statement = f"SELECT a, b, c, d FROM ({rows}) ORDER BY words"
    code, words = applied(forest, statement, tmp_path / "out.parquet", most=1024**3)
    assert code == 0, words
    assert pq.ParquetFile(tmp_path / "out.parquet").metadata.num_rows == 3_000_000


def test_a_line_without_an_end_is_not_read_to_its_end(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"x\n1\n")
        for _ in range(64):
            file.write(b"1" * 1024**2)
    said = previewed(tmp_path / "t.csv.gz", tmp_path)
    assert "a line of it is longer than 4 MiB" in said["error"]
    assert said["again"] is False


def test_a_large_group_of_rows_is_read_piece_by_piece(tmp_path):
    """Two gigabytes in one group, of which a reader holds a batch at a time."""
    schema = pa.schema([("x", pa.float64())])
    with pq.ParquetWriter(tmp_path / "t.parquet", schema, compression="zstd") as writer:
        writer.write_table(pa.table({"x": np.zeros(LARGE // 8)}), row_group_size=LARGE)
    said = previewed(tmp_path / "t.parquet", tmp_path)
    assert said["receipt"]["rows"][:2] == [[0.0], [0.0]]
    assert len(said["receipt"]["rows"]) == 5000
