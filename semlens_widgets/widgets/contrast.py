"""The contrast panel: examples beside look-alikes that leave the neuron quiet, and label scores."""

from __future__ import annotations

import heapq
import warnings
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from semlens_widgets.inputs.foundation import CSP_TEMPLATES
from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.labels.scorer import Explaining, Scorer
from semlens_widgets.labels.scorers import DEFAULT, SCORERS, scorer_of
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import (
    Doer,
    Handler,
    LensWidget,
    Neuron,
    Reply,
    Told,
    asset,
    close_matches,
)
from semlens_widgets.widgets._messages.neurons import (
    Accepted,
    LabelledAll,
    Pair,
    PairsOfNeuron,
    Scores,
    Vocabulary,
)
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from semlens_widgets.widgets._lens import Lens

_SUGGESTIONS = 8
#: Scores that are kept in a saved notebook, and candidates whose scores are taken apart.
_KEPT = 64
#: A list of candidates is saved with the notebook; contrast/candidate-list.ts in
#: ``js/src`` knows the same bounds.
MOST_CANDIDATES = 5_000
LONGEST_CANDIDATE = 120
TEMPLATES = {"plain": ("{}",), "csp": CSP_TEMPLATES}
_OLD = {"method", "gamma", "centred"}
_OLD_ADVICE = 'give scorer="csp", or an object such as Csp(gamma=0.5, centred=True)'


def _best(pairs: Sequence[Sequence[Any]], most: int) -> list[list[Any]]:
    def key(pair: Sequence[Any]) -> float:
        return float("inf") if pair[1] is None else -pair[1]

    return [list(pair) for pair in heapq.nsmallest(most, pairs, key=key)]


def distinct(candidates: Iterable[Any]) -> tuple[list[str], list[str]]:
    """Return the candidates with single spaces and without repetition, and the repeated ones.

    Upper and lower case count as the same, as they do for the text encoders.
    """
    kept: dict[str, str] = {}
    repeated = []
    for position, candidate in enumerate(candidates):
        if not isinstance(candidate, str):
            raise TypeError(f"candidates: entry {position} is {candidate!r}, not a text.")
        words, lower = _spaced(candidate)
        if not words:
            raise ValueError(f"candidates: entry {position} is blank. Give a text like 'striped'.")
        if lower in kept:
            repeated.append(words)
        else:
            kept[lower] = words
    return list(kept.values()), repeated


@lru_cache(maxsize=4 * MOST_CANDIDATES)
def _spaced(text: str) -> tuple[str, str]:
    """Return a text with single spaces, and in lower case; the same come with every key."""
    words = " ".join(text.split())
    return words, words.lower()


def _as_labelled(lens: Lens) -> dict[str, Any]:
    """Return the settings that gave the labels: the panel's first scores are theirs."""
    settings = dict(lens.labelled_by)
    scorer, templates = settings.pop("scorer", None), settings.pop("templates", None)
    for name in ("candidates", "back_off"):  # how labels were chosen, not how they score
        settings.pop(name, None)
    # The panel has no others; with those its own stay.
    known = [name for name, sentences in TEMPLATES.items() if sentences == templates]
    options = {"templates": known[0]} if known else {}
    return options | ({"scorer": scorer, "settings": settings} if scorer in SCORERS else {})


def _scored_by(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a request wants labels to be scored."""
    scorer = scorer_of(params.get("scorer", DEFAULT), params.get("settings"))
    asked: dict[str, Any] = {"scorer": scorer}
    if "templates" in params:
        asked["templates"] = TEMPLATES[params["templates"]]
    if params.get("exclude") and scorer.pairs:
        asked["exclude"] = [int(rank) for rank in params["exclude"]]
    return asked


def _pairs(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    layer, neuron = _answers.neuron_of(params)
    facts = _answers.facts(widget.lens.neurons, layer, neuron)
    pairs = [
        Pair(
            **_answers.shown(row),
            rank=int(row["rank"]),
            contrast=None if row["contrast_sample"] < 0 else _answers.shown(row, "contrast_"),
            similarity=_answers.number(row["similarity"]),
        )
        for row in widget.lens.examples(layer, neuron).to_dict("records")
    ]
    return PairsOfNeuron(facts=facts, pairs=pairs), []


class ContrastPanel(LensWidget):
    """Compare what activates a neuron with what does not, and try labels on it.

    It starts with the scorer and the settings that ``lens.label`` last used.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    layer, neuron : str, int, optional
        The neuron to show; also the trait ``active``, which may be set at any time.
    candidates : list of str
        Labels to score, at most 5,000; empty: the neuron's own label and the best of
        ``lens.vocabulary``.
    scorer : str or Scorer
        How labels are scored: ``"csp"``, ``"recognition"``, ... or ``Csp(gamma=0.5)``.
    settings : dict
        Settings of the scorers by name, such as ``{"gamma": 0.5, "centred": True}``.
    templates : {"plain", "csp"}
        Each label alone, or in the six sentences of CSP.
    excluded : list of int
        Ranks of the pairs that are left out; empty again when the neuron changes.

    Attributes
    ----------
    scores : list
        The last ``[candidate, score]`` pairs the browser asked for. Read-only.
    accepted : dict or None
        The last label a person accepted here: ``layer``, ``neuron``, ``label``, ``score``.
        Read-only.
    """

    view_title = "Labels and contrast"
    view_traits = ("candidates", "scorer", "settings", "templates", "excluded")

    _esm = asset("contrast.js")
    _css = asset("contrast.css")

    candidates = traitlets.List(traitlets.Unicode(), help="Labels to score.").tag(sync=True)
    scorer = traitlets.Unicode(DEFAULT, help="How labels are scored.").tag(sync=True)
    settings = traitlets.Dict(help="Settings of the scorers, by name.").tag(sync=True)
    templates = traitlets.Enum(tuple(TEMPLATES), "plain", help="Sentences around a label.").tag(
        sync=True
    )
    excluded = traitlets.List(traitlets.Int(min=0), help="Ranks of the pairs left out.")
    scores: traitlets.List[Any] = traitlets.List(read_only=True, help="The last scores.").tag(
        sync=True, to_json=lambda value, _widget: _best(value, _KEPT)
    )
    accepted = traitlets.Dict(
        None, allow_none=True, read_only=True, help="The last accepted label."
    ).tag(sync=True)
    #: The neuron that the scores are of.
    _scored = Neuron()
    #: With the neuron they belong to, so that no change of neuron can mix them up.
    _excluded = traitlets.Dict(None, allow_none=True).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)
    #: What there is to choose from, and which controls it has.
    _scorers = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(
        self,
        lens: Lens,
        layer: str | None = None,
        neuron: int | str | None = None,
        **options: Any,
    ) -> None:
        self._fresh: tuple[tuple[str, int], list[list[Any]]] | None = None
        excluded = options.pop("excluded", None)
        if isinstance(options.get("candidates"), str):
            raise TypeError(f"candidates must be a list: [{options['candidates']!r}].")
        for name in _OLD & options.keys():
            raise TypeError(f"There is no {name}= any more: {_OLD_ADVICE}.")
        if isinstance(scorer := options.get("scorer"), Scorer):
            options |= {"scorer": scorer.name, "settings": scorer.settings}
        options = _as_labelled(lens) | options
        super().__init__(lens, **_answers.with_active(options, layer, neuron))
        if excluded is not None:
            self.excluded = excluded

    def refresh(self) -> None:
        """Ask the browser to fetch the neuron's label and measures again."""
        self._revision += 1

    @traitlets.default("_scorers")
    def _all_scorers(self) -> list[dict[str, Any]]:
        return [kind.described() for kind in SCORERS.values()]

    @traitlets.validate("candidates")
    def _distinct_candidates(self, proposal: dict[str, Any]) -> list[str]:
        try:
            kept, repeated = distinct(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        if len(kept) > MOST_CANDIDATES:
            raise traitlets.TraitError(
                f"candidates: {len(kept)} labels are too many to score live, {MOST_CANDIDATES} at "
                "most. Use lens.label(...) or lens.scores(...)."
            )
        longest = max(kept, key=len, default="")
        if len(longest) > LONGEST_CANDIDATE:
            raise traitlets.TraitError(
                f"candidates: {longest[:40]!r}... has {len(longest)} characters, a label "
                f"{LONGEST_CANDIDATE} at most."
            )
        if repeated:
            names = ", ".join(map(repr, repeated))
            warnings.warn(f"candidates: already in the list, kept once: {names}.", stacklevel=2)
        return kept

    @traitlets.validate("scorer")
    def _known_scorer(self, proposal: dict[str, Any]) -> str:
        scorer: str = proposal["value"]
        if scorer not in SCORERS:
            raise traitlets.TraitError(
                f"scorer: there is no {scorer!r}.{close_matches(scorer, list(SCORERS))}"
            )
        return scorer

    @traitlets.validate("settings")
    def _known_settings(self, proposal: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = proposal["value"]
        known = {one.name for kind in SCORERS.values() for one in fields(kind)}
        for name in settings.keys() - known:
            raise traitlets.TraitError(
                f"settings: no scorer has {name!r}.{close_matches(str(name), sorted(known))}"
            )
        try:
            for name in SCORERS:
                scorer_of(name, settings)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(f"settings: {error}") from None
        return settings

    @traitlets.validate("excluded")
    def _ranks_of_examples(self, proposal: dict[str, Any]) -> list[int]:
        ranks = sorted(set(proposal["value"]))
        if ranks and self.active is None:
            raise traitlets.TraitError("excluded: choose a neuron first (active).")
        if ranks and ranks[-1] >= self.lens.n_examples:
            raise traitlets.TraitError(
                f"excluded: there is no rank {ranks[-1]}; {self.lens.n_examples} examples are kept."
            )
        return ranks

    @traitlets.observe("excluded")
    def _tell_excluded(self, change: dict[str, Any]) -> None:
        if self.active is not None and change["new"] != self._ranks():
            layer, neuron = self.active
            self._excluded = {"layer": layer, "neuron": neuron, "ranks": change["new"]}

    @traitlets.observe("active", "_excluded")
    def _hear_excluded(self, _change: object) -> None:
        self.excluded = self._ranks()

    def _ranks(self) -> list[int]:
        of = self._excluded or {}
        return list(of["ranks"]) if (of.get("layer"), of.get("neuron")) == self.active else []

    def _answer(self, *message: Any) -> None:
        """Answer first; what follows for the traits must not stand in the answer's way."""
        super()._answer(*message)
        if self._fresh is not None:
            (neuron, scores), self._fresh = self._fresh, None
            with self.hold_sync():
                self._scored = neuron
                self.set_trait("scores", scores)

    @traitlets.observe("active")
    def _drop_scores_of_another(self, change: dict[str, Any]) -> None:
        if self.scores and self._scored != change["new"]:
            with self.hold_sync():
                self._scored = None
                self.set_trait("scores", [])

    def _score(self, params: Mapping[str, Any]) -> Reply:
        """Score the candidates named; without any, suggest the best of what the lens knows.

        The neuron's own label is scored too: a list may have been made for another neuron.
        """
        layer, neuron = _answers.neuron_of(params)
        candidates, _ = distinct(params.get("candidates") or [])
        own = _answers.facts(self.lens.neurons, layer, neuron)["label"]
        own = "" if own == UNKNOWN else own
        suggest = not candidates
        if suggest:
            candidates = self._known_labels(own)
        elif own.strip() and len(own) <= LONGEST_CANDIDATE:
            candidates = distinct([*candidates, own])[0]
        if not candidates:
            self._fresh = (layer, neuron), []
            return Scores(scores=[], explained=[], own=""), []
        asked = _scored_by(params)
        table = self.lens.scores(layer, neuron, candidates, **asked)
        scores = map(_answers.number, table["score"].tolist())
        pairs = [list(pair) for pair in zip(table["candidate"].tolist(), scores, strict=True)]
        own = next((name for name in candidates if name.lower() == own.lower()), "")
        if suggest:
            best = _best(pairs, _SUGGESTIONS)
            pairs = best + [pair for pair in pairs if pair[0] == own and pair not in best]
        self._fresh = (layer, neuron), pairs
        explained: list[str] = []
        buffers: list[bytes] = []
        if isinstance(asked["scorer"], Explaining):
            explained = [name for name, _ in _best(pairs, _KEPT)]
            parts = self.lens.contributions(layer, neuron, explained, **asked)
            buffers = [np.ascontiguousarray(parts.to_numpy(dtype=np.float32).T).tobytes()]
        scored = [(name, score) for name, score in pairs]
        return Scores(scores=scored, explained=explained, own=own), buffers

    def _chance(self, params: Mapping[str, Any]) -> Reply:
        """Answer what random words score for a neuron: median and 95th percentile, or None."""
        layer, neuron = _answers.neuron_of(params)
        candidates, _ = distinct(params.get("candidates") or [])
        chance = self.lens.neuron_chance(layer, neuron, candidates, **_scored_by(params))
        median, high = map(_answers.number, chance)
        return None if median is None or high is None else [median, high], []

    def _vocabulary(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the labels that the lens knows, to choose from."""
        words = self.lens.vocabulary
        fitting = [word for word in words if len(word) <= LONGEST_CANDIDATE]
        return Vocabulary(words=fitting[:MOST_CANDIDATES], total=len(words)), []

    def _known_labels(self, own: str) -> list[str]:
        return distinct(label for label in (own, *self.lens.vocabulary) if label.strip())[0]

    def _accept(self, params: Mapping[str, Any], _tell: Told) -> Reply:
        """Make a candidate the neuron's label; the lens tells every widget."""
        layer, neuron = _answers.neuron_of(params)
        label = " ".join(str(params.get("label") or "").split())
        if not label:
            raise ValueError("label is blank. Give a text like 'striped'.")
        score = _answers.number(params.get("score"))
        self.lens.set_label(layer, neuron, label, score)
        accepted = Accepted(layer=layer, neuron=neuron, label=label, score=score)
        self.set_trait("accepted", dict(accepted))
        return accepted, []

    def _label_all(self, params: Mapping[str, Any], tell: Told) -> Reply:
        """Give every neuron the best of the candidates named, or of what the lens knows."""
        candidates = distinct(params.get("candidates") or self.lens.vocabulary)[0]
        if not candidates:
            raise ValueError(
                "The lens knows no labels yet. Add some to the list to choose from, or run "
                "lens.label([...]) in a cell."
            )
        labels = self.lens.label(candidates, **_scored_by(params), progress=tell)
        return LabelledAll(labelled=int((labels["label"] != UNKNOWN).sum())), []

    _requests: ClassVar[Mapping[str, Handler]] = {
        "pairs": _pairs,
        "thumbnails": _answers.thumbnails,
        "scores": _score,
        "chance": _chance,
        "vocabulary": _vocabulary,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {"accept": _accept, "label_all": _label_all}

    def _preview(self) -> bytes | None:
        if self.active is None:
            return None
        pairs = self.lens.examples(*self.active).head(COLUMNS)
        rows = [[int(sample) for sample in pairs[name]] for name in ("sample", "contrast_sample")]
        return sheet_png(self.lens, rows)
