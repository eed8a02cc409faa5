"""What a model must allow so that relevance finds its way back to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.layers import all_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


def detached(what: str) -> str:
    """Say that there is no way back from a result to the image."""
    return (
        f"{what} has no gradient to the image: it is detached on the way, by detach(), "
        "torch.no_grad(), torch.inference_mode() or numpy in the model's forward pass. Take that "
        "out to see relevance; activations need no gradients and are not concerned."
    )


_NO_HOOKS = "no gradient checkpointing here"


def refuse_checkpointing(model: nn.Module, images: Tensor) -> None:
    """Refuse a model that computes a part of itself anew for gradients, where no rule would hold.

    Raises
    ------
    ModelError
        If a forward pass uses ``torch.utils.checkpoint``.
    """
    advice = ModelError(
        "The model uses gradient checkpointing, through which relevance can't be propagated. "
        "Switch it off in the model; activations need no gradients and are not concerned."
    )
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autograd.graph.disable_saved_tensors_hooks(_NO_HOOKS),
    ):
        try:
            output = model(images.detach().clone().requires_grad_())
        except RuntimeError as error:
            if _NO_HOOKS in str(error):
                raise advice from None
            raise
    if any(tensor.is_inference() for tensor in all_tensors(output)):
        raise ModelError(detached("What the model returns"))
    nodes = [tensor.grad_fn for tensor in all_tensors(output)]
    seen = set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            if "CheckpointFunction" in node.name():
                raise advice
            seen.add(node)
            nodes += [child for child, _ in node.next_functions]
