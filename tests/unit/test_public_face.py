"""What a person types: names at the top, layers by pattern, whole layers, options by name."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

import semlens_widgets as slw
from semlens_widgets.inputs.patterns import layers_like
from semlens_widgets.widgets import options as options_of
from tests.colour_world import to_tensor

NAMES = ["conv1", "layer3", "layer3.0", "layer3.0.bn", "layer3.1", "layer4.0", "layer4.10"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("layer3", ["layer3"]),
        ("layer3.*", ["layer3.0", "layer3.1"]),
        ("layer?.0", ["layer3.0", "layer4.0"]),
        ("layer[34].*", ["layer3.0", "layer3.1", "layer4.0", "layer4.10"]),
        ("*", ["conv1", "layer3"]),
        ("*.*.bn", ["layer3.0.bn"]),
        ("layer5.*", []),
        ("LAYER3", []),
    ],
)
def test_a_pattern_stands_for_what_lies_between_dots(pattern, found):
    assert layers_like(pattern, NAMES) == found


def test_a_name_with_signs_of_a_pattern_is_itself():
    assert layers_like("a[0]", ["a0", "a[0]"]) == ["a[0]"]


def model() -> nn.Module:
    block = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(3)]
    return nn.Sequential(*block, nn.Flatten())


def layers_of(*given: str) -> tuple[str, ...]:
    return slw.TargetModel(model(), given, transform=to_tensor).layers


def test_a_model_takes_patterns_of_layers():
    assert layers_of("?") == ("0", "1", "2", "3")
    assert layers_of("2", "*.1") == ("2", "0.1", "1.1", "2.1")
    assert layers_of("0.1", "*.1") == ("0.1", "1.1", "2.1")
    with pytest.raises(ValueError, match=r"layers names '0\.9\*', which this Sequential does not"):
        layers_of("0.9*")


def test_a_search_takes_patterns_of_layers(colour_lens):
    lens = colour_lens().run()
    everything = lens.search("red")
    for pattern in ("s*", "[sm]*", "mixed"):
        found = lens.search("red", layer=pattern)
        fits = everything["layer"].isin(layers_like(pattern, lens.layers))
        assert found.equals(everything[fits].reset_index(drop=True))
    with pytest.raises(KeyError, match="Did you mean 'seen'"):
        lens.search("red", layer="see")


def test_activations_of_a_layer_are_those_of_its_neurons(colour_lens):
    lens = colour_lens().run()
    widths = lens.neurons.groupby("layer").size()
    for layer in lens.layers:
        whole = lens.activations(layer)
        assert whole.shape == (60, widths[layer])
        for neuron in range(widths[layer]):
            assert np.array_equal(whole[:, neuron], lens.activations(layer, neuron))
    with pytest.raises(KeyError, match="is not one of"):
        lens.activations("s*")


@pytest.mark.parametrize(
    ("widget", "options", "besides"),
    [
        (slw.NeuronMap, options_of.MapOptions, set()),
        (slw.ConceptGallery, options_of.GalleryOptions, {"active"}),
        (slw.ContrastPanel, options_of.ContrastOptions, {"active"}),
        (slw.LabelTable, options_of.ReviewOptions, set()),
        (slw.AuditView, options_of.AuditOptions, set()),
        (slw.InterveneView, options_of.InterveneOptions, set()),
        (slw.TraceView, options_of.TraceOptions, set()),
        (slw.CompareView, options_of.CompareOptions, set()),
        (slw.EvolutionView, options_of.EvolutionOptions, set()),
        (slw.Explorer, options_of.ExplorerOptions, set()),
    ],
)
def test_the_options_an_editor_completes_are_the_traits_one_may_give(widget, options, besides):
    own = set(widget.class_traits()) - set(slw.ConceptGallery.mro()[2].class_traits())
    given = {
        name
        for name in own | {"active"}
        if not name.startswith("_") and not widget.class_traits()[name].read_only
    }
    no_traits = {slw.Explorer: {"state"}, slw.ContrastPanel: {"sources"}}.get(widget, set())
    assert set(options.__annotations__) == (given | no_traits) - besides


def test_what_may_be_caught_stands_at_the_top():
    kinds = [
        kind
        for kind in vars(slw.errors).values()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    ]
    assert len(kinds) > 9
    for kind in kinds:
        assert getattr(slw, kind.__name__) is kind
        assert kind.__name__ in slw.__all__
