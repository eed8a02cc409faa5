"""CLIP-Dissect (arXiv 2204.10965): how a label stands out among others on the top images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.evidence import embedded
from semlens_widgets.labels.scorer import Scorer, centring, control, unseen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_CHUNK = 1 << 24  # float32 values per working array: 64 MiB
_BLOCK = 1 << 16  # of those that are multiplied up, so that they stay in the processor's cache
_FACTORS = 8  # of .002 or more: their product is far from the smallest float32

# As its authors set them: softmax scale, first and last p_r, and the floor under the log.
_SCALE, _P_FIRST, _P_LAST, _FLOOR = 10.0, 0.998, 0.97, 1e-7


@dataclass(frozen=True)
class Dissect(Scorer):
    """The soft weighted pointwise mutual information of :func:`wpmi`, less its prior.

    Alone of the scorers it depends on the other candidates and on the other neurons, is mostly
    negative, and cannot be compared between sets of candidates.

    Parameters
    ----------
    centred
        Subtract each text's mean similarity over all images before the softmax.
    cropped
        Go by the crops of the concept examples instead of the most activating images, whole. The
        analysis must have crops.

    Notes
    -----
    CLIP-Dissect (arXiv 2204.10965), SoftWPMI, with the constants of its authors' code.
    """

    name = "clip-dissect"
    title = "CLIP-Dissect"
    about = "Soft weighted pointwise mutual information"
    unit = "logarithm of a ratio of probabilities"
    centred: bool = centring()
    cropped: bool = control(False, "Crops", "The crops of the examples instead of whole images")

    def check(self, evidence: Evidence) -> None:
        """Refuse to go by crops where there are none."""
        embedded(evidence, "crop" if self.cropped else "image")

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text among the others, for neurons that are all, ``(N, T)``."""
        return self.score_among(evidence, texts, None, self.prior([evidence], texts))

    def prior(
        self, everyone: Iterable[Evidence], texts: Tensor, among: Tensor | None = None
    ) -> Tensor:
        """Return log p(t), the log-mean-exp over all neurons of log p(top images | t), ``(T,)``.

        `everyone` is the evidence on all neurons, in blocks; `among` are the candidates' texts.
        """
        totals, count = [], 0
        for evidence in everyone:
            totals.append(self._joint(evidence, texts, among).logsumexp(0))
            count += len(evidence)
        return torch.stack(totals).logsumexp(0) - math.log(count)

    def score_among(
        self, evidence: Evidence, texts: Tensor, among: Tensor | None, prior: Tensor
    ) -> Tensor:
        """Return the score of every text beside the candidates `among`, ``(N, T)``.

        Raises
        ------
        ValueError
            If `prior` is not one number for each text.
        """
        if prior.shape != (len(texts),):
            raise ValueError(
                f"prior: expected shape ({len(texts)},) to fit the texts, got {tuple(prior.shape)}"
            )
        return unseen(evidence, self._joint(evidence, texts, among) - prior)

    def _joint(self, evidence: Evidence, texts: Tensor, among: Tensor | None) -> Tensor:
        self.check(evidence)
        return wpmi(evidence, texts, centred=self.centred, cropped=self.cropped, among=among)


def wpmi(
    evidence: Evidence,
    texts: Tensor,
    *,
    centred: bool = False,
    cropped: bool = False,
    among: Tensor | None = None,
) -> Tensor:
    """Return log p(top images | t) of softWPMI, ``(N, T)``, before the prior is subtracted.

    P(t | x) = softmax over texts of 10 cos(F(x), T(t)); the value is the sum over a neuron's most
    activating images, by rank r, of log(1 + p_r (P - 1) + 1e-7), where p_r = .998 - .028 r / R.
    The score is this minus its log-mean-exp over all neurons (lambda = 1). The softmax makes both
    depend on which texts there are: scores of different sets of texts cannot be compared.

    Parameters
    ----------
    evidence
        Evidence with ``top_samples``, or with crops.
    texts
        ``(T, D)`` unit text embeddings.
    centred
        Whether each text's mean similarity over the data set is subtracted before the softmax.
    cropped
        Whether the crops of the concept examples, by rank, take the place of the most activating
        images; R is their number then.
    among
        ``(C, D)``: if given, the texts of the softmax, and each of `texts` is scored as if it were
        the one text more in it. Else the texts themselves.

    Raises
    ------
    ValueError
        If the evidence has no ``top_samples`` and they are asked for.

    Notes
    -----
    CLIP-Dissect (arXiv 2204.10965), SoftWPMI, with the constants of its authors' code.
    """
    images, inverse, absent = _crops(evidence) if cropped else _top_images(evidence)
    if centred:  # subtracted from the cosines of all images alike
        images = images - evidence.images.mean
    candidates = texts if among is None else among
    step = max(1, _CHUNK // len(candidates))
    normaliser = torch.cat(
        [(_SCALE * (part @ candidates.T)).logsumexp(1) for part in torch.split(images, step)]
    )
    neurons, top = inverse.shape
    some_absent = bool(absent.any())
    share = _P_FIRST - (_P_FIRST - _P_LAST) / top * torch.arange(top, device=texts.device)
    result = texts.new_zeros(neurons, len(texts))
    width = max(1, _CHUNK // len(images))  # texts at a time
    for first in range(0, len(texts), width):
        some = slice(first, first + width)
        logits = (_SCALE * (images @ texts[some].T)).sub_(normaliser[:, None])
        # e^l / e^n, and e^l / (e^n + e^l) for a text beside those of the normaliser n.
        probability = logits.exp_() if among is None else logits.sigmoid_()  # (U, t)
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


def _top_images(evidence: Evidence) -> tuple[Tensor, Tensor, Tensor]:
    """Return each image once, ``(U, D)``; which ones a neuron's are, and where none is."""
    if evidence.top_samples is None:
        raise ValueError(
            "evidence: clip-dissect needs top_samples, the most activating images of every neuron"
        )
    ids, inverse = torch.unique(evidence.top_samples.clamp(min=0), return_inverse=True)
    return evidence.images.rows(ids), inverse, evidence.top_samples < 0


def _crops(evidence: Evidence) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same of the concept examples' crops, of which no two are one."""
    crops = evidence.positives.flatten(0, 1)
    return crops, torch.arange(len(crops)).view_as(evidence.examples), ~evidence.valid
