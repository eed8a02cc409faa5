"""The stages of an analysis, in the order in which they run, and the loop that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from semlens_widgets.errors import EmbeddingError, ModelError, UnreadableImage
from semlens_widgets.pipeline.collect import CLASSES, COLLECT
from semlens_widgets.pipeline.contrasts import CONTRASTS, MADE
from semlens_widgets.pipeline.crops import CONTRAST_CROPS, CROPS
from semlens_widgets.pipeline.embed import DOMAIN, EMBED
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.examples import EXAMPLES
from semlens_widgets.pipeline.heatmaps import HEATMAPS, check_places
from semlens_widgets.pipeline.layout import LAYOUT
from semlens_widgets.pipeline.measures import MEASURES
from semlens_widgets.pipeline.passes import pass_over
from semlens_widgets.pipeline.relevance import OUTPUT_RELEVANCE, RELEVANCE
from semlens_widgets.pipeline.thumbnails import THUMBNAILS
from semlens_widgets.pipeline.vectors import VECTORS
from semlens_widgets.store.answers import ANSWERS
from semlens_widgets.store.decisions import DECIDED
from semlens_widgets.store.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.stages import Stage
    from semlens_widgets.store.store import AnalysisStore

STAGES: tuple[Stage, ...] = (
    COLLECT,
    CLASSES,
    EMBED,
    RELEVANCE,
    EXAMPLES,
    HEATMAPS,
    CROPS,
    CONTRASTS,
    MADE,
    CONTRAST_CROPS,
    VECTORS,
    MEASURES,
    THUMBNAILS,
    LAYOUT,
    OUTPUT_RELEVANCE,
    DOMAIN,
    LABELS,
    DECIDED,
    ANSWERS,
)
"""In the order in which they run; those without work of a run are done on demand."""


def stages_of(settings: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Return the stages of a run, in order; what is computed on demand is none of them."""
    return tuple(stage for stage in STAGES if stage.run is not None and stage.wanted(settings))


def run(store: AnalysisStore, plan: Plan, mapper: Mapper = in_process) -> None:
    """Compute every stage that is not finished, in order; `mapper` says where passes run.

    What it fails by is remembered, see `doubted`.
    """
    try:
        _run(store, plan, mapper)
    except UnreadableImage as error:
        store.doubt("pictures", error.samples)
        raise
    except EmbeddingError:
        store.doubt("foundation")
        raise
    except ModelError:
        store.doubt("weights")
        raise


def doubted(store: AnalysisStore, images: ImageDataset) -> list[str]:
    """Return the settings that look the same as recorded and should be taken for changed.

    That is what a run failed by, but images only while they cannot be read; and the images, if some
    that could not be read can be now.
    """
    found = [name for name in store.doubts if name != "pictures"]
    unreadable: list[int] = []
    if store.is_finished("collect"):
        readable = store.frame("samples", ["readable"])["readable"].to_numpy()
        unreadable = np.flatnonzero(~readable).tolist()
    lost = store.doubts.get("pictures", [])
    if any(not _can_be_read(images, i) for i in lost if i not in unreadable) or any(
        _can_be_read(images, i) for i in unreadable
    ):
        found.append("pictures")
    return found


def _can_be_read(images: ImageDataset, sample: int) -> bool:
    try:
        return sample < len(images) and images.load(sample) is not None
    except UnreadableImage:
        return False


def _run(store: AnalysisStore, plan: Plan, mapper: Mapper) -> None:
    # Before hours are spent.
    if plan.embedding == "crop" and not store.is_finished("crops"):
        check_places(plan.target, plan.images, "embedding='crop'", "embedding='image'")
    if plan.contrasts.looks and not store.is_finished("contrasts"):
        said = f"contrasts={plan.contrasts.name!r}"
        check_places(plan.target, plan.images, said, "contrasts='mined'")
    stages = stages_of(store.settings)
    done = [stage.is_done(store) for stage in stages]
    with tqdm(total=len(stages), initial=sum(done), disable=all(done) or None) as bar:
        for at, stage in enumerate(stages, 1):
            if stage.run is None or stage.is_done(store):  # a stage before may have undone it
                continue
            bar.set_description(f"stage {at} of {len(stages)}: {stage.result}")
            if stage.reads is not None:
                _share_a_pass(store, plan, mapper, stages[at - 1 :])
            if stage.notice:
                bar.set_postfix_str(stage.notice)
            facts = stage.run(store, plan, mapper)
            if facts is not None:
                store.finish(stage.name, **facts)
            bar.update()
    store.tidy()


def _share_a_pass(
    store: AnalysisStore, plan: Plan, mapper: Mapper, stages: Sequence[Stage]
) -> None:
    """Decode every image once for all stages that go over all of them and are not finished."""
    waiting = [stage.reads for stage in stages if stage.reads and not stage.is_done(store)]
    consumers = [consumer for reads in waiting if (consumer := reads(store, plan)) is not None]
    pass_over(plan.images, consumers, plan.batch_size, mapper)
