"""Searching 100,000 semantic vectors costs little more than one product with the query."""

from __future__ import annotations

import statistics
import time

import torch

import semlens_widgets as slw
from tests.benchmarks.large_store import large_store
from tests.benchmarks.wide_lens import Random

NEURONS, IMAGES, ROUNDS = 100_000, 1_000, 15


def test_text_search(benchmark, tmp_path):
    lens = slw.open(large_store(tmp_path / "analysis", NEURONS, IMAGES), foundation=Random())
    directions = torch.from_numpy(lens.vectors)
    query = lens.foundation.encode_text(["watermark"])[0]

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def product():
        return directions @ query

    def top():
        return lens.search("watermark", scorer=None, top=50)

    def everything():
        return lens.search("watermark", scorer=None)

    assert len(everything()) == NEURONS
    ratios = {}
    for name, run in (("best 50", top), ("all, ranked", everything)):
        pairs = [(seconds(run), seconds(product)) for _ in range(ROUNDS)]
        ratios[name] = statistics.median(ours / bare for ours, bare in pairs)
    benchmark.extra_info.update({f"ratio, {name}": round(r, 2) for name, r in ratios.items()})
    benchmark.pedantic(top, rounds=3)
    print(ratios, f"product {1000 * min(seconds(product) for _ in range(9)):.1f} ms")
    assert max(ratios.values()) <= 2
