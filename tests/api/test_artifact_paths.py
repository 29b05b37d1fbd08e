"""Paths of files as clients send them: tricks are refused by every call, HEAD answers as GET."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_client import MLFLOW, Answer, Api

PROXY = "/api/2.0/mlflow-artifacts"
NATIVE = "/api/v1/workspaces/default"
INSIDE = ["\0", "a\0b", "..", "a/../b", "../..", "a/..", "a\\b", "..\\x", "#", "a#b"]
WHOLE = ["/etc/passwd", "//x", "C:/x", "file:/x", "FILE:///etc/passwd"]
ENCODINGS: list[Callable[[str], str]] = [
    str,
    quote,
    lambda text: quote(text, safe=""),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
]


class Held(NamedTuple):
    """An application with a run, a logged model and a version that have a file."""

    api: Api
    run: str
    model: str


@pytest.fixture
def held(api: Api) -> Held:
    run = api.run()
    made = api.post("logged-models", experiment_id="0", name="m", source_run_id=run).body
    model = made["model"]["info"]["model_id"]
    for folder in (run, f"models/{model}"):
        api.send("PUT", f"{PROXY}/artifacts/0/{folder}/artifacts/model/a.txt", b"hello")
    api.post("registered-models/create", name="m")
    source = f"mlflow-artifacts:/0/{run}/artifacts/model"
    assert api.post("model-versions/create", name="m", source=source, run_id=run).status == 200
    return Held(api, run, model)


def calls(held: Held, path: str) -> Iterator[Answer]:
    """What every call that takes a path among somebody's files answers to this one."""
    send, run, model, query = held.api.send, held.run, held.model, quote(path, safe="")
    yield send("GET", f"{MLFLOW}/artifacts/list?run_id={run}&path={query}")
    yield send("GET", f"/get-artifact?run_id={run}&path={query}")
    yield send("HEAD", f"/get-artifact?run_id={run}&path={query}")
    yield send("GET", f"/model-versions/get-artifact?name=m&version=1&path={query}")
    at = f"2.0/mlflow/logged-models/{model}/artifacts"
    yield send("GET", f"/api/{at}/directories?artifact_directory_path={query}")
    yield send("GET", f"/ajax-api/{at}/files?artifact_file_path={query}")
    yield send("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={query}", b"x")
    yield send("GET", f"{PROXY}/artifacts?path={query}")
    for owner in (f"runs/{run}", "models/m/versions/1", f"logged-models/{model}"):
        yield send("GET", f"{NATIVE}/{owner}/files?path={query}")
        yield send("GET", f"{NATIVE}/{owner}/preview?path={query}")
        yield send("GET", f"{NATIVE}/{owner}/zip?path={query}")
        yield send("GET", f"{NATIVE}/{owner}/content/{path}")


def proxied(held: Held, path: str) -> Iterator[Answer]:
    """What the proxy's calls answer to this address."""
    send = held.api.send
    for prefix in ("/api", "/ajax-api"):
        at = f"{prefix}/2.0/mlflow-artifacts"
        for method in ("PUT", "GET", "HEAD", "DELETE"):
            yield send(method, f"{at}/artifacts/{path}", b"x" if method == "PUT" else b"")
        yield send("GET", f"{at}/presigned/{path}")
        parts = {"path": "a.bin", "num_parts": 1, "upload_id": "u"}
        for verb in ("create", "complete", "abort"):
            yield send("POST", f"{at}/mpu/{verb}/{path}", msgspec.json.encode(parts))


def refused(answer: Answer) -> None:
    """The answer is a plain 400 in the shape of its API."""
    assert answer.status == 400, (answer.status, answer.raw)
    if not answer.raw:
        return
    error = answer.body.get("error", answer.body)
    assert "Invalid path" in error["message"], answer.raw
    assert error.get("error_code", "INVALID_PARAMETER_VALUE") == "INVALID_PARAMETER_VALUE"


def encoded(trick: str, times: list[int]) -> str:
    for number in times:
        trick = ENCODINGS[number](trick)
    return trick


tricks = st.builds(
    encoded,
    st.sampled_from(INSIDE),
    st.lists(st.integers(0, len(ENCODINGS) - 1), max_size=3),
)
quick = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quick
@given(trick=tricks, before=st.sampled_from(["", "model/", "a b/%20/"]))
def test_no_call_takes_a_tricky_path(held: Held, trick: str, before: str) -> None:
    for answer in calls(held, before + trick):
        refused(answer)
    for answer in proxied(held, f"0/{held.run}/artifacts/{before}{trick}"):
        refused(answer)


@quick
@given(
    trick=st.builds(
        encoded,
        st.sampled_from(WHOLE),
        st.lists(st.integers(0, len(ENCODINGS) - 1), max_size=2),
    )
)
def test_no_call_takes_a_path_from_the_root(held: Held, trick: str) -> None:
    for answer in calls(held, trick):
        refused(answer)
    for answer in proxied(held, trick):
        refused(answer)


@quick
@given(trick=tricks)
def test_no_version_is_made_of_a_tricky_source(held: Held, trick: str) -> None:
    for run in (held.run, held.api.run()):
        for source in (
            f"mlflow-artifacts:/0/{run}/artifacts/{trick}",
            f"runs:/{run}/{trick}",
            f"http://localhost{PROXY}/artifacts/0/{run}/artifacts/{trick}",
        ):
            answer = held.api.post("model-versions/create", name="m", source=source, run_id=run)
            assert (answer.status, answer.code) == (400, "INVALID_PARAMETER_VALUE"), source
            assert (
                answer.body["message"].startswith("Invalid model version source") or "\0" in trick
            )


def test_no_version_is_made_of_another_runs_files(held: Held) -> None:
    other = held.api.run()
    for source in (
        f"mlflow-artifacts:/0/{other}/artifacts/x?y",
        f"mlflow-artifacts:/0/{other}/artifacts#y",
        f"MLFLOW-ARTIFACTS:/0/{other}/artifacts/x",
        "mlflow-artifacts:x",
        "mlflow-artifacts://elsewhere/0/x",
        "s3:",
        "s3://",
    ):
        answer = held.api.post("model-versions/create", name="m", source=source, run_id=held.run)
        assert (answer.status, answer.code) == (400, "INVALID_PARAMETER_VALUE"), source
        assert answer.body["message"].startswith("Invalid model version source")


@pytest.mark.parametrize("client_path", ["..", "a/..", "a%00b", "%2e%2e", "", "a/"])
def test_no_upload_in_parts_is_begun_for_a_tricky_name(held: Held, client_path: str) -> None:
    at = f"{PROXY}/mpu/create/0/{held.run}/artifacts"
    body = msgspec.json.encode({"path": client_path, "num_parts": 1})
    answer = held.api.send("POST", at, body)
    assert (answer.status, answer.code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("step", [0, 7, 10, 20, 23, 25, 37, 41, 92, 200, 230, -1])
@pytest.mark.parametrize("ending", [".png", "%compressed.webp"])
def test_images_of_older_clients_keep_their_steps(held: Held, step: int, ending: str) -> None:
    """MLflow 2 puts percent signs into names, where ``%23`` would read as another character."""
    uid = held.api.run()
    for key in ("loss", "100%", "a b", "é"):
        name = f"images/{key}%step%{step}%timestamp%1795485946957%g1b2-3c4d{ending}"
        path = f"{PROXY}/artifacts/0/{uid}/artifacts/{name}"
        assert held.api.send("PUT", path, key.encode()).status == 200
        plain = name.replace(f"{key}%", f"{key}+", 1)
        plain = plain[: len(key) + 8] + plain[len(key) + 8 :].replace("%", "+")
        answer = held.api.get(f"artifacts/list?run_id={uid}&path=images")
        assert plain in [file["path"] for file in answer.body["files"]]
        for spelled in (name, plain):
            got = held.api.send("GET", f"/get-artifact?run_id={uid}&path={quote(spelled)}")
            assert got.raw == key.encode()
        files = held.api.send("GET", f"{NATIVE}/runs/{uid}/files?path=images").body
        assert plain in [f"images/{entry['name']}" for entry in files["entries"]]


def test_head_answers_as_get_without_the_body(held: Held) -> None:
    api = held.api
    for path in (
        "/",
        "/health",
        "/version",
        "/metrics",
        "/api/3.0/mlflow/server-info",
        f"{MLFLOW}/runs/get?run_id={held.run}",
        f"{MLFLOW}/logged-models/{held.model}",
        f"{MLFLOW}/artifacts/list?run_id={held.run}",
        f"{PROXY}/artifacts/0/{held.run}/artifacts/model/a.txt",
        f"/get-artifact?run_id={held.run}&path=model/a.txt",
        "/model-versions/get-artifact?name=m&version=1&path=a.txt",
        f"{NATIVE}/runs/{held.run}",
        f"{NATIVE}/runs/{held.run}/content/model/a.txt",
        f"{NATIVE}/runs/{held.run}/preview?path=model/a.txt",
        "/api/v1/openapi.json",
    ):
        got, head = api.send("GET", path), api.send("HEAD", path)
        assert (head.status, head.raw) == (got.status, b""), path
        assert got.status == 200, path
        if path != "/metrics":
            assert head.headers == got.headers
            assert head.headers["content-length"] == str(len(got.raw))
    for path in (f"{NATIVE}/runs/{held.run}/zip", f"{NATIVE}/events"):
        head = api.send("HEAD", path)
        assert (head.status, head.raw) == (200, b""), path
    assert api.send("HEAD", f"{MLFLOW}/runs/create").status == 405
    assert api.send("HEAD", "/nope").status == 404
