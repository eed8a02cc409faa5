"""After a change only what depends on it is computed anew, and never without consent."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

TABLES = ("samples", "activations", "embeddings", "neurons", "examples", "contrasts", "vectors")
TABLES += ("measures", "layout", "thumbnails")


class CountingNet(ColourNet):
    seen_images = 0

    def forward(self, x):
        CountingNet.seen_images += len(x)
        return super().forward(x)


class OtherFoundation(ColourFoundation):
    """Swaps two colours: other embeddings of the same size."""

    name = "swapped"
    images = 0

    def encode_images(self, images):
        OtherFoundation.images += len(images)
        return super().encode_images(images)[:, [1, 0, 2]]


def target(layers=("seen", "mixed"), model=None):
    return slw.TargetModel(
        model or CountingNet(), layers, transform=to_tensor, poles="positive", name="ColourNet"
    )


@pytest.fixture
def finished(colour_lens, tmp_path):
    """A finished analysis with two heatmaps and a label; counters start at 0."""
    lens = colour_lens(target=target()).run()
    lens.heatmaps("seen", 0, lens.examples("seen", 0)["sample"].tolist()[:2])
    lens.set_label("seen", 1, "grass")
    CountingNet.seen_images = OtherFoundation.images = 0
    return lens


def same_as_fresh(lens, colour_lens, tmp_path, **changes):
    fresh = colour_lens(path=tmp_path / "fresh", **changes).run()
    for table in TABLES:
        if table == "thumbnails":
            wanted = fresh.store.frame(table)["sample"]
            assert set(wanted) <= set(lens.store.frame(table)["sample"])
        else:
            assert lens.store.read(table).equals(fresh.store.read(table)), table
    return True


def test_another_foundation_model(finished, colour_lens, tmp_path):
    before = {table: finished.store.read(table) for table in TABLES}
    with pytest.raises(StoreError) as refused:
        colour_lens(target=target(), foundation=OtherFoundation())
    message = str(refused.value)
    assert "foundation: recorded 'colours', given 'swapped'" in message
    assert "semantic vectors" in message
    assert "neurons' labels" in message
    assert 'on_change="recompute"' in message
    for unaffected in ("activations", "heatmaps", "concept examples"):
        assert unaffected not in message
    assert all(finished.store.read(table).equals(before[table]) for table in TABLES)

    changes = {"target": target(), "foundation": OtherFoundation()}
    lens = colour_lens(**changes, on_change="recompute")
    assert "run unfinished: 3 of 9 stages, 0 of 60 in stage 'embed'; call run()" in repr(lens)
    lens.run()
    assert CountingNet.seen_images == 0
    assert OtherFoundation.images == 60
    assert lens.neurons["label"][1] == "grass"  # a person gave it, the scorers' are gone
    assert lens.neurons["label"].drop(1).eq("").all()
    sample = int(lens.examples("seen", 0)["sample"][0])
    assert lens._read.heatmaps(0, [sample])
    assert same_as_fresh(lens, colour_lens, tmp_path, **changes)


def test_another_number_of_examples(finished, colour_lens, tmp_path):
    with pytest.raises(StoreError, match="n_examples: recorded 6, given 4") as refused:
        colour_lens(target=target(), n_examples=4)
    assert "embeddings" not in str(refused.value)
    changes = {"target": target(), "n_examples": 4}
    lens = colour_lens(**changes, foundation=ColourFoundation(), on_change="recompute").run()
    assert CountingNet.seen_images == 0
    assert len(lens.examples("seen", 0)) == 4
    assert lens._read.heatmaps(0, [int(lens.examples("seen", 0)["sample"][0])])
    assert same_as_fresh(lens, colour_lens, tmp_path, **changes)


@pytest.mark.parametrize(
    "what", ["weights", "layers", "channels", "transform", "pooling", "autocast"]
)
def test_another_target(finished, colour_lens, tmp_path, what):
    model = CountingNet()
    if what == "weights":
        with torch.no_grad():
            model.seen.weight.mul_(2)
    changed = slw.TargetModel(
        model,
        ["mixed", "seen"] if what == "layers" else ["seen", "mixed"],
        transform=(lambda image: to_tensor(image)[:, ::2, ::2])
        if what == "transform"
        else to_tensor,
        pooling="max" if what == "pooling" else "mean",
        channels={"seen": "last"} if what == "channels" else None,
        autocast=what == "autocast",
        poles="positive",
        name="ColourNet",
    )
    with pytest.raises(StoreError, match=rf"{what}: recorded.*\n(.*\n)*.*activations, "):
        colour_lens(target=changed)

    class Deaf(ColourFoundation):
        def encode_images(self, images):
            raise AssertionError("embedded again")

    same_neurons = what in {"transform", "autocast"}
    with (
        nullcontext()
        if same_neurons
        else pytest.warns(UserWarning, match=r"people said .* \(1 label\)")
    ):
        lens = colour_lens(target=changed, foundation=Deaf(), on_change="recompute")
    assert lens.store.has("heatmaps") == (what == "autocast")  # they are float32 all the same
    lens.run()
    assert lens.neurons["label"].eq("grass").any() == same_neurons
    assert same_as_fresh(lens, colour_lens, tmp_path, target=changed)


def test_corrected_class_labels_cost_nothing(finished, colour_lens):
    images = slw.ImageDataset.from_list(colour_images(), [0] * 60, ["thing"])
    with pytest.raises(StoreError, match="What depends on them: class labels"):
        colour_lens(target=target(), images=images)
    lens = colour_lens(target=target(), images=images, on_change="recompute").run()
    assert CountingNet.seen_images == 0
    assert lens.classes == ("thing",)
    assert lens.examples("seen", 2)["class_name"].eq("thing").all()
    assert lens.neurons["label"][1] == "grass"


def test_other_pictures_under_the_same_names(finished, colour_lens):
    images = slw.ImageDataset.from_list(
        colour_images(seed=5), [i % 3 for i in range(60)], ["red", "green", "blue"]
    )
    with pytest.raises(StoreError, match=r"pictures: recorded"):
        colour_lens(target=target(), images=images)


def test_a_new_name_for_the_same_model_is_not_a_change(finished, colour_lens):
    named = slw.TargetModel(
        CountingNet(), ["seen", "mixed"], transform=to_tensor, poles="positive", name="mine"
    )
    lens = colour_lens(target=named).run()
    assert CountingNet.seen_images == 0
    assert repr(lens).startswith("SemanticLens(mine;")


def test_settings_may_change_as_long_as_nothing_depends_on_them(colour_lens, tmp_path):
    lens = colour_lens()
    with lens.store.writing():
        lens.store.finish("collect", layers={})
    colour_lens(foundation=OtherFoundation())
    colour_lens(n_examples=3, foundation=OtherFoundation())


def test_unfinished_work_is_not_given_up_silently(colour_lens):
    class Stops(ColourNet):
        batches = 0

        def forward(self, x):
            Stops.batches += 1
            if Stops.batches == 5:  # the first passes only look at the model
                raise KeyboardInterrupt
            return super().forward(x)

    lens = colour_lens(target=target(model=Stops()), batch_size=7)
    with pytest.raises(KeyboardInterrupt):
        lens.run()
    with pytest.raises(StoreError, match="What depends on them: activations"):
        colour_lens(target=target(["seen"], Stops()), batch_size=7)
    lens = colour_lens(target=target(["seen"], Stops()), batch_size=7, on_change="recompute")
    left = {path.name.split("-")[0] for path in lens.store.scratch().iterdir()}
    assert "collect" not in left  # what depends on images alone, or on the other model, stays
    assert len(lens.run().neurons) == 3
    assert not list(lens.store.scratch().iterdir())


def test_results_given_up_are_never_read_even_if_deleting_them_is_cut_short(finished, monkeypatch):
    settings = finished.store.settings | {"weights": "other"}

    def killed(store):
        raise SystemExit

    monkeypatch.setattr(AnalysisStore, "_bury", killed)
    with pytest.raises(SystemExit):
        finished.store.configure(settings, recompute=True)
    monkeypatch.undo()
    path = finished.store.path
    assert (path / "heatmaps.lance").exists()
    assert not AnalysisStore(path, read_only=True).has("heatmaps")
    again = AnalysisStore(path)
    with again.writing():
        pass
    assert not (path / "heatmaps.lance").exists()
    assert again.has("embeddings")
    assert "doomed" not in json.loads((path / "analysis.json").read_text())


def test_bad_consent_is_named(colour_lens):
    with pytest.raises(ValueError, match="on_change"):
        colour_lens(on_change="yes")
