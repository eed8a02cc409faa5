"""The layers of a model: which names exist, which are called, and which are worth a look."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from semlens_widgets.inputs.channels import FollowChannels
from semlens_widgets.inputs.patterns import layers_like
from semlens_widgets.inputs.shadow import evaluated

if TYPE_CHECKING:
    from torch.autograd.graph import Node
    from torch.utils.hooks import RemovableHandle

_SIDES = (224, 256, 32, 64, 96, 128, 28, 299, 336, 384, 448, 512)  # tried in this order
_POOLS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.Dropout)
_MOST_BLOCKS = 4  # of a transformer, or of any model whose resolution never changes


def suggest_layers(model: nn.Module, image: Tensor | None = None) -> list[str]:
    """Name layers that show what a model computes, early to late.

    One forward pass tells which modules are called once, what they return, and whether all that the
    model computes passes through it: branches of a block are never taken. Of a convolutional model,
    the last block at each resolution is taken; of a transformer, four blocks evenly spaced, with
    the last; of dense layers, the activations between them.

    Parameters
    ----------
    model
        Any module that takes a batch of images.
    image
        One image as the model takes it, (1, 3, height, width). Blank images of common sizes are
        tried first, so that the answer is the same for any image.

    Returns
    -------
    list of str
        Names for ``TargetModel(model, layers)``, in order of execution.

    Raises
    ------
    ValueError
        If the model takes no image of a common size, or no layer has clear neurons.
    """
    calls = _watched(model, image)
    maps = [call for call in calls if call.positions > 1]
    found = _stages(maps, "") if maps else _between_dense(calls)
    sizes = [call.positions for call in maps if call.name in found]
    if maps and max(sizes, default=0) < 2 * min(sizes, default=1):  # all of one resolution
        found = _blocks(maps) or found
    if not found:
        raise ValueError(
            f"No layer of this {type(model).__name__} is called once, returns maps, tokens or "
            "vectors with known channels, and is passed by all that the model computes; choose "
            "layers by name."
        )
    return found


@dataclass(frozen=True)
class _Call:
    """A module that was called once, and what it returned."""

    name: str
    module: nn.Module
    positions: int  # 1 where the output is flat or pooled
    last: bool  # whether the model's own result is this output

    @property
    def composite(self) -> bool:
        return any(True for child in self.module.children() for _ in child.parameters())


def _watched(model: nn.Module, image: Tensor | None) -> list[_Call]:
    """Return the modules that are called once with known channels, in the order they finish."""
    copy = evaluated(model, None)
    first = next(copy.parameters(), torch.zeros(()))
    colours = 3 if image is None else image.shape[1]
    images = [torch.zeros(1, colours, side, side) for side in [*_declared_side(model), *_SIDES]]
    images += [] if image is None else [image[:1]]
    reason: Exception | None = None
    for blank in images:
        try:
            return _one_pass(copy, blank.to(first.device, first.dtype))
        except (RuntimeError, ValueError, AssertionError, IndexError) as error:  # of another size
            reason = reason or error
    raise ValueError(
        f"This {type(model).__name__} takes no blank image of a common size ({reason}). Pass one "
        "that it takes: suggest_layers(model, image)."
    ) from reason


def _one_pass(model: nn.Module, image: Tensor) -> list[_Call]:
    calls: Counter[str] = Counter()
    found: list[tuple[str, Tensor, int]] = []
    names = [name for name, _ in model.named_modules() if name]

    def see(name: str, output: object) -> Tensor | None:
        calls[name] += 1
        tensor = first_tensor(output)
        if tensor is None:
            return None
        # Of its own, so that what changes it in place later does not hide it in the graph.
        own = tensor.clone() if tensor is output and tensor.requires_grad else tensor
        if tensor.ndim in {2, 3, 4} and len(tensor) == 1:
            axis = follow.axis(own)
            if axis:
                found.append((name, own, tensor.numel() // tensor.shape[axis]))
        return own if own is not tensor else None

    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        observed(model, names, see),
        FollowChannels() as follow,
    ):
        output = model(image.clone().requires_grad_())
    result = first_tensor(output)
    passed = _on_all_paths([tensor.grad_fn for _, tensor, _ in found], all_tensors(output))
    return [
        _Call(name, model.get_submodule(name), positions, last=tensor is result)
        for (name, tensor, positions), through in zip(found, passed, strict=True)
        if calls[name] == 1 and through
    ]


def _on_all_paths(nodes: Sequence[Node | None], results: Sequence[Tensor]) -> list[bool]:
    """Tell which nodes of the graph every path from the results to the input goes through.

    Where there is no graph, because the model detaches, nothing is known and all count as such.
    """
    roots = [t.grad_fn for t in results if t.grad_fn is not None]
    order: dict[Node, None] = {}  # children first
    stack = [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            order[node] = None
        elif node not in order:
            stack.append((node, True))
            stack += [(child, False) for child, _ in node.next_functions if child is not None]
    if not order:
        return [True] * len(nodes)
    below: dict[Node, int] = {}  # paths from a node to the input
    for node in order:
        children = [child for child, _ in node.next_functions if child is not None]
        below[node] = sum(below[child] for child in children) if children else 1
    above = dict.fromkeys(order, 0)  # paths from the results to a node
    for root in roots:
        above[root] += 1
    for node in reversed(order):
        for child, _ in node.next_functions:
            if child is not None:
                above[child] += above[node]
    total = sum(below[root] for root in roots)
    return [node in below and above[node] * below[node] == total for node in nodes]


def _declared_side(model: nn.Module) -> list[int]:
    """Return the input side that the model states, or that its first dense layer implies."""
    config = getattr(model, "default_cfg", None)
    sizes = [getattr(model, name, None) for name in ("image_size", "img_size")]
    sizes.append(config.get("input_size") if isinstance(config, Mapping) else None)
    sizes += [getattr(m, "img_size", None) for m in model.modules() if hasattr(m, "img_size")]
    sides = [size[-1] if isinstance(size, (tuple, list)) else size for size in sizes]
    weighted = [m for m in model.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    if weighted and isinstance(weighted[0], nn.Linear):
        side = round((weighted[0].in_features / 3) ** 0.5)
        sides.append(side if 3 * side * side == weighted[0].in_features else None)
    return [side for side in sides if isinstance(side, int)][::-1]


def _children(calls: Sequence[_Call], parent: str) -> list[_Call]:
    """Return the outermost calls inside a module."""
    prefix = f"{parent}." if parent else ""
    inside = [call for call in calls if call.name.startswith(prefix) and call.name != parent]
    names = {call.name for call in inside}
    return [
        call
        for call in inside
        if not any(
            ".".join(call.name.split(".")[:i]) in names
            for i in range(prefix.count(".") + 1, call.name.count(".") + 1)
        )
    ]


def _stages(calls: Sequence[_Call], parent: str) -> list[str]:
    """Return the last block at each resolution; if there are no blocks, the last layer."""
    steps: list[_Call] = []
    for child in _children(calls, parent):
        inner = _children(calls, child.name)
        if len({call.positions for call in inner}) > 1 and not _is_block(child, inner):
            names = set(_stages(calls, child.name))
            steps += [call for call in calls if call.name in names]
        else:
            steps.append(child)
    if any(step.composite for step in steps):
        steps = [step for step in steps if step.composite]
    steps = [step for step in steps if not isinstance(step.module, _POOLS)] or steps
    last: dict[int, str] = {}
    for step in steps:
        # Convolutions without padding take off some rows: that is no other resolution.
        near = next((size for size in last if size < 2 * step.positions < 4 * size), None)
        if near is not None:
            del last[near]
        last[step.positions] = step.name
    return list(last.values())


def _is_block(call: _Call, inner: Sequence[_Call]) -> bool:
    """Tell a block, whose end is its output, from a container of everything."""
    largest = max((one.positions for one in inner), default=0)
    return not isinstance(call.module, nn.Sequential) and 5 * call.positions >= largest > 0


def _blocks(calls: Sequence[_Call]) -> list[str]:
    """Return up to four of the longest row of like modules."""
    rows: dict[tuple[str, type], list[_Call]] = {}
    for call in calls:
        if call.composite and re.search(r"\d$", call.name):
            container = call.name.rpartition(".")[0]
            rows.setdefault((container, type(call.module)), []).append(call)
    longest = max(rows.values(), key=len, default=[])
    count = min(_MOST_BLOCKS, len(longest))
    return [longest[(i + 1) * len(longest) // count - 1].name for i in range(count)]


def _between_dense(calls: Sequence[_Call]) -> list[str]:
    """Return the last element-wise layer after each dense layer, but not the model's result."""
    found: list[str] = []
    for call in calls:
        if call.last or call.composite:
            continue
        if isinstance(call.module, nn.Linear):
            found.append(call.name)
        elif found and not isinstance(call.module, (nn.Dropout, nn.Identity, nn.Flatten)):
            found[-1] = call.name
    return found


@contextmanager
def observed(
    model: nn.Module, layers: Sequence[str], see: Callable[[str, object], Tensor | None]
) -> Iterator[None]:
    """Call ``see(layer, output)`` after each call of a layer; remove all hooks at the end.

    What it returns, if anything, takes the place of the output.
    """
    handles: list[RemovableHandle] = []
    try:
        for layer in layers:
            handles.append(  # noqa: PERF401 - a failing registration must not lose the others
                model.get_submodule(layer).register_forward_hook(
                    lambda _module, _inputs, output, layer=layer: see(layer, output)
                )
            )
        yield
    finally:
        for handle in handles:
            handle.remove()


def all_tensors(output: object) -> list[Tensor]:
    """Return the tensors in nested tuples, lists and dictionaries."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)):
        return [tensor for part in output for tensor in all_tensors(part)]
    return []


def first_tensor(output: object) -> Tensor | None:
    """Return the first tensor in nested tuples, lists and dictionaries, or None."""
    return next(iter(all_tensors(output)), None)


def checked_output(layer: str, output: object, batch: int) -> Tensor:
    """Return the tensor that a layer returned for ``batch`` images, or say what is wrong."""
    tensor = first_tensor(output)
    if tensor is None:
        raise ValueError(
            f"Layer {layer!r} returns {type(output).__name__} without a tensor in it; choose a "
            "layer whose output holds activations."
        )
    if not tensor.ndim or len(tensor) != batch:
        raise ValueError(
            f"Layer {layer!r} returns shape {tuple(tensor.shape)} for {batch} images; the batch "
            "must come first. Choose a layer around it whose output starts with the batch."
        )
    return tensor


def checked_calls(calls: Counter[str], layers: Sequence[str]) -> tuple[str, ...]:
    """Return the layers in order of execution, each of which must be called once."""
    for layer in layers:
        if calls[layer] == 0:
            raise ValueError(
                f"Layer {layer!r} is never called in the model's forward pass, so it has no "
                "activations; choose a layer that is."
            )
        if calls[layer] > 1:
            raise ValueError(
                f"Layer {layer!r} is called {calls[layer]} times in one forward pass (a shared "
                "module), so its neurons are ambiguous; choose the block around it, or a layer "
                "next to it that is called once."
            )
    return tuple(calls)  # a Counter keeps the order of first calls


def checked_layers(model: nn.Module, layers: Sequence[str]) -> tuple[str, ...]:
    """Return the names, all of which the model must have, or suggest close ones.

    Patterns stand for all layers that fit, see `layers_like`.
    """
    if isinstance(layers, str):
        raise TypeError(f"layers must be a list of names: layers=[{layers!r}].")
    modules = {n: m for n, m in model.named_modules(remove_duplicate=False) if n}
    available = list(modules)
    given = tuple(layers)
    if not given:
        raise ValueError(
            f"layers is empty; name at least one of {_some(available)}, or ask "
            "TargetModel.suggest_layers(model)."
        )
    found = {name: layers_like(name, available) for name in given}
    for name, fitting in found.items():
        if not fitting:
            close = difflib.get_close_matches(name, available, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(
                f"layers names {name!r}, which this {type(model).__name__} does not have: {hint}"
                f"Available are {_some(available)}."
            )
    twice = [name for name, count in Counter(given).items() if count > 1]
    if twice:
        raise ValueError(f"layers names {twice[0]!r} more than once; name each layer once.")
    names = tuple(dict.fromkeys(name for fitting in found.values() for name in fitting))
    first: dict[nn.Module, str] = {}
    for name in names:
        other = first.setdefault(modules[name], name)
        if other != name:
            raise ValueError(f"layers names {other!r} and {name!r}, which are the same module.")
    return names


def _some(names: Sequence[str], most: int = 8) -> str:
    """Name a few, the outermost modules first."""
    shown = sorted(names, key=lambda name: name.count("."))[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, shown)) + more
