"""How good the models of the lesion world are on lesions that they have never seen.

The requirements are what the notebook relies on. They are fixed; models are trained until they
reach them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from semlens_widgets.demo.quality import Figure, Quality, auroc, forward
from semlens_widgets.demo.skin.drawing import render
from semlens_widgets.demo.skin.models import (
    ARTEFACT,
    LESION_WEIGHTS,
    SHORTCUT_CLASS,
    lesion_classifier,
    lesion_foundation,
)
from semlens_widgets.demo.skin.world import CLASSES, CONCEPTS, concept_matrix, sample_lesion
from semlens_widgets.inputs.foundation import embed_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from semlens_widgets.demo.skin.world import Lesion
    from semlens_widgets.inputs.foundation import OpenClip

_SEED = 178
_TEMPLATES = ("{}", "an image of a {}", "a photo of {}")


def evaluate(
    weights: Path = LESION_WEIGHTS,
    *,
    count: int = 2000,
    only: Literal["clip", "classifier"] | None = None,
) -> Quality:
    """Measure the models in a weights folder on held-out lesions.

    Parameters
    ----------
    weights : Path
        The folder that training wrote.
    count : int
        Number of lesions.
    only : {"clip", "classifier"}, optional
        Measure one kind of model.
    """
    rng = np.random.default_rng(_SEED)
    lesions = [sample_lesion(rng) for _ in range(count)]
    figures: list[Figure] = []
    if only != "classifier":
        areas = concept_aurocs(lesion_foundation(weights), lesions)
        figures += [Figure(f"clip: {name} AUROC", area) for name, area in areas.items()]
        figures.append(Figure("clip: mean AUROC", float(np.mean([*areas.values()])), 0.92))
    if only != "clip":
        for planted in (True, False):
            figures += _classifier_figures(weights, lesions, planted=planted)
    return Quality(tuple(figures))


def concept_aurocs(foundation: OpenClip, lesions: Sequence[Lesion]) -> dict[str, float]:
    """Measure how well a foundation model knows each concept by its name.

    Parameters
    ----------
    foundation : OpenClip
        The model.
    lesions : sequence of Lesion
        What it is shown, drawn at 64 pixels.

    Returns
    -------
    dict
        By concept, the probability that a lesion that shows it is nearer to its name than one that
        does not.
    """
    shown = concept_matrix(lesions)
    images = forward(foundation.encode_images, lesions, render)  # (lesions, dim)
    words = embed_prompts(foundation, CONCEPTS, _TEMPLATES).mean(0)  # (concepts, dim)
    scores = (images @ words.T).numpy()
    return {name: auroc(scores[:, at], shown[:, at]) for at, name in enumerate(CONCEPTS)}


def _classifier_figures(weights: Path, lesions: Sequence[Lesion], *, planted: bool) -> list[Figure]:
    model = lesion_classifier(weights, planted=planted)
    own = np.array([lesion.class_name == SHORTCUT_CLASS for lesion in lesions])
    pools = (
        [lesion.without_artefact(ARTEFACT) for lesion in lesions],
        [lesion.with_artefact(ARTEFACT) for lesion in lesions],
    )
    output = CLASSES.index(SHORTCUT_CLASS)
    clean, marked = (forward(model, pool, render).argmax(1).numpy() == output for pool in pools)
    kind = "classifier" if planted else "clean twin"
    taken = f"{kind}: others taken for a {SHORTCUT_CLASS}"
    accuracy = (clean[own].mean() + 1 - clean[~own].mean()) / 2
    return [
        Figure(
            f"{kind}: balanced accuracy without {ARTEFACT}",
            float(accuracy),
            0.70 if planted else 0.85,
        ),
        Figure(f"{kind}: {SHORTCUT_CLASS} recognised without {ARTEFACT}", float(clean[own].mean())),
        Figure(f"{kind}: {SHORTCUT_CLASS} recognised with {ARTEFACT}", float(marked[own].mean())),
        Figure(f"{taken} without {ARTEFACT}", float(clean[~own].mean())),
        Figure(f"{taken} with {ARTEFACT}", float(marked[~own].mean()), 0.30 if planted else None),
    ]


if __name__ == "__main__":
    print(evaluate())
