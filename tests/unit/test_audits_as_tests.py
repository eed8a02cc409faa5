"""A file of audits as tests of a pipeline of somebody else's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from semlens_widgets.testing import audit_cases

AUDITS = """
- target: red
  valid: [red]
  spurious: {bluish: [blue]}
  check: {max_spurious: 0.9, min_valid: 0.1}
- name: red, strictly
  target: red
  valid: [red]
  spurious: [blue]
  check: {max_spurious: 0.001}
"""
#: What a team writes, and the little world in the place of its model.
TESTS = """
import pytest
import semlens_widgets as slw
from semlens_widgets.testing import audit_cases
from tests.colour_world import ColourFoundation, colour_images, to_tensor
from tests.unit.test_audit import Shortcut

@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    target = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    images = slw.ImageDataset.from_list(
        colour_images(), [i % 3 for i in range(60)], ["red", "green", "blue"]
    )
    path = tmp_path_factory.mktemp("lens") / "analysis"
    return slw.SemanticLens(target, images, ColourFoundation(), path=path, n_examples=6).run()

@pytest.mark.parametrize("case", audit_cases("audits.yaml"))
def test_the_class_rests_on_what_it_should(case, lens):
    case.check(lens)
"""


def test_they_run_by_name_and_fail_by_a_table(tmp_path, pytestconfig):
    (tmp_path / "audits.yaml").write_text(AUDITS)
    (tmp_path / "test_model.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--junitxml=junit.xml"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(pytestconfig.rootpath), "TQDM_DISABLE": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    out = done.stdout
    assert "test_the_class_rests_on_what_it_should[red] PASSED" in out, out + done.stderr
    assert "test_the_class_rests_on_what_it_should[red, strictly] FAILED" in out
    assert "fail     reliance on 'blue' <= 0.001  0." in out
    assert "1 failed, 1 passed" in out
    assert "&lt;= 0.001" in (tmp_path / "junit.xml").read_text()


def test_a_case_is_what_the_file_says(tmp_path):
    file = tmp_path / "audits.yaml"
    file.write_text(AUDITS.replace("max_spurious: 0.001", "baseline: before.json"))
    first, second = (parameter.values[0] for parameter in audit_cases(file))
    assert first.spurious == {"bluish": ("blue",)}
    assert first.conditions == {"max_spurious": 0.9, "min_valid": 0.1}
    assert second.conditions == {"baseline": tmp_path / "before.json"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_spurious: 0.9", "max_spurios: 0.9", "'max_spurios'.*Did you mean 'max_spurious'"),
        ("  valid: [red]\n  spurious: {", "  vaild: [red]\n  spurious: {", "mean 'valid'"),
        ("- name: red, strictly\n  target", "- target", "'red' stands there twice"),
        ("  check: {max_spurious: 0.001}", "", "entry 2 .* has no 'check'"),
        ("{max_spurious: 0.001}", "{}", "'check' must name conditions"),
        ("spurious: [blue]", "spurious: [red]", "both valid and spurious"),
        ("spurious: [blue]", "spurious: []", "spurious in .*entry 2.* no concept"),
        (AUDITS, "a: b", "must hold a list of audits"),
        (AUDITS, "- a", "entry 1 .* must have target"),
        ("- target", "- [target", "is no YAML, line"),
    ],
)
def test_a_file_with_a_fault_is_refused(tmp_path, old, new, said):
    file = tmp_path / "audits.yaml"
    file.write_text(AUDITS.replace(old, new, 1))
    with pytest.raises(ValueError, match=said):
        audit_cases(file)
