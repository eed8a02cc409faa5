"""The parts of a lens on a finished analysis, each given what it needs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from semlens_widgets.lens.agreeing import Agreeing
from semlens_widgets.lens.audit import Auditing
from semlens_widgets.lens.choosing import Choosing
from semlens_widgets.lens.domain import Domain
from semlens_widgets.lens.explained import Explaining
from semlens_widgets.lens.faithfulness import Faithfulness
from semlens_widgets.lens.granular import Granular
from semlens_widgets.lens.intervene import Intervening
from semlens_widgets.lens.labelling import KeptLabels, Labelling
from semlens_widgets.lens.looked import Looked
from semlens_widgets.lens.looking import Looking
from semlens_widgets.lens.people import PeoplesLabels
from semlens_widgets.lens.reader import AnalysisReader
from semlens_widgets.lens.relevance import Relevances
from semlens_widgets.lens.robust import Robust
from semlens_widgets.lens.scoring import Scoring
from semlens_widgets.lens.search import Search
from semlens_widgets.lens.showing import Showing
from semlens_widgets.lens.stability import Stable
from semlens_widgets.lens.study import Studying
from semlens_widgets.lens.texts import Words, needed
from semlens_widgets.lens.trace import Tracing
from semlens_widgets.lens.trust import Trusting
from semlens_widgets.store.answers import KeptAnswers

if TYPE_CHECKING:
    from collections.abc import Callable

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.listeners import Listeners
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.store import AnalysisStore


class Parts:
    """What a lens is made of once its analysis is finished; made anew when it is run again.

    Parameters
    ----------
    lens
        The whole, which views of what is found look at.
    store
        The analysis.
    images
        Where pictures come from that are not stored; None if they are not at hand.
    foundation
        Gives the foundation model, or None if it is not at hand.
    need_plan
        Gives the model and the images for a purpose; raises if they are not at hand.
    listeners
        Who hears of changed labels.
    """

    def __init__(
        self,
        lens: SemanticLens,
        store: AnalysisStore,
        images: ImageDataset | None,
        foundation: Callable[[], FoundationModel | None],
        need_plan: Callable[[str], Plan],
        listeners: Listeners,
    ) -> None:
        self.showing = Showing(lens)
        self.reader = AnalysisReader(store)
        self._foundation = foundation
        self._words: Words | None = None
        self._answers = KeptAnswers(store)
        self.labels = KeptLabels(store, self.reader, listeners)
        self.scoring = Scoring(self.reader, self.words, self.labels.vocabulary)
        self.trusting = Trusting(self.reader, self.words, self.labels)
        self.explaining = Explaining(self.reader, self.words, self.labels)
        self.looking = Looking(store, self.reader, images, need_plan)
        self.studying = Studying(self.reader, self.looking)
        self.relevances = Relevances(store, self.reader, need_plan)
        self.intervening = Intervening(lens, self.reader, self.relevances, need_plan)
        self.tracing = Tracing(lens, self.reader, self.relevances, self.labels, need_plan)
        self.judging = Faithfulness(self.reader, self.labels, foundation, need_plan)
        self.robust = Robust(self.reader, self.labels, self.words, need_plan)
        self.stable = Stable(self.reader)
        self.domain = Domain(self.reader, self.words, images, foundation)
        self.agreeing = Agreeing(self.reader, self.labels, self.words)
        self.granular = Granular(self.reader, self.scoring, self.labels)
        self.auditing = Auditing(
            lens,
            self.reader,
            self.relevances,
            self.scoring,
            self.labels,
            self.words,
            self.looking,
            need_plan,
        )

    def words(self) -> Words:
        """Return the text embeddings of the foundation model.

        Raises
        ------
        LensUnavailable
            If there is no foundation model.
        """
        foundation = needed(self.reader, self._foundation())
        if self._words is None or self._words.foundation is not foundation:
            self._words = Words(self.reader, foundation)
        return self._words

    @cached_property
    def labelling(self) -> Labelling:
        """What gives labels."""
        return Labelling(
            self.reader, self.words, self.scoring, self.labels, self.people, self._answers
        )

    @cached_property
    def people(self) -> PeoplesLabels:
        """What keeps the labels that people give."""
        foundation = self._foundation
        return PeoplesLabels(
            self.reader, self.scoring, self.labels, lambda: foundation() is not None
        )

    @cached_property
    def choosing(self) -> Choosing:
        """What offers other labels than those in force."""
        foundation = self._foundation
        return Choosing(self.reader, self.scoring, self.labels, lambda: foundation() is not None)

    @property
    def looked(self) -> Looked:
        """What a candidate source may look at."""
        return Looked(self.reader, self.words, self._answers)

    @cached_property
    def searching(self) -> Search:
        """What searches."""
        return Search(self.reader, self.words, self.scoring, self.labels)
