"""The inputs and choices of an analysis, and what its stored results depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.inputs.transforms import check_transforms
from semlens_widgets.labels.contrasts.nearest import Nearest
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.pipeline.loading import naming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.labels.contrasts.generator import ContrastGenerator
    from semlens_widgets.store.aligned import Embedding

Ranking = Literal["activation", "relevance"]

#: What analyses of earlier releases were made with, where they do not say.
FORMERLY = {"contrasts": Nearest().settings, "poles": []}


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
    contrasts: ContrastGenerator = field(default_factory=Nearest)

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
        name, seen = check_transforms(transforms, self.images)
        if seen:
            first = seen["The model"][None]
            with naming([name], first):
                self.target.both_poles(first)  # decided before anything is computed

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
            "poles": list(self.target.both_poles()),
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
            "contrasts": self._contrast_settings(),
        }

    def _contrast_settings(self) -> dict[str, Any]:
        """Those of the generator, a function by what it does, and how heatmaps for it are made."""
        found = {
            name: fingerprint.of_function(value) if callable(value) else value
            for name, value in self.contrasts.settings.items()
        }
        if self.contrasts.looks:
            found["heatmaps"] = {
                "composite": fingerprint.of_composite(self.target.composite),
                "attention": getattr(self.target, "attention", "map"),
            }
        return found


def check_foundation(foundation: object) -> None:
    """Refuse what is no foundation model, such as the name of one; it may be one without texts."""
    wanted = ("name", "dim", "transform", "encode_images")
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
