"""Which scorer's labels are true: on the embedded world and on photographs, stage by stage.

The expected figures were measured once with other code on the same data; what is computed here must
come out within a hundredth of them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from tests.reference.test_real_photographs import lens as photographs  # noqa: F401 - a fixture
from tests.reference.test_scenes_truth import MEANING, NAMES, VOCABULARIES, label_auroc

#: Mean AUROC of a stage's neurons for what their label names, by stage; with the candidates of
#: `VOCABULARIES`, in their order.
SCENES = {
    "SemanticLens": ((0.755, 0.755, 0.675), (0.732, 0.732, 0.651), (0.737, 0.739, 0.652)),
    "SemanticLens, centred": ((0.708, 0.738, 0.738), (0.824, 0.908, 0.908), (0.763, 0.956, 0.956)),
    "CSP": ((0.733, 0.734, 0.734), (0.847, 0.870, 0.867), (0.762, 0.906, 0.906)),
    "CSP, centred": ((0.736, 0.717, 0.717), (0.852, 0.903, 0.903), (0.777, 0.943, 0.943)),
    "correlation": ((0.818, 0.818, 0.818), (0.872, 0.899, 0.899), (0.802, 0.912, 0.912)),
    "recognition, 2 %": ((0.804, 0.807, 0.807), (0.881, 0.924, 0.924), (0.822, 0.968, 0.968)),
    "recognition, 5 %": ((0.814, 0.814, 0.814), (0.883, 0.914, 0.914), (0.824, 0.940, 0.940)),
    "best possible": ((0.837, 0.845, 0.845), (0.885, 0.932, 0.932), (0.827, 0.969, 0.969)),
}
#: The same for the network on photographs, with their ten classes as candidates.
PHOTOGRAPHS = {
    "SemanticLens": (0.701, 0.857),
    "SemanticLens, centred": (0.701, 0.857),
    "CSP": (0.615, 0.747),
    "CSP, centred": (0.622, 0.745),
    "difference": (0.585, 0.654),
    "CLIP-Dissect": (0.654, 0.854),
    "CLIP-Dissect, centred": (0.674, 0.854),
    "correlation": (0.722, 0.858),
    "recognition, 5 %": (0.718, 0.860),
    "best possible": (0.724, 0.863),
}
SCORERS = {
    "SemanticLens": slw.Semantic(centred=False),
    "SemanticLens, centred": slw.Semantic(centred=True),
    "CSP": slw.Csp(centred=False),
    "CSP, centred": slw.Csp(centred=True),
    "difference": slw.Difference(centred=False),
    "CLIP-Dissect": slw.Dissect(centred=False),
    "CLIP-Dissect, centred": slw.Dissect(centred=True),
    "correlation": slw.Correlation(),
    "recognition, 2 %": slw.Recognition(wider=False),
    "recognition, 5 %": slw.Recognition(share=0.05, wider=False),
}


@pytest.mark.slow
def test_labels_of_the_embedded_world_are_as_true_as_measured(tmp_path):
    pictures = demo.scene_images()
    stages = ("layer2", "layer3", "layer4")
    lens = slw.SemanticLens(
        slw.TargetModel(demo.classifier(), stages, transform=demo.preprocess),
        slw.ImageDataset.from_dataset(pictures),
        demo.foundation(),
        path=tmp_path / "analysis",
    ).run()
    kinds = np.eye(len(demo.CLASSES), dtype=bool)[pictures.targets]
    shows = np.concatenate([pictures.concepts, kinds], axis=1)
    widths = lens.neurons.groupby("layer").size()
    truth = {
        stage: auroc(
            np.stack([lens.activations(stage, k) for k in range(widths[stage])], axis=1), shows
        )
        for stage in stages
    }
    assert shows.shape[1] == len(NAMES)
    found = {}
    for name in SCENES.keys() & SCORERS.keys():
        by_words = [
            lens.label(words, scorer=SCORERS[name], templates=slw.CSP_TEMPLATES, threshold=-np.inf)
            for words in VOCABULARIES.values()
        ]
        found[name] = [
            [
                label_auroc(labels.query("layer == @stage")["label"], truth[stage]).mean()
                for labels in by_words
            ]
            for stage in stages
        ]
    singles = len(demo.CONCEPTS)
    found["best possible"] = [
        [of[:, :singles].max(1).mean(), *2 * [of.max(1).mean()]] for of in truth.values()
    ]
    table = pd.DataFrame({name: np.ravel(found[name]) for name in SCENES}).T
    print(f"\n{table.round(3).to_string()}")
    for name, expected in SCENES.items():
        np.testing.assert_allclose(found[name], expected, atol=0.01, err_msg=name)
    assert set(MEANING) >= set(VOCABULARIES["and kinds"])


def test_labels_of_photographs_are_as_true_as_measured(photographs):  # noqa: F811
    lens = photographs
    shows = torch.nn.functional.one_hot(torch.tensor(lens.images.labels)).numpy().astype(bool)
    stages = ("layer2", "layer3")
    widths = lens.neurons.groupby("layer").size()
    truth = {
        stage: auroc(
            np.stack([lens.activations(stage, k) for k in range(widths[stage])], axis=1), shows
        )
        for stage in stages
    }
    found = {"best possible": [of.max(1).mean() for of in truth.values()]}
    for name in PHOTOGRAPHS.keys() & SCORERS.keys():
        labels = lens.label(
            lens.classes, scorer=SCORERS[name], templates=slw.CSP_TEMPLATES, threshold=-np.inf
        )
        found[name] = [
            np.mean(
                [
                    truth[stage][row.neuron, lens.classes.index(row.label)]
                    for row in labels.query("layer == @stage").itertuples()
                ]
            )
            for stage in stages
        ]
    print(f"\n{pd.DataFrame({name: found[name] for name in PHOTOGRAPHS}).T.round(3).to_string()}")
    for name, expected in PHOTOGRAPHS.items():
        np.testing.assert_allclose(found[name], expected, atol=0.01, err_msg=name)
