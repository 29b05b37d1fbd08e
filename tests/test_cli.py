"""The command line on a data folder that a server filled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heddle.cli import main
from heddle.database import open_database
from heddle.db.tx import LOCAL, Tx
from heddle.registry import aliases, models, registration
from heddle.settings import Settings
from heddle.tracking import metrics, runs


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one model of two versions, from runs with a metric each."""
    database = open_database(Settings(data=tmp_path).database_url)

    def fill(tx: Tx) -> None:
        models.create_model(tx, name="grocery")
        for value in (61.5, 51.25):
            run = runs.create_run(tx, experiment_id=0, name=f"r{value:.0f}")
            metrics.log_metric(tx, run.uid, "rmse", value, 1, 0)
            registration.create_version(
                tx,
                name="grocery",
                source=f"runs:/{run.uid}/model",
                run_uid=run.uid,
            )
        aliases.set_alias(tx, "grocery", "champion", 2)

    database.write_now(fill, LOCAL)
    database.close()
    return tmp_path


def test_versions_are_listed_and_filtered(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["versions", "grocery", "--data", str(data), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["version"] for row in rows] == [2, 1]
    assert rows[0]["aliases"] == ["champion"]
    assert rows[0]["metrics"] == {"rmse": 51.25}
    few = ["versions", "grocery", "--filter", "metrics.rmse > 60", "--data", str(data), "--json"]
    assert main(few) == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)] == [1]
    assert main(["models", "--data", str(data)]) == 0
    assert "champion=2" in capsys.readouterr().out


def test_runs_are_listed_in_order(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--order", "metrics.rmse", "--data", str(data), "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["r51", "r62"]


def test_keeping(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data", str(data)]) == 0
    assert main(["gc", "--data", str(data)]) == 0
    assert "0 contents checked, 0 damaged" in capsys.readouterr().err
    assert main(["migrate", "--data", str(data)]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_what_was_deleted_is_purged(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = open_database(Settings(data=data).database_url)
    uid = database.write_now(lambda tx: runs.create_run(tx, experiment_id=0).uid, LOCAL)
    database.write_now(lambda tx: runs.delete_run(tx, uid), LOCAL)
    database.close()
    purge = ["gc", "--purge-days", "0", "--data", str(data)]
    assert main(["gc", "--purge-days", "1", "--data", str(data)]) == 0
    assert "purged" not in capsys.readouterr().err
    assert main([*purge, "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == [{"what": "run", "content": uid, "bytes": 0, "count": 0}]
    assert "1 would be purged" in told.err
    assert "Add --delete to do it." in told.err
    assert main([*purge, "--delete"]) == 0
    assert "1 purged" in capsys.readouterr().err
    assert main(purge) == 0
    assert "purged" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["versions", "missing"], "Registered Model with name=missing not found"),
        (["runs", "--filter", "metrics.rmse >"], "character 15"),
        (["runs", "--workspace", "nowhere"], "Workspace 'nowhere' does not exist"),
        (["serve", "--host", "0.0.0.0"], "ssh -N -L"),
        (["serve", "--workers", "2"], "PostgreSQL"),
    ],
)
def test_mistakes_are_explained(
    data: Path, capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert main([*argv, "--data", str(data)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["serv"], "there is no 'serv'; did you mean 'serve'?"),
        (["xyzzy"], "invalid choice: 'xyzzy'"),
        (["serve", "--prot", "1"], "heddle serve: error: there is no --prot; did you mean --port?"),
        (["serve", "--datas=x"], "there is no --datas; did you mean --data?"),
        (["serve", "--xyzzy"], "unrecognized arguments: --xyzzy"),
        (["serve", "--port", "99999"], "a whole number from 0 to 65535"),
        (["serve", "--workers", "0"], "a whole number from 1 to"),
        (["serve", "--slow-s", "nan"], "a number of seconds"),
        (["gc", "--gc-grace-s", "-1"], "a whole number from 0 to"),
        (["gc", "--purge-days", "month"], "'month' cannot be: it must be a number of days from 0"),
        (["serve", "--log-level", "loud"], "one of debug, info"),
    ],
)
def test_what_was_mistyped_is_explained(
    capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_without_a_command_all_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "bring a database to this release's schema" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("HEDDLE_PORT", "http", "HEDDLE_PORT cannot be 'http': a whole number"),
        ("HEDDLE_WORKER", "maybe", "HEDDLE_WORKER cannot be 'maybe': yes or no"),
        ("HEDDLE_PROT", "80", "HEDDLE_PROT is no setting; did you mean HEDDLE_PORT?"),
        ("HEDDLE_DATABSE", "x", "did you mean HEDDLE_DATABASE?"),
    ],
)
def test_variables_that_cannot_be_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    text: str,
    says: str,
) -> None:
    monkeypatch.setenv(variable, text)
    assert main(["serve", "--host", "0.0.0.0", "--data", str(tmp_path / "d")]) == 2
    assert says in capsys.readouterr().err


def test_a_database_that_is_away_is_told_before_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = ["--database", "postgresql://127.0.0.1:1/x", "--data", str(tmp_path), "--port", "0"]
    assert main(["serve", *away]) == 2
    told = capsys.readouterr()
    assert "PostgreSQL cannot answer now" in told.err
    assert told.out == ""


def test_a_folder_without_a_database_is_not_made_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--data", str(tmp_path / "typo")]) == 2
    assert "no Heddle database" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()
