"""A lens of three neurons and four images, as the panels see one; and a way to ask widgets."""

from __future__ import annotations

import json
import math
from threading import Condition, Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.labels.candidates.source import CandidateSource
from semlens_widgets.store.store import StoredHeatmap
from tests.unit.audit_world import Audit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from semlens_widgets.widgets._lens import Lens as Asked

EVIL = "<img src=x onerror=alert(1)>"


class Lens:
    layers = ("layer3", "layer4")
    vocabulary = ("dotted", "Striped", "plain")
    classes = ("zebra", "horse")
    n_examples = 2
    n_contrasts = 1
    images: object | None = None
    embedding = "image"

    def __init__(self) -> None:
        self.neurons = pd.DataFrame(
            {
                "layer": ["layer3", "layer3", "layer4"],
                "neuron": [0, 1, 0],
                "label": ["striped", "", EVIL],
                "score": [0.5, np.nan, 0.2],
                "clarity": [0.1, 0.2, np.nan],
                "polysemanticity": [0.3, 0.2, 0.1],
                "redundancy": [0.1, 0.1, 0.1],
                "mean": [0.5, 0.5, 0.5],
                "max": [3.0, 2.0, 1.0],
                "firing_rate": [0.5, 0.5, 0.5],
                "dead": [False, True, False],
                "x": [0.0, 1.0, 2.0],
                "y": [0.0, 1.0, 0.5],
            }
        )
        self.labelled_by: dict[str, Any] = {}
        self.asked: list[tuple[Any, ...]] = []
        #: What takes long waits in the middle while `go_on` is not set.
        self.halfway, self.go_on = Event(), Event()
        self.go_on.set()
        self.listeners: list[Callable[[], None]] = []

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.listeners.append(callback)

        def end() -> None:
            if callback in self.listeners:
                self.listeners.remove(callback)

        return end

    def label(
        self,
        candidates: Sequence[str] | CandidateSource,
        *,
        progress: Callable[[int, int], None] | None = None,
        **settings: Any,
    ) -> pd.DataFrame:
        self.asked.append((candidates, settings))
        if progress is not None:
            progress(1, 2)
        self.halfway.set()
        self.go_on.wait(10)
        if progress is not None:
            progress(2, 2)
        names = [candidates] if isinstance(candidates, CandidateSource) else candidates
        self.neurons["label"] = [str(names[0]), "unknown", str(names[-1])]
        for listener in tuple(self.listeners):
            listener()
        return self.neurons[["layer", "neuron", "label"]]

    def examples(self, layer: str, neuron: int) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "rank": [0, 1],
                "sample": np.array([7, 2]),
                "activation": np.array([3.0, np.nan], dtype=np.float32),
                "class_name": ["zebra", None],
                "uri": ["zoo/7.jpg", f"zoo/{EVIL}.jpg"],
                "contrast_sample": np.array([5, -1]),
                "contrast_activation": [0.1, np.nan],
                "similarity": [0.8, np.nan],
                "contrast_class_name": ["horse", None],
                "contrast_uri": ["zoo/5.jpg", None],
                "contrast_origin": ["edited", ""],
                "changed": [0.25, np.nan],
            }
        )

    def thumbnail_jpegs(self, samples: Sequence[int]) -> list[bytes]:
        if 2 in samples:
            raise OSError("cannot read '/data/secret/zoo/2.jpg'")
        return [b"jpeg %d" % sample for sample in samples]

    def heatmaps(self, layer: str, neuron: int, samples: Sequence[int]) -> list[Any]:
        if layer == "layer4" and list(samples) != [5]:
            raise LensUnavailable("Heatmaps need the model: give target= to compute them.")
        values = np.arange(6, dtype=np.uint8).reshape(2, 3)
        box = None if layer == "unplaced" else (0.0, 0.25, 0.5, 1.0)
        if layer == "leaky":
            said = "CRP; 0.25 × the starting relevance arrived; no relevant pixel: whole image"
            return [StoredHeatmap(values, box, said, arrived=0.25) for _ in samples]
        return [StoredHeatmap(values, box, "CRP", arrived=0.75) for _ in samples]

    def heatmap(self, layer: str, neuron: int, sample: int) -> Any:
        return self.heatmaps(layer, neuron, [sample])[0]

    def scores(
        self, layer: str, neuron: int, candidates: Sequence[str], **settings: Any
    ) -> pd.DataFrame:
        self.asked.append((layer, neuron, list(candidates), settings))
        scores = np.arange(len(candidates), dtype=np.float32) / 10
        return pd.DataFrame({"candidate": candidates, "score": scores})

    def neuron_chance(
        self, layer: str, neuron: int, candidates: Sequence[str], **settings: Any
    ) -> tuple[float, float]:
        self.chance_asked = (layer, neuron, list(candidates), settings)
        return (0.2, 0.3) if layer == "layer3" else (math.nan, math.nan)

    def intervals(
        self, layer: str, neuron: int, candidates: Sequence[str], **settings: Any
    ) -> pd.DataFrame:
        progress = settings.pop("progress")
        self.asked.append((layer, neuron, list(candidates), settings))
        progress(0, 2)
        self.halfway.set()
        self.go_on.wait(10)
        progress(1, 2)
        scores = np.arange(len(candidates), dtype=np.float32) / 10
        return pd.DataFrame(
            {"candidate": candidates, "low": scores - 1, "high": scores + 1, "by_chance": 0.25}
        )

    def explain(
        self, layer: str, neuron: int, candidates: Sequence[str] | None = None, **settings: Any
    ) -> pd.DataFrame:
        self.asked.append((layer, neuron, candidates, settings))
        return pd.DataFrame(
            {"concept": ["dotted", EVIL], "weight": [0.5, 0.25], "together": [0.3, math.nan]}
        )

    @property
    def looked(self) -> Any:
        raise LensUnavailable("Nothing is to be looked at.")

    def contributions(
        self, layer: str, neuron: int, candidates: Sequence[str], **settings: Any
    ) -> pd.DataFrame:
        values = np.arange(2 * len(candidates), dtype=np.float64).reshape(2, -1)
        return pd.DataFrame(values, columns=list(candidates))

    def activation_histogram(self, layer: str, neuron: int) -> Any:
        return np.array([3, 0, 1]), np.array([0.0, 1.0, 2.0, 3.0])

    def example_clusters(self, layer: str, neuron: int) -> Any:
        return np.array([0, 1])

    def intervene(self, neurons: pd.DataFrame, how: Any = "zero", **_: Any) -> Any:
        raise LensUnavailable("The model is not at hand.")

    def original_jpeg(self, sample: int, side: int = 2048) -> bytes:
        if self.images is None:
            raise LensUnavailable("The images are not at hand.")
        return b"whole %d" % sample

    def set_label(self, layer: str, neuron: int, label: str, score: float | None = None) -> None:
        row = (self.neurons["layer"] == layer) & (self.neurons["neuron"] == neuron)
        self.neurons.loc[row, ["label", "score"]] = [label, score]
        for listener in tuple(self.listeners):
            listener()

    def audit(self, target: str | int, valid: Any, spurious: Any, **settings: Any) -> Audit:
        self.asked.append((target, valid, spurious))
        if target not in self.classes:
            raise ValueError(f"of={target!r} is not the name of an output; there are 'zebra'.")
        if (progress := settings.get("progress")) is not None:
            progress(1, 2)
        return Audit(self.neurons, str(target), valid, spurious)

    def search(self, query: Any, *, layer: str | None = None, top: int = 24) -> pd.DataFrame:
        self.asked.append((query, layer, top))
        if query == "none":
            raise LensUnavailable("There is no foundation model.")
        found = self.neurons[["layer", "neuron", "label"]].iloc[::-1].assign(score=[0.9, 0.5, 0.1])
        return found.head(top)


def _held_to_what_panels_ask() -> Asked:
    return Lens()


class Asker:
    """Sends requests to a widget as the browser does, and reads the replies."""

    def __init__(self, widget: Any, monkeypatch: Any) -> None:
        self.widget = widget
        self.replies: list[tuple[dict[str, Any], list[bytes]]] = []
        self._arrived = Condition()
        self._last = 0
        monkeypatch.setattr(widget, "send", self._hear)

    def _hear(self, *message: Any) -> None:
        with self._arrived:
            self.replies.append(message)
            self._arrived.notify_all()

    def begin(self, request: str, **params: Any) -> int:
        """Send a request, and return by what its reply is known."""
        self._last += 1
        message = {"kind": "request", "id": self._last, "method": request, "params": params}
        self.widget._answer(self.widget, message, [])
        return self._last

    def stop(self, of: int) -> None:
        """Have what was begun stopped."""
        self.widget._answer(self.widget, {"kind": "stop", "id": of}, [])

    def reply(self, of: int) -> tuple[Any, list[bytes]]:
        """Wait for the reply to what was begun."""

        def found() -> Any:
            return next(
                (one for one in self.replies if (one[0]["id"], one[0]["kind"]) == (of, "reply")),
                None,
            )

        with self._arrived:
            assert self._arrived.wait_for(found, timeout=10), "there is no reply"
        reply, buffers = found()
        told = json.loads(json.dumps(reply))  # as it travels
        return told.get("result", told.get("error")), buffers

    def __call__(self, request: str, **params: Any) -> tuple[Any, list[bytes]]:
        return self.reply(self.begin(request, **params))
