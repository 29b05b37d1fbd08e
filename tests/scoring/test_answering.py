"""One model by request, without a registry: `heddle answer`, asked as `mlflow models serve` is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mlflow
import pytest

import applied_models
from running_servers import SOURCE, free_port, running

pytestmark = pytest.mark.filterwarnings("default")


def ask(uri: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, bytes]:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{uri}{path}", data, {"content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "heddle", "answer", *words]


def environment(cache: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "HEDDLE_CACHE": str(cache)}


def test_a_folder_answers_at_mlflows_addresses(forest, tmp_path):
    port = free_port()
    words = command(str(forest), "--port", str(port))
    frame = applied_models.inputs(5).fillna(0.0)
    known = mlflow.pyfunc.load_model(str(forest)).predict(frame).tolist()
    with running(words, environment(tmp_path / "cache"), tmp_path, port) as server:
        said = {"dataframe_split": frame.to_dict("split")}
        assert ask(server.uri, "/ping") == (200, b"\n")
        assert ask(server.uri, "/version")[0] == 200
        status, body = ask(server.uri, "/invocations", said)
        assert (status, json.loads(body)) == (200, {"predictions": known})
        csv = frame.to_csv(index=False).encode()
        status, body = ask(server.uri, "/invocations", csv, "text/csv")
        assert (status, json.loads(body)) == (200, {"predictions": known})
        status, body = ask(server.uri, "/invocations", {"dataframe_split": {}})
        assert status == 400
        assert json.loads(body)["error_code"] == "INVALID_PARAMETER_VALUE"
        assert ask(server.uri, "/elsewhere")[0] == 404
    assert f"answers at http://127.0.0.1:{port}/invocations" in server.log.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("./nowhere",), "There is no folder"),
        (("nothing",), "does not name a model"),
        (("./nowhere", "--host", "0.0.0.0"), "does not listen on 0.0.0.0"),
    ],
)
def test_what_cannot_be_answered_is_said(words, said, tmp_path):
    done = subprocess.run(
        command(*words, "--port", "0"),
        env=os.environ | environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
