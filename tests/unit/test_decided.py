"""Decisions made in a page, and brought back into their audit."""

from __future__ import annotations

import json

import pytest

import semlens_widgets as slw
from tests.unit.test_audit import SPURIOUS, VALID, Shortcut, to_tensor


@pytest.fixture
def audit(colour_lens):
    target = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    return colour_lens(target=target).run().audit("red", VALID, SPURIOUS)


def decided(neuron, decision, note="", layer="seen"):
    return {
        "layer": layer, "neuron": neuron, "decision": decision, "note": note, "decided": "2026-11-28",
    }  # fmt: skip


@pytest.fixture
def file(tmp_path):
    def written(*decisions, target="red"):
        path = tmp_path / "decisions.json"
        path.write_text(json.dumps({"target": target, "decisions": decisions}))
        return path

    return written


def in_force(audit):
    frame = audit.neurons
    frame = frame[frame["decision"] != ""]
    return list(zip(frame["neuron"], frame["decision"], frame["note"], strict=True))


def test_decisions_of_a_page_are_taken_over(audit, file):
    audit.decide("seen", 0, "accept", "clear")
    audit.decide("seen", 1, "reject")
    told = []
    audit.on_decision(lambda: told.append(1))
    path = file(decided(0, "accept", "clear"), decided(2, "ignore", "dust"), decided(1, ""))
    assert audit.import_decisions(path) == 2
    assert in_force(audit) == [(0, "accept", "clear"), (2, "ignore", "dust")]
    assert len(told) == 2
    assert audit.import_decisions(path) == 0


def test_decisions_about_another_class_or_neuron_are_refused_and_none_is_taken(audit, file):
    with pytest.raises(ValueError, match="of an audit of 'ox', not of 'red'"):
        audit.import_decisions(file(decided(0, "accept"), target="ox"))
    with pytest.raises((KeyError, IndexError)):
        audit.import_decisions(file(decided(0, "accept"), decided(99, "accept")))
    with pytest.raises((KeyError, IndexError)):
        audit.import_decisions(file(decided(0, "accept"), decided(0, "accept", layer="none")))
    assert in_force(audit) == []


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "{}",
        '{"target": "red", "decisions": [1]}',
        '{"target": "red", "decisions": [{"layer": "seen", "neuron": true}]}',
        json.dumps({"target": "red", "decisions": [decided(0, "perhaps")]}),
        json.dumps({"target": 1, "decisions": []}),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(audit, tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json holds no decisions"):
        audit.import_decisions(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ValueError, match=r"x\.json holds no decisions"):
        audit.import_decisions(tmp_path / "x.json")
