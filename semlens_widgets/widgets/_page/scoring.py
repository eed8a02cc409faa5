"""What a page scores and searches by itself, without an answer recorded for each question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.lens.lens import SemanticLens
from semlens_widgets.lens.portable import portable
from semlens_widgets.widgets._columns import neurons_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.widgets._page.chunks import Chunks


@dataclass(frozen=True)
class Scoring:
    """What :func:`semlens_widgets.lens.portable.portable` returns."""

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def stored(self, chunks: Chunks) -> dict[str, Any]:
        """Keep it in chunks, and return where it lies."""
        arrays = {name: chunks.add_array(values) for name, values in self.arrays.items()}
        return {"meta": chunks.add_answer(self.meta), "arrays": arrays}


class ToScore:
    """What the views of a page can be asked to score: a page does so for one analysis."""

    def __init__(self) -> None:
        self._lens: Any = None
        self._texts: list[str] = []
        self._sentences: Sequence[str] | None = None
        self._several = False

    def add(self, lens: Any, texts: Sequence[str], sentences: Sequence[str] | None) -> None:
        """Note what a view can be asked to score."""
        self._several |= self._lens is not None and lens is not self._lens
        self._lens = lens
        self._texts += texts
        self._sentences = sentences or self._sentences

    def gathered(
        self,
        rows: Callable[[Iterable[tuple[str, int]]], list[int]],
        examples: int,
        texts: Sequence[str],
    ) -> tuple[Scoring | None, str]:
        """Return it, or None and why; without a reason no view of the page scores or searches.

        `rows` says which of the lens's neurons travel.
        """
        if self._lens is None:
            return None, ""
        if self._several or not isinstance(self._lens, SemanticLens):
            return None, "It is of several analyses."
        try:
            meta, arrays = portable(
                self._lens,
                rows(neurons_of(self._lens.neurons)),
                [*texts, *self._texts],
                examples,
                sentences=self._sentences,
            )
        except LensUnavailable as error:
            return None, str(error)
        return Scoring(meta, arrays), ""
