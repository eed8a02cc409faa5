"""Which neurons does a query find? ``python -m semlens_widgets.demo.experiments search``.

Every concept of the drawn world is searched for among the neurons of the classifier in the package,
and 18 groups of classes among the last features of an ImageNet network (see
:mod:`semlens_widgets.demo.bench_imagenet`; without its photographs that part is left out). Each is
asked for by its word and by pictures, by every score, in sentences of several kinds, of whole
images and of crops. What is found is judged on pictures that were neither analysed nor asked with.

Two figures say how good the first hits are: the AUROC of the neuron for the concept, and whether
the hit is *right*: whether the neuron tells no other concept better, see
:func:`semlens_widgets.demo.experiments.hits.told_best`.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo import bench_imagenet
from semlens_widgets.demo.analysis import release
from semlens_widgets.demo.bench_labels import (
    OTHERS,
    PICTURES,
    analysed,
    averaged,
    planted_truth,
)
from semlens_widgets.demo.bench_search import COSINE, SEARCHES
from semlens_widgets.demo.bench_worlds import PACKAGED
from semlens_widgets.demo.experiments import store
from semlens_widgets.demo.experiments.hits import (
    FEW,
    FIGURES,
    FIVE,
    ONE,
    PICTURE,
    RAW,
    TEMPLATES,
    WORD,
    bounds,
    judged,
    told_best,
)
from semlens_widgets.demo.experiments.runs import finished
from semlens_widgets.demo.experiments.summaries import detectable
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.truth import pictures_of
from semlens_widgets.demo.world import CONCEPTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray


TITLE = "Which neurons does a query find?"
#: What one kind of search is told from another by.
WAY = ("world", "images", "query", "templates", "score")
DEFAULT = "correlation"
WHOLE = "whole"
#: How the examples are looked at, and the options of a lens for it.
CROPS: dict[str, dict[str, Any]] = {
    "crops": {"embedding": "crop"},
    "close crops": {"embedding": "crop", "crop_threshold": 0.5},
}
#: The scores that rest on the examples: of others it does not matter how these are looked at.
OF_EXAMPLES = (
    *(RAW, COSINE, "cosine less the empty prompt"),
    *("CSP γ = 1", "CSP γ = 1, centred", "difference, centred"),
)
#: New and old, of what an effect is measured.
CHANGES = (
    *(("images", crops, WHOLE) for crops in CROPS),
    *(("templates", several, ONE) for several in ("six", "seven")),
    *(("query", pictures, WORD) for pictures in (PICTURE, FIVE)),
    ("score", COSINE, RAW),
    ("score", "CSP γ = 1, centred", "CSP γ = 1"),
    ("score", "CSP γ = 1, centred", COSINE),
    *(("score", score, DEFAULT) for score in SEARCHES if score != DEFAULT),
)
SCENES, IMAGENET = "scenes", "ImageNet"
_SOME, _CROPPED = 128, 0
#: Crops need a heatmap for each example, several of which take a second: of the network some
#: neurons are asked, drawn by lot, in one analysis.
SOME = f"{IMAGENET}, {_SOME} neurons"


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over queries, with the interval of drawing them anew.

    Parameters
    ----------
    table
        From :func:`run`: a row for each query, way and analysis.

    Returns
    -------
    pandas.DataFrame
        `WAY`; queries (how many); `FIGURES`, each with low and high (95 %).
    """
    rows = []
    for way, part in _of_queries(table).groupby(list(WAY), sort=False):
        row: dict[str, Any] = dict(zip(WAY, way, strict=True)) | {"queries": len(part)}
        rows.append(row | averaged({name: part[name].to_numpy() for name in FIGURES}))
    return pd.DataFrame(rows)


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """Say what each change does to the same queries, all else being equal.

    Parameters
    ----------
    table
        As of :func:`summary`.

    Returns
    -------
    pandas.DataFrame
        changed, new, old (of `CHANGES`); world and the rest of `WAY`, with the new; queries;
        `FIGURES` (new less old), each with low and high (95 %), and seen: how large a difference
        must be for so many queries to show it, see
        :func:`semlens_widgets.demo.experiments.summaries.detectable`; NaN where nothing differs.
    """
    each = _of_queries(table[table["score"].isin(SEARCHES)])
    rows = []
    for changed, new, old in CHANGES:
        same = [name for name in (*WAY, "concept") if name != changed]
        if changed == "query":  # templates are of words alone
            same.remove("templates")
        before, after = (each[each[changed] == value].set_index(same) for value in (old, new))
        if changed == "query":
            before = before[before["templates"] == ONE]
        both = after[list(FIGURES)].sub(before[list(FIGURES)]).dropna().reset_index()
        for way, part in both.groupby(same[:-1], sort=False):
            row: dict[str, Any] = {"changed": changed, "new": new, "old": old, changed: new}
            row |= dict(zip(same[:-1], way, strict=True)) | {"queries": len(part)}
            row |= averaged({name: part[name].to_numpy() for name in FIGURES})
            seen = {
                f"{name}_seen": detectable(
                    float(part[name].std()) / len(part) ** 0.5, len(part) - 1
                )
                for name in FIGURES
            }
            rows.append(row | seen)
    return pd.DataFrame(rows)


def _of_queries(table: pd.DataFrame) -> pd.DataFrame:
    """Average over the analyses that a query is asked of: both halves of the photographs."""
    keys = [*WAY, "concept"]
    filled = table.fillna({"query": "", "templates": ""})
    return filled.groupby(keys, sort=False)[list(FIGURES)].mean().reset_index()


def scenes(folder: Path, images: str) -> pd.DataFrame:
    """Search among the neurons of the classifier in the package, by its `images`."""
    kept, options = _kept(images)
    target, lens = analysed(PACKAGED, folder, PICTURES, kept, **options)
    seeds = PACKAGED.pictures + OTHERS, PACKAGED.pictures
    shown = scene_images(PICTURES, seed=seeds[0]).concepts
    truth, known = (planted_truth(target, PICTURES, seed)[:, : len(CONCEPTS)] for seed in seeds)
    right = told_best(truth, shown)
    concepts = {name: at for at, name in enumerate(CONCEPTS)}
    found = judged(
        lens,
        truth,
        right,
        concepts,
        pictures={name: pictures_of(name, FEW) for name in CONCEPTS},
        **_asked(images, tuple(TEMPLATES)),
    )
    return _joined(found, bounds(truth, right, known, concepts), SCENES, images)


def photographs(
    world: ModuleType, folder: Path, half: int, images: str, words: Sequence[str] | None = None
) -> pd.DataFrame:
    """Search in an ImageNet network, by half of the photographs; the others judge.

    Parameters
    ----------
    world
        See :func:`semlens_widgets.demo.bench_imagenet.world_of`.
    folder
        Where analyses are kept.
    half
        Which half is analysed, 0 or 1.
    images
        `WHOLE`, or a name of `CROPS`, of which 128 neurons are asked. These are asked of the whole
        photographs, too, of the half that is cropped.
    words
        The groups that are searched for; by default all.
    """
    shown = bench_imagenet.shown_of(world)
    both = bench_imagenet.halves(shown)
    mine, others = both[half], both[1 - half]
    # A photograph of each group to search with, which then judges nothing; of a pair at least.
    asked = {
        word: others[column][:1] if column.sum() > 1 else others[:0]
        for word, column in zip(world.GROUPS, shown[others].T, strict=True)
    }
    judges = np.setdiff1d(others, np.concatenate(list(asked.values())))
    rng = np.random.default_rng(0)
    some = sorted(rng.choice(bench_imagenet.FEATURES, _SOME, replace=False).tolist())
    kept, options = _kept(images)
    target = bench_imagenet.network(world, None if images == WHOLE else some)
    path = folder / f"imagenet-{half}{kept}"
    lens = bench_imagenet.analysed(world, target, mine.tolist(), path, **options)
    files = sorted((world.HERE / "photos").glob("*.jpg"))
    unseen = slw.ImageDataset.from_list([files[at] for at in judges])
    truth = auroc(_activations(target, unseen), shown[judges])
    right = told_best(truth, shown[judges])
    known = auroc(lens.activations(bench_imagenet.LAYER), shown[mine])
    concepts = {word: at for at, word in enumerate(world.GROUPS) if words is None or word in words}
    pictures = {
        word: [Image.open(files[at]).convert("RGB") for at in asked[word]] for word in concepts
    }
    if images != WHOLE:
        found = judged(lens, truth, right, concepts, pictures=pictures, **_asked(images))
        return _joined(found, bounds(truth, right, known, concepts), SOME, images)
    found = judged(lens, truth, right, concepts, pictures=pictures)
    table = _joined(found, bounds(truth, right, known, concepts), IMAGENET, images)
    if half != _CROPPED:
        return table
    found = judged(lens, truth, right, concepts, pictures=pictures, among=some)
    beside = bounds(truth[some], right[some], known[some], concepts)
    return pd.concat([table, _joined(found, beside, SOME, images)], ignore_index=True)


def _activations(target: slw.TargetModel, images: slw.ImageDataset) -> NDArray[np.float32]:
    """Return what the last features are of other images, ``(images, neurons)``."""
    found = []
    with torch.no_grad():
        for start in range(0, len(images), 8):
            some = range(start, min(start + 8, len(images)))
            batch = torch.stack([target.transform(images.load(at)) for at in some])
            found.append(target.units(batch)[bench_imagenet.LAYER])
    return torch.cat(found).numpy()


def _kept(images: str) -> tuple[str, dict[str, Any]]:
    """Return what tells an analysis by its name, and its options."""
    return ("", {}) if images == WHOLE else (f"-{images.replace(' ', '-')}", CROPS[images])


def _asked(images: str, templates: Sequence[str] = (ONE,)) -> dict[str, Any]:
    """Return what is asked of an analysis: of crops, what rests on them, and by the word alone."""
    return {"templates": templates} if images == WHOLE else {"scores": OF_EXAMPLES}


def _joined(found: pd.DataFrame, beside: pd.DataFrame, world: str, images: str) -> pd.DataFrame:
    table = pd.concat([found, beside], ignore_index=True).assign(world=world, images=images)
    return table[[*WAY, "concept", *FIGURES]]


def run(folder: Path, threads: int, device: str) -> None:  # noqa: ARG001 - nothing is trained
    """Search in every world that is there, and write the tables of single queries.

    Photographs are looked for in the folder ``imagenet`` of ``SEMLENS_REAL_DATA``.

    Parameters
    ----------
    folder
        Where analyses and finished runs are kept, in a folder of this release of the weights.
    threads
        Of torch.
    device
        Of no use here: the models run where they lie.
    """
    torch.set_num_threads(threads)
    folder = folder / release() / "search"  # what other weights found is another result
    drawn = {
        f"scenes{_kept(images)[0]}": partial(scenes, folder, images) for images in (WHOLE, *CROPS)
    }
    store({"search-scenes": finished(folder / "runs", drawn, SCENES)})
    real = os.environ.get("SEMLENS_REAL_DATA")
    if not real:
        print("SEMLENS_REAL_DATA is not set: the table of the ImageNet network stays as it is.")
        return
    world = bench_imagenet.world_of(Path(real) / "imagenet")
    found = {
        f"imagenet-{half}{_kept(images)[0]}": partial(photographs, world, folder, half, images)
        for half, images in ((0, WHOLE), (1, WHOLE), (_CROPPED, "close crops"))
    }
    store({"search-imagenet": finished(folder / "runs", found, IMAGENET)})
