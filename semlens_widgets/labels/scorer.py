"""What a label scorer is, and what several of them share.

``p_i`` is the embedding of a neuron's i-th concept example, ``n_i`` that of its contrastive
example, ``a_i`` its activation, T(t) the text embedding of candidate t averaged over templates
and normalised again. *Centred* scores subtract from each text's cosines its mean similarity to the
whole data set. That takes away the advantage of texts close to all images ("hubs"), which without
it win most labels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

TINY = 1e-12  # as torch.nn.functional.normalize


def control(
    default: Any, label: str, title: str, low: float = 0.0, high: float = 1.0, step: float = 0.05
) -> Any:
    """Make a setting of a scorer: a switch, or a number from `low` to `high`.

    A panel shows it as a control that is called `label`; `title` says in a sentence what it does.
    """
    about = {"label": label, "title": title, "low": low, "high": high, "step": step}
    return field(default=default, metadata=about)


def choice(default: str, label: str, title: str, options: Sequence[str]) -> Any:
    """Make a setting of a scorer that is one of a few words; see :func:`control`."""
    about = {"label": label, "title": title, "options": list(options)}
    return field(default=default, metadata=about)


def centring() -> Any:
    """Make the setting that several scorers have: *centred*."""
    return control(True, "Centred", "Subtract each text's mean similarity over all images")


def embedding() -> Any:
    """Make the setting of how examples are compared: *embedding*."""
    return choice(
        "analysed",
        "Embedding",
        "Whole images, or the parts that the neuron looks at",
        ("analysed", "image", "crop"),
    )


@dataclass(frozen=True)
class Scorer(ABC):
    """A way to score candidate labels for neurons; its fields are its settings.

    A new one is a frozen dataclass of this class in a file of its own, named in
    :data:`semlens_widgets.labels.scorers.SCORERS`. It needs `name`, `title`, `about` and
    :meth:`score`; it may be :class:`Explaining` or :class:`Competing` too.

    Attributes
    ----------
    name, title, about
        What code and people call it, and what it does, in one line.
    pairs
        Whether it rests on concept and contrastive examples, so that some can be left out.
    whole
        Whether it rests on the activations on all images.
    chance
        The score of what means nothing to a neuron, whatever the text; None if there is no such
        score, and the empty prompt has to stand for it.
    unit
        What its scores are, in a few words; empty if that is not known.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    pairs: ClassVar[bool] = True
    whole: ClassVar[bool] = False
    chance: ClassVar[float | None] = None
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check_setting(one.name, getattr(self, one.name), one.default, one.metadata)

    @abstractmethod
    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron.

        Parameters
        ----------
        evidence
            What is known of N neurons.
        texts
            ``(T, D)`` unit text embeddings.

        Returns
        -------
        Tensor
            ``(N, T)`` float32; NaN where nothing can be said.
        """

    def check(self, evidence: Evidence) -> None:  # noqa: B027 - most scorers take any evidence
        """Refuse evidence that lacks what the settings ask for, before anything long starts.

        Raises
        ------
        ValueError
            Such as for crops of an analysis of whole images; says what to do.
        """

    @property
    def settings(self) -> dict[str, Any]:
        """The fields as they are stored, by name."""
        return asdict(self)

    @classmethod
    def described(cls) -> dict[str, Any]:
        """Return what a panel needs to offer it: names, and its settings as controls (JSON)."""
        return {
            "name": cls.name,
            "title": cls.title,
            "about": cls.about,
            "pairs": cls.pairs,
            "chance": cls.chance,
            "unit": cls.unit,
            "competes": issubclass(cls, Competing),
            "controls": [
                {"name": one.name, "default": one.default, **one.metadata} for one in fields(cls)
            ],
        }


def _check_setting(name: str, value: object, default: object, about: Mapping[str, Any]) -> None:
    """Refuse what a setting cannot be."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise TypeError(f"{name}: expected True or False, got {value!r}")
        return
    if "options" in about:
        if value not in about["options"]:
            raise ValueError(
                f"{name}: expected one of {', '.join(map(repr, about['options']))}, got {value!r}"
            )
        return
    low, high = about["low"], about["high"]
    numbers = int if isinstance(default, int) else (int, float)
    number = isinstance(value, numbers) and not isinstance(value, bool)
    if not (number and low <= value <= high):
        kind = "whole number" if isinstance(default, int) else "number"
        raise ValueError(f"{name}: expected a {kind} from {low:g} to {high:g}, got {value!r}")


@runtime_checkable
class Explaining(Protocol):
    """A scorer whose score can be shared out among the pairs of examples."""

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return what each pair adds to each text's score, ``(N, m, T)``; sums to the score.

        Zero for pairs that do not exist. What centring subtracts is shared out by the pairs'
        weights.
        """
        ...


@runtime_checkable
class Competing(Protocol):
    """A scorer whose scores depend on which candidates there are, and on all neurons."""

    def prior(
        self, everyone: Iterable[Evidence], texts: Tensor, among: Tensor | None = None
    ) -> Tensor:
        """Return what :meth:`score_among` needs of all neurons; parameters as there."""
        ...

    def score_among(
        self, evidence: Evidence, texts: Tensor, among: Tensor | None, prior: Tensor
    ) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``.

        Parameters
        ----------
        evidence, texts
            As for :meth:`Scorer.score`.
        among
            ``(C, D)`` candidates, each text being scored as if it alone stood beside them; None if
            the texts are the candidates.
        prior
            From :meth:`prior`, of all neurons.
        """
        ...


def text_directions(prompts: Tensor) -> Tensor:
    """Return T(t), the mean of ``(templates, T, D)`` over templates, ``(T, D)`` of unit length."""
    return normalize(prompts.float().mean(0), dim=1)


def offset(evidence: Evidence, texts: Tensor, *, centred: bool) -> Tensor:
    """Return what centring subtracts from the cosine of each text, ``(T,)``."""
    if not centred:
        return texts.new_zeros(len(texts))
    shift: Tensor = evidence.images.mean @ texts.T
    return shift


def unseen(evidence: Evidence, scores: Tensor) -> Tensor:
    """Set the scores of neurons without examples to NaN; 0 would outrank neurons that have some."""
    return scores.masked_fill(~evidence.valid.any(1, keepdim=True), torch.nan)
