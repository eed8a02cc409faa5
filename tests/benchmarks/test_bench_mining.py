"""Contrastive mining against a loop over neurons and examples, timed in the same run.

The ratio depends on the processor: with bfloat16 matrix units 23 to 34 was measured on one core,
in float32 alone 13 to 16.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import normalize

from semlens_widgets.analysis.contrasting import contrastive_examples
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.analysis.nearest import to_screen

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES, NEURONS, EXAMPLES, DIM = 50_000, 200, 30, 512


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Both sides on one core: on a busy machine more threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def mine_in_loops(activations: Tensor, embeddings: Tensor, examples: Tensor) -> Tensor:
    """One product of the data set with one example at a time, masked by the neuron."""
    found = torch.empty_like(examples)
    for neuron in range(activations.shape[1]):
        column = activations[:, neuron]
        loud = column >= column.mean()
        for place in range(examples.shape[1]):
            cosine = embeddings @ embeddings[examples[neuron, place]]
            cosine[loud] = -torch.inf
            found[neuron, place] = cosine.argmax()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("units", "least"), [("all", 20), ("plain", 13)])
def test_contrastive_mining_beats_the_loop(benchmark, monkeypatch, units, least):
    if units == "plain":  # as if the processor had no matrix units for bfloat16
        monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    elif to_screen(torch.zeros(1, 1)).dtype != torch.bfloat16:
        pytest.skip("this processor has no matrix units for bfloat16")
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(SAMPLES, NEURONS, generator=generator).relu()
    embeddings = normalize(torch.randn(SAMPLES, DIM, generator=generator), dim=1)
    examples, _ = concept_examples(activations, EXAMPLES)

    found, _ = benchmark.pedantic(
        contrastive_examples, (activations, embeddings, examples), rounds=3, warmup_rounds=1
    )
    start = time.perf_counter()
    expected = mine_in_loops(activations, embeddings, examples)
    loop = time.perf_counter() - start

    ratio = loop / benchmark.stats.stats.median
    benchmark.extra_info.update(
        loop_s=round(loop, 2), ratio=round(ratio, 1), screen=str(to_screen(embeddings[:1]).dtype)
    )
    print(f"loop {loop:.1f} s, batched {benchmark.stats.stats.median:.2f} s: {ratio:.1f} x")
    assert torch.equal(found, expected)
    assert ratio >= least
