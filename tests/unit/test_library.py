"""Many analyses in a folder, searched as one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, StoreError
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

RED = "red"


@pytest.fixture
def folder(colour_lens, tmp_path):
    """Three analyses, one of which is deeper and of other images, and one that was not run."""
    few = slw.ImageDataset.from_list(colour_images(30, seed=1))
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor, name="Other")
    root = tmp_path / "runs"
    colour_lens(path=root / "first").run().set_label("seen", 0, "blood")
    colour_lens(path=root / "deeper" / "second", images=few).run()
    colour_lens(path=root / "third", target=target).run()
    colour_lens(path=root / "unfinished")
    return root


def test_a_search_is_that_of_every_analysis_together(folder):
    library = slw.Library(folder, foundation=ColourFoundation())
    found = library.search(RED, top=100)
    parts = []
    for name in ("deeper/second", "first", "third"):
        lens = slw.open(folder / name, foundation=ColourFoundation())
        parts += [
            (name, row.layer, row.neuron, row.score)
            for row in lens.search(RED, scorer=None).itertuples()
        ]
    expected = {(name, layer, neuron): score for name, layer, neuron, score in parts}
    assert len(found) == len(expected) == 17
    for row in found.itertuples():
        assert row.score == pytest.approx(
            expected[row.analysis, row.layer, row.neuron], abs=1e-6, nan_ok=True
        )
    assert found["score"].dropna().is_monotonic_decreasing
    label = found.query("analysis == 'first' and layer == 'seen' and neuron == 0")["label"]
    assert label.tolist() == ["blood"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"analysis": "first"}, 7),
        ({"analysis": "*ir?t"}, 7),
        ({"layer": "seen"}, 9),
        ({"layer": "mix*"}, 8),
        ({"analysis": "third", "layer": "s*"}, 3),
    ],
)
def test_filters(folder, options, count):
    library = slw.Library(folder, foundation=ColourFoundation())
    found = library.search(RED, top=100, **options)
    whole = library.search(RED, top=100)
    assert len(found) == count
    keys = ["analysis", "layer", "neuron"]
    both = found.merge(whole, on=keys)
    assert np.allclose(both["score_x"], both["score_y"], equal_nan=True)
    assert len(library.search(RED, top=2, **options)) == 2


def test_a_neuron_finds_its_likes_without_a_foundation_model(folder):
    library = slw.Library(folder)
    found = library.search(("first", "seen", 1), layer="seen", centred=False)
    assert set(zip(found["analysis"][:3], found["neuron"][:3], strict=True)) == {
        ("first", 1),
        ("deeper/second", 1),
        ("third", 1),
    }
    assert found["score"][0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(LensUnavailable, match="foundation="):
        library.search(RED)


def test_what_cannot_be_searched_is_listed_with_its_reason(folder):
    (folder / "damaged").mkdir()
    (folder / "damaged" / "analysis.json").write_text("{")
    library = slw.Library(folder, foundation=ColourFoundation())
    table = library.analyses.set_index("analysis")
    assert table.loc["first", ["model", "neurons", "problem"]].tolist() == ["ColourNet", 7, ""]
    assert "not finished" in table.loc["unfinished", "problem"]
    assert "damaged" in table.loc["damaged", "problem"]
    assert repr(library) == "Library(3 analyses, 2 that cannot be searched)"
    with pytest.raises(StoreError, match="not finished"):
        library.open("unfinished")
    assert library.open("third").layers == ("seen",)
    with pytest.raises(ValueError, match="none of the analyses"):
        library.open("nobody")
    with pytest.raises(TypeError, match=r"query=\['red'\] must be"):
        library.search([RED])
    with pytest.raises(TypeError, match=r"query=\('seen', 1\) must be"):
        library.search(("seen", 1))
    with pytest.raises(TypeError, match=r"top=2\.5 must be a whole number"):
        library.search(RED, top=2.5)
    with pytest.raises(TypeError, match="give a foundation model"):
        slw.Library(folder, foundation="clip")
    with pytest.raises(ValueError, match="nothing fits"):
        library.search(RED, analysis="nobody")
    with pytest.raises(StoreError, match="no folder"):
        slw.Library(folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(StoreError, match="no analysis"):
        slw.Library(folder / "empty")


def test_other_foundation_models_are_left_out_aloud(folder):
    manifest = folder / "third" / "analysis.json"
    content = json.loads(manifest.read_text())
    content["settings"]["foundation"] = "another"
    manifest.write_text(json.dumps(content))
    library = slw.Library(folder, foundation=ColourFoundation())
    with pytest.warns(UserWarning, match="1 analyses were not searched.*third"):
        found = library.search(RED, top=100)
    assert set(found["analysis"]) == {"first", "deeper/second"}
