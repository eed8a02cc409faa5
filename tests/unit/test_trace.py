"""Traces on a network small enough to calculate by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from semlens_widgets.analysis.trace import agreement, level
from semlens_widgets.errors import LensUnavailable
from tests.colour_world import colour_images, to_tensor

LOW = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 0.2, 0.7]])
HIGH = np.array([[1, -0.5, 0, 0.3, 0], [0, 1, 0.4, -1, 0.2], [-0.2, 0, 1, 0, 0.6], [0, 0, 0, 1, 1]])
HEAD = np.array([[2.0, 0.5, -1, 0.25], [-1, 1.5, 0.1, 0.7]])


class Small(nn.Module):
    """Two layers of 1 × 1 convolutions with rectifiers, a mean, and two classes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1, bias=False)
        self.low = nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), nn.ReLU())
        self.high = nn.Sequential(nn.Conv2d(5, 4, 1, bias=False), nn.ReLU())
        self.head = nn.Linear(4, 2, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(3)[:, :, None, None])
            self.low[0].weight.copy_(torch.tensor(LOW)[:, :, None, None])
            self.high[0].weight.copy_(torch.tensor(HIGH)[:, :, None, None])
            self.head.weight.copy_(torch.tensor(HEAD))

    def forward(self, x):
        return self.head(self.high(self.low(self.first(x))).mean((2, 3)))


def activations(samples, low_changed=lambda y: y, high_changed=lambda y: y):
    """The truth, in numpy: both layers, ``(images, pixels, neurons)``."""
    images = colour_images()
    pixels = np.stack([np.asarray(images[at], np.float64).reshape(-1, 3) / 255 for at in samples])
    low = low_changed(np.maximum(pixels @ LOW.T, 0))
    return low, high_changed(np.maximum(low @ HIGH.T, 0))


def relevance_by_hand(low, high, start):
    """What reaches ``low`` through each neuron of ``high`` by the z⁺ rule, (high, low)."""
    positive = np.maximum(HIGH, 0)
    parts = low[:, :, None, :] * positive  # images, pixels, high, low
    share = parts / (parts.sum(3, keepdims=True) + 1e-6)
    return (start[..., None] * share).sum(1).mean(0)


@pytest.fixture
def lens(colour_lens):
    return colour_lens(target=small_target()).run()


def small_target(layers=("high", "low"), **options):
    return slw.TargetModel(
        Small(), layers, transform=to_tensor, outputs=["red", "green"], **options
    )


RED = list(range(0, 60, 3))


def test_edges_of_a_class_are_those_calculated_by_hand(lens):
    trace = lens.trace("red", keep=1, top=9)
    assert trace.images.tolist() == RED
    low, high = activations(RED)
    start = high * HEAD[0] / high.shape[1]
    by_hand = start.sum(1).mean(0)
    assert list(trace.levels) == ["high", "low"]  # whatever order they were named in
    top = trace.levels["high"]
    assert top.relevance == pytest.approx(by_hand, abs=1e-4)
    assert top.kept.tolist() == np.argsort(-by_hand)[: (by_hand > 0).sum()].tolist()
    through = relevance_by_hand(low, high, start)
    assert trace.levels["low"].conditional == pytest.approx(through[top.kept], abs=1e-4)
    assert trace.levels["low"].relevance == pytest.approx(through.sum(0), abs=1e-4)
    edges = trace.edges.set_index(["upper_layer", "upper", "lower_layer", "lower"])["relevance"]
    for upper in top.kept.tolist():
        assert edges["", 0, "high", upper] == pytest.approx(by_hand[upper], abs=1e-4)
        for lower in trace.levels["low"].kept.tolist():
            if through[upper, lower]:
                found = edges["high", upper, "low", lower]
                assert found == pytest.approx(through[upper, lower], abs=1e-4)


def test_a_neuron_is_traced_on_its_examples(lens):
    trace = lens.trace(("high", 1), keep=1, top=9)
    examples = sorted(lens.examples("high", 1)["sample"])
    assert trace.images.tolist() == examples
    low, high = activations(examples)
    start = high * (np.arange(4) == 1)
    by_hand = relevance_by_hand(low, high, start).sum(0)
    assert trace.levels["low"].relevance == pytest.approx(by_hand, rel=1e-4, abs=1e-3)
    assert trace.nodes["kind"].iloc[0] == "target"
    assert trace.nodes["relevance"].iloc[0] == pytest.approx(high[..., 1].sum(1).mean(), rel=1e-4)
    some = lens.trace(("high", 1), images=[4, 2])
    assert some.images.tolist() == [2, 4]


def test_ablation_of_each_node_by_hand(lens):
    trace = lens.trace("red", keep=0.6, top=2)
    found = trace.verify()
    _, high = activations(RED)
    before = high.mean((0, 1)) @ HEAD[0]
    assert set(found["kind"]) == {"node", "control"}
    assert trace.verified is found
    for kind, layer, neuron, _, relevance, drop in found.itertuples(index=False):
        assert (neuron in trace.levels[layer].kept) == (kind == "node")
        assert relevance == trace.levels[layer].relevance[neuron]
        if layer == "high":
            after = np.delete(HEAD[0], neuron) @ np.delete(high.mean((0, 1)), neuron)
        else:
            without = activations(RED, lambda y, neuron=neuron: y * (np.arange(5) != neuron))[1]
            after = without.mean((0, 1)) @ HEAD[0]
        assert drop == pytest.approx(before - after, abs=1e-4)


def test_ablation_for_a_neuron_is_of_its_pooled_activation(lens):
    trace = lens.trace(("high", 3), top=2)
    found = trace.verify().set_index("neuron")["drop"]
    samples = trace.images.tolist()
    before = activations(samples)[1][..., 3].mean()
    for neuron, drop in found.items():
        low = activations(samples, lambda y, neuron=neuron: y * (np.arange(5) != neuron))[1]
        assert drop == pytest.approx(before - low[..., 3].mean(), abs=1e-5)


def test_shares_of_a_layer_sum_to_one_and_edges_to_relevance(lens):
    trace = lens.trace("green", keep=0.7, top=2)
    nodes, edges = trace.nodes, trace.edges
    assert nodes.groupby("layer")["share"].sum().to_numpy() == pytest.approx(1)
    assert (nodes["share"] >= 0).all()
    into = edges.groupby(["lower_layer", "lower"])["relevance"].sum()
    for _, layer, neuron, _, relevance, traced, _ in nodes.query("kind == 'neuron'").itertuples(
        index=False
    ):
        assert into[layer, neuron] == pytest.approx(relevance)
        through = edges.query("lower_layer == @layer and lower == @neuron and upper != -1")
        assert through["relevance"].sum() == pytest.approx(traced)
    for layer, found in trace.levels.items():
        of_layer = edges[edges["lower_layer"] == layer]
        assert of_layer["relevance"].sum() == pytest.approx(found.relevance.sum())
        theirs = nodes[nodes["layer"] == layer]
        both = theirs.query("kind == 'neuron'")["traced"].sum()
        both += theirs.query("kind == 'error'")["relevance"].sum()
        assert both == pytest.approx(found.relevance.sum())


def test_a_trace_is_the_same_each_time_and_goes_out_as_graph_and_json(lens, tmp_path):
    heard = []
    trace = lens.trace("red", top=2, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (40, 40)
    again = lens.trace(0, top=2)
    assert trace.nodes.drop(columns="label").equals(again.nodes.drop(columns="label"))
    assert trace.edges.equals(again.edges)
    graph = trace.graph()
    assert graph.number_of_edges() == len(trace.edges)
    assert graph.nodes["", 0]["kind"] == "target"
    upper = int(trace.levels["high"].kept[0])
    assert graph.edges[("high", upper), ("", 0)]["relevance"] > 0  # as the model computes
    trace.verify()
    content = json.loads(trace.to_json(tmp_path / "trace.json"))
    assert content == json.loads((tmp_path / "trace.json").read_text())
    assert len(content["nodes"]) == len(trace.nodes)
    assert str(tmp_path) not in trace.to_json()
    assert (
        repr(trace) == f"Trace('red', {(trace.nodes['kind'] == 'neuron').sum()} neurons, 20 images)"
    )


def test_what_lies_below_a_node_kept_or_not(lens):
    trace = lens.trace("red", keep=0.5, top=1)
    (upper,) = trace.levels["high"].kept.tolist()
    found = trace.below("high", upper)
    values = trace.levels["low"].conditional[0]
    assert found["relevance"].tolist() == sorted(values.tolist(), reverse=True)
    assert found.query("kept")["neuron"].tolist() == trace.levels["low"].kept.tolist()
    assert found["neuron"].tolist() == np.argsort(-values, kind="stable").tolist()
    assert trace.below("", 0, top=2)["layer"].tolist() == ["high", "high"]
    assert trace.below("low", int(trace.levels["low"].kept[0])).empty
    with pytest.raises(ValueError, match="not a node"):
        trace.below("high", next(n for n in range(4) if n != upper))


def test_what_cannot_be_traced_is_said_before_anything_is_computed(lens, colour_lens, tmp_path):
    with pytest.raises(ValueError, match="'pink' is not the name of an output"):
        lens.trace("pink")
    with pytest.raises(ValueError, match=r"not of the class 'red': 1 \('green'\)"):
        lens.trace("red", images=[0, 1])
    with pytest.raises(ValueError, match="0 to 59"):
        lens.trace("red", images=[60])
    with pytest.raises(ValueError, match="no images to look at"):
        lens.trace(("high", 0), images=[])
    with pytest.raises(ValueError, match="keep=0"):
        lens.trace("red", keep=0)
    with pytest.raises(ValueError, match="top=0"):
        lens.trace("red", top=0)
    with pytest.raises(KeyError, match="hihg"):
        lens.trace(("hihg", 0))
    with pytest.raises(IndexError, match=r"outside 0\.\.3"):
        lens.trace(("high", 4))
    with pytest.raises(ValueError, match="no layer to trace"):
        lens.trace(("low", 0))
    with pytest.raises(ValueError, match="0 to 1"):
        lens.trace(7, images=[0])
    with pytest.raises(LensUnavailable, match="Traces"):
        slw.open(tmp_path / "analysis").trace("red")
    plain = slw.TargetModel(Small(), ["high", "low"], transform=to_tensor)
    unnamed = colour_lens(target=plain, path=tmp_path / "plain").run()
    with pytest.raises(ValueError, match=r"TargetModel\(\.\.\., outputs="):
        unnamed.trace("red")


def test_neurons_that_are_no_channels_cannot_be_traced(colour_lens, tmp_path):
    units = small_target(units={"high": torch.eye(4)})
    with pytest.raises(ValueError, match="'high' are read by an encoder"):
        colour_lens(target=units, path=tmp_path / "units").run().trace("red")
    halves = small_target(pooling=lambda y: y.mean((2, 3))[:, :2])
    with pytest.raises(ValueError, match="2 neurons of the 4 channels of layer 'high'"):
        colour_lens(target=halves, path=tmp_path / "halves").run().trace("red")


class Branches(Small):
    def forward(self, x):
        x = self.first(x)
        low = self.low(x)
        return self.head(torch.cat([low, low[:, :3]], 1)[:, :4].mean((2, 3)) + self.beside(x))

    def beside(self, x):
        return self.high(torch.cat([x, x], 1)[:, :5]).mean((2, 3))


def test_layers_side_by_side_cannot_be_traced(colour_lens):
    target = slw.TargetModel(
        Branches(), ["low", "high"], transform=to_tensor, outputs=["red", "green"]
    )
    with pytest.raises(ValueError, match="'high' does not depend on layer 'low'"):
        colour_lens(target=target).run().trace("red")


def test_of_many_images_of_a_class_some_are_drawn_always_the_same(colour_lens):
    images = slw.ImageDataset.from_list(
        colour_images(210), [i % 3 for i in range(210)], ["red", "green", "blue"]
    )
    lens = colour_lens(target=small_target(), images=images).run()
    trace = lens.trace("red")
    assert len(trace.images) == 64
    assert (trace.images % 3 == 0).all()
    assert (np.diff(trace.images) > 0).all()
    assert trace.images.tolist() == lens.trace("red").images.tolist()
    every = list(range(0, 210, 3))
    assert lens.trace("red", images=every).images.tolist() == every


# -- what is kept --------------------------------------------------------------------------------


def test_the_fewest_neurons_that_carry_the_share_are_kept():
    relevance = np.array([1.0, 4, -3, 2, 2, 1])
    for keep, kept in (
        (0.3, [1]),
        (0.4, [1]),
        (0.5, [1, 3]),
        (0.8, [1, 3, 4]),
        (1, [1, 3, 4, 0, 5]),
    ):
        assert level(relevance, relevance[None], keep, 9).kept.tolist() == kept
    assert level(relevance, relevance[None], 1, 2).kept.tolist() == [1, 3]
    nothing = level(-np.abs(relevance), -np.abs(relevance)[None], 0.8, 9)
    assert nothing.kept.tolist() == []
    assert nothing.shares.tolist() == [1]
    assert nothing.edges.tolist() == [[-13], [0]]


def test_shares_are_of_what_is_traced_and_what_comes_by_other_ways():
    relevance = np.array([3.0, -1, 2])
    conditional = np.array([[1.0, -2, 0], [1, 0, 1]])
    found = level(relevance, conditional, 0.6, 9)
    assert found.kept.tolist() == [0]
    # |traced| is 2, 2, 1 and |other| 1, 1, 1: all in all 8.
    assert found.shares.tolist() == [2 / 8, 6 / 8]
    assert found.edges.tolist() == [[1, -2], [1, 1], [1, 2]]
    silent = level(np.zeros(3), np.zeros((2, 3)), 0.8, 9)
    assert silent.shares.tolist() == [1]


def test_agreement_is_spearmans():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one = rng.normal(size=40).round(1)  # with ties
    other = one + rng.normal(size=40)
    found = agreement(one, other)
    assert found.value == pytest.approx(spearmanr(one, other).statistic)
    assert found.low < found.value < found.high
    assert agreement(one, one).value == pytest.approx(1)
    assert agreement(one[:2], other[:2]) is None
    assert agreement(one, np.ones(40)) is None
