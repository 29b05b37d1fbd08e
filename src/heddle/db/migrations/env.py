"""Alembic's entry: runs the migrations on the connection that ``heddle.db.migrate`` opened."""

from __future__ import annotations

from alembic import context

from heddle.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    render_as_batch=False,
)
context.run_migrations()
