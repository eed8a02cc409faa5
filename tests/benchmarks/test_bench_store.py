"""Opening a finished analysis and showing its first gallery, against reading plain files.

The whole folder read once is the yardstick. Thirty tiles alone, each a file, are read in a fraction
of a millisecond; the store opens five tables and looks up rows in them, a few milliseconds each.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pyarrow as pa
import pytest

import semlens_widgets as slw
from semlens_widgets.store.store import AnalysisStore, vector_column

NEURONS, EXAMPLES, IMAGES, DIM, ROUNDS = 2048, 30, 50_000, 512, 9


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """A store as an analysis of 2,048 neurons leaves it, with random contents; and its pictures."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("analysis")
    store = AnalysisStore(path)
    shown = rng.integers(0, IMAGES, (NEURONS, EXAMPLES)).astype(np.int32)
    contrasts = rng.integers(0, IMAGES, (NEURONS, EXAMPLES)).astype(np.int32)
    samples = np.union1d(shown, contrasts)
    jpegs = {int(sample): rng.bytes(int(rng.integers(2500, 6500))) for sample in samples}
    n = NEURONS
    tables = {
        "samples": {
            "uri": [f"class-{i % 100:03d}/image-{i:08d}.jpg" for i in range(IMAGES)],
            "readable": np.ones(IMAGES, bool),
            "label": np.arange(IMAGES, dtype=np.int32) % 100,
        },
        "neurons": {
            "layer": ["layer4"] * n,
            "neuron": np.arange(n, dtype=np.int32),
            **{name: rng.random(n, np.float32) for name in ("mean", "max", "firing_rate")},
            "dead": np.zeros(n, bool),
            "top_samples": vector_column(np.zeros((n, 100), np.int32)),
        },
        "examples": {
            "row": np.repeat(np.arange(n, dtype=np.int32), EXAMPLES),
            "rank": np.tile(np.arange(EXAMPLES, dtype=np.int16), n),
            "sample": shown.ravel(),
            "activation": rng.random(n * EXAMPLES, np.float32),
        },
        "contrasts": {
            "sample": contrasts.ravel(),
            "activation": rng.random(n * EXAMPLES, np.float32),
            "similarity": rng.random(n * EXAMPLES, np.float32),
        },
        "vectors": {"vector": vector_column(rng.normal(size=(n, DIM)).astype(np.float16))},
        "measures": {
            name: rng.random(n, np.float32) for name in ("clarity", "polysemanticity", "redundancy")
        },
        "layout": {name: rng.random(n, np.float32) for name in ("x", "y")},
    }
    with store.writing():
        for name, columns in tables.items():
            store.write(name, pa.table(columns))
        for block in np.array_split(samples, 40):
            pictures = [jpegs[int(sample)] for sample in block]
            store.append("thumbnails", pa.table({"sample": block, "jpeg": pictures}))
        store.compact("thumbnails")
        store.finish("collect", layers={"layer4": n})
        store.finish("classes", names=[f"class-{i:03d}" for i in range(100)])
        store.finish("embed", dim=1, foundation="none", mean=[0.0], without=[])
        store.finish("examples", n_examples=EXAMPLES, ranks=EXAMPLES)
        store.finish("vectors")
    settings = {"model": "net", "embedding": "image", "images": IMAGES, "examples_by": "activation"}
    store.configure({**settings, "foundation": "none", "foundation_dim": 1})
    return path, {sample: jpegs[sample] for sample in map(int, shown[17])}


def test_opening_and_the_first_gallery(benchmark, analysis, tmp_path):
    path, tiles = analysis

    def ours():
        lens = slw.open(path)
        samples = lens.examples("layer4", 17)["sample"].tolist()
        return lens.thumbnail_jpegs(samples)

    for sample, content in tiles.items():
        (tmp_path / f"{sample}.jpg").write_bytes(content)
    files = sorted(path.rglob("*.*"))

    def tiles_from_files():
        return [(tmp_path / f"{sample}.jpg").read_bytes() for sample in tiles]

    def whole_folder_from_files():
        return sum(len(file.read_bytes()) for file in files if file.is_file())

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    assert sorted(ours()) == sorted(tiles.values())
    times = {
        name: statistics.median(seconds(run) for _ in range(ROUNDS))
        for name, run in (
            ("store", ours),
            ("tiles as files", tiles_from_files),
            ("all bytes as files", whole_folder_from_files),
        )
    }
    benchmark.extra_info.update({name: round(1000 * s, 2) for name, s in times.items()})
    benchmark.pedantic(ours, rounds=1)
    print({name: f"{1000 * s:.2f} ms" for name, s in times.items()})
    assert times["store"] <= 2 * times["all bytes as files"]
