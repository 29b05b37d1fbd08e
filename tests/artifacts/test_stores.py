"""Both kinds of store hold whole contents or none."""

from __future__ import annotations

import os
import resource
import uuid
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from heddle.artifacts.blobs import Store, open_store
from heddle.artifacts.contents import digest_of
from heddle.artifacts.disk import DiskStore
from heddle.errors import Invalid, Unavailable
from object_store import KEY_ID, REGION, SECRET

BLOCK = 1024 * 1024


def keep(store: Store, *parts: bytes) -> str:
    incoming = store.begin()
    try:
        incoming.write(parts)
        incoming.finish()
        incoming.place()
    finally:
        incoming.drop()
    return incoming.digest


def read(store: Store, digest: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(store.blocks(digest, start, end))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 17])
def test_a_content_comes_back(store: Store, size: int) -> None:
    data = os.urandom(size)
    digest = keep(store, data[: size // 2], data[size // 2 :])
    assert digest == digest_of(data)
    assert store.size_of(digest) == size
    if size:
        assert read(store, digest) == data
        assert read(store, digest, size // 3, size // 2) == data[size // 3 : size // 2]
        assert read(store, digest, size - 1) == data[-1:]
    assert [(found, length) for found, length, _ in store.contents()] == [(digest, size)]


def test_nothing_is_there_before_it_is_placed(store: Store) -> None:
    incoming = store.begin()
    incoming.write([b"x" * 100_000])
    assert store.size_of(incoming.digest) is None
    incoming.finish()
    assert store.size_of(incoming.digest) is None
    incoming.place()
    store.remove(incoming.digest)
    assert store.size_of(incoming.digest) is None
    incoming.place()
    incoming.drop()
    assert store.size_of(incoming.digest) == 100_000, "placing again after a sweep"
    assert store.clear_incoming(2**62, dry_run=True) == (0, 0)


def test_an_abandoned_content_leaves_nothing(store: Store) -> None:
    incoming = store.begin()
    incoming.write([b"x" * 100_000])
    incoming.drop()
    assert list(store.contents()) == []
    assert store.clear_incoming(2**62, dry_run=True) == (0, 0)


def test_what_is_not_there(store: Store) -> None:
    missing = digest_of(b"never stored")
    assert store.size_of(missing) is None
    store.remove(missing)
    with pytest.raises(FileNotFoundError):
        read(store, missing)
    with pytest.raises(FileNotFoundError):
        list(store.part_blocks(uuid.uuid4().hex, 1))


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "x" * 64, "A" * 64, "0" * 63 + "/"])
def test_only_digests_are_names(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        store.size_of(name)
    with pytest.raises(ValueError, match="not a digest"):
        store.remove(name)
    with pytest.raises(ValueError, match="badly formed"):
        store.begin_part(name, 1)


def test_parts_wait_until_they_are_dropped(store: Store) -> None:
    upload = uuid.uuid4().hex
    for number, data in ((2, b"two"), (1, b"one"), (2, b"TWO")):
        part = store.begin_part(upload, number)
        part.write([data])
        part.finish()
        part.drop()
    assert [b"".join(store.part_blocks(upload, number)) for number in (1, 2)] == [b"one", b"TWO"]
    assert store.clear_incoming(2**62, dry_run=True) == (2, 6)
    store.drop_parts(upload, 3)
    assert store.clear_incoming(2**62, dry_run=True) == (0, 0)


def test_old_leftovers_are_cleared(store: Store) -> None:
    incoming = store.begin()
    incoming.write([b"x" * 10])
    incoming.finish()
    assert store.clear_incoming(0, dry_run=False) == (0, 0)
    assert store.clear_incoming(2**62, dry_run=False) == (1, 10)
    assert store.clear_incoming(2**62, dry_run=False) == (0, 0)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs")
    incoming = store.begin()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK, before[1]))
    try:
        with pytest.raises(Unavailable, match="nothing was stored"):
            incoming.write([b"x" * BLOCK, b"y" * BLOCK])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        incoming.drop()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("url", ["ftp://host/x", "http://host/x", "s3://"])
def test_addresses_that_cannot_be_a_store(url: str) -> None:
    with pytest.raises(Invalid):
        open_store(url)


def test_addresses_of_stores(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path / "a b")), DiskStore)
    assert isinstance(open_store(f"file://{tmp_path}/c"), DiskStore)
    assert (tmp_path / "a b" / "incoming").is_dir()


def test_an_object_store_signs_addresses(s3_url: str) -> None:
    """As Amazon's own library does, to the letter; the key stays here."""
    digest = digest_of(b"x")
    signed = open_store(s3_url).sign(digest, 60)
    assert signed is not None
    assert SECRET not in signed
    address, _, query = signed.partition("?")
    given = dict(parse_qsl(query))
    assert address.endswith(f"/{digest[:2]}/{digest}")
    assert given["X-Amz-Expires"] == "60"
    signature = given.pop("X-Amz-Signature")
    assert signature == amazons_signature(address, given)


def amazons_signature(address: str, given: dict[str, str]) -> str:
    """What botocore signs for the same address at the same moment."""
    request = AWSRequest("GET", address, params=given)
    request.context["timestamp"] = given["X-Amz-Date"]
    signer = S3SigV4QueryAuth(Credentials(KEY_ID, SECRET), "s3", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def test_a_disk_signs_nothing(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).sign(digest_of(b"x"), 60) is None


@pytest.mark.parametrize(
    "url", ["s3:/bucket", "s3:bucket", "file:/srv/x", "ftp://host/x", "S3://b"]
)
def test_an_address_that_is_none_is_no_folder(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid, match="begins with s3://, gs:// or az://"):
        open_store(url)
    assert not any(tmp_path.iterdir())
