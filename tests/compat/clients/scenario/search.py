"""Experiments and runs found by conditions, in order, page by page, and as a pandas table."""

from __future__ import annotations

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType

from scenario.steps import Scene, equal, refused, step, truth


def make_runs(scene: Scene) -> tuple[str, list[str]]:
    """Six runs whose params, metrics and tags differ in known ways."""
    client = scene.client
    experiment_id = scene.new_experiment("search")
    run_ids = []
    for n in range(6):
        run = client.create_run(experiment_id, start_time=1_000_000 + n, run_name=f"run-{n}")
        run_ids.append(run.info.run_id)
        client.log_batch(
            run.info.run_id,
            [Metric("acc", n / 10, 1, 0)] + ([Metric("only even", n, 1, 0)] if n % 2 == 0 else []),
            [Param("depth", str(n)), Param("kind", "Forest" if n < 3 else "tree")],
            [RunTag("owner", "anna" if n % 2 else "Bertil")],
        )
        client.set_terminated(
            run.info.run_id, "FINISHED" if n else "FAILED", end_time=2_000_000 + n
        )
    return experiment_id, run_ids


@step()
def runs_by_condition(scene: Scene) -> None:
    """Metrics, params, tags and attributes, joined by AND."""
    experiment_id, run_ids = make_runs(scene)
    cases: dict[str, list[int]] = {
        "": [0, 1, 2, 3, 4, 5],
        "metrics.acc > 0.25": [3, 4, 5],
        "metrics.acc <= 0.2 AND params.depth != '0'": [1, 2],
        'params."depth" = "4"': [4],
        "params.kind LIKE 'Fo%'": [0, 1, 2],
        "params.kind ILIKE '%tree%' and tags.owner = 'anna'": [3, 5],
        "tags.owner != 'anna'": [0, 2, 4],
        "metrics.`only even` >= 2": [2, 4],
        "attributes.status = 'FAILED'": [0],
        "status != 'FAILED' AND metric.acc < 0.2": [1],
        "attributes.start_time >= 1000004": [4, 5],
        "tags.mlflow.runName LIKE 'run-_'": [0, 1, 2, 3, 4, 5],
        f"attributes.run_id IN ('{run_ids[1]}', '{run_ids[5]}')": [1, 5],
        "params.missing = 'x'": [],
        "params.missing != 'x'": [],
    }
    for condition, expected in cases.items():
        found = scene.client.search_runs(
            [experiment_id], condition, order_by=["attributes.start_time ASC"]
        )
        equal([run_ids.index(run.info.run_id) for run in found], expected, condition)


@step()
def runs_in_order(scene: Scene) -> None:
    """By any attribute, metric, param or tag; what is missing comes last both ways."""
    experiment_id, run_ids = make_runs(scene)
    cases: dict[str, list[int]] = {
        "metrics.acc DESC": [5, 4, 3, 2, 1, 0],
        "attributes.start_time ASC": [0, 1, 2, 3, 4, 5],
        "params.depth DESC": [5, 4, 3, 2, 1, 0],
        "metrics.`only even` ASC": [0, 2, 4, 5, 3, 1],
        "metrics.`only even` DESC": [4, 2, 0, 5, 3, 1],
        "tags.owner ASC": [4, 2, 0, 5, 3, 1],
    }
    for order, expected in cases.items():
        found = scene.client.search_runs([experiment_id], order_by=[order])
        equal([run_ids.index(run.info.run_id) for run in found], expected, order)
    newest_first = scene.client.search_runs([experiment_id])
    equal([run_ids.index(run.info.run_id) for run in newest_first], [5, 4, 3, 2, 1, 0], "default")


@step()
def runs_page_by_page(scene: Scene) -> None:
    """Pages neither repeat nor lose a run, and the last has no token."""
    experiment_id, run_ids = make_runs(scene)
    seen: list[str] = []
    token = None
    for _ in range(10):
        page = scene.client.search_runs(
            [experiment_id], max_results=4, order_by=["attributes.start_time ASC"], page_token=token
        )
        seen += [run.info.run_id for run in page]
        token = page.token
        if not token:
            break
    equal(seen, run_ids, "runs over all pages")


@step()
def runs_into_pandas(scene: Scene) -> None:
    """search_runs gives a table with a column per param, metric and tag."""
    experiment_id, run_ids = make_runs(scene)
    table = mlflow.search_runs([experiment_id], order_by=["metrics.acc ASC"])
    equal(list(table["run_id"]), run_ids)
    equal([round(value, 3) for value in table["metrics.acc"]], [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    equal(list(table["params.depth"]), ["0", "1", "2", "3", "4", "5"])
    equal(int(table["metrics.only even"].isna().sum()), 3, "runs without the metric")
    equal(set(table["tags.owner"]), {"anna", "Bertil"})
    equal(list(table["status"])[:2], ["FAILED", "FINISHED"])
    truth(str(table["start_time"].dtype).startswith("datetime64"), "times are times")
    equal(len(mlflow.search_runs([experiment_id], "metrics.acc > 9")), 0)
    by_name = mlflow.search_runs(
        experiment_names=[scene.client.get_experiment(experiment_id).name], output_format="list"
    )
    equal(len(by_name), 6, "runs found by the experiment's name")
    mixed = mlflow.search_runs([experiment_id, scene.new_experiment("empty")])
    equal(len(mixed), 6, "runs of two experiments")


@step()
def wrong_conditions_are_refused(scene: Scene) -> None:
    """A condition that cannot be read is the caller's mistake, and said so."""
    experiment_id = scene.new_experiment("wrong")
    for condition in (
        "metrics.acc >",
        "metrics.acc > 'text'",
        "nothing.acc = 1",
        "params.a > '1'",
        "attributes.unknown = 'x'",
    ):
        with refused("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
            scene.client.search_runs([experiment_id], condition)


@step()
def experiments_by_condition(scene: Scene) -> None:
    """search_experiments by name, tag and view, in order, page by page."""
    client = scene.client
    stem = scene.name("Find")
    ids = [client.create_experiment(f"{stem}/{n}", tags={"parity": str(n % 2)}) for n in range(5)]
    client.delete_experiment(ids[4])

    def found(condition: str, **options: object) -> list[int]:
        options.setdefault("order_by", ["name ASC"])
        answer = client.search_experiments(filter_string=condition, **options)
        return [ids.index(each.experiment_id) for each in answer]

    mine = f"name LIKE '{stem}/%'"
    equal(found(mine), [0, 1, 2, 3], mine)
    equal(found(f"name ILIKE '{stem.upper()}/%'"), [0, 1, 2, 3], "ILIKE")
    equal(found(f"{mine} AND tags.parity = '1'"), [1, 3], "tag")
    equal(found(f"{mine} AND name != '{stem}/2'"), [0, 1, 3], "!=")
    equal(found(mine, order_by=["name DESC"]), [3, 2, 1, 0], "descending")
    equal(found(mine, view_type=ViewType.DELETED_ONLY), [4], "deleted")
    equal(found(mine, view_type=ViewType.ALL), [0, 1, 2, 3, 4], "all")
    first = client.search_experiments(filter_string=mine, max_results=3, order_by=["name ASC"])
    equal(len(first), 3, "first page")
    truth(first.token, "the first page names the next")
    rest = client.search_experiments(
        filter_string=mine, max_results=3, order_by=["name ASC"], page_token=first.token
    )
    equal(
        ([each.experiment_id for each in rest], rest.token or None), ([ids[3]], None), "last page"
    )
    equal(len(mlflow.search_experiments(filter_string=mine)), 4, "fluent search")
