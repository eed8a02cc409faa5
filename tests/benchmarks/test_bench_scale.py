"""200,000 images and 2,048 units in less than 4 GiB of memory, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.pipeline import plan as run_module

IMAGES, UNITS, DIM = int(os.environ.get("SEMLENS_SCALE_IMAGES", "200000")), 2048, 64


class Drawn:
    """Image i is 4 × 4 pixels of noise with seed i; nothing is kept."""

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        bits = (
            np.arange(1, 49, dtype=np.uint64) * np.uint64(2654435761) * np.uint64(index + 1)
        ) >> 16
        return torch.from_numpy((bits % 251).astype(np.uint8).reshape(3, 4, 4))


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.units = nn.Conv2d(3, UNITS, 4)

    def forward(self, x):
        return self.units(x).relu()


class Foundation:
    name, dim = "random", DIM

    def __init__(self):
        self.matrix = torch.randn(48, DIM, generator=torch.Generator().manual_seed(1))

    def transform(self, image):
        return to_tensor(image)

    def encode_images(self, images):
        return normalize((images - 0.5).flatten(1) @ self.matrix, dim=1)

    def encode_text(self, texts):
        raise NotImplementedError


def peak():
    """The highest resident memory; getrusage would tell that of the process before, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def analyse(path):
    """Run the analysis; print the highest resident memory after each stage, in bytes."""
    torch.set_num_threads(1)
    report = {"start": {"peak": peak()}}

    def measured(stage):
        def run(*args):
            start = time.perf_counter()
            facts = stage.run(*args)
            report[stage.name] = {"peak": peak(), "seconds": round(time.perf_counter() - start, 1)}
            print(stage.name, report[stage.name], file=sys.stderr, flush=True)
            return facts

        return replace(stage, run=run) if stage.run else stage

    run_module.STAGES = tuple(map(measured, run_module.STAGES))
    target = slw.TargetModel(Net(), ["units"], transform=to_tensor)
    images = slw.ImageDataset.from_dataset(Drawn(), labels=[0] * IMAGES, classes=["noise"])
    slw.SemanticLens(target, images, Foundation(), path=path, batch_size=256).run()
    print(json.dumps(report))


@pytest.mark.slow
def test_memory_at_200_000_images(benchmark, tmp_path):
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        check=True,
        env=os.environ | {"TQDM_DISABLE": "1"},
        cwd=Path(__file__).parents[2],
    )
    report = json.loads(done.stdout.splitlines()[-1])
    top = max(stage["peak"] for stage in report.values())
    benchmark.extra_info.update(peak_gib=round(top / 2**30, 2), stages=report)
    benchmark.pedantic(lambda: None, rounds=1)
    print(f"peak {top / 2**30:.2f} GiB, {time.perf_counter() - start:.0f} s", report)
    assert top < 4 * 2**30


if __name__ == "__main__":
    analyse(sys.argv[1])
