"""Files over MLflow's wire: the proxy, listings, downloads, uploads in parts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import httpx
import msgspec
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api_client import Answer, Api
from heddle.api.connection import Protocol
from heddle.app import App, create_app
from heddle.artifacts.blobs import Blobs, open_store
from heddle.artifacts.sweep import sweep
from heddle.db.tx import LOCAL
from heddle.settings import Settings

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
PARTS = "/api/2.0/mlflow-artifacts/mpu"
LARGE = os.urandom(3 * 1024 * 1024 + 17)


def put(api: Api, path: str, data: bytes, headers: dict[str, str] | None = None) -> Answer:
    return api.send("PUT", f"{PROXY}/{path}", data, headers)


def get(api: Api, path: str, headers: dict[str, str] | None = None) -> Answer:
    return api.send("GET", f"{PROXY}/{path}", b"", headers)


def listed(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [file["path"] for file in answer.body.get("files", [])]


def stored_files(app: App) -> list[Path]:
    return [path for path in (app.settings.data / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_a_file_comes_back_by_every_call(api: Api, data: bytes) -> None:
    uid = api.run()
    assert put(api, f"0/{uid}/artifacts/model/a.bin", data).raw == b"{}"
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    for path in (
        f"{PROXY}/0/{uid}/artifacts/model/a.bin",
        f"/ajax-api{PROXY[4:]}/0/{uid}/artifacts/model/a.bin",
        f"/get-artifact?run_id={uid}&path=model/a.bin",
        f"/get-artifact?run_uuid={uid}&path=model%2Fa.bin",
    ):
        answer = api.send("GET", path)
        assert (answer.status, answer.raw == data) == (200, True)
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["content-disposition"] == 'attachment; filename="a.bin"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["etag"] == etag
        head = api.send("HEAD", path)
        assert (head.status, head.raw, head.headers) == (200, b"", answer.headers)


def test_listings_show_one_folder(api: Api) -> None:
    uid = api.run()
    root = f"0/{uid}/artifacts"
    for path in ("b.txt", "model/MLmodel", "model/data/x", "model-b/y", "Z"):
        put(api, f"{root}/{path}", b"22")
    answer = api.get(f"artifacts/list?run_id={uid}")
    assert answer.body == {
        "root_uri": f"mlflow-artifacts:/{root}",
        "files": [
            {"path": "Z", "is_dir": False, "file_size": 2},
            {"path": "b.txt", "is_dir": False, "file_size": 2},
            {"path": "model", "is_dir": True},
            {"path": "model-b", "is_dir": True},
        ],
    }
    assert listed(api.get(f"artifacts/list?run_id={uid}&path=model")) == [
        "model/MLmodel",
        "model/data",
    ]
    assert listed(api.send("GET", f"{PROXY}?path={root}/model/")) == ["MLmodel", "data"]
    for missing in ("nope", "model/MLmodel"):
        assert listed(api.get(f"artifacts/list?run_id={uid}&path={missing}")) == []
    assert api.get("artifacts/list?run_id=" + "0" * 32).code == "RESOURCE_DOES_NOT_EXIST"


def test_deleting_a_folder_takes_what_is_in_it(api: Api) -> None:
    uid = api.run()
    for path in ("m/a", "m/b/c", "mm"):
        put(api, f"0/{uid}/artifacts/{path}", b"1")
    for _ in range(2):
        assert api.send("DELETE", f"{PROXY}/0/{uid}/artifacts/m").raw == b"{}"
    assert listed(api.get(f"artifacts/list?run_id={uid}")) == ["mm"]
    assert get(api, f"0/{uid}/artifacts/m/a").code == "RESOURCE_DOES_NOT_EXIST"


def test_a_name_is_a_file_or_a_folder(api: Api) -> None:
    uid = api.run()
    put(api, f"0/{uid}/artifacts/a/b", b"1")
    assert put(api, f"0/{uid}/artifacts/a", b"1").status == 400
    assert put(api, f"0/{uid}/artifacts/a/b/c", LARGE).status == 400
    assert get(api, f"0/{uid}/artifacts/a").status == 400
    assert put(api, f"0/{uid}/artifacts", b"1").status == 400
    assert stored_files(api.app) == [], "what cannot be named is refused before it comes"


def test_files_that_belong_to_no_run(api: Api) -> None:
    """As MLflow's proxy, any path is taken; it belongs to the workspace."""
    uid = api.run()
    strange = "0" * 32
    for path in ("x", f"0/{strange}/artifacts/a", f"other/{uid}/artifacts/a", "0/models/m/a"):
        assert put(api, path, path.encode()).status == 200
        assert get(api, path).raw == path.encode()
    assert listed(api.get(f"artifacts/list?run_id={uid}")) == []
    assert listed(api.send("GET", PROXY)) == ["0", "other", "x"]


def test_a_logged_model_has_files_of_its_own(api: Api) -> None:
    made = api.post("logged-models", experiment_id="0", name="m").body["model"]["info"]
    uid, uri = made["model_id"], made["artifact_uri"]
    assert uri == f"mlflow-artifacts:/0/models/{uid}/artifacts"
    put(api, f"0/models/{uid}/artifacts/d/MLmodel", b"flavors: {}")
    at = f"logged-models/{uid}/artifacts/directories"
    assert listed(api.get(at)) == ["d"]
    assert listed(api.get(f"{at}?artifact_directory_path=d")) == ["d/MLmodel"]
    path = f"/ajax-api/2.0/mlflow/logged-models/{uid}/artifacts/files?artifact_file_path=d/MLmodel"
    assert api.send("GET", path).raw == b"flavors: {}"


def registered(api: Api, files: dict[str, bytes]) -> tuple[str, str]:
    """A run with these files in ``model``, registered: the run and where its version's files are."""
    uid = api.run()
    for path, data in files.items():
        put(api, f"0/{uid}/artifacts/model/{path}", data)
    api.post("registered-models/create", name="m")
    source = f"mlflow-artifacts:/0/{uid}/artifacts/model"
    answer = api.post("model-versions/create", name="m", source=source, run_id=uid)
    assert answer.status == 200, answer.body
    found = api.get("model-versions/get-download-uri?name=m&version=1").body["artifact_uri"]
    return uid, found.removeprefix("mlflow-artifacts:/")


def test_a_versions_files_outlive_the_runs(api: Api) -> None:
    uid, place = registered(api, {"MLmodel": b"one", "data/w.bin": LARGE})
    put(api, f"0/{uid}/artifacts/model/MLmodel", b"changed")
    api.send("DELETE", f"{PROXY}/0/{uid}/artifacts")
    assert get(api, f"{place}/MLmodel").raw == b"one"
    assert get(api, f"{place}/data/w.bin").raw == LARGE
    assert listed(api.send("GET", f"{PROXY}?path={place}")) == ["MLmodel", "data"]
    answer = api.send("GET", "/model-versions/get-artifact?name=m&version=1&path=MLmodel")
    assert answer.raw == b"one"
    missing = api.send("GET", "/model-versions/get-artifact?name=m&version=2&path=MLmodel")
    assert missing.code == "RESOURCE_DOES_NOT_EXIST"


def test_a_model_that_a_run_logged_is_registered_by_the_runs_own_address(api: Api) -> None:
    """Older code names the run's folder; clients of 3.x keep the files with the logged model."""
    uid = api.run()
    made = api.post("logged-models", experiment_id="0", name="model", source_run_id=uid).body
    model = made["model"]["info"]["model_id"]
    proxy = "/api/2.0/mlflow-artifacts/artifacts"
    api.send("PUT", f"{proxy}/0/models/{model}/artifacts/MLmodel", b"logged")
    api.post("registered-models/create", name="m")

    def register(folder: str) -> str:
        source = f"mlflow-artifacts:/0/{uid}/artifacts/{folder}"
        answer = api.post("model-versions/create", name="m", source=source, run_id=uid)
        assert answer.status == 200, answer.body
        return str(answer.body["model_version"]["version"])

    def read(number: str, path: str) -> bytes:
        at = f"/model-versions/get-artifact?name=m&version={number}&path={path}"
        return api.send("GET", at).raw

    assert read(register("model"), "MLmodel") == b"logged"
    # What lies in the run's own folder counts first.
    api.send("PUT", f"{proxy}/0/{uid}/artifacts/model/MLmodel", b"the run's")
    assert read(register("model"), "MLmodel") == b"the run's"
    # Nothing there yet: registered all the same, and read where it was said to be.
    later = register("later")
    assert b"RESOURCE_DOES_NOT_EXIST" in read(later, "MLmodel")
    api.send("PUT", f"{proxy}/0/{uid}/artifacts/later/MLmodel", b"later")
    assert read(later, "MLmodel") == b"later"


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_a_versions_files_never_change(api: Api, data: bytes) -> None:
    _, place = registered(api, {"MLmodel": b"one"})
    for path in (f"{place}/MLmodel", f"{place}/new", "versions/77/x", "versions/x", "versions"):
        assert put(api, path, data).status == 400
        refused = api.send("DELETE", f"{PROXY}/{path}")
        assert (refused.status, "never change" in refused.body["message"]) == (400, True)
    create = api.send(
        "POST", f"{PARTS}/create/{place}", msgspec.json.encode({"path": "x", "num_parts": 1})
    )
    assert create.status == 400
    assert listed(api.send("GET", f"{PROXY}?path={place}")) == ["MLmodel"]
    assert get(api, f"{place}/MLmodel").raw == b"one"


def test_workspaces_do_not_see_each_others_files(api: Api) -> None:
    created = api.send("POST", "/api/3.0/mlflow/workspaces", b'{"name": "team"}')
    assert created.status == 201, created.raw
    team = {"x-mlflow-workspace": "team"}
    uid = api.run()
    put(api, f"0/{uid}/artifacts/a", b"mine")
    put(api, "loose", b"mine")
    for path in (f"0/{uid}/artifacts/a", "loose", "workspaces/team/loose"):
        assert get(api, path, team).status == 404
    assert put(api, "loose", b"theirs", team).status == 200
    assert get(api, "workspaces/team/loose", team).raw == b"theirs"
    assert get(api, "loose").raw == b"mine"
    for path, headers in (("workspaces/team/loose", None), ("workspaces/default/x", team)):
        assert put(api, path, b"1", headers).status == 400
        assert get(api, path, headers).status == 400
    assert put(api, "x", LARGE, {"x-mlflow-workspace": "nobody"}).status == 404


@pytest.mark.parametrize("data", [bytes(range(256)), LARGE], ids=["small", "large"])
def test_ranges(api: Api, data: bytes) -> None:
    put(api, "f.bin", data)
    size = len(data)
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    cases: list[tuple[str, slice | None]] = [
        ("bytes=2-5", slice(2, 6)),
        ("bytes=7-", slice(7, None)),
        ("bytes=-3", slice(-3, None)),
        (f"bytes=0-{size * 9}", slice(0, None)),
        (f"bytes=-{size * 9}", slice(0, None)),
        (f"bytes={size - 1}-", slice(-1, None)),
        (f"bytes={size}-", None),
        ("bytes=5-2", None),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=x", None),
    ]
    for text, part in cases:
        answer = get(api, "f.bin", {"range": text})
        if part is None:
            assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
        else:
            start, end, _ = part.indices(size)
            assert (answer.status, answer.raw == data[part]) == (206, True), text
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    for text, condition in (("bytes=1-2,4-5", etag), ("lines=1-2", etag), ("bytes=1-2", '"old"')):
        answer = get(api, "f.bin", {"range": text, "if-range": condition})
        assert (answer.status, answer.raw == data) == (200, True)
    assert get(api, "f.bin", {"range": "bytes=1-2", "if-range": etag}).status == 206
    assert get(api, "f.bin", {"if-none-match": f'"x", {etag}'}).status == 304


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MLmodel", "text/plain; charset=utf-8"),
        ("a.json", "text/plain; charset=utf-8"),
        ("a.YAML", "text/plain; charset=utf-8"),
        ("a.html", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.pkl", "application/octet-stream"),
        ("noending", "application/octet-stream"),
    ],
)
def test_the_name_alone_tells_the_type(api: Api, name: str, kind: str) -> None:
    put(api, name, b"<html>", {"content-type": "text/html"})
    answer = get(api, name, {"accept": "text/html"})
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("name", ['a "b".txt', "é中.txt", "a;b=c.txt", "a+b&c.txt", "'q'.txt"])
def test_odd_names_come_back(api: Api, name: str) -> None:
    uid = api.run()
    assert put(api, f"0/{uid}/artifacts/{name}", b"1").status == 200
    assert listed(api.get(f"artifacts/list?run_id={uid}")) == [name]
    answer = api.send("GET", f"/get-artifact?run_id={uid}&path={quote(name)}")
    assert answer.raw == b"1"
    told = answer.headers["content-disposition"]
    assert told.isascii()
    if "filename*=" in told:
        assert unquote(told.partition("filename*=UTF-8''")[2]) == name
    else:
        assert told == f'attachment; filename="{name}"'


def test_files_in_an_object_store(api: Api, s3_url: str) -> None:
    assert api.app.services is not None
    store = open_store(s3_url)
    with ThreadPoolExecutor(2) as threads:
        api.app.services.extra["blobs"] = Blobs(store, threads)
        uid = api.run()
        assert put(api, f"0/{uid}/artifacts/f.bin", LARGE).status == 200
        assert get(api, f"0/{uid}/artifacts/f.bin").raw == LARGE
        part = get(api, f"0/{uid}/artifacts/f.bin", {"range": "bytes=5-2000000"})
        assert part.raw == LARGE[5:2_000_001]
        assert store.size_of(hashlib.sha256(LARGE).hexdigest()) == len(LARGE)
        store.remove(hashlib.sha256(LARGE).hexdigest())
        assert get(api, f"0/{uid}/artifacts/f.bin").code == "DATA_LOSS"


def test_an_object_store_is_read_without_this_server(api: Api, s3_url: str) -> None:
    """Large contents have addresses of their own for a while; small ones lie in the database."""
    info = "/api/3.0/mlflow/server-info"
    assert api.send("GET", info).body["multipart_downloads_enabled"] is False
    assert api.app.services is not None
    with ThreadPoolExecutor(2) as threads:
        api.app.services.extra["blobs"] = Blobs(open_store(s3_url), threads)
        put(api, "large.bin", LARGE)
        put(api, "small.bin", b"x")
        told = api.send("GET", info).body
        at = "/api/2.0/mlflow-artifacts/presigned"
        large, small = (api.send("GET", f"{at}/{name}.bin").body for name in ("large", "small"))
        missing = api.send("GET", f"{at}/none.bin")
    assert (told["multipart_uploads_enabled"], told["multipart_downloads_enabled"]) == (False, True)
    assert large["file_size"] == len(LARGE)
    assert httpx.get(large["url"]).content == LARGE
    part = httpx.get(large["url"], headers={"Range": "bytes=1000000-1999999"})
    assert (part.status_code, part.content) == (206, LARGE[1_000_000:2_000_000])
    assert small == {"url": f"{PROXY}/small.bin", "headers": {}}
    assert missing.status == 404


AGE = "UPDATE blobs SET used_ms = 1"
tricky = st.lists(
    st.sampled_from(
        [
            *("..", ".", "%2e%2e", "%252e", "/", "%2f", "\\", "%5c", "a", "artifacts", "versions"),
            *("1", "workspaces", "default", "models", "file:", "C:", "#", "?", "\0", "%00", " "),
            "\udcff",
        ]
    ),
    max_size=10,
).map("".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.one_of(tricky, st.text(max_size=20)))
def test_no_path_leads_out_or_breaks(api: Api, path: str) -> None:
    """Whatever the path, the answer is a file's or a refusal, and disk holds nothing but digests."""
    shown = path.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    shown = shown.replace("?", "%3f")
    for method, at in (
        ("PUT", f"{PROXY}/{shown}"),
        ("GET", f"{PROXY}/{shown}"),
        ("GET", f"{PROXY}?path={quote(shown)}"),
        ("GET", f"/get-artifact?run_id={'0' * 32}&path={quote(shown)}"),
        ("DELETE", f"{PROXY}/{shown}"),
    ):
        answer = api.send(method, at, LARGE[:70_000] if method == "PUT" else b"")
        assert answer.status in (200, 400, 404, 405), (method, at, answer.body)
    root = api.app.settings.data
    for found in root.rglob("*"):
        inner = found.relative_to(root).parts
        if found.is_file() and not inner[0].startswith("heddle.db"):
            assert inner[0] == "blobs"
            assert len(inner[-1]) == 64


def test_uploads_in_parts(api: Api) -> None:
    uid = api.run()
    folder = f"0/{uid}/artifacts/sub"
    ask = {"path": "C:\\work\\w.bin", "num_parts": 3}
    made = api.send("POST", f"{PARTS}/create/{folder}", msgspec.json.encode(ask)).body
    assert [part["part_number"] for part in made["credentials"]] == [1, 2, 3]
    end = msgspec.json.encode({"path": ask["path"], "upload_id": made["upload_id"], "parts": []})
    pieces = [LARGE[at << 20 : (at + 1) << 20] for at in range(2)] + [LARGE[2 << 20 :]]
    for number in (2, 0):
        path = made["credentials"][number]["url"].partition("localhost")[2]
        answer = api.send("PUT", path, pieces[number])
        digest = hashlib.sha256(pieces[number]).hexdigest()
        assert (answer.status, answer.headers["etag"]) == (200, f'"{digest}"')
    early = api.send("POST", f"{PARTS}/complete/{folder}", end)
    assert (early.status, "Part 2 of 3" in early.body["message"]) == (400, True)
    assert listed(api.get(f"artifacts/list?run_id={uid}")) == [], "nothing is seen before the end"
    api.send("PUT", made["credentials"][1]["url"].partition("localhost")[2], pieces[1])
    assert api.send("POST", f"{PARTS}/complete/0/{uid}/artifacts", end).status == 400
    assert api.send("POST", f"{PARTS}/complete/{folder}", end).status == 200
    assert get(api, f"{folder}/w.bin").raw == LARGE
    assert api.send("POST", f"{PARTS}/complete/{folder}", end).status == 404
    assert [len(path.name) for path in stored_files(api.app)] == [64], "no part is left"


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({}, "http://localhost"),
        ({"x-forwarded-proto": "https"}, "https://localhost"),
        ({"x-forwarded-prefix": "/team/heddle/"}, "http://localhost/team/heddle"),
        ({"x-forwarded-prefix": "/"}, "http://localhost"),
    ],
)
def test_parts_come_by_the_address_that_the_client_knows(
    api: Api, headers: dict[str, str], server: str
) -> None:
    body = msgspec.json.encode({"path": "w.bin", "num_parts": 1})
    made = api.send("POST", f"{PARTS}/create", body, headers).body
    part = f"/api/2.0/mlflow-artifacts/mpu/part/{made['upload_id']}/1"
    assert [each["url"] for each in made["credentials"]] == [server + part]


def test_an_upload_in_parts_can_be_aborted(api: Api) -> None:
    ask = {"path": "w.bin", "num_parts": 1}
    made = api.send("POST", f"{PARTS}/create", msgspec.json.encode(ask)).body
    path = made["credentials"][0]["url"].partition("localhost")[2]
    api.send("PUT", path, LARGE)
    end = msgspec.json.encode({"path": "w.bin", "upload_id": made["upload_id"]})
    assert api.send("POST", f"{PARTS}/abort", end).status == 200
    assert stored_files(api.app) == []
    assert api.send("PUT", path, b"late").status == 404
    assert api.send("PUT", f"{PARTS}/part/../1", b"x").status == 404
    for number in (0, 10_001):
        wrong = msgspec.json.encode({"path": "w.bin", "num_parts": number})
        assert api.send("POST", f"{PARTS}/create", wrong).status == 400


def test_the_pages_upload_takes_ten_megabytes(api: Api) -> None:
    uid = api.run()
    at = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={uid}&path=a/b.bin"
    assert api.send("POST", at, LARGE).status == 200
    assert api.send("GET", f"/get-artifact?run_id={uid}&path=a/b.bin").raw == LARGE
    for body in (b"", bytes(10 * 1024 * 1024 + 1)):
        assert api.send("POST", at, body).status == 400
    assert api.send("POST", at.replace(uid, "0" * 32), b"x").status == 404
    assert api.send("GET", f"/get-artifact?run_id={uid}&path=a/b.bin").raw == LARGE


def test_what_is_not_offered_says_so(api: Api) -> None:
    put(api, "a.bin", LARGE)
    answer = api.send("GET", "/api/2.0/mlflow-artifacts/presigned/a.bin")
    assert (answer.status, answer.code) == (501, "NOT_IMPLEMENTED")
    for call in ("presigned-upload-url", "presigned-download-url"):
        assert api.post(f"artifacts/{call}", run_id=api.run(), path="a").status == 501


def test_the_same_content_at_once_is_stored_once(api: Api) -> None:
    async def all_at_once() -> list[Answer]:
        return list(
            await asyncio.gather(
                *(api.send_async("PUT", f"{PROXY}/same/{n}", LARGE) for n in range(12))
            )
        )

    assert {answer.status for answer in asyncio.run(all_at_once())} == {200}
    assert [path.name for path in stored_files(api.app)] == [hashlib.sha256(LARGE).hexdigest()]
    assert {get(api, f"same/{n}").raw == LARGE for n in range(12)} == {True}


def test_a_sweep_beside_uploads_takes_nothing_that_is_named(api: Api) -> None:
    """One content comes, is named, forgotten and swept over and over, by three at a time."""
    store = open_store(api.app.settings.artifacts_url)
    assert api.app.services is not None
    database = api.app.services.database
    until = time.monotonic() + 2.0
    wrong: list[object] = []
    swept: list[str] = []

    def upload(name: str) -> None:
        while time.monotonic() < until and not wrong:
            first = put(api, name, LARGE[:100_000])
            second = get(api, name)
            if (first.status, second.raw) != (200, LARGE[:100_000]):
                wrong.append((first, second))
            api.send("DELETE", f"{PROXY}/{name}")

    def clean() -> None:
        while time.monotonic() < until and not wrong:
            database.write_now(lambda tx: tx.cursor.execute(AGE) and None, LOCAL)
            swept.extend(item.digest for item in sweep(database, store, grace_s=0))

    threads = [threading.Thread(target=upload, args=(name,)) for name in ("a", "b")]
    threads.append(threading.Thread(target=clean))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert swept, "the sweep had something to do"


@pytest.mark.parametrize("alter", ["altered", "missing"])
def test_damaged_bytes_are_not_handed_out(api: Api, alter: str) -> None:
    data = LARGE[:100_000]
    put(api, "f.bin", data)
    [path] = stored_files(api.app)
    if alter == "altered":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    else:
        path.unlink()
    answer = get(api, "f.bin")
    assert (answer.status, answer.code) == (500, "DATA_LOSS")
    assert "f.bin" in answer.body["message"]
    if alter == "missing":
        assert put(api, "again.bin", data).status == 200, "uploading it again mends it"
        assert get(api, "f.bin").raw == data


class Live(uvicorn.Server):
    """The application behind a real socket, in a thread of the test."""

    def __init__(self, folder: Path) -> None:
        self.app = create_app(Settings(data=folder))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        super().__init__(
            uvicorn.Config(self.app, http=Protocol, lifespan="on", log_level="critical")
        )
        self.thread = threading.Thread(target=self.run, args=([self.listener],))

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self.thread.join()
        self.listener.close()

    def client(self) -> httpx.Client:
        host, port = self.address
        return httpx.Client(base_url=f"http://{host}:{port}", timeout=60)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A live server on SQLite."""
    with Live(tmp_path_factory.mktemp("live")) as server:
        yield server


def eventually(check: Any) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("sent", [1000, 200_000, 2_500_000])
def test_half_a_body_leaves_nothing(live: Live, sent: int) -> None:
    incoming = live.app.settings.data / "blobs" / "incoming"
    with socket.create_connection(live.address) as client:
        head = f"PUT {PROXY}/half-{sent} HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall(f"{head}Content-Length: {len(LARGE)}\r\n\r\n".encode() + LARGE[:sent])
        if sent > 64 * 1024:
            eventually(lambda: any(incoming.iterdir()))
    eventually(lambda: not any(incoming.iterdir()))
    with live.client() as client:
        assert client.get(f"{PROXY}/half-{sent}").status_code == 404


def test_a_chunked_body_is_taken(live: Live) -> None:
    def parts() -> Iterator[bytes]:
        for at in range(0, len(LARGE), 50_000):
            yield LARGE[at : at + 50_000]

    with live.client() as client:
        assert client.put(f"{PROXY}/chunked", content=parts()).status_code == 200
        assert client.get(f"{PROXY}/chunked").content == LARGE


def test_large_damage_cuts_the_connection(live: Live) -> None:
    """What was sent before the damage showed cannot be taken for the whole file."""
    data = os.urandom(5 * 1024 * 1024)
    with live.client() as client:
        assert client.put(f"{PROXY}/damaged", content=data).status_code == 200
        name = hashlib.sha256(data).hexdigest()
        path = live.app.settings.data / "blobs" / name[:2] / name
        path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"{PROXY}/damaged")
        # A file that is too short is known to be before a byte of it is sent.
        path.write_bytes(data[:-100_000])
        refused = client.get(f"{PROXY}/damaged")
        assert refused.status_code == 500
        assert "damaged" in refused.json()["message"]


@linux
def test_a_client_that_leaves_is_noticed(live: Live) -> None:
    data = os.urandom(24 * 1024 * 1024)
    with live.client() as client:
        assert client.put(f"{PROXY}/leaving", content=data).status_code == 200
        for _ in range(3):
            with socket.create_connection(live.address) as left:
                left.sendall(f"GET {PROXY}/leaving HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert left.recv(1000)
        store = live.app.settings.data / "blobs"

        def open_files() -> list[str]:
            held = []
            for link in Path("/proc/self/fd").iterdir():
                with suppress(FileNotFoundError):
                    held.append(str(link.readlink()))
            return [path for path in held if path.startswith(str(store))]

        eventually(lambda: not open_files())
        assert client.get(f"{PROXY}/leaving").content == data


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@linux
def test_memory_stays_flat(live: Live) -> None:
    """300 MB up and down; whatever is held at once is a few blocks."""
    block = os.urandom(1024 * 1024)

    def parts() -> Iterator[bytes]:
        for number in range(300):
            yield number.to_bytes(8) + block[8:]

    with live.client() as client:
        client.put(f"{PROXY}/warm", content=LARGE)
        before = most = resident_bytes()
        length = {"content-length": str(300 * len(block))}
        assert client.put(f"{PROXY}/big", content=parts(), headers=length).status_code == 200
        most = max(most, resident_bytes())
        size = 0
        with client.stream("GET", f"{PROXY}/big") as answer:
            for part in answer.iter_raw(1024 * 1024):
                size += len(part)
                if size % (32 << 20) < len(part):
                    most = max(most, resident_bytes())
        assert size == 300 * len(block)
    assert most - before < 40 * 1024 * 1024
