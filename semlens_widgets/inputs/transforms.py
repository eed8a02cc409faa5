"""What a transform must make of an image, checked before a model sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semlens_widgets.errors import TransformError, UnreadableImage
from semlens_widgets.inputs.decode import is_of_the_machine

if TYPE_CHECKING:
    from semlens_widgets.inputs.images import ImageDataset

Transform = Callable[[Image.Image], Tensor]

_END = "torchvision.transforms.v2.ToImage() and ToDtype(torch.float32, scale=True)"
_BATCH = (
    'wrap the processor: lambda image: processor(image, return_tensors="pt")["pixel_values"][0]'
)
_ADVICE = {
    np.ndarray: "convert it: torch.from_numpy(array).permute(2, 0, 1).float() / 255 for pixels "
    f"(height, width, 3), or end it with {_END}",
    list: "let it return one view of the image alone",
    tuple: "let it return one view of the image alone",
}
_LOOKED_AT = 8  # images, for one that can be read


def transformed(transform: Transform, image: Image.Image, name: str) -> Tensor:
    """Return what a transform makes of an image.

    Raises
    ------
    TransformError
        If it fails, or its result is no floating-point tensor (channels, height, width) of finite
        values; the message says how to mend it.
    """
    try:
        found = transform(image)
    except Exception as error:
        if is_of_the_machine(error) or isinstance(error, TransformError):
            raise
        raise TransformError(
            f"The transform fails on {name}: {type(error).__name__}: {error}"
        ) from error
    fault = _fault(found)
    if fault:
        raise TransformError(f"The transform returns {fault} (seen on {name}).")
    return found


def check_transforms(
    transforms: Mapping[str, Transform], images: ImageDataset
) -> tuple[str, dict[str, Tensor]]:
    """Try transforms on the first image that can be read, long before a pass over all.

    Parameters
    ----------
    transforms
        By the name of what they belong to.
    images
        If none of the first few can be read, nothing is checked here.

    Returns
    -------
    image : str
        The name of that image; empty if nothing was checked.
    made : dict
        What each transform makes of it, by the same names.

    Raises
    ------
    TransformError
        See `transformed`.
    """
    for i in range(min(_LOOKED_AT, len(images))):
        try:
            image = images.load(i)
        except UnreadableImage:
            continue
        made = {}
        for owner, transform in transforms.items():
            try:
                made[owner] = transformed(transform, image, repr(images.uris[i]))
            except TransformError as error:
                raise TransformError(f"{owner}: {error}") from error.__cause__
        return images.uris[i], made
    return "", {}


def _fault(found: object) -> str:
    """Say what is wrong with a transform's result and what to do; nothing if all is well."""
    if not isinstance(found, Tensor):
        batch = isinstance(found, Mapping) or hasattr(found, "pixel_values")
        advice = _BATCH if batch else _ADVICE.get(type(found), f"end it with {_END}")
        return f"{type(found).__name__}, not a tensor; {advice}"
    shape = tuple(found.shape)
    if len(shape) == 4:
        return f"a batch {shape}; the batch is made later, so let it return one image: result[0]"
    if len(shape) != 3 or not found.numel():
        return f"a tensor of shape {shape}, not (channels, height, width) with pixels"
    if not found.is_floating_point():
        return f"{found.dtype} values, which no model is fed with; end it with {_END}"
    if found.is_meta or found.layout is not torch.strided:
        kind = "on the meta device, without values" if found.is_meta else "that is sparse"
        return f"a tensor {kind}; let it return a plain one, with a value for each pixel"
    finite = bool(found.sum().isfinite()) or bool(found.isfinite().all())
    wrong = "values that are infinite or not numbers; does it divide by a deviation of 0?"
    return "" if finite else wrong
