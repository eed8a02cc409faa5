"""What every scorer promises, whatever the neurons, images and texts are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from semlens_widgets.analysis.contrasting import contrastive_examples
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.labels.assign import UNKNOWN, assign
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, these_neurons
from semlens_widgets.labels.scorers import SCORERS

FEW = settings(max_examples=25, deadline=None)
EACH = pytest.mark.parametrize("name", SCORERS)
#: Of scores: a probability, a correlation, a cosine, a difference of cosines.
RANGES = {"recognition": (0, 1), "correlation": (-1, 1), "csp": (-1, 1)}
RANGES |= {"semanticlens": (-1, 1), "difference": (-2, 2)}
IMAGES, TEXTS = 30, 5


def scorer(name, **settings):
    return SCORERS[name](**settings)


def plain(name):
    """The scorer as in its paper, where it has a setting for that."""
    known = {one.name for one in SCORERS[name].__dataclass_fields__.values()}
    return scorer(name, **({"centred": False} if "centred" in known else {}))


def evidence_on(values, images):
    """Mine the evidence on neurons from activations ``(images, neurons)``."""
    activations = torch.from_numpy(values)
    examples, top = concept_examples(activations, 4)
    contrasts, _ = contrastive_examples(activations, images, examples)
    return Evidence(
        HeldEmbeddings(images),
        examples,
        contrasts,
        top,
        top_samples=concept_examples(activations, 8)[0],
        distribution=lambda start, stop: activations.T[start:stop],
    )


@st.composite
def worlds(draw):
    """Activations with ties, silent and unreadable images; embeddings of images and texts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    neurons = draw(st.integers(2, 5))
    values = (rng.normal(size=(IMAGES, neurons)) * 4).round().astype(np.float32) / 4
    if draw(st.booleans()):
        values = values.clip(0)
    images = normalize(torch.from_numpy(rng.normal(size=(IMAGES, 6)).astype(np.float32)), dim=1)
    if draw(st.booleans()):
        values[3], images[3] = np.nan, 0
    texts = normalize(torch.from_numpy(rng.normal(size=(TEXTS, 6)).astype(np.float32)), dim=1)
    return values, images, texts


def close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=3e-5, rtol=1e-4, equal_nan=True)


@EACH
@FEW
@given(world=worlds())
def test_scores_lie_where_they_must(name, world):
    values, images, texts = world
    scores = plain(name).score(evidence_on(values, images), texts)
    assert scores.shape == (values.shape[1], TEXTS)
    assert not scores.isinf().any()
    low, high = RANGES.get(name, (-np.inf, np.inf))
    known = scores[~scores.isnan()]
    assert ((known >= low - 1e-5) & (known <= high + 1e-5)).all()


@EACH
@FEW
@given(world=worlds(), scale=st.sampled_from([0.125, 2.0, 1024.0]))
def test_the_unit_of_activations_does_not_count(name, world, scale):
    values, images, texts = world
    first = scorer(name).score(evidence_on(values, images), texts)
    close(scorer(name).score(evidence_on(values * np.float32(scale), images), texts), first)


@EACH
@FEW
@given(world=worlds(), seed=st.integers(0, 2**32 - 1))
def test_order_of_neurons_and_texts_does_not_count(name, world, seed):
    values, images, texts = world
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(values.shape[1]), rng.permutation(TEXTS)
    whole = evidence_on(values, images)
    first = scorer(name).score(whole, texts)
    for other in (evidence_on(values[:, rows], images), these_neurons(whole, rows.tolist())):
        close(scorer(name).score(other, texts), first[rows])
    close(scorer(name).score(whole, texts[columns]), first[:, columns])


@EACH
@FEW
@given(world=worlds())
def test_a_neuron_of_which_nothing_is_known_scores_nothing(name, world):
    values, images, texts = world
    values[~np.isnan(values[:, 0]), 0] = 0.5  # as active on any image
    found = evidence_on(values, images)
    gone = found.examples.clone()
    gone[0] = -1
    top = found.top_samples.clone()
    top[0] = -1
    blind = replace(found, examples=gone, contrasts=torch.where(gone < 0, -1, found.contrasts),
                    top_samples=top)  # fmt: skip
    scores = scorer(name).score(blind, texts)
    # Ties count half for recognition, and half is chance; of the others nothing can be said.
    assert (scores[0] == 0.5).all() if name == "recognition" else scores[0].isnan().all()
    assert not scores[1:].isnan().all()


@FEW
@given(st.data())
def test_what_is_no_number_is_never_the_best(data):
    """With a bar, a threshold or neither: a label has a score, and none before it is as good."""
    neurons, texts = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    value = st.sampled_from([float("nan"), -1.0, 0.0, 0.5, 1.0])
    row = st.lists(value, min_size=texts, max_size=texts)
    scores = torch.tensor(data.draw(st.lists(row, min_size=neurons, max_size=neurons)))
    names = [f"label {at}" for at in range(texts)]
    bars = torch.tensor(data.draw(st.lists(value, min_size=neurons, max_size=neurons)))
    for found in (
        assign(scores, names),
        assign(scores, names, threshold=0.5),
        assign(scores, names, bars=bars),
    ):
        for neuron, (index, label) in enumerate(
            zip(found.indices.tolist(), found.labels, strict=True)
        ):
            own = scores[neuron]
            if index < 0:
                assert label == UNKNOWN
                continue
            assert label == names[index]
            assert not own[index].isnan()
            assert own[index] == own[~own.isnan()].max()
            assert not (own[:index] == own[index]).any()
