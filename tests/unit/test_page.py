"""What a page without a kernel is given."""

from __future__ import annotations

import io
import json
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.widgets import ConceptGallery, ContrastPanel, Explorer
from semlens_widgets.widgets import _base as base
from semlens_widgets.widgets._page.chunks import FULL, Chunks
from semlens_widgets.widgets._page.pool import Pool, Recorder, coarser, key_of, smaller
from tests.unit.page_file import PageFile
from tests.unit.panel_world import EVIL, Lens


def jpeg(side=40, shade=90):
    written = io.BytesIO()
    noise = np.random.default_rng(shade).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(written, "JPEG", quality=95)
    return written.getvalue()


@pytest.fixture
def lens():
    lens = Lens()
    lens.thumbnail_jpegs = lambda samples: [jpeg(shade=sample) for sample in samples]
    return lens


@pytest.fixture
def labelled(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green", "blue"], scorer="csp")
    return lens


def page_of(widget, tmp_path, **options):
    widget.to_html(tmp_path / "page.html", **options)
    return PageFile(tmp_path / "page.html")


def test_all_that_a_gallery_may_ask_is_recorded(lens, tmp_path):
    page = page_of(ConceptGallery(lens, "layer3", 0, overlay=True), tmp_path)
    (model,) = page.contents["models"]
    assert model["traits"]["active"] == {"layer": "layer3", "neuron": 0}
    assert model["traits"]["overlay"] is True
    of = {"layer": "layer3", "neuron": 0}
    for method, params in (
        ("neuron", of),
        ("clusters", of),
        ("thumbnails", {"samples": [7]}),
        ("heatmaps", {**of, "samples": [7]}),
        ("thumbnails", {"samples": [2]}),
        ("heatmaps", {**of, "samples": [2]}),
    ):
        assert (method, params) in page.questions
    # In a gallery alone no other neuron can be chosen.
    assert ("neuron", {"layer": "layer4", "neuron": 0}) not in page.questions


def test_a_gallery_alone_is_of_a_neuron(lens, tmp_path):
    with pytest.raises(ValueError, match="choose one first"):
        ConceptGallery(lens).to_html(tmp_path / "page.html")


def test_answers_are_those_of_the_kernel(lens, tmp_path):
    gallery = ConceptGallery(lens, "layer3", 0)
    page = page_of(gallery, tmp_path)
    assert len(page.questions) == 6
    for method, params in page.questions:
        result, buffers = gallery._requests[method](gallery, params)
        said, bytes_of = page.answer(method, params)
        assert said == json.loads(json.dumps(result))
        kept = {"thumbnails": smaller, "heatmaps": coarser}.get(method, bytes)
        assert bytes_of == [kept(one) for one in buffers]


def test_neurons_that_do_not_travel_are_not_asked_about(labelled, tmp_path):
    page = page_of(Explorer(labelled), tmp_path, neurons=[("seen", 1)], examples=2)
    of = {"layer": "seen", "neuron": 1}
    for method in ("neuron", "pairs", "node"):
        asked = [params for one, params in page.questions if one == method]
        assert asked == [of]
    table = labelled.neurons
    row = int(np.flatnonzero((table["layer"] == "seen") & (table["neuron"] == 1))[0])
    assert [params for one, params in page.questions if one == "hover"] == [{"row": row}]
    assert [params for one, params in page.questions if one == "offers"] == [{"rows": [row]}]
    shown = page.answer("neuron", of)[0]["examples"]
    assert [one["sample"] for one in shown] == labelled.examples("seen", 1)["sample"][:2].tolist()
    about = page.contents["about"]
    assert (about["neurons"], about["travelling"], about["examples"]) == (len(table), 1, 2)


def test_neurons_are_rows_of_the_table_too(labelled, tmp_path):
    page = page_of(ConceptGallery(labelled), tmp_path, neurons=labelled.neurons.iloc[[2, 0]])
    asked = [params for method, params in page.questions if method == "neuron"]
    keys = labelled.neurons[["layer", "neuron"]].iloc[[0, 2]].to_dict("records")
    assert asked == keys


def test_an_explorer_travels_with_its_views_and_references_among_them(labelled, tmp_path):
    explorer = Explorer(labelled, active=("seen", 1))
    page = page_of(explorer, tmp_path)
    names = [model["name"] for model in page.contents["models"]]
    assert names[:3] == ["Explorer", "NeuronMap", "ConceptGallery"]
    views = page.contents["models"][0]["traits"]["_views"]
    assert [view["model"] for view in views] == [f"anywidget:{at + 1}" for at in range(len(views))]
    code = page.read(page.contents["models"][2]["code"]).decode()
    assert code == str(ConceptGallery._esm)
    # Bytes of traits lie in chunks.
    buffers = {tuple(path): place for path, place in page.contents["models"][1]["buffers"]}
    assert page.read(buffers["_data", "x", "data"]) == explorer.map._data["x"]["data"]


EVILS = [
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]>\u2028\u2029",
    "&quot;'\"`${alert(1)}",
    EVIL,
]


@pytest.mark.parametrize("evil", EVILS)
def test_no_text_ends_the_script_and_nothing_is_loaded(lens, tmp_path, evil):
    lens.neurons.loc[0, "label"] = evil
    page = page_of(ContrastPanel(lens, "layer3", 0, candidates=[evil]), tmp_path)
    tags = re.findall(r"</?script[ >]", page.text)
    assert tags.count("</script>") == len(page.chunks) + 2
    assert len(tags) == 2 * tags.count("</script>")
    assert "<!--" not in page.text
    assert EVIL not in page.text
    assert "default-src &#x27;none&#x27;" in page.text
    assert not re.search(r'(?:src|href)="', page.text)
    label = page.answer("pairs", {"layer": "layer3", "neuron": 0})[0]["facts"]["label"]
    assert label == evil


def test_the_title_is_a_text(lens, tmp_path, monkeypatch):
    evil = "</title><script>alert(1)</script>"
    monkeypatch.setattr(ConceptGallery, "_summary", lambda _gallery: evil)
    text = page_of(ConceptGallery(lens, "layer3", 0), tmp_path).text
    assert "<script>alert(1)" not in text
    assert "&lt;/title&gt;" in text


def test_views_that_answer_one_question_differently_are_a_defect():
    pool = Pool()
    pool.keep("neuron", {"layer": "a", "neuron": 1}, {"label": "x"}, [b"1"])
    pool.keep("neuron", {"neuron": 1, "layer": "a"}, {"label": "x"}, [b"1"])
    with pytest.raises(ValueError, match="differently: neuron"):
        pool.keep("neuron", {"layer": "a", "neuron": 1}, {"label": "y"}, [b"1"])
    with pytest.raises(ValueError, match="differently: neuron"):
        pool.keep("neuron", {"layer": "a", "neuron": 1}, {"label": "x"}, [b"2"])


def test_a_question_is_one_text_as_the_browser_writes_it():
    assert key_of("effects", {"rows": [1, 2], "amount": 0.5, "a": {"c": 1, "b": None}}) == (
        '["effects",{"a":{"b":null,"c":1},"amount":0.5,"rows":[1,2]}]'
    )
    assert key_of("x", {"amount": 1.0, "of": "é"}) == '["x",{"amount":1,"of":"é"}]'


def test_a_picture_that_is_not_there_fails_the_page_and_leaves_what_was_there(lens, tmp_path):
    (tmp_path / "page.html").write_text("before")

    def gone(samples):
        raise OSError("cannot read image 2" if 2 in samples else "cannot read it")

    lens.thumbnail_jpegs = gone
    with pytest.raises(ValueError, match="no picture of image 7"):
        ConceptGallery(lens, "layer3", 0).to_html(tmp_path / "page.html")
    lens.thumbnail_jpegs = lambda samples: [b"\xff\xd8\xff no JPEG" for _ in samples]
    with pytest.raises(ValueError, match="cannot be read"):
        ConceptGallery(lens, "layer3", 0).to_html(tmp_path / "page.html")
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "before"


def test_a_question_that_is_promised_and_refused_fails_the_page(lens, tmp_path):
    def broken(layer, neuron):
        raise KeyError("the table is torn")

    lens.example_clusters = broken
    with pytest.raises(ValueError, match=r"ConceptGallery does not answer clusters.*torn"):
        ConceptGallery(lens, "layer3", 0).to_html(tmp_path / "page.html")


def test_heatmaps_that_cannot_be_computed_are_told_of(lens, tmp_path):
    def unavailable(*_of):
        raise LensUnavailable("The model is not at hand.")

    lens.heatmaps = lens.heatmap = unavailable
    page = page_of(ConceptGallery(lens, "layer3", 0), tmp_path)
    ((why, count),) = page.contents["about"]["refused"]
    assert "The model is not at hand." in why
    maps = [params for method, params in page.questions if method == "heatmaps"]
    assert count == len(maps) > 0


@pytest.mark.parametrize("missing", ["gallery.js", "gallery.css", "page.js", "page.css"])
def test_a_browser_part_that_is_not_built_fails_the_page(lens, tmp_path, monkeypatch, missing):
    for name in ("page.js", "page.css"):
        (tmp_path / name).write_text("built")
    (tmp_path / missing).unlink(missing_ok=True)
    monkeypatch.setattr("semlens_widgets.widgets._page.document.STATIC", tmp_path)

    class Unbuilt(ConceptGallery):
        _esm = base.asset("not there.js") if missing == "gallery.js" else "built"
        _css = "" if missing == "gallery.css" else "built"

    with pytest.raises(FileNotFoundError, match="not built"):
        Unbuilt(lens, "layer3", 0).to_html(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_what_is_asked_for_must_be_there(lens, tmp_path):
    gallery = ConceptGallery(lens, "layer3", 0)
    with pytest.raises(ValueError, match="no neuron 9 in layer 'layer3'"):
        gallery.to_html(tmp_path / "page.html", neurons=[("layer3", 9)])
    with pytest.raises(ValueError, match="examples must be a whole number of 1 or more"):
        gallery.to_html(tmp_path / "page.html", examples=0)
    with pytest.raises(FileNotFoundError, match="no folder"):
        gallery.to_html(tmp_path / "there is none" / "page.html")
    with pytest.raises(FileExistsError, match="is a folder"):
        gallery.to_html(tmp_path)


def test_a_folder_is_replaced_if_it_is_a_page_and_never_otherwise(lens, tmp_path):
    panel, place = ContrastPanel(lens, "layer3", 0), tmp_path / "site"
    panel.to_html(place, folder=True)
    panel.to_html(place, folder=True)
    assert {one.name for one in place.iterdir()} == {"index.html", "page.css", "page.js", "data"}
    chunks = re.search(r'"chunks":\[(\[[^]]*\],?)+\]', (place / "index.html").read_text()).group()
    assert len(list((place / "data").iterdir())) == chunks.count("[") - 1
    (place / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no page"):
        panel.to_html(place, folder=True)
    assert (place / "mine.txt").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["site"]


def test_a_page_that_cannot_take_its_place_leaves_the_one_before(lens, tmp_path, monkeypatch):
    panel, place = ContrastPanel(lens, "layer3", 0), tmp_path / "site"
    panel.to_html(place, folder=True)
    before = (place / "index.html").read_text()
    replace = Path.replace

    def interrupted(self, target):
        if target == place:
            seen.append(self)
            if len(seen) == 1:  # the new page; the second is the one before, which comes back
                raise KeyboardInterrupt
        return replace(self, target)

    seen = []
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.to_html(place, folder=True)
    assert (place / "index.html").read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["site"]


def test_who_may_read_a_page_is_left_to_the_umask(lens, tmp_path):
    umask = os.umask(0o077)
    try:
        ConceptGallery(lens, "layer3", 0).to_html(tmp_path / "page.html")
    finally:
        os.umask(umask)
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600


def test_heatmaps_are_off_by_two_levels_at_most_and_keep_their_ends():
    every = np.arange(256, dtype=np.uint8)
    kept = np.frombuffer(coarser(every.tobytes()), np.uint8)
    assert np.abs(kept.astype(int) - every).max() <= 2
    assert (kept[0], kept[-1], len(set(kept.tolist()))) == (0, 255, 64)
    assert (np.diff(kept.astype(int)) >= 0).all()


def test_pictures_are_made_smaller_only_where_that_saves_something():
    large = jpeg(200)
    small = smaller(large)
    assert len(small) < len(large)
    with Image.open(io.BytesIO(small)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (128, 128))
    poor = io.BytesIO()
    Image.open(io.BytesIO(jpeg(100))).save(poor, "JPEG", quality=3)
    assert smaller(poor.getvalue()) == poor.getvalue()


def test_chunks_give_back_what_they_were_given():
    chunks = Chunks()
    given = [np.random.default_rng(at).bytes(FULL // 5 + at) for at in range(12)]
    places = [chunks.add(one, "noise") for one in given]
    assert chunks.add(given[3], "noise") == places[3]
    answers = [chunks.add_answer({"at": at, "long": "x" * (FULL // 3)}) for at in range(7)]
    array = chunks.add_array(np.arange(6, dtype=np.float16).reshape(2, 3))
    found = chunks.finished()
    assert len(found) > 5

    def read(at):
        data = found[at].data
        return data if not found[at].deflated else zlib.decompress(data)

    for one, (chunk, start, length) in zip(given, places, strict=True):
        assert read(chunk)[start : start + length] == one
        assert start % 8 == 0
    for at, (chunk, position) in enumerate(answers):
        assert json.loads(read(chunk))[position]["at"] == at
    chunk, start, length = array["place"]
    assert (array["dtype"], array["shape"]) == ("float16", [2, 3])
    assert np.frombuffer(read(chunk)[start : start + length], np.float16).tolist() == [
        0, 1, 2, 3, 4, 5,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="not int64"):
        chunks.add_array(np.zeros(2, np.int64))


def test_no_number_that_json_lacks_is_written():
    with pytest.raises(ValueError, match="JSON"):
        Pool().keep("neuron", {}, {"score": float("nan")}, [])


def test_a_view_is_asked_once_about_each_thing(lens):
    asked = []
    lens.thumbnail_jpegs = lambda samples: asked.extend(samples) or [jpeg() for _ in samples]
    recorder = Recorder(Pool(), [("layer3", 0)], 9)
    recorder.pictures(ConceptGallery(lens), [7, 2, 7])
    recorder.pictures(ContrastPanel(lens), [2, 3])
    assert asked == [7, 2, 3]
