"""A hypernym where the best label cannot be told from its siblings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlens_widgets.analysis.granularity import lineage
from semlens_widgets.labels.resampling import drawn_anew

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence
    from semlens_widgets.labels.scorer import Scorer

RESAMPLES = 30


@dataclass(frozen=True)
class Tree:
    """Which candidates are kinds of which, by their place.

    Attributes
    ----------
    above
        Of each candidate, those that it is a kind of, the nearest first.
    below
        Of each candidate, itself and all kinds of it, in their order.
    """

    above: tuple[tuple[int, ...], ...]
    below: tuple[tuple[int, ...], ...]


def tree_of(names: Sequence[str], parents: Mapping[str, str]) -> Tree:
    """Return which of the names are kinds of which.

    Parameters
    ----------
    parents
        By word, what it is a kind of, "" for none; words in between need not be among the names.
        Without a circle.

    Raises
    ------
    ValueError
        If none is a kind of another.
    """
    place = {name: at for at, name in enumerate(names)}
    above = tuple(
        tuple(place[word] for word in lineage(name, parents)[1:] if word in place) for name in names
    )
    if not any(above):
        raise ValueError(
            "back_off: no candidate is a kind of another one, so there is nothing more general to "
            'say. Say what is a kind of what by Vocabulary(words, parents), or choose from "wide".'
        )
    below: list[list[int]] = [[at] for at in range(len(names))]
    for at, those in enumerate(above):
        for one in those:
            below[one].append(at)
    return Tree(above, tuple(tuple(sorted(those)) for those in below))


def backed_off(
    scorer: Scorer,
    evidence: Evidence,
    texts: Tensor,
    scores: Tensor,
    best: Tensor,
    tree: Tree,
    counts: Tensor,
    seed: int = 0,
) -> Tensor:
    """Return the label of each neuron that can be told from its siblings, ``(N,)``.

    On the way up from the best label, each hypernym that counts holds other kinds beside the branch
    one comes from. If the best label's lead over the best of these is zero, or less than its
    standard error, the two cannot be told apart, and the hypernym is all that can be said. The most
    general one that has to be said is returned; where there is none, the best label itself.

    Parameters
    ----------
    scorer
        One whose score of a text depends on no other text.
    evidence
        On N neurons.
    texts
        ``(T, D)`` unit embeddings of the candidates.
    scores
        ``(N, T)``.
    best
        ``(N,)`` place of the best candidate; -1 where there is no label.
    tree
        Of the candidates.
    counts
        ``(N, T)`` bool, whether a candidate may be the label of the neuron.
    seed
        Draws the evidence anew.

    Notes
    -----
    The standard error is that of the paired difference of the two scores over 30 bootstrap samples
    (of images, or of pairs of examples, see :func:`.resampling.drawn_anew`). That the best was
    chosen by its score is not taken off, so a lead seems a little larger than it is.
    """
    ways = [
        _way(tree, int(at), row, may) if at >= 0 else []
        for at, row, may in zip(best.tolist(), scores, counts, strict=True)
    ]
    steps = [(row, rival) for row, way in enumerate(ways) for _, rival in way]
    if not steps:
        return best.clone()
    rows, rivals = torch.tensor(steps).T
    leads = scores[rows, best[rows]] - scores[rows, rivals]
    asked, at = torch.unique(torch.cat([best[rows], rivals]), return_inverse=True)
    one, other = at.chunk(2)
    drawn = []
    for anew in drawn_anew(scorer, evidence, RESAMPLES, seed):
        found = scorer.score(anew, texts[asked])
        drawn.append(found[rows, one] - found[rows, other])
    error = torch.stack(drawn).std(0)
    told = iter(((leads > 0) & (leads >= error)).tolist())
    labels = best.clone()
    for row, way in enumerate(ways):
        for hypernym, _ in way:
            if not next(told):
                labels[row] = hypernym
    return labels


def _way(tree: Tree, best: int, scores: Tensor, counts: Tensor) -> list[tuple[int, int]]:
    """Return the hypernyms that count, each with the best candidate in its other branches."""
    way, branch = [], {best}
    for hypernym in tree.above[best]:
        if not counts[hypernym]:
            continue
        inside = {*tree.below[best], *branch}
        others = [
            at for at in tree.below[hypernym] if at not in inside and at != hypernym and counts[at]
        ]
        if others:
            rival = others[int(scores[others].nan_to_num(-torch.inf).argmax())]
            way.append((hypernym, rival))
        branch = set(tree.below[hypernym])
    return way
