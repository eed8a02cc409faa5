"""Concept relevance propagation from one neuron to the input, for any convolutional network.

CRP [1]_ starts layer-wise relevance propagation at a single channel. The rules are zennit's
``EpsilonPlusFlat``: flat at the first layer, z⁺ at convolutions, epsilon at dense layers. They
suppose a canonical network, and how far a network is from that is found by watching one forward
pass rather than by its class name, so that functional code is served as well:

- batch norms are merged into the convolution whose output they take;
- sums of two activations (residuals) and averages share relevance in proportion to the parts;
- what remains with plain gradients is told in `Rules.inexact`.

.. [1] Achtibat et al., From attribution maps to human-understandable explanations through Concept
   Relevance Propagation, Nature Machine Intelligence 2023.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from zennit.canonizers import NamedMergeBatchNorm
from zennit.core import Composite
from zennit.types import BatchNorm, Linear

from semlens_widgets.pipeline.rules import EpsilonPlusFlat, FunctionRules
from semlens_widgets.target import first_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator


class _ReachedError(BaseException):
    """Leaves the forward pass once the layer's output is there."""


@dataclass(frozen=True)
class Rules:
    """What one forward pass up to a layer has shown about how to propagate relevance.

    Attributes
    ----------
    merges : tuple of (str, str)
        Convolution or dense layer, and the batch norm that takes its output.
    first : str
        The first linear layer, which gets the flat rule.
    attention : bool
        Whether the layer lies behind attention, where these rules do not hold.
    shape : tuple of int
        Of the layer's output for one image.
    inexact : tuple of str
        What the rules do not cover, in words.
    """

    merges: tuple[tuple[str, str], ...]
    first: str
    attention: bool
    shape: tuple[int, ...]
    inexact: tuple[str, ...]

    @property
    def method(self) -> str:
        """The method in words, with everything that is not exact."""
        return "; ".join(("CRP EpsilonPlusFlat", *self.inexact))


def rules_for(model: nn.Module, layer: str, image: Tensor) -> Rules:
    """Watch one image (1, 3, height, width) go through the model up to `layer`."""
    watch = _Watch(model)
    with _frozen(model), watch, FunctionRules() as functions:
        output = _run_to(model, layer, image.detach().clone().requires_grad_())
    merges = watch.merges()
    if merges and not _merging_keeps(model, layer, image, merges, output):
        merges = ()
    inexact = []
    if len(merges) < watch.norms:
        inexact.append(f"{watch.norms - len(merges)} of {watch.norms} batch norms not merged")
    if functions.products:
        inexact.append("products by gradient")
    if functions.norms:
        inexact.append("layer or group norms by gradient")
    if any(count > 1 for count in watch.linear.values()):
        inexact.append("layers used several times count as their last use")
    return Rules(
        merges=merges,
        first=next(iter(watch.linear), ""),
        attention=functions.attention,
        shape=tuple(output.shape[1:]),
        inexact=tuple(inexact),
    )


class _Watch(AbstractContextManager["_Watch"]):
    """Sees which linear layers are called, and which batch norm takes the output of which.

    A batch norm follows a linear layer if its input is the very tensor that layer returned, not
    changed in place since: neither the order of attributes nor a functional ReLU can mislead.
    """

    def __init__(self, model: nn.Module) -> None:
        self.norms = 0
        self.linear: Counter[str] = Counter()  # calls, in order of execution
        self._names = {module: name for name, module in model.named_modules()}
        self._made: dict[int, tuple[str, Tensor, int]] = {}  # by id; holds them, so ids stay unique
        self._pairs: list[tuple[str, str]] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for module in self._names:
            self._stack.callback(module.register_forward_pre_hook(self._before).remove)
            self._stack.callback(module.register_forward_hook(self._after).remove)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def merges(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs of linear layer and batch norm that can be merged."""
        return tuple(pair for pair in self._pairs if self.linear[pair[0]] == 1)

    def _before(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, BatchNorm):
            self.norms += 1
            source, tensor, version = self._made.get(id(inputs[0]), ("", None, -1))
            if tensor is not None and tensor._version == version and _mergeable(module):  # noqa: SLF001
                self._pairs.append((source, self._names[module]))

    def _after(self, module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(module, Linear):
            self.linear[self._names[module]] += 1
            self._made[id(output)] = (self._names[module], output, output._version)  # noqa: SLF001


def crp(model: nn.Module, layer: str, images: Tensor, neurons: Tensor, rules: Rules) -> Tensor:
    """Propagate the output of one channel per image back to the input.

    Relevance starts as the channel's own output, as in zennit-crp's ``CondAttribution`` with the
    layer as its start. A batch norm behind the layer has no part in it: if a convolution is chosen,
    its neuron is the convolution's output, as for its activations.

    Parameters
    ----------
    model, layer, rules
        In evaluation mode; the layer's output is (batch, channels[, height, width]).
    images
        (batch, 3, height, width).
    neurons
        (batch,) int64, the channel for each image.

    Returns
    -------
    Tensor
        (batch, height, width) float32, signed, summed over colours.

    Raises
    ------
    ValueError
        If the layer's output does not depend on the images.
    """
    with _frozen(model), _canonical(model, rules):
        data = images.detach().clone().requires_grad_()
        with FunctionRules():
            output = _run_to(model, layer, data)
        if not output.requires_grad:
            raise ValueError(f"Layer {layer!r} has no gradient to the image: it is detached.")
        pick = torch.arange(len(images), device=output.device), neurons.to(output.device)
        start = torch.zeros_like(output)
        start[pick] = output.detach()[pick]
        (relevance,) = torch.autograd.grad(output, data, start)
    return relevance.detach().sum(1).float()


def _run_to(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return the layer's output, with its graph; nothing after the layer is executed."""
    seen: list[Tensor] = []
    done = _ReachedError()

    def stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
        tensor = first_tensor(output)
        if tensor is None:
            raise ValueError(f"Layer {layer!r} returns no tensor.")
        seen.append(tensor)
        raise done

    # Registered last: the rule of the layer itself must have seen the output before.
    handle = model.get_submodule(layer).register_forward_hook(stop)
    try:
        model(images)
    except _ReachedError as signal:
        if signal is not done:
            raise
    finally:
        handle.remove()
    if not seen:
        raise ValueError(f"Layer {layer!r} is never called in the model's forward pass.")
    return seen[0]


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Take gradients to the input alone, whatever the caller's gradient or precision mode."""
    wanted = [p for p in model.parameters() if p.requires_grad]
    device = next((p.device.type for p in model.parameters()), "cpu")
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
            torch.autograd.graph.allow_mutation_on_saved_tensors(),  # ``relu(x)`` and then ``+=``
        ):
            yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


@contextmanager
def _canonical(model: nn.Module, rules: Rules) -> Iterator[None]:
    """Merge the batch norms and attach the rules; undo both whatever happens."""
    with _merged(model, rules.merges):
        composite = Composite(module_map=EpsilonPlusFlat(rules.first))
        try:
            composite.register(model)
            yield
        finally:
            composite.remove()


@contextmanager
def _merged(model: nn.Module, merges: tuple[tuple[str, str], ...]) -> Iterator[None]:
    with ExitStack() as stack:
        for source, norm in merges:
            for canonizer in NamedMergeBatchNorm([([source], norm)]).apply(model):
                stack.callback(canonizer.remove)
        yield


def _mergeable(norm: nn.Module) -> bool:
    keys = ("weight", "bias", "running_mean", "running_var")
    return not norm.training and all(getattr(norm, key, None) is not None for key in keys)


def _merging_keeps(
    model: nn.Module,
    layer: str,
    image: Tensor,
    merges: tuple[tuple[str, str], ...],
    expected: Tensor,
) -> bool:
    """Tell whether the merged network still computes the same, as it must."""
    with _frozen(model), torch.no_grad(), _merged(model, merges):
        merged = _run_to(model, layer, image)
    # A merged batch norm keeps its eps, a factor of 1 - 5e-6 each; a wrong merge is far off.
    scale = float(expected.detach().abs().max())
    return bool((merged - expected.detach()).abs().max() <= 0.02 * scale)
