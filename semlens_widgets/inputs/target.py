"""The model that is looked at: its layers, how it is fed, and what one neuron of it is."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from PIL import Image
from torch import Tensor, nn

from semlens_widgets.inputs import layers as _layers
from semlens_widgets.inputs.channels import FollowChannels
from semlens_widgets.inputs.draws import DRAWS, alike
from semlens_widgets.inputs.outputs import checked_names, checked_place
from semlens_widgets.inputs.poles import BothPoles, FollowRectifiers, checked_poles
from semlens_widgets.inputs.pooling import check_pooling, pool
from semlens_widgets.inputs.shadow import Shadow, check_model, checked_device
from semlens_widgets.inputs.twin import Apart
from semlens_widgets.inputs.units import checked_encoders, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zennit.core import Composite

    from semlens_widgets.inputs.poles import Poles
    from semlens_widgets.inputs.pooling import Pooling
    from semlens_widgets.inputs.units import Encoder

ChannelPlace = Literal["first", "last"]

_PROBE_SIZE = 256  # pixels of the blank image that tells the shapes; the transform resizes it


class _AllSeenError(BaseException):
    """Leaves the forward pass after the last layer asked for; no model may swallow it."""


class TargetModel:
    """A torch model whose neurons are to be understood.

    Parameters
    ----------
    model
        Any module that takes a batch of images. It is left wholly alone, its mode included: all
        is computed on a copy of its modules in evaluation mode, which shares the weights. Once its
        weights, buffers or modules are others than now, everything refuses; its mode, and hooks
        and attributes that are changed later, do not matter.
    layers
        Names as in ``model.named_modules()``, or patterns of them (``"layer4.*"`` are the blocks
        of layer4); `suggest_layers` proposes some. A layer's output may
        be a map ``(batch, channels, height, width)`` or ``(batch, height, width, channels)``,
        tokens ``(batch, tokens, channels)`` or flat ``(batch, channels)``; of tuples, lists and
        dictionaries the first tensor counts. One neuron is one channel. Each layer must be called
        exactly once in a forward pass.
    transform
        From an RGB ``PIL.Image`` to the model's input ``(3, height, width)``.
    pooling
        How a channel becomes one number per image: ``"mean"`` or ``"max"`` over positions,
        ``"cls"`` (the first token), or a function from the layer's output to ``(batch, neurons)``.
        Flat outputs are taken as they are by the three names.
    channels
        Where a layer's output of three or four axes has its channels: ``"first"`` behind the batch
        or ``"last"``, for all layers or by layer. By default they are followed through the model's
        operations (`semlens_widgets.inputs.channels`); where that fails, an error asks for this.
    units
        By layer, what turns its channels into other units at each position, before pooling: a
        sparse autoencoder's encoder, or a matrix (units, channels) of directions. A module or
        function from (batch, positions, channels) to (batch, positions, units), see
        `semlens_widgets.inputs.units`.
    poles
        ``"both"``: what makes a channel negative is a neuron of its own, ``17-`` beside ``17``, see
        `semlens_widgets.inputs.poles`. ``"positive"``: no such neurons, and activations keep their
        sign. ``"auto"``: both where channels take both signs for the first image that is seen, but
        for what GELU and its like let through, and not where `pooling` is a function. For all
        layers or by layer; layers with `units` have them as they are given.
    outputs
        Names of the model's outputs, in their order or with their numbers. Classes of images are
        matched to outputs by these names and in no other way; an output without a name is called
        by its number.
    logits
        Which of several things that the model returns are the outputs: a key, an attribute or a
        position. By default what is called ``"logits"``, or the only tensor (batch, outputs).
    composite
        A composite of zennit, with its canonizers, for heatmaps by it and nothing else; by default
        rules and canonizers follow from the model's forward pass.
    attention
        How to show where a neuron behind attention looks: ``"map"``, its own values over the
        patches, as in SemanticLens, or ``"attnlrp"``, relevance of the pixels by AttnLRP, for
        ``torch.nn.MultiheadAttention`` and models that call ``scaled_dot_product_attention``. Other
        attention is shown as a map.
    device
        Where the model runs; by default where it lies.
    autocast
        Collect activations in the device's half precision (float16 on CUDA, bfloat16 on a CPU):
        faster there, but activations that float32 tells apart may tie. Pooling, units and heatmaps
        stay float32.
    name
        What to call the model; by default its class name.

    Raises
    ------
    ModelError
        If the model cannot be looked into: TorchScript, quantised, without values.
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
        channels: ChannelPlace | Mapping[str, ChannelPlace] | None = None,
        units: Mapping[str, Encoder | Tensor] | None = None,
        poles: Poles | Mapping[str, Poles] = "auto",
        outputs: Sequence[str] | Mapping[str, int] | None = None,
        logits: str | int | None = None,
        composite: Composite | None = None,
        attention: Literal["map", "attnlrp"] = "map",
        device: str | torch.device | None = None,
        autocast: bool = False,
        name: str | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}.")
        if not callable(transform):
            raise TypeError(
                "transform must be a function from a PIL image to a (3, height, width) tensor, "
                f"not {type(transform).__name__}."
            )
        check_pooling(pooling)
        if attention not in {"map", "attnlrp"}:
            raise ValueError(f'attention={attention!r} is unknown: use "map" or "attnlrp".')
        self.attention: Literal["map", "attnlrp"] = attention
        check_model(model)
        self.layers = _layers.checked_layers(model, layers)
        self.channels = _checked_channels(channels, self.layers)
        first = next(model.parameters(), None)
        if device is None:
            device = first.device if first is not None else "cpu"
        self.device = checked_device(device)
        if autocast and not torch.amp.is_autocast_available(self.device.type):
            raise ValueError(f"autocast: torch has none for device {str(self.device)!r}.")
        self.autocast = autocast
        self.model = model
        self.encoders, modules = checked_encoders(units, self.layers, self.device)
        self._poles = checked_poles(
            poles, self.layers, self.encoders, pooled_by_function=callable(pooling)
        )
        owned = {f"The encoder of layer {layer!r}": module for layer, module in modules.items()}
        self.shadow = Shadow(model, None if device is None else self.device, owned)
        self.outputs = checked_names(outputs)
        self.all_named = bool(self.outputs) and not isinstance(outputs, Mapping)
        self.logits = checked_place(logits)
        self.composite = composite
        self.transform = transform
        self.pooling: Pooling = pooling
        self.name = name or type(model).__name__
        self._order: tuple[str, ...] = ()  # as executed; learnt in the first forward pass
        self._axes: dict[str, int | None] = {}
        self._both: tuple[str, ...] = ()
        self._n_units: dict[str, int] = {}

    suggest_layers = staticmethod(_layers.suggest_layers)

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

    def both_poles(self, images: Tensor | None = None) -> tuple[str, ...]:
        """Return the layers whose neurons are both poles of their channels.

        Where that is not known yet, `images` (batch, 3, height, width) tell, or a blank one.
        """
        if not self._order and "auto" in self._poles.values():
            self._learn(self.probe() if images is None else images)
        if not self._order:
            return tuple(layer for layer, choice in self._poles.items() if choice == "both")
        return self._both

    def encoder_of(self, layer: str) -> Encoder | None:
        """Return what turns a layer's channels into its neurons, None where they are the same."""
        both = layer in self.both_poles()
        return BothPoles() if both else self.encoders.get(layer)

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
        taken = self._forward(images, self.layers, self.pooled, autocast=self.autocast)
        if not self._n_units:  # the first time, one image again
            again = self._forward(images[:1], self.layers, self.pooled, autocast=self.autocast)
            if not all(alike(again[layer], units[:1]) for layer, units in taken.items()):
                warnings.warn(DRAWS, stacklevel=2)
        self._n_units.update({layer: unit.shape[1] for layer, unit in taken.items()})
        return taken

    def output(self, images: Tensor, layer: str) -> Tensor:
        """Return what a layer makes of `images`, float32: channels as they are, before any units.

        `images` are transformed, (batch, 3, height, width).
        """
        layer = self._known(layer)
        return self._forward(images, (layer,), lambda _, y: y.to(torch.float32, copy=True))[layer]

    def channel_axis(self, layer: str) -> int:
        """Return which axis of a layer's output holds its channels, counted from the front.

        Raises
        ------
        ValueError
            If neither the model's operations nor `channels` tell.
        """
        if self._known(layer) not in self._axes:
            self._learn(self.probe())
        axis = self._axes[layer]
        if axis is None:
            raise ValueError(
                f"Layer {layer!r}: it is not clear which axis of its output holds the channels. "
                f'Say so: TargetModel(..., channels={{{layer!r}: "first"}}) or "last".'
            )
        return axis

    def _known(self, layer: str) -> str:
        if layer not in self.layers:
            raise ValueError(f"layer={layer!r} is not one of this target's layers {self.layers}.")
        return layer

    def pooled(self, layer: str, output: Tensor) -> Tensor:
        """Turn the `output` of a layer into its neurons' activations, (batch, neurons) float32.

        Raises
        ------
        ValueError
            If it cannot be pooled; the layer is named.
        """
        encoder = self.encoder_of(layer)
        follow = encoder is not None or not callable(self.pooling)
        axis = self.channel_axis(layer) if follow and output.ndim in {3, 4} else 1
        try:
            if encoder is not None:
                output = encode(encoder, output, axis)
            if isinstance(encoder, BothPoles):
                parts = [pool(pole, self.pooling, axis) for pole in output.chunk(2, axis)]
                return torch.cat(parts, dim=1)
            return pool(output, self.pooling, axis)
        except ValueError as error:
            raise ValueError(f"Layer {layer!r}: {error}") from error

    def _learn(self, images: Tensor) -> None:
        """See in a whole forward pass when each layer is called and where its channels are."""
        calls: Counter[str] = Counter()
        axes: dict[str, int | None] = {}
        both = {layer: choice == "both" for layer, choice in self._poles.items()}
        images = self.as_input(images[:1])

        def see(layer: str, output: object) -> None:
            calls[layer] += 1
            tensor = _layers.checked_output(layer, output, len(images))
            axes[layer] = follow.axis(tensor)
            if layer in self.channels and tensor.ndim > 2:
                axes[layer] = 1 if self.channels[layer] == "first" else tensor.ndim - 1
            if self._poles[layer] == "auto":
                both[layer] = rectifiers.both_signs(tensor)

        with (
            self.shadow() as model,
            _layers.observed(model, self.layers, see),
            torch.no_grad(),
            Apart(self.model),
            FollowChannels() as follow,
            FollowRectifiers() as rectifiers,
        ):
            model(images)
        order = _layers.checked_calls(calls, self.layers)
        self._axes = axes
        self._both = tuple(layer for layer, poles in both.items() if poles)
        self._order = order  # last: other threads take it that all is known

    def as_input(self, images: Tensor) -> Tensor:
        """Return images on the model's device and in its precision."""
        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        dtype = parameter.dtype if parameter is not None else None
        if images.is_inference():
            with torch.inference_mode(mode=False):
                images = images.clone()  # else nothing can be propagated back to it
        return images.to(self.device, dtype, non_blocking=self.device.type == "cuda")

    def _forward(
        self,
        images: Tensor,
        layers: Sequence[str],
        take: Callable[[str, Tensor], Tensor],
        *,
        autocast: bool = False,
    ) -> dict[str, Tensor]:
        if images.ndim != 4:
            raise ValueError(
                f"images has shape {tuple(images.shape)}; expected (batch, 3, height, width)."
            )
        if not self._order:
            self._learn(images)
        taken: dict[str, Tensor] = {}
        calls: Counter[str] = Counter()
        last = max(layers, key=self._order.index)
        done = _AllSeenError()

        def see(layer: str, output: object) -> None:
            calls[layer] += 1
            with self._casting(False):
                taken[layer] = take(layer, _layers.checked_output(layer, output, len(images)))
            if layer == last:
                raise done

        images = self.as_input(images)
        with (
            self.shadow() as model,
            _layers.observed(model, layers, see),
            torch.no_grad(),
            self._casting(autocast),
        ):
            try:
                model(images)
            except _AllSeenError as signal:
                if signal is not done:
                    raise
        _layers.checked_calls(calls, layers)
        return {layer: taken[layer] for layer in layers}

    def _casting(self, enabled: bool) -> AbstractContextManager[object]:
        """Switch autocast on or off, whatever the caller has it at."""
        kind = self.device.type
        known = torch.amp.is_autocast_available(kind)
        return torch.autocast(kind, enabled=enabled) if known else nullcontext()


def _checked_channels(
    channels: ChannelPlace | Mapping[str, ChannelPlace] | None, layers: Sequence[str]
) -> dict[str, ChannelPlace]:
    given = channels if isinstance(channels, Mapping) else dict.fromkeys(layers, channels)
    unknown = [layer for layer in given if layer not in layers]
    if unknown:
        raise ValueError(f"channels names {unknown[0]!r}, which is not one of layers {layers}.")
    for place in given.values():
        if place not in {"first", "last", None}:
            raise ValueError(f'channels={place!r} is unknown: use "first" or "last".')
    return {layer: place for layer, place in given.items() if place is not None}
