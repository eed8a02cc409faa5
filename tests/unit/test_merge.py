"""Joining the concept examples of parts gives those of the whole."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
import torch

from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.pipeline.merge import merge_topk


@pytest.mark.parametrize("seed", range(30))
def test_any_parts_in_any_grouping_and_order_give_the_whole(seed):
    rng = np.random.default_rng(seed)
    samples, neurons, k = int(rng.integers(4, 60)), 7, int(rng.integers(1, 12))
    values = rng.integers(-3, 4, (samples, neurons)).astype(np.float32)  # many ties
    values[rng.random((samples, neurons)) < 0.1] = -np.inf
    values[0] = 1  # else no image at all might be usable
    values[1:][rng.random(samples - 1) < 0.2] = np.nan  # unreadable images
    whole = concept_examples(values, k)
    cuts = np.sort(rng.choice(np.arange(1, samples), min(samples - 1, 4), replace=False))
    parts = []
    for indices in np.split(np.arange(samples), cuts):
        if not np.isnan(values[indices]).all():
            found, best = concept_examples(values[indices], k)
            own = torch.from_numpy(indices)[found.clamp(min=0)]
            parts.append((torch.where(found < 0, -1, own), best))
    rng.shuffle(order := list(range(len(parts))))
    shuffled = [parts[i] for i in order]

    def merge(a, b):
        return merge_topk(a, b, k)

    left = reduce(merge, shuffled)
    right = reduce(lambda a, b: merge(b, a), reversed(shuffled))
    for indices, best in (left, right):
        assert torch.equal(indices, whole[0])
        assert torch.equal(best.nan_to_num(nan=-9), whole[1].nan_to_num(nan=-9))


def test_what_cannot_be_joined_is_refused():
    one = (torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3))
    other = (torch.zeros(4, 3, dtype=torch.int64), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="2 and 4 neurons"):
        merge_topk(one, other, 3)
    with pytest.raises(ValueError, match="k:"):
        merge_topk(one, one, 0)
