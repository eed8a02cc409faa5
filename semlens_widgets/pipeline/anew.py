"""What both models make of other images than those of an analysis, in one pass, held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import normalize

from semlens_widgets.errors import UnreadableImage
from semlens_widgets.pipeline.collect import Values, finite, units_of_batch
from semlens_widgets.pipeline.embed import Images
from semlens_widgets.pipeline.passes import pass_over

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch
    from semlens_widgets.pipeline.settings import Plan


class _Units:
    """Keeps every neuron's activation."""

    def __init__(self, plan: Plan, images: ImageDataset, name: str) -> None:
        self.label = f"{name}: activations"
        self.reader = Values(plan.target, images, units_of_batch)
        self.rows = 0
        self.found: list[NDArray[np.float32]] = []

    def keep(self, batch: Batch, result: Any) -> None:
        if batch.problems:
            raise UnreadableImage(
                f"{next(iter(batch.problems.values()))} It could be read when the analysis was "
                "made. Nothing was judged."
            )
        layers = finite(self.reader.images, batch, result.read())
        self.found.append(np.concatenate([layers[one] for one in self.reader.target.layers], 1))
        self.rows += len(batch.indices)

    def end(self) -> None:
        """All that was read is kept."""


class _Embeddings:
    """Keeps the embeddings, rounded as an analysis stores them."""

    def __init__(self, plan: Plan, images: ImageDataset, name: str) -> None:
        self.label = f"{name}: embeddings"
        self.reader = Images(plan.foundation, images)
        self.rows = 0
        self.found: list[NDArray[np.float16]] = []

    def keep(self, batch: Batch, result: NDArray[np.float16]) -> None:
        self.found.append(result)
        self.rows += len(batch.indices)

    def end(self) -> None:
        """All that was read is kept."""


def computed_anew(
    plan: Plan, images: ImageDataset, name: str, mapper: Mapper
) -> tuple[Tensor, Tensor]:
    """Compute activations and embeddings of all images of a data set.

    Parameters
    ----------
    plan
        The models.
    images
        What they are shown.
    name
        What the images are, for the progress bar.
    mapper
        Where the batches are computed.

    Returns
    -------
    activations, embeddings
        ``(neurons, images)`` float32, the layers one after the other, and ``(images, dim)`` float32
        of unit length.

    Raises
    ------
    UnreadableImage
        If an image cannot be read.
    ModelError, EmbeddingError
        If a model fails; layer and images are named.
    """
    units, embeddings = _Units(plan, images, name), _Embeddings(plan, images, name)
    pass_over(images, [units, embeddings], plan.batch_size, mapper)
    vectors = torch.from_numpy(np.concatenate(embeddings.found).astype(np.float32))
    return torch.from_numpy(np.concatenate(units.found)).T.contiguous(), normalize(vectors, dim=1)
