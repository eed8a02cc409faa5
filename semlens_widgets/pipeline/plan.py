"""The order of the stages, and what an analysis is made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pyarrow as pa
import torch
from tqdm.auto import tqdm

from semlens_widgets.analysis.layout import umap_layout
from semlens_widgets.analysis.measures import clarity, polysemanticity, redundancy
from semlens_widgets.errors import EmbeddingError, ModelError, UnreadableImage
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.inputs.transforms import check_transforms
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.pipeline.collect import collect, collect_relevance, write_classes
from semlens_widgets.pipeline.embed import embed, embed_crops
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.examples import (
    example_embeddings,
    example_samples,
    image_embeddings,
    layer_spans,
    select_contrasts,
    select_examples,
    write_vectors,
)
from semlens_widgets.pipeline.heatmaps import (
    Key,
    check_places,
    example_keys,
    stored_keys,
    write_heatmaps,
)
from semlens_widgets.pipeline.progress import is_done, stages_of
from semlens_widgets.pipeline.thumbnails import write_thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.examples import Embedding, Ranking
    from semlens_widgets.store.store import AnalysisStore


@dataclass(frozen=True)
class Plan:
    """The inputs and choices of one analysis.

    Raises
    ------
    ValueError
        If a choice makes no sense.
    TransformError
        If a transform does not turn the first image into a tensor.
    """

    target: TargetModel
    images: ImageDataset
    foundation: FoundationModel
    n_examples: int
    embedding: Embedding
    batch_size: int
    examples_by: Ranking = "activation"
    crop_threshold: float = 0.01

    def __post_init__(self) -> None:
        self._check_kinds()
        if self.n_examples < 2:
            raise ValueError(
                f"n_examples={self.n_examples} must be at least 2 to compare anything."
            )
        if self.embedding not in {"image", "crop"}:
            raise ValueError(f'embedding={self.embedding!r} must be "image" or "crop".')
        if not 0 < self.crop_threshold <= 1:
            raise ValueError(f"crop_threshold={self.crop_threshold} must be above 0 and at most 1.")
        if self.examples_by not in {"activation", "relevance"}:
            raise ValueError(
                f'examples_by={self.examples_by!r} must be "activation" or "relevance".'
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1.")
        transforms = {
            "The model": self.target.transform,
            f"The foundation model {self.foundation.name!r}": self.foundation.transform,
        }
        check_transforms(transforms, self.images)

    def _check_kinds(self) -> None:
        if not isinstance(self.target, TargetModel):
            raise TypeError(
                f"target is a {type(self.target).__name__}; give TargetModel(model, layers, "
                "transform=...)."
            )
        if not isinstance(self.images, ImageDataset):
            raise TypeError(
                f"images is a {type(self.images).__name__}; give an ImageDataset, made by "
                "from_folder, from_list or from_dataset."
            )
        check_foundation(self.foundation)
        for name in ("n_examples", "batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__"):
                raise TypeError(f"{name}={value!r} must be a whole number.")

    def settings(self) -> dict[str, Any]:
        """Return what stored results depend on (JSON), see :mod:`semlens_widgets.store.stages`.

        The model's name and those of its outputs are for people alone. The foundation model's name
        stands for its weights, by its protocol.

        Raises
        ------
        ModelChanged
            If the model is no longer the one that the target was made of.
        """
        with self.target.shadow() as model:
            weights, architecture = (
                fingerprint.of_weights(model),
                fingerprint.of_architecture(model),
            )
        return {
            "model": self.target.name,
            "weights": weights,
            "architecture": architecture,
            "outputs": self.target.outputs,
            "logits": self.target.logits,
            "layers": list(self.target.layers),
            "channels": dict(self.target.channels),
            "autocast": self.target.autocast,
            "pooling": fingerprint.of_function(self.target.pooling),
            "units": {
                layer: fingerprint.of_function(encoder)
                for layer, encoder in self.target.encoders.items()
            },
            "composite": fingerprint.of_composite(self.target.composite),
            "attention": getattr(self.target, "attention", "map"),
            "transform": fingerprint.of_transform(self.target.transform),
            "images": len(self.images),
            "uris": fingerprint.of_uris(self.images),
            "pictures": fingerprint.of_pictures(self.images),
            "classes": fingerprint.of_labels(self.images),
            "foundation": self.foundation.name,
            "foundation_dim": self.foundation.dim,
            "foundation_autocast": bool(getattr(self.foundation, "autocast", False)),
            "foundation_transform": fingerprint.of_transform(self.foundation.transform),
            "n_examples": self.n_examples,
            "examples_by": self.examples_by,
            "embedding": self.embedding,
            "crop_threshold": self.crop_threshold,
        }


def check_foundation(foundation: object) -> None:
    """Refuse what is no foundation model, such as the name of one."""
    wanted = ("name", "dim", "transform", "encode_images", "encode_text")
    missing = [name for name in wanted if not hasattr(foundation, name)]
    if missing:
        raise TypeError(
            f"foundation is a {type(foundation).__name__} without {missing[0]!r}; give a "
            "foundation model such as OpenClip(...)."
        )


def left_to_chance(settings: Mapping[str, Any]) -> list[str]:
    """Say which inputs give different results from one reading to the next."""
    inputs = {
        "pictures": "The data set gives another picture each time an image is read",
        "transform": "The model's transform gives different results for the same image",
        "foundation_transform": "The foundation model's transform gives different results for the "
        "same image",
    }
    return [
        f"{what}, so activations, embeddings and heatmaps are not of the same picture, and another "
        "run gives others. Leave random augmentation out."
        for name, what in inputs.items()
        if str(settings.get(name)).startswith(fingerprint.RANDOM)
    ]


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
    if plan.embedding == "crop" and not store.is_finished("crops"):
        check_places(plan.target, plan.images)  # before hours are spent
    steps = _steps(store, plan, mapper)
    stages = stages_of(store.settings)
    left = [stage for stage in stages if not is_done(store, stage.name)]
    with tqdm(total=len(stages), initial=len(stages) - len(left), disable=not left or None) as bar:
        for at, stage in enumerate(stages, 1):
            if stage in left:
                bar.set_description(f"stage {at} of {len(stages)}: {stage.result}")
                if stage.name == "layout":  # nothing counts while it is compiled
                    bar.set_postfix_str("half a minute or more")
                steps[stage.name]()
                bar.update()
    store.tidy()


def _steps(store: AnalysisStore, plan: Plan, mapper: Mapper) -> dict[str, Callable[[], None]]:
    """Return what each stage does, by its name."""
    target, foundation, images = plan.target, plan.foundation, plan.images
    options: _Pass = {"batch_size": plan.batch_size, "mapper": mapper}
    return {
        "collect": lambda: collect(store, target, images, **options),
        "classes": lambda: write_classes(store, images),
        "embed": lambda: embed(store, foundation, images, **options),
        "relevance": lambda: collect_relevance(store, target, images, **options),
        "examples": lambda: select_examples(store, plan.n_examples, plan.examples_by),
        "heatmaps": lambda: localise_some(store, plan, example_keys(store, "examples"), mapper),
        "crops": lambda: embed_crops(store, foundation, images, "crops", **options),
        "contrasts": lambda: select_contrasts(store, plan.embedding),
        "contrast_crops": lambda: embed_crops(
            store, foundation, images, "contrast_crops", **options
        ),
        "vectors": lambda: write_vectors(store, plan.embedding),
        "measures": lambda: measure(store, plan.embedding),
        "thumbnails": lambda: write_thumbnails(store, images),
        "layout": lambda: lay_out(store),
    }


class _Pass(TypedDict):
    batch_size: int
    mapper: Mapper


def measure(store: AnalysisStore, embedding: Embedding) -> None:
    """Write the ``measures`` table: clarity, polysemanticity and redundancy of every neuron."""
    if store.is_finished("measures"):
        return
    positives, _ = example_embeddings(store, embedding, image_embeddings(store))
    valid = example_samples(store) >= 0
    vectors = torch.from_numpy(store.matrix("vectors", "vector").astype(np.float32))
    redundancies = [redundancy(vectors[a:b]) for a, b in layer_spans(store).values()]
    store.write(
        "measures",
        pa.table(
            {
                "clarity": pa.array(clarity(positives, valid).numpy()),
                "polysemanticity": pa.array(polysemanticity(positives, valid).numpy()),
                "redundancy": pa.array(torch.cat(redundancies).numpy()),
            }
        ),
    )
    store.finish("measures")


def lay_out(store: AnalysisStore) -> None:
    """Write the ``layout`` table: where every neuron lies on the map."""
    if store.is_finished("layout"):
        return
    vectors = torch.from_numpy(store.matrix("vectors", "vector").astype(np.float32))
    x, y = umap_layout(vectors).T
    store.write("layout", pa.table({"x": pa.array(x), "y": pa.array(y)}))
    store.finish("layout")


def localise_some(
    store: AnalysisStore, plan: Plan, keys: Sequence[Key], mapper: Mapper = in_process
) -> None:
    """Compute the heatmaps of (neuron row, sample) pairs that are not stored yet."""
    write_heatmaps(
        store,
        plan.target,
        plan.images,
        keys,
        batch_size=plan.batch_size,
        threshold=plan.crop_threshold,
        mapper=mapper,
    )


def localise_all(store: AnalysisStore, plan: Plan, mapper: Mapper = in_process) -> None:
    """Compute the heatmaps of all concept and contrastive examples that are not stored yet."""
    localise_some(store, plan, _all_keys(store), mapper)


def localised(store: AnalysisStore) -> str:
    """Say how many of the heatmaps of :func:`localise_all` are stored."""
    keys = set(_all_keys(store))
    return f"{len(keys & stored_keys(store))} of {len(keys)} heatmaps"


def _all_keys(store: AnalysisStore) -> list[Key]:
    return example_keys(store, "examples") + example_keys(store, "contrasts")
