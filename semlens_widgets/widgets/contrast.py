"""The contrast panel: examples beside look-alikes that leave the neuron quiet, and label scores."""

from __future__ import annotations

import warnings
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from semlens_widgets.inputs.foundation import TEMPLATES, checked_templates
from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.labels.scorer import Explaining, Scorer
from semlens_widgets.labels.scorers import DEFAULT, SCORERS, scorer_of
from semlens_widgets.widgets import _answers, _labelled, _weighed
from semlens_widgets.widgets._base import Doer, Handler, LensWidget, Neuron, Reply, Told, asset
from semlens_widgets.widgets._candidates import (
    KEPT,
    LONGEST_CANDIDATE,
    MOST_CANDIDATES,
    best,
    distinct,
    known_labels,
    listed,
)
from semlens_widgets.widgets._messages.labels import Accepted, Scores, Vocabulary
from semlens_widgets.widgets._messages.neurons import Pair, PairsOfNeuron
from semlens_widgets.widgets._page.pool import first
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._scoring import (
    as_in_page,
    as_labelled,
    chosen,
    offered,
    scored_by,
    settings_there_are,
)
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.labels.candidates.source import CandidateSource
    from semlens_widgets.widgets._lens import Lens
    from semlens_widgets.widgets._page.pool import Recorder
    from semlens_widgets.widgets._page.scoring import Scoring

_SUGGESTIONS = 8
_OLD = {"method", "gamma", "centred"}
_OLD_ADVICE = 'give scorer="csp", or an object such as Csp(gamma=0.5, centred=True)'


def _pairs(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    layer, neuron = _answers.neuron_of(params)
    facts = _answers.facts(widget.lens.neurons, layer, neuron)
    pairs = [
        Pair(
            **_answers.shown(row),
            rank=int(row["rank"]),
            contrast=None if row["contrast_sample"] < 0 else _answers.shown(row, "contrast_"),
            similarity=_answers.number(row["similarity"]),
            origin=str(row["contrast_origin"]),
            changed=_answers.number(row["changed"]),
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
    second : str
        A scorer whose scores stand beside; empty: none.
    templates : {"plain", "csp", "clip"} or list of str
        Each label alone, in the six sentences of CSP, the seven of CLIP, or in sentences of your
        own with ``{}`` where the label goes; embeddings are averaged at unit length.
    sources : dict
        Where labels for all neurons may come from beside the ready ones, by the name shown:
        candidate sources such as a :class:`semlens_widgets.ChatVLM`, or lists of labels. Also the
        attribute `sources`, which may be set at any time.
    excluded : list of int
        Ranks of the pairs that are left out; empty again when the neuron changes.

    Raises
    ------
    TypeError
        If `candidates` is one string, or an option is unknown.

    Attributes
    ----------
    scores : list
        The last ``[candidate, score]`` pairs the browser asked for. Read-only.
    accepted : dict or None
        The last label a person accepted here: ``layer``, ``neuron``, ``label``, ``score``.
        Read-only.
    """

    view_title = "Labels and contrast"
    view_traits = ("candidates", "scorer", "second", "settings", "templates", "excluded")

    _esm = asset("contrast.js")
    _css = asset("contrast.css")

    candidates = traitlets.List(traitlets.Unicode(), help="Labels to score.").tag(sync=True)
    scorer = traitlets.Unicode(DEFAULT, help="How labels are scored.").tag(sync=True)
    second = traitlets.Unicode(help="The scorer whose scores stand beside.").tag(sync=True)
    settings = traitlets.Dict(help="Settings of the scorers, by name.").tag(sync=True)
    templates = traitlets.Union(
        [traitlets.Enum(tuple(TEMPLATES)), traitlets.List(traitlets.Unicode())],
        default_value="plain",
        help="Sentences around a label.",
    ).tag(sync=True)
    excluded = traitlets.List(traitlets.Int(min=0), help="Ranks of the pairs left out.")
    scores: traitlets.List[Any] = traitlets.List(read_only=True, help="The last scores.").tag(
        sync=True, to_json=lambda value, _widget: best(value, KEPT)
    )
    accepted = traitlets.Dict(
        None, allow_none=True, read_only=True, help="The last accepted label."
    ).tag(sync=True)
    #: The neuron that the scores are of.
    _scored = Neuron()
    #: With the neuron they belong to, so that no change of neuron can mix them up.
    _excluded = traitlets.Dict(None, allow_none=True).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)
    #: Where labels may come from: names, and which model is asked, if one is.
    _sources = traitlets.List(traitlets.Dict()).tag(sync=True)
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
        #: Held while all neurons are labelled.
        self.labelling = Lock()
        excluded = options.pop("excluded", None)
        sources = options.pop("sources", None)
        if isinstance(options.get("candidates"), str):
            raise TypeError(f"candidates must be a list: [{options['candidates']!r}].")
        for name in _OLD & options.keys():
            raise TypeError(f"There is no {name}= any more: {_OLD_ADVICE}.")
        if isinstance(scorer := options.get("scorer"), Scorer):
            options |= {"scorer": scorer.name, "settings": chosen(scorer.name, scorer.settings)}
        options = as_labelled(lens) | options
        super().__init__(lens, **_answers.with_active(options, layer, neuron))
        self.sources = sources or {}
        if excluded is not None:
            self.excluded = excluded

    @property
    def sources(self) -> Mapping[str, CandidateSource]:
        """Where labels for all neurons may come from, beside the ready sources, by name."""
        return MappingProxyType(self._given)

    @sources.setter
    def sources(self, given: Mapping[str, CandidateSource | Sequence[str]]) -> None:
        self._given = _labelled.checked_sources(given)
        self._sources = _labelled.described_sources(self._given)

    def refresh(self) -> None:
        """Ask the browser to fetch the neuron's label and measures again."""
        self._revision += 1

    @traitlets.default("_scorers")
    def _all_scorers(self) -> list[dict[str, Any]]:
        return offered(self.lens)

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

    @traitlets.validate("scorer", "second")
    def _known_scorer(self, proposal: dict[str, Any]) -> str:
        scorer, trait = str(proposal["value"]), proposal["trait"].name
        if scorer not in SCORERS and (scorer, trait) != ("", "second"):
            raise traitlets.TraitError(
                f"{trait}: there is no {scorer!r}.{close_matches(scorer, list(SCORERS))}"
            )
        return scorer

    @traitlets.validate("settings")
    def _known_settings(self, proposal: dict[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = proposal["value"]
        known = settings_there_are()
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

    @traitlets.validate("templates")
    def _known_templates(self, proposal: dict[str, Any]) -> str | list[str]:
        templates: str | list[str] = proposal["value"]
        if isinstance(templates, str):
            return templates
        try:
            return list(checked_templates(templates))
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

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
        candidates = listed(params)
        own = _answers.facts(self.lens.neurons, layer, neuron)["label"]
        own = "" if own == UNKNOWN else own
        suggest = not candidates
        if suggest:
            candidates = known_labels(self.lens, own)
        elif own.strip() and len(own) <= LONGEST_CANDIDATE:
            candidates = distinct([*candidates, own])[0]
        if not candidates:
            self._fresh = (layer, neuron), []
            return Scores(scores=[], explained=[], own=""), []
        asked = scored_by(params)
        table = self.lens.scores(layer, neuron, candidates, **asked)
        scores = map(_answers.number, table["score"].tolist())
        pairs = [list(pair) for pair in zip(table["candidate"].tolist(), scores, strict=True)]
        own = next((name for name in candidates if name.lower() == own.lower()), "")
        if suggest:
            top = best(pairs, _SUGGESTIONS)
            pairs = top + [pair for pair in pairs if pair[0] == own and pair not in top]
        self._fresh = (layer, neuron), pairs
        explained: list[str] = []
        buffers: list[bytes] = []
        if isinstance(asked["scorer"], Explaining):
            explained = [name for name, _ in best(pairs, KEPT)]
            parts = self.lens.contributions(layer, neuron, explained, **asked)
            buffers = [np.ascontiguousarray(parts.to_numpy(dtype=np.float32).T).tobytes()]
        scored = [(name, score) for name, score in pairs]
        return Scores(scores=scored, explained=explained, own=own), buffers

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

    def _vocabulary(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the labels that the lens knows, to choose from."""
        words = self.lens.vocabulary
        fitting = [word for word in words if len(word) <= LONGEST_CANDIDATE]
        return Vocabulary(words=fitting[:MOST_CANDIDATES], total=len(words)), []

    _requests: ClassVar[Mapping[str, Handler]] = {
        "pairs": _pairs,
        "thumbnails": _answers.thumbnails,
        "scores": _score,
        "beside": _weighed.beside,
        "chance": _weighed.chance,
        "vocabulary": _vocabulary,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {
        "accept": _accept,
        "explain": _weighed.explain,
        "intervals": _weighed.intervals,
        "preview": _labelled.preview,
        "label_all": _labelled.label_all,
    }

    def _reached(self) -> list[tuple[str, int]]:
        return _answers.active_alone(self)

    def _record(self, page: Recorder) -> None:
        sentences: Any = self.templates
        own = None if isinstance(sentences, str) else sentences
        page.to_score.add(self.lens, self.candidates, own)
        for of in page.each(self):
            shown = page.ask(self, "pairs", of, first("pairs", page.examples))
            contrasts = [pair["contrast"] for pair in shown["pairs"] if pair["contrast"]]
            page.pictures(self, [one["sample"] for one in (*shown["pairs"], *contrasts)])

    def _as_in_page(self, scoring: Scoring | None) -> Mapping[str, Any]:
        return {} if scoring is None else as_in_page(self.lens, self.get_state(), scoring.meta)

    def _preview(self) -> bytes | None:
        if self.active is None:
            return None
        pairs = self.lens.examples(*self.active).head(COLUMNS)
        rows = [[int(sample) for sample in pairs[name]] for name in ("sample", "contrast_sample")]
        return sheet_png(self.lens, rows)
