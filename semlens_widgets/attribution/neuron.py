"""Where in an image a neuron looks: relevance maps and the boxes around them."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from semlens_widgets.attribution.arrived import arrived_said
from semlens_widgets.attribution.attnlrp import KNOWN_ATTENTION, METHOD, attnlrp, inexact_in_attnlrp
from semlens_widgets.attribution.crp import Rules, crp, rules_for
from semlens_widgets.attribution.gradients import refuse_checkpointing
from semlens_widgets.inputs.units import encode, unit_gradient

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn
    from zennit.core import Composite

    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.inputs.units import Encoder

#: What is said of the rules where neurons are poles.
BY_SIGN = "; z+ by the sign of what is explained"
ALIKE = "; of negative poles by the rules of positive ones"

_MOST_PREFIX_TOKENS = 16  # class and register tokens before the patches


def localise(
    target: TargetModel,
    images: Tensor,
    layer: str,
    neurons: Sequence[int],
    *,
    batch_size: int = 32,
) -> Tensor:
    """Compute one relevance map per pair of image and neuron.

    Convolutional networks: CRP with ``EpsilonPlusFlat``, started from the neuron's own output.
    Layers behind attention: the neuron's own map over the patches, enlarged, which is what
    SemanticLens (arXiv 2501.05398) does, or AttnLRP where the target asks for it and its attention
    is known. `method_of` says which, and what is not exact.

    Parameters
    ----------
    target
        The model.
    images
        (batch, 3, height, width), transformed.
    layer
        One of the target's layers.
    neurons
        The neuron for each image, (batch,).
    batch_size
        The most pairs that are propagated at once.

    Returns
    -------
    Tensor
        (batch, height, width) float32, signed, on the target's device.

    Raises
    ------
    ValueError
        If images and neurons differ in number, a neuron does not exist, or the layer has no
        positions to show.
    """
    return localise_shares(target, images, layer, neurons, batch_size=batch_size)[0]


def localise_shares(
    target: TargetModel,
    images: Tensor,
    layer: str,
    neurons: Sequence[int],
    *,
    batch_size: int = 32,
) -> tuple[Tensor, Tensor]:
    """Compute relevance maps as `localise` does, and which share of the relevance arrived.

    Returns
    -------
    maps : Tensor
        (batch, height, width) float32, signed, on the target's device.
    arrived : Tensor
        (batch,) float32: the sum of the map divided by the relevance that started, which for CRP is
        the neuron's own output, summed over positions. 1 where the rules keep relevance; NaN where
        none started, or the map is not propagated (token and activation maps).
    """
    if images.ndim != 4:
        raise ValueError(
            f"images has shape {tuple(images.shape)}; expected (batch, 3, height, width)."
        )
    if len(images) != len(neurons):
        raise ValueError(f"neurons has {len(neurons)} entries for {len(images)} images.")
    target.module(layer)  # refuses an unknown layer
    if not len(images):
        empty = torch.zeros(0, *images.shape[2:], device=target.device)
        return empty, empty.flatten(1).sum(1)
    images = target.as_input(images)
    picked = torch.as_tensor(list(map(int, neurons)), device=target.device)
    with target.shadow() as model:  # the person's model is compared once, before and after all
        rules = rules_of(target, layer, images[:1])
        _check_neurons(target, layer, picked, rules)
        parts = [
            _maps(target, model, some, layer, which, rules)
            for some, which in zip(
                torch.split(images, batch_size), torch.split(picked, batch_size), strict=True
            )
        ]
    maps, arrived = zip(*parts, strict=True)
    return torch.cat(maps), torch.cat(arrived)


def _maps(
    target: TargetModel,
    model: nn.Module,
    images: Tensor,
    layer: str,
    neurons: Tensor,
    rules: Rules | Composite,
) -> tuple[Tensor, Tensor]:
    """Compute the maps and shares of one batch on the target's shadow."""
    axis, encoder = target.channel_axis(layer), target.encoder_of(layer)
    if _by_attnlrp(target, rules):
        first = target.pooling == "cls"
        gradient = partial(own_gradient, neurons=neurons, axis=axis, encoder=encoder, first=first)
        return attnlrp(model, layer, images, gradient)
    if _has_own_map(rules):
        maps = _own_map(target.output(images, layer), neurons, axis, encoder, images.shape[2:])
        return maps, maps.new_full((len(maps),), torch.nan)
    relevance = partial(own_relevance, neurons=neurons, axis=axis, encoder=encoder)
    by_sign = layer in target.both_poles()
    return crp(model, layer, images, relevance, rules, by_sign=by_sign)


def method_of(target: TargetModel, layer: str) -> str:
    """Return how `localise` works for a layer, with what is not exact in it.

    A map explains a neuron's values at all positions together. That is what ``pooling="mean"``
    takes; of another pooling it is said what the map has more, or has not.
    """
    target.module(layer)
    rules = rules_of(target, layer, None)
    poles = layer in target.both_poles()
    if not isinstance(rules, Rules):
        flat = target.output(target.probe(), layer).ndim == 2
        said = f"CRP {type(rules).__name__}, as given" + (ALIKE if poles else "")
        return said if flat else said + pooled_otherwise(target)
    if not _has_own_map(rules):
        flat = len(rules.shape) == 1
        said = rules.method + (BY_SIGN if poles else "")
        return said if flat else said + pooled_otherwise(target)
    if _by_attnlrp(target, rules):
        known = _KNOWN_ATTNLRP.setdefault(target, {})
        if layer not in known:
            image = target.as_input(target.probe())
            with target.shadow() as model:
                known[layer] = inexact_in_attnlrp(model, layer, image)
        said = "; ".join((METHOD, *known[layer])) + (ALIKE if poles else "")
        exact = len(rules.shape) == 1 or target.pooling == "cls"
        return said if exact else said + pooled_otherwise(target)
    own = "token map" if len(rules.shape) == 2 else "activation map"
    if target.attention == "attnlrp" and rules.attention:
        own += "; AttnLRP does not cover this attention"
    if target.pooling == "cls":
        return f"{own}; of the image's tokens, not of the class token that is pooled"
    return own + pooled_otherwise(target)


def pooled_otherwise(target: TargetModel) -> str:
    """Say what a map of all positions is not, where a neuron is not their mean."""
    if callable(target.pooling):
        return "; of all positions alike, whatever the pooling function makes of them"
    return {
        "mean": "",
        "max": "; of all positions, not of the largest alone that is pooled",
        "cls": "; of all positions, not of the class token alone that is pooled",
    }[target.pooling]


_KNOWN: WeakKeyDictionary[TargetModel, dict[str, Rules]] = WeakKeyDictionary()
_KNOWN_ATTNLRP: WeakKeyDictionary[TargetModel, dict[str, tuple[str, ...]]] = WeakKeyDictionary()


def rules_of(target: TargetModel, layer: str, image: Tensor | None) -> Rules | Composite:
    """Return the rules for a layer, found once; by default with the help of a blank image."""
    if target.composite is not None:
        return target.composite
    known = _KNOWN.setdefault(target, {})
    if layer not in known:
        image = target.as_input(target.probe()) if image is None else image
        with target.shadow() as model:
            refuse_checkpointing(model, image)
            known[layer] = rules_for(model, layer, image)
    return known[layer]


def method_said(method: str, *, found: bool, arrived: float = math.nan) -> str:
    """Return the method of one heatmap, which says what is wrong with this one.

    Parameters
    ----------
    method
        As `method_of` has it.
    found
        Whether anything is relevant.
    arrived
        The share of the starting relevance that arrived, as `localise_shares` measures it; said
        where it lies outside of 0.5 to 1.5. NaN if it is not known.
    """
    method += arrived_said(arrived)
    return method if found else f"{method}; no relevant pixel: whole image"


def relevance_boxes(
    relevance: Tensor, *, threshold: float = 0.01, smoothing: float = 0.02
) -> tuple[Tensor, Tensor]:
    """Find the square around the pixels whose smoothed positive relevance reaches a threshold.

    The square is moved, not cut, at the borders, and never larger than the short side.

    Parameters
    ----------
    relevance
        (batch, height, width), signed; negative relevance does not count.
    threshold
        Share of the map's maximum, in (0, 1].
    smoothing
        Standard deviation of the Gaussian, as a share of the short side; 0 does not smooth.

    Returns
    -------
    boxes : Tensor
        (batch, 4) int64: left, top, right, bottom, half open; all of the image where nothing is
        relevant.
    found : Tensor
        (batch,) bool: whether anything was.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if relevance.ndim != 3 or not relevance.shape[1] or not relevance.shape[2]:
        raise ValueError(
            f"relevance has shape {tuple(relevance.shape)}; expected (batch, height, width)."
        )
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} must be above 0 and at most 1.")
    if smoothing < 0:
        raise ValueError(f"smoothing={smoothing} must not be negative.")
    height, width = relevance.shape[1:]
    positive = torch.nan_to_num(relevance.float()).clamp(min=0)
    peak = positive.amax((1, 2), keepdim=True)
    found = peak[:, 0, 0] > 0
    positive = positive / peak.clamp(min=torch.finfo(torch.float32).tiny)  # squares stay in range
    smooth = _smoothed(positive, smoothing * min(height, width))
    mask = (smooth >= threshold * smooth.amax((1, 2), keepdim=True)) & found[:, None, None]
    left, right = _extent(mask.any(1))
    top, bottom = _extent(mask.any(2))
    side = torch.maximum(right - left, bottom - top).clamp(max=min(height, width))
    x = ((left + right - side) // 2).clamp(min=0).minimum(width - side)
    y = ((top + bottom - side) // 2).clamp(min=0).minimum(height - side)
    boxes = torch.stack([x, y, x + side, y + side], dim=1)
    whole = torch.tensor([0, 0, width, height], device=boxes.device)
    return torch.where(found[:, None], boxes, whole), found


def quantise(relevance: Tensor | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn maps (..., height, width) into bytes: positive relevance, 255 at each map's maximum."""
    positive = torch.nan_to_num(torch.as_tensor(relevance).float()).clamp(min=0)
    peak = positive.amax((-2, -1), keepdim=True)
    share = positive / peak.clamp(min=torch.finfo(torch.float32).tiny)
    levels: NDArray[np.uint8] = (share * 255).round().to(torch.uint8).cpu().numpy()
    return levels


def _has_own_map(rules: Rules | Composite) -> bool:
    return isinstance(rules, Rules) and (bool(rules.attention) or len(rules.shape) == 2)


def _by_attnlrp(target: TargetModel, rules: Rules | Composite) -> bool:
    """Tell whether relevance is to be and can be propagated through attention."""
    return (
        target.attention == "attnlrp"
        and isinstance(rules, Rules)
        and bool(rules.attention)
        and rules.attention <= KNOWN_ATTENTION
    )


def _check_neurons(
    target: TargetModel, layer: str, neurons: Tensor, rules: Rules | Composite
) -> None:
    """Refuse neurons that do not exist or that cannot be traced to the layer's channels."""
    count = target.n_units(layer)
    if isinstance(rules, Rules):
        own_map = _has_own_map(rules) and not _by_attnlrp(target, rules)
        if own_map and len(rules.shape) == 1:
            raise ValueError(
                f"Layer {layer!r} lies behind attention and has no positions, so there is no map "
                "to show; choose a layer whose output still has tokens, or "
                'TargetModel(..., attention="attnlrp").'
            )
        channels = rules.shape[target.channel_axis(layer) - 1]
        poles = 2 if layer in target.both_poles() else 1
        if callable(target.pooling) and count != poles * channels and layer not in target.encoders:
            raise ValueError(
                f"Layer {layer!r} has {count} neurons but its output has shape {rules.shape}: the "
                "pooling function makes neurons that are not channels, which cannot be localised. "
                "Units computed from channels can: TargetModel(..., units={layer: encoder})."
            )
    if int(neurons.min()) < 0 or int(neurons.max()) >= count:
        wrong = next(n for n in neurons.tolist() if not 0 <= n < count)
        raise ValueError(
            f"neurons holds {wrong}, but layer {layer!r} has neurons 0 to {count - 1}."
        )


def own_relevance(output: Tensor, *, neurons: Tensor, axis: int, encoder: Encoder | None) -> Tensor:
    """Return the relevance of a layer's output that is each neuron's own value."""
    if encoder is not None:
        return output * unit_gradient(encoder, output, neurons, axis)
    pick = torch.arange(len(output), device=output.device), neurons
    relevance = torch.zeros_like(output)
    relevance.movedim(axis, 1)[pick] = output.movedim(axis, 1)[pick]
    return relevance


def own_gradient(
    output: Tensor, *, neurons: Tensor, axis: int, encoder: Encoder | None, first: bool
) -> Tensor:
    """Return the gradient of each neuron's own values, or that of its first token alone."""
    if encoder is not None:
        gradient = unit_gradient(encoder, output, neurons, axis)
    else:
        gradient = torch.zeros_like(output)
        gradient.movedim(axis, 1)[torch.arange(len(output), device=output.device), neurons] = 1
    if first and output.ndim == 3:
        gradient.movedim(axis, 2)[:, 1:] = 0
    return gradient


def _own_map(
    output: Tensor, neurons: Tensor, axis: int, encoder: Encoder | None, size: torch.Size
) -> Tensor:
    """Enlarge each neuron's own values, leaving out class and register tokens, which come first."""
    if encoder is not None:
        with torch.no_grad():
            output = encode(encoder, output, axis)
    pick = torch.arange(len(output), device=output.device), neurons
    maps = output.movedim(axis, 1)[pick]  # (batch, height, width) or (batch, tokens)
    if maps.ndim == 2:
        rows, columns, first = _grid(maps.shape[1], size[0], size[1])
        maps = maps[:, first:].reshape(len(maps), rows, columns)
    return interpolate(maps[:, None], size=tuple(size), mode="bilinear", align_corners=False)[:, 0]


def _grid(tokens: int, height: int, width: int) -> tuple[int, int, int]:
    """Return rows and columns of the patches in the shape of the image, and where they begin."""
    for first in range(min(_MOST_PREFIX_TOKENS, tokens - 1) + 1):
        patches = tokens - first
        rows = max(1, round(math.sqrt(patches * height / width)))
        if patches % rows == 0 and rows * width == (patches // rows) * height:
            return rows, patches // rows, first
    raise ValueError(
        f"{tokens} tokens do not form a grid over an input of {width} × {height} pixels, so there "
        "is no map to show; choose a layer that has one token per patch."
    )


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Blur (batch, height, width) with a Gaussian; nothing lies outside the image."""
    reach = math.ceil(3 * sigma)
    if not reach:
        return maps
    steps = torch.arange(-reach, reach + 1, device=maps.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    weights /= weights.sum()
    blurred = conv2d(maps[:, None], weights.view(1, 1, -1, 1), padding=(reach, 0))
    return conv2d(blurred, weights.view(1, 1, 1, -1), padding=(0, reach))[:, 0]


def _extent(marked: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first marked place and the one behind the last, of (batch, places) bool."""
    places = marked.shape[1]
    numbers = marked.to(torch.uint8)
    return numbers.argmax(1), places - numbers.flip(1).argmax(1)
