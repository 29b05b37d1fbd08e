"""Models on real Sparks: the classic one of both generations, and a server of Spark Connect.

Each runs `cases.py` in an environment of its own, with one JVM for all of its cases, beside a Heddle
server that knows nothing of Spark.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import python_of
from running_servers import SOURCE, heddle_server

HERE = Path(__file__).parent
NEWEST = {"3.5": (3, 11)}
RUN_S = 600
# The first run makes an environment, which has to fetch a few hundred megabytes.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("spark-server")
    with heddle_server(folder) as running:
        yield running.uri, folder / "data"


def java() -> str | None:
    """The Java that Spark would start."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("4", "classic"),
        pytest.param("4", "connect", marks=pytest.mark.matrix),
        pytest.param("3.5", "classic", marks=pytest.mark.matrix),
    ],
)
def test_models_on_spark(version: str, kind: str, server: tuple[str, Path], tmp_path: Path) -> None:
    if java() is None:
        pytest.skip("Spark needs Java 17: apt-get install openjdk-17-jre-headless")
    python = python_of(
        f"spark-{version}",
        HERE / f"requirements-{version}.txt",
        newest=NEWEST.get(version),
        built=True,
    )
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HEDDLE_", "MLFLOW_", "PYTEST_", "SPARK_"))
    }
    uri, data = server
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "--import-mode=importlib", "-c", os.devnull,
         "--noconftest", "-p", "no:cacheprovider", f"--rootdir={HERE}", f"--basetemp={tmp_path / 'cases'}",
         "--durations=12", HERE / "cases.py"],
        cwd=tmp_path,
        env={
            **kept,
            "PYTHONPATH": f"{SOURCE}{os.pathsep}{HERE.parent / 'support'}",
            "PYSPARK_PYTHON": str(python),
            "SPARK_LOCAL_DIRS": str(tmp_path / "local"),
            "HEDDLE_TEST_SPARK": kind,
            "HEDDLE_TEST_VERSION": version,
            "HEDDLE_TEST_SERVER": uri,
            "HEDDLE_TEST_DATA": str(data),
            "SOME_SECRET": "which no model sees",
        },
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"{done.stdout[-12000:]}\n{done.stderr[-3000:]}", pytrace=False)
