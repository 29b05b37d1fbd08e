"""The benchmark of applied models itself: engines are run, and no rate counts whose bits are wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from bench import scoring
from bench.client import WrongAnswer
from bench.forms import Tables

ROWS = 3000
ENGINES = ("pyfunc", "plain", "heddle")


@pytest.fixture
def measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any], list[Any]]:
    """A measuring of one model by few engines in this environment, what it keeps, what failed."""
    monkeypatch.setattr(scoring, "RUNS", tmp_path)
    monkeypatch.setattr(scoring, "environment", lambda _: Path(sys.prefix))
    monkeypatch.setattr(scoring, "MODELS", {"forest-3": "forest of 3 trees"})
    kept = {name: scoring.ENGINES[name] for name in ENGINES}
    monkeypatch.setattr(scoring, "ENGINES", kept)
    sizes = Tables(rows=ROWS, csv_rows=500, long_rows=2 * ROWS, rounds=1, budget_s=60.0)
    found: list[Any] = []
    failed: list[Any] = []
    return scoring.Scoring(sizes, found.append, lambda *what: failed.append(what)), found, failed


def test_engines_are_run_compared_and_kept(measuring, monkeypatch):
    made, found, failed = measuring
    real = made._program

    def program(*words, **environ):
        # One engine that is a little wrong: one prediction of it differs.
        said = real(*words, **environ)
        return (
            said | {"digest": "other"} if words[0] == "digest" and made.engine == "plain" else said
        )

    measure = made._measure

    def measured(engine, model):
        made.engine = engine
        return measure(engine, model)

    made.engine = ""
    monkeypatch.setattr(made, "_program", program)
    monkeypatch.setattr(made, "_measure", measured)
    made.run()
    assert [what for what, _ in failed] == ["plain, forest-3"]
    assert "are not those of mlflow.pyfunc" in str(failed[0][1])
    assert [(each["engine"], each["model"], each["rows"]) for each in found] == [
        ("pyfunc", "forest-3", ROWS),
        ("heddle", "forest-3", ROWS),
        ("heddle", "long", 2 * ROWS),
    ]
    assert all(each["rate"] > 0 and each["memory_bytes"] > 0 for each in found)


def test_predictions_with_another_digest_are_refused(measuring, monkeypatch):
    made, _, _ = measuring
    monkeypatch.setattr(made, "_program", lambda *_: {"rows": 5, "digest": "a"})
    made._compare("out", {"rows": 5, "digest": "a"})
    with pytest.raises(WrongAnswer, match=r"not those of mlflow\.pyfunc"):
        made._compare("out", {"rows": 5, "digest": "b"})
    with pytest.raises(WrongAnswer, match="5 rows were written"):
        made._compare("out", {"rows": 6, "digest": "a"})
