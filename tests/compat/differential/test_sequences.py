"""Generated sequences of calls, put to both servers.

The usual run takes few examples, the same each time. `--hypothesis-profile=long` takes many more
and new ones, for a night or before a release.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from differential.conversation import Conversation
from differential.machines import LoggedModels, Machine, Registry, Tracking

USUAL = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("machine", [Tracking, LoggedModels, Registry])
@pytest.mark.timeout(7200)
def test_both_answer_alike(machine: type[Machine], converse: Callable[[], Conversation]) -> None:
    long = settings.get_current_profile_name() == "long"
    run_state_machine_as_test(
        lambda: machine(converse),  # type: ignore[arg-type]
        settings=settings.default if long else USUAL,
    )


@pytest.mark.parametrize("machine", [Tracking, LoggedModels, Registry])
@pytest.mark.timeout(600)
def test_both_answer_alike_on_postgresql(
    machine: type[Machine], converse_on_postgresql: Callable[[], Conversation]
) -> None:
    """Fewer sequences: what the databases share is shown above."""
    run_state_machine_as_test(
        lambda: machine(converse_on_postgresql),  # type: ignore[arg-type]
        settings=settings(USUAL, max_examples=6),
    )
