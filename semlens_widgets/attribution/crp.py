"""Concept relevance propagation from one neuron to the input, for any convolutional network.

CRP [1]_ starts layer-wise relevance propagation at a single channel. The rules are zennit's
``EpsilonPlusFlat``: flat at the first layer, z⁺ at convolutions, epsilon at dense layers. They
suppose a canonical network, and how far a network is from that is found by watching one forward
pass rather than by its class name, so that functional code is served as well
(`semlens_widgets.attribution.operations` has all of it):

- batch norms are merged into the convolution whose output they take;
- sums (residuals) and averages share relevance in proportion to the parts;
- norms over one image pass relevance on unchanged, as in AttnLRP [2]_;
- a product of two activations shares it evenly, unless one of them is a gate, which gets none;
- what is not covered by the papers on CRP, or left to plain gradients, is told in `Rules.inexact`.

.. [1] Achtibat et al., From attribution maps to human-understandable explanations through Concept
   Relevance Propagation, Nature Machine Intelligence 2023.
.. [2] Achtibat et al., AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers,
   ICML 2024 (arXiv 2402.05602).
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from semlens_widgets.attribution.gradients import detached
from semlens_widgets.attribution.rules import FunctionRules
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.draws import DRAWS, alike
from semlens_widgets.inputs.layers import first_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zennit.core import Composite

    from semlens_widgets.attribution.propagation import Propagation


class _ReachedError(BaseException):
    """Leaves the forward pass once the layer's output is there."""


@dataclass(frozen=True)
class Rules:
    """What one forward pass up to a layer has shown about how to propagate relevance.

    Attributes
    ----------
    attention : frozenset of str
        Functions of attention before the layer, where these rules do not hold.
    shape : tuple of int
        Of the layer's output for one image.
    inexact : tuple of str
        What the rules do not cover, in words.
    """

    attention: frozenset[str]
    shape: tuple[int, ...]
    inexact: tuple[str, ...]

    @property
    def method(self) -> str:
        """The method in words, with everything that is not exact."""
        return "; ".join(("CRP EpsilonPlusFlat", *self.inexact))


def rules_for(model: nn.Module, layer: str, image: Tensor) -> Rules:
    """Watch one image (1, 3, height, width) go through the model up to `layer`."""
    with frozen(model):
        with torch.no_grad():
            plain = run_to(model, layer, image).clone()
            again = run_to(model, layer, image).clone()
        if not alike(again, plain):
            raise ModelError(DRAWS)
        functions = FunctionRules(watch=True)
        output = watched(model, layer, image, functions)
    if not alike(output, plain):
        raise ValueError(
            f"Up to layer {layer!r} this model changes tensors in place in a way that the rules of "
            "relevance propagation cannot follow; write these operations out of place, or give "
            "TargetModel a composite of your own."
        )
    return Rules(
        attention=frozenset(functions.attention),
        shape=tuple(plain.shape[1:]),
        inexact=functions.notes,
    )


def watched(model: nn.Module, layer: str, image: Tensor, functions: Propagation) -> Tensor:
    """Propagate from all of a layer's output, to see what is not exact; return the output."""
    data = image.detach().clone().requires_grad_()
    with functions:
        output = run_to(model, layer, data.clone())
        functions.expect(output)
    if output.requires_grad:
        torch.autograd.grad(output, data, torch.ones_like(output), allow_unused=True)
    return output.detach()


def crp(
    model: nn.Module,
    layer: str,
    images: Tensor,
    start: Callable[[Tensor], Tensor],
    rules: Rules | Composite,
    *,
    by_sign: bool = False,
) -> tuple[Tensor, Tensor]:
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
    by_sign
        Whether the neurons are poles, see :class:`semlens_widgets.attribution.rules.FunctionRules`.

    Returns
    -------
    maps : Tensor
        (batch, height, width) float32, signed, summed over colours.
    arrived : Tensor
        (batch,) float32, the share of the relevance that started, see `arrived_share`.

    Raises
    ------
    ValueError
        If the layer's output does not depend on the images.
    """
    functions = FunctionRules(by_sign=by_sign) if isinstance(rules, Rules) else nullcontext()
    attached = nullcontext() if isinstance(rules, Rules) else rules.context(model)
    with frozen(model), attached:
        data = images.detach().clone().requires_grad_()
        with functions:
            output = run_to(model, layer, data.clone())  # which the model may change in place
        if not output.requires_grad:
            raise ModelError(detached(f"Layer {layer!r}"))
        started = start(output.detach())
        (relevance,) = torch.autograd.grad(output, data, started)
    maps = relevance.detach().sum(1).float()
    return maps, arrived_share(maps, started)


def arrived_share(maps: Tensor, started: Tensor) -> Tensor:
    """Return the sum of each map (batch, height, width) as a share of the relevance that started.

    NaN where none started, infinite where a map is not finite or what started sums to nothing.
    Relevance of both signs may sum to almost nothing, of which anything is a large share: the share
    is honest, the map may still be fine.
    """
    started = started.detach().double().flatten(1)
    total = started.sum(1)
    share = maps.double().sum((1, 2)) / total
    known = maps.isfinite().flatten(1).all(1) & (total != 0)
    share = torch.where(known, share, torch.inf)
    return torch.where(started.any(1), share, torch.nan).float()


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


class _Originals(WeakKeyDictionary[Any, Tensor]):
    """The tensors that were saved for the backward pass; those that were changed since live on.

    PyTorch tells saved tensors apart by where they lie. Of one that was changed it saves a copy and
    lets the first go; another one in its place would be taken for it, and the copy be handed out
    instead, which gives wrong relevance.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed: list[Tensor] = []

    def __delitem__(self, handle: Any) -> None:
        self._changed.append(self[handle])
        super().__delitem__(handle)


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
            torch.autograd.set_multithreading_enabled(False),  # no CUDA context in other threads
            torch.autograd.graph.allow_mutation_on_saved_tensors() as saved,  # relu(x), then +=
        ):
            saved.original = _Originals()
            yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
