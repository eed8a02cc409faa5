"""How neurons respond to images that labels are judged on: given, annotated, or made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from semlens_widgets.analysis.faithfulness import same_rows
from semlens_widgets.errors import UnreadableImage, named
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.labels.scorer import text_directions
from semlens_widgets.pipeline.answers import images_units
from semlens_widgets.pipeline.embed import Embedder
from semlens_widgets.pipeline.loading import input_batches
from semlens_widgets.pipeline.settings import check_foundation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan

#: Images of a label: a data set, or pictures, paths or arrays.
Images = ImageDataset | Sequence[Any]
Shown = Mapping[str, Images] | Callable[[str], Images]
FEWEST = 2
_ALIKE = 1e-4  # of text embeddings: another model is further off


@dataclass(frozen=True, eq=False)
class Responses:
    """Activations on images of labels.

    Attributes
    ----------
    labels
        Those that there are images of.
    values
        ``(images, neurons)`` float32.
    of
        ``(images,)``, which label each image is of.
    """

    labels: tuple[str, ...]
    values: NDArray[np.float32]
    of: NDArray[np.int64]

    def mean(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Average ``(images, neurons)`` over the images of each label, ``(neurons, labels)``."""
        found = [values[self.of == at].mean(axis=0) for at in range(len(self.labels))]
        return np.array(found, np.float64).reshape(len(self.labels), values.shape[1]).T


def images_of_labels(shown: Shown, labels: Sequence[str]) -> dict[str, ImageDataset]:
    """Return the images of each label; labels without images are left out.

    Raises
    ------
    ValueError
        If there are images of no label, or a single one of some label.
    """
    given = {label: images for label in labels if (images := _images_of(shown, label)) is not None}
    if not given:
        raise ValueError(
            f"shown has images of none of the neurons' labels ({named(list(labels))}); its keys "
            "must be spelt as the labels are."
        )
    return given


def responses(plan: Plan, given: Mapping[str, ImageDataset]) -> Responses:
    """Compute the activations on the images of each label.

    Raises
    ------
    UnreadableImage
        If an image cannot be read; label and image are named.
    """
    values = [units_of(plan, images, f"shown, {label!r}") for label, images in given.items()]
    of = np.repeat(np.arange(len(given)), [len(some) for some in values])
    return Responses(tuple(given), np.concatenate(values), of)


def _images_of(shown: Shown, label: str) -> ImageDataset | None:
    found = shown.get(label, ()) if isinstance(shown, Mapping) else shown(label)
    if found is None or not len(found):
        return None
    if len(found) < FEWEST:
        raise ValueError(f"shown has a single image of {label!r}; give at least {FEWEST}, or none.")
    return data_set(found)


def controls_given(images: Images) -> ImageDataset:
    """Return controls as a data set; refuse too few."""
    if len(images) < FEWEST:
        raise ValueError(f"controls: {len(images)} images say nothing; give at least {FEWEST}.")
    return data_set(images)


def data_set(images: Images) -> ImageDataset:
    """Return images as a data set."""
    return images if isinstance(images, ImageDataset) else ImageDataset.from_list(list(images))


def units_of(plan: Plan, images: ImageDataset, name: str) -> NDArray[np.float32]:
    """Compute every neuron on all images of a data set, ``(images, neurons)``."""
    try:
        found = images_units(plan.target, images, range(len(images)), plan.batch_size).numpy()
    except UnreadableImage as error:
        unreadable = named([images.uris[sample] for sample in error.samples])
        raise UnreadableImage(
            f"{name}: {unreadable} cannot be read ({error.__cause__}); leave such images out. "
            "Nothing was judged."
        ) from error
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: the model gives activations that are infinite or no numbers.")
    return np.asarray(found, np.float32)


def annotated(annotations: pd.DataFrame, images: int) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Return the labels of a table and which images show them, ``(images, labels)`` bool.

    Raises
    ------
    TypeError
        If it is no frame of truth values.
    ValueError
        If it has other than one row per image, or says something of a label twice.
    """
    if not isinstance(annotations, pd.DataFrame):
        raise TypeError(
            f"annotations is a {type(annotations).__name__}; give a pandas.DataFrame with a row "
            "for each image and a column of True and False for each label."
        )
    wrong = [str(name) for name, kind in annotations.dtypes.items() if kind != np.bool_]
    if wrong:
        raise TypeError(f"annotations: the columns {named(wrong)} must hold True and False alone.")
    if len(annotations) != images:
        raise ValueError(f"annotations has {len(annotations)} rows for {images} images.")
    if not annotations.columns.is_unique:
        twice = annotations.columns[annotations.columns.duplicated()].astype(str).tolist()
        raise ValueError(f"annotations has the columns {named(twice)} more than once.")
    return tuple(map(str, annotations.columns)), annotations.to_numpy(bool)


def seen_before(reader: AnalysisReader, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find images to which all neurons respond as to an image of the analysis, ``(images,)``."""
    stored = reader.values(0, len(reader.neurons)).T.numpy()
    return same_rows(values, stored[~np.isnan(stored).any(axis=1)])


def check_simulator(
    simulator: FoundationModel,
    reader: AnalysisReader,
    foundation: FoundationModel | None,
    labels: Sequence[str],
) -> None:
    """Refuse a simulator that is the model which the labels are from.

    Raises
    ------
    ValueError
        If it has the same name, or embeds the labels alike.
    TypeError
        If it is no foundation model.
    """
    check_foundation(simulator)
    name = reader.store.settings["foundation"]
    said = (
        f"simulator {simulator.name!r} is the model that the analysis was made with: it would "
        "agree with itself. Give another foundation model."
    )
    if simulator is foundation or simulator.name == name:
        raise ValueError(said)
    if foundation is not None and foundation.dim == simulator.dim and labels:
        one, other = (embed_prompts(model, labels)[0] for model in (foundation, simulator))
        if torch.allclose(one.cpu().float(), other.cpu().float(), atol=_ALIKE):
            raise ValueError(said)


def similarities(
    simulator: FoundationModel,
    images: ImageDataset,
    samples: Sequence[int],
    labels: Sequence[str],
    batch_size: int,
    templates: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Return the cosine of each image and each label under a simulator, ``(samples, labels)``."""
    embedder = Embedder(simulator, images)
    texts = text_directions(embed_prompts(simulator, labels, templates or ("{}",)).cpu()).double()
    batches = input_batches(simulator, images, samples, batch_size, doing="simulator", quick=500)
    parts = [
        torch.from_numpy(embedder.embedded(inputs, chosen)).double() for chosen, inputs in batches
    ]
    vectors = torch.nn.functional.normalize(torch.cat(parts), dim=1)
    return (vectors @ texts.T).numpy()
