"""The web page: its built files from memory, and the page itself at each address that is a screen.

Owns what a browser may do with them: nothing is loaded from elsewhere, no script stands in the
page, nobody puts it into a frame. Names of built files hold a hash of their contents, so they are
kept for ever; the page itself is asked for each time. What a client sends is looked up among the
files found when the page was read, never opened.
Leaves to others: building (``make page``) and what the page shows (``ui``).
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heddle.api.http import GUARD, Effect, Request, Row, Services, encode_json, respond
from heddle.api.native.offer import error_body
from heddle.errors import NotFound

PAGE = Path(__file__).parent.parent / "page"
INDEX = "index.html"
SCREENS = ("/", "/create", "/workspaces", "/w/{rest:path}")
"""Addresses of screens, as ``ui/src/app/router.tsx`` has them; all are the same page."""
CALLS = ("/api/", "/ajax-api/", "/v1/", "/assets/")
"""Where an address that leads nowhere was meant for the API, or for a file of the page."""
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""An empty ``<style>``: the page's style library makes those and fills them through their object."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # unpacks Parquet; no text becomes script by it
        f"style-src-elem 'self' {EMPTY_STYLE}",
        "style-src-attr 'unsafe-inline'",  # tooltips of charts are placed and coloured by attribute
        "img-src 'self' data: blob:",
        "media-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
PAGE_HEADERS = [
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
UNBUILT = """\
Heddle is running, but its web page was not built.

    make page      builds it in a checkout; it needs Node, or Python and a package index
    /api/v1        answers already, and so does the address of this server in MLflow's clients
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file as it is sent, compressed or not."""

    media_type: str
    tag: str
    bodies: Mapping[str, bytes]
    """By encoding; the empty one is the file as it is."""


@dataclass(slots=True)
class Page:
    """The built page in memory, read again when it was built again."""

    folder: Path
    built_ns: int = -1
    assets: dict[str, Asset] = field(default_factory=dict)

    def find(self, name: str) -> Asset | None:
        """A built file by its name below the folder; None for what is not there."""
        try:
            built_ns = (self.folder / INDEX).stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if built_ns != self.built_ns:
            self.assets = _read(self.folder)
            self.built_ns = built_ns
        return self.assets.get(name)


def _read(folder: Path) -> dict[str, Asset]:
    endings = tuple(ending for _, ending in ENCODINGS)
    assets = {}
    for path in folder.rglob("*"):
        if not path.is_file() or path.name.endswith(endings):
            continue
        bodies = {"": path.read_bytes()}
        for encoding, ending in ENCODINGS:
            beside = path.with_name(path.name + ending)
            if beside.exists():
                bodies[encoding] = beside.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        tag = f'"{hashlib.sha256(bodies[""]).hexdigest()[:20]}"'
        assets[path.relative_to(folder).as_posix()] = Asset(kind, tag, bodies)
    return assets


PLACE = Page(PAGE)


async def send_page(request: Request, _services: Services) -> None:
    """The page itself; the router in it finds the screen."""
    asset = PLACE.find(INDEX)
    if asset is None:
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
        await respond(request, 200, UNBUILT.encode(), headers)
        return
    await _send(request, asset, PAGE_HEADERS)


async def lead_back(request: Request) -> bool:
    """The page with status 404, which says so and leads back, for a browser; whether it was one."""
    asset = PLACE.find(INDEX)
    is_visit = request.method in ("GET", "HEAD") and b"text/html" in (
        request.header(b"accept") or b""
    )
    if asset is None or not is_visit or request.path.startswith(CALLS):
        return False
    await _send(request, asset, PAGE_HEADERS, status=404)
    return True


async def send_asset(request: Request, _services: Services) -> None:
    """A built file; raises ``NotFound``, for one of an earlier build too."""
    asset = PLACE.find(request.path.lstrip("/"))
    if asset is None:
        raise NotFound("The page has no such file; load the page again.")
    keep = b"public, max-age=31536000, immutable"
    hashed = request.path.startswith("/assets/")
    await _send(request, asset, [(b"cache-control", keep if hashed else b"no-cache")])


async def _send(
    request: Request, asset: Asset, headers: list[tuple[bytes, bytes]], status: int = 200
) -> None:
    fields = [*headers, *GUARD, (b"etag", asset.tag.encode()), (b"vary", b"accept-encoding")]
    if status == 200 and request.header(b"if-none-match") == asset.tag.encode():
        await request.send({"type": "http.response.start", "status": 304, "headers": fields})
        await request.send({"type": "http.response.body", "body": b""})
        return
    encoding = _encoding(request.header(b"accept-encoding") or b"", asset)
    body = asset.bodies[encoding]
    if encoding:
        fields.append((b"content-encoding", encoding.encode()))
    fields += [
        (b"content-type", asset.media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await request.send({"type": "http.response.start", "status": status, "headers": fields})
    shown = b"" if request.method == "HEAD" else body
    await request.send({"type": "http.response.body", "body": shown})


def _encoding(accepted: bytes, asset: Asset) -> str:
    """The best encoding that the browser takes and the build made; refusals by ``q=0`` count."""
    offered = {
        part.split(";")[0].strip()
        for part in accepted.decode("latin-1").lower().split(",")
        if not part.replace(" ", "").endswith((";q=0", ";q=0.0"))
    }
    return next((name for name, _ in ENCODINGS if name in offered and name in asset.bodies), "")


def page_rows() -> list[Row]:
    """The page at its screens' addresses, and its files."""
    calls = [(path, send_page) for path in SCREENS]
    calls += [("/assets/{name:path}", send_asset), ("/favicon.svg", send_asset)]
    return [
        Row(
            "GET",
            path,
            "page.read",
            Effect.STREAM,
            call,
            lambda _request: None,
            encode_json,
            error_body,
        )
        for path, call in calls
    ]
