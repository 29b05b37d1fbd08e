"""Folders of processes that were killed are removed by the next; those of the living are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heddle.scoring import scratch
from heddle.scoring.scratch import Scratch

HOLD = """
import sys, time
from pathlib import Path
from heddle.scoring.scratch import Scratch
held = Scratch(Path(sys.argv[1]))
(held.path / "left").write_bytes(b"x" * 4096)
print(held.path, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def fresh_process():
    """Each test sweeps as a process that has just begun."""
    scratch._sweep.cache_clear()
    yield
    scratch._sweep.cache_clear()


@pytest.fixture
def holder(tmp_path):
    """Another process with a folder in ``tmp_path``, and that folder, old enough to be swept."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        os.utime(folder, (0, 0))
        yield process, folder
        process.kill()


def test_what_a_killed_process_left_is_removed_by_the_next(holder, tmp_path):
    process, folder = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "left").exists()
    with Scratch(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine.path]
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_process_stays(holder, tmp_path):
    _, folder = holder
    with Scratch(tmp_path):
        assert (folder / "left").exists()


def test_a_folder_that_was_just_made_stays(tmp_path):
    young = tmp_path / f"{scratch.PREFIX}young"
    young.mkdir()
    with Scratch(tmp_path):
        assert young.exists()


def test_a_link_under_such_a_name_is_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    os.utime(kept, (0, 0))
    (tmp_path / f"{scratch.PREFIX}link").symlink_to(kept)
    with Scratch(tmp_path):
        assert (kept / "file").exists()


def test_closing_twice_is_harmless(tmp_path):
    mine = Scratch(tmp_path)
    mine.close()
    mine.close()
    assert not mine.path.exists()
