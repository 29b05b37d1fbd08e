"""Logged models, in the API's words."""

from __future__ import annotations

from typing import Any

from heddle.api.http import Request, Services, encode_json, respond
from heddle.api.native.model_files import Reader, environment_out, flavors_out, signature_out
from heddle.api.native.offer import Ask
from heddle.api.native.runs import dataset_out, number_out, refs_out, run_of, run_ref
from heddle.api.native.shapes import kinds
from heddle.api.native.shapes import logged_models as shapes
from heddle.api.native.shapes.runs import Metric
from heddle.api.native.trees import folder
from heddle.db.tx import Tx
from heddle.registry import lineage
from heddle.tracking import experiments, files, logged_models
from heddle.tracking.logged_models import Measured


async def get(request: Request, services: Services, ask: Ask[None, None]) -> None:
    reader, uid = Reader(services), ask.at["logged_model"]

    def operation(tx: Tx) -> bytes:
        return encode_json(_out(tx, reader, uid))

    await respond(request, 200, await services.database.read(operation, request.caller))


def _out(tx: Tx, reader: Reader, uid: str) -> shapes.LoggedModel:
    full = logged_models.get_full(tx, uid)
    model = full.model
    manifest_id = files.model_place(tx, uid)[0].manifest_id
    read = reader.model(tx, manifest_id)
    run = run_of(tx, model.source_run_uid)
    _, count, size_bytes = folder(tx, manifest_id, "")
    return shapes.LoggedModel(
        id=model.uid,
        name=model.name,
        kind=model.model_type,
        status=model.status,
        experiment=str(model.experiment_id),
        experiment_name=experiments.get_experiment(tx, model.experiment_id).name,
        run=run_ref(tx, run),
        created_ms=model.created_ms,
        updated_ms=model.updated_ms,
        params=dict(full.params),
        metrics=[_metric(each) for each in full.metrics],
        tags=dict(full.tags),
        versions=refs_out(lineage.versions_of_logged_models(tx, [uid]).get(uid, [])),
        artifact_uri=model.artifact_uri,
        signature=signature_out(read),
        flavors=flavors_out(read),
        environment=environment_out(tx, reader, manifest_id, read),
        datasets=[] if run is None else [dataset_out(each) for each in run.datasets],
        files_total=count,
        size_bytes=size_bytes,
    )


def _metric(measured: Measured) -> Metric:
    return Metric(
        key=measured.key,
        value=number_out(measured.value),
        step=measured.step,
        time_ms=measured.timestamp_ms,
        min=None,
        max=None,
        dataset=measured.dataset_name,
    )


def tag(tx: Tx, ask: Ask[None, kinds.LabelChanges]) -> kinds.Labels:
    uid = ask.at["logged_model"]
    now = dict(logged_models.get_full(tx, uid).tags)
    if ask.body.set:
        logged_models.set_tags(tx, uid, list(ask.body.set.items()))
    for key in ask.body.delete:
        if key in now:
            logged_models.delete_tag(tx, uid, key)
    return kinds.Labels(tags=dict(logged_models.get_full(tx, uid).tags))


CALLS: dict[str, Any] = {"logged_models.get": get, "logged_models.tag": tag}
