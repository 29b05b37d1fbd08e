"""Models for tests of scoring, saved once, and a cache that they are fetched into."""

from __future__ import annotations

from pathlib import Path

import pytest

import applied_models


@pytest.fixture(scope="session")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return applied_models.forest(tmp_path_factory.mktemp("models") / "forest")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's models are fetched to; no server is named."""
    place = tmp_path / "cache"
    monkeypatch.setenv("HEDDLE_CACHE", str(place))
    for name in ("HEDDLE_URL", "MLFLOW_TRACKING_URI", "HEDDLE_DATA"):
        monkeypatch.delenv(name, raising=False)
    return place
