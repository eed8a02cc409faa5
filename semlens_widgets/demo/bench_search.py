"""Which neurons does a word find? ``python -m semlens_widgets.demo.bench_search`` asks all scorers.

In each world (see :mod:`semlens_widgets.demo.bench_worlds`) every word that is true of something is
searched for in every layer, by every scorer, in an analysis of 5,000 pictures. What is found is
judged on 5,000 other pictures: the AUROC of the neuron's activation for what the word names.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

import semlens_widgets as slw
from semlens_widgets.demo.bench_labels import (
    BEST,
    NAMES,
    OTHERS,
    PICTURES,
    STORED,
    analysed,
    averaged,
    planted_truth,
)
from semlens_widgets.demo.bench_worlds import PACKAGED, WORLDS, train_missing
from semlens_widgets.demo.truth import MEANING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.demo.bench_worlds import BenchWorld

COSINE = "cosine, centred"
#: How a search can rank, by what tables call it.
SEARCHES: dict[str, dict[str, Any]] = {
    COSINE: {"scorer": None},
    "cosine": {"scorer": None, "centred": False},
    "cosine less the empty prompt": {"scorer": None, "centred": False, "minus_empty": True},
    "CSP γ = 1": {"scorer": slw.Csp(centred=False)},
    "CSP γ = 1, centred": {"scorer": slw.Csp()},
    "difference, centred": {"scorer": slw.Difference()},
    "correlation": {"scorer": slw.Correlation()},
    "recognition, 2 %": {"scorer": slw.Recognition(wider=False)},
    "recognition, 2 to 16 %": {"scorer": slw.Recognition()},
}
_FIRST = 5


def found(
    lens: slw.SemanticLens, truth: NDArray[np.float64], column: Mapping[str, int]
) -> pd.DataFrame:
    """Search for words in every layer by every scorer, and judge what is found.

    Parameters
    ----------
    lens
        The analysis.
    truth
        ``(neurons, things)`` AUROC of each neuron for each thing that words may name.
    column
        By word, which of these it names.

    Returns
    -------
    pandas.DataFrame
        layer, word, search, first (AUROC of the first neuron found), five (mean of the first
        five), correlation (Spearman's, of score and AUROC over the layer's neurons). The rows
        "best possible" have the best neurons there are.
    """
    rows = []
    for layer in lens.layers:
        mine = (lens.neurons["layer"] == layer).to_numpy()
        for word, at in column.items():
            true = truth[mine, at]
            best = np.sort(true)[::-1]
            rows.append((layer, word, BEST, best[0], best[:_FIRST].mean(), 1.0))
            for name, how in SEARCHES.items():
                hits = lens.search(word, layer=layer, **how)
                ranked = true[hits["neuron"]]
                order = rankdata(hits["score"]), rankdata(ranked)
                rows.append(
                    (
                        layer,
                        word,
                        name,
                        ranked[0],
                        ranked[:_FIRST].mean(),
                        np.corrcoef(*order)[0, 1],
                    )
                )
    return pd.DataFrame(rows, columns=["layer", "word", "search", "first", "five", "correlation"])


def searched(world: BenchWorld, folder: Path, pictures: int) -> pd.DataFrame:
    """Search in a world; see :func:`found`, with the columns world and held_out."""
    target, lens = analysed(world, folder, pictures)
    truth = planted_truth(target, pictures, world.pictures + OTHERS)
    column = {word: NAMES.index(name) for word, name in MEANING.items()}
    return found(lens, truth, column).assign(world=world.name, held_out=world.held_out)


def summary(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average over words, with the interval of resampling them.

    Parameters
    ----------
    table
        From :func:`searched`.
    by
        The columns that make a row of the summary.

    Returns
    -------
    pandas.DataFrame
        `by`; searches (how many); first, five and correlation, and over_cosine (of the first hit
        over that of the centred cosine for the same word), each with low and high (95 %).
    """
    key = ["world", "layer", "word"] if "world" in table else ["layer", "word"]
    cosine = table[table["search"] == COSINE].set_index(key)["first"]
    rows = []
    for group, part in table.groupby([*by, "search"], sort=False):
        figures = {name: part[name].to_numpy() for name in ("first", "five", "correlation")}
        same = cosine.loc[pd.MultiIndex.from_frame(part[key])].to_numpy()
        figures["over_cosine"] = figures["first"] - same
        row = dict(zip([*by, "search"], group, strict=True)) | {"searches": len(part)}
        rows.append(row | averaged(figures))
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, search in every world, and store the tables."""
    parser = argparse.ArgumentParser(description="Measure which scorer finds the right neurons.")
    parser.add_argument("folder", type=Path, help="where weights and analyses are kept")
    parser.add_argument("--out", type=Path, default=STORED, help="folder for the tables")
    parser.add_argument("--packaged", action="store_true", help="only the network in the package")
    parser.add_argument("--threads", type=int, default=2, help="fewer than there are free cores")
    parser.add_argument("--device", default="cpu", help="where missing networks are trained")
    options = parser.parse_args(arguments)
    worlds = [PACKAGED] if options.packaged else WORLDS
    train_missing(worlds, options.folder, options.threads, options.device)
    table = pd.concat(
        [searched(world, options.folder, PICTURES) for world in worlds], ignore_index=True
    )
    options.out.mkdir(parents=True, exist_ok=True)
    for name, by in (("layers", ["held_out", "layer"]), ("all", ["held_out"])):
        told = summary(table, by)
        told.round(4).to_csv(options.out / f"search-{name}.csv", index=False)
    print(told.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
