"""Generated sequences of calls, put to both servers.

The usual run takes few examples, the same each time. `--hypothesis-profile=long` takes many more
and new ones, for a night or before a release.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from differential.conversation import Conversation
from differential.machines import LoggedModels, Machine, Registry, Tracking, Workspaces

USUAL = settings(
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

MACHINES: dict[type[Machine], int] = {
    Tracking: 25,
    LoggedModels: 25,
    Registry: 25,
    Workspaces: 10,
}
"""How many sequences of each on SQLite; a quarter on PostgreSQL, as the databases share most."""


def pair_for(machine: type[Machine]) -> str:
    """The fixture that starts a machine's conversations."""
    return "converse_in_workspaces" if machine is Workspaces else "converse"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.timeout(7200)
def test_both_answer_alike(machine: type[Machine], request: pytest.FixtureRequest) -> None:
    converse: Callable[[], Conversation] = request.getfixturevalue(pair_for(machine))
    long = settings.get_current_profile_name() == "long"
    run_state_machine_as_test(
        lambda: machine(converse),  # type: ignore[arg-type]
        settings=settings.default if long else settings(USUAL, max_examples=MACHINES[machine]),
    )


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.timeout(600)
def test_both_answer_alike_on_postgresql(
    machine: type[Machine], request: pytest.FixtureRequest
) -> None:
    """Fewer sequences: what the databases share is shown above."""
    pair = f"{pair_for(machine)}_on_postgresql"
    converse: Callable[[], Conversation] = request.getfixturevalue(pair)
    run_state_machine_as_test(
        lambda: machine(converse),  # type: ignore[arg-type]
        settings=settings(USUAL, max_examples=MACHINES[machine] // 4),
    )
