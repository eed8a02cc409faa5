"""The contrast panel: examples beside look-alikes that leave the neuron quiet, and label scores."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from semlens_widgets.analysis.labels import METHODS
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset, close_matches
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from semlens_widgets.lens import SemanticLens

_SUGGESTIONS = 8


def distinct(candidates: Iterable[Any]) -> tuple[list[str], list[str]]:
    """Return the candidates with single spaces and without repetition, and the repeated ones.

    Upper and lower case count as the same, as they do for the text encoders.
    """
    kept: dict[str, str] = {}
    repeated = []
    for position, candidate in enumerate(candidates):
        if not isinstance(candidate, str):
            raise TypeError(f"candidates: entry {position} is {candidate!r}, not a text.")
        words = " ".join(candidate.split())
        if not words:
            raise ValueError(f"candidates: entry {position} is blank. Give a text like 'striped'.")
        if words.lower() in kept:
            repeated.append(words)
        else:
            kept[words.lower()] = words
    return list(kept.values()), repeated


def _pairs(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    layer, neuron = _answers.neuron_of(params)
    facts = _answers.facts(widget.lens.neurons, layer, neuron)
    pairs = [
        {
            "rank": int(row["rank"]),
            **_answers.shown(row),
            "contrast": None if row["contrast_sample"] < 0 else _answers.shown(row, "contrast_"),
            "similarity": _answers.number(row["similarity"]),
        }
        for row in widget.lens.examples(layer, neuron).to_dict("records")
    ]
    return {"facts": facts, "pairs": pairs}, []


class ContrastPanel(LensWidget):
    """Compare what activates a neuron with what does not, and try labels on it.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    layer, neuron : str, int, optional
        The neuron to show; also the trait ``active``, which may be set at any time.
    **options
        ``candidates`` (labels to score; empty: the neuron's own label and the best of
        ``lens.vocabulary``), ``method`` (one of ``METHODS``), ``gamma`` (0 to 1, for CSP),
        ``centred`` (subtract each text's mean similarity over all images).

    Attributes
    ----------
    scores : list
        The last ``[candidate, score]`` pairs the browser asked for. Read-only.
    accepted : dict or None
        The last label a person accepted here: ``layer``, ``neuron``, ``label``, ``score``.
        Read-only.
    """

    _esm = asset("contrast.js")
    _css = asset("contrast.css")

    candidates = traitlets.List(traitlets.Unicode(), help="Labels to score.").tag(sync=True)
    method = traitlets.Unicode("csp", help="How labels are scored.").tag(sync=True)
    gamma = traitlets.Float(1.0, help="How much of the contrast is projected out.").tag(sync=True)
    centred = traitlets.Bool(False, help="Subtract each text's mean over all images.").tag(
        sync=True
    )
    scores: traitlets.List[Any] = traitlets.List(read_only=True, help="The last scores.").tag(
        sync=True
    )
    accepted = traitlets.Dict(
        None, allow_none=True, read_only=True, help="The last accepted label."
    ).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        lens: SemanticLens,
        layer: str | None = None,
        neuron: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(lens, **_answers.with_active(options, layer, neuron))

    def refresh(self) -> None:
        """Ask the browser to fetch the neuron's label and measures again."""
        self._revision += 1

    @traitlets.validate("candidates")
    def _distinct_candidates(self, proposal: dict[str, Any]) -> list[str]:
        try:
            kept, repeated = distinct(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        if repeated:
            names = ", ".join(map(repr, repeated))
            warnings.warn(f"candidates: already in the list, kept once: {names}.", stacklevel=2)
        return kept

    @traitlets.validate("method")
    def _known_method(self, proposal: dict[str, Any]) -> str:
        method: str = proposal["value"]
        if method not in METHODS:
            raise traitlets.TraitError(
                f"method: there is no scorer {method!r}.{close_matches(method, METHODS)}"
            )
        return method

    @traitlets.validate("gamma")
    def _gamma_in_range(self, proposal: dict[str, Any]) -> float:
        gamma: float = proposal["value"]
        if not 0 <= gamma <= 1:
            raise traitlets.TraitError(f"gamma must lie between 0 and 1, got {gamma}.")
        return gamma

    def _score(self, params: Mapping[str, Any]) -> Reply:
        """Score the candidates named; without any, suggest the best of what the lens knows."""
        layer, neuron = _answers.neuron_of(params)
        candidates, _ = distinct(params.get("candidates") or [])
        suggest = not candidates
        if suggest:
            candidates = self._known_labels(layer, neuron)
        pairs: list[list[Any]] = []
        if candidates:
            settings = {
                name: params[name] for name in ("method", "gamma", "centred") if name in params
            }
            table = self.lens.scores(layer, neuron, candidates, **settings)
            scores = map(_answers.number, table["score"])
            pairs = [list(pair) for pair in zip(table["candidate"], scores, strict=True)]
        if suggest:
            pairs.sort(key=lambda pair: float("inf") if pair[1] is None else -pair[1])
            pairs = pairs[:_SUGGESTIONS]
        self.set_trait("scores", pairs)
        return {"scores": pairs}, []

    def _known_labels(self, layer: str, neuron: int) -> list[str]:
        own = _answers.facts(self.lens.neurons, layer, neuron)["label"]
        vocabulary: Sequence[str] = getattr(self.lens, "vocabulary", ())
        return distinct(label for label in (own, *vocabulary) if label.strip())[0]

    def _accept(self, params: Mapping[str, Any]) -> Reply:
        """Make a candidate the neuron's label."""
        layer, neuron = _answers.neuron_of(params)
        label = " ".join(str(params.get("label") or "").split())
        if not label:
            raise ValueError("label is blank. Give a text like 'striped'.")
        score = _answers.number(params.get("score"))
        self.lens.set_label(layer, neuron, label, score)
        accepted = {"layer": layer, "neuron": neuron, "label": label, "score": score}
        self.set_trait("accepted", accepted)
        return accepted, []

    _requests: ClassVar[Mapping[str, Handler]] = {
        "pairs": _pairs,
        "thumbnails": _answers.thumbnails,
        "scores": _score,
        "accept": _accept,
    }

    def _preview(self) -> bytes | None:
        if self.active is None:
            return None
        pairs = self.lens.examples(*self.active).head(COLUMNS)
        rows = [[int(sample) for sample in pairs[name]] for name in ("sample", "contrast_sample")]
        return sheet_png(self.lens, rows)
