"""The soft weighted pointwise mutual information of CLIP-Dissect (arXiv 2204.10965)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_CHUNK = 1 << 24  # float32 values per working array: 64 MiB
_BLOCK = 1 << 16  # of those that are multiplied up, so that they stay in the processor's cache
_FACTORS = 8  # of .002 or more: their product is far from the smallest float32

# As its authors set them: softmax scale, first and last p_r, and the floor under the log.
_SCALE, _P_FIRST, _P_LAST, _FLOOR = 10.0, 0.998, 0.97, 1e-7


def wpmi(
    evidence: Evidence, texts: Tensor, *, centred: bool = False, beside: Tensor | None = None
) -> Tensor:
    """Return log p(top images | t) of softWPMI, ``(N, T)``, before the prior is subtracted.

    P(t | x) = softmax over texts of 10 cos(F(x), T(t)); the value is the sum over a neuron's most
    activating images, by rank r, of log(1 + p_r (P - 1) + 1e-7), where p_r = .998 - .028 r / R.
    The score is this minus its log-mean-exp over all neurons (lambda = 1). The softmax makes both
    depend on which texts there are: scores of different sets of texts cannot be compared.

    Parameters
    ----------
    evidence
        Evidence with ``top_samples`` and ``sample_embeddings``.
    texts
        ``(T, D)`` unit text embeddings.
    centred
        Whether each text's mean similarity over the data set is subtracted before the softmax.
    beside
        ``(E, D)``: if given, these are scored instead, ``(N, E)``, each as if it were the one text
        more in the softmax; `texts` and those before and after it do not feel it.

    Raises
    ------
    ValueError
        If the evidence has no ``top_samples``.

    Notes
    -----
    CLIP-Dissect (arXiv 2204.10965), SoftWPMI, with the constants of its authors' code.
    """
    if evidence.top_samples is None or evidence.sample_embeddings is None:
        raise ValueError(
            "evidence: clip-dissect needs top_samples and sample_embeddings, "
            "the most activating images of every neuron"
        )
    ids, inverse = torch.unique(evidence.top_samples.clamp(min=0), return_inverse=True)
    images = evidence.sample_embeddings[ids].float()  # (U, D), each image once
    if centred:  # subtracted from the cosines of all images alike
        images = images - evidence.mean_embedding.float()
    step = max(1, _CHUNK // len(texts))
    normaliser = torch.cat(
        [(_SCALE * (part @ texts.T)).logsumexp(1) for part in torch.split(images, step)]
    )
    if beside is not None:
        texts = beside
    neurons, top = evidence.top_samples.shape
    absent = evidence.top_samples < 0
    some_absent = bool(absent.any())
    share = _P_FIRST - (_P_FIRST - _P_LAST) / top * torch.arange(top, device=texts.device)
    result = texts.new_zeros(neurons, len(texts))
    width = max(1, _CHUNK // len(ids))  # texts at a time
    for first in range(0, len(texts), width):
        some = slice(first, first + width)
        logits = (_SCALE * (images @ texts[some].T)).sub_(normaliser[:, None])
        # e^l / e^n, and e^l / (e^n + e^l) for a text beside those of the normaliser n.
        probability = logits.exp_() if beside is None else logits.sigmoid_()  # (U, t)
        rows = max(1, _BLOCK // probability.shape[1])
        for start in range(0, neurons, rows):
            part = slice(start, start + rows)
            # The logarithms of products instead of the sum of as many logarithms.
            for group in range(0, top, _FACTORS):
                product = torch.ones_like(result[part, some])
                for rank in range(group, min(group + _FACTORS, top)):
                    # 1 + p (P - 1) = (1 - p) + p P without cancellation
                    term = probability.index_select(0, inverse[part, rank])
                    term.mul_(share[rank]).add_(1 - share[rank] + _FLOOR)
                    if some_absent:
                        term.masked_fill_(absent[part, rank, None], 1)
                    product.mul_(term)
                result[part, some] += product.log_()
    return result


def log_mean_exp(joint: Tensor) -> Tensor:
    """Return the logarithm of the mean over neurons of ``exp(joint)``, ``(T,)``."""
    return joint.logsumexp(0) - math.log(len(joint))
