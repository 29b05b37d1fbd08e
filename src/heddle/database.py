"""The whole database: every table declared, SQLite's functions registered, the schema up to date.

This is the one place that knows all nouns' tables; opening a database anywhere goes through here.
"""

from __future__ import annotations

import heddle.artifacts.manifests
import heddle.artifacts.uploads
import heddle.jobs.records
import heddle.jobs.schedules
import heddle.registry.aliases
import heddle.registry.endpoints
import heddle.registry.history
import heddle.registry.models
import heddle.registry.scans
import heddle.registry.versions
import heddle.tracking.inputs
import heddle.tracking.logged_models
import heddle.tracking.metrics
import heddle.tracking.outlines
import heddle.tracking.params
import heddle.tracking.runs
import heddle.views
import heddle.workspaces  # noqa: F401 -- each import above declares that noun's tables
from heddle.db.engine import Database
from heddle.db.schema import metadata
from heddle.search.sql import register_sqlite

__all__ = ["metadata", "open_database"]


def open_database(url: str, *, threads: int = 8, migrate: bool = True) -> Database:
    """Open the database at ``url``, bringing its schema up to date unless told not to.

    Raises ``Invalid`` for an address that is not SQLite's or PostgreSQL's, ``Unavailable`` if it
    cannot be reached or belongs to a newer release.
    """
    database = Database(url, prepare_sqlite=register_sqlite, threads=threads)
    if migrate:
        try:
            database.migrate()
        except BaseException:
            database.close()
            raise
    database.start()
    return database
