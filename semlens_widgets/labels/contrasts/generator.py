"""What a generator of contrastive examples is, and what it may ask."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

#: Where an image comes from: the data set, or one of it that was changed, or nowhere.
Origin = Literal["data set", "edited", "made"]


@dataclass(frozen=True, eq=False)
class Block:
    """Some neurons of one layer, and what may be asked of them.

    Attributes
    ----------
    layer
        Its name.
    neurons
        Their numbers in the layer; the others here count from 0.
    activations
        ``(images, neurons)`` float32; NaN where an image is unreadable.
    images
        ``(images, D)`` unit embeddings; zero where unreadable.
    examples
        ``(neurons, m)`` int64, the images of the concept examples; -1 where there is none.
    anchors
        ``(neurons, m, D)`` unit embeddings of the examples' crops, where crops are embedded.
    picture
        Gives an image of the data set, in RGB.
    respond
        Gives the activation of a neuron of this block on a picture, for pairs of them.
    relevance
        Gives for pairs of a neuron of this block and an image of the data set where the neuron
        looks: a grid of uint8 over the whole picture, 255 at its maximum, all 0 where nothing is
        relevant or its place in the picture is unknown. For generators with ``looks``.
    layer_activations
        Gives the activations of all neurons of the layer, ``(images, units)`` float32; NaN where
        an image is unreadable.
    """

    layer: str
    neurons: range
    activations: Tensor
    images: Tensor
    examples: Tensor
    anchors: Tensor | None
    picture: Callable[[int], Image.Image]
    respond: Callable[[Sequence[Image.Image], Sequence[int]], Tensor]
    relevance: Callable[[Sequence[tuple[int, int]]], list[NDArray[np.uint8]]]
    layer_activations: Callable[[], Tensor]


@dataclass(frozen=True)
class Picture:
    """A picture that is in no data set.

    Attributes
    ----------
    image
        The picture.
    origin
        Whether it is a concept example that was changed, or was made.
    changed
        The share of the example's pixels that are other ones; NaN if it is not known.
    """

    image: Image.Image
    origin: Literal["edited", "made"]
    changed: float = math.nan


@dataclass(frozen=True, eq=False)
class Contrasts:
    """The contrastive examples of a block.

    Attributes
    ----------
    samples
        ``(neurons, m)`` int64, images of the data set; -1 where there is none.
    similarity
        ``(neurons, m)`` float32 cosine to the example; computed if it is not given.
    pictures
        By neuron of the block and rank: what takes the place of an image of the data set.
    further
        ``(neurons, m, k - 1)`` int64, more images of the data set for each example, the nearest
        first, of which `samples` has the nearest of all; -1 where there is none. None for one each.
    """

    samples: Tensor
    similarity: Tensor | None = None
    pictures: Mapping[tuple[int, int], Picture] = field(default_factory=dict)
    further: Tensor | None = None


@dataclass(frozen=True)
class ContrastGenerator(ABC):
    """A way to find contrastive examples; its fields are its settings.

    A new one is a frozen dataclass of this class in a file of its own, named in
    :data:`semlens_widgets.labels.contrasts.generators.GENERATORS`. Activation and embedding of the
    pictures it makes are computed from the pictures, and stored with them.

    Attributes
    ----------
    name
        What code calls it.
    looks
        Whether it asks for heatmaps, so that what it makes depends on how they are made.
    together
        How many neurons a block holds at most, for one that holds a picture for each example; by
        default as many as memory allows.
    """

    name: ClassVar[str]
    looks: ClassVar[bool] = False
    together: ClassVar[int | None] = None

    @abstractmethod
    def contrasts(self, block: Block) -> Contrasts:
        """Return the contrastive examples of some neurons."""

    @property
    def settings(self) -> dict[str, Any]:
        """Its name and its fields, as they are stored (JSON; a function by what it does)."""
        return {"name": self.name, **asdict(self)}
