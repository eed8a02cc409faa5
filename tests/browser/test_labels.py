"""Labels tried in the contrast panel: every score in the browser is the kernel's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Locator

    from tests.browser.kernel import Kernel
    from tests.browser.notebook import Notebook

LAYER, NEURON = "layer4", 11
CANDIDATES = ["green", "striped", "watermark"]
ADD = "Add candidate labels"
METHODS = {"SemanticLens": "semanticlens", "Difference": "difference"}
METHODS |= {"CLIP-Dissect": "clip-dissect", "Recognition": "recognition"}
METHODS |= {"Correlation": "correlation"}
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def panel(notebook: Notebook, explorer: Locator) -> Locator:
    """The contrast panel of one neuron with three candidates."""
    notebook.kernel.run(
        f"explorer.active = ({LAYER!r}, {NEURON})\n"
        "contrast = explorer.contrast\n"
        "contrast.scorer, contrast.settings = 'csp', {}\n"
        f"contrast.candidates = {CANDIDATES}"
    )
    explorer.get_by_role("tab", name="Labels and contrast").click()
    panel = explorer.locator(".slw-contrast")
    expect(panel.locator(".slw-heading .slw-mono")).to_have_text(f"{LAYER} / {NEURON}")
    expect_kernel_scores(panel, notebook.kernel, CANDIDATES)
    return panel


def kernel_scores(kernel: Kernel, candidates: list[str], **settings: object) -> dict[str, float]:
    """What ``lens.scores`` says, best first, with the neuron's own label as the panel has it."""
    row = f"lens.neurons.set_index(['layer', 'neuron']).loc[({LAYER!r}, {NEURON})]"
    candidates = list(dict.fromkeys([*candidates, kernel.value(f"{row}.label")]))
    name = settings.pop("scorer", "csp")
    scorer = f"labels.scorers.scorer_of({name!r}, {settings!r})"
    kernel.run("from semlens_widgets import labels; import semlens_widgets.labels.scorers")
    table = f"lens.scores({LAYER!r}, {NEURON}, {candidates!r}, scorer={scorer})"
    scores = dict(
        zip(candidates, kernel.value(f"{table}.score.astype(float).tolist()"), strict=True)
    )
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def as_shown(scores: Iterable[float]) -> list[str]:
    """Three decimals for all, or as many as the largest number of the column asks for."""
    scores = list(scores)
    size = max(map(abs, scores))
    decimals = 1 if size >= 100 else 3 if size >= 0.01 else math.ceil(-math.log10(size)) + 1
    return [f"{round(score, decimals) + 0.0:.{decimals}f}".replace("-", "−") for score in scores]


def expect_kernel_scores(
    panel: Locator, kernel: Kernel, candidates: list[str], **settings: object
) -> list[str]:
    """Wait until the bars are what the kernel computes, in its order; return them."""
    scores = kernel_scores(kernel, candidates, **settings)
    texts = as_shown(scores.values())
    expect(panel.locator(".slw-score > .slw-number")).to_have_text(texts)
    expect(panel.locator(".slw-score-name")).to_have_text(list(scores))
    return texts


def test_new_label_appears_with_the_kernels_score(notebook: Notebook, panel: Locator):
    box = panel.get_by_label(ADD)
    box.press_sequentially("crimson banded ball")
    box.press("Enter")
    expect_kernel_scores(panel, notebook.kernel, [*CANDIDATES, "crimson banded ball"])
    expect(box).to_have_value("")
    notebook.kernel.wait("contrast.candidates", [*CANDIDATES, "crimson banded ball"])
    panel.get_by_role("button", name="Remove crimson banded ball").click()
    expect_kernel_scores(panel, notebook.kernel, CANDIDATES)
    # Scores are asked for first and settings saved after: wait, or the next test meets the old.
    notebook.kernel.wait("contrast.candidates", CANDIDATES)


def test_gamma_changes_the_scores(notebook: Notebook, panel: Locator):
    slider = panel.get_by_role("slider", name="γ")
    seen = set()
    for gamma in (0.0, 0.5, 1.0):
        slider.fill(str(gamma))
        settings = {"scorer": "csp", "gamma": gamma}
        seen.add(tuple(expect_kernel_scores(panel, notebook.kernel, CANDIDATES, **settings)))
        notebook.kernel.wait("contrast.settings", {"gamma": gamma})
    assert len(seen) == 3


def test_every_scorer_and_centring_shows_the_kernels_scores(notebook: Notebook, panel: Locator):
    seen = set()
    for text, method in METHODS.items():
        panel.locator(".slw-segments").get_by_text(text, exact=True).click()
        seen.add(tuple(expect_kernel_scores(panel, notebook.kernel, CANDIDATES, scorer=method)))
        expect(panel.get_by_role("slider", name="γ")).to_have_count(0)
    panel.locator(".slw-segments").get_by_text("CLIP-Dissect", exact=True).click()
    panel.get_by_role("button", name="Centred").click()
    settings = {"scorer": "clip-dissect", "centred": False}  # it is on to begin with
    seen.add(tuple(expect_kernel_scores(panel, notebook.kernel, CANDIDATES, **settings)))
    assert len(seen) == 6
    notebook.kernel.wait("contrast.scorer", "clip-dissect")
    notebook.kernel.wait("contrast.settings", {"centred": False})


def test_use_as_label_reaches_lens_map_and_gallery(
    notebook: Notebook, explorer: Locator, panel: Locator
):
    scores = kernel_scores(notebook.kernel, CANDIDATES).items()
    worst, score = [pair for pair in scores if pair[0] in CANDIDATES][-1]
    panel.get_by_role("button", name=f"Use {worst} as label").click()
    expect(panel.locator(".slw-heading .slw-title")).to_have_text(worst)
    row = f"lens.neurons.set_index(['layer', 'neuron']).loc[({LAYER!r}, {NEURON})]"
    notebook.kernel.wait(f"{row}.label", worst)
    assert notebook.kernel.value(f"float({row}.score)") == pytest.approx(score)
    expect(explorer.locator(".slw-map-status strong")).to_have_text(worst)
    explorer.get_by_role("tab", name="Examples").click()
    expect(explorer.locator(".slw-gallery .slw-heading .slw-title")).to_have_text(worst)


def test_markup_in_a_label_is_text(notebook: Notebook, explorer: Locator, panel: Locator):
    panel.get_by_label(ADD).fill(EVIL)
    panel.get_by_label(ADD).press("Enter")
    expect_kernel_scores(panel, notebook.kernel, [*CANDIDATES, EVIL])
    notebook.kernel.wait("contrast.candidates", [*CANDIDATES, EVIL])
    panel.get_by_role("button", name=f"Use {EVIL} as label").click()
    expect(explorer.locator(".slw-contrast .slw-title")).to_have_text(EVIL)
    expect(explorer.locator(".slw-map-status strong")).to_have_text(EVIL)
    explorer.get_by_role("tab", name="Examples").click()
    expect(explorer.locator(".slw-gallery .slw-heading .slw-title")).to_have_text(EVIL)
    explorer.get_by_label("Search neurons by concept").fill(EVIL)
    expect(explorer.locator(".slw-hits-of")).to_contain_text(EVIL)
    expect(explorer.locator(".slw-hit").first).to_be_visible()
    explorer.get_by_label("Colour by").select_option("label")
    expect(explorer.locator(".slw-map-ramp, .slw-map-keys")).to_be_visible()
    explorer.get_by_label("Colour by").select_option("layer")
    expect(notebook.page.locator("img[src=x]")).to_have_count(0)


def test_strange_labels_are_answered_in_the_panel(notebook: Notebook, panel: Locator):
    box, message = panel.get_by_label(ADD), panel.locator(".slw-message")
    box.fill("   ")
    box.press("Enter")
    expect(message).to_have_text("Type a label first.")
    box.fill("Striped")
    box.press("Enter")
    expect(message).to_contain_text("Already in the list")
    notebook.kernel.wait("contrast.candidates", CANDIDATES)
    long = " ".join(["a very"] + ["long"] * 20 + ["label ☃ \u202e"])
    box.fill(long)
    box.press("Enter")
    expect_kernel_scores(panel, notebook.kernel, [*CANDIDATES, long])
    notebook.kernel.wait("contrast.candidates", [*CANDIDATES, long])
    box.fill("much too " + long)
    box.press("Enter")
    expect(message).to_contain_text("Left out: 1.")
    scores = kernel_scores(notebook.kernel, [*CANDIDATES, long])
    expect(panel.locator(".slw-score")).to_have_count(len(scores))


def test_suggestions_are_the_best_of_the_vocabulary(notebook: Notebook, panel: Locator):
    panel.get_by_role("button", name="Suggest").click()
    kernel = notebook.kernel
    scores = kernel_scores(kernel, kernel.value("list(lens.vocabulary)"))
    # The neuron's own label stands among them, however bad it is.
    row = f"lens.neurons.set_index(['layer', 'neuron']).loc[({LAYER!r}, {NEURON})]"
    own = kernel.value(f"{row}.label")
    names = {*list(scores)[:8], own}
    best = [score for name, score in scores.items() if name in names]
    assert 8 <= len(best) <= 9
    shown = panel.locator(".slw-score > .slw-number")
    expect(shown).to_have_text(as_shown(best))
