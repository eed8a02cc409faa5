"""One pass over the images for all that want something of them."""

from __future__ import annotations

import threading

import pytest
import torch
from PIL import Image

from semlens_widgets.errors import TransformError
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.pipeline.engine.local import ThreadMapper, in_process
from semlens_widgets.pipeline.loading import stacked
from semlens_widgets.pipeline.passes import pass_over
from semlens_widgets.store.scratch import BlobLog

WAIT = 30  # seconds until a test that hangs is given up


class Reds:
    """The red of each image, and the batches in which they came."""

    device = torch.device("cpu")

    def __init__(self, factor=1):
        self.factor = factor
        self.batches = []

    def prepare(self, image, name):
        return self.factor * image.getpixel((0, 0))[0]

    def compute(self, batch, prepared):
        self.batches.append(batch.indices.tolist())
        return prepared


class Keeps:
    """Keeps what a reader found, by sample."""

    label = "reds"

    def __init__(self, reader, rows=0):
        self.reader, self.rows, self.found, self.ended = reader, rows, {}, 0

    def keep(self, batch, result):
        self.rows += len(batch.indices)
        self.found |= dict(zip(batch.whole, result, strict=True))
        self.found |= batch.problems

    def end(self):
        self.ended += 1


@pytest.fixture(params=["in_process", 1, 3])
def mapper(request):
    if request.param == "in_process":
        yield in_process
        return
    with ThreadMapper(request.param) as threads:
        yield threads


def folder(tmp_path, count=11, broken=()):
    for i in range(count):
        Image.new("RGB", (4, 4), (10 * i, 0, 0)).save(tmp_path / f"{i:02}.png")
    for i in broken:
        (tmp_path / f"{i:02}.png").write_bytes(b"no image")
    return ImageDataset.from_folder(tmp_path)


def test_every_image_is_decoded_once_for_each_from_where_it_stands(tmp_path, mapper, monkeypatch):
    images = folder(tmp_path)
    loads = []
    real = ImageDataset.load
    monkeypatch.setattr(ImageDataset, "load", lambda self, i: loads.append(i) or real(self, i))
    begun, anew, done = Keeps(Reds(), rows=6), Keeps(Reds(2), rows=3), Keeps(Reds(), rows=11)
    pass_over(images, [begun, anew, done], 3, mapper)
    assert sorted(loads) == list(range(3, 11))
    assert begun.found == {i: 10 * i for i in range(6, 11)}
    assert anew.found == {i: 20 * i for i in range(3, 11)}
    assert begun.reader.batches == [[6, 7, 8], [9, 10]]
    assert anew.reader.batches == [[3, 4, 5], [6, 7, 8], [9, 10]]
    assert (done.found, done.ended, begun.ended, anew.ended) == ({}, 0, 1, 1)


def test_unreadable_images_are_told_and_the_others_kept(tmp_path, mapper):
    kept = Keeps(Reds())
    pass_over(folder(tmp_path, broken=[0, 4]), [kept], 2, mapper)
    assert kept.reader.batches == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10]]
    assert {i for i, found in kept.found.items() if isinstance(found, str)} == {0, 4}
    assert "'04.png': not an image" in kept.found[4]
    assert [kept.found[i] for i in (1, 5, 10)] == [10, 50, 100]


def test_an_error_is_raised_in_its_turn_and_what_came_before_is_kept(tmp_path, mapper):
    class Fails(Reds):
        def prepare(self, image, name):
            if name == "'07.png'":
                raise TransformError(f"fails on {name}")
            return super().prepare(image, name)

    kept = Keeps(Fails())
    with pytest.raises(TransformError, match=r"fails on '07.png'"):
        pass_over(folder(tmp_path), [kept], 2, mapper)
    assert kept.rows == 6
    assert kept.ended == 0


def test_an_interrupt_leaves_no_thread_loading(tmp_path):
    class Stops(Reds):
        def compute(self, batch, prepared):
            if batch.indices[0] == 4:
                raise KeyboardInterrupt
            return super().compute(batch, prepared)

    kept, loads = Keeps(Stops()), []
    images = folder(tmp_path, count=25)
    real = images.load
    images.load = lambda i: loads.append(i) or real(i)
    with pytest.raises(KeyboardInterrupt), ThreadMapper(2) as threads:
        pass_over(images, [kept], 2, threads)
    assert kept.rows == 4
    assert len(loads) <= 10  # those of the tasks that were ahead, and no more
    assert not [one for one in threading.enumerate() if one.name.startswith("semlens-load")]


def test_files_are_decoded_side_by_side_and_ahead_of_the_model(tmp_path):
    side_by_side = threading.Barrier(2)  # breaks, and fails the test, if one thread loads alone
    ahead = threading.Event()

    class Meets(Reds):
        def prepare(self, image, name):
            if name in {"'00.png'", "'01.png'"}:
                side_by_side.wait(WAIT)
            if name == "'05.png'":
                ahead.set()
            return super().prepare(image, name)

        def compute(self, batch, prepared):
            if batch.indices[0] == 2:
                assert ahead.wait(WAIT)
            return super().compute(batch, prepared)

    kept = Keeps(Meets())
    with ThreadMapper(2) as threads:
        pass_over(folder(tmp_path), [kept], 2, threads)
    assert kept.rows == 11


def test_a_data_set_of_ones_own_is_read_by_one_thread_at_a_time():
    """It may seek in one open file, or count."""
    inside, most = [], []

    class Own:
        def __len__(self):
            return 40

        def __getitem__(self, i):
            inside.append(i)
            most.append(len(inside))
            image = Image.new("RGB", (64, 64), (i, 0, 0))
            inside.remove(i)
            return image

    kept = Keeps(Reds())
    with ThreadMapper(4) as threads:
        pass_over(ImageDataset.from_dataset(Own()), [kept], 4, threads)
    assert kept.found == {i: i for i in range(40)}
    assert max(most) == 1


def test_images_of_different_sizes_are_named():
    with pytest.raises(TransformError, match=r"\(3, 4, 4\).*'a'.*\(3, 5, 4\).*'b'"):
        stacked(["a", "b"], [torch.zeros(3, 4, 4), torch.zeros(3, 5, 4)])


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_are_counted_from_one(colour_lens, workers):
    with pytest.raises(ValueError, match=f"workers={workers} must be at least 1"):
        colour_lens().run(workers=workers)


def test_a_run_decodes_every_image_once_and_stores_the_same_as_stage_by_stage(
    colour_lens, tmp_path, monkeypatch
):
    from semlens_widgets.pipeline import plan

    with monkeypatch.context() as patch:
        patch.setattr(plan, "_share_a_pass", lambda *_: None)
        apart = colour_lens(path=tmp_path / "apart", batch_size=7).run(workers=1)
    lens = colour_lens(path=tmp_path / "together", batch_size=7)
    loads = []
    real = ImageDataset.load
    monkeypatch.setattr(ImageDataset, "load", lambda self, i: loads.append(i) or real(self, i))
    lens.run(workers=3)
    assert sorted(loads) == list(range(60))
    for table in ("activations", "embeddings", "samples", "examples", "vectors", "thumbnails"):
        assert lens.store.read(table).equals(apart.store.read(table)), table


def test_of_many_images_the_examples_alone_are_read_again(colour_lens, monkeypatch):
    monkeypatch.setattr("semlens_widgets.pipeline.thumbnails._FEW", 59)
    lens = colour_lens(n_examples=2)
    loads = []
    real = ImageDataset.load
    monkeypatch.setattr(ImageDataset, "load", lambda self, i: loads.append(i) or real(self, i))
    lens.run()
    shown = lens.store.frame("thumbnails")["sample"].tolist()
    assert sorted(loads) == sorted([*range(60), *shown])
    assert 0 < len(shown) < 60


def test_bytes_are_logged_and_a_torn_end_is_cut_off(tmp_path):
    blobs = [b"a", b"", b"ccc", b"dd"]
    log = BlobLog(tmp_path, "x", total=9)
    log.append(blobs[:3])
    with (tmp_path / "x-bytes").open("ab") as file:
        file.write(b"torn")
    log = BlobLog(tmp_path, "x", total=9)
    assert log.rows == 3
    log.append(blobs[3:])
    assert BlobLog(tmp_path, "x", total=9).read([3, 0, 1, 2]) == [b"dd", b"a", b"", b"ccc"]
    (tmp_path / "x-bytes").write_bytes(b"a")  # lost: begun anew
    assert BlobLog(tmp_path, "x", total=9).rows == 0
