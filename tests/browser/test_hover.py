"""What is pointed at in a list or on the map is marked in the other, without the kernel."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.pixels import loneliest, map_places
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from tests.browser.kernel import Kernel
    from tests.browser.notebook import Notebook

KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
NAME = "(lambda row: [lens.neurons.layer[row], int(lens.neurons.neuron[row])])"
#: Milliseconds after which the page saves what a hand has changed, and a little more.
REST = 300
#: Pixels of the accent, in which marked neurons are ringed, around a place of the overlay.
RING = """([stage, x, y]) => {
    const overlay = stage.querySelector('.slw-map-overlay');
    const ratio = overlay.width / overlay.getBoundingClientRect().width;
    const { data } = overlay.getContext('2d')
        .getImageData((x - 24) * ratio, (y - 24) * ratio, 48 * ratio, 48 * ratio);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] > 200 && data[i + 2] > data[i] + 100) found++;
    }
    return found;
}"""


def sent(page: Page) -> list[str]:
    """The kinds of messages that went to the kernel since this was asked last."""
    return page.evaluate(
        f"""() => {{
            if (!window.toKernel) {{
                window.toKernel = [];
                {KERNEL}.anyMessage.connect((_, {{ direction, msg }}) => {{
                    if (direction === 'send') window.toKernel.push(msg.header.msg_type);
                }});
            }}
            return window.toKernel.splice(0);
        }}"""
    )


def expect_silence(page: Page, kernel: Kernel) -> None:
    """Nothing is sent while the kernel takes a turn, and a hand's rest passes in the page."""
    sent(page)
    page.evaluate(f"() => new Promise(resolve => setTimeout(resolve, {REST}))")
    kernel.value("0")
    assert sent(page) == []


@contextmanager
def busy(page: Page) -> Iterator[None]:
    """Keep the kernel working on a cell until the block ends."""
    page.evaluate(
        f"""() => {{
            window.working = undefined;
            const code = "import time\\nprint('begun', flush=True)\\ntime.sleep(120)";
            const future = {KERNEL}.requestExecute({{ code }});
            future.onIOPub = ({{ header }}) => {{
                if (header.msg_type === 'stream') window.working = true;
            }};
            future.done.then(() => {{ window.working = false; }});
        }}"""
    )
    page.wait_for_function("() => window.working === true")
    try:
        yield
    finally:
        page.evaluate(f"() => {KERNEL}.interrupt()")
        page.wait_for_function("() => window.working === false")


def test_hits_and_points_mark_each_other_while_the_kernel_is_busy(
    notebook: Notebook, explorer: Locator
):
    page, kernel = notebook.page, notebook.kernel
    explorer.get_by_role("button", name="Fit").click()
    stage = explorer.locator(".slw-map-stage")
    places = map_places(kernel, "explorer.map", stage)
    explorer.get_by_label("Search neurons by concept").fill("green")
    hits = explorer.locator(".slw-hit")
    expect(explorer.locator(".slw-hits-of")).to_contain_text("green")
    expect(explorer.locator(".slw-hits")).to_have_attribute("aria-busy", "false")
    kernel.wait("explorer.query", "green")
    expect(hits).to_have_count(24)
    expect(explorer.locator(".slw-map-chip")).to_contain_text("24 highlighted")
    found = kernel.value("explorer.map.highlighted.index.tolist()")
    alone = loneliest(places, len(places))
    rank, other = sorted(range(24), key=lambda rank: alone.index(found[rank]))[:2]
    hit, (x, y) = hits.nth(rank), places[found[rank]].tolist()

    def ring(place: tuple[float, float]) -> int:
        return page.evaluate(RING, [stage.element_handle(), *place])

    stage.hover(position={"x": x, "y": y})
    expect(explorer.locator(".slw-map-card img").first).to_be_visible()  # known from now on
    sent(page)
    hits.nth(other).click()
    kernel.wait("explorer.active", kernel.value(f"{NAME}({found[other]})"))
    assert "comm_msg" in sent(page)  # what is chosen is told
    page.mouse.move(2, 2)
    # What the panels show of it has come: nothing more is asked for, and all is saved.
    expect(explorer.locator("[aria-busy=true]:visible")).to_have_count(0)
    eventually(lambda: expect_silence(page, kernel))

    with busy(page):
        sent(page)
        before = explorer.bounding_box()
        assert ring((x, y)) == 0
        hit.hover()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert ring((x, y)) > 20
        page.mouse.move(2, 2)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert ring((x, y)) == 0
        hits.nth(rank - 1 if rank else 1).focus()
        page.keyboard.press("ArrowRight" if rank else "ArrowLeft")
        expect(hit).to_be_focused()
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert ring((x, y)) > 20
        hit.blur()

        stage.hover(position={"x": x, "y": y})
        pointed = explorer.locator(".slw-hit[data-pointed]")
        expect(pointed).to_have_count(1)
        assert pointed.text_content() == hit.text_content()
        page.mouse.move(2, 2)
        expect(pointed).to_have_count(0)
        assert explorer.bounding_box() == before
        assert page.evaluate("() => window.working")
        assert sent(page) == []


def test_a_search_for_neurons_like_one_is_ended_by_keys(notebook: Notebook, explorer: Locator):
    kernel, keyboard = notebook.kernel, notebook.page.keyboard
    kernel.run("explorer.active = ('layer4', 7)")
    hits = explorer.locator(".slw-hit")
    box = explorer.get_by_label("Search neurons by concept")
    similar = explorer.get_by_role("button", name="Similar")
    for where, key in ((similar, "Escape"), (box, "Escape"), (box, "Backspace")):
        similar.click()
        expect(hits.first).to_be_visible()
        where.focus()
        keyboard.press(key)
        expect(hits).to_have_count(0)
        kernel.wait("explorer.like", None)
        kernel.wait("len(explorer.map.highlight)", 0)
