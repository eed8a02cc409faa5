"""What neurons mean for classes: their relevance for an output, their examples within a class."""

from __future__ import annotations

import difflib
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from semlens_widgets.analysis.audit import relevance_shares
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.attribution.output import relevance_method
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.relevance import images_relevance
from semlens_widgets.store.columns import as_matrix, vector_column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.inputs.outputs import Names
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.store import AnalysisStore

TABLE = "image_relevance"
_KEPT_AFTER = 20.0  # seconds of work that an interruption may cost


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
            do not cover the model: units without a decoder, a composite, unknown attention.
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
        output = self.output(of)
        chosen = self.images_of(of, output, samples)
        values, method = self.by_image(output, chosen)
        frame = self._read.neurons[["layer", "neuron"]].copy()
        share = np.nan_to_num(self.shares(output, chosen)[0])
        frame["relevance_mean"] = values.mean(axis=0)
        frame["relevance_max"] = values.max(axis=0)
        frame["share_mean"] = share.mean(axis=0).astype(np.float32)
        frame["share_max"] = share.max(axis=0).astype(np.float32)
        frame.attrs["method"] = method
        return frame

    def images_of(
        self, of: str | int, output: int, samples: Sequence[int] | None
    ) -> NDArray[np.int64]:
        """Return the images to look at for an output; see :meth:`relevance`."""
        chosen = self.class_of(output) if samples is None else self.chosen(samples)
        if samples is None and not len(chosen) and not isinstance(of, str):
            chosen = np.flatnonzero(self._read.samples["readable"])
        if not len(chosen):
            raise ValueError(
                f"of={of!r}: there are no images of a class of this name; give samples."
            )
        return chosen

    def keep(
        self,
        output: int,
        chosen: NDArray[np.int64],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute what is not kept yet of the relevance for an output on some images."""
        missing = np.setdiff1d(chosen, self._stored(output)[0])
        if len(missing):
            plan = self._need_plan("Relevances")
            self._compute(plan, output, missing, progress or (lambda _done, _total: None))

    def check_own(
        self, chosen: NDArray[np.int64], output: int, target: str | int, advice: str
    ) -> None:
        """Refuse images of other classes, where it is known which are the class's own.

        Raises
        ------
        ValueError
            If there are some; `advice` says what for they may be given elsewhere.
        """
        own = self.class_of(output)
        strangers = np.setdiff1d(chosen, own)
        if not len(own) or not len(strangers):
            return
        labels, names = self._read.samples["label"].to_numpy(), self._read.classes
        some = ", ".join(
            f"{one} ({names[labels[one]]!r})" if labels[one] >= 0 else f"{one} (of no class)"
            for one in strangers[:4].tolist()
        )
        raise ValueError(
            f"images: {len(strangers)} of {len(chosen)} are not of the class {target!r}: {some}"
            f"{', ...' if len(strangers) > 4 else ''}. {advice}"
        )

    def by_image(self, output: int, chosen: NDArray[np.int64]) -> tuple[NDArray[np.float32], str]:
        """Return the relevance of all neurons for an output on each of some images.

        What is computed is kept as the work goes on, so that an interruption costs little.

        Returns
        -------
        relevance
            ``(images, neurons)``, signed.
        method
            How it was made.
        """
        self.keep(output, chosen)
        return self._kept(output, chosen, "relevance"), self._stored(output)[2]

    def shares(
        self, output: int, chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Return what each neuron carries of its layer's positive relevance on each image.

        Returns
        -------
        shares
            ``(images, neurons)``, NaN where nothing in a layer speaks for the output.
        rest
            ``(images,)`` by layer whose neurons are units of an encoder: the share of the
            encoder's error.
        """
        values, _ = self.by_image(output, chosen)
        encoded = [layer for layer in self._read.spans if layer in self._encoded]
        errors = self._kept(output, chosen, "rest") if encoded else None
        parts, rest = [], {}
        for layer, (start, stop) in self._read.spans.items():
            own = values[:, start:stop]
            if errors is not None and layer in encoded:
                own = np.concatenate([own, errors[:, [encoded.index(layer)]]], axis=1)
            share = relevance_shares(own)
            parts.append(share[:, : stop - start])
            if layer in encoded:
                rest[layer] = share[:, -1]
        return np.concatenate(parts, axis=1), rest

    def _compute(
        self,
        plan: Plan,
        output: int,
        missing: NDArray[np.int64],
        tell: Callable[[int, int], None],
    ) -> None:
        method = relevance_method(plan.target)
        held: list[tuple[Sequence[int], Tensor, Tensor]] = []

        def keep() -> None:
            if not held:
                return
            relevance = torch.cat([values for _, values, _ in held]).numpy()
            rest = torch.cat([rest for _, _, rest in held]).numpy()
            samples = [sample for some, _, _ in held for sample in some]
            held.clear()
            rows = {
                "output": pa.array([output] * len(samples), pa.int32()),
                "sample": pa.array(samples, pa.int64()),
                "method": pa.array([method] * len(samples), pa.string()),
                "relevance": vector_column(relevance),
            }
            if rest.size:
                rows["rest"] = vector_column(rest)
            with self._store.writing():
                self._store.append(TABLE, pa.table(rows))

        found = images_relevance(
            plan.target, plan.images, missing.tolist(), output, plan.batch_size
        )
        since = time.monotonic()
        done = 0
        tell(done, len(missing))
        try:
            for part in found:
                held.append(part)
                done += len(part[0])
                tell(done, len(missing))
                if time.monotonic() - since > _KEPT_AFTER:
                    keep()
                    since = time.monotonic()
        finally:
            keep()

    def _kept(self, output: int, chosen: NDArray[np.int64], column: str) -> NDArray[np.float32]:
        samples, places, _ = self._stored(output)
        order = np.argsort(samples, kind="stable")
        wanted = places[order[np.searchsorted(samples, chosen, sorter=order)]]
        return as_matrix(self._store.rows(TABLE, wanted).column(column))

    def _stored(self, output: int) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
        """Return the images whose relevance is kept, their rows, and how it was made."""
        nothing = np.empty(0, np.int64)
        if not self._store.has(TABLE):
            return nothing, nothing, ""
        rows = self._store.frame(TABLE, ["output", "sample", "method"])
        rows = rows[rows["output"] == output].drop_duplicates("sample")
        method = rows["method"].iloc[0] if len(rows) else ""
        return rows["sample"].to_numpy(), rows.index.to_numpy(np.int64), method

    def class_examples(
        self, layer: str, neuron: int | str, of: str | int, *, top: int | None = None
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
        members = self._of_class([of]) if isinstance(of, str) else self.class_of(self.output(of))
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

    def output(self, of: str | int) -> int:
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
    def _encoded(self) -> dict[str, Any]:
        encoded: dict[str, Any] = self._store.settings.get("units", {})
        return encoded

    @property
    def _classes(self) -> str:
        return ", ".join(map(repr, self._read.classes[:8])) or "no classes"

    def class_of(self, output: int) -> NDArray[np.int64]:
        """Return the images of the classes that are called as an output is."""
        named = [name for name, number in self._names.items() if number == [output]]
        return self._of_class(named if self._names else [str(output)])

    def _of_class(self, names: Sequence[str]) -> NDArray[np.int64]:
        samples = self._read.samples
        labels = [at for at, name in enumerate(self._read.classes) if name in names]
        return np.flatnonzero(samples["label"].isin(labels) & samples["readable"])

    def output_of(self, name: str) -> int:
        """Return the output that a class of the images is called by; -1 if none or several are."""
        if self._names:
            numbers = self._names.get(name, [])
            return numbers[0] if len(numbers) == 1 else -1
        return int(name) if name.isascii() and name.isdecimal() else -1

    def chosen(self, samples: Sequence[int]) -> NDArray[np.int64]:
        """Return the numbers of images that were given as numbers or as a mask, in rising order.

        Raises
        ------
        TypeError
            If they are neither.
        ValueError
            If there are no such images.
        """
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
