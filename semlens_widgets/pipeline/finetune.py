"""Train models on, a little, on images whose class is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from semlens_widgets.inputs.outputs import Explained, check_count, head_of
from semlens_widgets.pipeline.loading import input_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel


def finetune(
    target: TargetModel,
    models: Sequence[nn.Module],
    images: ImageDataset,
    samples: Sequence[int],
    truth: NDArray[np.int64],
    *,
    epochs: int,
    rate: float,
    batch_size: int,
    seed: int,
) -> None:
    """Train variants of a model on, in place, all on the same batches in the same order.

    AdamW on the cross-entropy of the logits. The models stay in evaluation mode: nothing is
    dropped, and statistics of batch normalisation stay as they are, for they were taken on far more
    images than these.

    Parameters
    ----------
    target
        Says how images become inputs, and which of what the models return are their logits.
    models
        Copies of the target's model, each corrected or not. They are trained on the target's
        device and end where they were.
    images, samples, truth
        Which images, ``(samples,)``, and the right output of each.
    epochs, rate
        How often each image is seen, and the step size.
    seed
        Draws the order of the images.

    Raises
    ------
    UnreadableImage
        If an image cannot be read; the message names it.
    """
    draws = np.random.default_rng(seed)
    order = np.concatenate([draws.permutation(len(samples)) for _ in range(epochs)])
    wanted = [samples[at] for at in order]
    right = torch.from_numpy(truth[order])
    batches = input_batches(target, images, wanted, batch_size, doing="fine-tuning", quick=500)
    homes = [next(model.parameters()).device for model in models]
    answering: list[Explained] = []
    steps = []
    done = 0
    for _, inputs in batches:
        batch = target.as_input(inputs)
        if not answering:
            for model in models:
                model.to(target.device)
                with torch.no_grad():
                    head = head_of(model, target.logits, batch[:1])
                answering.append(Explained(model, target.logits, head))
                parameters = [one.requires_grad_() for one in model.parameters()]
                steps.append(torch.optim.AdamW(parameters, lr=rate))
        classes = right[done : done + len(batch)].to(batch.device)
        done += len(batch)
        for explained, optimizer in zip(answering, steps, strict=True):
            with torch.enable_grad():
                logits = explained(batch)
                check_count(target.outputs, all_named=target.all_named, count=logits.shape[1])
                loss = cross_entropy(logits.float(), classes)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                optimizer.step()
    for model, home in zip(models, homes, strict=True):
        model.requires_grad_(False).to(home)
