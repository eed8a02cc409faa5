"""Traces: which neurons below make a class, or a neuron, respond."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.trace import level
from semlens_widgets.attribution.trace import Goal, layers_below, trace_method
from semlens_widgets.lens.traced import Trace
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.trace import mean_conditional_relevance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.analysis.trace import Level
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.pipeline.settings import Plan

_OTHERS = (
    "A trace asks what makes a class respond to its own images; what makes a neuron respond, it "
    "asks on any: lens.trace((layer, neuron), images=...)."
)
MOST_IMAGES = 64  # of a class; more are drawn from


class Tracing:
    """The part of a lens that traces; see :class:`SemanticLens`.

    Parameters
    ----------
    lens
        The whole, which a view of a trace looks at.
    reader
        The finished analysis.
    relevances, labels
        Knows classes and their images; the neurons' labels.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        lens: SemanticLens,
        reader: AnalysisReader,
        relevances: Relevances,
        labels: KeptLabels,
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._lens = lens
        self._reader = reader
        self._relevances = relevances
        self._labels = labels
        self._need_plan = need_plan

    @plainly()
    def trace(
        self,
        target: str | int | tuple[str, int],
        *,
        images: Sequence[int] | None = None,
        keep: float = 0.8,
        top: int = 8,
        progress: Callable[[int, int], None] | None = None,
    ) -> Trace:
        """Ask which neurons of the lower layers make a class, or a neuron, respond.

        By conditional relevance (CRP), layer by layer: the neurons that carry most of what the
        target gets are kept; of each, it is asked what it gets from the layer below it. What is not
        kept is one error node per layer, with its share.

        Parameters
        ----------
        target
            A class: an output's name as in ``TargetModel(..., outputs=names)``, or its number. Or a
            neuron: ``(layer, neuron)``.
        images
            Numbers of the images to look at. By default those of the class, of which 64 are drawn
            if there are more, always the same; of a neuron its concept examples.
        keep
            Of each layer, the share of the positive relevance traced to it that is to be kept.
        top
            The most neurons that are kept of a layer, even if they carry less than `keep`.
        progress
            Called with how many images of how many are done, all layers together.

        Returns
        -------
        Trace
            ``nodes``, ``edges``, ``graph()``, ``below()``, ``verify()``, ``view()``.

        Raises
        ------
        ValueError
            Before anything is computed: if the class is unknown or has no images, some of `images`
            are of another class, `keep` or `top` makes no sense, a neuron has no layer below it, or
            the rules do not cover the model: units of an encoder, a composite, parallel layers.
        KeyError, IndexError
            If the lens has no such layer or neuron.
        ModelError
            If it is not clear where the model's logits are, or its attention is unknown.
        LensUnavailable
            If the analysis was opened without model and images.

        Notes
        -----
        Attribution graphs: Achtibat et al. 2023 (Concept Relevance Propagation). What is restricted
        to what, `semlens_widgets.attribution.trace` says.
        """
        if not 0 < keep <= 1:
            raise ValueError(f"keep={keep!r} must be above 0 and at most 1.")
        if operator.index(top) < 1:
            raise ValueError(f"top={top!r} must be at least 1.")
        goal, chosen = self._goal(target, images)
        plan = self._need_plan("Traces")
        layers = layers_below(plan.target, goal)
        levels = self._levels(plan, goal, layers, chosen.tolist(), (keep, top), progress)
        return Trace(
            self._lens,
            self._reader,
            self._labels,
            self._need_plan,
            target=target,
            goal=goal,
            images=chosen,
            levels=levels,
            method=trace_method(plan.target, goal),
            kept=(keep, top),
        )

    def _goal(
        self, target: str | int | tuple[str, int], images: Sequence[int] | None
    ) -> tuple[Goal, NDArray[np.int64]]:
        """Return what is traced, and the images to look at."""
        if isinstance(target, tuple):
            if len(target) != 2:
                raise ValueError(f"target={target!r} must be a class or (layer, neuron).")
            layer, neuron = target
            row = self._reader.row(layer, neuron)
            examples = self._reader.example_samples[row].numpy()
            chosen = examples[examples >= 0] if images is None else self._relevances.chosen(images)
            if not len(chosen):
                raise ValueError(f"target={target!r}: there are no images to look at.")
            return Goal(layer, int(neuron)), np.sort(chosen)
        output = self._relevances.output(target)
        chosen = self._relevances.images_of(target, output, images)
        self._relevances.check_own(chosen, output, target, _OTHERS)
        if images is None and len(chosen) > MOST_IMAGES:
            drawn = np.random.default_rng(0).choice(chosen, MOST_IMAGES, replace=False)
            chosen = np.sort(drawn)
        return Goal("", output), chosen

    def _levels(
        self,
        plan: Plan,
        goal: Goal,
        layers: tuple[str, ...],
        samples: list[int],
        kept: tuple[float, int],
        progress: Callable[[int, int], None] | None,
    ) -> dict[str, Level]:
        """Go down from layer to layer."""
        levels: dict[str, Level] = {}
        total, done = len(layers) * len(samples), 0

        def seen(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, total)

        upper = ""
        neurons: list[int] = []
        for lower in layers:
            relevance, conditional = mean_conditional_relevance(
                plan.target,
                plan.images,
                samples,
                goal,
                lower,
                upper,
                neurons,
                plan.batch_size,
                seen,
            )
            # All that reaches the first layer has passed through what is traced.
            through = conditional if upper else relevance[None]
            levels[lower] = level(relevance, through, *kept)
            upper, neurons = lower, levels[lower].kept.tolist()
        return levels
