"""The label scorers by name. To add one, write its file and name its class here."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from semlens_widgets.labels.correlation import Correlation
from semlens_widgets.labels.csp import Csp
from semlens_widgets.labels.difference import Difference
from semlens_widgets.labels.dissect import Dissect
from semlens_widgets.labels.recognition import Recognition
from semlens_widgets.labels.scorer import Scorer
from semlens_widgets.labels.semantic import Semantic

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In the order in which a person meets them.
SCORERS: dict[str, type[Scorer]] = {
    scorer.name: scorer for scorer in (Recognition, Correlation, Csp, Semantic, Difference, Dissect)
}
#: What labels are scored by if nobody says how: the truest in worlds that it was not chosen in, see
#: :mod:`semlens_widgets.demo.bench_labels`.
DEFAULT = Recognition.name


def scorer_of(scorer: object, settings: Mapping[str, Any] | None = None) -> Scorer:
    """Return a scorer, given itself or by its name.

    Parameters
    ----------
    settings
        For one given by its name; what it does not know is ignored.

    Raises
    ------
    ValueError
        If there is none of this name (the nearest is suggested), or a setting is out of range.
    TypeError
        If it is something else.
    """
    if isinstance(scorer, Scorer):
        return scorer
    if isinstance(scorer, type) and issubclass(scorer, Scorer):
        raise TypeError(f"scorer: {scorer.__name__} is a class; give {scorer.__name__}().")
    if not isinstance(scorer, str):
        raise TypeError(f"scorer: expected a name or a Scorer, got {type(scorer).__name__}.")
    if scorer not in SCORERS:
        close = get_close_matches(scorer.lower(), SCORERS, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"scorer: unknown {scorer!r}; {hint}choose one of {', '.join(SCORERS)}")
    kind = SCORERS[scorer]
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in (settings or {}).items() if name in known})
