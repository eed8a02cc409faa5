"""Contrastive examples that the renderer makes: the same scene with one attribute changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from semlens_widgets.demo.drawing import render
from semlens_widgets.demo.world import ARTEFACTS, ATTRIBUTES, Scene

if TYPE_CHECKING:
    from semlens_widgets.demo.images import SceneImages
    from semlens_widgets.labels.contrasts.synthesise import Request

#: How many scenes differ from another by one attribute value or one artefact.
CHANGES = sum(len(values) - 1 for values in ATTRIBUTES.values()) + len(ARTEFACTS)


@dataclass(frozen=True)
class OneAttributeChanged:
    """A maker for :class:`semlens_widgets.Synthesise`, see :func:`one_attribute_changed`.

    Attributes
    ----------
    scenes
        Those of the data set, in its order.
    size
        Side of the pictures in pixels.
    """

    scenes: tuple[Scene, ...]
    size: int

    def __call__(self, request: Request) -> Image.Image | None:
        """Return the change number ``request.attempt`` of an example, or None after the last."""
        scenes = changes(self.scenes[request.sample], self.size)
        if request.attempt >= len(scenes):
            return None
        return Image.fromarray(render(scenes[request.attempt], self.size))


def one_attribute_changed(images: SceneImages) -> OneAttributeChanged:
    """Make a maker that draws an example anew with exactly one attribute or artefact changed.

    It offers all such scenes, those first whose picture differs least from the example. The first
    that quietens a neuron is the smallest change that does: give it :data:`CHANGES` tries (31).

    Parameters
    ----------
    images
        The data set of the analysis.

    Examples
    --------
    >>> import semlens_widgets as slw
    >>> images = slw.demo.scene_images()
    >>> maker = slw.demo.one_attribute_changed(images)
    >>> contrasts = slw.Synthesise(maker, tries=31)
    """
    return OneAttributeChanged(images.scenes, images.size)


@lru_cache(maxsize=8192)
def changes(scene: Scene, size: int) -> tuple[Scene, ...]:
    """Return all scenes that differ from one by a single attribute value or artefact.

    In the order of the mean absolute difference of their pictures at `size`; ties in the order of
    `ATTRIBUTES` and `ARTEFACTS`.
    """
    others = [
        replace(scene, **cast("Any", {attribute: value}))
        for attribute, values in ATTRIBUTES.items()
        for value in values
        if value != getattr(scene, attribute)
    ]
    others += [
        scene.without_artefact(name) if name in scene.artefacts else scene.with_artefact(name)
        for name in ARTEFACTS
    ]
    before = render(scene, size).astype(np.int16)
    difference = [float(np.abs(render(other, size) - before).mean()) for other in others]
    return tuple(others[at] for at in np.argsort(difference, kind="stable"))
