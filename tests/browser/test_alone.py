"""Each widget in a cell of its own: narrow and wide, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.pixels import colours, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

CELLS = {
    "map": "lens.map()",
    "gallery": "lens.gallery('layer4', 17)",
    "contrast": "lens.contrast('layer4', 17)",
    "audit": "lens.audit('striped star', ['star'], ['watermark']).view(active=('layer4', 17))",
    "explorer": "lens.explore(active=('layer4', 17))",
}
DRAWN = {
    "map": ".slw-map-stage[data-renderer=webgl]",
    "gallery": ".slw-tile img",
    "contrast": ".slw-pair img",
    "audit": ".slw-audit-tiles img",
    "explorer": ".slw-tile img",
}
WIDTHS = (300, 420, 600, 1040, 1600)


@pytest.fixture(scope="module")
def widgets(scene_notebook) -> Iterator[Notebook]:
    """A notebook that shows every widget in a cell of its own."""
    with scene_notebook("widgets", *CELLS.values()) as notebook:
        yield notebook


def overflowing(widget: Locator) -> list[str]:
    """Name the elements that stick out to the right, unless they scroll there.

    Out of their column or panel less its padding, or of the widget where they are in none.
    """
    return widget.evaluate(
        """root => {
            const edgeOf = element => {
                const columns = '.slw-labels, .slw-panel, .slw-map';
                const panel = element.parentElement.closest(columns) ?? root;
                const padding = parseFloat(getComputedStyle(panel).paddingRight);
                return panel.getBoundingClientRect().right - padding + 1;
            };
            const scrolls = element => element !== root
                && (getComputedStyle(element).overflowX !== 'visible'
                    || scrolls(element.parentElement));
            return [...root.querySelectorAll('*')]
                .filter(element => element.getBoundingClientRect().right > edgeOf(element)
                    && element.checkVisibility() && !element.closest('.slw-hidden')
                    && !scrolls(element.parentElement))
                .map(element => `${element.tagName}.${element.className}`);
        }"""
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", CELLS)
def test_draws_narrow_and_wide(widgets: Notebook, name: str, theme: str):
    widgets.set_theme(theme)
    widget = widgets.page.locator(f".jp-OutputArea-output .slw-host > .slw-{name}").first
    widget.scroll_into_view_if_needed()
    for width in WIDTHS:
        widgets.set_width(widget, width)
        # What is out of sight waits, and a narrow widget is higher than the page.
        widget.locator(DRAWN[name].removesuffix(" img")).first.scroll_into_view_if_needed()
        expect(widget.locator(DRAWN[name]).first).to_be_visible()
        expect(widget).to_have_class(f"slw slw-{name} slw-{theme}")
        assert overflowing(widget) == []
        assert colours(picture(widget.locator(DRAWN[name]).first)) > 8
    complaints = widgets.complaints.copy()
    widgets.complaints.clear()
    assert complaints == []
