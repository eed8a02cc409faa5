"""Scores of labels, their parts, and what chance scores."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pandas as pd
import torch

from semlens_widgets.labels.assign import chance_level, check_candidates
from semlens_widgets.labels.correlation import Correlation, correlations
from semlens_widgets.labels.evidence import in_parts, some_neurons, without_pairs
from semlens_widgets.labels.scorer import Competing, Explaining
from semlens_widgets.labels.scorers import DEFAULT, scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.renamed import formerly
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import TextCheck, Words

_AT_ONCE = 1 << 14  # neurons whose directions are known
_SPELT = 'give scorer="csp", or an object such as Csp(gamma=0.5, centred=True)'
by_scorer = formerly(method=_SPELT, gamma=_SPELT, centred=_SPELT)


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Compute in this thread alone: whoever waits for something else wants the processor too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _alone(scorer: Scorer) -> AbstractContextManager[None]:
    """Score one neuron in this thread alone, where that rests on a few examples.

    The products are too small to share: threads that are waited for, and spin when they have
    nothing to do, take several times as long where others want the processor too.
    """
    shared = scorer.whole or isinstance(scorer, Competing) or torch.get_num_threads() == 1
    return nullcontext() if shared else in_one_thread()


def check_excluded(scorer: Scorer, exclude: Sequence[int]) -> None:
    """Raise a ValueError if pairs are to be left out and the scorer does not rest on pairs."""
    if len(exclude) and not scorer.pairs:
        raise ValueError(
            f"exclude: {scorer.name} goes by the activations on all images, not by examples; "
            "none can be left out."
        )


class Scoring:
    """The part of a lens that scores labels; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    vocabulary
        Gives the candidates that labels were last chosen from.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        words: Callable[[], Words],
        vocabulary: Callable[[], tuple[str, ...]],
    ) -> None:
        self._reader = reader
        self._words = words
        self._vocabulary = vocabulary
        # A panel asks of one neuron time and again; what it gathered of it is gathered already.
        self._last: tuple[tuple[int, tuple[int, ...]], Evidence] | None = None

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
            Sentences with ``{}`` where the text goes, such as ``slw.CSP_TEMPLATES``; by default
            the text alone.

        Returns
        -------
        TextCheck
            ``cut`` and ``alike``; as a text (``str``) what to tell a person, empty if all is well.
        """
        return self._words().check(check_candidates(names), templates)

    @by_scorer
    @plainly()
    def scores(
        self,
        layer: str,
        neuron: int | str,
        candidates: Sequence[str],
        *,
        scorer: str | Scorer = DEFAULT,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Score candidate labels for one neuron; parameters as in :meth:`label`.

        The scores of ``"clip-dissect"`` depend on which other candidates are given and on all
        neurons of the analysis; those of the other scorers on the label and the neuron alone.

        Parameters
        ----------
        exclude
            Ranks of examples to leave out, with their contrastive examples.

        Returns
        -------
        pandas.DataFrame
            candidate, score, in the order given, duplicates dropped.

        Raises
        ------
        ValueError
            If there is no such rank, or the scorer does not rest on examples.
        """
        names = check_candidates(candidates)
        row, how = self._reader.row(layer, neuron), scorer_of(scorer)
        with _alone(how):
            scores = self.of_one(row, names, how, templates, exclude=exclude)
            self._words().warn_once(names, templates)
        return pd.DataFrame({"candidate": names, "score": scores.numpy()})

    @by_scorer
    @plainly()
    def neuron_chance(
        self,
        layer: str,
        neuron: int | str,
        candidates: Sequence[str] = (),
        *,
        scorer: str | Scorer = DEFAULT,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> tuple[float, float]:
        """Return what random words score for one neuron: their median and 95th percentile.

        Parameters are those of :meth:`scores`, whose numbers this puts into proportion. See
        :meth:`label_chance`.
        """
        row, how = self._reader.row(layer, neuron), scorer_of(scorer)
        names = self.beside(candidates, how)
        scores = self.of_one(row, names, how, templates, beside=RANDOM_WORDS, exclude=exclude)
        median, high = chance_level(scores[None])[0].tolist()
        return median, high

    @by_scorer
    @plainly()
    def label_chance(
        self,
        candidates: Sequence[str] = (),
        *,
        scorer: str | Scorer = DEFAULT,
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
        scorer, templates
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
        how = scorer_of(scorer)
        names = self.beside(candidates, how)

        def levels() -> Tensor:
            parts = self.of_all(names, RANDOM_WORDS, how, templates)
            return torch.cat([chance_level(beside) for _, beside in parts])

        return self._words().once(self.chance_key(names, how, templates), levels).numpy().copy()

    def chance_key(
        self, names: Sequence[str], scorer: Scorer, templates: Sequence[str] | None
    ) -> Hashable:
        """Return what the scores of random words depend on."""
        return ("chance", tuple(names), scorer, self._words().sentences(templates))

    def beside(self, candidates: Sequence[str], scorer: Scorer) -> tuple[str, ...]:
        """Return the candidates that a scorer's scores depend on; most depend on none."""
        if not isinstance(scorer, Competing):
            return ()
        names = check_candidates(candidates) if len(candidates) else self._vocabulary()
        if not names:
            raise ValueError(
                f"candidates: what {scorer.name} scores by chance depends on the candidates; give "
                "them, or call label() first."
            )
        return names

    def of_one(
        self,
        row: int,
        names: Sequence[str],
        scorer: Scorer,
        templates: Sequence[str] | None,
        *,
        beside: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> Tensor:
        """Score texts for one neuron, or texts beside them, ``(texts,)``."""
        with _alone(scorer):
            evidence = self._of_neuron(row, scorer, exclude)
            return next(self._scored(iter([evidence]), names, beside, scorer, templates))[0]

    def of_some(
        self,
        rows: range,
        names: Sequence[str],
        scorer: Scorer,
        templates: Sequence[str] | None,
        *,
        beside: Sequence[str],
    ) -> Tensor:
        """Score texts beside others for some neurons at once, ``(rows, beside)``."""
        evidence = some_neurons(self._reader.evidence, rows.start, rows.stop)
        return next(self._scored(iter([evidence]), names, beside, scorer, templates))

    def of_all(
        self,
        names: Sequence[str],
        beside: Sequence[str],
        scorer: Scorer,
        templates: Sequence[str] | None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Score candidates, and texts beside them, some neurons after the other.

        Yields
        ------
        scores, beside
            ``(some, names)`` and ``(some, beside)``, in the order of the neurons.
        """
        if isinstance(scorer, Correlation):
            texts = self._words().prompts([*names, *beside], templates)
            likeness = self._reader.evidence.likeness
            for some in torch.split(self._reader.activation_directions, _AT_ONCE):
                scores = correlations(some, texts, likeness)
                yield scores[:, : len(names)], scores[:, len(names) :]
            return
        everyone = in_parts(self._reader.evidence, whole=scorer.whole)
        if isinstance(scorer, Competing):
            for evidence in everyone:
                one, other = (
                    next(self._scored(iter([evidence]), names, texts, scorer, templates))
                    for texts in (None, beside)
                )
                yield one, other
            return
        # No text feels another: one product for all.
        for scores in self._scored(everyone, [*names, *beside], None, scorer, templates):
            yield scores[:, : len(names)], scores[:, len(names) :]

    def _scored(
        self,
        parts: Iterator[Evidence],
        names: Sequence[str],
        beside: Sequence[str] | None,
        scorer: Scorer,
        templates: Sequence[str] | None,
    ) -> Iterator[Tensor]:
        words = self._words()
        texts = words.prompts(names if beside is None else beside, templates)
        if not isinstance(scorer, Competing):
            for evidence in parts:
                yield scorer.score(evidence, texts)
            return
        among = None if beside is None else words.prompts(names, templates)
        key = ("prior", tuple(names), beside and tuple(beside), scorer, words.sentences(templates))
        everyone = in_parts(self._reader.evidence)
        prior = words.once(key, lambda: scorer.prior(everyone, texts, among))
        for evidence in parts:
            yield scorer.score_among(evidence, texts, among, prior)

    def _of_neuron(self, row: int, scorer: Scorer, exclude: Sequence[int]) -> Evidence:
        check_excluded(scorer, exclude)
        key, last = (row, tuple(exclude)), self._last
        if last is None or last[0] != key:
            found = without_pairs(some_neurons(self._reader.evidence, row, row + 1), exclude)
            last = self._last = key, found
        return last[1]

    @by_scorer
    @plainly()
    def contributions(
        self,
        layer: str,
        neuron: int | str,
        candidates: Sequence[str],
        *,
        scorer: str | Scorer = "csp",
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Tell which examples speak for which label: each one's part of the score.

        Parameters as in :meth:`scores`.

        Returns
        -------
        pandas.DataFrame
            One row per rank and one column per candidate, which sums to the candidate's score.

        Raises
        ------
        ValueError
            As :meth:`scores`, and if the scorer's scores cannot be shared out among examples.
        """
        names = check_candidates(candidates)
        row, how = self._reader.row(layer, neuron), scorer_of(scorer)
        if not isinstance(how, Explaining):
            raise ValueError(
                f"scorer: a score of {how.name} cannot be shared out among the examples; it rests "
                "on more images, and some scorers on all neurons."
            )
        with _alone(how):
            evidence = self._of_neuron(row, how, exclude)
            parts = how.parts(evidence, self._words().prompts(names, templates))[0]
        there = self._reader.example_samples[row] >= 0
        ranks = pd.Index(torch.arange(len(there))[there].numpy(), name="rank")
        return pd.DataFrame(parts[there].numpy(), index=ranks, columns=list(names))
