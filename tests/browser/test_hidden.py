"""What changes while nobody looks is there, and right, when somebody looks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.pixels import centres, colours, map_places, picture
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from tests.browser.notebook import Notebook

# A headless browser shows all its pages. What scripts meet in a hidden page is made here: frames
# wait until it is shown, and timers have one tick a second.
HIDE = """() => {
    const frame = window.requestAnimationFrame, cancel = window.cancelAnimationFrame;
    const later = window.setTimeout, held = new Map();
    let next = -1;
    const state = hidden => {
        Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
        Object.defineProperty(document, 'visibilityState',
            { configurable: true, value: hidden ? 'hidden' : 'visible' });
        document.dispatchEvent(new Event('visibilitychange'));
    };
    window.requestAnimationFrame = callback => (held.set(--next, callback), next);
    window.cancelAnimationFrame = id => held.delete(id) || cancel.call(window, id);
    window.setTimeout = (callback, wait = 0, ...more) =>
        later.call(window, callback, Math.max(1000, wait), ...more);
    state(true);
    window.showAgain = () => {
        Object.assign(window, { requestAnimationFrame: frame, setTimeout: later });
        state(false);
        for (const [id, callback] of held) frame(time => held.delete(id) && callback(time));
    };
}"""
LOSE_CONTEXT = """() => {
    const key = Object.getOwnPropertySymbols(globalThis)
        .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
    const { canvas } = globalThis[key].renderer;
    canvas.getContext('webgl').getExtension('WEBGL_lose_context').loseContext();
}"""
CHANGES = """
lens.set_label('layer4', 30, 'seen by nobody')
explorer.refresh()
explorer.active = ('layer4', 30)
explorer.map.color_by = 'clarity'
explorer.map.filter = {'layer': ['layer4']}
explorer.map.region_labels = False
explorer.contrast.candidates = ['green', 'striped']
"""
EXPLORER = "explorer = lens.explore(active=('layer4', 17))\nexplorer"


def hide_page(notebook: Notebook) -> Callable[[], None]:
    page = notebook.page
    page.evaluate(HIDE)
    return lambda: page.evaluate("() => window.showAgain()")


def hide_page_and_lose_its_graphics(notebook: Notebook) -> Callable[[], None]:
    """As browsers do with pages in the background when the graphics card is short of memory."""
    show = hide_page(notebook)
    notebook.page.evaluate(LOSE_CONTEXT)
    return show


def open_another_tab(notebook: Notebook) -> Callable[[], None]:
    page = notebook.page
    here = page.evaluate("() => window.jupyterapp.shell.currentWidget.id")
    page.evaluate("() => window.jupyterapp.commands.execute('fileeditor:create-new')")
    page.wait_for_function("id => window.jupyterapp.shell.currentWidget.id !== id", arg=here)
    expect(page.locator(f"[id='{here}']")).to_be_hidden()
    return lambda: page.evaluate("id => window.jupyterapp.shell.activateById(id)", here)


@pytest.mark.parametrize("hide", [hide_page, hide_page_and_lose_its_graphics, open_another_tab])
def test_changed_while_hidden_it_is_right_when_shown(
    scene_notebook, hide: Callable[[Notebook], Callable[[], None]]
):
    with scene_notebook(hide.__name__, EXPLORER) as notebook:
        page, kernel = notebook.page, notebook.kernel
        explorer = page.locator(".slw-explorer")
        expect(explorer.locator(".slw-gallery .slw-tile img").first).to_be_visible()
        expect(explorer.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
        show = hide(notebook)
        kernel.run(CHANGES)
        take_turns(notebook)
        show()
        expect_changed(notebook, explorer)
        assert [text for text in notebook.complaints if "CONTEXT_LOST" not in text] == []


def expect_changed(notebook: Notebook, explorer: Locator) -> None:
    """Map, gallery and contrast panel, side by side, as CHANGES left them."""
    kernel = notebook.kernel
    gallery = explorer.locator(".slw-gallery")
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text("layer4 / 30")
    expect(gallery.locator(".slw-title")).to_have_text("seen by nobody")
    expect(gallery.locator(".slw-tile").first.locator("img")).to_be_visible()
    top = kernel.value("float(lens.examples('layer4', 30).activation[0])")
    shown = gallery.locator(".slw-tile-caption .slw-number").first.inner_text()
    assert abs(float(shown) - top) <= 0.005
    expect(explorer.locator(".slw-map-status")).to_contain_text("seen by nobody")
    expect(explorer.get_by_label("Colour by")).to_have_value("clarity")
    expect_only_layer4_in_many_colours(notebook, explorer.locator(".slw-map-stage"))

    contrast = explorer.locator(".slw-contrast")
    expect(contrast.locator(".slw-heading .slw-mono")).to_have_text("layer4 / 30")
    expect(contrast.locator(".slw-bars [aria-busy=false]")).to_be_visible()
    expect(contrast.locator(".slw-score-name")).to_have_count(3)  # the neuron's own label, too
    texts = contrast.locator(".slw-score > .slw-number").all_inner_texts()
    names = "['green', 'striped', 'seen by nobody']"
    scores = f"sorted(lens.scores('layer4', 30, {names}, scorer='csp').score.tolist())[::-1]"
    values = [float(text.replace("−", "-")) for text in texts]
    assert values == pytest.approx(kernel.value(scores), abs=0.00051)


def expect_only_layer4_in_many_colours(notebook: Notebook, stage: Locator) -> None:
    places = map_places(notebook.kernel, "explorer.map", stage)
    fourth = np.array(notebook.kernel.value("(lens.neurons.layer == 'layer4').tolist()"))

    def drawn() -> None:
        pixels = picture(stage)
        background = pixels[3, pixels.shape[1] // 2].astype(int)
        there = np.abs(centres(pixels, places) - background).max(1) > 40
        assert there[fourth].mean() > 0.95
        assert there[~fourth].mean() < 0.3  # where a neuron of layer4 lies over them
        assert colours(centres(pixels, places[fourth])) >= 5

    eventually(drawn)


def test_made_while_hidden_it_is_drawn_when_shown(scene_notebook):
    with scene_notebook("made-hidden", "'nothing yet'", EXPLORER) as notebook:
        page = notebook.page
        explorer = page.locator(".slw-explorer")
        expect(explorer.locator(".slw-gallery .slw-tile img").first).to_be_visible()
        start_again(page)
        show = open_another_tab(notebook)
        notebook.kernel.wait("'again' in globals()", True)
        take_turns(notebook)
        show()
        notebook.kernel.run(CHANGES)
        expect_changed(notebook, explorer)
        assert notebook.complaints == []


def take_turns(notebook: Notebook) -> None:
    """Let what a change asks for be answered, and what is asked for after that: page and kernel."""
    for _ in range(3):
        notebook.page.evaluate("() => new Promise(resolve => setTimeout(resolve, 0))")
        notebook.kernel.value("0")


def start_again(page: Page) -> None:
    """Run the explorer's cell once more, slowly, and do not wait for it."""
    page.evaluate(
        """() => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.activeCellIndex = 2;
            content.deselectAll();
            content.activeCell.model.sharedModel.setSource(
                `import time; time.sleep(2)\\nagain = True\\n` +
                content.activeCell.model.sharedModel.source);
            window.jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
