"""How clear, ambiguous and redundant the neurons of a network are, at each of its depths."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pandas as pd
import torch

from semlens_widgets.analysis.measures import clarity, polysemanticity, redundancy
from semlens_widgets.analysis.mining import concept_examples, neuron_statistics
from semlens_widgets.demo.models import normalised, preprocess
from semlens_widgets.inputs.target import TargetModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

MEASURES = (
    "clarity",
    "polysemanticity",
    "redundancy",
    "redundancy_of_eight",
    "centred_redundancy_of_eight",
)
EXAMPLES = 30  # per neuron, as an analysis has by default
_FEW = 8  # neurons, of which the narrowest layer has as many
_DRAWS = 100
_AT_ONCE = 250


def activations(
    model: nn.Module, layers: Sequence[str], pictures: Tensor
) -> tuple[TargetModel, dict[str, Tensor]]:
    """Return what every neuron answers to every picture, as an analysis collects it.

    Parameters
    ----------
    model
        A network on the CPU, left alone: a copy of it is looked at.
    layers
        Where.
    pictures
        ``(pictures, 3, 64, 64)`` uint8.

    Returns
    -------
    TargetModel
        The network as an analysis takes it.
    dict
        Layer to ``(pictures, neurons)`` float32: means over positions; of layers without a
        rectifier both poles.
    """
    target = TargetModel(copy.deepcopy(model).eval(), layers, transform=preprocess)
    with torch.no_grad():
        parts = [target.units(normalised(some)) for some in torch.split(pictures, _AT_ONCE)]
    return target, {layer: torch.cat([part[layer] for part in parts]) for layer in layers}


def measured(
    found: Mapping[str, Tensor], embeddings: Tensor, *, shuffled: int | None = None
) -> pd.DataFrame:
    """Measure the neurons of each layer and average over those that are alive.

    Parameters
    ----------
    found
        Layer to ``(pictures, neurons)`` activations, from the first layer to the last.
    embeddings
        ``(pictures, dim)`` of the same pictures.
    shuffled
        A seed by which the answers of every neuron are given to other pictures: what is measured
        then is what neurons without any meaning reach.

    Returns
    -------
    pandas.DataFrame
        depth (share of the layers up to this one), neurons, dead (share of them), and the means of
        `MEASURES`. Redundancy is that among the living; redundancy_of_eight that among eight of
        them, averaged over draws, which does not rise only because there are more to be like.
        NaN where too few are alive.
    """
    draws = torch.Generator().manual_seed(shuffled or 0)
    rows = []
    for at, values in enumerate(found.values(), 1):
        answers = values
        if shuffled is not None:
            answers = values.gather(0, torch.rand(values.shape, generator=draws).argsort(0))
        alive = ~neuron_statistics(answers, EXAMPLES).dead
        row = {"depth": at / len(found), "neurons": len(alive), "dead": 1 - _mean(alive)}
        examples = torch.empty(0, EXAMPLES, embeddings.shape[1])
        if alive.any():
            examples = embeddings[concept_examples(answers[:, alive], EXAMPLES)[0]]
        vectors = examples.mean(1)
        row["clarity"] = _mean(clarity(examples))
        row["polysemanticity"] = _mean(polysemanticity(examples))
        row["redundancy"] = _mean(redundancy(vectors))
        few = [torch.randperm(len(vectors), generator=draws)[:_FEW] for _ in range(_DRAWS)]
        row["redundancy_of_eight"] = _among(vectors, few)
        row["centred_redundancy_of_eight"] = _among(vectors - embeddings.mean(0), few)
        rows.append(row)
    return pd.DataFrame(rows)


def _among(vectors: Tensor, few: Sequence[Tensor]) -> float:
    """Return the mean redundancy among few neurons, averaged over draws of these."""
    if len(vectors) < _FEW:
        return torch.nan
    return _mean(torch.cat([redundancy(vectors[drawn]) for drawn in few]))


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
