"""Bringing a database to the schema that this release needs.

Alembic is imported only when something is to be done: a server that finds its schema in place starts
without it. Migrations run one after another in one transaction on both databases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from heddle.errors import Unavailable

HEAD = "0003"
"""The newest migration; a test compares it with the files."""
MIGRATIONS = Path(__file__).parent / "migrations"


def current(connection: sa.Connection) -> str | None:
    """Which migration the database stands at, or None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def upgrade(engine: sa.Engine) -> bool:
    """Bring the database to ``HEAD``; whether anything was done.

    Several servers may start at once: on PostgreSQL an advisory lock lets one of them migrate, on
    SQLite the write lock does. Raises ``Unavailable`` for a database of a newer release.
    """
    with engine.connect() as connection:
        standing = current(connection)
        if standing == HEAD:
            return False
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_lock(4685)"))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        standing = current(connection)
        if standing == HEAD:
            connection.commit()
            return False
        check_known(standing)
        _run(connection)
        if engine.dialect.name == "postgresql":
            connection.commit()
            connection.execute(sa.text("SELECT pg_advisory_unlock(4685)"))
        else:
            connection.exec_driver_sql("COMMIT")
        connection.commit()
    return True


def check_known(standing: str | None) -> None:
    """Raise ``Unavailable`` for a schema that a newer release made."""
    known = {path.name.split("_", 1)[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")}
    if standing is not None and standing not in known:
        raise Unavailable(
            f"The database is at schema {standing}, which this release of Heddle (schema {HEAD})"
            " does not"
            " know; start the newer release that made it."
        )


def _run(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 -- slow to import and rarely needed

    command.upgrade(config(connection), "head")


def config(connection: sa.Connection | None) -> Any:
    """Alembic's configuration for our migrations on an open connection."""
    from alembic.config import Config  # noqa: PLC0415 -- slow to import and rarely needed

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
