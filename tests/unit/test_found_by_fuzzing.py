"""What made-up input has found (``tests/fuzz``): each once broke what it was given to."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import traitlets

from semlens_widgets.labels.candidates.answers import parse_answer
from semlens_widgets.labels.concepts import read_concepts
from semlens_widgets.lens.decided import import_decisions
from semlens_widgets.lens.label_file import read_label_file
from semlens_widgets.store.decisions import write_decision
from semlens_widgets.testing import audit_cases
from semlens_widgets.widgets import ConceptGallery, ContrastPanel
from semlens_widgets.widgets._page.chunks import compact
from tests.unit.panel_world import Asker, Lens


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("1. 1. I cannot say", ()),
        ('1. "2. red fox"', ("red fox",)),
        ("- * red fox", ("red fox",)),
    ],
)
def test_numbers_within_numbers_of_an_answer(answer, kept):
    assert parse_answer(answer, 3).kept == kept


@pytest.mark.parametrize("content", ['" onload', '"layer,neuron,label\na,0,x\n'])
def test_a_quote_that_is_never_closed_in_the_first_line(tmp_path, content):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(ValueError, match=r"labels\.csv, line 1: no CSV"):
        read_label_file(tmp_path / "labels.csv", {("a", 0)})


@pytest.mark.parametrize("value", ["!!float", "2001-99-99", "!!int a", "!!timestamp x", "[" * 9999])
def test_values_that_yaml_cannot_make(tmp_path, value):
    (tmp_path / "both.yaml").write_text(f"valid: {value}\n")
    with pytest.raises(ValueError, match=r"'both\.yaml' is no YAML"):
        read_concepts(tmp_path / "both.yaml", "valid")
    with pytest.raises(ValueError, match=r"'both\.yaml' is no YAML"):
        audit_cases(tmp_path / "both.yaml")


def test_a_folder_in_place_of_a_yaml_file(tmp_path):
    (tmp_path / "both.yaml").mkdir()
    with pytest.raises(ValueError, match=r"'both\.yaml' cannot be read: Is a directory"):
        read_concepts(tmp_path / "both.yaml", "valid")


@pytest.mark.parametrize("kind", ["stop", "request"])
@pytest.mark.parametrize("of", [[], {}, "\ud800", None, 1.5])
def test_messages_by_no_number_are_left_alone(monkeypatch, kind, of):
    ask = Asker(ConceptGallery(Lens()), monkeypatch)
    ask.widget._answer(ask.widget, {"kind": kind, "id": of, "method": "neuron"}, [])
    assert ask.replies == []


def test_half_a_character_is_refused_in_words(monkeypatch):
    ask = Asker(ConceptGallery(Lens()), monkeypatch)
    refused, _ = ask("neuron", layer="\ud83d", neuron=0)
    assert refused == {
        "type": "ValueError",
        "message": "A text holds half a character, such as of an emoji: type it anew.",
    }


@pytest.mark.parametrize("params", [True, [1], "text", 3])
def test_parameters_without_names_are_refused_in_words(monkeypatch, params):
    ask = Asker(ConceptGallery(Lens()), monkeypatch)
    asked = {"kind": "request", "id": 1, "method": "neuron", "params": params}
    ask.widget._answer(ask.widget, asked, [])
    assert "parameters" in ask.reply(1)[0]["message"]


HALVES = ["\ud800", "red \udc80 fox"]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_character_among_the_words_of_a_page_is_refused_in_words(tmp_path, half):
    panel = ContrastPanel(Lens(), "layer3", 0)
    with pytest.raises(ValueError, match=r"texts: .* holds half a character"):
        panel.to_html(tmp_path / "page.html", texts=["fox", half])
    assert not list(tmp_path.iterdir())
    with pytest.raises(traitlets.TraitError, match=r"entry 1.* holds half a character"):
        panel.candidates = ["fox", half]


@pytest.mark.parametrize("half", HALVES)
def test_half_a_character_in_a_page_is_escaped(half):
    written = compact({"uri": half, "path": "\\" + half})
    written.encode("utf-8")
    assert json.loads(written) == {"uri": half, "path": "\\" + half}


@pytest.mark.parametrize("half", HALVES)
def test_half_a_character_in_a_decision_is_refused_before_any_is_kept(tmp_path, half):
    kept = []
    audit = SimpleNamespace(target="red", decide=lambda *said: kept.append(said))
    ends = ("seen", 0, "clear"), ("seen", 1, half)
    decisions = [
        {"layer": layer, "neuron": neuron, "decision": "accept", "note": note}
        for layer, neuron, note in ends
    ]
    (tmp_path / "made.json").write_text(json.dumps({"target": "red", "decisions": decisions}))
    with pytest.raises(ValueError, match=r"made\.json holds no decisions"):
        import_decisions(audit, tmp_path / "made.json")
    assert kept == []
    with pytest.raises(ValueError, match=r"note: .* holds half a character"):
        write_decision(SimpleNamespace(), "red", "seen", 0, "accept", half)
