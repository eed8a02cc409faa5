"""What is pinned installs on every Python that the package is for."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PINS = [
    line.split("==")[0]
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if "==" in line
]


def oldest():
    """The first release of the oldest Python that the package asks for."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "requires-python"
    ]
    return f"{asked.removeprefix('>=')}.0"


def test_every_pinned_version_takes_the_oldest_python():
    looked_at, refusing = 0, {}
    for name in PINS:
        try:
            needs = metadata(name).get("Requires-Python")
        except PackageNotFoundError:  # one of another system
            continue
        looked_at += 1
        if needs and not SpecifierSet(needs).contains(oldest()):
            refusing[name] = needs
    assert refusing == {}
    assert looked_at > 0.9 * len(PINS)


@pytest.mark.parametrize("needs", [">=3.11.5", ">=3.12"])
def test_a_newer_python_is_told_apart(needs):
    assert not SpecifierSet(needs).contains(oldest())
