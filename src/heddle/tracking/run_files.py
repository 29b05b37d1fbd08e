"""Models among what a run made: logged models, and folders of its files that hold a model."""

from __future__ import annotations

import sqlalchemy as sa

from heddle.artifacts.manifests import files
from heddle.db.statement import Statement, here
from heddle.db.tx import Tx
from heddle.tracking.logged_models import logged_models

MODEL_FILE = "MLmodel"

_logged_by = Statement(
    sa.select(logged_models.c.uid, logged_models.c.name)
    .where(
        logged_models.c.workspace_id == here(),
        logged_models.c.source_run_uid == sa.bindparam("run_uid"),
        logged_models.c.deleted_ms.is_(None),
    )
    .order_by(logged_models.c.id)
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
_model_files = Statement(
    sa.select(files.c.path)
    .where(
        files.c.manifest_id == sa.bindparam("manifest_id"),
        sa.or_(
            files.c.path == sa.literal_column(f"'{MODEL_FILE}'"),
            sa.func.substr(files.c.path, sa.func.length(files.c.path) - len(MODEL_FILE))
            == sa.literal_column(f"'/{MODEL_FILE}'"),
        ),
    )
    .order_by(files.c.path)
)


def logged_by(tx: Tx, run_uid: str, *, limit: int) -> list[tuple[str, str]]:
    """Uid and name of living logged models that a run made, oldest first."""
    return [(uid, name) for uid, name in tx.all(_logged_by, run_uid=run_uid, limit=limit)]


def model_folders(tx: Tx, manifest_id: int | None) -> list[str]:
    """The folders of a manifest that hold a model file; the top is the empty path."""
    if manifest_id is None:
        return []
    rows = tx.all(_model_files, manifest_id=manifest_id)
    return [path[: -len(MODEL_FILE)].rstrip("/") for (path,) in rows]
