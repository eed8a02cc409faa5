"""The trace in JupyterLab: by mouse, by keyboard, linked, and for assistive technology."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_alone import WIDTHS, overflowing
from tests.browser.test_panels import AXE, SERIOUS, tab_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

VIEW = "trace = lens.trace('striped star')\nview = trace.view()\nview"
FORM = "import semlens_widgets as slw\nform = slw.TraceView(lens)\nform"
WORK = 60_000  # milliseconds


@pytest.fixture(scope="module")
def shared(scene_notebook) -> Iterator[Notebook]:
    """A notebook with a trace in one cell and a form in the next."""
    with scene_notebook("trace", VIEW, FORM) as notebook:
        yield notebook


@pytest.fixture
def view(opened: Notebook) -> Locator:
    """The trace as it was made, with nothing chosen."""
    opened.kernel.run(
        "view.trace = trace\nview.active = None\nview.threshold = 0.\n"
        "form.trace = None\nform.active = None"
    )
    root = opened.page.locator(".slw-trace").first
    opened.set_width(root, 900)
    root.scroll_into_view_if_needed()
    expect(root.locator(".slw-node-face img").first).to_be_visible()
    return root


def card(view: Locator, layer: str, neuron: int) -> Locator:
    return view.locator(f"""[data-key='["{layer}",{neuron}]']""")


def test_the_graph_is_the_trace(opened: Notebook, view: Locator):
    kernel = opened.kernel
    nodes = kernel.value("trace.nodes[['layer', 'neuron', 'share']].values.tolist()")
    expect(view.locator(".slw-node")).to_have_count(len(nodes))
    for layer, neuron, share in nodes[1:]:
        expect(card(view, layer, neuron)).to_contain_text(f"{100 * share:.1f} %")
    scaled = kernel.value("int(((trace.edges.upper >= 0) & (trace.edges.lower >= 0)).sum())")
    expect(view.locator(".slw-edge:not(.slw-edge-rest)")).to_have_count(scaled)
    expect(view.locator(".slw-edge")).to_have_count(kernel.value("len(trace.edges)"))
    first = kernel.value(
        "trace.edges.query('upper_layer == \"\" and lower >= 0').relevance.tolist()"
    )
    widths = view.locator(".slw-edge:not(.slw-edge-rest)").evaluate_all(
        "paths => paths.map(path => +path.getAttribute('stroke-width'))"
    )
    scale = widths[0] / first[0]
    assert widths[: len(first)] == pytest.approx([scale * relevance for relevance in first])
    card(view, "layer4", kernel.value("int(trace.levels['layer4'].kept[0])")).hover()
    expect(view.locator(".slw-edge-path")).to_have_count(2)
    expect(view.locator(".slw-node:not(.slw-node-dim)")).to_have_count(3)


def test_nothing_sticks_out_narrow_or_wide(opened: Notebook, view: Locator):
    first = opened.kernel.value("int(trace.levels['layer4'].kept[0])")
    card(view, "layer4", first).click()
    expect(view.locator(".slw-below li").first).to_be_visible()
    for width in WIDTHS:
        opened.set_width(view, width)
        expect(card(view, "layer4", first)).to_be_visible()
        assert overflowing(view) == [], width


def test_by_mouse_a_neuron_is_chosen_pinned_and_grouped(opened: Notebook, view: Locator):
    kernel = opened.kernel
    first, second = kernel.value("trace.levels['layer4'].kept.tolist()")[:2]
    card(view, "layer4", first).click()
    kernel.wait("view.active", ["layer4", first])
    expect(view.locator(".slw-heading .slw-mono")).to_have_text(f"layer4 / {first}")
    view.locator(".slw-node-examples").scroll_into_view_if_needed()
    expect(view.locator(".slw-node-examples img").first).to_be_visible()
    below = kernel.value(f"trace.below('layer4', {first}).neuron.tolist()")
    names = view.locator(".slw-below .slw-mono").all_inner_texts()
    assert names == [f"layer3 / {neuron}" for neuron in below]
    view.get_by_role("button", name="Pin", exact=True).click()
    kernel.wait("view.pinned", [{"layer": "layer4", "neuron": first}])
    view.get_by_role("slider", name="threshold").press("End")
    expect(view.locator(".slw-node-neuron")).to_have_count(1)
    expect(card(view, "layer4", first)).to_contain_text("pin")
    view.get_by_role("slider", name="threshold").press("Home")
    kernel.wait("view.threshold", 0.0)
    for neuron in (first, second):
        card(view, "layer4", neuron).click()
        expect(view.locator(".slw-heading .slw-mono")).to_have_text(f"layer4 / {neuron}")
        view.get_by_label("Name of a group for this neuron").fill("shortcut")
        view.get_by_role("button", name="Group", exact=True).click()
    group = view.locator(".slw-node-group")
    expect(group).to_contain_text("× 2")
    share = kernel.value("float(trace.nodes.query('layer == \"layer4\"').share[:2].sum())")
    expect(group).to_contain_text(f"{100 * share:.1f} %")
    group.click()
    view.get_by_role("button", name=f"Take layer4 / {first} out of shortcut").click()
    expect(group).to_contain_text("× 1")
    kernel.wait("view.groups", {"shortcut": [{"layer": "layer4", "neuron": second}]})


def test_everything_is_done_by_keyboard(opened: Notebook, view: Locator):
    page, keyboard, kernel = opened.page, opened.page.keyboard, opened.kernel
    target = card(view, "", 16)
    view.get_by_label("Class").focus()
    tab_to(page, target)
    keyboard.press("ArrowRight")
    heaviest = kernel.value("int(trace.levels['layer4'].kept[0])")
    expect(card(view, "layer4", heaviest)).to_be_focused()
    keyboard.press("ArrowRight")
    edges = f"trace.edges.query('upper_layer == \"layer4\" and upper == {heaviest} and lower >= 0')"
    below = kernel.value(f"int({edges}.sort_values('relevance').lower.iloc[-1])")
    expect(card(view, "layer3", below)).to_be_focused()
    keyboard.press("Enter")
    kernel.wait("view.active", ["layer3", below])
    expect(card(view, "layer3", below)).to_have_attribute("aria-pressed", "true")
    keyboard.press("Home")
    expect(target).to_be_focused()
    tab_to(page, view.get_by_label("Name of a group for this neuron"))
    keyboard.type("stripes")
    keyboard.press("Enter")
    kernel.wait("view.groups", {"stripes": [{"layer": "layer3", "neuron": below}]})
    expect(view.locator(".slw-node-group")).to_contain_text("stripes")


def test_a_class_and_a_neuron_are_traced_from_the_form(opened: Notebook, view: Locator):
    kernel = opened.kernel
    form = opened.page.locator(".slw-trace").nth(1)
    opened.set_width(form, 700)
    form.scroll_into_view_if_needed()
    expect(form.get_by_text("Trace a class or a neuron")).to_be_visible()
    form.get_by_label("Class").select_option("plain heart")
    form.get_by_role("button", name="Trace class").click()
    expect(form.locator(".slw-trace-heading h2")).to_have_text("plain heart", timeout=WORK)
    kernel.wait("form.trace.target", "plain heart")
    kernel.run("form.active = ('layer4', 17)")
    form.get_by_role("button", name="Trace layer4 / 17").click()
    kernel.wait("str(form.trace.target)", "('layer4', 17)")
    expect(form.locator(".slw-node")).to_have_count(kernel.value("len(form.trace.nodes)"))
    kernel.run("form.active = ('layer3', 17)")
    form.get_by_role("button", name="Trace layer3 / 17").click()
    alert = form.get_by_role("alert")
    expect(alert).to_contain_text("no layer to trace")
    expect(alert.get_by_role("button", name="Retry")).to_be_visible()


def test_ablation_stands_beside_relevance(opened: Notebook, view: Locator):
    kernel = opened.kernel
    view.get_by_role("button", name="Verify by ablation").click()
    said = view.locator(".slw-verify")
    expect(said).to_contain_text("Rank correlation", timeout=WORK)
    value = kernel.value("trace.agreement.value")
    expect(said).to_contain_text(re.compile(f"ablation: {value:.2f} \\["))
    first = kernel.value("int(trace.levels['layer4'].kept[0])")
    card(view, "layer4", first).click()
    drop = kernel.value(f"float(trace.verified.query('neuron == {first}')['drop'].iloc[0])")
    expect(view.get_by_label("In this trace")).to_contain_text(f"ablation takes {drop:.3f}")


def test_new_labels_show_at_once(opened: Notebook, view: Locator):
    kernel = opened.kernel
    first = kernel.value("int(trace.levels['layer4'].kept[0])")
    kernel.run(f"lens.set_label('layer4', {first}, '<b>stamp</b>')")
    expect(card(view, "layer4", first)).to_contain_text("<b>stamp</b>")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(opened: Notebook, view: Locator, theme: str):
    page = opened.page
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    opened.set_theme(theme)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = [f"graph: {one}" for one in view.evaluate(SERIOUS)]
    first = opened.kernel.value("int(trace.levels['layer4'].kept[0])")
    card(view, "layer4", first).click()
    expect(view.locator(".slw-below li").first).to_be_visible()
    found += [f"neuron: {one}" for one in view.evaluate(SERIOUS)]
    card(view, "layer4", -1).click()
    found += [f"rest: {one}" for one in view.evaluate(SERIOUS)]
    form = page.locator(".slw-trace").nth(1)
    found += [f"form: {one}" for one in form.evaluate(SERIOUS)]
    opened.set_theme("light")
    assert found == [], "\n".join(found)
