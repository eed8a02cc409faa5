"""The audit in JupyterLab: by mouse, by keyboard, linked, and what outlives the kernel."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import open_notebook
from tests.browser.test_kernel_gone import expect_gone, kill, process_of
from tests.browser.test_panels import AXE, LATE, SERIOUS, busy_kernel, tab_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

AUDIT = """audit = lens.audit(
    "striped star", ["star", "stripes"], {"text": "watermark", "light": "bright background"}
)"""
VIEW = f"{AUDIT}\nview = audit.view()\nview"
FORM = "import semlens_widgets as slw\nform = slw.AuditView(lens)\nform"
LAST = "audit.neurons[audit.neurons.layer == 'layer4']"
HEAVIEST = f"{LAST}.sort_values('relevance_share', ascending=False, kind='stable')"
DECIDED = "audit.neurons.query('decision != \"\"')[['neuron', 'decision', 'note']].values.tolist()"


@pytest.fixture(scope="module")
def shared(scene_notebook) -> Iterator[Notebook]:
    """A notebook with an audit in one cell and a form in the next."""
    with scene_notebook("audit", VIEW, FORM) as notebook:
        yield notebook


@pytest.fixture
def view(opened: Notebook) -> Locator:
    """The audit with nothing decided and no neuron chosen."""
    opened.kernel.run(
        "for _, one in audit.neurons.query('decision != \"\"').iterrows():\n"
        "    audit.decide(one.layer, one.neuron, '')\n"
        "view.active = None\nview.layer = None\nview.sort_by = 'share'"
    )
    root = opened.page.locator(".slw-audit").first
    opened.set_width(root, 900)
    root.locator(".slw-audit-heading").scroll_into_view_if_needed()
    expect(root.locator(".slw-audit-body [role=row]").first).to_be_visible()
    root.get_by_role("grid").evaluate("table => { table.scrollTop = 0; }")
    expect(root.locator(".slw-audit-body [data-decision]")).to_have_count(0)
    return root


@pytest.fixture
def form(opened: Notebook) -> Locator:
    """The form, as long as there is no audit."""
    opened.kernel.run("form.audit = None")
    root = opened.page.locator(".slw-audit").nth(1)
    expect(root.get_by_role("button", name="Audit", exact=True)).to_be_visible()
    return root


def rows_of(view: Locator) -> Locator:
    return view.locator(".slw-audit-body [role=row]")


def test_plot_table_and_sums_are_those_of_the_audit(opened: Notebook, view: Locator):
    kernel = opened.kernel
    order = kernel.value(f"{HEAVIEST}.neuron.tolist()")
    shares = kernel.value(f"{HEAVIEST}.relevance_share.tolist()")
    verdicts = kernel.value(f"{HEAVIEST}.verdict.tolist()")
    drawn = rows_of(view).count()
    assert 10 <= drawn < len(order)
    assert view.get_by_role("grid").get_attribute("aria-rowcount") == str(len(order) + 1)
    shown = [row.get_attribute("data-neuron") for row in rows_of(view).all()]
    assert shown == [str(neuron) for neuron in order[:drawn]]
    texts = rows_of(view).locator(".slw-audit-share .slw-number").all_inner_texts()
    assert texts == [f"{share * 100:.1f} %" for share in shares[:drawn]]
    for verdict in set(verdicts):
        points = view.locator(f".slw-plot path.slw-verdict-{verdict}")
        expect(points).to_have_count(verdicts.count(verdict))
    summary = kernel.value(
        "audit.summary.query('layer == \"layer4\"').set_index('verdict').share.to_dict()"
    )
    for item in view.locator(".slw-sums li").all():
        name, share = item.locator("span").first.inner_text(), item.locator("b").inner_text()
        assert share == f"{summary[name] * 100:.1f} %"


def test_by_mouse(opened: Notebook, view: Locator):
    kernel, page = opened.kernel, opened.page
    view.get_by_label("Layer", exact=True).select_option("layer3")
    kernel.wait("view.layer", "layer3")
    expect(view.get_by_role("grid")).to_have_attribute("aria-label", "Neurons of layer3")
    view.get_by_label("Layer", exact=True).select_option("layer4")
    view.get_by_role("columnheader", name="Spurious").get_by_role("button").click()
    kernel.wait("view.sort_by", "spurious")
    first = kernel.value(f"{LAST}.sort_values('spurious', ascending=False).neuron.iloc[0]")
    expect(rows_of(view).first).to_have_attribute("data-neuron", str(first))

    point = view.locator(".slw-plot path.slw-verdict-spurious").first  # the heaviest of them
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    heaviest = f"{HEAVIEST}.query('verdict == \"spurious\"').iloc[0]"
    neuron = kernel.value(f"{heaviest}.neuron")
    expect(view.locator(".slw-plot-card")).to_contain_text(f"neuron {neuron}, spurious")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    kernel.wait("view.active", ["layer4", neuron])
    expect(view.locator(".slw-heading .slw-mono")).to_have_text(f"layer4 / {neuron}")
    expect(view.locator(".slw-finding-verdict b")).to_have_text("spurious")
    phrase = kernel.value(f"{heaviest}.spurious_phrase")
    expect(view.locator(".slw-fits tbody tr").nth(1)).to_contain_text(phrase)

    tiles = view.get_by_role("list", name="Images of the class").locator("li")
    images = kernel.value(f"audit.class_images('layer4', {neuron}, 12).share.tolist()")
    expect(tiles).to_have_count(len(images))
    tiles.first.scroll_into_view_if_needed()
    expect(tiles.first.locator("img")).to_be_visible()
    expect(tiles.first.locator("canvas.slw-heat")).to_be_visible()
    shown = tiles.locator(".slw-number").all_inner_texts()
    assert shown == [f"{share * 100:.1f} %" for share in images]

    view.get_by_label("Note").fill("the watermark")
    view.get_by_role("button", name="Reject").click()
    kernel.wait(DECIDED, [[neuron, "reject", "the watermark"]])
    expect(view.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "true")
    view.get_by_role("button", name="Undo the last decision").click()
    kernel.wait(DECIDED, [])
    view.get_by_role("button", name="Redo the decision").click()
    kernel.wait(DECIDED, [[neuron, "reject", "the watermark"]])
    assert neuron not in kernel.value("[int(n) for _, n in audit.flagged]")


def test_by_keyboard(opened: Notebook, view: Locator):
    kernel, page, keyboard = opened.kernel, opened.page, opened.page.keyboard
    order = kernel.value(f"{HEAVIEST}.neuron.tolist()")
    plot = view.get_by_role("application")
    view.get_by_label("Layer", exact=True).focus()
    tab_to(page, plot)
    keyboard.press("ArrowRight")  # the heaviest first
    expect(view.locator(".slw-plot-card")).to_contain_text(f"neuron {order[0]},")
    keyboard.press("Enter")
    kernel.wait("view.active", ["layer4", order[0]])
    keyboard.press("i")
    kernel.wait(DECIDED, [[order[0], "ignore", ""]])
    keyboard.press("Control+z")
    kernel.wait(DECIDED, [])
    keyboard.press("Control+Shift+z")
    kernel.wait(DECIDED, [[order[0], "ignore", ""]])
    keyboard.press("u")
    kernel.wait(DECIDED, [])

    tab_to(page, view.locator("[role=grid] [tabindex='0'][data-neuron]"))
    keyboard.press("ArrowDown")
    keyboard.press("a")
    kernel.wait(DECIDED, [[order[1], "accept", ""]])
    keyboard.press("ArrowDown")
    keyboard.press("r")
    kept = [[order[1], "accept", ""], [order[2], "reject", ""]]
    kernel.wait(f"sorted({DECIDED})", sorted(kept))
    keyboard.press("Control+z")
    kernel.wait(DECIDED, kept[:1])
    keyboard.press("Control+y")
    kernel.wait(f"sorted({DECIDED})", sorted(kept))
    keyboard.press("End")
    last = view.locator(f"[data-neuron='{order[-1]}']")
    expect(last).to_be_focused()
    keyboard.press("Enter")
    kernel.wait("view.active", ["layer4", order[-1]])
    tab_to(page, view.get_by_label("Note"))
    keyboard.type("said, i.e. a note")  # no letter of it decides
    kernel.wait(f"sorted({DECIDED})", sorted(kept))
    cells = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map(c => c.model.type)"
    )
    assert cells == ["code"] * 3  # nor does JupyterLab take any for a command of its own


def test_decisions_made_in_a_cell_show_and_python_moves_the_view(opened: Notebook, view: Locator):
    opened.kernel.run("audit.decide('layer4', 17, 'accept', 'as said')\nview.active = 'layer3', 5")
    expect(view.get_by_role("grid")).to_have_attribute("aria-label", "Neurons of layer3")
    expect(view.locator("[data-neuron='5']")).to_have_attribute("aria-selected", "true")
    opened.kernel.run("view.active = 'layer4', 17")
    expect(view.locator("[data-neuron='17']")).to_have_attribute("data-decision", "accept")
    expect(view.locator(".slw-deciding")).to_contain_text("as said")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(
    opened: Notebook, view: Locator, form: Locator, theme: str
):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    opened.set_theme(theme)
    if not opened.page.evaluate("() => 'axe' in window"):
        opened.page.evaluate(AXE.read_text("utf-8"))
    opened.kernel.run(
        f"first, second = map(int, {HEAVIEST}.neuron[:2])\nview.active = 'layer4', first\n"
        "audit.decide('layer4', first, 'reject', 'no')\naudit.decide('layer4', second, 'accept')"
    )
    expect(view.locator(".slw-deciding")).to_contain_text("rejected")
    view.locator(".slw-audit-evidence").scroll_into_view_if_needed()
    expect(view.locator(".slw-audit-tiles img").first).to_be_visible()
    view.locator("summary").click()
    found = [f"audit: {one}" for one in view.evaluate(SERIOUS)]
    view.locator("summary").click()
    form.get_by_role("button", name="Audit", exact=True).click()
    expect(form.get_by_role("alert")).to_be_visible()
    found += [f"form: {one}" for one in form.evaluate(SERIOUS)]
    opened.set_theme("light")
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("target", "valid", "spurious", "said"),
    [
        ("", "star", "watermark", "Which class?"),
        ("stripy star", "star", "watermark", "not the name of an output.*'striped star'"),
        ("striped star", " , ", "watermark", "valid: there is no concept"),
        ("striped star", "star", "", "spurious: there is no concept"),
        ("striped star", "star", "text: watermark, Star", "'Star' is both valid and spurious"),
    ],
)
def test_what_cannot_be_audited_is_said_in_the_form(
    form: Locator, target: str, valid: str, spurious: str, said: str
):
    form.get_by_label("Class").fill(target)
    form.get_by_label("Should rest on").fill(valid)
    form.get_by_label("Should not rest on").fill(spurious)
    form.get_by_role("button", name="Audit", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text(re.compile(said))
    expect(form.get_by_label("Should rest on")).to_have_value(valid)


def test_the_form_makes_an_audit(opened: Notebook, form: Locator):
    form.get_by_label("Class").fill("plain circle")
    form.get_by_label("Should rest on").fill("circle")
    form.get_by_label("Should not rest on").fill("text: watermark, letters")
    form.get_by_label("Class").press("Enter")
    expect(form.locator("h2").first).to_have_text("On what “plain circle” rests")
    assert opened.kernel.value("form.audit.spurious") == {"text": ["watermark", "letters"]}
    share = "form.audit.neurons.query('layer == \"layer4\"').relevance_share.max()"
    largest = form.locator(".slw-audit-share .slw-number").first
    expect(largest).to_have_text(f"{opened.kernel.value(f'float({share})') * 100:.1f} %")


def test_decisions_outlive_a_killed_kernel(lab, browser, scene_notebook):
    with scene_notebook("audit-killed", VIEW) as notebook:
        view = notebook.page.locator(".slw-audit")
        row = rows_of(view).nth(1)
        neuron = row.get_attribute("data-neuron")
        row.press("r")
        expect(row).to_have_attribute("data-decision", "reject")
        kill(notebook, process_of(notebook))
        rows_of(view).nth(2).press("a")  # what is not kept does not show
        expect_gone(view)
        expect(view.locator(".slw-audit-body [data-decision]")).to_have_count(1)
    first = "from tests.browser.scene_lens import scene_lens\nlens = scene_lens('audit-killed')"
    with open_notebook(lab, browser, "audit-later", [first, VIEW]) as later:
        row = later.page.locator(f".slw-audit [data-neuron='{neuron}']")
        expect(row).to_have_attribute("data-decision", "reject")
        expect(later.page.locator(".slw-audit-body [data-decision]")).to_have_count(1)
        assert later.complaints == []


def test_in_an_explorer_it_is_linked_without_the_kernel(scene_notebook):
    cell = f"{AUDIT}\nexplorer = lens.explore(tab='audit')\nexplorer.audit.audit = audit\nexplorer"
    with scene_notebook("audit-linked", cell) as notebook:
        explorer, kernel = notebook.page.locator(".slw-explorer"), notebook.kernel
        notebook.set_width(explorer, 1200)
        view = explorer.locator(".slw-audit")
        expect(rows_of(view).first).to_be_visible()
        first, second = (rows_of(view).nth(at).get_attribute("data-neuron") for at in (0, 1))
        rows_of(view).first.click()
        kernel.wait("explorer.active", ["layer4", int(first or "")])
        expect(view.locator(".slw-heading .slw-mono")).to_have_text(f"layer4 / {first}")
        with busy_kernel(notebook):
            rows_of(view).nth(1).click()
            expect(explorer.locator(".slw-map-status")).to_contain_text(f"layer4 / {second}")
            expect(rows_of(view).nth(1)).to_have_attribute("aria-selected", "true")
            late = view.get_by_role("status").filter(has_text="No answer from the kernel yet")
            expect(late.first).to_be_visible(timeout=LATE)
            explorer.get_by_role("tab", name="Examples").click()
            heading = explorer.locator(".slw-gallery .slw-heading .slw-mono")
            expect(heading).to_have_text(f"layer4 / {second}")
            explorer.get_by_role("button", name="Go back to").click()
            expect(heading).to_have_text(f"layer4 / {first}")
            explorer.get_by_role("tab", name="Audit").click()
            expect(rows_of(view).first).to_have_attribute("aria-selected", "true")
            rows_of(view).nth(1).hover()
            expect(view.locator("[data-pointed]")).to_have_attribute("data-neuron", second or "")
        kernel.wait("explorer.active", ["layer4", int(first or "")])
        view.get_by_role("button", name=re.compile("Select \\d+ flagged")).click()
        flagged = "[neuron for layer, neuron in audit.flagged if layer == 'layer4']"
        kernel.wait(f"sorted(explorer.selection.neuron) == sorted({flagged})", True)
        explorer.get_by_role("tab", name="Intervene").click()
        count = kernel.value(f"len({flagged})")
        expect(explorer.locator(".slw-intervene h2")).to_have_text(f"{count} neurons set to 0")
        assert notebook.complaints == []


def test_a_kernel_that_hangs_keeps_a_decision_for_later(opened: Notebook, view: Locator):
    process = process_of(opened)
    neuron = opened.kernel.value(f"{HEAVIEST}.neuron.iloc[0]")
    row = view.locator(f"[data-neuron='{neuron}']")
    os.kill(process, signal.SIGSTOP)
    try:
        row.press("a")
        late = view.get_by_role("status").filter(has_text="No answer from the kernel yet")
        expect(late.first).to_be_visible(timeout=LATE)
        expect(view.locator(".slw-audit-body [data-decision]")).to_have_count(0)  # not kept yet
    finally:
        os.kill(process, signal.SIGCONT)
    expect(row).to_have_attribute("data-decision", "accept")
    opened.kernel.wait(DECIDED, [[neuron, "accept", ""]])
