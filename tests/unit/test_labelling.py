"""Scores without some pairs, their parts, groups and originals, asked of a lens."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable
from semlens_widgets.labels.scorers import scorer_of
from tests.colour_world import (
    ColourFoundation,
    TableFoundation,
    TableNet,
    numbered_images,
    to_tensor,
)

NAMES = ["red", "green", "blue"]


def test_contributions_sum_to_the_scores_with_and_without_some_pairs(colour_lens):
    lens = colour_lens().run()
    for method in ("csp", "semanticlens", "difference"):
        for exclude in ([], [0, 3]):
            settings = {"scorer": scorer_of(method, {"gamma": 0.5}), "exclude": exclude}
            scores = lens.scores("mixed", 1, NAMES, **settings)
            parts = lens.contributions("mixed", 1, NAMES, **settings)
            assert parts.columns.tolist() == NAMES
            assert parts.index.tolist() == list(range(6))
            adds = (parts != 0).any(axis=1)
            assert adds[~adds].index.tolist() == exclude
            np.testing.assert_allclose(parts.sum(), scores["score"], atol=1e-5)


def test_leaving_out_a_pair_changes_the_scores(colour_lens):
    lens = colour_lens().run()
    whole, less = (
        lens.scores("mixed", 1, NAMES, scorer="csp", exclude=ranks)["score"] for ranks in ([], [0])
    )
    assert not np.allclose(whole, less, atol=1e-6)
    with pytest.raises(ValueError, match=r"rank 6 is outside 0\.\.5"):
        lens.scores("mixed", 1, NAMES, scorer="csp", exclude=[6])
    with pytest.raises(ValueError, match="recognition goes by the activations on all images"):
        lens.scores("mixed", 1, NAMES, exclude=[1])
    with pytest.raises(ValueError, match="a score of clip-dissect cannot be shared out"):
        lens.contributions("mixed", 1, NAMES, scorer="clip-dissect")


def test_each_text_is_embedded_once(colour_lens):
    asked = []

    class Listening(ColourFoundation):
        def encode_text(self, texts):
            asked.extend(texts)
            return super().encode_text(texts)

    lens = colour_lens(foundation=Listening()).run()
    lens.scores("seen", 0, NAMES, templates=["{}"])
    lens.scores("seen", 1, [*NAMES, "grey"], templates=["{}"], scorer="clip-dissect")
    assert asked == [*NAMES, "grey"]
    lens.scores("seen", 1, ["grey"], templates=["a {}"])
    assert asked[4:] == ["a grey"]


def test_the_prior_is_computed_once_for_the_same_candidates(colour_lens, monkeypatch):
    lens = colour_lens().run()
    calls = []
    real = slw.Dissect.prior
    monkeypatch.setattr(slw.Dissect, "prior", lambda *a, **k: calls.append(1) or real(*a, **k))
    for neuron in range(3):
        lens.scores("seen", neuron, NAMES, scorer="clip-dissect")
    assert len(calls) == 1
    lens.scores("seen", 0, NAMES, scorer=slw.Dissect(centred=False))
    lens.scores("seen", 0, NAMES[::-1], scorer="clip-dissect")
    assert len(calls) == 3


def inertia(points, second):
    return sum(((part - part.mean(0)) ** 2).sum() for part in (points[~second], points[second]))


def test_groups_are_those_of_polysemanticity(tmp_path):
    """Each neuron fires for images of one meaning and of another, in any order."""
    rng = np.random.default_rng(0)
    activations = rng.uniform(0, 1, size=(40, 5)).astype(np.float32)
    meanings = np.eye(8)[rng.integers(0, 2, 40)] + rng.normal(scale=0.1, size=(40, 8))
    lens = slw.SemanticLens(
        slw.TargetModel(TableNet(activations), ["table"], transform=to_tensor),
        slw.ImageDataset.from_list(numbered_images(40)),
        TableFoundation(meanings),
        path=tmp_path / "analysis",
        n_examples=9,
    ).run()
    embeddings = meanings / np.linalg.norm(meanings, axis=1, keepdims=True)
    splits = np.array(list(product([False, True], repeat=8))[1:])  # the first example leads
    splits = np.concatenate([np.zeros((len(splits), 1), bool), splits], axis=1)
    for neuron in range(5):
        points = embeddings[np.argsort(-activations[:, neuron])[:9]]
        best = min(splits, key=lambda second: inertia(points, second))
        assert 2 <= best.sum() <= 7
        assert lens.example_clusters("table", neuron).tolist() == best.tolist()
        centres = [points[~best].mean(0), points[best].mean(0)]
        cosine = centres[0] @ centres[1] / np.prod(np.linalg.norm(centres, axis=1))
        assert lens.neurons["polysemanticity"][neuron] == pytest.approx(1 - cosine, abs=2e-3)


def test_the_histogram_counts_every_readable_image(colour_lens):
    lens = colour_lens().run()
    counts, edges = lens.activation_histogram("seen", 0, bins=10)
    values = lens.activations("seen", 0)
    assert counts.sum() == 60
    assert (edges[0], edges[-1]) == pytest.approx((values.min(), values.max()))


def test_originals_are_whole_and_need_the_images(colour_lens, tmp_path):
    big = [Image.new("RGB", (400, 300), (i, 90, 200)) for i in range(8)]
    lens = colour_lens(images=slw.ImageDataset.from_list(big)).run()
    assert lens.thumbnail(0).size == (256, 192)
    assert lens.original(0).size == (400, 300)
    assert lens.original(0, side=200).size == (200, 150)
    assert np.array_equal(lens.original(0), big[0])
    assert Image.open(io.BytesIO(lens.original_jpeg(0, side=200))).size == (200, 150)
    with pytest.raises(LensUnavailable, match="images="):
        slw.open(tmp_path / "analysis").original(0)


def test_two_threads_may_ask_for_the_same_new_label(colour_lens):
    """Widgets are answered in another thread than cells: what both embed must stay whole."""
    lens = colour_lens().run()
    labels = [f"red {i}" for i in range(200)]
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda label: lens.scores("seen", 0, ["green", label]), labels * 4)
        )
    for label, scores in zip(labels * 4, found, strict=True):
        assert scores["candidate"].tolist() == ["green", label]
        assert scores["score"][1] == found[0]["score"][1]


def test_the_frame_of_neurons_is_the_askers_own(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green"])
    mine, before = lens.neurons, lens.neurons
    mine["label"] = "mine"
    mine.loc[0, "clarity"] = 99
    pd.testing.assert_frame_equal(lens.neurons, before)


def test_labelling_that_is_stopped_keeps_the_labels_of_before(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green"])
    before, told = lens.neurons, []

    def stop(done, total):
        told.append((done, total))
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lens.label(["blue"], progress=stop)
    assert told == [(0, len(before)), (len(before), len(before))]
    pd.testing.assert_frame_equal(lens.neurons, before)
