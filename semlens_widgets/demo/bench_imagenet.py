"""The same questions of a real network: ``python -m semlens_widgets.demo.bench_imagenet FOLDER``.

The folder holds natural photographs, one of each ImageNet class (``photos``), and a file
``names.py`` with a network to look at, a foundation model that knows the classes by name, and which
classes are a dog, a snake and so on (``lite0``, ``ClassNames``, ``GROUPS``, ``NAMES``,
``transform``); it is run as code. The neurons before the network's classifier are labelled by all
labellers of :mod:`semlens_widgets.demo.bench_labels`, and searched by all scorers of
:mod:`semlens_widgets.demo.bench_search`. A neuron's truth is its AUROC for the photographs of a
group, on the photographs of the analysis, and on others: of a half, judged by the other.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import relu6

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo import bench_search
from semlens_widgets.demo.bench_labels import BEST, CONSTANT, LABELLERS, RANDOM, STORED, averaged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray
    from torch import Tensor

LAYER = "_bn1"  # what the network pools, behind a functional relu6
FEATURES = 1280  # of that layer
_SIDE = 160
#: On which photographs a neuron is judged.
SAME, OTHER = "the same photographs", "the other half"


def pooled(output: Tensor) -> Tensor:
    """Pool as the network itself does before its classifier."""
    return relu6(output).mean((2, 3))


def world_of(folder: Path) -> ModuleType:
    """Load the folder's ``names.py``.

    Raises
    ------
    FileNotFoundError
        If there is none, or no photographs.
    """
    file = folder / "names.py"
    if not file.exists() or not (folder / "photos").is_dir():
        raise FileNotFoundError(f"{folder} has no names.py and no photos beside it.")
    spec = importlib.util.spec_from_file_location("imagenet_names", file)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it exists
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(world: ModuleType, neurons: Sequence[int] | None = None) -> slw.TargetModel:
    """Return the network, of which its last features are looked at, all of them or some."""
    model = world.lite0().to(memory_format=torch.channels_last)  # as below
    return slw.TargetModel(
        model,
        [LAYER],
        transform=world.transform(_SIDE),
        pooling=pooled,
        units=None if neurons is None else {LAYER: torch.eye(FEATURES)[list(neurons)]},
        name="Lite0",
    )


def analysed(
    world: ModuleType,
    target: slw.TargetModel,
    photographs: Sequence[int],
    path: Path,
    **options: Any,
) -> slw.SemanticLens:
    """Look at a network on some of the photographs, in their order.

    `options` are those of :class:`semlens_widgets.SemanticLens`.
    """
    files = sorted((world.HERE / "photos").glob("*.jpg"))
    images = slw.ImageDataset.from_list([files[at] for at in photographs])
    foundation = world.ClassNames()
    # With small batches, three times as fast on a CPU.
    foundation.model.to(memory_format=torch.channels_last)
    return slw.SemanticLens(target, images, foundation, path=path, batch_size=8, **options).run()


def shown_of(world: ModuleType) -> NDArray[np.bool_]:
    """Return which photograph shows which group, ``(1000, groups)``."""
    shown = np.zeros((1000, len(world.GROUPS)), bool)
    for column, classes in enumerate(world.GROUPS.values()):
        shown[list(classes), column] = True  # one photograph of each class, in their order
    return shown


def halves(shown: NDArray[np.bool_], seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the photographs in two, those of each group, and of none, as evenly as they can be."""
    rng = np.random.default_rng(seed)
    kind = shown @ (1 + np.arange(shown.shape[1]))
    order = np.lexsort((rng.random(len(shown)), kind))
    return np.sort(order[::2]), np.sort(order[1::2])


def labelled(lens: slw.SemanticLens, truth: NDArray[np.float64], words: list[str]) -> pd.DataFrame:
    """Label by everyone, and judge: neuron, labeller, label, auroc."""
    neurons = lens.neurons["neuron"]
    said = {
        name: lens.label(words, scorer=scorer, threshold=-np.inf)["label"].tolist()
        for name, scorer in LABELLERS.items()
    }
    said[RANDOM] = np.random.default_rng(0).choice(words, len(neurons)).tolist()
    said[CONSTANT] = [words[truth.mean(0).argmax()]] * len(neurons)
    said[BEST] = [words[at] for at in truth.argmax(1)]
    tables = []
    for name, labels in said.items():
        found = [truth[row, words.index(label)] for row, label in enumerate(labels)]
        tables.append(pd.DataFrame({"neuron": neurons, "label": labels, "auroc": found}))
        tables[-1]["labeller"] = name
    return pd.concat(tables, ignore_index=True)


def judged(world: ModuleType, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label and search, on all photographs and on halves.

    Returns
    -------
    labels, searches
        As :func:`labelled` and :func:`semlens_widgets.demo.bench_search.found` give them, with the
        columns judged_on and world (the analysis).
    """
    shown, words = shown_of(world), list(world.GROUPS)
    target = network(world)
    everyone = analysed(world, target, range(1000), folder / "all")
    values = everyone.activations(LAYER)
    column = {word: at for at, word in enumerate(words)}
    labels, searches = [], []

    def ask(lens: slw.SemanticLens, on: NDArray[np.int64], judged_on: str) -> None:
        truth = auroc(values[on], shown[on])
        about = {"judged_on": judged_on, "world": lens.store.path.name}
        labels.append(labelled(lens, truth, words).assign(**about))
        searches.append(bench_search.found(lens, truth, column).assign(**about))

    ask(everyone, np.arange(1000), SAME)
    for at, (mine, others) in enumerate((pair := halves(shown), pair[::-1])):
        ask(analysed(world, target, mine.tolist(), folder / f"half-{at}"), others, OTHER)
    return pd.concat(labels, ignore_index=True), pd.concat(searches, ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the labels over neurons, with the interval of resampling them.

    Returns
    -------
    pandas.DataFrame
        judged_on, labeller, labels (how many), auroc with low and high (95 %).
    """
    rows = []
    for (judged_on, labeller), part in table.groupby(["judged_on", "labeller"], sort=False):
        row = {"judged_on": judged_on, "labeller": labeller, "labels": len(part)}
        rows.append(row | averaged({"auroc": part["auroc"].to_numpy()}))
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask every labeller and every scorer, and store the tables."""
    parser = argparse.ArgumentParser(description="Measure labels and searches on a real network.")
    parser.add_argument("folder", type=Path, help="photographs and names.py")
    parser.add_argument("--out", type=Path, default=STORED, help="folder for the tables")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        labels, searches = judged(world_of(options.folder), Path(scratch))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, told in (
        ("labels", summary(labels)),
        ("search", bench_search.summary(searches, ["judged_on"])),
    ):
        told.round(4).to_csv(options.out / f"imagenet-{name}.csv", index=False)
        print(told.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
