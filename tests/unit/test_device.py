"""Results are fetched while the next batch is computed, and none is lost or mixed up by it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.pipeline.collect import Values, collect
from semlens_widgets.pipeline.engine.device import HostCopy, one_behind
from semlens_widgets.pipeline.engine.local import do, in_process
from semlens_widgets.pipeline.loading import batch_of, load
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import ColourNet, to_tensor


def counted(log, n, fails_at=None):
    for i in range(n):
        if i == fails_at:
            raise KeyboardInterrupt
        log.append(f"made {i}")
        yield i


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_each_item_is_yielded_when_the_next_one_is_made(n):
    log = []
    for i in one_behind(counted(log, n)):
        assert log == [f"made {j}" for j in range(min(i + 2, n))]
    assert len(log) == n


@pytest.mark.parametrize("fails_at", range(4))
def test_what_was_made_before_a_failure_is_yielded(fails_at):
    kept = []
    with pytest.raises(KeyboardInterrupt):
        kept.extend(one_behind(counted([], 4, fails_at)))
    assert kept == list(range(fails_at))


def test_copies_are_the_values_also_in_another_process():
    values = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(2, 0)}
    copy = HostCopy(values)
    for one in (copy, pickle.loads(pickle.dumps(copy))):  # noqa: S301
        assert {name: value.tolist() for name, value in one.read().items()} == {
            "a": [[0, 1, 2], [3, 4, 5]],
            "b": [[], []],
        }
    assert HostCopy({}).read() == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_copies_are_pinned_and_read_when_they_have_arrived():
    big = torch.randn(2000, 2000, device="cuda")
    for _ in range(20):  # keeps the device busy, so that the copy waits behind it
        big = big @ big / 2000
    copy = HostCopy({"big": big})
    assert copy._values["big"].is_pinned()
    assert np.array_equal(copy.read()["big"], big.cpu().numpy(), equal_nan=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_batches_for_cuda_are_pinned(colour_lens, monkeypatch):
    lens, pinned = colour_lens(), []
    target = TargetModel(ColourNet().cuda(), ["seen"], transform=to_tensor)
    monkeypatch.setattr(TargetModel, "units", lambda _, images: pinned.append(images) or {})
    reader = Values(target, lens.images, lambda model, images: model.units(images))
    loaded = [load(lens.images, [reader.prepare], sample) for sample in range(60)]
    reader.compute(batch_of(loaded), [one.prepared[0] for one in loaded])
    assert [images.is_pinned() for images in pinned] == [True]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_collects_what_the_cpu_collects(colour_lens, tmp_path):
    images = colour_lens().images
    stores = []
    for device in ("cpu", "cuda"):
        target = TargetModel(
            ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive", device=device
        )
        stores.append(AnalysisStore(tmp_path / device))
        collect(stores[-1], target, images, batch_size=7)
    cpu, cuda = (store.matrix("activations", "activations") for store in stores)
    np.testing.assert_allclose(cuda, cpu, rtol=1e-3, atol=1e-5)  # TF32 has ten bits


def test_a_pass_is_written_up_to_the_batch_that_failed(colour_lens, tmp_path):
    """The batch in hand is not lost when the next one is interrupted."""
    lens = colour_lens(batch_size=7)
    written = []

    def interrupted(compute, tasks):
        def one(task):
            if task.start == 21:
                raise KeyboardInterrupt
            written.append(task)
            return do(compute, task)

        return one_behind(map(one, tasks))

    store = AnalysisStore(tmp_path / "store")
    with pytest.raises(KeyboardInterrupt):
        collect(store, lens.target, lens.images, batch_size=7, mapper=interrupted)
    again = []

    def counting(compute, tasks):
        again.extend(tasks)
        return in_process(compute, tasks)

    collect(store, lens.target, lens.images, batch_size=7, mapper=counting)
    assert [task.start for task in written + again] == list(range(0, 60, 7))
