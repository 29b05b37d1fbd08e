"""Confines the process that it runs in, then runs a program: what a model may not do, it cannot.

Started as a program of its own by `children`, before any library is loaded, since some walls can
only be raised around a process of one thread. It needs nothing but Python. On Linux, as far as the
kernel allows: no network (a namespace with none), no file but those named (Landlock), no process
seen or left behind (a namespace of processes, whose end ends them all); everywhere, limits on
memory, files and processes. What was raised is told, never assumed: the first line written to the
answers names it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import glob
import json
import os
import resource
import runpy
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any

CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_VERSION = 1
LANDLOCK_PATH_BENEATH = 1
# Bits of LANDLOCK_ACCESS_FS_*, linux/landlock.h.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READING = EXECUTE | READ_FILE | READ_DIR
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
ALL_FS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
NEWER_FS = (1 << 16) - 1
TCP = 3
SCOPES = 3
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
ADDRESS_SPACE = 8
"""Address space per byte of memory allowed: libraries reserve far more than they use."""
SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/proc", "/sys", "/etc/ld.so.cache",
    "/etc/alternatives", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/nsswitch.conf",
    "/etc/os-release", "/etc/passwd", "/etc/group", "/etc/host.conf", "/etc/hosts", "/dev/null", "/dev/zero",
    "/dev/urandom", "/dev/random",
)  # fmt: skip
"""What programs of any kind read; /proc shows only what is confined alike."""


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def limit(memory_bytes: int, scratch_bytes: int) -> None:
    """Limits that every system of the kind has; a limit that is lower already stays."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, scratch_bytes)
    if memory_bytes and sys.platform == "linux":
        # Writable memory alone: reserving addresses, as many libraries do, costs nothing.
        _lower(resource.RLIMIT_DATA, memory_bytes)
        _lower(resource.RLIMIT_AS, memory_bytes * ADDRESS_SPACE)


def _lower(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (bound, bound))


def unshare() -> list[str]:
    """Namespaces without a network and without other processes; what was raised.

    Where the second cannot be had, the first alone is tried.
    """
    uid, gid = os.getuid(), os.getgid()
    libc = _libc()
    for flags, walls in (
        (CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC, ["network", "processes"]),
        (CLONE_NEWNET, ["network"]),
    ):
        if libc.unshare(CLONE_NEWUSER | flags) == 0:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{uid} {uid} 1"),
                ("gid_map", f"{gid} {gid} 1"),
            ):
                with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
                    file.write(text)
            _loop_back()
            return walls
    return []


def _loop_back() -> None:
    """Let this namespace speak to itself, as Spark's two halves do; nobody else is in it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def fence(readable: Sequence[str], writable: Sequence[str], *, is_alone: bool) -> list[str]:
    """Close every file but those below the given folders, by Landlock; what was raised.

    With ``is_alone`` there is no network, and connections are only to itself: they stay open.
    """
    libc = _libc()
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < 1:
        return []
    every = ALL_FS.get(version, NEWER_FS)
    attributes = struct.pack("<Q", every)
    if version >= 4:
        attributes += struct.pack("<Q", 0 if is_alone else TCP)
    if version >= 6:
        attributes += struct.pack("<Q", SCOPES)
    size = ctypes.c_size_t(len(attributes))
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, size, 0)
    if ruleset < 0:
        return []
    try:
        for rights, paths in ((READING, readable), (every, writable)):
            for path in paths:
                _open_up(libc, ruleset, path, rights & every)
        for device in ("/dev/null", "/dev/zero"):
            _open_up(libc, ruleset, device, READ_FILE | WRITE_FILE)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) != 0:
            return []
    finally:
        os.close(ruleset)
    # From its fourth version on Landlock also keeps from connecting and listening.
    return ["files", "connections"] if version >= 4 and not is_alone else ["files"]


def _open_up(libc: Any, ruleset: int, path: str, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & ON_FILES  # noqa: PTH112
        rule = struct.pack("<Qi", allowed, opened)
        libc.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)


def guard(child: int) -> int:
    """Wait for the child that everything runs in; ends as it ended."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1


def _follow_parent() -> None:
    """Die with the parent, however that ends."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main(arguments: Sequence[str]) -> int:
    """Raise the walls that the first argument (JSON) asks for, then run the program after it."""
    asked, program, *rest = arguments
    wanted = json.loads(asked)
    _follow_parent()
    limit(wanted["memory_bytes"], wanted["scratch_bytes"])
    walls = ["memory"] if sys.platform == "linux" and wanted["memory_bytes"] else []
    if sys.platform == "linux":
        walls += unshare()
        if "processes" in walls:
            child = os.fork()
            if child:
                for number in (*map(int, rest), 0):
                    os.close(number)
                return guard(child)
            _follow_parent()
        # In a namespace of its own, only what runs there counts.
        if "processes" in walls:
            _lower(resource.RLIMIT_NPROC, wanted["tasks"])
        readable = [*SYSTEM, *glob.glob("/etc/java-*"), *wanted["readable"]]  # noqa: PTH207
        walls += fence(readable, wanted["writable"], is_alone="network" in walls)
    answers = int(rest[1])
    os.write(answers, json.dumps(walls).encode() + b"\n")
    sys.argv = [program, *rest]
    sys.path += wanted["imports"]
    runpy.run_path(program, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
