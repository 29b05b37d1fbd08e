"""Files through the native API: trees, previews, contents with ranges, ZIP files."""

from __future__ import annotations

import io
import zipfile

import pytest

from native_calls import BASE, HERE, call, refused, registered, trained, upload

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


@pytest.fixture
def uid(api) -> str:
    made = trained(api, "r", 1.0)
    upload(api, made, "plots/a.png", PNG)
    upload(api, made, "plots/deep/note.txt", "grüße\n".encode())
    upload(api, made, "data.csv", b'a,b\n1,x\n2,"y, z"\n')
    upload(api, made, "split.json", b'{"columns": ["a", "b"], "data": [[1, null], [2.5, "t"]]}')
    upload(api, made, "large.bin", bytes(range(256)) * 4096)
    upload(api, made, "large.txt", b"line of text\n" * 40_000)
    upload(api, made, "page.html", b"<script>alert(1)</script>")
    return made


def test_a_tree_is_walked_folder_by_folder(api, uid):
    top = call(api, "GET", f"{HERE}/runs/{uid}/files")
    assert [(e["name"], e["is_folder"], e["files"]) for e in top["entries"]][:3] == [
        ("model", True, 4), ("plots", True, 2), ("data.csv", False, 1),
    ]  # fmt: skip
    plots = call(api, "GET", f"{HERE}/runs/{uid}/files?path=plots")
    assert [e["path"] for e in plots["entries"]] == ["plots/deep", "plots/a.png"]
    assert plots["size_bytes"] == len(PNG) + 8
    everything = call(api, "GET", f"{HERE}/runs/{uid}/files?path=plots&all=true")
    assert [e["path"] for e in everything["entries"]] == ["plots/a.png", "plots/deep/note.txt"]
    error = refused(api, "GET", f"{HERE}/runs/{uid}/files?path=nowhere", status=404)
    assert error["code"] == "not_found"
    assert refused(api, "GET", f"{HERE}/runs/{uid}/files?path=../x")["code"] == "invalid"


def test_previews(api, uid):
    def preview(path: str):
        return call(api, "GET", f"{HERE}/runs/{uid}/preview?path={path}")

    assert preview("plots/a.png")["kind"] == "image"
    note = preview("plots/deep/note.txt")
    assert (note["kind"], note["text"], note["truncated"]) == ("text", "grüße\n", False)
    table = preview("data.csv")
    assert (table["kind"], table["table"]) == (
        "table", {"columns": ["a", "b"], "rows": [["1", "x"], ["2", "y, z"]]},
    )  # fmt: skip
    split = preview("split.json")
    assert split["table"] == {"columns": ["a", "b"], "rows": [["1", ""], ["2.5", "t"]]}
    assert preview("large.bin")["kind"] == "binary"
    large = preview("large.txt")
    assert (large["kind"], large["truncated"], large["size_bytes"]) == ("text", True, 520_000)
    assert len(large["text"]) == 256 * 1024
    assert preview("model/MLmodel")["language"] == "yaml"
    error = refused(api, "GET", f"{HERE}/runs/{uid}/preview?path=plots")
    assert "directory" in error["message"]


def test_contents_with_ranges_and_safe_headers(api, uid):
    path = f"{BASE}{HERE}/runs/{uid}/content"
    whole = api.send("GET", f"{path}/large.bin")
    assert whole.raw == bytes(range(256)) * 4096
    part = api.send("GET", f"{path}/large.bin", headers={"range": "bytes=256-259"})
    assert (part.status, part.raw) == (206, b"\x00\x01\x02\x03")
    page = api.send("GET", f"{path}/page.html?inline=true")
    assert page.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in page.headers["content-security-policy"]
    shown = api.send("GET", f"{path}/plots/a.png?inline=true")
    assert shown.headers["content-disposition"].startswith("inline")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert api.send("GET", f"{path}/nothing").status == 404


def test_zip_files(api, uid):
    answer = api.send("GET", f"{BASE}{HERE}/runs/{uid}/zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as archive:
        assert archive.testzip() is None
        assert archive.read("large.bin") == bytes(range(256)) * 4096
        assert len(archive.namelist()) == 11
    answer = api.send("GET", f"{BASE}{HERE}/runs/{uid}/zip?path=plots")
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as archive:
        assert archive.namelist() == ["a.png", "deep/note.txt"]
    answer = api.send("GET", f"{BASE}{HERE}/runs/{uid}/zip?path=data.csv")
    with zipfile.ZipFile(io.BytesIO(answer.raw)) as archive:
        assert archive.namelist() == ["data.csv"]
    assert api.send("GET", f"{BASE}{HERE}/runs/{uid}/zip?path=none").status == 404


def test_a_version_keeps_its_files_when_the_run_is_gone(api, uid):
    registered(api, "m", uid)
    api.send("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/0/{uid}/artifacts/model")
    files = call(api, "GET", f"{HERE}/models/m/versions/latest/files?all=true")
    assert files["total"] == 4
    answer = api.send("GET", f"{BASE}{HERE}/models/m/versions/1/content/data/model.pkl")
    assert answer.raw == b"pickled"
    assert call(api, "GET", f"{HERE}/models/m/versions/1")["signature"] is not None
