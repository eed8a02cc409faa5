"""Several lenses as one for the map: the neurons of two models laid out together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.store.columns import StoredHeatmap

# Laying out is slow; the same vectors shown again lie where they lay.
_LAYOUTS: dict[bytes, npt.NDArray[np.float32]] = {}
_MOST_LAYOUTS = 8


class JointLens:
    """The neurons of several lenses whose meaning comes from the same foundation model.

    A layer is named ``model/layer``; the column ``model`` tells the lenses apart. An image has a
    number of its own in each lens that has it, whether or not they look at the same images.

    Parameters
    ----------
    lenses : sequence of SemanticLens or mapping of names to SemanticLens
        At least one. Without names each is called after its model.
    """

    def __init__(self, lenses: Sequence[SemanticLens] | Mapping[str, SemanticLens]) -> None:
        named = dict(lenses) if isinstance(lenses, Mapping) else dict(_named(lenses))
        if not named:
            raise ValueError("lens: at least one lens is needed.")
        foundations = {name: _settings(lens).get("foundation") for name, lens in named.items()}
        if len(set(foundations.values())) > 1:
            raise ValueError(
                "lens: neurons can lie on one map only if one foundation model gave all of them "
                f"their meaning; these have {foundations}."
            )
        self.lenses = {str(name): lens for name, lens in named.items()}

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer of every lens, as ``model/layer``."""
        return tuple(
            f"{name}/{layer}" for name, lens in self.lenses.items() for layer in lens.layers
        )

    @property
    def poles(self) -> dict[str, int]:
        """Layers with both poles, as in :attr:`SemanticLens.poles`."""
        return {
            f"{name}/{layer}": count
            for name, lens in self.lenses.items()
            for layer, count in lens.poles.items()
        }

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the lenses."""
        return tuple(self.lenses)

    @property
    def neurons(self) -> pd.DataFrame:
        """The neurons of all lenses below each other, in one layout."""
        parts = []
        for name, lens in self.lenses.items():
            part = lens.neurons
            layers = name + "/" + part["layer"].astype(str)
            parts.append(part.assign(model=name, layer=layers))
        table = pd.concat(parts, ignore_index=True)
        table[["x", "y"]] = self._layout
        first = ["layer", "neuron", "model"]
        return table[first + [name for name in table.columns if name not in first]]

    @cached_property
    def _layout(self) -> npt.NDArray[np.float32]:
        from semlens_widgets.analysis.layout import umap_layout

        vectors = np.concatenate([lens.vectors for lens in self.lenses.values()])
        key = hashlib.sha256(vectors.tobytes()).digest()
        if key not in _LAYOUTS:
            _LAYOUTS[key] = umap_layout(np.nan_to_num(vectors))
            if len(_LAYOUTS) > _MOST_LAYOUTS:
                del _LAYOUTS[next(iter(_LAYOUTS))]
        return _LAYOUTS[key]

    def search(
        self, query: str | tuple[str, int], *, layer: str | None = None, top: int
    ) -> pd.DataFrame:
        """Rank the neurons of all lenses, or of one layer; see :meth:`SemanticLens.search`."""
        if not isinstance(query, str):
            raise TypeError("On a map of several lenses only words can be searched.")
        owner, own = (None, None) if layer is None else self.owner(layer)
        parts = []
        for name, lens in self.lenses.items():
            if owner is None or lens is owner:
                part = lens.search(query, layer=own, top=top)
                parts.append(part.assign(layer=f"{name}/" + part["layer"].astype(str)))
        found = pd.concat(parts, ignore_index=True)
        return found.sort_values("score", ascending=False, kind="stable").head(top)

    def examples(self, layer: str, neuron: int) -> pd.DataFrame:
        """Concept examples of one neuron; see :meth:`SemanticLens.examples`."""
        lens, own = self.owner(layer)
        table = lens.examples(own, neuron)
        at = list(self.lenses.values()).index(lens)
        for column in table.columns.intersection(["sample", "contrast_sample"]):
            table[column] = np.where(
                table[column] < 0, table[column], table[column] * len(self.lenses) + at
            )
        return table

    def thumbnail_jpegs(self, samples: Sequence[int]) -> list[bytes]:
        """Return images that are examples of some neuron, as JPEG."""
        return [lens.thumbnail_jpegs([own])[0] for lens, own in map(self._lens_of_sample, samples)]

    def original_jpeg(self, sample: int, side: int = 2048) -> bytes:
        """Return an image in its own resolution; see :meth:`SemanticLens.original`."""
        lens, own = self._lens_of_sample(sample)
        return lens.original_jpeg(own, side)

    def activation_histogram(
        self, layer: str, neuron: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """How often a neuron is how active; see :meth:`SemanticLens.activation_histogram`."""
        lens, own = self.owner(layer)
        return lens.activation_histogram(own, neuron)

    def heatmap(self, layer: str, neuron: int, sample: int) -> StoredHeatmap:
        """Where in an image the neuron looks; see :meth:`SemanticLens.heatmap`."""
        return self.heatmaps(layer, neuron, [sample])[0]

    def heatmaps(self, layer: str, neuron: int, samples: Sequence[int]) -> list[StoredHeatmap]:
        """Heatmaps of several images for one neuron; see :meth:`SemanticLens.heatmaps`.

        Raises
        ------
        KeyError
            If an image is another lens's.
        """
        lens, own = self.owner(layer)
        found = [self._lens_of_sample(sample) for sample in samples]
        if any(other is not lens for other, _ in found):
            raise KeyError(f"Images of another analysis than {layer!r} is of.")
        return lens.heatmaps(own, neuron, [sample for _, sample in found])

    def _lens_of_sample(self, sample: int) -> tuple[SemanticLens, int]:
        own, at = divmod(sample, len(self.lenses))
        return list(self.lenses.values())[at], own

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels of any lens have changed; what is returned ends it."""
        hearing = [lens for lens in self.lenses.values() if hasattr(lens, "on_labels")]
        ends = [lens.on_labels(callback) for lens in hearing]

        def end() -> None:
            for one in ends:
                one()

        return end

    def owner(self, layer: str) -> tuple[SemanticLens, str]:
        """Return the lens of a layer, and the layer's name there."""
        for name, lens in self.lenses.items():
            own = layer.removeprefix(f"{name}/")
            if own != layer and own in lens.layers:
                return lens, own
        raise KeyError(f"There is no layer {layer!r}.")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"A map of several lenses has no {name!r}; ask one of them.")


def _settings(lens: SemanticLens) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = lens.store.settings
    return settings


def _named(lenses: Sequence[SemanticLens]) -> list[tuple[str, SemanticLens]]:
    names = [str(_settings(lens).get("model") or "model") for lens in lenses]
    for name in {name for name in names if names.count(name) > 1}:
        places = [i for i, other in enumerate(names) if other == name]
        for number, place in enumerate(places, 1):
            names[place] = f"{name} {number}"
    return list(zip(names, lenses, strict=True))
