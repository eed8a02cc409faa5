"""A page opened from disk with the network cut: by mouse, by keyboard, light and dark."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.scene_lens import scene_lens
from tests.browser.server import REPOSITORY
from tests.browser.test_panels import AXE, SERIOUS, tab_to
from tests.browser.waiting import eventually
from tests.unit.page_questions import assert_same, drawn, of_the_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from semlens_widgets.widgets import Explorer

TRAVELLING = [("layer4", neuron) for neuron in range(12)]


@pytest.fixture(scope="module")
def explorer(analysis: Path) -> Explorer:
    lens = scene_lens(analysis)
    explorer = lens.explore(active=("layer4", 3))
    explorer.audit.audit = lens.audit("striped star", ["star"], ["watermark"])
    explorer.trace.trace = lens.trace("striped star")
    return explorer


@pytest.fixture(scope="module")
def file(explorer: Explorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    explorer.to_html(path, neurons=TRAVELLING, examples=5)
    return path


@contextmanager
def opened_page(file: Path, browser: Browser, theme: Literal["light", "dark"]) -> Iterator[Page]:
    """Open the page, which asks for nothing and complains about nothing."""
    context = browser.new_context(
        offline=True, color_scheme=theme, viewport={"width": 1300, "height": 1000}
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("request", lambda one: one.url.startswith("http") and wrong.append(one.url))
    page.goto(file.as_uri())
    expect(page.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(file: Path, browser: Browser) -> Iterator[Page]:
    with opened_page(file, browser, "light") as page:
        yield page


def at(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab).click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_assistive_technology_meets_nothing_serious(
    file: Path, browser: Browser, theme: Literal["light", "dark"]
):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in js/")
    with opened_page(file, browser, theme) as page:
        page.evaluate(AXE.read_text("utf-8"))
        page.get_by_text("A page without a kernel").click()
        search = page.get_by_label("Search neurons by concept")
        for word in ("green", "greem"):
            search.fill(word)
            search.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("“greem” does not travel")
        found = []
        for tab in ("Examples", "Labels and contrast", "Review", "Audit", "Intervene", "Trace"):
            at(page, tab)
            # Pictures out of view come when they are scrolled to.
            shown = page.locator("[role=tabpanel]:not([hidden])").locator(
                "img, .slw-state, .slw-audit-neuron"
            )
            expect(shown.first).to_be_attached()
            if tab == "Labels and contrast":
                expect(page.locator(".slw-score").first).to_be_visible()
            found += [f"{tab}: {one}" for one in page.locator("body").evaluate(SERIOUS)]
        assert found == [], "\n".join(found)


def test_examples_are_shown_with_what_made_the_neuron_fire(page: Page):
    gallery = page.locator(".slw-gallery")
    expect(gallery.locator(".slw-tile img")).to_have_count(5)
    for image in gallery.locator(".slw-tile img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") > 0
    gallery.get_by_role("button", name="Relevance").click()
    expect(gallery.locator(".slw-tile canvas")).to_have_count(5)
    gallery.locator(".slw-tile button").first.click()
    large = page.locator("dialog.slw-lightbox")
    expect(large).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(large).not_to_be_visible()


def test_what_travels_is_searched_by_mouse_and_by_keyboard(page: Page, explorer: Explorer):
    hits = page.locator(".slw-hit")
    table = explorer.lens.search("green")
    keys = zip(table["layer"].astype(str), table["neuron"].astype(int), strict=True)
    found = [f"{layer} / {neuron}" for layer, neuron in keys if (layer, neuron) in TRAVELLING]

    page.get_by_label("Search neurons by concept").focus()
    page.keyboard.type("green")
    page.keyboard.press("Enter")
    expect(hits.locator(".slw-small .slw-ellipsis")).to_have_text(found)
    tab_to(page, page.locator(".slw-hit[tabindex='0']"))
    page.keyboard.press("Home")
    focused = page.evaluate("() => document.activeElement.innerText")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    chosen = page.locator(".slw-hit[aria-pressed=true] .slw-small .slw-ellipsis")
    expect(chosen).not_to_have_text(focused)
    expect(page.locator(".slw-gallery .slw-heading .slw-mono")).to_have_text(chosen.inner_text())
    hits.first.click()
    expect(page.locator(".slw-gallery .slw-heading .slw-mono")).to_have_text(found[0])

    search = page.get_by_label("Search neurons by concept")
    search.fill("greem")
    search.press("Enter")
    said = page.get_by_role("alert")
    expect(said).to_contain_text("“greem” does not travel with this page")
    expect(said).to_contain_text("Near it: “green”")
    page.get_by_role("button", name="Clear the search").click()
    expect(hits).to_have_count(0)


def shown_scores(page: Page) -> dict[str, float]:
    rows = page.locator(".slw-score").evaluate_all(
        """rows => rows.map(row => [row.querySelector('.slw-score-name').innerText,
        row.querySelector(':scope > .slw-number').innerText.replace('−', '-')])"""
    )
    return {name: float(number) for name, number in rows if number != "–"}


def test_bars_follow_the_slider_and_the_scorer(page: Page, explorer: Explorer):
    at(page, "Labels and contrast")
    panel = page.locator(".slw-contrast")

    def as_the_kernel_says(scorer: str, **settings: float) -> dict[str, float]:
        """Wait for the kernel's scores, to the three decimals that are written."""

        def check() -> None:
            shown = shown_scores(page)
            assert len(shown) > 3
            asked = {"layer": "layer4", "neuron": 3, "candidates": list(shown), "scorer": scorer,
                     "settings": settings, "templates": "plain", "exclude": []}  # fmt: skip
            ((result, _),) = of_the_kernel(explorer.contrast, [("scores", asked)])
            assert shown == pytest.approx(dict(result["scores"]), abs=0.00061)

        eventually(check)
        return shown_scores(page)

    before = as_the_kernel_says("csp", gamma=1)
    slider = panel.get_by_role("slider", name="γ")
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 6, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, middle, steps=5)
    page.mouse.up()
    gamma = float(slider.input_value())
    assert 0.2 < gamma < 0.6
    assert as_the_kernel_says("csp", gamma=gamma) != before
    slider.press("Home")
    as_the_kernel_says("csp", gamma=0)

    panel.get_by_text("SemanticLens", exact=True).first.click()
    as_the_kernel_says("semanticlens")
    panel.get_by_role("radio", name="SemanticLens").press("ArrowRight")
    expect(panel.get_by_role("radio", name="Difference")).to_be_checked()
    as_the_kernel_says("difference")


def test_scores_are_those_of_the_kernel(page: Page, explorer: Explorer, asking: str):
    page.evaluate(f"() => {{ {asking}; window.asking = asking; }}")

    def told(questions: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        return [one[2] for one in page.evaluate("asking.askLive", questions)]

    rng = np.random.default_rng(5)
    lens = explorer.lens
    (vocabulary,) = told([("vocabulary", {})])
    questions = [
        (method, {**params, "layer": "layer4", "neuron": int(rng.integers(len(TRAVELLING)))})
        for method, params in drawn(
            rng, lens, vocabulary["words"], 60, ranks=5, weights=("none", "raw")
        )
    ]
    expected = of_the_kernel(explorer.contrast, questions)
    compared = 0
    for found, (result, _), question in zip(told(questions), expected, questions, strict=True):
        assert_same(found, result, str(question))
        compared += len(result["scores"]) if "scores" in result else 2
    assert compared > 200


def test_a_neuron_that_did_not_travel_is_said_to(page: Page):
    at(page, "Review")
    page.get_by_label("Labels or neurons that contain").fill("layer4")
    rows = page.locator(".slw-review [role=row]")
    expect(rows.filter(has_text="did not travel").first).to_be_visible()
    rows.filter(has_text="did not travel").first.locator(".slw-review-name").click()
    at(page, "Examples")
    expect(page.locator(".slw-gallery")).to_contain_text("Not in this page")
    expect(page.locator(".slw-gallery img")).to_have_count(0)


def test_what_needs_the_notebook_is_not_offered(page: Page):
    at(page, "Labels and contrast")
    contrast = page.locator(".slw-contrast")
    expect(contrast.locator(".slw-score").first).to_be_visible()
    expect(contrast.get_by_role("button", name="Use")).to_have_count(0)
    expect(contrast.get_by_role("radio", name="CLIP-Dissect")).to_have_count(0)
    expect(contrast).to_contain_text("In the notebook: other words, CLIP-Dissect.")
    at(page, "Review")
    for name in ("Accept", "Reject", "Edit", "Import CSV", "How sure?"):
        expect(page.locator(".slw-review").get_by_role("button", name=name)).to_have_count(0)
    at(page, "Audit")
    expect(page.get_by_role("button", name="Another audit")).to_have_count(0)
    at(page, "Trace")
    expect(page.get_by_role("button", name="Verify by ablation")).to_have_count(0)
    about = page.locator(".slw-page-about")
    about.locator("summary").click()
    expect(about).to_contain_text("12 of 224 neurons, 5 examples of each at most")
    expect(about).to_contain_text("Explorer(224 neurons, layer4 / 3)")


def test_what_the_lasso_holds_all_views_select(page: Page):
    page.get_by_role("button", name="Lasso").or_(page.get_by_title("Lasso")).first.click()
    box = page.locator(".slw-map-stage").bounding_box()
    assert box is not None
    left, top = box["x"] + 20, box["y"] + 20
    right, bottom = box["x"] + box["width"] - 20, box["y"] + box["height"] - 20
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    expect(page.get_by_role("button", name="Clear the selection")).to_be_visible()
    at(page, "Review")
    picked = page.locator(".slw-review [role=row] input[type=checkbox]:checked")
    expect(picked.first).to_be_visible()


def test_decisions_are_made_by_mouse_and_keyboard_and_come_back(
    page: Page, explorer: Explorer, tmp_path: Path
):
    audit = explorer.audit.audit
    at(page, "Audit")
    view = page.locator(".slw-audit")
    expect(view.locator(".slw-audit-neuron")).to_contain_text("layer4 / 3")
    view.get_by_role("button", name="Reject").click()
    note = view.get_by_label("Note")
    note.fill("a watermark")
    note.press("Enter")
    expect(view.locator(".slw-audit-neuron")).to_contain_text("rejected on")
    tab_to(page, view.locator("[role=grid] [tabindex='0'][data-neuron]"))
    page.keyboard.press("End")
    expect(view.locator("[role=grid] [aria-rowindex='129']")).to_be_focused()
    page.keyboard.press("i")
    expect(page.get_by_text("2 decisions made here")).to_be_visible()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save decisions").click()
    saving.value.save_as(tmp_path / "decisions.json")
    expect(page.get_by_text("made here")).to_have_count(0)
    said = json.loads((tmp_path / "decisions.json").read_text("utf-8"))
    assert said["target"] == "striped star"
    assert audit.import_decisions(tmp_path / "decisions.json") == 2
    frame = audit.neurons.set_index(["layer", "neuron"])
    assert tuple(frame.loc[("layer4", 3), ["decision", "note"]]) == ("reject", "a watermark")
    assert sorted(frame["decision"].loc[lambda one: one != ""]) == ["ignore", "reject"]
    for layer, neuron in frame.index[frame["decision"] != ""]:
        audit.decide(layer, int(neuron), "")


def test_a_folder_is_served_part_by_part_and_says_what_it_needs(
    explorer: Explorer, browser: Browser, tmp_path: Path
):
    explorer.to_html(tmp_path / "site", neurons=TRAVELLING, examples=5, folder=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "site")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    try:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        expect(page.locator(".slw-gallery .slw-tile img")).to_have_count(5)
        chunks = len(list((tmp_path / "site" / "data").iterdir()))
        read = {url for url in asked if "/data/" in url}
        assert 0 < len(read) < chunks
        page.goto((tmp_path / "site" / "index.html").as_uri())
        expect(page.get_by_role("alert")).to_contain_text("python -m http.server")
    finally:
        context.close()
        server.shutdown()
        server.server_close()


def test_a_notebook_made_into_a_page_keeps_what_was_embedded(
    analysis: Path, browser: Browser, tmp_path: Path
):
    source = (
        f"import semlens_widgets as slw\nlens = slw.open({str(analysis)!r})\n"
        "lens.explore(active=('layer4', 3)).embed(neurons=[('layer4', 3)], examples=2)"
    )
    notebook = tmp_path / "story.ipynb"
    cells = [nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", str(notebook)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    context = browser.new_context(offline=True, viewport={"width": 1300, "height": 900})
    try:
        page = context.new_page()
        page.goto(notebook.with_suffix(".html").as_uri())
        frame = page.frame_locator("iframe.slw-embedded")
        expect(frame.locator(".slw-gallery .slw-tile img")).to_have_count(2)
        expect(frame.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
        # As high as what it shows.
        page.wait_for_function(
            "() => document.querySelector('iframe.slw-embedded').style.height !== '640px'"
        )
        height = frame.locator("#slw-page").evaluate(
            "page => [page.getBoundingClientRect().height, innerHeight]"
        )
        assert abs(height[0] - height[1]) <= 2
    finally:
        context.close()
