"""Contrastive examples from the data set: the most similar image on which a neuron is quiet."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from semlens_widgets.analysis.contrasting import contrastive_by_others, contrastive_neighbours
from semlens_widgets.labels.contrasts.below import check_below, levels_of
from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Contrasts

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.contrasts.below import Below
    from semlens_widgets.labels.contrasts.generator import Block

#: How many contrastive examples of an example are kept at most.
MOST_NEIGHBOURS = 16


@dataclass(frozen=True)
class Nearest(ContrastGenerator):
    """The most similar image of the data set on which the neuron is quiet.

    With crops, similarity in the foundation model's space is between the example's crop and whole
    images, so that the contrast is like the part that the neuron looks at (both sides are then
    cropped alike).

    Attributes
    ----------
    space
        Where images are similar: ``"foundation"``, by their embeddings, as CSP has it; or
        ``"target"``, by what all other neurons of the layer do, as FALCON compares in the target's
        own space. The similarity that is stored is that of the embeddings either way.
    below
        When the neuron counts as quiet: ``"mean"``, :class:`semlens_widgets.Quantile` or
        :class:`semlens_widgets.OfMaximum`.
    reuse
        Whether an image may serve several examples of a neuron. If not, the examples choose one
        after the other, the most activating first, until no quiet image is left.
    neighbours
        How many are kept of each example, 1 to 16: what :class:`semlens_widgets.Csp` can take out
        together. The first is shown beside the example, and is the same whatever their number.

    Raises
    ------
    ValueError
        If a setting makes no sense.

    Notes
    -----
    Negative mining of CSP (arXiv 2604.22477, "Contrastive examples", after FALCON).
    """

    space: Literal["foundation", "target"] = "foundation"
    below: Below = "mean"
    reuse: bool = True
    neighbours: int = 1

    name = "mined"

    def __post_init__(self) -> None:
        if self.space not in {"foundation", "target"}:
            raise ValueError(f'space={self.space!r} must be "foundation" or "target".')
        if not isinstance(self.reuse, bool):
            raise ValueError(f"reuse={self.reuse!r} must be True or False.")
        whole = isinstance(self.neighbours, int) and not isinstance(self.neighbours, bool)
        if not (whole and 1 <= self.neighbours <= MOST_NEIGHBOURS):
            raise ValueError(
                f"neighbours={self.neighbours!r} must be a whole number from 1 to "
                f"{MOST_NEIGHBOURS}."
            )
        check_below(self.below)

    def contrasts(self, block: Block) -> Contrasts:
        """Return the nearest quiet image of every example, see the functions of `contrasting`."""
        levels = levels_of(block.activations, self.below)
        if self.space == "target":
            found = contrastive_by_others(
                block.activations,
                block.layer_activations(),
                block.neurons,
                block.examples,
                levels=levels,
                reuse=self.reuse,
                neighbours=self.neighbours,
            )
            return Contrasts(found[..., 0], further=self._further(found))
        found, similarity = contrastive_neighbours(
            block.activations,
            block.images,
            block.examples,
            block.anchors,
            levels=levels,
            reuse=self.reuse,
            neighbours=self.neighbours,
        )
        return Contrasts(found[..., 0], similarity[..., 0], further=self._further(found))

    def _further(self, found: Tensor) -> Tensor | None:
        return found[..., 1:] if self.neighbours > 1 else None

    @property
    def settings(self) -> dict[str, Any]:
        """Its name, and its fields that are not CSP's: analyses of earlier releases hold none."""
        told = asdict(self)
        said = {field.name for field in fields(self) if getattr(self, field.name) != field.default}
        return {"name": self.name} | {name: told[name] for name in told if name in said}
