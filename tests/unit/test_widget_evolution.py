"""The kernel's side of the view of one model through its training."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

import semlens_widgets as slw
from semlens_widgets.widgets import evolution as module
from semlens_widgets.widgets.evolution import EXAMPLES, EvolutionView
from tests.unit.evolution_world import DEAD, MOVED, NEURONS, own, steps
from tests.unit.panel_world import EVIL, Asker


@pytest.fixture(scope="module")
def through(tmp_path_factory):
    return slw.evolution(steps(tmp_path_factory.mktemp("evolution view")))


@pytest.fixture
def ask(through, monkeypatch):
    yield Asker(through.show(), monkeypatch)
    for lens in through.lenses.values():
        lens.clear_label("table", 0)


def column(view: EvolutionView, name: str) -> np.ndarray:
    """A column of the state, ``(steps, neurons)``."""
    legend = view._data[name]
    kind = np.uint8 if legend["kind"] == "category" else np.float32
    return np.frombuffer(legend["data"], kind).reshape(3, NEURONS)


def test_it_starts_at_the_last_step_and_refuses_what_is_not_there(through):
    view = through.show()
    assert view.step == "epoch 2"
    assert repr(view) == f"EvolutionView(3 steps, {NEURONS} neurons, at 'epoch 2')"
    with pytest.raises(traitlets.TraitError, match=r"no step 'epoch 3'.*'epoch"):
        through.show(step="epoch 3")
    with pytest.raises(traitlets.TraitError, match=r"cannot be coloured by 'clearness'"):
        through.show(color_by="clearness")
    with pytest.raises(traitlets.TraitError, match="no neuron 99"):
        through.show(active=("table", 99))
    with pytest.raises(TypeError, match="no option 'speed'"):
        through.show(speed=2)


def test_the_state_holds_every_step_so_that_no_kernel_is_needed(through):
    view = through.show()
    table = through.neurons
    x = column(view, "x")
    laid_out = table[["x", "y"]].to_numpy().reshape(3, NEURONS, 2)
    known = np.isfinite(x)
    np.testing.assert_array_equal(known, np.isfinite(laid_out[..., 0]))
    assert np.corrcoef(x[known], laid_out[..., 0][known])[0, 1] == pytest.approx(1, abs=1e-5)
    # One frame for all steps: who stays on the plane stays on the screen.
    assert np.argwhere(~known).tolist() == [[2, DEAD]]
    stays = [at for at in range(NEURONS) if at not in {MOVED, DEAD}]
    np.testing.assert_array_equal(x[0, stays], x[2, stays])
    assert x[0, MOVED] != x[1, MOVED]
    np.testing.assert_array_equal(
        column(view, "moved").ravel(), table["moved"].to_numpy(np.float32)
    )
    assert view._count == 3 * NEURONS
    assert view._labels is not None
    assert column(view, "dead").tolist()[2][DEAD] == 1
    assert column(view, "dead").sum() == 1
    legend = {name: value for name, value in view._data["dead"].items() if name != "data"}
    assert legend["names"] == ["no", "yes"]


def test_above_a_limit_the_browser_asks(through, ask, monkeypatch):
    monkeypatch.setattr(module, "IN_STATE", 3 * NEURONS - 1)
    view = through.show()
    assert view._data == {}
    assert view._labels is None
    legend, buffers = ask("column", name="moved")
    assert legend["kind"] == "number"
    assert buffers == [ask.widget._data["moved"]["data"]]
    found, buffers = ask("labels")
    assert found["names"] == [""]
    assert len(buffers[0]) == 3 * NEURONS
    error, _ = ask("column", name="secret")
    assert "no column 'secret'" in error["message"]


def test_labels_that_are_given_reach_the_view(through, ask):
    before = ask.widget._revision
    through.lenses["epoch 0"].set_label("table", 0, EVIL)
    through.lenses["epoch 1"].set_label("table", 0, "plain")
    view = ask.widget
    assert view._revision > before
    codes = np.frombuffer(view._labels["codes"], np.uint8).reshape(3, NEURONS)
    names = view._labels["names"]
    assert [names[code] for code in codes[:, 0]] == [EVIL, "plain", ""]
    changed = column(view, "label_changed")
    assert view._data["label_changed"]["names"] == ["kept", "changed"]
    assert changed[1, 0] == 1
    assert (changed == 255).sum() == 3 * NEURONS - 1
    assert view._notes[0].startswith("Without labels: epoch 2.")


def test_a_neuron_is_answered_at_every_step(through, ask):
    found, _ = ask("through", layer="table", neuron=MOVED)
    samples = [[one["sample"] for one in moment["examples"]] for moment in found["moments"]]
    assert [len(one) for one in samples] == [4, 4, 4]
    assert len(samples[0]) <= EXAMPLES
    uris = [[one["uri"] for one in moment["examples"]] for moment in found["moments"]]
    lens = through.lenses["epoch 0"]
    assert uris[0] == lens.examples("table", MOVED)["uri"].tolist()
    assert lens.examples("table", MOVED)["sample"].tolist() == own(MOVED)
    assert uris[1] == uris[2] != uris[0]
    thumbnails, pictures = ask("thumbnails", samples=[samples[0][0], samples[1][0]])
    assert thumbnails["errors"] == [None, None]
    assert pictures[0] == lens.thumbnail_jpegs(own(MOVED)[:1])[0]
    assert pictures[1] == through.lenses["epoch 1"].thumbnail_jpegs(own(NEURONS)[:1])[0]
    error, _ = ask("through", layer="table", neuron="first")
    assert "neuron an integer" in error["message"]


def test_the_card_tells_of_the_step_that_is_shown(through, ask):
    found, pictures = ask("hover", row=NEURONS + MOVED)
    assert [one["title"] for one in found["measures"]][-1] == "Moved"
    assert len(pictures) == 4
    first, _ = ask("hover", row=MOVED)
    assert "Moved" not in [one["title"] for one in first["measures"]]
    error, _ = ask("hover", row=3 * NEURONS)
    assert "outside" in error["message"]


def test_labels_no_better_than_random_words_are_marked_at_their_step(through, ask):
    lens = through.lenses["epoch 0"]
    lens.label(["one", "two", "three"], threshold=-np.inf)
    table = through.neurons
    doubtful = (table["score"] <= table["chance"]).to_numpy()
    flags = np.unpackbits(
        np.frombuffer(ask.widget._data["unsure"]["data"], np.uint8), bitorder="little"
    )
    assert doubtful.any()
    np.testing.assert_array_equal(flags[: len(table)], doubtful)
    assert ask("hover", row=int(doubtful.argmax()))[0]["unsure"]
    assert not ask("hover", row=len(table) - 1)[0]["unsure"]


def test_what_is_selected_are_rows_of_every_lens(through):
    view = through.show(step="epoch 1")
    view.selection = np.array([MOVED, DEAD], np.uint32).tobytes()
    assert view.selected["neuron"].tolist() == [MOVED, DEAD]
    assert set(view.selected["step"]) == {"epoch 1"}
    other = through.lenses["epoch 0"].map()
    other.selection = view.selection
    assert other.selected["neuron"].tolist() == [MOVED, DEAD]
    with pytest.raises(traitlets.TraitError, match=f"outside the {NEURONS} neurons"):
        view.selection = np.array([NEURONS], np.uint32).tobytes()


def test_it_has_a_still_picture(through):
    view = through.show(color_by="moved", step="epoch 1")
    assert view._preview().startswith(b"\x89PNG")
