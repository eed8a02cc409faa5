"""The cases in which other code of this field gives wrong answers, each against its definition.

The definitions are loops in numpy, written from the papers (SemanticLens arXiv 2501.05398, CSP
arXiv 2604.22477) and not from this package; the answers come through its public interface.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from semlens_widgets.attribution.neuron import quantise, relevance_boxes
from semlens_widgets.inputs.foundation import CSP_TEMPLATES
from tests.colour_world import (
    ColourFoundation,
    ColourNet,
    TableFoundation,
    TableNet,
    numbered_images,
    square_on_black,
    to_tensor,
)

HALF = 2e-3  # embeddings and semantic vectors are stored in float16


@pytest.fixture
def table_lens(tmp_path):
    """Make a lens on given activations (images, neurons) and embeddings (images, dim)."""

    def make(activations, embeddings, n_examples=6, net=None, **changes):
        net = net or TableNet(np.asarray(activations, np.float32))
        return slw.SemanticLens(
            slw.TargetModel(net, ["table"], transform=to_tensor, poles="positive"),
            slw.ImageDataset.from_list(numbered_images(len(activations))),
            changes.pop("foundation", None) or TableFoundation(np.asarray(embeddings)),
            path=changes.pop("path", tmp_path / "analysis"),
            n_examples=n_examples,
            **changes,
        )

    return make


# -- definitions -----------------------------------------------------------------------------------


def unit(vector):
    return vector / np.linalg.norm(vector)


def most_activating(column, m):
    """The m largest activations; of equal ones the first."""
    return sorted(range(len(column)), key=lambda i: (-column[i], i))[:m]


def quiet_and_most_similar(column, embeddings, example):
    """The image most similar to an example among those on which the neuron is below its mean."""
    mean = column.astype(np.float64).mean()
    quiet = [i for i in range(len(column)) if column[i] < mean and i != example]
    return max(quiet, key=lambda i: (embeddings[i] @ embeddings[example], -i))


def semantic_vectors(activations, embeddings, m):
    rows = [embeddings[most_activating(column, m)].mean(0) for column in activations.T]
    return np.stack([unit(row) for row in rows])


def text_score(vector, query, templates, foundation, correction, embeddings):
    """One neuron, one query: the mean over templates of its cosine, less the correction's."""
    total = 0.0
    for template in templates:
        (text,) = foundation.encode_text([template.replace("{}", query)]).double().numpy()
        total += vector @ text
        if correction == "empty":
            (empty,) = foundation.encode_text([template.replace("{}", "")]).double().numpy()
            total -= vector @ empty
        if correction == "centred":
            total -= np.mean([image @ text for image in embeddings])
    return total / len(templates)


def csp_score(activations, embeddings, examples, contrasts, text):
    """CSP with full projection; negative activations weigh nothing, and all alike if all do."""
    weights = [max(a, 0.0) for a in activations[examples]]
    if not any(weights):
        weights = [1.0] * len(examples)
    total = np.zeros(embeddings.shape[1])
    for weight, example, contrast in zip(weights, examples, contrasts, strict=True):
        p, n = embeddings[example], embeddings[contrast]
        total += weight * (p - (p @ n) * n)
    return unit(total) @ text


def clarity(vectors):
    pairs = list(combinations(vectors, 2))
    return sum(unit(a) @ unit(b) for a, b in pairs) / len(pairs)


def best_split(vectors):
    """The two clusters of least inertia, by trying all."""
    best, least = None, np.inf
    for bits in range(1, 2 ** (len(vectors) - 1)):
        first = np.array([bits >> i & 1 for i in range(len(vectors))], bool)
        inertia = sum(
            ((part - part.mean(0)) ** 2).sum() for part in (vectors[first], vectors[~first])
        )
        if inertia < least:
            best, least = first, inertia
    return best


def polysemanticity(vectors):
    vectors = np.stack([unit(vector) for vector in vectors])
    first = best_split(vectors)
    if min(first.sum(), (~first).sum()) < 2:
        centre = unit(vectors.mean(0))
        return np.mean([1 - centre @ vector for vector in vectors])
    return 1 - unit(vectors[first].mean(0)) @ unit(vectors[~first].mean(0))


# -- search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", [None, "empty", "centred"])
@pytest.mark.parametrize(
    ("neurons", "dim", "queries", "templates"),
    [
        (7, 5, 3, 4),  # several queries in several templates
        (6, 6, 1, 1),  # as many neurons as dimensions
        (6, 6, 6, 6),  # and as many queries and templates
        (5, 9, 5, 2),  # as many queries as neurons
        (1, 4, 1, 3),
    ],
)
def test_search(table_lens, neurons, dim, queries, templates, correction):
    rng = np.random.default_rng(neurons * dim)
    activations = rng.normal(size=(40, neurons)).astype(np.float32)
    embeddings = rng.normal(size=(40, dim)) + 0.5
    lens = table_lens(activations, embeddings).run()
    foundation = lens.foundation
    embeddings = foundation.table.double().numpy()
    vectors = semantic_vectors(activations, embeddings, 6)
    words = ["ox", "yak", "a bee", "elk", "two cats", "fog"][:queries]
    chosen = CSP_TEMPLATES[:templates]
    expected = [
        np.mean([text_score(v, word, chosen, foundation, correction, embeddings) for word in words])
        for v in vectors
    ]
    options = {"centred": correction == "centred", "minus_empty": correction == "empty"}
    found = lens.search(words, scorer=None, templates=chosen, **options)
    assert sorted(found["neuron"]) == list(range(neurons))
    assert found["score"].is_monotonic_decreasing
    scores = found.sort_values("neuron")["score"].to_numpy()
    assert scores == pytest.approx(expected, abs=HALF)


# -- examples --------------------------------------------------------------------------------------


def test_activations_that_half_precision_cannot_tell_apart(table_lens):
    rng = np.random.default_rng(0)
    steps = np.stack([rng.permutation(200) for _ in range(4)], axis=1)
    activations = (1000 + steps * 1e-3).astype(np.float32)
    assert torch.from_numpy(activations).bfloat16().unique().numel() == 1
    lens = table_lens(activations, rng.normal(size=(200, 8)), n_examples=30).run()
    for neuron in range(4):
        examples = lens.examples("table", neuron)
        assert examples["sample"].tolist() == most_activating(steps[:, neuron], 30)
        assert examples["activation"].to_numpy() == pytest.approx(
            activations[examples["sample"], neuron], abs=0
        )


def test_a_second_run_computes_nothing_and_finds_the_same(table_lens, monkeypatch):
    rng = np.random.default_rng(1)
    activations, embeddings = rng.normal(size=(70, 5)), rng.normal(size=(70, 4))
    first = table_lens(activations, embeddings).run()
    before = [first.examples("table", neuron) for neuron in range(5)]

    def never(*args):
        raise AssertionError("computed again")

    def watch(module, _inputs):  # another `forward` would be another model
        if isinstance(module, TableNet):
            never()

    monkeypatch.setattr(TableFoundation, "encode_images", never)
    handle = nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        with pytest.raises(AssertionError, match="computed again"):
            first.target.units(torch.zeros(1, 3, 4, 4))
        for lens in (first.run(), table_lens(activations, embeddings).run()):
            assert len(lens.store.frame("samples")) == 70
            for neuron in range(5):
                again = lens.examples("table", neuron)
                assert again.equals(before[neuron])
                assert again[["sample", "contrast_sample"]].to_numpy().max() < 70
    finally:
        handle.remove()


class Tupled(nn.Module):
    """A layer whose output is a tuple, and another in which the tensor lies deeper."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x), {"aux": x}


class TupledNet(ColourNet):
    def __init__(self):
        super().__init__()
        self.pair = Tupled(self.seen)

    def forward(self, x):
        return self.head(self.relu(self.mixed(self.pair(x)[0])).mean((2, 3)))


def test_tuple_outputs(colour_lens, tmp_path):
    tupled = slw.TargetModel(TupledNet(), ["pair"], transform=to_tensor)
    lens = colour_lens(target=tupled, path=tmp_path / "tupled").run()
    plain = colour_lens(path=tmp_path / "plain").run()
    for neuron in range(3):
        assert np.array_equal(lens.activations("pair", neuron), plain.activations("seen", neuron))
        sample = int(lens.examples("pair", neuron)["sample"][0])
        ours, theirs = lens.heatmap("pair", neuron, sample), plain.heatmap("seen", neuron, sample)
        assert np.array_equal(ours.values, theirs.values)
        assert ours.box == theirs.box


def test_negative_and_dead_neurons_from_examples_to_labels(table_lens):
    """Neuron 0 is positive, 1 negative on all images, 2 silent, 3 positive on two images only."""
    rng = np.random.default_rng(2)
    activations = rng.uniform(0.1, 1, size=(50, 4)).astype(np.float32)
    activations[:, 1] = -activations[:, 1]
    activations[:, 2] = 0
    activations[:, 3] = 0
    activations[[31, 7], 3] = [2, 1]
    lens = table_lens(activations, rng.normal(size=(50, 6))).run()
    embeddings = lens.foundation.table.double().numpy()
    assert lens.neurons["dead"].tolist() == [False, True, True, True]  # kept, and marked
    assert lens.neurons["firing_rate"].tolist() == pytest.approx([1, 0, 0, 0.04])
    candidates = ["ox", "yak", "bee", "elk"]
    scorer = slw.Csp(centred=False)
    labels = lens.label(candidates, scorer=scorer, threshold=-1)
    texts = lens.foundation.encode_text(candidates).double().numpy()
    for neuron, column in enumerate(activations.T):
        examples = lens.examples("table", neuron)
        assert examples["sample"].tolist() == most_activating(column, 6)
        if neuron == 2:  # the same on all images: none is quieter than the others
            assert examples["contrast_sample"].eq(-1).all()
            continue
        expected = [quiet_and_most_similar(column, embeddings, i) for i in examples["sample"]]
        assert examples["contrast_sample"].tolist() == expected
        scores = lens.scores("table", neuron, candidates, scorer=scorer)["score"].to_numpy()
        wanted = [csp_score(column, embeddings, examples["sample"], expected, t) for t in texts]
        assert scores == pytest.approx(wanted, abs=HALF)
        assert labels["label"][neuron] == candidates[int(np.argmax(wanted))]
    assert lens.neurons["label"].isin(candidates).all()


# -- measures --------------------------------------------------------------------------------------


def test_identical_examples(table_lens):
    embeddings = np.tile(np.random.default_rng(3).normal(size=7), (20, 1))
    lens = table_lens(np.random.default_rng(3).normal(size=(20, 3)), embeddings).run()
    assert lens.neurons["clarity"].to_numpy() == pytest.approx(1, abs=1e-5)
    assert lens.neurons["polysemanticity"].to_numpy() == pytest.approx(0, abs=1e-5)
    assert lens.neurons["redundancy"].to_numpy() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("members", [1, 2, 3])
def test_clusters_down_to_one_member(table_lens, members):
    """The examples of every neuron are two bundles; a bundle of one is no second meaning."""
    rng = np.random.default_rng(members)
    activations = rng.uniform(0, 1, size=(30, 3))
    embeddings = rng.normal(scale=0.1, size=(30, 5))
    embeddings[:, 0] += 1
    for neuron in range(3):
        for image in most_activating(activations[:, neuron], 6)[:members]:
            embeddings[image, :2] = [0, 1]
    lens = table_lens(activations, embeddings * rng.uniform(0.5, 3, size=(30, 1))).run()
    vectors = lens.foundation.table.double().numpy()
    for neuron, row in enumerate(lens.neurons.itertuples()):
        mine = vectors[lens.examples("table", neuron)["sample"]]
        assert row.clarity == pytest.approx(clarity(mine), abs=HALF)
        assert row.polysemanticity == pytest.approx(polysemanticity(mine), abs=HALF)
        first = best_split(mine)
        assert lens.example_clusters("table", neuron).tolist() == (first != first[0]).tolist()


# -- heatmaps and crops ----------------------------------------------------------------------------

CORNERS = [(0, 0), (26, 0), (0, 18), (26, 18), (13, 0), (26, 9), (13, 18), (0, 9)]


def corner_images():
    """A red square of 6 pixels in every corner and at every border, then as many black images."""
    red = [square_on_black(left, top, 6, (255, 0, 0)) for left, top in CORNERS]
    return slw.ImageDataset.from_list(red + [square_on_black(0, 0, 1, (0, 0, 9))] * len(CORNERS))


class SizesSeen(ColourFoundation):
    """Remembers how large the images are that it is given."""

    def __init__(self):
        self.sizes = []

    def transform(self, image):
        self.sizes.append(image.size)
        return super().transform(image) + 0.01  # black has an embedding too


def test_crops_at_the_border_are_square_and_inside(colour_lens):
    foundation = SizesSeen()
    lens = colour_lens(
        images=corner_images(), n_examples=8, embedding="crop", foundation=foundation
    )
    foundation.sizes.clear()  # of probes
    lens.run()
    assert sorted(lens.examples("seen", 0)["sample"]) == list(range(8))
    for sample, (left, top) in enumerate(CORNERS):
        box = np.array(lens.heatmap("seen", 0, sample).box) * [32, 24, 32, 24]
        assert (box >= 0).all()
        assert (box <= [32, 24, 32, 24]).all()
        assert box[2] - box[0] == pytest.approx(box[3] - box[1], abs=1e-4)
        assert (box[:2] <= [left + 1e-4, top + 1e-4]).all()
        assert (box[2:] >= [left + 6 - 1e-4, top + 6 - 1e-4]).all()
    crops = [size for size in foundation.sizes if size != (32, 24)]
    assert len(crops) >= 2 * 8
    assert all(width == height for width, height in crops)


def test_the_last_row_and_column_count(colour_lens):
    lens = colour_lens(images=corner_images(), n_examples=8).run()
    for sample, (left, top) in enumerate(CORNERS):
        heatmap = lens.heatmap("seen", 0, sample)
        expected = np.zeros((24, 32), bool)
        expected[top : top + 6, left : left + 6] = True
        assert np.array_equal(heatmap.values > 0, expected)


def test_a_heatmap_of_zeros_is_the_whole_image_and_says_so(colour_lens):
    """Channel 0 sees red: on a black image nothing; channel 3 of ``mixed`` is never positive."""
    lens = colour_lens(images=corner_images(), n_examples=8).run()
    empty, full = lens.heatmap("seen", 0, 8), lens.heatmap("seen", 0, 0)
    assert not empty.values.any()
    assert empty.box == (0, 0, 1, 1)
    assert empty.method == full.method + "; no relevant pixel: whole image"
    assert "no relevant pixel" not in full.method
    negative = lens.heatmap("mixed", 3, 0)
    assert (lens.activations("mixed", 3) < 0).all()
    assert negative.box == (0, 0, 1, 1)
    assert negative.method.endswith("no relevant pixel: whole image")
    again = slw.open(lens.store.path).heatmap("seen", 0, 8)
    assert again.method == empty.method


def test_negative_relevance_is_not_positive(colour_lens):
    """Neuron 0 of ``mixed`` is red less green: more green than red speaks against it."""
    images = []
    for i in range(8):
        image = square_on_black(2 + i, 3, 5, (200, 0, 0))
        image.paste((100, 255, 0), (24, 15, 31, 22))
        images.append(image)
    lens = colour_lens(images=slw.ImageDataset.from_list(images), n_examples=4).run()
    for i in range(8):
        heatmap = lens.heatmap("mixed", 0, i)
        relevant = np.argwhere(heatmap.values)
        assert relevant.min(0).tolist() == [3, 2 + i]
        assert relevant.max(0).tolist() == [7, 6 + i]
        left, top, right, bottom = np.array(heatmap.box) * [32, 24, 32, 24]
        assert right < 24
        assert bottom < 15
        assert left <= 2 + i
        assert top <= 3


def test_boxes_and_bytes_of_signed_maps():
    relevance = torch.zeros(2, 9, 12)
    relevance[0, 8, 11] = 1  # the last pixel
    relevance[0, 0, 0] = -5
    relevance[1, 8, 0] = 1
    relevance[1, 4, 6] = -3
    boxes, found = relevance_boxes(relevance, smoothing=0)
    assert found.all()
    assert boxes.tolist() == [[11, 8, 12, 9], [0, 8, 1, 9]]
    assert np.argwhere(quantise(relevance)).tolist() == [[0, 8, 11], [1, 8, 0]]
