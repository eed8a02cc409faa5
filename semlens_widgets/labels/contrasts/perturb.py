"""Contrastive examples by perturbation: the example without what the neuron looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from semlens_widgets.labels.contrasts.below import check_below, levels_of
from semlens_widgets.labels.contrasts.fills import blurred, inpainted, removed, shuffled
from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Picture
from semlens_widgets.labels.contrasts.quietened import quietened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semlens_widgets.labels.contrasts.below import Below
    from semlens_widgets.labels.contrasts.generator import Block, Contrasts

How = Literal["remove", "blur", "inpaint", "shuffle"]
_SMOOTHING = 0.02  # standard deviation, as a share of the short side, as for the boxes of crops


@dataclass(frozen=True)
class Perturb(ContrastGenerator):
    """The concept example, changed where the neuron looks until the neuron is quiet.

    The region grows from the most relevant pixels on; the first share of `shares` that quietens the
    neuron is kept. Where none does the example has no contrast, and the run says how many have
    none: a neuron that likes the colour or the edges of what is filled in stays loud, and so does
    one that looks everywhere. The neuron looks where its heatmap says; the heatmaps of all examples
    are computed for it.

    Attributes
    ----------
    how
        What becomes of the region: ``"remove"``, the mean colour of the picture; ``"blur"``, a
        Gaussian of a tenth of its short side; ``"inpaint"``, the colours around it continued into
        it by diffusion, which draws no structure; ``"shuffle"``, its patches (a sixteenth of the
        short side) change places. Of several, ``("remove", "shuffle")``, each is tried at a share
        before the region grows: fewer examples are left without a contrast, at more passes.
    below
        When the neuron counts as quiet, as for :class:`semlens_widgets.Nearest`.
    shares
        Of the picture's pixels, the most relevant first; only pixels with relevance are changed.
    seed
        For ``"shuffle"``.

    Raises
    ------
    ValueError
        If a setting makes no sense.

    Notes
    -----
    On the embedded default removal alone quietens 34, 65, 75 and 81 % of the examples of layer1 to
    layer4 below the mean, all four ways together 56, 82, 92 and 99 % (docs/contrasts.md).
    """

    how: How | tuple[How, ...] = "remove"
    below: Below = "mean"
    shares: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
    seed: int = 0

    name = "perturb"
    looks: ClassVar[bool] = True
    together: ClassVar[int | None] = 16

    def __post_init__(self) -> None:
        if not self._ways or any(way not in get_args(How) for way in self._ways):
            raise ValueError(
                f"how={self.how!r} must be one of {', '.join(map(repr, get_args(How)))}, or some "
                "of them in a tuple."
            )
        check_below(self.below)
        rising = [0, *self.shares, 1]
        if not self.shares or any(a >= b for a, b in pairwise(rising)):
            raise ValueError(
                f"shares={self.shares!r} must rise, above 0 and below 1, such as (0.05, 0.2, 0.5)."
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed={self.seed!r} must be a whole number, at least 0.")

    def contrasts(self, block: Block) -> Contrasts:
        """Change each example step by step, and keep the first that quietens the neuron."""
        samples = block.examples.tolist()
        pairs = [
            (neuron, sample) for neuron, row in enumerate(samples) for sample in row if sample >= 0
        ]
        relevance = dict(zip(pairs, block.relevance(pairs), strict=True))
        steps = [(share, way) for share in self.shares for way in self._ways]

        @lru_cache(maxsize=block.examples.shape[1])  # for all ways at one share
        def region_of(
            neuron: int, sample: int, shape: tuple[int, ...], share: float
        ) -> NDArray[np.bool_]:
            return most_relevant(relevance[neuron, sample], shape, share)

        def offer(neuron: int, rank: int, attempt: int) -> Picture | None:
            sample = samples[neuron][rank]
            share, way = steps[attempt]
            before = np.asarray(block.picture(sample).convert("RGB"))
            region = region_of(neuron, sample, before.shape[:2], share)
            after = self._filled(way, before, region, sample)
            changed = float((after != before).any(2).mean())
            return Picture(Image.fromarray(after), "edited", changed) if changed else None

        return quietened(block, levels_of(block.activations, self.below), len(steps), offer)

    @property
    def _ways(self) -> tuple[How, ...]:
        return self.how if isinstance(self.how, tuple) else (self.how,)

    def _filled(
        self, way: How, picture: NDArray[np.uint8], region: NDArray[np.bool_], sample: int
    ) -> NDArray[np.uint8]:
        if way == "shuffle":
            return shuffled(picture, region, np.random.default_rng((self.seed, sample)))
        return {"remove": removed, "blur": blurred, "inpaint": inpainted}[way](picture, region)


def most_relevant(
    relevance: NDArray[np.uint8], shape: tuple[int, ...], share: float
) -> NDArray[np.bool_]:
    """Return where a picture's most relevant pixels lie.

    Parameters
    ----------
    relevance
        ``(rows, columns)``, over the whole picture; 0 where nothing is relevant.
    shape
        Height and width of the picture.
    share
        How many of its pixels, in (0, 1); fewer where fewer have relevance. Ties go to the first.

    Returns
    -------
    array of bool
        Of that shape.
    """
    height, width = shape
    map_ = Image.fromarray(relevance.astype(np.float32))
    enlarged = np.asarray(map_.resize((width, height), Image.Resampling.BILINEAR))
    smooth = gaussian_filter(enlarged, _SMOOTHING * min(shape)).ravel()
    region = np.zeros(height * width, bool)
    region[np.argsort(-smooth, kind="stable")[: max(1, int(share * len(smooth)))]] = True
    region &= smooth > 0
    return region.reshape(height, width)
