"""The model that is looked at: its layers, how it is fed, and what one neuron of it is."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch
from PIL import Image
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

Pooling = Literal["mean", "max", "cls"] | Callable[[Tensor], Tensor]

_POOLINGS = ("mean", "max", "cls")
_PROBE_SIZE = 256  # pixels of the blank image that tells the shapes; the transform resizes it


class _AllSeenError(BaseException):
    """Leaves the forward pass after the last layer asked for; no model may swallow it."""


class TargetModel:
    """A torch model whose neurons are to be understood.

    Parameters
    ----------
    model
        Any module that takes a batch of images. It is moved to `device` and put into evaluation
        mode, and stays so; nothing else about it changes.
    layers
        Names as in ``model.named_modules()``. A layer's output may be a convolution map
        ``(batch, channels, height, width)``, tokens ``(batch, tokens, channels)`` or flat
        ``(batch, channels)``; of tuples, lists and dictionaries the first tensor counts. One
        neuron is one channel. Each layer must be called exactly once in a forward pass.
    transform
        From an RGB ``PIL.Image`` to the model's input ``(3, height, width)``.
    pooling
        How a channel becomes one number per image: ``"mean"`` or ``"max"`` over positions,
        ``"cls"`` (the first token), or a function from the layer's output to ``(batch, neurons)``
        (a sparse autoencoder, or ``lambda y: y.mean((1, 2))`` for channels-last maps). Flat
        outputs are taken as they are by the three names.
    device
        Where the model runs; by default where it lies.
    name
        What to call the model; by default its class name.

    Raises
    ------
    ValueError
        If a layer is unknown or named twice, no layer is named, or `pooling` is unknown.
    TypeError
        If `model` is no module or `transform` no function.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str],
        *,
        transform: Callable[[Image.Image], Tensor],
        pooling: Pooling = "mean",
        device: str | torch.device | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}.")
        if not callable(transform):
            raise TypeError(
                "transform must be a function from a PIL image to a (3, height, width) tensor, "
                f"not {type(transform).__name__}."
            )
        if not callable(pooling) and pooling not in _POOLINGS:
            raise ValueError(
                f"pooling={pooling!r} is unknown: use {', '.join(map(repr, _POOLINGS))} or a "
                "function from the layer's output to (batch, neurons)."
            )
        self.layers = _checked_layers(model, layers)
        first = next(model.parameters(), None)
        if device is None:
            device = first.device if first is not None else "cpu"
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.transform = transform
        self.pooling: Pooling = pooling
        self.name = name or type(model).__name__
        self._order: tuple[str, ...] = ()  # as executed; learnt in the first forward pass
        self._n_units: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"TargetModel({self.name}, layers={list(self.layers)})"

    def module(self, layer: str) -> nn.Module:
        """Return the module of one of the target's layers."""
        return self.model.get_submodule(self._known(layer))

    def n_units(self, layer: str) -> int:
        """Return how many neurons `layer` has; the first call feeds the model a blank image."""
        layer = self._known(layer)
        if layer not in self._n_units:
            self.units(self.probe())
        return self._n_units[layer]

    def probe(self) -> Tensor:
        """Return a blank image as the model takes it, (1, 3, height, width)."""
        blank = Image.new("RGB", (_PROBE_SIZE, _PROBE_SIZE), (127, 127, 127))
        return self.transform(blank).unsqueeze(0)

    def units(self, images: Tensor) -> dict[str, Tensor]:
        """Return the pooled activation of every neuron of every layer.

        The forward pass ends after the last layer; outputs are pooled at once, so that a later
        in-place operation of the model does not touch them.

        Parameters
        ----------
        images
            (batch, 3, height, width), transformed.

        Returns
        -------
        dict
            Layer to (batch, neurons), float32, on the model's device, in the order of `layers`.

        Raises
        ------
        ValueError
            If a layer is not called, called more than once, or its output cannot be pooled.
        """
        taken = self._forward(images, self.layers, self._pooled)
        self._n_units.update({layer: unit.shape[1] for layer, unit in taken.items()})
        return taken

    def output(self, images: Tensor, layer: str) -> Tensor:
        """Return the unpooled output of one layer, float32, channels as the layer has them."""
        layer = self._known(layer)
        return self._forward(images, (layer,), lambda _, y: y.to(torch.float32, copy=True))[layer]

    def _known(self, layer: str) -> str:
        if layer not in self.layers:
            raise ValueError(f"layer={layer!r} is not one of this target's layers {self.layers}.")
        return layer

    def _pooled(self, layer: str, output: Tensor) -> Tensor:
        try:
            return pool(output, self.pooling)
        except ValueError as error:
            raise ValueError(f"Layer {layer!r}: {error}") from error

    def _forward(
        self, images: Tensor, layers: Sequence[str], take: Callable[[str, Tensor], Tensor]
    ) -> dict[str, Tensor]:
        if images.ndim != 4:
            raise ValueError(
                f"images has shape {tuple(images.shape)}; expected (batch, 3, height, width)."
            )
        taken: dict[str, Tensor] = {}
        calls: Counter[str] = Counter()
        learning = not self._order
        last = None if learning else max(layers, key=self._order.index)
        done = _AllSeenError()

        def see(layer: str, output: object) -> None:
            calls[layer] += 1
            if layer in layers:
                taken[layer] = take(layer, _checked_output(layer, output, len(images)))
            if layer == last:
                raise done

        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        images = images.to(self.device, parameter.dtype if parameter is not None else None)
        seen = self.layers if learning else layers
        with _observed(self.model, seen, see), torch.no_grad():
            try:
                self.model(images)
            except _AllSeenError as signal:
                if signal is not done:
                    raise
        order = _checked_calls(calls, seen)
        if learning:
            self._order = order
        return {layer: taken[layer] for layer in layers}


def pool(output: Tensor, pooling: Pooling) -> Tensor:
    """Turn a layer's output into one number per image and neuron.

    Parameters
    ----------
    output
        (batch, channels, height, width), (batch, tokens, channels) or (batch, channels).
    pooling
        See `TargetModel`.

    Returns
    -------
    Tensor
        (batch, neurons) float32, sharing no memory with `output`.

    Raises
    ------
    ValueError
        If the shape does not suit the pooling.
    """
    shape = tuple(output.shape)
    output = output.detach()
    if callable(pooling):
        pooled = pooling(output)
        if not isinstance(pooled, Tensor) or pooled.ndim != 2 or len(pooled) != len(output):
            got = tuple(pooled.shape) if isinstance(pooled, Tensor) else type(pooled).__name__
            raise ValueError(
                f"the pooling function must return (batch, neurons) = ({len(output)}, ...), "
                f"not {got}."
            )
        return pooled.detach().to(torch.float32, copy=True)
    if output.ndim not in {2, 3, 4}:
        raise ValueError(
            f"its output has shape {shape}; expected (batch, channels, height, width), (batch, "
            "tokens, channels) or (batch, channels). Pass a function as pooling for other shapes."
        )
    output = output.float()  # half-precision activations tie and round; pool in full precision
    if output.ndim == 2:
        return output.clone()
    if pooling == "cls":
        if output.ndim == 4:
            raise ValueError(
                f'pooling="cls" needs tokens (batch, tokens, channels), not a map {shape}; '
                'use "mean" or "max".'
            )
        return output[:, 0].clone()
    positions = (2, 3) if output.ndim == 4 else (1,)
    return output.amax(positions) if pooling == "max" else output.mean(positions)


@contextmanager
def _observed(
    model: nn.Module, layers: Sequence[str], see: Callable[[str, object], None]
) -> Iterator[None]:
    handles: list[RemovableHandle] = []
    try:
        for layer in layers:
            handles.append(  # noqa: PERF401 - a failing registration must not lose the others
                model.get_submodule(layer).register_forward_hook(
                    lambda _module, _inputs, output, layer=layer: see(layer, output)
                )
            )
        yield
    finally:
        for handle in handles:
            handle.remove()


def first_tensor(output: object) -> Tensor | None:
    """Return the first tensor in nested tuples, lists and dictionaries, or None."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return next((t for t in map(first_tensor, output) if t is not None), None)
    return None


def _checked_output(layer: str, output: object, batch: int) -> Tensor:
    tensor = first_tensor(output)
    if tensor is None:
        raise ValueError(
            f"Layer {layer!r} returns {type(output).__name__} without a tensor in it; choose a "
            "layer whose output holds activations."
        )
    if not tensor.ndim or len(tensor) != batch:
        raise ValueError(
            f"Layer {layer!r} returns shape {tuple(tensor.shape)} for {batch} images; the batch "
            "must come first. Choose a layer around it whose output starts with the batch."
        )
    return tensor


def _checked_calls(calls: Counter[str], layers: Sequence[str]) -> tuple[str, ...]:
    for layer in layers:
        if calls[layer] == 0:
            raise ValueError(
                f"Layer {layer!r} is never called in the model's forward pass, so it has no "
                "activations; choose a layer that is."
            )
        if calls[layer] > 1:
            raise ValueError(
                f"Layer {layer!r} is called {calls[layer]} times in one forward pass (a shared "
                "module), so its neurons are ambiguous; choose the block around it, or a layer "
                "next to it that is called once."
            )
    return tuple(calls)  # a Counter keeps the order of first calls


def _checked_layers(model: nn.Module, layers: Sequence[str]) -> tuple[str, ...]:
    if isinstance(layers, str):
        raise TypeError(f"layers must be a list of names: layers=[{layers!r}].")
    available = [name for name, _ in model.named_modules() if name]
    names = tuple(layers)
    if not names:
        raise ValueError(f"layers is empty; name at least one of {_some(available)}.")
    for name in names:
        if name not in available:
            close = difflib.get_close_matches(name, available, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(
                f"layers names {name!r}, which this {type(model).__name__} does not have: {hint}"
                f"Available are {_some(available)}."
            )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"layers names {twice[0]!r} more than once; name each layer once.")
    return names


def _some(names: Sequence[str], most: int = 8) -> str:
    """Name a few, the outermost modules first."""
    shown = sorted(names, key=lambda name: name.count("."))[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, shown)) + more
