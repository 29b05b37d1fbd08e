"""Which versions answer scoring requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "endpoints",
        sa.Column("version_id", key, nullable=False),
        sa.Column("workspace_id", key, nullable=False),
        sa.Column("model_id", key, nullable=False),
        sa.Column("is_active", sa.SmallInteger(), nullable=False),
        sa.Column("is_always_on", sa.SmallInteger(), nullable=False),
        sa.Column(
            "changed_by",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_endpoints_model_id")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["versions.id"],
            name=op.f("fk_endpoints_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_endpoints_workspace_id")
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_endpoints")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_endpoints_model_id"), "endpoints", ["model_id"])
