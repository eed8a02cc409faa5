"""The label scorers, asked of a lens: scores, their parts, and what chance scores."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from semlens_widgets.errors import StoreError
from semlens_widgets.labels import scorers
from semlens_widgets.labels.contributions import contributions
from semlens_widgets.labels.evidence import one_neuron, without_pairs
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.reader import AnalysisReader
from semlens_widgets.lens.texts import TextCheck, Words, needed, sentences
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import Labelled, read_labels, unlabelled

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.store.store import AnalysisStore


class Scoring:
    """The part of a lens that scores labels; see :class:`SemanticLens`."""

    foundation: FoundationModel | None
    store: AnalysisStore

    @cached_property
    def _read(self) -> AnalysisReader:
        if not self.store.is_finished("vectors"):
            raise StoreError("This analysis is not finished: call run() first.")
        return AnalysisReader(self.store)

    @property
    def _texts(self) -> Words:
        foundation = needed(self._read, self.foundation)
        words: Words | None = self.__dict__.get("_words")
        if words is None or words.foundation is not foundation or words.reader is not self._read:
            words = self.__dict__["_words"] = Words(self._read, foundation)
        return words

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The candidates that :meth:`label` last chose from."""
        return self._labelled.vocabulary

    @property
    def labelled_by(self) -> dict[str, Any]:
        """How :meth:`label` last scored: method, gamma, centred, templates; empty before."""
        return dict(self._labelled.scorer)

    @property
    def _labels(self) -> pd.DataFrame:
        return self._labelled.frame

    @property
    def _labelled(self) -> Labelled:
        """The labels as they are now: another lens may have written some on the same folder."""
        moment = self.store.moment("labels")
        kept: tuple[Any, Labelled] | None = self.__dict__.get("_kept_labels")
        if kept is None or kept[0] != moment:
            kept = moment, read_labels(self.store) or unlabelled(self._read.neurons)
            self.__dict__["_kept_labels"] = kept
        return kept[1]

    @_labelled.setter
    def _labelled(self, labelled: Labelled) -> None:
        self.__dict__["_kept_labels"] = self.store.moment("labels"), labelled

    def check_texts(
        self, names: Sequence[str], templates: Sequence[str] | None = None
    ) -> TextCheck:
        """Find which texts the text encoder cuts, or cannot tell from each other.

        :meth:`label`, :meth:`scores` and :meth:`search` warn of them.

        Parameters
        ----------
        names
            Labels or queries.
        templates
            Sentences with ``{}`` where the text goes; by default the six of CSP.

        Returns
        -------
        TextCheck
            ``cut`` and ``alike``; as a text (``str``) what to tell a person, empty if all is well.
        """
        return self._texts.check(scorers.check_candidates(names), templates)

    @plainly()
    def scores(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Score candidate labels for one neuron; parameters as in :meth:`label`.

        The scores of ``"clip-dissect"`` depend on which other candidates are given and on all
        neurons of the analysis; those of the other methods on the label and the neuron alone.

        Parameters
        ----------
        exclude
            Ranks of examples to leave out, with their contrastive examples.

        Returns
        -------
        pandas.DataFrame
            candidate, score, in the order given, duplicates dropped.
        """
        names = scorers.check_candidates(candidates)
        row = self._read.row(layer, neuron)
        scorer = scorer_of(method, gamma, centred, templates)
        scores = self._score_one(row, names, scorer, exclude=exclude)
        self._texts.warn_once(names, templates)
        return pd.DataFrame({"candidate": names, "score": scores.numpy()})

    @plainly()
    def neuron_chance(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str] = (),
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> tuple[float, float]:
        """Return what random words score for one neuron: their median and 95th percentile.

        Parameters are those of :meth:`scores`, whose numbers this puts into proportion. See
        :meth:`label_chance`.
        """
        row = self._read.row(layer, neuron)
        scorer = scorer_of(method, gamma, centred, templates)
        names = self._beside(candidates, method)
        scores = self._score_one(row, names, scorer, beside=RANDOM_WORDS, exclude=exclude)
        median, high = scorers.chance_level(scores[None])[0].tolist()
        return median, high

    @plainly()
    def label_chance(
        self,
        candidates: Sequence[str] = (),
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
    ) -> NDArray[np.float32]:
        """Return what random words score for every neuron: their median and 95th percentile.

        The words are always the same (:data:`semlens_widgets.labels.words.RANDOM_WORDS`). One
        word in twenty scores above the 95th percentile, so the best of many candidates does
        easily: a label above it is not proven, a label below it says nothing.

        Parameters
        ----------
        candidates
            For ``"clip-dissect"``, whose scores depend on them: each word is scored as if it were
            one candidate more. By default those that :meth:`label` last chose from.
        method, gamma, centred, templates
            As in :meth:`label`.

        Returns
        -------
        numpy.ndarray
            ``(neurons, 2)`` float32, in the order of :attr:`neurons`; NaN where there is no
            example.

        Raises
        ------
        ValueError
            As :meth:`label`, and if ``"clip-dissect"`` has no candidates to go by.
        """
        scorer = scorer_of(method, gamma, centred, templates)
        names = self._beside(candidates, method)

        def random_scores() -> Tensor:
            prompts = [self._texts.prompts(some, templates) for some in (names, RANDOM_WORDS)]
            return self._score_all(prompts[0], prompts[1], scorer)[1]

        return self._texts.chance(key_of(names, scorer), random_scores).copy()

    def _beside(self, candidates: Sequence[str], method: str) -> tuple[str, ...]:
        """Return the candidates that a method's scores depend on; most depend on none."""
        if scorers.check_method(method) != "clip-dissect":
            return ()
        names = scorers.check_candidates(candidates) if len(candidates) else self.vocabulary
        if not names:
            raise ValueError(
                "candidates: what clip-dissect scores by chance depends on the candidates; give "
                "them, or call label() first."
            )
        return names

    def _score_one(
        self,
        row: int,
        names: Sequence[str],
        scorer: Mapping[str, Any],
        *,
        beside: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> Tensor:
        """Score texts for one neuron, or texts beside them, ``(texts,)``."""
        words, templates = self._texts, scorer["templates"]
        settings = {name: scorer[name] for name in ("method", "gamma", "centred")}
        if scorers.check_method(scorer["method"]) == "clip-dissect":
            centred = scorer["centred"]
            settings["prior"] = words.prior(names, templates, centred=centred, beside=beside)
            if beside is not None:
                settings["beside"] = words.prompts(beside, templates)
        elif beside is not None:
            names = beside
        evidence = without_pairs(one_neuron(self._read.evidence, row), exclude)
        return scorers.score(evidence, words.prompts(names, templates), **settings)[0]

    def _score_all(
        self, prompts: Tensor, beside: Tensor, scorer: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """Score candidates, and texts beside them, for all neurons."""
        settings = {name: scorer[name] for name in ("method", "gamma", "centred")}
        evidence = self._read.evidence
        if scorer["method"] == "clip-dissect":
            return (
                scorers.score(evidence, prompts, **settings),
                scorers.score(evidence, prompts, beside=beside, **settings),
            )
        # No text feels another: one product for all.
        scores = scorers.score(evidence, torch.cat([prompts, beside], dim=1), **settings)
        return scores[:, : prompts.shape[1]], scores[:, prompts.shape[1] :]

    @plainly()
    def contributions(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Tell which examples speak for which label: each one's part of the score.

        Parameters as in :meth:`scores`; ``"clip-dissect"`` cannot be shared out.

        Returns
        -------
        pandas.DataFrame
            One row per rank and one column per candidate, which sums to the candidate's score.
        """
        names = scorers.check_candidates(candidates)
        row = self._read.row(layer, neuron)
        parts = contributions(
            without_pairs(one_neuron(self._read.evidence, row), exclude),
            self._texts.prompts(names, templates),
            method=method,
            gamma=gamma,
            centred=centred,
        )[0]
        there = self._read.evidence.valid[row]
        ranks = pd.Index(torch.arange(len(there))[there].numpy(), name="rank")
        return pd.DataFrame(parts[there].numpy(), index=ranks, columns=list(names))


def scorer_of(
    method: str, gamma: float, centred: bool, templates: Sequence[str] | None
) -> dict[str, Any]:
    """Return the settings of a scorer, checked, as they are kept with the labels."""
    return {
        "method": scorers.check_method(method),
        "gamma": float(gamma),
        "centred": centred,
        "templates": sentences(templates),
    }


def key_of(names: Sequence[str], scorer: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what the scores of random words depend on."""
    return (tuple(names), *scorer.values())
