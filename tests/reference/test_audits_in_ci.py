"""The page on audits in CI: its files run as they stand, and fail for the planted twin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from semlens_widgets.demo.analysis import release

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audits-in-ci.md").read_text("utf-8")


def block(language: str, name: str) -> str:
    """The block of the page that begins with a file's name."""
    found = re.search(rf"```{language}\n# {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "failures"), [("planted=False", "0"), ("planted=True", "1")])
def test_the_page_s_test_says_which_model_rests_on_the_watermark(scenes, tmp_path, model, failures):
    planted = model == "planted=True"
    # In a cache of its own, so that the test itself is quick.
    name = f"{'scenes' if planted else 'scenes-clean'}-{release()}"
    scenes(planted=planted, path=tmp_path / "cache" / "semlens-widgets" / name)
    (tmp_path / "audits.yaml").write_text(block("yaml", "audits.yaml"))
    code = block("python", "test_audits.py").replace("planted=False", model)
    (tmp_path / "test_audits.py").write_text(code)
    command = re.search(r"^pytest (.*)$", PAGE, re.MULTILINE)[1].split()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    suite = ET.parse(tmp_path / "audits.xml").getroot().find("testsuite")  # noqa: S314 - pytest wrote it
    assert suite.get("failures") == failures, done.stdout
    assert suite.get("errors") == "0"
    assert suite.get("tests") == "1"
    if failures == "1":
        message = "".join(suite.itertext())
        assert "reliance on 'watermark' <= 0.1" in message
