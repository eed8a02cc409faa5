"""The settings of mined contrasts: what is stored of them, what is refused, what a lens makes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.errors import StoreError


def test_the_default_is_stored_as_ever_and_the_rest_beside_it():
    assert slw.Nearest().settings == {"name": "mined"}
    assert slw.Nearest("target", slw.Quantile(0.1), reuse=False).settings == {
        "name": "mined",
        "space": "target",
        "below": {"quantile": 0.1},
        "reuse": False,
    }
    assert slw.Nearest(below=slw.OfMaximum(0.1)).settings["below"] == {"share": 0.1}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: slw.Nearest(space="pixels"), "space='pixels' must be"),
        (lambda: slw.Nearest(below="median"), "below='median' must be"),
        (lambda: slw.Nearest(below=0.1), "below=0.1 must be"),
        (lambda: slw.Nearest(reuse=1), "reuse=1 must be"),
        (lambda: slw.Quantile(0), r"Quantile\(0\) must be"),
        (lambda: slw.Quantile(10), r"Quantile\(10\) must be"),
        (lambda: slw.OfMaximum("half"), r"OfMaximum\('half'\) must be"),
        (lambda: slw.OfMaximum(float("nan")), r"OfMaximum\(nan\) must be"),
        (lambda: slw.OfMaximum(True), r"OfMaximum\(True\) must be"),
    ],
)
def test_nonsense_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_lens_obeys_each_setting(colour_lens, tmp_path):
    strict = slw.Nearest(below=slw.Quantile(0.1), reuse=False)
    lens = colour_lens(contrasts=strict, path=tmp_path / "strict").run()
    for neuron in range(4):
        values = lens.activations("mixed")[:, neuron].astype(np.float64)
        found = lens.examples("mixed", neuron)
        assert (found["contrast_activation"] <= np.quantile(values, 0.1)).all()
        assert found["contrast_sample"].is_unique
        assert found["changed"].isna().all()
    again = colour_lens(contrasts=strict, path=tmp_path / "strict")
    assert again.store.is_finished("contrasts")
    with pytest.raises(StoreError, match="contrasts: recorded"):
        colour_lens(path=tmp_path / "strict")


def test_similar_in_the_targets_space_as_in_numpy(colour_lens):
    lens = colour_lens(contrasts=slw.Nearest(space="target")).run()
    values = lens.activations("mixed")
    for neuron in range(4):
        others = np.delete(values, neuron, axis=1).astype(np.float64)
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        quiet = values[:, neuron] < values[:, neuron].astype(np.float64).mean()
        found = lens.examples("mixed", neuron)
        for row in found.itertuples():
            cosine = np.where(quiet, others @ others[row.sample], -np.inf)
            assert cosine[row.contrast_sample] == pytest.approx(cosine.max(), abs=1e-6)


def test_blocks_are_as_small_as_a_generator_wants(colour_lens):
    seen = []

    @dataclass(frozen=True)
    class Pairwise(slw.Nearest):
        together: ClassVar[int | None] = 2

        def contrasts(self, block):
            seen.append((block.layer, block.neurons, block.activations.shape))
            whole = block.layer_activations()
            own = whole[:, block.neurons.start : block.neurons.stop]
            assert torch.equal(own, block.activations)
            return super().contrasts(block)

    few = colour_lens(contrasts=Pairwise()).run()
    assert seen == [
        ("seen", range(2), (60, 2)),
        ("seen", range(2, 3), (60, 1)),
        ("mixed", range(2), (60, 2)),
        ("mixed", range(2, 4), (60, 2)),
    ]
    told = few.store.frame("contrasts")
    with_all = colour_lens(path=few.store.path.parent / "all").run().store.frame("contrasts")
    assert told.equals(with_all)
