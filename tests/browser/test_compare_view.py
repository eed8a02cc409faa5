"""Two analyses side by side: by mouse, by keyboard, and for assistive technology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_panels import AXE, SERIOUS, tab_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

#: The same model with ten channels of its last layer pruned, on the same pictures.
CELL = """
import shutil
import torch
import semlens_widgets as slw
from semlens_widgets import demo
from tests.browser.scene_lens import LAYERS, PICTURES
model = demo.classifier()
PRUNED = list(range(10))
class Pruned(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
    def forward(self, images):
        found = self.layer(images).clone()
        found[:, PRUNED] = 0
        return found
model.layer4 = Pruned(model.layer4)
pruned = slw.SemanticLens(
    slw.TargetModel(model, LAYERS, transform=demo.preprocess, name="pruned"),
    slw.ImageDataset.from_dataset(demo.scene_images(PICTURES)), slw.OpenClip(demo.clip_dir()),
    path="pruned",
).run()
pruned.set_label("layer4", 20, "nothing else", 0.9)
comparison = slw.compare({"whole": lens, "pruned": pruned})
view = comparison.view()
view
"""


@pytest.fixture(scope="module")
def compared(scene_notebook) -> Iterator[Notebook]:
    with scene_notebook("compared", CELL) as notebook:
        yield notebook
        assert notebook.complaints == [], "\n".join(notebook.complaints)


@pytest.fixture
def view(compared: Notebook) -> Locator:
    """The view at its start, with its list."""
    compared.kernel.run("view.active, view.show, view.mode = None, 'matches', 'overlay'")
    root = compared.page.locator(".slw-compare")
    compared.set_width(root, 1200)
    expect(rows_of(root).first).to_be_visible()
    expect(root.locator(".slw-pair-empty")).to_be_visible()
    return root


def rows_of(view: Locator) -> Locator:
    return view.locator(".slw-match-table tbody tr")


def test_a_row_shows_both_neurons_and_their_images(compared: Notebook, view: Locator):
    kernel = compared.kernel
    said = kernel.value("comparison.alike('whole', 'pruned', layer='layer4').similarity")
    expect(view.locator(".slw-compare-figure b").first).to_have_text(f"{said:.3f}")
    view.get_by_label("Find a label or a number").fill("20")
    row = rows_of(view).first
    expect(row).to_contain_text("nothing else")
    row.click()
    kernel.wait("view.active", ["whole/layer4", 20])
    names = view.locator(".slw-pair-half .slw-heading .slw-mono")
    expect(names).to_have_text(["whole/layer4 / 20", "pruned/layer4 / 20"])
    for half in view.locator(".slw-pair-half").all():
        expect(half.locator(".slw-tile img").first).to_be_visible()
    view.get_by_role("button", name="Relevance").click()
    expect(view.locator(".slw-pair-half .slw-heat").first).to_be_visible()
    view.get_by_role("button", name="Relevance").click()
    view.get_by_label("Find a label or a number").fill("")


def test_a_click_on_the_map_finds_the_neuron_below_it(compared: Notebook, view: Locator):
    view.get_by_text("Split", exact=True).click()
    compared.kernel.wait("view.mode", "split")
    plots = view.locator(".slw-joint-plot")
    expect(plots).to_have_count(2)
    box = plots.nth(1).bounding_box()
    assert box is not None
    x, y = plots.nth(1).evaluate(
        """svg => {
            const [, x, y] = svg.querySelector('.slw-dots-b path:last-child')
                .getAttribute('d').match(/^M(\\S+) (\\S+?)h0/);
            const at = new DOMPoint(+x, +y).matrixTransform(svg.getScreenCTM());
            const box = svg.getBoundingClientRect();
            return [at.x - box.x, at.y - box.y];
        }"""
    )
    plots.nth(1).click(position={"x": x, "y": y})
    compared.kernel.wait("view.active and view.active[0]", "pruned/layer4")
    expect(view.locator(".slw-mark-active")).to_have_count(2)


def numbers(view: Locator, least: int) -> list[int]:
    """The neurons listed, once there are as many."""
    found = rows_of(view).locator("td:first-child .slw-number")
    expect(found.nth(least - 1)).to_be_visible()
    return [int(one) for one in found.all_inner_texts()]


def test_what_was_pruned_is_listed_as_changed_and_nothing_else(view: Locator):
    view.get_by_text("Changed", exact=True).click()
    expect(view.get_by_role("button", name="Kept")).to_be_visible()
    assert sorted(numbers(view, 10)) == list(range(10))


def test_what_only_one_knows_comes_least_alike_first(compared: Notebook, view: Locator):
    view.get_by_text("Only whole", exact=True).first.click()
    expect(view.locator("th[aria-sort=ascending]")).to_contain_text("Cosine")
    expected = compared.kernel.value(
        "comparison.only('whole', 'pruned', layer='layer4', to_layer='layer4').neuron.tolist()[:10]"
    )
    assert numbers(view, 10)[:10] == expected


def test_a_label_that_one_has_alone_leads_to_its_neuron(compared: Notebook, view: Locator):
    view.locator(".slw-only").nth(1).get_by_role("button", name="nothing else").click()
    compared.kernel.wait("view.active", ["pruned/layer4", 20])


def test_everything_is_done_by_keyboard(compared: Notebook, view: Locator):
    page, keyboard, kernel = compared.page, compared.page.keyboard, compared.kernel
    view.get_by_role("button", name="Change places").focus()
    tab_to(page, view.locator(".slw-joint-plot"))
    keyboard.press("ArrowRight")
    expect(view.locator(".slw-mark-pointed")).to_have_count(1)
    keyboard.press("Enter")
    expect(view.locator(".slw-pair-half").first.locator(".slw-tile img").first).to_be_visible()
    before = kernel.value("list(view.active)")
    tab_to(page, rows_of(view).locator("button[tabindex='0']"))
    keyboard.press("Home")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    second = rows_of(view).nth(1)
    expect(second).to_have_attribute("aria-current", "true")
    number = int(second.locator("td:first-child .slw-number").inner_text())
    kernel.wait("view.active", ["whole/layer4", number])
    assert before != ["whole/layer4", number]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(compared: Notebook, view: Locator, theme: str):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    page = compared.page
    compared.set_theme(theme)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    rows_of(view).first.click()
    expect(view.locator(".slw-pair-half .slw-tile img").first).to_be_visible()
    found = view.evaluate(SERIOUS)
    compared.set_theme("light")
    assert found == [], "\n".join(found)
