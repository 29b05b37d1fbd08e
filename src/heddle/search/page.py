"""Page tokens: where the next page of a search starts.

A token is base64 of ``{"offset": N}`` as MLflow's are. One made for a fingerprint (of the filter, the
order and whatever else decides the rows) is good for that fingerprint only. Tokens are not secret
and not signed: they hold nothing but an offset, which is checked on the way in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from heddle.errors import Invalid

MAX_OFFSET = 2**31 - 1
MAX_TOKEN_LENGTH = 200
BAD = "The page token is not one that this server gave out; start again without it."


def fingerprint(*parts: object) -> str:
    """A short digest of what decides the rows of a search; parts are JSON values."""
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def encode(offset: int, fingerprint: str | None = None) -> str:
    """The token of the page that starts at ``offset``."""
    content: dict[str, object] = {"offset": offset}
    if fingerprint is not None:
        content["for"] = fingerprint
    return base64.b64encode(json.dumps(content).encode()).decode()


def decode(token: str | None, fingerprint: str | None = None) -> int:
    """The offset of a token; 0 for none. Raises ``Invalid`` for garbage and foreign tokens."""
    if not token:
        return 0
    if len(token) > MAX_TOKEN_LENGTH:
        raise Invalid(BAD)
    try:
        content = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise Invalid(BAD) from None
    offset = content.get("offset") if isinstance(content, dict) else None
    if type(offset) is not int or not 0 <= offset <= MAX_OFFSET:
        raise Invalid(BAD)
    if content.get("for") != fingerprint:
        raise Invalid("The page token belongs to another filter or order; start again without it.")
    return offset
