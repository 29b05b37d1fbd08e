"""The tree is kept as its rules say: sizes, names, docstrings, no dead files, no addresses."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "heddle"
MIGRATIONS = PACKAGE / "db" / "migrations" / "versions"
MODULE_LINES = 1000
FUNCTION_LINES = 70
WIDTH = 110
BANNED_NAMES = {"base", "common", "handler", "handlers", "helpers", "manager", "misc", "service"}
# Modules that nothing imports because a program starts them or a tool loads them.
STARTED = {
    "heddle.__main__",
    "heddle.cli",
    "heddle.demo.training",
    "heddle.scoring.job_process",
    "heddle.scoring.online",
    "heddle.spark",
}
LOADED_FROM = "heddle.db.migrations"
# Where each dependency's modules are found when their name is another.
IMPORTED_AS = {
    "google-re2": "re2",
    "mlflow-skinny": "mlflow",
    "psycopg[binary]": "psycopg",
    "pyyaml": "yaml",
}
# Those that something else loads by name.
LOADED_BY_NAME = {"httptools": "uvicorn", "uvloop": "uvicorn", "psycopg": "sqlalchemy"}
# Written so that this file does not hold what it looks for.
HOSTS = "|".join(
    host.replace(" ", r"\.")
    for host in (
        "pypi org",
        "pypi python org",
        "files pythonhosted org",
        "registry npmjs org",
        "registry yarnpkg com",
        "deb debian org",
        "anaconda org",
    )
)
FORBIDDEN = {
    "a registry's host": re.compile(HOSTS),
    "a download address": re.compile(r"https?://\S+\.(?:whl|tgz|tar\.gz|tar\.xz|zip|deb|jar)\b"),
    "a path of one machine": re.compile(r"(?<![\w.$}/-])/(?:home|Users|root|opt|work)/[\w.-]+"),
}
PIN = r"[a-z0-9][a-z0-9.-]*==\S+(?: ; [^;\\]+)? \\"
LOCK = re.compile(rf"{PIN}|    --hash=sha256:[0-9a-f]{{64}}(?: \\)?|#.*|")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git keeps."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> list[tuple[Path, str]]:
    """Every tracked file that is text."""
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found.append((path, data.decode()))
    return found


@cache
def modules() -> dict[Path, ast.Module]:
    """Every tracked Python file, parsed."""
    return {path: ast.parse(path.read_bytes()) for path in tracked() if path.suffix == ".py"}


def sources() -> dict[str, ast.Module]:
    """Our package's modules by dotted name."""
    named = {}
    for path, tree in modules().items():
        if path.is_relative_to(PACKAGE):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            named[".".join(parts).removesuffix(".__init__")] = tree
    return named


def imported(tree: ast.Module) -> set[str]:
    """Dotted names that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def dependencies() -> list[str]:
    """The packages that pyproject.toml and the inputs of the lock files name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    for source in (ROOT / "requirements").glob("*.in"):
        lines += [line for line in source.read_text().splitlines() if line[:1].isalpha()]
    page = json.loads((ROOT / "ui" / "package.json").read_text())
    lines += [*page["dependencies"], *page["devDependencies"]]
    return sorted({re.split(r"[\s<>=!~;]", line)[0] for line in lines})


def runtime_dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.split(r"[\s<>=!~;\[]", line)[0] for line in project["dependencies"]]


def test_modules_are_not_too_long():
    lines = {
        shown(path): len(path.read_text().splitlines())
        for path in modules()
        if path.parent != MIGRATIONS  # a step is a list of statements, written once
    }
    long = {name: count for name, count in lines.items() if count > MODULE_LINES}
    assert not long


def test_functions_are_not_too_long():
    long = {
        f"{shown(path)}:{node.lineno} {node.name}": lines
        for path, tree in modules().items()
        if path.parent != MIGRATIONS  # a step is a list of statements, written once
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


def test_lines_are_not_too_wide():
    wide = [
        f"{shown(path)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > WIDTH and "://" not in line
    ]
    assert not wide


def test_names_say_what_a_module_owns():
    vague = [
        shown(path)
        for path in modules()
        if {path.stem, path.parent.name} & BANNED_NAMES or path.stem.endswith("utils")
    ]
    assert not vague


def test_every_module_says_what_it_is_for():
    silent = [shown(path) for path, tree in modules().items() if not ast.get_docstring(tree)]
    assert not silent


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str):
    pattern = FORBIDDEN[what]
    found = [
        f"{shown(path)}:{text.count(chr(10), 0, match.start()) + 1} {match[0]}"
        for path, text in texts()
        for match in pattern.finditer(text)
    ]
    assert not found


def test_every_module_is_used():
    named = sources()
    used = set(STARTED).union(*(imported(tree) for tree in named.values()))
    dead = [
        name
        for name, tree in named.items()
        if name not in used and not name.startswith(LOADED_FROM) and not is_empty(tree)
    ]
    assert not dead


def is_empty(tree: ast.Module) -> bool:
    """Whether a module is its docstring and nothing more, as most packages' are."""
    return len(tree.body) <= 1


def test_every_runtime_dependency_is_used():
    tops = {name.partition(".")[0] for tree in sources().values() for name in imported(tree)}
    unused = [
        name
        for name in runtime_dependencies()
        if IMPORTED_AS.get(name, name) not in tops and LOADED_BY_NAME.get(name) not in tops
    ]
    assert not unused


def test_every_dependency_is_explained():
    page = (ROOT / "docs" / "dependencies.md").read_text()
    explained = set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE))
    assert explained == set(dependencies())


def test_lock_files_hold_pins_and_hashes_only():
    locks = [path for path in tracked() if path.suffix == ".txt" and "requirements" in shown(path)]
    odd = [
        f"{shown(lock)}:{number} {line}"
        for lock in locks
        for number, line in enumerate(lock.read_text().splitlines(), 1)
        if not LOCK.fullmatch(line)
    ]
    assert locks
    assert not odd


def test_every_pin_has_a_hash():
    """A pin without one would let a registry decide what is installed."""
    for lock in (ROOT / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=[^\s#])", lock.read_text().strip())
        assert all("--hash=sha256:" in entry for entry in entries), lock.name
