"""Whether labels are true of their neurons, judged on images, beside labels that know nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.agreement import beside_baselines
from semlens_widgets.analysis.faithfulness import (
    above_controls,
    auroc,
    correlations,
    detection,
    mean_difference,
    moments_with_and_without,
    of_maximum,
)
from semlens_widgets.errors import named
from semlens_widgets.lens.judgement import (
    Judged,
    judgeable,
    judged,
    labels_to_judge,
    table_of,
    unlabelled_said,
)
from semlens_widgets.lens.shown import (
    FEWEST,
    Images,
    Shown,
    annotated,
    check_simulator,
    controls_given,
    data_set,
    images_of_labels,
    responses,
    seen_before,
    similarities,
    units_of,
)
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan

#: By measure: the labels, and how well each fits each neuron, ``(neurons, labels)``.
Found = dict[str, tuple[tuple[str, ...], "NDArray[np.float64]"]]


class Faithfulness:
    """The part of a lens that asks whether labels are true; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    kept
        The labels.
    foundation
        Gives the foundation model, or None if it is not at hand.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        kept: KeptLabels,
        foundation: Callable[[], FoundationModel | None],
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._reader = reader
        self._kept = kept
        self._foundation = foundation
        self._need_plan = need_plan

    @plainly()
    def faithfulness(
        self,
        shown: Shown | None = None,
        *,
        controls: Images | None = None,
        annotations: pd.DataFrame | None = None,
        images: Images | None = None,
        simulator: FoundationModel | None = None,
        labels: Sequence[str] | None = None,
        templates: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Judged:
        """Measure whether the labels are true of their neurons, beside labels that know nothing.

        Give at least one kind of evidence: `shown`, `annotations`, or `simulator` with `images`.

        Parameters
        ----------
        shown
            Images that show each label: a mapping from label to an ``ImageDataset`` or a list of
            pictures, or what makes them: a function from a label to pictures (none for a label that
            it does not know), such as :func:`semlens_widgets.demo.pictures_of` or a text-to-image
            model. Gives auc, mad and dma.
        controls
            What `shown` is compared with; by default the readable images of the analysis.
        annotations
            Which images show which label: one row per image, one bool column per label. Of `images`
            if they are given, else of the analysis's own. Gives auprc, f1 and iou, and auc, mad and
            dma where `shown` gives none.
        images
            Images that the labels were not chosen by. Those that the analysis holds are left out.
        simulator
            Another foundation model than that of the analysis. Gives correlation, on `images`.
        labels
            One for each neuron, in the order of :attr:`neurons`; by default those in force.
        templates
            Sentences with ``{}`` for the simulator; by default the label alone.
        seed
            Draws the neurons anew for the intervals.

        Returns
        -------
        Judged
            ``neurons`` and ``summary``, with

            - auc: P(the neuron responds more to an image of its label than to a control), ties
              counting half (CoSy, arXiv 2405.20331); .5 is chance;
            - mad: by how many standard deviations of the controls it responds more (CoSy);
            - dma: its mean response to images of its label over its maximum on the data set;
            - auprc, f1, iou: as a detector of its label, the last two at their best thresholds;
            - correlation: Pearson's, of its response with the label's similarity to the images
              under the simulator.

        Raises
        ------
        ValueError
            Before the model is run: if no evidence is given, there are no labels, an argument does
            not fit another, or the simulator is the model that the labels are from. After it: if
            `images` are those of the analysis.
        LensUnavailable
            If images are given and the analysis was opened without the model.
        UnreadableImage
            If a given image cannot be read.

        Notes
        -----
        The best constant label is chosen on the very images it is judged on, and so is the better
        for it; a neuron's own label is not.
        """
        own = labels_to_judge(self._reader, self._kept, labels)
        names = judgeable(own)
        self._check_asked(shown, controls, annotations, images, simulator)
        if simulator is not None:
            check_simulator(simulator, self._reader, self._foundation(), names)
        said = unlabelled_said(own)
        given = None if shown is None else images_of_labels(shown, names)
        others = None if controls is None else controls_given(controls)
        plan = None if shown is None and images is None else self._need_plan("Images of labels")
        held_out = None if images is None else data_set(images)
        table = None
        if annotations is not None:
            count = len(self._reader.samples) if held_out is None else len(held_out)
            table = annotated(annotations, count)
        values, kept = self._values(plan, held_out, said)
        found: Found = {}
        if table is not None:
            found |= self._by_annotations(table[0], table[1][kept], values, said, names)
        if given is not None and plan is not None:
            found |= self._by_images(plan, given, others, names, said)
        if simulator is not None and plan is not None and held_out is not None:
            samples = np.flatnonzero(kept).tolist()
            like = similarities(simulator, held_out, samples, names, plan.batch_size, templates)
            found["correlation"] = names, correlations(values, like)
        return self._beside(own, found, said, seed)

    def _check_asked(
        self,
        shown: Shown | None,
        controls: Images | None,
        annotations: pd.DataFrame | None,
        images: Images | None,
        simulator: FoundationModel | None,
    ) -> None:
        if shown is None and annotations is None and simulator is None:
            raise ValueError(
                "Nothing to judge labels by: give shown= (images of each label), annotations= "
                "(which images show what), or simulator= with images=."
            )
        if simulator is not None and images is None:
            raise ValueError(
                "simulator needs images=: images that the labels were not chosen by. On those of "
                "the analysis it would find again what the labels were chosen for."
            )
        if images is not None and annotations is None and simulator is None:
            raise ValueError("images are given without annotations= or simulator= to judge by.")
        if controls is not None and shown is None:
            raise ValueError("controls are given without shown= to compare them with.")

    def _values(
        self, plan: Plan | None, held_out: ImageDataset | None, said: list[str]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return activations to judge on ``(kept images, neurons)``, and which are kept."""
        if held_out is None or plan is None:
            stored = self._reader.values(0, len(self._reader.neurons)).T.numpy()
            readable = ~np.isnan(stored).any(axis=1)
            return stored[readable], readable
        values = units_of(plan, held_out, "images")
        before = seen_before(self._reader, values)
        if count := int(before.sum()):
            said.append(f"{count} of the images are in the analysis; they were left out.")
        if len(values) - count < FEWEST:
            raise ValueError(
                f"images: {count} of {len(values)} are images of the analysis, by which the labels "
                "were chosen. Give others."
            )
        return values[~before], ~before

    def _maximum(self) -> NDArray[np.float64]:
        return self._reader.neurons["max"].to_numpy(np.float64)

    def _by_annotations(
        self,
        labels: tuple[str, ...],
        shows: NDArray[np.bool_],
        values: NDArray[np.float32],
        said: list[str],
        names: Sequence[str],
    ) -> Found:
        if missing := [name for name in names if name not in labels]:
            said.append(f"annotations has no column for the labels {named(missing)}.")
        count = shows.sum(axis=0)
        constant = dict(zip(labels, (count == 0) | (count == len(shows)), strict=True))
        if useless := [name for name in names if constant.get(name)]:
            said.append(f"All images show {named(useless)}, or none: that tells nothing.")
        inside, outside, deviation = moments_with_and_without(values, shows)
        detected = detection(values, shows)
        found = {
            "auc": auroc(values, shows),
            "mad": mean_difference(inside, outside, deviation),
            "dma": of_maximum(inside, self._maximum()),
            "auprc": detected.auprc,
            "f1": detected.f1,
            "iou": detected.iou,
        }
        return {name: (labels, one) for name, one in found.items()}

    def _by_images(
        self,
        plan: Plan,
        given: Mapping[str, ImageDataset],
        controls: ImageDataset | None,
        names: Sequence[str],
        said: list[str],
    ) -> Found:
        others = (
            self._values(None, None, said)[0]
            if controls is None
            else units_of(plan, controls, "controls")
        )
        found = responses(plan, given)
        if missing := [name for name in names if name not in found.labels]:
            said.append(f"shown has no images of the labels {named(missing)}.")
        mean = found.mean(found.values)
        middle = others.mean(axis=0, dtype=np.float64)[:, None]
        spread = others.std(axis=0, dtype=np.float64)[:, None]
        measured = {
            "auc": found.mean(above_controls(found.values, others)),
            "mad": mean_difference(mean, middle, spread),
            "dma": of_maximum(mean, self._maximum()),
        }
        return {name: (found.labels, one) for name, one in measured.items()}

    def _beside(self, own: Sequence[str], found: Found, said: Sequence[str], seed: int) -> Judged:
        layers = [slice(*span) for span in self._reader.spans.values()]
        measured = {}
        for measure, (labels, values) in found.items():
            place = {label: at for at, label in enumerate(labels)}
            which = np.array([place.get(label, -1) for label in own])
            measured[measure] = beside_baselines(values, which, layers)
        return judged(self._reader, table_of(self._reader, own), measured, said, seed)
