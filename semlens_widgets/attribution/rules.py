"""The rules of zennit's EpsilonPlusFlat, for every call of a function rather than for modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from semlens_widgets.attribution.propagation import (
    Call,
    LinearLayer,
    Propagation,
    is_activation,
    is_gate,
    linear_layer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_STABILISER = 1e-6


class _Linear(torch.autograd.Function):
    """A linear operation that hands relevance back by a rule instead of its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, layer: LinearLayer, rule: Any) -> Tensor:
        ctx.save_for_backward(values)
        ctx.layer, ctx.rule = layer, rule
        return layer.operation(values, layer.weight, layer.bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.rule(grads[0], *ctx.saved_tensors, ctx.layer), None, None


def _spread(operation: Any, values: Tensor, relevance: Callable[[Tensor], Tensor]) -> Tensor:
    """Take the gradient of ``operation`` with what ``relevance`` makes of its output."""
    with torch.enable_grad():
        leaf = values.detach().requires_grad_()
        output = operation(leaf)
        (gradient,) = torch.autograd.grad(output, leaf, relevance(output.detach()))
    return gradient


def _epsilon(relevance: Tensor, values: Tensor, layer: LinearLayer) -> Tensor:
    """LRP-ε, with the bias taking its share (Bach et al. 2015)."""
    return values * _spread(
        lambda v: layer.operation(v, layer.weight, layer.bias),
        values,
        lambda z: relevance / stable(z),
    )


def _z_plus(relevance: Tensor, values: Tensor, layer: LinearLayer) -> Tensor:
    """LRP-z⁺ (Montavon et al. 2017), without its second half where that is zero: behind a ReLU."""
    weight = layer.weight
    upper = None if layer.bias is None else layer.bias.clamp(min=0)
    parts = [(values.clamp(min=0), weight.clamp(min=0), upper)]
    if values.amin() < 0:
        parts.append((values.clamp(max=0), weight.clamp(max=0), None))
    with torch.enable_grad():
        leaves = [part[0].requires_grad_() for part in parts]
        outputs = [layer.operation(*part) for part in parts]
        total = outputs[0].detach() if len(parts) == 1 else sum(o.detach() for o in outputs)
        share = relevance / (total + _STABILISER)  # no summand is negative
        gradients = torch.autograd.grad(outputs, leaves, [share] * len(parts))
    products = [leaf.detach() * g for leaf, g in zip(leaves, gradients, strict=True)]
    return products[0] if len(products) == 1 else products[0] + products[1]


def _z_by_sign(relevance: Tensor, values: Tensor, layer: LinearLayer) -> Tensor:
    """LRP-z⁺ where an output is positive; where it is negative, by what makes it so.

    The gamma rule of Andéol et al. (Learning domain invariant representations by joint Wasserstein
    distance minimization, 2021, "generalized LRP-γ") for a large γ. Negating a layer changes
    nothing.
    """
    below = layer.operation(values, layer.weight, layer.bias) < 0
    bias = None if layer.bias is None else -layer.bias
    negated = LinearLayer(values, -layer.weight, bias, layer.operation, None, layer.axis)
    return _z_plus(relevance * ~below, values, layer) + _z_plus(relevance * below, values, negated)


def _flat(relevance: Tensor, values: Tensor, layer: LinearLayer) -> Tensor:
    """Spread relevance evenly over the field of each output (Lapuschkin et al. 2019)."""
    alike = values.ndim == layer.weight.ndim == 4 and layer.axis == 1  # a convolution of images
    if alike and values.shape[1] == layer.weight.shape[1]:
        # All channels are alike: one stands for all, which is far less work.
        count = values.shape[1]
        one = torch.ones_like(values[:, :1])
        field = torch.ones_like(layer.weight[:1, :1])
        summed = relevance.sum(1, keepdim=True) / count
        spread = _spread(
            lambda v: layer.operation(v, field, None), one, lambda z: summed / (z + _STABILISER)
        )
        return spread.expand_as(values)
    flat = torch.ones_like(layer.weight)
    return _spread(
        lambda v: layer.operation(v, flat, None),
        torch.ones_like(values),
        lambda z: relevance / (z + _STABILISER),
    )


def stable(values: Tensor, step: float = _STABILISER) -> Tensor:
    """Move values away from zero, as zennit does."""
    return torch.where(values < 0, values - step, values + step)


class _Proportional(torch.autograd.Function):
    """A function that is linear in each of its activations and shares relevance in proportion.

    With several factors each gets an even part of it: the uniform rule of AttnLRP (arXiv
    2402.05602, equation 7).
    """

    @staticmethod
    def forward(ctx: Any, call: Callable[..., Tensor], parts: int, *leaves: Tensor) -> Tensor:
        ctx.save_for_backward(*leaves)
        ctx.call, ctx.parts = call, parts
        return call(*leaves)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        with torch.enable_grad():
            leaves = [leaf.detach().requires_grad_() for leaf in saved]
            total = ctx.call(*leaves)
            share = grads[0] / (ctx.parts * stable(total.detach()))
            shares = torch.autograd.grad(total, leaves, share)
        # The gradient of a root at zero is infinite, and zero has no part in anything.
        parts = [
            torch.where(leaf == 0, 0, leaf * part) for leaf, part in zip(saved, shares, strict=True)
        ]
        return None, None, *parts


class _Unchanged(torch.autograd.Function):
    """An operation on each value that hands relevance on as it is, up to a constant factor."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, operation: Callable[[Tensor], Tensor], factor: float
    ) -> Tensor:
        ctx.factor = factor
        return operation(values) if factor == 1 else operation(values) * factor

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0] if ctx.factor == 1 else grads[0] * ctx.factor, None, None


class FunctionRules(Propagation):
    """The rules of CRP, for functions; notes what the papers on it do not cover.

    A product of two activations of one shape shares relevance evenly. A gate, repeated along some
    axis of the values that it weights, is taken as constant, as with the gates of an LSTM (Arras et
    al., Explaining and Interpreting LSTMs, 2019), and so is a divisor.

    Parameters
    ----------
    by_sign
        Let convolutions explain negative outputs by what makes them negative. z⁺ alone asks what
        makes an output positive, also where it is a negative pole that is explained.
    watch
        See :class:`semlens_widgets.attribution.propagation.Propagation`.
    """

    def __init__(self, *, by_sign: bool = False, watch: bool = False) -> None:
        super().__init__(
            {
                "linear": self._linear,
                "matrix": self._matrix,
                "addition": self._addition,
                "sum": lambda call: self._shared(call, 1),
                "degree one": self._degree_one,
                "pass": self.passed,
                "curve": self._curve,
                "product": self._product,
                "quotient": self._quotient,
                "norm": self._norm,
                "attention": self._attention,
            },
            "crp",
            watch=watch,
        )
        self._of_convolutions = _z_by_sign if by_sign else _z_plus
        self._began = False  # whether the first linear layer has been seen

    def passed(self, call: Call, factor: float = 1.0, output: Tensor | None = None) -> Tensor:
        """Hand relevance to the values; what else depends on the image takes none."""
        values, *others = call.leaves
        fixed, repeat = [other.detach() for other in others], call.repeated()
        result: Tensor = _Unchanged.apply(
            values, lambda v: repeat(v, *fixed) if output is None else output, factor
        )
        return result

    def _linear(self, call: Call) -> Tensor:
        values, layer = linear_layer(call)
        if not is_activation(values):  # the weights depend on the image
            return self._matrix(call)
        result = self._by_rule(values, layer, "linear" if call.name == "linear" else "convolution")
        if len(call.leaves) > 1:
            self.note("gates take no relevance", [result])
        return result

    def _by_rule(self, values: Tensor, layer: LinearLayer, kind: str) -> Tensor:
        later = _epsilon if kind == "linear" else self._of_convolutions
        rule = later if self._began else _flat
        self._began = True
        output: Tensor = _Linear.apply(values, layer, rule)
        return self.made_by(output, layer)

    def _matrix(self, call: Call) -> Tensor:
        if len(call.leaves) == 1 and len(call.constants) == 1:
            values, weight = call.leaves[0], call.constants[0]
            if call.name in {"matmul", "mm"} and weight.ndim == 2 and call.args[0] is values:
                layer = LinearLayer(values, weight.mT, None, torch.nn.functional.linear, 0, -1)
            else:
                layer = _contraction(call, values, weight)
            return self._by_rule(values, layer, "linear")
        return self._shared(call, len(call.leaves))

    def _shared(self, call: Call, parts: int) -> Tensor:
        result: Tensor = _Proportional.apply(call.repeated(), parts, *call.leaves)
        if parts > 1:
            self.note("factors share relevance evenly", [result])
        return result

    def _addition(self, call: Call) -> Tensor:
        if len(call.leaves) == 1:
            return self._with_constant(call)
        result = self._shared(call, 1)
        if self.parallel(call.leaves):
            self.note("parallel convolutions of one input not merged", [result])
        return result

    def _degree_one(self, call: Call) -> Tensor:
        result = self._shared(call, 1)
        self.note(f"{call.name} by gradient times input", [result])
        return result

    def _curve(self, call: Call) -> Tensor:
        result = self._with_constant(call)
        self.note(f"{call.name} passes relevance on", [result])
        return result

    def _norm(self, call: Call) -> Tensor:
        result = self.passed(call)
        self.note("norms over one image pass relevance on", [result])
        return result

    def _attention(self, call: Call) -> Any:
        self.attention.add(call.name)
        return call.plain()

    def _product(self, call: Call) -> Tensor:
        if len(call.leaves) == 1:
            return self._with_constant(call)
        a, b = call.leaves
        for values, gate in ((a, b), (b, a)):
            if is_gate(gate, values):
                fixed = gate.detach()
                result: Tensor = _Unchanged.apply(values, lambda v, fixed=fixed: v * fixed, 1.0)
                self.note("gates take no relevance", [result])
                return result
        return self._shared(call, 2)

    def _quotient(self, call: Call) -> Any:
        if not is_activation(call.args[0]):
            return self._curve(call)
        result = self._with_constant(call)
        if len(call.leaves) > 1:
            self.note("divisors take no relevance", [result])
        return result

    def _with_constant(self, call: Call) -> Tensor:
        """Hand relevance on to the first activation, which may be repeated along new axes.

        A constant for each channel belongs to the linear layer before it, as a batch norm does.
        """
        values, *others = call.leaves
        shapes = [tensor.shape for tensor in (*call.leaves, *call.constants)]
        shape: torch.Size = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
        if shape != values.shape:
            values = values.expand(shape)
        fixed, repeat = [other.detach() for other in others], call.repeated()
        result: Tensor = _Unchanged.apply(values, lambda v: repeat(v, *fixed), 1.0)
        layer = self.layer_of(values)
        if layer is not None and _merged_constant(call, values, layer):
            self.made_by(result, layer)
        return result


def _contraction(call: Call, values: Tensor, weight: Tensor) -> LinearLayer:
    """Take a product of the values with some constant as a linear layer."""
    repeat = call.repeated(weight)
    ahead = next(t for t in tree_leaves((call.args, call.kwargs)) if isinstance(t, Tensor))
    if ahead is weight:
        return LinearLayer(values, weight, None, lambda v, w, _: repeat(w, v), None, -1)
    return LinearLayer(values, weight, None, lambda v, w, _: repeat(v, w), None, -1)


def _merged_constant(call: Call, values: Tensor, layer: LinearLayer) -> bool:
    """Merge ``values * c``, ``values + c`` and the like, with one number for each channel."""
    if len(call.leaves) != 1 or len(call.constants) != 1 or call.kwargs or len(call.args) != 2:
        return False
    constant = call.constants[0]
    axis = layer.axis % values.ndim
    shape = (1,) * (values.ndim - constant.ndim) + constant.shape
    if constant.numel() == 1 or shape[axis] != constant.numel():
        return False
    flat = constant.reshape(-1)
    given: dict[str, tuple[Tensor | float, Tensor | float]] = {
        "mul": (flat, 0.0),
        "multiply": (flat, 0.0),
        "add": (1.0, flat),
    }
    if call.args[0] is values:
        given |= {"div": (1 / flat, 0.0), "true_divide": (1 / flat, 0.0), "sub": (1.0, -flat)}
    return call.name in given and layer.merge(call, *given[call.name])
