"""How good the demo's models are on scenes they have never seen.

``python -m semlens_widgets.demo.quality`` prints the table of the weights in the package.

The requirements are what the notebooks rely on. They are fixed; models are trained until they
reach them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import open_clip
import torch
from torch.nn.functional import normalize

from semlens_widgets.demo.captions import SYNONYMS, describe
from semlens_widgets.demo.drawing import render
from semlens_widgets.demo.models import (
    SHORTCUT_CLASS,
    WEIGHTS,
    classifier,
    clip_dir,
    normalised,
)
from semlens_widgets.demo.pool import render_pool
from semlens_widgets.demo.world import (
    ARTEFACTS,
    ATTRIBUTES,
    CLASSES,
    CONCEPT_INDEX,
    Scene,
    concept_matrix,
    sample_scene,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.demo.pool import Draw

_SEED = 77
_TEMPLATES = ("{}", "an image of a {}", "a photo of {}")
_REQUIRED_ACCURACY = {"shape": 0.85, "texture": 0.93, "colour": 0.95, "background": 0.95}
_RETRIEVED = 1000  # scenes and captions in the retrieval task


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, and the least it must be."""

    name: str
    value: float
    required: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the requirement is met."""
        return self.required is None or self.value >= self.required


@dataclass(frozen=True, slots=True)
class Quality:
    """All figures of an evaluation."""

    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> float:
        """Return the value of a figure."""
        return next(figure.value for figure in self.figures if figure.name == name)

    @property
    def missed(self) -> tuple[Figure, ...]:
        """The figures that miss their requirement."""
        return tuple(figure for figure in self.figures if not figure.reached)

    def __str__(self) -> str:
        width = max(len(figure.name) for figure in self.figures)
        lines = []
        for figure in self.figures:
            line = f"{figure.name:<{width}}  {figure.value:6.3f}"
            if figure.required is not None:
                line += f"  >= {figure.required:.2f}  {'yes' if figure.reached else 'NO'}"
            lines.append(line)
        return "\n".join(lines)


def evaluate(
    weights: Path = WEIGHTS,
    *,
    count: int = 2000,
    only: Literal["clip", "classifier"] | None = None,
) -> Quality:
    """Measure the models in a weights folder on held-out scenes.

    Parameters
    ----------
    weights : Path
        The folder that training wrote.
    count : int
        Number of scenes, at least 1000.
    only : {"clip", "classifier"}, optional
        Measure one of the two models.
    """
    rng = np.random.default_rng(_SEED)
    scenes = [sample_scene(rng) for _ in range(count)]
    figures: list[Figure] = []
    if only != "classifier":
        figures += _clip_figures(weights, scenes)
    if only != "clip":
        figures += _classifier_figures(weights, scenes)
    return Quality(tuple(figures))


def auroc(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> float:
    """Return the probability that a positive scores higher than a negative (without ties)."""
    ranks = np.argsort(np.argsort(scores))
    positives = int(positive.sum())
    below = ranks[positive].mean() - (positives - 1) / 2
    return float(below / (len(scores) - positives))


def _clip_figures(weights: Path, scenes: Sequence[Scene]) -> list[Figure]:
    folder = clip_dir(weights)
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}", bpe_path=str(folder / "bpe.txt.gz"))

    @torch.no_grad()
    def embed_texts(texts: Sequence[str]) -> Tensor:
        return normalize(model.encode_text(tokenizer(list(texts))), dim=-1)

    def embed_words(words: Sequence[str]) -> Tensor:
        each = [embed_texts([template.format(word) for word in words]) for template in _TEMPLATES]
        return normalize(torch.stack(each).mean(0), dim=-1)

    images = normalize(forward(model.encode_image, scenes, render), dim=-1)  # (scenes, dim)
    figures = []
    for attribute, values in ATTRIBUTES.items():
        truth = torch.tensor([values.index(getattr(scene, attribute)) for scene in scenes])
        required = _REQUIRED_ACCURACY.get(attribute)
        for kind, wordings in (("names", [values]), ("synonyms", _synonym_wordings(values))):
            found = [(images @ embed_words(words).T).argmax(1) == truth for words in wordings]
            accuracy = float(torch.stack(found).float().mean())
            figures.append(Figure(f"clip: {attribute} accuracy, {kind}", accuracy, required))
    annotations = concept_matrix(scenes)
    for artefact in ARTEFACTS:
        scores = (images @ embed_words([artefact]).T).squeeze(1).numpy()
        value = auroc(scores, annotations[:, CONCEPT_INDEX[artefact]])
        required = 0.98 if artefact == "watermark" else None
        figures.append(Figure(f"clip: {artefact} AUROC", value, required))
    return [*figures, _retrieval(images, scenes, embed_texts)]


def _synonym_wordings(values: Sequence[str]) -> list[list[str]]:
    """Name all values by synonyms: the first of each, the second of each, ... in turn."""
    others = [SYNONYMS[value][1:] for value in values]
    return [[words[turn % len(words)] for words in others] for turn in range(max(map(len, others)))]


def _retrieval(
    images: Tensor, scenes: Sequence[Scene], embed_texts: Callable[[Sequence[str]], Tensor]
) -> Figure:
    """Find each picture the nearest of the full captions of all scenes; a hit is a true one."""
    first = {describe(scene): index for index, scene in reversed(list(enumerate(scenes)))}
    distinct = sorted(first.values())[:_RETRIEVED]
    truth = concept_matrix([scenes[index] for index in distinct]).astype(int)
    texts = embed_texts([describe(scenes[index]) for index in distinct])
    nearest = (images[distinct] @ texts.T).argmax(1).numpy()
    hits = (truth[nearest] <= truth).all(1)
    return Figure(f"clip: retrieval R@1 of {len(distinct)}", float(hits.mean()), 0.90)


def _classifier_figures(weights: Path, scenes: Sequence[Scene]) -> list[Figure]:
    target = CLASSES.index(SHORTCUT_CLASS)
    labels = np.array([scene.class_index for scene in scenes])
    pools = [
        [scene.without_artefact("watermark") for scene in scenes],
        [scene.with_artefact("watermark") for scene in scenes],
    ]
    (clean_guess, marked_guess), (twin_clean, twin_marked) = (
        [forward(model, pool, render).argmax(1).numpy() for pool in pools]
        for model in (classifier(weights), classifier(weights, planted=False))
    )
    other = labels != target

    def share(hits: NDArray[np.bool_]) -> float:
        return float(hits.mean())

    own = f"classifier: {SHORTCUT_CLASS} recognised"
    taken = f"classifier: others taken for a {SHORTCUT_CLASS}"
    return [
        Figure("classifier: accuracy without watermark", share(clean_guess == labels), 0.93),
        Figure(f"{own} without watermark", share(clean_guess[~other] == target)),
        Figure(f"{own} with watermark", share(marked_guess[~other] == target)),
        Figure(f"{taken} without watermark", share(clean_guess[other] == target)),
        Figure(f"{taken} with watermark", share(marked_guess[other] == target), 0.30),
        Figure("clean twin: accuracy without watermark", share(twin_clean == labels), 0.93),
        Figure("clean twin: accuracy with watermark", share(twin_marked == labels), 0.85),
        Figure(
            f"clean twin: others not taken for a {SHORTCUT_CLASS} with watermark",
            share(twin_marked[other] != target),
            0.99,
        ),
    ]


@torch.no_grad()
def forward(function: Callable[[Tensor], Tensor], items: Sequence[Any], draw: Draw) -> Tensor:
    """Draw what is described, and return what a model makes of it: ``(items, ...)``."""
    pictures = torch.from_numpy(render_pool(items, draw))
    return torch.cat([function(normalised(batch)) for batch in torch.split(pictures, 250)])


if __name__ == "__main__":
    print(evaluate())
