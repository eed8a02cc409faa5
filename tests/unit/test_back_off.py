"""A hypernym where the best label cannot be told from its siblings: on a planted truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.labels.assign import assign, relabelled
from semlens_widgets.labels.back_off import Tree, backed_off, tree_of
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings

PARENTS = {"beagle": "dog", "poodle": "dog", "dog": "animal", "cat": "animal", "animal": ""}
NAMES = ("beagle", "poodle", "cat", "car", "dog", "animal")


def world(
    fires_for: list[set[int]], images: int = 800, seed: int = 0
) -> tuple[Evidence, torch.Tensor]:
    """Pictures of four things, and neurons that fire for some of them alike, with noise."""
    rng = np.random.default_rng(seed)
    things = rng.integers(0, 4, images)
    pictures = np.eye(8)[things] + 0.3 * rng.normal(size=(images, 8))
    values = np.array([[float(thing in these) for thing in things] for these in fires_for])
    values += 0.3 * rng.normal(size=values.shape)
    values = torch.from_numpy(values).float()
    matrix = normalize(torch.from_numpy(pictures).float(), dim=1)
    top = values.topk(10, dim=1)
    # What is more general is vaguer too: mostly like what no picture tells apart.
    texts = torch.zeros(len(NAMES), 8)
    texts[:4, :4] = torch.eye(4)
    texts[4, [0, 1, 6]] = torch.tensor([1.0, 1.0, 8.0])
    texts[5, [0, 1, 2, 7]] = torch.tensor([1.0, 1.0, 1.0, 10.0])
    evidence = Evidence(
        images=HeldEmbeddings(matrix),
        examples=top.indices,
        contrasts=torch.full_like(top.indices, -1),
        activations=top.values,
        distribution=lambda start, stop: values[start:stop],
    )
    return evidence, normalize(texts, dim=1)


def labels(evidence, texts, scorer=None, names=NAMES, parents=PARENTS):
    scorer = scorer or slw.Correlation()
    scores = scorer.score(evidence, texts)
    found = assign(scores, names, threshold=0.0)
    tree = tree_of(names, parents)
    indices = backed_off(scorer, evidence, texts, scores, found.indices, tree, scores > 0)
    return found, relabelled(found, indices, names, scores, torch.zeros(len(scores), 1)), scores


def test_what_can_be_told_apart_keeps_its_label():
    evidence, texts = world([{0}, {1}, {2}, {3}] * 20)
    best, found, _ = labels(evidence, texts)
    assert best.labels == ("beagle", "poodle", "cat", "car") * 20
    assert found.labels == best.labels
    assert torch.equal(found.score, best.score)


def test_what_cannot_be_told_apart_gets_the_hypernym():
    """The lead of one of two equal siblings is below its standard error in 68 draws of 100."""
    two, three = [], []
    for seed in range(100):
        evidence, texts = world([{0, 1}, {0, 1, 2}], seed=seed)
        best, found, scores = labels(evidence, texts)
        assert best.labels[0] in {"beagle", "poodle"}
        two.append(found.labels[0])
        three.append(found.labels[1])
        torch.testing.assert_close(found.score, scores[torch.arange(2), found.indices])
        torch.testing.assert_close(found.margin, found.score)  # over a threshold of 0
    assert set(two) == {"beagle", "poodle", "dog"}  # the cat is told apart
    assert 0.54 < np.mean([label == "dog" for label in two]) < 0.82  # three errors to each side
    assert np.mean([label == "animal" for label in three]) > 0.4
    assert np.mean([label == "dog" for label in three]) < 0.2


def test_the_error_is_that_of_the_paired_difference():
    evidence, texts = world([{0, 1}] * 40)
    best, found, scores = labels(evidence, texts)
    pictures, values = torch.cat(list(evidence.images.blocks())).numpy(), evidence.values.numpy()
    similar = pictures @ texts.numpy().T
    rng = np.random.default_rng(1)
    checked = 0
    for row, at in enumerate(best.indices.tolist()):
        rival = 1 - at
        lead = float(scores[row, at] - scores[row, rival])
        differences = []
        for _ in range(400):
            drawn = rng.integers(0, 800, 800)
            one, other = (
                np.corrcoef(values[row, drawn], similar[drawn, text])[0, 1] for text in (at, rival)
            )
            differences.append(one - other)
        error = np.std(differences)
        if not 0.6 < lead / error < 1.6:  # so that 30 draws cannot decide otherwise
            assert (found.labels[row] == "dog") == (lead < error)
            checked += 1
    assert checked > 15


def test_a_tie_is_backed_off_even_without_any_noise():
    values = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(1, 10)
    things = torch.eye(4).repeat(10, 1)
    evidence, _ = world([{0}], images=40)
    evidence = Evidence(
        images=HeldEmbeddings(things),
        examples=evidence.examples,
        contrasts=evidence.contrasts,
        activations=evidence.activations,
        distribution=lambda start, stop: values[start:stop],
    )
    texts = normalize(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [2, 1, 2, 0]]), dim=1)
    best, found, _ = labels(evidence, texts, names=("beagle", "poodle", "dog"))
    assert best.labels == ("beagle",)
    assert found.labels == ("dog",)


def test_a_hypernym_that_does_not_count_is_passed_over():
    evidence, texts = world([{0, 1}] * 60)
    scorer = slw.Correlation()
    scores = scorer.score(evidence, texts)
    best = scores.argmax(1)
    counts = torch.ones_like(scores, dtype=torch.bool)
    tree = tree_of(NAMES, PARENTS)

    def found(may):
        return set(backed_off(scorer, evidence, texts, scores, best, tree, may).tolist())

    assert found(counts) == {0, 1, 4}
    counts[:, 4] = False  # no dog: both are still kinds of animal
    assert found(counts) == {0, 1, 5}
    counts[:, 5] = False
    assert found(counts) == {0, 1}
    counts[:, 4:] = True
    counts[:, :2] = torch.nn.functional.one_hot(best, 2).bool()  # nor the sibling
    assert found(counts) == {0, 1}


def test_unknown_stays_unknown():
    evidence, texts = world([{0, 1}] * 3)
    scores = slw.Correlation().score(evidence, texts)
    best = torch.tensor([-1, -1, -1])
    counts = torch.ones_like(scores, dtype=torch.bool)
    tree = tree_of(NAMES, PARENTS)
    found = backed_off(slw.Correlation(), evidence, texts, scores, best, tree, counts)
    assert torch.equal(found, best)


def test_the_tree_of_candidates_leaps_over_what_is_no_candidate():
    assert tree_of(("animal", "beagle", "car"), PARENTS) == Tree(
        above=((), (0,), ()), below=((0, 1), (1,), (2,))
    )
    with pytest.raises(ValueError, match="no candidate is a kind of another"):
        tree_of(("beagle", "cat"), PARENTS)


def test_a_lens_says_that_it_backed_off(colour_lens):
    lens = colour_lens().run()
    # To this foundation model "scarlet" is nothing: it and "grey" are equally like all images.
    words = slw.Vocabulary(
        ["red", "red thing", "blue", "green", "grey"],
        {"red": "grey", "red thing": "grey", "blue": "", "green": "", "grey": ""},
    )
    with pytest.warns(UserWarning, match="cannot tell these apart"):
        best = lens.label(words, scorer="correlation", threshold=-1.0)
    with pytest.warns(UserWarning, match="cannot tell these apart"):
        frame = lens.label(words, scorer="correlation", threshold=-1.0, back_off=True)
    tied = best["label"] == "red"  # as like as "red thing"
    assert tied.any()
    assert not tied.all()
    assert (frame.loc[tied, "label"] == "grey").all()
    assert (frame.loc[tied, "source"] == "correlation, backed off").all()
    assert frame[~tied].equals(best[~tied])
    for row in frame[tied].itertuples():
        own = lens.scores(row.layer, row.neuron, ["grey"], scorer="correlation")["score"].item()
        assert row.score == pytest.approx(own, abs=1e-5)
        assert row.margin == pytest.approx(own + 1, abs=1e-5)
    assert lens.labels["source"].str.contains("backed off").any()


def test_what_cannot_be_backed_off_is_refused_before_anything_is_scored(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(ValueError, match="no candidate is a kind of another"):
        lens.label(["red", "green"], back_off=True)
    with pytest.raises(ValueError, match="scores of clip-dissect depend on all candidates"):
        lens.label(["dog", "animal"], scorer="clip-dissect", back_off=True)
    assert lens.labels.empty
