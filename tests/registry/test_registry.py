"""Models, versions, labels, aliases and stages through their operations, on both databases."""

from __future__ import annotations

import math
import threading

import pytest

from heddle.artifacts import manifests
from heddle.db.tx import Caller
from heddle.errors import AlreadyExists, Invalid, NotFound
from heddle.registry import aliases, history, models, registration, version_search, versions
from heddle.tracking import logged_models, metrics, params, runs


def make(do, name="m", count=1, **given):
    """A model with that many versions of a place elsewhere."""
    do(models.create_model, name=name)
    for _ in range(count):
        do(registration.create_version, name=name, source="s3://b/a", **given)


def test_a_model_is_made_read_renamed_and_deleted(do):
    made = do(models.create_model, name="Käufe", description="first", pairs=[("team", "a")])
    assert do(models.get_model, "Käufe") == made
    with pytest.raises(AlreadyExists):
        do(models.create_model, name="Käufe")
    do(registration.create_version, name="Käufe", source="s3://b/a")
    do(registration.rename_model, "Käufe", "renamed")
    assert do(versions.get_version, "renamed", 1).model_name == "renamed"
    with pytest.raises(NotFound):
        do(versions.get_version, "Käufe", 1)
    do(registration.delete_model, "renamed")
    with pytest.raises(NotFound):
        do(models.get_model, "renamed")
    with pytest.raises(NotFound):
        do(versions.get_version, "renamed", 1)
    do(models.create_model, name="renamed")
    assert do(registration.create_version, name="renamed", source="s3://b/a").number == 1


def test_renaming_to_a_taken_name_is_refused(do):
    make(do, "a", 0)
    make(do, "b", 0)
    with pytest.raises(AlreadyExists):
        do(registration.rename_model, "a", "b")
    assert do(registration.rename_model, "a", "a").name == "a"


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", ".", "..", "x" * 501, "a\0"])
def test_names_that_a_model_cannot_have(do, name):
    with pytest.raises(Invalid):
        do(models.create_model, name=name)


def test_a_deleted_number_is_never_given_out_again(do):
    make(do, count=2)
    do(registration.delete_version, "m", 2)
    with pytest.raises(NotFound):
        do(versions.get_version, "m", 2)
    assert do(registration.create_version, name="m", source="s3://b/a").number == 3
    found = [row[0] for row in do(version_search.search_versions, filter="name = 'm'", limit=10)]
    assert {v.number for v in do(versions.load_versions, found).values()} == {1, 3}


def test_64_threads_get_numbers_without_gaps_or_doubles(database, do):
    make(do, count=0)
    got: list[int] = []
    failed: list[Exception] = []

    def register() -> None:
        try:
            for _ in range(3):
                made = database.write_now(
                    lambda tx: registration.create_version(tx, name="m", source="s3://b/a"),
                    Caller(),
                )
                got.append(made.number)
        except Exception as error:  # noqa: BLE001 -- shown by the assertion below
            failed.append(error)

    threads = [threading.Thread(target=register) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sorted(got) == list(range(1, 193))


def test_aliases_point_move_and_go_with_their_version(do):
    make(do, count=3)
    do(aliases.set_alias, "m", "champion", 1)
    do(aliases.set_alias, "m", "champion", 2)
    do(aliases.set_alias, "m", "challenger", 2)
    assert do(aliases.get_by_alias, "m", "champion").number == 2
    assert do(aliases.get_by_alias, "m", "latest").number == 3
    version = do(versions.get_version, "m", 2)
    assert do(aliases.load_aliases, [version.id]) == {version.id: ["challenger", "champion"]}
    do(registration.delete_version, "m", 2)
    with pytest.raises(Invalid, match="champion not found"):
        do(aliases.get_by_alias, "m", "champion")
    assert do(aliases.delete_alias, "m", "champion") is False
    with pytest.raises(NotFound):
        do(aliases.set_alias, "m", "champion", 2)


@pytest.mark.parametrize("alias", ["", "latest", "LATEST", "v1", "V22", "a b", "a/b", "a" * 256])
def test_aliases_that_cannot_be_set(do, alias):
    make(do)
    with pytest.raises(Invalid):
        do(aliases.set_alias, "m", alias, 1)


def test_an_alias_of_one_model_means_nothing_to_another(do):
    make(do, "a")
    make(do, "b")
    do(aliases.set_alias, "a", "champion", 1)
    with pytest.raises(Invalid):
        do(aliases.get_by_alias, "b", "champion")
    with pytest.raises(NotFound):
        do(aliases.get_by_alias, "c", "champion")


def test_stages_archive_and_the_latest_of_each(do):
    make(do, count=4)
    do(versions.set_stage, "m", 1, "staging")
    do(versions.set_stage, "m", 2, "PRODUCTION")
    do(versions.set_stage, "m", 3, "Production", archive_existing=True)
    model = do(models.get_model, "m")
    latest = do(versions.load_latest, [model.id])[model.id]
    assert {v.stage: v.number for v in latest} == {
        "None": 4, "Staging": 1, "Production": 3, "Archived": 2,
    }  # fmt: skip
    with pytest.raises(Invalid):
        do(versions.set_stage, "m", 1, "Testing")
    with pytest.raises(Invalid):
        do(versions.set_stage, "m", 1, "Archived", archive_existing=True)


def test_history_tells_who_changed_what_and_when(do):
    make(do, count=2)
    do(aliases.set_alias, "m", "champion", 1, by="bo")
    do(versions.set_version_tag, "m", 1, "k", "x", by="cy")
    do(versions.set_version_tag, "m", 1, "k", "x")
    do(versions.set_version_tag, "m", 1, "k", "y")
    do(versions.delete_version_tag, "m", 1, "k")
    do(versions.describe_version, "m", 1, "words")
    do(versions.set_stage, "m", 1, "Staging")
    do(aliases.set_alias, "m", "champion", 2)
    model = do(models.get_model, "m")
    told = do(history.list_version_events, model.id, 1)
    assert [(e.kind, e.key, e.before, e.after) for e in reversed(told)] == [
        ("created", "", None, "s3://b/a"),
        ("alias", "champion", None, "1"),
        ("tag", "k", None, "x"),
        ("tag", "k", "x", "y"),
        ("tag", "k", "y", None),
        ("description", "", None, "words"),
        ("stage", "", "None", "Staging"),
        ("alias", "champion", "1", "2"),
    ]
    assert [e.actor for e in reversed(told)][:3] == ["ada", "bo", "cy"]
    of_model = do(history.list_model_events, model.id, limit=3)
    assert [e.kind for e in of_model] == ["alias", "stage", "description"]
    rest = do(history.list_model_events, model.id, before_id=of_model[-1].id)
    assert (rest[-1].kind, rest[-1].version) == ("created", None)


def test_which_version_carried_an_alias_at_a_time(database, do):
    make(do, count=2)

    def at(now_ms, operation, *args):
        def run(tx):
            tx.now_ms = now_ms
            operation(tx, *args)

        database.write_now(run, Caller())

    at(1000, aliases.set_alias, "m", "champion", 1)
    at(2000, aliases.set_alias, "m", "champion", 2)
    at(3000, registration.delete_version, "m", 2)
    model = do(models.get_model, "m")
    told = [do(history.as_of, model.id, "champion", t) for t in (999, 1000, 1999, 2000, 2999, 3000)]
    assert told == [None, 1, 1, 2, 2, None]


def test_times_follow_the_rules(database, do):
    make(do, count=1)

    def later(operation, *args):
        def run(tx):
            tx.now_ms += 10_000
            operation(tx, *args)

        database.write_now(run, Caller())

    def times():
        return do(models.get_model, "m").updated_ms, do(versions.get_version, "m", 1).updated_ms

    before = times()
    later(aliases.set_alias, "m", "a", 1)
    later(versions.set_version_tag, "m", 1, "k", "v")
    later(models.set_model_tag, "m", "k", "v")
    assert times() == before
    later(versions.describe_version, "m", 1, "x")
    assert times()[0] == before[0]
    assert times()[1] > before[1]
    later(versions.set_stage, "m", 1, "Staging")
    assert times()[0] > before[0]


def make_run(do):
    """A run with params, metrics and two files."""
    run = do(runs.create_run, experiment_id=0, name="trained")

    def fill(tx):
        params.log_params(tx, run.uid, [("depth", "5"), ("kind", "tree")])
        metrics.log_metric(tx, run.uid, "rmse", 2.0, 1, 0)
        metrics.log_metric(tx, run.uid, "rmse", 1.0, 2, 1)
        metrics.log_metric(tx, run.uid, "odd", math.nan, 2, 1)
        manifest_id = manifests.create_manifest(tx)
        for path in ("model/MLmodel", "model/data/a.bin", "other.txt"):
            put(tx, manifest_id, path)
        tx.cursor.execute(f"UPDATE runs SET manifest_id = {manifest_id} WHERE id = {run.id}")

    do(fill)
    return do(runs.get_run, run.uid)


def put(tx, manifest_id, path):
    """A file of a manifest, with its content known."""
    digest = "0" * 64
    tx.cursor.execute(
        "INSERT INTO blobs (digest, size_bytes, data, used_ms) VALUES"
        f" ('{digest}', 1, NULL, {tx.now_ms}) ON CONFLICT DO NOTHING"
    )
    manifests.put_file(tx, manifest_id, path, digest=digest, size_bytes=1)


def paths(do, version):
    return [f.path for f in do(lambda tx: list(manifests.load(tx, version.manifest_id)))]


def test_a_version_of_a_run_keeps_what_the_run_was(do):
    run = make_run(do)
    do(models.create_model, name="m")
    for source in (
        f"runs:/{run.uid}/model",
        f"{run.artifact_uri}/model",
        f"mlflow-artifacts://host:5000/0/{run.uid}/artifacts/model/",
        f"https://h.example/x/api/2.0/mlflow-artifacts/artifacts/0/{run.uid}/artifacts/model",
    ):
        made = do(registration.create_version, name="m", source=source, run_uid=run.uid)
        assert paths(do, made) == ["MLmodel", "data/a.bin"]
        assert do(lambda tx, v=made: versions.download_uri(tx, v)).endswith(f"/versions/{made.id}")
    do(params.log_params, run.uid, [("later", "1")])
    do(metrics.log_metric, run.uid, "rmse", 9.0, 9, 9)
    do(runs.delete_run, run.uid)
    full = do(version_search.get_full, "m", 1)
    assert full.params == [("depth", "5"), ("kind", "tree")]
    by_key = {m.key: m for m in full.metrics}
    assert by_key["rmse"] == ("rmse", 1.0, 2, 1, 1.0, 2.0)
    assert math.isnan(by_key["odd"].value)
    version = full.version
    assert (version.run_uid, version.run_name, version.experiment_id) == (run.uid, "trained", 0)
    assert version.registered_by == "ada"


def test_a_copy_shares_what_the_original_is(do):
    run = make_run(do)
    do(models.create_model, name="m")
    do(models.create_model, name="copy")
    do(registration.create_version, name="m", source=f"runs:/{run.uid}/model", run_uid=run.uid)
    do(aliases.set_alias, "m", "best", 1)
    for source in ("models:/m/1", "models:/m@best"):
        made = do(registration.create_version, name="copy", source=source, run_uid=run.uid)
        assert (made.source, made.copied_from, made.run_name) == (
            "models:/m/1", "models:/m/1", "trained",
        )  # fmt: skip
        assert paths(do, made) == ["MLmodel", "data/a.bin"]
        full = do(version_search.get_full, "copy", made.number)
        assert full.params == [("depth", "5"), ("kind", "tree")]
        assert {m.key for m in full.metrics} == {"odd", "rmse"}
    do(registration.create_version, name="m", source="s3://b/a")
    made = do(registration.create_version, name="copy", source="models:/m/2")
    assert do(lambda tx: versions.download_uri(tx, made)) == "s3://b/a"


def test_a_version_of_a_logged_model(do):
    run = make_run(do)
    logged = do(
        logged_models.create,
        experiment_id=0,
        name="forest",
        source_run_uid=run.uid,
        params=[("depth", "7")],
    ).model
    points = [
        logged_models.ModelPoint(logged.uid, "rmse", value, time, 0)
        for value, time in ((4.0, 1), (3.0, 2))
    ]
    do(logged_models.log_metrics, run.uid, points)
    do(models.create_model, name="m")
    made = do(
        registration.create_version,
        name="m",
        source=f"models:/{logged.uid}",
        logged_model_uid=logged.uid,
    )
    assert (made.run_uid, made.logged_model_uid) == (run.uid, logged.uid)
    full = do(version_search.get_full, "m", 1)
    assert full.params == [("depth", "7"), ("kind", "tree")]
    assert {m.key: (m.value, m.min_value, m.max_value) for m in full.metrics}["rmse"] == (3, 3, 4)
    noted = do(lambda tx: logged_models.tags.get(tx, logged.id, logged_models.VERSIONS_TAG))
    assert noted == '[{"name": "m", "version": 1}]'
