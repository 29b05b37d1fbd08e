"""Every directed case under `cases/`, put to both servers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .casefile import Case, read_cases
from .conversation import Conversation

CASES = read_cases(Path(__file__).parent / "cases")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.title}")
def test_both_answer_alike(case: Case, converse: Callable[[], Conversation]) -> None:
    conversation = converse()
    for line in case.lines:
        answers = conversation.say(line.call)
        theirs = answers[0]
        assert (theirs.status, theirs.error_code) == (line.status, line.code), (
            f"MLflow answers otherwise than the case says: {line.text}\n{theirs.brief()}"
        )
        for name, path in line.keeps.items():
            conversation.keep(name, answers, path)
        if conversation.parted:
            break


def test_titles_are_unique() -> None:
    titles = [(case.file, case.title) for case in CASES]
    assert len(titles) == len(set(titles))
