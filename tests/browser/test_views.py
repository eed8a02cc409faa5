"""One explorer seen twice: both views show the same, and one may go without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.pixels import colours, picture
from tests.browser.remains import remains, run_cell, watch
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

STAGE = ".slw-map-stage[data-renderer=webgl]"


def in_another_cell(notebook: Notebook) -> Callable[[], None]:
    run_cell(notebook, 2, "explorer")
    return lambda: run_cell(notebook, 2, "'closed'")


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
        watch(page)
        close = show(notebook)
        expect(views).to_have_count(2)
        for view in views.all():
            expect_whole(view, "layer4 / 17", "striped")
        both = remains(page)
        assert both["maps"] == 2
        assert both["contexts"] == 0  # the first view's serves both

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
        one = remains(page)
        assert one["maps"] == 1
        assert one["comms"] == both["comms"]  # the widget stays
        kernel.run("explorer.active = ('layer4', 30)\nexplorer.query = 'red'")
        expect_whole(views, "layer4 / 30", "red")
        views.locator(".slw-hit").first.click()
        kernel.wait("explorer.active[0] in lens.layers", True)
        assert notebook.complaints == []
