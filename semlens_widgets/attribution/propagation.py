"""How functions get rules of relevance while one forward pass runs.

Modules call the same functions as functional code does, so that both get the same rules, layers
that are used twice get theirs twice, and the model itself is not touched. Batch norms are merged
into the call of the layer whose output they take: neither the order of attributes nor a functional
ReLU in between can mislead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.weak import WeakTensorKeyDictionary

from semlens_widgets.attribution.operations import OPERATIONS, Operation, called

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Rule = Callable[["Call"], Any]

_UNKNOWN = Operation("kept", "by gradient", "by gradient")
_LINEAR_ARGUMENTS = ("input", "weight", "bias")
_NORM_ARGUMENTS = ("input", "running_mean", "running_var", "weight", "bias", "training")
_SAME_TENSOR = {"alias", "clone", "contiguous", "dropout", "float", "to"}
_REWRITTEN: dict[str, Callable[..., Tensor]] = {
    "addmm": lambda a, b, c, beta=1, alpha=1: _times(b @ c, alpha) + _times(a, beta),
    "addcdiv": lambda a, b, c, value=1: a + value * (b / c),
    "addcmul": lambda a, b, c, value=1: a + value * (b * c),
    "glu": lambda x, dim=-1: _gated(*x.chunk(2, dim)),
    "lerp": lambda a, b, weight: a * (1 - weight) + b * weight,
}
_REWRITTEN["baddbmm"] = _REWRITTEN["addmm"]
# What zennit leaves of a merged batch norm, 1 / sqrt(1 + eps), is kept where it changes nothing but
# the last digits, so that maps equal zennit's; the 0.001 of some models would add up.
_NEARLY_ONE = 0.9999


def _times(values: Tensor, factor: float) -> Tensor:
    return values if factor == 1 else factor * values


def _gated(values: Tensor, gate: Tensor) -> Tensor:
    return values * gate.sigmoid()


class Call:
    """A call of a function, and how to repeat it with other activations.

    Attributes
    ----------
    leaves : list of Tensor
        The tensors among its arguments that depend on the image.
    constants : list of Tensor
        Those that do not.
    """

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.name, self.in_place = called(function)
        self._flat, self._form = tree_flatten((args, kwargs))
        tensors = [value for value in self._flat if isinstance(value, Tensor)]
        self.leaves = [tensor for tensor in tensors if tensor.requires_grad]
        self.constants = [tensor for tensor in tensors if not tensor.requires_grad]

    def repeated(self, *others: Tensor) -> Callable[..., Any]:
        """Return the function of its activations, and of some other tensors, out of place.

        It keeps no activation alive, which could close a circle of references through its graph.
        """
        function, form = self.function, self._form
        varying = {id(tensor) for tensor in (*self.leaves, *others)}
        places = [i for i, value in enumerate(self._flat) if id(value) in varying]
        rest: list[Any] = [None if id(value) in varying else value for value in self._flat]
        changes = self.in_place or bool(self.kwargs.get("inplace"))
        if changes and rest[0] is not None:
            rest[0] = rest[0].clone()

        def repeat(*tensors: Tensor) -> Any:
            flat = list(rest)
            for place, tensor in zip(places, tensors, strict=True):
                flat[place] = tensor
            if changes:
                flat[0] = flat[0].clone()
            args, kwargs = tree_unflatten(flat, form)
            return function(*args, **kwargs)

        return repeat

    def plain(self) -> Any:
        """Make the call as it is."""
        return self.function(*self.args, **self.kwargs)


class LinearLayer:
    """A call of a linear layer, with the batch norm or the constants that are merged into it.

    Attributes
    ----------
    values : Tensor
        What the layer takes.
    operation : callable
        From values, weight and bias to the layer's output.
    axis : int
        Of the output's channels.
    """

    def __init__(
        self,
        values: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        operation: Callable[[Tensor, Tensor, Tensor | None], Tensor],
        outputs: int | None,
        axis: int,
    ) -> None:
        self.weight, self.bias, self.operation, self.axis = weight, bias, operation, axis
        self.values, self._version = values, values._version  # noqa: SLF001
        self._outputs = outputs  # axis of the weight, or None where it has none for the channels
        self._plain = weight, bias
        # The calls that were merged; held weakly, for they hold this layer's output and its graph.
        self.merges: list[ReferenceType[Call]] = []
        self.norms = 0  # batch norms among them
        self.consumers = 0  # other calls that took the output since

    def merge(self, call: Call, scale: Tensor | float, shift: Tensor | float) -> bool:
        """Take in a factor and a summand for each channel; tell whether that was possible."""
        if self._outputs is None or self.consumers:
            return False
        count = self.weight.shape[self._outputs]
        some = torch.ones(count, dtype=self.weight.dtype, device=self.weight.device)
        scale, shift = scale * some, shift * some
        form = [1] * self.weight.ndim
        form[self._outputs] = -1
        self.weight = self.weight * scale.reshape(form)
        self.bias = shift if self.bias is None else self.bias * scale + shift
        self.merges.append(ref(call))
        self.norms += call.name == "batch_norm"
        return True

    def unmerge(self) -> None:
        """Give back what was merged, because something else takes the output as it was."""
        self.weight, self.bias = self._plain
        self._outputs = None
        self.merges, self.norms = [], 0

    def again(self) -> Tensor | None:
        """Compute the output with what was merged, if the input is still what it was."""
        if self.values._version != self._version:  # noqa: SLF001
            return None
        with torch.no_grad():
            return self.operation(self.values, self.weight, self.bias)


def linear_layer(call: Call) -> tuple[Any, LinearLayer]:
    """Take the arguments of ``linear`` or a convolution apart: the values, and the rest."""
    given = dict(zip(_LINEAR_ARGUMENTS, call.args, strict=False)) | call.kwargs
    values, weight, bias = (given.pop(key, None) for key in _LINEAR_ARGUMENTS)
    more = call.args[3:]
    outputs: int | None = 0
    if "transpose" in call.name:
        groups = more[3] if len(more) > 3 else given.get("groups", 1)
        outputs = 1 if groups == 1 else None
    function = call.function

    def operation(v: Tensor, w: Tensor, b: Tensor | None) -> Any:
        return function(v, w, b, *more, **given)

    axis = -1 if call.name == "linear" else 1
    return values, LinearLayer(values, weight, bias, operation, outputs, axis)


class Propagation(TorchFunctionMode):
    """Gives every function the rule that the table names, and notes what is not exact.

    Parameters
    ----------
    watch
        Collect notes, which needs a backward pass: what relevance does not flow through, such as
        the inside of a gate, is no matter.
    """

    def __init__(self, rules: Mapping[str, Rule], which: str, *, watch: bool) -> None:
        super().__init__()
        self._rules = {
            "gradient": Call.plain,
            "by gradient": Call.plain,
            "rewritten": self._rewritten,
            "batch norm": self._batch_norm,
        } | dict(rules)
        self._rule_of = {name: getattr(row, which) for name, row in OPERATIONS.items()}
        self._layers: Any = WeakTensorKeyDictionary()  # output: its linear layer, its version
        self._normed: Any = WeakTensorKeyDictionary()  # output of a batch norm: input of its layer
        self._watch = watch
        self._seen: Any = WeakTensorKeyDictionary()  # outputs of functions that were noticed
        self._notes: dict[str, bool] = {}  # whether relevance came there; ordered
        self.norms = self.merged = 0
        self.attention: set[str] = set()  # functions that were called

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not exact, in words, once relevance has been propagated."""
        lost = self.norms - self.merged
        first = (f"{lost} of {self.norms} batch norms not merged",) if lost else ()
        return (*first, *(words for words, reached in self._notes.items() if reached))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        call = Call(func, args, kwargs or {})
        if not call.leaves:
            return call.plain()
        self.expect(*call.leaves)
        rule = self._rule_of.get(call.name, _UNKNOWN.crp)
        result = self._rules[rule](call)
        if call.in_place and result is not args[0] and result is not None:
            result = args[0].copy_(result)
        results = args[0] if call.in_place else result  # ``x[0] = y`` returns nothing
        made = [tensor for tensor in tree_leaves(results) if is_activation(tensor)]
        if made:
            if rule == "by gradient":
                self.note(f"{call.name.lstrip('_')} by gradient", made)
            self._consumed(call, made)
        if self._watch:
            self._seen.update(dict.fromkeys(made, True))
        return result

    def note(self, words: str, results: list[Tensor]) -> None:
        """Keep in mind what is to be said if relevance comes to a result."""
        if self._watch:
            self._notes.setdefault(words, False)
            for result in results:
                result.register_hook(  # type: ignore[no-untyped-call]
                    lambda _gradient: self._notes.update({words: True})
                )

    def expect(self, *tensors: Tensor) -> None:
        """Name what made a tensor if it is no function that torch announces."""
        for tensor in tensors if self._watch else ():
            if tensor.grad_fn is not None and tensor not in self._seen:
                name = re.sub(r"Backward\d*$", "", tensor.grad_fn.name().rpartition("::")[2])
                self.note(f"{name} by gradient", [tensor])
                self._seen[tensor] = True

    def made_by(self, output: Tensor, layer: LinearLayer) -> Tensor:
        """Remember which linear layer made an output."""
        self._layers[output] = layer, output._version, len(layer.merges)  # noqa: SLF001
        return output

    def layer_of(self, tensor: Tensor) -> LinearLayer | None:
        """Return the linear layer whose very output this is, not changed in place since."""
        layer, version, _ = self._layers.get(tensor, (None, -1, 0))
        return layer if version == tensor._version else None  # noqa: SLF001

    def _consumed(self, call: Call, made: list[Tensor]) -> None:
        for leaf in call.leaves:
            layer = self.layer_of(leaf)
            if layer is None:
                continue
            if call.name in _SAME_TENSOR:
                if made[0] is not leaf and made[0].shape == leaf.shape:
                    self.made_by(made[0], layer)
            elif not any(merge() is call for merge in layer.merges):
                layer.consumers += 1
                if self._layers[leaf][2] < len(layer.merges):  # an output from before a merge
                    self.merged -= layer.norms
                    layer.unmerge()

    def _batch_norm(self, call: Call) -> Any:
        values, mean, variance, weight, bias, training = _norm_arguments(call)
        self.norms += 1
        layer = self.layer_of(values)
        factor, output = 1.0, None
        if layer is not None and layer.axis % values.ndim == 1 and mean is not None:
            eps = float(call.kwargs.get("eps", call.args[7] if len(call.args) > 7 else 1e-5))
            scale = (1 if weight is None else weight) / (variance + eps).sqrt()
            shift = (0 if bias is None else bias) - mean * scale
            if not training and layer.merge(call, scale, shift):
                self.merged += 1
                left = (1 + eps) ** -0.5
                factor = left if left > _NEARLY_ONE else 1.0
                output = layer.again()  # not the norm's: rounding would show behind differences
        result = self.passed(call, factor, output)
        self._normed[result] = values if layer is None else layer.values
        return result

    def parallel(self, summands: list[Tensor]) -> bool:
        """Tell whether these are batch norms of one input, as branches that training would fuse."""
        sources = [self._normed.get(summand) for summand in summands]
        return sources[0] is not None and all(source is sources[0] for source in sources)

    def passed(self, call: Call, factor: float = 1.0, output: Tensor | None = None) -> Tensor:
        """Hand relevance on as it is, up to a factor, through a call whose output may be known."""
        raise NotImplementedError

    def _rewritten(self, call: Call) -> Any:
        with self:
            return _REWRITTEN[call.name](*call.args, **call.kwargs)


def _norm_arguments(call: Call) -> list[Any]:
    names = _NORM_ARGUMENTS
    if call.function is torch.batch_norm:
        names = ("input", "weight", "bias", "running_mean", "running_var", "training")
    given = dict(zip(names, call.args, strict=False)) | call.kwargs
    return [given.get(name) for name in _NORM_ARGUMENTS]


def is_activation(value: Any) -> bool:
    """Tell whether this is a tensor that depends on the image."""
    return isinstance(value, Tensor) and value.requires_grad


def is_gate(gate: Tensor, values: Tensor) -> bool:
    """Tell whether one tensor weights another, repeated along some of its axes."""
    if gate.shape == values.shape:
        steps = zip(gate.shape, gate.stride(), strict=True)
        return any(size > 1 and step == 0 for size, step in steps)
    both: torch.Size = torch.broadcast_shapes(  # type: ignore[no-untyped-call]
        gate.shape, values.shape
    )
    return both == values.shape
