"""An analysis by Ray's workers is, to the last bit, that of one process."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor

import semlens_widgets as slw
from semlens_widgets.errors import ModelError
from semlens_widgets.pipeline.engine.ray import RayMapper
from semlens_widgets.store.scratch import RowLog
from tests.colour_world import ColourNet, colour_images, to_tensor

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.store.store import AnalysisStore

ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "semlens-widgets[ray]"')

# What Ray leaves to the garbage collector is its own.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

RAY = {"engine": "ray", "workers": 2}


@pytest.fixture(scope="module")
def cluster():
    """A cluster of the user's own, smaller than what two whole CPUs for two actors would need."""
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=200 << 20,
        include_dashboard=False,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, image in enumerate(colour_images(30)):
        image.save(folder / f"{i:02d}.png")
    for name in ("00.png", "01.png", "02.png", "17.png"):  # the whole first batch, and another
        (folder / name).write_bytes(b"not a picture")
    return slw.ImageDataset.from_folder(folder)


def assert_same_tables(ours: AnalysisStore, theirs: AnalysisStore) -> None:
    tables = {folder.stem for folder in theirs.path.glob("*.lance")}
    assert {folder.stem for folder in ours.path.glob("*.lance")} == tables
    for table in tables:
        assert ours.read(table).equals(theirs.read(table)), table
    assert ours.stages == theirs.stages


def person_reads(caught):
    """Return the package's own warnings; Ray has some for its developers."""
    return sorted(str(warning.message) for warning in caught if warning.category is UserWarning)


def test_all_tables_are_those_of_one_process(colour_lens, photos, tmp_path, cluster):
    options = {"images": photos, "batch_size": 3, "embedding": "crop", "examples_by": "relevance"}
    either = "4 of 30 images|crops are all that the model sees"
    with pytest.warns(UserWarning, match=either) as words:
        local = colour_lens(path=tmp_path / "local", **options).run().localise()
    with pytest.warns(UserWarning, match=either) as same_words:
        spread = colour_lens(path=tmp_path / "ray", **options).run(**RAY).localise(**RAY)
    said = person_reads(words)
    assert person_reads(same_words) == said
    assert any("4 of 30 images" in text for text in said)
    assert_same_tables(spread.store, local.store)
    assert {"crops", "contrast_crops", "heatmaps", "relevances"} <= {
        folder.stem for folder in spread.store.path.glob("*.lance")
    }
    assert ray.is_initialized()  # it was not ours to end


class Breaks(ColourNet):
    """Fails on a batch that begins with the image that `at` says, unless there is a file."""

    def __init__(self, healed: Path, at: Tensor) -> None:
        super().__init__()
        self.healed, self.at = healed, at

    def forward(self, x: Tensor) -> Tensor:
        if torch.equal(x[0], self.at) and not self.healed.exists():
            raise ZeroDivisionError("broken on purpose")
        return super().forward(x)


def test_an_interrupted_run_goes_on_where_it_ended(colour_lens, tmp_path, cluster):
    whole = colour_lens(path=tmp_path / "whole", batch_size=7).run()
    healed = tmp_path / "healed"

    def make():
        model = Breaks(healed, to_tensor(colour_images()[28]))
        target = slw.TargetModel(model, ["seen", "mixed"], transform=to_tensor, poles="positive")
        return colour_lens(target=target, batch_size=7)

    lens = make()
    with pytest.raises(ModelError, match=r"fails on 'image-000028'.*broken on purpose") as caught:
        lens.run(**RAY)
    assert "In a Ray worker" in "".join(caught.value.__notes__)
    log = RowLog(lens.store.scratch(), "collect", np.float32, step=7, total=60)
    assert log.rows == 28  # all that came before
    healed.touch()
    lens = make().run()  # by whichever engine
    for table in ("activations", "embeddings", "examples", "contrasts", "vectors"):
        assert lens.store.read(table).equals(whole.store.read(table)), table


class Doubles:
    """Twice a number, some numbers taking longer than others."""

    device = torch.device("cpu")

    def items(self, task: int, /) -> list[int]:
        return [task]

    def load(self, item: int, /) -> int:
        time.sleep(0.02 * (item % 3))
        return item

    def __call__(self, task: int, loaded: list[int], /) -> np.ndarray:
        return np.array([task + loaded[0]])


def test_results_come_in_order_and_workers_go_when_they_are_left_alone(cluster):
    with RayMapper(2) as mapper:
        assert [int(r[0]) for r in mapper(Doubles(), range(20))] == list(range(0, 40, 2))
        results = mapper(Doubles(), range(20))
        assert int(next(results)[0]) == 0
        results.close()
    until = time.monotonic() + 20
    while ray.available_resources().get("CPU") != 2 and time.monotonic() < until:
        time.sleep(0.2)
    assert ray.available_resources()["CPU"] == 2


def test_what_cannot_be_done_is_said(colour_lens, cluster, monkeypatch):
    lens = colour_lens()
    with pytest.raises(ValueError, match='engine=\'dask\' is unknown: use "local" or "ray"'):
        lens.run(engine="dask")
    with pytest.raises(ValueError, match="workers=0"):
        lens.run(engine="ray", workers=0)
    unsendable = Doubles()
    unsendable.lock = threading.Lock()
    with RayMapper(1) as mapper:
        with pytest.raises(TypeError, match="cannot be pickled"):
            next(mapper(unsendable, [1]))
        elsewhere = Doubles()
        for device, message in (("cuda", "has no GPU"), ("cuda:1", "as its only GPU")):
            elsewhere.device = torch.device(device)
            with pytest.raises(ValueError, match=message):
                next(mapper(elsewhere, [1]))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install .semlens-widgets\[ray\]"):
        lens.run(engine="ray")


def test_a_cluster_of_our_own_is_started_when_needed_and_ended(colour_lens, tmp_path):
    if ray.is_initialized():
        ray.shutdown()
    with RayMapper(1) as mapper:
        assert list(mapper(Doubles(), [])) == []
        assert not ray.is_initialized()
        assert [int(r[0]) for r in mapper(Doubles(), range(3))] == [0, 2, 4]
        assert ray.is_initialized()
    assert not ray.is_initialized()
