"""Models that mean harm: nothing outside is touched, nothing is left running, the error is clear."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pandas as pd
import pytest
import yaml

import applied_models
from heddle.errors import Invalid
from heddle.scoring import local
from heddle.scoring.plan import Input, Limits, Model, Output, Plan

pytestmark = [
    pytest.mark.usefixtures("cache"),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(sys.platform != "linux", reason="these walls are Linux's"),
]
MB = 1024**2


def apply(model: Path, folder: Path, frame: pd.DataFrame, **limits: Any) -> pd.DataFrame:
    """The table with predictions."""
    frame.to_parquet(folder / "in.parquet", index=False)
    plan = Plan(
        model=Model(uri=str(model)),
        input=Input(address=str(folder / "in.parquet")),
        output=Output(address=str(folder / "out.parquet")),
        limits=Limits(**limits),
        processes=1,
    )
    receipt = local.run(plan)
    assert {"memory", "network", "processes", "files"} <= set(receipt.walls)
    return pd.read_parquet(folder / "out.parquet")


def leavings(folder: Path) -> list[str]:
    """What a job that failed left beside its input, and processes that still run from it."""
    left = [path.name for path in folder.iterdir() if path.name.startswith(("out", ".heddle"))]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"HOME=/tmp/heddle-scratch-" in environment and str(folder).encode() in command:
                left.append(entry.name)
    return left


ATTEMPTS = """
import ctypes, glob, signal, socket, subprocess, urllib.request

def write(place): open(place + "/mark", "w").write("was here")
def append(place): open(place + "/precious", "a").write("was here")
def remove(place): os.remove(place + "/precious")
def read(place): return open(place + "/precious").read()
def list_folder(place): return str(os.listdir(place))
def link(place): os.symlink(place + "/precious", "l"); return open("l").read()
def shell(place): subprocess.run(["/bin/sh", "-c", f"echo x > {place}/mark"], check=True)
def connect(place): socket.create_connection(("127.0.0.1", PORT), 1)
def name(place): return socket.gethostbyname("localhost.localdomain.example")
def datagram(place): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT))
def abstract(place): socket.socket(socket.AF_UNIX).connect("\\0heddle-hostile-PORT")
def secrets(place):
    found = [value for value in os.environ.values() if "s3cret" in value]
    for path in glob.glob("/proc/*/environ"):
        found += ["proc"] if b"s3cret" in open(path, "rb").read() else []
    return str(found) if found else 1 / 0
def kill_parent(place): os.kill(OUTSIDE, signal.SIGKILL)
def trace(place):
    if ctypes.CDLL(None).ptrace(16, OUTSIDE, 0, 0): raise OSError("refused")
def memory(place): return open("/proc/OUTSIDE/mem", "rb").read(1)
def raise_limits(place):
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
def fill_disk(place): open("big", "wb").truncate(10**12)

class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        said = []
        for attempt in model_input["attempt"]:
            try:
                said.append(f"did: {globals()[attempt]('PLACE')}")
            except BaseException as error:
                said.append(f"refused: {type(error).__name__}")
        return pd.Series(said)
"""
NAMES = [
    "write", "append", "remove", "read", "list_folder", "link", "shell", "connect", "name",
    "datagram", "abstract", "secrets", "kill_parent", "trace", "memory", "raise_limits",
    "fill_disk",
]  # fmt: skip


def test_what_lies_outside_cannot_be_reached(tmp_path, monkeypatch):
    """One model tries everything and says what came of it."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "precious").write_text("kept")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as letters,
    ):
        port = server.getsockname()[1]
        letters.bind(("127.0.0.1", port))
        other.bind(f"\0heddle-hostile-{port}")
        other.listen()
        code = ATTEMPTS.replace("PLACE", str(place)).replace("PORT", str(port))
        code = code.replace("OUTSIDE", str(os.getpid()))
        model = applied_models.custom(tmp_path / "m", code)
        made = apply(model, tmp_path, pd.DataFrame({"attempt": NAMES}))
        for reached in (server.accept, lambda: letters.recv(1)):
            for each in (server, letters):
                each.setblocking(False)
            with pytest.raises(BlockingIOError):
                reached()
    said = dict(zip(NAMES, made["predictions"], strict=True))
    # A letter may be sent: its namespace has a loopback of its own, in which nobody else is.
    said.pop("datagram")
    assert {name: words for name, words in said.items() if not words.startswith("refused")} == {}
    assert sorted(path.name for path in place.iterdir()) == ["precious"]
    assert (place / "precious").read_text() == "kept"


ENDS = {
    "eats memory": (
        "return [bytearray(50_000_000) for _ in range(1000)]",
        {"memory_bytes": 900 * MB},
        "ran out of the memory",
    ),
    "sleeps": ("time.sleep(600)", {"batch_s": 1}, "took longer than the 1 s it may"),
    "spins": ("\n            while True: pass", {"batch_s": 1}, "took longer than the 1 s"),
    "exits": ("os._exit(0)", {}, "ended with code 0 while predicting"),
    "crashes": (
        "import ctypes; ctypes.string_at(0)",
        {},
        "was ended by SIGSEGV while predicting",
    ),
    "kills all": ("os.kill(0, 9); os.kill(-1, 9)", {}, "SIGKILL|ended with|No such process"),
    "raises": ("raise KeyError('nothing here')", {}, "KeyError: 'nothing here'"),
    "too few rows": ("return [1.0]", {}, "gave 1 predictions for 3 rows"),
    "too many rows": ("return [1.0] * 5", {}, "gave 5 predictions for 3 rows"),
    "no rows": ("return object()", {}, "gave object, which has no rows"),
    "huge rows": ("return ['x' * 400_000_000] * 3", {}, "more than the .* it may"),
    "answers itself": (
        (
            "\n            for fd in range(3, 400):"
            "\n                try: os.write(fd, b'\\x10\\0\\0\\0\\0\\0\\0\\0' + b'{\"bytes\": -9999}')"
            "\n                except OSError: pass"
        ),
        {},
        "answered nonsense",
    ),
    "answers packed": (
        (
            "\n            import numpy, pyarrow; sink = pyarrow.BufferOutputStream()"
            "\n            batch = pyarrow.record_batch({'y': numpy.zeros(100_000_000)})"
            "\n            options = pyarrow.ipc.IpcWriteOptions(compression='zstd')"
            "\n            with pyarrow.ipc.new_stream(sink, batch.schema, options=options) as writer:"
            "\n                writer.write_batch(batch)"
            "\n            body = sink.getvalue().to_pybytes(); assert len(body) < 60_000"
            '\n            head = b\'{"bytes": %d, "path": ""}\' % len(body)'
            "\n            for fd in range(3, 400):"
            "\n                try: os.write(fd, len(head).to_bytes(8, 'little') + head + body)"
            "\n                except OSError: pass"
        ),
        {},
        "gave 800 MB of predictions for one batch, more than the .* it may",
    ),
    "answers torn": (
        (
            "\n            for fd in range(3, 400):"
            "\n                try: os.write(fd, b'\\x1a\\0\\0\\0\\0\\0\\0\\0'"
            '\n                              + b\'{"bytes": 16, "path": ""}  \' + b\'\\xff\' * 16)'
            "\n                except OSError: pass"
        ),
        {},
        "answered with no table",
    ),
    "answers nested": (
        (
            "\n            for fd in range(3, 400):"
            "\n                try: os.write(fd, (60000).to_bytes(8, 'little') + b'[' * 60000)"
            "\n                except OSError: pass"
        ),
        {},
        "answered nonsense",
    ),
    "forks": (
        "\n            while True: os.fork()",
        {"batch_s": 5},
        "BlockingIOError|took longer|ended",
    ),
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_model_that_breaks_down_says_how(kind, tmp_path):
    body, limits, words = ENDS[kind]
    code = (
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        f"            {body}\n"
    )
    model = applied_models.custom(tmp_path / "m", code)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Invalid, match=words):
        apply(model, tmp_path, pd.DataFrame({"x": [1.0, 2.0, 3.0]}), **limits)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 500, f"this process took {grown:.0f} MB"
    until_gone(tmp_path)


def until_gone(folder: Path) -> None:
    """Wait until nothing of it is left; what was killed may take a moment to be gone."""
    deadline = time.monotonic() + 10
    while left := leavings(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_model_that_prints_without_end_is_not_listened_to(tmp_path):
    code = (
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        for _ in range(500): os.write(1, b'x' * 1_000_000); os.write(2, b'y' * 1_000_000)\n"
        "        return model_input['x'] * 2\n"
    )
    model = applied_models.custom(tmp_path / "m", code)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = apply(model, tmp_path, pd.DataFrame({"x": [1.0, 2.0]}))
    assert made["predictions"].tolist() == [2.0, 4.0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


class Reduced:
    """Does something when it is unpickled."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self):
        return exec, (self.code,)


PICKLES = {
    "writes": ("open('{mark}', 'w').write('x')", {}, "PermissionError"),
    "shell": ("import os; os.system('touch {mark}'); 1 / 0", {}, "ZeroDivisionError"),
    "sleeps": ("import time; time.sleep(600)", {"load_s": 8}, "loading the model took longer"),
    "eats memory": ("x = bytearray(10**10)", {"memory_bytes": 900 * MB}, "ran out of the memory"),
    "exits": ("import os; os._exit(7)", {}, "ended with code 7 while loading"),
    "dials out": (
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        {},
        "ConnectionRefusedError|unreachable|denied",
    ),
}


@pytest.mark.parametrize("kind", PICKLES)
def test_what_a_pickle_does_when_it_is_loaded_harms_nothing(kind, forest, tmp_path):
    code, limits, words = PICKLES[kind]
    mark = tmp_path / "mark"
    model = tmp_path / "m"
    model.mkdir()
    (model / "model.pkl").write_bytes(cloudpickle.dumps(Reduced(code.format(mark=mark))))
    said = yaml.safe_load((forest / "MLmodel").read_text())
    said["flavors"]["sklearn"] |= {
        "serialization_format": "cloudpickle",
        "pickled_model": "model.pkl",
    }
    said["flavors"]["python_function"]["model_path"] = "model.pkl"
    (model / "MLmodel").write_text(yaml.safe_dump(said))
    with pytest.raises(Invalid, match=words):
        apply(model, tmp_path, applied_models.table(5), **limits)
    assert not mark.exists()
    until_gone(tmp_path)
