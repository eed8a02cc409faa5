"""Which of a model's outputs is explained, and that it is explained at its logits."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance, relevance_method
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.target import TargetModel


class Net(nn.Module):
    """Returns what ``end`` makes of its features and logits."""

    def __init__(self, end=lambda _features, logits: logits):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(6, 4)
        self.end = end

    def forward(self, x):
        features = self.conv(x).relu().mean((2, 3))
        return self.end(features, self.head(features))


@dataclass
class Data:
    features: Tensor
    logits: Tensor


@dataclass
class Alone:
    prediction: Tensor
    loss: float = 0.0


class Named(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


class Plain:
    def __init__(self, features, scores):
        self.features, self.scores = features, scores


def images():
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def target(end=lambda _features, logits: logits, **options):
    options.setdefault("poles", "positive")
    return TargetModel(Net(end), ["conv"], transform=lambda _: images()[0], **options)


def relevance(t):
    return output_relevance(t, images(), torch.tensor([0, 1, 2]))[0]["conv"]


@pytest.fixture
def expected():
    """A mean and a dense layer behind rectified features: activation times weight."""
    net = Net()
    with torch.no_grad():
        return net.conv(images()).relu().mean((2, 3)) * net.head.weight[:3]


RETURNS = {
    "dictionary": lambda f, z: {"features": f, "logits": z},
    "ordered dictionary": lambda f, z: OrderedDict(loss=f.sum(), logits=z, hidden=(f,)),
    "dataclass": Data,
    "one in a dataclass": lambda _f, z: Alone(z),
    "named tuple": lambda f, z: Named(z, f),
    "probabilities beside": lambda _f, z: {"probabilities": z.softmax(1), "logits": z},
    "only one (batch, outputs)": lambda f, z: [f[:, :, None], z],
}


@pytest.mark.parametrize("kind", RETURNS)
def test_the_logits_are_found_where_it_is_clear(kind, expected):
    torch.testing.assert_close(relevance(target(RETURNS[kind])), expected, rtol=1e-4, atol=1e-5)


AMBIGUOUS = {
    "tuple": (lambda f, z: (f, z), 1, r"tuple \(0: \(1, 6\), 1: \(1, 4\)\).*logits=0"),
    "dictionary": (lambda f, z: {"f": f, "z": z}, "z", r"dict \('f': \(1, 6\), 'z'.*logits='f'"),
    "object": (Plain, "scores", r"Plain \('features': \(1, 6\), 'scores': \(1, 4\)\)"),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_what_is_ambiguous_is_asked_for(kind, expected):
    end, place, words = AMBIGUOUS[kind]
    with pytest.raises(ModelError, match=words):
        relevance(target(end))
    found = relevance(target(end, logits=place))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("end", "options", "words"),
    [
        (lambda f, z: (f, z), {"logits": 2}, "logits=2: the model returns tuple"),
        (lambda f, _z: {"f": f[:, :, None]}, {}, "not clear which"),
        (lambda _f, z: {"logits": z[:, :, None]}, {}, "needs outputs"),
        (lambda _f, z: z[:, 0], {}, r"a tensor of shape \(1,\); relevance needs outputs"),
        (lambda _f, _z: "nothing", {}, "The model returns str"),
        (lambda _f, z: z, {"logits": "z"}, "logits='z'"),
    ],
)
def test_what_is_no_output_is_named(end, options, words):
    with pytest.raises(ModelError, match=words):
        relevance(target(end, **options))


HEADS = {
    "softmax": lambda z: z.softmax(1),
    "functional softmax": lambda z: functional.softmax(z, dim=-1),
    "module": nn.Softmax(1),
    "log-softmax": lambda z: functional.log_softmax(z, dim=1),
    "log of softmax": lambda z: z.softmax(1).clamp(min=1e-9).log(),
    "exp of log-softmax": lambda z: torch.log_softmax(z, 1).exp(),
    "sigmoid": torch.sigmoid,
    "sigmoid in place": lambda z: z.sigmoid_(),
    "sigmoid module": nn.Sigmoid(),
    "log-sigmoid": functional.logsigmoid,
    "special": torch.special.expit,
    "reshaped": lambda z: z[:, :, None, None].softmax(1).flatten(1),
    "double": lambda z: z.softmax(1).double(),
}


@pytest.mark.parametrize("kind", HEADS)
def test_probabilities_are_explained_at_their_logits(kind, expected):
    head = HEADS[kind]
    for end in (lambda _f, z: head(z), lambda _f, z: {"logits": head(z), "raw": head(z)[:, None]}):
        t = target(end)
        torch.testing.assert_close(relevance(t).float(), expected, rtol=1e-4, atol=1e-5)
        assert "at the logits, before the " in relevance_method(t)
    assert relevance_method(target()) == "LRP EpsilonPlusFlat"


def test_a_softmax_inside_is_not_taken_for_the_end(expected):
    """Attention over channels comes first; only the last softmax is left out."""
    plain = target(lambda f, z: z * f.softmax(1).sum(1, keepdim=True))
    ended = target(lambda f, z: (z * f.softmax(1).sum(1, keepdim=True)).softmax(1))
    for t in (plain, ended):
        with pytest.raises(ValueError, match="cannot be propagated through this model's attention"):
            relevance(t)  # said, as before; not given as if it were exact
    assert expected.shape == (3, 6)


def written_out(z):
    return z.exp() / z.exp().sum(1, keepdim=True)


@pytest.mark.parametrize(
    "head",
    [
        written_out,
        lambda z: written_out(z).log(),
        lambda z: (z.softmax(1) + (2 * z).softmax(1)) / 2,  # an ensemble
    ],
)
def test_probabilities_from_elsewhere_are_refused_by_name(head):
    with pytest.raises(ModelError, match="probabilities: they add up to 1"):
        relevance(target(lambda _f, z: head(z)))


@pytest.mark.parametrize(
    "head",
    [
        lambda z: 1 - z.sigmoid(),
        lambda z: 1 / (1 + torch.exp(-z)),
        lambda z: (1 + (-z).exp()).reciprocal(),
        lambda z: 0.5 * (torch.tanh(z / 2) + 1),
        lambda z: 100 * z.softmax(1),
        lambda z: (1 / (1 + torch.exp(-z)))[:, :1],  # of two classes, one output
    ],
)
def test_probabilities_that_are_calculated_with_are_refused_by_name(head):
    with pytest.raises(ModelError, match="a calculation with"):
        relevance(target(lambda _f, z: head(z)))


def test_outputs_between_0_and_1_that_are_no_probabilities_are_explained():
    for head in (torch.tanh, torch.exp, lambda z: (z * 1e-3).tanh() + 7, lambda z: z.relu() * 1e-3):
        assert relevance(target(lambda _f, z, head=head: head(z))).isfinite().all()


def test_the_logits_place_may_be_a_number_of_numpy(expected):
    found = relevance(target(lambda f, z: (f, z), logits=np.int64(1)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert type(target(logits=np.int64(1)).logits) is int  # as it is stored
    with pytest.raises(TypeError, match="logits="):
        target(logits=("out", "logits"))


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index, pd.Series, iter])
def test_names_of_outputs_may_come_in_any_sequence(kind):
    assert target(outputs=kind(["a", "b", "c", "d"])).outputs == {
        "a": [0],
        "b": [1],
        "c": [2],
        "d": [3],
    }


def test_the_largest_output_is_the_same_before_and_after_the_softmax():
    outputs = output_relevance(target(lambda _f, z: z.softmax(1)), images())[1]
    assert torch.equal(outputs, output_relevance(target(), images())[1])


def test_heatmaps_do_not_care_what_is_returned():
    maps = [localise(target(end), images(), "conv", [0, 1, 2]) for end in RETURNS.values()]
    for found in maps[1:]:
        assert torch.equal(found, maps[0])
