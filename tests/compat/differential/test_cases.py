"""Every directed case under `cases/`, put to both servers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from differential.casefile import Case, read_cases
from differential.conversation import Conversation
from differential.differences import PREDICATES, Difference, read_page

CASES = read_cases(Path(__file__).parent / "cases")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.title}")
def test_both_answer_alike(
    case: Case, request: pytest.FixtureRequest, differences: list[Difference]
) -> None:
    pair = "converse_in_workspaces" if case.file == "workspaces" else "converse"
    start: Callable[[], Conversation] = request.getfixturevalue(pair)
    conversation = start()
    for line in case.lines:
        answers = conversation.say(line.call)
        theirs = answers[0]
        assert (theirs.status, theirs.error_code) == (line.status, line.code), (
            f"MLflow answers otherwise than the case says: {line.text}\n{theirs.brief()}"
        )
        if differences:
            assert conversation.claims == ([line.difference] if line.difference else []), line.text
        for name, path in line.keeps.items():
            conversation.keep(name, answers, path)


def test_titles_are_unique() -> None:
    titles = [(case.file, case.title) for case in CASES]
    assert len(titles) == len(set(titles))


def test_the_page_the_predicates_and_the_cases_name_the_same_differences() -> None:
    page = read_page()
    named = [row.id for row in page]
    assert len(named) == len(set(named))
    assert {row.predicate for row in page} == set(PREDICATES)
    assert {line.difference for case in CASES for line in case.lines if line.difference} == set(
        named
    )
