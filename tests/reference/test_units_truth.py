"""An audit of a sparse autoencoder's units, where it is known which images carry the watermark."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.inputs.units import SparseEncoder

LAYER = "layer3"
PLANTED = demo.SHORTCUT_CLASS
TIMES = 4  # as many units per channel
TOP = 12


def plain() -> slw.TargetModel:
    return slw.TargetModel(
        demo.classifier(), [LAYER], transform=demo.preprocess, outputs=demo.CLASSES
    )


def inputs(scenes, count):
    return torch.stack([demo.preprocess(scenes[at][0]) for at in range(count)])


@pytest.fixture(scope="module")
def autoencoder() -> SparseEncoder:
    """A TopK autoencoder over the positions of 1,000 pictures that are not those audited."""
    torch.manual_seed(0)
    vectors = plain().output(inputs(demo.scene_images(1000, seed=6), 1000), LAYER)
    vectors = vectors.movedim(1, -1).flatten(0, 2)
    units = TIMES * vectors.shape[1]
    atoms = nn.functional.normalize(torch.randn(units, vectors.shape[1]), dim=1)
    encoder = SparseEncoder(atoms, centre=vectors.mean(0), top=TOP, decoder=atoms)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    for _ in range(1500):
        batch = vectors[torch.randint(len(vectors), (1024,))]
        loss = (encoder(batch) @ encoder.decoder + encoder.centre - batch).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder


@pytest.fixture(scope="module")
def lens(autoencoder, tmp_path_factory):
    target = slw.TargetModel(
        demo.classifier(),
        [LAYER],
        transform=demo.preprocess,
        outputs=demo.CLASSES,
        units={LAYER: autoencoder},
    )
    images = slw.ImageDataset.from_dataset(demo.scene_images(2000, seed=41))
    path = tmp_path_factory.mktemp("units") / "analysis"
    return slw.SemanticLens(target, images, demo.foundation(), path=path).run()


def test_units_and_the_error_are_the_layers_relevance(lens):
    images = inputs(demo.scene_images(8, seed=7), 8)
    found = output_relevance(lens.target, images)
    whole = output_relevance(plain(), images, found.outputs).relevance[LAYER].sum(1)
    together = found.relevance[LAYER].sum(1) + found.rest[LAYER]
    np.testing.assert_allclose(together, whole, rtol=1e-4, atol=1e-4)


def test_the_units_flagged_are_those_of_the_watermark(lens):
    audit = lens.audit(PLANTED, [*PLANTED.split(), PLANTED], ["watermark"])
    marked = demo.scene_images(2000, seed=41).concepts[:, demo.CONCEPTS.index("watermark")]
    truth = auroc(lens.activations(LAYER), marked[:, None])[:, 0]
    best = np.argsort(-truth, kind="stable")
    flagged = [neuron for _, neuron in audit.flagged[:10]]
    assert flagged[0] == best[0]
    assert set(best[:3]) <= set(flagged)
    assert len(set(flagged) & set(best[:20])) >= 7
    last = audit.summary.set_index("verdict")["share"]
    assert last.sum() == pytest.approx(1)
    assert last["error"] > 0
    assert any("do not reconstruct" in sentence for sentence in audit.unchecked)
