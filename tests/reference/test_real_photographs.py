"""The whole path on real photographs, a network trained by others, and a small CLIP."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torchvision.transforms import v2

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from tests.reference.resnet20 import ResNet20

CLASSES = ["airplane", "automobile", "ship", "horse", "frog"]


@pytest.fixture(scope="module")
def lens(real_data, tmp_path_factory):
    model = ResNet20()
    model.load_state_dict(load_file(real_data / "resnet20.safetensors"))
    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    return slw.SemanticLens(
        slw.TargetModel(model, ["layer2", "layer3"], transform=transform, pooling="mean"),
        slw.ImageDataset.from_folder(real_data / "photos"),
        slw.OpenClip(real_data / "clip"),
        path=tmp_path_factory.mktemp("photos") / "analysis",
    ).run()


@pytest.mark.parametrize("query", CLASSES)
def test_a_word_finds_a_neuron_whose_examples_it_names(lens, query):
    hit = lens.search(query, layer="layer3", scorer=None, top=1).iloc[0]  # by its examples
    examples = lens.examples("layer3", hit["neuron"])
    share = (examples["class_name"] == query).mean()
    print(f"neuron {hit['neuron']}: {share:.2f} of its examples are {query}")
    assert len(examples) == 30
    assert share >= 0.9


@pytest.mark.parametrize(
    ("word", "synonym"), [("airplane", "plane"), ("automobile", "car"), ("ship", "boat")]
)
def test_synonyms_find_the_same_neuron(lens, word, synonym):
    first, second = (lens.search(q, layer="layer3", top=1)["neuron"][0] for q in (word, synonym))
    assert first == second


def test_labels_name_what_the_neuron_tells_apart(lens):
    """CSP labels chosen among the ten classes, against the photographs' classes: chance is 0.5."""
    labels = lens.label(lens.classes, scorer="csp", threshold=-1.0).query("layer == 'layer3'")
    truth = torch.nn.functional.one_hot(torch.tensor(lens.images.labels)).numpy().astype(bool)
    scores = [
        auroc(lens.activations("layer3", row.neuron)[:, None], truth)[
            0, lens.classes.index(row.label)
        ]
        for row in labels.itertuples()
    ]
    mean = sum(scores) / len(scores)
    print(f"mean AUROC of {len(scores)} labels: {mean:.3f}")
    assert mean >= 0.65


def test_heatmaps_are_computed_for_functional_code(lens):
    """And the neuron falls silent without the fifth of the pixels that they show as relevant."""
    samples = lens.examples("layer3", 6)["sample"].tolist()[:6]
    heatmaps = lens.heatmaps("layer3", 6, samples)
    assert all(heatmap.method.startswith("CRP EpsilonPlusFlat") for heatmap in heatmaps)
    values = torch.stack([torch.tensor(heatmap.values) for heatmap in heatmaps])
    assert values.shape == (6, 32, 32)
    inputs = torch.stack([lens.target.transform(lens.images.load(sample)) for sample in samples])
    blurred = torch.nn.functional.avg_pool2d(inputs, 9, 1, 4, count_include_pad=False)
    order = values.flatten(1).argsort(dim=1, stable=True)
    ranks = order.argsort(dim=1).view_as(values)
    fifth = 32 * 32 // 5

    def lost(mask):
        images = torch.where(mask[:, None], blurred, inputs)
        after, before = (lens.target.units(x)["layer3"][:, 6] for x in (images, inputs))
        return float(1 - (after / before).mean())

    most, least = lost(ranks >= 32 * 32 - fifth), lost(ranks < fifth)
    print(f"loses {most:.2f} with the most relevant fifth, {least:.2f} with the least")
    assert most > 0.1
    assert most > 2 * least
