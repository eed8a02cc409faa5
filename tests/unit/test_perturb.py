"""Perturbed contrasts in a world where it is known which pixels a neuron likes."""

import lancedb
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from tests.colour_world import ColourFoundation, to_tensor

SIDE, SQUARE = 16, 5
PLACES = [(1, 1), (1, 9), (9, 2), (10, 10), (4, 6), (6, 1), (3, 11), (8, 8)]


class Squares(nn.Module):
    """Neuron 0 is redness, which squares have; neuron 1 is blueness, which is everywhere."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Conv2d(3, 2, 1, bias=False)
        with torch.no_grad():
            self.seen.weight.copy_(torch.tensor([[1.0, -1, 0], [0, 0, 1]])[:, :, None, None])

    def forward(self, x):
        return self.seen(x).mean((2, 3))


def pictures():
    rng = np.random.default_rng(0)
    found = []
    for at in range(20):
        pixels = np.full((SIDE, SIDE, 3), 60, np.uint8)
        pixels[..., 2] = 40 + 4 * rng.permutation(20)[at]
        if at < len(PLACES):
            y, x = PLACES[at]
            pixels[y : y + SQUARE, x : x + SQUARE, :2] = (200, 40)
        found.append(pixels)
    return found


def redness(pixels):
    return (pixels[..., 0].astype(float) - pixels[..., 1]).mean() / 255


@pytest.fixture
def make(tmp_path):
    def made(contrasts, folder="analysis", **changes):
        options = {"attention": "map"} | changes
        return slw.SemanticLens(
            slw.TargetModel(Squares(), ["seen"], transform=to_tensor, pooling="mean", **options),
            slw.ImageDataset.from_list([Image.fromarray(one) for one in pictures()]),
            ColourFoundation(),
            path=tmp_path / folder,
            n_examples=4,
            contrasts=contrasts,
        )

    return made


def test_the_smallest_share_that_quietens_is_kept_and_what_cannot_be_is_said(make):
    with pytest.warns(UserWarning, match="4 of 8 concept examples that activate"):
        lens = make("perturb").run()
    images = pictures()
    level = np.mean([redness(one) for one in images])
    for row in lens.examples("seen", 0).itertuples():
        before, after = images[row.sample], np.asarray(lens.original(row.contrast_sample))
        assert row.contrast_origin == "edited"
        assert row.contrast_activation == pytest.approx(redness(after), abs=1e-6)
        assert row.contrast_activation < level
        y, x = PLACES[row.sample]
        inside = np.zeros((SIDE, SIDE), bool)
        inside[y : y + SQUARE, x : x + SQUARE] = True
        changed = (after != before).any(2)
        assert not changed[~inside].any()
        # A tenth of the pixels are the whole square; a twentieth, half of it, leaves it too red.
        assert row.changed == pytest.approx(changed.mean(), abs=1e-6)
        assert changed.sum() == SQUARE**2 == int(0.1 * SIDE**2)
        half = before.copy().reshape(-1, 3)
        half[np.flatnonzero(inside)[: int(0.05 * SIDE**2)]] = before.mean((0, 1))
        assert redness(half) >= level
    blue = lens.examples("seen", 1)  # the mean colour is as blue as the picture
    assert blue["contrast_sample"].eq(-1).all()
    assert blue["contrast_origin"].eq("").all()
    assert blue["changed"].isna().all()
    assert lens.store.stages["contrasts"]["without"] == 4


@pytest.mark.parametrize(
    ("how", "share"),
    [("blur", 0.8), ("inpaint", 0.5), (("shuffle", "inpaint"), 0.5)],  # blur keeps half the red
)
def test_every_way_ends_below_the_level(make, how, share):
    with pytest.warns(UserWarning, match="concept examples that activate"):
        lens = make(slw.Perturb(how, below=slw.OfMaximum(share))).run()
    level = share * max(redness(one) for one in pictures())
    found = lens.examples("seen", 0)
    assert found["contrast_origin"].eq("edited").all()
    assert (found["contrast_activation"] < level).all()
    assert found["changed"].between(0.01, 0.2).all()


def test_moving_its_pixels_does_not_quieten_a_neuron_that_asks_for_no_place(make):
    with pytest.warns(UserWarning, match="8 of 8 concept examples that activate"):
        lens = make(slw.Perturb("shuffle")).run()
    assert lens.examples("seen", 0)["contrast_sample"].eq(-1).all()


def test_another_way_to_make_heatmaps_makes_other_contrasts(make):
    with pytest.warns(UserWarning, match="concept examples that activate"):
        make(slw.Perturb()).run()
    with pytest.raises(StoreError, match="contrasts: recorded"):
        make(slw.Perturb(), attention="attnlrp")
    with pytest.raises(StoreError, match="contrasts: recorded"):
        make(slw.Perturb(seed=1))
    assert make(slw.Perturb()).store.is_finished("contrasts")


def test_an_analysis_that_did_not_keep_how_much_was_changed_is_read(make):
    with pytest.warns(UserWarning, match="concept examples that activate"):
        lens = make(slw.Perturb()).run()
    lancedb.connect(lens.store.path).open_table("pictures").drop_columns(["changed"])
    found = slw.open(lens.store.path).examples("seen", 0)
    assert found["contrast_origin"].eq("edited").all()
    assert found["changed"].isna().all()


def test_a_place_that_cannot_be_found_is_refused_before_the_run(tmp_path):
    def scrambled(image):
        order = np.random.default_rng(0).permutation(SIDE)
        return to_tensor(image)[:, order][:, :, order]

    lens = slw.SemanticLens(
        slw.TargetModel(Squares(), ["seen"], transform=scrambled),
        slw.ImageDataset.from_list([Image.fromarray(one) for one in pictures()]),
        ColourFoundation(),
        path=tmp_path / "scrambled",
        n_examples=4,
        contrasts="perturb",
    )
    with pytest.raises(slw.TransformError, match=r"contrasts='perturb' needs.*contrasts='mined'"):
        lens.run()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"how": "paint"}, "how='paint' must be"),
        ({"how": ()}, r"how=\(\) must be"),
        ({"how": ("remove", "paint")}, "must be one of 'remove'"),
        ({"shares": ()}, r"shares=\(\) must rise"),
        ({"shares": (0.2, 0.1)}, "must rise"),
        ({"shares": (0.0, 0.1)}, "must rise"),
        ({"shares": (0.5, 1.0)}, "must rise"),
        ({"seed": -1}, "seed=-1 must be"),
        ({"below": "max"}, "below='max' must be"),
    ],
)
def test_nonsense_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        slw.Perturb(**settings)
