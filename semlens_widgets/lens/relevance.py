"""What neurons mean for classes: their relevance for an output, their examples within a class."""

from __future__ import annotations

import difflib
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.attribution.output import relevance_method
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.relevance import images_relevance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.inputs.outputs import Names
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.store import AnalysisStore

TABLE = "output_relevance"


class Relevances:
    """The part of a lens that asks for classes; see :class:`SemanticLens`.

    Parameters
    ----------
    store, reader
        The finished analysis.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self, store: AnalysisStore, reader: AnalysisReader, need_plan: Callable[[str], Plan]
    ) -> None:
        self._store = store
        self._read = reader
        self._need_plan = need_plan

    @plainly()
    def relevance(self, of: str | int, *, samples: Sequence[int] | None = None) -> pd.DataFrame:
        """Measure how much every neuron matters for one output of the model.

        Layer-wise relevance propagation from the output to all layers, summed over positions, on
        each of the images. What was computed once is kept in the store.

        Parameters
        ----------
        of
            The number of an output, or its name as in ``TargetModel(..., outputs=names)``. Without
            names an output is called by its number, so that a class "10" means output 10.
        samples
            Images to look at; by default those of the class that is called as the output is (of a
            number without such images: all).

        Returns
        -------
        pandas.DataFrame
            layer, neuron; relevance_mean and relevance_max over the images, in units of the output
            (a logit); share_mean and share_max, a neuron's share of its layer's positive relevance
            on an image. ``attrs["method"]`` says how they were made.

        Raises
        ------
        ValueError
            If it is not known which output is meant, there are no images to look at, or the rules
            do not cover the model: units of an encoder, a composite, unknown attention.
        ModelError
            If it is not clear which of what the model returns are its outputs or its logits.
        ModelChanged
            If the model is no longer the one that the analysis was made with.
        TypeError
            If `of` is neither a number nor a name.
        LensUnavailable
            If it is not stored and the analysis was opened without model and images.

        Notes
        -----
        The relevance axis of the audit in SemanticLens (arXiv 2501.05398).
        """
        output = self._output(of)
        chosen = self._of_output(output) if samples is None else self._chosen(samples)
        if samples is None and not len(chosen) and not isinstance(of, str):
            chosen = np.flatnonzero(self._read.samples["readable"])
        if not len(chosen):
            raise ValueError(
                f"of={of!r}: there are no images of a class of this name; give samples."
            )
        key = f"{output}-{hashlib.blake2b(chosen.tobytes(), digest_size=8).hexdigest()}"
        found = self._stored(key)
        if found is None:
            plan = self._need_plan("Relevances")
            found = self._summary(
                images_relevance(plan.target, plan.images, chosen.tolist(), output, plan.batch_size)
            ).assign(method=relevance_method(plan.target))
            with self._store.writing():
                table = pa.Table.from_pandas(found, preserve_index=False)
                keys = pa.array([key] * len(found), pa.string())
                self._store.append(TABLE, table.append_column("key", keys))
        method = found.pop("method")[0]
        frame = pd.concat([self._read.neurons[["layer", "neuron"]], found], axis=1)
        frame.attrs["method"] = method
        return frame

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
        if not self._store.has(TABLE):
            return None
        rows = self._store.frame(TABLE)
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
            A class of the images by its name, or the number of the output that is called so.
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
        members = self._of_class([of]) if isinstance(of, str) else self._of_output(self._output(of))
        if not len(members):
            raise ValueError(
                f"of={of!r}: there are no images of this class; the images have {self._classes}."
            )
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
        """Return the number of an output; the order of the images' classes says nothing of it."""
        if isinstance(of, (int, np.integer)) and not isinstance(of, bool):
            return int(of)
        if not isinstance(of, str):
            raise TypeError(f"of={of!r} must be the number of an output or its name.")
        names = self._names
        numbers = names.get(of, [])
        if len(numbers) == 1:
            return numbers[0]
        if numbers:
            raise ValueError(f"of={of!r} is the name of outputs {numbers}; give a number.")
        if names:
            some = ", ".join(map(repr, difflib.get_close_matches(of, names) or [*names][:8]))
            raise ValueError(f"of={of!r} is not the name of an output; there are {some}.")
        if of.isascii() and of.isdecimal() and of == str(int(of)):
            return int(of)
        raise ValueError(
            f"of={of!r}: it is not known which output of the model this is. Give its number, or "
            "give the outputs' names in their order: TargetModel(..., outputs=[...]), which is "
            "outputs=images.classes if the model was trained on these classes in this order. The "
            f"images have {self._classes}."
        )

    @property
    def _names(self) -> Names:
        names: Names = self._store.settings.get("outputs", {})
        return names

    @property
    def _classes(self) -> str:
        return ", ".join(map(repr, self._read.classes[:8])) or "no classes"

    def _of_output(self, output: int) -> NDArray[np.int64]:
        """Return the images of the classes that are called as an output is."""
        named = [name for name, number in self._names.items() if number == [output]]
        return self._of_class(named if self._names else [str(output)])

    def _of_class(self, names: Sequence[str]) -> NDArray[np.int64]:
        samples = self._read.samples
        labels = [at for at, name in enumerate(self._read.classes) if name in names]
        return np.flatnonzero(samples["label"].isin(labels) & samples["readable"])

    def _chosen(self, samples: Sequence[int]) -> NDArray[np.int64]:
        count = len(self._read.samples)
        given = np.asarray(samples)
        if given.dtype == np.bool_ and given.shape == (count,):
            given = np.flatnonzero(given)
        if given.size and given.dtype.kind not in "iu":
            raise TypeError(
                "samples must be numbers of images, as in lens.examples(...)['sample'], or a mask "
                f"of True and False for each of the {count} images; it holds {given.dtype}."
            )
        chosen = np.unique(given.astype(np.int64))
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < count:
            raise ValueError(f"samples must lie in 0 to {count - 1}: there are {count} images.")
        return chosen
