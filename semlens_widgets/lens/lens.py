"""The façade that a person holds: one analysis of one model on one set of images."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from semlens_widgets.errors import LensUnavailable, StoreError
from semlens_widgets.labels.contrasts.generators import generator_of
from semlens_widgets.lens.listeners import Listeners
from semlens_widgets.lens.methods import Methods
from semlens_widgets.lens.opening import finished_store, state_of, tell_unfit, tell_unreadable
from semlens_widgets.lens.parts import Parts
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.engine.local import open_engine
from semlens_widgets.pipeline.heatmaps import localise_all, localised
from semlens_widgets.pipeline.plan import STAGES, doubted, run
from semlens_widgets.pipeline.progress import progress_of, stops_in_a_line
from semlens_widgets.pipeline.settings import FORMERLY, Plan, left_to_chance
from semlens_widgets.store.decisions import said_by_people
from semlens_widgets.store.store import AnalysisStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.labels.contrasts.generator import ContrastGenerator
    from semlens_widgets.lens.looked import Looked
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.engine.local import Engine
    from semlens_widgets.pipeline.settings import Ranking
    from semlens_widgets.store.aligned import Embedding


class SemanticLens(Methods):
    """Look into a vision model: what each neuron stands for, and the evidence for it.

    Parameters
    ----------
    target
        The model and the layers to look at.
    images
        What the model is shown.
    foundation
        The CLIP-like model that gives images and words their meaning.
    path
        Folder of the analysis. What is finished there is not computed again.
    n_examples
        Concept examples per neuron (m in the papers).
    embedding
        ``"image"`` embeds whole examples; ``"crop"`` embeds the region where the neuron looks,
        which needs a heatmap for every example, and a transform of the target that only resizes,
        crops, pads, flips and changes colours: others leave open where that region is.
    crop_threshold
        The crop is around the pixels whose smoothed relevance reaches this share of the maximum.
    examples_by
        ``"activation"``, or ``"relevance"`` for what the model says of each image (RelMax).
    contrasts
        Where contrastive examples come from: ``"mined"``, from the data set (the settings of
        :class:`semlens_widgets.Nearest`); ``"perturb"``, the example changed where the neuron looks
        (:class:`semlens_widgets.Perturb`); a :class:`semlens_widgets.Synthesise`, which asks a
        function for them; or a :class:`semlens_widgets.ContrastGenerator` of your own.
    batch_size
        Images per forward pass of either model.
    on_change
        What to do if the folder holds results that were made with other inputs: ``"refuse"`` says
        what has changed and what depends on it; ``"recompute"`` gives that up, keeps the rest, and
        :meth:`run` computes it anew. Labels that people gave are kept as long as model and layers
        are the same.

    Raises
    ------
    StoreError
        If the folder holds results made with other inputs, unless `on_change` allows it. Nothing
        is changed then.
    ValueError
        If an argument makes no sense.

    Notes
    -----
    SemanticLens is described in arXiv 2501.05398, Contrastive Semantic Projection (CSP) in
    arXiv 2604.22477.
    """

    def __init__(
        self,
        target: TargetModel,
        images: ImageDataset,
        foundation: FoundationModel,
        *,
        path: str | Path,
        n_examples: int = 30,
        embedding: Embedding = "image",
        crop_threshold: float = 0.01,
        examples_by: Ranking = "activation",
        contrasts: str | ContrastGenerator = "mined",
        batch_size: int = 64,
        on_change: Literal["refuse", "recompute"] = "refuse",
    ) -> None:
        if on_change not in {"refuse", "recompute"}:
            raise ValueError(f'on_change={on_change!r} must be "refuse" or "recompute".')
        how = (n_examples, embedding, batch_size, examples_by, crop_threshold)
        self._plan: Plan | None = Plan(target, images, foundation, *how, generator_of(contrasts))
        self.target: TargetModel | None = target
        self.images: ImageDataset | None = images
        self.foundation: FoundationModel | None = foundation
        self.store = AnalysisStore(path, STAGES)
        recompute = on_change == "recompute"
        said = said_by_people(self.store) if recompute else ""
        doubts = doubted(self.store, images) if recompute else ()
        self.store.configure(
            self._plan.settings(), recompute=recompute, doubted=doubts, formerly=FORMERLY
        )
        if said and not said_by_people(self.store):
            warnings.warn(
                f"What people said is given up with the rest ({said}): it was said "
                "of the neurons of another model, or of other layers.",
                stacklevel=2,
            )

    @classmethod
    def open(cls, path: str | Path, *, foundation: FoundationModel | None = None) -> Self:
        """Open a finished analysis for reading; see :func:`semlens_widgets.open`."""
        lens = cls.__new__(cls)
        lens.target = lens.images = None
        lens._plan = None  # noqa: SLF001 - another way to make oneself
        lens.foundation = foundation
        lens.store = finished_store(path, foundation)
        return lens

    def __reduce__(self) -> Any:
        raise LensUnavailable(
            "A lens cannot be pickled or copied: it holds a model and an open folder. Hand on its "
            f"path, {str(self.store.path)!r}, and open it there with semlens_widgets.open(path)."
        )

    def __repr__(self) -> str:
        model = self.store.settings["model"]
        try:
            return f"SemanticLens({model}; {state_of(self.store, lambda: self._read)})"
        except StoreError as error:
            return f"SemanticLens({model}; {error})"

    # -- computing -------------------------------------------------------------------------------

    @plainly()
    def run(self, *, engine: Engine = "local", workers: int | None = None) -> Self:
        """Compute everything that is missing; can be interrupted and run again.

        Shows progress. An interrupt says in a line where it stopped (it raises
        :class:`semlens_widgets.errors.RunStopped`, a KeyboardInterrupt). Images that cannot be read
        are skipped, counted in a warning and listed by :attr:`unreadable`. Warns once if the
        foundation model is no good on these images, see :meth:`domain_check`. Heatmaps are left
        until they are looked at, see :meth:`localise`.

        Parameters
        ----------
        engine
            Where the models run: ``"local"``, in this process, or ``"ray"``, in the workers of a
            Ray cluster (``pip install semlens-widgets[ray]``). A cluster that this process is
            connected to is used; else one of this machine is started and ended.
        workers
            How many threads load images ahead of the models; by default one for each CPU. With Ray,
            how many workers hold a model: by default one for each GPU, or each CPU but one.

        Raises
        ------
        ValueError
            If an argument makes no sense.
        UnreadableImage
            If no image can be read, or some that could be read earlier cannot now.
        TransformError, ModelError, EmbeddingError
            If what a transform or a model returns cannot be used; the images are named.
        ModelChanged
            If the model is no longer the one that the analysis was made with.
        RunStopped
            If a person interrupts it.
        ImportError
            If Ray is asked for and not installed.
        LensUnavailable
            If the analysis was opened for reading.
        """
        if self._plan is None:
            raise LensUnavailable("This analysis is open for reading; it cannot be run again.")
        fresh = not self.store.is_finished("collect")
        for words in left_to_chance(self.store.settings):
            warnings.warn(words, stacklevel=3)
        with (
            stops_in_a_line(lambda: str(progress_of(self.store)), "run()"),
            self.store.writing(),
            open_engine(engine, workers) as mapper,
        ):
            run(self.store, self._plan, mapper)
            self.__dict__.pop("_parts", None)
            judged = self.store.is_finished("domain")
            if not judged:
                self.store.finish("domain", **self._parts.domain.facts())
        if not judged:
            tell_unfit(self.store)
        if fresh:
            tell_unreadable(self.unreadable, len(self._read.samples))
        return self

    @plainly()
    def localise(self, *, engine: Engine = "local", workers: int | None = None) -> Self:
        """Compute and keep the heatmap of every concept example and contrastive example.

        `engine` and `workers` are those of :meth:`run`.
        """
        plan = self._need_plan("Heatmaps")
        with (
            stops_in_a_line(lambda: localised(self.store), "localise()"),
            self.store.writing(),
            open_engine(engine, workers) as mapper,
        ):
            localise_all(self.store, plan, mapper)
        return self

    def _need_plan(self, what: str) -> Plan:
        if self._plan is None:
            raise LensUnavailable(
                f"{what} that are not stored need the model and the images: make a "
                "SemanticLens(target, images, foundation, path=...) instead of opening the folder."
            )
        return self._plan

    # -- its parts -------------------------------------------------------------------------------

    @cached_property
    def _parts(self) -> Parts:
        if not self.store.is_finished("vectors"):
            raise StoreError("This analysis is not finished: call run() first.")
        return Parts(
            self, self.store, self.images, lambda: self.foundation, self._need_plan, self._listeners
        )

    @property
    def _read(self) -> AnalysisReader:
        return self._parts.reader

    @cached_property
    def _listeners(self) -> Listeners:
        return Listeners()

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels have changed, in the thread that changed them.

        Returns
        -------
        callable
            Ends it; more than once does no harm.
        """
        return self._listeners.on_labels(callback)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The candidates that :meth:`label` last chose from."""
        return self._parts.labels.vocabulary()

    @property
    def labelled_by(self) -> dict[str, Any]:
        """How :meth:`label` last scored; empty before.

        The scorer and its settings, ``templates``, ``candidates`` (the source's name;
        "vocabulary" for words that were given), and ``back_off``.
        """
        return self._parts.labels.labelled_by()

    @property
    def labels(self) -> pd.DataFrame:
        """Every label of every run of :meth:`label`, and those of people (run "person").

        Columns: layer, neuron, run, source, label, score, margin, chance. In force are people's
        labels, and the last run's where there is none.
        """
        return self._parts.labels.now.all

    @property
    def looked(self) -> Looked:
        """What a source of candidates may look at: the neurons, and the pictures of each."""
        return self._parts.looked

    # -- looking ---------------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return self._read.layers

    @property
    def poles(self) -> dict[str, int]:
        """Layers whose neurons are both poles of their channels, with how many channels they have.

        Of a layer of n channels, neuron n + 17 is the negative pole of channel 17 and is called
        ``17-``; see :mod:`semlens_widgets.inputs.poles`.
        """
        return dict(self._read.poles)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the images' classes; empty if they have none."""
        return self._read.classes

    @property
    def embedding(self) -> Embedding:
        """What is embedded of an example: "image" or "crop"."""
        return self._read.embedding

    @property
    def n_examples(self) -> int:
        """Concept examples per neuron; fewer than asked for if there are fewer images."""
        return self._read.ranks

    @property
    def n_contrasts(self) -> int:
        """Contrastive examples kept of each concept example; see :class:`Nearest`."""
        return self._read.n_contrasts

    @property
    def unreadable(self) -> list[str]:
        """Names of the images that could not be read."""
        samples = self._read.samples
        return samples.loc[~samples["readable"], "uri"].tolist()

    @property
    def whole_crops(self) -> float:
        """Share of the concept examples whose crop is all that the model sees, or nearly.

        NaN where whole images were embedded. What was embedded of an example is the box of its
        :meth:`heatmap`, or the whole image where that has none.
        """
        return float(self.store.stages.get("crops", {}).get("whole", math.nan))

    @property
    def neurons(self) -> pd.DataFrame:
        """One row per neuron.

        Columns: layer, neuron, name ("17", or "17-" for the negative pole of channel 17, see
        :mod:`semlens_widgets.inputs.poles`; methods take it in place of the number), label, its
        score, margin (over what a label must reach), chance (what one random word in twenty
        reaches) and source ("person", or the scorer's name), all five empty until :meth:`label`;
        clarity, polysemanticity, redundancy, mean, max and firing_rate of the activation, its
        quantiles q50, q90 and q99, dead (fewer than ``n_examples`` positive activations), x and
        y (position on the map).
        """
        return self._parts.labels.neurons

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Semantic vectors at unit length, ``(neurons, dim)``, in the order of :attr:`neurons`."""
        return self._read.directions.numpy()

    def examples(self, layer: str, neuron: int | str) -> pd.DataFrame:
        """Concept examples of one neuron with their contrastive examples, by rank.

        Columns: rank, sample, activation, class_name, uri, and contrast_sample (-1 if there is
        none), contrast_activation, similarity (cosine of the pair), contrast_class_name,
        contrast_uri, contrast_origin ("data set", "edited", "made", empty if there is none),
        changed (share of the example's pixels that are other ones in an edited one; NaN for others
        and where it is not known).
        """
        return self._read.examples(self._read.row(layer, neuron))
