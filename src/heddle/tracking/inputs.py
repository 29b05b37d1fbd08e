"""Inputs and outputs of runs: the data sets and models that a run used, the models that it made.

A data set is one per experiment, name and digest; naming it again changes nothing, and a run that
used it keeps the tags of its first mention.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from heddle.db.schema import (
    CLUSTERED,
    Id,
    Words,
    id_column,
    key_column,
    metadata,
    owner_column,
    text_column,
)
from heddle.db.statement import Bulk, Statement, among, is_here, upsert
from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.keys import check_text
from heddle.search.fields import Related
from heddle.tags import Pair
from heddle.tracking.runs import runs, touch

CONTEXT_TAG = "mlflow.data.context"
NAME_MAX = 500
DIGEST_MAX = 36
SCHEMA_MAX = 1_048_575
SOURCE_MAX = 65_535
PROFILE_MAX = 16_777_215
TAG_KEY_MAX = 255
TAG_VALUE_MAX = 500

datasets = sa.Table(
    "datasets",
    metadata,
    id_column(),
    sa.Column("experiment_id", Id, sa.ForeignKey("experiments.id"), nullable=False),
    text_column("name"),
    text_column("digest"),
    text_column("source_type"),
    text_column("source"),
    sa.Column("schema", sa.Text, nullable=True),
    sa.Column("profile", sa.Text, nullable=True),
    sa.UniqueConstraint("experiment_id", "name", "digest"),
    sqlite_autoincrement=True,
)
run_datasets = sa.Table(
    "run_datasets",
    metadata,
    owner_column("run_id", "runs.id"),
    sa.Column("dataset_id", Id, sa.ForeignKey("datasets.id"), primary_key=True, index=True),
    text_column("context"),
    **CLUSTERED,
)
run_dataset_tags = sa.Table(
    "run_dataset_tags",
    metadata,
    owner_column("run_id", "runs.id"),
    sa.Column("dataset_id", Id, primary_key=True),
    key_column(),
    text_column("value"),
    **CLUSTERED,
)
run_models = sa.Table(
    "run_models",
    metadata,
    owner_column("run_id", "runs.id"),
    sa.Column("is_output", sa.SmallInteger, primary_key=True),
    sa.Column("model_uid", Words, primary_key=True, index=True),
    sa.Column("step", sa.BigInteger, nullable=False),
    **CLUSTERED,
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data set as a client describes it; ``schema`` and ``profile`` may be absent."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A data set that runs of an experiment used in one context, which may be empty."""

    experiment_id: int
    name: str
    digest: str
    context: str


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A data set that a run used, with the tags of that use."""

    dataset: Dataset
    tags: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """A logged model that a run used."""

    model_uid: str


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A logged model that a run made, and the training step it was made at."""

    model_uid: str
    step: int


def _used_by_run(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """A data set that the run at hand used satisfies the condition."""
    return sa.exists(
        sa.select(sa.literal_column("1"))
        .select_from(run_datasets.join(datasets, datasets.c.id == run_datasets.c.dataset_id))
        .where(run_datasets.c.run_id == runs.c.id, condition)
        .correlate(runs)
    )


field = Related(
    prefixes=("datasets", "dataset"),
    fields={
        "name": datasets.c.name,
        "digest": datasets.c.digest,
        "context": run_datasets.c.context,
    },
    exists=_used_by_run,
)

_insert_dataset = Statement(
    upsert(datasets)
    .values(
        {
            c: sa.bindparam(c)
            for c in (
                "experiment_id",
                "name",
                "digest",
                "source_type",
                "source",
                "schema",
                "profile",
            )
        }
    )
    .on_conflict_do_nothing()
)
_find_dataset = Statement(
    sa.select(datasets.c.id).where(
        datasets.c.experiment_id == sa.bindparam("experiment_id"),
        datasets.c.name == sa.bindparam("name"),
        datasets.c.digest == sa.bindparam("digest"),
    )
)
_use_dataset = Statement(
    upsert(run_datasets)
    .values({c: sa.bindparam(c) for c in ("run_id", "dataset_id", "context")})
    .on_conflict_do_nothing()
)
_insert_tags = Bulk(run_dataset_tags, ("run_id", "dataset_id", "key", "value"))
_insert_models = Bulk(run_models, ("run_id", "is_output", "model_uid", "step"))
_load_datasets = Statement(
    sa.select(
        run_datasets.c.run_id,
        run_datasets.c.dataset_id,
        *(datasets.c[name] for name in Dataset.__dataclass_fields__),
    )
    .select_from(run_datasets.join(datasets, datasets.c.id == run_datasets.c.dataset_id))
    .where(among(run_datasets.c.run_id, "ids"))
    .order_by(run_datasets.c.run_id, run_datasets.c.dataset_id)
)
_find_uses = Statement(
    sa.select(datasets.c.experiment_id, datasets.c.name, datasets.c.digest, run_datasets.c.context)
    .distinct()
    .select_from(
        datasets.join(run_datasets, run_datasets.c.dataset_id == datasets.c.id).join(
            runs, runs.c.id == run_datasets.c.run_id
        )
    )
    .where(among(datasets.c.experiment_id, "ids"), is_here(runs.c.workspace_id))
    .order_by(datasets.c.experiment_id, datasets.c.name, datasets.c.digest, run_datasets.c.context)
    .limit(sa.bindparam("limit"))
)
_load_tags = Statement(
    sa.select(
        run_dataset_tags.c.run_id,
        run_dataset_tags.c.dataset_id,
        run_dataset_tags.c.key,
        run_dataset_tags.c.value,
    )
    .where(among(run_dataset_tags.c.run_id, "ids"))
    .order_by(run_dataset_tags.c.run_id, run_dataset_tags.c.dataset_id, run_dataset_tags.c.key)
)
_load_models = Statement(
    sa.select(
        run_models.c.run_id, run_models.c.model_uid, run_models.c.step, run_models.c.is_output
    )
    .where(among(run_models.c.run_id, "ids"))
    .order_by(run_models.c.run_id, run_models.c.step, run_models.c.model_uid)
)


def check_dataset(dataset: Dataset) -> None:
    """Raise ``Invalid`` unless this describes a data set within the limits."""
    for name, limit in (
        ("name", NAME_MAX), ("digest", DIGEST_MAX), ("source_type", NAME_MAX), ("source", SOURCE_MAX),
        ("schema", SCHEMA_MAX), ("profile", PROFILE_MAX),
    ):  # fmt: skip
        check_text(getattr(dataset, name) or "", f"The dataset's {name}", limit)


def log_inputs(
    tx: Tx, uid: str, *, used: Sequence[DatasetInput] = (), model_uids: Iterable[str] = ()
) -> None:
    """Note data sets and models that a run used; raises ``Invalid`` and as ``touch``."""
    for item in used:
        check_dataset(item.dataset)
        for key, value in item.tags:
            check_text(key, "The input tag's name", TAG_KEY_MAX)
            check_text(value, f"The value of input tag '{key}'", TAG_VALUE_MAX)
            if not key:
                raise Invalid("An input tag needs a name that is not empty.")
    run_id, experiment_id = touch(tx, uid)
    for item in used:
        _use(tx, run_id, experiment_id, item)
    tx.insert_many(_insert_models, [(run_id, 0, model_uid, 0) for model_uid in model_uids])
    tx.changed("run", uid, "logged", str(experiment_id))


def _use(tx: Tx, run_id: int, experiment_id: int, item: DatasetInput) -> None:
    dataset = item.dataset
    tx.run(
        _insert_dataset,
        experiment_id=experiment_id,
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema,
        profile=dataset.profile,
    )
    found = tx.one(
        _find_dataset, experiment_id=experiment_id, name=dataset.name, digest=dataset.digest
    )
    labels = dict(item.tags)
    if tx.count(
        _use_dataset, run_id=run_id, dataset_id=found[0], context=labels.get(CONTEXT_TAG, "")
    ):
        tx.insert_many(
            _insert_tags, [(run_id, found[0], key, value) for key, value in labels.items()]
        )


def log_outputs(tx: Tx, uid: str, outputs: Sequence[ModelOutput]) -> None:
    """Note models that a run made; raises as ``touch``."""
    run_id, experiment_id = touch(tx, uid)
    tx.insert_many(_insert_models, [(run_id, 1, item.model_uid, item.step) for item in outputs])
    tx.changed("run", uid, "logged", str(experiment_id))


def adopt(
    tx: Tx,
    run_id: int,
    experiment_id: int,
    *,
    used: Sequence[DatasetInput],
    model_uids: Iterable[str],
    outputs: Iterable[ModelOutput],
) -> None:
    """Note what a run that is taken over used and made; raises ``Invalid``."""
    for item in used:
        check_dataset(item.dataset)
        _use(tx, run_id, experiment_id, item)
    rows = [(run_id, 0, model_uid, 0) for model_uid in model_uids]
    rows += [(run_id, 1, item.model_uid, item.step) for item in outputs]
    tx.insert_many(_insert_models, rows)


def find_uses(tx: Tx, experiment_ids: Sequence[int], *, limit: int) -> list[DatasetUse]:
    """Which data sets runs of these experiments used and for what, each once, in order of names."""
    return [DatasetUse(*row) for row in tx.all(_find_uses, ids=experiment_ids, limit=limit)]


def load_datasets(tx: Tx, run_ids: Sequence[int]) -> dict[int, list[DatasetInput]]:
    """The data sets that many runs used."""
    used: dict[int, list[DatasetInput]] = {}
    rows = tx.all(_load_datasets, ids=run_ids)
    labels: dict[tuple[int, int], list[Pair]] = {}
    if rows:
        for run_id, dataset_id, key, value in tx.all(_load_tags, ids=run_ids):
            labels.setdefault((run_id, dataset_id), []).append((key, value))
    for run_id, dataset_id, *parts in rows:
        item = DatasetInput(Dataset(*parts), labels.get((run_id, dataset_id), ()))
        used.setdefault(run_id, []).append(item)
    return used


def load_models(
    tx: Tx, run_ids: Sequence[int]
) -> tuple[dict[int, list[ModelInput]], dict[int, list[ModelOutput]]]:
    """The models that many runs used, and those that they made, by step."""
    used: dict[int, list[ModelInput]] = {}
    made: dict[int, list[ModelOutput]] = {}
    for run_id, model_uid, step, is_output in tx.all(_load_models, ids=run_ids):
        if is_output:
            made.setdefault(run_id, []).append(ModelOutput(model_uid, step))
        else:
            used.setdefault(run_id, []).append(ModelInput(model_uid))
    return used, made
