"""What the server tells of itself: text that Prometheus reads, and slow calls with their plans."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from api_client import MLFLOW, Api
from heddle.app import create_app
from heddle.settings import Settings

SEARCH = {"experiment_ids": ["0"], "filter": "metrics.rmse < 1", "order_by": ["metrics.rmse"]}
ABOUT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.e+-]+|\+Inf|NaN)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
KINDS = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def told(api: Api) -> dict[str, Samples]:
    """What is told, read as strictly as the text format is written: by family, name and labels."""
    answer = api.send("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.raw.decode()
    assert text.endswith("\n")
    families: dict[str, Samples] = {}
    name, kind, described = "", "", ""
    for line in text.splitlines():
        if about := ABOUT.fullmatch(line):
            if about[1] == "HELP":
                described = about[2]
                continue
            name, kind = about[2], about[3]
            assert described == name, "each family is described first, and comes once"
            assert name not in families
            families[name] = {}
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        labels = LABEL.findall(sample[2] or "")
        assert ",".join(f'{key}="{value}"' for key, value in labels) == (sample[2] or "")
        assert sample[1].removeprefix(name) in KINDS[kind], line
        key = (sample[1], frozenset(labels))
        assert key not in families[name], "no sample comes twice"
        families[name][key] = float(sample[3])
    return families


def one(families: dict[str, Samples], name: str, sample: str = "") -> float:
    """A sample without labels."""
    return families[name][sample or name, frozenset()]


def of_call(samples: Samples, call: str) -> dict[tuple[str, str], float]:
    """One call's samples: by the last word of their name, and by bucket or class of status."""
    found = {}
    for (name, labels), value in samples.items():
        rest = dict(labels)
        if rest.pop("call") == call:
            found[name.rpartition("_")[2], "".join(rest.values())] = value
    return found


def test_calls_are_counted_and_timed_by_name(api: Api) -> None:
    uid = api.run()
    for path in (f"runs/get?run_id={uid}", "runs/get?run_id=gone", "runs/get"):
        api.get(path)
    api.send("GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={uid}")
    api.send("GET", f"/api/v1/workspaces/default/runs/{uid}")
    families = told(api)
    answered = of_call(families["heddle_requests_total"], "GET mlflow/runs/get")
    assert answered == {("total", "2xx"): 2, ("total", "4xx"): 2}
    assert of_call(families["heddle_requests_total"], "runs.get") == {("total", "2xx"): 1}
    times = of_call(families["heddle_request_seconds"], "GET mlflow/runs/get")
    buckets = [value for (kind, _), value in times.items() if kind == "bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == times["bucket", "+Inf"] == times["count", ""] == 4
    assert 0 < times["sum", ""] < 10


def test_writes_and_the_process_are_told(api: Api) -> None:
    before = told(api)
    for _ in range(3):
        api.run()
    after = told(api)

    def grown(name: str, sample: str = "") -> float:
        return one(after, name, sample) - one(before, name, sample)

    assert grown("heddle_writes_total") == 3
    assert grown("heddle_commit_writes", "heddle_commit_writes_sum") == 3
    assert grown("process_cpu_seconds_total") >= 0
    for name in ("heddle_database_bytes", "process_resident_memory_bytes", "process_open_fds"):
        assert one(after, name) > 0
    assert one(after, "heddle_requests_in_flight") == 1, "the one that asks"
    assert one(after, "heddle_writes_waiting") == 0


@pytest.fixture
def slow(database_url: str, tmp_path: Path) -> Iterator[Api]:
    """An application to which every call is a slow one."""
    app = create_app(Settings(data=tmp_path, database=database_url, slow_s=0.0))
    app.open()
    yield Api(app)
    app.close()


def test_a_slow_call_is_logged_with_its_plan(
    slow: Api, dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    slow.run()
    caplog.clear()
    assert slow.app.services is not None
    calls = slow.app.services.extra["metrics"].slow

    async def story() -> None:
        calls._next_plan_s = 0.0
        body = msgspec.json.encode(SEARCH)
        for _ in range(2):
            answer = await slow.send_async("POST", f"{MLFLOW}/runs/search", body)
            assert answer.status == 200
        await asyncio.gather(*calls._tasks)

    with caplog.at_level(logging.WARNING, "heddle.slow"):
        asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if record.name == "heddle.slow"]
    named = [line for line in said if line.startswith("slow call: POST mlflow/runs/search in")]
    assert len(named) == 2
    assert "workspace default took 0." in named[0]
    (plan,) = [line for line in said if line.startswith("plan of POST mlflow/runs/search")]
    steps = plan.splitlines()[1:]
    assert steps
    assert any(("SEARCH" if dialect == "sqlite" else "Scan") in step for step in steps), plan
    assert one(told(slow), "heddle_slow_calls_total") >= 3


def test_a_stream_that_stays_open_is_no_slow_call(
    slow: Api, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        watching = asyncio.create_task(slow.send_async("GET", "/api/v1/workspaces/default/events"))
        await asyncio.sleep(0.05)
        slow.app.hub.close()
        assert (await watching).status == 200

    with caplog.at_level(logging.WARNING, "heddle.slow"):
        asyncio.run(story())
        slow.send("GET", "/api/v1/openapi.json")
        slow.send("GET", "/api/v1/workspaces")
    said = [record.getMessage() for record in caplog.records if record.name == "heddle.slow"]
    assert [line.split(" in ")[0] for line in said] == ["slow call: workspaces.list"]
