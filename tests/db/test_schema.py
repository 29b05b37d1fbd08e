"""What all tables share."""

from __future__ import annotations

import time
import uuid

from heddle.db.schema import new_uid


def test_uids_are_uuids_that_rise_with_time() -> None:
    """They begin with the time, so that new rows lie side by side in an index."""
    before_ms = time.time_ns() // 1_000_000
    made = []
    for _ in range(5):
        made.append(new_uid())
        time.sleep(0.002)
    assert made == sorted(made)
    for text in made:
        read = uuid.UUID(text)
        assert (read.version, read.variant) == (7, uuid.RFC_4122)
        assert before_ms <= read.int >> 80 <= time.time_ns() // 1_000_000
        assert text == read.hex


def test_uids_of_one_moment_differ() -> None:
    assert len({new_uid() for _ in range(10_000)}) == 10_000
