"""What the kernel fails to answer, or answers in another order, in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.kernel import Kernel
    from tests.browser.notebook import Notebook

LAYER = "layer4"
REASON = "The disk <img src=x onerror=alert(1)> is full."
PATCH = f"""
def refuse(widget, method):
    '''Fail to answer one kind of request.'''
    def fail(self, params):
        raise OSError({REASON!r})
    widget._requests = dict(type(widget)._requests) | {{method: fail}}

def hold(widget):
    '''Keep answers back that are of neurons; pictures of an earlier one may still be on the way.'''
    widget.held = []
    send = widget.send
    def keep(content, *buffers):
        whole = isinstance(content.get("result"), dict) and "facts" in content["result"]
        widget.held.append((content, *buffers)) if whole else send(content, *buffers)
    widget.send = keep

def let_go(widget):
    '''Send what was kept back, the last first.'''
    del widget.send
    for message in reversed(widget.held):
        widget.send(*message)
"""


@pytest.fixture
def kernel(notebook: Notebook) -> Iterator[Kernel]:
    """A kernel that can be told to refuse and to hold answers; afterwards it does neither."""
    notebook.kernel.run(PATCH)
    yield notebook.kernel
    notebook.kernel.run(
        "for widget in (explorer, explorer.map, explorer.gallery, explorer.contrast):\n"
        "    widget.__dict__.pop('_requests', None)\n"
        "    widget.__dict__.pop('send', None)\n"
        "explorer.contrast.settings, explorer.contrast.candidates = {}, []"
    )


def refused(panel: Locator) -> Locator:
    """The notice, which says why, as text."""
    notice = panel.locator(".slw-notice-error")
    expect(notice).to_have_count(1)
    expect(notice).to_contain_text(REASON)
    expect(notice.locator("img")).to_have_count(0)
    return notice


@pytest.mark.parametrize(
    ("method", "neuron"), [("neuron", 41), ("thumbnails", 42), ("heatmaps", 43)]
)
def test_the_gallery_says_what_failed_and_asks_again(
    notebook: Notebook, explorer: Locator, kernel: Kernel, method: str, neuron: int
):
    explorer.get_by_role("tab", name="Examples").click()
    gallery = explorer.locator(".slw-gallery")
    kernel.run(f"refuse(explorer.gallery, {method!r})")
    kernel.run(
        f"explorer.gallery.overlay = {method == 'heatmaps'}\nexplorer.active = {LAYER!r}, {neuron}"
    )
    notice = refused(gallery)
    heading = gallery.locator(".slw-heading .slw-mono")
    if method == "neuron":
        expect(gallery.locator(".slw-tile")).to_have_count(0)  # no other neuron's
    else:
        expect(heading).to_have_text(f"{LAYER} / {neuron}")
        expect(gallery.locator(".slw-tile").first).to_be_visible()
    kernel.run("del explorer.gallery._requests")
    notice.get_by_role("button", name="Retry").click()
    expect(notice).to_have_count(0)
    expect(heading).to_have_text(f"{LAYER} / {neuron}")
    shown = ".slw-heat" if method == "heatmaps" else ".slw-tile img"
    expect(gallery.locator(shown).first).to_be_visible()
    kernel.run("explorer.gallery.overlay = False")


def test_a_refused_score_leaves_no_old_one_as_if_new(
    notebook: Notebook, explorer: Locator, kernel: Kernel
):
    kernel.run(f"explorer.active = {LAYER!r}, 44")
    kernel.run("explorer.contrast.candidates = ['green', 'striped']")
    explorer.get_by_role("tab", name="Labels and contrast").click()
    contrast = explorer.locator(".slw-contrast")
    expect(contrast.locator(".slw-heading .slw-mono")).to_have_text(f"{LAYER} / 44")
    bars = contrast.locator(".slw-score-name")  # the neuron's own label, too
    label = kernel.value(f"lens.neurons.set_index(['layer', 'neuron']).label[{LAYER!r}, 44]")
    names = sorted({"green", "striped", label})
    expect(bars).to_have_count(len(names))
    assert sorted(bars.all_inner_texts()) == names
    kernel.run("import semlens_widgets as slw\nrefuse(explorer.contrast, 'scores')")
    contrast.get_by_role("slider", name="γ").fill("0.4")
    notice = refused(contrast)
    kernel.run("del explorer.contrast._requests")
    notice.get_by_role("button", name="Retry").click()
    expect(notice).to_have_count(0)
    expect(contrast.locator(".slw-bars [aria-busy=false]")).to_be_visible()
    scores = f"lens.scores({LAYER!r}, 44, {names!r}, scorer=slw.Csp(gamma=.4)).score.tolist()"
    texts = contrast.locator(".slw-score > .slw-number").all_inner_texts()
    values = [float(text.replace("−", "-")) for text in texts]
    assert values == pytest.approx(sorted(kernel.value(scores))[::-1], abs=0.00051)


def test_a_refused_search_is_said_and_repeated(
    notebook: Notebook, explorer: Locator, kernel: Kernel
):
    kernel.run("refuse(explorer, 'search')")
    box = explorer.get_by_label("Search neurons by concept")
    box.fill("dotted")
    box.press("Enter")
    notice = refused(explorer)
    kernel.run("del explorer._requests")
    notice.get_by_role("button", name="Retry").click()
    expect(explorer.locator(".slw-hits-of")).to_contain_text("dotted")
    expect(explorer.locator(".slw-hit").first).to_be_visible()
    expect(notice).to_have_count(0)


def test_answers_in_another_order_leave_the_neuron_asked_for_last(
    notebook: Notebook, explorer: Locator, kernel: Kernel
):
    explorer.get_by_role("tab", name="Examples").click()
    gallery = explorer.locator(".slw-gallery")
    expect(gallery.locator(".slw-tile img").first).to_be_visible()
    kernel.run("hold(explorer.gallery)")
    for neuron in (45, 46, 47):
        kernel.run(f"explorer.active = {LAYER!r}, {neuron}")
        kernel.wait("len(explorer.gallery.held)", neuron - 44)
    expect(gallery.locator(".slw-skeleton").first).to_be_visible()
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text(f"{LAYER} / 47")
    expect(gallery.locator(".slw-tile img")).to_have_count(0)
    kernel.run("let_go(explorer.gallery)")
    expect(gallery.locator(".slw-tile img").first).to_be_visible()
    expect(gallery.locator(".slw-heading .slw-mono")).to_have_text(f"{LAYER} / 47")
    top = kernel.value(f"float(lens.examples({LAYER!r}, 47).activation[0])")
    shown = gallery.locator(".slw-tile-caption .slw-number").first.inner_text()
    assert abs(float(shown) - top) <= 0.005
