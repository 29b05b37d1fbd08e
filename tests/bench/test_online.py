"""The benchmark of scoring requests itself: a server is asked, and wrong predictions do not count."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import online

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk makes the load")


def test_an_endpoint_is_measured_only_where_it_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr(online, "RUNS", tmp_path)
    monkeypatch.setattr(online, "environment", lambda _: Path(sys.prefix))
    monkeypatch.setattr(online, "SERVERS", {"heddle": "Heddle"})
    found: list[Any] = []
    failed: list[Any] = []
    made = online.Online(1, 0.2, found.append, lambda *what: failed.append(what))
    known = made._known

    def told(count: int) -> tuple[str, list[float]]:
        body, predictions = known(count)
        # What is wrong in one row of many must not go unnoticed.
        return body, [*predictions[:-1], predictions[-1] + (count > 1) * 1e-9]

    monkeypatch.setattr(made, "_known", told)
    made.run()
    assert [each["work"] for each in found] == ["one-1", "one-8", "one-32"]
    assert all(each["rate"] > 0 and each["p50_ms"] > 0 for each in found)
    assert [what for what, _ in failed] == [
        "heddle, 1000 rows, 1 connection",
        "heddle, 1000 rows, 8 connections",
    ]
    assert all("not those of mlflow.pyfunc" in str(error) for _, error in failed)
    assert not (tmp_path / "online").exists()
