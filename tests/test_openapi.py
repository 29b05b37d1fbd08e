"""The checked-in document is what the rows give, it is valid, and it says what everything is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from heddle.api import openapi
from heddle.api.native.contents import CONTENTS
from heddle.api.native.rows import CALLS, native_rows

CHECKED_IN = Path(__file__).parent.parent / "openapi.json"


@pytest.fixture(scope="module")
def document():
    return msgspec.json.decode(openapi.encoded())


def test_the_checked_in_document_is_what_the_rows_give():
    again = "python -m heddle.api.openapi openapi.json"
    assert CHECKED_IN.read_bytes() == openapi.encoded(), f"run: {again}"


def test_the_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()


def test_every_call_is_described_once_and_served():
    names = [offer.name for offer in CONTENTS]
    assert len(names) == len(set(names))
    assert set(names) == set(CALLS)
    assert len(native_rows()) == len(names)
    assert all(offer.summary and offer.action for offer in CONTENTS)


def test_every_field_and_parameter_is_described(document):
    schemas = document["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, kind in schema.get("properties", {}).items()
        if not kind.get("description")
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            silent += [
                f"{method} {path} {parameter['name']}"
                for parameter in operation.get("parameters", ())
                if not parameter["description"]
            ]
    assert not silent


def test_every_schema_is_described(document):
    assert not [n for n, s in document["components"]["schemas"].items() if not s.get("description")]
