"""Pictures of the widgets on the embedded default, to look at: ``make shots``.

They go to ``screenshots/``; the README's picture goes to ``notebooks/images/explorer.png``, and
those of ``docs/widgets.md`` go to ``docs/images/``.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
from PIL import Image
from playwright.sync_api import expect

from semlens_widgets import demo
from semlens_widgets.demo.experiments import stored
from semlens_widgets.demo.experiments.search import effects, summary
from semlens_widgets.demo.experiments.search_figures import effects_figure, ways_figure
from semlens_widgets.demo.train_classifier import ClassifierRecipe, train_classifier
from tests.browser.notebook import open_notebook
from tests.browser.server import NO_BROWSER, REPOSITORY, running_browser, running_lab

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Locator

    from tests.browser.notebook import Notebook

FOLDER = REPOSITORY / "screenshots"
README = REPOSITORY / "notebooks/images/explorer.png"
KEPT_BYTES = 400_000
#: The pictures of the documentation, and how much of their height it shows.
DOCS = {"map": ("map-light-900", 1000), "gallery": ("gallery-relevance-light-900", 645),
        "contrast": ("contrast-light-1600", 1000),
        "review": ("review-light-900", 1000),
        "audit": ("audit-light-1600", 1000),
        "evolution": ("evolution-light-900", 1000)}  # fmt: skip
QUERY = "watermark"
#: Of its hits, the one of the README's story and the quickstart's: a class depends on it most.
SUSPECT = "layer4", 81
#: A short training, whose checkpoints are followed, and the neuron shown of them.
TRAINING = ClassifierRecipe(pictures=6_400, steps=200)
FOLLOWED = "layer4", 17
EVOLUTION = f"""
import numpy as np
import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.demo.truth import MEANING
images = slw.ImageDataset.from_dataset(demo.scene_images(1_000))
lenses = {{}}
for step, target in demo.checkpoints("training", layers=("layer3", "layer4")).items():
    lenses[step] = slw.SemanticLens(target, images, demo.foundation(), path=f"runs/{{step}}").run()
    lenses[step].label(list(MEANING), threshold=-np.inf)
through = slw.evolution(lenses)
through.show(step=through.steps[2], active={FOLLOWED})
"""
WIDTHS = (300, 360, 900, 1600)
README_WIDTH = 1400
FIGURE_WIDTH = 1000
SIZE = (1800, 4000)  # of the page: the widest widget beside its prompt; narrow ones are tall
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


#: No placeholder lies open to the eye; those scrolled out of a panel may wait.
LOADED = """root => [...root.querySelectorAll('.slw-skeleton')].every(element => {
    const { x, y, width } = element.getBoundingClientRect();
    return !element.parentElement.contains(document.elementFromPoint(x + width / 2, y + 2));
})"""


def settle(notebook: Notebook, widget: Locator) -> None:
    """Wait until nothing in view loads any more."""
    expect(widget.locator(".slw-panel [aria-busy=true]:not(.slw-picture):visible")).to_have_count(0)
    notebook.page.wait_for_function(LOADED, arg=widget.element_handle())
    notebook.page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def shoot(notebook: Notebook, widget: Locator, name: str) -> None:
    """Take a picture of a whole widget."""
    widget.scroll_into_view_if_needed()
    settle(notebook, widget)
    widget.screenshot(path=FOLDER / f"{name}.png")


def shoot_everywhere(
    notebook: Notebook, widget: Locator, name: str, widths: Sequence[int] = WIDTHS
) -> None:
    """Take a picture at every width and in every theme."""
    for theme in THEMES:
        notebook.set_theme(theme)
        for width in widths:
            notebook.set_width(widget, width)
            shoot(notebook, widget, f"{name}-{theme}-{width}")


def search(notebook: Notebook, explorer: Locator, query: str, neuron: tuple[str, int]) -> None:
    """Search a neuron's layer and choose it among the hits."""
    layer, index = neuron
    explorer.get_by_label("Search in layer").select_option(layer)
    box = explorer.get_by_label("Search neurons by concept")
    box.fill(query)
    box.press("Enter")
    expect(explorer.locator(".slw-hits-of")).to_contain_text(query)
    explorer.locator(".slw-hit").filter(has_text=f"{layer} / {index}").click()
    expect(explorer.locator(".slw-hit[aria-pressed=true]")).to_be_visible()
    notebook.page.mouse.move(0, 0)


def keep(picture: Image.Image, path: Path) -> None:
    """Write a picture of the documentation, in as many colours as its size allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    few = picture.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
    few.save(path, optimize=True)
    if (size := path.stat().st_size) > KEPT_BYTES:
        raise RuntimeError(f"{path} has {size} bytes; {KEPT_BYTES} are allowed.")


def keep_for_docs() -> None:
    """Choose the pictures of the documentation among those taken."""
    for name, (taken, height) in DOCS.items():
        image = Image.open(FOLDER / f"{taken}.png")
        part = image.crop((0, 0, image.width, min(height, image.height)))
        keep(part, REPOSITORY / f"docs/images/{name}.png")


def draw_for_docs(browser: Browser) -> None:
    """Draw the figures of the documentation from the tables that the package holds."""
    asked = pd.concat([stored("search-scenes"), stored("search-imagenet")])
    figures = {
        "search": ways_figure(summary(asked)),
        "search-effects": effects_figure(effects(asked)),
    }
    for name, figure in figures.items():
        page = browser.new_page(viewport={"width": FIGURE_WIDTH, "height": 600})
        page.set_content(figure.update_layout(width=FIGURE_WIDTH).to_html(include_plotlyjs=True))
        drawn = page.locator(".plotly-graph-div").first
        expect(drawn.locator(".xtitle")).to_have_count(1)
        keep(Image.open(io.BytesIO(drawn.screenshot())), REPOSITORY / f"docs/images/{name}.png")
        page.close()


def main() -> None:
    """Take all pictures."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    ready = demo.scenes()  # made once, in the user's cache; what is labelled here stays here
    with tempfile.TemporaryDirectory() as folder, running_browser() as browser:
        if browser is None:
            raise SystemExit(NO_BROWSER)
        draw_for_docs(browser)
        with running_lab(Path(folder) / "jupyter") as lab:
            shutil.copytree(ready.store.path, lab.root / "scenes")
            start = (
                "from semlens_widgets import demo\nlens = demo.scenes('scenes')\n"
                "labels = lens.label(demo.vocabulary())\n"
                "best = lens.search('striped', layer='layer4').iloc[0]\n"
                "neuron = best['layer'], int(best['neuron'])"
            )
            audit = (
                "audit = lens.audit('striped star', ['star', 'stripes'], ['watermark', 'border'])\n"
                f"audit.view(active={SUSPECT})"
            )
            views = ["lens.map()", "lens.gallery(*neuron)", "lens.contrast(*neuron)"]
            cells = [start, *views, "lens.review(layer='layer4')", audit]
            with open_notebook(lab, browser, "widgets", cells, SIZE) as notebook:
                for name in ("map", "gallery", "contrast", "review", "audit"):
                    widget = notebook.page.locator(f".slw-{name}")
                    shoot_everywhere(notebook, widget, name)
                gallery = notebook.page.locator(".slw-gallery")
                gallery.get_by_role("button", name="Relevance").click()
                shoot_everywhere(notebook, gallery, "gallery-relevance")
            with open_notebook(
                lab, browser, "explorer", [start, "lens.explore()"], SIZE
            ) as notebook:
                explorer = notebook.page.locator(".slw-explorer")
                notebook.set_theme("light")
                shoot(notebook, explorer, "explorer-start")
                search(notebook, explorer, QUERY, SUSPECT)
                shoot_everywhere(notebook, explorer, "explorer")
                notebook.set_theme("light")
                notebook.set_width(explorer, README_WIDTH)
                notebook.page.mouse.move(0, 0)
                settle(notebook, explorer)
                keep(Image.open(io.BytesIO(explorer.screenshot())), README)
                explorer.get_by_role("tab", name="Labels and contrast").click()
                # The widest shows it beside the examples, and has been taken.
                shoot_everywhere(notebook, explorer, "explorer-contrast", WIDTHS[:-1])
            checkpoints = lab.root / "training"
            checkpoints.mkdir()
            end = checkpoints / "end.safetensors"
            train_classifier(end, TRAINING, threads=2, checkpoints=checkpoints)
            with open_notebook(lab, browser, "evolution", [EVOLUTION], SIZE) as notebook:
                shoot_everywhere(notebook, notebook.page.locator(".slw-evo"), "evolution")
    keep_for_docs()


if __name__ == "__main__":
    main()
