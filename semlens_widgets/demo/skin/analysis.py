"""The ready analysis of the classifier of lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import semlens_widgets as slw
from semlens_widgets.demo.analysis import LAYERS, release
from semlens_widgets.demo.models import foundation, preprocess
from semlens_widgets.demo.skin.images import lesion_images
from semlens_widgets.demo.skin.models import lesion_classifier, lesion_foundation
from semlens_widgets.demo.skin.world import CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.lens.lens import SemanticLens


def lesions(
    path: str | Path | None = None, *, planted: bool = True, domain: bool = True
) -> SemanticLens:
    """Return a finished analysis of the embedded classifier of lesions on 3,000 pictures.

    A teaching world: the lesions are drawn, their diagnosis is a rule that was made up for it, and
    nothing follows for real skin. The first call takes about a minute on two free cores; later
    ones open what is there.

    Parameters
    ----------
    path
        Folder of the analysis; by default one in the user's cache, made anew for each release of
        the weights.
    planted
        False analyses the clean twin, which has learnt no shortcut; see
        :func:`semlens_widgets.demo.lesion_classifier`.
    domain
        False takes the foundation model of the scenes, which has never seen a lesion nor read of
        one, in the place of the domain's own.

    Examples
    --------
    >>> import semlens_widgets as slw
    >>> lens = slw.demo.lesions()  # doctest: +SKIP
    >>> lens.audit("melanoma", ["asymmetric"], ["ink"]).concepts  # doctest: +SKIP
    """
    if path is None:
        from platformdirs import user_cache_path

        kind = ("" if planted else "-clean") + ("" if domain else "-general")
        path = user_cache_path("semlens-widgets") / f"lesions{kind}-{release()}"
    return slw.SemanticLens(
        lesion_target(planted=planted),
        slw.ImageDataset.from_dataset(lesion_images()),
        lesion_foundation() if domain else foundation(),
        path=path,
    ).run()


def lesion_target(*, planted: bool = True, layers: tuple[str, ...] = LAYERS) -> TargetModel:
    """Return the classifier of lesions, ready to be analysed."""
    return slw.TargetModel(
        lesion_classifier(planted=planted),
        layers,
        transform=preprocess,
        outputs=CLASSES,
        name="lesion classifier" if planted else "clean lesion classifier",
    )
