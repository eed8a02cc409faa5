"""The map alone in a page: every width, many at once, lost contexts, keyboard, accessibility."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.map_page import ROOT, open_map_page, show_map, wait_drawn
from tests.browser.pixels import colours, picture
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_map_page(browser) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []


def selected(page: Page, place: int = 0) -> int:
    """How many neurons are selected."""
    return page.evaluate(
        """place => [...new Uint8Array(maps[place].model.get('_selected').buffer)]
            .reduce((sum, byte) => sum + byte.toString(2).split('1').length - 1, 0)""",
        place,
    )


def settled(page: Page) -> None:
    """Wait until the page has laid out and drawn what was changed, and nothing moves any more."""
    page.evaluate(
        """async () => {
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            await frame();
            await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
        }"""
    )


def expect_other(stage: Locator, before: np.ndarray) -> None:
    assert np.abs(picture(stage).astype(int) - before).max() > 60


@pytest.mark.parametrize("width", [300, 480, 700, 1000, 1600])
def test_every_width_is_filled_and_nothing_sticks_out(page: Page, width: int):
    show_map(page, 2000, width)
    stage = page.locator(".slw-map-stage")
    assert colours(picture(stage)) > 8
    sticking_out = page.evaluate(
        """() => {
            const { right } = maps[0].el.getBoundingClientRect();
            return [...maps[0].el.querySelectorAll('*')]
                .filter(node => node.getBoundingClientRect().right > right + 1)
                .map(node => node.className?.baseVal ?? node.className);
        }"""
    )
    assert sticking_out == []


def test_a_width_that_changes_is_followed(page: Page):
    show_map(page, 2000, 1200)
    for width in (400, 1600, 300):
        page.evaluate("width => { maps[0].el.style.width = `${width}px`; }", width)
        page.wait_for_function(
            """() => {
                const canvas = document.querySelector('.slw-map-points');
                return Math.abs(canvas.getBoundingClientRect().width
                    * devicePixelRatio - canvas.width) <= 2;
            }"""
        )
        wait_drawn(page, 0)


def test_twenty_maps_on_a_page_are_all_drawn_and_survive_a_lost_context(page: Page):
    for _ in range(20):
        show_map(page, 500, 400)
    lose = """() => {
        const key = Object.getOwnPropertySymbols(globalThis)
            .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
        const { canvas } = globalThis[key].renderer;
        const loser = canvas.getContext('webgl').getExtension('WEBGL_lose_context');
        for (const { el } of maps) el.querySelector('.slw-map-points').dataset.old = '';
        loser.loseContext();
    }"""
    for _ in range(2):
        page.evaluate(lose)
        page.wait_for_function("() => !document.querySelector('.slw-map-points[data-old]')")
        for place in range(20):
            wait_drawn(page, place)
    assert page.locator(".slw-map-stage[data-renderer=webgl]").count() == 20


def test_maps_that_go_leave_nothing(page: Page):
    show_map(page, 500)
    page.evaluate(
        """async () => {
            for (let i = 0; i < 30; i++) {
                const place = show(new Model(neurons(300)), 500);
                await new Promise(requestAnimationFrame);
                maps[place].close();
            }
            maps[0].close();
        }"""
    )
    page.wait_for_function(
        """() => {
            const key = Object.getOwnPropertySymbols(globalThis)
                .find(symbol => symbol.description.startsWith('semlens_widgets.renderer'));
            return globalThis[key] === undefined && !document.querySelector('canvas')
                && maps.every(({ model }) => model.listening === 0);
        }"""
    )


def test_hidden_and_shown_again_it_is_drawn(page: Page):
    show_map(page, 500)
    page.evaluate("() => { maps[0].el.style.display = 'none'; }")
    settled(page)
    page.evaluate("() => { maps[0].el.remove(); }")
    page.evaluate(
        """() => {
            maps[0].el.style.display = '';
            document.getElementById('maps').append(maps[0].el);
        }"""
    )
    wait_drawn(page, 0)
    assert colours(picture(page.locator(".slw-map-stage"))) > 8


def test_two_views_of_one_model_follow_each_other(page: Page):
    show_map(page, 2000, 600)
    page.evaluate("() => show(maps[0].model, 600)")
    wait_drawn(page, 1)
    page.locator(".slw-map-key").first.click()
    chips = page.locator(".slw-map-chip")
    expect(chips).to_have_count(2)
    expect(chips.last).to_contain_text("Layer: layer2")


def test_everything_can_be_done_by_keyboard(page: Page):
    show_map(page, 2000, 800)
    stage = page.locator(".slw-map-stage")
    for _ in range(20):
        page.keyboard.press("Tab")
        if stage.evaluate("node => node === document.activeElement"):
            break
    expect(stage).to_be_focused()
    before = picture(stage)
    for key in ("+", "+", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    eventually(lambda: expect_other(stage, before))
    page.keyboard.press("Enter")
    assert page.evaluate("() => maps[0].model.get('active')") is not None
    expect(page.locator(".slw-map-active strong, .slw-map-active .slw-mono").first).to_be_visible()
    page.keyboard.press(" ")
    assert selected(page) == 1
    page.keyboard.press("a")
    assert 1 < selected(page) < 2000
    page.keyboard.press("0")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert selected(page) == 0


def test_a_box_selects_and_the_legend_keeps_out_what_it_hides(page: Page):
    show_map(page, 3000, 800)
    box = page.locator(".slw-map-stage").bounding_box()
    assert box is not None

    def drag() -> None:
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5, steps=4)
        page.mouse.up()

    page.get_by_role("button", name="Box").click()
    drag()
    assert selected(page) == 3000
    page.locator(".slw-map-key").first.click()
    drag()
    assert selected(page) == 1000


def test_another_resolution_at_the_same_size_is_drawn_anew(page: Page):
    show_map(page, 2000, 800)
    wire = page.context.new_cdp_session(page)
    for ratio in (2, 1, 1.5):
        metrics = {"width": 1700, "height": 1000, "deviceScaleFactor": ratio, "mobile": False}
        wire.send("Emulation.setDeviceMetricsOverride", metrics)
        # Emulation tells no page of it, unlike a screen: whatever paints next finds out.
        page.evaluate("() => dispatchEvent(new Event('resize'))")
        page.wait_for_function(
            """ratio => devicePixelRatio === ratio
                && ['.slw-map-points', '.slw-map-overlay'].every(name => {
                    const canvas = maps[0].el.querySelector(name);
                    return Math.abs(canvas.width - canvas.clientWidth * ratio) <= 2;
                })""",
            arg=ratio,
        )
        wait_drawn(page, 0)


def test_in_a_shadow_root_it_works_as_in_a_page(page: Page):
    page.evaluate(
        """async () => {
            const host = document.createElement('div');
            host.style.cssText = 'width: 800px; background: #111';
            document.body.prepend(host);
            const root = host.attachShadow({ mode: 'open' });
            const style = document.createElement('style');
            style.textContent = await (await fetch('/map.css')).text();
            root.append(style);
            show(new Model(neurons(500)), 800);
            root.append(maps[0].el);
        }"""
    )
    wait_drawn(page, 0)
    expect(page.locator(".slw-map")).to_have_class("slw slw-map slw-dark")
    stage = page.locator(".slw-map-stage")
    stage.focus()
    before = picture(stage)
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(0, -400)
    eventually(lambda: expect_other(stage, before))
    page.keyboard.press("Enter")
    assert page.evaluate("() => maps[0].model.get('active')") is not None
    page.get_by_role("button", name="Display").click()
    panel = page.locator(".slw-map-panel")
    panel.get_by_text("Density contours").click()
    expect(panel).to_be_visible()
    page.mouse.click(box["x"] + 300, box["y"] + 300)
    expect(panel).to_have_count(0)


def test_the_saved_picture_holds_the_map(page: Page):
    show_map(page, 2000, 800, contours=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    path = download.value.path()
    image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    stage = page.locator(".slw-map-stage")
    width, height = stage.evaluate("stage => [stage.clientWidth, stage.clientHeight]")
    assert image.size[0] >= max(1600, 2 * width)
    assert image.size[1] > image.size[0] * height / width
    assert colours(np.asarray(image)) > 30


@pytest.mark.parametrize("dark", [False, True])
def test_no_serious_violation_of_accessibility(browser: Browser, dark: bool):
    with open_map_page(browser, dark=dark) as page:
        show_map(page, 2000, 900, color_by="label", filter={"label": ["striped", "fur"]})
        page.add_script_tag(path=AXE)
        page.get_by_role("button", name="Display").click()
        for color_by in ("label", "clarity"):
            page.evaluate("name => maps[0].model.set('color_by', name)", color_by)
            settled(page)
            violations = page.evaluate(
                """async () => (await axe.run('#maps')).violations
                    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
                    .map(({ id, nodes }) => [id, nodes.map(({ html, any }) =>
                        [html.slice(0, 120), any.map(({ message }) => message)])])"""
            )
            assert violations == []
