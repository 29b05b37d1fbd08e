"""Logged models: what a run made with ``log_model``, with params, tags and metrics of its own.

A logged model is made PENDING, filled with files, and finalized READY or UPLOAD_FAILED. Its metrics
are points measured on it, each possibly on a named data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    Id,
    id_column,
    key_column,
    metadata,
    ms_column,
    owner_column,
    text_column,
    workspace_column,
)
from heddle.db.statement import Bulk, Statement, among, here
from heddle.db.tx import Tx
from heddle.errors import NotFound
from heddle.keys import check_key
from heddle.tags import Tags
from heddle.tracking.metrics import check_point, storable

PENDING = "PENDING"
STATUSES = ("PENDING", "READY", "UPLOAD_FAILED")

logged_models = sa.Table(
    "logged_models",
    metadata,
    id_column(),
    workspace_column(),
    sa.Column("experiment_id", Id, sa.ForeignKey("experiments.id"), nullable=False),
    text_column("uid", unique=True),
    text_column("name"),
    text_column("model_type"),
    text_column("status"),
    text_column("status_message"),
    text_column("source_run_uid", index=True),
    text_column("artifact_uri"),
    ms_column("created_ms"),
    ms_column("updated_ms"),
    ms_column("deleted_ms", nullable=True),
    sa.Column("manifest_id", Id, sa.ForeignKey("manifests.id"), nullable=True),
    sa.Index(None, "experiment_id", "created_ms"),
    sqlite_autoincrement=True,
)
logged_model_params = sa.Table(
    "logged_model_params",
    metadata,
    owner_column("model_id", "logged_models.id"),
    key_column(),
    text_column("value"),
    sa.Column("number", sa.Double, nullable=True),
    **CLUSTERED,
)
logged_model_metrics = sa.Table(
    "logged_model_metrics",
    metadata,
    owner_column("model_id", "logged_models.id"),
    key_column(),
    sa.Column("timestamp_ms", sa.BigInteger, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    key_column("run_uid"),
    key_column("dataset_name"),
    key_column("dataset_digest"),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.SmallInteger, nullable=False),
    **CLUSTERED,
)
tags = Tags("logged_model", "logged_models.id", value_max=100_000)


class ModelPoint(NamedTuple):
    """One value measured on a logged model, on a data set where one is named."""

    model_uid: str
    key: str
    value: float
    timestamp_ms: int
    step: int
    dataset_name: str = ""
    dataset_digest: str = ""


_ids = Statement(
    sa.select(logged_models.c.uid, logged_models.c.id).where(
        logged_models.c.workspace_id == here(),
        among(logged_models.c.uid, "uids"),
        logged_models.c.deleted_ms.is_(None),
    )
)
_insert_metrics = Bulk(
    logged_model_metrics,
    (
        "model_id",
        "key",
        "timestamp_ms",
        "step",
        "run_uid",
        "dataset_name",
        "dataset_digest",
        "value",
        "is_nan",
    ),
)


def log_metrics(tx: Tx, run_uid: str, measured: Sequence[ModelPoint]) -> None:
    """Record points measured on logged models; raises ``NotFound`` for a model, ``Invalid``."""
    known: dict[str, int] = dict(tx.all(_ids, uids=sorted({point.model_uid for point in measured})))
    rows = []
    for point in measured:
        check_key(point.key, "metric")
        check_point(point.value, point.timestamp_ms, point.step)
        if point.model_uid not in known:
            raise NotFound(f"Logged model with ID '{point.model_uid}' not found.")
        value, is_nan = storable(point.value)
        rows.append(
            (
                known[point.model_uid], point.key, point.timestamp_ms, point.step, run_uid,
                point.dataset_name, point.dataset_digest, value, is_nan,
            )
        )  # fmt: skip
    tx.insert_many(_insert_metrics, rows)
