"""Short digests of what an analysis is made with, so that a changed input is noticed.

A digest must change when results would, and must not when they would not: not with the release of
a library, the folder, or the machine. None needs more than a look at the input: no forward pass, no
pass over the images.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from semlens_widgets.errors import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from semlens_widgets.images import ImageDataset

_SAMPLED_PIXELS = 64  # per channel of the transformed probe
_STEP = 1 / 32  # of pixel values; coarse, so that the last bits of a float decide nothing
_SAMPLED_IMAGES = 8
_ADDRESS = re.compile("0x[0-9a-f]+")


def digest(parts: Iterable[Any]) -> str:
    """Hash strings and byte buffers, in order."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        total.update(part.encode() if isinstance(part, str) else part)
        total.update(b"\0")
    return total.hexdigest()


def of_weights(model: nn.Module) -> str:
    """Digest of all parameters and buffers, whichever device they lie on."""
    return digest(_bytes(value) for _, value in sorted(model.state_dict().items()))


def of_architecture(model: nn.Module) -> str:
    """Digest of the classes and names of all modules, and the names and shapes of all weights.

    Code is not looked into: a ``forward`` that was edited under the same class name goes unnoticed.
    """
    modules = (f"{name}:{type(module).__qualname__}" for name, module in model.named_modules())
    shapes = (f"{name}:{tuple(value.shape)}" for name, value in model.state_dict().items())
    return digest([*modules, *shapes])


def of_function(function: str | Callable[..., Any]) -> str:
    """Name of a function, with a digest of what it calls and of its weights; a string as it is.

    Constants in a function's code are not seen: give functions that differ in them two names.
    """
    if isinstance(function, str):
        return function
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{name} {digest(_callable_parts(function))}"


def of_composite(composite: object) -> str:
    """Names of a composite of zennit and of its canonizers; what its rules are set to is unseen."""
    if composite is None:
        return ""
    parts = [composite, *(getattr(composite, "canonizers", None) or ())]
    return " ".join(type(part).__qualname__ for part in parts)


def of_transform(transform: Callable[[Image.Image], Tensor]) -> str:
    """Digest of what a transform makes of a fixed picture.

    Neither source nor ``repr`` tells what a transform does; its output does. The picture is full of
    fine detail, so another interpolation, crop or normalisation changes most of the sampled pixels.
    One that gives different results on the same picture is "random".
    """
    try:
        first, again = (transform(_probe()) for _ in range(2))
    except Exception as error:  # noqa: BLE001 - it may take pictures of one size alone
        return f"cannot take the probe ({type(error).__name__})"
    if not torch.equal(first, again):
        return "random"
    pixels = first.detach().cpu().double().reshape(first.shape[0], -1)
    places = torch.linspace(0, pixels.shape[1] - 1, _SAMPLED_PIXELS).long()
    steps = (pixels[:, places] / _STEP).round().to(torch.int64)
    return digest([str(tuple(first.shape)), steps.numpy().tobytes()])


def of_uris(images: ImageDataset) -> str:
    """Digest of the names of all images, in order."""
    return digest(images.uris)


def of_pictures(images: ImageDataset) -> str:
    """Digest of the pixels of a few images, spread evenly from the first to the last.

    This finds another set under the same names: a list of other pictures, a folder exported anew.
    A single replaced file among thousands is not found: that would take the size of every file,
    minutes on network storage. Times of files are not used, because copying changes them.
    """
    places = np.linspace(0, len(images) - 1, min(_SAMPLED_IMAGES, len(images))).astype(int)
    return digest(_picture(images, int(place)) for place in places)


def of_labels(images: ImageDataset) -> str:
    """Digest of labels and class names; of neither where reading them takes a pass over images."""
    if not images.labels_at_hand:
        return "read from the images"
    labels = np.asarray(images.labels if images.labels is not None else [], np.int64)
    return digest([labels.tobytes(), *images.classes])


def _probe() -> Image.Image:
    y, x = np.mgrid[:256, :256]
    fine = np.stack([x * 31 + y * 17, x * 13 + y * 41, x * y], axis=2) % 97
    coarse = np.stack([x, y, 255 - x], axis=2)
    return Image.fromarray((coarse // 2 + fine).astype(np.uint8))


def _picture(images: ImageDataset, place: int) -> bytes:
    try:
        picture = images.load(place)
    except UnreadableImage:
        return b"unreadable"
    return repr(picture.size).encode() + picture.tobytes()


def _bytes(value: Tensor) -> Any:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _callable_parts(function: Any) -> list[Any]:
    """Collect what tells callables apart: weights, names they use, and what they close over."""
    if isinstance(function, nn.Module):
        return [_ADDRESS.sub("", repr(function)), of_weights(function)]
    if isinstance(function, Tensor):
        return [_bytes(function)]
    if isinstance(function, partial):
        inner = (function.func, *function.args, *function.keywords.values())
        return [part for item in inner for part in _callable_parts(item)]
    if isinstance(function, (str, int, float, tuple)):
        return [repr(function)]
    owner = getattr(function, "__self__", None)  # a method, such as ``sae.encode``
    parts = _callable_parts(owner) if isinstance(owner, nn.Module) else []
    code = getattr(function, "__code__", None)
    if code is not None:
        parts += code.co_names
        for cell in function.__closure__ or ():
            parts += _callable_parts(cell.cell_contents)
    return parts
