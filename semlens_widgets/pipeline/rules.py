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
_PRODUCTS = {"mul", "__mul__", "__rmul__", "multiply"}
_QUOTIENTS = {"div", "__truediv__", "divide", "true_divide"}
_IN_PLACE = {"mul_", "__imul__", "multiply_", "div_", "__itruediv__", "divide_"}
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
_NORMS = {"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"}
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
    """An operation on each value that hands relevance on as it is."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor, operation: Callable[[Tensor], Tensor]) -> Tensor:
        return operation(values.clone())  # it may work in place

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class _Product(torch.autograd.Function):
    """A product of two activations of one shape, which share relevance evenly.

    The uniform rule of AttnLRP (arXiv 2402.05602, equation 7).
    """

    @staticmethod
    def forward(_ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        return grads[0] / 2, grads[0] / 2


class FunctionRules(TorchFunctionMode):
    """Gives functional code the rules of its modules; notes what the papers on CRP do not cover.

    A gate that weights the channels of a map is taken as constant: the map gets all relevance, as
    with the gates of an LSTM (Arras et al., Explaining and Interpreting LSTMs, 2019).
    """

    def __init__(self) -> None:
        super().__init__()
        self.attention = False
        self.notes: dict[str, None] = {}  # an ordered set

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        self.attention |= name in _ATTENTION
        if name in _ADDITIONS and not kwargs and _are_activations(args):
            return _Sum.apply(*args, name in {"add_", "__iadd__"})
        if name in _PRODUCTS and not kwargs and any(map(_is_activation, args)):
            return self._product(func, args)
        if args and _is_activation(args[0]):
            if name in _AVERAGES and args[0].ndim == 4:
                return _Average.apply(args[0], lambda values: func(values, *args[1:], **kwargs))
            if name in _ACTIVATIONS or name in _NORMS:
                if name in _NORMS - {"batch_norm"}:
                    self._note("norms over one image pass relevance on")
                return _Unchanged.apply(args[0], lambda values: func(values, *args[1:], **kwargs))
            if name in _QUOTIENTS and not kwargs and not _is_activation(args[1]):
                return self._scaled(func, args, 0)
            if name in _IN_PLACE | _QUOTIENTS:
                self._note("some products by gradient")
        return func(*args, **kwargs)

    def _note(self, words: str) -> None:
        self.notes[words] = None

    def _product(self, func: Any, args: tuple[Any, ...]) -> Any:
        varying = [_is_activation(arg) for arg in args]
        if not all(varying):
            return self._scaled(func, args, varying.index(True))
        a, b = args
        shape = _common_shape(a, b)
        if a.shape == b.shape:
            self._note("factors share relevance evenly")
            return _Product.apply(a, b)
        if shape in {a.shape, b.shape}:
            self._note("gates take no relevance")
            parts = (a, b.detach()) if shape == a.shape else (a.detach(), b)
            return self._scaled(func, parts, 0 if shape == a.shape else 1)
        self._note("some products by gradient")
        return func(a, b)

    @staticmethod
    def _scaled(func: Any, args: tuple[Any, ...], which: int) -> Any:
        """Multiply or divide by what takes no relevance."""
        values, other = args[which], args[1 - which]
        if isinstance(other, Tensor) and other.ndim:
            shape = _common_shape(values, other)
            if shape != values.shape:  # repeated along new axes
                values = values.expand(shape)
        order = (lambda v: func(v, other)) if which == 0 else (lambda v: func(other, v))
        return _Unchanged.apply(values, order)


def _common_shape(a: Tensor, b: Tensor) -> torch.Size:
    shape: torch.Size = torch.broadcast_shapes(a.shape, b.shape)  # type: ignore[no-untyped-call]
    return shape


def _is_activation(value: Any) -> bool:
    """Tell whether this is a tensor that depends on the image."""
    return isinstance(value, Tensor) and value.requires_grad


def _are_activations(args: tuple[Any, ...]) -> bool:
    """Tell whether these are two tensors of one shape that both depend on the image."""
    return len(args) == 2 and all(map(_is_activation, args)) and args[0].shape == args[1].shape
