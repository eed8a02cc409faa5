"""A maker for :class:`semlens_widgets.Synthesise`: a pipeline of the package ``diffusers``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

    from semlens_widgets.labels.contrasts.synthesise import Request


@dataclass(frozen=True, eq=False)
class Diffusion:
    """Let an image-to-image or text-to-image pipeline make the contrastive examples.

    ``slw.Synthesise(slw.Diffusion(pipeline, "my/model", "a photo"))``; the pipeline comes from
    ``diffusers`` (``pip install semlens-widgets[diffusion]``).

    Attributes
    ----------
    pipeline
        Called with ``prompt``, ``generator`` and `options`, and, image to image, ``image`` and
        ``strength``; its answer has ``images``.
    name
        Stands for the pipeline's weights in what is recorded of an analysis: use another one for
        others.
    prompt
        What is to be drawn.
    strengths
        How much of the example is drawn anew, in (0, 1], by attempt; the last one for all further
        attempts, each with a seed of its own. Empty for a pipeline from text alone.
    seed
        Of the first attempt; each further one takes the next.
    options
        Further arguments of the pipeline (of JSON), such as ``guidance_scale``.

    Raises
    ------
    ValueError
        If a strength is out of range.
    """

    pipeline: Callable[..., Any]
    name: str
    prompt: str
    strengths: tuple[float, ...] = (0.3, 0.45, 0.6, 0.75, 0.9)
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(0 < strength <= 1 for strength in self.strengths):
            raise ValueError(f"strengths={self.strengths!r} must be above 0 and at most 1.")

    def __call__(self, request: Request) -> Image.Image:
        """Return the pipeline's picture for a request."""
        generator = torch.Generator().manual_seed(self.seed + request.attempt)
        given: dict[str, Any] = {"prompt": self.prompt, "generator": generator, **self.options}
        if self.strengths:
            at = min(request.attempt, len(self.strengths) - 1)
            given |= {"image": request.picture, "strength": self.strengths[at]}
        image: Image.Image = self.pipeline(**given).images[0]
        return image

    @property
    def settings(self) -> dict[str, Any]:
        """What stands for it in the record of an analysis."""
        return {
            "name": self.name,
            "prompt": self.prompt,
            "strengths": list(self.strengths),
            "seed": self.seed,
            "options": dict(self.options),
        }
