"""An endpoint's life: loaded, asked, crashed, overdue, asleep, awake; and models that mean harm."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import applied_models
from heddle.errors import Invalid, Unavailable
from heddle.scoring import endpoint as endpoints
from heddle.scoring.endpoint import CSV_FORM, JSON_FORM, Endpoint, Key
from heddle.scoring.plan import Limits

pytestmark = pytest.mark.filterwarnings("default")
TRICKY = """
import socket
class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        doing = model_input["do"].iloc[0]
        if doing == "raise": raise ValueError("there is no such town")
        if doing == "exit": sys.exit("goodbye")
        if doing == "die": os._exit(7)
        if doing == "sleep": time.sleep(60)
        if doing == "eat": return [len(bytearray(8 * 1024**3))]
        if doing == "reach":
            try: socket.create_connection(("127.0.0.1", 1), 1)
            except OSError as error: return [type(error).__name__]
        if doing == "read": return [open("/etc/shadow").read()]
        if doing == "speak":
            for fd in range(3, 64):
                try: os.write(fd, b"\\x07" * 64)
                except OSError: pass
            time.sleep(60)
        return [each + "!" for each in model_input["do"]]
"""


@pytest.fixture(scope="module")
def tricky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlflow.models import ModelSignature

    folder = tmp_path_factory.mktemp("tricky") / "model"
    inputs = applied_models.columns(("do", "string"))
    return applied_models.custom(folder, TRICKY, signature=ModelSignature(inputs=inputs))


def live(folder: Path, work: Callable[[Endpoint], Awaitable[Any]], **limits: Any) -> Any:
    """What comes of some work with an endpoint of the model in a folder."""

    async def bring(_: Key) -> Path:
        return folder

    async def run() -> Any:
        endpoint = Endpoint(Key("default", "m", 1), bring, Limits(**limits))
        try:
            return await work(endpoint)
        finally:
            await endpoint.stop()
            # What was ended is buried beside.
            await asyncio.get_running_loop().shutdown_default_executor()

    return asyncio.run(run())


def state(endpoint: Endpoint) -> str:
    return endpoint.state


async def ask(endpoint: Endpoint, *doing: str) -> Any:
    body = {"dataframe_split": {"columns": ["do"], "data": [[each] for each in doing]}}
    return json.loads(await endpoint.score(json.dumps(body).encode(), JSON_FORM))["predictions"]


async def failure(endpoint: Endpoint, kind: type[Exception], *doing: str) -> str:
    with pytest.raises(kind) as raised:
        await ask(endpoint, *doing)
    return str(raised.value)


@pytest.mark.skipif(sys.platform != "linux", reason="these walls are Linux's")
def test_a_model_harms_nothing_and_fails_alone(tricky):
    async def work(endpoint: Endpoint) -> None:
        assert state(endpoint) == "active"
        first = asyncio.ensure_future(ask(endpoint, "hi", "ho"))
        await asyncio.sleep(0)
        assert state(endpoint) == "activating"
        assert await first == ["hi!", "ho!"]
        assert state(endpoint) == "active"
        assert endpoint.process is not None
        assert {"memory", "network", "processes", "files"} <= set(endpoint.process.walls)
        assert not endpoint.process.joins
        answers = await asyncio.gather(
            ask(endpoint, "a"), ask(endpoint, "raise"), ask(endpoint, "exit"), ask(endpoint, "b"),
            ask(endpoint, "read"), ask(endpoint, "reach"), ask(endpoint, "eat"), ask(endpoint, "c"),
            return_exceptions=True,
        )  # fmt: skip
        assert [answers[0], answers[3], answers[7]] == [["a!"], ["b!"], ["c!"]]
        said = [str(each) for each in answers]
        assert said[1] == "The model failed while predicting: ValueError: there is no such town"
        assert "SystemExit: goodbye" in said[2]
        assert "Permission" in said[4]
        assert answers[5] in (["ConnectionRefusedError"], ["OSError"], ["PermissionError"])
        assert "ran out of the memory" in said[6]
        assert all(isinstance(answers[at], Invalid) for at in (1, 2, 4, 6))
        counts = endpoint.counts
        assert (counts.requests, counts.errors) == (9, 4)
        assert counts.percentile(0.5) is not None
        assert await endpoint.score(b"do\nx\n", CSV_FORM) == b'{"predictions":["x!"]}'

    live(tricky, work, memory_bytes=2 * 1024**3)


def test_a_process_that_dies_is_replaced(tricky):
    async def work(endpoint: Endpoint) -> None:
        assert await ask(endpoint, "x") == ["x!"]
        waits = [asyncio.ensure_future(ask(endpoint, each)) for each in ("die", "x")]
        first, second = await asyncio.gather(*waits, return_exceptions=True)
        assert isinstance(first, Unavailable)
        assert isinstance(second, Unavailable)
        assert "The model's process ended with code 7 while predicting." in str(first)
        # Another is on its way already, and whoever asks waits for it.
        assert state(endpoint) == "activating"
        assert await ask(endpoint, "y") == ["y!"]
        assert endpoint.failure == ""

    live(tricky, work)


def test_one_that_does_not_answer_in_time_is_ended(tricky):
    async def work(endpoint: Endpoint) -> None:
        assert await ask(endpoint, "x") == ["x!"]
        said = await failure(endpoint, Unavailable, "sleep")
        assert said == "The model was stopped: predicting took longer than the 3 s it may."
        assert await ask(endpoint, "y") == ["y!"]
        # Whatever can write to the socket may have written this.
        assert "spoke unasked" in await failure(endpoint, Unavailable, "speak")

    live(tricky, work, batch_s=3.0)


def test_it_sleeps_and_is_woken_by_the_next_request(tricky):
    async def work(endpoint: Endpoint) -> None:
        await ask(endpoint, "x")
        endpoint.sleep()
        assert (endpoint.process, state(endpoint), endpoint.failure) == (None, "active", "")
        first, second = await asyncio.gather(ask(endpoint, "y"), ask(endpoint, "z"))
        assert (first, second) == (["y!"], ["z!"])
        process = endpoint.process
        assert process is not None
        slow = asyncio.ensure_future(ask(endpoint, "sleep"))
        await asyncio.sleep(0.1)
        await endpoint.stop()
        assert "was deactivated" in str(await asyncio.gather(slow, return_exceptions=True))
        await process.ended

    endpoints_leave, endpoints.LEAVE_S = endpoints.LEAVE_S, 0.2  # type: ignore[misc]
    try:
        live(tricky, work)
    finally:
        endpoints.LEAVE_S = endpoints_leave  # type: ignore[misc]


def test_a_model_that_cannot_be_loaded_says_why_until_it_can(tmp_path, tricky):
    broken = tmp_path / "model"
    broken.mkdir()
    (broken / "MLmodel").write_text("flavors: {python_function: {loader_module: no_such_module}}")

    async def work(endpoint: Endpoint) -> None:
        assert "no_such_module" in await failure(endpoint, Invalid, "x")
        assert state(endpoint) == "failed"
        # Whoever asks at once is told the same, and nothing is loaded again.
        assert "no_such_module" in await failure(endpoint, Unavailable, "x")

        async def other(_: Key) -> Path:
            return tricky

        endpoint._bring = other
        await endpoint.begin(again=True)
        assert (state(endpoint), endpoint.failure) == ("active", "")
        assert await ask(endpoint, "x") == ["x!"]

    live(broken, work)
