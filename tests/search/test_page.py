"""Page tokens."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.errors import Invalid
from heddle.search import page


@given(st.integers(0, page.MAX_OFFSET), st.none() | st.text().map(page.fingerprint))
def test_a_token_is_read_back(offset, mark):
    assert page.decode(page.encode(offset, mark), mark) == offset


def test_the_form_that_clients_have_seen():
    assert json.loads(base64.b64decode(page.encode(100))) == {"offset": 100}
    assert page.decode(base64.b64encode(b'{"offset": 7}').decode()) == 7
    assert page.decode(None) == page.decode("") == 0


def token(content):
    return base64.b64encode(
        content if isinstance(content, bytes) else json.dumps(content).encode()
    ).decode()


@pytest.mark.parametrize(
    "bad",
    [
        "garbage!",
        "é",
        "YQ",
        token(b"\xff"),
        token({}),
        token([1]),
        token(5),
        token({"offset": -1}),
        token({"offset": 1.5}),
        token({"offset": True}),
        token({"offset": "3"}),
        token({"offset": 2**31}),
        token(b'{"offset": ' + b"9" * 100 + b"}"),
        token(b"[" * 140),
        token({"offset": 1}) * 100,
    ],
)
def test_garbage_is_refused(bad):
    with pytest.raises(Invalid):
        page.decode(bad)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(Invalid):
        assert page.decode(text) >= 0


def test_a_token_belongs_to_its_search():
    mark = page.fingerprint("status = 'x'", ["a", "b"])
    assert mark == page.fingerprint("status = 'x'", ["a", "b"])
    made = page.encode(20, mark)
    assert page.decode(made, mark) == 20
    for other in (
        None,
        page.fingerprint("status = 'x'", ["a"]),
        page.fingerprint("status = 'x'a", "b"),
    ):
        with pytest.raises(Invalid, match="another filter"):
            page.decode(made, other)
    with pytest.raises(Invalid, match="another filter"):
        page.decode(page.encode(20), mark)
