"""Whether labels and semantic vectors stay when the images change a little, or half of them go."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from semlens_widgets.analysis.robustness import averaged, labels_kept, vectors_kept
from semlens_widgets.inputs.changed import CHANGES, ChangedImages
from semlens_widgets.labels.anew import chosen, example_directions, mined_evidence
from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.labels.contrasts.nearest import Nearest
from semlens_widgets.lens.judgement import Judged, judgeable, judged, table_of, unlabelled_said
from semlens_widgets.lens.numbers import whole
from semlens_widgets.lens.people import scorer_of_run
from semlens_widgets.pipeline.anew import computed_anew
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.engine.local import open_engine
from semlens_widgets.pipeline.examples import TOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.analysis.agreement import Beside
    from semlens_widgets.inputs.changed import Change
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.labels import LabelRun

#: What is measured of the halves of the images.
HALF, HALVES = "half", "halves"


class _Found(NamedTuple):
    """What neurons are called, as numbers of candidates, and their unit semantic vectors."""

    labels: NDArray[np.int64]
    vectors: NDArray[np.float32]


class Robust:
    """The part of a lens that asks whether labels stay; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    kept
        The labels.
    words
        Gives the text embeddings; raises if there is no foundation model.
    need_plan
        Gives the models and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        kept: KeptLabels,
        words: Callable[[], Words],
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._reader = reader
        self._kept = kept
        self._words = words
        self._need_plan = need_plan

    @plainly()
    def robustness(
        self,
        changes: Sequence[str] | Mapping[str, Change] | None = None,
        *,
        halves: int = 4,
        most: int | None = None,
        seed: int = 0,
    ) -> Judged:
        """Measure whether labels and semantic vectors stay, beside those of shuffled neurons.

        (a) All images are changed a little, in one way after the other, and seen again by the model
        and the foundation model. (b) Half of the images are used alone. Each time examples are
        mined, semantic vectors averaged and labels chosen once more, as :meth:`label` last did,
        with the bar below which it found neurons unknown.

        Parameters
        ----------
        changes
            Names of :data:`semlens_widgets.inputs.changed.CHANGES`: ``"jpeg"`` (quality 50),
            ``"crop"`` (5 % off each side), ``"shift"`` (by 5 %), ``"brightness"`` (1.2 times, or as
            much darker) and ``"noise"`` (Gaussian, 8 of 255); by default all. Or functions by name,
            from a picture and a ``numpy.random.Generator``, made anew for each image, to a picture.
            ``[]`` changes nothing and needs no model.
        halves
            How often the images are split by lot.
        most
            No more than so many images, drawn by lot; by default all that are readable. Each change
            is a pass of both models over them.
        seed
            Draws images, halves and what changes leave to chance, and the neurons anew for the
            intervals.

        Returns
        -------
        Judged
            ``neurons`` and ``summary``, with for each change

            - ``<change>_label``: 1 where the label is the same after it, else 0;
            - ``<change>_cosine``: the cosine of the semantic vectors before and after;

            and of halves, averaged over the splits: ``half_label`` and ``half_cosine``, a half
            against all images, and ``halves_label`` and ``halves_cosine``, one half against the
            other, which share no image. ``neurons`` has beside them ``<change>_becomes``, the label
            after the change. Dead neurons are not judged. ``<measure>_random`` is what shuffled
            neurons of the layer reach.

        Raises
        ------
        ValueError
            Before anything is computed: if no neuron is labelled by a scorer that is known here, a
            change is not known or does not give a picture, nothing is asked, or a half would hold
            fewer images than a neuron has examples.
        LensUnavailable
            If the analysis was opened without its models, but for ``changes=[]``, which needs the
            foundation model alone.
        UnreadableImage
            If an image cannot be read any more.

        Notes
        -----
        The most activating whole images are a neuron's examples here, and the most similar quiet
        image is each one's contrast, whatever the analysis was made with; ``said`` tells where that
        differs.
        """
        run, scorer = self._labelled()
        whole("seed", seed, 0)
        samples = self._drawn(most, halves, seed)
        wanted = _changes(changes)
        if not wanted and not halves:
            raise ValueError("Nothing to ask: give changes=, or halves= of 1 or more.")
        anew = self._anew(wanted, samples, seed)
        names = run.vocabulary
        texts, empty = (
            self._words().prompts(some, run.scorer["templates"]) for some in (names, [""])
        )

        def found(values: Tensor, images: Tensor) -> _Found:
            evidence = mined_evidence(
                values, images, self._reader.ranks, TOP_SAMPLES, contrasts=scorer.pairs
            )
            labels = chosen(
                scorer,
                evidence,
                names,
                texts,
                threshold=run.threshold,
                empty=empty if run.empty else None,
            )
            return _Found(labels.numpy(), example_directions(evidence).numpy())

        values = self._reader.values(0, len(self._reader.neurons))[:, samples]
        images = self._reader.embeddings.rows(torch.tensor(samples))
        before = found(values, images)
        own = [names[at] if at >= 0 else UNKNOWN for at in before.labels]
        table = table_of(self._reader, own)
        measured: dict[str, Beside] = {}
        for name, seen in anew.items():
            after = found(*seen())
            table[f"{name}_becomes"] = [names[at] if at >= 0 else UNKNOWN for at in after.labels]
            measured |= self._beside(name, [(before, after)])
        against_all, against_another = [], []
        lots = np.random.default_rng(seed)
        for _ in tqdm(range(halves), desc="halves", unit="split", disable=halves < 2 or None):
            order = torch.from_numpy(lots.permutation(len(samples)))
            middle = len(samples) // 2
            one, other = (
                found(values[:, some], images[some])
                for some in (order[:middle].sort().values, order[middle:].sort().values)
            )
            against_all += [(before, one), (before, other)]
            against_another.append((one, other))
        if halves:
            measured |= self._beside(HALF, against_all) | self._beside(HALVES, against_another)
        said = [*unlabelled_said(own), *self._differs(run, own, scorer, len(samples))]
        return judged(self._reader, table, measured, said, seed)

    def _labelled(self) -> tuple[LabelRun, Scorer]:
        run = self._kept.now.latest
        if run is None or not judgeable(run.frame["label"].tolist()):
            raise ValueError("robustness: no neuron is labelled by a scorer; call label() first.")
        scorer = scorer_of_run(run)
        if scorer is None:
            raise ValueError(
                f"robustness: the scorer {run.scorer['scorer']!r} is not known here; call label() "
                "anew."
            )
        return run, scorer

    def _drawn(self, most: int | None, halves: int, seed: int) -> list[int]:
        """Return the images to go by, in their order."""
        whole("halves", halves, 0)
        readable = np.flatnonzero(self._reader.samples["readable"])
        if most is not None and whole("most", most, 1) < len(readable):
            drawn = np.random.default_rng(seed).choice(readable, most, replace=False)
            readable = np.sort(drawn)
        each, ranks = len(readable) // 2 if halves else len(readable), self._reader.ranks
        if each < ranks:
            raise ValueError(
                f"{'A half of the' if halves else 'The'} {len(readable)} images would be fewer "
                f"than the {ranks} examples of a neuron"
                f"{'; give halves=0, or ' if halves else ': give '}more images."
            )
        return [int(sample) for sample in readable]

    def _anew(
        self, changes: Mapping[str, Change], samples: Sequence[int], seed: int
    ) -> Mapping[str, Callable[[], tuple[Tensor, Tensor]]]:
        """Return what computes activations and embeddings after each change; checks all first."""
        if not changes:
            return {}
        plan = self._need_plan("Changed images")
        found = {}
        for name, change in changes.items():
            images = ChangedImages(plan.images, samples, change, seed)
            _check_change(name, images)
            found[name] = partial(_seen, plan, images, name)
        return found

    def _beside(self, name: str, pairs: Sequence[tuple[_Found, _Found]]) -> dict[str, Beside]:
        layers = [slice(*span) for span in self._reader.spans.values()]
        alive = ~self._reader.neurons["dead"].to_numpy(bool)
        labels, vectors = [], []
        for first, second in pairs:
            labels.append(labels_kept(np.where(alive, first.labels, -1), second.labels, layers))
            there = alive & first.vectors.any(axis=1) & second.vectors.any(axis=1)
            vectors.append(vectors_kept(first.vectors, second.vectors, there, layers))
        return {f"{name}_label": averaged(labels), f"{name}_cosine": averaged(vectors)}

    def _differs(self, run: LabelRun, own: Sequence[str], scorer: Scorer, images: int) -> list[str]:
        """Say where what was judged is not what the lens shows."""
        said = []
        shown = self._kept.now.frame["label"].tolist()
        if count := sum(one != other for one, other in zip(shown, own, strict=True)):
            said.append(
                f"{count} of {len(own)} labels in force are not what {scorer.name} chooses from "
                f"all {len(run.vocabulary)} candidates by these images: a person's, backed off, "
                "or of candidates of the neuron's own. The table has what it chooses."
            )
        if dead := int(self._reader.neurons["dead"].sum()):
            said.append(f"{dead} of {len(own)} neurons are dead; they were not judged.")
        total = len(self._reader.samples)
        if images < total:
            said.append(f"By {images} of {total} images.")
        settings = self._reader.store.settings
        if self._reader.embedding == "crop":
            said.append("Examples are whole images here; the analysis goes by crops of them.")
        if settings.get("examples_by") == "relevance":
            said.append(
                "Examples are the most activating images here; the analysis's are chosen "
                "by relevance."
            )
        if scorer.pairs and settings.get("contrasts", Nearest().settings) != Nearest().settings:
            said.append("Contrasts are the most similar quiet images here; the analysis's are not.")
        return said


def _seen(plan: Plan, images: ChangedImages, name: str) -> tuple[Tensor, Tensor]:
    with open_engine("local") as mapper:
        return computed_anew(plan, images, name, mapper)


def _changes(given: Sequence[str] | Mapping[str, Change] | None) -> dict[str, Change]:
    """Return changes by name; refuse what is none."""
    if given is None:
        return dict(CHANGES)
    if isinstance(given, str):
        raise TypeError(f"changes must be a list: [{given!r}].")
    if isinstance(given, Mapping):
        for name, change in given.items():
            if not callable(change):
                raise TypeError(f"changes[{name!r}] is no function of a picture and lots.")
            if name in {HALF, HALVES} or not isinstance(name, str) or not name.strip():
                raise ValueError(f"changes: {name!r} cannot be a change's name; give another.")
        return dict(given)
    for name in given:
        if name not in CHANGES:
            close = get_close_matches(str(name), CHANGES, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"changes: unknown {name!r}; {hint}There are {', '.join(CHANGES)}.")
    return {name: CHANGES[name] for name in given}


def _check_change(name: str, images: ChangedImages) -> None:
    """Refuse a change that does not turn a picture into one."""
    try:
        found: object = images.load(0)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"changes[{name!r}] fails on {images.uris[0]!r}: {error}") from error
    if not isinstance(found, Image.Image) or found.mode != "RGB":
        kind = found.mode if isinstance(found, Image.Image) else type(found).__name__
        raise ValueError(f"changes[{name!r}] must give an RGB picture (PIL), not {kind}.")
