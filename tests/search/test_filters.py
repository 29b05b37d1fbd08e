"""The cases of filters.txt through one check."""

from __future__ import annotations

from pathlib import Path

import pytest

from heddle.errors import Invalid
from heddle.search import sql

HERE = Path(__file__).parent


def read_cases():
    cases = []
    case: dict[str, str] = {}
    for number, line in enumerate((HERE / "filters.txt").read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(":")
        if word == "filter":
            case = {"filter": rest.strip(), "line": str(number)}
        else:
            case[word] = rest.strip()
        if word in ("ids", "error"):
            cases.append(pytest.param(case, id=f"{number - 1}-{case['filter'][:40]}"))
    return cases


def check(case, sample):
    order_by = [term.strip() for term in case["order"].split("|")] if "order" in case else []
    if "error" in case:
        position, _, part = case["error"].partition(" ")
        with pytest.raises(Invalid) as caught:
            sample.search(case["filter"], order_by)
        assert part in caught.value.message
        assert caught.value.position == int(position)
        return
    wanted = [next(r.id for r in sample.runs if r.run_id == name) for name in case["ids"].split()]
    assert sample.search(case["filter"], order_by) == wanted
    assert sample.search(case["filter"], order_by, told=False) == wanted
    pages = [
        sample.search(case["filter"], order_by, limit=2, offset=at)
        for at in range(0, len(wanted) + 2, 2)
    ]
    assert [i for page in pages for i in page] == wanted


@pytest.mark.parametrize("few", [0, sql.FEW])
def test_cases(hand, few, monkeypatch, subtests):
    monkeypatch.setattr(sql, "FEW", few)
    for parameter in read_cases():
        with subtests.test(parameter.id):
            check(parameter.values[0], hand)
