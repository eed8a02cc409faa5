"""Concept relevance propagation from one neuron to the input, for any convolutional network.

CRP [1]_ starts layer-wise relevance propagation at a single channel. The rules are zennit's
``EpsilonPlusFlat``: flat at the first layer, z⁺ at convolutions, epsilon at dense layers. They
suppose a canonical network, and how far a network is from that is found by watching one forward
pass rather than by its class name, so that functional code is served as well:

- batch norms are merged into the convolution whose output they take;
- sums of two activations (residuals) and averages share relevance in proportion to the parts;
- norms over one image pass relevance on unchanged, as in AttnLRP [2]_;
- a product of two activations shares it evenly, unless one of them is a gate, which gets none;
- what is not covered by the papers on CRP, or left to plain gradients, is told in `Rules.inexact`.

.. [1] Achtibat et al., From attribution maps to human-understandable explanations through Concept
   Relevance Propagation, Nature Machine Intelligence 2023.
.. [2] Achtibat et al., AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers,
   ICML 2024 (arXiv 2402.05602).
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from zennit.canonizers import NamedMergeBatchNorm
from zennit.types import BatchNorm, Linear

from semlens_widgets.layers import first_tensor
from semlens_widgets.pipeline.rules import FunctionRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zennit.core import Composite


# What zennit leaves of a merged batch norm, 1 / sqrt(1 + eps), is kept where it changes nothing but
# the last digits, so that these equal zennit's; the 0.001 of some models would add up.
_NEARLY_ONE = 0.9999


class _ReachedError(BaseException):
    """Leaves the forward pass once the layer's output is there."""


@dataclass(frozen=True)
class Rules:
    """What one forward pass up to a layer has shown about how to propagate relevance.

    Attributes
    ----------
    merges : tuple of (str, str)
        Convolution or dense layer, and the batch norm that takes its output.
    attention : frozenset of str
        Functions of attention before the layer, where these rules do not hold.
    shape : tuple of int
        Of the layer's output for one image.
    inexact : tuple of str
        What the rules do not cover, in words.
    """

    merges: tuple[tuple[str, str], ...]
    attention: frozenset[str]
    shape: tuple[int, ...]
    inexact: tuple[str, ...]

    @property
    def method(self) -> str:
        """The method in words, with everything that is not exact."""
        return "; ".join(("CRP EpsilonPlusFlat", *self.inexact))


def rules_for(model: nn.Module, layer: str, image: Tensor) -> Rules:
    """Watch one image (1, 3, height, width) go through the model up to `layer`."""
    watch = _Watch(model)
    with frozen(model):
        with torch.no_grad():
            plain = run_to(model, layer, image).clone()
        with watch, FunctionRules() as functions:
            output = run_to(model, layer, image.detach().clone().requires_grad_()).detach()
    if not _same(output, plain):
        raise ValueError(
            f"Up to layer {layer!r} this model changes tensors in place in a way that the rules of "
            "relevance propagation cannot follow; write these operations out of place, or give "
            "TargetModel a composite of your own."
        )
    merges = watch.merges()
    if merges:
        with frozen(model), torch.no_grad(), merged(model, merges):
            merges = merges if _same(run_to(model, layer, image), plain) else ()
    inexact = []
    if len(merges) < watch.norms:
        inexact.append(f"{watch.norms - len(merges)} of {watch.norms} batch norms not merged")
    inexact += functions.notes
    return Rules(
        merges=merges,
        attention=frozenset(functions.attention),
        shape=tuple(plain.shape[1:]),
        inexact=tuple(inexact),
    )


def _same(output: Tensor, expected: Tensor) -> bool:
    """Tell whether the network computes the same, up to rounding; a wrong merge is far off."""
    return bool((output - expected).abs().max() <= 0.01 * float(expected.abs().max()))


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


def crp(
    model: nn.Module,
    layer: str,
    images: Tensor,
    start: Callable[[Tensor], Tensor],
    rules: Rules | Composite,
) -> Tensor:
    """Propagate relevance of a layer's output back to the input.

    A batch norm behind the layer has no part in it: if a convolution is chosen, its neurons are the
    convolution's output, as for its activations.

    Parameters
    ----------
    model, layer
        In evaluation mode.
    images
        (batch, 3, height, width).
    start
        From the layer's output, detached, to its relevance. For a channel as neuron that is its
        own output, as in zennit-crp's ``CondAttribution`` with the layer as its start.
    rules
        What `rules_for` found, or a composite of zennit with its canonizers.

    Returns
    -------
    Tensor
        (batch, height, width) float32, signed, summed over colours.

    Raises
    ------
    ValueError
        If the layer's output does not depend on the images.
    """
    attached = merged(model, rules.merges) if isinstance(rules, Rules) else rules.context(model)
    functions = FunctionRules() if isinstance(rules, Rules) else nullcontext()
    with frozen(model), attached:
        data = images.detach().clone().requires_grad_()
        with functions:
            output = run_to(model, layer, data)
        if not output.requires_grad:
            raise ValueError(f"Layer {layer!r} has no gradient to the image: it is detached.")
        (relevance,) = torch.autograd.grad(output, data, start(output.detach()))
    return relevance.detach().sum(1).float()


def run_to(model: nn.Module, layer: str, images: Tensor) -> Tensor:
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
def frozen(model: nn.Module) -> Iterator[None]:
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
def merged(model: nn.Module, merges: tuple[tuple[str, str], ...]) -> Iterator[None]:
    """Merge batch norms into the layers before them; undo it whatever happens."""
    with ExitStack() as stack:
        for source, norm in merges:
            for canonizer in NamedMergeBatchNorm([([source], norm)]).apply(model):
                stack.callback(canonizer.remove)
            module = model.get_submodule(norm)
            left = (1 + float(vars(module)["eps"])) ** -0.5
            factor = left if left > _NEARLY_ONE else 1.0
            module.forward = lambda values, factor=factor: values * factor
            stack.callback(module.__dict__.pop, "forward")
        yield


def _mergeable(norm: nn.Module) -> bool:
    keys = ("weight", "bias", "running_mean", "running_var")
    if norm.training or "forward" in vars(norm):  # the forward of another library
        return False
    return all(getattr(norm, key, None) is not None for key in keys)
