"""The page is served at its screens' addresses, kept by browsers where that is right, and closed."""

from __future__ import annotations

import os

import pytest

from api_client import Api
from heddle.api import static
from heddle.app import create_app
from heddle.settings import Settings

SCRIPT = b"console.log('page')\n"


@pytest.fixture
def api(tmp_path):
    app = create_app(Settings(data=tmp_path / "data"))
    (tmp_path / "data").mkdir()
    app.open()
    yield Api(app)
    app.close()


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A folder that is served as the built page."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    monkeypatch.setattr(static, "PLACE", static.Page(folder))
    return folder


@pytest.fixture
def built(page):
    (page / "index.html").write_text("<title>Heddle</title>")
    (page / "assets" / "index-1a2b.js").write_bytes(SCRIPT)
    (page / "assets" / "index-1a2b.js.br").write_bytes(b"br")
    (page / "assets" / "index-1a2b.js.gz").write_bytes(b"gz")
    return page


@pytest.mark.parametrize(
    "path", ["/", "/create", "/workspaces", "/w/default", "/w/a/models/b/list"]
)
def test_every_screen_is_the_page_and_may_load_nothing_from_elsewhere(api, built, path):
    answer = api.send("GET", path)
    assert (answer.status, answer.raw) == (200, (built / "index.html").read_bytes())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/", "/w/default", "/assets/index-1a2b.js"])
@pytest.mark.parametrize("accepted", ["", "gzip, br"])
def test_head_tells_of_the_page_and_its_files(api, path, accepted):
    headers = {"accept-encoding": accepted}
    got, head = (api.send(method, path, b"", headers) for method in ("GET", "HEAD"))
    assert (head.status, head.raw, head.headers) == (200, b"", got.headers)
    assert head.headers["content-length"] == str(len(got.raw))


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip, deflate, br", "br", b"br"),
        ("gzip", "gzip", b"gz"),
        ("br;q=0, gzip", "gzip", b"gz"),
        ("", None, SCRIPT),
    ],
)
def test_files_are_sent_as_they_were_compressed_and_kept_for_ever(api, accepted, encoding, body):
    answer = api.send("GET", "/assets/index-1a2b.js", headers={"accept-encoding": accepted})
    assert (answer.status, answer.raw) == (200, body)
    assert answer.headers.get("content-encoding") == encoding
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")


def test_what_a_browser_has_is_not_sent_again(api, built):
    tag = api.send("GET", "/").headers["etag"]
    again = api.send("GET", "/", headers={"if-none-match": tag})
    assert (again.status, again.raw) == (304, b"")
    (built / "index.html").write_text("<title>Another</title>")
    os.utime(built / "index.html", ns=(1, 1))
    assert api.send("GET", "/", headers={"if-none-match": tag}).status == 200


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/assets/../../app.py", "/assets/x.js", "/assets/index.html"])
def test_nothing_but_built_files_is_found(api, path):
    assert api.send("GET", path).status == 404


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/api/v1/x", "/ajax-api/2.0/x", "/v1/x", "/x", "/index.html"])
def test_other_addresses_are_not_the_page(api, path):
    assert api.send("GET", path).status == 404


def test_a_browser_that_was_led_nowhere_sees_the_page_say_so(api, built):
    visit = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/x", "/models/7", "/w"):
        answer = api.send("GET", path, headers=visit)
        assert (answer.status, answer.raw) == (404, (built / "index.html").read_bytes())
        assert "script-src 'self' 'wasm-unsafe-eval'" in answer.headers["content-security-policy"]
        again = api.send("GET", path, headers=visit | {"if-none-match": answer.headers["etag"]})
        assert again.status == 404
        assert api.send("HEAD", path, headers=visit).raw == b""
    for method, path, headers in (
        ("GET", "/x", {"accept": "application/json"}),
        ("POST", "/x", visit),
        ("GET", "/api/v1/x", visit),
        ("GET", "/api/2.0/mlflow/x", visit),
        ("GET", "/v1/x", visit),
        ("GET", "/assets/x.js", visit),
    ):
        answer = api.send(method, path, b"", headers)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json"), path


@pytest.mark.usefixtures("page")
def test_without_a_built_page_it_says_how_to_build_it(api):
    answer = api.send("GET", "/w/default")
    assert answer.status == 200
    assert b"make page" in answer.raw
