"""What candidate sources see of an analysis."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from semlens_widgets.lens.reader import AnalysisReader
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
    answers
        What models have answered about it.
    tell
        Hears how far a source is.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        answers: KeptAnswers,
        tell: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._reader = reader
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

    def _pictures(self, samples: list[int]) -> list[Image.Image]:
        there = [sample for sample in samples if sample >= 0]
        return [Image.open(BytesIO(stored)) for stored in self._reader.thumbnails(there)]
