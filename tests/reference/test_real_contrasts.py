"""Levels of quiet on real photographs: which contrasts they let in, and what labels become."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torchvision.transforms import v2

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from tests.reference.resnet20 import ResNet20

GENERATORS = {
    "mean": slw.Nearest(),
    "quantile .5": slw.Nearest(below=slw.Quantile(0.5)),
    "quantile .25": slw.Nearest(below=slw.Quantile(0.25)),
    "quantile .1": slw.Nearest(below=slw.Quantile(0.1)),
    "maximum .25": slw.Nearest(below=slw.OfMaximum(0.25)),
    "maximum .1": slw.Nearest(below=slw.OfMaximum(0.1)),
    "mean, no reuse": slw.Nearest(reuse=False),
    "mean, target's space": slw.Nearest(space="target"),
}
SCORERS = {"CSP": slw.Csp(centred=False), "CSP centred": slw.Csp()}


@pytest.fixture(scope="module")
def table(real_data, tmp_path_factory):
    """Own: share of the contrasts that show the class of most of the neuron's examples."""
    model = ResNet20()
    model.load_state_dict(load_file(real_data / "resnet20.safetensors"))
    transform = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    target = slw.TargetModel(model, ["layer2", "layer3"], transform=transform, pooling="mean")
    images = slw.ImageDataset.from_folder(real_data / "photos")
    foundation = slw.OpenClip(real_data / "clip")
    path = tmp_path_factory.mktemp("photos") / "analysis"
    shows = torch.nn.functional.one_hot(torch.tensor(images.labels)).numpy().astype(bool)
    rows = []
    for name, contrasts in GENERATORS.items():
        lens = slw.SemanticLens(
            target, images, foundation, path=path, contrasts=contrasts, on_change="recompute"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # examples without a contrast: `got`
            lens.run()
        truth = {layer: auroc(lens.activations(layer), shows) for layer in lens.layers}
        labels = {
            scorer: lens.label(lens.classes, scorer=how, threshold=-1.0)["label"]
            for scorer, how in SCORERS.items()
        }
        for at, (layer, neuron) in enumerate(lens.neurons[["layer", "neuron"]].to_numpy()):
            pairs = lens.examples(layer, neuron)
            own = pairs["class_name"].mode()[0]
            there = pairs[pairs["contrast_sample"] >= 0]
            row = {"contrasts": name, "layer": layer, "got": len(there) / len(pairs)}
            row["own"] = (there["contrast_class_name"] == own).mean()
            for scorer, told in labels.items():
                row[scorer] = truth[layer][neuron, lens.classes.index(told.iloc[at])]
            rows.append(row)
    found = pd.DataFrame(rows).groupby(["layer", "contrasts"], sort=False).mean()
    print(found.round(3).to_string())
    return found


@pytest.mark.parametrize("layer", ["layer2", "layer3"])
def test_stricter_levels_let_fewer_contrasts_of_the_neurons_own_class_in(table, layer):
    own = table.loc[layer]["own"]
    assert own["mean"] > own["quantile .25"] > own["quantile .1"]
