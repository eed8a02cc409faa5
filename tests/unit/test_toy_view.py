"""A view of one's own: one widget, and a line of registration."""

import json

import pytest
import traitlets

from semlens_widgets.widgets._base import LensWidget
from semlens_widgets.widgets._views import VIEWS
from semlens_widgets.widgets.explorer import Explorer
from tests.unit.panel_world import Lens


class Note(LensWidget):
    """What a person thinks of a neuron."""

    view_title = "Notes"
    view_traits = ("note",)

    _esm = """export default { render({ model, el }) {
        const say = () => {
            el.textContent = `${model.get("active")?.neuron}: ${model.get("note")}`;
        };
        model.on("change:active", say);
        say();
    } }"""
    note = traitlets.Unicode("nothing yet").tag(sync=True)


@pytest.fixture
def explorer(monkeypatch):
    monkeypatch.setitem(VIEWS, "notes", Note)
    return Explorer(Lens(), active=("layer3", 1))


def test_a_view_stands_in_the_explorer_follows_its_neuron_and_is_part_of_its_state(explorer):
    view = explorer.get_state()["_views"][-1]
    assert (view["name"], view["title"], view["keeps"]) == ("notes", "Notes", ["note"])
    assert view["model"] == f"anywidget:{explorer.notes.model_id}"
    assert explorer.notes.active == ("layer3", 1)
    explorer.active = ("layer4", 0)
    assert explorer.notes.active == ("layer4", 0)
    explorer.notes.active = ("layer3", 0)
    assert explorer.gallery.active == ("layer3", 0)
    explorer.notes.note = "a shortcut?"
    explorer.tab = "notes"
    again = Explorer(Lens(), state=json.loads(json.dumps(explorer.state)))
    assert again.notes.note == "a shortcut?"
    assert again.tab == "notes"
    assert list(again.views) == ["map", *VIEWS]
    with pytest.raises(ValueError, match=r"state\['notes'\] has no 'nota'"):
        again.restore({"notes": {"nota": "x"}})


def test_what_is_no_view_is_no_attribute(explorer):
    with pytest.raises(AttributeError, match="'Explorer' object has no attribute 'diary'"):
        _ = explorer.diary
