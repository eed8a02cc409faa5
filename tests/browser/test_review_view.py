"""The table of labels in JupyterLab: by mouse, by keys, through files, linked, left alone."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_kernel_gone import UNSENT, expect_gone, kill, process_of
from tests.browser.test_panels import AXE, SERIOUS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

VIEW = "view = lens.review()\nview"
EVIL = "<img src=x onerror=alert(1)>"
#: What people say, by row of the neurons.
PEOPLE = (
    "{int(at): one.label for at, one in lens.neurons.iterrows() if one.source == 'person'}.items()"
)


@pytest.fixture(scope="module")
def shared(scene_notebook) -> Iterator[Notebook]:
    with scene_notebook("review", VIEW) as notebook:
        yield notebook


@pytest.fixture
def view(opened: Notebook) -> Locator:
    """The table with no word of people, nothing selected and nothing to undo."""
    opened.kernel.run(
        "theirs = lens.neurons.query('source == \"person\"')\n"
        "lens.set_labels({(one.layer, one.neuron): None for one in theirs.itertuples()})\n"
        "view._steps.__init__(); view._tell_steps(); view.trust = None\n"
        "view.layer, view.show, view.sort_by, view.selection = None, 'all', 'neuron', b''\n"
        "view.active = None  # which is shown after sorting, wherever it is"
    )
    root = opened.page.locator(".slw-review").first
    opened.set_width(root, 900)
    root.scroll_into_view_if_needed()
    root.get_by_role("grid").evaluate("table => { table.scrollTop = 0; }")
    expect(row_of(root, 0).locator(".slw-review-choices button").first).to_be_visible()
    expect(root.locator(".slw-review-person")).to_have_count(0)
    expect(root.locator("[aria-selected=true]")).to_have_count(0)
    return root


def row_of(view: Locator, row: int) -> Locator:
    return view.locator(f".slw-review-body [data-row='{row}']")


def words_of(view: Locator, row: int) -> Locator:
    return row_of(view, row).locator(".slw-review-text")


def told(view: Locator) -> Locator:
    return view.locator(".slw-review-told")


def people(*said: tuple[int, str]) -> list[list[Any]]:
    return [list(one) for one in said]


def wait_for_people(opened: Notebook, *said: tuple[int, str]) -> None:
    opened.kernel.wait(f"[list(one) for one in {PEOPLE}]", people(*said))


def labels_of(opened: Notebook) -> list[str]:
    return opened.kernel.value("lens.neurons.label.tolist()")


def select(view: Locator, first: int, last: int) -> None:
    row_of(view, first).locator(".slw-review-name").click()
    row_of(view, last).locator(".slw-review-name").click(modifiers=["Shift"])
    expect(view.locator(".slw-review-count b")).to_have_text(str(last - first + 1))


def press_button(view: Locator, name: str) -> None:
    view.get_by_role("button", name=name, exact=True).click()


def test_rows_are_those_of_the_lens_and_few_are_drawn(opened: Notebook, view: Locator):
    labels = labels_of(opened)
    drawn = view.locator(".slw-review-body [role=row]")
    assert 8 <= drawn.count() < 20 < len(labels)
    assert view.get_by_role("grid").get_attribute("aria-rowcount") == str(len(labels) + 1)
    for row in range(4):
        expect(words_of(view, row)).to_have_text(labels[row])
        expect(row_of(view, row).locator("img")).to_have_count(3)
    view.get_by_role("grid").evaluate("table => { table.scrollTop = table.scrollHeight; }")
    expect(words_of(view, len(labels) - 1)).to_have_text(labels[-1])
    press_button(view, "Score")
    worst = opened.kernel.value("int(lens.neurons.score.argsort(kind='stable').iloc[0])")
    view.get_by_role("grid").evaluate("table => { table.scrollTop = 0; }")
    expect(view.locator("[data-at='0']")).to_have_attribute("data-row", str(worst))
    opened.kernel.wait("view.sort_by", "score")


def test_accept_reject_undo_and_redo(opened: Notebook, view: Locator):
    before = labels_of(opened)
    select(view, 0, 2)
    opened.kernel.wait("view.selected.index.tolist()", [0, 1, 2])
    press_button(view, "Accept")
    accepted = [(row, before[row]) for row in range(3)]
    wait_for_people(opened, *accepted)
    expect(told(view)).to_have_text("3 accepted.")
    expect(view.locator(".slw-review-person")).to_have_count(3)
    row_of(view, 3).locator(".slw-review-name").click()
    row_of(view, 3).press("r")
    expect(words_of(view, 3)).to_have_text("no label fits")
    wait_for_people(opened, *accepted, (3, ""))
    row_of(view, 3).press("Control+z")
    wait_for_people(opened, *accepted)
    press_button(view, "Undo")
    wait_for_people(opened)
    expect(view.get_by_role("button", name="Undo", exact=True)).to_be_disabled()
    press_button(view, "Redo")
    wait_for_people(opened, *accepted)
    row_of(view, 3).press("Control+Shift+z")
    wait_for_people(opened, *accepted, (3, ""))
    expect(words_of(view, 3)).to_have_text("no label fits")


def test_edited_in_place_chosen_and_set_for_many(opened: Notebook, view: Locator):
    words_of(view, 1).dblclick()
    box = row_of(view, 1).get_by_role("textbox")
    expect(box).to_be_focused()
    box.fill(EVIL)
    box.press("Enter")
    wait_for_people(opened, (1, EVIL))
    expect(words_of(view, 1)).to_have_text(EVIL)
    expect(row_of(view, 1)).to_be_focused()
    choice = row_of(view, 2).locator(".slw-review-choices button").first
    chosen = choice.locator("bdi").inner_text()
    offered = opened.kernel.value(
        "lens.label_choices([tuple(lens.neurons.loc[2, ['layer', 'neuron']])]).label[0]"
    )
    assert chosen == offered
    choice.click()
    wait_for_people(opened, (1, EVIL), (2, chosen))
    select(view, 4, 6)
    view.get_by_label("One label for all selected").fill("odd")
    view.get_by_label("One label for all selected").press("Enter")
    wait_for_people(opened, (1, EVIL), (2, chosen), (4, "odd"), (5, "odd"), (6, "odd"))


def test_labels_of_people_are_asked_about(opened: Notebook, view: Locator):
    opened.kernel.run("lens.set_label(*lens.neurons.loc[0, ['layer', 'neuron']], 'crimson')")
    expect(words_of(view, 0)).to_have_text("crimson")  # changed elsewhere, shown at once
    select(view, 0, 1)
    press_button(view, "Reject")
    asked = view.get_by_role("alertdialog")
    expect(asked).to_contain_text("Reject 2 labels? 1 label of these was given by people")
    wait_for_people(opened, (0, "crimson"))
    asked.get_by_role("button", name="Keep theirs").click()
    expect(told(view)).to_have_text("1 rejected: no label fits; 1 that people gave kept.")
    wait_for_people(opened, (0, "crimson"), (1, ""))
    press_button(view, "Reject")
    asked.get_by_role("button", name="Overwrite").click()
    wait_for_people(opened, (0, ""), (1, ""))


def test_a_file_goes_out_comes_back_and_clashes(opened: Notebook, view: Locator, tmp_path: Path):
    page, before = opened.page, labels_of(opened)
    with page.expect_download() as started:
        press_button(view, "Export CSV")
    path = tmp_path / "mine.csv"
    started.value.save_as(path)
    assert started.value.suggested_filename == "labels.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert [row["label"] for row in rows] == before
    rows[0]["label"], rows[1]["label"] = "rose", "moss"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    opened.kernel.run("lens.set_label(*lens.neurons.loc[0, ['layer', 'neuron']], 'crimson')")
    expect(words_of(view, 0)).to_have_text("crimson")
    chooser = view.locator("input[type=file]")
    chooser.set_input_files(path)
    asked = view.get_by_role("alertdialog")
    expect(asked).to_be_visible()
    wait_for_people(opened, (0, "crimson"))
    asked.get_by_role("button", name="Overwrite").click()
    wait_for_people(opened, (0, "rose"), (1, "moss"))
    expect(told(view)).to_have_text("2 labels from the file.")
    press_button(view, "Undo")
    wait_for_people(opened, (0, "crimson"))
    path.write_text(f"layer,neuron,label\nnowhere,1,{EVIL}\nlayer3,99999,b\n", "utf-8")
    chooser.set_input_files(path)
    alert = view.get_by_role("alert")
    expect(alert).to_contain_text("line 2: there is no neuron 'nowhere' '1' here.")
    expect(alert).to_contain_text("line 3: there is no neuron 'layer3' '99999' here.")
    wait_for_people(opened, (0, "crimson"))


def test_how_sure_brings_the_lead(opened: Notebook, view: Locator):
    press_button(view, "How sure?")
    expect(view.get_by_role("columnheader", name="Lead")).to_be_visible(timeout=120_000)
    press_button(view, "Lead")
    closest = opened.kernel.value("int(view.trust.lead.argsort(kind='stable').iloc[0])")
    expect(view.locator("[data-at='0']")).to_have_attribute("data-row", str(closest))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(opened: Notebook, view: Locator, theme: Any):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    opened.set_theme(theme)
    opened.page.add_script_tag(path=AXE)
    select(view, 0, 1)
    press_button(view, "Reject")
    expect(told(view)).to_contain_text("rejected")
    assert view.evaluate(SERIOUS) == []
    opened.set_theme("light")


@pytest.mark.parametrize("width", [300, 420, 600, 900, 1500])
def test_nothing_is_wider_than_the_view(opened: Notebook, view: Locator, width: int):
    opened.kernel.run(
        f"lens.set_label(*lens.neurons.loc[0, ['layer', 'neuron']], {'long ' * 40!r})"
    )
    expect(view.locator(".slw-review-person")).to_have_count(1)
    opened.set_width(view, width)
    assert view.evaluate("root => root.scrollWidth <= root.clientWidth + 1")
    label = words_of(view, 0).bounding_box()
    assert label is not None
    assert label["width"] >= 30


def test_in_an_explorer_the_selection_is_the_maps(scene_notebook):
    with scene_notebook("review-linked", "explorer = lens.explore(tab='review')\nexplorer") as one:
        explorer = one.page.locator(".slw-explorer").first
        one.set_width(explorer, 1200)
        table = explorer.locator(".slw-review")
        expect(row_of(table, 0).locator("img").first).to_be_visible()
        row_of(table, 1).locator(".slw-review-name").click()
        row_of(table, 3).locator(".slw-review-name").click(modifiers=["Shift"])
        one.kernel.wait("explorer.selection.index.tolist()", [1, 2, 3])
        layer, neuron = one.kernel.value("[lens.neurons.layer[3], int(lens.neurons.neuron[3])]")
        one.kernel.wait("explorer.gallery.active", [layer, neuron])
        one.kernel.run("explorer.map.selection = __import__('numpy').uint32([0, 2]).tobytes()")
        expect(row_of(table, 2)).to_have_attribute("aria-selected", "true")
        expect(row_of(table, 1)).to_have_attribute("aria-selected", "false")
        assert one.complaints == []


def test_without_a_kernel_labels_stay_to_be_read(scene_notebook):
    with scene_notebook("review-gone", VIEW) as one:
        view = one.page.locator(".slw-review").first
        before = words_of(view, 0).inner_text()
        kill(one, process_of(one))
        expect(row_of(view, 0)).to_be_visible()
        row_of(view, 0).locator(".slw-review-name").click()
        row_of(view, 0).press("r")
        expect_gone(view)
        expect(words_of(view, 0)).to_have_text(before)
        one.complaints[:] = [told for told in one.complaints if UNSENT not in told]
