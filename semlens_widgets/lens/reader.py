"""What a finished analysis holds, read from its store as frames and tensors."""

from __future__ import annotations

import difflib
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch.nn.functional import normalize

from semlens_widgets.errors import StoreError
from semlens_widgets.inputs.patterns import layers_like
from semlens_widgets.inputs.poles import neuron_name, neuron_number
from semlens_widgets.labels.correlation import activation_directions
from semlens_widgets.labels.evidence import Evidence, in_parts
from semlens_widgets.labels.likeness import Likeness
from semlens_widgets.store.aligned import (
    StoredEmbeddings,
    contrast_samples,
    example_samples,
    layer_spans,
)
from semlens_widgets.store.columns import read_heatmaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore, StoredHeatmap

_NEEDED = ("collect", "classes", "examples", "vectors")
_KEYS = {"thumbnails": ("sample",), "heatmaps": ("row", "sample")}


def _keys_of(table: str, rows: pa.Table) -> list[tuple[int, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in _KEYS[table]), strict=True))


def _those(table: str, rows: pa.Table, wanted: set[tuple[int, ...]]) -> pa.Table:
    return rows.filter(pa.array([key in wanted for key in _keys_of(table, rows)], pa.bool_()))


class AnalysisReader:
    """Read access to one analysis; what is used often is read once.

    Parameters
    ----------
    store
        An analysis whose ``vectors`` stage is finished.
    """

    def __init__(self, store: AnalysisStore) -> None:
        self.store = store
        unfinished = [name for name in _NEEDED if not store.is_finished(name)]
        if unfinished:
            raise StoreError(
                f"The analysis in {str(store.path)!r} is not finished: {unfinished[0]!r} is missing"
                " or has to be made again. Call run() first."
            )
        self.embedding: Embedding = store.settings["embedding"]
        self.ranks: int = store.stages["examples"]["ranks"]
        self.classes: tuple[str, ...] = tuple(store.stages["classes"]["names"])
        self.spans = layer_spans(store)
        self.layers = tuple(self.spans)
        #: Layers whose neurons are both poles of their channels, with how many channels they have.
        self.poles = {
            layer: (stop - start) // 2
            for layer, (start, stop) in self.spans.items()
            if layer in store.settings.get("poles", ())
        }

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """One row per neuron: where it is, its statistics and its measures."""
        columns = [name for name in self.store.columns("neurons") if name != "top_samples"]
        own = self.store.frame("neurons", columns)
        places = zip(own["layer"], own["neuron"], strict=True)
        names = [neuron_name(neuron, self.poles.get(layer)) for layer, neuron in places]
        parts = [own.assign(name=names)]
        parts += [self.store.frame(name) for name in ("measures", "layout")]
        return pd.concat(parts, axis=1)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per image: uri, label (class index, -1 unknown), readable."""
        return self.store.frame("samples")

    @cached_property
    def embeddings(self) -> StoredEmbeddings:
        """The unit embeddings of all images."""
        return StoredEmbeddings(self.store)

    @cached_property
    def vectors(self) -> Tensor:
        """Semantic vectors, ``(neurons, dim)`` float32."""
        return torch.from_numpy(self.store.matrix("vectors", "vector").astype(np.float32))

    @cached_property
    def directions(self) -> Tensor:
        """Semantic vectors at unit length, ``(neurons, dim)``."""
        return normalize(self.vectors, dim=1)

    @cached_property
    def example_samples(self) -> Tensor:
        """Images of the concept examples, ``(neurons, m)``; -1 where there is none."""
        return example_samples(self.store)

    @cached_property
    def example_activations(self) -> Tensor:
        """Activations of the concept examples, ``(neurons, m)``."""
        column = self.store.read("examples", ["activation"]).column("activation")
        return torch.from_numpy(column.to_numpy().copy()).reshape(-1, self.ranks)

    @cached_property
    def contrast_samples(self) -> Tensor:
        """Images of the contrastive examples, ``(neurons, m)``; -1 where there is none."""
        return self._all_contrasts[..., 0]

    @cached_property
    def _all_contrasts(self) -> Tensor:
        """Images of all contrastive examples, ``(neurons, m, k)``; -1 where there is none."""
        return contrast_samples(self.store)

    @property
    def n_contrasts(self) -> int:
        """How many contrastive examples are kept of each concept example."""
        return self._all_contrasts.shape[2]

    @cached_property
    def evidence(self) -> Evidence:
        """What the label scorers know of all neurons; nothing that takes room is read yet."""
        top_samples = self.store.matrix("neurons", "top_samples").astype(np.int64)
        return Evidence(
            images=self.embeddings,
            examples=self.example_samples,
            contrasts=self.contrast_samples,
            activations=self.example_activations,
            top_samples=torch.from_numpy(top_samples),
            further=self._all_contrasts[..., 1:] if self.n_contrasts > 1 else None,
            crops=self._crops if self.embedding == "crop" else None,
            distribution=self.values,
            shared=Likeness(self.embeddings),
        )

    @cached_property
    def activation_directions(self) -> Tensor:
        """Each neuron's activations projected onto the embeddings, ``(neurons, dim)``."""
        parts = in_parts(self.evidence, whole=True)
        return torch.cat([activation_directions(part) for part in parts])

    def _crops(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Read both sides' embeddings of some neurons' examples, ``(n, m, dim)``.

        Those of the contrastive examples are ``(n, m, k, dim)``.
        """
        one, other = (
            normalize(torch.from_numpy(rows.astype(np.float32)), dim=-1)
            for rows in self.stored_crops(start, stop)
        )
        return one, other

    def stored_crops(
        self, start: int, stop: int
    ) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Read the same as it is stored: nearly of unit length."""
        shape = (stop - start, self.ranks)
        one = self._cropped("crops", start, stop)
        other = self._cropped("contrast_crops", start, stop)
        return one.reshape(*shape, -1), other.reshape(*shape, self.n_contrasts, -1)

    def _cropped(
        self, table: Literal["crops", "contrast_crops"], start: int, stop: int
    ) -> NDArray[np.float16]:
        each = self.ranks * (1 if table == "crops" else self.n_contrasts)
        chunks = self.store.row_chunks(table, "embedding", start * each, stop * each)
        return np.concatenate([chunk for _, chunk in chunks])

    def values(self, start: int, stop: int) -> Tensor:
        """Read some neurons' activations on all images, ``(n, images)``; NaN where unreadable."""
        chunks = self.store.row_chunks("activations", "activations", start, stop)
        values = torch.cat([torch.from_numpy(np.array(chunk)) for _, chunk in chunks])
        unreadable = torch.from_numpy(~self.samples["readable"].to_numpy())
        return values.masked_fill_(unreadable, torch.nan)

    def row(self, layer: str, neuron: int | str) -> int:
        """Find a neuron's row in every table that has one row per neuron, by its number or name.

        Raises
        ------
        KeyError
            If the layer is not part of the analysis; close names are suggested.
        IndexError
            If the layer has no such neuron.
        TypeError
            If it is neither a whole number nor a name.
        StoreError
            If the analysis has been made anew with other inputs meanwhile: rows may be those of
            other neurons.
        """
        self.store.current()
        if layer not in self.spans:
            raise self._no_layer(layer)
        start, stop = self.spans[layer]
        if isinstance(neuron, str):
            neuron = self._numbered(layer, neuron)
        if isinstance(neuron, bool) or not hasattr(neuron, "__index__"):
            raise TypeError(f"neuron={neuron!r} must be a whole number.")
        if not 0 <= neuron < stop - start:
            raise IndexError(
                f"neuron={neuron} is outside 0..{stop - start - 1} of layer {layer!r}."
            )
        return start + int(neuron)

    def name(self, layer: str, neuron: int) -> str:
        """Return what a neuron is called: ``"17"``, or ``"17-"`` for a negative pole."""
        return neuron_name(neuron, self.poles.get(layer))

    def _numbered(self, layer: str, name: str) -> int:
        found = neuron_number(name, self.poles.get(layer))
        if found is None:
            start, stop = self.spans[layer]
            last = self.poles.get(layer, stop - start) - 1
            known = f'"0-" to "{last}-"' if layer in self.poles else "no negative poles"
            raise IndexError(
                f'neuron={name!r} is none of layer {layer!r}: it has "0" to "{last}", and {known}.'
            )
        return found

    def layers_like(self, pattern: str) -> list[str]:
        """Return the layers that a name or a pattern stands for.

        Raises
        ------
        KeyError
            If there is none; close names are suggested.
        """
        found = layers_like(str(pattern), self.layers)
        if not found:
            raise self._no_layer(pattern)
        return found

    def _no_layer(self, layer: str) -> KeyError:
        close = difflib.get_close_matches(str(layer), self.layers, n=3)
        hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else ""
        return KeyError(f"layer={layer!r} is not one of {list(self.layers)}. {hint}".rstrip())

    def examples(self, row: int) -> pd.DataFrame:
        """Concept examples of one neuron with their contrasts, by rank."""
        span = list(range(row * self.ranks, (row + 1) * self.ranks))
        frame: pd.DataFrame = self.store.rows("examples", span).to_pandas()
        contrast = self.store.rows("contrasts", span).to_pandas()
        frame = frame[["rank", "sample", "activation"]].assign(
            contrast_sample=contrast["sample"],
            contrast_activation=contrast["activation"],
            similarity=contrast["similarity"],
        )
        frame = frame[frame["sample"] >= 0].reset_index(drop=True)
        contrasts = frame["contrast_sample"].to_numpy()
        made = self._made(contrasts[contrasts >= self.embeddings.shape[0]].tolist())
        of = [made[sample]["of"] if sample in made else sample for sample in contrasts.tolist()]
        both = np.concatenate([frame["sample"], of]).astype(np.int64)
        about = self.store.rows("samples", both.clip(min=0)).to_pandas()
        names = np.array([self._class_name(label) for label in about["label"]], object)
        for prefix, half in (("", slice(len(frame))), ("contrast_", slice(len(frame), None))):
            there = both[half] >= 0
            frame[f"{prefix}class_name"] = np.where(there, names[half], "")
            frame[f"{prefix}uri"] = np.where(there, about["uri"].to_numpy(object)[half], "")
        origins = [
            made[sample]["origin"] if sample in made else "data set" if sample >= 0 else ""
            for sample in contrasts.tolist()
        ]
        frame["contrast_origin"] = origins
        frame["changed"] = [
            made[sample]["changed"] if sample in made else math.nan for sample in contrasts.tolist()
        ]
        ours = frame["contrast_origin"].isin(["edited", "made"])
        frame.loc[ours, "contrast_class_name"] = ""
        frame.loc[ours, "contrast_uri"] = frame["contrast_origin"] + ", for " + frame["uri"]
        return frame

    def _made(self, samples: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Read of which example pictures were made, and how, by their numbers."""
        if not samples:
            return {}
        known = self.store.rows("pictures", []).schema.names
        columns = [name for name in ("sample", "of", "origin", "changed") if name in known]
        rows = self.store.matching("pictures", {"sample": set(samples)}, columns)
        # Earlier releases did not keep how much was changed.
        return {row["sample"]: {"changed": math.nan, **row} for row in rows.to_pylist()}

    def _class_name(self, label: int) -> str:
        return self.classes[label] if 0 <= label < len(self.classes) else ""

    def activations(self, row: int) -> NDArray[np.float32]:
        """Pooled activation of one neuron on every image; NaN where unreadable."""
        return self.values(row, row + 1)[0].numpy()

    # -- pictures --------------------------------------------------------------------------------

    def thumbnails(self, samples: Sequence[int]) -> list[bytes]:
        """JPEGs of images that serve as an example of some neuron.

        Raises
        ------
        KeyError
            If an image is no example, so that no thumbnail was kept.
        StoreError
            If the analysis has been made anew with other inputs meanwhile.
        """
        self.store.current()
        found = self._keyed("thumbnails", [(sample,) for sample in samples])
        jpegs = dict(zip(found["sample"].to_pylist(), found["jpeg"].to_pylist(), strict=True))
        for sample in samples:
            if sample not in jpegs:
                raise KeyError(f"sample={sample} is not an example of any neuron: no thumbnail.")
        return [jpegs[sample] for sample in samples]

    def heatmaps(self, row: int, samples: Sequence[int]) -> dict[int, StoredHeatmap]:
        """Read what is stored of the heatmaps of one neuron, by sample."""
        if not samples or not self.store.has("heatmaps"):
            return {}
        found = self._keyed("heatmaps", [(row, sample) for sample in samples])
        return dict(zip(found["sample"].to_pylist(), read_heatmaps(found), strict=True))

    @cached_property
    def _offsets(self) -> dict[str, dict[tuple[int, ...], int]]:
        """Where the rows of a table lie, by table and key; as of when they were last looked for."""
        return {}

    def _keyed(self, table: str, keys: Sequence[tuple[int, ...]]) -> pa.Table:
        """Read the rows of a table that have one of the keys.

        Its owner may write rows meanwhile, or the table anew, in another order. So a row counts
        only if it has a key that was asked for; those that are missing are searched for, and the
        others are not read again.
        """
        wanted = set(keys)
        if table not in self._offsets:
            listed = _keys_of(table, self.store.read(table, _KEYS[table]))
            self._offsets[table] = {key: offset for offset, key in enumerate(listed)}
        offsets = self._offsets[table]
        found = _those(
            table, self._rows(table, [offsets[key] for key in wanted if key in offsets]), wanted
        )
        if missing := wanted - set(_keys_of(table, found)):
            columns = zip(_KEYS[table], zip(*missing, strict=True), strict=True)
            rest = self.store.matching(table, {name: set(values) for name, values in columns})
            found = pa.concat_tables([found, _those(table, rest, missing)])
        return found

    def _rows(self, table: str, offsets: Sequence[int]) -> pa.Table:
        try:
            return self.store.rows(table, offsets)
        except IndexError:  # the table has become shorter
            return self.store.rows(table, [])
