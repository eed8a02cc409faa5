"""What the map shows and leaves out, and which labels and hits it does not trust."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
import traitlets
from PIL import Image

from semlens_widgets.widgets._columns import read_column
from semlens_widgets.widgets._preview import FAINT
from semlens_widgets.widgets.map import NeuronMap
from tests.unit.map_world import Lens, column, labels_of, request


@pytest.fixture
def widget() -> NeuronMap:
    return NeuronMap(Lens())


def test_the_filter_names_what_is_shown(widget):
    widget.filter = {"label": ["ox", ""], "clarity": (0.1, 0.3), "layer": "layer3"}
    assert widget.filter == {"label": ["ox", ""], "clarity": [0.1, 0.3], "layer": ["layer3"]}
    for wrong, message in [
        ({"labl": ["ox"]}, "Did you mean 'label'"),
        ({"label": ["oxen"]}, "shows no 'oxen'. Did you mean 'ox'"),
        ({"clarity": ["ox"]}, "takes \\(low, high\\)"),
    ]:
        with pytest.raises(traitlets.TraitError, match=message):
            widget.filter = wrong


@pytest.mark.parametrize("low", [0.3, 0, None])
@pytest.mark.parametrize("high", [np.inf, None, 1e30, np.float32(0.4)])
def test_a_bound_may_be_open_or_far_off(widget, low, high):
    widget.filter = {"clarity": (low, high)}
    open_high = high is None or np.isinf(high)
    assert widget.filter == {"clarity": [low, None if open_high else float(high)]}
    json.dumps(widget.get_state("filter"), allow_nan=False)  # as it is sent


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clarity": (0.1, np.nan)}, "NaN"),
        ({"clarity": (float("nan"), None)}, "NaN"),
        ({"clarity": (0.5, 0.1)}, "no number of 'clarity' lies between 0.5 and 0.1"),
        ({"clarity": (np.inf, None)}, "no number"),
        ({"clarity": 0.5}, r"takes \(low, high\)"),
        ({"clarity": True}, r"takes \(low, high\)"),
        ({"clarity": "high"}, r"takes \(low, high\)"),
        ({"clarity": (1, 2, 3)}, r"takes \(low, high\)"),
        ({"label": 3}, "takes names"),
        ({"label": [1.5]}, "takes names"),
        ({"label": b"ox"}, "takes names"),
        ({"layer": True}, "shows no 'yes'"),
        ({"layer": [["layer3"]]}, "takes names"),
        ({"dead": 1}, "takes names"),
        (True, "filter"),
    ],
)
def test_what_no_filter_is_is_refused_in_words(widget, wrong, message):
    with pytest.raises(traitlets.TraitError, match=message):
        widget.filter = wrong
    assert widget.filter == {}


def test_flags_are_filtered_by_flags(widget):
    widget.filter = {"dead": True}
    assert widget.filter == {"dead": ["yes"]}
    widget.filter = {"dead": [np.False_, True]}
    assert widget.filter == {"dead": ["no", "yes"]}


def test_a_filter_does_not_outlive_the_label_it_names(widget):
    widget.filter = {"label": ["ox", "cow"], "clarity": [0.1, None]}
    widget.lens.neurons = widget.lens.neurons.replace({"label": {"ox": "wolf"}})
    widget.refresh()
    assert widget.filter == {"label": ["cow"], "clarity": [0.1, None]}
    assert "“ox” (Label)" in widget._said
    widget.lens.neurons = widget.lens.neurons.replace({"label": {"cow": "wolf"}})
    widget.refresh()
    assert widget.filter == {"clarity": [0.1, None]}
    widget.refresh()
    assert widget._said == ""


def test_any_filter_of_before_is_restored_without_what_is_gone(widget):
    before = {
        "label": ["wolf", "ox"],
        "layer": "layer9",
        "model": ["resnet"],
        "clarity": [0.1, None],
        "score": [None, float("nan")],
        "dead": None,
    }
    with pytest.warns(UserWarning, match="wolf.*layer9.*Model.*Label score"):
        widget._show_again({"filter": before, "tool": "box"})
    assert widget.filter == {"label": ["ox"], "clarity": [0.1, None]}
    assert widget.tool == "box"
    with pytest.warns(UserWarning, match="no column 'model'"):
        widget._show_again({"color_by": "model", "size_by": "clarity"})
    assert (widget.color_by, widget.size_by) == ("layer", "clarity")


def test_a_label_that_went_while_the_browser_chose_it_is_left_out(widget):
    widget.set_state({"filter": {"label": ["wolf", "cow"]}})
    assert widget.filter == {"label": ["cow"]}
    assert "wolf" in widget._said


def test_a_label_called_other_is_not_the_rest():
    names = ["other"] * 40 + [f"c{i}" for i in range(12) for _ in range(30 - i)]
    values, legend = read_column(pd.DataFrame({"label": names}), "label")
    assert legend["names"][0] == "other"
    assert len(set(legend["names"])) == len(legend["names"]) == 9
    assert legend["rest"]
    assert legend["counts"][0] == 40
    assert set(values[:40]) == {0}
    assert not read_column(pd.DataFrame({"label": ["other", "a"]}), "label")[1]["rest"]
    rare = [*(name for name in names if name != "other"), "other"]
    legend = read_column(pd.DataFrame({"label": rare}), "label")[1]
    assert "other" not in legend["names"]


def test_texts_that_no_encoding_has_can_be_sent():
    lens = Lens()
    labels = ["caf\udce9", "\ud83d", "\ud83d\ude00", "ox", "ox", "ox"]
    lens.neurons["label"] = pd.Series(labels, dtype=object)
    widget = NeuronMap(lens, filter={"label": ["caf\udce9"]})
    assert labels_of(widget)[:3] == ["caf\ufffd", "\ufffd", "😀"]
    assert column(widget, "label")[0]["names"] == ["ox", "caf\ufffd", "\ufffd", "😀"]
    assert widget.filter == {"label": ["caf\ufffd"]}
    assert request(widget, "hover", row=0)[0]["label"] == "caf\ufffd"
    assert request(widget, "labels")[0]["names"][1] == "\ufffd"
    json.dumps(widget._columns, ensure_ascii=False).encode()


CHANCE = {"score": [0.5, 0.2, 0.3, np.nan, 0.2, 0.1], "chance": [0.3] * 5 + [np.nan]}


def test_labels_no_better_than_random_words_are_unsure():
    lens = Lens()
    lens.neurons = lens.neurons.assign(**CHANCE)
    widget = NeuronMap(lens)
    legend, [bits] = request(widget, "column", name="unsure")
    assert legend["kind"] == "flags"
    assert bits == widget._data["unsure"]["data"] == bytes([0b010110])
    assert [request(widget, "hover", row=row)[0]["unsure"] for row in (0, 1)] == [False, True]
    picture = Image.open(io.BytesIO(NeuronMap(lens, color_by="label")._preview())).convert("RGB")
    faint = tuple(bytes.fromhex(FAINT[1:]))
    assert any(np.abs(np.subtract(c, faint)).max() < 3 for _, c in picture.getcolors(1 << 16))
    sources = ["csp", "person", "csp", "", "csp", "csp"]
    lens.neurons = lens.neurons.assign(source=sources)
    widget.refresh()
    assert widget._data["unsure"]["data"] == bytes([0b010100])


def test_hits_no_better_than_chance_are_marked(widget):
    found = widget.lens.neurons[["layer", "neuron"]].assign(score=[6.0, 5, 4, 3, 2, 1], chance=4.0)
    widget.highlight_scores(
        found, top=3
    )  # three of six: as long as all scores, if not for the mark
    rows = np.frombuffer(widget.highlight[: len(widget.highlight) // 2], np.uint32)
    assert len(widget.highlight) != 4 * 6
    assert rows[:3].tolist() == [0, 1, 2 | 1 << 31]
    assert widget.highlighted["score"].tolist() == [6, 5, 4]
    widget.set_state({"highlight": memoryview(widget.highlight)})
    widget.highlight_scores(found.assign(chance=9), top=None)
    assert widget.highlighted["score"].tolist() == [6, 5, 4, 3, 2, 1]
