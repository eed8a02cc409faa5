"""Whose labels are true? ``python -m semlens_widgets.demo.bench_labels`` asks all labellers.

Each world (see :mod:`semlens_widgets.demo.bench_worlds`) is analysed on 5,000 pictures, its neurons
are labelled by every labeller with and without words for nothing among the candidates, and each
label is judged on 5,000 other pictures: the AUROC of the neuron's activation for what its label
names. Beside them stand the best label there is for each neuron, the one label that is best for all
of them, and a random one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.bench_worlds import (
    WORLDS,
    foundation_dir,
    train_missing,
    trained_classifier,
)
from semlens_widgets.demo.captions import DISTRACTORS
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.models import preprocess
from semlens_widgets.demo.truth import MEANING
from semlens_widgets.demo.world import CLASSES, CONCEPTS
from semlens_widgets.labels.words import RANDOM_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.demo.bench_worlds import BenchWorld
    from semlens_widgets.labels.scorer import Scorer

#: Where the tables lie that were measured.
STORED = Path(__file__).parent / "bench"
LAYERS = ("layer1", "layer2", "layer3", "layer4")
NAMES = (*CONCEPTS, *CLASSES)  # what a picture can truly be said to show
#: Candidates: all that is true of something, the same with some that are true of nothing, and with
#: as many.
WORDS = {
    "true": list(MEANING),
    "and for nothing": [*MEANING, *DISTRACTORS],
    "and as many for nothing": [*MEANING, *(*DISTRACTORS, *RANDOM_WORDS)[: len(MEANING)]],
}
LABELLERS: dict[str, Scorer] = {
    "SemanticLens": slw.Semantic(centred=False),
    "SemanticLens, centred": slw.Semantic(),
    "difference": slw.Difference(centred=False),
    "difference, centred": slw.Difference(),
    "CSP γ = 0.5": slw.Csp(gamma=0.5, centred=False),
    "CSP γ = 1": slw.Csp(centred=False),
    "CSP γ = 1, centred": slw.Csp(),
    "CLIP-Dissect": slw.Dissect(centred=False),
    "CLIP-Dissect, centred": slw.Dissect(),
    "correlation": slw.Correlation(),
    "recognition, 1 %": slw.Recognition(share=0.01, wider=False),
    "recognition, 2 %": slw.Recognition(share=0.02, wider=False),
    "recognition, 5 %": slw.Recognition(share=0.05, wider=False),
    "recognition, 2 to 16 %": slw.Recognition(),
}
BEST, CONSTANT, RANDOM = "best possible", "best constant", "random"
#: Sentences around a label, by name.
PROMPTS = {"": None, ", six templates": slw.CSP_TEMPLATES}
PICTURES = 5000
OTHERS = 500  # added to a world's seed: the pictures that labels are judged on
_DRAWS = 1000


def judged(world: BenchWorld, folder: Path, pictures: int = PICTURES) -> pd.DataFrame:
    """Label the neurons of a world by everyone, and judge each label.

    Parameters
    ----------
    world
        Which.
    folder
        Where weights lie, and analyses are kept.
    pictures
        How many scenes are analysed, and as many others judged on.

    Returns
    -------
    pandas.DataFrame
        world, held_out, layer, neuron, words, labeller, label, auroc (on pictures that the analysis
        has not seen; .5 for a word that is true of nothing), nothing (whether it is one).
    """
    target, lens = analysed(world, folder, pictures)
    truth = planted_truth(target, pictures, world.pictures + OTHERS)
    neurons = lens.neurons[["layer", "neuron"]]
    rng = np.random.default_rng(world.pictures)
    tables = []
    for words, candidates in WORDS.items():
        said: dict[str, list[str]] = {
            f"{name}{prompts}": lens.label(
                candidates, scorer=scorer, templates=templates, threshold=-np.inf
            )["label"].tolist()
            for name, scorer in LABELLERS.items()
            for prompts, templates in PROMPTS.items()
        }
        said[RANDOM] = rng.choice(candidates, len(neurons)).tolist()
        said[CONSTANT] = _constant(truth, neurons["layer"])
        said[BEST] = [NAMES[at] for at in truth.argmax(1)]
        for labeller, labels in said.items():
            tables.append(_judge(neurons, truth, labels).assign(words=words, labeller=labeller))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(world=world.name, held_out=world.held_out)


def analysed(
    world: BenchWorld, folder: Path, pictures: int, kept: str = "", **options: Any
) -> tuple[slw.TargetModel, slw.SemanticLens]:
    """Return a world's network and the analysis of it, which is kept in the folder.

    `options` are those of :class:`semlens_widgets.SemanticLens`; `kept` tells the folder of an
    analysis made by them from others.
    """
    target = slw.TargetModel(
        trained_classifier(world, folder), LAYERS, transform=preprocess, name=world.name
    )
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_dataset(scene_images(pictures, seed=world.pictures)),
        slw.OpenClip(foundation_dir(world.foundation, folder)),
        path=folder / f"{world.place}-{pictures}{kept}",
        **options,
    )
    return target, lens.run()


def planted_truth(target: slw.TargetModel, pictures: int, seed: int) -> NDArray[np.float64]:
    """Return the AUROC of every neuron for each of `NAMES`, ``(neurons, names)``."""
    scenes = scene_images(pictures, seed=seed)
    kinds = np.eye(len(CLASSES), dtype=bool)[scenes.targets]
    shows = np.concatenate([scenes.concepts, kinds], axis=1)
    found = []
    with torch.no_grad():
        for start in range(0, pictures, 250):
            some = range(start, min(start + 250, pictures))
            units = target.units(torch.stack([preprocess(scenes[at][0]) for at in some]))
            found.append(torch.cat([units[layer].cpu() for layer in target.layers], dim=1))
    return auroc(torch.cat(found).numpy(), shows)


def _constant(truth: NDArray[np.float64], layers: pd.Series[str]) -> list[str]:
    """Return the label that is best for the mean neuron of a layer, for each neuron."""
    best = {layer: NAMES[truth[(layers == layer).to_numpy()].mean(0).argmax()] for layer in LAYERS}
    return [best[layer] for layer in layers]


def _judge(
    neurons: pd.DataFrame, truth: NDArray[np.float64], labels: Sequence[str]
) -> pd.DataFrame:
    names = [MEANING.get(label, label) for label in labels]
    found = [
        truth[row, NAMES.index(name)] if name in NAMES else 0.5 for row, name in enumerate(names)
    ]
    nothing = [name not in NAMES for name in names]
    return neurons.assign(label=labels, auroc=found, nothing=nothing)


def summary(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average over neurons, with the interval of resampling them.

    Parameters
    ----------
    table
        From :func:`judged`.
    by
        The columns that make a row of the summary.

    Returns
    -------
    pandas.DataFrame
        `by`; neurons; auroc with low and high (95 %); gap (to the best possible labels) with low
        and high; over_csp and over_centred (of the same neurons, over CSP γ = 1 and centred
        SemanticLens, both with the label alone), with low and high; nothing (share of the labels).
    """
    key = ["world", "words", "layer", "neuron"]
    wide = table.pivot_table(index=key, columns="labeller", values="auroc", sort=False)
    rows = []
    for group, part in table.groupby([*by, "labeller"], sort=False):
        labeller = group[-1]
        same = wide.loc[pd.MultiIndex.from_frame(part[key])]
        own = same[labeller].to_numpy()
        figures = {
            "auroc": own,
            "gap": same[BEST].to_numpy() - own,
            "over_csp": own - same["CSP γ = 1"].to_numpy(),
            "over_centred": own - same["SemanticLens, centred"].to_numpy(),
        }
        row = dict(zip([*by, "labeller"], group, strict=True)) | {"neurons": len(own)}
        rows.append(row | averaged(figures) | {"nothing": part["nothing"].mean()})
    return pd.DataFrame(rows)


def averaged(figures: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the mean of each figure, and where it lies for 95 % of its rows drawn anew.

    Parameters
    ----------
    figures
        By name, ``(rows,)`` each: all of the same rows.

    Returns
    -------
    dict
        ``name``, ``name_low`` and ``name_high`` of each.
    """
    found: dict[str, float] = {}
    for name, values in figures.items():
        draws = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
        low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
        found |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, ask every labeller in every world, and store the tables."""
    parser = argparse.ArgumentParser(description="Measure whose labels are true.")
    parser.add_argument("folder", type=Path, help="where weights and analyses are kept")
    parser.add_argument("--out", type=Path, default=STORED, help="folder for the tables")
    parser.add_argument("--development", action="store_true", help="only the worlds to choose by")
    parser.add_argument("--threads", type=int, default=2, help="fewer than there are free cores")
    parser.add_argument("--device", default="cpu", help="where missing networks are trained")
    options = parser.parse_args(arguments)
    worlds = [world for world in WORLDS if not (options.development and world.held_out)]
    train_missing(worlds, options.folder, options.threads, options.device)
    table = pd.concat([judged(world, options.folder) for world in worlds], ignore_index=True)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, by in (
        ("worlds", ["world", "held_out", "words"]),
        ("layers", ["held_out", "words", "layer"]),
        ("all", ["held_out", "words"]),
    ):
        found = summary(table, by)
        found.round(4).to_csv(options.out / f"labels-{name}.csv", index=False)
    shown = found[["held_out", "words", "labeller", "auroc", "auroc_low", "auroc_high", "nothing"]]
    print(shown.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
