"""Ten thousand steps of a person in one page: what kernel and page hold does not grow."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import open_notebook
from tests.browser.replay import EXPLORER, replay
from tests.browser.server import NO_BROWSER, running_browser, running_lab

STEPS = int(os.environ.get("SEMLENS_REPLAY_STEPS", "10000"))
SAMPLES = 40
WARM = 4  # samples, a tenth of the steps, until caches are full
MOST = 1.05  # of what was held when warm
CELLS = [
    "from tests.browser.scene_lens import scene_lens\nlens = scene_lens('replay')",
    EXPLORER,
]


@pytest.mark.slow
def test_nothing_grows(benchmark, tmp_path):
    with running_browser() as browser:
        if browser is None:
            pytest.skip(NO_BROWSER)
        with (
            running_lab(tmp_path) as lab,
            open_notebook(lab, browser, "replay", CELLS, (1000, 1000)) as notebook,
        ):
            stage = notebook.page.locator(".slw-map-stage[data-renderer=webgl]")
            expect(stage).to_be_visible(timeout=60_000)
            every = max(1, STEPS // SAMPLES)
            replayed = replay(notebook, STEPS, check=min(100, every), measure=every)
    kernel, page = (held[WARM - 1 :] for held in (replayed.kernel, replayed.page))
    figures = {
        "steps": STEPS,
        "done": dict(replayed.done),
        "compared": dict(replayed.compared),
        "kernel MiB, warm and at the end": (kernel[0] >> 20, kernel[-1] >> 20),
        "page MiB, warm and at the end": (page[0] >> 20, page[-1] >> 20),
        "page nodes, warm and at the end": (replayed.nodes[WARM - 1], replayed.nodes[-1]),
    }
    benchmark.extra_info.update(figures)
    benchmark.pedantic(lambda: None, rounds=1)
    print(figures)
    assert kernel[-1] <= MOST * kernel[0]
    assert page[-1] <= MOST * page[0]
