"""A cell that shows an explorer, run again and again, leaves no more behind than run once."""

from __future__ import annotations

from playwright.sync_api import expect

COUNT = """async () => {
    const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
    const comms = (await kernel.requestCommInfo({})).content.comms;
    const key = Object.getOwnPropertySymbols(globalThis)
        .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
    return [Object.keys(comms).length, globalThis[key]?.users.size ?? 0];
}"""
RUN = """async () => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.activeCellIndex = 1;
    content.deselectAll();
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


def test_explorers_of_the_same_cell_replace_each_other(scene_notebook):
    with scene_notebook("again", "lens.explore()") as notebook:
        page = notebook.page
        stage = page.locator(".slw-explorer .slw-map-stage[data-renderer=webgl]")

        def settled() -> list[int]:
            """Run the cell, wait until its map is drawn, and count until the count is steady."""
            page.evaluate(RUN)
            expect(stage).to_have_count(1, timeout=20_000)
            expect(stage).to_be_visible(timeout=20_000)
            found: list[int] = []
            for _ in range(40):
                last, found = found, page.evaluate(COUNT)
                if found == last:
                    break
                page.wait_for_timeout(250)
            return found

        before = settled()
        assert before[1] == 1
        for _ in range(28):
            page.evaluate(RUN)
        assert settled() == before
        assert notebook.complaints == []
