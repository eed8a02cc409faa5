"""A change of the model: what it does beside chance, and the corrected model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from semlens_widgets.analysis.effects import Effects
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.answers import last_layer
from semlens_widgets.inputs.corrected import corrected
from semlens_widgets.inputs.draws import alike
from semlens_widgets.lens.judged import Judged, grouped, judged, output_names
from semlens_widgets.lens.retrained import Tuned, Untrained, fitted_heads, like
from semlens_widgets.pipeline.answers import images_logits, images_variants
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.finetune import finetune
from semlens_widgets.pipeline.loading import KeptInputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike
    from plotly.graph_objects import Figure
    from torch import nn

    from semlens_widgets.inputs.corrections import Correction
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.lens.judged import Judged
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.lens.retrained import Answers
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.widgets import InterveneView
    from semlens_widgets.widgets import options as of

_DRAWS = 20  # random controls
_MOST_EPOCHS = 20
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
        lens: SemanticLens,
        reader: AnalysisReader,
        relevances: Relevances,
        plan: Plan,
        rows: list[int],
        how: str,
        make: Callable[[list[int]], dict[str, Correction]],
        seed: int,
        inputs: KeptInputs,
        answers: Answers | None = None,
    ) -> None:
        self._lens = lens
        self._reader = reader
        self._relevances = relevances
        self._plan = plan
        self._rows = rows
        self._make = make
        self._seed = seed
        self._inputs = inputs
        self._answers: Answers = answers or Untrained()
        self.how = how
        self.corrections = make(rows)

    def __repr__(self) -> str:
        then = f", {self._answers.said}" if self._answers.said else ""
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
        *,
        most: int | None = None,
        progress: Callable[[int, int], None] | None = None,
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
        most
            Look at no more images than this, drawn at random; ``total`` of what is returned says of
            how many. By default at all of them.
        progress
            Called with how many images of how many are done.

        Returns
        -------
        Effects
            ``accuracy``, ``classes`` and ``confusion`` as tables, each before, after, and of 20
            random controls: as many neurons of the same layers, changed alike.

        Raises
        ------
        ValueError
            If no image has a class that an output is called by, a group fits no image, or `most`
            is not positive.
        UnreadableImage
            If an image cannot be read.
        """
        if most is not None and most < 1:
            raise ValueError(f"most={most} must be positive.")
        whole = self._judged(images)
        dataset, samples, truth = whole.some(most, self._seed)
        masks = grouped(groups, len(samples))
        variants = [{}, self.corrections, *self._controls(self._rows)]
        logits = self._answers.logits(
            self._plan, dataset, samples, variants, self._inputs, progress
        )
        return Effects(
            logits.numpy(),
            truth,
            output_names(self._plan, logits.shape[2]),
            masks,
            np.asarray(samples, np.int64),
            len(whole.samples),
        )

    @plainly()
    def refit(
        self,
        images: ImageDataset | Sequence[int] | None = None,
        *,
        strength: float = 1e-3,
        controls: int = _DRAWS,
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
        controls
            How many of the random controls get a last layer, 1 to 20.

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
        _check_count(controls)
        target = self._plan.target
        layer, linear = last_layer(target, target.probe())
        dataset, samples, truth = self._judged(images)
        variants = [self.corrections, *self._controls(self._rows)[:controls]]
        features = images_variants(target, dataset, samples, variants, self._plan.batch_size, layer)
        return self._then(fitted_heads(layer, linear, features, truth, strength))

    @plainly()
    def finetune(
        self,
        images: ImageDataset | Sequence[int] | None = None,
        *,
        epochs: int = 3,
        rate: float = 1e-4,
        controls: int = 3,
    ) -> Intervention:
        """Train the whole model on behind the changed neurons, a little.

        Parameters
        ----------
        images
            As in :meth:`effects`. Artefacts that come with one class alone here will be learnt
            again, and by any layer: give images that say what the model should do.
        epochs
            How often each image is seen, 1 to 20.
        rate
            The step size of AdamW.
        controls
            How many of the random controls are trained beside it, each as long as the model itself.

        Returns
        -------
        Intervention
            Another one; this one and the lens's model stay as they are.

        Raises
        ------
        ValueError
            If `epochs`, `rate` or `controls` makes no sense, or see :meth:`effects`.
        """
        if not 1 <= epochs <= _MOST_EPOCHS:
            raise ValueError(f"epochs={epochs} must lie in 1 to {_MOST_EPOCHS}.")
        if not 0 < rate < np.inf:
            raise ValueError(f"rate={rate} must be positive.")
        _check_count(controls)
        dataset, samples, truth = self._judged(images)
        variants = [self.corrections, *self._controls(self._rows)[:controls]]
        models = tuple(self._built(one) for one in variants)
        finetune(
            self._plan.target,
            models,
            dataset,
            samples,
            truth,
            epochs=epochs,
            rate=rate,
            batch_size=self._plan.batch_size,
            seed=self._seed,
        )
        return self._then(Tuned(models))

    def _then(self, answers: Answers) -> Intervention:
        return Intervention(
            self._lens,
            self._reader,
            self._relevances,
            self._plan,
            self._rows,
            self.how,
            self._make,
            self._seed,
            self._inputs,
            answers,
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
        if self._answers.said:
            raise ValueError(
                f"The training ({self._answers.said}) was done behind all of these neurons, not "
                "behind some of them: sweep the intervention before it."
            )
        output = self._relevances.output(of)
        total = len(self._rows)
        steps = [2**power for power in range(total.bit_length()) if 2**power < total] + [total]
        wanted = list(dict.fromkeys(steps if counts is None else counts))
        if not wanted or not 0 <= min(wanted) <= max(wanted) <= total:
            raise ValueError(f"counts={counts!r} must lie in 0 to {total}.")
        dataset, samples, truth = self._judged(images)
        variants: list[dict[str, Correction]] = [{}]
        for count in wanted:
            rows = self._rows[:count]
            variants += [self._make(rows), *self._controls(rows)]
        logits = images_variants(
            self._plan.target, dataset, samples, variants, self._plan.batch_size
        ).numpy()
        size, names = 1 + _DRAWS, output_names(self._plan, logits.shape[2])
        found = []
        for at, count in enumerate(wanted):
            chosen = [0, *range(1 + at * size, 1 + (at + 1) * size)]
            effects = Effects(
                logits[chosen], truth, names, {}, np.asarray(samples, np.int64), len(samples)
            )
            found.append((count, *effects.of(output)))
        figures = [f"{kind}{end}" for kind in ("accuracy", "recall", "false") for end in _ENDS]
        return pd.DataFrame(found, columns=["neurons", *figures])

    def figure(
        self,
        images: ImageDataset | Sequence[int] | None = None,
        groups: Mapping[str, ArrayLike] | ArrayLike | None = None,
    ) -> Figure:
        """Draw the effects on accuracy and on the classes that move most; as in :meth:`effects`."""
        from semlens_widgets.lens.figures import effects_figure

        return effects_figure(self.effects(images, groups), repr(self))

    def view(self, **options: Unpack[of.InterveneOptions]) -> InterveneView:
        """Return the change as a widget: other neurons, other ways, and what they do, live."""
        from semlens_widgets.widgets import InterveneView

        rows = np.asarray(self._rows, np.uint32).tobytes()
        return InterveneView(self._lens, **{"selection": rows, "how": self.how, **options})

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
        made = self._answers.built(self._built(self.corrections))
        self._check_alike(made)
        return made

    def _built(self, corrections: Mapping[str, Correction]) -> nn.Module:
        target = self._plan.target
        axes = {layer: target.channel_axis(layer) for layer in corrections}
        return corrected(target.model, corrections, axes)

    def _check_alike(self, made: nn.Module) -> None:
        """Refuse a corrected copy that answers otherwise than the intervention does."""
        target, images, size = self._plan.target, self._plan.images, self._plan.batch_size
        samples = np.unique(self._reader.example_samples[self._rows].numpy())
        few = samples[samples >= 0][:8].tolist()
        if not few:
            return
        theirs = self._answers.logits(
            self._plan, images, few, [{}, self.corrections], KeptInputs()
        )[1]
        if not alike(images_logits(like(target, made), images, few, size), theirs):
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

    def _judged(self, images: ImageDataset | Sequence[int] | None) -> Judged:
        return judged(self._plan, self._reader, self._relevances, images)


def _check_count(controls: int) -> None:
    if not 1 <= controls <= _DRAWS:
        raise ValueError(f"controls={controls} must lie in 1 to {_DRAWS}.")
