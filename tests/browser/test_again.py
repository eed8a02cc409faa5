"""A cell that shows widgets, run again and again, leaves no more in the page than run once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.remains import remains, run_cell, watch

RUNS = 30


@pytest.mark.parametrize(
    ("widget", "drawn"),
    [("explore(active=('layer4', 17))", ".slw-tile img"), ("map()", ".slw-map-stage")],
)
def test_views_of_the_same_cell_replace_each_other(scene_notebook, widget: str, drawn: str):
    with scene_notebook(f"again-{widget[:3]}", f"lens.{widget}") as notebook:
        page = notebook.page
        stage = page.locator(".slw-map-stage[data-renderer=webgl]")
        watch(page)

        def run() -> None:
            run_cell(notebook, 1)
            expect(stage).to_have_count(1)
            expect(stage).to_be_visible()
            # What is out of sight is observed until it is seen: count when that is known.
            expect(page.locator(drawn).first).to_be_visible()

        run()
        before = remains(page)
        assert before["maps"] == before["contexts"] == 1
        assert "resize false" in before["listeners"]
        assert before["observers"] > 0
        assert before["lost"] == 0
        for _ in range(RUNS - 1):
            run_cell(notebook, 1)  # at once: a widget may go before it has come
        run()
        after = remains(page)
        # The kernel keeps what was made: a box, a variable or another notebook may still show it.
        assert after.pop("comms") > before.pop("comms")
        assert after == before
        assert notebook.complaints == []
