"""Scanning: what a model's files would do when they are loaded, found without loading them.

``data-only`` files hold numbers and words. ``code-bearing`` ones bring objects or code that Python
runs when it loads them, as most models do; they belong into locked-down processes. ``suspicious``
ones reach for the system, hide something, or cannot be looked through. Nothing here unpickles,
imports or runs what it looks at: pickles are read opcode by opcode (by picklescan), archives are
unpacked within limits, into memory or nameless temporary files. Run as a program it scans the
folders that its input names and prints what it found; that is how the worker does it (`scanning`).
"""

from __future__ import annotations

import ast
import bz2
import gzip
import json
import logging
import lzma
import os
import re
import resource
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

import msgspec

from heddle.registry.scans import LABELS, Finding, Label

INFLATED_MAX: Final = 8 * 1024**3
"""Bytes that the archives of one model may hold together."""
ENTRIES_MAX: Final = 100_000
DEPTH_MAX: Final = 4
TEXT_MAX: Final = 64 * 1024 * 1024
"""A notebook or program of more bytes than this is not read."""
BLOCK: Final = 1024 * 1024
KEPT_IN_MEMORY: Final = 64 * 1024 * 1024
MEMORY_BYTES: Final = 4 * 1024**3
CPU_S: Final = 3600
NAMED_MAX: Final = 8
"""How many imports one finding names."""

_PICKLES: Final = {
    ".pkl", ".pickle", ".joblib", ".p", ".pt", ".pth", ".ckpt", ".dill", ".cloudpickle", ".npy",
}  # fmt: skip
_PROGRAMS: Final = {
    ".py", ".pyc", ".pyw", ".so", ".dll", ".dylib", ".exe", ".jar", ".class", ".sh", ".bat",
    ".ps1", ".r", ".rds", ".pl", ".js", ".whl", ".egg",
}  # fmt: skip
_BINARIES: Final = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_UNREAD: Final = {
    b"7z\xbc\xaf'\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_LAMBDA: Final = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_GRAPH_OPS: Final = re.compile(rb"\b(?:WriteFile|ReadFile|PyFunc|EagerPyFunc|MatchingFiles)\b")
_CODE_OF_OTHERS: Final = ("cloudpickle", "dill")
"""What pickles functions by value: such a file brings Python code along, as custom models do."""
_HARMLESS_BUILTINS: Final = {
    "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object",
    "range", "set", "slice", "str", "tuple", "NoneType", "Ellipsis", "NotImplemented",
}  # fmt: skip
_REACHES_OUT: Final = (
    "_io", "_posixsubprocess", "_thread", "_winapi", "atexit", "codeop", "fileinput", "gc",
    "glob", "importlib", "io", "linecache", "marshal", "mmap", "multiprocessing", "platform",
    "site", "smtplib", "ftplib", "telnetlib", "sqlite3", "tempfile", "threading", "urllib", "xmlrpc",
    "zipimport",
)  # fmt: skip
"""Modules of Python that no model's state needs; beside those that picklescan knows."""
_LOADERS: Final = {
    "joblib.load", "joblib.numpy_pickle.load", "numpy.load", "numpy.fromfile", "pandas.read_pickle",
    "pandas.io.pickle.read_pickle", "torch.load", "torch.hub.load", "cloudpickle.load",
    "cloudpickle.loads", "dill.load", "dill.loads",
}  # fmt: skip
"""Functions that load further pickles, past any scan."""
_IN_MEMORY: Final = {"_io.BytesIO", "_io.StringIO", "io.BytesIO", "io.StringIO"}
_WORD: Final = re.compile(r"[A-Za-z_][\w.]*")
# How pickles spell the name of a module or function of the system: as a text with its length
# before it, or on a line of its own. Looked for where a file cannot be read opcode by opcode.
_SYSTEM: Final = (
    "builtins", "__builtin__", "ctypes", "importlib", "nt", "os", "pickle", "_pickle", "posix",
    "pty", "runpy", "shutil", "socket", "subprocess", "sys", "webbrowser",
)  # fmt: skip
_HIDDEN: Final = re.compile(
    b"|".join(
        part
        for name in _SYSTEM
        for part in (
            re.escape(bytes([0x8C, len(name)]) + name.encode()) + rb"[\x8c\x94Xhqr]",
            re.escape(b"X" + len(name).to_bytes(4, "little") + name.encode()) + rb"[\x8c\x94Xhqr]",
            rb"[ci]" + re.escape(name.encode()) + rb"\r?\n[A-Za-z_]\w*\r?\n",
        )
    )
)
_TELLTALES: Final = (
    (
        re.compile(
            r"\b(?:exec|eval)\s*\(\s*(?:[\w.]+\s*\(\s*)*"
            r"(?:base64|zlib|gzip|codecs|marshal|binascii|bytes\.fromhex)\b"
        ),
        "runs code that it decodes first",
    ),
    (re.compile(r"\b(?:curl|wget)\b[^\n|]*\|\s*(?:sudo\s+)?\w*sh\b"), "runs what it downloads"),
    (re.compile(r"/dev/tcp/"), "opens a shell to another machine"),
    (re.compile(r"\bos\.dup2\s*\("), "hands its input and output to a connection"),
)
_INSTALLS: Final = re.compile(
    r"^\s*(?:-i\b|--index-url|--extra-index-url|-f\b|--find-links|-e\b|\S+\s*@\s*\w+[+:]|\w+\+\w+://|https?://)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in all files of a model, and by which scanner."""

    label: Label
    findings: tuple[Finding, ...]
    scanner: str


@dataclass(slots=True)
class _Budget:
    """What one scan may still unpack."""

    inflated: int = INFLATED_MAX
    entries: int = ENTRIES_MAX


class _TooMuch(Exception):
    """An archive holds more than a scan unpacks."""


@dataclass(slots=True)
class _Look:
    """One content that is being looked at: its name, its bytes, how deep in archives it lies."""

    path: str
    file: IO[bytes]
    budget: _Budget
    depth: int = 0
    head: bytes = field(default=b"", init=False)

    def __post_init__(self) -> None:
        self.file.seek(0)
        self.head = self.file.read(512)
        self.file.seek(0)

    @property
    def suffix(self) -> str:
        """The last suffix of the name, in lower case."""
        return PurePosixPath(self.path.replace("!", "/")).suffix.lower()

    def said(self, label: Label, what: str) -> Finding:
        """A finding in this content."""
        return Finding(self.path, label, what)


def scanner_name() -> str:
    """Which scanner this is: findings of another may differ."""
    return f"heddle/1 picklescan/{version('picklescan')}"


def scan_folder(folder: Path) -> Scanned:
    """Look at every file in a folder; raises ``OSError`` if one cannot be read."""
    budget = _Budget()
    findings: list[Finding] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            shown = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file():
                findings.append(Finding(shown, "suspicious", "is a link or no ordinary file"))
                continue
            with path.open("rb") as file:
                findings += scan_file(shown, file, budget)
    return judge(findings)


def judge(findings: list[Finding]) -> Scanned:
    """The whole from its parts: as grave as the gravest finding."""
    label: Label = "data-only"
    for finding in findings:
        if LABELS.index(finding.label) > LABELS.index(label):
            label = finding.label
    findings.sort(key=lambda each: (-LABELS.index(each.label), each.path))
    return Scanned(label, tuple(findings), scanner_name())


def scan_file(path: str, file: IO[bytes], budget: _Budget | None = None) -> list[Finding]:
    """What one file holds; ``path`` is only shown. The file must be able to seek."""
    look = _Look(path, file, budget or _Budget())
    try:
        return list(_findings(look))
    except _TooMuch as error:
        return [look.said("suspicious", str(error))]


def _findings(look: _Look) -> Iterator[Finding]:
    for magic, name in _UNREAD.items():
        if look.head.startswith(magic):
            yield look.said("suspicious", f"is packed with {name}, which is not looked into")
            return
    if look.head.startswith(_BINARIES):
        yield look.said("code-bearing", "is a compiled program or library")
    elif look.suffix in _PROGRAMS:
        yield look.said("code-bearing", "is a program")
    is_zip = zipfile.is_zipfile(look.file)
    look.file.seek(0)
    if is_zip:
        yield from _zip(look)
    elif (opened := _unpacked(look)) is not None:
        with opened:
            yield from _deeper(look, PurePosixPath(look.path).stem or "content", opened)
    elif _is_tar(look):
        yield from _tar(look)
    elif look.head.startswith(b"\x93NUMPY"):
        yield from _array(look)
    else:
        yield from _contents(look)
        look.file.seek(0)
        yield from _pickle(look)


def _contents(look: _Look) -> Iterator[Finding]:
    """Findings in formats that are known by name or by their first bytes."""
    name = PurePosixPath(look.path.replace("!", "/")).name.lower()
    if look.suffix == ".ipynb":
        yield from _notebook(look)
    elif look.suffix in (".py", ".sh", ".js", ".r"):
        yield from _telltales(look, look.file.read(TEXT_MAX).decode("utf-8", "replace"))
    elif name == "saved_model.pb":
        if found := _find(look.file, _GRAPH_OPS):
            yield look.said(
                "suspicious", f"is a graph that reaches for files or Python: {found.decode()}"
            )
    elif look.head.startswith(_HDF5) or name == "config.json":
        if _find(look.file, _LAMBDA):
            yield look.said("code-bearing", "has a Keras Lambda layer, which is Python code")
    elif name == "requirements.txt":
        text = look.file.read(TEXT_MAX).decode("utf-8", "replace")
        if found_line := _INSTALLS.search(text):
            yield look.said(
                "code-bearing", f"installs from an address: {found_line[0].strip()[:100]}"
            )


def _find(file: IO[bytes], pattern: re.Pattern[bytes], overlap: int = 512) -> bytes | None:
    """The first match of a short pattern anywhere in a file."""
    file.seek(0)
    kept = b""
    while block := file.read(BLOCK):
        if found := pattern.search(kept + block):
            return found[0]
        kept = block[-overlap:]
    return None


def _notebook(look: _Look) -> Iterator[Finding]:
    yield look.said("code-bearing", "is a notebook; nothing runs it here")
    try:
        cells = json.loads(look.file.read(TEXT_MAX)).get("cells", [])
        for cell in cells:
            source = cell.get("source", "")
            text = source if isinstance(source, str) else "".join(source)
            if cell.get("cell_type") == "code":
                yield from _telltales(look, text)
            if "<script" in json.dumps(cell.get("outputs", [])).lower():
                yield look.said("code-bearing", "has an output that brings a script along")
    except (ValueError, AttributeError, TypeError, RecursionError):
        yield look.said("code-bearing", "cannot be read as a notebook")


def _telltales(look: _Look, text: str) -> Iterator[Finding]:
    for pattern, what in _TELLTALES:
        if pattern.search(text):
            yield look.said("suspicious", what)


def _zip(look: _Look) -> Iterator[Finding]:
    try:
        with zipfile.ZipFile(look.file) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                yield from _name(look, entry.filename)
                if entry.flag_bits & 1:
                    yield look.said("suspicious", f"hides {entry.filename} behind a password")
                    continue
                with archive.open(entry) as member:
                    yield from _deeper(look, entry.filename, member)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        yield look.said("suspicious", f"is a damaged or forged ZIP archive: {error}")
    except (NotImplementedError, RuntimeError) as error:
        yield look.said("suspicious", f"is a ZIP archive that cannot be looked into: {error}")


def _is_tar(look: _Look) -> bool:
    return look.head[257:262] == b"ustar"


def _tar(look: _Look) -> Iterator[Finding]:
    try:
        with tarfile.open(fileobj=look.file, mode="r:") as archive:
            for entry in archive:
                yield from _name(look, entry.name)
                if not (entry.isfile() or entry.isdir()):
                    yield look.said("suspicious", f"holds {entry.name}, a link or device")
                elif entry.isfile() and (member := archive.extractfile(entry)) is not None:
                    yield from _deeper(look, entry.name, member)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        yield look.said("suspicious", f"is a damaged TAR archive: {error}")


def _name(look: _Look, name: str) -> Iterator[Finding]:
    plain = name.replace("\\", "/")
    if plain.startswith("/") or ".." in plain.split("/") or re.match(r"[A-Za-z]:", plain):
        yield look.said("suspicious", f"holds {name!r}, which would be unpacked elsewhere")


def _unpacked(look: _Look) -> Any:
    """The content of a stream that is packed as one, as joblib packs: None if it is not."""
    if look.head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=look.file, mode="rb")
    if look.head.startswith(b"BZh"):
        return bz2.BZ2File(look.file)
    if look.head.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMAFile(look.file)
    if look.head[:1] == b"\x78" and look.head[1:2] in b"\x01\x5e\x9c\xda":
        with suppress(zlib.error):
            zlib.decompressobj().decompress(look.head, 64)
            return _Deflated(look.file)
    return None


class _Deflated(tempfile.SpooledTemporaryFile[bytes]):
    """A zlib stream, unpacked as far as it is read."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(max_size=KEPT_IN_MEMORY)
        self._packed = packed
        self._unpacker = zlib.decompressobj()

    def read(self, size: int = BLOCK) -> bytes:
        """The next bytes, at most ``size``."""
        while not self._unpacker.eof:
            fed = self._unpacker.unconsumed_tail or self._packed.read(BLOCK)
            block = self._unpacker.decompress(fed, size)
            if block or not fed:
                return block
        return b""


def _deeper(look: _Look, name: str, packed: IO[bytes]) -> Iterator[Finding]:
    """Findings in something that an archive or a packed stream holds."""
    if look.depth >= DEPTH_MAX:
        raise _TooMuch(f"packs archives into archives more than {DEPTH_MAX} deep")
    look.budget.entries -= 1
    if look.budget.entries < 0:
        raise _TooMuch(f"holds more than {ENTRIES_MAX} files")
    with tempfile.SpooledTemporaryFile(max_size=KEPT_IN_MEMORY) as file:
        try:
            while block := packed.read(BLOCK):
                look.budget.inflated -= len(block)
                if look.budget.inflated < 0:
                    raise _TooMuch(f"unpacks to more than {INFLATED_MAX >> 30} GB")
                file.write(block)
        except (zlib.error, lzma.LZMAError, EOFError) as error:
            yield look.said("suspicious", f"cannot be unpacked: {error}")
        inner = _Look(f"{look.path}!{name}", file, look.budget, look.depth + 1)
        yield from _findings(inner)


def _array(look: _Look) -> Iterator[Finding]:
    """A NumPy array: one of Python objects is a pickle behind the header."""
    file = look.file
    major = look.head[6]
    width = 2 if major == 1 else 4
    file.seek(8)
    length = int.from_bytes(file.read(width), "little")
    text = file.read(min(length, 64 * 1024)).decode("latin-1")
    try:
        described = ast.literal_eval(text.strip())
        has_objects = "O" in re.sub(r"'[^']*':", "", str(described["descr"]))
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        yield look.said("suspicious", "is a NumPy array whose header cannot be read")
        return
    if has_objects:
        yield look.said("code-bearing", "is an array of Python objects")
        with tempfile.SpooledTemporaryFile(max_size=KEPT_IN_MEMORY) as rest:
            while block := file.read(BLOCK):
                rest.write(block)
            yield from _pickle(_Look(look.path, rest, look.budget, look.depth))


def _pickle(look: _Look) -> Iterator[Finding]:
    """What a pickle would import; any content may be one, whatever its name."""
    from picklescan.scanner import SafetyLevel, scan_pickle_bytes  # noqa: PLC0415 -- slow, here only

    logging.getLogger("picklescan").setLevel(logging.CRITICAL)
    is_pickle = look.head[:1] == b"\x80" and look.head[1:2] <= b"\x05"
    is_named = is_pickle or look.suffix in _PICKLES
    try:
        result = scan_pickle_bytes(look.file, look.path)
    except (ValueError, IndexError, KeyError, RecursionError, OverflowError) as error:
        if is_named:
            yield look.said("suspicious", f"is a pickle that hides what it imports: {error}")
        return
    names: dict[Label, list[str]] = {"suspicious": [], "code-bearing": []}
    brings_code = False
    for found in result.globals:
        module, name = str(found.module), str(found.name)
        if not is_named and not (_WORD.fullmatch(module) and _WORD.fullmatch(name)):
            continue  # a text that happens to begin like a pickle
        is_dangerous = found.safety is SafetyLevel.Dangerous or _is_dangerous(module, name)
        if f"{module}.{name}" in _LOADERS:
            names["suspicious"].append(f"{module}.{name}")
        elif module.partition(".")[0] in _CODE_OF_OTHERS:
            brings_code = True
        elif is_dangerous and (is_named or "unknown" not in f"{module}.{name}"):
            names["suspicious"].append(f"{module}.{name}")
        elif is_named:
            names["code-bearing"].append(f"{module}.{name}")
    if names["suspicious"]:
        yield look.said("suspicious", f"would call {_some(names['suspicious'])} when loaded")
    if brings_code:
        yield look.said("code-bearing", "brings Python functions along (cloudpickle)")
    if names["code-bearing"]:
        yield look.said("code-bearing", f"makes objects of {_some(names['code-bearing'])}")
    if is_named and result.scan_err and not names["suspicious"]:
        yield from _remainder(look, names["code-bearing"])


def _is_dangerous(module: str, name: str) -> bool:
    """Whether a pickle has no business importing this, by our own rules."""
    if module in ("builtins", "__builtin__"):
        harmless = name in _HARMLESS_BUILTINS or name.endswith(("Error", "Exception", "Warning"))
        return not harmless
    return module.partition(".")[0] in _REACHES_OUT and f"{module}.{name}" not in _IN_MEMORY


def _remainder(look: _Look, imports: list[str]) -> Iterator[Finding]:
    """A pickle that cannot be read to its end: arrays may lie between its opcodes, or a trick."""
    if hidden := _find(look.file, _HIDDEN):
        word = max(re.findall(rb"[A-Za-z_]{2,}", hidden), key=len).decode()
        yield look.said("suspicious", f"names {word} where it cannot be read as a pickle")
    elif not any(name.startswith(("joblib.", "torch.", "numpy.")) for name in imports):
        yield look.said("suspicious", "is a pickle that cannot be read to its end")


def _some(names: list[str]) -> str:
    kept = sorted(set(names))
    more = f" and {len(kept) - NAMED_MAX} more" if len(kept) > NAMED_MAX else ""
    return ", ".join(kept[:NAMED_MAX]) + more


def main() -> None:
    """Scan each folder that a line of the input names, within limits, and print what it holds.

    An answer is a ``Scanned`` as JSON, or a text that says why there is none.
    """
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S)):
        hard: Any = resource.getrlimit(limit)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, hard))
    os.nice(10)  # nobody waits for it
    for line in sys.stdin:
        answer: Scanned | str
        try:
            answer = scan_folder(Path(line.rstrip("\n")))
        except MemoryError:
            answer = "There are more things in these files than memory for a scan."
        except (OSError, RuntimeError) as error:
            answer = f"The files cannot be read: {error}"
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
