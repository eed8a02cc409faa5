"""A text search over a hundred analyses costs little more than one product over their vectors."""

from __future__ import annotations

import statistics
import time

import torch

import semlens_widgets as slw
from tests.benchmarks.large_store import large_store
from tests.benchmarks.wide_lens import Random

ANALYSES, NEURONS, IMAGES, ROUNDS = 100, 2_048, 200, 15


def test_text_search_in_a_library(benchmark, tmp_path):
    for number in range(ANALYSES):
        large_store(tmp_path / f"{number:03d}", NEURONS, IMAGES)
    library = slw.Library(tmp_path, foundation=Random())
    vectors = torch.cat(
        [torch.from_numpy(library.open(name).vectors) for name in library.analyses["analysis"]]
    )
    query = library.foundation.encode_text(["watermark"])[0]

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def product():
        return vectors @ query

    def search():
        return library.search("watermark", top=50)

    assert len(search()) == 50
    pairs = [(seconds(search), seconds(product)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    benchmark.extra_info["ratio"] = round(ratio, 2)
    benchmark.pedantic(search, rounds=3)
    print(f"{ratio:.2f}, product {1000 * min(bare for _, bare in pairs):.1f} ms")
    assert ratio <= 2
