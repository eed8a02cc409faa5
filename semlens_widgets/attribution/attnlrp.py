"""Relevance through transformers by AttnLRP.

AttnLRP [1]_ propagates relevance as gradient times input, after a few operations got other
gradients: norms take their deviation as constant (identity rule), activations pass relevance on
(equation 9), attention divides it evenly among its factors (equation 7). Within
``torch.nn.MultiheadAttention`` it stops at queries and keys instead (CP-LRP [2]_), as the authors'
library ``lxt`` does for vision transformers, with gamma rules at linear layers as in its example.

A product of two activations shares relevance evenly as well (the gated units of SwiGLU); of norms
written out as a product or a quotient, the deviation is taken as constant.

The library rewrites classes of torch, torchvision and zennit for the whole process. Here functions
are replaced while one forward pass runs, so that nobody else's model is touched; the heatmaps are
the library's own.

.. [1] Achtibat et al., AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers,
   ICML 2024 (arXiv 2402.05602).
.. [2] Ali et al., XAI for Transformers: Better Explanations through Conservative Propagation,
   ICML 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from semlens_widgets.attribution.crp import arrived_share, frozen, run_to, watched
from semlens_widgets.attribution.propagation import (
    Call,
    LinearLayer,
    Propagation,
    is_activation,
    is_gate,
    linear_layer,
)
from semlens_widgets.attribution.rules import stable

if TYPE_CHECKING:
    from collections.abc import Callable

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
) -> tuple[Tensor, Tensor]:
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
    maps : Tensor
        (batch, height, width) float32, signed, summed over colours.
    arrived : Tensor
        (batch,) float32, the share of the relevance that started that arrived.
    """
    with frozen(model):
        data = images.detach().clone().requires_grad_()
        with AttentionRules(gammas):
            output = run_to(model, layer, data.clone())  # which the model may change in place
        started = start(output.detach())
        (gradient,) = torch.autograd.grad(output, data, started)
    maps = (images * gradient).detach().sum(1).float()
    return maps, arrived_share(maps, started * output.detach())


def inexact_in_attnlrp(model: nn.Module, layer: str, image: Tensor) -> tuple[str, ...]:
    """Say what AttnLRP does not cover up to a layer, by watching one image (1, 3, h, w)."""
    with frozen(model):
        functions = AttentionRules(GAMMAS, watch=True)
        watched(model, layer, image, functions)
    return functions.notes


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
    def forward(ctx: Any, values: Tensor, layer: LinearLayer, gamma: float) -> Tensor:
        output = layer.operation(values, layer.weight, layer.bias)
        ctx.save_for_backward(values, output)
        ctx.layer, ctx.gamma = layer, gamma
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        values, output = ctx.saved_tensors
        weight, bias = (
            None if p is None else p + ctx.gamma * p.clamp(min=0)
            for p in (ctx.layer.weight, ctx.layer.bias)
        )
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            raised = ctx.layer.operation(leaf, weight, bias)
            share = grads[0] * output / stable(raised.detach())
            (gradient,) = torch.autograd.grad(raised, leaf, share)
        return values * gradient / stable(values, _TINY), None, None


class AttentionRules(Propagation):
    """Gives functions the gradients of AttnLRP."""

    def __init__(self, gammas: Gammas, *, watch: bool = False) -> None:
        super().__init__(
            {
                "gamma": self._linear,
                "identity": self.passed,
                "curve": self._curve,
                "norm": self._norm,
                "matrix": self._matrix,
                "product": self._product,
                "quotient": self._quotient,
                "shared": self._attention,
                "values": self._attention_of_modules,
            },
            "attnlrp",
            watch=watch,
        )
        self._gammas = gammas

    def passed(self, call: Call, factor: float = 1.0, output: Tensor | None = None) -> Tensor:
        """Hand relevance to the values; what else depends on the image takes none."""
        values, *others = call.leaves
        fixed, repeat = [other.detach() for other in others], call.repeated()
        result: Tensor = _Identity.apply(
            values, lambda v: factor * (repeat(v, *fixed) if output is None else output)
        )
        return result

    def _linear(self, call: Call) -> Any:
        values, layer = linear_layer(call)
        gamma = self._gammas[call.name == "linear"]
        if not gamma or not is_activation(values) or len(call.leaves) > 1:
            return call.plain() if len(call.leaves) == 1 else self._matrix(call)
        return self.made_by(_Gamma.apply(values, layer, gamma), layer)

    def _matrix(self, call: Call) -> Any:
        """Share relevance evenly among the factors (equation 7)."""
        count = len(call.leaves)
        if count == 1:
            return call.plain()
        return call.repeated()(*(_Shared.apply(leaf, count) for leaf in call.leaves))

    def _product(self, call: Call) -> Any:
        if len(call.leaves) == 1:
            return call.plain()
        a, b = call.leaves
        for values, gate in ((a, b), (b, a)):
            if is_gate(gate, values):
                result = values * gate.detach()
                self.note("gates take no relevance", [result])
                return result
        return self._matrix(call)

    def _quotient(self, call: Call) -> Any:
        if not is_activation(call.args[0]):
            return self._curve(call)
        if len(call.leaves) == 1:
            return call.plain()
        values, divisor = call.leaves
        result = call.repeated()(values, divisor.detach())
        self.note("divisors take no relevance", [result])
        return result

    def _curve(self, call: Call) -> Any:
        if len(call.leaves) > 1:
            result = call.plain()
            self.note(f"{call.name} by gradient", [result])
            return result
        result = self.passed(call)
        self.note(f"{call.name} passes relevance on", [result])
        return result

    def _norm(self, call: Call) -> Tensor:
        """Take the deviation as constant to the gradient, which is the identity rule."""
        if call.name == "layer_norm":
            return _layer_norm(*call.args, **call.kwargs)
        if call.name == "rms_norm":
            return _rms_norm(*call.args, **call.kwargs)
        result = self.passed(call)
        self.note("norms over one image pass relevance on", [result])
        return result

    @staticmethod
    def _attention(call: Call) -> Any:
        """Halve relevance at the product with the values, and at that of queries and keys."""
        query, key, value = call.args[:3]
        shared = (_Shared.apply(query, 4), _Shared.apply(key, 4), _Shared.apply(value, 2))
        return call.function(*shared, *call.args[3:], **call.kwargs)

    @staticmethod
    def _attention_of_modules(call: Call) -> Any:
        query, key = call.args[0].detach(), call.args[1].detach()
        return call.function(query, key, *call.args[2:], **call.kwargs)


def _layer_norm(
    input: Tensor,  # noqa: A002 - as torch.nn.functional.layer_norm has it
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    centred = input - input.mean(axes, keepdim=True)
    deviation = (centred.detach().square().mean(axes, keepdim=True) + eps).sqrt()
    normed = centred / deviation
    normed = normed if weight is None else normed * weight
    return normed if bias is None else normed + bias


def _rms_norm(
    input: Tensor,  # noqa: A002 - as torch.nn.functional.rms_norm has it
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    normed = input / (input.detach().square().mean(axes, keepdim=True) + eps).sqrt()
    return normed if weight is None else normed * weight
