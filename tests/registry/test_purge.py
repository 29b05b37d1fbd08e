"""What was deleted long ago goes for good; what lives, and what a version needs, stays."""

from __future__ import annotations

import pytest

from heddle.artifacts import contents, manifests
from heddle.errors import NotFound
from heddle.registry import history, models, registration, versions
from heddle.registry import purge as purging
from heddle.registry.purge import purge
from heddle.tracking import experiments, files, inputs, logged_models, metrics, runs
from heddle.tracking.inputs import Dataset, DatasetInput

DAY_S = 24 * 3600


def file_of(tx, run, path, data=b"weights"):
    digest = contents.digest_of(data)
    contents.keep_small(tx, digest, data)
    place, _ = files.run_place(tx, run.uid, path)
    files.put_file(tx, place, digest=digest, size_bytes=len(data))


def log(tx, run, count):
    batch = [("loss", 1 / n, n, n) for n in range(1, count + 1)]
    metrics.write_points(tx, *runs.touch(tx, run.uid), batch)


def backdate(tx, days=40):
    """As if all that is deleted had been for so many days."""
    for table in ("runs", "experiments", "logged_models", "versions"):
        tx.cursor.execute(
            f"UPDATE {table} SET deleted_ms = deleted_ms - {days * DAY_S * 1000}"
            " WHERE deleted_ms IS NOT NULL"
        )


def rows(do, table):
    def count(tx):
        return tx.cursor.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    return do(count)


def names(found):
    return [(each.kind, each.name) for each in found]


@pytest.fixture
def study(do):
    return do(experiments.create_experiment, name="study")


@pytest.fixture
def run(do, study):
    """A run with everything that hangs on one."""
    made = do(runs.create_run, experiment_id=study, name="first", pairs=[("a", "b")])
    do(log, made, 2)
    used = Dataset("shops", "d1", "local", "{}", None, None)
    do(inputs.log_inputs, made.uid, used=[DatasetInput(used, [("k", "v")])])
    do(file_of, made, "model/weights.bin")
    return made


def test_deleted_runs_go_once_they_are_old(database, do, study, run):
    living = do(runs.create_run, experiment_id=study, name="second")
    do(runs.delete_run, run.uid)
    assert names(purge(database, older_s=30 * DAY_S)) == []
    do(backdate)
    found = list(purge(database, older_s=30 * DAY_S, dry_run=True))
    assert [(each.kind, each.name, each.files, each.size_bytes) for each in found] == [
        ("run", run.uid, 1, 7)
    ]
    assert do(runs.get_run, run.uid).deleted_ms is not None
    assert list(purge(database, older_s=30 * DAY_S)) == found
    with pytest.raises(NotFound):
        do(runs.get_run, run.uid)
    for table in ("metrics", "points", "run_datasets", "run_dataset_tags", "files"):
        assert rows(do, table) == 0, table
    assert do(runs.get_run, living.uid).name == "second"
    assert list(purge(database, older_s=0)) == []


def test_a_version_stays_what_it_was(database, do, run):
    do(models.create_model, name="grocery")
    do(
        registration.create_version,
        name="grocery",
        source=f"runs:/{run.uid}/model",
        run_uid=run.uid,
    )
    before = do(versions.get_version, "grocery", 1)
    do(runs.delete_run, run.uid)
    do(backdate)
    assert names(purge(database, older_s=DAY_S)) == [("run", run.uid)]
    assert do(versions.get_version, "grocery", 1) == before
    assert [each.path for each in do(lambda tx: list(manifests.load(tx, before.manifest_id)))] == [
        "weights.bin"
    ]
    assert do(versions.load_metrics, [before.id])[before.id][0].value == 0.5


def test_a_run_whose_files_a_version_reads_stays(database, do, study):
    late = do(runs.create_run, experiment_id=study)
    do(models.create_model, name="grocery")
    do(
        registration.create_version,
        name="grocery",
        source=f"runs:/{late.uid}/model",
        run_uid=late.uid,
    )
    do(file_of, late, "model/weights.bin")
    do(runs.delete_experiment, study)
    do(backdate)
    assert names(purge(database, older_s=DAY_S, dry_run=True)) == []
    assert names(purge(database, older_s=DAY_S)) == []
    do(registration.delete_version, "grocery", 1)
    assert names(purge(database, older_s=DAY_S)) == [("run", late.uid), ("experiment", "study")]


def test_deleted_versions_let_go_of_their_files_and_keep_their_history(database, do, run):
    do(models.create_model, name="grocery")
    for _ in range(2):
        do(
            registration.create_version,
            name="grocery",
            source=f"runs:/{run.uid}/model",
            run_uid=run.uid,
        )
    do(registration.delete_version, "grocery", 1)
    do(backdate)
    found = list(purge(database, older_s=DAY_S))
    assert [(each.kind, each.name, each.files) for each in found] == [("version", "grocery/1", 1)]
    assert rows(do, "files") == 2, "the run's and the other version's"
    model = do(models.get_model, "grocery")
    told = do(history.list_model_events, model.id)
    assert "deleted" in {each.kind for each in told}
    assert list(purge(database, older_s=DAY_S)) == []


def test_deleted_experiments_go_with_all_they_had(database, do, study, run):
    logged = do(logged_models.create, experiment_id=study, source_run_uid=run.uid).model
    do(runs.delete_experiment, study)
    do(backdate)
    wanted = [("run", run.uid), ("logged model", logged.uid), ("experiment", "study")]
    assert names(purge(database, older_s=DAY_S, dry_run=True)) == wanted
    assert names(purge(database, older_s=DAY_S)) == wanted
    for table in ("runs", "datasets", "logged_models", "experiment_tags"):
        assert rows(do, table) == 0, table
    assert do(experiments.create_experiment, name="study") != study


def test_runs_with_many_points_go_in_small_parts(database, do, study, monkeypatch):
    monkeypatch.setattr(purging, "POINTS_TOGETHER", 2)
    monkeypatch.setattr(purging, "PAGE", 2)
    monkeypatch.setattr(purging, "TOGETHER", 2)
    made = [do(runs.create_run, experiment_id=study) for _ in range(7)]
    for each in made[:3]:
        do(log, each, 3)
    for each in made:
        do(runs.delete_run, each.uid)
    do(backdate)
    assert names(purge(database, older_s=DAY_S)) == [("run", each.uid) for each in made]
    assert rows(do, "points") == 0


def test_an_experiment_that_is_restored_meanwhile_stays(database, do, study):
    logged = do(logged_models.create, experiment_id=study).model
    do(runs.delete_experiment, study)
    do(backdate)
    turn = purging._Turn(database, 2**62, set(), dry_run=False)
    do(runs.restore_experiment, study)
    assert do(lambda tx: turn._remove_experiment(study, "study", tx)) == []
    assert do(logged_models.get, logged.uid).uid == logged.uid
