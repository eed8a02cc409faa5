"""What a model answers: its logits, without the softmax that may come after them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from semlens_widgets.inputs.outputs import Explained, Head, check_count, head_of

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.inputs.target import TargetModel

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
    batch = target.as_input(images)
    with target.shadow() as model, torch.no_grad():
        if target not in _HEADS:
            _HEADS[target] = head_of(model, target.logits, batch[:1])
        found: Tensor = Explained(model, target.logits, _HEADS[target])(batch)
        check_count(target.outputs, all_named=target.all_named, count=found.shape[1])
        return found.float().cpu()
