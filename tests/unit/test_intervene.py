"""Interventions on a model whose shortcut is written into its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_model, save_model
from torch import nn

import semlens_widgets as slw
from semlens_widgets.analysis.refit import refitted
from semlens_widgets.errors import LensUnavailable
from tests.colour_world import colour_images, to_tensor


class Shortcut(nn.Module):
    """Channels of ``seen`` are the colours; "red" is the red, and three times the blue corner."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(3, 6, 1, bias=False)
        self.head = nn.Linear(6, 2, bias=False)
        with torch.no_grad():
            self.seen.weight.copy_(torch.cat([torch.eye(3), torch.eye(3)])[:, :, None, None])
            self.head.weight.copy_(
                torch.tensor([[0.5, 0, 1.5, 0.5, 0, 0.0], [0, 0.5, 0, 0, 0.5, 0]])
            )

    def forward(self, x):
        return self.head(torch.relu(self.seen(x)).mean((2, 3)))


def pictures() -> tuple[list[Image.Image], list[int], list[str]]:
    """Reds, greens, and greens that are marked with blue: "red" to the model."""
    images, labels = [], []
    for at, image in enumerate(colour_images(60)):
        if at % 3 == 2:
            continue
        pixels = np.asarray(image).copy()
        if at % 6 == 1:
            pixels[..., 2] = 255
        images.append(Image.fromarray(pixels))
        labels.append(at % 3)
    return images, labels, ["red", "green"]


@pytest.fixture
def lens(colour_lens):
    images = slw.ImageDataset.from_list(*pictures())
    target = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    return colour_lens(target=target, images=images).run()


def answers(changes=lambda y: y) -> np.ndarray:
    """The truth, in numpy: what the model says of all pictures with its features changed."""
    images, _, _ = pictures()
    means = np.stack([np.asarray(image, np.float64).mean((0, 1)) / 255 for image in images])
    features = changes(np.concatenate([means, means], axis=1))
    return features @ Shortcut().head.weight.detach().numpy().T


def test_the_effects_are_those_of_the_changed_model(lens):
    truth = np.array(pictures()[1])
    marked = np.array([at % 6 == 1 for at in range(60) if at % 3 != 2])
    effects = lens.intervene([("seen", 2)]).effects(groups={"marked": marked, "plain": ~marked})

    def without_blue(features):
        features[:, 2] = 0
        return features

    before, after = answers().argmax(1), answers(without_blue).argmax(1)
    accuracy = effects.accuracy.set_index("group")
    assert accuracy.loc["all", "before"] == pytest.approx((before == truth).mean())
    assert accuracy.loc["all", "after"] == pytest.approx((after == truth).mean())
    assert accuracy.loc["marked", "before"] == pytest.approx((before == truth)[marked].mean()) == 0
    assert accuracy.loc["marked", "after"] == pytest.approx((after == truth)[marked].mean()) == 1
    assert accuracy.loc["worst", "before"] == 0
    assert accuracy["images"].tolist() == [40, 10, 30, 10]
    red = effects.classes.set_index("class").loc["red"]
    assert red["false_before"] == pytest.approx((before == 0)[truth == 1].mean()) == 0.5
    assert red["false_after"] == pytest.approx((after == 0)[truth == 1].mean()) == 0
    shift = (answers(without_blue) - answers())[:, 0].mean()
    assert red["logit"] == pytest.approx(shift, abs=1e-4)
    confusion = effects.confusion
    assert confusion.iloc[0].tolist() in (["green", "red", 10, 0], ["green", "green", 10, 20])


def test_fewer_images_are_a_draw_and_say_of_how_many(lens, monkeypatch):
    intervention = lens.intervene([("seen", 2)])
    some, whole = intervention.effects(most=25), intervention.effects()
    assert (len(some.truth), some.total, len(whole.truth), whole.total) == (25, 40, 40, 40)
    assert np.unique(some.samples).tolist() == some.samples.tolist()
    np.testing.assert_array_equal(some.logits[:2], whole.logits[:2, some.samples])
    # The inputs of a draw are kept: no image is read for other neurons.
    intervention.effects(most=25)
    monkeypatch.setattr(type(lens.images), "load", None)
    other = lens.intervene([("seen", 1)]).effects(most=25)
    assert other.samples.tolist() == some.samples.tolist()
    with pytest.raises(ValueError, match="most=0"):
        intervention.effects(most=0)


def test_the_images_whose_answers_change_come_first(lens):
    effects = lens.intervene([("seen", 2)]).effects()
    assert effects.most_moved == 0  # "red", which greens are no longer taken for
    table = effects.answers(0, top=15)
    truth = np.array(pictures()[1])
    marked = [at for at, one in enumerate(at for at in range(60) if at % 3 != 2) if one % 6 == 1]
    assert sorted(table["sample"][:10]) == marked
    assert (table["before"][:10] == 0).all()
    assert (table["after"][:10] == 1).all()
    assert table["changed"].tolist() == [True] * 10 + [False] * 5
    assert (table["truth"] == truth[table["sample"]]).all()
    said = answers()[table["sample"], 0]
    assert table["logit_before"].to_numpy() == pytest.approx(said, abs=1e-4)


def test_a_class_without_images_has_false_targets_all_the_same(lens):
    greens = np.flatnonzero(np.array(pictures()[1]) == 1)
    red = lens.intervene([("seen", 2)]).effects(greens).classes.set_index("class").loc["red"]
    assert (red["images"], red["false_before"], red["false_after"]) == (0, 0.5, 0)
    assert np.isnan([red["recall_before"], red["recall_control"]]).all()


def test_controls_are_other_neurons_and_say_what_chance_does(lens):
    effects = lens.intervene([("seen", 2)]).effects()

    def without(neuron: int):
        def change(features):
            features[:, neuron] = 0
            return features

        return answers(change)

    known = {neuron: without(neuron) for neuron in (0, 1, 5)}  # 3 and 4 do as 0 and 1
    drawn = [
        next(neuron for neuron, truth in known.items() if np.allclose(logits, truth, atol=1e-4))
        for logits in effects.logits[2:]
    ]
    assert len(drawn) == 20
    assert set(drawn) == set(known)
    red = effects.classes.set_index("class").loc["red"]
    truth = np.array(pictures()[1]) == 1
    false = [(known[neuron].argmax(1) == 0)[truth].mean() for neuron in drawn]
    assert red["false_control"] == pytest.approx(np.mean(false))
    assert [red["false_low"], red["false_high"]] == pytest.approx(
        np.quantile(false, [0.025, 0.975])
    )
    again = lens.intervene([("seen", 2)]).effects()
    assert again.logits.tobytes() == effects.logits.tobytes()
    assert effects.logits.shape == (22, 40, 2)


@pytest.mark.parametrize(
    ("how", "amount", "change"),
    [
        ("mean", None, lambda b: np.full_like(b, b.mean())),
        ("scale", 0.25, lambda b: b / 4),
    ],
)
def test_each_way_does_what_it_says(lens, how, amount, change):
    def changed(features):
        features[:, 2] = change(features[:, 2])
        return features

    logits = lens.intervene([("seen", 2)], how, amount=amount).effects().logits[1]
    assert np.allclose(logits, answers(changed), atol=1e-4)


def test_a_clamp_bounds_by_a_quantile(lens):
    values = lens.activations("seen", 2)
    intervention = lens.intervene([("seen", 2)], "clamp", amount=0.3)
    bound = intervention.corrections["seen"].ceiling
    assert bound[2] == pytest.approx(np.quantile(values, 0.3), abs=1e-6)
    assert torch.isinf(bound[[0, 1, 3, 4, 5]]).all()


def test_a_projection_makes_all_images_alike_along_the_concept(lens):
    intervention = lens.intervene([("seen", 2)], "project")
    correction = intervention.corrections["seen"]
    features = lens.activations("seen").astype(np.float64)
    examples = lens.examples("seen", 2)
    shown, quiet = features[examples["sample"]], features[examples["contrast_sample"]]
    v = shown.mean(0) - quiet.mean(0)
    assert correction.direction.numpy() == pytest.approx(v, abs=1e-5)
    level = (quiet @ v).mean()
    moved = features + ((level - features @ v) / (v @ v))[:, None] * v
    assert moved @ v == pytest.approx(level)
    weight = Shortcut().head.weight.detach().numpy()
    # ReLU comes after the layer: compare where it changes nothing.
    logits = intervention.effects().logits[1]
    inside = (moved > 0.02).all(axis=1)
    assert inside.any()
    assert logits[inside] == pytest.approx((moved @ weight.T)[inside], abs=0.02)


def test_a_sweep_adds_one_neuron_after_the_other(lens):
    intervention = lens.intervene([("seen", 1), ("seen", 2), ("seen", 5)])
    sweep = intervention.sweep("red")
    assert sweep["neurons"].tolist() == [1, 2, 3]
    whole = intervention.effects()
    assert sweep["accuracy"].iloc[-1] == whole.accuracy["after"].iloc[0]
    first = lens.intervene([("seen", 1)]).effects().classes.set_index("class").loc["red"]
    assert sweep["false"].iloc[0] == first["false_after"]
    assert intervention.sweep("red", counts=[0])["false"].tolist() == [0.5]
    with pytest.raises(ValueError, match="counts"):
        intervention.sweep("red", counts=[4])


def test_a_corrected_model_is_saved_and_loaded_with_its_weights(lens, tmp_path):
    intervention = lens.intervene([("seen", 2)], "project")
    model = intervention.model()
    x = torch.stack([to_tensor(image) for image in pictures()[0]])
    expected = intervention.effects().logits[1]
    with torch.no_grad():
        assert model(x).numpy() == pytest.approx(expected, abs=1e-5)
        assert not np.allclose(lens.target.model(x).numpy(), expected, atol=1e-3)
    save_model(model, tmp_path / "corrected.safetensors")
    other = lens.intervene([("seen", 0)]).model()
    load_model(other, tmp_path / "corrected.safetensors")
    with torch.no_grad():
        assert torch.equal(other(x), model(x))
    target = slw.TargetModel(model, ["seen"], transform=to_tensor)
    assert target.n_units("seen") == 6


def test_what_cannot_be_changed_is_said_before_anything_is_computed(lens, colour_lens, tmp_path):
    with pytest.raises(KeyError, match="layer4"):
        lens.intervene([("layer4", 0)])
    with pytest.raises(IndexError, match=r"outside 0\.\.5"):
        lens.intervene([("seen", 6)])
    with pytest.raises(ValueError, match="none to change"):
        lens.intervene([])
    with pytest.raises(ValueError, match="how='prune'"):
        lens.intervene([("seen", 0)], "prune")
    with pytest.raises(ValueError, match="only"):
        lens.intervene([("seen", 0)], "zero", amount=1)
    with pytest.raises(ValueError, match="quantile"):
        lens.intervene([("seen", 0)], "clamp", amount=2)
    with pytest.raises(LensUnavailable, match="Interventions"):
        slw.open(tmp_path / "analysis").intervene([("seen", 0)])
    intervention = lens.intervene(lens.neurons.query("neuron == 2"))
    with pytest.raises(ValueError, match="fits none of the 40 images"):
        intervention.effects(groups={"nobody": []})
    with pytest.raises(ValueError, match="a name for each of 40 images"):
        intervention.effects(groups=["marked"])
    unnamed = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor)
    images = slw.ImageDataset.from_list(*pictures())
    other = colour_lens(target=unnamed, images=images, path=tmp_path / "other").run()
    with pytest.raises(ValueError, match="TargetModel"):
        other.intervene([("seen", 0)]).effects()


def test_a_last_layer_is_fitted_anew_behind_the_change(lens):
    intervention = lens.intervene([("seen", 2)])
    refitted = intervention.refit(strength=1e-3)
    effects = refitted.effects()
    assert effects.logits[0] == pytest.approx(intervention.effects().logits[0], abs=1e-6)
    assert effects.accuracy["after"].iloc[0] == 1
    loss = [
        torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.tensor(pictures()[1]))
        for logits in (intervention.effects().logits[1], effects.logits[1])
    ]
    assert loss[1] < loss[0] / 2
    # A control may see the blue, and learn that it means nothing here.
    assert effects.logits.shape == (22, 40, 2)
    model = refitted.model()
    x = torch.stack([to_tensor(image) for image in pictures()[0]])
    with torch.no_grad():
        assert model(x).numpy() == pytest.approx(effects.logits[1], abs=1e-5)
    assert torch.equal(lens.target.model.head.weight, Shortcut().head.weight)
    with pytest.raises(ValueError, match="positive"):
        intervention.refit(strength=0)
    with pytest.raises(ValueError, match="before it"):
        refitted.sweep("red")


def test_a_model_is_trained_on_behind_the_change(lens):
    intervention = lens.intervene([("seen", 1)])  # the rest has to make up for it
    before = lens.target.model.head.weight.clone()
    tuned = intervention.finetune(epochs=20, rate=0.1, controls=2)
    effects = tuned.effects()
    assert effects.logits.shape == (1 + 1 + 2, 40, 2)
    assert effects.logits[0] == pytest.approx(answers(), abs=1e-4)
    accuracy = effects.accuracy["after"].iloc[0]
    assert accuracy == 1 > intervention.effects().accuracy["after"].iloc[0]
    model = tuned.model()
    x = torch.stack([to_tensor(image) for image in pictures()[0]])
    with torch.no_grad():
        assert model(x).numpy() == pytest.approx(effects.logits[1], abs=1e-5)
        seen = model.seen(x)
    assert (seen[:, 1] == 0).all()  # still changed
    assert torch.equal(lens.target.model.head.weight, before)
    again = intervention.finetune(epochs=20, rate=0.1, controls=2).effects()
    assert again.logits.tobytes() == effects.logits.tobytes()
    for name, wrong in {"epochs": 0, "rate": 0, "controls": 21}.items():
        with pytest.raises(ValueError, match=f"{name}={wrong}"):
            intervention.finetune(**{name: wrong})


def test_a_refit_is_the_optimum_of_its_loss():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(80, 4, generator=generator) * torch.tensor([1, 10, 0.1, 3])
    truth = (features[:, 0] + features[:, 1] / 10 > 0).long() + 0
    weight, bias = torch.randn(3, 4, generator=generator), torch.zeros(3)
    fitted, offset = refitted(features, truth, weight, bias, strength=0.01)
    scale = features.double().std(0)

    def loss(w, b):
        logits = features.double() @ w.double().T + b.double()
        held = ((w - weight).double() * scale).square().sum() + (b - bias).double().square().sum()
        return torch.nn.functional.cross_entropy(logits, truth) + 0.005 * held

    best = loss(fitted, offset)
    assert best < loss(weight, bias)
    for seed in range(20):
        step = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)) / scale * 1e-2
        assert loss((fitted + step).float(), offset) >= best - 1e-9
    # A feature that never varies, such as a neuron held at its mean, changes nothing of that.
    still = torch.cat([features, torch.full((80, 1), 0.37)], dim=1)
    wide = torch.cat([weight, torch.ones(3, 1)], dim=1)
    again, _ = refitted(still, truth, wide, bias, strength=0.01)
    assert again[:, -1].tolist() == [1, 1, 1]
    assert again[:, :-1].numpy() == pytest.approx(fitted.numpy(), abs=1e-4)
    # The third class has no images: it moves, but no further than it is held.
    assert refitted(features, truth, weight, None, strength=0.01)[1] is None
