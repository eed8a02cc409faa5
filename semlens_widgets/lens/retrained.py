"""Models that were trained on behind a change of theirs: in their last layer, or as a whole."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from semlens_widgets.analysis.refit import refitted
from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.pipeline.answers import images_logits, images_variants

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from semlens_widgets.inputs.corrections import Correction
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.loading import KeptInputs
    from semlens_widgets.pipeline.settings import Plan


class Answers(Protocol):
    """What the model says as it is, changed, and changed at random."""

    @property
    def said(self) -> str:
        """What was done behind the change, in words."""
        ...

    def logits(
        self,
        plan: Plan,
        images: ImageDataset,
        samples: Sequence[int],
        variants: Sequence[Mapping[str, Correction]],
        inputs: KeptInputs,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Return ``(variants, samples, outputs)``, of variants as in `images_variants`."""
        ...

    def built(self, made: nn.Module) -> nn.Module:
        """Return a corrected copy of the model as it is after training."""
        ...


class Untrained:
    """The change alone."""

    said = ""

    def logits(
        self,
        plan: Plan,
        images: ImageDataset,
        samples: Sequence[int],
        variants: Sequence[Mapping[str, Correction]],
        inputs: KeptInputs,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Return what the variants say."""
        return images_variants(
            plan.target, images, samples, variants, plan.batch_size, None, inputs, progress
        )

    def built(self, made: nn.Module) -> nn.Module:
        """Return it as it is."""
        return made


@dataclass(frozen=True, eq=False)
class Refit:
    """The last layers of the model as it is, changed and fitted anew, and of the controls.

    Attributes
    ----------
    layer
        Name of the last layer.
    heads
        Weight and bias of each variant.
    """

    layer: str
    heads: tuple[tuple[Tensor, Tensor | None], ...]
    said = "last layer fitted anew"

    def logits(
        self,
        plan: Plan,
        images: ImageDataset,
        samples: Sequence[int],
        variants: Sequence[Mapping[str, Correction]],
        inputs: KeptInputs,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Return what the variants say, each with its own last layer."""
        variants = variants[: len(self.heads)]
        features = images_variants(
            plan.target, images, samples, variants, plan.batch_size, self.layer, inputs, progress
        )
        return torch.stack(
            [
                nn.functional.linear(some, *head)
                for some, head in zip(features, self.heads[: len(features)], strict=True)
            ]
        )

    def built(self, made: nn.Module) -> nn.Module:
        """Give a copy the last layer that was fitted behind the changed neurons."""
        layer = made.get_submodule(self.layer)
        weight, bias = self.heads[1]
        with torch.no_grad():
            for name, value in (("weight", weight), ("bias", bias)):
                if value is not None:
                    getattr(layer, name).copy_(value)
        return made


@dataclass(frozen=True, eq=False)
class Tuned:
    """Models that were trained on as a whole: the changed one, and those of some controls."""

    models: tuple[nn.Module, ...]
    said = "fine-tuned"

    def logits(
        self,
        plan: Plan,
        images: ImageDataset,
        samples: Sequence[int],
        variants: Sequence[Mapping[str, Correction]],
        inputs: KeptInputs,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Return what the model says as it is, and what the trained ones say."""
        del inputs  # one model after the other reads the images
        targets = [plan.target, *(like(plan.target, model) for model in self.models)]
        found = []
        for at, one in enumerate(some := targets[: len(variants)], 1):
            found.append(images_logits(one, images, samples, plan.batch_size))
            if progress is not None:
                progress(at * len(samples), len(some) * len(samples))
        return torch.stack(found)

    def built(self, made: nn.Module) -> nn.Module:  # noqa: ARG002 - its weights are old
        """Return a copy of the changed one."""
        return copy.deepcopy(self.models[0])


def like(target: TargetModel, model: nn.Module) -> TargetModel:
    """Read another model as a target is read."""
    return TargetModel(
        model,
        target.layers,
        transform=target.transform,
        logits=target.logits,
        device=target.device,
    )


def fitted_heads(
    layer: str, linear: nn.Linear, features: Tensor, truth: NDArray[np.int64], strength: float
) -> Refit:
    """Fit a last layer behind each variant, beside the layer as it is.

    Parameters
    ----------
    features
        ``(variants, images, features)``: changed, and controls.
    """
    weight = linear.weight.detach().float().cpu()
    bias = None if linear.bias is None else linear.bias.detach().float().cpu()
    right = torch.from_numpy(truth)
    fitted = (refitted(some, right, weight, bias, strength=strength) for some in features)
    return Refit(layer, ((weight, bias), *fitted))
