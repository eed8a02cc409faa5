"""How a panel scores labels: which scorers and sentences it offers, and what was chosen."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from semlens_widgets.inputs.foundation import TEMPLATES
from semlens_widgets.labels.scorers import DEFAULT, SCORERS, scorer_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.widgets._lens import Lens


def offered(lens: Lens) -> list[dict[str, Any]]:
    """Describe the scorers, with those of their controls that the analysis has something for."""
    described = [kind.described() for kind in SCORERS.values()]
    for scorer in described:
        scorer["controls"] = [one for one in scorer["controls"] if _has_choice(lens, one)]
    return described


def _has_choice(lens: Lens, control: dict[str, Any]) -> bool:
    """Say whether there is anything to choose; no more can be than there is."""
    if control["name"] == "neighbours":
        control["high"] = lens.n_contrasts
        return lens.n_contrasts > 1
    return lens.embedding == "crop" or control["name"] not in {"embedding", "cropped"}


def offered_alone(lens: Lens, travels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe the scorers of a page without a kernel, with the controls that do something there.

    Parameters
    ----------
    travels
        What :func:`semlens_widgets.lens.portable.portable` says of them.
    """
    described = [one for one in offered(lens) if one["name"] in travels["scorers"]]
    for scorer in described:
        fixed = travels["scorers"][scorer["name"]]["fixed"]
        labels = {one["name"]: one["label"] for one in scorer["controls"]}
        scorer["controls"] = [one for one in scorer["controls"] if one["name"] not in fixed]
        for control in scorer["controls"]:
            if control["name"] == "weights":
                control["options"] = travels["weights"]
        scorer["note"] = _alone_said(
            travels, {labels[name]: value for name, value in fixed.items()}, pairs=scorer["pairs"]
        )
    return described


def _alone_said(travels: Mapping[str, Any], fixed: Mapping[str, Any], *, pairs: bool) -> str:
    """Say what of a scorer, and beside it, needs the notebook."""
    words = {True: "on", False: "off"}
    values = [
        f"{name.lower()} {words[value] if isinstance(value, bool) else value}"
        for name, value in fixed.items()
    ]
    said = [f"Here with {', '.join(values)} alone."] if values else []
    missing = ["other words", *(["other settings"] if values else []), *travels["missing"]]
    if pairs and travels["kept"] < travels["ranks"]:
        said.append(f"The first {travels['kept']} pairs may be left out one by one.")
    return " ".join([*said, f"In the notebook: {', '.join(missing)}."])


def settings_there_are() -> set[str]:
    """Name the settings of all scorers."""
    return {one.name for kind in SCORERS.values() for one in fields(kind)}


def as_labelled(lens: Lens) -> dict[str, Any]:
    """Return the settings that gave the labels: the panel's first scores are theirs."""
    settings = dict(lens.labelled_by)
    scorer, templates = settings.pop("scorer", None), settings.pop("templates", None)
    for name in ("candidates", "back_off"):  # how labels were chosen, not how they score
        settings.pop(name, None)
    named = {sentences: name for name, sentences in TEMPLATES.items()}
    options: dict[str, Any] = {}
    if templates:
        options["templates"] = named.get(tuple(templates), list(templates))
    if scorer in SCORERS:
        options |= {"scorer": scorer, "settings": chosen(scorer, settings)}
    return options


def chosen(scorer: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a scorer has by default and others have not: nobody chose that for them."""
    defaults: dict[str, set[Any]] = {}
    for kind in SCORERS.values():
        for one in fields(kind):
            defaults.setdefault(one.name, set()).add(one.default)
    own = {one.name: one.default for one in fields(SCORERS[scorer])}
    return {
        name: value
        for name, value in settings.items()
        if len(defaults.get(name, ())) < 2 or value != own.get(name)
    }


def as_in_page(lens: Lens, traits: Mapping[str, Any], travels: Mapping[str, Any]) -> dict[str, Any]:
    """Return a panel's traits as a page without a kernel has them.

    What the page cannot score by is not chosen there.
    """
    there = travels["scorers"]
    fixed = {name: one for scorer in there.values() for name, one in scorer["fixed"].items()}
    scorers = offered_alone(lens, travels)
    if traits["scorer"] not in there:
        for scorer in scorers:
            title = SCORERS[traits["scorer"]].title
            scorer["note"] = f"The notebook's panel stands on {title}. {scorer['note']}"
    settings = traits["settings"] | fixed
    if settings.get("weights") not in travels["weights"]:
        settings.pop("weights", None)
    return {
        "_scorers": scorers,
        "settings": settings,
        "scorer": traits["scorer"] if traits["scorer"] in there else DEFAULT,
        "second": traits["second"] if traits["second"] in there else "",
    }


def scored_by(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a request wants labels to be scored."""
    scorer = scorer_of(params.get("scorer", DEFAULT), params.get("settings"))
    asked: dict[str, Any] = {"scorer": scorer}
    if "templates" in params:
        asked["templates"] = sentences(params)
    if params.get("exclude") and scorer.pairs:
        asked["exclude"] = [int(rank) for rank in params["exclude"]]
    return asked


def sentences(params: Mapping[str, Any]) -> Sequence[str]:
    """Return the sentences around a label that a request names, or gives."""
    templates = params["templates"]
    return TEMPLATES[templates] if isinstance(templates, str) else templates
