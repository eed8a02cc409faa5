"""Answers that several widgets give: a neuron's facts, thumbnails, heatmaps, a search."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semlens_widgets.attribution.arrived import arrived_said
from semlens_widgets.errors import LensUnavailable, ModelError
from semlens_widgets.widgets._columns import PERSON, pack_scores, readable
from semlens_widgets.widgets._messages.neurons import (
    Example,
    ExamplesOfNeuron,
    Facts,
    HeatmapSaid,
    Histogram,
    Hit,
    Hits,
    Refusal,
    Shown,
    Thumbnails,
)
from semlens_widgets.widgets._requests import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from semlens_widgets.widgets._base import LensWidget, Reply
    from semlens_widgets.widgets._lens import Heatmap, Lens

logger = logging.getLogger(__name__)

_MOST_SAMPLES = 64
#: Pixels of a small picture, as of those that are stored.
SMALL = 256
#: How many neurons a search lists and highlights.
HITS = 24


def number(value: Any) -> float | None:
    """Return a finite float, or None, which is what JSON has for "no number"."""
    if value is None or value is NotImplemented:
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def text(value: Any) -> str:
    """Return a text that can be sent, empty for what pandas calls missing."""
    return readable(value) if isinstance(value, str) else ""


def rejected(row: Mapping[Hashable, Any]) -> bool:
    """Return whether a person said of a row of ``lens.neurons`` that no label fits."""
    return text(row.get("label")) == "" and row.get("source") == PERSON


def neuron_of(params: Mapping[str, Any]) -> tuple[str, int]:
    """Return the neuron that a request names."""
    layer, neuron = params.get("layer"), params.get("neuron")
    if not isinstance(layer, str) or not isinstance(neuron, int):
        raise ValueError(f"layer must be a text and neuron an integer, got {layer!r}, {neuron!r}.")
    return layer, neuron


def samples_of(params: Mapping[str, Any]) -> list[int]:
    """Return the images that a request names."""
    samples = [int(sample) for sample in params.get("samples") or ()]
    if not 0 < len(samples) <= _MOST_SAMPLES:
        raise ValueError(f"samples: 1 to {_MOST_SAMPLES} images at once, got {len(samples)}.")
    return samples


def facts(table: pd.DataFrame, layer: str, neuron: int) -> Facts:
    """Return one row of ``lens.neurons`` as JSON."""
    rows = table[table["neuron"] == neuron]  # few: texts are slower to compare
    rows = rows[rows["layer"] == layer]
    if rows.empty:
        raise KeyError(f"There is no neuron {neuron} in layer {layer!r}.")
    row = rows.iloc[0]
    return Facts(
        layer=layer,
        neuron=neuron,
        label=text(row.get("label")),
        rejected=rejected(row.to_dict()),
        dead=bool(row.get("dead", False)),
        score=number(row.get("score")),
        clarity=number(row.get("clarity")),
        polysemanticity=number(row.get("polysemanticity")),
        redundancy=number(row.get("redundancy")),
        mean=number(row.get("mean")),
        max=number(row.get("max")),
        firing_rate=number(row.get("firing_rate")),
    )


def shown(row: Mapping[Hashable, Any], prefix: str = "") -> Shown:
    """Return one image of a row of ``lens.examples``: the example, or its ``contrast_``."""
    return Shown(
        sample=int(row[f"{prefix}sample"]),
        activation=number(row[f"{prefix}activation"]),
        class_name=text(row.get(f"{prefix}class_name")),
        uri=text(row.get(f"{prefix}uri")),
    )


def examples_of(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer a neuron's facts, its examples, and how often it is how active."""
    layer, neuron = neuron_of(params)
    rows = widget.lens.examples(layer, neuron).to_dict("records")
    counts, edges = widget.lens.activation_histogram(layer, neuron)
    return ExamplesOfNeuron(
        facts=facts(widget.lens.neurons, layer, neuron),
        examples=[Example(**shown(row), rank=int(row["rank"])) for row in rows],
        histogram=Histogram(counts=counts.tolist(), low=float(edges[0]), high=float(edges[-1])),
    ), []


def original(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer ``{samples}`` of one image: a JPEG of it in its own resolution."""
    (sample,) = samples_of(params)
    return {}, [widget.lens.original_jpeg(sample)]


def thumbnails(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer ``{samples}``: an error or None for each, and a JPEG buffer for each None."""
    return pictures(lambda sample: widget.lens.thumbnail_jpegs([sample])[0], params)


def pictures(jpeg: Callable[[int], bytes], params: Mapping[str, Any]) -> Reply:
    """Answer as :func:`thumbnails`, with pictures from elsewhere."""
    errors: list[str | None] = []
    buffers: list[bytes] = []
    for sample in samples_of(params):
        try:
            buffers.append(jpeg(sample))
            errors.append(None)
        except Exception as error:
            # One unreadable image must not take its neighbours with it.
            logger.debug("no thumbnail of sample %r", sample, exc_info=True)
            errors.append(describe(error)["message"])
    return Thumbnails(errors=errors), buffers


def any_thumbnails(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer as :func:`thumbnails`, also for images that are no neuron's example."""

    def jpeg(sample: int) -> bytes:
        try:
            return widget.lens.thumbnail_jpegs([sample])[0]
        except KeyError:
            return widget.lens.original_jpeg(sample, SMALL)

    return pictures(jpeg, params)


def heatmaps(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer ``{layer, neuron, samples}`` in order.

    For each sample ``{shape, box, method, arrived, side}`` and a buffer of uint8, or ``{error}``
    without one. The box is None where the place of the map in the image is unknown. Where the share
    that arrived is a number, the method does not repeat it: it differs from image to image.
    """
    layer, neuron = neuron_of(params)
    results: list[HeatmapSaid | Refusal] = []
    buffers: list[bytes] = []
    for stored in _stored_heatmaps(widget.lens, layer, neuron, samples_of(params)):
        if isinstance(stored, (LensUnavailable, ModelError)):
            results.append(Refusal(error=describe(stored)))
            continue
        values = np.ascontiguousarray(stored.values, dtype=np.uint8)
        said = arrived_said(stored.arrived) if math.isfinite(stored.arrived) else ""
        height, width = values.shape
        results.append(
            HeatmapSaid(
                shape=(height, width),
                box=stored.box,
                method=stored.method.replace(said, ""),
                arrived=number(stored.arrived),
                side=number(stored.side),
            )
        )
        buffers.append(values.tobytes())
    return results, buffers


def _stored_heatmaps(
    lens: Lens, layer: str, neuron: int, samples: list[int]
) -> list[Heatmap | LensUnavailable | ModelError]:
    """Return all heatmaps; if none can be made those that are stored, and why not the others."""
    try:
        return list(lens.heatmaps(layer, neuron, samples))
    except (LensUnavailable, ModelError):
        found: list[Heatmap | LensUnavailable | ModelError] = []
        for sample in samples:
            try:
                found.append(lens.heatmap(layer, neuron, sample))
            except (LensUnavailable, ModelError) as error:
                found.append(error)
        return found


def active_alone(widget: LensWidget) -> list[tuple[str, int]]:
    """Return the neuron that a panel shows, in which no other can be chosen.

    Raises
    ------
    ValueError
        If it shows none.
    """
    if widget.active is None:
        raise ValueError(
            f"The {type(widget).__name__} shows no neuron; choose one first (active), or neurons=."
        )
    return [widget.active]


def with_active(
    options: dict[str, Any], layer: str | None, neuron: int | str | None
) -> dict[str, Any]:
    """Return the options of a panel with its ``layer`` and ``neuron`` as the trait ``active``."""
    if (layer is None) != (neuron is None):
        raise TypeError("Give layer and neuron together, or neither.")
    return options if layer is None else {"active": (layer, neuron), **options}


def search(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer ``{query | like, layer}``: the best neurons, and the map's highlight."""
    like = params.get("like")
    own = None if like is None else neuron_of(like)
    query: Any = own or " ".join(str(params.get("query") or "").split())
    if not query:
        raise ValueError("query is blank. Give a text like 'striped'.")
    found = widget.lens.search(query, layer=params.get("layer"), top=HITS + 1)
    if own is not None:
        found = found[(found["layer"] != own[0]) | (found["neuron"] != own[1])]
    found = found.head(HITS)
    table = widget.lens.neurons
    rows = pd.MultiIndex.from_frame(table[["layer", "neuron"]]).get_indexer(
        pd.MultiIndex.from_frame(found[["layer", "neuron"]])
    )
    scores = np.full(len(table), np.nan, dtype=np.float32)
    scores[rows] = found["score"].to_numpy(dtype=np.float32)
    unsure = np.zeros(len(table), dtype=bool)
    if "chance" in found:
        unsure[rows] = (found["score"] <= found["chance"]).to_numpy()
    hits = [
        Hit(
            layer=str(row["layer"]),
            neuron=int(row["neuron"]),
            label=text(row.get("label")),
            score=number(row["score"]),
            chance=number(row.get("chance")),
        )
        for row in found.to_dict("records")
    ]
    return Hits(hits=hits), [pack_scores(scores, unsure)]
