"""Which axis of a layer's output holds the channels, found by following them from layer to layer.

A map of shape ``(batch, 7, 7, 7)`` does not tell where its channels are. The operations that made
it do: convolutions, pooling and batch norms work on axis 1, dense layers and layer norms on the
last axis, permutations move the axis, and what computes element by element leaves it where it was.
`semlens_widgets.attribution.operations` has the table. What does not fit any of these (windows cut
out by ``reshape``, products of matrices) is not guessed but unknown, until the next operation that
is. Channels that are split over several axes and joined again, as a channel shuffle does, are
followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from semlens_widgets.attribution.operations import OPERATIONS, called

if TYPE_CHECKING:
    from collections.abc import Sequence


class FollowChannels(TorchFunctionMode):
    """Follows the channel axis of every tensor that is computed while it is active.

    Ask with `axis`. Tensors are kept alive meanwhile, so one forward pass is what it is for.
    """

    def __init__(self) -> None:
        super().__init__()
        # By id, which the tensor kept here reserves; channels lie on one axis, or split over more.
        self._axes: dict[int, tuple[Tensor, tuple[int, ...]]] = {}

    def axis(self, tensor: Tensor) -> int | None:
        """Return the axis of the channels, counted from the front, or None where it is unknown."""
        if tensor.ndim == 2:
            return 1
        _, axes = self._axes.get(id(tensor), (None, ()))
        return axes[0] if len(axes) == 1 else None

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name, _ = called(func)
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        for output in outputs:
            if isinstance(output, Tensor) and output.ndim > 2:
                axes = self._after(name, args, kwargs or {}, output)
                if axes is None:
                    self._axes.pop(id(output), None)
                else:
                    self._axes[id(output)] = output, axes
        return result

    def _after(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], output: Tensor
    ) -> tuple[int, ...] | None:
        channels = OPERATIONS[name].channels if name in OPERATIONS else "kept"
        if channels in {"second", "last"}:
            return (1,) if channels == "second" else (output.ndim - 1,)
        inputs = [t for value in (*args, *kwargs.values()) for t in _tensors(value)]
        source = next((t for t in inputs if t.ndim > 2 and id(t) in self._axes), None)
        if source is None or channels == "unknown":
            return None
        axes = self._axes[id(source)][1]
        if channels == "moved":
            return _moved(name, args, kwargs, source.ndim, axes)
        if channels == "regrouped":
            return _regrouped(source.shape, output.shape, axes)
        joined = channels == "joined" and len(axes) == 1
        return axes if joined or self._kept(channels, inputs, source, output) else None

    def _kept(self, channels: str, inputs: list[Tensor], source: Tensor, output: Tensor) -> bool:
        """Tell whether an operation that is not listed leaves the channels on their axes."""
        axes = self._axes[id(source)][1]
        alike = [t for t in inputs if t.shape == output.shape and id(t) in self._axes]
        if source.ndim != output.ndim or any(self._axes[id(t)][1] != axes for t in alike):
            return False
        same = all(source.shape[axis] == output.shape[axis] for axis in axes)
        return same or (channels == "cut" and len(axes) == 1)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for t in value if isinstance(t, Tensor)] if isinstance(value, (tuple, list)) else []


def _moved(
    name: str, args: Sequence[Any], kwargs: dict[str, Any], ndim: int, axes: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Follow axes through a permutation by doing the same to a list of axes."""
    rest = [*args[1:], *(kwargs[key] for key in kwargs if key != "input")]
    order = list(range(ndim))
    if name == "permute":
        dims = rest[0] if rest and not isinstance(rest[0], int) else rest
        order = [int(dim) % ndim for dim in dims]
    elif name in {"movedim", "moveaxis"}:
        if len(rest) != 2 or not all(isinstance(dim, int) for dim in rest):
            return None
        order.insert(rest[1] % ndim, order.pop(rest[0] % ndim))
    else:
        first, second = rest if name != "mT" else (-2, -1)
        order[first], order[second] = order[second], order[first]
    moved = sorted(order.index(axis) for axis in axes)
    together = moved == list(range(moved[0], moved[0] + len(moved)))
    return tuple(moved) if together else None


def _regrouped(
    before: Sequence[int], after: Sequence[int], axes: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Follow axes through a new shape: whole if the sizes before and behind them multiply alike.

    Only if one axis of the new shape fits, or else one row of axes, which axes of length 1 around
    them can prevent.
    """
    front, behind = _product(before[: axes[0]]), _product(before[axes[-1] + 1 :])
    fits = [
        tuple(range(i, j))
        for i in range(1, len(after))  # the batch is no channel
        for j in range(i + 1, len(after) + 1)
        if _product(after[:i]) == front and _product(after[j:]) == behind
    ]
    whole = [run for run in fits if len(run) == 1]
    split = [run for run in fits if after[run[0]] > 1 < after[run[-1]]]
    found = whole or split
    return found[0] if len(found) == 1 else None


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= int(size)
    return result
