"""The benchmark knows its own processes: what they take of the machine is never called others'."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BURNT_S = 0.5

# A server that is killed while what it started, in a session of its own, still works; then one that
# ends by itself and is waited for. Both ways the time must be told, while they live and afterwards.
COUNTED = f"""
import os, signal, subprocess, sys, time
from bench.machine import adopt_orphans, family_cpu_s

WORK = "import time\\nwhile time.process_time() < {BURNT_S}: pass\\nprint(flush=True)\\ninput()"
SERVER = (
    "import subprocess, sys;"
    "subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True).wait()"
)

def started():
    made = subprocess.Popen(
        [sys.executable, "-c", SERVER, WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    made.stdout.readline()
    return made

adopt_orphans()
began = family_cpu_s(os.getpid())
killed = started()
print(family_cpu_s(os.getpid()) - began)
killed.kill()
killed.wait()
print(family_cpu_s(os.getpid()) - began)
killed.stdin.close()
ended = started()
ended.communicate(b"\\n")
print(family_cpu_s(os.getpid()) - began)
"""


def test_what_the_benchmark_started_counts_as_its_own_whoever_was_killed():
    done = subprocess.run(
        [sys.executable, "-c", COUNTED],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    living, orphaned, both = map(float, done.stdout.split())
    assert living >= BURNT_S
    assert orphaned >= living
    assert both >= orphaned + BURNT_S
