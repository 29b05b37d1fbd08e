"""Owns what is read from the operating system: processes of a server, memory, machine facts.

Always holds: reads `/proc` only, so nothing here disturbs what is being measured. Linux only.
"""

import ctypes
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36


def server_pids(leader: int) -> list[int]:
    """Return the living processes of a server that leads a session, zombies left out.

    Those are all of its session, and what comes from it in sessions of their own, as a worker does.
    """
    below = set(tree_pids(leader))
    return [
        pid
        for pid, (state, _, session) in _stats()
        if state != "Z" and (session == leader or pid in below)
    ]


def tree_pids(top: int) -> list[int]:
    """Return `top` and every process that comes from it, those of other sessions among them."""
    children: dict[int, list[int]] = {}
    for pid, (_, parent, _) in _stats():
        children.setdefault(parent, []).append(pid)
    found = [top]
    for pid in found:
        found += children.get(pid, ())
    return found


def _stats() -> Iterator[tuple[int, tuple[str, int, int]]]:
    """Of every process its state, its parent and its session."""
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        # The command name is in parentheses and may hold anything, so fields count from its end.
        state, parent, _, session = stat[stat.rindex(")") + 2 :].split()[:4]
        yield int(entry.name), (state, int(parent), int(session))


def rss_bytes(pids: list[int]) -> int:
    """Return the resident memory of all `pids` together; pages they share count once for each."""
    total = 0
    for pid in pids:
        try:
            pages = int((PROC / str(pid) / "statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def pss_bytes(pids: list[int]) -> int:
    """Return the memory of all `pids` together, pages that they share counted once."""
    total = 0
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def cpu_s(pids: list[int]) -> float:
    """Return the processor time that all `pids` together have used so far, in seconds."""
    ticks = 0
    for pid in pids:
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except OSError:
            continue
        user, system = stat[stat.rindex(")") + 2 :].split()[11:13]
        ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def adopt_orphans() -> None:
    """Have what comes from this process stay below it, whoever in between has ended.

    Else a model's process whose server was killed goes to the system's first process, and the time
    that it took with it. What is adopted is not waited for, and stays countable once it has ended.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def family_cpu_s(top: int) -> float:
    """Return the processor time of `top` and all that came from it, ended ones among them."""
    ticks = 0
    for pid in tree_pids(top):
        try:
            stat = (PROC / str(pid) / "stat").read_text()
        except OSError:
            continue
        # Its own, and that of those it waited for: nobody is counted twice.
        ticks += sum(map(int, stat[stat.rindex(")") + 2 :].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Return the time that all processors together have worked so far, in seconds."""
    fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def tree_bytes(directory: Path) -> int:
    """Return the size of all files under `directory`, links not followed."""
    return sum(
        (Path(top) / name).lstat().st_size for top, _, names in os.walk(directory) for name in names
    )


def fsync_ms(directory: Path, tries: int = 50) -> float:
    """Return the median time of a durable 4 KiB append in `directory`, in milliseconds."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "fsync-probe"
    taken = []
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(tries):
            start = time.perf_counter()
            os.write(handle, b"\0" * 4096)
            os.fdatasync(handle)
            taken.append(time.perf_counter() - start)
    finally:
        os.close(handle)
        path.unlink()
    return median(taken) * 1000


def facts(directory: Path) -> dict[str, str]:
    """Describe this machine in words fit for the report."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in (PROC / "cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_kib = int((PROC / "meminfo").read_text().split()[1])
    return {
        "processor": cpu,
        "cores": str(os.cpu_count() or 1),
        "memory": f"{memory_kib / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "durable 4 KiB append": f"{fsync_ms(directory):.2f} ms (median)",
        "load before the run": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "priority of all servers and of the generator": f"nice {os.nice(0)}",
    }
