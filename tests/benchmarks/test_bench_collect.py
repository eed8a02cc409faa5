"""Collecting costs what reading the images and running the model cost, and little more."""

from __future__ import annotations

import statistics
import time

import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.pipeline.collect import collect
from semlens_widgets.pipeline.loading import load
from semlens_widgets.store.store import AnalysisStore

IMAGES, ROUNDS, BATCH = 1500, 5, 64


def test_collecting_four_layers(benchmark, tmp_path):
    """Four layers, pooled and stored, against the same loader and a bare forward pass."""
    pictures = [image for image, _ in demo.scene_images(IMAGES, seed=1)]
    images = slw.ImageDataset.from_list(pictures)
    model = demo.classifier()
    layers = ["layer1", "layer2", "layer3", "layer4"]
    target = slw.TargetModel(model, layers, transform=demo.preprocess)

    def prepare(image, _name):
        return demo.preprocess(image)

    def bare():
        with torch.no_grad():
            for start in range(0, IMAGES, BATCH):
                samples = range(start, min(start + BATCH, IMAGES))
                loaded = [load(images, [prepare], sample) for sample in samples]
                model(torch.stack([one.prepared[0] for one in loaded]))

    folders = iter(range(1000))

    def ours():
        store = AnalysisStore(tmp_path / str(next(folders)))
        collect(store, target, images, batch_size=BATCH)

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    ours()
    bare()
    pairs = [(seconds(ours), seconds(bare)) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / plain for mine, plain in pairs)
    benchmark.extra_info["ratio to loader and forward pass"] = round(ratio, 3)
    benchmark.pedantic(ours, rounds=1)
    print(f"ratio to loader and forward pass: {ratio:.3f}")
    assert ratio <= 1.05
