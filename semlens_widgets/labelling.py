"""The labels of a lens: scored, explained, chosen, kept."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis import labels as scorers
from semlens_widgets.analysis.contributions import contributions
from semlens_widgets.analysis.evidence import one_neuron, without_pairs
from semlens_widgets.errors import StoreError
from semlens_widgets.foundation import CSP_TEMPLATES, embed_prompts
from semlens_widgets.labelled import PERSON, Labelled, read_labels, unlabelled, write_labels
from semlens_widgets.reader import AnalysisReader
from semlens_widgets.scoring import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from semlens_widgets.foundation import FoundationModel
    from semlens_widgets.store import AnalysisStore

_MOST_TEXTS = 50_000
_MOST_PRIORS = 16
# JupyterLab may answer widgets in another thread than the one that runs cells.
_LOCK = threading.RLock()


class Words:
    """Text embeddings and the priors of CLIP-Dissect, each computed once.

    A label typed beside a thousand others costs one text; a change of scorer costs none.
    """

    def __init__(self, reader: AnalysisReader, foundation: FoundationModel) -> None:
        self.reader = reader
        self.foundation = foundation
        self._known: dict[tuple[str, ...], tuple[dict[str, int], Tensor]] = {}
        self._priors: OrderedDict[object, Tensor] = OrderedDict()

    def prompts(self, names: Sequence[str], templates: Sequence[str] | None) -> Tensor:
        """Embed texts, averaged over the templates, ``(1, texts, dim)`` of unit length."""
        with _LOCK:
            return self._prompts(names, tuple(templates or CSP_TEMPLATES))

    def _prompts(self, names: Sequence[str], key: tuple[str, ...]) -> Tensor:
        places, vectors = self._known.get(key, ({}, torch.empty(0, self.foundation.dim)))
        new = [name for name in dict.fromkeys(names) if name not in places]
        if new:
            if len(places) + len(new) > _MOST_TEXTS:
                return self._embed(names, key)[None]
            vectors = torch.cat([vectors, self._embed(new, key)])
            places |= {name: len(places) + at for at, name in enumerate(new)}
            self._known[key] = (places, vectors)
        return vectors[[places[name] for name in names]][None]

    def _embed(self, names: Sequence[str], templates: tuple[str, ...]) -> Tensor:
        return normalize(embed_prompts(self.foundation, names, templates).cpu().mean(0), dim=1)

    def prior(
        self, names: Sequence[str], templates: Sequence[str] | None, *, centred: bool
    ) -> Tensor:
        """Return the prior of each candidate over all neurons, ``(candidates,)``."""
        with _LOCK:
            return self._prior((tuple(names), tuple(templates or ()), centred))

    def _prior(self, key: tuple[tuple[str, ...], tuple[str, ...], bool]) -> Tensor:
        names, templates, centred = key
        if key not in self._priors:
            prompts = self.prompts(names, templates)
            self._priors[key] = scorers.wpmi_prior(self.reader.evidence, prompts, centred=centred)
            while len(self._priors) > _MOST_PRIORS:
                self._priors.popitem(last=False)
        self._priors.move_to_end(key)
        return self._priors[key]


@dataclass(frozen=True, eq=False)
class _Listener:
    """A callback by itself: the same function may listen twice, and end once."""

    call: Callable[[], None]


class Labelling:
    """The part of a lens that scores and keeps labels; see :class:`SemanticLens`."""

    foundation: FoundationModel | None
    store: AnalysisStore

    @cached_property
    def _read(self) -> AnalysisReader:
        if not self.store.is_finished("vectors"):
            raise StoreError("This analysis is not finished: call run() first.")
        return AnalysisReader(self.store)

    @property
    def _texts(self) -> Words:
        foundation = needed(self._read, self.foundation)
        words: Words | None = self.__dict__.get("_words")
        if words is None or words.foundation is not foundation or words.reader is not self._read:
            words = self.__dict__["_words"] = Words(self._read, foundation)
        return words

    def scores(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Score candidate labels for one neuron; parameters as in :meth:`label`.

        Parameters
        ----------
        exclude
            Ranks of examples to leave out, with their contrastive examples.

        Returns
        -------
        pandas.DataFrame
            candidate, score, in the order given, duplicates dropped.
        """
        names = scorers.check_candidates(candidates)
        words = self._texts
        prior = None
        if scorers.check_method(method) == "clip-dissect":
            prior = words.prior(names, templates, centred=centred)
        evidence = one_neuron(self._read.evidence, self._read.row(layer, neuron))
        scores = scorers.score(
            without_pairs(evidence, exclude),
            words.prompts(names, templates),
            method=method,
            gamma=gamma,
            centred=centred,
            prior=prior,
        )
        return pd.DataFrame({"candidate": names, "score": scores[0].numpy()})

    def contributions(
        self,
        layer: str,
        neuron: int,
        candidates: Sequence[str],
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
    ) -> pd.DataFrame:
        """Tell which examples speak for which label: each one's part of the score.

        Parameters as in :meth:`scores`; ``"clip-dissect"`` cannot be shared out.

        Returns
        -------
        pandas.DataFrame
            One row per rank and one column per candidate, which sums to the candidate's score.
        """
        names = scorers.check_candidates(candidates)
        row = self._read.row(layer, neuron)
        parts = contributions(
            without_pairs(one_neuron(self._read.evidence, row), exclude),
            self._texts.prompts(names, templates),
            method=method,
            gamma=gamma,
            centred=centred,
        )[0]
        there = self._read.evidence.valid[row]
        ranks = pd.Index(torch.arange(len(there))[there].numpy(), name="rank")
        return pd.DataFrame(parts[there].numpy(), index=ranks, columns=list(names))

    def label(
        self,
        candidates: Sequence[str],
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        threshold: float | None = None,
    ) -> pd.DataFrame:
        """Give every neuron the candidate label that scores best, and keep it.

        Parameters
        ----------
        candidates
            Words or phrases to choose from.
        method
            ``"csp"``, ``"semanticlens"``, ``"difference"`` or ``"clip-dissect"``.
        gamma
            How much of the contrastive example CSP projects out, in [0, 1].
        centred
            Subtract from each candidate its mean similarity over all images.
        templates
            Sentences with ``{}`` where the candidate goes; by default the six of CSP.
        threshold
            Score below which a neuron is "unknown"; by default the score of the empty prompt.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, margin (over the threshold).
        """
        names = scorers.check_candidates(candidates)
        words = self._texts
        prompts = words.prompts(names, templates)

        def score(empty: Tensor | None = None) -> Tensor:
            return scorers.score(
                self._read.evidence,
                prompts,
                method=method,
                gamma=gamma,
                centred=centred,
                empty=empty,
            )

        scores = score()
        bar = None
        if threshold is None:
            best = scores.max(dim=1)
            rest = score(words.prompts([""], templates)).gather(1, best.indices[:, None])[:, 0]
            bar = best.values - rest
        found = scorers.assign(scores, names, bar, threshold)
        frame = unlabelled(self._read.neurons).frame.assign(
            label=found.labels,
            score=found.score.numpy(),
            margin=found.margin.numpy(),
            source=method,
        )
        scorer = {
            "method": method,
            "gamma": float(gamma),
            "centred": centred,
            "templates": tuple(templates or CSP_TEMPLATES),
        }

        def keep_persons(present: Labelled) -> Labelled:
            theirs = present.frame["source"] == PERSON
            return Labelled(frame.where(~theirs, present.frame), names, scorer, threshold)

        return self._commit(keep_persons).frame.copy()

    def set_label(self, layer: str, neuron: int, label: str, score: float | None = None) -> None:
        """Give one neuron a label that a person chose, and keep it."""
        (name,) = scorers.check_candidates([label])
        row = self._read.row(layer, neuron)

        def put(present: Labelled) -> Labelled:
            frame = present.frame.copy()
            frame.loc[row, ["label", "score", "margin", "source"]] = [name, score, None, PERSON]
            return replace(present, frame=frame)

        self._commit(put)

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels have changed, in the thread that changed them.

        Returns
        -------
        callable
            Ends it; more than once does no harm.
        """
        listener = _Listener(callback)
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    @cached_property
    def _listeners(self) -> list[_Listener]:
        return []

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The candidates that :meth:`label` last chose from."""
        return self._labelled.vocabulary

    @property
    def labelled_by(self) -> dict[str, Any]:
        """How :meth:`label` last scored: method, gamma, centred, templates; empty before."""
        return dict(self._labelled.scorer)

    @property
    def _labels(self) -> pd.DataFrame:
        return self._labelled.frame

    @cached_property
    def _labelled(self) -> Labelled:
        return read_labels(self.store) or unlabelled(self._read.neurons)

    def _commit(self, change: Callable[[Labelled], Labelled]) -> Labelled:
        """Change what is stored now, whoever stored it; then let the views know."""
        if self.store.read_only:
            with _LOCK:
                self._labelled = change(self._labelled)
        else:
            with self.store.writing(), _LOCK:
                changed = change(read_labels(self.store) or self._labelled)
                write_labels(self.store, changed)
                self._labelled = changed
        changed = self._labelled
        for listener in tuple(self._listeners):
            try:
                listener.call()
            except Exception as error:  # noqa: BLE001 - the labels are kept; a view is not all views
                warnings.warn(
                    f"The labels are kept, but a view could not follow: {error!r}", stacklevel=3
                )
        return changed
