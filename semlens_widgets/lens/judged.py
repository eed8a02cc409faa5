"""Images on which it is known what a model should say, and groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semlens_widgets.inputs.images import ImageDataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.pipeline.settings import Plan


class Judged(NamedTuple):
    """Images, which of them, ``(n,)``, and the output that is right for each, ``(n,)``."""

    images: ImageDataset
    samples: list[int]
    truth: NDArray[np.int64]

    def some(self, most: int | None, seed: int) -> Judged:
        """Return no more than so many of them, drawn at random, in their order."""
        if most is None or most >= len(self.samples):
            return self
        drawn = np.random.default_rng(seed).choice(len(self.samples), most, replace=False)
        kept = np.sort(drawn)
        return Judged(self.images, [self.samples[at] for at in kept], self.truth[kept])


def judged(
    plan: Plan,
    reader: AnalysisReader,
    relevances: Relevances,
    images: ImageDataset | Sequence[int] | None,
) -> Judged:
    """Return the images to judge a model by.

    Parameters
    ----------
    images
        Numbers of the analysed images, or others with classes; by default all analysed images
        whose class is an output's name.

    Raises
    ------
    ValueError
        If it is not known of one that was given, or of any, which output is right.
    """
    if isinstance(images, ImageDataset):
        labels = np.asarray(images.labels if images.labels is not None else [-1] * len(images))
        dataset, classes, samples = images, images.classes, np.arange(len(images))
    else:
        dataset, classes = plan.images, reader.classes
        labels = reader.samples["label"].to_numpy()
        readable = np.flatnonzero(reader.samples["readable"])
        samples = readable if images is None else relevances.chosen(images)
    outputs = np.array([*(relevances.output_of(name) for name in classes), -1], np.int64)
    truth = outputs[labels[samples]]
    known = truth >= 0
    if images is not None and not known.all():
        raise ValueError(
            f"images: of {(~known).sum()} of {len(samples)} it is not known which output is "
            "right; their classes must be outputs' names, see TargetModel(..., outputs=names)."
        )
    if not known.any():
        raise ValueError(
            "No image has a class that is an output's name, so it is not known which answers "
            "are right. Give the outputs' names: TargetModel(..., outputs=[...]), which is "
            "outputs=images.classes if the model was trained on these classes in this order."
        )
    return Judged(dataset, samples[known].tolist(), truth[known])


def grouped(
    groups: Mapping[str, ArrayLike] | ArrayLike | None, count: int
) -> dict[str, NDArray[np.bool_]]:
    """Return groups of images as masks.

    Parameters
    ----------
    groups
        By name, numbers among the images or a mask; or for each image the name of its group.
    count
        How many images there are.

    Raises
    ------
    ValueError
        If a group fits no image.
    """
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        names = np.asarray(groups)
        if names.shape != (count,):
            raise ValueError(
                f"groups: expected a name for each of {count} images, got {names.shape}."
            )
        return {str(name): names == name for name in np.unique(names)}
    masks = {}
    for name, given in groups.items():
        mask = np.asarray(given)
        if mask.dtype != np.bool_:
            numbers = mask.astype(np.int64)
            if numbers.size and not 0 <= numbers.min() <= numbers.max() < count:
                raise ValueError(f"groups[{name!r}] must lie in 0 to {count - 1}.")
            mask = np.isin(np.arange(count), numbers)
        if mask.shape != (count,) or not mask.any():
            raise ValueError(f"groups[{name!r}] fits none of the {count} images.")
        masks[str(name)] = mask
    return masks


def output_names(plan: Plan, count: int) -> tuple[str, ...]:
    """Return what so many outputs are called; one without a name is called by its number."""
    names = [str(number) for number in range(count)]
    for name, numbers in plan.target.outputs.items():
        for number in numbers:
            names[number] = name
    return tuple(names)
