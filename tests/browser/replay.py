"""A person at great speed: random steps in one explorer, and what kernel and page hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tests.browser.pixels import map_places
from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Locator

    from tests.browser.notebook import Notebook

WORDS = ("red", "green", "blue", "striped", "dotted", "plain", "star", "heart", "ring", "watermark")
#: What a step may be, and how many of a hundred are.
KINDS = {
    "select": 25,
    "walk": 10,
    "search": 15,
    "hit": 10,
    "tab": 15,
    "setting": 15,
    "candidate": 5,
    "label": 5,
}
EXPLORER = "explorer = lens.explore()\nexplorer"
PATIENCE = 60  # seconds for an answer: the kernel may have a queue
FOLDED = 12  # so many scores a list shows at first, as in js/src/contrast/bars.tsx
SETUP = """
import gc, os, re
from semlens_widgets.labels.scorers import scorer_of
from semlens_widgets.widgets._scoring import TEMPLATES

def held():
    gc.collect()
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

def row():
    active = explorer.active
    return lens.neurons.set_index(["layer", "neuron"]).loc[tuple(active)]

def told(name, among, names):
    panel = explorer.contrast
    scorer = scorer_of(name, panel.settings)
    templates = TEMPLATES[panel.templates]
    table = lens.scores(*explorer.active, among, scorer=scorer, templates=templates)
    return [float(table.score.iloc[among.index(one)]) for one in names]

def scores(names):
    panel = explorer.contrast
    # Candidates may compete with each other; without any the panel suggests of the vocabulary.
    among = list(dict.fromkeys([*(panel.candidates or lens.vocabulary), *names]))
    return told(panel.scorer, among, names)

def beside(names):
    return told(explorer.contrast.second, names, names)

def hits(text):
    found = lens.search(text, top=24)
    return [f"{layer} / {neuron}" for layer, neuron in found[["layer", "neuron"]].values]
"""
#: Does steps one after the other; tells of each whether what it needs was there.
ACT = """
async steps => {
    const drawn = () => new Promise(done => requestAnimationFrame(done));
    const done = [];
    for (const [kind, luck, word] of steps) done.push(await act(kind, luck, word));
    return done;

  async function act(kind, luck, word) {
    const root = document.querySelector(".slw-explorer");
    const seen = one => one.offsetParent !== null && !one.disabled;
    const among = selector => {
        const all = [...root.querySelectorAll(selector)].filter(seen);
        return all[Math.floor(luck * all.length)];
    };
    const click = one => (one?.click(), one !== undefined);
    const write = (field, text) => {
        const of = Object.getPrototypeOf(field);
        Object.getOwnPropertyDescriptor(of, "value").set.call(field, text);
        const name = field.tagName === "SELECT" ? "change" : "input";
        field.dispatchEvent(new Event(name, { bubbles: true }));
        return true;
    };
    const press = (on, key) =>
        (on?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })), on !== undefined);
    if (kind === "walk") return press(root.querySelector(".slw-map-stage"), luck < 0.5 ? "[" : "]");
    const search = root.querySelector(".slw-search input");
    if (kind === "search") return write(search, luck < 0.15 ? "" : word);
    if (kind === "hit") return click(among(".slw-hit"));
    if (kind === "tab") return click(among("[role=tab]"));
    if (kind === "label" || kind === "candidate") {
        // A person opens the panel first.
        const tabs = [...root.querySelectorAll("[role=tab]")];
        tabs.find(tab => /contrast/.test(tab.textContent)).click();
        await drawn();
        await drawn();
    }
    if (kind === "label") return click(among(".slw-contrast button[aria-label^='Use ']"));
    if (kind === "candidate") {
        if (luck > 0.6) return click(among(".slw-contrast button[aria-label^='Remove ']"));
        const field = root.querySelector(".slw-contrast input[aria-label^='Add candidate labels']");
        if (!field || !seen(field)) return false;
        write(field, word);
        await drawn();
        field.form.requestSubmit();
        return true;
    }
    const control = among(`.slw-gallery .slw-controls button, .slw-gallery select,
        .slw-gallery input[type=range], .slw-contrast .slw-scoring input,
        .slw-contrast .slw-scoring button, .slw-contrast .slw-scoring select, .slw-map select`);
    if (!control) return false;
    if (control.tagName === "SELECT") {
        const options = [...control.options].filter(({ disabled }) => !disabled);
        return write(control, options[Math.floor(luck * 997) % options.length].value);
    }
    if (control.type === "range") {
        const [low, high] = [Number(control.min || 0), Number(control.max || 1)];
        return write(control, String(low + (high - low) * ((luck * 991) % 1)));
    }
    return click(control);
  }
}
"""


#: Where an element begins in the window.
CORNER = """element => {
    element.scrollIntoView({ block: "nearest" });
    const { left, top } = element.getBoundingClientRect();
    return [left, top];
}"""


@dataclass
class Replayed:
    """What came of it.

    Attributes
    ----------
    done
        How many steps of each kind had something to act on.
    compared
        How many answers were compared with Python's.
    kernel, page
        Bytes that the kernel holds, and that the page's scripts hold after a collection.
    nodes, listeners
        Of the page.
    """

    done: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    steps: list[int] = field(default_factory=list)
    kernel: list[int] = field(default_factory=list)
    page: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    listeners: list[int] = field(default_factory=list)


def replay(notebook: Notebook, steps: int, *, check: int, measure: int, seed: int = 0) -> Replayed:
    """Do random steps in the notebook's ``explorer``; compare and measure every so many.

    Raises
    ------
    AssertionError
        If something shown is not what Python says, or the page shows an error.
    """
    page, kernel = notebook.page, notebook.kernel
    root = page.locator(".slw-explorer")
    stage = root.locator(".slw-map-stage")
    kernel.run(SETUP)
    places = map_places(kernel, "explorer.map", stage)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    rng = np.random.default_rng(seed)
    names, shares = list(KINDS), np.array(list(KINDS.values())) / 100
    replayed = Replayed()
    waiting: list[tuple[str, float, str]] = []

    def act() -> None:
        for (kind, *_), done in zip(waiting, page.evaluate(ACT, waiting), strict=True):
            replayed.done[kind] += done
        waiting.clear()

    for step in range(1, steps + 1):
        kind, luck = str(rng.choice(names, p=shares)), float(rng.random())
        words = rng.choice(WORDS, 2)
        # Half of the words were never said before.
        word = " ".join(words) if rng.random() < 0.5 else f"{words[0]} {step}"
        if kind == "select":
            act()
            left, top = stage.evaluate(CORNER)
            x, y = places[rng.integers(len(places))].tolist()
            page.mouse.click(left + x, top + y)
            replayed.done[kind] += 1
        else:
            waiting.append((kind, luck, word))
        if step % check == 0 or step % measure == 0 or step == steps:
            act()
            # Before a measure, too: what the page still sends would undo what the kernel sets.
            _compare(notebook, root, replayed)
        if step % measure == 0 or step == steps:
            _measure(notebook, root, session, replayed, step)
    return replayed


def _numbers(texts: list[str]) -> list[float]:
    assert "–" not in texts, "scores are awaited"
    return [float(text.replace("−", "-")) for text in texts]


def _compare(notebook: Notebook, root: Locator, replayed: Replayed) -> None:
    """Compare label, hits and scores with Python's, as soon as the page has come to rest."""
    kernel = notebook.kernel
    tab = root.get_by_role("tab", name="Labels and contrast")
    tab.click()
    panel = root.locator(".slw-contrast")

    def same(shown: Locator, told: list[float]) -> None:
        texts = shown.evaluate_all("all => all.map(one => one.lastChild.textContent)")
        limit = 0.0006 * max(1, np.abs(told).max())
        np.testing.assert_allclose(_numbers(texts), told, atol=limit)

    def said() -> None:
        active = kernel.value("explorer.active")
        if active is None:
            return
        layer, neuron = active
        heading = panel.locator(".slw-heading")
        shown = [heading.locator(part).inner_text() for part in (".slw-mono", ".slw-title")]
        told = [f"{layer} / {neuron}", kernel.value("row().label")]
        assert shown == told, f"{shown} instead of {told}"
        names = panel.locator(".slw-score-name").all_inner_texts()
        same(panel.locator(".slw-score > .slw-number"), kernel.value(f"scores({names!r})"))
        # Only of lists shown whole: the labels below a fold compete, too.
        second = panel.locator(".slw-score-scales").count() == 1 and len(names) < FOLDED
        if second:
            assert panel.locator(".slw-score-scales [aria-busy=true]").count() == 0
            numbers = panel.locator(".slw-score-number-second")
            same(numbers, kernel.value(f"beside({names!r})"))
        replayed.compared["labels"] += 1
        replayed.compared["scores"] += len(names)
        replayed.compared["second"] += len(names) * second

    def found() -> None:
        text = root.locator(".slw-search input").input_value()
        shown = root.locator(".slw-hit .slw-small .slw-ellipsis").all_inner_texts()
        if text:
            assert kernel.value("explorer.query") == text
            assert shown == kernel.value(f"hits({text!r})")
            replayed.compared["hits"] += len(shown)

    eventually(said, PATIENCE)
    eventually(found, PATIENCE)
    errors = root.locator(".slw-notice-error, .slw-state.slw-error, [role=alert]")
    assert errors.all_inner_texts() == []
    assert notebook.complaints == [], "\n".join(notebook.complaints)


def _measure(
    notebook: Notebook, root: Locator, session: CDPSession, replayed: Replayed, step: int
) -> None:
    """Bring the explorer to the same view, and note what kernel and page hold."""
    notebook.kernel.run("explorer.active = ('layer4', 7)\nexplorer.contrast.candidates = []")
    notebook.page.evaluate(ACT, [("search", 0, "")])
    # Where there is room, the examples stand beside the other panels and have no tab.
    if (tab := root.get_by_role("tab", name="Examples")).count():
        tab.click()
    heading = root.locator(".slw-gallery .slw-heading .slw-mono")

    def at_rest() -> None:
        assert heading.inner_text() == "layer4 / 7", "the neuron that the kernel chose is awaited"
        assert root.locator(".slw-hits").count() == 0, "the hits are still there"
        assert root.locator(".slw-gallery [aria-busy=true]").count() == 0, "the gallery is busy"

    eventually(at_rest, PATIENCE)
    session.send("HeapProfiler.collectGarbage")
    told = session.send("Performance.getMetrics")["metrics"]
    metrics = {one["name"]: int(one["value"]) for one in told}
    replayed.steps.append(step)
    replayed.page.append(metrics["JSHeapUsedSize"])
    replayed.nodes.append(metrics["Nodes"])
    replayed.listeners.append(metrics["JSEventListeners"])
    replayed.kernel.append(notebook.kernel.value("held()"))
    held = f"kernel {replayed.kernel[-1] >> 20} MiB, page {replayed.page[-1] / 2**20:.1f} MiB"
    print(f"{step} steps: {held}, {replayed.nodes[-1]} nodes", flush=True)
