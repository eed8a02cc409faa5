"""Interventions in JupyterLab: from a lasso on the map to bars, by mouse and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_panels import AXE, SERIOUS, tab_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook


@pytest.fixture(scope="module")
def opened(scene_notebook: Callable[..., AbstractContextManager[Notebook]]) -> Iterator[Notebook]:
    cell = "explorer = lens.explore(tab='intervene')\nexplorer"
    with scene_notebook("intervene", cell) as notebook:
        notebook.set_width(notebook.page.locator(".slw-explorer"), 1200)
        yield notebook
        assert notebook.complaints == []


@pytest.fixture
def view(opened: Notebook) -> Locator:
    return opened.page.locator(".slw-intervene")


def select(notebook: Notebook, rows: list[int]) -> None:
    notebook.kernel.run(
        f"import numpy as np\nexplorer.map.selection = np.array({rows}, np.uint32).tobytes()"
    )


def test_a_lasso_on_the_map_is_what_is_changed(opened: Notebook, view: Locator):
    expect(view.locator(".slw-state")).to_contain_text("Select neurons on the map")
    stage = opened.page.locator(".slw-map-stage")
    expect(opened.page.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
    box = stage.bounding_box()
    assert box is not None
    mouse, keyboard = opened.page.mouse, opened.page.keyboard
    keyboard.down("Shift")
    corners = [(4, 4), (box["width"] / 3, 4), (box["width"] / 3, box["height"] - 4), (4, 200)]
    for index, (x, y) in enumerate(corners):
        mouse.move(box["x"] + x, box["y"] + y, steps=8)
        if index == 0:
            mouse.down()
    mouse.up()
    keyboard.up("Shift")
    opened.kernel.wait("len(explorer.intervene.selected) > 0", True)
    count = opened.kernel.value("len(explorer.intervene.selected)")
    expect(view.locator("h2")).to_have_text(f"{count} neurons set to 0")
    expect(view.locator(".slw-effect")).to_have_count(4)
    expected = opened.kernel.value(
        "float(lens.intervene(explorer.selection).effects(most=1000).accuracy['after'][0])"
    )
    after = view.locator(".slw-effect").first.locator("strong")
    expect(after).to_have_text(f"{expected:.3f}")


def test_everything_is_done_by_keyboard(opened: Notebook, view: Locator):
    select(opened, [130, 140, 150])
    page, keyboard = opened.page, opened.page.keyboard
    expect(view.locator("h2")).to_have_text("3 neurons set to 0")
    tab_to(page, opened.page.locator(".slw-explorer").get_by_role("tab", name="Intervene"))
    tab_to(page, view.get_by_role("radio", name="Zero"))
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    expect(view.locator("h2")).to_have_text("3 neurons multiplied by 0.50")
    tab_to(page, view.get_by_role("slider"))
    keyboard.press("Home")
    expect(view.locator("h2")).to_have_text("3 neurons multiplied by 0.00")
    opened.kernel.wait("explorer.intervene.amount", 0)
    leave = view.get_by_role("button", name="Leave layer4 / 34 as it is")
    tab_to(page, leave)
    keyboard.press("Enter")
    expect(view.locator("h2")).to_have_text("2 neurons multiplied by 0.00")
    opened.kernel.wait("len(explorer.selection)", 2)
    of = view.get_by_label("Class", exact=True)
    tab_to(page, of)
    of.select_option("striped star")
    expect(view.locator(".slw-effect").nth(2)).to_contain_text("“striped star” found")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(opened: Notebook, view: Locator, theme: str):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    select(opened, [130, 140])
    opened.set_theme(theme)
    if not opened.page.evaluate("() => 'axe' in window"):
        opened.page.evaluate(AXE.read_text("utf-8"))
    expect(view.locator(".slw-effects[aria-busy=false]")).to_be_visible()
    expect(view.locator(".slw-answer img").first).to_be_visible()
    found = view.evaluate(SERIOUS)
    opened.set_theme("light")
    assert found == [], "\n".join(found)


def test_it_fits_from_narrow_to_wide(opened: Notebook, view: Locator):
    explorer = opened.page.locator(".slw-explorer")
    for width in (300, 420, 600, 1040, 1600):
        opened.set_width(explorer, width)
        expect(view.locator(".slw-effect").first).to_be_visible()
        assert view.evaluate("one => one.scrollWidth <= one.clientWidth + 1"), width
    opened.set_width(explorer, 1200)
