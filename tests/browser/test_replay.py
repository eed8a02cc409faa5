"""A short replay of a person's steps: all answers right, no error. The long one is a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.replay import EXPLORER, KINDS, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.browser.notebook import Notebook

STEPS = 100


def test_a_replay_is_answered_right(
    scene_notebook: Callable[..., AbstractContextManager[Notebook]],
):
    with scene_notebook("replay", EXPLORER) as notebook:
        stage = notebook.page.locator(".slw-map-stage[data-renderer=webgl]")
        expect(stage).to_be_visible()
        replayed = replay(notebook, STEPS, check=25, measure=STEPS)
        assert set(replayed.done) == set(KINDS)
        assert replayed.compared["labels"] >= 3
        assert replayed.compared["scores"] > 0
        assert replayed.compared["hits"] > 0
        assert notebook.complaints == []
