"""The reference is what the program gives, and links of the documents lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heddle.api.native.contents import CONTENTS
from heddle.settings import OPTIONS

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# The parser words its help a little differently in each release of Python.
HELP_OF = (3, 11)


def tool() -> Any:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def documents() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).exists()]


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as pages that show Markdown make them."""
    texts = HEADING.findall(FENCED.sub("", document.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", text.lower()) for text in texts)
    return {text.replace(" ", "-") for text in plain}


def test_the_reference_is_what_the_program_gives():
    made = tool().pages()
    assert {path.name for path in REFERENCE.glob("*.md")} == set(made)
    for name, text in made.items():
        if name != "command-line.md" or sys.version_info[:2] == HELP_OF:
            assert (REFERENCE / name).read_text() == text, f"{name} is behind: make docs"


def test_every_setting_and_call_stands_in_the_reference():
    settings = (REFERENCE / "settings.md").read_text()
    assert not [option.name for option in OPTIONS if f"`{option.flag}`" not in settings]
    calls = (REFERENCE / "native-api.md").read_text()
    assert not [offer.name for offer in CONTENTS if f"### {offer.name}\n" not in calls]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    lost = []
    for link in LINK.findall(FENCED.sub("", document.read_text())):
        name, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = document if not name else (document.parent / name).resolve()
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target)
        ):
            lost.append(link)
    assert not lost
