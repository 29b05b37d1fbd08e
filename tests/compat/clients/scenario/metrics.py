"""Metric points: history, the latest value, and numbers that are not ordinary."""

from __future__ import annotations

import math

import mlflow

from scenario.steps import Scene, equal, step, truth


@step()
def history(scene: Scene) -> None:
    """Every point comes back, ordered by time, then step."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("history")).info.run_id
    for time_ms, number, value in ((3000, 2, 0.1), (1000, 0, 0.9), (2000, 1, 0.4), (2000, -1, 0.5)):
        client.log_metric(run_id, "loss", value, timestamp=time_ms, step=number)
    points = client.get_metric_history(run_id, "loss")
    equal(
        [(point.timestamp, point.step, point.value) for point in points],
        [(1000, 0, 0.9), (2000, -1, 0.5), (2000, 1, 0.4), (3000, 2, 0.1)],
        "points",
    )
    equal(len(client.get_metric_history(run_id, "nothing")), 0, "points of an unknown metric")


@step()
def latest_value(scene: Scene) -> None:
    """The latest value is that of the greatest step, not the one written last."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("latest")).info.run_id
    client.log_metric(run_id, "m", 5.0, timestamp=2000, step=10)
    client.log_metric(run_id, "m", 7.0, timestamp=9000, step=2)
    equal(client.get_run(run_id).data.metrics, {"m": 5.0})
    client.log_metric(run_id, "m", 8.0, timestamp=1, step=11)
    equal(client.get_run(run_id).data.metrics, {"m": 8.0})


@step()
def same_point_twice(scene: Scene) -> None:
    """A repeated request leaves one point."""
    client = scene.client
    run_id = client.create_run(scene.new_experiment("twice")).info.run_id
    for _ in range(2):
        client.log_metric(run_id, "m", 5.0, timestamp=2000, step=1)
    equal(len(client.get_metric_history(run_id, "m")), 1, "points")


@step()
def not_ordinary_numbers(scene: Scene) -> None:
    """NaN stays NaN; infinities come back as infinite or as the greatest finite numbers."""
    scene.new_experiment("infinite")
    with mlflow.start_run() as active:
        mlflow.log_metric("nan", float("nan"))
        mlflow.log_metric("up", float("inf"))
        mlflow.log_metrics({"down": float("-inf"), "tiny": 5e-324, "big": 1.5e308})
    seen = mlflow.get_run(active.info.run_id).data.metrics
    truth(math.isnan(seen["nan"]), f"nan is {seen['nan']}")
    truth(seen["up"] >= 1.797e308, f"up is {seen['up']}")
    truth(seen["down"] <= -1.797e308, f"down is {seen['down']}")
    equal((seen["tiny"], seen["big"]), (5e-324, 1.5e308))
    points = scene.client.get_metric_history(active.info.run_id, "nan")
    truth(len(points) == 1 and math.isnan(points[0].value), "the history holds one NaN")


@step()
def precision(scene: Scene) -> None:
    """A number comes back to the last bit."""
    values = [0.1 + 0.2, math.pi, 1e-17, -0.0, 2**53 + 1.0, 123456789.123456789]
    client = scene.client
    run_id = client.create_run(scene.new_experiment("precise")).info.run_id
    for number, value in enumerate(values):
        client.log_metric(run_id, "m", value, timestamp=1000 + number, step=number)
    points = client.get_metric_history(run_id, "m")
    equal([point.value for point in points], values)
