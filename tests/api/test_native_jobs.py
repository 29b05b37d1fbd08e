"""Jobs, schedules and scans through the native API; the worker's part is played by its own calls."""

from __future__ import annotations

import threading
import time

import pytest

from heddle.api.native import jobs as calls
from heddle.artifacts.blobs import open_store
from heddle.db.tx import LOCAL
from heddle.jobs import claims
from heddle.registry import scans
from heddle.scoring.scanning import Scanner, scan_waiting
from native_calls import HERE, call, refused, registered, trained, upload

JOBS = f"{HERE}/jobs"


def plan(**more):
    given = {
        "model": "m/1",
        "input": {"address": "in.parquet"},
        "output": {"address": "out.parquet", "mode": "overwrite"},
    }
    return given | more


@pytest.fixture
def model(api):
    registered(api, "m", trained(api, "r", 1.0), aliases=["champion"])
    return "m"


@pytest.fixture
def write(api):
    return lambda operation, *given, **named: api.app.services.database.write_now(
        lambda tx: operation(tx, *given, **named), LOCAL
    )


def take_all(tx):
    return scans.take(tx, scans.waiting(tx, 100))


class CountingScanner(Scanner):
    """Counts how often it is asked."""

    asked = 0

    def scan(self, folder):
        self.asked += 1
        return super().scan(folder)


def submit(api, **more):
    return call(api, "POST", JOBS, {"plan": plan(**more)}, 201)


@pytest.mark.usefixtures("model")
def test_a_job_is_submitted_watched_and_read(api, write, tmp_path):
    made = submit(api)
    assert (made["state"], made["model"], made["version"]) == ("queued", "m", 1)
    assert made["input"] == str(tmp_path / "tables" / "in.parquet")
    assert made["plan"]["output"]["mode"] == "overwrite"
    assert (made["progress"], made["receipt"]) == (None, None)
    taken = write(claims.claim, worker="w", kinds=["predict"])
    write(claims.report, taken, '{"rows":10,"total_rows":40,"rows_per_s":5.0,"left_s":6.0}')
    running = call(api, "GET", f"{JOBS}/{made['id']}")
    assert (running["state"], running["worker"]) == ("running", "w")
    assert running["progress"] == {
        "rows": 10, "total_rows": 40, "rows_per_s": 5.0, "left_s": 6.0, "phase": "",
    }  # fmt: skip
    write(claims.finish, taken, receipt='{"rows":40}', version=1)
    assert call(api, "GET", f"{JOBS}/{made['id']}")["receipt"] == {"rows": 40}
    listed = call(api, "GET", JOBS)
    assert ([job["state"] for job in listed["jobs"]], listed["total"]) == (["done"], 1)
    applied = call(api, "GET", f"{HERE}/models/m/versions/@champion/applied")
    assert [(job["id"], job["receipt"]) for job in applied["jobs"]] == [(made["id"], {"rows": 40})]


@pytest.mark.usefixtures("model")
def test_jobs_are_filtered(api):
    ids = [submit(api)["id"], submit(api, model="m@champion")["id"]]
    call(api, "POST", f"{JOBS}/{ids[0]}/cancel", {})
    found = call(api, "GET", f"{JOBS}?state=queued&state=running")
    assert [(job["id"], job["version"]) for job in found["jobs"]] == [(ids[1], None)]
    assert call(api, "GET", f"{JOBS}?model=m&version=1")["total"] == 1
    assert call(api, "GET", f"{JOBS}?submitted_by=somebody")["total"] == 0
    assert [job["id"] for job in call(api, "GET", f"{JOBS}?limit=1&offset=1")["jobs"]] == [ids[0]]
    assert "state" in refused(api, "GET", f"{JOBS}?state=ready")["message"]
    again = call(api, "POST", f"{JOBS}/{ids[0]}/retry", {})
    assert again["state"] == "queued"
    assert "queued" in refused(api, "POST", f"{JOBS}/{ids[0]}/retry", {})["message"]


@pytest.mark.usefixtures("model")
def test_what_cannot_be_meant_is_refused_at_once(api):
    for wrong, words in (
        ({"model": "m"}, "names no registered version"),
        ({"model": "m@nobody"}, "nobody"),
        ({"input": {"address": "/etc/passwd"}}, "--data-roots /etc"),
        ({"input": {"address": "SELECT 1"}}, "not by a statement"),
        ({"output": {"address": "out.parquet", "mode": "merge"}}, "merge needs the key"),
        ({"processes": -1}, "processes"),
        ({"spelt": 1}, "spelt"),
    ):
        assert words in refused(api, "POST", JOBS, {"plan": plan(**wrong)})["message"]
    for model in ("m/2", "other/1", "other@champion"):
        assert refused(api, "POST", JOBS, {"plan": plan(model=model)}, 404)["code"] == "not_found"


def test_a_suspicious_version_is_not_applied_unless_told(api, write, model):
    shown = f"{HERE}/models/{model}/versions/1/scan"
    assert call(api, "GET", shown)["state"] == "waiting"
    taken = write(take_all)
    assert [(each.model, each.number) for each in taken] == [(model, 1)]
    findings = [scans.Finding("data/model.pkl", "suspicious", "would call os.system when loaded")]
    write(scans.keep, taken, label="suspicious", findings=findings, scanner="s/1")
    said = call(api, "GET", shown)
    assert (said["state"], said["label"], said["scanner"]) == ("done", "suspicious", "s/1")
    assert said["findings"][0]["path"] == "data/model.pkl"
    assert call(api, "GET", shown.removesuffix("/scan"))["scan"] == said
    for text, total in (("scan = 'suspicious'", 1), ("scan = 'data-only'", 0)):
        wanted = {"filter": text, "columns": ["version", "scan"]}
        found = call(api, "POST", f"{HERE}/models/{model}/versions/search", wanted)
        assert found["total"] == total
    message = refused(api, "POST", JOBS, {"plan": plan()})["message"]
    assert "data/model.pkl would call os.system when loaded" in message
    assert "allow_suspicious" in message
    assert submit(api, allow_suspicious=True)["state"] == "queued"
    assert write(take_all) == []
    call(api, "POST", shown, {})
    assert [each.number for each in write(take_all)] == [1]


def test_versions_with_the_same_files_are_looked_at_once(api, model):
    """Two runs with the same model, three versions of each, and one that brings a program."""
    again, other = trained(api, "again", 1.0), trained(api, "other", 1.0)
    upload(api, other, "model/run.py", b"print('hello')\n")
    uids = [again] * 2 + [other]
    for number, uid in enumerate(uids, 2):
        assert registered(api, model, uid)["version"] == number
    registered(api, model, again)
    call(api, "DELETE", f"{HERE}/models/{model}/versions/5")
    database, store = api.app.services.database, open_store(api.app.settings.artifacts_url)
    scanner = CountingScanner()
    try:
        assert scan_waiting(database, store, scanner)
        assert not scan_waiting(database, store, scanner)
    finally:
        scanner.close()
    assert scanner.asked == 2
    found = [
        call(api, "GET", f"{HERE}/models/{model}/versions/{number}/scan") for number in range(1, 5)
    ]
    assert [each["state"] for each in found] == ["done"] * 4
    assert [each["label"] for each in found] == ["data-only"] * 3 + ["code-bearing"]
    assert [f["path"] for each in found for f in each["findings"]] == ["run.py"]


def test_a_version_that_cannot_be_scanned_is_given_up_in_the_end(api, write, model):
    for attempt in range(1, scans.ATTEMPTS_MAX + 1):
        taken = write(take_all)
        assert [each.attempts for each in taken] == [attempt]
        write(scans.give_up, taken, "no room")
        if attempt < scans.ATTEMPTS_MAX:
            assert write(take_all) == []
            write(lambda tx: tx.cursor.execute("UPDATE scans SET due_ms = 1"))
    said = call(api, "GET", f"{HERE}/models/{model}/versions/1/scan")
    assert (said["state"], said["error"]) == ("failed", "no room")


@pytest.mark.usefixtures("model")
def test_schedules(api):
    body = {"name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Zurich"}
    made = call(api, "POST", f"{HERE}/schedules", body | {"plan": plan(model="m@champion")}, 201)
    assert made["next_ms"] > time.time() * 1000
    assert (made["model"], made["plan"]["model"]) == ("m", "m@champion")
    assert call(api, "GET", f"{HERE}/schedules")["schedules"] == [made]
    for wrong, words in (
        ({"cron": "0 3 * *"}, "five fields"),
        ({"timezone": "Moon"}, "time zone"),
        ({"plan": plan(output={"address": "out.parquet"})}, "again and again"),
    ):
        message = refused(api, "POST", f"{HERE}/schedules", body | {"plan": plan()} | wrong)
        assert words in message["message"]
    call(api, "DELETE", f"{HERE}/schedules/{made['id']}")
    assert call(api, "GET", f"{HERE}/schedules")["schedules"] == []


def test_tables_are_asked_of_a_worker(api, write, monkeypatch):
    answer = (
        '{"folder":"","entries":[{"name":"a.csv","address":"a.csv","is_folder":false,'
        '"format":"csv","size_bytes":5,"modified_ms":1}]}'
    )

    def work():
        while (taken := write(claims.claim, worker="w", kinds=["tables", "preview"])) is None:
            time.sleep(0.01)
        if taken.job.kind == "tables":
            write(claims.finish, taken, receipt=answer)
        else:
            write(claims.fail, taken, "There is no such table.", again=False)

    for path, body in (("tables", None), ("tables/preview", {"input": {"address": "b.csv"}})):
        worker = threading.Thread(target=work)
        worker.start()
        if body is None:
            assert call(api, "GET", f"{HERE}/{path}")["entries"][0]["name"] == "a.csv"
        else:
            message = refused(api, "POST", f"{HERE}/{path}", body)["message"]
            assert message == "There is no such table."
        worker.join()
    assert call(api, "GET", JOBS)["total"] == 0
    monkeypatch.setattr(calls, "TAKEN_S", 0.05)
    assert "heddle worker" in refused(api, "GET", f"{HERE}/tables", None, 503)["message"]
    assert "data-roots" in refused(api, "GET", f"{HERE}/tables?folder=/etc")["message"]
