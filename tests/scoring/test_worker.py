"""The worker as a process: what it does, and that killing it at any moment writes nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from api_client import Api
from heddle.app import create_app
from heddle.settings import Settings
from native_calls import HERE, call, refused

WAIT_S = 60.0


@pytest.fixture
def data(tmp_path):
    (tmp_path / "tables").mkdir()
    return tmp_path


@pytest.fixture
def api(database_url, data):
    app = create_app(Settings(data=data, database=database_url))
    app.open()
    yield Api(app)
    app.close()


@contextmanager
def worker(api, *arguments, **environment):
    settings = api.app.settings
    # What it says goes to a file: a pipe that nobody reads would stop it.
    with (settings.data / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "heddle", "worker", *arguments],
            env=os.environ
            | {"HEDDLE_DATA": str(settings.data), "HEDDLE_DATABASE": settings.database_url}
            | environment,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(20)


def until(look, wait_s=WAIT_S):
    deadline = time.monotonic() + wait_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found


def test_tables_are_listed_and_previewed_by_the_worker(api, data):
    tables = data / "tables"
    table = pa.table({"a": [1, 2, 2**60], "b": ["x", None, "z"], "c": [0.5, float("nan"), None]})
    pq.write_table(table, tables / "t.parquet")
    (tables / "sub").mkdir()
    pacsv.write_csv(table, tables / "sub" / "u.csv")
    (tables / "secret").symlink_to("/etc")
    with worker(api):
        top = call(api, "GET", f"{HERE}/tables")
        assert [entry["address"] for entry in top["entries"]] == [str(tables)]
        listed = call(api, "GET", f"{HERE}/tables?folder={tables}")["entries"]
        shown = {entry["name"]: (entry["is_folder"], entry["format"]) for entry in listed}
        assert shown["sub"] == (True, "")
        assert shown["t.parquet"] == (False, "parquet")
        seen = call(api, "POST", f"{HERE}/tables/preview", {"input": {"address": "t.parquet"}})
        assert [(c["name"], c["type"]) for c in seen["columns"]] == [
            ("a", "int64"), ("b", "string"), ("c", "double"),
        ]  # fmt: skip
        assert seen["rows"] == [[1, "x", 0.5], [2, None, "NaN"], [str(2**60), "z", None]]
        assert seen["total_rows"] == 3
        few = {"input": {"address": "sub/u.csv"}, "rows": 1}
        assert call(api, "POST", f"{HERE}/tables/preview", few)["rows"] == [[1, "x", 0.5]]
        gone = refused(api, "POST", f"{HERE}/tables/preview", {"input": {"address": "no.parquet"}})
        assert "no.parquet" in gone["message"]
        for address in ("secret/passwd.csv", "secret/"):
            wanted = {"input": {"address": address}}
            away = refused(api, "POST", f"{HERE}/tables/preview", wanted)
            assert "data-roots /etc" in away["message"]
