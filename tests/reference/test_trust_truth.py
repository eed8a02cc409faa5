"""Do intervals hold what they promise, and do neurons of nothing come out as unknown?

The images of an analysis stand for all images that there are: a smaller set is drawn from them, its
neurons are labelled and judged, and the score that a label has on all of them is known exactly. The
network is the clean twin; the intervals' formula was chosen on the other one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.labels.evidence import HeldEmbeddings
from semlens_widgets.labels.resampling import shuffled
from semlens_widgets.labels.words import VISUAL_WORDS
from semlens_widgets.lens.chance import bars_by_chance
from semlens_widgets.lens.trust import judged

pytestmark = pytest.mark.slow
DRAWN = 1_500


@pytest.fixture(scope="module")
def lens(scenes):
    return scenes(planted=False)


def texts(lens):
    return lens._parts.words().prompts(VISUAL_WORDS, None)


def on(evidence, images):
    """Return the evidence with some of the images."""
    matrix, values = torch.cat(list(evidence.images.blocks())), evidence.values[:, images]
    return replace(
        evidence,
        images=HeldEmbeddings(matrix[images]),
        distribution=lambda start, stop: values[start:stop],
        shared=None,
    )


@pytest.mark.parametrize(
    ("scorer", "turns"),
    [(slw.Recognition(), 4), (slw.Correlation(), 24)],  # the latter is as many times as cheap
    ids=["recognition", "correlation"],
)
def test_nine_in_ten_intervals_hold_the_score_of_all_images(lens, scorer, turns):
    generator = torch.Generator().manual_seed(11)
    words, everyone = texts(lens), lens._read.evidence
    truth = scorer.score(everyone, words)
    rows = torch.arange(len(everyone))
    held = []
    for turn in range(turns):
        images = torch.randint(everyone.images.shape[0], (DRAWN,), generator=generator)
        some = on(everyone, images)
        best = scorer.score(some, words).nan_to_num(-1).argmax(1)
        found = judged(scorer, some, words, len(words), best, resamples=60, seed=turn, level=0.9)
        true = truth[rows, best]
        asked = ~found["low"].isnan()
        held.append(((found["low"] <= true) & (true <= found["high"]))[asked])
    covered = torch.cat(held).float()
    print([round(one.float().mean().item(), 3) for one in held])
    print(f"{scorer.name}: {len(covered)} labels, {covered.mean():.3f} of the intervals hold")
    assert len(covered) >= 500
    assert 0.85 <= covered.mean() <= 0.95


@pytest.mark.parametrize(
    "scorer", [slw.Recognition(), slw.Correlation(), slw.Csp()], ids=lambda it: it.name
)
def test_shuffled_neurons_are_not_known(lens, scorer):
    lens.label(VISUAL_WORDS, scorer=scorer)
    frame = lens.trust(resamples=2)
    words, everyone = texts(lens), lens._read.evidence
    best, label = scorer.score(shuffled(everyone, seed=987), words).max(1)
    bars = bars_by_chance(lens._read, scorer, words)
    below = (best <= bars[label]).float().mean().item()
    known = frame["known"].mean()
    print(f"{scorer.name}: {below:.3f} of shuffled neurons unknown, {known:.3f} of real ones known")
    assert below >= 0.9
    assert known >= 4 * (1 - below)
