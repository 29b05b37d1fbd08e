"""Owns the workloads of files: one large file up and down, many small files up."""

import random
from collections.abc import Mapping
from urllib.parse import urlencode

from bench.client import PROXY, expect
from bench.load import Measure, Request
from bench.seed import proxied
from bench.servers import ARTIFACTS
from bench.tracking import expect_near
from bench.transfer import LargeFile, get, put
from bench.work import Round, Row, Target, Work, Workload, loaded

SMALL_BYTES = 4096
SMALL_CONNECTIONS = 16
GETS = 3


def large_file() -> Workload:
    """One large file sent, its copy compared by digest, then fetched again from warm pages."""

    def prepare(target: Target) -> Round:
        file = LargeFile.make(target.form.large_bytes)
        root = proxied(target.seed.artifacts)

        def one(number: int) -> Mapping[str, Measure]:
            path = f"{root}/large/r{number}.bin"
            digest = file.renew()
            sent = put(target.url, path, file)
            get(target.url, path, file.size_bytes, digest)
            fetched = [get(target.url, path, file.size_bytes) for _ in range(GETS)]
            return {
                "artifact-put": _measure(file, [sent]),
                "artifact-get": _measure(file, fetched),
            }

        return one

    rows = (
        Row("artifact-put", "one large file, put", "MB/s"),
        Row("artifact-get", "one large file, get (from warm pages)", "MB/s"),
    )
    return Workload("artifact", rows, ARTIFACTS, prepare, quick=True)


def _measure(file: LargeFile, seconds: list[float]) -> Measure:
    middle = sorted(seconds)[len(seconds) // 2]
    slowest = max(seconds) * 1000
    rate = file.size_bytes / 1e6 / middle
    return Measure(rate, middle * 1000, slowest, slowest, len(seconds), file.size_bytes)


def small_files() -> Workload:
    """Small files, each with other content, into one folder of a run."""
    body = random.Random(SMALL_BYTES).randbytes(SMALL_BYTES - 10)

    def make(target: Target, number: int) -> Work:
        folder = f"{proxied(target.seed.artifacts)}/small/r{number}"

        def check(_: bytes) -> None:
            held = target.client.raw("GET", f"{folder}/f0.bin")
            expect(held == body[:100] + b"0" + body[100:], "the small file is not what was sent")

        def verify(answers: int) -> None:
            path = folder.removeprefix(f"{PROXY}/")
            listed = target.client.raw("GET", f"{PROXY}?{urlencode({'path': path})}")
            expect_near(listed.count(b'"path"'), answers, SMALL_CONNECTIONS + 2, "small files")

        request = Request(
            "PUT",
            (f"{folder}/f", ".bin"),
            (body[:100], body[100:]),
            kind="application/octet-stream",
        )
        return Work([request], check, verify)

    return loaded(
        "artifact-small",
        f"files of 4 KiB, put, {SMALL_CONNECTIONS} connections",
        ARTIFACTS,
        make,
        connections=SMALL_CONNECTIONS,
        quick=True,
    )


def workloads() -> list[Workload]:
    """Return the workloads of files in the order of the report."""
    return [large_file(), small_files()]
