"""What candidate sources see of an analysis."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import torch
from PIL import Image
from tqdm.auto import tqdm

from semlens_widgets.labels.evidence import in_parts
from semlens_widgets.labels.semantic import Semantic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words
    from semlens_widgets.store.answers import KeptAnswers


@contextmanager
def telling(progress: Callable[[int, int], None] | None) -> Iterator[Callable[[int, int], None]]:
    """Give what a source tells how far it is to whoever listens, or to a bar if nobody does."""
    if progress is not None:
        yield progress
        return
    bars: list[tqdm] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(total=total, desc="asking", unit="neuron"))
        bars[0].update(done - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


class Looked:
    """The neurons of a finished analysis, and the pictures of each.

    See :class:`semlens_widgets.labels.candidates.source.Looked`.

    Parameters
    ----------
    reader
        The analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    answers
        What models have answered about it.
    tell
        Hears how far a source is.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        words: Callable[[], Words],
        answers: KeptAnswers,
        tell: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._reader = reader
        self._words = words
        self._tell = tell
        self._told = (0, len(reader.neurons))
        self.answers = answers
        answers.refresh()

    def tell(self, done: int, total: int) -> None:
        """Let a person know how many neurons of how many are done."""
        self._told = (done, total)
        self._tell(done, total)

    @property
    def told(self) -> str:
        """How far a source was when it last told, in words."""
        return "neuron {} of {}".format(*self._told)

    @property
    def neurons(self) -> list[tuple[str, int]]:
        """The layer of every neuron, and its number there."""
        frame = self._reader.neurons
        return list(zip(frame["layer"].tolist(), frame["neuron"].tolist(), strict=True))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the images' classes; empty if they have none."""
        return self._reader.classes

    def example_classes(self, row: int) -> list[str]:
        """Return the class of each concept example of a neuron; "" where it is unknown."""
        names: list[str] = self._reader.examples(row)["class_name"].tolist()
        return names

    def example_pictures(self, row: int) -> list[Image.Image]:
        """Return the concept examples of a neuron, the most activating first."""
        return self._pictures(self._reader.example_samples[row].tolist())

    def contrast_pictures(self, row: int) -> list[Image.Image]:
        """Return the contrastive examples of a neuron, in the order of their examples."""
        return self._pictures(self._reader.contrast_samples[row].tolist())

    def likeness(self, words: Sequence[str]) -> Tensor:
        """Return how like words each neuron's concept examples are, ``(neurons, words)``.

        The centred cosine of their mean and the word
        (:class:`semlens_widgets.labels.semantic.Semantic`); NaN where a neuron has no examples.
        """
        texts = self._words().prompts(words, None)
        scorer = Semantic()
        return torch.cat([scorer.score(part, texts) for part in in_parts(self._reader.evidence)])

    def _pictures(self, samples: list[int]) -> list[Image.Image]:
        there = [sample for sample in samples if sample >= 0]
        return [Image.open(BytesIO(stored)) for stored in self._reader.thumbnails(there)]
