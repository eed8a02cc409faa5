"""The ready analysis of the embedded default."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import semlens_widgets as slw
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.models import WEIGHTS, classifier, foundation, preprocess
from semlens_widgets.demo.world import CLASSES
from semlens_widgets.store.manifest import SCHEMA_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.lens.lens import SemanticLens

LAYERS = ("layer1", "layer2", "layer3", "layer4")


def scenes(path: str | Path | None = None, *, planted: bool = True) -> SemanticLens:
    """Return a finished analysis of the embedded classifier on 5,000 scenes.

    The first call draws the pictures and computes everything, which takes less than a minute on two
    free cores; later ones open what is there.

    Parameters
    ----------
    path
        Folder of the analysis; by default one in the user's cache, made anew for each release of
        the weights.
    planted
        False analyses the clean twin, which has learnt no shortcut; see
        :func:`semlens_widgets.demo.classifier`.

    Examples
    --------
    >>> import semlens_widgets as slw
    >>> lens = slw.demo.scenes()  # doctest: +SKIP
    >>> lens.search("watermark").head(3)  # doctest: +SKIP
    """
    if path is None:
        from platformdirs import user_cache_path

        name = "scenes" if planted else "scenes-clean"
        path = user_cache_path("semlens-widgets") / f"{name}-{release()}"
    return slw.SemanticLens(
        slw.TargetModel(
            classifier(planted=planted),
            LAYERS,
            transform=preprocess,
            outputs=CLASSES,
            name="scenes classifier" if planted else "clean scenes classifier",
        ),
        slw.ImageDataset.from_dataset(scene_images()),
        foundation(),
        path=path,
    ).run()


def release() -> str:
    """Return what changes with the weights, the package and the layout of folders."""
    digest = hashlib.blake2b(f"{slw.__version__} {SCHEMA_VERSION}".encode(), digest_size=4)
    for file in sorted(WEIGHTS.rglob("*.safetensors")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
