"""Both servers, started once for the session.

`HEDDLE_DIFFERENTIAL_SUBJECT=mlflow` puts a second MLflow in Heddle's place: the suite must then
pass without any known difference, which shows that the comparison itself is sound.
"""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from differential.conversation import Conversation
from differential.differences import Difference, read_page
from differential.exchange import Side
from differential.servers import heddle_server, mlflow_server

settings.register_profile(
    "long",
    max_examples=400,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
AGAINST_ITSELF = os.environ.get("HEDDLE_DIFFERENTIAL_SUBJECT") == "mlflow"


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """MLflow and Heddle, each empty at the start of the session."""
    subject = mlflow_server if AGAINST_ITSELF else heddle_server
    with (
        mlflow_server(tmp_path_factory.mktemp("mlflow")) as theirs,
        subject(tmp_path_factory.mktemp("heddle")) as ours,
    ):
        pair = (Side("MLflow", theirs), Side("Heddle", ours))
        yield pair
        for side in pair:
            side.close()


@pytest.fixture(scope="session")
def differences() -> list[Difference]:
    """The known differences; none when MLflow is compared with itself."""
    return [] if AGAINST_ITSELF else read_page()


@pytest.fixture(scope="session")
def converse(sides: tuple[Side, Side], differences: list[Difference]) -> Callable[[], Conversation]:
    """Start conversations; `$u` in each is a prefix for names that no other conversation uses."""
    numbers = itertools.count(1)

    def start() -> Conversation:
        conversation = Conversation(*sides, differences)
        conversation.name("u", f"u{next(numbers):06}")
        return conversation

    return start
