"""Proof by behaviour: whether a concept alone makes the model say the class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.analysis.audit import compared, proportion
from semlens_widgets.errors import UnreadableImage, named
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.pipeline.answers import images_logits
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from semlens_widgets.analysis.audit import Measured
    from semlens_widgets.lens.audited import Audit
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan


@dataclass(frozen=True)
class Proof:
    """What the model says of images that show a concept and not the class.

    Attributes
    ----------
    concept, target
        What is shown, and the class that is asked for.
    shift
        By how much the class's mean logit is higher than on the controls.
    false_targets, control_targets
        How often the model says the class, of images with the concept and of the controls.
    auroc
        P(the class's logit is higher with the concept than on a control); .5 if it means nothing.
    images, controls
        How many.
    """

    concept: str
    target: str | int
    shift: Measured
    false_targets: Measured
    control_targets: Measured
    auroc: Measured
    images: int
    controls: int

    def __str__(self) -> str:
        return (
            f"{self.concept!r} without {self.target!r} ({self.images} images, "
            f"{self.controls} controls): said to be {self.target!r} {self.false_targets}, "
            f"controls {self.control_targets}; logit {self.shift.value:+.3f} "
            f"[{self.shift.low:+.3f}, {self.shift.high:+.3f}]; AUROC {self.auroc}"
        )


@plainly()
def prove(
    audit: Audit,
    plan: Plan,
    reader: AnalysisReader,
    concept: str,
    shown: ImageDataset | Sequence[Any],
    controls: ImageDataset | Sequence[Any] | None,
) -> Proof:
    """Compare what the model says with a concept and without; see :meth:`Audit.prove`."""
    others = _others(audit, reader) if controls is None else controls
    sets = [
        _images(given, name, audit, plan, reader)
        for name, given in (("shown", shown), ("controls", others))
    ]
    logits = [
        _logits(plan, images, samples, name)
        for name, (images, samples) in zip(("shown", "controls"), sets, strict=True)
    ]
    said = [int((some.argmax(axis=1) == audit.output).sum()) for some in logits]
    shift, auroc = compared(*(some[:, audit.output] for some in logits), seed=audit.shares.seed)
    with_it, without = (len(some) for some in logits)
    return Proof(
        concept,
        audit.target,
        shift,
        proportion(said[0], with_it),
        proportion(said[1], without),
        auroc,
        with_it,
        without,
    )


def _logits(plan: Plan, images: ImageDataset, samples: list[int], name: str) -> NDArray[np.float32]:
    try:
        found: NDArray[np.float32] = images_logits(
            plan.target, images, samples, plan.batch_size
        ).numpy()
    except UnreadableImage as error:
        if images is plan.images or not error.samples:
            raise
        unreadable = named([images.uris[sample] for sample in error.samples])
        raise UnreadableImage(
            f"{name}: {unreadable} cannot be read ({error.__cause__}); nothing was proved."
        ) from error
    return found


def _others(audit: Audit, reader: AnalysisReader) -> list[int]:
    """Return the readable images of other classes."""
    samples = reader.samples
    theirs = np.zeros(len(samples), bool)
    theirs[audit.images] = True
    others: list[int] = np.flatnonzero(samples["readable"] & ~theirs).tolist()
    return others


def _images(
    given: ImageDataset | Sequence[Any],
    name: str,
    audit: Audit,
    plan: Plan,
    reader: AnalysisReader,
) -> tuple[ImageDataset, list[int]]:
    if isinstance(given, ImageDataset):
        images, samples = given, list(range(len(given)))
    elif len(given) and all(_is_number(one) for one in given):
        images, samples = (
            plan.images,
            _of_data_set(np.asarray(given, np.int64), name, audit, reader),
        )
    elif len(given):
        images = ImageDataset.from_list(list(given))
        samples = list(range(len(images)))
    else:
        images, samples = plan.images, []
    if len(samples) < 2:
        raise ValueError(f"{name}: {len(samples)} images say nothing; give at least two.")
    return images, samples


def _is_number(one: object) -> bool:
    return isinstance(one, (int, np.integer)) and not isinstance(one, bool)


def _of_data_set(
    numbers: NDArray[np.int64], name: str, audit: Audit, reader: AnalysisReader
) -> list[int]:
    count = len(reader.samples)
    if not 0 <= numbers.min() <= numbers.max() < count:
        raise ValueError(f"{name}: there are images 0 to {count - 1}.")
    if not reader.samples["readable"].to_numpy()[numbers].all():
        raise ValueError(f"{name}: some of these images could not be read.")
    theirs = np.intersect1d(numbers, audit.images)
    if len(theirs):
        some = ", ".join(map(str, theirs[:5]))
        raise ValueError(
            f"{name}: images {some}{' ...' if len(theirs) > 5 else ''} are of the class "
            f"{audit.target!r} itself, whose logit proves nothing here."
        )
    unique: list[int] = np.unique(numbers).tolist()
    return unique
