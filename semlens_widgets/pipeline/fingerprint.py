"""Short digests of what an analysis is made with, so that a changed input is noticed.

A digest must change when results would, and must not when they would not: not with the release of
a library, the folder, or the machine. None needs more than a look at the input: no forward pass, no
pass over the images.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from semlens_widgets.errors import UnreadableImage
from semlens_widgets.inputs.described import (
    architecture_parts,
    describe,
    digest,
    weight_parts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from semlens_widgets.inputs.images import ImageDataset

_SAMPLED_PIXELS = 64  # per channel of each transformed probe
_STEP = 1 / 32  # of pixel values; coarse, so that the last bits of a float decide nothing
_SAMPLED_IMAGES = 8
_SIZES = ((256, 256), (320, 180), (150, 230), (37, 23), (640, 520))  # of probes
_DRAWS = 48  # to see whether what draws random numbers also uses them
RANDOM = "random"


def of_weights(model: nn.Module) -> str:
    """Digest of all parameters, buffers and extra states, whichever device they lie on."""
    return digest(weight_parts(model))


def of_architecture(model: nn.Module) -> str:
    """Digest of all modules' names, classes and settings, and of the weights' names and shapes.

    Of a class that a person wrote the code counts; one of a library goes by its name, with the
    arguments it was made with.
    """
    return digest(architecture_parts(model))


def of_function(function: str | Callable[..., Any]) -> str:
    """Name of a function, with a digest of what it does; a string as it is.

    See :mod:`semlens_widgets.inputs.described` for what counts.
    """
    if isinstance(function, str):
        return function
    name = getattr(function, "__name__", type(function).__name__)
    return f"{name} {describe(function)}"


def of_composite(composite: object) -> str:
    """Names of a composite of zennit and of its canonizers, with a digest of their settings."""
    if composite is None:
        return ""
    parts = [composite, *(getattr(composite, "canonizers", None) or ())]
    names = " ".join(type(part).__qualname__ for part in parts)
    return f"{names} {describe(composite)}"


def of_transform(transform: Callable[[Image.Image], Tensor]) -> str:
    """Digest of what a transform makes of a few fixed pictures.

    Neither source nor ``repr`` tells what a transform does, and both change with the release of a
    library; its output does not. The pictures are upright, lying and square, large and small, grey
    and of one colour, and full of fine detail, so another interpolation, crop, padding or
    normalisation changes most of the sampled pixels. One that gives different results on the same
    picture is said to be random, and is probed from fixed random states. Where a picture cannot be
    taken, and for that reason alone, the transform's own settings decide.
    """
    with _random_state_kept():
        parts = [_seen(transform, probe) for probe in _probes()]
        again = [_seen(transform, probe) for probe in _probes()]
        if parts != again:
            return RANDOM
    failed = [part for part in parts if part.startswith("cannot")]
    taken = next((at for at, part in enumerate(parts) if part not in failed), None)
    if taken is not None and is_random(transform, _probes()[taken]):
        with _random_state_kept():
            draws = [_seen(transform, _probes()[taken], seed) for seed in range(_DRAWS)]
        return f"{RANDOM} {digest(draws)}"
    if len(failed) == len(parts):
        return f"{parts[0]} {describe(transform)}"
    return digest([*parts, describe(transform)] if failed else parts)


def is_random(transform: Callable[[Any], Any], item: Any) -> bool:
    """Whether a function's result changes from call to call.

    One that draws no random number is called twice; another one often enough to see a rare change.
    The random states are left as they were.
    """
    with _random_state_kept():
        _seed(0)
        before = _random_states()
        first = describe(transform(item))
        calls = _DRAWS if before != _random_states() else 1
        for draw in range(1, calls + 1):
            _seed(draw)
            if describe(transform(item)) != first:
                return True
    return False


def of_uris(images: ImageDataset) -> str:
    """Digest of the names of all images, in order."""
    return digest(images.uris)


def of_pictures(images: ImageDataset) -> str | list[str | None]:
    """Digests of the pixels of a few images, spread evenly from the first to the last.

    This finds another set under the same names: a list of other pictures, a folder exported anew.
    A single replaced file among thousands is not found: that would take the size of every file,
    minutes on network storage. Times of files are not used, because copying changes them. None
    stands for an image that cannot be read, now; it says nothing against the others. A data set
    that gives another picture of one of them when it is read again is said to be random.
    """
    places = np.linspace(0, len(images) - 1, min(_SAMPLED_IMAGES, len(images))).astype(int).tolist()
    found = [_picture(images, place) for place in places]
    again = [_picture(images, place) for place in places]
    both = [(a, b) for a, b in zip(found, again, strict=True) if a and b]
    if any(a != b for a, b in both):
        return RANDOM
    whole = [place for place, picture in zip(places, found, strict=True) if picture]
    if whole and is_random(lambda place: _picture(images, place), whole[0]):
        return RANDOM
    return found


def of_labels(images: ImageDataset) -> str:
    """Digest of labels and class names; of neither where reading them takes a pass over images."""
    if not images.labels_at_hand:
        return "read from the images"
    labels = np.asarray(images.labels if images.labels is not None else [], np.int64)
    return digest([labels.tobytes(), *images.classes])


def _probes() -> list[Image.Image]:
    """Pictures of several sizes with fine and coarse structure, one grey, two of one colour."""
    found = []
    for width, height in _SIZES:
        y, x = np.mgrid[:height, :width]
        fine = np.stack([x * 31 + y * 17, x * 13 + y * 41, x * y], axis=2) % 97
        across, down = 255 * x // width, 255 * y // height
        coarse = np.stack([across, down, 255 - across], axis=2)
        found.append(Image.fromarray((coarse * 5 // 8 + fine).astype(np.uint8)))
    grey = found[1].convert("L").convert("RGB")
    return [*found, grey, Image.new("RGB", (96, 96)), Image.new("RGB", (96, 96), (255, 255, 255))]


def _seen(transform: Callable[[Image.Image], Tensor], probe: Image.Image, seed: int = 0) -> str:
    _seed(seed)
    try:
        found = transform(probe)
    except Exception as error:  # noqa: BLE001 - it may take pictures of one size alone
        return f"cannot take the probe ({type(error).__name__})"
    if not isinstance(found, Tensor) or not found.ndim:
        return f"cannot be used (it returns {type(found).__name__})"
    pixels = found.detach().cpu().double().reshape(found.shape[0], -1)
    places = torch.linspace(0, pixels.shape[1] - 1, _SAMPLED_PIXELS).long()
    steps = (pixels[:, places] / _STEP).round()
    missing = ~steps.isfinite()
    steps = steps.masked_fill(missing, 0).clamp(-1e15, 1e15).to(torch.int64)
    return digest([str(tuple(found.shape)), steps.numpy().tobytes(), missing.numpy().tobytes()])


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what transforms draw from
    random.seed(seed)


def _random_states() -> tuple[bytes, str, str]:
    numpy_state = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), describe(numpy_state), str(random.getstate())


@contextmanager
def _random_state_kept() -> Iterator[None]:
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def _picture(images: ImageDataset, place: int) -> str | None:
    try:
        picture = images.load(place)
    except UnreadableImage:
        return None
    return digest([repr(picture.size), picture.tobytes()])
