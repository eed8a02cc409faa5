"""What candidate sources see of an analysis."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from semlens_widgets.lens.reader import AnalysisReader


class Looked:
    """The neurons of a finished analysis, and the pictures of each.

    See :class:`semlens_widgets.labels.candidates.source.Looked`.
    """

    def __init__(self, reader: AnalysisReader) -> None:
        self._reader = reader

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
        return self._pictures(self._reader.examples(row)["sample"].tolist())

    def contrast_pictures(self, row: int) -> list[Image.Image]:
        """Return the contrastive examples of a neuron, in the order of their examples."""
        samples = self._reader.examples(row)["contrast_sample"].tolist()
        return self._pictures([sample for sample in samples if sample >= 0])

    def _pictures(self, samples: list[int]) -> list[Image.Image]:
        return [Image.open(BytesIO(stored)) for stored in self._reader.thumbnails(samples)]
