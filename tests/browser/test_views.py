"""One explorer seen twice: both views show the same, and one may go without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.pixels import colours, picture
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

STAGE = ".slw-map-stage[data-renderer=webgl]"
USERS = """() => {
    const key = Object.getOwnPropertySymbols(globalThis)
        .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
    return globalThis[key]?.users.size ?? 0;
}"""
RUN = """([cell, source]) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = cell;
    content.deselectAll();
    content.activeCell.model.sharedModel.setSource(source);
    return window.jupyterapp.commands.execute('notebook:run-cell');
}"""


def in_another_cell(notebook: Notebook) -> Callable[[], None]:
    notebook.page.evaluate(RUN, [2, "explorer"])
    return lambda: notebook.page.evaluate(RUN, [2, "'closed'"])


def as_output_view(notebook: Notebook) -> Callable[[], None]:
    """As "Create New View for Cell Output" does."""
    notebook.page.evaluate(
        """async () => {
            const { shell, commands } = window.jupyterapp;
            const { content } = shell.currentWidget;
            content.activeCellIndex = 1;
            content.deselectAll();
            const before = new Set([...shell.widgets('main')]);
            await commands.execute('notebook:create-output-view');
            window.outputView = [...shell.widgets('main')].find(one => !before.has(one));
        }"""
    )
    return lambda: notebook.page.evaluate("() => window.outputView.close()")


def expect_whole(explorer: Locator, neuron: str, query: str) -> None:
    """Map drawn, hits listed, the gallery at the neuron: scrolled to, as a person would."""
    explorer.locator(".slw-explorer-frame").scroll_into_view_if_needed()
    stage = explorer.locator(STAGE)
    expect(stage).to_be_visible()

    def drawn() -> None:
        assert colours(picture(stage)) > 8

    eventually(drawn)
    expect(explorer.locator(".slw-hits-of")).to_contain_text(query)
    expect(explorer.locator(".slw-map-chips")).to_contain_text("24 highlighted")
    expect(explorer.locator(".slw-map-status")).to_contain_text(neuron)
    heading = explorer.locator(".slw-gallery .slw-heading .slw-mono")
    expect(heading).to_have_text(neuron)
    expect(explorer.locator(".slw-gallery .slw-tile img").first).to_be_visible()


@pytest.mark.parametrize("show", [in_another_cell, as_output_view])
def test_two_views_show_the_same_and_one_stays(
    scene_notebook, show: Callable[[Notebook], Callable[[], None]]
):
    cells = "explorer = lens.explore(active=('layer4', 17), query='striped')\nexplorer", "'empty'"
    with scene_notebook(show.__name__, *cells) as notebook:
        page, kernel = notebook.page, notebook.kernel
        views = page.locator(".slw-explorer")
        expect_whole(views, "layer4 / 17", "striped")
        assert page.evaluate(USERS) == 1
        close = show(notebook)
        expect(views).to_have_count(2)
        for view in views.all():
            expect_whole(view, "layer4 / 17", "striped")
        assert page.evaluate(USERS) == 2  # maps, in one WebGL context

        first, second = views.all()
        second.get_by_label("Search neurons by concept").fill("green")
        expect(second.locator(".slw-hits-of")).to_contain_text("green")
        chosen = second.locator(".slw-hit").nth(2)
        name = chosen.locator(".slw-small .slw-ellipsis").inner_text()
        chosen.click()
        for view in (first, second):
            expect_whole(view, name, "green")
        hits = [view.locator(".slw-hit").all_inner_texts() for view in (first, second)]
        assert hits[0] == hits[1]
        layer, neuron = name.split(" / ")
        kernel.wait("explorer.active", [layer, int(neuron)])

        close()
        expect(views).to_have_count(1)
        eventually(lambda: _is_one(page.evaluate(USERS)))
        kernel.run("explorer.active = ('layer4', 30)\nexplorer.query = 'red'")
        expect_whole(views, "layer4 / 30", "red")
        views.locator(".slw-hit").first.click()
        kernel.wait("explorer.active[0] in lens.layers", True)
        assert notebook.complaints == []


def _is_one(count: int) -> None:
    assert count == 1
