"""Relevance through transformers by AttnLRP.

AttnLRP [1]_ propagates relevance as gradient times input, after a few operations got other
gradients: norms take their deviation as constant (identity rule), activations pass relevance on
(equation 9), attention divides it evenly among its factors (equation 7). Within
``torch.nn.MultiheadAttention`` it stops at queries and keys instead (CP-LRP [2]_), as the authors'
library ``lxt`` does for vision transformers, with gamma rules at linear layers as in its example.

The library rewrites classes of torch, torchvision and zennit for the whole process. Here functions
are replaced while one forward pass runs, so that nobody else's model is touched; the heatmaps are
the library's own.

.. [1] Achtibat et al., AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers,
   ICML 2024 (arXiv 2402.05602).
.. [2] Ali et al., XAI for Transformers: Better Explanations through Conservative Propagation,
   ICML 2022.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semlens_widgets.pipeline.attribution import frozen, run_to
from semlens_widgets.pipeline.rules import ACTIVATIONS, linear_call, stable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Gammas = tuple[float, float]
GAMMAS: Gammas = (0.25, 0.05)  # at convolutions and dense layers, as in lxt's ViT-B/16 example
KNOWN_ATTENTION = frozenset({"multi_head_attention_forward", "scaled_dot_product_attention"})
METHOD = "AttnLRP, gamma 0.25 and 0.05"
_TINY = 1e-10  # keeps quotients of gradient times input finite, as in lxt


def attnlrp(
    model: nn.Module,
    layer: str,
    images: Tensor,
    start: Callable[[Tensor], Tensor],
    gammas: Gammas = GAMMAS,
) -> Tensor:
    """Propagate relevance of a layer's output back to the input.

    Parameters
    ----------
    model, layer
        In evaluation mode; attention before the layer is of `KNOWN_ATTENTION`.
    images
        (batch, 3, height, width).
    start
        From the layer's output, detached, to the gradient that relevance starts with: relevance of
        the output divided by the output.
    gammas
        How much more positive weights count at convolutions and dense layers; 0 is LRP-0.

    Returns
    -------
    Tensor
        (batch, height, width) float32, signed, summed over colours.
    """
    with frozen(model), written_out_activations(model):
        data = images.detach().clone().requires_grad_()
        with AttentionRules(gammas):
            output = run_to(model, layer, data)
        (gradient,) = torch.autograd.grad(output, data, start(output.detach()))
    return (images * gradient).detach().sum(1).float()


class _Identity(torch.autograd.Function):
    """An activation that passes relevance on (equation 9), as gradient times input."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        output = activation(values.clone())  # it may work in place
        ctx.save_for_backward(output / (values + _TINY))
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.saved_tensors[0], None


class _Shared(torch.autograd.Function):
    """A factor that gets one of several even shares of relevance (equation 7)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, shares: int) -> Tensor:
        ctx.shares = shares
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] / ctx.shares, None


class _Gamma(torch.autograd.Function):
    """A linear layer with the gamma rule (Montavon et al. 2019), as gradient times input."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, call: Any, gamma: float) -> Tensor:
        output: Tensor = call.operation(values, call.weight, call.bias)
        ctx.save_for_backward(values, output)
        ctx.call, ctx.gamma = call, gamma
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        values, output = ctx.saved_tensors
        weight, bias = (
            None if p is None else p + ctx.gamma * p.clamp(min=0)
            for p in (ctx.call.weight, ctx.call.bias)
        )
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            raised = ctx.call.operation(leaf, weight, bias)
            share = grads[0] * output / stable(raised.detach())
            (gradient,) = torch.autograd.grad(raised, leaf, share)
        return values * gradient / stable(values, _TINY), None, None


class AttentionRules(TorchFunctionMode):
    """Gives functions the gradients of AttnLRP."""

    def __init__(self, gammas: Gammas) -> None:
        super().__init__()
        self._gammas = gammas

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        if name in {"conv2d", "linear"}:
            call = linear_call(func, args, kwargs)
            gamma = self._gammas[name == "linear"]
            if gamma and call.values.requires_grad:
                return _Gamma.apply(call.values, call, gamma)
        if name == "layer_norm":
            return _norm(*args, **kwargs)
        if name in ACTIVATIONS | {"relu"}:
            return _Identity.apply(args[0], lambda values: func(values, *args[1:], **kwargs))
        if name == "multi_head_attention_forward":
            args = (args[0].detach(), args[1].detach(), *args[2:])
        if name == "scaled_dot_product_attention":
            query, key, value = args[:3]
            # Relevance of the products of attention and values, and of queries and keys, is halved.
            args = (
                _Shared.apply(query, 4),
                _Shared.apply(key, 4),
                _Shared.apply(value, 2),
                *args[3:],
            )
        return func(*args, **kwargs)


def _norm(
    input: Tensor,  # noqa: A002 - as torch.nn.functional.layer_norm has it
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer norm whose deviation is constant to the gradient, which is the identity rule."""
    axes = tuple(range(-len(normalized_shape), 0))
    centred = input - input.mean(axes, keepdim=True)
    deviation = (centred.detach().square().mean(axes, keepdim=True) + eps).sqrt()
    normed = centred / deviation
    normed = normed if weight is None else normed * weight
    return normed if bias is None else normed + bias


@contextmanager
def written_out_activations(model: nn.Module) -> Iterator[None]:
    """Give QuickGELU, which is written out as a product, the rule of activations."""
    with ExitStack() as stack:
        for module in model.modules():
            if type(module).__name__ == "QuickGELU" and "forward" not in vars(module):
                plain = module.forward
                module.forward = lambda values, plain=plain: _plain_identity(values, plain)
                stack.callback(vars(module).pop, "forward")
        yield


def _plain_identity(values: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    with torch._C.DisableTorchFunction():  # noqa: SLF001 - of the functions that it is made of
        result: Tensor = _Identity.apply(values, activation)
    return result
