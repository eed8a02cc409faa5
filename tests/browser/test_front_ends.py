"""The quickstart's widgets in JupyterLab, Notebook 7 and marimo, against what Python computes."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.front_ends import in_jupyter, in_marimo
from tests.browser.pixels import centres, fitted, loneliest, picture
from tests.browser.scene_lens import scene_lens
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from playwright.sync_api import Locator

    import semlens_widgets as slw
    from tests.browser.front_ends import Shown

CELLS = {"gallery": 1, "contrast": 2, "explorer": 3}
CANDIDATES = ["square", "green", "watermark"]
#: Whether an element has the focus, also within shadow roots, where the document does not know.
FOCUSED = "element => element.getRootNode().activeElement === element"


@pytest.fixture(scope="module")
def lens(analysis: Path, tmp_path_factory: pytest.TempPathFactory) -> slw.SemanticLens:
    """The same analysis, here."""
    folder = tmp_path_factory.mktemp("truth") / "scenes"
    shutil.copytree(analysis, folder)
    return scene_lens(folder)


@pytest.fixture(scope="module", params=["lab", "notebook", "marimo"])
def front_end(
    request: pytest.FixtureRequest, browser, analysis, tmp_path_factory
) -> Iterator[Shown]:
    """Each front end with the quickstart's widgets in it."""
    name: Literal["lab", "notebook", "marimo"] = request.param
    if name == "marimo":
        opened = in_marimo(browser, analysis, tmp_path_factory.mktemp("marimo"))
    else:
        opened = in_jupyter(name, request.getfixturevalue("lab"), browser, analysis)
    with opened as shown:
        yield shown


@pytest.fixture
def shown(front_end: Shown) -> Iterator[Shown]:
    """A front end; a test may leave no complaint behind."""
    yield front_end
    complaints = front_end.complaints.copy()
    front_end.complaints.clear()
    assert complaints == [], "\n".join(complaints)


def widget(shown: Shown, name: str) -> Locator:
    """Return the widget of a cell: those of an explorer come after it."""
    shown.show_cell(CELLS[name])
    root = shown.page.locator(f".slw-{name}").first
    expect(root).to_be_visible()
    root.scroll_into_view_if_needed()
    return root


@pytest.fixture
def explorer(shown: Shown) -> Locator:
    """The explorer, its map drawn."""
    root = widget(shown, "explorer")
    expect(root.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
    return root


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace("−", "-")) for text in texts]


def expect_scores(panel: Locator, lens: slw.SemanticLens, neuron: int, **settings: float) -> None:
    """Wait until the bars are what Python computes, best first."""
    own = lens.neurons.set_index(["layer", "neuron"]).loc[("layer4", neuron), "label"]
    words = list(dict.fromkeys([*CANDIDATES, own]))
    scorer = lens_scorer(**settings)
    table = lens.scores("layer4", neuron, words, scorer=scorer).assign(text=words)
    table = table.sort_values("score", ascending=False, kind="stable")
    expect(panel.locator(".slw-score-name")).to_have_text(table["text"].tolist())

    def as_computed() -> None:
        shown = numbers(panel.locator(".slw-score > .slw-number").all_inner_texts())
        np.testing.assert_allclose(shown, table["score"], atol=0.0006)

    eventually(as_computed)


def lens_scorer(**settings: float) -> object:
    from semlens_widgets.labels.csp import Csp

    return Csp(**settings)


def test_gallery_shows_the_neurons_pictures(shown: Shown, lens: slw.SemanticLens):
    gallery = widget(shown, "gallery")
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text("layer4 / 7")
    tiles = gallery.locator(".slw-tile")
    expect(tiles).to_have_count(lens.n_examples)
    image = tiles.first.locator("img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    shown_value = numbers([tiles.first.locator(".slw-tile-caption .slw-number").inner_text()])
    assert abs(shown_value[0] - lens.examples("layer4", 7)["activation"].iloc[0]) <= 0.005


def test_large_view_opens_by_keyboard_and_gives_the_focus_back(shown: Shown):
    tile = widget(shown, "gallery").locator(".slw-tile button").first
    tile.press("Enter")
    expect(shown.page.get_by_role("dialog", name="Example 1 of")).to_be_visible()
    shown.page.keyboard.press("ArrowRight")
    expect(shown.page.get_by_role("dialog", name="Example 2 of")).to_be_visible()
    shown.page.keyboard.press("Escape")
    expect(shown.page.locator("dialog.slw-lightbox")).to_have_count(0)
    assert tile.evaluate(FOCUSED)


def test_letters_on_a_control_are_no_shortcuts_of_the_notebook(shown: Shown):
    """There A, B, D D, M, X change the notebook's cells."""
    tile = widget(shown, "gallery").locator(".slw-tile button").first
    before = shown.count_cells()
    assert before >= 4
    tile.focus()
    for key in ("a", "b", "x", "d", "d", "m"):
        shown.page.keyboard.press(key)
    assert shown.count_cells() == before
    expect(shown.page.locator(".slw-gallery .slw-tile").first).to_be_visible()
    assert tile.evaluate(FOCUSED)


def test_contrast_scores_follow_the_settings(shown: Shown, lens: slw.SemanticLens):
    panel = widget(shown, "contrast")
    panel.locator(".slw-segments").get_by_text("CSP", exact=True).click()
    for gamma in (0.0, 1.0):
        panel.get_by_role("slider", name="γ").fill(str(gamma))
        expect_scores(panel, lens, 11, gamma=gamma)


def test_map_draws_every_neuron_and_a_click_selects(
    shown: Shown, explorer: Locator, lens: slw.SemanticLens
):
    stage = explorer.locator(".slw-map-stage")
    here = lens.map()
    x, y = (np.frombuffer(data, np.float32).astype(float) for data in (here._x, here._y))
    here.close()
    places = fitted(x, y, stage)
    pixels = picture(stage)
    background = pixels[3, pixels.shape[1] // 2].astype(int)
    drawn = np.abs(centres(pixels, places) - background).max(1) > 40
    assert len(places) == len(lens.neurons)
    assert drawn.mean() > 0.95, f"{(~drawn).sum()} of {len(places)} neurons are not to be seen"

    row = loneliest(places, 1)[0]
    layer, neuron = lens.neurons.loc[row, ["layer", "neuron"]]
    stage.click(position={"x": float(places[row, 0]), "y": float(places[row, 1])})
    shown.expect_active(layer, int(neuron))
    gallery = explorer.locator(".slw-gallery")
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text(f"{layer} / {neuron}")
    expect(gallery.locator(".slw-tile")).to_have_count(lens.n_examples)
    expect(gallery.locator(".slw-tile img").first).to_be_visible()


def test_search_finds_what_python_finds(shown: Shown, explorer: Locator, lens: slw.SemanticLens):
    box = explorer.get_by_label("Search neurons by concept")
    box.press_sequentially("green")
    found = lens.search("green", top=24)
    names = [f"{layer} / {neuron}" for layer, neuron in found[["layer", "neuron"]].to_numpy()]
    hits = explorer.locator(".slw-hit")
    expect(explorer.locator(".slw-hit .slw-small .slw-ellipsis")).to_have_text(names)
    scores = numbers(explorer.locator(".slw-hit .slw-number").all_inner_texts())
    np.testing.assert_allclose(scores, found["score"], atol=0.0051)
    box.press("ArrowDown")
    assert hits.first.evaluate(FOCUSED)
    shown.page.keyboard.press("Enter")
    shown.expect_active(*found[["layer", "neuron"]].iloc[0])
    explorer.get_by_role("button", name="Clear the search").click()
    expect(hits).to_have_count(0)
    assert box.evaluate(FOCUSED)


def test_tabs_by_keyboard(shown: Shown, explorer: Locator):
    tabs = explorer.get_by_role("tab")
    titles = tabs.all_inner_texts()
    assert titles[:2] == ["Examples", "Labels and contrast"]
    tabs.nth(0).click()
    for at in range(1, len(titles)):
        shown.page.keyboard.press("ArrowRight")
        assert tabs.nth(at).evaluate(FOCUSED)
        expect(tabs.nth(at)).to_have_attribute("aria-selected", "true")
        expect(explorer.get_by_role("tabpanel")).to_have_count(1)
        expect(explorer.get_by_role("tabpanel", name=titles[at])).to_be_visible()
    shown.page.keyboard.press("ArrowRight")
    assert tabs.nth(0).evaluate(FOCUSED)


def test_ids_are_told_apart_and_names_found(shown: Shown, explorer: Locator):
    """What one element says of another by its id is found within the same root, and is one."""
    wrong = explorer.evaluate(
        """root => {
            const within = root.getRootNode(), wrong = [];
            const names = ["aria-controls", "aria-labelledby", "aria-describedby", "for", "list"];
            for (const name of names) {
                for (const one of root.querySelectorAll(`[${name}]`)) {
                    for (const id of one.getAttribute(name).split(" ")) {
                        const found = within.querySelectorAll(`[id="${id}"]`).length;
                        if (found !== 1) wrong.push(`${name}=${id}: ${found}`);
                    }
                }
            }
            return wrong;
        }"""
    )
    assert wrong == []
    assert explorer.locator("[aria-controls]").count() > 0


def test_theme_is_followed(shown: Shown, explorer: Locator):
    stage = explorer.locator(".slw-map-stage")

    def luminance() -> float:
        pixels = picture(stage)
        return float(pixels[3, pixels.shape[1] // 2] @ [0.2126, 0.7152, 0.0722]) / 255

    def expect_theme(dark: bool) -> None:
        for name in ("explorer", "gallery", "contrast"):
            root = explorer if name == "explorer" else explorer.locator(f".slw-{name}")
            expect(root).to_have_class(re.compile("slw-dark" if dark else "slw-light"))

        def drawn() -> None:
            assert (luminance() < 0.3) is dark
            assert (luminance() > 0.7) is not dark

        eventually(drawn)

    expect_theme(dark=False)
    shown.set_theme("dark")
    try:
        expect_theme(dark=True)
    finally:
        shown.set_theme("light")
    expect_theme(dark=False)
