"""Runs of an MLflow database with all that hangs on them, written as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from heddle.db.tx import Tx
from heddle.errors import Invalid
from heddle.importer.source import Source
from heddle.keys import check_key
from heddle.tags import Pair
from heddle.tracking import inputs, metrics, params, runs
from heddle.tracking.inputs import Dataset, DatasetInput, ModelOutput

DELETED = "deleted"
POINTS_AT_ONCE = 20_000
Locate = Callable[[Tx, str, int, str], str]
"""Where files are addressed from now on: given their address, the experiment, and what is below it."""


class RunRow(NamedTuple):
    """A run's own row; what a release does not know yet is None."""

    run_uuid: str
    name: str | None
    user_id: str | None
    status: str | None
    start_time: int | None
    end_time: int | None
    deleted_time: int | None
    lifecycle_stage: str | None
    artifact_uri: str | None


class RunRows:
    """Some runs of one experiment on their way in. ``refused`` says what of them cannot be kept."""

    def __init__(
        self, source: Source, experiment_id: int, rows: Sequence[RunRow], location: Locate
    ) -> None:
        self._source = source
        self._experiment_id = experiment_id
        self._rows = rows
        self._uids = [row.run_uuid for row in rows]
        self._location = location
        self.refused: list[str] = []

    def write(self, tx: Tx) -> bool:
        """Write the runs with all that hangs on them; it may run more than once."""
        self.refused = []
        given, labels = self._grouped("params"), self._grouped("tags")
        used, models_used, models_made = self._inputs()
        ids: dict[str, int] = {}
        for row in self._rows:
            uid = row.run_uuid
            gone_ms = row.deleted_time or row.end_time or row.start_time or tx.now_ms
            run_id = ids[uid] = runs.adopt_run(
                tx,
                uid=uid,
                experiment_id=self._experiment_id,
                name=row.name or labels[uid].get(runs.NAME_TAG) or uid[:8],
                user_id=row.user_id or "",
                status=row.status or runs.RUNNING,
                start_ms=row.start_time,
                end_ms=row.end_time,
                deleted_ms=gone_ms if row.lifecycle_stage == DELETED else None,
                location=self._location(tx, row.artifact_uri or "", self._experiment_id, uid),
                pairs=labels[uid].items(),
            )
            params.write_params(tx, run_id, uid, self._fit(uid, given[uid].items()))
            inputs.adopt(
                tx,
                run_id,
                self._experiment_id,
                used=used[uid],
                model_uids=models_used[uid],
                outputs=models_made[uid],
            )
        self._write_points(tx, ids)
        return True

    def _fit(self, uid: str, pairs: Iterable[Pair]) -> list[Pair]:
        """The params that can be kept here; the others are noted."""
        kept = []
        for pair in pairs:
            try:
                params.check_params([pair])
            except Invalid as error:
                self.refused.append(f"run {uid}: {error.message}")
            else:
                kept.append(pair)
        return kept

    def _grouped(self, table: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for uid, key, value in self._source.rows(
            table, "run_uuid", "key", "value", run_uuid=self._uids
        ):
            found[uid][key] = value or ""
        return found

    def _write_points(self, tx: Tx, ids: dict[str, int]) -> None:
        wrong: set[tuple[str, str]] = set()
        waiting: list[tuple[str, float, int, int]] = []
        of = ""

        def flush() -> None:
            if waiting:
                metrics.write_points(tx, ids[of], self._experiment_id, waiting)
                waiting.clear()

        rows = self._source.rows(
            "metrics", "run_uuid", "key", "value", "timestamp", "step", "is_nan",
            order=["run_uuid"], run_uuid=self._uids,
        )  # fmt: skip
        for uid, key, value, at_ms, step, is_nan in rows:
            if uid != of or len(waiting) >= POINTS_AT_ONCE:
                flush()
                of = uid
            if (uid, key) in wrong:
                continue
            number = float("nan") if is_nan else value
            try:
                check_key(key, "metric")
                metrics.check_point(number, at_ms, step or 0)
            except Invalid as error:
                wrong.add((uid, key))
                self.refused.append(f"run {uid}: {error.message}")
                continue
            waiting.append((key, number, at_ms, step or 0))
        flush()

    def _inputs(
        self,
    ) -> tuple[dict[str, list[DatasetInput]], dict[str, list[str]], dict[str, list[ModelOutput]]]:
        """Data sets and models that the runs used, and models that they made."""
        rows = self._source.rows
        uses = list(
            rows(
                "inputs", "input_uuid", "source_id", "destination_id",
                destination_id=self._uids, destination_type="RUN",
            )
        )  # fmt: skip
        labels: dict[str, list[Pair]] = defaultdict(list)
        for use, key, value in rows(
            "input_tags", "input_uuid", "name", "value", input_uuid=[row[0] for row in uses]
        ):
            labels[use].append((key, value))
        known = {
            uid: Dataset(name, digest, kind, where, schema, profile)
            for uid, name, digest, kind, where, schema, profile in rows(
                "datasets", "dataset_uuid", "name", "digest", "dataset_source_type",
                "dataset_source", "dataset_schema", "dataset_profile",
                dataset_uuid=sorted({row[1] for row in uses}),
            )
        }  # fmt: skip
        used: dict[str, list[DatasetInput]] = defaultdict(list)
        for use, dataset, uid in uses:
            if dataset in known:
                used[uid].append(DatasetInput(known[dataset], labels[use]))
        models_used: dict[str, list[str]] = defaultdict(list)
        models_made: dict[str, list[ModelOutput]] = defaultdict(list)
        for kind, uid, model, step in rows(
            "inputs", "source_type", "source_id", "destination_id", "step", source_id=self._uids
        ):
            if kind == "RUN_INPUT":
                models_used[uid].append(model)
            elif kind == "RUN_OUTPUT":
                models_made[uid].append(ModelOutput(model, step or 0))
        return used, models_used, models_made
