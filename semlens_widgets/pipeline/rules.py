"""The rules of zennit's EpsilonPlusFlat, for modules and for functional code alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from zennit.core import Hook, stabilize
from zennit.rules import Epsilon, Flat, Norm, Pass, ZPlus
from zennit.types import Activation, AvgPool, Convolution

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDITIONS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
_PRODUCTS = {"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"}
_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "softmax"}
_ACTIVATIONS = {
    "celu",
    "elu",
    "gelu",
    "hardswish",
    "leaky_relu",
    "mish",
    "selu",
    "silu",
    "softplus",
}
_NORMS = {"group_norm", "instance_norm", "layer_norm"}
_AVERAGES = {"avg_pool2d", "adaptive_avg_pool2d", "mean"}


class EpsilonPlusFlat:
    """Which module gets which rule: EpsilonPlusFlat, with the first layer as it is executed."""

    def __init__(self, first: str) -> None:
        self._first = first
        self._rules: tuple[tuple[type, Hook], ...] = (
            (Activation, Pass()),
            (AvgPool, Norm()),
            (Convolution, _ZPlus()),
            (nn.Linear, Epsilon()),
        )

    def __call__(self, _context: dict[str, Any], name: str, module: nn.Module) -> Hook | None:
        """Return the rule of one module, as zennit's composites ask for it."""
        if name == self._first:
            return Flat()
        return next((rule for kind, rule in self._rules if isinstance(module, kind)), None)


class _ZPlus(ZPlus):  # type: ignore[misc]
    """The z⁺ rule without the half that is zero when all inputs are positive, as after a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self._halves: list[Any] = self.input_modifiers
        self.gradient_mapper = lambda grad, outputs: [grad / stabilize(sum(outputs))] * len(outputs)
        self.reducer = lambda inputs, grads: sum(x * g for x, g in zip(inputs, grads, strict=True))

    def backward(self, module: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        positive = bool((self.stored_tensors["input"][0] >= 0).all())
        self.input_modifiers = self._halves[:1] if positive else self._halves
        return super().backward(module, grad_input, grad_output)

    def copy(self) -> _ZPlus:
        return _ZPlus()


class _Sum(torch.autograd.Function):
    """A sum that shares relevance in proportion to its summands."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, in_place: bool) -> Tensor:
        total = a + b
        if in_place:
            ctx.save_for_backward(a.clone(), b, total)
            ctx.mark_dirty(a)
            return a.copy_(total)
        ctx.save_for_backward(a, b, total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        a, b, total = ctx.saved_tensors
        share = grads[0] / stabilize(total)
        return a * share, b * share, None


class _Average(torch.autograd.Function):
    """An average over positions that shares relevance in proportion to what is averaged."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, average: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(values)
        ctx.average = average
        return average(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (values,) = ctx.saved_tensors
        with torch.enable_grad():
            leaf = values.detach().requires_grad_()
            mean = ctx.average(leaf)
            (share,) = torch.autograd.grad(mean, leaf, grads[0] / stabilize(mean.detach()))
        return values * share, None


class _Unchanged(torch.autograd.Function):
    """An activation function that hands relevance on as it is."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
        return activation(values.clone())  # it may work in place

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class FunctionRules(TorchFunctionMode):
    """Gives functional code the rules of its modules; notes what has no rule."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = False
        self.products = False
        self.norms = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        self.attention |= name in _ATTENTION
        if name in _ADDITIONS and not kwargs and _are_activations(args):
            return _Sum.apply(*args, name in {"add_", "__iadd__"})
        if args and isinstance(args[0], Tensor) and args[0].requires_grad:
            if name in _AVERAGES and args[0].ndim == 4:
                return _Average.apply(args[0], lambda values: func(values, *args[1:], **kwargs))
            if name in _ACTIVATIONS:
                return _Unchanged.apply(args[0], lambda values: func(values, *args[1:], **kwargs))
        self.norms |= name in _NORMS
        self.products |= name in _PRODUCTS and all(isinstance(arg, Tensor) for arg in args)
        return func(*args, **kwargs)


def _are_activations(args: tuple[Any, ...]) -> bool:
    """Tell whether these are two tensors of one shape that both depend on the image."""
    return (
        len(args) == 2
        and all(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        and args[0].shape == args[1].shape
    )
