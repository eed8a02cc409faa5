"""The kernel's side of the neuron map."""

from __future__ import annotations

import io
import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import traitlets
from ipywidgets.widgets.widget import _remove_buffers
from PIL import Image

from semlens_widgets.widgets import map as map_module
from semlens_widgets.widgets._columns import layout_columns, pack, read_column
from semlens_widgets.widgets.map import NeuronMap
from tests.unit.map_world import Lens, column, floats, labels_of, request


@pytest.fixture
def widget() -> NeuronMap:
    return NeuronMap(Lens())


def test_columns_travel_as_bytes(widget):
    assert len(column(widget, "x")[1]) == 6
    assert column(widget, "neuron")[1].tolist() == [0, 1, 2, 3, 0, 1]
    assert column(widget, "layer")[1].tolist() == [0, 0, 0, 0, 1, 1]
    assert labels_of(widget) == ["ox", "ox", "cow", "", "cow", "ox"]
    with pytest.raises(ValueError, match="no column 'secret'"):
        column(widget, "secret")


def test_few_neurons_are_in_the_state_and_many_are_asked_for(monkeypatch):
    state = NeuronMap(Lens())._data
    assert set(state) == {"x", "y", "neuron", "layer", "label", "score", "clarity", "dead"}
    assert state["layer"]["data"] == column(NeuronMap(Lens()), "layer")[1].tobytes()
    monkeypatch.setattr(map_module, "IN_STATE", 5)
    assert NeuronMap(Lens())._data == {}


def saved_bytes(widget: NeuronMap) -> int:
    """What a notebook keeps of a widget, beyond its code."""
    state, paths, buffers = widgets_state(widget)
    return len(json.dumps(state)) + sum(4 * -(-len(buffer) // 3) for buffer in buffers) + len(paths)


def widgets_state(widget: NeuronMap) -> tuple[Any, Any, Any]:
    state = {k: v for k, v in widget.get_state().items() if k not in {"_esm", "_css"}}
    return _remove_buffers(state)


@pytest.mark.parametrize("count", [10_000, 1_000_000])
def test_a_saved_notebook_stays_small(count):
    lens = Lens()
    n = np.arange(count)
    lens.neurons = pd.DataFrame(
        {"layer": np.where(n < count // 2, "layer3", "layer4"), "neuron": n}
        | {"label": np.array([f"a label {i}" for i in range(500)])[n % 500]}
        | dict.fromkeys(("score", "clarity", "polysemanticity", "redundancy"), n / count)
        | dict.fromkeys(("mean", "max", "firing_rate", "x", "y"), n / count)
        | {"dead": n % 7 == 0}
    )
    widget = NeuronMap(lens)
    widget.selection = n[: count // 2].astype(np.uint32).tobytes()
    widget.highlight_scores(lens.neurons, top=500)
    assert saved_bytes(widget) < 1_000_000


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
    legend, values = column(widget, "clarity")
    assert values == pytest.approx([0.1, 0.2, 0.3, 0.4, np.nan, 0.6], nan_ok=True)
    assert legend["kind"] == "number"
    assert (legend["min"], legend["max"]) == pytest.approx((0.1, 0.6))
    assert legend["missing"] == 1


def test_color_by_layer_keeps_the_order_of_the_layers(widget):
    legend, _ = column(widget, "layer")
    assert legend["names"] == ["layer3", "layer4"]
    assert legend["counts"] == [4, 2]


def test_color_by_label_counts_and_leaves_the_unlabelled_out(widget):
    legend, codes = column(widget, "label")
    assert legend["names"] == ["ox", "cow"]
    assert legend["counts"] == [3, 2]
    assert legend["missing"] == 1
    assert codes.tolist() == [0, 0, 1, 0xFF, 1, 0]


@pytest.mark.parametrize(("layers", "kind"), [(254, np.uint8), (255, np.uint16), (300, np.uint16)])
def test_codes_are_as_short_as_their_number_allows(layers: int, kind: type):
    names = [f"layer{at}" for at in range(layers)]
    table = pd.DataFrame({"layer": [*names, None], "neuron": 0})
    values, legend = read_column(table, "layer", names)
    codes = np.frombuffer(pack(values, legend), kind)
    assert codes.tolist() == [*range(layers), np.iinfo(kind).max]


def test_color_by_a_flag_reads_yes_and_no(widget):
    legend, _ = column(widget, "dead")
    assert legend["names"] == ["no", "yes"]
    assert legend["counts"] == [5, 1]


def test_rare_categories_share_other():
    names = [f"c{i}" for i in range(20) for _ in range(30 - i)]
    values, legend = read_column(pd.DataFrame({"label": names}), "label")
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
    assert NeuronMap(Lens(), color_by="clarity").color_by == "clarity"


def test_size_and_opacity_take_columns_of_numbers(widget):
    widget.size_by, widget.opacity_by = "clarity", "score"
    widget.size_by = None
    for name in ("layer", "clarty"):
        with pytest.raises(traitlets.TraitError, match="no column of numbers"):
            widget.size_by = name


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
    told = []
    widget.observe(lambda change: told.append(change["new"]), names="selection")
    widget.set_state({"_selected": memoryview(bytes([0b010010]))})
    assert widget.selected.equals(widget.lens.neurons.iloc[[1, 4]])
    assert told == [np.array([1, 4], dtype=np.uint32).tobytes()]
    widget.selection = np.array([5, 0], dtype=np.uint32).tobytes()
    assert widget._selected == bytes([0b100001])
    assert widget.selected.index.tolist() == [5, 0]
    widget.selection = b""
    assert widget._selected == b""


@pytest.mark.parametrize("value", [b"123", np.array([6], dtype=np.uint32).tobytes()])
def test_selection_must_be_rows(widget, value):
    with pytest.raises(traitlets.TraitError, match="selection"):
        widget.selection = value


def test_highlight_needs_one_score_per_row_or_rows_and_scores(widget):
    with pytest.raises(traitlets.TraitError, match="6 neurons"):
        widget.highlight = b"1234"
    with pytest.raises(traitlets.TraitError, match="6 neurons"):
        widget.highlight = np.array([6, 0], dtype=np.uint32).tobytes()
    assert widget.highlighted.empty
    pair = np.array([4], np.uint32).tobytes() + np.array([0.5], np.float32).tobytes()
    widget.highlight = pair
    assert widget.highlighted.to_dict("records") == [{"layer": "layer4", "neuron": 0, "score": 0.5}]


def test_a_highlight_travels_as_rows_and_scores_where_that_is_shorter(monkeypatch):
    widget = NeuronMap(Lens())
    scores = np.array([np.nan, 0.5, np.nan, np.nan, 0.25, np.nan], dtype=np.float32)
    widget.highlight = scores.tobytes()
    assert np.frombuffer(widget.highlight[:8], np.uint32).tolist() == [1, 4]
    assert widget.highlighted["score"].tolist() == [0.5, 0.25]
    scores[0] = 0.75  # three of six: rows and scores would be as long as all scores
    widget.highlight = scores.tobytes()
    assert floats(widget.highlight) == pytest.approx(scores, nan_ok=True)
    assert widget.highlighted["score"].tolist() == [0.75, 0.5, 0.25]
    widget.highlight_scores(widget.lens.neurons.assign(score=[5, 3, 4, 1, 0, 2]), top=2)
    assert np.frombuffer(widget.highlight[:8], np.uint32).tolist() == [0, 2]
    assert widget.highlighted["score"].tolist() == [5, 4]
    monkeypatch.setattr(map_module, "MOST_HITS", 1)
    with pytest.raises(ValueError, match="at most 1"):
        widget.highlight_scores(widget.lens.neurons, top=None)


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
    monkeypatch.setattr(map_module, "IN_STATE", 5)
    widget = NeuronMap(Lens())
    assert widget._labels is None
    result, [codes] = request(widget, "labels")
    names = result["names"]
    assert [names[code] for code in codes] == list(widget.lens.neurons["label"])


def test_more_labels_than_a_byte_counts_have_wider_codes():
    lens = Lens()
    lens.neurons = pd.concat([lens.neurons] * 50, ignore_index=True)
    lens.neurons["label"] = [f"word {row}" for row in range(300)]
    widget = NeuronMap(lens)
    names, codes = widget._labels["names"], widget._labels["codes"]
    assert [names[code] for code in np.frombuffer(codes, np.uint32)] == list(lens.neurons["label"])


def test_refresh_reads_new_labels(widget):
    widget.color_by = "label"
    widget.lens.neurons = widget.lens.neurons.assign(label="wolf")
    widget.refresh()
    assert column(widget, "label")[0]["names"] == ["wolf"]
    assert set(labels_of(widget)) == {"wolf"}
    assert widget._revision == 2


def test_other_neurons_are_not_selected_by_the_rows_of_the_old(widget):
    widget.selection = np.array([5], dtype=np.uint32).tobytes()
    widget.lens.neurons = widget.lens.neurons.iloc[:4]
    widget.refresh()
    assert widget.selected.empty
    assert (widget._count, widget._selected) == (4, b"")


def test_large_traits_are_not_echoed(widget):
    for name in ("_data", "_selected", "highlight", "_labels"):
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


class StoredLens(Lens):
    """A lens with vectors, and what its store says."""

    def __init__(self, model: str, foundation: str = "clip") -> None:
        super().__init__()
        self.store = SimpleNamespace(settings={"model": model, "foundation": foundation})
        self.vectors = np.eye(4, 8, dtype=np.float32)
        self.neurons = self.neurons.iloc[[0, 1, 4, 5]].reset_index(drop=True)

    def examples(self, layer: str, neuron: int) -> pd.DataFrame:
        assert layer in self.layers
        return super().examples(layer, neuron)


def test_two_models_lie_on_one_map():
    lenses = [StoredLens("resnet"), StoredLens("vit")]
    widget = NeuronMap(lenses)
    assert repr(widget) == "NeuronMap(8 neurons, 4 layers)"
    assert widget.color_by == "model"
    legend, codes = column(widget, "model")
    assert legend["names"] == ["resnet", "vit"]
    assert codes.tolist() == [0] * 4 + [1] * 4
    assert widget._layers[2] == "vit/layer3"
    x, y = column(widget, "x")[1], column(widget, "y")[1]
    # The same vectors in both models lie at the same place.
    assert x[:4] == pytest.approx(x[4:], abs=1e-5)
    assert np.ptp(y) > 0
    assert np.array_equal(column(NeuronMap(lenses), "x")[1], x)
    widget.active = ("vit/layer4", 1)
    facts, buffers = request(widget, "hover", row=7)
    assert facts["label"] == "ox"
    assert len(buffers) == 4
    widget.filter = {"model": ["vit"]}


def test_words_are_searched_in_all_models_and_highlight_the_best():
    lenses = {"resnet": StoredLens("resnet"), "vit": StoredLens("vit")}
    for lens, best in zip(lenses.values(), (0.2, 0.9), strict=True):
        lens.search = partial(ranked, lens, best)
    widget = NeuronMap(lenses)
    result, (highlight,) = request(widget, "search", query="ox")
    assert [(hit["layer"], hit["neuron"]) for hit in result["hits"][:2]] == [
        ("vit/layer3", 0),
        ("vit/layer3", 1),
    ]
    widget.set_state({"highlight": memoryview(highlight)})
    assert widget.highlighted.index.tolist()[0] == 4
    result, _ = request(widget, "search", query="ox", layer="resnet/layer4")
    assert {hit["layer"] for hit in result["hits"]} == {"resnet/layer4"}
    with pytest.raises(TypeError, match="only words"):
        request(widget, "search", like={"layer": "vit/layer4", "neuron": 0})


def ranked(lens, best, _query, *, layer, top):
    """The neurons in their order, each worse than the one before."""
    table = lens.neurons[["layer", "neuron"]]
    scores = best - 0.01 * np.arange(len(table))
    found = table.assign(label="ox", score=scores)
    return (found if layer is None else found[found["layer"] == layer]).head(top)


def test_models_of_one_name_are_told_apart_or_named():
    assert NeuronMap([StoredLens("a"), StoredLens("a")])._layers[::2] == [
        "a 1/layer3",
        "a 2/layer3",
    ]
    named = NeuronMap({"before": StoredLens("a"), "after": StoredLens("a")})
    assert column(named, "model")[0]["names"] == ["before", "after"]


def test_models_of_different_meaning_share_no_map():
    with pytest.raises(ValueError, match="one foundation model"):
        NeuronMap([StoredLens("a"), StoredLens("b", "dino")])
    with pytest.raises(ValueError, match="at least one lens"):
        NeuronMap([])
