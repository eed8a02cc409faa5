"""How general the labels of a lens are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.agreement import beside_baselines
from semlens_widgets.analysis.granularity import circle, depths, fitting_others, hierarchical
from semlens_widgets.labels import hypernyms
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.lens.judgement import judgeable, labels_to_judge
from semlens_widgets.lens.people import scorer_of_run
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.store.labels import LabelRun


class Granular:
    """The part of a lens that says how general labels are; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    scoring
        Scores labels.
    kept
        The labels.
    """

    def __init__(self, reader: AnalysisReader, scoring: Scoring, kept: KeptLabels) -> None:
        self._reader = reader
        self._scoring = scoring
        self._kept = kept

    @plainly()
    def granularity(
        self, parents: Mapping[str, str] | None = None, *, truth: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Say how general the labels in force are, and how near to a truth that is known.

        Parameters
        ----------
        parents
            By word, what it is a kind of, "" for none; by default as in the packaged vocabulary
            (:func:`semlens_widgets.labels.hypernyms.parents`). Of a word file:
            ``Vocabulary.from_file(path).parents``.
        truth
            What each neuron stands for, in the order of :attr:`neurons`; "" where that is not
            known.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label; ``depth``, how many hypernyms the label has (NaN if it has no
            place among them); ``others``, the share of the other neurons of its layer that the
            label fits as well: for which it scores more than one random word in twenty does
            (``chance``), by the scorer of the last :meth:`label`; ``recall`` and ``precision``, the
            share of the truth's hypernyms and itself that the label says, and the share of the
            label's that are true (:func:`semlens_widgets.analysis.granularity.hierarchical`), each
            beside what a label of a random neuron of the layer (``_random``) and the one best label
            for all its neurons (``_constant``) reach. A neuron that is "unknown" recalls nothing.

        Raises
        ------
        ValueError
            If nothing is labelled yet, the scorer is not known, words are kinds of each other, or
            `truth` does not fit the neurons.
        LensUnavailable
            If the analysis was opened without its foundation model.
        """
        tree = hypernyms.parents() if parents is None else parents
        if turn := circle(tree):
            raise ValueError(f"parents: {' < '.join(turn)} is a circle.")
        run = self._kept.now.latest
        if run is None:
            raise ValueError(
                "granularity: no neuron is labelled by a scorer yet; call label() first."
            )
        own = labels_to_judge(self._reader, self._kept, None)
        true = _checked(truth, len(own))
        names = judgeable(own)
        place = {name: at for at, name in enumerate(names)}
        at = np.array([place.get(label, -1) for label in own])
        layers = [slice(*span) for span in self._reader.spans.values()]
        scores = self._scores(names, run)
        chance = run.frame["chance"].to_numpy()
        columns = {
            "depth": depths(own, tree),
            "others": fitting_others(scores, chance, at, layers),
        }
        said = ["" if label not in place else label for label in own]
        columns |= _beside_truth([*names, ""], said, true, tree, layers)
        return self._kept.now.neurons[["layer", "neuron"]].assign(label=own, **columns)

    def _scores(self, names: Sequence[str], run: LabelRun) -> NDArray[np.float32]:
        """Score the labels as the run did, ``(neurons, names)``."""
        scorer = scorer_of_run(run)
        if scorer is None:
            raise ValueError(
                f"granularity: the scorer {run.scorer['scorer']!r} is not known here; call label() "
                "anew."
            )
        competes = isinstance(scorer, Competing)
        texts = list(dict.fromkeys([*run.vocabulary, *names])) if competes else list(names)
        asked = [texts.index(name) for name in names]
        parts = self._scoring.of_all(texts, [""], scorer, run.scorer["templates"])
        return np.concatenate([scores[:, asked].numpy() for scores, _ in parts])


def _checked(truth: Sequence[str] | None, count: int) -> list[str]:
    if truth is None:
        return [""] * count
    if isinstance(truth, str) or len(truth) != count or not all(isinstance(t, str) for t in truth):
        raise ValueError(
            f'truth must hold one text for each of the {count} neurons, "" where it is not known.'
        )
    return list(truth)


def _beside_truth(
    names: Sequence[str],
    said: Sequence[str],
    true: Sequence[str],
    tree: Mapping[str, str],
    layers: Sequence[slice],
) -> dict[str, NDArray[np.float64]]:
    """Return recall and precision of each neuron's label, and of a random and a constant one."""
    known = {
        truth: np.array([hierarchical(name, truth, tree) for name in names]) for truth in set(true)
    }
    both = np.stack([known[truth] for truth in true])  # (neurons, names, 2)
    at = np.array([names.index(label) for label in said])
    columns: dict[str, NDArray[np.float64]] = {}
    for which, name in enumerate(("recall", "precision")):
        beside = beside_baselines(both[..., which], at, layers)
        columns |= {name: beside.own, f"{name}_random": beside.random}
        if beside.constant is not None:
            columns[f"{name}_constant"] = beside.constant
    return columns
