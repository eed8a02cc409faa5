"""Which neurons a trace keeps, what the rest carries, and whether ablation agrees.

The attribution graph of CRP (Achtibat et al. 2023), pruned, with what was pruned accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.audit import DRAWS, Measured, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Level:
    """One layer of a trace, its neurons v below the kept neurons u of the layer above.

    Relevance that reaches v either passes through kept neurons above (it is *traced*), or comes by
    other ways: ``relevance = traced + other``. What of a layer is shown is traced and in kept
    neurons. All else is the layer's error node: what is traced into neurons that were not kept, and
    what comes by other ways into any.

    Attributes
    ----------
    relevance
        ``(neurons,)``, R(v | goal): all that reaches them, signed.
    conditional
        ``(kept above, neurons)``, R(v | u, goal).
    kept
        Which neurons are kept, the largest traced relevance first.
    """

    relevance: NDArray[np.float64]
    conditional: NDArray[np.float64]
    kept: NDArray[np.int64]

    @property
    def traced(self) -> NDArray[np.float64]:
        """``(neurons,)``, what of their relevance passes through kept neurons above."""
        traced: NDArray[np.float64] = self.conditional.sum(axis=0)
        return traced

    @property
    def shares(self) -> NDArray[np.float64]:
        """``(kept + 1,)``, of the layer's absolute relevance: kept neurons, then the error node.

        The absolute relevance is ``sum(|traced| + |other|)`` over all neurons, and a kept neuron's
        share is its ``|traced|`` of it. Shares sum to 1, all 0 but the error node's where there is
        no relevance at all.
        """
        traced = np.abs(self.traced)
        total = traced.sum() + np.abs(self.relevance - self.traced).sum()
        kept = traced[self.kept] / total if total > 0 else np.zeros(len(self.kept))
        return np.append(kept, 1 - kept.sum())

    @property
    def edges(self) -> NDArray[np.float64]:
        """``(kept above + 1, kept + 1)``, signed relevance, error nodes last on both sides.

        A column of a kept neuron sums to its relevance, the whole table to that of the layer.
        """
        other = self.relevance - self.traced
        from_above = np.concatenate([self.conditional, other[None]])
        rest = from_above.sum(axis=1) - from_above[:, self.kept].sum(axis=1)
        return np.concatenate([from_above[:, self.kept], rest[:, None]], axis=1)


def level(
    relevance: NDArray[np.float64], conditional: NDArray[np.float64], keep: float, top: int
) -> Level:
    """Keep the fewest neurons that carry a share of a layer's positive traced relevance.

    Parameters
    ----------
    relevance, conditional
        As in :class:`Level`.
    keep
        The share, in (0, 1].
    top
        The most neurons to keep.

    Returns
    -------
    Level
        Ties are broken by the neuron's number. Neurons that speak against the goal are not kept;
        the error node has them.
    """
    positive = np.maximum(conditional.sum(axis=0), 0)
    order = np.argsort(-positive, kind="stable")
    order = order[positive[order] > 0]
    reached = np.cumsum(positive[order])
    # Sums of floats: the last neuron must not be missed for want of an epsilon.
    enough = int((reached < (keep - 1e-12) * positive.sum()).sum()) + 1
    return Level(relevance, conditional, order[: min(enough, top)])


def agreement(
    relevance: NDArray[np.float64], drop: NDArray[np.float64], seed: int = 0
) -> Measured | None:
    """Return Spearman's correlation of relevance and what ablation takes, with its interval.

    Returns
    -------
    Measured
        With the percentile interval of bootstrap draws of the nodes; None where fewer than
        three nodes, or constant figures, leave nothing to correlate.
    """
    value = _spearman(relevance, drop)
    if np.isnan(value):
        return None
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(drop), (DRAWS, len(drop)))
    found = np.array([_spearman(relevance[some], drop[some]) for some in drawn])
    low, high = interval(found[~np.isnan(found)][:, None])[0]
    return Measured(value, float(low), float(high))


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the rank correlation; NaN of fewer than three values, or where one does not vary."""
    from scipy.stats import rankdata

    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (one, other)]
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float(ranks[0] @ ranks[1] / size) if len(one) > 2 and size > 0 else float("nan")
