"""One model through its training: by slider, by mouse, by keyboard, and saved without a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_panels import AXE, SERIOUS, tab_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

#: The trained model, and what it is if four channels of its last layer see what others see.
CELL = """
import torch
import semlens_widgets as slw
from semlens_widgets import demo
from tests.browser.scene_lens import LAYERS, PICTURES
model = demo.classifier()
SWAPPED = [0, 1, 2, 3]
class Swapped(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
    def forward(self, images):
        found = self.layer(images).clone()
        found[:, SWAPPED] = found[:, [60, 61, 62, 63]]
        return found
model.layer4 = Swapped(model.layer4)
later = slw.SemanticLens(
    slw.TargetModel(model, LAYERS, transform=demo.preprocess, name="later"),
    slw.ImageDataset.from_dataset(demo.scene_images(PICTURES)), slw.OpenClip(demo.clip_dir()),
    path="later",
).run()
lens.set_label("layer4", 0, "before", 0.5)
later.set_label("layer4", 0, "after", 0.6)
through = slw.evolution({"step 1": lens, "step 2": later})
view = through.show(step="step 1")
view
"""


@pytest.fixture(scope="module")
def followed(scene_notebook) -> Iterator[Notebook]:
    with scene_notebook("followed", CELL) as notebook:
        yield notebook
        assert notebook.complaints == [], "\n".join(notebook.complaints)


@pytest.fixture
def view(followed: Notebook) -> Locator:
    """The view at its first step, without a neuron."""
    followed.kernel.run("view.step, view.active, view.color_by = 'step 1', None, 'layer'")
    followed.kernel.run("view.selection = b''")
    root = followed.page.locator(".slw-evo")
    followed.set_width(root, 1200)
    expect(root.locator(".slw-evo-step")).to_have_text("step 1")
    expect(root.locator(".slw-evo-active")).to_have_count(0)
    return root


def test_the_slider_moves_the_neurons_that_moved(followed: Notebook, view: Locator):
    kernel = followed.kernel
    kernel.run("view.active = ('layer4', 0)")
    ring = view.locator(".slw-evo-active")
    expect(ring).to_be_visible()
    before = ring.get_attribute("cx")
    view.get_by_label("Step of training").focus()
    followed.page.keyboard.press("ArrowRight")
    kernel.wait("view.step", "step 2")
    expect(view.locator(".slw-evo-step")).to_have_text("step 2")
    expect(ring).not_to_have_attribute("cx", before or "")
    moved = kernel.value("float(through.neurons.query(\"layer == 'layer4'\").moved.max())")
    assert moved > 0
    kernel.run("view.active = ('layer4', 20)")  # which sees what it saw
    expect(view.locator("h2")).to_have_text("layer4 / 20")
    there = ring.get_attribute("cx")
    view.get_by_label("Step of training").press("ArrowLeft")
    expect(view.locator(".slw-evo-step")).to_have_text("step 1")
    assert ring.get_attribute("cx") == there


def test_a_neuron_is_shown_at_every_step_with_its_images(followed: Notebook, view: Locator):
    followed.kernel.run("view.active = ('layer4', 0)")
    moments = view.locator(".slw-evo-moment")
    expect(moments).to_have_count(2)
    expect(moments.locator(".slw-evo-label")).to_have_text(["before", "after"])
    expect(moments.nth(1).locator(".slw-tag")).to_have_text("changed")
    for moment in moments.all():
        moment.scroll_into_view_if_needed()  # pictures are asked for when they are to be seen
        expect(moment.locator("img")).to_have_count(6)
    view.get_by_role("button", name="step 2").click()
    followed.kernel.wait("view.step", "step 2")


def test_play_goes_to_the_last_step(followed: Notebook, view: Locator):
    view.get_by_role("button", name="Play").click()
    followed.kernel.wait("view.step", "step 2")
    expect(view.get_by_role("button", name="Play")).to_be_visible()  # no longer Pause


def test_everything_on_the_map_is_done_by_keyboard(followed: Notebook, view: Locator):
    keyboard, kernel = followed.page.keyboard, followed.kernel
    view.get_by_role("button", name="Play").focus()
    tab_to(followed.page, view.locator(".slw-evo-stage"))
    keyboard.press("ArrowRight")
    expect(view.locator(".slw-evo-pointed")).to_have_count(1)
    expect(view.locator(".slw-map-card img")).to_have_count(4)
    keyboard.press("Enter")
    expect(view.locator(".slw-evo-thumbs img").first).to_be_visible()
    name = view.locator("h2").inner_text()
    layer, number = name.split(" / ")
    kernel.wait("view.active", [layer, int(number)])
    keyboard.press("Space")
    kernel.wait("view.selected[['layer', 'neuron']].to_numpy().tolist()", [[layer, int(number)]])
    expect(view.get_by_text("1 selected")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(followed: Notebook, view: Locator, theme: str):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    page = followed.page
    followed.set_theme(theme)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    followed.kernel.run("view.active = ('layer4', 0)")
    expect(view.locator(".slw-evo-thumbs img").first).to_be_visible()
    found = view.evaluate(SERIOUS)
    followed.set_theme("light")
    assert found == [], "\n".join(found)


def test_without_a_kernel_the_steps_are_still_to_be_seen(scene_notebook):
    with scene_notebook("followed-alone", CELL) as notebook:
        root = notebook.page.locator(".slw-evo")
        notebook.kernel.run("view.active = ('layer4', 0)")
        expect(root.locator(".slw-evo-active")).to_be_visible()
        notebook.end_kernel()
        before = root.locator(".slw-evo-active").get_attribute("cx")
        root.get_by_label("Step of training").press("ArrowRight")
        expect(root.locator(".slw-evo-step")).to_have_text("step 2")
        expect(root.locator(".slw-evo-active")).not_to_have_attribute("cx", before or "")
        expect(root.locator(".slw-evo-label")).to_have_text(["before", "after"])
