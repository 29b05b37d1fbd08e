"""Both servers, started once for the session.

`HEDDLE_DIFFERENTIAL_SUBJECT=mlflow` puts a second MLflow in Heddle's place: the suite must then
pass without any known difference, which shows that the comparison itself is sound.
"""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from differential.conversation import Conversation
from differential.differences import Difference, read_page
from differential.exchange import Side
from mlflow_server import mlflow_server
from postgres_server import Postgres
from running_servers import heddle_server

settings.register_profile(
    "long",
    max_examples=400,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
AGAINST_ITSELF = os.environ.get("HEDDLE_DIFFERENTIAL_SUBJECT") == "mlflow"


@contextlib.contextmanager
def subject(folder: Path, *options: str) -> Iterator[int]:
    """The port of the server that is compared with MLflow."""
    if AGAINST_ITSELF:
        with mlflow_server(folder) as port:
            yield port
    else:
        with heddle_server(folder, *options) as server:
            yield server.port


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """MLflow, empty at the start of the session."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as port:
        side = Side("MLflow", port)
        yield side
        side.close()


@pytest.fixture(scope="session")
def theirs_with_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Another MLflow, with its workspaces turned on."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow"), "--enable-workspaces") as port:
        side = Side("MLflow with workspaces", port)
        yield side
        side.close()


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Heddle on SQLite, empty at the start of the session."""
    with subject(tmp_path_factory.mktemp("heddle")) as port:
        side = Side("Heddle", port)
        yield side
        side.close()


@pytest.fixture(scope="session")
def ours_with_workspaces(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Side]:
    """Heddle on SQLite again, which always has workspaces; MLflow in its place needs telling."""
    if not AGAINST_ITSELF:
        yield request.getfixturevalue("ours")
        return
    with mlflow_server(tmp_path_factory.mktemp("mlflow"), "--enable-workspaces") as port:
        side = Side("MLflow with workspaces, too", port)
        yield side
        side.close()


@pytest.fixture(scope="session")
def ours_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Side]:
    """Heddle on PostgreSQL, empty at the start of the session."""
    url = postgres.url(postgres.create())
    with subject(tmp_path_factory.mktemp("heddle-pg"), "--database", url) as port:
        side = Side("Heddle on PostgreSQL", port)
        yield side
        side.close()


@pytest.fixture(scope="session")
def differences() -> list[Difference]:
    """The known differences; none when MLflow is compared with itself."""
    return [] if AGAINST_ITSELF else read_page()


NUMBERS = itertools.count(1)


def starter(
    mlflow: Side, heddle: Side, differences: list[Difference]
) -> Callable[[], Conversation]:
    """Starts conversations, each with a beginning for its names that no other uses."""

    def start() -> Conversation:
        return Conversation(mlflow, heddle, differences, f"u{next(NUMBERS):06}")

    return start


@pytest.fixture(scope="session")
def converse(theirs: Side, ours: Side, differences: list[Difference]) -> Callable[[], Conversation]:
    """Conversations with MLflow and Heddle on SQLite."""
    return starter(theirs, ours, differences)


@pytest.fixture(scope="session")
def converse_on_postgresql(
    theirs: Side, ours_on_postgresql: Side, differences: list[Difference]
) -> Callable[[], Conversation]:
    """Conversations with MLflow and Heddle on PostgreSQL."""
    return starter(theirs, ours_on_postgresql, differences)


@pytest.fixture(scope="session")
def converse_in_workspaces(
    theirs_with_workspaces: Side, ours_with_workspaces: Side, differences: list[Difference]
) -> Callable[[], Conversation]:
    """Conversations about workspaces with MLflow and Heddle on SQLite."""
    return starter(theirs_with_workspaces, ours_with_workspaces, differences)


@pytest.fixture(scope="session")
def converse_in_workspaces_on_postgresql(
    theirs_with_workspaces: Side, ours_on_postgresql: Side, differences: list[Difference]
) -> Callable[[], Conversation]:
    """Conversations about workspaces with MLflow and Heddle on PostgreSQL."""
    return starter(theirs_with_workspaces, ours_on_postgresql, differences)
