"""What a person waits for before a screen is there: its scripts, compressed as they are served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "src" / "heddle" / "page"
LIMIT_BYTES = 400_000
STATIC = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\.\.?/[^"']+\.js)["']""")
LAZY = re.compile(r"""\bimport\(\s*["'`](\.\.?/[^"'`]*Screen[^"'`]*\.js)["'`]\s*\)""")
START = re.compile(r"""\bimport\(\s*["'`](\.\.?/start-[^"'`]*\.js)["'`]\s*\)""")


def needed(script: Path, found: set[Path]) -> set[Path]:
    """A script and all that it imports before it runs."""
    if script not in found:
        found.add(script)
        for name in STATIC.findall(script.read_text(encoding="utf-8")):
            needed((script.parent / name).resolve(), found)
    return found


def compressed(script: Path) -> int:
    small = script.with_name(f"{script.name}.br")
    return (small if small.exists() else script).stat().st_size


@pytest.fixture(scope="module")
def entry() -> Path:
    if not (PAGE / "index.html").exists():
        pytest.skip("the web page is not built: make page says why")
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    (name,) = re.findall(r'<script type="module"[^>]* src="/?([^"]+)"', html)
    return (PAGE / name).resolve()


def test_every_screen_opens_with_less_than_400_kb_of_script(entry: Path):
    code = entry.read_text(encoding="utf-8")
    screens = {(entry.parent / name).resolve() for name in LAZY.findall(code)}
    assert len(screens) >= 10, "the screens are no longer loaded one by one"
    (start,) = START.findall(code)
    first = needed((entry.parent / start).resolve(), needed(entry, set()))
    sizes = {
        screen.name: sum(compressed(script) for script in needed(screen, set(first)))
        for screen in screens
    }
    assert max(sizes.values()) < LIMIT_BYTES, sizes
