"""2,048 neurons, 1,000 labels and 50,000 images: what a scorer takes beside the bare products.

In a process of its own, whose memory is looked at. Times are those of its one thread, scorer and
products in turn, compared within one run.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST_MEMORY = 4 << 30  # bytes, of the whole process
MOST_TIMES = 2  # the bare products
GO_BY_ALL_IMAGES = ("recognition", "correlation")

SCRIPT = """
import json
import sys
import time

import numpy as np
import torch
from torch.nn.functional import embedding_bag, normalize

from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, in_parts
from semlens_widgets.labels.likeness import Likeness
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.labels.scorers import SCORERS

NEURONS, TEXTS, IMAGES, DIM, EXAMPLES, TURNS = 2048, 1000, 50_000, 512, 30, 3
SHARES = 0.16  # of the images, the widest that recognition looks at


def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10


def timed(act):
    start = time.process_time()
    act()
    return time.process_time() - start


torch.set_num_threads(1)


drawn = torch.Generator().manual_seed(0)
images = normalize(torch.randn(IMAGES, DIM, generator=drawn), dim=1)
texts = normalize(torch.randn(TEXTS, DIM, generator=drawn), dim=1)
values = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, (NEURONS, IMAGES))
for start in range(0, NEURONS, 256):
    values[start : start + 256] = torch.randn(256, IMAGES, generator=drawn).clamp(min=0)
values.flush()
del values
values = np.load(sys.argv[1], mmap_mode="r")
samples = torch.randint(IMAGES, (NEURONS, 100), generator=drawn)


def evidence():
    held = HeldEmbeddings(images)
    return Evidence(
        held, samples[:, :EXAMPLES], samples[:, -EXAMPLES:], torch.ones(NEURONS, EXAMPLES),
        top_samples=samples,
        distribution=lambda start, stop: torch.from_numpy(np.array(values[start:stop])),
        shared=Likeness(held),
    )


def score(kind):
    scorer, all_neurons = kind(), evidence()
    if isinstance(scorer, Competing):
        prior = scorer.prior(in_parts(all_neurons), texts)
    for part in in_parts(all_neurons, whole=scorer.whole):
        if isinstance(scorer, Competing):
            scorer.score_among(part, texts, None, prior)
        else:
            scorer.score(part, texts)


members = torch.randint(IMAGES, (TEXTS, int(SHARES * IMAGES)), generator=drawn).int()


def recognition():
    'Similarities, and the sums of the rows of the images that count: a sparse product.'
    for some in texts.split(100):
        some.double() @ images.double().T
    for part in in_parts(evidence(), whole=True):
        table = torch.zeros(IMAGES, len(part))
        for some in members.split(100):
            embedding_bag(some, table, mode="sum")


def correlation():
    'Activations times embeddings, their scatter, and both times the texts.'
    (images.T @ images) @ texts.T
    for part in in_parts(evidence(), whole=True):
        (part.values @ images) @ texts.T


found = {}
for name, kind in SCORERS.items():
    if name in ("recognition", "correlation"):
        bare = globals()[name]
        turns = [(timed(lambda: score(kind)), timed(bare)) for _ in range(TURNS)]
        whole, least = (min(times) for times in zip(*turns))
        found[name] = whole / least
        print(turns, file=sys.stderr)
    else:
        score(kind)
    found[f"peak after {name}"] = peak()
print(json.dumps(found))
"""


@pytest.mark.slow
def test_scorers_of_very_many_images(benchmark, tmp_path):
    run = [sys.executable, "-c", SCRIPT, str(tmp_path / "values.npy")]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    found = json.loads(said.splitlines()[-1])
    benchmark.pedantic(lambda: None, rounds=1)
    print(found)
    for name in GO_BY_ALL_IMAGES:
        benchmark.extra_info[f"{name}, times its bare products"] = round(found[name], 2)
    peaks = {name: value for name, value in found.items() if name.startswith("peak")}
    benchmark.extra_info["MiB at most"] = max(peaks.values()) >> 20
    assert {name: value for name, value in peaks.items() if value > MOST_MEMORY} == {}
    assert {name: found[name] for name in GO_BY_ALL_IMAGES if found[name] > MOST_TIMES} == {}
