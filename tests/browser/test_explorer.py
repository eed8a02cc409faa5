"""Map, search and gallery of the explorer, as people use them and compared with the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from playwright.sync_api import expect

from tests.browser.pixels import centres, colours, loneliest, map_places, picture
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

TABS = ("Examples", "Labels and contrast")
NAME = "(lambda n: [n['layer'], int(n['neuron'])])(lens.neurons.iloc[{}])"


def stage_of(explorer: Locator) -> Locator:
    """The map's drawing area, with every neuron in view."""
    explorer.get_by_role("button", name="Fit").click()
    return explorer.locator(".slw-map-stage")


def at(place: NDArray[np.float64]) -> dict[str, float]:
    return {"x": float(place[0]), "y": float(place[1])}


def test_map_draws_every_neuron_in_its_colour(notebook: Notebook, explorer: Locator):
    stage = stage_of(explorer)
    places = map_places(notebook.kernel, "explorer.map", stage)
    pixels = picture(stage)
    background = pixels[3, pixels.shape[1] // 2].astype(int)
    drawn = np.abs(centres(pixels, places) - background).max(1) > 40
    assert len(places) == notebook.kernel.value("len(lens.neurons)")
    assert drawn.mean() > 0.95, f"{(~drawn).sum()} of {len(places)} neurons are not to be seen"

    explorer.get_by_label("Colour by").select_option("clarity")

    def many_colours() -> None:
        assert colours(centres(picture(stage), places)) >= 5

    eventually(many_colours)
    explorer.get_by_label("Colour by").select_option("layer")


def test_click_on_a_point_selects_that_neuron_everywhere(notebook: Notebook, explorer: Locator):
    stage, kernel = stage_of(explorer), notebook.kernel
    places = map_places(kernel, "explorer.map", stage)
    examples, contrast = (explorer.get_by_role("tab", name=name) for name in TABS)
    for row in loneliest(places, 2):
        stage.click(position=at(places[row]))
        layer, neuron = chosen = kernel.value(NAME.format(row))
        for widget in ("explorer", "explorer.map", "explorer.gallery", "explorer.contrast"):
            kernel.wait(f"{widget}.active", chosen)
        contrast.click()
        heading = explorer.locator(".slw-contrast .slw-heading .slw-mono")
        expect(heading).to_have_text(f"{layer} / {neuron}")
        examples.click()
        heading = explorer.locator(".slw-gallery .slw-heading .slw-mono")
        expect(heading).to_have_text(f"{layer} / {neuron}")
        tiles = explorer.locator(".slw-gallery .slw-tile")
        expect(tiles).to_have_count(kernel.value("lens.n_examples"))
        expect(tiles.first.locator("img")).to_be_visible()
        top = kernel.value(f"float(lens.examples({layer!r}, {neuron}).activation[0])")
        shown = tiles.first.locator(".slw-tile-caption .slw-number").inner_text()
        assert abs(float(shown) - top) <= 0.005


def test_hover_card_names_the_neuron_and_shows_its_examples(notebook: Notebook, explorer: Locator):
    stage, kernel = stage_of(explorer), notebook.kernel
    places = map_places(kernel, "explorer.map", stage)
    row = loneliest(places, 3)[2]
    stage.hover(position=at(places[row]))
    card = explorer.locator(".slw-map-card")
    expect(card).to_contain_text("{} / {}".format(*kernel.value(NAME.format(row))))
    expect(card).to_contain_text(kernel.value(f"lens.neurons.label[{row}]"))
    expect(card).to_contain_text("Polysemanticity")
    expect(card.locator("img")).to_have_count(4)
    loaded = "image => image.complete && image.naturalWidth > 0"
    assert all(image.evaluate(loaded) for image in card.locator("img").all())
    notebook.page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_lasso_selects_the_points_inside(notebook: Notebook, explorer: Locator):
    stage, kernel = stage_of(explorer), notebook.kernel
    places = map_places(kernel, "explorer.map", stage)
    box = stage.bounding_box()
    assert box is not None
    middle = float(np.median(places[:, 0]))
    corners = [(4, 4), (middle, 4), (middle, box["height"] - 4), (4, box["height"] - 4)]
    mouse, keyboard = notebook.page.mouse, notebook.page.keyboard
    keyboard.down("Shift")
    for index, (x, y) in enumerate(corners):
        mouse.move(box["x"] + x, box["y"] + y, steps=8)
        if index == 0:
            mouse.down()
    mouse.up()
    keyboard.up("Shift")
    clear = np.abs(places[:, 0] - middle) > 2
    inside = set(np.flatnonzero(clear & (places[:, 0] < middle)).tolist())
    expect(explorer.locator(".slw-map-chip")).to_contain_text("selected")
    found = set(kernel.value("explorer.selection.index.tolist()"))
    assert found - set(np.flatnonzero(~clear).tolist()) == inside
    explorer.get_by_role("button", name="Clear: ").click()
    kernel.wait("len(explorer.selection)", 0)


def test_search_lists_highlights_and_selects(notebook: Notebook, explorer: Locator):
    stage, kernel = stage_of(explorer), notebook.kernel
    places = map_places(kernel, "explorer.map", stage)
    before = centres(picture(stage), places)
    explorer.get_by_label("Search neurons by concept").press_sequentially("green")

    search = "lens.search('green', top=24)"
    expected = kernel.value(f"{search}[['layer', 'neuron']].values.tolist()")
    names = explorer.locator(".slw-hit .slw-small .slw-ellipsis")
    expect(names).to_have_text([f"{layer} / {neuron}" for layer, neuron in expected])
    scores = explorer.locator(".slw-hit .slw-number").all_inner_texts()
    shown = [float(text.replace("−", "-")) for text in scores]
    np.testing.assert_allclose(shown, kernel.value(f"{search}.score.tolist()"), atol=0.0051)

    expect(explorer.locator(".slw-map-chip")).to_contain_text("24 highlighted")
    kernel.wait("sorted(explorer.map.highlighted.index.tolist())", hit_rows(kernel, search))
    kernel.wait("len(explorer.map.highlight)", 8 * 24)
    others = np.setdiff1d(loneliest(places, 60), hit_rows(kernel, search))

    def others_dimmed() -> None:
        change = np.abs(centres(picture(stage), places) - before).max(1)
        assert (change[others] > 30).mean() > 0.9

    eventually(others_dimmed)
    for place in (3, 1):
        explorer.locator(".slw-hit").nth(place).click()
        kernel.wait("explorer.active", expected[place])
    explorer.get_by_role("button", name="Go back to").click()
    kernel.wait("explorer.active", expected[3])

    explorer.get_by_role("button", name="Similar").click()
    like = f"lens.search({tuple(expected[3])!r}, top=2).iloc[1][['layer', 'neuron']].tolist()"
    layer, neuron = kernel.value(like)
    expect(names.first).to_have_text(f"{layer} / {neuron}")
    explorer.get_by_role("button", name="Clear the search").click()
    kernel.wait("len(explorer.map.highlight)", 0)


def hit_rows(kernel, search: str) -> list[int]:
    wanted = f"lens.neurons.reset_index().merge({search}[['layer', 'neuron']])['index']"
    return kernel.value(f"sorted({wanted}.tolist())")


def test_relevance_is_drawn_over_the_examples(notebook: Notebook, explorer: Locator):
    notebook.kernel.run("explorer.active = ('layer4', 7)")
    explorer.get_by_role("tab", name="Examples").click()
    gallery = explorer.locator(".slw-gallery")
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text("layer4 / 7")
    tile = gallery.locator(".slw-tile .slw-picture").first
    expect(tile.locator("img")).to_be_visible()
    plain = picture(tile)
    gallery.get_by_role("button", name="Relevance").click()
    expect(tile.locator("canvas.slw-heat")).to_be_visible()
    expect(gallery.locator(".slw-tile [aria-busy=true]")).to_have_count(0)
    read = """canvas => [...canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 3)"""
    alpha = np.array(tile.locator("canvas.slw-heat").evaluate(read))
    sample = "int(lens.examples('layer4', 7)['sample'][0])"
    stored = notebook.kernel.value(f"lens.heatmap('layer4', 7, {sample}).values.ravel().tolist()")
    assert len(np.unique(alpha)) > 10
    assert np.argmax(alpha) == np.argmax(stored)
    assert np.abs(picture(tile).astype(int) - plain).max() > 60
    gallery.get_by_role("button", name="Relevance").click()
    expect(gallery.locator("canvas.slw-heat")).to_have_count(0)


def test_large_view_opens_and_closes_by_keyboard(notebook: Notebook, explorer: Locator):
    notebook.kernel.run("explorer.active = ('layer4', 7)")
    explorer.get_by_role("tab", name="Examples").click()
    explorer.locator(".slw-gallery .slw-tile button").first.press("Enter")
    dialog = notebook.page.get_by_role("dialog", name="Example 1 of")
    expect(dialog).to_be_visible()
    notebook.page.keyboard.press("ArrowRight")
    expect(notebook.page.get_by_role("dialog", name="Example 2 of")).to_be_visible()
    notebook.page.keyboard.press("Escape")
    expect(notebook.page.locator("dialog.slw-lightbox")).to_have_count(0)
