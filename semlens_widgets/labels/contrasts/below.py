"""When a neuron counts as quiet: three levels of its own activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from semlens_widgets.analysis.contrasting import mean_levels, quantile_levels, share_levels

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Quantile:
    """Quiet is at most this quantile of the neuron's activations on the data set.

    At most, not below: low quantiles of a neuron that is mostly 0 are 0.

    Attributes
    ----------
    quantile
        In (0, 1), such as 0.1 for the tenth of the images that activate the neuron least.
    """

    quantile: float

    def __post_init__(self) -> None:
        _check_share("Quantile", self.quantile)


@dataclass(frozen=True)
class OfMaximum:
    """Quiet is strictly below this share of the neuron's largest activation on the data set.

    A neuron that is nowhere above 0 is never quiet by it.

    Attributes
    ----------
    share
        In (0, 1).
    """

    share: float

    def __post_init__(self) -> None:
        _check_share("OfMaximum", self.share)


#: ``"mean"``: strictly below the neuron's mean over the data set, as CSP has it.
Below = Literal["mean"] | Quantile | OfMaximum


def check_below(below: object) -> None:
    """Refuse what is no level.

    Raises
    ------
    ValueError
        If it is none of :data:`Below`.
    """
    if below != "mean" and not isinstance(below, (Quantile, OfMaximum)):
        raise ValueError(
            f'below={below!r} must be "mean", Quantile(...) or OfMaximum(...), such as '
            "Quantile(0.1)."
        )


def levels_of(activations: Tensor, below: Below) -> Tensor:
    """Return the smallest activation of each neuron that is not quiet.

    Parameters
    ----------
    activations
        ``(images, neurons)``; NaN where an image is unreadable.
    below
        Which level.

    Returns
    -------
    Tensor
        ``(neurons,)`` float32.
    """
    if isinstance(below, Quantile):
        return quantile_levels(activations, below.quantile)
    if isinstance(below, OfMaximum):
        return share_levels(activations, below.share)
    return mean_levels(activations)


def _check_share(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise ValueError(f"{name}({value!r}) must be a number above 0 and below 1.")
