"""Whether a model draws random numbers, so that two looks at one image differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DRAWS = (
    "The model gives different results for the same image: it draws random numbers in evaluation "
    "mode too, as F.dropout(x) does without training=self.training. Mend that in the model; else "
    "activations are by chance, and a heatmap is of another pass than they are."
)


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two passes gave the same, up to rounding."""
    one, other = one.nan_to_num(), other.nan_to_num()
    return bool((one - other).abs().max() <= 0.01 * float(other.abs().max()))
