"""A live Heddle server for tests that speak to it over HTTP, as a process of its own.

One server for all tests of a worker: names must be the test's own. It is started as a team would
start it, on a free port and a folder that goes away, and ended with the tests.
`HEDDLE_COMPAT_URI` names another server to speak to instead, MLflow's own for one, which shows
whether a test expects the right thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from running_servers import heddle_server


@pytest.fixture(scope="session")
def live_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a live server."""
    if named := os.environ.get("HEDDLE_COMPAT_URI"):
        yield named.rstrip("/")
        return
    with heddle_server(tmp_path_factory.mktemp("live")) as server:
        yield server.uri
