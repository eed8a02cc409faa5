"""A word that is typed waits for nothing that takes long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest
import torch

from semlens_widgets.lens import texts
from semlens_widgets.lens.texts import Words
from tests.browser.waiting import eventually
from tests.colour_world import ColourFoundation

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 60  # seconds, where nothing is to take any


class Held(ColourFoundation):
    """Embeds nothing more after the first texts until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.begun, self.go_on = Event(), Event()

    def encode_text(self, texts: Sequence[str]) -> torch.Tensor:
        self.asked.append(list(texts))
        self.begun.set()
        assert self.go_on.wait(LONGEST)
        return super().encode_text(texts)


def test_what_is_computed_once_keeps_only_those_waiting_who_want_the_same():
    words = Words(None, ColourFoundation())  # type: ignore[arg-type] -- none of the analysis
    begun, go_on, computed = Event(), Event(), []

    def long() -> str:
        computed.append(1)
        begun.set()
        assert go_on.wait(LONGEST)
        return "found"

    with ThreadPoolExecutor(4) as pool:
        same = [pool.submit(words.once, "long", long) for _ in range(2)]
        try:
            assert begun.wait(LONGEST)
            typed = pool.submit(words.prompts, ["red"], None)
            assert typed.result(LONGEST).shape == (1, 3)
            assert pool.submit(words.once, "short", lambda: 7).result(LONGEST) == 7
            assert not any(one.done() for one in same)
        finally:
            go_on.set()
        assert [one.result(LONGEST) for one in same] == ["found", "found"]
    assert computed == [1]


def test_what_fails_is_computed_again():
    words = Words(None, ColourFoundation())  # type: ignore[arg-type]

    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            words.once("key", fail)
    assert words.once("key", lambda: 3) == 3


def test_a_word_comes_between_many_that_are_embedded():
    foundation = Held()
    words = Words(None, foundation)  # type: ignore[arg-type]
    many = [f"word {at}" for at in range(1000)]
    with ThreadPoolExecutor(2) as pool:
        all_of_them = pool.submit(words.prompts, many, None)
        try:
            assert foundation.begun.wait(LONGEST)
            typed = pool.submit(words.prompts, ["typed"], None)

            def waits() -> None:
                assert texts._NEXT.locked()

            eventually(waits, LONGEST)
        finally:
            foundation.go_on.set()
        typed.result(LONGEST)
        found = all_of_them.result(LONGEST)
    first, second, *others = foundation.asked
    assert second == ["typed"]
    assert [name for part in (first, *others) for name in part] == many
    at_once = Words(None, ColourFoundation()).prompts(many, None)  # type: ignore[arg-type]
    assert torch.equal(found, at_once)
