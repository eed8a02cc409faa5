"""What a foundation model must return, checked before anything is kept or scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semlens_widgets.errors import EmbeddingError, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.inputs.foundation import FoundationModel

_UNIT = 1e-3  # how far a length may be from 1


def checked_embeddings(foundation: FoundationModel, found: object, names: Sequence[str]) -> Tensor:
    """Return what a foundation model gave for images or texts, once it is found to be embeddings.

    Parameters
    ----------
    foundation
        The model.
    found
        What it returned.
    names
        Of what was embedded, for messages.

    Returns
    -------
    Tensor
        ``(names, dim)`` float32, each of unit length.

    Raises
    ------
    EmbeddingError
        If it is of another shape or type, or some embeddings are not finite or zero.
    """
    what = f"The foundation model {foundation.name!r} returned"
    if not isinstance(found, Tensor):
        raise EmbeddingError(f"{what} {type(found).__name__}, not a tensor.")
    expected = (len(names), foundation.dim)
    if tuple(found.shape) != expected or not found.is_floating_point():
        raise EmbeddingError(
            f"{what} {found.dtype} of shape {tuple(found.shape)} for {named(names)}; expected "
            f"floats of shape {expected}, a row for each and as many columns as its dim."
        )
    vectors = found.detach().float()
    length = vectors.norm(dim=1)
    wrong = ~(length.isfinite() & (length > 0))  # one value that is no number makes it none
    if bool(wrong.any()):
        faulty = [names[i] for i in torch.nonzero(wrong)[:, 0].tolist()]
        raise EmbeddingError(
            f"{what} embeddings that are infinite, not numbers or zero for {named(faulty)}. "
            "Nothing of this batch was kept. Half precision that overflows is the usual cause: "
            "switch autocast off, or load the model in float32; then run() goes on from here."
        )
    off = (length - 1).abs() > _UNIT
    return torch.where(off[:, None], vectors / length[:, None], vectors)
