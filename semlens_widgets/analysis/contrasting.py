"""Choose contrastive examples: for each concept example, a similar image that is quiet.

Quiet means an activation below a level of the neuron's own, see :func:`mean_levels`,
:func:`quantile_levels` and :func:`share_levels`. Activations are ``(samples, neurons)`` arrays as
in :mod:`semlens_widgets.analysis.mining`, NaN where an image is unreadable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semlens_widgets.analysis.mining import (
    CHUNK,
    check_activations,
    neuron_chunks,
    row_means,
    row_quantiles,
)
from semlens_widgets.analysis.nearest import nearest_quiet, to_screen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from semlens_widgets.analysis.mining import Activations


def mean_levels(activations: Activations) -> Tensor:
    """Return the level below which an activation is strictly below the neuron's mean.

    Parameters
    ----------
    activations
        ``(S, N)``; NaN where an image was unreadable, which is left out.

    Returns
    -------
    Tensor
        ``(N,)`` float32: the smallest activation that is not quiet.
    """
    return torch.cat([_ceil_float32(row_means(rows)) for _, rows in neuron_chunks(activations)])


def quantile_levels(activations: Activations, quantile: float) -> Tensor:
    """Return the level below which an activation is at most the neuron's `quantile`.

    At most, not below: of a neuron that is 0 on most images, low quantiles are 0, and the images on
    which it is 0 are those that count as quiet. See :func:`mean_levels` for shapes.
    """
    return torch.cat(
        [
            _after(-_ceil_float32(-row_quantiles(rows, (quantile,))[0]))
            for _, rows in neuron_chunks(activations)
        ]
    )


def share_levels(activations: Activations, share: float) -> Tensor:
    """Return the level below which an activation is strictly below a share of the maximum.

    Minus infinity, so that nothing is quiet, where the maximum is not above 0. See
    :func:`mean_levels` for shapes.
    """
    found = []
    for _, rows in neuron_chunks(activations):
        top = rows.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).amax(1).double()
        found.append(torch.where(top > 0, _ceil_float32(share * top), -torch.inf))
    return torch.cat(found)


def contrastive_examples(
    activations: Activations,
    image_embeddings: Tensor,
    examples: Tensor,
    anchors: Tensor | None = None,
    *,
    levels: Tensor | None = None,
    reuse: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return for every concept example the most similar image that leaves the neuron quiet.

    Similarity is the cosine to the example's embedding. Ties go to the lowest index, and an example
    is never its own contrast. Images with equal embeddings tie exactly, however the products are
    blocked: near-ties are decided in float64.

    Parameters
    ----------
    activations
        ``(S, N)``; NaN where an image was unreadable, and such an image is never chosen.
    image_embeddings
        ``(S, D)`` float32 unit vectors.
    examples
        ``(N, m)`` int64, indices of the concept examples; -1 stands for a missing one.
    anchors
        ``(N, m, D)`` unit vectors to compare with instead of the examples' whole images, for
        instance the embeddings of their crops.
    levels
        ``(N,)`` float32, quiet is below; by default strictly below the neuron's mean over the
        readable images.
    reuse
        Whether an image may serve several examples of a neuron. If not, the examples choose one
        after the other, the most activating first.

    Returns
    -------
    indices
        ``(N, m)`` int64, -1 where the example is missing or no other image is quiet.
    similarity
        ``(N, m)`` float32 cosine, NaN where the index is -1.

    Raises
    ------
    ValueError
        If shapes do not fit together or an example lies outside the data set.

    Notes
    -----
    Negative mining of CSP (arXiv 2604.22477, "Contrastive examples", after FALCON).
    """
    indices, similarity = contrastive_neighbours(
        activations, image_embeddings, examples, anchors, levels=levels, reuse=reuse, neighbours=1
    )
    return indices[..., 0], similarity[..., 0]


def contrastive_neighbours(
    activations: Activations,
    image_embeddings: Tensor,
    examples: Tensor,
    anchors: Tensor | None = None,
    *,
    levels: Tensor | None = None,
    reuse: bool = True,
    neighbours: int,
) -> tuple[Tensor, Tensor]:
    """Return for every concept example several similar images that leave the neuron quiet.

    The first are those of :func:`contrastive_examples`, whatever the number. Then every example
    gets the next most similar image that it has not got yet, and so on.

    Parameters
    ----------
    activations, image_embeddings, examples, anchors, levels, reuse
        As in :func:`contrastive_examples`. Without `reuse` no image serves a neuron twice.
    neighbours
        How many.

    Returns
    -------
    indices
        ``(N, m, neighbours)`` int64, the most similar first; -1 where the example is missing or no
        other image is quiet.
    similarity
        ``(N, m, neighbours)`` float32 cosine, NaN where the index is -1.

    Raises
    ------
    ValueError
        As :func:`contrastive_examples`.
    """
    samples = check_activations(activations, 1)
    _check_contrast(activations, image_embeddings, examples, anchors)
    if levels is None:
        levels = mean_levels(activations)
    device = image_embeddings.device
    embeddings = image_embeddings.float()
    screen = to_screen(embeddings)
    shape = (*examples.shape, neighbours)
    indices = torch.full(shape, -1, dtype=torch.int64, device=device)
    similarity = torch.full(shape, torch.nan, device=device)
    block = max(1, CHUNK // samples)  # pairs of neuron and example at a time
    # The more neurons are worked on together, the more of their examples are the same image,
    # which is then compared once; their masks take a byte per activation.
    group = max(1, 16 * CHUNK // samples)
    for start in range(0, activations.shape[1], group):
        loud = torch.cat(
            [
                ~(rows < levels[start + first : start + first + len(rows), None])  # true for NaN
                for first, rows in neuron_chunks(activations[:, start : start + group])
            ]
        ).to(device)  # (group, S)
        chosen = examples[start : start + group].to(device)
        for neighbour, neuron, rank in _rounds(chosen, neighbours, reuse):
            sample = chosen[neuron, rank]
            # Sorted, so that the pairs of one image meet in one block.
            for pairs in torch.split(sample.argsort(stable=True), block):
                row, column, own = neuron[pairs], rank[pairs], sample[pairs]
                if anchors is None:
                    unique, inverse = torch.unique_consecutive(own, return_inverse=True)
                    vectors = embeddings[unique]
                else:
                    inverse = torch.arange(len(pairs), device=device)
                    vectors = anchors.to(device)[row + start, column].float()
                got = indices[row + start, column, :neighbour]  # (p, neighbour)
                best, exact = nearest_quiet(
                    vectors,
                    inverse,
                    screen=screen,
                    embeddings=embeddings,
                    loud=loud,
                    row=row,
                    own=torch.cat([own[:, None], torch.where(got < 0, own[:, None], got)], dim=1),
                )
                indices[row + start, column, neighbour] = best
                similarity[row + start, column, neighbour] = exact
                if not reuse:
                    loud[row[best >= 0], best[best >= 0]] = True
    return indices, similarity


def contrastive_by_others(
    activations: Activations,
    responses: Tensor,
    neurons: Sequence[int],
    examples: Tensor,
    *,
    levels: Tensor | None = None,
    reuse: bool = True,
    neighbours: int = 1,
) -> Tensor:
    """Return contrastive examples that are similar by what all other neurons of the layer do.

    Similarity is the cosine of the activations of the layer's other neurons; to an image on which
    they are all 0 it is 0. The rest is as in :func:`contrastive_examples`.

    Parameters
    ----------
    activations
        ``(S, N)``, of the neurons asked about; NaN where an image was unreadable.
    responses
        ``(S, L)``, of all neurons of the layer.
    neurons
        Which of them are the N.
    examples, levels, reuse, neighbours
        As in :func:`contrastive_neighbours`.

    Returns
    -------
    Tensor
        ``(N, m, neighbours)`` int64, -1 where the example is missing or no other image is quiet.

    Raises
    ------
    ValueError
        If shapes do not fit together, or the layer has no other neurons.

    Notes
    -----
    FALCON (Kalibhat et al., ICML 2023) compares in the space of the target's features.
    """
    if responses.shape[1] < 2:
        raise ValueError(
            'space="target" compares images by the other neurons of a layer, and one of the layers '
            'has a single neuron: use space="foundation", or leave that layer out.'
        )
    if levels is None:
        levels = mean_levels(activations)
    known = responses.float().nan_to_num()
    found = []
    for at, neuron in enumerate(neurons):
        others = torch.cat([known[:, :neuron], known[:, neuron + 1 :]], dim=1)
        indices, _ = contrastive_neighbours(
            activations[:, at : at + 1],
            normalize(others, dim=1),
            examples[at : at + 1],
            levels=levels[at : at + 1],
            reuse=reuse,
            neighbours=neighbours,
        )
        found.append(indices)
    return torch.cat(found)


def _rounds(chosen: Tensor, neighbours: int, reuse: bool) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield neighbour by neighbour, with the rows and columns of the examples that choose.

    All examples choose at once, or one rank after the other.
    """
    present = chosen >= 0
    for neighbour in range(neighbours):
        if reuse:
            neuron, rank = torch.nonzero(present, as_tuple=True)
            yield neighbour, neuron, rank
            continue
        for column in range(chosen.shape[1]):
            neuron = torch.nonzero(present[:, column])[:, 0]
            yield neighbour, neuron, torch.full_like(neuron, column)


def _ceil_float32(values: Tensor) -> Tensor:
    """Return the smallest float32 not below: for a float32 x, x < ceil(v) just when x < v."""
    rounded = values.float()
    return torch.where(rounded.double() < values, _after(rounded), rounded)


def _after(values: Tensor) -> Tensor:
    """Return the next larger float32: for a float32 x, x < after(v) just when x <= v."""
    return torch.nextafter(values, torch.full_like(values, torch.inf))


def _check_contrast(
    activations: Activations, embeddings: Tensor, examples: Tensor, anchors: Tensor | None
) -> None:
    samples, neurons = activations.shape
    if embeddings.ndim != 2 or len(embeddings) != samples:
        raise ValueError(
            f"image_embeddings: expected shape ({samples}, dim) to fit the activations, "
            f"got {tuple(embeddings.shape)}"
        )
    if examples.ndim != 2 or len(examples) != neurons or examples.is_floating_point():
        raise ValueError(
            f"examples: expected integers of shape ({neurons}, examples) to fit the activations, "
            f"got {examples.dtype} of shape {tuple(examples.shape)}"
        )
    if examples.numel() and (int(examples.max()) >= samples or int(examples.min()) < -1):
        raise ValueError(f"examples: expected indices from -1 to {samples - 1}")
    expected = (*examples.shape, embeddings.shape[1])
    if anchors is not None and tuple(anchors.shape) != expected:
        raise ValueError(f"anchors: expected shape {expected}, got {tuple(anchors.shape)}")
