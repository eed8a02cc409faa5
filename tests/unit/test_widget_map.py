"""The kernel's side of the neuron map."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
import traitlets
from PIL import Image

from semlens_widgets.widgets import map as map_module
from semlens_widgets.widgets.map import NeuronMap, color_column, layout_columns


class Lens:
    """Six neurons of two layers."""

    layers = ("layer3", "layer4")

    def __init__(self) -> None:
        self.neurons = pd.DataFrame(
            {
                "layer": ["layer3"] * 4 + ["layer4"] * 2,
                "neuron": [0, 1, 2, 3, 0, 1],
                "label": ["ox", "ox", "cow", "", "cow", "ox"],
                "score": [0.5, 0.4, 0.3, np.nan, 0.2, 0.1],
                "clarity": [0.1, 0.2, 0.3, 0.4, np.nan, 0.6],
                "dead": [False, False, False, True, False, False],
                "x": [0.0, 10, 0, 10, 5, 5],
                "y": [0.0, 0, 4, 4, 2, 3],
            }
        )

    def examples(self, layer: str, neuron: int) -> pd.DataFrame:
        if layer == "layer3" and neuron == 3:
            return pd.DataFrame({"sample": [], "class_name": []})
        return pd.DataFrame({"sample": range(9), "class_name": ["ox"] * 9})

    def thumbnail(self, sample: int) -> bytes:
        return b"jpeg %d" % sample


@pytest.fixture
def widget() -> NeuronMap:
    return NeuronMap(Lens())


def floats(column: bytes) -> np.ndarray:
    return np.frombuffer(column, dtype=np.float32)


def request(widget: NeuronMap, method: str, **params: Any) -> tuple[Any, Any]:
    return widget._requests[method](widget, params)


def test_columns_travel_as_bytes(widget):
    assert len(floats(widget._x)) == 6
    assert np.frombuffer(widget._indices, dtype=np.uint32).tolist() == [0, 1, 2, 3, 0, 1]
    assert np.frombuffer(widget._layer_codes, dtype=np.uint32).tolist() == [0, 0, 0, 0, 1, 1]
    assert widget._labels == ["ox", "ox", "cow", "", "cow", "ox"]


def test_the_layout_keeps_its_proportions_within_the_square(widget):
    x, y = floats(widget._x), floats(widget._y)
    assert abs(x).max() <= 1
    assert np.ptp(y) / np.ptp(x) == pytest.approx(0.4, rel=1e-4)


def test_neurons_without_a_place_stay_rows():
    table = pd.DataFrame({"x": [0.0, np.nan, 1.0], "y": [0.0, 1.0, 1.0]})
    x, y = layout_columns(table)
    assert np.isnan(x).tolist() == np.isnan(y).tolist() == [False, True, False]
    assert np.isnan(layout_columns(table[["x"]])[0]).all()


def test_repr(widget):
    assert repr(widget) == "NeuronMap(6 neurons, 2 layers)"


def test_color_by_a_number(widget):
    widget.color_by = "clarity"
    assert floats(widget._color) == pytest.approx([0.1, 0.2, 0.3, 0.4, np.nan, 0.6], nan_ok=True)
    legend = widget._legend
    assert legend["kind"] == "number"
    assert (legend["min"], legend["max"]) == pytest.approx((0.1, 0.6))
    assert legend["missing"] == 1


def test_color_by_layer_keeps_the_order_of_the_layers(widget):
    assert widget._legend["names"] == ["layer3", "layer4"]
    assert widget._legend["counts"] == [4, 2]


def test_color_by_label_counts_and_leaves_the_unlabelled_out(widget):
    widget.color_by = "label"
    assert widget._legend["names"] == ["ox", "cow"]
    assert widget._legend["counts"] == [3, 2]
    assert widget._legend["missing"] == 1
    assert floats(widget._color) == pytest.approx([0, 0, 1, np.nan, 1, 0], nan_ok=True)


def test_color_by_a_flag_reads_yes_and_no(widget):
    widget.color_by = "dead"
    assert widget._legend["names"] == ["no", "yes"]
    assert widget._legend["counts"] == [5, 1]


def test_rare_categories_share_other():
    names = [f"c{i}" for i in range(20) for _ in range(30 - i)]
    values, legend = color_column(pd.DataFrame({"label": names}), "label")
    assert legend["names"] == [*(f"c{i}" for i in range(8)), "other"]
    assert legend["counts"][-1] == int((values == 8).sum()) == sum(30 - i for i in range(8, 20))
    assert sum(legend["counts"]) == len(names)


def test_a_column_without_values_is_marked_empty():
    lens = Lens()
    lens.neurons["label"], lens.neurons["score"] = "", np.nan
    empty = {column["name"] for column in NeuronMap(lens)._columns if column["empty"]}
    assert empty == {"label", "score"}


def test_color_by_an_unknown_column_names_close_ones(widget):
    with pytest.raises(traitlets.TraitError, match="Did you mean 'clarity'"):
        widget.color_by = "clarty"
    with pytest.raises(traitlets.TraitError, match="no column 'x'"):
        widget.color_by = "x"
    with pytest.raises(TypeError, match="Did you mean 'color_by'"):
        NeuronMap(Lens(), colour_by="clarity")
    assert NeuronMap(Lens(), color_by="clarity")._legend["name"] == "clarity"


def test_highlight_keeps_the_top_scores_row_by_row(widget):
    scores = widget.lens.neurons[["layer", "neuron"]].assign(score=[0.1, 0.9, 0.2, 0.9, 0.5, 0.0])
    widget.highlight_scores(scores.sample(frac=1, random_state=0), top=3)
    values = floats(widget.highlight)
    assert values == pytest.approx([np.nan, 0.9, np.nan, 0.9, 0.5, np.nan], nan_ok=True)
    widget.clear_highlight()
    assert widget.highlight == b""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, r"missing: \['score'\]"),
        ({"neuron": [0, 99]}, "layer3 / 99 is not a neuron"),
    ],
)
def test_highlight_refuses_what_it_cannot_place(widget, change, message):
    columns = {"layer": ["layer3", "layer3"], "neuron": [0, 1], "score": [0.5, 0.4]} | change
    scores = pd.DataFrame({name: column for name, column in columns.items() if column is not None})
    with pytest.raises(ValueError, match=message):
        widget.highlight_scores(scores)
    with pytest.raises(ValueError, match="top"):
        widget.highlight_scores(widget.lens.neurons, top=0)


def test_selected_are_the_rows_of_the_lasso(widget):
    assert widget.selected.empty
    rows = memoryview(np.array([4, 1], dtype=np.uint32).tobytes())
    widget.set_state({"selection": rows})
    assert widget.selected.equals(widget.lens.neurons.iloc[[4, 1]])


@pytest.mark.parametrize("value", [b"123", np.array([6], dtype=np.uint32).tobytes()])
def test_selection_must_be_rows(widget, value):
    with pytest.raises(traitlets.TraitError, match="selection"):
        widget.selection = value


def test_highlight_needs_one_score_per_row(widget):
    with pytest.raises(traitlets.TraitError, match="6 neurons"):
        widget.highlight = b"1234"


def test_hover_sends_facts_and_a_few_thumbnails(widget):
    facts, buffers = request(widget, "hover", row=0)
    assert facts["label"] == "ox"
    assert facts["score"] == pytest.approx(0.5)
    assert facts["measures"] == [{"title": "Clarity", "value": pytest.approx(0.1)}]
    assert facts["examples"] == ["ox"] * 4
    assert buffers == [b"jpeg 0", b"jpeg 1", b"jpeg 2", b"jpeg 3"]


def test_hover_of_a_neuron_without_examples_or_measures(widget):
    facts, buffers = request(widget, "hover", row=3)
    assert (facts["label"], facts["score"], buffers) == ("", None, [])
    with pytest.raises(ValueError, match="row: 6 is outside the 6 neurons"):
        request(widget, "hover", row=6)


def test_many_labels_are_sent_when_asked_for(monkeypatch):
    monkeypatch.setattr(map_module, "LABELS_AT_ONCE", 5)
    widget = NeuronMap(Lens())
    assert widget._labels is None
    result, [codes] = request(widget, "labels")
    names = result["names"]
    assert [names[code] for code in np.frombuffer(codes, dtype=np.uint32)] == list(
        widget.lens.neurons["label"]
    )


def test_refresh_reads_new_labels(widget):
    widget.color_by = "label"
    widget.lens.neurons = widget.lens.neurons.assign(label="wolf")
    widget.refresh()
    assert widget._legend["names"] == ["wolf"]
    assert set(widget._labels) == {"wolf"}
    assert widget._revision == 2


def test_large_traits_are_not_echoed(widget):
    for name in ("_x", "_y", "_color", "selection", "highlight", "_labels"):
        assert widget.trait_metadata(name, "echo_update") is False


def test_no_neurons_is_a_state_not_an_error():
    lens = Lens()
    lens.neurons = lens.neurons.iloc[:0]
    widget = NeuronMap(lens)
    assert repr(widget) == "NeuronMap(0 neurons, 2 layers)"
    assert "image/png" not in widget._repr_mimebundle_()[0]


def test_the_still_picture_shows_the_points(widget):
    image = Image.open(io.BytesIO(widget._preview())).convert("RGB")
    assert image.size == (640, 400)
    assert len(image.getcolors(1 << 16)) > 2
