"""What contrast does to CSP: ``python -m semlens_widgets.demo.bench_contrasts FOLDER`` asks all.

Each generator of contrastive examples makes those of the embedded default and of its clean twin.
Told are the share of the examples that got one, among those that activate their neuron, and how
true CSP's labels then are, judged as in :mod:`semlens_widgets.demo.bench_labels`: mean AUROC, on
5,000 pictures that the analysis has not seen, of the neurons' activations for what their labels
name.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import semlens_widgets as slw
from semlens_widgets.demo.analysis import LAYERS
from semlens_widgets.demo.bench_labels import NAMES, WORDS, planted_truth
from semlens_widgets.demo.contrasts import CHANGES, one_attribute_changed
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.models import classifier, foundation, preprocess
from semlens_widgets.demo.truth import MEANING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.labels.contrasts.generator import ContrastGenerator

_IMAGES = scene_images()
_JUDGED_ON = 3_001  # seed of the other pictures, as of the first world of the label bench
GENERATORS: dict[str, ContrastGenerator] = {
    "mean (default)": slw.Nearest(),
    "quantile .5": slw.Nearest(below=slw.Quantile(0.5)),
    "quantile .25": slw.Nearest(below=slw.Quantile(0.25)),
    "quantile .1": slw.Nearest(below=slw.Quantile(0.1)),
    "maximum .25": slw.Nearest(below=slw.OfMaximum(0.25)),
    "maximum .1": slw.Nearest(below=slw.OfMaximum(0.1)),
    "mean, no reuse": slw.Nearest(reuse=False),
    "mean, target's space": slw.Nearest(space="target"),
    "perturb: remove": slw.Perturb("remove"),
    "perturb: blur": slw.Perturb("blur"),
    "perturb: inpaint": slw.Perturb("inpaint"),
    "perturb: shuffle": slw.Perturb("shuffle"),
    "perturb: all four": slw.Perturb(("remove", "blur", "inpaint", "shuffle")),
    "perturb: remove, maximum .1": slw.Perturb("remove", below=slw.OfMaximum(0.1)),
    "synthesise: one attribute": slw.Synthesise(one_attribute_changed(_IMAGES), tries=CHANGES),
}
SCORERS = {"CSP": slw.Csp(centred=False), "CSP centred": slw.Csp()}


def measured(
    folder: Path, names: Sequence[str], layers: Sequence[str], *, planted: bool
) -> pd.DataFrame:
    """Analyse one of the two worlds with each generator in turn.

    Parameters
    ----------
    folder
        Where the analysis is kept; all of it but the contrasts is made once.
    names
        Of `GENERATORS`.
    layers
        Of the network.
    planted
        False for the clean twin.

    Returns
    -------
    pandas.DataFrame
        planted, contrasts, layer, got (share of the examples that activate their neuron which have
        a contrast), changed (median share of pixels in edited ones), a column for each of
        `SCORERS`, and seconds (of the whole run).
    """
    model = classifier(planted=planted)
    target = slw.TargetModel(model, layers, transform=preprocess, name="scenes")
    truth = planted_truth(target, len(_IMAGES), _JUDGED_ON)
    rows = []
    for name in names:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # examples without a contrast: `got`
            lens = slw.SemanticLens(
                target,
                slw.ImageDataset.from_dataset(_IMAGES),
                foundation(),
                path=folder / ("planted" if planted else "clean"),
                contrasts=GENERATORS[name],
                on_change="recompute",
            ).run()
        seconds = time.perf_counter() - start
        table = _contrasted(lens)
        for scorer, how in SCORERS.items():
            told = lens.label(WORDS["true"], scorer=how, threshold=-np.inf)["label"]
            columns = [NAMES.index(MEANING.get(label, label)) for label in told]
            table[scorer] = truth[np.arange(len(columns)), columns]
        means = table.groupby("layer", sort=False).mean().reset_index()
        rows.append(means.assign(contrasts=name, planted=planted, seconds=seconds))
        print(rows[-1].round(3).to_string(index=False), flush=True)
    return pd.concat(rows, ignore_index=True)


def _contrasted(lens: slw.SemanticLens) -> pd.DataFrame:
    """Return for each neuron: layer, got, changed."""
    rows = []
    for layer, neuron in lens.neurons[["layer", "neuron"]].itertuples(index=False):
        pairs = lens.examples(layer, neuron)
        pairs = pairs[pairs["activation"] > 0]
        got = (pairs["contrast_sample"] >= 0).mean()
        rows.append({"layer": layer, "got": got, "changed": pairs["changed"].median()})
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every generator, or those that are named, in both worlds, and print the tables."""
    parser = argparse.ArgumentParser(description="Measure what contrast does to CSP.")
    parser.add_argument("folder", type=Path, help="where the analyses are kept")
    parser.add_argument("--worlds", nargs="*", default=["planted", "clean"], help="which")
    parser.add_argument("--layers", nargs="*", default=list(LAYERS), help="which")
    parser.add_argument("--only", nargs="*", default=list(GENERATORS), choices=list(GENERATORS))
    options = parser.parse_args(arguments)
    for world in options.worlds:
        table = measured(options.folder, options.only, options.layers, planted=world == "planted")
        table.round(4).to_csv(options.folder / f"contrasts-{world}.csv", index=False)


if __name__ == "__main__":
    main()
