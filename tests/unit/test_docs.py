"""What the pages name exists: methods, classes, commands, files, and the headings they link to."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from textwrap import dedent

import pytest

import semlens_widgets as slw
from semlens_widgets import demo

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code_of(text: str) -> list[str]:
    """Blocks of Python, and what stands between backticks."""
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_blocks_are_python(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        ast.parse(dedent(block))


@pages
def test_what_code_names_exists(page):
    owners = {"lens": slw.SemanticLens, "slw": slw, "demo": demo}
    for code in code_of(page.read_text("utf-8")):
        for owner, name in re.findall(r"(?<![\w./])(lens|slw|demo)\.([A-Za-z]\w*)", code):
            assert hasattr(owners[owner], name), f"{page.name}: {owner}.{name}"


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name}: {target}"
        assert not heading or heading in anchors(there), f"{page.name}: {target}"


@pages
def test_commands_run_what_there_is(page):
    text = page.read_text("utf-8")
    for module in re.findall(r"python -m ((?:semlens_widgets|tests)\b[\w.]*)", text):
        assert importlib.util.find_spec(module), f"{page.name}: {module}"
    for path in re.findall(r"pytest (?:-\w+ )*(tests/[\w/.]+)", text):
        assert (ROOT / path).exists(), f"{page.name}: {path}"
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"`make ([a-z]+)", text):
        assert target in targets, f"{page.name}: make {target}"
