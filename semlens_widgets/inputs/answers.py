"""What a model answers, as it is and with corrections: its logits, without a softmax after them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.draws import alike
from semlens_widgets.inputs.layers import first_tensor, observed
from semlens_widgets.inputs.outputs import Explained, Head, check_count, head_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from semlens_widgets.inputs.corrections import Correction
    from semlens_widgets.inputs.target import TargetModel

#: Reads something of a model that a batch goes through, ``(batch, ...)``.
Read = Callable[[Tensor], Tensor]

_ROWS = 1024  # images times variants at a time
_TOGETHER: WeakKeyDictionary[TargetModel, dict[frozenset[str], bool]] = WeakKeyDictionary()
_HEADS: WeakKeyDictionary[TargetModel, Head] = WeakKeyDictionary()


def target_logits(target: TargetModel, images: Tensor) -> Tensor:
    """Return what a model says of images, ``(batch, outputs)`` float32 on the CPU.

    Parameters
    ----------
    target
        Any model; of one that ends with a softmax, log-softmax or sigmoid, the logits before it.
    images
        ``(batch, 3, height, width)``, transformed.

    Raises
    ------
    ModelError
        If it is not clear which of what it returns are its outputs, or where its logits are.
    """
    with _answering(target, images) as (explained, batch):
        return _logits(target, explained, batch)


def variant_logits(
    target: TargetModel,
    images: Tensor,
    variants: Sequence[Mapping[str, Correction]],
    head: str | None = None,
) -> Tensor:
    """Return what variants of a model say of images, ``(variants, batch, outputs)`` on the CPU.

    What comes before the first layer that a variant changes is computed once for all of them, where
    the rest of the model takes larger batches from there on; that is tried out. Where it does not,
    because a connection leads around the layer, the whole model runs once for each variant.

    Parameters
    ----------
    target
        Any model.
    images
        ``(batch, 3, height, width)``, transformed.
    variants
        By layer of the target, what is done to its output; nothing where a variant is empty.
    head
        The last layer, from :func:`last_layer`, if what goes into it is wanted in the place of
        the logits, ``(variants, batch, features)``.

    Raises
    ------
    ModelError
        If a layer returns anything but one tensor, or see :func:`target_logits`.
    """
    axes = _changed(target, variants)
    with _answering(target, images) as (explained, batch):
        read = partial(_logits, target, explained)
        if head is not None:
            read = partial(_into, explained, head=head)
        return _side_by_side(target, explained.model, batch, variants, axes, read)


def variant_units(
    target: TargetModel,
    images: Tensor,
    variants: Sequence[Mapping[str, Correction]],
    layer: str,
) -> Tensor:
    """Return the neurons of a layer in variants, pooled, ``(variants, batch, neurons)`` on the CPU.

    Parameters
    ----------
    target, images, variants
        As in :func:`variant_logits`; what is changed lies before the layer.
    layer
        A layer of the target.

    Raises
    ------
    ModelError
        If a changed layer returns anything but one tensor.
    """
    axes = _changed(target, variants)
    target.channel_axis(layer)  # learnt before the model is lent
    with target.shadow() as model, torch.no_grad():

        def read(batch: Tensor) -> Tensor:
            taken: list[Tensor] = []

            def take(_layer: str, output: object) -> None:
                tensor = first_tensor(output)
                if tensor is not None:
                    taken.append(target.pooled(layer, tensor).cpu())

            with observed(model, [layer], take):
                model(batch)
            return taken[0]

        return _side_by_side(target, model, target.as_input(images), variants, axes, read)


def _changed(target: TargetModel, variants: Sequence[Mapping[str, Correction]]) -> dict[str, int]:
    """Return the layers that variants change, each with where its channels are."""
    changed = dict.fromkeys(layer for variant in variants for layer in variant)
    return {layer: target.channel_axis(layer) for layer in changed}


def _side_by_side(
    target: TargetModel,
    model: nn.Module,
    batch: Tensor,
    variants: Sequence[Mapping[str, Correction]],
    axes: Mapping[str, int],
    read: Read,
) -> Tensor:
    """Read something of a model in all variants, ``(variants, batch, ...)``."""
    known = _TOGETHER.setdefault(target, {})
    key = frozenset(axes)
    if key not in known and len(batch) > 1:  # one image would fit by broadcasting
        known[key] = _fits_together(model, batch, variants[:2], axes, read)
    if not known.get(key):
        return torch.stack([_varied(model, batch, [one], axes, read)[0] for one in variants])
    step = max(1, _ROWS // max(1, len(variants)))
    parts = [
        _varied(model, batch[start : start + step], variants, axes, read)
        for start in range(0, len(batch), step)
    ]
    return torch.cat(parts, dim=1)


@contextmanager
def _answering(target: TargetModel, images: Tensor) -> Iterator[tuple[Explained, Tensor]]:
    """Lend the model up to its logits, and the images as it takes them."""
    batch = target.as_input(images)
    with target.shadow() as model, torch.no_grad():
        if target not in _HEADS:
            _HEADS[target] = head_of(model, target.logits, batch[:1])
        yield Explained(model, target.logits, _HEADS[target]), batch


def _logits(target: TargetModel, explained: Explained, batch: Tensor) -> Tensor:
    found: Tensor = explained(batch)
    check_count(target.outputs, all_named=target.all_named, count=found.shape[1])
    return found.float().cpu()


def last_layer(target: TargetModel, images: Tensor) -> tuple[str, nn.Linear]:
    """Find the dense layer whose output is the logits: its name, and the layer of the target.

    Raises
    ------
    ModelError
        If there is none.
    """
    with _answering(target, images) as (explained, batch):
        names = [n for n, m in explained.model.named_modules() if isinstance(m, nn.Linear)]
        returned: dict[str, Tensor] = {}

        def see(layer: str, output: object) -> None:
            if isinstance(output, Tensor):
                returned[layer] = output.float().cpu()

        with observed(explained.model, names, see):
            found = _logits(target, explained, batch)
    for name, output in returned.items():
        layer = target.model.get_submodule(name)
        if torch.equal(output, found) and isinstance(layer, nn.Linear):
            return name, layer
    raise ModelError(
        f"The logits of this {type(target.model).__name__} are not what one torch.nn.Linear "
        "returns, so there is no last layer that could be fitted anew."
    )


def _into(explained: Explained, batch: Tensor, head: str) -> Tensor:
    """Return what goes into the last layer, ``(batch, features)``."""
    taken: list[Tensor] = []
    layer = explained.model.get_submodule(head)
    handle = layer.register_forward_pre_hook(lambda _module, inputs: taken.append(inputs[0]))
    try:
        explained(batch)
    finally:
        handle.remove()
    return taken[0].float().cpu()


def _varied(
    model: nn.Module,
    batch: Tensor,
    variants: Sequence[Mapping[str, Correction]],
    axes: Mapping[str, int],
    read: Read,
) -> Tensor:
    """Run the model once, from the first changed layer on with all variants side by side."""
    seen: list[str] = []

    def change(layer: str, output: object) -> Tensor:
        if not isinstance(output, Tensor):
            raise ModelError(
                f"Layer {layer!r} returns {type(output).__name__}, and only a tensor can be "
                "changed; choose a layer in or after it."
            )
        parts = output.chunk(len(variants)) if seen else [output] * len(variants)
        seen.append(layer)
        axis = axes[layer] if output.ndim > 2 else 1
        return torch.cat(
            [
                one[layer].to(output.device)(part, axis) if layer in one else part
                for one, part in zip(variants, parts, strict=True)
            ]
        )

    with observed(model, [*axes], change):
        found = read(batch)
    if len(found) != len(variants) * len(batch):
        raise ValueError(f"{len(found)} answers for {len(variants)} x {len(batch)} images.")
    return found.reshape(len(variants), len(batch), -1)


def _fits_together(
    model: nn.Module,
    batch: Tensor,
    variants: Sequence[Mapping[str, Correction]],
    axes: Mapping[str, int],
    read: Read,
) -> bool:
    """Try whether variants side by side say what each says alone."""
    few = batch[:3]
    alone = [_varied(model, few, [one], axes, read)[0] for one in variants]
    try:
        together = _varied(model, few, variants, axes, read)
    except ModelError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError):  # another batch size
        return False
    return alike(together, torch.stack(alone))
