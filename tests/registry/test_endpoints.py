"""Which versions are active: how many may be, what is remembered, whom it concerns."""

from __future__ import annotations

import pytest

from heddle.db.tx import LOCAL, Change
from heddle.errors import WrongState
from heddle.registry import endpoints, models, registration, versions


@pytest.fixture
def made(do):
    do(models.create_model, name="grocery")
    for _ in range(3):
        do(registration.create_version, name="grocery", source="s3://elsewhere/model")

    def version(number):
        return do(versions.get_version, "grocery", number)

    return version


def test_only_so_many_versions_of_a_model_are_active(do, made):
    assert do(endpoints.find_endpoint, made(1).id) == endpoints.Endpoint()
    first = do(endpoints.activate, made(1), limit=2)
    assert (first.is_active, first.is_always_on, first.changed_by) == (True, False, "ada")
    do(endpoints.activate, made(3), limit=2)
    # Once more is no other one.
    assert do(endpoints.activate, made(1), limit=2, by="bob") == first
    with pytest.raises(WrongState, match=r"2 versions of 'grocery' are active already \(1, 3\)"):
        do(endpoints.activate, made(2), limit=2)
    do(endpoints.deactivate, made(1))
    do(endpoints.activate, made(2), limit=2)
    assert do(endpoints.list_active, made(1).model_id) == [2, 3]
    do(registration.delete_version, "grocery", 3)
    assert do(endpoints.list_active, made(1).model_id) == [2]


def test_a_model_that_stays_loaded_is_remembered(database, do, made):
    do(endpoints.keep_on, made(2), is_always_on=True)
    assert database.read_now(endpoints.list_always_on, LOCAL) == []
    kept = do(endpoints.activate, made(2), limit=5)
    assert kept.is_always_on
    assert database.read_now(endpoints.list_always_on, LOCAL) == [("default", "grocery", 2)]
    assert do(endpoints.load_endpoints, [made(1).id, made(2).id]) == {made(2).id: kept}
    do(registration.delete_model, "grocery")
    assert database.read_now(endpoints.list_always_on, LOCAL) == []


def test_who_watches_hears_of_it(database, do, made):
    heard: list[Change] = []
    database.announce = heard.extend
    do(endpoints.activate, made(1), limit=5)
    do(endpoints.deactivate, made(1))
    do(endpoints.deactivate, made(1))
    told = [(each.kind, each.key, each.action, each.parent) for each in heard]
    assert told == [("version", "grocery/1", "endpoint", "grocery")] * 2
