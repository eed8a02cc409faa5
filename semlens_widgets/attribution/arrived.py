"""Which share of the relevance that a neuron starts with arrived at the image, in words."""

from __future__ import annotations

import math

_LEAST_SHARE, _LARGEST_SHARE = 0.5, 1.5  # of relevance that arrives, without a word


def arrived_said(arrived: float) -> str:
    """Say in a heatmap's method which share of the relevance arrived, where that is far from all.

    Empty for shares from 0.5 to 1.5, and for NaN, where relevance is not propagated.
    """
    if math.isnan(arrived) or _LEAST_SHARE <= arrived <= _LARGEST_SHARE:
        return ""
    if math.isinf(arrived):
        times = "infinitely many times"
    else:  # 0.31 ×, 2.00 ×, 1.3e+12 ×
        times = f"{arrived:.2f} ×" if 0.005 <= abs(arrived) < 100 else f"{arrived:.1e} ×"
    return f"; {times} the starting relevance arrived"
