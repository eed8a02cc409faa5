"""The rules of zennit's EpsilonPlusFlat, for every call of a function rather than for modules.

Modules call the same functions as functional code does, so that both get the same rules, layers
that are used twice get theirs twice, and no gradient is computed only to be replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

_STABILISER = 1e-6
_CONVOLUTIONS = {f"conv{kind}{n}d" for kind in ("", "_transpose") for n in "123"}
_LINEAR_ARGUMENTS = ("input", "weight", "bias")
_MATRICES = {"matmul", "__matmul__", "__rmatmul__", "bmm", "einsum", "addmm", "baddbmm"}
_ADDITIONS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
_PRODUCTS = {"mul", "__mul__", "__rmul__", "multiply"}
_QUOTIENTS = {"div", "__truediv__", "divide", "true_divide"}
_IN_PLACE = {"mul_", "__imul__", "multiply_", "div_", "__itruediv__", "divide_"}
_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "softmax"}
ACTIVATIONS = {
    "celu",
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "tanh",
}
_NORMS = {"batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"}
_AVERAGES = {"avg_pool2d", "adaptive_avg_pool2d", "mean"}


class _Linear(torch.autograd.Function):
    """A linear operation that hands relevance back by a rule instead of its gradient."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None, operation: Any, rule: Any
    ) -> Tensor:
        output: Tensor = operation(values, weight, bias)
        ctx.save_for_backward(values, weight, bias, output if rule is _epsilon else None)
        ctx.operation, ctx.rule = operation, rule
        return output

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        return ctx.rule(grads[0], ctx.operation, *ctx.saved_tensors), None, None, None, None


def _spread(operation: Any, values: Tensor, relevance: Callable[[Tensor], Tensor]) -> Tensor:
    """Take the gradient of ``operation`` with what ``relevance`` makes of its output."""
    with torch.enable_grad():
        leaf = values.detach().requires_grad_()
        output = operation(leaf)
        (gradient,) = torch.autograd.grad(output, leaf, relevance(output.detach()))
    return gradient


def _epsilon(
    relevance: Tensor, operation: Any, values: Tensor, weight: Tensor, bias: Any, output: Tensor
) -> Tensor:
    """LRP-ε, with the bias taking its share (Bach et al. 2015)."""
    share = relevance / stable(output)
    return values * _spread(lambda v: operation(v, weight, bias), values, lambda _: share)


def _z_plus(
    relevance: Tensor, operation: Any, values: Tensor, weight: Tensor, bias: Any, _output: Any
) -> Tensor:
    """LRP-z⁺ (Montavon et al. 2017), without its second half where that is zero: behind a ReLU."""
    upper = None if bias is None else bias.clamp(min=0)
    parts = [(values.clamp(min=0), weight.clamp(min=0), upper)]
    if values.amin() < 0:
        parts.append((values.clamp(max=0), weight.clamp(max=0), None))
    with torch.enable_grad():
        leaves = [part[0].requires_grad_() for part in parts]
        outputs = [operation(*part) for part in parts]
        total = outputs[0].detach() if len(parts) == 1 else sum(o.detach() for o in outputs)
        share = relevance / (total + _STABILISER)  # no summand is negative
        gradients = torch.autograd.grad(outputs, leaves, [share] * len(parts))
    products = [leaf.detach() * g for leaf, g in zip(leaves, gradients, strict=True)]
    return products[0] if len(products) == 1 else products[0] + products[1]


def _flat(
    relevance: Tensor, operation: Any, values: Tensor, weight: Tensor, _bias: Any, _output: Any
) -> Tensor:
    """Spread relevance evenly over the field of each output (Lapuschkin et al. 2019)."""
    if values.ndim == weight.ndim == 4 and values.shape[1] == weight.shape[1]:
        # All channels are alike: one stands for all, which is far less work.
        count = values.shape[1]
        one = torch.ones_like(values[:, :1])
        field = torch.ones_like(weight[:1, :1])
        summed = relevance.sum(1, keepdim=True) / count
        spread = _spread(
            lambda v: operation(v, field, None), one, lambda z: summed / (z + _STABILISER)
        )
        return spread.expand_as(values)
    flat = torch.ones_like(weight)
    return _spread(
        lambda v: operation(v, flat, None),
        torch.ones_like(values),
        lambda z: relevance / (z + _STABILISER),
    )


def stable(values: Tensor, step: float = _STABILISER) -> Tensor:
    """Move values away from zero, as zennit does."""
    return torch.where(values < 0, values - step, values + step)


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
        share = grads[0] / stable(total)
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
            (share,) = torch.autograd.grad(mean, leaf, grads[0] / stable(mean.detach()))
        return values * share, None


class _Unchanged(torch.autograd.Function):
    """An operation on each value that hands relevance on as it is."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor, operation: Callable[[Tensor], Tensor]) -> Tensor:
        return operation(values)

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


class LinearCall(NamedTuple):
    """A call of a linear function, and how to repeat it with other values and weights."""

    values: Tensor
    weight: Tensor
    bias: Tensor | None
    operation: Callable[[Tensor, Tensor, Tensor | None], Tensor]


def linear_call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LinearCall:
    """Take the arguments of ``torch.nn.functional.linear`` or a convolution apart."""
    given = dict(zip(_LINEAR_ARGUMENTS, args, strict=False)) | kwargs
    values, weight, bias = (given.pop(key, None) for key in _LINEAR_ARGUMENTS)
    return LinearCall(values, weight, bias, lambda v, w, b: func(v, w, b, *args[3:], **given))


class FunctionRules(TorchFunctionMode):
    """Gives functional code the rules of its modules; notes what the papers on CRP do not cover.

    A gate that weights the channels of a map is taken as constant: the map gets all relevance, as
    with the gates of an LSTM (Arras et al., Explaining and Interpreting LSTMs, 2019).
    """

    def __init__(self) -> None:
        super().__init__()
        self.attention: set[str] = set()  # functions that were called
        self._began = False  # whether the first linear layer has been seen
        self.notes: dict[str, None] = {}  # an ordered set

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        kwargs = kwargs or {}
        self.attention |= {name} & _ATTENTION
        if name == "linear" or name in _CONVOLUTIONS:
            return self._linear(func, name, args, kwargs)
        if not any(map(_is_activation, args[:2])):
            return func(*args, **kwargs)
        if name in _ADDITIONS and not kwargs and _are_activations(args):
            return _Sum.apply(*args, name in {"add_", "__iadd__"})
        if name in _PRODUCTS and not kwargs:
            return self._product(func, args)
        if name in _MATRICES | _IN_PLACE or (name in _QUOTIENTS and _is_activation(args[1])):
            self._note("some products by gradient")
            return func(*args, **kwargs)
        return self._elementwise(func, name, args, kwargs)

    def _elementwise(
        self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        def call(values: Tensor) -> Any:
            return func(values, *args[1:], **kwargs)

        if not _is_activation(args[0]):
            return func(*args, **kwargs)
        if name in _QUOTIENTS and not kwargs:
            return self._scaled(func, args, 0)
        if name in _AVERAGES and args[0].ndim == 4:
            return _Average.apply(args[0], call)
        if name in ACTIVATIONS:
            return _Unchanged.apply(args[0], lambda values: call(values.clone()))  # it may mutate
        if name in _NORMS:
            if name != "batch_norm":
                self._note("norms over one image pass relevance on")
            return _Unchanged.apply(args[0], call)
        return func(*args, **kwargs)

    def _note(self, words: str) -> None:
        self.notes[words] = None

    def _linear(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = linear_call(func, args, kwargs)
        if not _is_activation(call.values):
            return func(*args, **kwargs)
        rule = _flat if not self._began else _epsilon if name == "linear" else _z_plus
        self._began = True
        return _Linear.apply(call.values, call.weight, call.bias, call.operation, rule)

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
