"""What is found of labels: neurons, a summary beside baselines, and what could not be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from semlens_widgets.analysis.agreement import summarised
from semlens_widgets.labels.assign import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.analysis.agreement import Beside
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader


@dataclass(frozen=True, eq=False)
class Judged:
    """What was found of labels.

    Attributes
    ----------
    neurons
        One row per neuron: layer, neuron, label, dead, and the figures, each with its baselines
        beside it, as ``<measure>_random`` and ``<measure>_constant``. NaN: not judged.
    summary
        One row per measure and layer, and for all layers together: neurons (that were judged), and
        means over them with 95 % intervals, also of the difference to each baseline.
    said
        What was not judged, and why, in sentences.
    """

    neurons: pd.DataFrame
    summary: pd.DataFrame
    said: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join([self.summary.round(3).to_string(index=False), *self.said])


def labels_to_judge(
    reader: AnalysisReader, kept: KeptLabels, given: Sequence[str] | None
) -> list[str]:
    """Return one label for each neuron: those given, or those in force.

    Raises
    ------
    ValueError
        If they are not as many as the neurons, or none says anything.
    """
    count = len(reader.neurons)
    if given is None:
        own: list[str] = kept.now.frame["label"].tolist()
    elif isinstance(given, str) or len(given) != count:
        raise ValueError(f"labels must hold one label for each of the {count} neurons.")
    else:
        own = list(given)
    if not judgeable(own):
        raise ValueError("No neuron has a label: call label() first, or give labels=.")
    return own


def judgeable(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the different labels that say something, in the order of the neurons."""
    return tuple(dict.fromkeys(label for label in labels if label and label != UNKNOWN))


def unlabelled_said(labels: Sequence[str]) -> list[str]:
    """Say how many neurons have no label; nothing if all have one."""
    count = sum(not label or label == UNKNOWN for label in labels)
    return [f"{count} of {len(labels)} neurons have no label, or are unknown."] if count else []


def table_of(reader: AnalysisReader, labels: Sequence[str]) -> pd.DataFrame:
    """Return the neurons with their labels: layer, neuron, label, dead."""
    neurons = reader.neurons
    return neurons[["layer", "neuron"]].assign(label=list(labels), dead=neurons["dead"])


def judged(
    reader: AnalysisReader,
    table: pd.DataFrame,
    measured: Mapping[str, Beside],
    said: Sequence[str],
    seed: int,
) -> Judged:
    """Put measures and their baselines into the table of neurons, and sum them up."""
    layers = {name: slice(*span) for name, span in reader.spans.items()}
    columns, rows = {}, []
    for measure, beside in measured.items():
        columns[measure] = beside.own
        columns[f"{measure}_random"] = beside.random
        if beside.constant is not None:
            columns[f"{measure}_constant"] = beside.constant
        for layer, neurons in {**layers, "all": slice(None)}.items():
            row = {"measure": measure, "layer": layer}
            rows.append(row | summarised(beside, neurons, seed))
    return Judged(table.assign(**columns), pd.DataFrame(rows), tuple(said))
