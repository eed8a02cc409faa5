"""Six neurons and their map, as the tests of its kernel side ask them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from semlens_widgets.widgets._lens import Examples
    from semlens_widgets.widgets.map import NeuronMap


class Lens:
    """Six neurons of two layers."""

    layers = ("layer3", "layer4")

    def __init__(self) -> None:
        self.neurons = pd.DataFrame(
            {
                "layer": ["layer3"] * 4 + ["layer4"] * 2,
                "neuron": [0, 1, 2, 3, 0, 1],
                "label": ["ox", "ox", "cow", "", "cow", "ox"],
                "score": [0.5, 0.4, 0.3, np.nan, 0.2, 0.1],
                "clarity": [0.1, 0.2, 0.3, 0.4, np.nan, 0.6],
                "dead": [False, False, False, True, False, False],
                "x": [0.0, 10, 0, 10, 5, 5],
                "y": [0.0, 0, 4, 4, 2, 3],
            }
        )

    def examples(self, layer: str, neuron: int) -> pd.DataFrame:
        if layer == "layer3" and neuron == 3:
            return pd.DataFrame({"sample": [], "class_name": []})
        return pd.DataFrame({"sample": range(9), "class_name": ["ox"] * 9})

    def thumbnail_jpegs(self, samples: Sequence[int]) -> list[bytes]:
        return [b"jpeg %d" % sample for sample in samples]

    def search(self, query: Any, *, layer: str | None = None, top: int) -> pd.DataFrame:
        raise NotImplementedError

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


def _held_to_what_maps_ask() -> Examples:
    return Lens()


def labels_of(widget: NeuronMap) -> list[str]:
    """The label of every neuron, as the widget's state has them."""
    coded = widget._labels
    return [coded["names"][code] for code in coded["codes"]]


def floats(column: bytes) -> np.ndarray:
    return np.frombuffer(column, dtype=np.float32)


def request(widget: NeuronMap, method: str, **params: Any) -> tuple[Any, Any]:
    return widget._requests[method](widget, params)


def column(widget: NeuronMap, name: str) -> tuple[dict[str, Any], np.ndarray]:
    """A column as the browser asks for it."""
    legend, [data] = request(widget, "column", name=name)
    codes = np.uint8 if len(data) == len(widget.lens.neurons) else np.uint16
    kinds = {"category": codes, "index": np.uint32}
    return legend, np.frombuffer(data, dtype=kinds.get(legend["kind"], np.float32))
