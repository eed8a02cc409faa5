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

# Laying out is slow; the same vectors shown again lie where they lay.
_LAYOUTS: dict[bytes, npt.NDArray[np.float32]] = {}
_MOST_LAYOUTS = 8


class JointLens:
    """The neurons of several lenses whose meaning comes from the same foundation model.

    A layer is named ``model/layer``; the column ``model`` tells the lenses apart.

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
