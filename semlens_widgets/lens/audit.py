"""Audits: on which concepts a class rests, neuron by neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.audit import LEVEL, Aligned, Shares, alignment
from semlens_widgets.analysis.reliance import Reliance
from semlens_widgets.errors import LensUnavailable, UnreadableImage
from semlens_widgets.labels.concepts import check_apart, phrases_of, read_concepts
from semlens_widgets.labels.recognition import Recognition
from semlens_widgets.labels.scorers import scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.audited import Audit
from semlens_widgets.lens.exposed import exposed
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.labels.concepts import Concepts, Given
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.looking import Looking
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.lens.texts import TextCheck, Words
    from semlens_widgets.pipeline.settings import Plan

#: What both sides of an audit are compared by.
ONE_SHARE = Recognition(wider=False)
_OTHERS = (
    "An audit asks what the class's own images rest on; what others do to it is for "
    "audit.prove(...) or lens.relevance(..., samples=...)."
)
_SIDE = 256  # pixels of the pictures in a report, as of those that are kept


class Auditing:
    """The part of a lens that audits; see :class:`SemanticLens`.

    Parameters
    ----------
    lens
        What a view of an audit looks at.
    reader
        The finished analysis.
    relevances, scoring, labels
        What neurons mean for a class, and how well they fit words; their labels.
    words
        Gives the text embeddings; raises if there is no foundation model.
    looking
        Gives pictures.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        lens: SemanticLens,
        reader: AnalysisReader,
        relevances: Relevances,
        scoring: Scoring,
        labels: KeptLabels,
        words: Callable[[], Words],
        looking: Looking,
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._lens = lens
        self._reader = reader
        self._relevances = relevances
        self._scoring = scoring
        self._labels = labels
        self._words = words
        self._looking = looking
        self._need_plan = need_plan

    @plainly()
    def audit(
        self,
        target: str | int,
        valid: Given,
        spurious: Given,
        *,
        images: Sequence[int] | None = None,
        scorer: str | Scorer = ONE_SHARE,
        templates: Sequence[str] | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Audit:
        """Ask what a class rests on: on what it should, on what it should not, on neither.

        Every neuron is compared with the phrases of both sides and with random words, which say
        what chance would fit; its share of the class's relevance says how much hangs on it.

        Parameters
        ----------
        target
            The class: an output's name as in ``TargetModel(..., outputs=names)``, or its number.
        valid, spurious
            Concepts that the class should rest on, and that it should not: a list of words, a
            dictionary from names to phrases, or a YAML file of either, or of both sides under
            ``valid:`` and ``spurious:``.
        images
            Numbers of the class's images to look at; by default all of them.
        scorer, templates
            How well a neuron fits a phrase, as in :meth:`label`. By default recognition with one
            share for all phrases: with several, what many images show would be at an advantage over
            what few show, and both are compared here. ``"semanticlens"`` is the paper's.
        seed
            Draws the images anew for the intervals.
        progress
            Called with how many images of how many the model was asked about.

        Returns
        -------
        Audit
            ``neurons``, ``summary``, ``concepts``, ``view()``, ``samples()``, ``prove()``,
            ``check()``.

        Raises
        ------
        ValueError
            Before anything is computed: if the class is unknown, has no images, some of `images`
            are of another class, or a list of concepts is empty or says the same as the other.
        LensUnavailable
            If relevance or words are wanted that are not stored, and the model or the foundation
            model is not at hand.

        Notes
        -----
        The audit of SemanticLens (arXiv 2501.05398), with Recognition as the measure of alignment
        in the place of the cosine, a null, and intervals.
        """
        sides = read_concepts(valid, "valid"), read_concepts(spurious, "spurious")
        check_apart(*sides)
        how = scorer_of(scorer)
        output = self._relevances.output(target)
        chosen = self._relevances.images_of(target, output, images)
        self._relevances.check_own(chosen, output, target, _OTHERS)
        layers = {name: slice(*span) for name, span in self._reader.spans.items()}
        aligned, fits = self._aligned(sides, how, templates, list(layers.values()))
        own = np.union1d(chosen, self._relevances.class_of(output))
        directions = {
            concept: normalize(self._words().prompts(phrases, templates).mean(0), dim=0)
            for concept, phrases in sides[1].items()
        }
        shown, controls = exposed(self._reader, directions, own, seed)
        self._relevances.keep(
            output, np.unique(np.concatenate([chosen, controls, *shown.values()])), progress
        )
        relevance, method = self._relevances.by_image(output, chosen)
        reliance = Reliance(
            relevance,
            {one: self._relevances.by_image(output, some)[0] for one, some in shown.items()},
            self._relevances.by_image(output, controls)[0] if shown else relevance[:0],
            fits,
            layers,
            seed,
        )
        shares, rest = self._relevances.shares(output, chosen)
        return Audit(
            self._lens,
            self._reader,
            self._labels,
            self._need_plan,
            target=target,
            output=output,
            sides=sides,
            images=chosen,
            shares=Shares(shares, layers, seed, rest),
            method=method,
            aligned=aligned,
            reliance=reliance,
            shown=shown,
            picture=self._picture,
            scored_by={"scorer": how.name, **how.settings},
            unread=self._unread(sides, templates),
        )

    def _unread(
        self, sides: tuple[Concepts, Concepts], templates: Sequence[str] | None
    ) -> TextCheck:
        """Find which phrases the foundation model cuts, or takes for others or for any word."""
        phrases = [phrase for side in sides for phrase in phrases_of(side)]
        return self._words().check([*phrases, *RANDOM_WORDS], templates).about(phrases)

    def _picture(self, sample: int) -> bytes | None:
        """Return a small JPEG of an image, or None where it is not at hand."""
        try:
            return self._looking.thumbnail_jpegs([sample])[0]
        except KeyError:  # no example of any neuron
            pass
        try:
            return self._looking.original_jpeg(sample, _SIDE)
        except (LensUnavailable, UnreadableImage):
            return None

    def _aligned(
        self,
        sides: tuple[Concepts, Concepts],
        how: Scorer,
        templates: Sequence[str] | None,
        layers: Sequence[slice],
    ) -> tuple[Aligned, dict[str, NDArray[np.bool_]]]:
        """Return how well neurons fit both sides, and which fit each spurious concept."""
        valid, spurious = (phrases_of(side) for side in sides)
        parts = list(self._scoring.of_all([*valid, *spurious], RANDOM_WORDS, how, templates))
        scores = torch.cat([scores for scores, _ in parts]).numpy()
        random = torch.cat([beside for _, beside in parts]).numpy()
        of_valid, of_spurious = scores[:, : len(valid)], scores[:, len(valid) :]
        fits = {}
        start = 0
        for concept, phrases in sides[1].items():
            some = of_spurious[:, start : start + len(phrases)]
            fits[concept] = alignment(some, random, layers).null <= 1 - LEVEL
            start += len(phrases)
        aligned = Aligned(
            alignment(of_valid, random, layers), alignment(of_spurious, random, layers)
        )
        return aligned, fits
