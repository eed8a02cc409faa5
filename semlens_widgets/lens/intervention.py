"""A change of the model: what it does beside chance, and the corrected model itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semlens_widgets.analysis.effects import Effects
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.answers import last_layer
from semlens_widgets.inputs.corrected import corrected
from semlens_widgets.inputs.draws import alike
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.lens.refit import fitted_heads
from semlens_widgets.pipeline.answers import images_logits, images_variants
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from semlens_widgets.inputs.corrections import Correction
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.refit import Refit
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.pipeline.settings import Plan

_DRAWS = 20  # random controls
_ENDS = ("", "_control", "_low", "_high")


class Intervention:
    """Neurons whose part in the model is changed; made by :meth:`SemanticLens.intervene`.

    Attributes
    ----------
    how : str
        What is done to them.
    corrections : dict
        By layer, the change itself.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        relevances: Relevances,
        plan: Plan,
        rows: list[int],
        how: str,
        make: Callable[[list[int]], dict[str, Correction]],
        seed: int,
        refit: Refit | None = None,
    ) -> None:
        self._reader = reader
        self._relevances = relevances
        self._plan = plan
        self._rows = rows
        self._make = make
        self._seed = seed
        self._refit = refit
        self.how = how
        self.corrections = make(rows)

    def __repr__(self) -> str:
        then = ", last layer fitted anew" if self._refit else ""
        return f"Intervention({self.how}, {len(self._rows)} neurons{then})"

    @property
    def neurons(self) -> pd.DataFrame:
        """The neurons that are changed, in order: layer, neuron."""
        table = self._reader.neurons[["layer", "neuron"]].iloc[self._rows]
        return table.reset_index(drop=True)

    @plainly()
    def effects(
        self,
        images: ImageDataset | Sequence[int] | None = None,
        groups: Mapping[str, ArrayLike] | ArrayLike | None = None,
    ) -> Effects:
        """Measure what the change does to what the model says, beside random changes.

        Parameters
        ----------
        images
            Numbers of the analysed images, or others with classes; by default all analysed images
            whose class is an output's name.
        groups
            Images that are looked at by themselves: by name, numbers among `images` or a mask of
            them; or for each image the name of its group. Accuracy is told for each, and for the
            worst class in a group.

        Returns
        -------
        Effects
            ``accuracy``, ``classes`` and ``confusion`` as tables, each before, after, and of 20
            random controls: as many neurons of the same layers, changed alike.

        Raises
        ------
        ValueError
            If no image has a class that an output is called by, or a group fits no image.
        UnreadableImage
            If an image cannot be read.
        """
        dataset, samples, truth = self._shown(images)
        masks = _checked(groups, len(samples))
        variants = [{}, self.corrections, *self._controls(self._rows)]
        head = self._refit.layer if self._refit else None
        found = images_variants(
            self._plan.target, dataset, samples, variants, self._plan.batch_size, head
        )
        logits = self._refit.logits(found) if self._refit else found
        return Effects(logits.numpy(), truth, self._names(logits.shape[2]), masks)

    @plainly()
    def refit(
        self, images: ImageDataset | Sequence[int] | None = None, *, strength: float = 1e-3
    ) -> Intervention:
        """Fit the last layer anew behind the changed neurons.

        Each random control gets a last layer of its own, fitted to the same images behind its own
        neurons, so that :meth:`effects` still tells what the choice of neurons does.

        Parameters
        ----------
        images
            As in :meth:`effects`. Artefacts that come with one class alone here will be learnt
            again.
        strength
            How strongly the layer is held where it was, see
            :func:`semlens_widgets.analysis.refit.refitted`.

        Returns
        -------
        Intervention
            Another one; this one stays as it is.

        Raises
        ------
        ModelError
            If the logits are not what one dense layer returns.
        ValueError
            If `strength` is not positive, or see :meth:`effects`.
        """
        if not strength > 0:
            raise ValueError(f"strength={strength} must be positive.")
        target = self._plan.target
        layer, linear = last_layer(target, target.probe())
        dataset, samples, truth = self._shown(images)
        variants = [self.corrections, *self._controls(self._rows)]
        features = images_variants(target, dataset, samples, variants, self._plan.batch_size, layer)
        refit = fitted_heads(layer, linear, features, truth, strength)
        return Intervention(
            self._reader,
            self._relevances,
            self._plan,
            self._rows,
            self.how,
            self._make,
            self._seed,
            refit,
        )

    @plainly()
    def sweep(
        self,
        of: str | int,
        images: ImageDataset | Sequence[int] | None = None,
        counts: Sequence[int] | None = None,
    ) -> pd.DataFrame:
        """Measure the effects of changing the first neuron, the first two, and so on.

        Parameters
        ----------
        of
            The class whose recall and false targets are told, as in :meth:`SemanticLens.audit`.
        images
            As in :meth:`effects`.
        counts
            How many of the neurons; by default 1, 2, 4, ... and all.

        Returns
        -------
        pandas.DataFrame
            neurons; accuracy, recall and false (share of the images of other classes that are said
            to be of the class), each after, and of random controls of the same size with low and
            high.

        Raises
        ------
        ValueError
            If a count is not between 0 and the number of neurons, or see :meth:`effects`.
        """
        if self._refit:
            raise ValueError(
                "A last layer was fitted for all of these neurons, not for some of them: sweep the "
                "intervention before refit()."
            )
        output = self._relevances.output(of)
        total = len(self._rows)
        steps = [2**power for power in range(total.bit_length()) if 2**power < total] + [total]
        wanted = list(dict.fromkeys(steps if counts is None else counts))
        if not wanted or not 0 <= min(wanted) <= max(wanted) <= total:
            raise ValueError(f"counts={counts!r} must lie in 0 to {total}.")
        dataset, samples, truth = self._shown(images)
        variants: list[dict[str, Correction]] = [{}]
        for count in wanted:
            rows = self._rows[:count]
            variants += [self._make(rows), *self._controls(rows)]
        logits = images_variants(
            self._plan.target, dataset, samples, variants, self._plan.batch_size
        ).numpy()
        size, names = 1 + _DRAWS, self._names(logits.shape[2])
        found = []
        for at, count in enumerate(wanted):
            chosen = [0, *range(1 + at * size, 1 + (at + 1) * size)]
            effects = Effects(logits[chosen], truth, names, {})
            found.append((count, *effects.of(output)))
        figures = [f"{kind}{end}" for kind in ("accuracy", "recall", "false") for end in _ENDS]
        return pd.DataFrame(found, columns=["neurons", *figures])

    def model(self) -> nn.Module:
        """Return a corrected copy of the model, to use and to save like the model itself.

        Layers keep their names. The corrections lie in buffers, so that ``safetensors.torch``'s
        ``save_model`` and ``load_model`` take them along with the weights; to load them, make the
        same intervention and load into its ``model()``.

        Raises
        ------
        ModelError
            If the copy does not answer as the intervention does, because the model does not go
            through the layer that is corrected.
        """
        target = self._plan.target
        axes = {layer: target.channel_axis(layer) for layer in self.corrections}
        made = corrected(target.model, self.corrections, axes)
        if self._refit:
            self._refit.put_into(made)
        self._check_alike(made)
        return made

    def _check_alike(self, made: nn.Module) -> None:
        """Refuse a corrected copy that answers otherwise than the intervention does."""
        target, images, size = self._plan.target, self._plan.images, self._plan.batch_size
        samples = np.unique(self._reader.example_samples[self._rows].numpy())
        few = samples[samples >= 0][:8].tolist()
        if not few:
            return
        copied = TargetModel(
            made,
            target.layers,
            transform=target.transform,
            logits=target.logits,
            device=target.device,
        )
        head = self._refit.layer if self._refit else None
        theirs = images_variants(target, images, few, [{}, self.corrections], size, head)
        theirs = self._refit.logits(theirs) if self._refit else theirs
        if not alike(images_logits(copied, images, few, size), theirs[1]):
            raise ModelError(
                f"A copy of this {type(target.model).__name__} with the corrections built in does "
                "not answer as the intervention does: its forward pass reaches into "
                f"{', '.join(map(repr, self.corrections))} by another way."
            )

    def _controls(self, rows: list[int]) -> list[dict[str, Correction]]:
        """Change as many other neurons of the same layers, drawn at random, in the same way."""
        generator = np.random.default_rng(self._seed)
        return [self._make(self._drawn(rows, generator)) for _ in range(_DRAWS)]

    def _drawn(self, rows: list[int], generator: np.random.Generator) -> list[int]:
        drawn: list[int] = []
        for start, stop in self._reader.spans.values():
            own = [row for row in rows if start <= row < stop]
            others = np.setdiff1d(np.arange(start, stop), self._rows)
            if len(others) < len(own):
                others = np.arange(start, stop)
            drawn += generator.choice(others, len(own), replace=False).tolist()
        return drawn

    def _shown(
        self, images: ImageDataset | Sequence[int] | None
    ) -> tuple[ImageDataset, list[int], NDArray[np.int64]]:
        """Return images, which of them, and the output that is right for each."""
        if isinstance(images, ImageDataset):
            labels = np.asarray(images.labels if images.labels is not None else [-1] * len(images))
            dataset, classes, samples = images, images.classes, np.arange(len(images))
        else:
            dataset, classes = self._plan.images, self._reader.classes
            table = self._reader.samples
            labels = table["label"].to_numpy()
            readable = np.flatnonzero(table["readable"])
            samples = readable if images is None else self._relevances.chosen(images)
        outputs = np.array([*(self._relevances.output_of(name) for name in classes), -1], np.int64)
        truth = outputs[labels[samples]]
        known = truth >= 0
        if images is not None and not known.all():
            raise ValueError(
                f"images: of {(~known).sum()} of {len(samples)} it is not known which output is "
                "right; their classes must be outputs' names, see TargetModel(..., outputs=names)."
            )
        if not known.any():
            raise ValueError(
                "No image has a class that is an output's name, so it is not known which answers "
                "are right. Give the outputs' names: TargetModel(..., outputs=[...]), which is "
                "outputs=images.classes if the model was trained on these classes in this order."
            )
        return dataset, samples[known].tolist(), truth[known]

    def _names(self, count: int) -> tuple[str, ...]:
        names = [str(number) for number in range(count)]
        for name, numbers in self._plan.target.outputs.items():
            for number in numbers:
                names[number] = name
        return tuple(names)


def _checked(
    groups: Mapping[str, ArrayLike] | ArrayLike | None, count: int
) -> dict[str, NDArray[np.bool_]]:
    """Return groups of images as masks."""
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        names = np.asarray(groups)
        if names.shape != (count,):
            raise ValueError(
                f"groups: expected a name for each of {count} images, got {names.shape}."
            )
        return {str(name): names == name for name in np.unique(names)}
    masks = {}
    for name, given in groups.items():
        mask = np.asarray(given)
        if mask.dtype != np.bool_:
            numbers = mask.astype(np.int64)
            if numbers.size and not 0 <= numbers.min() <= numbers.max() < count:
                raise ValueError(f"groups[{name!r}] must lie in 0 to {count - 1}.")
            mask = np.isin(np.arange(count), numbers)
        if mask.shape != (count,) or not mask.any():
            raise ValueError(f"groups[{name!r}] fits none of the {count} images.")
        masks[str(name)] = mask
    return masks
