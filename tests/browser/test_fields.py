"""What a person types in JupyterLab stays theirs, and open widgets follow what cells do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

ADD = "Add candidate labels"
SEARCH = "Search neurons by concept"
WATCHED = """
told = {name: [] for name in ("map", "gallery", "contrast")}
def hear(name, seen):
    getattr(explorer, name).observe(lambda change: seen.append(list(change["new"])), "active")
for name, seen in told.items():
    hear(name, seen)
"""


@pytest.fixture(scope="module")
def fields(scene_notebook) -> Iterator[Notebook]:
    show = "explorer = lens.explore(active=('layer4', 11), tab='contrast')\nexplorer"
    with scene_notebook("fields", show) as notebook:
        yield notebook


@pytest.fixture
def explorer(fields: Notebook) -> Iterator[Locator]:
    root = fields.page.locator(".slw-explorer")
    expect(root.locator(".slw-contrast .slw-score").first).to_be_visible()
    yield root
    complaints = fields.complaints.copy()
    fields.complaints.clear()
    assert complaints == []


def sources(notebook: Notebook) -> list[str]:
    return notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells"
        ".map(({ source }) => [].concat(source).join(''))"
    )


@pytest.mark.parametrize("label", [ADD, SEARCH])
def test_undo_and_redo_belong_to_the_field(fields: Notebook, explorer: Locator, label: str):
    page = fields.page
    cell = page.locator(".jp-CodeCell .cm-content").nth(1)
    cell.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("  # an edit")
    edited = sources(fields)
    assert edited[1].endswith("# an edit")
    field = explorer.get_by_label(label)
    field.click()
    field.press_sequentially("zebra")
    page.keyboard.press("Control+z")
    expect(field).not_to_have_value("zebra")
    page.keyboard.press("Control+y")
    expect(field).to_have_value("zebra")
    page.keyboard.press("Control+Shift+z")
    assert sources(fields) == edited
    field.fill("")
    cell.click()
    page.keyboard.press("Control+z")  # which the cell still has
    assert sources(fields) != edited


def test_composing_leaves_no_letter_behind(fields: Notebook, explorer: Locator):
    field = explorer.get_by_label(ADD)
    explorer.get_by_label(SEARCH).click()
    session = fields.page.context.new_cdp_session(fields.page)
    field.click()  # which asks the kernel for what it may suggest
    for text in ("k", "か", "かn", "かん"):
        composed = {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        session.send("Input.imeSetComposition", composed)
        fields.kernel.value("0")  # the answer has come: the kernel takes its turn
        expect(field).to_have_value(text)
    session.send("Input.insertText", {"text": "漢"})
    expect(field).to_have_value("漢")
    field.press("Enter")
    expect(explorer.locator(".slw-contrast .slw-score-name", has_text="漢")).to_have_text("漢")
    explorer.get_by_role("button", name="Suggest").click()


def test_a_neuron_set_twice_in_one_cell_is_told_in_that_order(fields: Notebook, explorer: Locator):
    kernel = fields.kernel
    kernel.run(WATCHED)
    kernel.run("explorer.active = ('layer4', 3)\nexplorer.active = ('layer4', 5)")
    heading = explorer.locator(".slw-contrast .slw-heading .slw-mono")
    expect(heading).to_have_text("layer4 / 5")
    expect(explorer.locator(".slw-contrast .slw-heading")).to_have_attribute("aria-busy", "false")
    # What the browser may send back has been sent before the next thing that it sends.
    explorer.get_by_label(SEARCH).fill("striped")
    explorer.get_by_label(SEARCH).press("Enter")
    kernel.wait("explorer.query", "striped")
    expected = [["layer4", 3], ["layer4", 5]]
    assert kernel.value("told") == dict.fromkeys(("map", "gallery", "contrast"), expected)


def test_labels_given_in_a_cell_show_in_open_widgets(fields: Notebook, explorer: Locator):
    explorer.get_by_label(SEARCH).fill("striped")
    explorer.get_by_label(SEARCH).press("Enter")
    hits = explorer.locator(".slw-hit > :first-child")
    expect(hits.first).to_be_visible()
    fields.kernel.run("_ = lens.label(['only word'], threshold=-9.0)")
    title = explorer.locator(".slw-contrast .slw-heading .slw-title")
    expect(title).to_have_text("only word")
    expect(hits.first).to_have_text("only word")
    expect(explorer.locator(".slw-contrast .slw-score-name")).to_have_text(["only word"])


def test_use_by_keyboard_keeps_the_focus(fields: Notebook, explorer: Locator):
    fields.kernel.run("explorer.contrast.candidates = ['zebra', 'ring']")
    use = explorer.get_by_role("button", name="Use ring as label")
    use.focus()
    fields.page.keyboard.press("Enter")
    title = explorer.locator(".slw-contrast .slw-heading .slw-title")
    expect(title).to_have_text("ring")
    expect(explorer.get_by_role("button", name="ring is the neuron's label")).to_be_focused()
    fields.page.keyboard.press("Tab")
    expect(explorer.get_by_label(ADD)).to_be_focused()
