"""Jobs on both databases: taken by one worker, believed while its lease lasts, ended once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from heddle.database import open_database
from heddle.db.tx import LOCAL, Caller, Change
from heddle.errors import Invalid, NotFound, WrongState
from heddle.jobs import claims, records, schedules
from heddle.workspaces import create_workspace

KINDS = ("predict",)


@pytest.fixture
def database(database_url):
    opened = open_database(database_url, migrate=False)
    yield opened
    opened.close()


@pytest.fixture
def write(database):
    def run(operation, *given, caller=LOCAL, later_ms=0, **named):
        def at(tx):
            tx.now_ms += later_ms
            return operation(tx, *given, **named)

        return database.write_now(at, caller)

    return run


def submit(write, **named):
    return write(records.submit, kind="predict", plan="{}", **named)


def take(write, **named):
    return write(claims.claim, worker="w", kinds=KINDS, **named)


def test_a_job_goes_from_queued_to_done(write):
    job = submit(write, model="m", input="in.parquet", output="out.parquet")
    assert (job.state, job.submitted_by, job.attempts) == ("queued", "local", 0)
    taken = take(write)
    assert (taken.job.id, taken.job.state, taken.workspace) == (job.id, "claimed", "default")
    standing = write(claims.report, taken, '{"rows":5}')
    assert standing == claims.Standing(is_mine=True, cancelling=False)
    running = write(records.get_job, job.id)
    assert (running.state, running.progress, running.worker) == ("running", '{"rows":5}', "w")
    assert write(claims.finish, taken, receipt='{"rows":9}', version=3)
    done = write(records.get_job, job.id)
    assert (done.state, done.receipt, done.version, done.attempts) == ("done", '{"rows":9}', 3, 1)
    assert done.ended_ms >= done.started_ms >= done.submitted_ms
    assert take(write) is None


def test_the_oldest_job_is_taken_first_and_only_of_the_kinds_asked_for(write):
    first, second = submit(write), submit(write)
    preview = write(records.submit, kind="preview", plan="{}")
    assert write(claims.is_any_due, KINDS)
    assert [take(write).job.id, take(write).job.id] == [first.id, second.id]
    assert take(write) is None
    assert not write(claims.is_any_due, KINDS)
    assert write(claims.claim, worker="w", kinds=("preview",)).job.id == preview.id


def test_many_workers_take_each_job_once(write):
    wanted = {submit(write).id for _ in range(40)}

    def work(_):
        found = []
        while (taken := take(write)) is not None:
            found.append(taken.job.id)
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [job for part in pool.map(work, range(4)) for job in part]
    assert sorted(found) == sorted(wanted)


def test_a_worker_that_lost_its_job_changes_nothing_more(write):
    job = submit(write)
    lost = take(write)
    assert write(claims.reap) == 0
    assert write(claims.reap, later_ms=claims.LEASE_MS + 1000) == 1
    again = take(write, later_ms=claims.LEASE_MS + 1000)
    assert (again.job.id, again.job.attempts) == (job.id, 2)
    assert not write(claims.finish, lost, receipt="lost")
    assert not write(claims.fail, lost, "lost", again=True)
    assert write(claims.report, lost, "{}") == claims.Standing(is_mine=False, cancelling=False)
    assert not write(claims.beat, lost).is_mine
    assert write(claims.finish, again, receipt="kept")
    assert write(records.get_job, job.id).receipt == "kept"


def test_heartbeats_keep_a_job(write):
    submit(write)
    taken = take(write)
    write(claims.beat, taken, later_ms=claims.LEASE_MS - 1000)
    assert write(claims.reap, later_ms=claims.LEASE_MS + 1000) == 0


def test_a_job_that_ends_its_workers_is_given_up(write):
    job = submit(write)
    for attempt in range(1, records.ATTEMPTS_MAX + 1):
        later_ms = attempt * (claims.LEASE_MS + 1000)
        assert take(write, later_ms=later_ms).job.attempts == attempt
        assert write(claims.reap, later_ms=later_ms + claims.LEASE_MS + 1) == 1
    ended = write(records.get_job, job.id)
    assert ended.state == "failed"
    assert "went away" in ended.error


def test_failures_are_tried_again_later_and_then_no_more(write):
    job = submit(write)
    later_ms = 0
    for attempt in range(1, records.ATTEMPTS_MAX):
        write(claims.fail, take(write, later_ms=later_ms), "no room", again=True, later_ms=later_ms)
        waiting = write(records.get_job, job.id)
        assert (waiting.state, waiting.error, waiting.attempts) == ("queued", "no room", attempt)
        assert take(write, later_ms=later_ms) is None
        later_ms += claims.BACKOFF_MS * 4 ** (attempt - 1) + 1000
    write(claims.fail, take(write, later_ms=later_ms), "no room", again=True)
    assert write(records.get_job, job.id).state == "failed"
    again = write(records.retry, job.id)
    assert (again.state, again.error, again.attempts) == ("queued", "", 0)
    assert take(write).job.id == job.id
    with pytest.raises(WrongState, match="claimed"):
        write(records.retry, job.id)


def test_what_cannot_succeed_is_not_tried_again(write):
    job = submit(write)
    write(claims.fail, take(write), "no such column", again=False)
    assert write(records.get_job, job.id).state == "failed"


def test_cancelling(write):
    waiting, taken_one = submit(write), submit(write)
    assert write(records.cancel, waiting.id).state == "cancelled"
    taken = take(write)
    assert taken.job.id == taken_one.id
    assert write(records.cancel, taken_one.id).state == "claimed"
    assert write(claims.report, taken, "{}") == claims.Standing(is_mine=True, cancelling=True)
    assert write(claims.stop, taken)
    assert write(records.get_job, taken_one.id).state == "cancelled"
    with pytest.raises(WrongState, match="cancelled already"):
        write(records.cancel, taken_one.id)


def test_a_cancelled_job_whose_worker_is_gone_is_not_taken_again(write):
    job = submit(write)
    take(write)
    write(records.cancel, job.id)
    write(claims.reap, later_ms=claims.LEASE_MS + 1000)
    assert write(records.get_job, job.id).state == "cancelled"


def test_a_worker_that_leaves_gives_its_job_back(write):
    job = submit(write)
    write(claims.release, take(write))
    assert take(write).job.id == job.id


def test_lists_are_filtered_and_paged(write):
    made = [submit(write, model="m", version=number) for number in (1, 2)]
    made.append(submit(write, model="other"))
    write(records.submit, kind="tables", plan="{}")
    found, total = write(records.list_jobs, limit=2)
    assert ([job.id for job in found], total) == ([made[2].id, made[1].id], 3)
    found, total = write(records.list_jobs, limit=2, offset=2)
    assert ([job.id for job in found], total) == ([made[0].id], 3)
    found, total = write(records.list_jobs, model="m", version=2, limit=9)
    assert ([job.id for job in found], total) == ([made[1].id], 1)
    take(write)
    assert write(records.list_jobs, states=["claimed", "running"], limit=9)[1] == 1
    assert write(records.list_jobs, submitted_by="somebody", limit=9) == ([], 0)
    with pytest.raises(Invalid, match="no state 'ready'"):
        write(records.list_jobs, states=["ready"], limit=9)


def test_workspaces_are_walls_for_all_but_the_worker(write):
    write(create_workspace, name="other", description="")
    there = Caller(workspace="other")
    job = submit(write, caller=there)
    with pytest.raises(NotFound):
        write(records.get_job, job.id)
    with pytest.raises(NotFound):
        write(records.cancel, job.id)
    assert write(records.list_jobs, limit=9) == ([], 0)
    assert take(write).workspace == "other"


def test_whoever_watches_hears_of_a_job_in_its_own_workspace(write, database):
    heard: list[Change] = []
    database.announce = heard.extend
    write(create_workspace, name="other", description="")
    job = submit(write, model="m", caller=Caller(workspace="other"))
    write(claims.finish, take(write), receipt="{}")
    told = [(c.workspace, c.action) for c in heard if (c.kind, c.key) == ("job", str(job.id))]
    assert told == [("other", "queued"), ("other", "claimed"), ("other", "done")]
    changed = write(records.changed_since, 0)
    assert [(row[0], *row[2:]) for row in changed] == [(job.id, "done", "other", "m")]


def test_the_same_plan_is_recognised(write):
    submit(write, plan_digest="d")
    assert write(records.find_same, "predict", "d") is None
    write(claims.finish, take(write), receipt='{"rows":1}')
    assert write(records.find_same, "predict", "d").receipt == '{"rows":1}'
    assert write(records.find_same, "predict", "e") is None


def test_quick_answers_are_forgotten(write):
    kept = submit(write)
    quick = write(records.submit, kind="preview", plan="{}")
    assert write(records.forget_quick) == 0
    assert write(records.forget_quick, later_ms=records.QUICK_KEPT_MS + 1000) == 1
    with pytest.raises(NotFound):
        write(records.get_job, quick.id)
    assert write(records.get_job, kept.id).id == kept.id


def schedule(write, **named):
    given = {"name": "nightly", "cron": "0 3 * * *", "timezone": "UTC", "plan": '{"a":1}'}
    given |= {"plan_digest": "d", "model": "m", "input": "i", "output": "o"}
    return write(schedules.create_schedule, **given | named)


def test_a_schedule_gives_one_job_at_its_time(write):
    made = schedule(write)
    wait_ms = made.next_ms - int(time.time() * 1000)
    assert 0 < wait_ms <= 24 * 3600 * 1000
    assert not write(schedules.is_any_due)
    assert write(schedules.queue_due) == 0
    # Days later, as after a long stop: one job, not one for each day.
    late_ms = wait_ms + 3 * 24 * 3600 * 1000
    assert write(schedules.is_any_due, later_ms=late_ms)
    assert write(schedules.queue_due, later_ms=late_ms) == 1
    assert write(schedules.queue_due, later_ms=late_ms) == 0
    found, _ = write(records.list_jobs, schedule_id=made.id, limit=9)
    assert [(job.plan, job.model, job.submitted_by) for job in found] == [('{"a":1}', "m", "local")]
    again = write(schedules.get_schedule, made.id)
    assert again.next_ms > made.next_ms
    assert again.last_ms is not None


def test_schedules_are_listed_and_deleted(write):
    made = schedule(write)
    assert [each.id for each in write(schedules.list_schedules)] == [made.id]
    write(schedules.delete_schedule, made.id)
    assert write(schedules.list_schedules) == []
    with pytest.raises(NotFound):
        write(schedules.delete_schedule, made.id)


def test_a_schedule_of_another_workspace_gives_its_job_there(write):
    write(create_workspace, name="other", description="")
    there = Caller(workspace="other", actor="ann")
    made = schedule(write, caller=there)
    write(schedules.queue_due, later_ms=2 * 24 * 3600 * 1000)
    assert write(records.list_jobs, limit=9)[1] == 0
    found, _ = write(records.list_jobs, limit=9, caller=there)
    assert [(job.schedule_id, job.submitted_by) for job in found] == [(made.id, "ann")]


@pytest.mark.parametrize(
    ("cron", "timezone", "words"),
    [
        ("* * * *", "UTC", "needs five fields"),
        ("61 * * * *", "UTC", "bad minute"),
        ("0 0 30 2 *", "UTC", "bad day-of-month"),
        ("* * * * *", "Mars/Olympus", "no time zone"),
        ("* * * * * *", "UTC", "needs five fields"),
        ("* * * * *", "../../etc/passwd", "no time zone"),
    ],
)
def test_wrong_schedules_are_refused(write, cron, timezone, words):
    with pytest.raises(Invalid, match=words):
        schedule(write, cron=cron, timezone=timezone)


def test_summer_time_is_kept():
    """Three in the morning in Zurich is another time UTC in January and in July."""
    for month, hour in ((1, 2), (7, 1)):
        start = int(datetime(2026, month, 10, tzinfo=UTC).timestamp() * 1000)
        found = schedules.next_time("0 3 * * *", "Europe/Zurich", start)
        assert found is not None
        assert datetime.fromtimestamp(found / 1000, UTC).hour == hour
