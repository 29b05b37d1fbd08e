"""Manifests: which paths an owner has, and which contents they stand for.

A run, a logged model and a version each point to a manifest of their own (made when the first file
comes), a workspace to one for files that belong to none of them. A manifest maps a path to a digest
and a size; contents live once per digest in ``blobs``. A version's manifest never changes.
"""

from __future__ import annotations

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    id_column,
    key_column,
    metadata,
    ms_column,
    owner_column,
    text_column,
    workspace_column,
)

manifests = sa.Table(
    "manifests",
    metadata,
    id_column(),
    workspace_column(),
    sqlite_autoincrement=True,
)
files = sa.Table(
    "files",
    metadata,
    owner_column("manifest_id", "manifests.id"),
    key_column("path"),
    text_column("digest"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    ms_column("created_ms"),
    sa.Index(None, "digest"),
    **CLUSTERED,
)
