"""What an MLflow server holds, taken over: afterwards both answer the same client alike."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)
from mlflow.tracking import MlflowClient

from heddle.cli import main
from mlflow_server import mlflow_server
from postgres_server import Postgres
from running_servers import SOURCE, heddle_server

LARGE = bytes(range(256)) * 1024


@dataclass(frozen=True)
class Theirs:
    """A running MLflow that was filled, and where its files lie."""

    uri: str
    database: Path
    files: Path


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    folder = tmp_path_factory.mktemp("mlflow")
    with mlflow_server(folder) as port:
        uri = f"http://127.0.0.1:{port}"
        fill(MlflowClient(uri, uri), tmp_path_factory.mktemp("files"))
        yield Theirs(uri, folder / "mlflow.sqlite", folder / "artifacts")


def fill(client: MlflowClient, folder: Path) -> None:
    """One of everything that a client can log and register."""
    grocery = client.create_experiment(
        "grocery", tags={"team": "stores", "mlflow.note.content": "**Weekly**"}
    )
    gone = client.create_experiment("gone")
    (folder / "model").mkdir()
    (folder / "model" / "MLmodel").write_text("artifact_path: model\nflavors: {}\n")
    (folder / "model" / "weights with blanks ü.bin").write_bytes(LARGE)

    run = client.create_run(grocery, run_name="first", tags={"mlflow.user": "ann", "k": "v" * 5000})
    uid = run.info.run_id
    client.log_batch(
        uid,
        [Metric("loss", 1 / (step + 1), 1000 + step, step) for step in range(300)]
        + [Metric("odd", value, 5, n) for n, value in enumerate((math.nan, math.inf, -1.5))],
        [Param("lr", "0.1"), Param("text", "a b")],
        [RunTag("stage", "try")],
    )
    data = Dataset("sales", "d1", "local", "{}", schema='{"a":1}', profile='{"rows":3}')
    client.log_inputs(uid, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    client.log_artifacts(uid, str(folder / "model"), "model")
    client.log_text(uid, "plain", "notes/a.txt")
    made = client.create_logged_model(
        grocery, name="made", source_run_id=uid, tags={"t": "1"},
        params={"depth": "3"}, model_type="test",
    )  # fmt: skip
    client.log_model_artifacts(made.model_id, str(folder / "model"))
    client.finalize_logged_model(made.model_id, "READY")
    client.log_metric(uid, "rmse", 51.5, model_id=made.model_id)
    client.log_outputs(uid, [LoggedModelOutput(made.model_id, 7)])
    client.set_terminated(uid, "FINISHED")

    child = client.create_run(grocery, run_name="child", tags={"mlflow.parentRunId": uid})
    client.set_terminated(child.info.run_id, "FAILED")
    client.create_run(grocery, run_name="running")
    deleted = client.create_run(grocery, run_name="deleted")
    client.delete_run(deleted.info.run_id)
    client.create_run(gone, run_name="in a deleted experiment")
    client.delete_experiment(gone)

    client.create_registered_model("forest", {"domain": "sales"}, "Trees")
    source = f"{run.info.artifact_uri}/model"
    client.create_model_version("forest", source, uid, {"checked": "yes"}, description="One")
    second = client.create_model_version("forest", source, uid)
    client.create_model_version("forest", f"models:/{made.model_id}", uid, model_id=made.model_id)
    client.delete_model_version("forest", second.version)
    client.set_registered_model_alias("forest", "champion", "1")
    with pytest.warns(FutureWarning, match="stages"):
        client.transition_model_version_stage("forest", "3", "Staging")
    client.create_registered_model("empty")
    client.register_prompt("greeting", "Hello {{name}}", "First", tags={"tone": "kind"})
    client.copy_model_version("models:/forest/1", "taken")


def told(uri: str, folder: Path) -> dict[str, Any]:
    """Everything that a client hears from a server, files as their bytes."""
    client = MlflowClient(uri, uri)
    experiments = {each.name: each for each in client.search_experiments(view_type=3)}
    ids = [each.experiment_id for each in experiments.values()]
    runs = client.search_runs(ids, run_view_type=3)
    said: dict[str, Any] = {
        "experiments": {
            name: [
                each.tags,
                each.lifecycle_stage,
                # Here it is there from the start.
                name == "Default" or each.creation_time,
                each.experiment_id,
            ]
            for name, each in experiments.items()
        },
        "runs": {run.info.run_id: run.to_dictionary() for run in runs},
        "histories": {
            f"{run.info.run_id} {key}": sorted(
                (repr(m.value), m.timestamp, m.step)
                for m in client.get_metric_history(run.info.run_id, key)
            )
            for run in runs
            for key in run.data.metrics
        },
        "files": {},
        "logged models": {},
    }
    for run in runs:
        if run.info.lifecycle_stage == "active":
            place = folder / run.info.run_id
            place.mkdir(parents=True)
            said["files"][run.info.run_id] = contents(
                Path(client.download_artifacts(run.info.run_id, "", str(place)))
            )
    for model in client.search_logged_models([experiments["grocery"].experiment_id]):
        described = model.to_dictionary()
        # What was registered from it is a list in a tag; its order of keys is nobody's promise.
        labels = described.pop("tags")
        listed = json.loads(labels.pop("mlflow.modelVersions"))
        described.pop("last_updated_timestamp")
        said["logged models"][model.model_id] = [described, labels, listed]
    said["models"] = {
        model.name: [
            model.description,
            dict(model.tags),
            dict(model.aliases),
            model.creation_timestamp,
        ]
        for wanted in ("", "tags.`mlflow.prompt.is_prompt` = 'true'")
        for model in client.search_registered_models(wanted)
    }
    said["versions"] = {
        f"{version.name}/{version.version}": [
            version.source, version.run_id, version.current_stage, version.description,
            dict(version.tags), list(version.aliases), version.creation_timestamp, version.status,
        ]
        for name in ("forest", "empty", "greeting", "taken")
        for version in client.search_model_versions(f"name = '{name}'")
    }  # fmt: skip
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def take_over(theirs: Theirs, data: Path, database_url: str, *more: str) -> int:
    return main(
        ["import", str(theirs.database), "--data", str(data), "--database", database_url, *more]
    )


def test_both_answer_alike(
    theirs: Theirs, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = told(theirs.uri, tmp_path / "before")
    named = f"mlflow-artifacts:/={theirs.files}"
    capsys.readouterr()
    assert take_over(theirs, tmp_path / "data", database_url, "--files", named) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "           5 runs\n" in said.out
    with heddle_server(tmp_path, "--database", database_url) as server:
        after = told(server.uri, tmp_path / "after")
        for what, there in before.items():
            assert after[what] == there, what
        # The files of a version are its own here, whatever becomes of its run.
        client = MlflowClient(server.uri, server.uri)
        place = client.get_model_version_download_uri("forest", "1")
        assert place.startswith("mlflow-artifacts:/versions/")
        # Ids go on where the other server's end.
        taken = {each[3] for each in before["experiments"].values()}
        assert client.create_experiment("new") not in taken


def test_done_again_it_changes_nothing(
    theirs: Theirs, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["--files", f"mlflow-artifacts:/={theirs.files}", "--json"]
    assert take_over(theirs, tmp_path, database_url, *named) == 0
    first = json.loads(capsys.readouterr().out)
    assert take_over(theirs, tmp_path, database_url, *named) == 0
    again = json.loads(capsys.readouterr().out)
    for what in ("runs", "files", "models", "logged models"):
        assert first["came"][what] > 0
        assert again["there"][what] == first["came"][what]
        assert what not in again["came"]


def test_files_do_not_stay_behind_unsaid(
    theirs: Theirs, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert take_over(theirs, tmp_path, database_url) == 2
    said = capsys.readouterr().err
    assert "Files would stay behind: mlflow-artifacts:/" in said
    assert "--files ADDRESS=FOLDER" in said
    assert take_over(theirs, tmp_path, database_url, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "           5 runs\n" in told
    assert "stay behind: name the address with --files" in told


def test_another_workspace(
    theirs: Theirs, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside experiments that are there: ids that are taken are given anew, and that is said."""
    named = ["--files", f"mlflow-artifacts:/={theirs.files}", "--workspace", "team-a", "--json"]
    assert take_over(theirs, tmp_path, database_url, *named) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["renumbered"].keys() == {"0"}
    place = ["--data", str(tmp_path), "--database", database_url, "--json"]
    assert main(["runs", "--workspace", "team-a", *place]) == 0
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert names == {"first", "child", "running"}
    assert main(["versions", "forest", "--workspace", "team-a", *place]) == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)] == [3, 1]
    assert main(["runs", *place]) == 0
    assert json.loads(capsys.readouterr().out) == [], "the other workspaces are left alone"


OLD_SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT,
  lifecycle_stage TEXT);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time INTEGER,
  end_time INTEGER, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE metrics (key TEXT, value REAL, timestamp INTEGER, run_uuid TEXT, step INTEGER, is_nan INTEGER);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE registered_models (name TEXT PRIMARY KEY, creation_time INTEGER, last_updated_time INTEGER,
  description TEXT);
CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time INTEGER, last_updated_time INTEGER,
  description TEXT, user_id TEXT, current_stage TEXT, source TEXT, run_id TEXT, status TEXT,
  status_message TEXT);
"""


@pytest.fixture
def old(tmp_path: Path) -> tuple[Path, Path]:
    """A database of a release before data sets, logged models and aliases, and its folder mlruns."""
    mlruns = tmp_path / "mlruns"
    files = mlruns / "0" / "ab" / "artifacts"
    (files / "model").mkdir(parents=True)
    (files / "model" / "MLmodel").write_text("flavors: {}\n")
    (files / "outside").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("not yours")
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(OLD_SCHEMA)
        where = f"file://{mlruns}/0"
        database.execute("INSERT INTO experiments VALUES (0, 'Default', ?, 'active')", [where])
        for uid, key in (("ab", "fine/key"), ("cd", "/wrong")):
            row = [uid, "", "ann", "FINISHED", 10, 20, "active", f"{mlruns}/0/{uid}/artifacts", 0]
            database.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?)", row)
            database.execute("INSERT INTO metrics VALUES (?, 0.5, 11, ?, 0, 0)", [key, uid])
        database.execute("INSERT INTO registered_models VALUES ('forest', 5, 6, NULL)")
        for number, stage, source in (
            (2, "Production", f"{mlruns}/0/ab/artifacts/model"),
            (3, "None", "s3://bucket/model"),
        ):
            row = ["forest", number, 7, 8, None, "ann", stage, source, "ab", "READY", None]
            database.execute("INSERT INTO model_versions VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)
        database.commit()
    return path, mlruns


def test_an_old_release(
    old: tuple[Path, Path], database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, mlruns = old
    place = ["--data", str(tmp_path / "data"), "--database", database_url]
    assert main(["import", str(path), "--files", str(mlruns), *place, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["came"]["runs"] == 2
    assert report["came"]["files"] == 1, "a link out of the folder is not followed"
    assert len(report["refused"]) == 2
    assert "run cd: Invalid metric name: '/wrong'" in report["refused"][0]
    assert "version 3: its files are not here; it names s3://bucket/model" in report["refused"][1]
    assert main(["versions", "forest", *place, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["version"] for row in rows] == [3, 2], "numbers stay"


def test_workspaces_and_addresses_that_clients_reach(
    old: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each workspace comes into that of its name; files in a store that is not named stay there."""
    path, mlruns = old
    store = "s3://bucket/mlflow/1/cd/artifacts"
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE metrics SET key = 'fine' WHERE key = '/wrong'")
        for table in ("experiments", "registered_models"):
            database.execute(f"ALTER TABLE {table} ADD COLUMN workspace TEXT DEFAULT 'default'")
        database.execute("UPDATE registered_models SET workspace = 'team-a'")
        row = (1, "theirs", "s3://bucket/mlflow/1", "active", "team-a")
        database.execute("INSERT INTO experiments VALUES (?, ?, ?, ?, ?)", row)
        moved = "UPDATE runs SET experiment_id = 1, artifact_uri = ? WHERE run_uuid = 'cd'"
        database.execute(moved, [store])
        database.commit()
    place = ["--data", str(tmp_path / "data")]
    main(["import", str(path), "--files", str(mlruns), *place, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["files_not_read"] == {"s3://bucket/mlflow/": 1}
    with closing(sqlite3.connect(tmp_path / "data" / "heddle.db")) as database:
        found = database.execute("SELECT uid, artifact_uri FROM runs ORDER BY uid").fetchall()
    assert found == [("ab", "mlflow-artifacts:/0/ab/artifacts"), ("cd", store)]
    assert main(["runs", *place, "--json"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["ab"]
    for what, name in (("runs", "cd"), ("models", "forest")):
        assert main([what, "--workspace", "team-a", *place, "--json"]) == 0
        assert name in capsys.readouterr().out


def test_from_postgresql(
    old: tuple[Path, Path], postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same rows in a PostgreSQL database, taken over by the address that its server has."""
    path, mlruns = old
    address = postgres.url(postgres.create())
    with closing(sqlite3.connect(path)) as there, psycopg.connect(address) as here:
        here.execute(OLD_SCHEMA)
        for table in ("experiments", "runs", "metrics", "registered_models", "model_versions"):
            for row in there.execute(f"SELECT * FROM {table}"):
                here.execute(f"INSERT INTO {table} VALUES ({','.join(['%s'] * len(row))})", row)
    data = ["--data", str(tmp_path / "data")]
    assert main(["import", address, "--files", str(mlruns), *data, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    came = {"runs": 2, "files": 1, "bytes": 12, "models": 1, "versions": 2}
    assert report["came"] == came
    assert main(["runs", "--filter", "metrics.`fine/key` = 0.5", *data, "--json"]) == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["ab"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing.db", "There is no database"),
        ("other.db", "is no database of an MLflow server"),
        ("http://127.0.0.1:5000", "cannot be opened"),
        ("mysql+pymysql://nobody@localhost/x", "install their driver"),
    ],
)
def test_what_is_no_database_is_said(
    source: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE t (x)")
    address = source if "://" in source else str(tmp_path / source)
    assert main(["import", address, "--data", str(tmp_path / "data")]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("mlflow-artifacts:/", "its --artifacts-destination"),
        ("gopher://x", "Files cannot be read at"),
        ("=x", "names no place"),
        ("nowhere", "There is no folder"),
    ],
)
def test_places_that_are_none(
    named: str,
    said: str,
    old: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["import", str(old[0]), "--files", named, "--data", str(tmp_path / "data")]) == 2
    assert said in capsys.readouterr().err


def test_broken_off_it_goes_on(old: tuple[Path, Path], tmp_path: Path) -> None:
    """Killed while runs come in: each is whole or not there, and the next import brings the others."""
    path, mlruns = old
    many, points = 400, 500
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM metrics WHERE key = '/wrong'")
        database.execute("DELETE FROM model_versions WHERE version = 3")
        for number in range(many):
            uid = f"{number:032x}"
            row = [
                uid,
                f"r{number}",
                "",
                "FINISHED",
                number,
                2,
                "active",
                f"{mlruns}/0/{uid}/artifacts",
                0,
            ]
            database.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?)", row)
            database.executemany(
                "INSERT INTO metrics VALUES ('m', ?, 1, ?, ?, 0)",
                [(step / 7, uid, step) for step in range(points)],
            )
        database.commit()
    data = tmp_path / "data"
    command = ["import", str(path), "--files", str(mlruns), "--data", str(data)]
    process = subprocess.Popen(
        [sys.executable, "-m", "heddle", *command],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while counts(data)[0] < 100 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    came, of_them = counts(data)
    assert 100 <= came < many, "it was killed on the way"
    assert of_them == came * points
    assert main(command) == 0
    assert counts(data) == (many, many * points)


def counts(data: Path) -> tuple[int, int]:
    """How many of the many runs have come, and how many points."""
    if not (data / "heddle.db").exists():
        return 0, 0
    with closing(sqlite3.connect(f"file:{data / 'heddle.db'}?mode=ro", uri=True)) as database:
        try:
            found = database.execute(
                "SELECT (SELECT count(*) FROM runs WHERE name LIKE 'r%'),"
                " (SELECT count(*) FROM points JOIN metrics ON metrics.id = metric_id WHERE key = 'm')"
            )
            runs, points = found.fetchone()
        except sqlite3.OperationalError:
            return 0, 0
    return runs, points
