"""Copies an MLflow server's database and files into this one, as they are there.

Ids of runs and logged models, numbers of versions, times and users stay what they were, so links and
code stay right; ids of experiments stay where they are free. First come the rows of experiments and
runs, then files, then models with their versions, which pin those files. Each run is whole or not
there, and so is each model. What is there already is left as it is, so that an import that was broken
off, or that is done again later, goes on with what is missing.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from heddle.artifacts import contents, manifests
from heddle.artifacts.blobs import Store
from heddle.artifacts.contents import SMALL_MAX, Doomed
from heddle.artifacts.elsewhere import Folder
from heddle.db.engine import Database
from heddle.db.tx import DEFAULT_WORKSPACE, Caller, Tx
from heddle.errors import AlreadyExists, HeddleError, Invalid, Unavailable
from heddle.importer.places import Places, is_reachable
from heddle.importer.registered import adopt_model
from heddle.importer.run_rows import DELETED, RunRow, RunRows
from heddle.importer.source import Source
from heddle.registry.models import find_model
from heddle.tags import Pair
from heddle.tracking import files, logged_models, runs
from heddle.tracking.experiments import adopt_experiment, files_below, get_experiment
from heddle.tracking.logged_models import VERSIONS_TAG, ModelPoint
from heddle.workspaces import create_workspace

ACTOR = "import"
RUNS_AT_ONCE = 25
FILES_AT_ONCE = 200
BYTES_AT_ONCE = 8 * 1024 * 1024
STORE_ATTEMPTS = 30
DOOMED_WAIT_S = 2.0
MODEL_STATUSES = {1: "PENDING", 2: "READY", 3: "UPLOAD_FAILED"}
Tell = Callable[[str], None]


@dataclass
class Report:
    """What an import did: how many came, how many were there, what could not be taken and why."""

    came: Counter[str] = field(default_factory=Counter)
    there: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    """Runs and logged models whose files lie at an address that was not named, by its beginning."""
    renumbered: dict[int, int] = field(default_factory=dict)
    """Experiments whose id was taken here: the other server's id, and the one here."""
    refused: list[str] = field(default_factory=list)
    """What could not be taken, each with its reason."""


class Stored(NamedTuple):
    """A content that is kept: its place among an owner's files, digest, size; bytes if it is small."""

    path: str
    digest: str
    size_bytes: int
    data: bytes | None


class Copier:
    """One import. ``tell`` hears how far it is, now and then."""

    def __init__(
        self, source: Source, database: Database, store: Store, places: Places, tell: Tell
    ) -> None:
        self._source = source
        self._database = database
        self._store = store
        self._places = places
        self._tell = tell
        self._told_s = time.monotonic()
        self._experiments: dict[int, int] = {}
        """Ids of experiments of the workspace at hand: there, and here."""
        self.report = Report()

    def copy(self, workspace: str | None = None) -> Report:
        """Copy everything into ``workspace``, else each of the server's into that of the same name."""
        for name in workspaces_of(self._source):
            target = workspace or name
            caller = Caller(ACTOR, target)
            self._make_workspace(target)
            self._copy_experiments(name, caller)
            self._copy_logged_models(caller)
            for experiment_id in self._experiments:
                self._copy_runs(experiment_id, caller)
            self._copy_files(caller)
            self._copy_models(name, caller)
        return self.report

    def _make_workspace(self, name: str) -> None:
        if name != DEFAULT_WORKSPACE:
            try:
                self._database.write_now(lambda tx: create_workspace(tx, name=name), Caller(ACTOR))
            except AlreadyExists:
                return

    def _copy_experiments(self, workspace: str, caller: Caller) -> None:
        self._experiments = {}
        columns = (
            "experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time",
            "last_update_time",
        )  # fmt: skip
        found = self._source.rows(
            "experiments", *columns, order=["experiment_id"], workspace=workspace
        )
        # From the greatest id down: one that must be given anew then takes none that is still to come.
        for key, name, location, stage, created, updated in reversed(list(found)):
            pairs = self._pairs("experiment_tags", "key", "value", experiment_id=key)
            now_ms = time.time_ns() // 1_000_000
            created_ms = created or now_ms
            updated_ms = updated or created_ms
            operation = partial(
                adopt_experiment,
                wanted_id=key,
                name=name,
                created_ms=created_ms,
                updated_ms=updated_ms,
                deleted_ms=updated_ms if stage == DELETED else None,
                artifact_location=self._kept(location or ""),
                pairs=pairs,
            )
            done = self._take(f"experiment '{name}'", operation, caller)
            if done is None:
                continue
            here, is_new = done
            self._experiments[key] = here
            (self.report.came if is_new else self.report.there)["experiments"] += 1
            if here != key:
                self.report.renumbered[key] = here

    def _kept(self, address: str) -> str:
        """The address if clients reach it by themselves and its files stay there, else nothing."""
        stays = address and is_reachable(address) and self._places.find(address) is None
        return address if stays else ""

    def _location(self, tx: Tx, address: str, experiment_id: int, below: str) -> str:
        """Where the files of something in an experiment are addressed from now on."""
        return self._kept(address) or files_below(
            get_experiment(tx, experiment_id).artifact_location, below
        )

    def _copy_logged_models(self, caller: Caller) -> None:
        columns = (
            "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms",
            "last_updated_timestamp_ms", "status", "lifecycle_stage", "model_type", "source_run_id",
            "status_message",
        )  # fmt: skip
        found = self._source.rows(
            "logged_models", *columns, order=["creation_timestamp_ms"],
            experiment_id=list(self._experiments),
        )  # fmt: skip
        for part in _parts(found, RUNS_AT_ONCE):
            there = self._there(logged_models.find_ids, [row[0] for row in part], caller)
            for row in part:
                if row[0] in there:
                    self.report.there["logged models"] += 1
                    continue
                if self._take(f"logged model {row[0]}", self._logged_model(row), caller):
                    self.report.came["logged models"] += 1
            self._progress(self.report.came["logged models"], "logged models")

    def _logged_model(self, row: Sequence[Any]) -> Callable[[Tx], int]:
        (uid, experiment, name, address, created, updated, status, stage, kind, run_uid, said) = row
        experiment_id = self._experiments[experiment]
        given = self._pairs("logged_model_params", "param_key", "param_value", model_id=uid)
        # Versions note themselves in that tag when they are registered here.
        labels = dict(self._pairs("logged_model_tags", "tag_key", "tag_value", model_id=uid))
        labels.pop(VERSIONS_TAG, None)
        points: dict[str, list[ModelPoint]] = defaultdict(list)
        measured = self._source.rows(
            "logged_model_metrics", "run_id", "metric_name", "metric_value", "metric_timestamp_ms",
            "metric_step", "dataset_name", "dataset_digest", model_id=uid,
        )  # fmt: skip
        for run, key, value, at_ms, step, data, digest in measured:
            number = float("nan") if value is None else value
            points[run].append(ModelPoint(uid, key, number, at_ms, step, data or "", digest or ""))

        def operation(tx: Tx) -> int:
            model_id = logged_models.adopt(
                tx,
                uid=uid,
                experiment_id=experiment_id,
                name=name,
                model_type=kind or "",
                status=MODEL_STATUSES.get(status, "READY"),
                status_message=said or "",
                source_run_uid=run_uid or "",
                location=self._location(tx, address, experiment_id, f"models/{uid}"),
                created_ms=created,
                updated_ms=updated,
                params=given,
                pairs=labels.items(),
            )
            for run, its in points.items():
                logged_models.log_metrics(tx, run, its)
            if stage == DELETED:
                logged_models.delete(tx.at(updated, ACTOR), uid)
            return model_id

        return operation

    def _copy_runs(self, experiment: int, caller: Caller) -> None:
        found = self._source.rows(
            "runs", *RunRow._fields, order=["start_time", "run_uuid"], experiment_id=experiment
        )
        for part in _parts(found, RUNS_AT_ONCE):
            there = self._there(runs.find_ids, [row[0] for row in part], caller)
            self.report.there["runs"] += len(there)
            fresh = [RunRow(*row) for row in part if row[0] not in there]
            if not fresh:
                continue
            rows = RunRows(self._source, self._experiments[experiment], fresh, self._location)
            try:
                self._database.write_now(rows.write, caller)
                self.report.came["runs"] += len(fresh)
                self.report.refused += rows.refused
            except (Invalid, AlreadyExists):
                # It is one of them; each by itself shows which.
                for row in fresh:
                    alone = RunRows(
                        self._source, self._experiments[experiment], [row], self._location
                    )
                    if self._take(f"run {row.run_uuid}", alone.write, caller):
                        self.report.came["runs"] += 1
                        self.report.refused += alone.refused
            self._progress(self.report.came["runs"], "runs")

    def _copy_files(self, caller: Caller) -> None:
        """Files of the runs and logged models that are here now, as far as they are missing."""
        for table, uid, address, kind, place_of in (
            ("runs", "run_uuid", "artifact_uri", "run", files.run_place),
            ("logged_models", "model_id", "artifact_location", "logged model", files.model_place),
        ):
            found = self._source.rows(table, uid, address, experiment_id=list(self._experiments))
            for number, (key, where) in enumerate(found, 1):
                self._progress(number, f"{kind}s looked through for files")
                place = self._places.find(where or "")
                if place is None:
                    if where:
                        self.report.unread[beginning(where)] += 1
                    continue
                folder, path = place
                try:
                    self._copy_folder(folder, path, key, place_of, caller)
                except Unavailable:
                    # A store that is away, or a full disk, would be so for all that follow.
                    raise
                except HeddleError as error:
                    self.report.refused.append(f"files of {kind} {key}: {error.message}")

    def _copy_folder(
        self, folder: Folder, path: str, uid: str, place_of: Callable[..., Any], caller: Caller
    ) -> None:
        def present(tx: Tx) -> dict[str, int]:
            place, _ = place_of(tx, uid)
            return {file.path: file.size_bytes for file in manifests.load(tx, place.manifest_id)}

        there = self._database.read_now(present, caller)
        missing = []
        for name, size in folder.files(path):
            try:
                kept = manifests.check_path(name)
            except Invalid as error:
                self.report.refused.append(f"files of {uid}: {error.message}")
                continue
            if there.get(kept) == size:
                self.report.there["files"] += 1
            else:
                missing.append((f"{path}/{name}".lstrip("/"), kept, size))
        while missing:
            part: list[tuple[str, str, int]] = []
            size = 0
            while missing and len(part) < FILES_AT_ONCE and size < BYTES_AT_ONCE:
                part.append(missing.pop())
                size += part[-1][2]
            self._keep(folder, part, uid, place_of, caller)
            self.report.came["files"] += len(part)
            self.report.came["bytes"] += size

    def _keep(
        self,
        folder: Folder,
        part: Sequence[tuple[str, str, int]],
        uid: str,
        place_of: Callable[..., Any],
        caller: Caller,
    ) -> None:
        """Store the contents of some files and let an owner's paths stand for them."""
        stored: list[Stored] = []
        placed: list[tuple[Any, Stored]] = []
        try:
            for source, path, size in part:
                if size <= SMALL_MAX:
                    data = b"".join(folder.blocks(source))
                    stored.append(Stored(path, contents.digest_of(data), len(data), data))
                    continue
                incoming = self._store.begin()
                # Known from here on, so that it goes whatever happens.
                placed.append((incoming, Stored(path, "", 0, None)))
                for block in folder.blocks(source):
                    incoming.write([block])
                incoming.finish()
                kept = Stored(path, incoming.digest, incoming.size_bytes, None)
                placed[-1] = (incoming, kept)
                stored.append(kept)

            def operation(tx: Tx) -> None:
                for file in stored:
                    if file.data is not None:
                        contents.keep_small(tx, file.digest, file.data)
                    else:
                        contents.keep_stored(tx, file.digest, file.size_bytes)
                    place, _ = place_of(tx, uid, file.path)
                    files.put_file(tx, place, digest=file.digest, size_bytes=file.size_bytes)

            for _ in range(STORE_ATTEMPTS):
                self._place(placed)
                try:
                    self._database.write_now(operation, caller)
                except Doomed:
                    time.sleep(DOOMED_WAIT_S)
                    continue
                # A sweep that was removing the same content may have taken what was placed.
                self._place(placed)
                return
            raise Unavailable("The same content is being removed all the time; try again later.")
        finally:
            for incoming, _ in placed:
                incoming.drop()

    def _place(self, placed: Iterable[tuple[Any, Stored]]) -> None:
        for incoming, file in placed:
            if self._store.size_of(file.digest) != file.size_bytes:
                incoming.place()

    def _copy_models(self, workspace: str, caller: Caller) -> None:
        found = self._source.rows(
            "registered_models", "name", order=["creation_time", "name"], workspace=workspace
        )
        for (name,) in list(found):
            if self._database.read_now(partial(find_model, name=name), caller):
                self.report.there["models"] += 1
                continue
            operation = partial(adopt_model, source=self._source, workspace=workspace, name=name)
            done = self._take(f"model '{name}'", operation, caller)
            if done is not None:
                self.report.came["models"] += 1
                self.report.came["versions"] += done.versions
                self.report.refused += done.notes
            self._progress(self.report.came["models"], "models")

    def _take(self, what: str, operation: Callable[[Tx], Any], caller: Caller) -> Any:
        """Write one thing; what is wrong with it is noted, and the import goes on. None then."""
        try:
            return self._database.write_now(operation, caller)
        except Unavailable:
            raise
        except HeddleError as error:
            self.report.refused.append(f"{what}: {error.message}")
            return None

    def _there(
        self, find: Callable[[Tx, Sequence[str]], dict[str, int]], uids: list[str], caller: Caller
    ) -> dict[str, int]:
        found: dict[str, int] = self._database.read_now(lambda tx: find(tx, uids), caller)
        return found

    def _pairs(self, table: str, key: str, value: str, **where: Any) -> list[Pair]:
        found = self._source.rows(table, key, value, **where)
        return [(name, text or "") for name, text in found]

    def _progress(self, many: int, what: str) -> None:
        now = time.monotonic()
        if now - self._told_s > 2:
            self._told_s = now
            self._tell(f"  {many:,} {what}")


def workspaces_of(source: Source) -> list[str]:
    """The workspaces that an MLflow database knows; one for releases without them."""
    if not source.has("experiments", "workspace"):
        return [DEFAULT_WORKSPACE]
    names = {name for (name,) in source.rows("experiments", "workspace")}
    names |= {name for (name,) in source.rows("registered_models", "workspace")}
    return sorted(name or DEFAULT_WORKSPACE for name in names)


def beginning(address: str) -> str:
    """What addresses of a server's files have in common: without run and experiment."""
    parts = address.rstrip("/").split("/")
    for marker in ("models", "artifacts"):
        if marker in parts:
            parts = parts[: parts.index(marker)]
    return "/".join(parts[:-2]) + "/" if len(parts) > 2 else address


def _parts(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while part := list(islice(iterator, size)):
        yield part
