"""Faults of disks, files, databases and clocks: a named error, the rest goes on, nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from postgres_server import SAFE, Postgres
from torture.client import MLFLOW, NATIVE, PROXY, Answer, Client
from torture.server import DidNotStart, Server
from torture.siege import sound
from torture.things import digest_of, find_run

UNAVAILABLE = (503, "TEMPORARILY_UNAVAILABLE")
LARGE = os.urandom(3_000_000)
linux = pytest.mark.skipif(sys.platform != "linux", reason="mounts, limits and /proc are Linux's")


def says(answer: Answer, status: int, code: str, words: str) -> None:
    """The answer is that error, in MLflow's shape, and its message says so."""
    assert (answer.status, answer.code) == (status, code), answer.body
    assert re.search(words, answer.json["message"]), answer.json["message"]


def create_run(client: Client, name: str = "") -> str:
    more = {"run_name": name} if name else {}
    answer = client.post("runs/create", experiment_id="0", start_time=1, **more)
    assert answer.status == 200, answer.body
    return str(answer.json["run"]["info"]["run_id"])


def param(client: Client, uid: str, key: str, size: int = 6000) -> Answer:
    return client.post("runs/log-parameter", run_id=uid, key=key, value="x" * size)


def params_of(client: Client, uid: str) -> set[str]:
    run = client.read(f"{MLFLOW}/runs/get?run_id={uid}")["run"]
    return {found["key"] for found in run["data"].get("params", [])}


class Disk:
    """A disk of a few megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take every byte that is left."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Give back what ``fill`` took."""
        self._filler.unlink()

    def remount(self, mode: str) -> None:
        """Make it read-only (``ro``) or writable (``rw``)."""
        subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], check=True)


DISK_OF = "heddle-test-"  # and the process that mounted it


def unmount_abandoned() -> None:
    """Take away the disks of test runs that were killed: a mounted folder cannot be removed."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        source, folder = line.split()[:2]
        owner = source.removeprefix(DISK_OF)
        if owner != source and not Path(f"/proc/{owner}").exists():
            subprocess.run(["umount", "-l", folder], check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of 12 MB in memory; needs the right to mount one."""
    unmount_abandoned()
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", f"{DISK_OF}{os.getpid()}", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "-l", folder], check=True)


@linux
def test_a_full_disk(disk: Disk) -> None:
    """Files and the database on one full disk: both refuse by name, reading goes on, it recovers."""
    with Server(disk.folder / "data") as server, server.client() as client:
        uid = create_run(client)
        assert client.send("PUT", f"{PROXY}/before", LARGE).status == 200
        too_large = client.send("PUT", f"{PROXY}/large", bytes(20_000_000))
        says(too_large, *UNAVAILABLE, "disk .* refuses .*[Nn]o space")
        assert client.send("GET", f"{PROXY}/large").status == 404
        assert list((server.folder / "blobs" / "incoming").iterdir()) == []
        assert param(client, uid, "between").status == 200, "what it took was given back"
        disk.fill()
        answered = {"between"}
        for number in range(2000):
            answer = param(client, uid, f"p{number}")
            if answer.status != 200:
                break
            answered.add(f"p{number}")
        says(answer, *UNAVAILABLE, "disk of the database is full|database file cannot be used")
        assert params_of(client, uid) == answered, "reading goes on, and shows what was answered"
        assert client.send("GET", f"{PROXY}/before").body == LARGE
        says(client.send("PUT", f"{PROXY}/other", LARGE + b"1"), *UNAVAILABLE, "disk")
        disk.free()
        assert param(client, uid, "after").status == 200
        assert client.send("PUT", f"{PROXY}/other", LARGE + b"1").status == 200
        assert params_of(client, uid) == {*answered, "after"}
        server.kill()
        client.close()
        server.start()
        assert params_of(client, uid) == {*answered, "after"}
        assert server.run("verify").returncode == 0


@linux
def test_a_full_disk_fails_every_waiting_write_and_keeps_every_answered_one(disk: Disk) -> None:
    """Many writers share the commit that fails: each gets an answer of its own, and it is true."""
    with Server(disk.folder / "data") as server, server.client() as client:
        uid = create_run(client)
        disk.fill()

        def write(number: int) -> tuple[str, int]:
            with server.client() as own:
                for turn in range(80):
                    key = f"p{number}-{turn}"
                    answer = param(own, uid, key)
                    if answer.status != 200:
                        return key, answer.status
            return "", 200

        with ThreadPoolExecutor(8) as threads:
            ends = list(threads.map(write, range(8)))
        assert {status for _, status in ends} == {503}
        expected = {
            f"p{number}-{turn}"
            for number, (key, _) in enumerate(ends)
            for turn in range(int(key.partition("-")[2]))
        }
        disk.free()
        assert param(client, uid, "after").status == 200
        assert params_of(client, uid) == {*expected, "after"}


@linux
def test_a_read_only_disk(disk: Disk) -> None:
    """Said at the start; the kernel does not let a disk become read-only under a running server."""
    server = Server(disk.folder / "data")
    server.log_path = disk.folder.with_name("server.log")
    with server, server.client() as client:
        uid = create_run(client)
    disk.remount("ro")
    with pytest.raises(DidNotStart, match=r"cannot be used|refuses"):
        server.start()
    assert "Traceback" not in server.words()
    disk.remount("rw")
    with server, server.client() as client:
        assert param(client, uid, "p").status == 200


@linux
def test_a_file_may_grow_no_further(tmp_path: Path) -> None:
    """The system's limit on the size of a file, which everybody may set, is a full disk to us."""
    limit = ["/bin/sh", "-c", 'ulimit -f 4096; exec "$@"', "limited"]  # in 512 bytes: 2 MiB
    with Server(tmp_path / "data", before=limit) as server, server.client() as client:
        says(client.send("PUT", f"{PROXY}/large", LARGE), *UNAVAILABLE, "File too large")
        assert client.send("GET", f"{PROXY}/large").status == 404
        uid = create_run(client)
        answered = set()
        for number in range(2000):
            answer = param(client, uid, f"p{number}")
            if answer.status != 200:
                break
            answered.add(f"p{number}")
        says(answer, *UNAVAILABLE, "cannot be used|full")
        assert params_of(client, uid) == answered
    assert sound(tmp_path / "data" / "heddle.db") == []


def blob_path(server: Server, data: bytes) -> Path:
    digest = digest_of(data)
    return server.folder / "blobs" / digest[:2] / digest


@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_damaged_bytes(tmp_path: Path, how: str) -> None:
    """Never handed out; ``verify`` says whose they are; sending the file again mends it."""
    data = LARGE[:900_000]
    with Server(tmp_path / "data") as server, server.client() as client:
        uid = create_run(client, "damaged-run")
        for path in ("model/w.bin", "model/other"):
            content = data if path == "model/w.bin" else b"other" * 20_000
            place = f"{PROXY}/0/{uid}/artifacts/{path}"
            assert client.send("PUT", place, content).status == 200
        client.post("registered-models/create", name="m")
        made = client.post(
            "model-versions/create",
            name="m",
            source=f"mlflow-artifacts:/0/{uid}/artifacts/model",
            run_id=uid,
        )
        assert made.status == 200, made.body
        blob = blob_path(server, data)
        match how:
            case "altered":
                blob.write_bytes(data[:500] + b"!" + data[501:])
            case "truncated":
                blob.write_bytes(data[:-1])
            case "missing":
                blob.unlink()
        place = f"{PROXY}/0/{uid}/artifacts/model/w.bin"
        says(client.send("GET", place), 500, "DATA_LOSS", "w.bin.* damaged")
        assert client.send("GET", f"{PROXY}/0/{uid}/artifacts/model/other").status == 200
        verified = server.run("verify", "--json")
        assert verified.returncode == 1
        for owner in ("damaged-run", "version 1 of m", uid, "m 1", "m version 1"):
            if owner in verified.stdout:
                break
        else:
            pytest.fail(f"verify names no owner: {verified.stdout}")
        assert client.send("PUT", f"{PROXY}/again", data).status == 200
        assert client.send("GET", place).body == data
        assert server.run("verify").returncode == 0


def test_a_database_that_another_program_holds(tmp_path: Path) -> None:
    """For a while: writes wait. For longer: they say so, reads go on, and then all is well again."""
    altered = {"heddle.db.engine:BUSY_S": 1.5}
    with Server(tmp_path / "data", altered=altered) as server, server.client() as client:
        uid = create_run(client)
        path = server.folder / "heddle.db"

        def write(key: str) -> Answer:
            with server.client() as own:
                return param(own, uid, key, 10)

        with (
            closing(sqlite3.connect(path, isolation_level=None)) as other,
            ThreadPoolExecutor(8) as threads,
        ):
            other.execute("BEGIN EXCLUSIVE")
            waiting = [threads.submit(write, f"short{number}") for number in range(8)]
            time.sleep(0.4)
            assert params_of(client, uid) == set(), "reading goes on"
            other.execute("COMMIT")
            assert {done.result().status for done in waiting} == {200}
            other.execute("BEGIN EXCLUSIVE")
            waiting = [threads.submit(write, f"long{number}") for number in range(8)]
            for done in waiting:
                says(done.result(), *UNAVAILABLE, "held by another program")
            assert len(params_of(client, uid)) == 8
            other.execute("COMMIT")
        assert param(client, uid, "after", 10).status == 200
        assert len(params_of(client, uid)) == 9, "what was refused was not done"


def test_the_clock_is_set_back(tmp_path: Path) -> None:
    """Everything goes on, and what came later is later, whatever the clock says."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    with (
        Server(tmp_path / "data", altered={"clock": str(clock)}) as server,
        server.client() as client,
    ):
        uid = create_run(client, "early")
        client.post("registered-models/create", name="m")
        for shift in (0, -86_400, -30 * 86_400, 60):
            clock.write_text(str(shift))
            made = client.post("model-versions/create", name="m", source="s3://b/m")
            number = made.json["model_version"]["version"]
            moved = client.json("PUT", f"{NATIVE}/models/m/aliases/a", {"version": int(number)})
            assert moved.status == 200, moved.body
            for value in (1, 2):
                logged = client.post(
                    "runs/log-metric",
                    run_id=uid,
                    key="k",
                    value=value,
                    timestamp=1,
                    step=int(number),
                )
                assert logged.status == 200
            assert client.send("PUT", f"{PROXY}/0/{uid}/artifacts/f", LARGE).status == 200
            assert client.send("GET", f"{PROXY}/0/{uid}/artifacts/f").body == LARGE
            assert client.post("runs/update", run_id=uid, status="FINISHED").status == 200
        changes = client.read(f"{NATIVE}/models/m/history?kind=alias")["changes"]
        assert [change["after"] for change in changes] == ["4", "3", "2", "1"]
        versions = client.read(f"{MLFLOW}/registered-models/alias?name=m&alias=a")
        assert versions["model_version"]["version"] == "4"
        assert find_run(client, "early") == uid


def test_a_sweep_that_died_under_a_wrong_clock_blocks_nobody(tmp_path: Path) -> None:
    """A content that was marked for removal in what is now the future can be stored again."""
    with Server(tmp_path / "data") as server, server.client() as client:
        assert client.send("PUT", f"{PROXY}/f", LARGE).status == 200
        client.send("DELETE", f"{PROXY}/f")
        ahead_ms = int(time.time() * 1000) + 10**10
        with closing(sqlite3.connect(server.folder / "heddle.db")) as database, database:
            database.execute("UPDATE blobs SET doomed_ms = ?", (ahead_ms,))
        assert client.send("PUT", f"{PROXY}/f", LARGE).status == 200
        assert client.send("GET", f"{PROXY}/f").body == LARGE


@linux
def test_the_data_folder_is_removed_under_a_running_server(tmp_path: Path) -> None:
    """No write is answered that nobody will find again."""
    with Server(tmp_path / "data") as server, server.client() as client:
        uid = create_run(client)
        assert param(client, uid, "before").status == 200
        away = tmp_path / "away"
        server.folder.rename(away)
        says(param(client, uid, "lost"), *UNAVAILABLE, "moved, removed or replaced")
        says(client.send("PUT", f"{PROXY}/f", LARGE), *UNAVAILABLE, "refuses|cannot be used")
        away.rename(server.folder)
        assert param(client, uid, "after").status == 200, "put back, it goes on"
        assert client.send("PUT", f"{PROXY}/f", LARGE).status == 200
        # A copy put in its place is another database.
        copy = tmp_path / "copy"
        shutil.copyfile(server.folder / "heddle.db", copy)
        copy.rename(server.folder / "heddle.db")
        says(param(client, uid, "lost"), *UNAVAILABLE, "restart")


def test_a_backup_is_restored(tmp_path: Path) -> None:
    """Taken while the server writes: the database by SQLite's own way first, then the files."""
    with Server(tmp_path / "data") as server, server.client() as client:
        uid = create_run(client, "old")
        place = f"{PROXY}/0/{uid}/artifacts"
        assert client.send("PUT", f"{place}/f", LARGE).status == 200
        backup = tmp_path / "backup"
        backup.mkdir()
        with (
            closing(sqlite3.connect(server.folder / "heddle.db")) as source,
            closing(sqlite3.connect(backup / "heddle.db")) as target,
        ):
            source.backup(target)
        later = create_run(client, "later")
        assert client.send("PUT", f"{place}/g", LARGE + b"later").status == 200
        shutil.copytree(server.folder / "blobs", backup / "blobs")
        assert later
    with Server(backup) as server, server.client() as client:
        assert find_run(client, "old") == uid
        assert find_run(client, "later") is None
        assert client.send("GET", f"{place}/f").body == LARGE
        assert client.send("GET", f"{place}/g").status == 404
        assert server.run("verify").returncode == 0
        assert param(client, uid, "goes-on").status == 200


@pytest.mark.parametrize("how", ["no database", "torn pages"])
def test_a_damaged_database_file(tmp_path: Path, how: str) -> None:
    server = Server(tmp_path / "data")
    with server, server.client() as client:
        uid = create_run(client)
        for number in range(60):
            assert param(client, uid, f"p{number}").status == 200
    path = server.folder / "heddle.db"
    if how == "no database":
        path.write_bytes(b"this is no database at all" * 1000)
        with pytest.raises(DidNotStart, match="database file is damaged"):
            server.start()
        assert "Traceback" not in server.words()
        return
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle:] = os.urandom(len(data) - middle)
    path.write_bytes(data)
    with server, server.client() as client:
        told = client.send("GET", f"{MLFLOW}/runs/get?run_id={uid}")
        says(told, 500, "DATA_LOSS", "database file is damaged")
        assert client.send("GET", "/health").status == 200


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that can be killed."""
    server = Postgres(Path(tempfile.mkdtemp(prefix="heddle-pg-")), SAFE)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@linux
def test_postgresql_goes_and_comes_back(tmp_path: Path, postgres: Postgres) -> None:
    """Away, it is named; back, nobody notices that the connections of before are dead."""
    url = postgres.url(postgres.create())
    with Server(tmp_path / "data", database=url) as server, server.client() as client:
        uid = create_run(client)

        def everywhere(number: int) -> list[int]:
            with server.client() as own:
                wrote = param(own, uid, f"p{number}-{time.monotonic_ns()}", 10)
                read = own.send("GET", f"{MLFLOW}/runs/get?run_id={uid}")
                return [wrote.status, read.status]

        with ThreadPoolExecutor(24) as threads:
            list(threads.map(everywhere, range(48)))
            postgres.kill()
            postgres.start()
            statuses = [status for pair in threads.map(everywhere, range(48)) for status in pair]
        assert set(statuses) == {200}
        postgres.kill()
        says(param(client, uid, "away"), *UNAVAILABLE, "PostgreSQL")
        assert client.send("GET", f"{MLFLOW}/runs/get?run_id={uid}").status == 503
        assert client.send("GET", "/health").status == 200
        postgres.start()
        assert param(client, uid, "back").status == 200
        assert "away" not in params_of(client, uid)
