"""Reads that are quick run where they are asked for; others do not hold anybody up."""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from typing import Any

from heddle.database import open_database
from heddle.db.engine import LATE_STEPS
from heddle.db.tx import LOCAL, Tx
from heddle.errors import HeddleError

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"
SHORT = "SELECT 7"


def test_a_read_that_takes_long_is_left_to_a_thread(database_url: str):
    database = open_database(database_url)
    ran: list[int] = []

    def ask(sql: str) -> Any:
        def operation(tx: Tx) -> Any:
            ran.append(threading.get_ident())
            return tx.cursor.execute(sql).fetchone()[0]

        return operation

    async def both() -> None:
        assert await database.read(ask(LONG), LOCAL, "some/call") == 300_000
        assert await database.read(ask(SHORT), LOCAL, "another/call") == 7

    try:
        here = threading.get_ident()
        asyncio.run(both())
        if database.is_embedded:
            # Begun here, stopped, done elsewhere; what is short never leaves.
            assert [place == here for place in ran] == [True, False, True]
        else:
            assert here not in ran
    finally:
        database.close()


def test_a_thread_that_fails_tells_who_asked(database_url: str):
    database = open_database(database_url)

    def fail(_: Tx) -> None:
        raise LookupError("no such thing")

    async def ask() -> list[Any]:
        several = [database.read(fail, LOCAL) for _ in range(20)]
        return await asyncio.gather(*several, return_exceptions=True)

    try:
        assert {type(one) for one in asyncio.run(ask())} == {LookupError}
    finally:
        database.close()


def test_a_read_that_is_stopped_leaves_no_transaction_open(database_url: str):
    """However often: the steps that SQLite counts until it asks are those of ROLLBACK, too."""
    database = open_database(database_url)

    def is_late(tx: Tx) -> None:
        database._session().stop_after(-1.0, -1.0)
        tx.cursor.execute(SHORT)
        raise LookupError("stopped")

    def answer(tx: Tx) -> Any:
        return tx.cursor.execute(SHORT).fetchone()[0]

    try:
        for _ in range(LATE_STEPS):
            with suppress(HeddleError, LookupError):
                database.read_now(is_late, LOCAL)
            database._session().stop_after(math.inf, math.inf)
            assert database.read_now(answer, LOCAL) == 7
    finally:
        database.close()
