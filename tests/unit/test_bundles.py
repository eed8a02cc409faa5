"""The browser's half is built, small, self-contained, and inside wheel and sdist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "js" / "src"
STATIC = ROOT / "semlens_widgets" / "static"
ENTRIES = sorted(path.stem for path in (SOURCES / "entries").glob("*.ts*"))
BUNDLES = [f"{entry}{kind}" for entry in ENTRIES for kind in (".js", ".css")]

#: anywidget saves a bundle with every widget in every notebook: its size is a budget, in bytes.
#: The audit is a plot, a table, a form and a panel in one; the comparison a map, a list and two
#: galleries; the contrast panel a gallery of pairs, live bars, what can be trusted of them, and the
#: labelling of all neurons. Half a kilobyte of each is for the themes and keys of other front ends.
BUDGET = {"map": 302_000, "audit": 95_000, "compare": 101_000, "contrast": 97_000}
OTHERS = 82_000

FOREIGN_CODE = re.compile(
    r"""import\s*\(?\s*["'`](?:https?:)?//|importScripts\s*\(|"""
    r"""jsdelivr|unpkg\.com|esm\.sh|skypack|cdnjs|@import\s+(?:url\()?["']?(?:https?:)?//""",
    re.IGNORECASE,
)
MARKUP_FROM_TEXT = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|\beval\(|new Function"
)


def test_every_widget_has_an_entry():
    assert ENTRIES == [
        "audit",
        "compare",
        "contrast",
        "evolution",
        "explorer",
        "gallery",
        "intervene",
        "map",
        "page",
        "review",
        "trace",
    ]


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_exist(name):
    assert (STATIC / name).stat().st_size > 500, f"{name} is not built: pip install -e ."


@pytest.mark.parametrize("entry", ENTRIES)
def test_bundles_are_small(entry):
    size = (STATIC / f"{entry}.js").stat().st_size + (STATIC / f"{entry}.css").stat().st_size
    assert size <= BUDGET.get(entry, OTHERS), f"{entry}: {size} bytes"


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_load_no_foreign_code(name):
    assert not FOREIGN_CODE.search((STATIC / name).read_text("utf-8"))


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one != "page"])  # a page is no widget
def test_bundles_are_modules_that_anywidget_can_load(entry):
    assert re.search(r"export\s*\{[^}]*\bas default\b", (STATIC / f"{entry}.js").read_text("utf-8"))


def test_text_never_becomes_markup():
    paths = [path for path in SOURCES.rglob("*.ts*") if path.is_file()]
    assert paths
    guilty = [path.name for path in paths if MARKUP_FROM_TEXT.search(path.read_text("utf-8"))]
    assert guilty == []


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "js" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert "registry" not in lock


@pytest.mark.slow
def test_wheel_and_sdist_hold_everything_and_work_where_nothing_else_is(tmp_path):
    # Without arguments build makes the sdist, and the wheel from what is in the sdist.
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (sdist,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        packed = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]
    with zipfile.ZipFile(wheel) as archive:
        installed = archive.namelist()
    wanted = {f"semlens_widgets/static/{name}" for name in BUNDLES}
    assert wanted <= set(packed)
    assert wanted <= set(installed)
    assert "semlens_widgets/labels/candidates/vocabulary.txt" in installed
    assert not [name for name in packed if "node_modules" in name]
    assert "js/package-lock.json" in packed
    of_others = [name for name in installed if name.endswith("licenses/THIRD_PARTY_LICENSES.txt")]
    assert len(of_others) == 1
    # What a person meets who installs it, but for the dependencies, which are this environment's.
    here = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(here), str(wheel)], check=True, timeout=120)
    (tmp_path / "smoke.py").write_text((ROOT / "tests" / "smoke.py").read_text("utf-8"), "utf-8")
    tried = subprocess.run(
        [sys.executable, "smoke.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(here), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "all that was looked at holds" in tried.stdout
