"""Gallery, contrast panel and explorer by keyboard, for assistive technology, and under load."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from tests.browser.notebook import Notebook

AXE = REPOSITORY / "js/node_modules/axe-core/axe.min.js"
SERIOUS = """root => axe.run(root, { resultTypes: ['violations'] }).then(found => found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, any }) =>
        `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`)))"""
LATE = 6_000  # milliseconds; a panel says after 3 s that it waits


def at_neuron(notebook: Notebook, explorer: Locator, neuron: int, tab: str) -> None:
    notebook.kernel.run(f"explorer.active = ('layer4', {neuron})")
    explorer.get_by_role("tab", name=tab).click()
    name = "gallery" if tab == "Examples" else "contrast"
    heading = explorer.locator(f".slw-{name} .slw-heading .slw-mono")
    expect(heading).to_have_text(f"layer4 / {neuron}")
    expect(explorer.locator(f".slw-{name} .slw-picture img").first).to_be_visible()


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached by {most} tabs")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(
    notebook: Notebook, explorer: Locator, theme: str
):
    page = notebook.page
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    notebook.set_theme(theme)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    explorer.get_by_label("Search neurons by concept").fill("green")
    expect(explorer.locator(".slw-hit").first).to_be_visible()
    found = []
    for tab in ("Labels and contrast", "Examples"):
        at_neuron(notebook, explorer, 11, tab)
        if tab == "Examples":
            explorer.get_by_role("button", name="Relevance").click()
        found += [f"{tab}: {one}" for one in explorer.evaluate(SERIOUS)]
    explorer.locator(".slw-tile button").first.click()
    dialog = page.locator("dialog.slw-lightbox")
    expect(dialog).to_be_visible()
    found += [f"large view: {one}" for one in dialog.evaluate(SERIOUS)]
    page.keyboard.press("Escape")
    explorer.get_by_role("button", name="Relevance").click()
    notebook.set_theme("light")
    assert found == [], "\n".join(found)


def test_everything_is_done_by_keyboard(notebook: Notebook, explorer: Locator):
    page, keyboard, kernel = notebook.page, notebook.page.keyboard, notebook.kernel
    search = explorer.get_by_label("Search neurons by concept")
    search.focus()
    keyboard.type("green")
    keyboard.press("Enter")
    hits = explorer.locator(".slw-hit")
    expect(hits.first).to_be_visible()
    expect(explorer.locator(".slw-hits")).to_have_attribute("aria-busy", "false")
    tab_to(page, explorer.locator(".slw-hit[tabindex='0']"))
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    chosen = explorer.locator(".slw-hit[aria-pressed=true]")
    expect(chosen).to_have_count(1)
    layer, neuron = chosen.locator(".slw-small .slw-ellipsis").inner_text().split(" / ")
    kernel.wait("explorer.active", [layer, int(neuron)])

    tab_to(page, explorer.get_by_role("tab", name="Examples"))
    heading = explorer.locator(".slw-gallery .slw-heading .slw-mono")
    expect(heading).to_have_text(f"{layer} / {neuron}")
    tab_to(page, explorer.locator(".slw-tile button").first)
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Example 2 of")).to_be_visible()
    keyboard.press("Escape")
    expect(page.locator("dialog.slw-lightbox")).to_have_count(0)

    explorer.get_by_role("tab", name="Examples").focus()
    keyboard.press("ArrowRight")
    tab_to(page, explorer.get_by_role("button", name="Leave out pair 2", exact=True))
    scores = explorer.locator(".slw-score > .slw-number")
    expect(scores.first).to_have_text(re.compile(r"\d"))  # until then nothing can be left out
    before = scores.all_inner_texts()
    keyboard.press("Enter")
    kernel.wait("explorer.contrast.excluded", [1])
    expect(explorer.locator(".slw-pair-out")).to_have_count(1)
    expect(scores.first).not_to_have_text(before[0])
    names = explorer.locator(".slw-score-name").all_inner_texts()
    table = f"lens.scores({layer!r}, {neuron}, {names!r}, scorer='csp', exclude=[1]).score"
    expected = kernel.value(f"{table}.astype(float).tolist()")
    shown = [float(text.replace("−", "-")) for text in scores.all_inner_texts()]
    assert shown == pytest.approx(expected, abs=0.00051)

    explorer.get_by_role("tab", name="Labels").focus()
    use = explorer.get_by_role("button", name="as label").first
    wanted = use.get_attribute("aria-label").removeprefix("Use ").removesuffix(" as label")
    tab_to(page, explorer.locator(".slw-bars [tabindex='0']"))  # one stop for all bars
    keyboard.press("Home")
    keyboard.press("ArrowRight")
    while use.evaluate("element => element !== document.activeElement"):
        row = page.evaluate("() => document.activeElement.closest('li').dataset.candidate")
        keyboard.press("ArrowDown")
        assert row != page.evaluate("() => document.activeElement.closest('li').dataset.candidate")
    keyboard.press("Enter")
    expect(explorer.locator(".slw-contrast .slw-title")).to_have_text(wanted)
    row = f"lens.neurons.set_index(['layer', 'neuron']).loc[({layer!r}, {neuron})]"
    kernel.wait(f"{row}.label", wanted)


#: A cell that holds the interpreter: no thread of the kernel can answer meanwhile.
HOLDS = "re.match('(a+)+$', 'a' * 60 + 'b')"


@contextmanager
def busy_kernel(notebook: Notebook) -> Iterator[None]:
    """Keep the kernel busy until it is interrupted."""
    page = notebook.page
    # Half a second for the word to get out.
    lines = "import re, time", "print('begun', flush=True)", "time.sleep(.5)", f"try: {HOLDS}"
    page.evaluate(
        """code => {
            window.kernelAt = '';
            const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
            const future = kernel.requestExecute({ code });
            future.onIOPub = message => {
                if (message.header.msg_type === 'stream') window.kernelAt = 'work';
            };
            future.done.then(() => { window.kernelAt = 'rest'; });
            window.interrupt = () => kernel.interrupt();
        }""",
        "\n".join([*lines, "except KeyboardInterrupt: pass"]),
    )
    page.wait_for_function("() => window.kernelAt === 'work'")
    page.wait_for_timeout(1000)
    try:
        yield
        assert page.evaluate("() => window.kernelAt") == "work"
    finally:
        page.evaluate("() => window.interrupt()")
        page.wait_for_function("() => window.kernelAt === 'rest'")


def test_everything_follows_while_the_kernel_is_busy(notebook: Notebook, explorer: Locator):
    kernel = notebook.kernel
    explorer.get_by_label("Search neurons by concept").fill("striped")
    expect(explorer.locator(".slw-hits-of")).to_contain_text("striped")
    hits = explorer.locator(".slw-hit")
    expect(hits.first).to_be_visible()
    names = explorer.locator(".slw-hit .slw-small .slw-ellipsis").all_inner_texts()
    explorer.get_by_role("tab", name="Examples").click()
    hits.nth(1).click()
    gallery = explorer.locator(".slw-gallery")
    heading = gallery.locator(".slw-heading .slw-mono")
    expect(heading).to_have_text(names[1])
    expect(explorer.locator(".slw-tile img").first).to_be_visible()
    kernel.run("seen = []\nexplorer.observe(lambda c: seen.append(c['new']), names='active')")
    with busy_kernel(notebook):
        hits.nth(4).click()
        status = explorer.locator(".slw-map-status")
        expect(status).to_contain_text(names[4])
        expect(heading).to_have_text(names[4])
        expect(explorer.locator(".slw-measures")).to_have_attribute(
            "aria-label", f"Measures of {names[4]} among the neurons of {names[4].split(' / ')[0]}"
        )
        expect(explorer.locator(".slw-gallery .slw-tile img")).to_have_count(0)
        late = gallery.get_by_role("status").filter(has_text="No answer from the kernel yet")
        expect(late).to_be_visible(timeout=LATE)
        explorer.get_by_role("button", name="Go back to").click()
        expect(late).to_have_count(0)
        expect(heading).to_have_text(names[1])
        expect(explorer.locator(".slw-tile img").first).to_be_visible()  # as it was seen before
        explorer.get_by_role("button", name="Go forward to").click()
        expect(heading).to_have_text(names[4])
    expect(explorer.locator(".slw-tile img").first).to_be_visible()
    expect(late).to_have_count(0)
    layer, neuron = names[4].split(" / ")
    kernel.wait("explorer.active", [layer, int(neuron)])


def test_late_answers_leave_the_newest_on_the_screen(notebook: Notebook, explorer: Locator):
    kernel = notebook.kernel
    at_neuron(notebook, explorer, 11, "Labels and contrast")
    kernel.run(
        "import time\nimport semlens_widgets as slw\n"
        "from semlens_widgets.widgets.contrast import ContrastPanel\n"
        "quick = dict(ContrastPanel._requests)\n"
        "def slow(name):\n"
        "    def wait(self, params):\n"
        "        time.sleep(0.5)\n"
        "        return quick[name](self, params)\n"
        "    return wait\n"
        "ContrastPanel._requests = quick | {'scores': slow('scores')}\n"
        "explorer.contrast.candidates = ['green', 'striped']"
    )
    slider = explorer.get_by_role("slider", name="γ")
    for gamma in (0.1, 0.9, 0.3):
        slider.fill(str(gamma))
    expect(explorer.locator(".slw-bars [aria-busy=true]")).to_be_visible()
    expect(explorer.locator(".slw-bars [aria-busy=false]")).to_be_visible(timeout=10_000)
    kernel.run("ContrastPanel._requests = quick")
    names = explorer.locator(".slw-score-name").all_inner_texts()  # the neuron's own label, too
    assert {"green", "striped"} < set(names)
    expected = (
        f"sorted(lens.scores('layer4', 11, {names!r}, scorer=slw.Csp(gamma=.3)).score.tolist())"
    )
    shown = explorer.locator(".slw-score > .slw-number").all_inner_texts()
    values = [float(text.replace("−", "-")) for text in shown]
    assert values == pytest.approx(kernel.value(expected)[::-1], abs=0.00051)
    kernel.wait("explorer.contrast.settings['gamma']", 0.3)
    kernel.run("explorer.contrast.settings = {}\nexplorer.contrast.candidates = []")


def test_the_copied_state_shows_the_same_view(notebook: Notebook, explorer: Locator):
    page, kernel = notebook.page, notebook.kernel
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explorer.get_by_label("Search neurons by concept").fill("striped")
    expect(explorer.locator(".slw-hit").first).to_be_visible()
    kernel.wait("explorer.query", "striped")
    explorer.get_by_role("button", name="Copy state").click()
    expect(explorer.get_by_role("button", name="Copy state")).to_have_text("Copied")
    text = page.evaluate("() => navigator.clipboard.readText()")
    kernel.run(f"again = {text}")
    assert kernel.value("again.state") == kernel.value("explorer.state")
