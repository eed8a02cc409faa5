"""An audit of the three neurons of ``panel_world``, as its view sees one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semlens_widgets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from semlens_widgets.widgets._lens import Audit as Asked

EVIL = "<b onclick=alert(1)>"


class Audit:
    method = "LRP"
    last_layer = "layer4"

    def __init__(
        self,
        lens_neurons: pd.DataFrame,
        target: str = "zebra",
        valid: Mapping[str, Sequence[str]] | None = None,
        spurious: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._lens_neurons = lens_neurons
        self.target: str | int = target
        self.images = np.array([2, 5, 7])
        self.scored_by: dict[str, Any] = {"scorer": "recognition"}
        sides = valid or {"stripes": ["striped"]}, spurious or {EVIL: ["grass", "a fence"]}
        self.valid, self.spurious = (
            {name: tuple(phrases) for name, phrases in side.items()} for side in sides
        )
        self.unchecked = ["There are too few other images."]
        self.decisions: dict[tuple[str, int], tuple[str, str]] = {}
        self.read_only = False
        self.listeners: list[Callable[[], None]] = []

    @property
    def neurons(self) -> pd.DataFrame:
        frame = self._lens_neurons[["layer", "neuron", "label"]].copy()
        frame["relevance_share"] = [0.25, 0.75, 1.0]
        frame["share_low"], frame["share_high"] = [0.2, 0.7, 1.0], [0.3, 0.8, 1.0]
        for side, of in (("valid", self.valid), ("spurious", self.spurious)):
            name, phrases = next(iter(of.items()))
            frame[side] = [0.9, 0.4, np.nan]
            frame[f"{side}_concept"] = [name, name, ""]
            frame[f"{side}_phrase"] = [phrases[-1], phrases[0], ""]
            frame[f"{side}_null"] = [0.01, 0.6, np.nan]
        frame["reliance"] = [0.1, np.nan, np.nan]
        frame["verdict"] = ["both", "unexpected", "weak"]
        places = list(zip(frame["layer"], frame["neuron"], strict=True))
        decided = [self.decisions.get(place, ("", "")) for place in places]
        frame["decision"], frame["note"] = map(list, zip(*decided, strict=True))
        frame["decided"] = "2026-01-02T03:04:05+00:00"
        return frame

    @property
    def summary(self) -> pd.DataFrame:
        rows = [
            ("layer3", "both", 0.25, 0.2, 0.3, 1),
            ("layer3", "unexpected", 0.75, 0.7, 0.8, 1),
            ("layer4", "weak", 1.0, 1.0, 1.0, 1),
        ]
        return pd.DataFrame(rows, columns=["layer", "verdict", "share", "low", "high", "neurons"])

    def chance(self, layer: str) -> tuple[float, float]:
        return (0.6, 0.7) if layer == "layer3" else (math.nan, math.nan)

    def class_images(self, layer: str, neuron: int, top: int = 20) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "rank": [0, 1],
                "sample": [7, 2],
                "share": [0.5, 0.25],
                "class_name": ["zebra", EVIL],
                "uri": ["zoo/7.jpg", "zoo/2.jpg"],
            }
        ).head(top)

    def picture(self, sample: int) -> bytes | None:
        return None if sample == 2 else b"jpeg %d" % sample

    def decide(self, layer: str, neuron: int, decision: str, note: str = "") -> None:
        if self.read_only:
            raise StoreError("The analysis is open for reading only.")
        if decision not in {"accept", "reject", "ignore", ""}:
            raise ValueError(f"decision={decision!r} must be one of ...")
        self.decisions[layer, neuron] = decision, note if decision else ""
        for listener in tuple(self.listeners):
            listener()

    def on_decision(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(callback)

        def end() -> None:
            if callback in self.listeners:
                self.listeners.remove(callback)

        return end


def _held_to_what_the_view_asks() -> Asked:
    return Audit(pd.DataFrame())
