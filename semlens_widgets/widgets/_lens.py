"""What widgets ask of a lens. They know no more of it, and anything that answers will do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.labels.candidates.source import CandidateSource, Looked
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.traced import Trace


class Neurons(Protocol):
    """Neurons on a map, of one lens or of several; see :class:`semlens_widgets.SemanticLens`."""

    @property
    def layers(self) -> tuple[str, ...]: ...
    @property
    def neurons(self) -> pd.DataFrame: ...
    def search(self, query: Any, /, *, layer: str | None = ..., top: int) -> pd.DataFrame: ...
    def on_labels(self, callback: Callable[[], None], /) -> Callable[[], None]: ...


class Examples(Neurons, Protocol):
    """What a map shows of a neuron that is pointed at."""

    def examples(self, layer: str, neuron: int) -> pd.DataFrame: ...
    def thumbnail_jpegs(self, samples: Sequence[int]) -> list[bytes]: ...


class Heatmap(Protocol):
    """Where in an image a neuron looks."""

    @property
    def values(self) -> NDArray[np.uint8]: ...
    @property
    def box(self) -> tuple[float, float, float, float] | None: ...
    @property
    def method(self) -> str: ...
    @property
    def arrived(self) -> float: ...
    @property
    def side(self) -> float: ...


class Audit(Protocol):
    """On what a class rests; see :class:`semlens_widgets.lens.audited.Audit`."""

    @property
    def target(self) -> str | int: ...
    @property
    def images(self) -> NDArray[np.int64]: ...
    @property
    def method(self) -> str: ...
    @property
    def scored_by(self) -> dict[str, Any]: ...
    @property
    def valid(self) -> dict[str, tuple[str, ...]]: ...
    @property
    def spurious(self) -> dict[str, tuple[str, ...]]: ...
    @property
    def picture(self) -> Callable[[int], bytes | None]: ...
    @property
    def neurons(self) -> pd.DataFrame: ...
    @property
    def summary(self) -> pd.DataFrame: ...
    @property
    def last_layer(self) -> str: ...
    @property
    def unchecked(self) -> list[str]: ...
    def chance(self, layer: str) -> tuple[float, float]: ...
    def class_images(self, layer: str, neuron: int, top: int = ...) -> pd.DataFrame: ...
    def decide(self, layer: str, neuron: int, decision: str, note: str = ...) -> None: ...
    def on_decision(self, callback: Callable[[], None]) -> Callable[[], None]: ...


class Effects(Protocol):
    """What a change does; see :class:`semlens_widgets.analysis.effects.Effects`."""

    @property
    def logits(self) -> NDArray[np.float32]: ...
    @property
    def truth(self) -> NDArray[np.int64]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def total(self) -> int: ...
    @property
    def changed(self) -> int: ...
    @property
    def most_moved(self) -> int: ...
    @property
    def accuracy(self) -> pd.DataFrame: ...
    @property
    def classes(self) -> pd.DataFrame: ...
    def answers(self, output: int, top: int) -> pd.DataFrame: ...


class Intervention(Protocol):
    """A change of the model; see :class:`semlens_widgets.lens.intervention.Intervention`."""

    def effects(
        self, *, most: int | None = ..., progress: Callable[[int, int], None] | None = ...
    ) -> Effects: ...


class Lens(Examples, Protocol):
    """All that the panels show of one analysis.

    Without `images` no original can be shown; `embedding` is ``"image"`` or ``"crop"``.
    """

    @property
    def n_examples(self) -> int: ...
    @property
    def n_contrasts(self) -> int: ...
    @property
    def vocabulary(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def labelled_by(self) -> dict[str, Any]: ...
    @property
    def embedding(self) -> str: ...
    @property
    def images(self) -> object | None: ...
    def original_jpeg(self, sample: int, side: int = ..., /) -> bytes: ...
    def activation_histogram(
        self, layer: str, neuron: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
    def example_clusters(self, layer: str, neuron: int) -> NDArray[np.int64]: ...
    def heatmap(self, layer: str, neuron: int, sample: int) -> Heatmap: ...
    def heatmaps(self, layer: str, neuron: int, samples: Sequence[int]) -> Sequence[Heatmap]: ...
    def scores(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        scorer: str | Scorer = ...,
        templates: Sequence[str] | None = ...,
        exclude: Sequence[int] = ...,
    ) -> pd.DataFrame: ...
    def contributions(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        scorer: str | Scorer = ...,
        templates: Sequence[str] | None = ...,
        exclude: Sequence[int] = ...,
    ) -> pd.DataFrame: ...
    def neuron_chance(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        scorer: str | Scorer = ...,
        templates: Sequence[str] | None = ...,
        exclude: Sequence[int] = ...,
    ) -> tuple[float, float]: ...
    def intervals(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        among: Sequence[str] = ...,
        scorer: str | Scorer = ...,
        templates: Sequence[str] | None = ...,
        exclude: Sequence[int] = ...,
        progress: Callable[[int, int], None] | None = ...,
    ) -> pd.DataFrame: ...
    def explain(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str] | None = ...,
        *,
        templates: Sequence[str] | None = ...,
    ) -> pd.DataFrame: ...
    @property
    def looked(self) -> Looked: ...
    def label(
        self,
        candidates: Sequence[str] | CandidateSource,
        *,
        scorer: str | Scorer = ...,
        templates: Sequence[str] | None = ...,
        back_off: bool = ...,
        progress: Callable[[int, int], None] | None = ...,
    ) -> pd.DataFrame: ...
    def set_label(self, layer: str, neuron: int, label: str, score: float | None = ...) -> None: ...
    def intervene(
        self, neurons: pd.DataFrame, how: Any = ..., *, amount: float | None = ...
    ) -> Intervention: ...
    def audit(
        self,
        target: str | int,
        valid: Mapping[str, Sequence[str]],
        spurious: Mapping[str, Sequence[str]],
        *,
        progress: Callable[[int, int], None] | None = ...,
    ) -> Audit: ...


class Reviewable(Lens, Protocol):
    """A lens whose labels can be changed by many at once, and travel as files."""

    def scorer_labels(self) -> pd.DataFrame: ...
    def label_choices(
        self, neurons: Sequence[tuple[str, int]], *, top: int = ...
    ) -> pd.DataFrame: ...
    def set_labels(
        self, labels: Mapping[tuple[str, int], str | None]
    ) -> dict[tuple[str, int], str | None]: ...
    def export_labels(self, path: str | Path) -> None: ...
    def import_labels(
        self, path: str | Path, *, theirs: Literal["refuse", "keep", "replace"] = ...
    ) -> pd.DataFrame: ...
    def trust(self, *, progress: Callable[[int, int], None] | None = ...) -> pd.DataFrame: ...


class Traceable(Lens, Protocol):
    """A lens that can also say which neurons make others respond."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    def trace(
        self,
        target: str | int | tuple[str, int],
        *,
        keep: float = ...,
        progress: Callable[[int, int], None] | None = ...,
    ) -> Trace: ...


class Alike(Protocol):
    """How much of one layer another knows, with its interval."""

    @property
    def similarity(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def neurons(self) -> int: ...
    @property
    def without(self) -> int: ...


class Compared(Protocol):
    """Several analyses side by side; see :class:`semlens_widgets.Comparison`."""

    @property
    def lenses(self) -> Mapping[str, Any]: ...
    @property
    def joint(self) -> Any: ...
    @property
    def labels(self) -> pd.DataFrame: ...
    @property
    def measures(self) -> pd.DataFrame: ...
    def alike(self, of: str, to: str, *, layer: str, to_layer: str | None = ...) -> Alike: ...
    def matches(
        self,
        of: str,
        to: str,
        *,
        layer: str,
        to_layer: str | None = ...,
        how: Literal["assigned", "nearest"] = ...,
    ) -> pd.DataFrame: ...
    def is_change(self, before: str, after: str) -> bool: ...
    def changes(self, before: str, after: str) -> pd.DataFrame: ...


class Evolved(Protocol):
    """One model at several moments of its training; see :class:`semlens_widgets.Evolution`."""

    @property
    def steps(self) -> tuple[str, ...]: ...
    @property
    def layers(self) -> tuple[str, ...]: ...
    @property
    def neurons(self) -> pd.DataFrame: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def joint(self) -> Any: ...
    def on_labels(self, callback: Callable[[], None], /) -> Callable[[], None]: ...
