"""The networks of experiments: how they are made, what they minimise, and how they are measured."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from semlens_widgets.demo.experiments import trained
from semlens_widgets.demo.experiments.losses import adversarial, augmented, moved, sparse
from semlens_widgets.demo.experiments.measuring import activations, measured
from semlens_widgets.demo.experiments.networks import ARCHITECTURES, residual
from semlens_widgets.demo.experiments.trained import Setting, network
from semlens_widgets.demo.train_classifier import cross_entropy

exact = partial(cross_entropy, half=False)


def pictures(count, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).integers(0, 256, (count, 3, 64, 64), dtype=np.uint8)
    )


def images(count, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, 3, 64, 64))).float()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_is_seen_at_four_depths(name):
    torch.manual_seed(0)
    made = ARCHITECTURES[name]
    model = made.make(7)
    target, found = activations(model, made.layers, pictures(3))
    assert model(images(2)).shape == (2, 7)
    assert list(found) == list(target.layers) == list(made.layers)
    rectified = "layer1" in made.layers[0]
    for values in found.values():
        assert values.shape[0] == 3
        assert values.min() >= 0  # poles, where there is no rectifier
    sizes = [values.shape[1] for values in found.values()]
    assert sizes == sorted(sizes)
    if not rectified:
        assert set(sizes) == {2 * 48}


def test_width_and_depth_are_what_their_names_say():
    plain, wide, deep = residual(5), residual(5, width=3), residual(5, blocks=3)
    assert wide.fc.in_features == 3 * plain.fc.in_features == 288
    assert [len(getattr(deep, layer)) for layer in ("layer1", "layer4")] == [3, 3]
    assert deep.fc.in_features == plain.fc.in_features


def test_dropout_is_gone_in_evaluation():
    torch.manual_seed(0)
    without = network(Setting(), 5).eval()
    torch.manual_seed(0)
    dropping = network(Setting(dropout=0.5), 5).eval()
    batch = images(4)
    torch.testing.assert_close(dropping(batch), without(batch), rtol=0, atol=0)
    dropping.train()
    seen = []
    dropping.layer2.register_forward_hook(lambda _m, _i, output: seen.append(output))
    dropping(batch)
    silent = (seen[0] == 0).all(dim=(2, 3)).float().mean()
    assert 0.3 < silent < 0.7  # whole channels


def test_only_stages_can_drop_channels():
    with pytest.raises(ValueError, match=r"encoder_layer_0 of 'transformer' is no Sequential"):
        network(Setting(architecture="transformer", dropout=0.1), 5)


def test_l1_adds_the_mean_size_of_each_layer():
    torch.manual_seed(0)
    model = residual(5).eval()
    batch, labels = images(4), torch.tensor([0, 1, 2, 3])
    first = model.layer1(model.relu(model.bn1(model.conv1(batch))))
    second = model.layer2(first)
    size = first.abs().mean() + second.abs().mean()
    expected = functional.cross_entropy(model(batch), labels) + 0.3 * size
    value = sparse(exact, ["layer1", "layer2"], 0.3)(model, batch, labels)
    torch.testing.assert_close(value, expected)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_disturbance_is_small_and_raises_the_loss():
    torch.manual_seed(0)
    model = residual(5)
    batch, labels = images(8).clamp(-2, 2), torch.arange(8) % 5
    seen = []

    def kept(model, images, labels):
        seen.append((images.detach().clone(), model.training))
        return exact(model, images, labels)

    statistics = model.bn1.running_mean.clone()
    adversarial(kept)(model, batch, labels)
    *ascents, (last, training) = seen
    assert [was for _, was in ascents] == [False] * 3
    assert training
    assert (last - batch).abs().max() <= 4 / 255 / 0.25 + 1e-6
    assert last.min() >= -2
    assert last.max() <= 2
    assert not torch.equal(model.bn1.running_mean, statistics)  # of the last pass alone
    model.eval()
    random = batch + torch.empty_like(batch).uniform_(-4 / 255 / 0.25, 4 / 255 / 0.25)
    assert exact(model, last, labels) > exact(model, random.clamp(-2, 2), labels) + 0.01


def test_every_picture_is_moved_its_own_way():
    torch.manual_seed(0)
    one = images(1).expand(16, -1, -1, -1)
    found = moved(one)
    assert found.shape == one.shape
    assert len({tuple(picture.flatten()[:20].tolist()) for picture in found}) == 16
    flat = torch.ones(4, 3, 64, 64) * torch.tensor([0.1, -0.5, 2.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(moved(flat), flat)  # nothing is brought in from outside
    # Half are mirrored: what is on the left is then on the right, however it is turned.
    side = torch.zeros(400, 3, 64, 64)
    side[..., :20] = 1
    left = moved(side)[..., :32].mean(dim=(1, 2, 3)) > moved(side)[..., 32:].mean()
    assert 0.4 < left.float().mean() < 0.6


def test_augmentation_shows_moved_pictures_to_what_is_minimised():
    seen = []
    torch.manual_seed(3)
    augmented(lambda _model, images, _labels: seen.append(images) or images.sum())(
        torch.nn.Identity(), images(2), torch.zeros(2)
    )
    torch.manual_seed(3)
    torch.testing.assert_close(seen[0], moved(images(2)))


@pytest.fixture(scope="module")
def planted():
    """Two meanings: a neuron of either, one of both, one of none, and one that is dead."""
    rng = np.random.default_rng(0)
    meaning = np.repeat([0, 1], 200)
    vectors = np.eye(16)[meaning] + 0.05 * rng.normal(size=(400, 16))
    embeddings = torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).float()
    # The one of both answers to the first fifteen of each; none of these is the clear neurons'.
    both = np.zeros(400)
    both[np.r_[:15, 200:215]] = 1 + rng.random(30)
    answers = np.stack(
        [(meaning == 0) * rng.random(400), (meaning == 1) * rng.random(400), both, 0 * both], 1
    )
    return torch.from_numpy(answers).float(), embeddings


def test_measures_are_means_over_the_living(planted):
    answers, embeddings = planted
    row = measured({"a": answers[:, :1], "b": answers}, embeddings).set_index("depth")
    assert row.loc[1.0, ["neurons", "dead"]].tolist() == [4, 0.25]
    vectors, clear = [], []
    for neuron in range(3):
        unit = embeddings[answers[:, neuron].argsort(descending=True)[:30]].numpy()
        cosines = unit @ unit.T
        clear.append((cosines.sum() - np.trace(cosines)) / (30 * 29))
        vectors.append(unit.mean(0))
    assert row.loc[1.0, "clarity"] == pytest.approx(np.mean(clear), abs=1e-5)
    assert row.loc[0.5, "clarity"] == pytest.approx(clear[0], abs=1e-5)
    # One of both splits into its two meanings, which are nearly at right angles.
    centres = [embeddings[:15].mean(0), embeddings[200:215].mean(0)]
    apart = 1 - functional.cosine_similarity(*centres, dim=0).item()
    single = measured({"a": answers[:, 2:3]}, embeddings)
    assert single.loc[0, "polysemanticity"] == pytest.approx(apart, abs=1e-5)
    unit = np.stack(vectors) / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T - 2 * np.eye(3)
    assert row.loc[1.0, "redundancy"] == pytest.approx(cosines.max(1).mean(), abs=1e-5)
    assert np.isnan(row.loc[0.5, "redundancy"])
    assert np.isnan(row.loc[1.0, "redundancy_of_eight"])


def test_redundancy_of_eight_does_not_rise_with_the_number_of_neurons():
    """Neurons without meaning: the more there are, the nearer the nearest; among eight it stays."""
    rng = np.random.default_rng(0)
    embeddings = functional.normalize(torch.from_numpy(rng.normal(size=(600, 8))).float())
    answers = torch.from_numpy(rng.random((600, 400))).float()
    few, many = (measured({"a": answers[:, :count]}, embeddings).loc[0] for count in (40, 400))
    assert many["redundancy"] > few["redundancy"] + 0.05
    assert many["redundancy_of_eight"] == pytest.approx(few["redundancy_of_eight"], abs=0.03)


def test_shuffled_neurons_are_as_clear_as_any_pictures(planted):
    answers, embeddings = planted
    many = answers[:, :3].repeat(1, 100)
    row = measured({"a": many}, embeddings, shuffled=3).loc[0]
    cosines = (embeddings @ embeddings.T).numpy()
    chance = (cosines.sum() - np.trace(cosines)) / (400 * 399)
    assert row["clarity"] == pytest.approx(chance, abs=0.01)
    assert row["dead"] == 0
    again = measured({"a": many}, embeddings, shuffled=3).loc[0]
    assert row.equals(again)
    assert not row.equals(measured({"a": many}, embeddings, shuffled=4).loc[0])


def test_networks_that_are_the_same_are_trained_once(tmp_path, monkeypatch):
    """The baseline is that of two experiments; all settings get a seed before the next seed."""
    done = []

    def counted(setting, seed, _pictures, _device):
        done.append((setting, seed))
        return pd.DataFrame({"state": ["trained"], "clarity": [seed + setting.weight_decay]})

    monkeypatch.setattr(trained, "trained", counted)
    monkeypatch.setattr(trained, "prepared", lambda _folder, _threads: None)
    plain, decayed = Setting(), Setting(weight_decay=0.5)
    threads = torch.get_num_threads()
    trained.networks({"baseline": plain}, [1, 2], tmp_path, threads, "cpu")
    table = trained.networks(
        {"as it is": plain, "decayed": decayed}, [1, 2], tmp_path, threads, "cpu"
    )
    assert done == [(plain, 1), (plain, 2), (decayed, 1), (decayed, 2)]
    assert table.to_dict("list") == {
        "network": ["as it is", "decayed"] * 2,
        "seed": [1, 1, 2, 2],
        "state": ["trained"] * 4,
        "clarity": [1.05, 1.5, 2.05, 2.5],
    }


def test_settings_that_differ_in_anything_are_other_runs():
    settings = [
        Setting(),
        Setting(architecture="plain"),
        Setting(kinds="shape"),
        Setting(steps=10),
        Setting(weight_decay=0.0),
        Setting(dropout=0.1),
        Setting(sparsity=1.0),
        Setting(augmented=True),
        Setting(adversarial=True),
    ]
    files = [setting.file(seed) for setting in settings for seed in (1, 2)]
    assert len(set(files)) == len(files)


def test_what_other_weights_measured_is_not_taken_for_finished(tmp_path, monkeypatch):
    home, done = "semlens_widgets.demo.experiments.trained", []

    def measured_once(_setting, seed, *_):
        done.append(seed)
        return pd.DataFrame({"accuracy": [0.5]})

    monkeypatch.setattr(f"{home}.prepared", lambda *_: None)
    monkeypatch.setattr(f"{home}.trained", measured_once)
    for weights in ("old", "old", "new"):
        monkeypatch.setattr(f"{home}.release", lambda weights=weights: weights)
        trained.networks({"residual": Setting()}, [1], tmp_path, 1, "cpu")
    assert done == [1, 1]
