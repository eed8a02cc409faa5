"""The contrast panel's intervals, second scorer, several concepts, and labels for all neurons."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_labels import CANDIDATES, LAYER, NEURON, as_shown
from tests.unit.chat_server import chat_server, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

NOTHING = ["yesterday", "bitter", "because"]


@pytest.fixture(scope="module")
def trusted(scene_notebook) -> Iterator[Notebook]:
    """A notebook with one contrast panel, whose candidates are three."""
    cell = (
        f"panel = lens.contrast({LAYER!r}, {NEURON}, candidates={CANDIDATES}, scorer='csp')\npanel"
    )
    with scene_notebook("trusted", cell) as notebook:
        yield notebook
        assert notebook.complaints == [], "\n".join(notebook.complaints)


@pytest.fixture
def panel(trusted: Notebook) -> Locator:
    """The panel, as it was made."""
    trusted.kernel.run(
        f"panel.candidates, panel.scorer, panel.second = {CANDIDATES}, 'csp', ''\n"
        "panel.settings, panel.sources = {}, {}"
    )
    panel = trusted.page.locator(".slw-contrast")
    expect(panel.locator(".slw-score").first).to_be_visible()
    return panel


def test_every_bar_has_the_kernels_interval(trusted: Notebook, panel: Locator):
    names = panel.locator(".slw-score-name").all_inner_texts()
    found = f"lens.intervals({LAYER!r}, {NEURON}, {names!r}, scorer='csp')"
    ends = trusted.kernel.value(f"{found}[['low', 'high']].astype(float).values.tolist()")
    expect(panel.locator(".slw-score-track .slw-score-interval")).to_have_count(len(names))
    expect(panel.locator(".slw-score-track .slw-score-bound")).to_have_count(len(names))
    scores = trusted.kernel.value(f"{found}.score.astype(float).tolist()")
    for row, (low, high), score in zip(
        panel.locator(".slw-score").all(), ends, scores, strict=True
    ):
        # In as many decimals as the column of scores has.
        first, last = (as_shown([end, *scores])[0] for end in (low, high))
        expect(row.locator(".slw-hidden").first).to_contain_text(f"interval {first} to {last}")
        expect(row.locator(":scope > .slw-number")).to_have_text(as_shown([score, *scores])[0])


def test_words_for_nothing_are_said_to_be_unknown_and_only_they(trusted: Notebook, panel: Locator):
    # The neuron's own label would stand in the list too: one that has none.
    trusted.kernel.run(
        f"words = {NOTHING}\n"
        "nameless = lens.neurons.query(\"label == 'unknown'\")[['layer', 'neuron']].to_numpy()\n"
        "hopeless = next((layer, int(neuron)) for layer, neuron in nameless"
        " if not lens.intervals(layer, int(neuron), words, scorer='csp').known.any())"
    )
    said = panel.locator(".slw-score-unknown")
    try:
        trusted.kernel.run("panel.candidates, panel.active = words, hopeless")
        expect(panel.locator(".slw-score-name")).to_have_count(len(NOTHING))
        expect(said).to_contain_text("Unknown by these labels")
        expect(said).to_contain_text(f"{len(NOTHING)} labels")
    finally:
        trusted.kernel.run(f"panel.active = ({LAYER!r}, {NEURON})\npanel.candidates = {CANDIDATES}")
    row = panel.locator(".slw-score", has_text=CANDIDATES[-1])
    expect(row.locator(".slw-score-bound")).to_be_attached()
    best = panel.locator(".slw-score-name").first.inner_text()
    names = panel.locator(".slw-score-name").all_inner_texts()
    found = f"lens.intervals({LAYER!r}, {NEURON}, {names!r}, scorer='csp')"
    assert trusted.kernel.value(f"bool({found}.set_index('candidate').known[{best!r}])")
    expect(said).to_have_count(0)


def test_a_second_scorer_shows_the_kernels_scores_for_the_same_labels(
    trusted: Notebook, panel: Locator
):
    panel.get_by_label("Beside").select_option("recognition")
    expect(panel.locator(".slw-score-scales")).to_contain_text("Recognition: AUROC")
    names = panel.locator(".slw-score-name").all_inner_texts()
    table = f"lens.scores({LAYER!r}, {NEURON}, {names!r}, scorer='recognition')"
    scores = trusted.kernel.value(f"{table}.score.astype(float).tolist()")
    texts = [f", by Recognition {score}" for score in as_shown(scores)]
    expect(panel.locator(".slw-score-number-second")).to_have_text(texts)
    trusted.kernel.wait("panel.second", "recognition")


def test_several_concepts_are_the_kernels(trusted: Notebook, panel: Locator):
    panel.get_by_text("Several concepts", exact=True).click()
    found = f"lens.explain({LAYER!r}, {NEURON}, {CANDIDATES})"
    concepts = trusted.kernel.value(f"{found}.concept.tolist()")
    expect(panel.locator(".slw-concepts tbody th")).to_have_text(concepts)
    panel.get_by_text("Several concepts", exact=True).click()


def test_a_model_is_asked_after_a_yes_while_the_panel_goes_on_and_is_stopped(
    trusted: Notebook, panel: Locator
):
    asked, go_on = threading.Event(), threading.Event()

    def slow(number: int, _asked: object) -> object:
        if number == 2:
            asked.set()
            go_on.wait(60)
        return said("striped, round")

    with chat_server(slow) as server:
        trusted.kernel.run(
            "import semlens_widgets as slw\n"
            f"eye = slw.ChatVLM('eye', base_url={server.url!r}, concurrency=1)\n"
            "panel.sources = {'eye': eye}"
        )
        fold = panel.locator("details", has_text="Labels for all neurons")
        if fold.get_attribute("open") is None:
            panel.get_by_text("Labels for all neurons", exact=True).click()
        panel.get_by_label("From", exact=True).select_option("eye")
        panel.get_by_role("button", name="Label all neurons").click()
        expect(fold).to_contain_text(trusted.kernel.value("str(eye.preview(lens))"))
        assert server.asked == []
        panel.get_by_role("button", name="Ask and label").click()
        assert asked.wait(60)
        # The model is at work, and the panel answers.
        panel.get_by_label("Add candidate labels").fill("crimson")
        panel.get_by_label("Add candidate labels").press("Enter")
        row = panel.locator(".slw-score", has_text="crimson")
        expect(row.locator(":scope > .slw-number")).not_to_have_text("–")
        panel.get_by_role("button", name="Stop", exact=True).click()
        expect(fold).to_contain_text("It stops at the next answer.")
        go_on.set()
        expect(fold).to_contain_text("No label was changed. Answers that came are kept")
        assert trusted.kernel.value("eye.preview(lens).cached") >= 3
