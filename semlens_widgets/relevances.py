"""What neurons mean for classes: their relevance for an output, their examples within a class."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from semlens_widgets.pipeline.relevance import images_relevance
from semlens_widgets.pipeline.select import concept_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.reader import AnalysisReader
    from semlens_widgets.run import Plan
    from semlens_widgets.store import AnalysisStore

TABLE = "output_relevance"


class Relevances:
    """The part of a lens that asks for classes.

    It relies on ``store``, ``_read`` and ``_need_plan`` of the lens.
    """

    store: AnalysisStore

    @property
    def _read(self) -> AnalysisReader:
        raise NotImplementedError

    def _need_plan(self, what: str) -> Plan:
        raise NotImplementedError

    def relevance(self, of: str | int, *, samples: Sequence[int] | None = None) -> pd.DataFrame:
        """Measure how much every neuron matters for one output of the model.

        Layer-wise relevance propagation from the output to all layers, summed over positions, on
        each of the images. What was computed once is kept in the store.

        Parameters
        ----------
        of
            A class name, or the index of an output.
        samples
            Images to look at; by default those of the class (an index without such images: all).

        Returns
        -------
        pandas.DataFrame
            layer, neuron; relevance_mean and relevance_max over the images, in units of the output
            (a logit); share_mean and share_max, a neuron's share of its layer's positive relevance
            on an image.

        Raises
        ------
        ValueError
            If the class is unknown, or there are no images to look at.
        LensUnavailable
            If it is not stored and the analysis was opened without model and images.

        Notes
        -----
        The relevance axis of the audit in SemanticLens (arXiv 2501.05398).
        """
        output = self._output(of)
        chosen = self._of_class(output) if samples is None else np.asarray(samples, np.int64)
        if samples is None and not len(chosen) and isinstance(of, int):
            chosen = np.flatnonzero(self._read.samples["readable"])
        if not len(chosen):
            raise ValueError(f"of={of!r}: there are no images of this class; give samples.")
        key = f"{output}-{hashlib.blake2b(np.sort(chosen).tobytes(), digest_size=8).hexdigest()}"
        found = self._stored(key)
        if found is None:
            plan = self._need_plan("Relevances")
            found = self._summary(
                images_relevance(
                    plan.target, plan.images, np.sort(chosen).tolist(), output, plan.batch_size
                )
            )
            with self.store.writing():
                table = pa.Table.from_pandas(found, preserve_index=False)
                keys = pa.array([key] * len(found), pa.string())
                self.store.append(TABLE, table.append_column("key", keys))
        return pd.concat([self._read.neurons[["layer", "neuron"]], found], axis=1)

    def _summary(self, relevance: dict[str, Any]) -> pd.DataFrame:
        parts = []
        for layer in self._read.layers:
            values = relevance[layer].numpy()  # (images, neurons)
            positive = np.maximum(values, 0)
            total = positive.sum(axis=1, keepdims=True)
            share = positive / np.where(total > 0, total, 1)
            parts.append(
                pd.DataFrame(
                    {
                        "relevance_mean": values.mean(axis=0),
                        "relevance_max": values.max(axis=0),
                        "share_mean": share.mean(axis=0),
                        "share_max": share.max(axis=0),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _stored(self, key: str) -> pd.DataFrame | None:
        if not self.store.has(TABLE):
            return None
        rows = self.store.frame(TABLE)
        rows = rows[rows["key"] == key].drop(columns="key")
        return rows.reset_index(drop=True) if len(rows) else None

    def class_examples(
        self, layer: str, neuron: int, of: str | int, *, top: int | None = None
    ) -> pd.DataFrame:
        """Find the images of one class that activate a neuron most: its reference set within it.

        Parameters
        ----------
        layer, neuron
            The neuron.
        of
            A class name or index.
        top
            How many; by default ``n_examples``.

        Returns
        -------
        pandas.DataFrame
            rank, sample, activation, uri; fewer rows if the class has fewer images.

        Raises
        ------
        ValueError
            If the class is unknown or has no images.
        """
        members = self._of_class(self._output(of))
        if not len(members):
            raise ValueError(f"of={of!r}: there are no images of this class.")
        row = self._read.row(layer, neuron)
        values = self._read.activations(row)[members]
        indices, best = concept_examples(values[:, None], top or self._read.ranks)
        samples = members[indices[0].numpy()]
        return pd.DataFrame(
            {
                "rank": np.arange(len(samples)),
                "sample": samples,
                "activation": best[0].numpy(),
                "uri": self._read.samples["uri"].to_numpy()[samples],
            }
        )

    def _output(self, of: str | int) -> int:
        if isinstance(of, int):
            return of
        if of not in self._read.classes:
            raise ValueError(
                f"of={of!r} is not a class; the images have "
                f"{', '.join(map(repr, self._read.classes[:8])) or 'no classes'}."
            )
        return self._read.classes.index(of)

    def _of_class(self, output: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        samples = self._read.samples
        return np.flatnonzero((samples["label"] == output) & samples["readable"])
