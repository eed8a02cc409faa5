"""Contrastive examples from the data set: the most similar image on which a neuron is quiet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlens_widgets.analysis.mining import contrastive_examples
from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Contrasts

if TYPE_CHECKING:
    from semlens_widgets.labels.contrasts.generator import Block


@dataclass(frozen=True)
class Mined(ContrastGenerator):
    """The most similar image of the data set on which the neuron is quiet.

    With crops, similarity is between the example's crop and whole images, so that the contrast is
    like the part that the neuron looks at (both sides are then cropped alike).

    Notes
    -----
    Negative mining of CSP (arXiv 2604.22477, "Contrastive examples", after FALCON).
    """

    name = "mined"

    def contrasts(self, block: Block) -> Contrasts:
        """Return :func:`semlens_widgets.analysis.mining.contrastive_examples`."""
        return Contrasts(
            *contrastive_examples(block.activations, block.images, block.examples, block.anchors)
        )
