"""The kernel's side of the audit view."""

from __future__ import annotations

import io

import numpy as np
import pytest
import traitlets
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.labels.concepts import typed_concepts
from semlens_widgets.widgets.audit import AuditView
from tests.unit.audit_world import EVIL, Audit
from tests.unit.panel_world import Asker, Lens

REDS = {"target": "red", "valid": "red", "spurious": "blue"}


@pytest.fixture
def view():
    lens = Lens()
    return AuditView(lens, Audit(lens.neurons))


@pytest.fixture
def ask(view, monkeypatch):
    return Asker(view, monkeypatch)


@pytest.fixture
def form(monkeypatch):
    return Asker(AuditView(Lens()), monkeypatch)


def test_repr_names_class_and_neuron(view):
    assert repr(AuditView(Lens())) == "AuditView(no audit, no neuron)"
    view.active = ("layer3", 1)
    assert repr(view) == "AuditView('zebra', layer3 / 1)"


def test_options_are_checked():
    assert AuditView(Lens(), layer="layer3", sort_by="verdict").layer == "layer3"
    with pytest.raises(traitlets.TraitError, match="Did you mean 'layer3'"):
        AuditView(Lens(), layer="layer33")
    with pytest.raises(TypeError, match=r"no option 'layr'.*'layer'"):
        AuditView(Lens(), layr="layer3")


def test_the_whole_of_an_audit_is_said(ask):
    said, buffers = ask("audit", audit=1)
    assert buffers == []
    assert (said["target"], said["images"], said["at"]) == ("zebra", 3, "layer4")
    assert said["spurious"] == [{"name": EVIL, "phrases": ["grass", "a fence"]}]
    first, last = said["layers"]
    assert (first["name"], first["valid"], first["spurious"]) == ("layer3", 0.6, 0.7)
    assert (last["valid"], last["spurious"]) == (None, None)  # nothing there could be scored
    assert first["verdicts"][1] == {
        "verdict": "unexpected",
        "share": 0.75,
        "low": 0.7,
        "high": 0.8,
        "neurons": 1,
    }


def test_rows_are_those_of_a_layer_the_heaviest_first(ask):
    answer, _ = ask("audit_rows", audit=1, layer="layer3")
    assert (answer["audit"], answer["layer"]) == (1, "layer3")
    assert [(row["neuron"], row["share"], row["verdict"]) for row in answer["rows"]] == [
        (1, 0.75, "unexpected"),
        (0, 0.25, "both"),
    ]
    assert answer["rows"][0]["label"] == ""
    assert answer["rows"][1]["spurious_phrase"] == "a fence"
    unscored, _ = ask("audit_rows", audit=1, layer="layer4")
    assert unscored["rows"][0]["valid"] is unscored["rows"][0]["reliance"] is None
    error, _ = ask("audit_rows", audit=1, layer="layer9")
    assert "no layer 'layer9'" in error["message"]


def test_a_row_says_where_its_neuron_stands_in_the_table(view, ask):
    said, _ = ask("audit", audit=1)
    assert said["neurons"] == len(view.lens.neurons)
    for layer in ("layer3", "layer4"):
        for row in ask("audit_rows", audit=1, layer=layer)[0]["rows"]:
            neuron = view.lens.neurons.iloc[row["row"]]
            assert (neuron["layer"], neuron["neuron"]) == (layer, row["neuron"])
    view._selected = b"\x05"  # what the button sends
    assert view.selected.index.tolist() == [0, 2]


def test_a_decision_is_answered_as_it_is_kept_and_every_view_hears(view, ask):
    other = AuditView(view.lens, view.audit)
    neuron = {"audit": 1, "layer": "layer3", "neuron": 1}
    kept, _ = ask("decide", **neuron, decision="reject", note=" it is  sky ")
    assert view.audit.decisions == {("layer3", 1): ("reject", "it is sky")}
    assert (kept["decision"], kept["note"], kept["decided"][:4]) == ("reject", "it is sky", "2026")
    assert (view.get_state()["_decided"], other.get_state()["_decided"]) == (1, 1)
    decided, _ = ask("decisions", audit=1)
    assert decided == {"audit": 1, "decisions": [kept]}
    ask("decide", **neuron, decision="", note="")
    assert ask("decisions", audit=1)[0]["decisions"] == []


def test_a_decision_that_cannot_be_kept_is_refused(view, ask):
    view.audit.read_only = True
    error, _ = ask("decide", audit=1, layer="layer3", neuron=1, decision="accept", note="")
    assert error == {"type": "StoreError", "message": "The analysis is open for reading only."}
    assert view.get_state()["_decided"] == 0


def test_what_is_about_an_earlier_audit_is_refused(view, ask):
    view.audit = Audit(view.lens.neurons, "horse")
    assert view.get_state()["_audits"] == 2
    for method in ("audit", "decisions", "decide"):
        error, _ = ask(method, audit=1, layer="layer3", neuron=1, decision="accept")
        assert "no longer shown" in error["message"]
    assert view.audit.decisions == {}
    view.audit = None
    assert view.get_state()["_audits"] == 0
    view.audit = Audit(view.lens.neurons)
    assert view.get_state()["_audits"] == 3  # no number stands for two


def test_images_of_the_class_come_with_pictures_from_anywhere(ask):
    answer, _ = ask("class_images", layer="layer3", neuron=0)
    assert (answer["audit"], answer["layer"], answer["neuron"]) == (1, "layer3", 0)
    assert [(one["sample"], one["share"]) for one in answer["images"]] == [(7, 0.5), (2, 0.25)]
    pictures, buffers = ask("thumbnails", samples=[7, 2])
    assert pictures["errors"] == [None, "The image is not at hand."]
    assert buffers == [b"jpeg 7"]


def test_a_form_makes_an_audit_and_tells_how_far_it_is(form):
    assert form("classes")[0] == ["zebra", "horse"]
    asked = {"target": " zebra ", "valid": "stripes", "spurious": "sky: blue sky, cloud\nox"}
    assert form("make_audit", **asked)[0] == {"audit": 1}
    sides = {"stripes": ["stripes"]}, {"sky": ["blue sky", "cloud"], "ox": ["ox"]}
    assert form.widget.lens.asked == [("zebra", *sides)]
    assert {"kind": "progress", "id": 2, "done": 1, "total": 2} in [one for one, *_ in form.replies]
    assert form.widget.audit.target == "zebra"
    assert form("audit", audit=1)[0]["target"] == "zebra"


def test_a_blank_class_and_an_unknown_one_leave_the_audit_that_there_is(view, ask):
    before = view.audit
    assert "Which class?" in ask("make_audit", target=" ", valid="a", spurious="b")[0]["message"]
    error, _ = ask("make_audit", target="zebu", valid="a", spurious="b")
    assert error["type"] == "ValueError"
    assert "'zebu' is not the name of an output" in error["message"]
    assert (view.audit, view.get_state()["_audits"]) == (before, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "pink"}, "'pink' is not the name of an output"),
        ({"valid": ""}, "valid: there is no concept"),
        ({"spurious": " , \n"}, "spurious: there is no concept"),
        ({"spurious": "blue, Red"}, "'Red' is both valid and spurious"),
        ({"spurious": "sea: blue\nsea: ocean"}, "spurious: 'sea' stands there twice"),
        ({"valid": "colour:"}, "valid: 'colour' has no phrases"),
        ({"valid": ": red"}, "a concept or phrase is blank"),
    ],
)
def test_what_cannot_be_audited_is_said_before_work_starts(
    colour_lens, monkeypatch, asked, message
):
    lens = colour_lens().run()
    monkeypatch.setattr(lens._parts.relevances, "keep", lambda *_: pytest.fail("work has started"))
    monkeypatch.setattr(lens._parts.scoring, "of_all", lambda *_: pytest.fail("work has started"))
    error, _ = Asker(AuditView(lens), monkeypatch)("make_audit", **REDS | asked)
    assert message in error["message"]


def test_typed_words_are_concepts():
    typed = "ox,  its horns\nits fur: brown  fur , hair\n\n"
    assert typed_concepts(typed, "valid") == {
        "ox": ["ox"],
        "its horns": ["its horns"],
        "its fur": ["brown fur", "hair"],
    }


def test_a_real_audit_is_viewed_as_it_is(colour_lens, monkeypatch):
    lens = colour_lens().run()
    told = []
    audit = lens.audit("red", ["red"], ["blue"], progress=lambda *step: told.append(step))
    total = told[0][1]
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert total >= len(audit.images)
    ask = Asker(audit.view(active=("seen", 2)), monkeypatch)
    rows = ask("audit_rows", audit=1, layer="seen")[0]["rows"]
    frame = audit.neurons.set_index(["layer", "neuron"]).loc["seen"]
    order = frame["relevance_share"].sort_values(ascending=False, kind="stable").index
    assert [row["neuron"] for row in rows] == order.tolist()
    assert [row["verdict"] for row in rows] == frame["verdict"][order].tolist()
    for side, level in zip(("valid", "spurious"), audit.chance("seen"), strict=True):
        fits = frame[f"{side}_null"] <= 0.05
        assert (frame[side][fits] >= level - 1e-9).all()
        assert (frame[side][~fits] <= level + 1e-9).all()
    images = ask("class_images", layer="seen", neuron=0)[0]["images"]
    share = dict(zip(audit.images.tolist(), audit.shares.known[:, 0], strict=True))
    assert [one["share"] for one in images] == sorted(share.values(), reverse=True)[:12]
    assert all(one["share"] == share[one["sample"]] for one in images)


def test_decisions_outlive_the_lens(colour_lens, monkeypatch):
    lens = colour_lens().run()
    ask = Asker(lens.audit("red", ["red"], ["blue"]).view(), monkeypatch)
    ask("decide", audit=1, layer="seen", neuron=2, decision="reject", note="the sky")
    again = slw.open(lens.store.path, foundation=lens.foundation)
    later = Asker(again.audit("red", ["red"], ["blue"]).view(), monkeypatch)
    (kept,) = later("decisions", audit=1)[0]["decisions"]
    assert (kept["neuron"], kept["decision"], kept["note"]) == (2, "reject", "the sky")


def test_labels_and_decisions_made_in_python_reach_the_browser(view):
    view.lens.label(["ring"])
    assert view.get_state()["_revision"] == 1
    view.audit.decide("layer3", 0, "accept")
    assert view.get_state()["_decided"] == 1


def test_a_closed_view_hears_no_more_nor_does_one_of_an_earlier_audit(view):
    first, second = view.audit, Audit(view.lens.neurons)
    view.audit = second
    assert (len(first.listeners), len(second.listeners)) == (0, 1)
    view.close()
    assert second.listeners == view.lens.listeners == []


def test_the_still_picture_shows_the_neurons_in_the_colours_of_their_verdicts(view):
    assert AuditView(Lens())._preview() is None
    view.layer = "layer3"
    pixels = np.asarray(Image.open(io.BytesIO(view._preview())).convert("RGB")).reshape(-1, 3)
    for colour in ((0xC0, 0x55, 0x9A), (0xE0, 0x8A, 0x00)):  # both, unexpected
        assert np.abs(pixels.astype(int) - colour).sum(axis=1).min() < 12
    view.layer = "layer4"  # where none can be placed
    assert view._preview() is not None
