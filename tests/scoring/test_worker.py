"""The worker as a process: what it does, and that killing it at any moment writes nothing twice."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random

import adbc_driver_postgresql.dbapi as adbc
import deltalake
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
import pytest

from api_client import Api
from heddle.app import create_app
from heddle.db.tx import LOCAL
from heddle.settings import Settings
from native_calls import HERE, call, refused, registered, upload

WAIT_S = 60.0


@pytest.fixture
def data(tmp_path):
    (tmp_path / "tables").mkdir()
    return tmp_path


@pytest.fixture
def warehouse(postgres):
    """The name of a database that jobs may write into."""
    name = postgres.create()
    yield name
    postgres.drop(name)


@pytest.fixture
def api(database_url, data, request):
    roots = [str(data / "tables")]
    if "warehouse" in request.fixturenames:
        roots.append(f"postgresql:///{request.getfixturevalue('warehouse')}")
    app = create_app(Settings(data=data, database=database_url, data_roots=tuple(roots)))
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
            | {"HEDDLE_DATA_ROOTS": ",".join(settings.roots)}
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


@pytest.mark.parametrize("dialect", ["sqlite"])
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
        # A listing is done as a job is, yet it is none that anybody submitted.
        assert "no job 1" in refused(api, "GET", f"{HERE}/jobs/1", status=404)["message"]
        few = {"input": {"address": "sub/u.csv"}, "rows": 1}
        assert call(api, "POST", f"{HERE}/tables/preview", few)["rows"] == [[1, "x", 0.5]]
        gone = refused(api, "POST", f"{HERE}/tables/preview", {"input": {"address": "no.parquet"}})
        assert "no.parquet" in gone["message"]
        for address in ("secret/passwd.csv", "secret/"):
            wanted = {"input": {"address": address}}
            away = refused(api, "POST", f"{HERE}/tables/preview", wanted)
            assert "data-roots /etc" in away["message"]


SLOW = '''
import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Slow(PythonModel):
    """Doubles x, taking its time over each batch."""

    def predict(self, context, model_input, params=None):
        time.sleep(0.05)
        return model_input["x"] * 2


set_model(Slow())
'''
ROWS = 20_000


@pytest.fixture(scope="session")
def model_files(tmp_path_factory):
    """The files of a model that doubles a column slowly, and of one that is hostile."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "slow.py").write_text(SLOW)
    program = (
        "import mlflow.pyfunc, pandas as pd\n"
        "from mlflow.models import infer_signature\n"
        "x = pd.DataFrame({'x': [1.0]})\n"
        "s = infer_signature(x, pd.Series([2.0]))\n"
        "mlflow.pyfunc.save_model('m', python_model='slow.py', signature=s, pip_requirements=[])\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    top = folder / "m"
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
    }


def version(api, files, name="m", **more):
    uid = api.run(run_name="r")
    for path, data in files.items():
        upload(api, uid, f"model/{path}", data)
    return registered(api, name, uid, **more)["version"]


def rows(count=ROWS):
    return pa.table({"id": range(count), "x": [float(i % 997) for i in range(count)]})


def submit(api, status=201, **more):
    plan = {
        "model": "m/1",
        "input": {"address": "in.parquet"},
        "output": {"address": "out.parquet"},
        "processes": 1,
        "batch_rows": 1000,
    } | more
    return call(api, "POST", f"{HERE}/jobs", {"plan": plan}, status)


def job(api, made):
    return call(api, "GET", f"{HERE}/jobs/{made['id']}")


def ended(api, made):
    return until(
        lambda: (now := job(api, made))["state"] in ("done", "failed", "cancelled") and now
    )


def is_right(table, count=ROWS):
    """Every row once, with its prediction."""
    table = table.sort_by("id")
    given = rows(count)
    assert table["id"].to_pylist() == given["id"].to_pylist()
    assert table["predictions"].to_pylist() == [x * 2 for x in given["x"].to_pylist()]


@pytest.fixture
def slow(api, data, model_files):
    pq.write_table(rows(), data / "tables" / "in.parquet", row_group_size=2000)
    version(api, model_files, aliases=["champion"])
    return data / "tables"


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_a_job_is_done_with_a_receipt(api, slow):
    made = submit(api, model="m@champion")
    with worker(api):
        seen = until(lambda: (now := job(api, made))["progress"] and now)
        assert seen["state"] == "running"
        done = ended(api, made)
        assert (done["state"], done["error"], done["version"]) == ("done", "", 1)
        is_right(pq.read_table(slow / "out.parquet"))
        receipt = done["receipt"]
        assert (receipt["rows"], receipt["model"]["version"]) == (ROWS, 1)
        metadata = pq.read_schema(slow / "out.parquet").metadata
        assert metadata[b"heddle.job"].decode() == receipt["job"]
        assert receipt["job"].split("-")[0] == made["id"]
        applied = call(api, "GET", f"{HERE}/models/m/versions/1/applied")["jobs"]
        assert [each["id"] for each in applied] == [made["id"]]
        scan = until(
            lambda: (said := call(api, "GET", f"{HERE}/models/m/versions/1/scan"))["label"] and said
        )
        assert (scan["state"], scan["label"]) == ("done", "code-bearing")
        # The table is there now, so the same again is refused, and nothing is tried a second time.
        again = ended(api, submit(api))
        assert (again["state"], again["attempts"]) == ("failed", 1)
        assert "there already" in again["error"]
        # Spark is not among what this worker was installed with.
        apart = submit(api, engine="spark", output={"address": "apart/"})
        assert apart["plan"]["engine"] == "spark"
        assert "This worker has no Spark" in ended(api, apart)["error"]


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [("create", "sqlite"), ("append", "postgresql"), ("csv", "sqlite"), ("delta", "sqlite")],
)
def test_killed_at_any_moment_the_output_is_whole_and_there_once(api, slow, kind):
    """Workers, job processes and model processes are killed; a last worker is left in peace."""
    output = {
        "create": {"address": "out.parquet"},
        "append": {"address": "out/", "mode": "append"},
        "csv": {"address": "out.csv", "mode": "overwrite"},
        "delta": {"address": "out", "format": "delta", "mode": "append"},
    }[kind]
    old = pa.table({"id": [-1], "x": [0.5], "predictions": [1.0]})
    if kind == "append":
        (slow / "out").mkdir()
        pq.write_table(old, slow / "out" / "old.parquet")
    if kind == "delta":
        deltalake.write_deltalake(slow / "out", old)
    survives_kills(api, output, partial(shown, slow, kind), kind)
    assert not [path.name for path in slow.iterdir() if path.name.startswith(".heddle")]
    if kind == "delta":
        assert deltalake.DeltaTable(slow / "out").version() == 1


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.usefixtures("slow")
def test_killed_at_any_moment_a_table_of_postgres_is_written_once(api, postgres, warehouse):
    url = postgres.url(warehouse)
    old = pa.table({"id": [-1], "x": [0.5], "predictions": [1.0]})
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("scored", old)
        connection.commit()

    def look():
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id, x, predictions FROM scored")
            return cursor.fetch_arrow_table()

    output = {"address": f"postgresql:///{warehouse}#public.scored", "mode": "append"}
    # An address of a job says no folder of sockets; whoever runs the worker does.
    survives_kills(api, output, look, "postgres", PGHOST=str(postgres.folder), PGUSER="heddle")
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM heddle_commits")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (2,), "something was left beside the table"


def survives_kills(api, output, look, seed, **environment):
    """Submit a job, kill whatever works on it at random moments, let it be done, check it all."""

    def count():
        return 0 if (seen := look()) is None else seen.num_rows

    before = count()
    made = submit(api, output=output)
    random = Random(seed)
    for _ in range(2):
        with worker(api, **environment) as process:
            # From its start over loading, predicting and the last step to after its end.
            until(lambda: job(api, made)["state"] != "queued")
            time.sleep(random.uniform(0.0, 4.0))
            victims = [process.pid, *descendants(process.pid)]
            os.kill(random.choice(victims), signal.SIGKILL)
            time.sleep(random.uniform(0.0, 0.5))
            process.kill()
            process.wait()
        until(lambda gone=victims: not any(Path(f"/proc/{pid}/exe").exists() for pid in gone))
        assert count() in (before, before + ROWS)
        expire(api)
    with worker(api, **environment):
        done = ended(api, made)
    assert (done["state"], done["error"]) == ("done", "")
    receipt = done["receipt"]
    # Nothing is predicted again of what was written before its receipt was.
    assert receipt["job"].split("-")[0] == made["id"]
    table = look()
    if before:
        assert table.filter(pc.equal(table["id"], -1)).num_rows == 1
        table = table.filter(pc.not_equal(table["id"], -1))
    is_right(table)


def shown(tables, kind):
    if kind == "append":
        return pq.read_table(tables / "out")
    if kind == "delta":
        return deltalake.DeltaTable(tables / "out").to_pyarrow_table()
    path = tables / ("out.csv" if kind == "csv" else "out.parquet")
    if not path.exists():
        return None
    return pacsv.read_csv(path) if kind == "csv" else pq.read_table(path)


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_several_workers_share_jobs_and_take_over_those_of_one_that_was_killed(api, slow):
    jobs = [
        submit(api, output={"address": name})
        for name in ("a.parquet", "b/", "c.csv", "d.jsonl", "e.arrow")
    ]
    with worker(api) as first, worker(api) as second, worker(api) as third:
        pids = {process.pid for process in (first, second, third)}

        def working():
            return {int(now["worker"].rpartition(":")[2] or 0) for now in map(look, jobs)} & pids

        def look(made):
            return job(api, made)

        until(lambda: len(working()) > 1)
        lost = next(each for each in (first, second, third) if each.pid in working())
        for pid in (lost.pid, *descendants(lost.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        expire(api, f"%:{lost.pid}")
        done = [ended(api, made) for made in jobs]
    assert [(each["state"], each["error"]) for each in done] == [("done", "")] * len(jobs)
    assert {each["receipt"]["rows"] for each in done} == {ROWS}
    for name, read in (
        ("a.parquet", pq.read_table), ("b", pq.read_table), ("c.csv", pacsv.read_csv),
        ("d.jsonl", pajson.read_json), ("e.arrow", lambda path: pa.ipc.open_file(path).read_all()),
    ):  # fmt: skip
        is_right(read(str(slow / name)))
    assert not [path.name for path in slow.iterdir() if path.name.startswith(".heddle")]


def descendants(pid):
    """Processes that a process started, and theirs."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [*children, *(far for child in children for far in descendants(child))]


def expire(api, worker="%"):
    """Let the leases of workers with such a name have run out, as after half a minute."""
    api.app.services.database.write_now(
        lambda tx: tx.cursor.execute(
            "UPDATE jobs SET lease_ms = 1, attempts = 1 WHERE lease_ms IS NOT NULL"
            f" AND worker LIKE '{worker}'"
        ),
        LOCAL,
    )


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_a_worker_that_was_away_too_long_publishes_nothing(api, slow):
    made = submit(api)
    with worker(api) as first:
        until(lambda: job(api, made)["state"] == "running")
        frozen = [first.pid, *descendants(first.pid)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        expire(api)
        with worker(api) as second:
            until(lambda: job(api, made)["worker"].endswith(f":{second.pid}"))
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            done = ended(api, made)
            assert done["state"] == "done"
            assert done["worker"].endswith(f":{second.pid}")
        until(lambda: len(descendants(first.pid)) <= 1)
    is_right(pq.read_table(slow / "out.parquet"))


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_cancelled_job_leaves_nothing(api, slow):
    made = submit(api)
    with worker(api) as process:
        until(lambda: job(api, made)["state"] == "running")
        call(api, "POST", f"{HERE}/jobs/{made['id']}/cancel", {})
        assert ended(api, made)["state"] == "cancelled"
        until(lambda: not any("job_process" in words(pid) for pid in descendants(process.pid)))
    assert sorted(path.name for path in slow.iterdir()) == ["in.parquet"]


def words(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_worker_that_is_told_to_end_gives_its_job_back(api, slow):
    made = submit(api)
    with worker(api) as process:
        until(lambda: job(api, made)["state"] == "running")
        process.terminate()
        assert process.wait(20) == 0
    assert (job(api, made)["state"], job(api, made)["error"]) == ("queued", "")
    with worker(api):
        assert ended(api, made)["state"] == "done"
    is_right(pq.read_table(slow / "out.parquet"))


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_a_hostile_version_is_found_out_before_it_is_loaded(api, data, model_files):
    mark = data / "ran"
    hostile = pickle.dumps(Hostile(str(mark)))
    pq.write_table(rows(10), data / "tables" / "in.parquet")
    version(api, model_files | {"extra.pkl": hostile})
    # Submitted before any worker could look at it.
    made = submit(api)
    with worker(api):
        refused_job = ended(api, made)
        assert refused_job["state"] == "failed"
        assert "suspicious" in refused_job["error"]
        scan = until(
            lambda: (said := call(api, "GET", f"{HERE}/models/m/versions/1/scan"))["label"] and said
        )
        assert scan["label"] == "suspicious"
        assert "extra.pkl" in [found["path"] for found in scan["findings"]]
        assert ended(api, submit(api, allow_suspicious=True))["state"] == "done"
    assert not mark.exists()


class Hostile:
    """Would make a file when loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_without_what_jobs_need_the_worker_says_so(tmp_path):
    program = "import sys; sys.modules['pyarrow'] = None; sys.argv = ['heddle', 'worker'];"
    done = subprocess.run(
        [sys.executable, "-c", f"{program} from heddle.cli import main; sys.exit(main())"],
        env=os.environ | {"HEDDLE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "pip install 'heddle-ml[predict]'" in done.stderr
