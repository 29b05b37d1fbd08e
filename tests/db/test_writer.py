"""What shares a commit stays apart: a failing write leaves nothing behind and harms no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from heddle.database import open_database
from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Tx
from heddle.errors import Invalid
from heddle.tracking import experiments


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


def create(tx: Tx, name: str) -> int:
    return experiments.create_experiment(tx, name=name, artifact_location="", pairs=[])


def create_and_fail(tx: Tx, name: str) -> None:
    create(tx, name)
    raise Invalid("This write has second thoughts.")


def names(database: Database) -> list[str]:
    def read(tx: Tx) -> list[str]:
        return [each.name for each in experiments.search_experiments(tx, limit=1000)]

    return sorted(name for name in database.read_now(read, LOCAL) if name.startswith("shared"))


def test_failing_writes_undo_themselves_alone(database: Database):
    ready = threading.Event()
    kept = [f"shared-{number}" for number in range(40)]
    failed: list[str] = []

    def hold(_: Tx) -> None:
        ready.wait(10)

    def keep(name: str) -> None:
        database.write_now(lambda tx: create(tx, name), LOCAL)

    def fail(name: str) -> None:
        with pytest.raises(Invalid, match="second thoughts"):
            database.write_now(lambda tx: create_and_fail(tx, name), LOCAL)
        failed.append(name)

    # While the first write holds the writer, the others gather for one commit.
    work = [threading.Thread(target=database.write_now, args=(hold, LOCAL))]
    for number, name in enumerate(kept):
        work.append(threading.Thread(target=keep, args=(name,)))
        if number % 5 == 0:
            work.append(threading.Thread(target=fail, args=(f"{name}-failing",)))
    for thread in work:
        thread.start()
    ready.set()
    for thread in work:
        thread.join(30)
    assert len(failed) == 8
    assert names(database) == sorted(kept)


def test_a_write_that_fails_before_writing_needs_no_undoing(database: Database):
    def refuse(_: Tx) -> None:
        raise Invalid("Nothing was written.")

    for number in range(5):
        database.write_now(partial(create, name=f"shared-{number}"), LOCAL)
        with pytest.raises(Invalid, match="Nothing"):
            database.write_now(refuse, LOCAL)
    assert names(database) == [f"shared-{number}" for number in range(5)]


def test_a_write_is_counted_before_anyone_hears_of_it(database: Database):
    heard: list[int] = []
    database.announce = lambda _: heard.append(database.work.writes)
    before = database.work.writes
    for number in range(3):
        database.write_now(partial(create, name=f"shared-{number}"), LOCAL)
    with pytest.raises(Invalid, match="second thoughts"):
        database.write_now(partial(create_and_fail, name="shared-failing"), LOCAL)
    assert heard == [before + 1, before + 2, before + 3]
    assert database.work.writes == before + 3
