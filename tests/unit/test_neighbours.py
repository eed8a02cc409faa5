"""Several contrastive examples for each example: kept by an analysis, and taken out together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.analysis.contrasting import contrastive_examples, contrastive_neighbours
from semlens_widgets.errors import StoreError
from semlens_widgets.labels.csp import projection
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings
from semlens_widgets.labels.resampling import drawn_anew, shuffled
from semlens_widgets.widgets import ContrastPanel
from tests.colour_world import ColourFoundation, colour_images
from tests.unit.test_contrasting import tied_world

NAMES = ["red", "green", "blue", "grey"]


def loop(quiet, vectors, examples, neighbours, *, reuse):
    """The contrasts of one neuron, neighbour by neighbour, example by example."""
    found = [[-1] * neighbours for _ in examples]
    taken: set[int] = set()
    for neighbour in range(neighbours):
        for rank, own in enumerate(examples):
            if own < 0:
                continue
            cosine = (vectors.astype(np.float64) * vectors[own].astype(np.float64)).sum(1)
            gone = {own, *found[rank]} | (set() if reuse else taken)
            left = [at for at in np.flatnonzero(quiet) if at not in gone]
            best = min(left, key=lambda at: (-cosine[at], at), default=-1)
            found[rank][neighbour] = int(best)
            taken.add(int(best))
    return found


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_mined_one_after_the_other_as_in_a_loop(seed, reuse):
    activations, embeddings = tied_world(seed)
    activations = activations[:, :3]
    examples = torch.from_numpy(np.random.default_rng(seed).integers(-1, 60, (3, 9)))
    found, similarity = contrastive_neighbours(
        activations, embeddings, examples, reuse=reuse, neighbours=4
    )
    for neuron in range(3):
        column = activations[:, neuron].double().numpy()
        with np.errstate(invalid="ignore"):
            quiet = column < np.nanmean(column)
        own = examples[neuron].tolist()
        assert found[neuron].tolist() == loop(quiet, embeddings.numpy(), own, 4, reuse=reuse)
    first, _ = contrastive_examples(activations, embeddings, examples, reuse=reuse)
    assert found[..., 0].equal(first)
    assert similarity.isnan().equal(found < 0)


def test_where_quiet_images_run_out_there_are_fewer():
    activations = torch.tensor([[5.0], [4.0], [0.0], [0.0]])
    embeddings = torch.eye(4)
    found, _ = contrastive_neighbours(activations, embeddings, torch.tensor([[0, 1]]), neighbours=3)
    assert found.tolist() == [[[2, 3, -1], [2, 3, -1]]]


def test_a_projection_onto_vectors_that_are_one_is_that_onto_it():
    one = torch.nn.functional.normalize(torch.tensor([3.0, 4.0, 1.0]), dim=0)
    vector = torch.tensor([[[0.2, 0.5, 0.7]]])
    alone = projection(vector, one.view(1, 1, 1, 3))
    onto = torch.stack([one, one, torch.zeros(3)]).view(1, 1, 3, 3)
    thrice = projection(vector, onto)
    assert (thrice[..., None] * onto).sum(2).allclose(alone * one, atol=1e-6)
    # As good as one: they differ by less than half precision tells apart.
    near = torch.nn.functional.normalize(one + 2e-4 * torch.tensor([1.0, -1.0, 0.5]), dim=0)
    onto = torch.stack([one, near, one]).view(1, 1, 3, 3)
    taken = (projection(vector, onto)[..., None] * onto).sum(2)
    assert taken.allclose(alone * one, atol=1e-3)


def test_of_a_whole_space_nothing_is_left():
    generator = torch.Generator().manual_seed(0)
    onto = torch.nn.functional.normalize(torch.randn(2, 5, 4, 4, generator=generator), dim=3)
    vectors = torch.randn(2, 5, 4, generator=generator)
    taken = (projection(vectors, onto)[..., None] * onto).sum(2)
    torch.testing.assert_close(taken, vectors, atol=1e-4, rtol=1e-4)


def test_where_contrasts_take_everything_out_there_is_no_score():
    images = HeldEmbeddings(torch.eye(3).repeat(2, 1))
    examples = torch.tensor([[0, 1], [0, 1]])
    contrasts = torch.tensor([[3, 4], [3, -1]])  # copies; of one example none
    evidence = Evidence(images, examples, contrasts, torch.ones(2, 2))
    scores = slw.Csp(centred=False).score(evidence, torch.eye(3))
    assert scores[0].isnan().all()
    assert scores[1].tolist() == [0, 1, 0]
    parts = slw.Csp(centred=False).parts(evidence, torch.eye(3))
    assert parts[0].eq(0).all()
    assert parts[1].sum(0).tolist() == [0, 1, 0]


@pytest.mark.parametrize("space", ["foundation", "target"])
def test_an_analysis_keeps_them_behind_the_first(colour_lens, tmp_path, space):
    one = colour_lens(contrasts=slw.Nearest(space), path=tmp_path / "one").run()
    lens = colour_lens(contrasts=slw.Nearest(space, neighbours=3), path=tmp_path / "three").run()
    assert (one.n_contrasts, lens.n_contrasts) == (1, 3)
    assert "further" not in one.store.columns("contrasts")
    evidence = lens._read.evidence
    values = np.concatenate([lens.activations(layer) for layer in lens.layers], axis=1)
    rows = np.arange(values.shape[1])[:, None, None]
    further = evidence.further.numpy()
    quiet = values[further, rows] < values.astype(np.float64).mean(0)[rows]
    assert (quiet | (further < 0)).all()
    assert (further >= 0).any()
    for layer, neuron in (("seen", 0), ("mixed", 3)):
        pd.testing.assert_frame_equal(lens.examples(layer, neuron), one.examples(layer, neuron))
    # Opened again, they are the same; asked for other ones, the analysis is another.
    again = slw.open(tmp_path / "three")
    assert again._read.evidence.further.equal(evidence.further)
    with pytest.raises(StoreError, match="contrasts: recorded"):
        colour_lens(contrasts=slw.Nearest(space), path=tmp_path / "three")


def test_scores_by_several_from_python_and_panel(colour_lens, tmp_path):
    lens = colour_lens(contrasts=slw.Nearest(neighbours=3), path=tmp_path / "three").run()
    one = colour_lens(path=tmp_path / "one").run()
    usual = lens.scores("mixed", 0, NAMES, scorer="csp")
    pd.testing.assert_frame_equal(usual, one.scores("mixed", 0, NAMES, scorer="csp"))
    several = slw.Csp(gamma=0.5, neighbours=3)
    found = lens.scores("mixed", 0, NAMES, scorer=several)
    assert not np.allclose(found["score"], usual["score"])
    parts = lens.contributions("mixed", 0, NAMES, scorer=several)
    np.testing.assert_allclose(parts.sum(), found["score"], atol=1e-5)
    lens.label(NAMES, scorer=several)
    assert lens.labelled_by["neighbours"] == 3
    panel = ContrastPanel(lens, "mixed", 0)
    assert panel.settings["neighbours"] == 3
    controls = {
        one["name"]: control["high"]
        for one in panel.get_state()["_scorers"]
        for control in one["controls"]
        if control["name"] == "neighbours"
    }
    assert controls == {"csp": 3}
    with pytest.raises(ValueError, match=r"neighbours=4: the analysis holds 3 for each example"):
        lens.label(NAMES, scorer=slw.Csp(neighbours=4))
    with pytest.raises(ValueError, match=r"the analysis holds 1 .*Nearest\(neighbours=3\)"):
        one.scores("mixed", 0, NAMES, scorer=several)


@pytest.mark.filterwarnings("ignore:.*crops are all that the model sees")
def test_crops_of_all_contrasts_are_embedded(colour_lens, tmp_path):
    contrasts = slw.Nearest(neighbours=2)
    lens = colour_lens(contrasts=contrasts, embedding="crop", path=tmp_path / "crops").run()
    evidence = lens._read.evidence
    samples = torch.cat([evidence.contrasts[..., None], evidence.further], dim=2)
    assert evidence.quiet.shape == (*samples.shape, 3)
    pictures, colours = colour_images(), ColourFoundation()
    boxes = {
        (one["row"], one["sample"]): one["box"]
        for one in lens.store.read("heatmaps", ["row", "sample", "box"]).to_pylist()
    }
    for row, rank, which in torch.cartesian_prod(*map(torch.arange, samples.shape)).tolist():
        sample = int(samples[row, rank, which])
        if sample < 0:
            assert evidence.quiet[row, rank, which].eq(0).all()
            continue
        left, top, right, bottom = boxes[row, int(evidence.examples[row, rank])]
        width, height = pictures[sample].size
        edges = (left * width, top * height, right * width, bottom * height)
        crop = colours.transform(pictures[sample].crop(tuple(map(round, edges))))
        expected = colours.encode_images(crop[None])[0]
        torch.testing.assert_close(evidence.quiet[row, rank, which], expected, atol=1e-3, rtol=0)
    part = evidence.crops(2, 4)
    torch.testing.assert_close(part[1], evidence.quiet[2:4], equal_nan=True)
    for embedding in ("image", "crop"):
        found = lens.scores(
            "seen", 1, NAMES, scorer=slw.Csp(neighbours=2, embedding=embedding, gamma=0.5)
        )
        assert found["score"].idxmax() == 1
    trusted = lens.trust
    lens.label(NAMES, scorer=slw.Csp(neighbours=2, embedding="crop"))
    assert trusted()["known"].notna().any()


def test_evidence_drawn_anew_and_of_nothing_keeps_as_many(colour_lens):
    lens = colour_lens(contrasts=slw.Nearest(neighbours=3)).run()
    evidence = lens._read.evidence
    scorer = slw.Csp(neighbours=3)
    drawn = next(drawn_anew(scorer, evidence, 1, seed=0))
    assert drawn.quiet.shape == evidence.quiet.shape
    np.testing.assert_allclose(
        drawn.quiet, drawn.images.rows(torch.cat([drawn.contrasts[..., None], drawn.further], 2))
    )
    nothing = shuffled(evidence, seed=0)
    assert nothing.neighbours == 3
    values = nothing.values.double()
    quiet = values.gather(1, nothing.further.flatten(1).clamp(min=0))
    there = nothing.further.flatten(1) >= 0
    assert (quiet < values.mean(1, keepdim=True))[there].all()


@pytest.mark.parametrize("neighbours", [0, 17, 1.0, True, "2"])
def test_numbers_that_make_no_sense_are_refused(neighbours):
    with pytest.raises(ValueError, match="must be a whole number from 1 to 16"):
        slw.Nearest(neighbours=neighbours)
