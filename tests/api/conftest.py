"""The application in this process, on a fresh database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api_client import Api
from heddle.app import create_app
from heddle.settings import Settings


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    """An application on a fresh database."""
    app = create_app(Settings(data=tmp_path, database=database_url))
    app.open()
    yield Api(app)
    app.close()
